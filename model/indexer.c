#include "model/indexer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MIN_PART_PAGES 8 /* pages that are worth a thread's while */
#define K_NORM_EPS 1e-6f /* not in config.json; the same in both families */

int indexer_load(struct indexer_weights *indexer, const struct checkpoint *checkpoint,
                 const struct model_shape *shape, uint32_t layer, struct err *err)
{
	uint32_t width = shape->index_head_dim, n_heads = shape->index_n_heads;
	char name[5][128];
	static const char *const NAMES[5] = { "wq_b.weight", "wk.weight", "weights_proj.weight",
		                              "k_norm.weight", "k_norm.bias" };
	int r;

	for (size_t i = 0; i < 5; i++)
		snprintf(name[i], sizeof(name[i]), "model.layers.%u.self_attn.indexer.%s", layer, NAMES[i]);
	if ((r = weights_pack(checkpoint, shape, name[0], n_heads * width, shape->q_lora_rank, &indexer->wq_b,
	                      err)) < 0 ||
	    (r = weights_pack(checkpoint, shape, name[1], width, shape->hidden_size, &indexer->wk, err)) <
	            0 ||
	    (r = weights_pack(checkpoint, shape, name[2], n_heads, shape->hidden_size, &indexer->weights_proj,
	                      err)) < 0 ||
	    (r = weights_read(checkpoint, shape, name[3], 1, width, &indexer->k_norm, err)) < 0)
		return r;
	return weights_read(checkpoint, shape, name[4], 1, width, &indexer->k_norm_bias, err);
}

void indexer_done(struct indexer_weights *indexer)
{
	matrix_done(&indexer->wq_b);
	matrix_done(&indexer->wk);
	matrix_done(&indexer->weights_proj);
	free(indexer->k_norm);
	free(indexer->k_norm_bias);
}

void indexer_input_products(struct pass *pass, const struct indexer_weights *indexer, struct product *ret)
{
	ret[0] = (struct product){ pass->index_k,       pass->u,     &indexer->wk, pass->index_k_stride,
		                   pass->hidden_stride, pass->n_rows };
	ret[1] = (struct product){ pass->index_w,          pass->u,
		                   &indexer->weights_proj, pass->index_w_stride,
		                   pass->hidden_stride,    pass->n_rows };
}

struct product indexer_query_product(struct pass *pass, const struct indexer_weights *indexer)
{
	return (struct product){ pass->index_q,        pass->q_latent,      &indexer->wq_b,
		                 pass->index_q_stride, pass->q_rank_stride, pass->n_rows };
}

void indexer_finish_row(struct pass *pass, const struct indexer_weights *indexer, size_t row)
{
	const struct model_shape *shape = pass->shape;
	uint32_t width = shape->index_head_dim, rope = shape->qk_rope_head_dim;
	const float *cosines = pass->cosines + row * (rope / 2), *sines = pass->sines + row * (rope / 2);
	float *k = pass->index_k + row * pass->index_k_stride,
	      *w = pass->index_w + row * pass->index_w_stride;
	float *q = pass->index_q + row * pass->index_q_stride;
	float scale = 1 / sqrtf((float)shape->index_n_heads * (float)width);

	layer_norm(k, k, indexer->k_norm, indexer->k_norm_bias, width, K_NORM_EPS);
	rope_rotate(k, cosines, sines, rope, !shape->indexer_rope_interleave);
	for (uint32_t j = 0; j < shape->index_n_heads; j++) {
		rope_rotate(q + (size_t)j * width, cosines, sines, rope, !shape->indexer_rope_interleave);
		w[j] *= scale;
	}
}

/* A layer's selection, for the threads: each takes a block of rows over a part of their pages. Where a block's pages
 * are in several parts, the best of each are merged behind. */
struct selection {
	struct pass *pass;
	uint32_t layer;
	size_t n_blocks, n_parts;
};

static bool needs_scores(const struct pass *pass, const struct pass_row *row)
{
	return !row->dense && row->pos >= pass->shape->index_topk;
}

static size_t end_of_block(const struct pass *pass, size_t block)
{
	size_t end = (block + 1) * SELECT_ROWS;

	return end < pass->n_rows ? end : pass->n_rows;
}

/* Whether a row is to be scored against the keys of this page. */
static bool reaches(const struct pass *pass, size_t row, size_t page)
{
	return needs_scores(pass, &pass->rows[row]) && pass->rows[row].pos >= page * CACHE_PAGE_TOKENS;
}

/* How many rows from `first` on see the same page, and have their queries side by side: one product serves them. */
static size_t rows_of_page(const struct pass *pass, size_t first, size_t end, size_t page)
{
	const uint8_t *keys = pass->rows[first].cache->pages[page];
	size_t n = 1;

	if (pass->index_q_stride != (size_t)pass->shape->index_n_heads * pass->shape->index_head_dim)
		return 1;
	while (first + n < end && reaches(pass, first + n, page) &&
	       pass->rows[first + n].cache->pages[page] == keys)
		n++;
	return n;
}

/* Rows [first, first + n), which see the same page, against its keys up to their own positions. */
static void score_page(struct pass *pass, uint32_t layer, size_t page, size_t first, size_t n,
                       struct pass_scratch *scratch, struct topk *topk)
{
	const struct model_shape *shape = pass->shape;
	struct matrix keys = cache_index_keys(pass->rows[first].cache, layer, page);
	size_t start = page * CACHE_PAGE_TOKENS;

	pass->ops->matmul(scratch->dots, CACHE_PAGE_TOKENS, pass->index_q + first * pass->index_q_stride,
	                  shape->index_head_dim, n * shape->index_n_heads, &keys, 0, matrix_n_panels(&keys));
	for (size_t i = 0; i < n; i++) {
		size_t n_keys = pass->rows[first + i].pos + 1 - start;

		pass->ops->weigh_scores(scratch->index_scores,
		                        scratch->dots + i * shape->index_n_heads * CACHE_PAGE_TOKENS,
		                        CACHE_PAGE_TOKENS, pass->index_w + (first + i) * pass->index_w_stride,
		                        shape->index_n_heads, CACHE_PAGE_TOKENS);
		topk_push(&topk[i], scratch->index_scores,
		          n_keys < CACHE_PAGE_TOKENS ? n_keys : CACHE_PAGE_TOKENS, (uint32_t)start);
	}
}

/* A block of rows over pages [page, end_page), into one topk for each row. */
static void scan(const struct selection *selection, size_t block, size_t page, size_t end_page,
                 struct pass_scratch *scratch, struct topk *topk)
{
	struct pass *pass = selection->pass;
	size_t first = block * SELECT_ROWS, end = end_of_block(pass, block), n;

	for (size_t i = first; i < end; i++)
		topk_start(&topk[i - first]);
	for (; page < end_page; page++) {
		for (size_t i = first; i < end; i += n) {
			n = 1;
			if (!reaches(pass, i, page))
				continue;
			n = rows_of_page(pass, i, end, page);
			score_page(pass, selection->layer, page, i, n, scratch, &topk[i - first]);
		}
	}
}

static void finish_row(struct pass *pass, uint32_t layer, size_t i, struct topk *topk)
{
	struct pass_row *row = &pass->rows[i];

	row->all = !needs_scores(pass, row);
	row->n_selected = row->pos + 1;
	if (!row->all)
		row->n_selected = (uint32_t)topk_finish(topk, pass->selected + i * pass->shape->index_topk);
	if (row->observer->selected != NULL)
		row->observer->selected(row->observer->user, layer, row->pos,
		                        row->all ? NULL : pass->selected + i * pass->shape->index_topk,
		                        row->n_selected);
}

static size_t n_pages_of_block(const struct pass *pass, size_t block)
{
	size_t n = 0;

	for (size_t i = block * SELECT_ROWS; i < end_of_block(pass, block); i++) {
		size_t n_own = pass->rows[i].pos / CACHE_PAGE_TOKENS + 1;

		if (needs_scores(pass, &pass->rows[i]) && n_own > n)
			n = n_own;
	}
	return n;
}

static void select_block(void *user, size_t item, unsigned thread)
{
	const struct selection *selection = user;
	struct pass *pass = selection->pass;
	struct pass_scratch *scratch = &pass->scratch[thread];

	scan(selection, item, 0, n_pages_of_block(pass, item), scratch, scratch->topk);
	for (size_t i = item * SELECT_ROWS; i < end_of_block(pass, item); i++)
		finish_row(pass, selection->layer, i, &scratch->topk[i % SELECT_ROWS]);
}

static void scan_part(void *user, size_t item, unsigned thread)
{
	const struct selection *selection = user;
	struct pass *pass = selection->pass;
	size_t part = item % selection->n_parts, block = item / selection->n_parts;
	size_t n_pages = n_pages_of_block(pass, block);

	scan(selection, block, n_pages * part / selection->n_parts, n_pages * (part + 1) / selection->n_parts,
	     &pass->scratch[thread], pass->part_topk + item * SELECT_ROWS);
}

static void merge_parts(void *user, size_t item, unsigned thread)
{
	const struct selection *selection = user;
	struct pass *pass = selection->pass;
	struct topk *whole = &pass->scratch[thread].topk[0];

	topk_start(whole);
	for (size_t part = 0; part < selection->n_parts; part++)
		topk_merge(whole,
		           &pass->part_topk[(item / SELECT_ROWS * selection->n_parts + part) * SELECT_ROWS +
		                            item % SELECT_ROWS]);
	finish_row(pass, selection->layer, item, whole);
}

/* Few rows are not enough blocks for the threads: their pages are shared out as well, if they are many. */
static size_t choose_n_parts(const struct pass *pass, size_t n_blocks)
{
	size_t n_threads = pool_n_threads(pass->pool), n_pages = 0, n_parts;

	for (size_t i = 0; i < n_blocks; i++)
		n_pages += n_pages_of_block(pass, i);
	n_parts = n_pages / n_blocks / MIN_PART_PAGES;
	if (n_threads == 1 || n_blocks >= n_threads || n_parts < 2)
		return 1;
	return n_parts < PASS_PARTS(n_threads) / n_blocks ? n_parts : PASS_PARTS(n_threads) / n_blocks;
}

void indexer_select(struct pass *pass, uint32_t layer)
{
	struct selection selection = { pass, layer, (pass->n_rows + SELECT_ROWS - 1) / SELECT_ROWS, 1 };

	selection.n_parts = choose_n_parts(pass, selection.n_blocks);
	if (selection.n_parts == 1) {
		pool_run(pass->pool, selection.n_blocks, select_block, &selection);
		return;
	}
	pool_run(pass->pool, selection.n_blocks * selection.n_parts, scan_part, &selection);
	pool_run(pass->pool, pass->n_rows, merge_parts, &selection);
}
