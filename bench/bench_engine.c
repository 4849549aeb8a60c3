/* How fast a model reads and writes, at which depth, by the engine's public calls alone; see README.md. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "bench/auditing.h"
#include "bench/bench.h"
#include "bench/cost.h"
#include "bench/crew.h"
#include "bench/depths.h"
#include "bench/machine.h"
#include "bench/options.h"
#include "bench/process.h"
#include "bench/rounding.h"
#include "model/cache.h"
#include "model/topk.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define N_DECODE 32
#define N_BUSY_DECODE 256 /* long enough for the scheduler's turns to even out */
#define MAX_BRANCHES 8
#define SHALLOW 2048
#define DEEP 65536
#define MEMORY_TOKENS 16384
#define MEMORY_BAR_MIB 450

/* Whole prompts: what a token costs on average (of nano), and the share of the peak that is asked for. */
static const struct {
	size_t n_tokens;
	double flop_a_token, share;
} PROMPTS[] = { { 512, 43e6, 0.50 }, { 2048, 53e6, 0.45 }, { 16384, 90e6, 0.35 } };

/* A peak now; the better of it and the one before. */
static double better_peak(struct bench *bench, int (*measure)(unsigned, double *, struct err *),
                          double before)
{
	double now = 0;

	if (bench->r == 0)
		bench->r = measure(bench->plan.n_threads, &now, &bench->err);
	return now > before ? now : before;
}

static void measure_prompts(struct bench *bench)
{
	struct context *empty = bench_context(bench, 0);
	double peak = better_peak(bench, machine_arithmetic, 0);

	for (size_t i = 0; i < COUNT(PROMPTS) && PROMPTS[i].n_tokens <= bench->plan.max_prompt; i++) {
		size_t n = PROMPTS[i].n_tokens;
		double seconds = bench_best(bench, empty, &(struct reading){ SPARSE, n, n });

		peak = better_peak(bench, machine_arithmetic, peak);
		bench_tell(bench, (struct line){ .what = "prefill of a whole prompt",
		                                 .n = n,
		                                 .value = (double)n / seconds,
		                                 .unit = "tokens/s",
		                                 .reference = peak / PROMPTS[i].flop_a_token,
		                                 .bar = bench_at_least(bench, PROMPTS[i].share) });
	}
	context_free(empty);
}

/* Read the document once, depth by depth, and keep it. */
static void read_document(struct bench *bench)
{
	struct context *context = bench_context(bench, 0);
	double seconds = 0;

	for (size_t i = 1; context != NULL && i < N_DEPTHS && DEPTHS[i] <= bench->plan.max_depth; i++) {
		size_t n = DEPTHS[i] - DEPTHS[i - 1];
		double start = crew_clock();

		bench_read(bench, context, n, n);
		seconds += crew_clock() - start;
		bench_tell(bench, (struct line){ .what = "prefill up to a depth",
		                                 .n = DEPTHS[i],
		                                 .value = (double)DEPTHS[i] / seconds,
		                                 .unit = "tokens/s" });
	}
	if (bench->r == 0)
		bench->r = document_keep(bench->document, context, &bench->err);
	context_free(context);
}

/* Reading as many bytes from the cache, where they fit it. */
static double cached_bytes_per_s(struct bench *bench, size_t n_bytes)
{
	double cold, warm = 1;

	if (bench->r == 0)
		bench->r = machine_read_seconds(bench->plan.n_threads, n_bytes, &cold, &warm, &bench->err);
	return (double)n_bytes / warm;
}

static void measure_bandwidth(struct bench *bench, size_t depth)
{
	struct context *context = bench_context(bench, depth);
	double peak = better_peak(bench, machine_stream, 0);
	double seconds = bench_best(bench, context, &(struct reading){ SPARSE, N_DECODE, 1 }) / N_DECODE;
	size_t n = cost_decode_bytes(bench->engine, depth);

	peak = n < machine_cache_bytes() ? cached_bytes_per_s(bench, n)
	                                 : better_peak(bench, machine_stream, peak);
	bench_tell(bench, (struct line){ .what = "decode bytes read",
	                                 .depth = depth,
	                                 .n = n,
	                                 .value = (double)n / seconds / 1e9,
	                                 .unit = "GB/s",
	                                 .reference = peak / 1e9,
	                                 .bar = bench_at_least(bench, 0.6) });
	context_free(context);
}

/* A token's top-k of one layer, by one thread, from scores that come as the scan gives them: page by page. */
static double topk_seconds(struct bench *bench, struct topk *topk, size_t n)
{
	float *scores = array_new(float, n);
	const uint32_t *chosen;
	uint32_t state = 1;
	double start;

	if (scores == NULL) {
		bench->r = err_set(&bench->err, -ENOMEM, "no memory for %zu scores", n);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		state = state * 1664525u + 1013904223u;
		scores[i] = (float)(state >> 8);
	}
	start = crew_clock();
	topk_start(topk, 0);
	for (size_t i = 0; i < n; i += CACHE_PAGE_TOKENS)
		topk_push(topk, scores + i, CACHE_PAGE_TOKENS, (uint32_t)i);
	topk_finish(topk, &chosen);
	start = crew_clock() - start;
	free(scores);
	return start;
}

static double best_topk_seconds(struct bench *bench, size_t n)
{
	struct topk topk = { 0 };
	const struct ops *ops;
	double best = 1e9;

	bench->r = ops_select(NULL, &ops, &bench->err);
	if (bench->r == 0 && topk_init(&topk, engine_shape(bench->engine)->index_topk, ops) < 0)
		bench->r = err_set(&bench->err, -ENOMEM, "no memory for the top k");
	for (int i = 0; bench->r == 0 && i < 10; i++) {
		double seconds = topk_seconds(bench, &topk, n);

		best = seconds < best ? seconds : best;
	}
	topk_done(&topk);
	return best;
}

/* Seconds that a decoded token takes longer at DEEP than at SHALLOW. Trials alternate: the machine's moods meet both. */
static double extra_seconds(struct bench *bench)
{
	struct context *deep = bench_context(bench, DEEP), *shallow = bench_context(bench, SHALLOW);
	const struct reading decode = { SPARSE, N_DECODE, 1 };
	double best_deep = 1e9, best_shallow = 1e9;

	for (unsigned i = 0; bench->r == 0 && i < 2 * bench->plan.n_trials; i++) {
		double seconds = bench_trial(bench, deep, &decode);

		best_deep = seconds < best_deep ? seconds : best_deep;
		seconds = bench_trial(bench, shallow, &decode);
		best_shallow = seconds < best_shallow ? seconds : best_shallow;
	}
	context_free(deep);
	context_free(shallow);
	return (best_deep - best_shallow) / N_DECODE;
}

/* The extra cost against the mere sum of the keys that the scan reads. */
static void measure_scan(struct bench *bench)
{
	size_t n_layers = cost_scanning_layers(bench->engine), n = cost_scan_bytes(bench->engine, DEEP);
	double extra, cold = 0, warm;

	if (bench->r < 0 || bench->plan.max_depth < DEEP)
		return;
	extra = extra_seconds(bench);
	if (bench->r == 0)
		bench->r = machine_read_seconds(bench->plan.n_threads, n, &cold, &warm, &bench->err);
	bench_tell(bench, (struct line){ .what = "decode token: deep less shallow",
	                                 .depth = DEEP,
	                                 .n = n,
	                                 .value = extra * 1e3,
	                                 .unit = "ms",
	                                 .reference = cold * 1e3,
	                                 .bar = bench_at_most(bench, 1.3) });
	bench_tell(bench, (struct line){ .what = "decode token: top-k by one thread",
	                                 .depth = DEEP,
	                                 .n = n_layers * DEEP,
	                                 .value = (double)n_layers * best_topk_seconds(bench, DEEP) * 1e3,
	                                 .unit = "ms",
	                                 .reference = cold * 1e3 });
}

/* A token for each branch in one pass, N_DECODE times. */
static double decode_branches(struct bench *bench, struct context **branches, size_t n)
{
	struct append appends[MAX_BRANCHES];
	double start = crew_clock();

	for (size_t step = 0; bench->r == 0 && step < N_DECODE; step++) {
		for (size_t i = 0; i < n; i++)
			appends[i] =
				(struct append){ branches[i],
				                 bench->document->tokens + step * MAX_BRANCHES + i, 1, true };
		bench->r = context_forward(appends, n, NULL, &bench->err);
	}
	return crew_clock() - start;
}

static double best_of_branches(struct bench *bench, const struct context *parent, size_t n)
{
	double best = 1e9;

	for (unsigned trial = 0; trial < bench->plan.n_trials; trial++) {
		struct context *branches[MAX_BRANCHES] = { NULL };
		double seconds;

		for (size_t i = 0; i < n; i++)
			branches[i] = bench_branch(bench, parent);
		seconds = decode_branches(bench, branches, n);
		best = seconds < best ? seconds : best;
		for (size_t i = 0; i < n; i++)
			context_free(branches[i]);
	}
	return best;
}

static void measure_branches(struct bench *bench)
{
	struct context *parent = bench_context(bench, SHALLOW);
	double alone = 0;

	for (size_t n = 1; n <= MAX_BRANCHES; n *= 2) {
		double rate = (double)(n * N_DECODE) / best_of_branches(bench, parent, n);

		alone = n == 1 ? rate : alone;
		bench_tell(bench, (struct line){ .what = "decode of branches together",
		                                 .depth = SHALLOW,
		                                 .n = n,
		                                 .value = rate,
		                                 .unit = "tokens/s",
		                                 .reference = alone });
	}
	context_free(parent);
}

/* The same twice: alone, and with a process that keeps one CPU busy. */
static void compare_with_busy(struct bench *bench, const char *what, const struct context *parent,
                              const struct reading *reading)
{
	double alone = bench_best(bench, parent, reading), beside;
	pid_t pid;

	if (bench->r < 0 || (bench->r = process_start_busy(&pid, &bench->err)) < 0)
		return;
	beside = bench_best(bench, parent, reading);
	process_stop_busy(pid);
	bench_tell(bench, (struct line){ .what = what,
	                                 .depth = context_n_tokens(parent),
	                                 .n = reading->n,
	                                 .value = beside,
	                                 .unit = "s",
	                                 .reference = alone,
	                                 .bar = bench_at_most(bench, 2.5) });
}

static void measure_busy(struct bench *bench)
{
	struct context *empty = bench_context(bench, 0), *shallow = bench_context(bench, SHALLOW);

	compare_with_busy(bench, "prefill beside a busy process", empty,
	                  &(struct reading){ SPARSE, SHALLOW, SHALLOW });
	compare_with_busy(bench, "decode beside a busy process", shallow,
	                  &(struct reading){ SPARSE, N_BUSY_DECODE, 1 });
	context_free(empty);
	context_free(shallow);
}

static void measure_all(struct bench *bench, const char *dir)
{
	struct samples samples = { .prefill = { 0 } };

	measure_prompts(bench);
	if (bench->document->n_blocks == 0)
		read_document(bench);
	depths_sample(bench, &samples);
	depths_compare(bench, &samples);
	measure_bandwidth(bench, 0);
	measure_bandwidth(bench, SHALLOW);
	measure_scan(bench);
	auditing_measure(bench);
	measure_branches(bench);
	rounding_measure(bench, dir);
	if (bench->plan.has_bars)
		measure_busy(bench);
}

static int run_plan(const struct plan *plan, const char *dir, struct report *report,
                    struct document *document, struct err *err)
{
	struct bench bench = { .plan = *plan, .report = report, .document = document };
	const struct engine_settings settings = { .dir = dir, .n_threads = plan->n_threads };
	struct peaks peaks;

	if ((bench.r = machine_peaks(plan->n_threads, &peaks, &bench.err)) == 0 &&
	    (bench.r = engine_open(&settings, &bench.engine, &bench.err)) == 0) {
		report_peaks(report, &peaks);
		measure_all(&bench, dir);
	}
	engine_close(bench.engine);
	*err = bench.err;
	return bench.r;
}

/* Resident bytes: of the opened model, with what it has read, and the most in between. */
struct memory {
	const char *dir;
	unsigned n_threads;
	size_t n_tokens;
};

enum { OPENED, READ, MOST, N_MEMORY };

static int measure_memory(void *user, double *ret, struct err *err)
{
	const struct memory *memory = user;
	const struct engine_settings settings = { .dir = memory->dir, .n_threads = memory->n_threads };
	struct document document = { .tokens = NULL };
	struct context *context;
	struct engine *engine;
	int r;

	if ((r = engine_open(&settings, &engine, err)) < 0)
		return r;
	ret[OPENED] = (double)process_status_bytes("VmRSS");
	if ((r = document_init(&document, engine_shape(engine), memory->n_tokens, err)) == 0 &&
	    (r = context_new(engine, &context, err)) == 0) {
		r = document_read(&document, context, memory->n_tokens, memory->n_tokens, err);
		ret[READ] = (double)process_status_bytes("VmRSS");
		ret[MOST] = (double)process_status_bytes("VmHWM");
		context_free(context);
	}
	document_done(&document);
	engine_close(engine);
	return r;
}

static void tell_memory(struct report *report, const struct memory *memory, const double *bytes)
{
	static const char *const WHAT[N_MEMORY] = { "resident: model opened", "resident: tokens read",
		                                    "resident: at most" };

	for (size_t i = 0; i < N_MEMORY; i++) {
		bool has_bar = i > OPENED && memory->n_tokens == MEMORY_TOKENS;

		report_line(report, &(struct line){ .what = WHAT[i],
		                                    .threads = memory->n_threads,
		                                    .n = i == OPENED ? 0 : memory->n_tokens,
		                                    .value = bytes[i] / (1 << 20),
		                                    .unit = "MiB",
		                                    .reference = has_bar ? MEMORY_BAR_MIB : 0,
		                                    .bar = { BAR_AT_MOST, 1 } });
	}
}

/* With all threads, then with one. */
static int run_plans(const struct options *options, struct report *report, struct document *document,
                     struct err *err)
{
	unsigned n = options->n_threads;
	const struct plan all = { n, 3, 16384, 131072, 65536, true },
			  one = { 1, 2, 2048, 131072, 16384, false },
			  all_quick = { n, 2, 2048, 16384, 16384, true },
			  one_quick = { 1, 1, 512, 2048, 2048, false };
	int r = run_plan(options->quick ? &all_quick : &all, options->model, report, document, err);

	if (r == 0 && n > 1)
		r = run_plan(options->quick ? &one_quick : &one, options->model, report, document, err);
	return r;
}

/* The model's shape and the kernels' name, without an engine that stays. */
static int look_at_model(const struct options *options, struct document *document, struct report *report,
                         struct err *err)
{
	const struct engine_settings settings = { .dir = options->model, .n_threads = 1 };
	struct engine_info info;
	struct engine *engine;
	int r = engine_open(&settings, &engine, err);

	if (r < 0)
		return r;
	engine_info(engine, &info);
	if ((r = document_init(document, engine_shape(engine), MOST_TOKENS, err)) == 0)
		r = report_open(report, options->output, info.kernels, err);
	engine_close(engine);
	return r;
}

static int run(const struct options *options, struct err *err)
{
	struct memory memory = { options->model, options->n_threads, options->quick ? 2048 : MEMORY_TOKENS };
	struct document document = { .tokens = NULL };
	struct report report = { .csv = NULL };
	double bytes[N_MEMORY];
	int r;

	if ((r = process_measure(measure_memory, &memory, bytes, N_MEMORY, err)) == 0 &&
	    (r = look_at_model(options, &document, &report, err)) == 0) {
		tell_memory(&report, &memory, bytes);
		r = run_plans(options, &report, &document, err);
	}
	if (report.csv != NULL && report_close(&report, r == 0 ? err : NULL) < 0 && r == 0)
		r = -EIO;
	document_done(&document);
	return r;
}

int main(int argc, char **argv)
{
	struct options options;
	struct err err = { "" };

	if (!options_parse(&options, argc, argv, "engine.csv"))
		return 2;
	if (run(&options, &err) < 0) {
		fprintf(stderr, "%s: %s\n", argv[0], err.text);
		return 1;
	}
	return 0;
}
