/* A checkpoint's golden.json recomputed and compared. Two kinds of file: {ids, logits [T][V], topk [layer][T]}, all
 * positions; and {tokenizer: [{text, ids}], prompts: [{ids, last_logits, argmax [T], loss}]}, for larger models. */
#ifndef SKIMD_MODEL_VERIFY_H
#define SKIMD_MODEL_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/engine.h"

struct verify_settings {
	struct engine_settings engine;
	const char *golden; /* the file; NULL: golden.json in the engine's dir */
	size_t max_prompt; /* prompts of more tokens are left out; 0: none is */
	void (*progress)(void *user, const char *what); /* may be NULL */
	void *user;
};

struct verify_report {
	size_t n_positions;
	double largest_logit, largest_error; /* of the logits that the file has */
	size_t n_sets, n_sets_equal; /* selected positions, by layer and query */
	size_t n_argmax, n_argmax_equal;
	double largest_loss_error; /* relative, of a prompt's loss */
	double loss,
		golden_loss; /* sums over all prompts' next tokens, in nats; golden_loss is 0 where the file has none */
	size_t n_texts, n_texts_equal; /* tokenizer cases */
};

/* 0 when it could be compared: see verify_passes(). Errors as engine_open()'s, and -EBADMSG for a golden.json that
 * does not fit the model. */
int verify_run(const struct verify_settings *settings, struct verify_report *ret, struct err *err);

/* Bars: strict: logits within 2e-4 of the largest, every set equal, arg-max equal at 99.5 % of positions, loss within
 * 0.5 %; production: loss within 1 %, arg-max at 98 %, logits within 5 % of the largest where there is no arg-max; int8: as
 * production, and the loss of all prompts within 0.1 %, if they have 3000 tokens. Token ids equal in all.
 * When it does not pass, why says what failed. */
bool verify_passes(const struct verify_report *report, enum numerics numerics, struct err *why);

#endif
