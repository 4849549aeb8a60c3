/* A long made-up document that has been read once, kept as blocks in memory: from it comes a context of any depth, on
 * any engine of the same model, without reading it again. */
#ifndef SKIMD_BENCH_DOCUMENT_H
#define SKIMD_BENCH_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/context.h"

struct document {
	uint32_t *tokens; /* [n_tokens], the same in every run */
	size_t n_tokens;
	uint8_t **blocks; /* [n_blocks], in order */
	size_t n_blocks, cap_blocks, block_bytes;
};

/* -ENOMEM. */
int document_init(struct document *document, const struct model_shape *shape, size_t n_tokens,
                  struct err *err);
void document_done(struct document *document);

/* Append the next n of its tokens to a context that holds those before them, `step` in each forward pass. */
int document_read(const struct document *document, struct context *context, size_t n, size_t step,
                  struct err *err);

/* Keep the blocks of a context that has read it, behind those that are kept. */
int document_keep(struct document *document, const struct context *context, struct err *err);

/* A context that holds the first n tokens, which must have been kept; n is a number of whole blocks. *ret is the
 * caller's. */
int document_context(const struct document *document, struct engine *engine, size_t n, struct context **ret,
                     struct err *err);

#endif
