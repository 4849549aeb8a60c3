#include "bench/depths.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define N_CHUNK 512 /* tokens of prefill behind a depth */
#define N_DECODE 32
#define N_DENSE_DECODE 8

const size_t DEPTHS[N_DEPTHS] = { 0, 1024, 2048, 4096, 8192, 16384, 32768, 49152, 65536, 131072 };

/* Depths up to which sparse prefill may take so much of the time of the dense one. */
static const struct {
	size_t depth;
	double ratio;
} SPARSE_BARS[] = { { 16384, 0.5 }, { 65536, 0.25 } };

static void tell_rate(struct bench *bench, const char *what, size_t depth, size_t n, double seconds_a_token)
{
	bench_tell(bench, (struct line){ .what = what,
	                                 .depth = depth,
	                                 .n = n,
	                                 .value = 1 / seconds_a_token,
	                                 .unit = "tokens/s" });
}

static void sample_sparse(struct bench *bench, const struct context *context, struct samples *ret, size_t at)
{
	const struct reading prefill = { SPARSE, N_CHUNK, N_CHUNK }, decode = { SPARSE, N_DECODE, 1 };

	ret->prefill[at] = bench_best(bench, context, &prefill) / N_CHUNK;
	tell_rate(bench, "prefill sparse", DEPTHS[at], N_CHUNK, ret->prefill[at]);
	tell_rate(bench, "decode sparse", DEPTHS[at], N_DECODE,
	          bench_best(bench, context, &decode) / N_DECODE);
}

/* Prefill gets one trial where it takes seconds anyway. */
static void sample_dense(struct bench *bench, const struct context *context, struct samples *ret, size_t at)
{
	const struct reading prefill = { DENSE_PREFILL, N_CHUNK, N_CHUNK },
			     decode = { DENSE_DECODE, N_DENSE_DECODE, 1 };
	double seconds = DEPTHS[at] < 4096 ? bench_best(bench, context, &prefill)
	                                   : bench_trial(bench, context, &prefill);

	ret->dense_prefill[at] = seconds / N_CHUNK;
	tell_rate(bench, "prefill dense", DEPTHS[at], N_CHUNK, ret->dense_prefill[at]);
	seconds = bench_best(bench, context, &decode);
	tell_rate(bench, "decode dense", DEPTHS[at], N_DENSE_DECODE, seconds / N_DENSE_DECODE);
}

void depths_sample(struct bench *bench, struct samples *ret)
{
	for (size_t i = 0; i < N_DEPTHS && DEPTHS[i] <= bench->plan.max_depth; i++) {
		struct context *context = bench_context(bench, DEPTHS[i]);

		sample_sparse(bench, context, ret, i);
		if (DEPTHS[i] <= bench->plan.max_dense)
			sample_dense(bench, context, ret, i);
		context_free(context);
	}
}

/* The time of a whole prompt of `depth` tokens by the trapezoid rule. A sample stands for the middle of its chunk; before
 * the first middle the rate is its own. */
static double integrate(const double *samples, size_t depth)
{
	double from = N_CHUNK / 2.0, end = (double)depth, sum = samples[0] * from;

	for (size_t i = 1; i < N_DEPTHS && from < end; i++) {
		double to = (double)DEPTHS[i] + N_CHUNK / 2.0;
		double share = to < end ? 1 : (end - from) / (to - from);
		double last = samples[i - 1] + (samples[i] - samples[i - 1]) * share;

		sum += (samples[i - 1] + last) / 2 * (to - from) * share;
		from = to;
	}
	return sum;
}

void depths_compare(struct bench *bench, const struct samples *samples)
{
	for (size_t i = 0; i < COUNT(SPARSE_BARS) && SPARSE_BARS[i].depth <= bench->plan.max_dense; i++) {
		size_t n = SPARSE_BARS[i].depth;

		bench_tell(bench, (struct line){ .what = "prefill sparse against dense",
		                                 .n = n,
		                                 .value = integrate(samples->prefill, n),
		                                 .unit = "s",
		                                 .reference = integrate(samples->dense_prefill, n),
		                                 .bar = bench_at_most(bench, SPARSE_BARS[i].ratio) });
	}
}
