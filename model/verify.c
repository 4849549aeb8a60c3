#include "model/verify.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/json.h"
#include "model/context.h"
#include "model/sampler.h"

#define MAX_GOLDEN_BYTES ((size_t)1 << 30)
#define MEAN_POSITIONS 3000 /* from which on the mean loss says more than chance does */

struct verification {
	const struct verify_settings *settings;
	const char *path;
	struct engine *engine;
	struct verify_report *report;
	struct err *err;
};

/* One sequence under comparison. */
struct sequence {
	struct verification *verification;
	uint32_t *ids;
	size_t n;
	const json_t *logits; /* [T][V], or NULL */
	const json_t *topk; /* [layer with an indexer][T][selected], or NULL */
	const json_t *argmax; /* [T], or NULL */
	const json_t *last; /* [V] of the last position, or NULL */
	const uint32_t *topk_row; /* [layer] its place in topk */
	double loss; /* sum over the next tokens */
	pthread_mutex_t lock; /* guards the counts: selections come from several threads */
};

static void note(struct verification *verification, const char *what)
{
	if (verification->settings->progress != NULL)
		verification->settings->progress(verification->settings->user, what);
}

static void compare_logits(struct verify_report *report, const json_t *golden, const float *logits, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double expected = json_number_value(json_array_get(golden, i));
		double error = fabs(expected - (double)logits[i]);

		report->largest_logit = fmax(report->largest_logit, fabs(expected));
		/* A NaN must not pass for a small error, and stays. */
		if (isnan(error) || error > report->largest_error)
			report->largest_error = error;
	}
}

static void see_logits(void *user, size_t pos, const float *logits)
{
	struct sequence *sequence = user;
	struct verify_report *report = sequence->verification->report;
	size_t n = engine_shape(sequence->verification->engine)->vocab_size;

	report->n_positions++;
	if (sequence->logits != NULL)
		compare_logits(report, json_array_get(sequence->logits, pos), logits, n);
	if (sequence->last != NULL && pos + 1 == sequence->n)
		compare_logits(report, sequence->last, logits, n);
	if (sequence->argmax != NULL) {
		report->n_argmax++;
		report->n_argmax_equal += sampler_greedy(logits, n) ==
		                          (uint32_t)json_integer_value(json_array_get(sequence->argmax, pos));
	}
	if (pos + 1 < sequence->n)
		sequence->loss -= sampler_log_probability(logits, n, sequence->ids[pos + 1]);
}

static bool is_set(const json_t *golden, const uint32_t *rows, size_t n)
{
	if (json_array_size(golden) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if ((size_t)json_integer_value(json_array_get(golden, i)) != (rows == NULL ? i : rows[i]))
			return false;
	}
	return true;
}

static void see_selected(void *user, uint32_t layer, size_t pos, const uint32_t *rows, size_t n)
{
	struct sequence *sequence = user;
	struct verify_report *report = sequence->verification->report;
	const json_t *golden = json_array_get(json_array_get(sequence->topk, sequence->topk_row[layer]), pos);
	bool equal = is_set(golden, rows, n);

	pthread_mutex_lock(&sequence->lock);
	report->n_sets++;
	report->n_sets_equal += equal;
	pthread_mutex_unlock(&sequence->lock);
}

static int read_ids(struct verification *verification, const json_t *list, uint32_t **ret, size_t *ret_n)
{
	size_t n = json_array_size(list);
	uint32_t *ids = array_new(uint32_t, n);

	if (ids == NULL)
		return err_set(verification->err, -ENOMEM, "%s: no memory", verification->path);
	for (size_t i = 0; i < n; i++)
		ids[i] = (uint32_t)json_integer_value(json_array_get(list, i));
	*ret = ids;
	*ret_n = n;
	return 0;
}

static int forward(struct sequence *sequence)
{
	struct verification *verification = sequence->verification;
	struct context_observer observer = { sequence, see_logits,
		                             sequence->topk == NULL ? NULL : see_selected };
	struct context *context;
	int r = context_new(verification->engine, &context, verification->err);

	if (r < 0)
		return r;
	context_set_observer(context, &observer);
	r = context_forward(&(struct append){ context, sequence->ids, sequence->n, false }, 1, NULL,
	                    verification->err);
	context_free(context);
	return r;
}

static int check_sizes(const struct sequence *sequence)
{
	struct verification *verification = sequence->verification;
	size_t vocab = engine_shape(verification->engine)->vocab_size;

	if (sequence->n == 0 ||
	    (sequence->logits != NULL && json_array_size(sequence->logits) != sequence->n) ||
	    (sequence->logits != NULL && json_array_size(json_array_get(sequence->logits, 0)) != vocab) ||
	    (sequence->argmax != NULL && json_array_size(sequence->argmax) != sequence->n) ||
	    (sequence->last != NULL && json_array_size(sequence->last) != vocab))
		return err_set(verification->err, -EBADMSG,
		               "%s: its lists do not fit a sequence of %zu tokens of %zu", verification->path,
		               sequence->n, vocab);
	return 0;
}

static int run_sequence(struct verification *verification, struct sequence *sequence, const json_t *ids,
                        const json_t *loss)
{
	int r;

	sequence->verification = verification;
	pthread_mutex_init(&sequence->lock, NULL);
	r = read_ids(verification, ids, &sequence->ids, &sequence->n);
	if (r == 0 && (r = check_sizes(sequence)) == 0)
		r = forward(sequence);
	if (r == 0 && loss != NULL) {
		double golden = json_number_value(loss) * (double)(sequence->n - 1);
		double error = fabs(sequence->loss / golden - 1);

		if (isnan(error) || error > verification->report->largest_loss_error)
			verification->report->largest_loss_error = error;
		verification->report->loss += sequence->loss;
		verification->report->golden_loss += golden;
	}
	free(sequence->ids);
	pthread_mutex_destroy(&sequence->lock);
	return r;
}

/* All positions of one sequence, selections and all. */
static int verify_sequence(struct verification *verification, const json_t *golden)
{
	const struct model_shape *shape = engine_shape(verification->engine);
	struct sequence sequence = { .logits = json_object_get(golden, "logits"),
		                     .topk = json_object_get(golden, "topk") };
	uint32_t *topk_row = array_new(uint32_t, shape->num_hidden_layers), n = 0;
	int r;

	if (topk_row == NULL)
		return err_set(verification->err, -ENOMEM, "%s: no memory", verification->path);
	for (uint32_t i = 0; i < shape->num_hidden_layers; i++)
		topk_row[i] = shape->full_indexer[i] ? n++ : 0;
	sequence.topk_row = topk_row;
	r = run_sequence(verification, &sequence, json_object_get(golden, "ids"), NULL);
	free(topk_row);
	return r;
}

static int verify_prompts(struct verification *verification, const json_t *prompts)
{
	const json_t *prompt;
	size_t i;
	int r;

	json_array_foreach(prompts, i, prompt)
	{
		struct sequence sequence = { .argmax = json_object_get(prompt, "argmax"),
			                     .last = json_object_get(prompt, "last_logits") };
		const json_t *ids = json_object_get(prompt, "ids");
		char what[64];

		if (verification->settings->max_prompt > 0 &&
		    json_array_size(ids) > verification->settings->max_prompt)
			continue;
		snprintf(what, sizeof(what), "prompt of %zu tokens", json_array_size(ids));
		note(verification, what);
		r = run_sequence(verification, &sequence, ids, json_object_get(prompt, "loss"));
		if (r < 0)
			return r;
	}
	return 0;
}

static int verify_text(struct verification *verification, const json_t *golden)
{
	const json_t *text = json_object_get(golden, "text"), *expected = json_object_get(golden, "ids");
	uint32_t *ids;
	size_t n;
	bool equal;
	int r = tokenizer_encode(engine_tokenizer(verification->engine), json_string_value(text),
	                         json_string_length(text), &ids, &n, verification->err);

	if (r < 0)
		return r;
	equal = n == json_array_size(expected);
	for (size_t i = 0; equal && i < n; i++)
		equal = (uint32_t)json_integer_value(json_array_get(expected, i)) == ids[i];
	verification->report->n_texts++;
	verification->report->n_texts_equal += equal;
	free(ids);
	return 0;
}

static int verify_texts(struct verification *verification, const json_t *texts)
{
	const json_t *text;
	size_t i;
	int r = 0;

	if (json_array_size(texts) > 0 && engine_tokenizer(verification->engine) == NULL)
		return err_set(verification->err, -EBADMSG,
		               "%s: it has texts, but there is no tokenizer.json", verification->path);
	json_array_foreach(texts, i, text)
	{
		if (r == 0)
			r = verify_text(verification, text);
	}
	return r;
}

static int verify_golden(struct verification *verification, const json_t *golden)
{
	int r;

	if (json_object_get(golden, "logits") != NULL)
		return verify_sequence(verification, golden);
	if (json_object_get(golden, "prompts") == NULL)
		return err_set(verification->err, -EBADMSG, "%s: neither logits nor prompts",
		               verification->path);
	r = verify_texts(verification, json_object_get(golden, "tokenizer"));
	return r < 0 ? r : verify_prompts(verification, json_object_get(golden, "prompts"));
}

int verify_run(const struct verify_settings *settings, struct verify_report *ret, struct err *err)
{
	char path[PATH_MAX];
	struct verification verification = { settings, path, NULL, ret, err };
	json_t *golden;
	int r;

	*ret = (struct verify_report){ 0 };
	if (settings->golden != NULL)
		snprintf(path, sizeof(path), "%s", settings->golden);
	else
		snprintf(path, sizeof(path), "%s/golden.json", settings->engine.dir);
	if ((r = json_read_file(path, MAX_GOLDEN_BYTES, &golden, err)) < 0)
		return r;
	r = engine_open(&settings->engine, &verification.engine, err);
	if (r == 0)
		r = verify_golden(&verification, golden);
	engine_close(verification.engine);
	json_decref(golden);
	return r;
}

bool verify_passes(const struct verify_report *report, enum numerics numerics, struct err *why)
{
	bool strict = numerics == NUMERICS_STRICT;
	double logit_bar = strict ? 2e-4 : 0.05, loss_bar = strict ? 0.005 : 0.01,
	       argmax_bar = strict ? 0.995 : 0.98;
	/* Where production numerics are held to arg-max and loss, its logits may be off by what bf16 rounds. */
	bool logits_count = strict || report->n_argmax == 0;

	if (report->n_positions == 0)
		err_set(why, 0, "nothing was compared");
	else if (report->n_texts_equal != report->n_texts)
		err_set(why, 0, "token ids of %zu texts of %zu differ",
		        report->n_texts - report->n_texts_equal, report->n_texts);
	else if (strict && report->n_sets_equal != report->n_sets)
		err_set(why, 0, "%zu selected sets of %zu differ", report->n_sets - report->n_sets_equal,
		        report->n_sets);
	else if (logits_count && !(report->largest_error <= logit_bar * report->largest_logit))
		err_set(why, 0, "a logit is off by %.2g, the bar is %.2g", report->largest_error,
		        logit_bar * report->largest_logit);
	else if ((double)report->n_argmax_equal < argmax_bar * (double)report->n_argmax)
		err_set(why, 0, "arg-max is equal at %zu positions of %zu", report->n_argmax_equal,
		        report->n_argmax);
	else if (!(report->largest_loss_error <= loss_bar))
		err_set(why, 0, "the loss is off by %.3g %%", 100 * report->largest_loss_error);
	else if (numerics == NUMERICS_INT8 && report->golden_loss > 0 &&
	         report->n_positions >= MEAN_POSITIONS &&
	         !(fabs(report->loss / report->golden_loss - 1) <= 0.001))
		err_set(why, 0, "the loss of all prompts is off by %.3g %%",
		        100 * (report->loss / report->golden_loss - 1));
	else
		return true;
	return false;
}
