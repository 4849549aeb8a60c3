#include "pipeline/unxz.h"

#include <errno.h>
#include <lzma.h>
#include <string.h>

#include "pipeline/unpacking.h"

bool unxz_is(const char *bytes, size_t n)
{
	return n >= 6 && memcmp(bytes,
	                        "\xfd"
	                        "7zXZ",
	                        6) == 0;
}

static enum unpacking_status check(lzma_ret status)
{
	switch (status) {
	case LZMA_OK:
	case LZMA_BUF_ERROR: /* no more to take or no room, as who counts the bytes sees */
		return UNPACKING_GOES_ON;
	case LZMA_STREAM_END:
		return UNPACKING_MEMBER_ENDS;
	case LZMA_MEM_ERROR:
		return UNPACKING_NO_MEMORY;
	case LZMA_MEMLIMIT_ERROR:
		return UNPACKING_TOO_LARGE;
	default:
		return UNPACKING_DAMAGED;
	}
}

static enum unpacking_status step(void *user, struct unpacking_step *step)
{
	lzma_stream *stream = user;
	lzma_ret status;

	stream->next_in = (const uint8_t *)step->in;
	stream->avail_in = step->n_in;
	stream->next_out = (uint8_t *)step->out;
	stream->avail_out = step->n_out;
	status = lzma_code(stream, LZMA_RUN);
	step->in += step->n_in - stream->avail_in;
	step->n_in = stream->avail_in;
	step->n_out = stream->avail_out;
	return check(status);
}

/* Where it is set up already, what it has is used again. */
static lzma_ret begin(lzma_stream *stream)
{
	return lzma_stream_decoder(stream, UNPACKING_MAX_MEMORY, 0);
}

static void reset(void *stream)
{
	begin(stream);
}

int unxz(const char *bytes, size_t n, size_t max_bytes, struct buf *ret, struct err *err)
{
	static const struct unpacking XZ = { "xz", unxz_is, step, reset };
	lzma_stream stream = LZMA_STREAM_INIT;
	int r;

	if (begin(&stream) != LZMA_OK)
		return err_set(err, -ENOMEM, "no memory to unpack it");
	r = unpacking_run(&XZ, &stream, bytes, n, max_bytes, ret, err);
	lzma_end(&stream);
	return r;
}
