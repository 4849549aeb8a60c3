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
	free(branch->prompt);
	free(branch->tokens);
	free(branch->choices);
}

/* The instruction, and behind it the words that are only scored. */
static int set_prompt(struct branch *branch, const struct branch_model *model, struct err *err)
{
	const struct reader_task *task = branch->task;
	uint32_t *given, *all;
	int r = prompt_task(model->format, task->kind, task->question, &branch->prompt, &branch->n_prompt,
	                    err);

	if (r < 0 || task->given == NULL)
		return r;
	r = tokenizer_encode(model->format->tokenizer, task->given, strlen(task->given), &given,
	                     &branch->n_given, err);
	if (r < 0)
		return r;
	all = array_new(uint32_t, branch->n_prompt + branch->n_given);
	if (all != NULL) {
		memcpy(all, branch->prompt, branch->n_prompt * sizeof(*all));
		memcpy(all + branch->n_prompt, given, branch->n_given * sizeof(*all));
		free(branch->prompt);
		branch->prompt = all;
		branch->n_prompt += branch->n_given;
	}
	free(given);
	return all == NULL ? err_set(err, -ENOMEM, "no memory for a prompt") : 0;
}

/* The logits behind the instruction and behind each given word: how likely was what came next? */
static void see_logits(void *user, size_t pos, const float *logits)
{
	struct branch *branch = user;
	const struct model_shape *shape = engine_shape(branch->engine);
	size_t next = branch->n_prompt - branch->n_given + pos - branch->first;
	uint32_t token;

	if (pos < branch->first)
		return;
	token = next < branch->n_prompt ? branch->prompt[next] : shape->eos_token_id[0];
	if (branch->choices != NULL)
		branch->choices[pos - branch->first] = branch_choose(branch, logits);
	branch_take(branch, token, logits);
}

int branch_init(struct branch *branch, const struct branch_model *model, const struct context *document,
                const struct reader_task *task, struct err *err)
{
	int r = 0;

	branch->task = task;
	branch->engine = model->engine;
	assert(task->given != NULL || task->max_tokens > 0);
	if ((r = set_prompt(branch, model, err)) < 0)
		return r;
	if (task->n_spans > 0) {
		r = grounded_new(model->trie, task->spans, task->n_spans,
		                 engine_shape(model->engine)->eos_token_id[0], &branch->grounded, err);
		if (r < 0)
			return err_prefix(err, r, "quoting: ");
	} else if (task->given == NULL) {
		branch->tokens = array_new(uint32_t, task->max_tokens);
		if (branch->tokens == NULL)
			return err_set(err, -ENOMEM, "no memory for an answer");
	} else if (task->look) {
		branch->choices = array_new(uint32_t, branch->n_given + 1);
		if (branch->choices == NULL)
			return err_set(err, -ENOMEM, "no memory for an answer");
	}
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

static void accept_free(struct branch *branch)
{
	if (engine_is_eos(branch->engine, branch->next)) {
		branch->done = true;
		return;
	}
	branch->tokens[branch->n_tokens++] = branch->next;
	branch->cut = branch->n_tokens == branch->task->max_tokens;
	branch->done = branch->cut;
}

static void accept_grounded(struct branch *branch, double score)
{
	branch->done = grounded_accept(branch->grounded, branch->next, score) < 0 ||
	               grounded_done(branch->grounded) || branch->n_generated == branch->task->max_tokens;
}

void branch_take(struct branch *branch, uint32_t token, const float *logits)
{
	double score = sampler_log_probability(logits, engine_shape(branch->engine)->vocab_size, token);

	branch->next = token;
	branch->log_probability += score;
	branch->n_generated++;
	if (branch->task->given != NULL) /* the words are there, and go on */
		return;
	if (branch->grounded != NULL)
		accept_grounded(branch, score);
	else
		accept_free(branch);
}

static void go_on(struct branch *branch)
{
	const float *logits = context_logits(branch->context);

	branch_take(branch, branch_choose(branch, logits), logits);
}

/* Every branch that goes on takes one step; all in one pass. Returns how many did, or an error. */
static int step_branches(struct branch *branches, size_t n, const atomic_bool *cancel, struct err *err)
{
	struct append appends[READER_MAX_TASKS];
	size_t n_appends = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		if (!branches[i].done)
			appends[n_appends++] =
				(struct append){ branches[i].context, &branches[i].next, 1, true };
	}
	if (n_appends == 0)
		return 0;
	r = context_forward(appends, n_appends, cancel, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (!branches[i].done)
			go_on(&branches[i]);
	}
	return (int)n_appends;
}

/* The instructions of all branches, in one pass. */
static int start_branches(struct branch *branches, size_t n, struct usage *usage, const atomic_bool *cancel,
                          struct err *err)
{
	struct append appends[READER_MAX_TASKS] = { 0 };
	int r;

	for (size_t i = 0; i < n; i++) {
		struct branch *branch = &branches[i];

		appends[i] = (struct append){ branch->context, branch->prompt, branch->n_prompt, true };
		branch->first = context_n_tokens(branch->context) + branch->n_prompt - branch->n_given - 1;
		if (branch->task->given != NULL)
			context_set_observer(branch->context, &(struct context_observer){
								      .user = branch, .logits = see_logits });
		usage->prompt_tokens += (int64_t)branch->n_prompt;
		usage->computed_tokens += (int64_t)branch->n_prompt;
	}
	r = context_forward(appends, n, cancel, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		branches[i].done = branches[i].task->given != NULL;
		if (!branches[i].done)
			go_on(&branches[i]);
	}
	return r;
}

static void take_quote(const struct branch *branch, struct reader_result *ret)
{
	struct grounded_result quote;

	ret->quoted = grounded_result(branch->grounded, &quote);
	if (ret->quoted)
		ret->quote = (struct reader_quote){ .span = quote.span,
			                            .start = quote.start,
			                            .n = quote.n,
			                            .score = quote.log_probability / (double)quote.n_tokens };
}

int branch_result(const struct branch *branch, const struct tokenizer *tokenizer, struct reader_result *ret,
                  struct err *err)
{
	struct buf text = { 0 };
	int r;

	*ret = (struct reader_result){ .cut = branch->cut };
	ret->log_probability = branch->log_probability;
	if (branch->n_generated > 0)
		ret->score = branch->log_probability / (double)branch->n_generated;
	if (branch->task->given != NULL)
		return 0;
	if (branch->grounded != NULL) {
		take_quote(branch, ret);
		return 0;
	}
	r = tokenizer_decode(tokenizer, branch->tokens, branch->n_tokens, &text, err);
	ret->text = buf_take(&text);
	return r == 0 && ret->text == NULL ? err_set(err, -ENOMEM, "no memory for an answer") : r;
}

int branches_decode(struct branch *branches, size_t n, struct usage *usage, const atomic_bool *cancel,
                    struct err *err)
{
	int r = start_branches(branches, n, usage, cancel, err);

	if (r == 0) {
		do
			r = step_branches(branches, n, cancel, err);
		while (r > 0);
	}
	for (size_t i = 0; i < n; i++) {
		if (branches[i].task->given == NULL)
			usage->generated_tokens += (int64_t)branches[i].n_generated;
	}
	return r;
}
