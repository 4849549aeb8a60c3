#include "bench/auditing.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "bench/crew.h"

#define N_ANSWER 64 /* tokens */
#define BUCKET_TOKENS 64

#define CHUNK_TOKENS 2048 /* about as many as are read together */

static const size_t AT[] = { CHUNK_TOKENS, 16384 };

/* A record for contexts of n tokens. */
struct note {
	struct attention_record record;
	uint32_t *buckets;
};

static void note_done(struct note *note)
{
	free(note->buckets);
	free(note->record.mass);
	free(note->record.n_chosen);
	free(note->record.recalled);
}

static int note_init(struct note *note, const struct model_shape *shape, size_t n)
{
	size_t n_buckets = n / BUCKET_TOKENS + 1, n_layers = shape->num_hidden_layers;

	*note = (struct note){ .buckets = array_new(uint32_t, n) };
	note->record = (struct attention_record){ .buckets = note->buckets,
		                                  .n_positions = n,
		                                  .n_buckets = n_buckets,
		                                  .mass = array_new(uint64_t, n_layers, n_buckets),
		                                  .n_chosen = array_new(uint64_t, n_layers, n_buckets),
		                                  .recalled = array_new(uint64_t, n_layers, n_buckets) };
	if (note->buckets == NULL || note->record.mass == NULL || note->record.n_chosen == NULL ||
	    note->record.recalled == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		note->buckets[i] = (uint32_t)(i / BUCKET_TOKENS);
	return 0;
}

/* Seconds of an answer on a branch: `step` tokens in each pass, noted or not. */
static double answer_seconds(struct bench *bench, const struct context *parent, enum attention attention,
                             size_t step, const struct attention_record *record)
{
	struct context *branch = bench_branch(bench, parent);
	double start, seconds;

	if (branch == NULL)
		return 0;
	context_set_attention(branch, attention);
	context_set_record(branch, record);
	bench_read(bench, branch, 1, 1);
	start = crew_clock();
	bench_read(bench, branch, N_ANSWER, step);
	seconds = crew_clock() - start;
	context_free(branch);
	return seconds;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

/* Of a whole reading: nothing is noted while the text itself is read. */
static void tell_reading(struct bench *bench, double alone, double noted)
{
	struct context *empty = bench_context(bench, 0);
	double prefill = bench_best(bench, empty, &(struct reading){ SPARSE, CHUNK_TOKENS, CHUNK_TOKENS });

	bench_tell(bench, (struct line){ .what = "reading with a reading record",
	                                 .n = CHUNK_TOKENS + N_ANSWER,
	                                 .value = prefill + noted,
	                                 .unit = "s",
	                                 .reference = prefill + alone,
	                                 .bar = bench_at_most(bench, 1.01) });
	context_free(empty);
}

/* Trials alternate: the machine's moods meet all three. */
static void measure_at(struct bench *bench, const struct context *parent, const struct note *note)
{
	struct attention_record sparse = note->record;
	double alone = 1e9, noted = 1e9, dense = 1e9;
	size_t depth = context_n_tokens(parent);

	sparse.recalled = NULL; /* there is nothing to be compared */
	for (unsigned i = 0; bench->r == 0 && i < 2 * bench->plan.n_trials; i++) {
		alone = least(alone, answer_seconds(bench, parent, ATTENTION_SPARSE, 1, NULL));
		noted = least(noted, answer_seconds(bench, parent, ATTENTION_SPARSE, 1, &sparse));
		dense = least(dense, answer_seconds(bench, parent, ATTENTION_DENSE, N_ANSWER, &note->record));
	}
	bench_tell(bench, (struct line){ .what = "decode with a reading record",
	                                 .depth = depth,
	                                 .n = N_ANSWER,
	                                 .value = noted,
	                                 .unit = "s",
	                                 .reference = alone,
	                                 .bar = bench_at_most(bench, 1.05) });
	if (depth == CHUNK_TOKENS)
		tell_reading(bench, alone, noted);
	bench_tell(bench, (struct line){ .what = "dense check of an answer",
	                                 .depth = depth,
	                                 .n = N_ANSWER,
	                                 .value = dense,
	                                 .unit = "s",
	                                 .reference = alone,
	                                 .bar = bench_at_most(bench, 5) });
}

void auditing_measure(struct bench *bench)
{
	for (size_t i = 0; bench->r == 0 && i < sizeof(AT) / sizeof(AT[0]) && AT[i] <= bench->plan.max_depth;
	     i++) {
		struct context *parent = bench_context(bench, AT[i]);
		struct note note = { .buckets = NULL };

		if (bench->r == 0 && (bench->r = note_init(&note, engine_shape(bench->engine), AT[i])) < 0)
			err_set(&bench->err, bench->r, "no memory for a record");
		if (bench->r == 0)
			measure_at(bench, parent, &note);
		note_done(&note);
		context_free(parent);
	}
}
