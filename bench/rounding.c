#include "bench/rounding.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define N_DECODE 32

static const struct {
	const char *what;
	size_t depth;
	struct reading reading;
} TURNS[] = {
	{ "prefill with int8 weights", 0, { SPARSE, 512, 512 } },
	{ "prefill with int8 weights", 0, { SPARSE, 2048, 2048 } },
	{ "prefill with int8 weights", 16384, { SPARSE, 512, 512 } },
	{ "decode with int8 weights", 0, { SPARSE, N_DECODE, 1 } },
	{ "decode with int8 weights", 2048, { SPARSE, N_DECODE, 1 } },
	{ "decode with int8 weights", 16384, { SPARSE, N_DECODE, 1 } },
};

/* The engines' contexts hold the same rows, which are the exact one's: for time it is of no consequence. */
static void take_turns(struct bench *exact, struct bench *int8, size_t at)
{
	const struct reading *reading = &TURNS[at].reading;
	struct context *of_exact = bench_context(exact, TURNS[at].depth);
	struct context *of_int8 = bench_context(int8, TURNS[at].depth);
	double best_exact = 1e9, best_int8 = 1e9;

	for (unsigned i = 0; exact->r == 0 && int8->r == 0 && i < 2 * exact->plan.n_trials; i++) {
		double seconds = bench_trial(exact, of_exact, reading);

		best_exact = seconds < best_exact ? seconds : best_exact;
		seconds = bench_trial(int8, of_int8, reading);
		best_int8 = seconds < best_int8 ? seconds : best_int8;
	}
	bench_tell(int8, (struct line){ .what = TURNS[at].what,
	                                .depth = TURNS[at].depth,
	                                .n = reading->n,
	                                .value = (double)reading->n / best_int8,
	                                .unit = "tokens/s",
	                                .reference = (double)reading->n / best_exact });
	context_free(of_exact);
	context_free(of_int8);
}

void rounding_measure(struct bench *bench, const char *dir)
{
	const struct engine_settings settings = { .dir = dir,
		                                  .n_threads = bench->plan.n_threads,
		                                  .numerics = NUMERICS_INT8 };
	struct bench int8 = *bench;

	if (bench->r < 0)
		return;
	int8.engine = NULL;
	int8.r = engine_open(&settings, &int8.engine, &int8.err);
	for (size_t i = 0; i < COUNT(TURNS); i++) {
		if (TURNS[i].depth <= bench->plan.max_depth && TURNS[i].reading.n <= bench->plan.max_prompt)
			take_turns(bench, &int8, i);
	}
	engine_close(int8.engine);
	if (bench->r == 0 && int8.r < 0) {
		bench->r = int8.r;
		bench->err = int8.err;
	}
}
