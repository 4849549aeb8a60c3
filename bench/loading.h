/* What each form of a block's rows takes on disk and how fast it is made into rows again: on the rows of a real text, by
 * one thread. */
#ifndef SKIMD_BENCH_LOADING_H
#define SKIMD_BENCH_LOADING_H

#include "base/err.h"
#include "bench/format.h"

struct loading {
	double n_tokens, block_bytes; /* of the text, in whole blocks; of a block in memory */
	double bytes[N_FORMATS]; /* of all blocks as they would be on disk */
	double seconds
		[N_FORMATS]; /* checksum and decoding of all blocks, from memory to memory; the best trial */
};

/* The text is the longest prompt in the model's golden.json, if there is one of a whole block: else n_tokens is 0. */
int loading_measure(const char *model, unsigned n_threads, struct loading *ret, struct err *err);

#endif
