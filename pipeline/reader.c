#include "pipeline/reader.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/log.h"
#include "model/context.h"
#include "model/token_trie.h"
#include "pipeline/branch.h"
#include "pipeline/prefix.h"
#include "pipeline/reader_audit.h"

#define STEP_TOKENS 512 /* prefilled between two looks at progress and cancellation */
#define MAX_ATTEMPTS 3
#define RESERVED_TOKENS 1024 /* of the context, for instruction and answer */

struct reader {
	struct engine *engine;
	struct prompt_format format;
	struct token_trie *trie;
	struct prefix prefix;
	struct block_io io; /* of prefix */
	const struct reader_audit *audit; /* NULL: none */
	enum attention attention;
};

int reader_open(struct engine *engine, struct kvwriter *kv, struct reader **ret, struct err *err)
{
	struct reader *reader = array_new(struct reader, 1);
	int r;

	if (reader == NULL)
		return err_set(err, -ENOMEM, "no memory for a reader");
	reader->engine = engine;
	prefix_init(&reader->prefix, kv, engine_fingerprint(engine));
	reader->io = prefix_block_io(&reader->prefix);
	if ((r = prompt_format_init(&reader->format, engine_tokenizer(engine), err)) < 0 ||
	    (r = token_trie_new(engine_tokenizer(engine), &reader->trie, err)) < 0) {
		reader_close(reader);
		return r;
	}
	*ret = reader;
	return 0;
}

void reader_close(struct reader *reader)
{
	if (reader == NULL)
		return;
	token_trie_free(reader->trie);
	prefix_done(&reader->prefix);
	free(reader);
}

void reader_set_audit(struct reader *reader, const struct reader_audit *audit)
{
	reader->audit = audit;
}

void reader_set_attention(struct reader *reader, enum attention attention)
{
	reader->attention = attention;
}

size_t reader_max_bytes(const struct reader *reader)
{
	size_t context = engine_shape(reader->engine)->max_position_embeddings;

	return context > 2 * RESERVED_TOKENS ? context - RESERVED_TOKENS : context / 2;
}

void reader_result_done(struct reader_result *result)
{
	free(result->text);
	*result = (struct reader_result){ 0 };
}

static void report(const struct reader_hooks *hooks, size_t n)
{
	if (hooks->tokens != NULL)
		hooks->tokens(hooks->user, n);
}

/* Append tokens[at..n) in steps; whole blocks go to the store as they fill, so that a stop loses at most one step. */
static int prefill(struct reader *reader, struct context *context, const uint32_t *tokens, size_t n,
                   const struct reader_hooks *hooks, struct err *err)
{
	int r = 0;

	while (r == 0 && context_n_tokens(context) < n) {
		size_t at = context_n_tokens(context), step = n - at < STEP_TOKENS ? n - at : STEP_TOKENS;

		r = context_forward(&(struct append){ context, tokens + at, step, false }, 1, hooks->cancel,
		                    err);
		report(hooks, context_n_tokens(context) - at);
		if (r == 0 || r == -ECANCELED)
			context_save(context, at, false, &reader->io, NULL);
		context_drop_rows(context, prefix_n_kept(&reader->prefix), &reader->io);
	}
	if (r == 0)
		context_save(context, n / BLOCK_TOKENS * BLOCK_TOKENS, true, &reader->io, NULL);
	return r;
}

/* The document's tokens, from the store as far as they are there. */
static int read_document(struct reader *reader, const uint32_t *tokens, size_t n, struct usage *usage,
                         const struct reader_hooks *hooks, struct context **ret, struct err *err)
{
	struct context *context;
	size_t n_reused;
	int r = context_new(reader->engine, &context, err);

	if (r < 0)
		return r;
	context_set_attention(context, reader->attention);
	prefix_start(&reader->prefix);
	r = context_restore(context, tokens, n, &reader->io, &n_reused, err);
	if (r == 0) {
		report(hooks, n_reused);
		r = prefill(reader, context, tokens, n, hooks, err);
		usage->reused_tokens += (int64_t)n_reused;
		usage->computed_tokens += (int64_t)(context_n_tokens(context) - n_reused);
		usage->prompt_tokens += (int64_t)context_n_tokens(context);
	}
	if (r < 0)
		context_free(context);
	else
		*ret = context;
	return r;
}

/* Beside the audit, if there is one. */
static int do_tasks(struct reader *reader, const struct audited_text *text, const struct context *document,
                    struct branch *branches, const struct reader_task *tasks, size_t n, struct usage *usage,
                    const struct reader_hooks *hooks, struct err *err)
{
	const struct branch_model model = { reader->engine, &reader->format, reader->trie };
	struct watch *watch = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = branch_init(&branches[i], &model, document, &tasks[i], err);
	if (r == 0 && reader->audit != NULL)
		r = watch_new(text, branches, n, &watch, err);
	if (r == 0)
		r = branches_decode(branches, n, usage, hooks->cancel, err);
	if (r == 0 && watch != NULL)
		r = watch_finish(watch, reader->audit, &model, document, hooks->cancel, err);
	watch_free(watch);
	return r;
}

static int read_once(struct reader *reader, const struct audited_text *text, const struct reader_task *tasks,
                     size_t n_tasks, struct reader_result *results, struct usage *usage,
                     const struct reader_hooks *hooks, struct err *err)
{
	struct branch branches[READER_MAX_TASKS] = { 0 };
	struct context *document = NULL;
	int r = read_document(reader, text->tokens, text->n_tokens, usage, hooks, &document, err);

	if (r == 0)
		r = do_tasks(reader, text, document, branches, tasks, n_tasks, usage, hooks, err);
	for (size_t i = 0; i < n_tasks; i++) {
		if (r == 0)
			r = branch_result(&branches[i], reader->format.tokenizer, &results[i], err);
		branch_done(&branches[i]);
	}
	for (size_t i = 0; r < 0 && i < n_tasks; i++)
		reader_result_done(&results[i]);
	context_free(document);
	return r;
}

/* Rows that had left memory may be lost with a damaged store; from there on they are computed again. */
static int read_tokens(struct reader *reader, const struct audited_text *text,
                       const struct reader_task *tasks, size_t n_tasks, struct reader_result *results,
                       struct usage *usage, const struct reader_hooks *hooks, struct err *err)
{
	struct err why = { "" };
	int r = read_once(reader, text, tasks, n_tasks, results, usage, hooks, &why);

	for (int attempt = 1; r == -ESTALE && attempt < MAX_ATTEMPTS; attempt++) {
		log_warning("kv store: %s, computing them again", why.text);
		r = read_once(reader, text, tasks, n_tasks, results, usage, hooks, &why);
	}
	return r < 0 ? err_set(err, r, "%s", why.text) : 0;
}

int reader_read(struct reader *reader, const char *text, size_t n, const struct reader_task *tasks,
                size_t n_tasks, struct reader_result *results, struct usage *usage,
                const struct reader_hooks *hooks, struct err *err)
{
	uint32_t *tokens;
	size_t n_tokens;
	int r = prompt_document(&reader->format, text, n, &tokens, &n_tokens, err);

	assert(n_tasks <= READER_MAX_TASKS);
	memset(results, 0, n_tasks * sizeof(*results));
	if (r < 0)
		return r;
	if (n_tokens > engine_shape(reader->engine)->max_position_embeddings)
		r = err_set(err, -EFBIG, "a part of %zu tokens does not fit the model's context of %u",
		            n_tokens, engine_shape(reader->engine)->max_position_embeddings);
	else
		r = read_tokens(reader, &(struct audited_text){ text, n, tokens, n_tokens }, tasks, n_tasks,
		                results, usage, hooks, err);
	free(tokens);
	return r;
}

int reader_count(struct reader *reader, const char *text, size_t n, size_t *ret, struct err *err)
{
	uint32_t *tokens;
	int r = prompt_document(&reader->format, text, n, &tokens, ret, err);

	if (r == 0)
		free(tokens);
	return r;
}
