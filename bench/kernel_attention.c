#include "bench/kernel_attention.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "bench/machine.h"
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
	struct matrix keys; /* of a page */
	struct coded_query coded[SELECT_ROWS];
	float slack[SELECT_ROWS];
	struct topk topk;
};

static void scan_done(struct scan *scan)
{
	free(scan->q);
	free(scan->weights);
	free(scan->dots);
	free(scan->scores);
	matrix_done(&scan->keys);
	for (size_t i = 0; i < SELECT_ROWS; i++)
		coded_query_done(&scan->coded[i]);
	topk_done(&scan->topk);
}

static int code_queries(struct scan *scan)
{
	uint32_t n_heads = scan->shape->index_n_heads, width = scan->shape->index_head_dim;
	struct code_bounds bounds = { 0 };

	for (size_t slab = 0; slab * CODE_TOKENS < N_CACHED; slab++)
		code_bounds_add(&bounds, cache_index_codes(scan->cache, LAYER, slab).bounds);
	for (size_t i = 0; i < SELECT_ROWS; i++) {
		if (coded_query_init(&scan->coded[i], n_heads, width) < 0)
			return -ENOMEM;
		scan->slack[i] =
			2 * coded_query_set(&scan->coded[i], scan->ops, scan->q + i * n_heads * width,
		                            scan->weights + i * n_heads, n_heads, width, &bounds);
	}
	return 0;
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
		.keys = { .n_out = CACHE_PAGE_TOKENS, .n_in = shape->index_head_dim, .bf16 = true },
	};
	scan->keys.panels = array_alloc(matrix_panel_bytes(&scan->keys), matrix_n_panels(&scan->keys), 1);
	if (scan->q != NULL && scan->weights != NULL && scan->dots != NULL && scan->scores != NULL &&
	    scan->keys.panels != NULL && topk_init(&scan->topk, shape->index_topk, scan->ops) == 0 &&
	    (!cache->layout->has_codes || code_queries(scan) == 0))
		return 0;
	scan_done(scan);
	return -ENOMEM;
}

static void pack_page(struct scan *scan, size_t page)
{
	struct key_view view = cache_key_view(scan->cache, LAYER);
	const uint8_t *places[CACHE_PAGE_TOKENS];

	for (size_t i = 0; i < CACHE_PAGE_TOKENS; i++)
		places[i] = key_at(&view, page * CACHE_PAGE_TOKENS + i);
	for (uint32_t p = 0; p < CACHE_PAGE_TOKENS / PANEL; p++)
		matrix_put_panel(&scan->keys, p, places + (size_t)p * PANEL);
}

static void multiply_page(const struct scan *scan)
{
	const struct model_shape *shape = scan->shape;

	scan->ops->matmul(scan->dots, CACHE_PAGE_TOKENS, scan->q, shape->index_head_dim,
	                  scan->n_rows * shape->index_n_heads, &scan->keys, 0, matrix_n_panels(&scan->keys));
}

static void weigh_page(const struct scan *scan, size_t page)
{
	size_t n_heads = scan->shape->index_n_heads;

	for (size_t i = 0; i < scan->n_rows; i++)
		scan->ops->weigh_scores(scan->scores + i * N_CACHED + page * CACHE_PAGE_TOKENS,
		                        scan->dots + i * n_heads * CACHE_PAGE_TOKENS, CACHE_PAGE_TOKENS,
		                        scan->weights + i * n_heads, (uint32_t)n_heads, CACHE_PAGE_TOKENS);
}

static void score_codes_of_page(const struct scan *scan, size_t page)
{
	struct index_codes codes =
		cache_index_codes(scan->cache, LAYER, page * CACHE_PAGE_TOKENS / CODE_TOKENS);
	size_t place = page * CACHE_PAGE_TOKENS % CODE_TOKENS;

	for (size_t i = 0; i < scan->n_rows; i++)
		scan->ops->score_codes(scan->scores + i * N_CACHED + page * CACHE_PAGE_TOKENS,
		                       &scan->coded[i], codes.codes + place * scan->coded[i].width,
		                       codes.scales + place, CACHE_PAGE_TOKENS / PANEL);
}

static void call_scores(void *user)
{
	for (size_t page = 0; page < N_PAGES; page++) {
		pack_page(user, page);
		multiply_page(user);
		weigh_page(user, page);
	}
}

static void call_pack(void *user)
{
	for (size_t page = 0; page < N_PAGES; page++)
		pack_page(user, page);
}

static void call_products(void *user)
{
	for (size_t page = 0; page < N_PAGES; page++)
		multiply_page(user);
}

static void call_weigh(void *user)
{
	for (size_t page = 0; page < N_PAGES; page++)
		weigh_page(user, page);
}

static void call_codes(void *user)
{
	for (size_t page = 0; page < N_PAGES; page++)
		score_codes_of_page(user, page);
}

static void choose(struct scan *scan, size_t row, float slack)
{
	const uint32_t *chosen;

	topk_start(&scan->topk, slack);
	for (size_t pos = 0; pos < N_CACHED; pos += CACHE_PAGE_TOKENS)
		topk_push(&scan->topk, scan->scores + row * N_CACHED + pos, CACHE_PAGE_TOKENS, (uint32_t)pos);
	topk_finish(&scan->topk, &chosen);
}

static void call_topk(void *user)
{
	struct scan *scan = user;

	for (size_t i = 0; i < scan->n_rows; i++)
		choose(scan, i, 0);
}

static void call_topk_with_slack(void *user)
{
	struct scan *scan = user;

	for (size_t i = 0; i < scan->n_rows; i++)
		choose(scan, i, scan->slack[i]);
}

static int peak_int8(unsigned n_threads, double *ret_per_s, struct err *err)
{
	struct peaks peaks;
	int r = machine_peaks(n_threads, &peaks, err);

	if (r == 0)
		*ret_per_s = peaks.int8_per_s;
	return r;
}

/* Held against a peak it counts the operations of the products, otherwise nanoseconds a score. */
static void tell_scan(struct kernels *kernels, struct scan *scan, const char *what, void (*call)(void *user),
                      peak_function *peak)
{
	double n_scores = (double)scan->n_rows * N_CACHED;
	double n_operations = 2.0 * scan->shape->index_n_heads * scan->shape->index_head_dim * n_scores;

	kernel_tell(kernels, &(struct kernel){ .what = what,
	                                       .depth = N_CACHED,
	                                       .n = scan->n_rows,
	                                       .call = call,
	                                       .user = scan,
	                                       .work = peak == NULL ? n_scores : n_operations,
	                                       .peak = peak,
	                                       .unit = "ns/score" });
}

static void measure_scan(struct kernels *kernels, struct scan *scan)
{
	tell_scan(kernels, scan, "index scores of all pages", call_scores, kernels->arithmetic);
	tell_scan(kernels, scan, "index scores: matmul alone", call_products, kernels->arithmetic);
	tell_scan(kernels, scan, "index scores: packing alone", call_pack, NULL);
	tell_scan(kernels, scan, "index scores: weigh_scores alone", call_weigh, NULL);
	call_scores(scan); /* call_weigh() gave every page the last one's scores */
	tell_scan(kernels, scan, "topk of the index scores", call_topk, NULL);
}

/* The scores of call_codes() come before call_topk_with_slack() needs them. */
static void measure_codes(struct kernels *kernels, struct scan *scan)
{
	if (!scan->cache->layout->has_codes)
		return;
	tell_scan(kernels, scan, "codes of all pages", call_codes, peak_int8);
	tell_scan(kernels, scan, "codes: topk with slack", call_topk_with_slack, NULL);
}

static int measure_scans(struct kernels *kernels, const struct cache *cache)
{
	struct scan scan;
	int r = scan_init(&scan, kernels, cache);

	if (r < 0)
		return r;
	measure_scan(kernels, &scan);
	measure_codes(kernels, &scan);
	scan.n_rows = 1;
	measure_scan(kernels, &scan);
	measure_codes(kernels, &scan);
	scan_done(&scan);
	return 0;
}

/* One query over rows that stand apart, as the indexer picks them. */
struct query {
	const struct ops *ops;
	struct kv_view view;
	struct attend attend;
	float *q, *scores, *mixed;
	uint32_t *rows, *words;
};

static void query_done(struct query *query)
{
	free(query->q);
	free(query->scores);
	free(query->words);
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
		.words = array_new(uint32_t,
		                   attend_query_words(shape->kv_lora_rank, shape->qk_rope_head_dim, n_heads)),
		.mixed = array_new(float, n_heads, stride),
		.rows = array_new(uint32_t, n_rows),
	};
	if (query->q == NULL || query->scores == NULL || query->words == NULL || query->mixed == NULL ||
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

	query->ops->attend_score(&query->attend, 0, query->attend.n_rows, query->words);
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
