#include "pipeline/reader_audit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "pipeline/sight.h"

#define STEP_TOKENS 512 /* between two looks at cancellation */

struct watch {
	struct audited_text text;
	struct parts parts;
	struct branch *branches;
	struct sighting *sightings; /* [n] */
	size_t n;
};

/* Words that are given only to be scored are nobody's answer. */
static bool is_watched(const struct branch *branch)
{
	return branch->task->given == NULL || branch->task->look;
}

/* The position of the token that chooses the branch's first word: what stands before it are the words of the task. */
static size_t first_choice(const struct watch *watch, const struct branch *branch)
{
	return watch->text.n_tokens + branch->n_prompt - branch->n_given - 1;
}

static size_t n_text_tokens(const struct watch *watch)
{
	return watch->text.n_tokens - PROMPT_FRAME_TOKENS;
}

static int watch_init(struct watch *watch, struct err *err)
{
	const struct engine *engine = watch->branches[0].engine;
	int r = parts_make(engine_tokenizer(engine), watch->text.bytes, watch->text.n_bytes,
	                   watch->text.tokens + PROMPT_FRAME_TOKENS, n_text_tokens(watch), &watch->parts,
	                   err);

	if (r < 0)
		return r;
	watch->sightings = array_new(struct sighting, watch->n);
	if (watch->sightings == NULL)
		return err_set(err, -ENOMEM, "no memory to look at a reading");
	for (size_t i = 0; i < watch->n; i++) {
		if (!is_watched(&watch->branches[i]))
			continue;
		if (sighting_init(&watch->sightings[i], &watch->parts, n_text_tokens(watch),
		                  PROMPT_FRAME_TOKENS, engine_shape(engine), false) < 0)
			return err_set(err, -ENOMEM, "no memory to look at a reading");
		watch->sightings[i].record.first = first_choice(watch, &watch->branches[i]);
		context_set_record(watch->branches[i].context, &watch->sightings[i].record);
	}
	return 0;
}

int watch_new(const struct audited_text *text, struct branch *branches, size_t n, struct watch **ret,
              struct err *err)
{
	struct watch *watch = array_new(struct watch, 1);
	int r;

	if (watch == NULL)
		return err_set(err, -ENOMEM, "no memory to look at a reading");
	*watch = (struct watch){ .text = *text, .branches = branches, .n = n };
	r = watch_init(watch, err);
	if (r < 0)
		watch_free(watch);
	else
		*ret = watch;
	return r;
}

void watch_free(struct watch *watch)
{
	if (watch == NULL)
		return;
	for (size_t i = 0; watch->sightings != NULL && i < watch->n; i++) {
		context_set_record(watch->branches[i].context, NULL);
		sighting_done(&watch->sightings[i]);
	}
	free(watch->sightings);
	parts_done(&watch->parts);
	free(watch);
}

/* One branch's tokens again, with dense attention. */
struct repeat {
	const struct branch *original;
	struct branch branch;
	struct sighting sighting;
	const uint32_t *tokens; /* [n] of the original behind the document, but for the last one */
	size_t n, n_document;
	size_t first; /* see first_choice() */
	size_t n_agree;
};

/* The token that the original took behind position pos. */
static uint32_t token_behind(const struct repeat *repeat, size_t pos)
{
	return pos + 1 < repeat->n_document + repeat->n ? repeat->tokens[pos + 1 - repeat->n_document]
	                                                : repeat->original->next;
}

/* Positions come in order: each time the original's token is taken, whatever dense attention would have said. What sparse
 * attention would have said is that token, but where words were given. */
static void see_logits(void *user, size_t pos, const float *logits)
{
	struct repeat *repeat = user;
	const uint32_t *choices = repeat->original->choices;
	uint32_t token;

	if (pos < repeat->first)
		return;
	token = token_behind(repeat, pos);
	repeat->n_agree += branch_choose(&repeat->branch, logits) ==
	                   (choices == NULL ? token : choices[pos - repeat->first]);
	branch_take(&repeat->branch, token, logits);
}

static int repeat_init(struct repeat *repeat, const struct watch *watch, const struct branch *original,
                       const struct branch_model *model, const struct context *document, struct err *err)
{
	int r;

	repeat->original = original;
	repeat->n_document = context_n_tokens(document);
	repeat->tokens = context_tokens(original->context) + repeat->n_document;
	repeat->n = context_n_tokens(original->context) - repeat->n_document;
	repeat->first = first_choice(watch, original);
	if ((r = branch_init(&repeat->branch, model, document, original->task, err)) < 0)
		return r;
	if (sighting_init(&repeat->sighting, &watch->parts, n_text_tokens(watch), PROMPT_FRAME_TOKENS,
	                  engine_shape(model->engine), true) < 0)
		return err_set(err, -ENOMEM, "no memory to look at a reading");
	context_set_attention(repeat->branch.context, ATTENTION_DENSE);
	repeat->sighting.record.first = repeat->first;
	context_set_record(repeat->branch.context, &repeat->sighting.record);
	context_set_observer(repeat->branch.context, &(struct context_observer){ repeat, see_logits, NULL });
	return 0;
}

static double chance_of(const struct repeat *repeat)
{
	double k = engine_shape(repeat->branch.engine)->index_topk, sum = 0;
	size_t n = repeat->branch.n_generated;

	for (size_t i = 0; i < n; i++) {
		double n_positions = (double)(repeat->first + i + 1);

		sum += n_positions > k ? k / n_positions : 1;
	}
	return sum / (double)n;
}

static int repeat_take(const struct repeat *repeat, struct dense_view *ret)
{
	ret->n_tokens = repeat->branch.n_generated;
	ret->n_agree = repeat->n_agree;
	ret->score = repeat->branch.log_probability / (double)repeat->branch.n_generated;
	ret->chance = chance_of(repeat);
	return sighting_take_dense(&repeat->sighting, ret->n_tokens, ret);
}

/* All branches again, behind document; rows that have left memory cannot be looked at densely, and what was seen then
 * has no comparison. */
static int repeat_all(struct watch *watch, const struct branch_model *model, const struct context *document,
                      struct sight *sights, const atomic_bool *cancel, struct err *err)
{
	struct repeat *repeats = array_new(struct repeat, watch->n);
	struct append *appends = array_new(struct append, watch->n);
	size_t n_appends = 0;
	int r = repeats == NULL || appends == NULL ? err_set(err, -ENOMEM, "no memory for a check") : 0;
	bool possible;

	for (size_t i = 0; r == 0 && i < watch->n; i++) {
		if (!is_watched(&watch->branches[i]))
			continue;
		r = repeat_init(&repeats[i], watch, &watch->branches[i], model, document, err);
		appends[n_appends++] =
			(struct append){ repeats[i].branch.context, repeats[i].tokens, repeats[i].n, false };
	}
	if (r == 0)
		r = context_forward(appends, n_appends, cancel, err);
	possible = r != -ENOTSUP;
	for (size_t i = 0; r == 0 && i < watch->n; i++) {
		if (is_watched(&watch->branches[i]))
			r = repeat_take(&repeats[i], &sights[i].dense);
	}
	for (size_t i = 0; repeats != NULL && i < watch->n; i++) {
		branch_done(&repeats[i].branch);
		sighting_done(&repeats[i].sighting);
	}
	free(appends);
	free(repeats);
	return possible ? r : 0;
}

/* The whole text from its first token on, with dense attention: selection has shaped the rows that sparse attention left. */
static int read_densely(struct engine *engine, const struct audited_text *text, struct context **ret,
                        const atomic_bool *cancel, struct err *err)
{
	struct context *context;
	int r = context_new(engine, &context, err);

	if (r < 0)
		return r;
	context_set_attention(context, ATTENTION_DENSE_EXPANDED);
	for (size_t at = 0; r == 0 && at < text->n_tokens; at += STEP_TOKENS) {
		size_t n = text->n_tokens - at < STEP_TOKENS ? text->n_tokens - at : STEP_TOKENS;

		r = context_forward(&(struct append){ context, text->tokens + at, n, false }, 1, cancel, err);
	}
	if (r < 0)
		context_free(context);
	else
		*ret = context;
	return r;
}

static int compare(struct watch *watch, const struct reader_audit *audit, const struct branch_model *model,
                   const struct context *document, struct sight *sights, const atomic_bool *cancel,
                   struct err *err)
{
	struct context *dense = NULL;
	int r = audit->check == READER_CHECK_WHOLE
	                ? read_densely(model->engine, &watch->text, &dense, cancel, err)
	                : 0;

	if (r == 0)
		r = repeat_all(watch, model, dense == NULL ? document : dense, sights, cancel, err);
	context_free(dense);
	return r;
}

static int take_sight(const struct watch *watch, size_t i, struct sight *ret, struct err *err)
{
	const struct branch *branch = &watch->branches[i];

	ret->parts = &watch->parts;
	ret->n_generated = branch->n_generated;
	ret->score = branch->log_probability / (double)branch->n_generated;
	return sighting_take(&watch->sightings[i], branch->n_generated, ret) < 0
	               ? err_set(err, -ENOMEM, "no memory to look at a reading")
	               : 0;
}

int watch_finish(struct watch *watch, const struct reader_audit *audit, const struct branch_model *model,
                 const struct context *document, const atomic_bool *cancel, struct err *err)
{
	struct sight *sights = array_new(struct sight, watch->n);
	int r = sights == NULL ? err_set(err, -ENOMEM, "no memory to look at a reading") : 0;

	for (size_t i = 0; r == 0 && i < watch->n; i++) {
		if (is_watched(&watch->branches[i]))
			r = take_sight(watch, i, &sights[i], err);
	}
	if (r == 0 && audit->check != READER_CHECK_NONE)
		r = compare(watch, audit, model, document, sights, cancel, err);
	for (size_t i = 0; r == 0 && i < watch->n; i++) {
		if (is_watched(&watch->branches[i]))
			r = audit->see(audit->user, watch->text.bytes, watch->branches[i].task, &sights[i],
			               err);
	}
	for (size_t i = 0; sights != NULL && i < watch->n; i++)
		sight_done(&sights[i]);
	free(sights);
	return r;
}
