/* A long document whose blocks are another one's, under its own names: what a store holds of it is as large as if it had been
 * read, and took a minute. Its answers mean nothing. */
#ifndef SKIMD_BENCH_COPYING_H
#define SKIMD_BENCH_COPYING_H

#include <stddef.h>

#include "base/err.h"

struct copying {
	const char *model, *kv; /* the store has the first document */
	size_t n_from, n_tokens; /* of the two documents */
};

struct copied {
	double n_bytes;
};

int copying_run(const struct copying *copying, struct copied *ret, struct err *err);

#endif
