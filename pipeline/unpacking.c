#include "pipeline/unpacking.h"

#include <errno.h>

#define STEP ((size_t)1 << 16)

static int check_size(size_t n_packed, size_t n_unpacked, size_t max_bytes, struct err *err)
{
	if (n_unpacked > max_bytes)
		return err_set(err, -EFBIG, "unpacks to more than the limit of %zu bytes", max_bytes);
	if (n_unpacked > UNPACKING_FREE_BYTES && n_unpacked / UNPACKING_MAX_RATIO > n_packed)
		return err_set(err, -EFBIG, "unpacks to more than %d times its size", UNPACKING_MAX_RATIO);
	return 0;
}

static int check_status(const char *name, enum unpacking_status status, bool advanced, struct err *err)
{
	switch (status) {
	case UNPACKING_DAMAGED:
		return err_set(err, -EBADMSG, "the %s data is damaged", name);
	case UNPACKING_NO_MEMORY:
		return err_set(err, -ENOMEM, "no memory to unpack it");
	case UNPACKING_TOO_LARGE:
		return err_set(err, -EFBIG, "needs more than %zu MiB of memory to be unpacked",
		               UNPACKING_MAX_MEMORY >> 20);
	default:
		return advanced ? 0 : err_set(err, -EBADMSG, "the %s data is cut short", name);
	}
}

/* What follows a member is another one, or does not belong here. */
static int next_member(const struct unpacking *unpacking, void *stream, const char *bytes, size_t n,
                       struct err *err)
{
	if (!unpacking->is(bytes, n))
		return err_set(err, -EBADMSG, "%zu bytes that are not %s follow the %s data", n,
		               unpacking->name, unpacking->name);
	if (unpacking->reset != NULL)
		unpacking->reset(stream);
	return 0;
}

int unpacking_run(const struct unpacking *unpacking, void *stream, const char *bytes, size_t n,
                  size_t max_bytes, struct buf *ret, struct err *err)
{
	const size_t n_before = ret->n;
	enum unpacking_status status = UNPACKING_GOES_ON;
	struct unpacking_step step = { .in = bytes, .n_in = n };
	int r = 0;

	while (r == 0 && (status != UNPACKING_MEMBER_ENDS || step.n_in > 0)) {
		const size_t n_in = step.n_in;

		if (status == UNPACKING_MEMBER_ENDS &&
		    (r = next_member(unpacking, stream, step.in, step.n_in, err)) < 0)
			break;
		step.out = buf_reserve(ret, STEP);
		step.n_out = STEP;
		status = step.out == NULL ? UNPACKING_NO_MEMORY : unpacking->step(stream, &step);
		ret->n += STEP - step.n_out;
		r = check_status(unpacking->name, status,
		                 status == UNPACKING_MEMBER_ENDS || step.n_in < n_in || step.n_out < STEP,
		                 err);
		if (r == 0)
			r = check_size(n - step.n_in, ret->n - n_before, max_bytes, err);
	}
	return r;
}
