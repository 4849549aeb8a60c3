/* One sequence: its tokens and what attention keeps of them. Grows by context_forward(), is forked into branches that
 * share its pages, leaves and comes back by blocks. A context is used by one thread at a time. */
#ifndef SKIMD_MODEL_CONTEXT_H
#define SKIMD_MODEL_CONTEXT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/attention_record.h"
#include "model/block_io.h"
#include "model/engine.h"

struct context;

/* Sees what a forward pass computes, from its calling thread or its workers; NULL calls are not made. Nothing that it
 * sees depends on being seen. */
struct context_observer {
	void *user;
	/* Every position's logits [vocab_size], not only the last one's. */
	void (*logits)(void *user, size_t pos, const float *logits);
	/* The positions [n], rising (NULL: all up to pos), that attention looks at from pos; of layers that score by
	 * themselves. Called from several threads at once, for different positions. */
	void (*selected)(void *user, uint32_t layer, size_t pos, const uint32_t *rows, size_t n);
};

int context_new(struct engine *engine, struct context **ret, struct err *err);
void context_free(struct context *context); /* NULL is allowed */

/* What the tokens to come attend to. Dense attention is for comparison, on the same weights. Its two forms are equal in
 * exact arithmetic, and each gives the same bits for any size of passes and any number of threads; expanded is the faster
 * one where many tokens are appended at a time, and by far the slower one where few are. May be called at any time, as
 * what a token keeps is of one kind; but the deeper layers of a token that came densely hold other values, so that from
 * then on neither the context nor its branches can be saved. */
enum attention { ATTENTION_SPARSE, ATTENTION_DENSE, ATTENTION_DENSE_EXPANDED };
void context_set_attention(struct context *context, enum attention attention);
void context_set_observer(struct context *context, const struct context_observer *observer);

/* Note where the attention of the tokens to come goes; NULL: no more. Borrowed until then, and not a branch's. Not with
 * ATTENTION_DENSE_EXPANDED, which never has a token's shares side by side: context_forward() says -ENOTSUP. */
void context_set_record(struct context *context, const struct attention_record *record);

/* A branch: the same tokens so far, sharing all pages; only a last page that is not full is copied, when one of the two
 * grows. The parent may be freed first. */
int context_fork(const struct context *parent, struct context **ret, struct err *err);

size_t context_n_tokens(const struct context *context);
const uint32_t *context_tokens(const struct context *context);

/* Tokens to append to a context; want_logits leaves those of its last token in context_logits(). */
struct append {
	struct context *context;
	const uint32_t *tokens;
	size_t n;
	bool want_logits;
};

/* Append to several contexts in as few passes as fit: branches of a document share the stream of weights. What each
 * gets does not depend on the others. cancel (may be NULL) is looked at before each pass: -ECANCELED leaves every context
 * whole, with the tokens that were done; so does -ESTALE, see context_drop_rows(). -EINVAL: a token id beyond the
 * vocabulary; -ENOTSUP: dense attention over rows that have left memory, or a record of its expanded form; -EFBIG: 2^31
 * tokens or more; -ENOMEM. A context is listed once. */
int context_forward(const struct append *appends, size_t n, const atomic_bool *cancel, struct err *err);

/* [vocab_size], of the last token of the last context_forward() that wanted them; NULL before. */
const float *context_logits(const struct context *context);

/* Take rows of tokens[0..n) from io: whole blocks as long as they are there, then the tail under its exact length. The
 * context must be empty. Returns by *ret_n how many tokens it holds now. */
int context_restore(struct context *context, const uint32_t *tokens, size_t n, const struct block_io *io,
                    size_t *ret_n, struct err *err);

/* Give io the whole blocks that end behind `from` tokens and are in memory, and with `tail` the part behind the last one.
 * -EINVAL: some of its tokens came with dense attention. */
int context_save(const struct context *context, size_t from, bool tail, const struct block_io *io,
                 struct err *err);

/* Where the engine limits the memory for rows, let go of those of the whole blocks before n tokens, which io holds, has
 * restored or been given; of their indexer keys as well if these are many. From then on they are read from io, which
 * must outlive the context and its branches, and -ESTALE of a pass says that they are no longer there. */
void context_drop_rows(struct context *context, size_t n, const struct block_io *io);

#endif
