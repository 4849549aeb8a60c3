#include "pipeline/branch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/sampler.h"

#define NGRAM 4 /* so many tokens in a row stand only once in free text */

void branch_done(struct branch *branch)
{
	grounded_free(branch->grounded);
	context_free(branch->context);
	free(branch->tokens);
}

int branch_init(struct branch *branch, const struct engine *engine, const struct token_trie *trie,
                const struct context *document, const struct reader_task *task, struct err *err)
{
	struct grounded_settings settings = { engine_shape(engine)->eos_token_id[0], task->max_quotes,
		                              task->min_quotes, task->parts };

	branch->task = task;
	branch->engine = engine;
	if (task->n_spans > 0) {
		int r = grounded_new(trie, task->spans, task->n_spans, &settings, &branch->grounded, err);

		return r < 0 ? err_prefix(err, r, "quoting: ")
		             : context_fork(document, &branch->context, err);
	}
	assert(task->max_tokens > 0);
	branch->tokens = array_new(uint32_t, task->max_tokens);
	if (branch->tokens == NULL)
		return err_set(err, -ENOMEM, "no memory for an answer");
	return context_fork(document, &branch->context, err);
}

/* Whether a token would repeat the last NGRAM tokens of free text: greedy decoding of a small model falls into loops
 * that it never leaves. */
static bool repeats(const struct branch *branch, uint32_t token)
{
	const uint32_t *last;

	if (branch->n_tokens < NGRAM)
		return false;
	last = branch->tokens + branch->n_tokens - (NGRAM - 1);
	for (size_t i = 0; i + NGRAM <= branch->n_tokens; i++) {
		if (branch->tokens[i + NGRAM - 1] == token &&
		    memcmp(branch->tokens + i, last, (NGRAM - 1) * sizeof(*last)) == 0)
			return true;
	}
	return false;
}

/* The best token that does not repeat; ties to the lower id. */
static uint32_t choose_free(const struct branch *branch, const float *logits, size_t n)
{
	uint32_t best = 0;
	bool found = false;

	for (uint32_t id = 0; id < n; id++) {
		if ((!found || logits[id] > logits[best]) && !repeats(branch, id)) {
			best = id;
			found = true;
		}
	}
	return best;
}

uint32_t branch_choose(const struct branch *branch, const float *logits)
{
	const uint32_t *allowed;
	size_t n_allowed;

	if (branch->grounded == NULL)
		return choose_free(branch, logits, engine_shape(branch->engine)->vocab_size);
	grounded_allowed(branch->grounded, &allowed, &n_allowed);
	return sampler_greedy_among(logits, allowed, n_allowed);
}

void branch_take(struct branch *branch, uint32_t token, const float *logits)
{
	double score = sampler_log_probability(logits, engine_shape(branch->engine)->vocab_size, token);

	branch->next = token;
	branch->log_probability += score;
	branch->n_generated++;
	if (branch->grounded != NULL) {
		branch->done = grounded_accept(branch->grounded, token, score) < 0 ||
		               grounded_done(branch->grounded) ||
		               (branch->task->parts && branch->n_generated == branch->task->max_tokens);
		return;
	}
	if (engine_is_eos(branch->engine, token)) {
		branch->done = true;
		return;
	}
	branch->tokens[branch->n_tokens++] = token;
	branch->cut = branch->n_tokens == branch->task->max_tokens;
	branch->done = branch->cut;
}

void branch_go_on(struct branch *branch)
{
	const float *logits = context_logits(branch->context);

	branch_take(branch, branch_choose(branch, logits), logits);
}

static int take_quotes(const struct branch *branch, struct reader_result *ret)
{
	const struct grounded_result *quotes;
	size_t n;

	grounded_results(branch->grounded, &quotes, &n);
	ret->quotes = array_new(struct reader_quote, n);
	if (ret->quotes == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		ret->quotes[i] = (struct reader_quote){ .span = quotes[i].span,
			                                .start = quotes[i].start,
			                                .n = quotes[i].n,
			                                .score = quotes[i].log_probability /
			                                         (double)quotes[i].n_tokens,
			                                .log_probability = quotes[i].log_probability };
	ret->n_quotes = n;
	return 0;
}

int branch_result(const struct branch *branch, const struct tokenizer *tokenizer, struct reader_result *ret,
                  struct err *err)
{
	struct buf text = { 0 };
	int r;

	*ret = (struct reader_result){ .cut = branch->cut };
	if (branch->n_generated > 0)
		ret->score = branch->log_probability / (double)branch->n_generated;
	if (branch->grounded != NULL)
		return take_quotes(branch, ret) < 0 ? err_set(err, -ENOMEM, "no memory for an answer") : 0;
	r = tokenizer_decode(tokenizer, branch->tokens, branch->n_tokens, &text, err);
	ret->text = buf_take(&text);
	return r == 0 && ret->text == NULL ? err_set(err, -ENOMEM, "no memory for an answer") : r;
}
