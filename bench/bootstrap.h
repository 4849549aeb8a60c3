/* How sure a mean is: by drawing the sample again and again from itself. Seeded: each run gives the same. */
#ifndef SKIMD_BENCH_BOOTSTRAP_H
#define SKIMD_BENCH_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

/* The next number of a seed (SplitMix64). */
uint64_t draw(uint64_t *seed);

/* The numbers below n in an order that the seed draws; ret has room for n. */
void draw_order(uint64_t seed, size_t n, size_t *ret);

struct interval {
	double mean, low, high; /* 95 % lie between */
};

/* The mean of values[n], or of the differences from others[n] (NULL: none). */
struct interval bootstrap_mean(const double *values, const double *others, size_t n);

#endif
