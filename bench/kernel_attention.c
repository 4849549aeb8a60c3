#include "bench/kernel_attention.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "model/cache.h"
#include "model/pass.h"
#include "model/topk.h"

#define N_CACHED 16384 /* tokens */
#define N_PAGES (N_CACHED / CACHE_PAGE_TOKENS)
#define LAYER 0 /* it has an indexer: there is none before it whose choice it could take */

/* Pages as the engine keeps them, of which one layer is filled. */
struct cached {
	struct cache_layout layout;
	struct cache cache;
};

static void cached_done(struct cached *cached)
{
	cache_done(&cached->cache);
	cache_layout_done(&cached->layout);
}

static int cached_init(struct cached *cached, struct kernels *kernels)
{
	const struct model_shape *shape = kernels->shape;
	float *latent = NULL, *rope_key = NULL, *index_key = NULL;
	int r;

	*cached = (struct cached){ .layout = { 0 } };
	if ((r = cache_layout_init(&cached->layout, shape, true)) < 0)
		return r;
	cache_init(&cached->cache, &cached->layout);
	r = cache_reserve(&cached->cache, N_CACHED);
	for (size_t pos = 0; r == 0 && pos < N_CACHED; pos++) {
		latent = kernel_random_floats(kernels, shape->kv_lora_rank, 1);
		rope_key = kernel_random_floats(kernels, shape->qk_rope_head_dim, 1);
		index_key = kernel_random_floats(kernels, shape->index_head_dim, 1);
		if (latent == NULL || rope_key == NULL || index_key == NULL)
			r = -ENOMEM;
		else
			cache_put(&cached->cache, LAYER, pos, latent, rope_key, index_key);
		free(latent);
		free(rope_key);
		free(index_key);
	}
	cached->cache.n_tokens = N_CACHED;
	if (r < 0)
		cached_done(cached);
	return r;
}

/* The queries of a block against all pages, as model/indexer.c goes about it. */
struct scan {
	const struct ops *ops;
	const struct model_shape *shape;
	const struct cache *cache;
	size_t n_rows;
	float *q; /* [SELECT_ROWS][index_n_heads][index_head_dim] */
	float *weights; /* [SELECT_ROWS][index_n_heads] */
	float *dots; /* [SELECT_ROWS][index_n_heads][CACHE_PAGE_TOKENS] */
	float *scores; /* [SELECT_ROWS][N_CACHED] */
	struct topk topk;
	uint32_t *chosen; /* [index_topk] */
};

static void scan_done(struct scan *scan)
{
	free(scan->q);
	free(scan->weights);
	free(scan->dots);
	free(scan->scores);
	topk_done(&scan->topk);
	free(scan->chosen);
}

static int scan_init(struct scan *scan, struct kernels *kernels, const struct cache *cache)
{
	const struct model_shape *shape = kernels->shape;
	size_t n_heads = (size_t)SELECT_ROWS * shape->index_n_heads;

	*scan = (struct scan){
		.ops = kernels->ops,
		.shape = shape,
		.cache = cache,
		.n_rows = SELECT_ROWS,
		.q = kernel_random_floats(kernels, n_heads, shape->index_head_dim),
		.weights = kernel_random_floats(kernels, n_heads, 1),
		.dots = array_new(float, n_heads, CACHE_PAGE_TOKENS),
		.scores = array_new(float, SELECT_ROWS, N_CACHED),
		.chosen = array_new(uint32_t, shape->index_topk),
	};
	if (scan->q != NULL && scan->weights != NULL && scan->dots != NULL && scan->scores != NULL &&
	    scan->chosen != NULL && topk_init(&scan->topk, shape->index_topk) == 0)
		return 0;
	scan_done(scan);
	return -ENOMEM;
}

static void multiply_page(const struct scan *scan, size_t page)
{
	const struct model_shape *shape = scan->shape;
	struct matrix keys = cache_index_keys(scan->cache, LAYER, page);

	scan->ops->matmul(scan->dots, CACHE_PAGE_TOKENS, scan->q, shape->index_head_dim,
	                  scan->n_rows * shape->index_n_heads, &keys, 0, matrix_n_panels(&keys));
}

static void weigh_page(const struct scan *scan, size_t page)
{
	size_t n_heads = scan->shape->index_n_heads;

	for (size_t i = 0; i < scan->n_rows; i++)
		scan->ops->weigh_scores(scan->scores + i * N_CACHED + page * CACHE_PAGE_TOKENS,
		                        scan->dots + i * n_heads * CACHE_PAGE_TOKENS, CACHE_PAGE_TOKENS,
		                        scan->weights + i * n_heads, (uint32_t)n_heads, CACHE_PAGE_TOKENS);
}

static void call_scores(void *user)
{
	for (size_t page = 0; page < N_PAGES; page++) {
		multiply_page(user, page);
		weigh_page(user, page);
	}
}

static void call_products(void *user)
{
	for (size_t page = 0; page < N_PAGES; page++)
		multiply_page(user, page);
}

static void call_weigh(void *user)
{
	for (size_t page = 0; page < N_PAGES; page++)
		weigh_page(user, page);
}

static void call_topk(void *user)
{
	struct scan *scan = user;

	for (size_t i = 0; i < scan->n_rows; i++) {
		topk_start(&scan->topk);
		for (size_t pos = 0; pos < N_CACHED; pos += CACHE_PAGE_TOKENS)
			topk_push(&scan->topk, scan->scores + i * N_CACHED + pos, CACHE_PAGE_TOKENS,
			          (uint32_t)pos);
		topk_finish(&scan->topk, scan->chosen);
	}
}

/* The operations counted are those of the products. The scores of call_scores() come before call_topk() needs some. */
static void measure_scan(struct kernels *kernels, struct scan *scan)
{
	double n_scores = (double)scan->n_rows * N_CACHED;
	struct kernel kernel = {
		.what = "index scores of all pages",
		.depth = N_CACHED,
		.n = scan->n_rows,
		.call = call_scores,
		.user = scan,
		.work = 2.0 * scan->shape->index_n_heads * scan->shape->index_head_dim * n_scores,
		.peak = kernels->arithmetic,
	};

	kernel_tell(kernels, &kernel);
	kernel.what = "index scores: matmul alone";
	kernel.call = call_products;
	kernel_tell(kernels, &kernel);
	kernel.peak = NULL;
	kernel.unit = "ns/score";
	kernel.work = n_scores;
	kernel.what = "index scores: weigh_scores alone";
	kernel.call = call_weigh;
	kernel_tell(kernels, &kernel);
	call_scores(scan); /* call_weigh() gave every page the last one's scores */
	kernel.what = "topk of the index scores";
	kernel.call = call_topk;
	kernel_tell(kernels, &kernel);
}

static int measure_scans(struct kernels *kernels, const struct cache *cache)
{
	struct scan scan;
	int r = scan_init(&scan, kernels, cache);

	if (r < 0)
		return r;
	measure_scan(kernels, &scan);
	scan.n_rows = 1;
	measure_scan(kernels, &scan);
	scan_done(&scan);
	return 0;
}

/* One query over rows that stand apart, as the indexer picks them. */
struct query {
	const struct ops *ops;
	struct kv_view view;
	struct attend attend;
	float *q, *scores, *tile, *mixed;
	uint32_t *rows;
};

static void query_done(struct query *query)
{
	free(query->q);
	free(query->scores);
	free(query->tile);
	free(query->mixed);
	free(query->rows);
}

static int query_init(struct query *query, struct kernels *kernels, const struct cache *cache)
{
	const struct model_shape *shape = kernels->shape;
	uint32_t n_heads = (uint32_t)round_up(shape->num_attention_heads, HEAD_PAD);
	uint32_t stride = (uint32_t)round_up(shape->kv_lora_rank, RANK_PAD);
	uint32_t n_rows = shape->index_topk < N_CACHED ? shape->index_topk : N_CACHED;

	*query = (struct query){
		.ops = kernels->ops,
		.view = cache_view(cache, LAYER),
		.q = kernel_random_floats(kernels, shape->kv_lora_rank + shape->qk_rope_head_dim, n_heads),
		.scores = array_new(float, n_rows, n_heads),
		.tile = array_new(float,
		                  attend_tile_floats(shape->kv_lora_rank, shape->qk_rope_head_dim, n_heads)),
		.mixed = array_new(float, n_heads, stride),
		.rows = array_new(uint32_t, n_rows),
	};
	if (query->q == NULL || query->scores == NULL || query->tile == NULL || query->mixed == NULL ||
	    query->rows == NULL) {
		query_done(query);
		return -ENOMEM;
	}
	for (uint32_t i = 0, step = N_CACHED / n_rows; i < n_rows; i++)
		query->rows[i] = i * step + kernel_random(kernels, step);
	query->attend = (struct attend){
		.view = &query->view,
		.q = query->q,
		.rows = query->rows,
		.n_rows = n_rows,
		.n_heads = n_heads,
		.rank_stride = stride,
		.scale = 0.1f,
		.scores = query->scores,
	};
	return 0;
}

static void call_score(void *user)
{
	const struct query *query = user;

	query->ops->attend_score(&query->attend, 0, query->attend.n_rows, query->tile);
}

static void call_softmax(void *user)
{
	const struct query *query = user;

	query->ops->attend_softmax(&query->attend);
}

static void call_mix(void *user)
{
	const struct query *query = user;

	query->ops->attend_mix(&query->attend, query->mixed, 0, query->attend.rank_stride);
}

static void call_attend(void *user)
{
	call_score(user);
	call_softmax(user);
	call_mix(user);
}

/* Operations are those of heads and channels that the model has; padding is not counted. */
static void measure_steps(struct kernels *kernels, struct query *query)
{
	double rank = query->view.rank, rope = query->view.rope;
	double n_shares = (double)kernels->shape->num_attention_heads * (double)query->attend.n_rows;
	struct kernel kernel = {
		.what = "attention over picked rows",
		.depth = N_CACHED,
		.n = query->attend.n_rows,
		.call = call_attend,
		.user = query,
		.work = n_shares * (2 * rank + rope) * 2,
		.peak = kernels->arithmetic,
	};

	kernel_tell(kernels, &kernel);
	kernel.what = "attention: attend_score alone";
	kernel.call = call_score;
	kernel.work = n_shares * (rank + rope) * 2;
	kernel_tell(kernels, &kernel);
	kernel.what = "attention: attend_mix alone";
	kernel.call = call_mix;
	kernel.work = n_shares * rank * 2;
	kernel_tell(kernels, &kernel);
	kernel.what = "attention: attend_softmax alone";
	kernel.call = call_softmax;
	kernel.work = n_shares;
	kernel.peak = NULL;
	kernel.unit = "ns/share";
	kernel_tell(kernels, &kernel);
}

static int measure_attend(struct kernels *kernels, const struct cache *cache)
{
	struct query query;
	int r = query_init(&query, kernels, cache);

	if (r < 0)
		return r;
	measure_steps(kernels, &query);
	query_done(&query);
	return 0;
}

int kernel_measure_attention(struct kernels *kernels)
{
	struct cached cached;
	int r = cached_init(&cached, kernels);

	if (r < 0)
		return r;
	if ((r = measure_scans(kernels, &cached.cache)) == 0)
		r = measure_attend(kernels, &cached.cache);
	cached_done(&cached);
	return r;
}
