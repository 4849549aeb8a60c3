#include "bench/bench.h"

#include "bench/crew.h"

/* After which no further trial begins: what takes so long meets all of the machine's moods. */
#define TRIALS_SECONDS 20

/* What the context's next tokens attend to. */
static void set_form(struct context *context, enum form form)
{
	static const enum attention OF_FORM[] = {
		[SPARSE] = ATTENTION_SPARSE,
		[DENSE_PREFILL] = ATTENTION_DENSE_EXPANDED,
		[DENSE_DECODE] = ATTENTION_DENSE,
	};

	context_set_attention(context, OF_FORM[form]);
}

struct context *bench_context(struct bench *bench, size_t depth)
{
	struct context *context = NULL;

	if (bench->r == 0)
		bench->r = document_context(bench->document, bench->engine, depth, &context, &bench->err);
	return context;
}

struct context *bench_branch(struct bench *bench, const struct context *parent)
{
	struct context *context = NULL;

	if (bench->r == 0)
		bench->r = context_fork(parent, &context, &bench->err);
	return context;
}

void bench_read(struct bench *bench, struct context *context, size_t n, size_t step)
{
	if (bench->r == 0)
		bench->r = document_read(bench->document, context, n, step, &bench->err);
}

/* Decoding takes a token before the clock starts, so that memory is there and threads are awake. */
double bench_trial(struct bench *bench, const struct context *parent, const struct reading *reading)
{
	struct context *context = bench_branch(bench, parent);
	double start, seconds;

	if (context == NULL)
		return 0;
	set_form(context, reading->form);
	if (reading->step == 1)
		bench_read(bench, context, 1, 1);
	start = crew_clock();
	bench_read(bench, context, reading->n, reading->step);
	seconds = crew_clock() - start;
	context_free(context);
	return seconds;
}

double bench_best(struct bench *bench, const struct context *parent, const struct reading *reading)
{
	double best = bench_trial(bench, parent, reading), total = best;

	for (unsigned i = 1; i < bench->plan.n_trials && total < TRIALS_SECONDS; i++) {
		double seconds = bench_trial(bench, parent, reading);

		total += seconds;
		best = seconds < best ? seconds : best;
	}
	return best;
}

struct bar bench_at_least(const struct bench *bench, double ratio)
{
	return (struct bar){ bench->plan.has_bars ? BAR_AT_LEAST : BAR_NONE, ratio };
}

struct bar bench_at_most(const struct bench *bench, double ratio)
{
	return (struct bar){ bench->plan.has_bars ? BAR_AT_MOST : BAR_NONE, ratio };
}

void bench_tell(struct bench *bench, struct line line)
{
	line.threads = bench->plan.n_threads;
	if (bench->r == 0)
		report_line(bench->report, &line);
}
