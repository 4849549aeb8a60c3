/* Tasks behind a text that has been read: each is a branch of its context, all are decoded together. */
#ifndef SKIMD_PIPELINE_BRANCH_H
#define SKIMD_PIPELINE_BRANCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/context.h"
#include "model/engine.h"
#include "model/grounded.h"
#include "model/token_trie.h"
#include "pipeline/prompt.h"
#include "pipeline/reader.h"

/* What branches are decoded with; borrowed. */
struct branch_model {
	struct engine *engine;
	const struct prompt_format *format;
	const struct token_trie *trie;
};

/* One task under way. */
struct branch {
	const struct reader_task *task;
	const struct engine *engine;
	struct context *context;
	struct grounded *grounded; /* NULL: free text, or given words */
	uint32_t *prompt; /* the instruction, and given words behind it */
	size_t n_prompt, n_given; /* n_given of them are given */
	size_t first; /* position of the token that the first given one follows */
	uint32_t *tokens; /* free text: what was generated */
	size_t n_tokens, n_generated;
	/* [n_given + 1] what would have been generated in the place of each given token and of the end, where an audit
	 * looks at them; otherwise NULL. */
	uint32_t *choices;
	double log_probability;
	uint32_t next; /* token to be appended; behind given words their end */
	bool done, cut;
};

/* model's parts, document and task are borrowed. Errors as prompt_task()'s, grounded_new()'s and context_fork()'s; what there
 * is of it until then is for branch_done(). */
int branch_init(struct branch *branch, const struct branch_model *model, const struct context *document,
                const struct reader_task *task, struct err *err);

/* The token that these logits [vocab_size] choose, and taking one as the next. */
uint32_t branch_choose(const struct branch *branch, const float *logits);
void branch_take(struct branch *branch, uint32_t token, const float *logits);

/* Take n of them from their instructions to their ends, all in one pass; *usage grows. cancel may be NULL. Errors as
 * context_forward()'s. */
int branches_decode(struct branch *branches, size_t n, struct usage *usage, const atomic_bool *cancel,
                    struct err *err);

/* What a branch that was decoded gave; the caller's, for reader_result_done(). */
int branch_result(const struct branch *branch, const struct tokenizer *tokenizer, struct reader_result *ret,
                  struct err *err);

void branch_done(struct branch *branch); /* all zero is allowed */

#endif
