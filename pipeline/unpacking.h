/* What all packings have in common: members one behind the other, walls against bombs, and the words for what goes wrong. */
#ifndef SKIMD_PIPELINE_UNPACKING_H
#define SKIMD_PIPELINE_UNPACKING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define UNPACKING_MAX_RATIO 100
#define UNPACKING_FREE_BYTES ((size_t)1 << 20) /* the ratio is not asked for up to here */
#define UNPACKING_MAX_MEMORY ((size_t)128 << 20) /* of a library, for its window */

enum unpacking_status {
	UNPACKING_GOES_ON,
	UNPACKING_MEMBER_ENDS,
	UNPACKING_DAMAGED,
	UNPACKING_NO_MEMORY,
	UNPACKING_TOO_LARGE
};

/* What a step takes from, and what it puts into; it advances both. */
struct unpacking_step {
	const char *in;
	char *out;
	size_t n_in, n_out;
};

struct unpacking {
	const char *name; /* for people: "gzip" */
	bool (*is)(const char *bytes, size_t n); /* the bytes start as a member does */
	enum unpacking_status (*step)(void *stream, struct unpacking_step *step);
	void (*reset)(void *stream); /* for the next member; NULL: there is nothing to do */
};

/* Append what all members unpack to. stream is ready for the first one, and the caller's. -EFBIG: more than max_bytes, more
 * than UNPACKING_MAX_RATIO times the packed bytes read so far, or a window of more than UNPACKING_MAX_MEMORY; -EBADMSG: cut
 * short, damaged, or followed by something else; -ENOMEM. After a failure *ret holds what had been unpacked. The words name
 * no file. */
int unpacking_run(const struct unpacking *unpacking, void *stream, const char *bytes, size_t n,
                  size_t max_bytes, struct buf *ret, struct err *err);

#endif
