/* The store by itself: blocks of made-up documents, put as a pipeline would, first into an empty file and then on and on
 * into a full one. */
#ifndef SKIMD_BENCH_FILLING_H
#define SKIMD_BENCH_FILLING_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct filling {
	const char *kv; /* the store's file, which is not there yet */
	uint64_t budget_bytes;
	size_t block_bytes;
};

/* Of blocks put, of what went to the disk for them, and how long that took. */
struct written {
	double payload_bytes, disk_bytes, seconds;
};

struct filled {
	struct written filling, evicting; /* nothing evicted yet; each document in place of older ones */
	double most_bytes; /* of the file and its journal, seen after any put */
};

/* Put twice the budget behind the first eviction. A process's first act on a store: what it wrote before counts. */
int filling_run(const struct filling *filling, struct filled *ret, struct err *err);

#endif
