/* The reader's part of an audit: what the branches behind one text look at, and the same tokens once more with dense
 * attention. */
#ifndef SKIMD_PIPELINE_READER_AUDIT_H
#define SKIMD_PIPELINE_READER_AUDIT_H

#include <stdatomic.h>

#include "model/context.h"
#include "pipeline/branch.h"
#include "pipeline/reader.h"

/* A text that is read: as the caller has it, and its tokens, with the prompt's frame before them. */
struct audited_text {
	const char *bytes;
	size_t n_bytes;
	const uint32_t *tokens;
	size_t n_tokens;
};

struct watch;

/* Look at branches[n] from now on, which have no tokens of their own yet. Both are borrowed. *ret is the caller's, for
 * watch_free(), after the branches. -ENOMEM. */
int watch_new(const struct audited_text *text, struct branch *branches, size_t n, struct watch **ret,
              struct err *err);
void watch_free(struct watch *watch); /* NULL is allowed */

/* The branches have come to their ends: tell the audit what was seen, but of words that were given only to be scored, and
 * compare first if it asks for that. document is the context that they are branches of. Errors as see()'s and
 * context_forward()'s. */
int watch_finish(struct watch *watch, const struct reader_audit *audit, const struct branch_model *model,
                 const struct context *document, const atomic_bool *cancel, struct err *err);

#endif
