#include "pipeline/gunzip.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>

#include "pipeline/unpacking.h"

#define GZIP_WINDOW (15 + 16) /* zlib's way to ask for a gzip header */

bool gunzip_is(const char *bytes, size_t n)
{
	return n >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b';
}

static enum unpacking_status check(int status)
{
	switch (status) {
	case Z_OK:
	case Z_BUF_ERROR: /* no more to take or no room, as who counts the bytes sees */
		return UNPACKING_GOES_ON;
	case Z_STREAM_END:
		return UNPACKING_MEMBER_ENDS;
	case Z_MEM_ERROR:
		return UNPACKING_NO_MEMORY;
	default:
		return UNPACKING_DAMAGED;
	}
}

static enum unpacking_status inflate_step(void *user, struct unpacking_step *step)
{
	z_stream *stream = user;
	const uInt n_in = step->n_in < UINT_MAX ? (uInt)step->n_in : UINT_MAX;
	int status;

	stream->next_in = (z_const Bytef *)step->in;
	stream->avail_in = n_in;
	stream->next_out = (Bytef *)step->out;
	stream->avail_out = (uInt)step->n_out;
	status = inflate(stream, Z_NO_FLUSH);
	step->in += n_in - stream->avail_in;
	step->n_in -= n_in - stream->avail_in;
	step->n_out = stream->avail_out;
	return check(status);
}

static void reset(void *stream)
{
	inflateReset(stream);
}

int gunzip(const char *bytes, size_t n, size_t max_bytes, struct buf *ret, struct err *err)
{
	static const struct unpacking GZIP = { "gzip", gunzip_is, inflate_step, reset };
	z_stream stream = { 0 };
	int r;

	if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
		return err_set(err, -ENOMEM, "no memory to unpack it");
	r = unpacking_run(&GZIP, &stream, bytes, n, max_bytes, ret, err);
	inflateEnd(&stream);
	return r;
}
