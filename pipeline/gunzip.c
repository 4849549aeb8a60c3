#include "pipeline/gunzip.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>

#define STEP ((size_t)1 << 16)
#define GZIP_WINDOW (15 + 16) /* zlib's way to ask for a gzip header */

bool gunzip_is(const char *bytes, size_t n)
{
	return n >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b';
}

static int check_size(size_t n_packed, size_t n_unpacked, size_t max_bytes, struct err *err)
{
	if (n_unpacked > max_bytes)
		return err_set(err, -EFBIG, "unpacks to more than the limit of %zu bytes", max_bytes);
	if (n_unpacked > GUNZIP_FREE_BYTES && n_unpacked / GUNZIP_MAX_RATIO > n_packed)
		return err_set(err, -EFBIG, "unpacks to more than %d times its size", GUNZIP_MAX_RATIO);
	return 0;
}

/* One step: as much as fits behind *ret, from bytes[*n_taken] on. Returns zlib's word for how it went. */
static int inflate_step(z_stream *stream, const char *bytes, size_t n, size_t *n_taken, struct buf *ret)
{
	char *room = buf_reserve(ret, STEP);
	uInt n_in = n - *n_taken < UINT_MAX ? (uInt)(n - *n_taken) : UINT_MAX;
	int status;

	if (room == NULL)
		return Z_MEM_ERROR;
	stream->next_in = (z_const Bytef *)(bytes + *n_taken);
	stream->avail_in = n_in;
	stream->next_out = (Bytef *)room;
	stream->avail_out = (uInt)STEP;
	status = inflate(stream, Z_NO_FLUSH);
	*n_taken += n_in - stream->avail_in;
	ret->n += STEP - stream->avail_out;
	return status;
}

static int check_status(int status, struct err *err)
{
	switch (status) {
	case Z_OK:
	case Z_STREAM_END:
		return 0;
	case Z_MEM_ERROR:
		return err_set(err, -ENOMEM, "no memory to unpack it");
	case Z_BUF_ERROR:
		return err_set(err, -EBADMSG, "the gzip data is cut short");
	default:
		return err_set(err, -EBADMSG, "the gzip data is damaged");
	}
}

/* What follows a member is another one, or does not belong here. */
static int next_member(z_stream *stream, const char *bytes, size_t n, struct err *err)
{
	if (!gunzip_is(bytes, n))
		return err_set(err, -EBADMSG, "%zu bytes that are not gzip follow the gzip data", n);
	inflateReset(stream);
	return 0;
}

int gunzip(const char *bytes, size_t n, size_t max_bytes, struct buf *ret, struct err *err)
{
	const size_t n_before = ret->n;
	z_stream stream = { 0 };
	size_t n_taken = 0;
	int status = Z_OK, r = 0;

	if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
		return err_set(err, -ENOMEM, "no memory to unpack it");
	while (r == 0 && (status != Z_STREAM_END || n_taken < n)) {
		if (status == Z_STREAM_END &&
		    (r = next_member(&stream, bytes + n_taken, n - n_taken, err)) < 0)
			break;
		status = inflate_step(&stream, bytes, n, &n_taken, ret);
		if ((r = check_status(status, err)) == 0)
			r = check_size(n_taken, ret->n - n_before, max_bytes, err);
	}
	inflateEnd(&stream);
	return r;
}
