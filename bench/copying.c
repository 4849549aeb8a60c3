#include "bench/copying.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/array.h"
#include "bench/document.h"
#include "bench/question.h"
#include "pipeline/prefix.h"

struct copier {
	const struct copying *copying;
	struct engine *engine;
	struct kvstore *kv;
	struct kvwriter *writer;
	struct prefix from, to;
	struct document first, second;
	uint8_t *block;
	size_t n_bytes; /* of a block */
};

static int open_all(struct copier *copier, struct err *err)
{
	const struct engine_settings settings = { .dir = copier->copying->model, .n_threads = 1 };
	struct engine_info info;
	int r;

	if ((r = engine_open(&settings, &copier->engine, err)) < 0 ||
	    (r = kvstore_open(copier->copying->kv, QUESTION_BUDGET_BYTES, &copier->kv, NULL, err)) < 0 ||
	    (r = kvwriter_new(copier->kv, KV_QUEUE_BYTES, &copier->writer, err)) < 0)
		return r;
	engine_info(copier->engine, &info);
	copier->n_bytes = info.block_bytes;
	copier->block = array_alloc(1, copier->n_bytes, 1);
	if (copier->block == NULL)
		return err_set(err, -ENOMEM, "no memory for a block");
	prefix_init(&copier->from, copier->writer, engine_fingerprint(copier->engine));
	prefix_init(&copier->to, copier->writer, engine_fingerprint(copier->engine));
	return 0;
}

/* The tokens are those that question_ask() takes for documents of the two lengths. */
static int make_documents(struct copier *copier, struct err *err)
{
	const struct model_shape *shape = engine_shape(copier->engine);
	int r = document_init(&copier->first, shape, copier->copying->n_from + QUESTION_TOKENS, err);

	return r < 0 ? r
	             : document_init(&copier->second, shape, copier->copying->n_tokens + QUESTION_TOKENS,
	                             err);
}

/* Block i, whole or the tail, takes the rows of the first document's blocks in turn. */
static int copy_block(struct copier *copier, size_t i, struct err *err)
{
	const struct block_io from = prefix_block_io(&copier->from), to = prefix_block_io(&copier->to);
	size_t n_tokens = copier->copying->n_tokens, n_from = copier->copying->n_from / BLOCK_TOKENS;
	size_t source = i % n_from * BLOCK_TOKENS, first = i * BLOCK_TOKENS, end = first + BLOCK_TOKENS;
	int r = from.load(from.user, copier->first.tokens, source, source + BLOCK_TOKENS, copier->block,
	                  copier->n_bytes, err);

	if (r < 0)
		return err_prefix(err, r, "block %zu of the first document: ", i % n_from);
	r = to.store(to.user, copier->second.tokens, first, end < n_tokens ? end : n_tokens, copier->block,
	             copier->n_bytes, err);
	return r == 0 && copier->to.full ? err_set(err, -ENOSPC, "the store has no room for block %zu", i)
	                                 : r;
}

static void close_all(struct copier *copier)
{
	free(copier->block);
	document_done(&copier->first);
	document_done(&copier->second);
	prefix_done(&copier->from);
	prefix_done(&copier->to);
	kvwriter_free(copier->writer);
	kvstore_close(copier->kv);
	engine_close(copier->engine);
}

int copying_run(const struct copying *copying, struct copied *ret, struct err *err)
{
	struct copier copier = { .copying = copying };
	size_t n_blocks = (copying->n_tokens + BLOCK_TOKENS - 1) / BLOCK_TOKENS;
	int r;

	if ((r = open_all(&copier, err)) == 0)
		r = make_documents(&copier, err);
	for (size_t i = 0; r == 0 && i < n_blocks; i++)
		r = copy_block(&copier, i, err);
	if (r == 0)
		kvwriter_end(copier.writer);
	close_all(&copier);
	ret->n_bytes = r < 0 ? 0 : (double)n_blocks * (double)copier.n_bytes;
	return r;
}
