/* What the measurements of one engine share: the document they read, how they time a trial, where they tell of it. The
 * first failure sticks: what comes after it does nothing and takes 0 seconds. */
#ifndef SKIMD_BENCH_BENCH_H
#define SKIMD_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "bench/document.h"
#include "bench/report.h"
#include "model/context.h"
#include "model/engine.h"

/* How much is measured with one number of threads. */
struct plan {
	unsigned n_threads, n_trials;
	size_t max_prompt, max_depth, max_dense; /* tokens */
	bool has_bars; /* else for information only */
};

struct bench {
	struct plan plan;
	struct report *report;
	struct document *document;
	struct engine *engine;
	int r; /* of the first failure; 0: none yet */
	struct err err;
};

/* The form of attention. Dense attention has one that suits many rows and one that suits a single one. */
enum form { SPARSE, DENSE_PREFILL, DENSE_DECODE };

/* Tokens to be read behind those of a context, `step` in each pass: 1 is what decoding costs. */
struct reading {
	enum form form;
	size_t n, step;
};

/* A context at a depth that the document has been kept to, and a branch of one; NULL after a failure. Both are the
 * caller's, for context_free(). */
struct context *bench_context(struct bench *bench, size_t depth);
struct context *bench_branch(struct bench *bench, const struct context *parent);

/* Read on where the context stands. */
void bench_read(struct bench *bench, struct context *context, size_t n, size_t step);

/* Seconds of one reading on a branch of parent, and the best of the plan's number of trials, fewer if they
 * take long. */
double bench_trial(struct bench *bench, const struct context *parent, const struct reading *reading);
double bench_best(struct bench *bench, const struct context *parent, const struct reading *reading);

/* The bar, where the plan has bars. */
struct bar bench_at_least(const struct bench *bench, double ratio);
struct bar bench_at_most(const struct bench *bench, double ratio);

/* Report a line, with the plan's threads filled in. */
void bench_tell(struct bench *bench, struct line line);

#endif
