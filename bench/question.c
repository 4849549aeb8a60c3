#include "bench/question.h"

#include <errno.h>
#include <stdint.h>
#include <xxhash.h>

#include "bench/crew.h"
#include "bench/disk.h"
#include "bench/document.h"
#include "bench/process.h"
#include "model/context.h"
#include "model/sampler.h"
#include "pipeline/prefix.h"

#define STEP_TOKENS 512 /* as pipeline/reader.c */
#define CHECK_BITS 52 /* what a double holds without loss */

struct asking {
	const struct question *question;
	struct answer *answer;
	struct engine *engine;
	struct kvstore *kv;
	struct kvwriter *writer;
	struct prefix prefix;
	struct block_io io; /* of prefix */
	struct document document;
	struct context *context, *branch;
};

static int open_model(struct asking *asking, struct err *err)
{
	const struct engine_settings settings = { .dir = asking->question->model,
		                                  .n_threads = asking->question->n_threads,
		                                  .row_memory = asking->question->row_memory };
	double start = crew_clock();
	int r = engine_open(&settings, &asking->engine, err);

	asking->answer->open_model = crew_clock() - start;
	asking->answer->opened_bytes = (double)process_status_bytes("VmRSS");
	return r < 0 ? r
	             : document_init(&asking->document, engine_shape(asking->engine),
	                             asking->question->n_tokens + QUESTION_TOKENS, err);
}

/* What was replaced is none of ours: that would be another measurement. */
static int open_store(struct asking *asking, struct err *err)
{
	double start = crew_clock();
	struct err replaced = { "" };
	int r = kvstore_open(asking->question->kv, QUESTION_BUDGET_BYTES, &asking->kv, &replaced, err);

	asking->answer->open_store = crew_clock() - start;
	if (r == 0 && replaced.text[0] != '\0')
		r = err_set(err, -EBADMSG, "kv store: %s", replaced.text);
	if (r == 0)
		r = kvwriter_new(asking->kv, KV_QUEUE_BYTES, &asking->writer, err);
	if (r == 0)
		prefix_init(&asking->prefix, asking->writer, engine_fingerprint(asking->engine));
	asking->io = prefix_block_io(&asking->prefix);
	return r;
}

static int restore(struct asking *asking, struct err *err)
{
	double start = crew_clock();
	size_t n = 0;
	int r = context_new(asking->engine, &asking->context, err);

	if (r == 0)
		r = context_restore(asking->context, asking->document.tokens, asking->question->n_tokens,
		                    &asking->io, &n, err);
	asking->answer->restore = crew_clock() - start;
	asking->answer->n_restored = (double)n;
	return r;
}

static int keep(struct asking *asking, size_t from, bool tail, struct err *err)
{
	double start = crew_clock();
	int r = context_save(asking->context, from, tail, &asking->io, err);

	if (r == 0 && tail)
		kvwriter_end(asking->writer);
	asking->answer->keep += crew_clock() - start;
	return r;
}

/* The rest of the document, kept as it is read. */
static int read_rest(struct asking *asking, struct err *err)
{
	size_t n = asking->question->n_tokens, from;
	int r = 0;

	while (r == 0 && (from = context_n_tokens(asking->context)) < n) {
		double start = crew_clock();

		r = document_read(&asking->document, asking->context,
		                  n - from < STEP_TOKENS ? n - from : STEP_TOKENS, STEP_TOKENS, err);
		asking->answer->read += crew_clock() - start;
		if (r == 0)
			r = keep(asking, from, false, err);
		context_drop_rows(asking->context, prefix_n_kept(&asking->prefix), &asking->io);
	}
	return r < 0 ? r : keep(asking, n / BLOCK_TOKENS * BLOCK_TOKENS, true, err);
}

/* Fold the last logits into the check, and take the likeliest token. */
static uint32_t take_token(struct asking *asking)
{
	const float *logits = context_logits(asking->branch);
	size_t n = engine_shape(asking->engine)->vocab_size;
	uint64_t seed = (uint64_t)asking->answer->check;

	asking->answer->check =
		(double)(XXH3_64bits_withSeed(logits, n * sizeof(*logits), seed) >> (64 - CHECK_BITS));
	return sampler_greedy(logits, n);
}

static int ask(struct asking *asking, struct err *err)
{
	double start = crew_clock();
	int r = context_fork(asking->context, &asking->branch, err);

	if (r == 0)
		r = document_read(&asking->document, asking->branch, QUESTION_TOKENS, QUESTION_TOKENS, err);
	asking->answer->ask = crew_clock() - start;
	return r;
}

static int decode(struct asking *asking, struct err *err)
{
	double start = crew_clock();
	int r = 0;

	for (size_t i = 0; r == 0 && i < ANSWER_TOKENS; i++) {
		uint32_t token = take_token(asking);

		r = context_forward(&(struct append){ asking->branch, &token, 1, true }, 1, NULL, err);
	}
	if (r == 0)
		take_token(asking);
	asking->answer->decode = crew_clock() - start;
	asking->answer->most_bytes = (double)process_status_bytes("VmHWM");
	return r;
}

static void close_store(struct asking *asking)
{
	struct kv_stats stats;

	kvwriter_free(asking->writer);
	asking->writer = NULL;
	kvstore_stats(asking->kv, &stats);
	asking->answer->n_kept_bytes = (double)stats.bytes_stored;
	kvstore_close(asking->kv);
	asking->kv = NULL;
}

static void asking_done(struct asking *asking)
{
	context_free(asking->branch);
	context_free(asking->context);
	document_done(&asking->document);
	prefix_done(&asking->prefix);
	kvwriter_free(asking->writer);
	kvstore_close(asking->kv);
	engine_close(asking->engine);
}

int question_ask(const struct question *question, struct answer *ret, struct err *err)
{
	struct asking asking = { .question = question, .answer = ret };
	uint64_t before = 0, after = 0;
	int r;

	*ret = (struct answer){ 0 };
	if ((r = disk_written(&before, err)) == 0 && (r = open_model(&asking, err)) == 0 &&
	    (r = open_store(&asking, err)) == 0 && (r = restore(&asking, err)) == 0 &&
	    (r = read_rest(&asking, err)) == 0 && (r = ask(&asking, err)) == 0 &&
	    (r = decode(&asking, err)) == 0) {
		close_store(&asking);
		r = disk_written(&after, err);
		ret->n_written_bytes = (double)(after - before);
	}
	asking_done(&asking);
	return r;
}
