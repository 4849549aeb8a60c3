#include "pipeline/unzstd.h"

#include <errno.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "pipeline/unpacking.h"

bool unzstd_is(const char *bytes, size_t n)
{
	return n >= 4 && memcmp(bytes, "\x28\xb5\x2f\xfd", 4) == 0;
}

static enum unpacking_status check(size_t status)
{
	if (!ZSTD_isError(status))
		return status == 0 ? UNPACKING_MEMBER_ENDS : UNPACKING_GOES_ON;
	switch (ZSTD_getErrorCode(status)) {
	case ZSTD_error_memory_allocation:
		return UNPACKING_NO_MEMORY;
	case ZSTD_error_frameParameter_windowTooLarge:
		return UNPACKING_TOO_LARGE;
	default:
		return UNPACKING_DAMAGED;
	}
}

static enum unpacking_status step(void *stream, struct unpacking_step *step)
{
	ZSTD_inBuffer in = { step->in, step->n_in, 0 };
	ZSTD_outBuffer out = { step->out, step->n_out, 0 };
	size_t status = ZSTD_decompressStream(stream, &out, &in);

	step->in += in.pos;
	step->n_in -= in.pos;
	step->n_out -= out.pos;
	return check(status);
}

/* A window is a power of two. */
static int max_window(void)
{
	int ret = 0;

	for (size_t size = UNPACKING_MAX_MEMORY; size > 1; size /= 2)
		ret++;
	return ret;
}

int unzstd(const char *bytes, size_t n, size_t max_bytes, struct buf *ret, struct err *err)
{
	static const struct unpacking ZSTANDARD = { "Zstandard", unzstd_is, step, NULL };
	ZSTD_DCtx *stream = ZSTD_createDCtx();
	int r;

	if (stream == NULL)
		return err_set(err, -ENOMEM, "no memory to unpack it");
	ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, max_window());
	r = unpacking_run(&ZSTANDARD, stream, bytes, n, max_bytes, ret, err);
	ZSTD_freeDCtx(stream);
	return r;
}
