#include "bench/bootstrap.h"

#include <stdlib.h>

#include "bench/memory.h"

#define N_SAMPLES 500
#define SEED 20261123

uint64_t draw(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void draw_order(uint64_t seed, size_t n, size_t *ret)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = i;
	for (size_t i = n; i > 1; i--) {
		size_t j = draw(&seed) % i, other = ret[j];

		ret[j] = ret[i - 1];
		ret[i - 1] = other;
	}
}

static double difference(const double *values, const double *others, size_t i)
{
	return others == NULL ? values[i] : values[i] - others[i];
}

static int compare(const void *a, const void *b)
{
	const double *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

struct interval bootstrap_mean(const double *values, const double *others, size_t n)
{
	double *means = memory_take(N_SAMPLES, sizeof(double));
	struct interval ret = { 0 };
	uint64_t seed = SEED;

	for (size_t i = 0; i < n; i++)
		ret.mean += difference(values, others, i) / (double)n;
	for (size_t sample = 0; n > 0 && sample < N_SAMPLES; sample++) {
		for (size_t i = 0; i < n; i++)
			means[sample] += difference(values, others, draw(&seed) % n) / (double)n;
	}
	qsort(means, N_SAMPLES, sizeof(*means), compare);
	ret.low = means[N_SAMPLES / 40];
	ret.high = means[N_SAMPLES - 1 - N_SAMPLES / 40];
	free(means);
	return ret;
}
