/* What a token costs at sampled depths: prefill and decode, sparse and dense. */
#ifndef SKIMD_BENCH_DEPTHS_H
#define SKIMD_BENCH_DEPTHS_H

#include <stddef.h>

#include "bench/bench.h"

#define N_DEPTHS 10

/* Rising from 0, each a number of whole blocks, so that a context of that depth can be had from the document's. */
extern const size_t DEPTHS[N_DEPTHS];

#define MOST_TOKENS (131072 + 4096) /* the deepest, and what is measured behind it */

/* Seconds a token of prefill, by index into DEPTHS; 0 where a plan does not go. */
struct samples {
	double prefill[N_DEPTHS], dense_prefill[N_DEPTHS];
};

void depths_sample(struct bench *bench, struct samples *ret);

/* The time of sparse prefill against the dense one's, of prompts whose dense prefill nobody would wait for. */
void depths_compare(struct bench *bench, const struct samples *samples);

#endif
