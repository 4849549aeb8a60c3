#include "bench/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define N_SPECIAL 16 /* ids at the vocabulary's start that are no text */

int document_init(struct document *document, const struct model_shape *shape, size_t n_tokens,
                  struct err *err)
{
	uint32_t n_special = shape->vocab_size > 2 * N_SPECIAL ? N_SPECIAL : 0, state = 1;

	*document = (struct document){ .tokens = array_new(uint32_t, n_tokens), .n_tokens = n_tokens };
	if (document->tokens == NULL)
		return err_set(err, -ENOMEM, "no memory for a document of %zu tokens", n_tokens);
	for (size_t i = 0; i < n_tokens; i++) {
		state = state * 1664525u + 1013904223u;
		document->tokens[i] = n_special + (state >> 8) % (shape->vocab_size - n_special);
	}
	return 0;
}

void document_done(struct document *document)
{
	for (size_t i = 0; i < document->n_blocks; i++)
		free(document->blocks[i]);
	free(document->blocks);
	free(document->tokens);
	*document = (struct document){ 0 };
}

int document_read(const struct document *document, struct context *context, size_t n, size_t step,
                  struct err *err)
{
	size_t end = context_n_tokens(context) + n;
	int r = 0;

	if (end > document->n_tokens)
		return err_set(err, -EINVAL, "the document has %zu tokens, not %zu", document->n_tokens, end);
	while (r == 0 && context_n_tokens(context) < end) {
		size_t first = context_n_tokens(context);
		struct append append = { context, document->tokens + first,
			                 end - first < step ? end - first : step, true };

		r = context_forward(&append, 1, NULL, err);
	}
	return r;
}

static int store_block(void *user, const uint32_t *tokens, size_t first, size_t n, const void *bytes,
                       size_t n_bytes, struct err *err)
{
	struct document *document = user;
	uint8_t *block = malloc(n_bytes);

	(void)tokens;
	(void)first;
	(void)n;
	if (block == NULL || array_grow(&document->blocks, sizeof(*document->blocks), document->n_blocks,
	                                &document->cap_blocks) < 0) {
		free(block);
		return err_set(err, -ENOMEM, "no memory for a block of %zu bytes", n_bytes);
	}
	memcpy(block, bytes, n_bytes);
	document->blocks[document->n_blocks++] = block;
	document->block_bytes = n_bytes;
	return 0;
}

static int load_block(void *user, const uint32_t *tokens, size_t first, size_t n, void *bytes, size_t n_bytes,
                      struct err *err)
{
	const struct document *document = user;
	size_t block = first / BLOCK_TOKENS;

	(void)tokens;
	if (n != first + BLOCK_TOKENS || block >= document->n_blocks || n_bytes != document->block_bytes)
		return err_set(err, -ENOENT, "tokens %zu to %zu are not kept", first, n);
	memcpy(bytes, document->blocks[block], n_bytes);
	return 0;
}

int document_keep(struct document *document, const struct context *context, struct err *err)
{
	const struct block_io io = { .user = document, .store = store_block };

	return context_save(context, document->n_blocks * BLOCK_TOKENS, false, &io, err);
}

int document_context(const struct document *document, struct engine *engine, size_t n, struct context **ret,
                     struct err *err)
{
	struct document lent = *document; /* block_io takes no const */
	const struct block_io io = { .user = &lent, .load = load_block };
	struct context *context;
	size_t n_restored = 0;
	int r = context_new(engine, &context, err);

	if (r < 0)
		return r;
	r = context_restore(context, document->tokens, n, &io, &n_restored, err);
	if (r == 0 && n_restored != n)
		r = err_set(err, -ENOENT, "only %zu of %zu tokens are kept", n_restored, n);
	if (r < 0) {
		context_free(context);
		return r;
	}
	*ret = context;
	return 0;
}
