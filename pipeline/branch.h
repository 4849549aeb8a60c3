/* One task under way behind a text: a branch of the text's context, and how its next token is chosen. */
#ifndef SKIMD_PIPELINE_BRANCH_H
#define SKIMD_PIPELINE_BRANCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/context.h"
#include "model/grounded.h"
#include "model/token_trie.h"
#include "pipeline/reader.h"

struct branch {
	const struct reader_task *task;
	const struct engine *engine;
	struct context *context;
	struct grounded *grounded; /* NULL: free text */
	uint32_t *tokens; /* free text: what was generated */
	size_t n_tokens, n_generated;
	double log_probability;
	uint32_t next; /* token to be appended */
	bool done, cut;
};

/* engine, trie and task are borrowed. Errors as grounded_new()'s and context_fork()'s; what there is of it until then is
 * for branch_done(). */
int branch_init(struct branch *branch, const struct engine *engine, const struct token_trie *trie,
                const struct context *document, const struct reader_task *task, struct err *err);
void branch_done(struct branch *branch); /* all zero is allowed */

/* The token that these logits [vocab_size] choose, and taking one as the next. */
uint32_t branch_choose(const struct branch *branch, const float *logits);
void branch_take(struct branch *branch, uint32_t token, const float *logits);

/* Both, by its context's logits. */
void branch_go_on(struct branch *branch);

/* What came of it; the caller's, for reader_result_done(). -ENOMEM. */
int branch_result(const struct branch *branch, const struct tokenizer *tokenizer, struct reader_result *ret,
                  struct err *err);

#endif
