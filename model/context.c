#include "model/context.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/dense.h"
#include "model/engine_internal.h"

#define KEY_SHARE 4 /* indexer keys may take so many times the memory of the rows */

struct context {
	struct engine *engine;
	struct cache cache;
	uint32_t *tokens; /* [cache.n_tokens], room for cap_tokens */
	size_t cap_tokens;
	enum attention attention;
	bool has_dense_tokens; /* deeper layers hold what no sparse sequence may take over */
	struct context_observer observer;
	const struct attention_record *record; /* NULL: none */
	float *logits; /* [vocab_size], or NULL until wanted */
};

int context_new(struct engine *engine, struct context **ret, struct err *err)
{
	struct context *context = array_new(struct context, 1);

	if (context == NULL)
		return err_set(err, -ENOMEM, "no memory for a context");
	context->engine = engine;
	cache_init(&context->cache, &engine->layout);
	*ret = context;
	return 0;
}

void context_free(struct context *context)
{
	if (context == NULL)
		return;
	cache_done(&context->cache);
	free(context->tokens);
	free(context->logits);
	free(context);
}

void context_set_attention(struct context *context, enum attention attention)
{
	context->attention = attention;
}

void context_set_observer(struct context *context, const struct context_observer *observer)
{
	context->observer = *observer;
}

void context_set_record(struct context *context, const struct attention_record *record)
{
	context->record = record;
}

static int reserve_tokens(struct context *context, size_t n)
{
	return array_reserve(&context->tokens, sizeof(*context->tokens), n, &context->cap_tokens);
}

int context_fork(const struct context *parent, struct context **ret, struct err *err)
{
	struct context *context = NULL;
	int r = context_new(parent->engine, &context, err);

	if (r < 0)
		return r;
	context->attention = parent->attention;
	context->has_dense_tokens = parent->has_dense_tokens;
	if (reserve_tokens(context, parent->cache.n_tokens) < 0 ||
	    cache_share(&context->cache, &parent->cache) < 0) {
		context_free(context);
		return err_set(err, -ENOMEM, "no memory for a branch");
	}
	if (parent->cache.n_tokens > 0)
		memcpy(context->tokens, parent->tokens, parent->cache.n_tokens * sizeof(*context->tokens));
	*ret = context;
	return 0;
}

size_t context_n_tokens(const struct context *context)
{
	return context->cache.n_tokens;
}

const uint32_t *context_tokens(const struct context *context)
{
	return context->tokens;
}

const float *context_logits(const struct context *context)
{
	return context->logits;
}

/* The appends that a pass takes from: where it stands. */
struct progress {
	const struct append *appends;
	size_t n, at; /* append that comes next, */
	size_t offset; /* and its token */
};

static int check_appends(const struct append *appends, size_t n, const struct engine *engine, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		assert(appends[i].context->engine == engine);
		for (size_t j = 0; j < i; j++)
			assert(appends[j].context != appends[i].context);
		for (size_t j = 0; j < appends[i].n; j++) {
			if (appends[i].tokens[j] >= engine->shape.vocab_size)
				return err_set(err, -EINVAL, "token %u is beyond the vocabulary of %u",
				               appends[i].tokens[j], engine->shape.vocab_size);
		}
	}
	return 0;
}

static bool wants_any_logits(const struct append *append)
{
	return append->want_logits && append->n > 0;
}

/* Memory for all that is to come, before anything is changed. */
static int reserve(const struct append *appends, size_t n, struct engine *engine, struct err *err)
{
	size_t n_attended = 0;
	bool needs_dense = false;

	for (size_t i = 0; i < n; i++) {
		struct context *context = appends[i].context;
		size_t n_tokens = context->cache.n_tokens + appends[i].n, most = n_tokens;

		if (n_tokens > UINT32_MAX / 2)
			return err_set(err, -EFBIG, "a sequence of %zu tokens", n_tokens);
		if (context->attention != ATTENTION_SPARSE && context->cache.n_absent_rows > 0)
			return err_set(err, -ENOTSUP, "dense attention over rows that have left memory");
		if (context->attention == ATTENTION_DENSE_EXPANDED && context->record != NULL)
			return err_set(err, -ENOTSUP, "a record of attention in its expanded form");
		if (wants_any_logits(&appends[i]) && context->logits == NULL)
			context->logits = array_new(float, engine_logits_stride(engine));
		if (reserve_tokens(context, n_tokens) < 0 ||
		    cache_reserve(&context->cache, appends[i].n) < 0 ||
		    (wants_any_logits(&appends[i]) && context->logits == NULL))
			return err_set(err, -ENOMEM, "no memory for a sequence of %zu tokens", n_tokens);
		if (context->attention == ATTENTION_DENSE_EXPANDED) {
			most = 0;
			needs_dense = true;
		} else if (context->attention == ATTENTION_SPARSE && most > engine->shape.index_topk) {
			most = engine->shape.index_topk;
		}
		n_attended = most > n_attended ? most : n_attended;
	}
	if (pass_reserve_scores(&engine->pass, n_attended) < 0 ||
	    (needs_dense && dense_reserve(&engine->pass) < 0))
		return err_set(err, -ENOMEM, "no memory for attention over %zu tokens", n_attended);
	return 0;
}

/* Whether a token is left to be appended; moves on to its append. */
static bool is_left(struct progress *progress)
{
	while (progress->at < progress->n && progress->offset == progress->appends[progress->at].n) {
		progress->at++;
		progress->offset = 0;
	}
	return progress->at < progress->n;
}

/* Whether and where the attention of the next token is noted. */
static const struct attention_record *record_of_next(const struct context *context)
{
	const struct attention_record *record = context->record;

	return record != NULL && context->cache.n_tokens >= record->first ? record : NULL;
}

/* Fill the pass with the next rows; tokens are noted in their contexts. */
static void take_rows(struct pass *pass, struct progress *progress)
{
	pass->n_rows = 0;
	while (pass->n_rows < pass->max_rows && is_left(progress)) {
		const struct append *append = &progress->appends[progress->at];
		struct context *context = append->context;

		pass->rows[pass->n_rows++] = (struct pass_row){
			.cache = &context->cache,
			.observer = &context->observer,
			.record = record_of_next(context),
			.token = append->tokens[progress->offset],
			.pos = (uint32_t)context->cache.n_tokens,
			.dense = context->attention != ATTENTION_SPARSE,
			.expanded = context->attention == ATTENTION_DENSE_EXPANDED,
		};
		if (context->attention != ATTENTION_SPARSE)
			context->has_dense_tokens = true;
		context->tokens[context->cache.n_tokens++] = append->tokens[progress->offset++];
	}
}

static void embed_rows(struct engine *engine)
{
	struct pass *pass = &engine->pass;
	uint32_t d = engine->shape.hidden_size;

	for (size_t i = 0; i < pass->n_rows; i++)
		tensor_read(engine->embedding, (uint64_t)pass->rows[i].token * d, d,
		            pass->x + i * pass->hidden_stride);
}

/* An error takes the pass's tokens back. */
static int run_layers(struct engine *engine, struct err *err)
{
	struct pass *pass = &engine->pass;
	int r = 0;

	embed_rows(engine);
	pass_set_angles(pass);
	for (uint32_t i = 0; r == 0 && i < engine->shape.num_hidden_layers; i++) {
		layer_forward(pass, &engine->layers[i], i, engine->products);
		if (pass->paging != NULL)
			r = paging_error(pass->paging, err);
	}
	for (size_t i = 0; r < 0 && i < pass->n_rows; i++)
		pass->rows[i].cache->n_tokens--;
	return r;
}

/* Logits of up to LOGIT_ROWS rows of the pass. */
static void run_head(struct engine *engine, const size_t *rows, size_t n)
{
	struct pass *pass = &engine->pass;
	struct product head = { engine->logits,      pass->u, &engine->head, engine_logits_stride(engine),
		                pass->hidden_stride, n };

	for (size_t i = 0; i < n; i++)
		rms_norm(pass->u + i * pass->hidden_stride, pass->x + rows[i] * pass->hidden_stride,
		         engine->final_norm, engine->shape.hidden_size, engine->shape.rms_norm_eps);
	pass_products(pass, &head, 1);
}

/* The context of an append whose last token is this row and wants its logits; else NULL. */
static struct context *wants_logits(const struct progress *progress, const struct pass_row *row)
{
	for (size_t i = 0; i < progress->n; i++) {
		const struct append *append = &progress->appends[i];

		if (&append->context->cache == row->cache && append->want_logits &&
		    append->context->cache.n_tokens == row->pos + 1u &&
		    (i < progress->at || (i == progress->at && progress->offset == append->n)))
			return append->context;
	}
	return NULL;
}

static void give_logits(struct engine *engine, const struct progress *progress, const size_t *rows, size_t n)
{
	run_head(engine, rows, n);
	for (size_t i = 0; i < n; i++) {
		const struct pass_row *row = &engine->pass.rows[rows[i]];
		const float *logits = engine->logits + i * engine_logits_stride(engine);
		struct context *context = wants_logits(progress, row);

		if (row->observer->logits != NULL)
			row->observer->logits(row->observer->user, row->pos, logits);
		if (context != NULL)
			memcpy(context->logits, logits, engine->shape.vocab_size * sizeof(*logits));
	}
}

static void finish_rows(struct engine *engine, const struct progress *progress)
{
	size_t rows[LOGIT_ROWS], n = 0;

	for (size_t i = 0; i < engine->pass.n_rows; i++) {
		const struct pass_row *row = &engine->pass.rows[i];

		if (row->observer->logits == NULL && wants_logits(progress, row) == NULL)
			continue;
		rows[n++] = i;
		if (n == LOGIT_ROWS) {
			give_logits(engine, progress, rows, n);
			n = 0;
		}
	}
	if (n > 0)
		give_logits(engine, progress, rows, n);
}

int context_forward(const struct append *appends, size_t n, const atomic_bool *cancel, struct err *err)
{
	struct progress progress = { appends, n, 0, 0 };
	struct engine *engine;
	int r;

	if (n == 0)
		return 0;
	engine = appends[0].context->engine;
	if ((r = check_appends(appends, n, engine, err)) < 0)
		return r;
	pthread_mutex_lock(&engine->lock);
	r = reserve(appends, n, engine, err);
	while (r == 0 && is_left(&progress)) {
		if (cancel != NULL && *cancel) {
			r = err_set(err, -ECANCELED, "told to stop");
			break;
		}
		take_rows(&engine->pass, &progress);
		r = run_layers(engine, err);
		if (r == 0)
			finish_rows(engine, &progress);
	}
	pthread_mutex_unlock(&engine->lock);
	return r;
}

/* Attention never looks at all of a context that is longer than index_topk. */
void context_drop_rows(struct context *context, size_t n, const struct block_io *io)
{
	const struct engine *engine = context->engine;
	struct cache *cache = &context->cache;
	size_t n_pages = n / CACHE_PAGE_TOKENS;

	assert(n <= cache->n_tokens);
	if (engine->paging == NULL || io->read == NULL || n <= engine->shape.index_topk ||
	    n_pages * cache->layout->row_bytes <= engine->row_memory || paging_start(engine->paging) < 0)
		return;
	cache->source = io;
	cache_drop_rows(cache, n_pages);
	if (n_pages * cache->layout->key_bytes > KEY_SHARE * engine->row_memory)
		cache_drop_keys(cache, n_pages);
}

/* A block on its way to the cache, while the one behind it is loaded. */
struct restoring {
	struct context *context;
	const uint32_t *tokens;
	const struct block_io *io;
	size_t n;
	uint8_t *blocks[2]; /* the one to be put, the one to be loaded */
	size_t first, end; /* tokens of the one to be put */
	size_t next_end; /* the one to be loaded begins where that ends; as long: none */
	int r; /* of loading */
	struct err *err;
};

static size_t end_of_block(const struct restoring *restoring, size_t first)
{
	return first + CACHE_PAGE_TOKENS < restoring->n ? first + CACHE_PAGE_TOKENS : restoring->n;
}

static void load_block(struct restoring *restoring)
{
	const struct block_io *io = restoring->io;

	restoring->r = io->load(io->user, restoring->tokens, restoring->end, restoring->next_end,
	                        restoring->blocks[1], cache_block_bytes(restoring->context->cache.layout),
	                        restoring->err);
}

static void restore_item(void *user, size_t item, unsigned thread)
{
	struct restoring *restoring = user;

	(void)thread;
	if (item == 0)
		cache_put_block(&restoring->context->cache, restoring->first, restoring->end,
		                restoring->blocks[0]);
	else
		load_block(restoring);
}

/* Put the block that was loaded last, and load the one behind it. */
static int restore_block(struct restoring *restoring)
{
	struct context *context = restoring->context;
	struct cache *cache = &context->cache;
	uint8_t *loaded = restoring->blocks[1];
	size_t first = restoring->end, end = restoring->next_end;

	if (cache_reserve(cache, end - first) < 0)
		return err_set(restoring->err, -ENOMEM, "no memory for %zu tokens", restoring->n);
	restoring->blocks[1] = restoring->blocks[0];
	restoring->blocks[0] = loaded;
	restoring->first = first;
	restoring->end = end;
	restoring->next_end = end_of_block(restoring, end);
	pool_run(context->engine->pool, restoring->next_end > end ? 2 : 1, restore_item, restoring);
	memcpy(context->tokens + first, restoring->tokens + first, (end - first) * sizeof(*context->tokens));
	cache->n_tokens = end;
	context_drop_rows(context, end, restoring->io);
	return restoring->r;
}

int context_restore(struct context *context, const uint32_t *tokens, size_t n, const struct block_io *io,
                    size_t *ret_n, struct err *err)
{
	size_t n_bytes = cache_block_bytes(context->cache.layout);
	struct restoring restoring = {
		.context = context,
		.tokens = tokens,
		.io = io,
		.n = n,
		.blocks = { array_alloc(1, n_bytes, 1), array_alloc(1, n_bytes, 1) },
		.err = err,
	};
	int r = 0;

	if (restoring.blocks[0] == NULL || restoring.blocks[1] == NULL || reserve_tokens(context, n) < 0)
		r = err_set(err, -ENOMEM, "no memory for %zu tokens", n);
	pthread_mutex_lock(&context->engine->lock); /* the threads' */
	if (r == 0 && n > 0) {
		restoring.next_end = end_of_block(&restoring, 0);
		load_block(&restoring);
		r = restoring.r;
	}
	while (r == 0 && restoring.end < n)
		r = restore_block(&restoring);
	pthread_mutex_unlock(&context->engine->lock);
	free(restoring.blocks[0]);
	free(restoring.blocks[1]);
	*ret_n = context->cache.n_tokens;
	return r == -ENOENT ? 0 : r;
}

int context_save(const struct context *context, size_t from, bool tail, const struct block_io *io,
                 struct err *err)
{
	const struct cache *cache = &context->cache;
	size_t n_bytes = cache_block_bytes(cache->layout);
	uint8_t *block;
	int r = 0;

	if (context->has_dense_tokens)
		return err_set(err, -EINVAL, "a context with dense tokens has no blocks to be stored");
	block = array_alloc(1, n_bytes, 1);
	if (block == NULL)
		return err_set(err, -ENOMEM, "no memory for a block");
	if (from < cache->n_absent_rows * CACHE_PAGE_TOKENS) /* these are stored */
		from = cache->n_absent_rows * CACHE_PAGE_TOKENS;
	for (size_t first = from / CACHE_PAGE_TOKENS * CACHE_PAGE_TOKENS; r == 0 && first < cache->n_tokens;
	     first += CACHE_PAGE_TOKENS) {
		size_t end = first + CACHE_PAGE_TOKENS;

		if (end > cache->n_tokens) {
			if (!tail)
				break;
			end = cache->n_tokens;
		}
		cache_get_block(cache, first / CACHE_PAGE_TOKENS, block);
		r = io->store(io->user, context->tokens, first, end, block, n_bytes, err);
	}
	free(block);
	return r;
}
