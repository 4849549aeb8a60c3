#include "pipeline/bunzip2.h"

#include <bzlib.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "pipeline/unpacking.h"

/* A block, or the end of a file without any, follows the four bytes that begin it. */
bool bunzip2_is(const char *bytes, size_t n)
{
	return n >= 10 && memcmp(bytes, "BZh", 3) == 0 && bytes[3] >= '1' && bytes[3] <= '9' &&
	       (memcmp(bytes + 4, "1AY&SY", 6) == 0 || memcmp(bytes + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0);
}

static enum unpacking_status check(int status)
{
	switch (status) {
	case BZ_OK:
		return UNPACKING_GOES_ON;
	case BZ_STREAM_END:
		return UNPACKING_MEMBER_ENDS;
	case BZ_MEM_ERROR:
	case BZ_PARAM_ERROR: /* there was none to begin a member */
		return UNPACKING_NO_MEMORY;
	default:
		return UNPACKING_DAMAGED;
	}
}

static enum unpacking_status step(void *user, struct unpacking_step *step)
{
	bz_stream *stream = user;
	const unsigned n_in = step->n_in < UINT_MAX ? (unsigned)step->n_in : UINT_MAX;
	int status;

	stream->next_in = (char *)(size_t)step->in; /* read only, whatever its type says */
	stream->avail_in = n_in;
	stream->next_out = step->out;
	stream->avail_out = (unsigned)step->n_out;
	status = BZ2_bzDecompress(stream);
	step->in += n_in - stream->avail_in;
	step->n_in -= n_in - stream->avail_in;
	step->n_out = stream->avail_out;
	return check(status);
}

/* If there is no memory for it, the next step says so. */
static void reset(void *user)
{
	bz_stream *stream = user;

	BZ2_bzDecompressEnd(stream);
	*stream = (bz_stream){ 0 };
	BZ2_bzDecompressInit(stream, 0, 0);
}

int bunzip2(const char *bytes, size_t n, size_t max_bytes, struct buf *ret, struct err *err)
{
	static const struct unpacking BZIP2 = { "bzip2", bunzip2_is, step, reset };
	bz_stream stream = { 0 };
	int r;

	if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK)
		return err_set(err, -ENOMEM, "no memory to unpack it");
	r = unpacking_run(&BZIP2, &stream, bytes, n, max_bytes, ret, err);
	BZ2_bzDecompressEnd(&stream);
	return r;
}
