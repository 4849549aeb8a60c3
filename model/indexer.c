#include "model/indexer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MANY_ROWS 64 /* from here on rows go in blocks of SELECT_ROWS; fewer are shared out one by one */
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

/* A layer's selection, for the threads: each takes block_rows rows at a time. */
struct selection {
	struct pass *pass;
	uint32_t layer;
	size_t block_rows;
};

static bool needs_scores(const struct pass *pass, const struct pass_row *row)
{
	return !row->dense && row->pos >= pass->shape->index_topk;
}

/* The scores of one query for a page's keys up to its own position. */
static void score_page(struct pass *pass, size_t i, size_t page, struct pass_scratch *scratch,
                       struct topk *topk)
{
	const struct model_shape *shape = pass->shape;
	size_t first = page * CACHE_PAGE_TOKENS, n = pass->rows[i].pos + 1 - first;

	if (n > CACHE_PAGE_TOKENS)
		n = CACHE_PAGE_TOKENS;
	pass->ops->index_scores(scratch->index_scores, pass->index_q + i * pass->index_q_stride,
	                        pass->index_w + i * pass->index_w_stride, scratch->index_keys,
	                        (n + INDEX_GROUP - 1) / INDEX_GROUP, shape->index_n_heads,
	                        shape->index_head_dim);
	topk_push(topk, scratch->index_scores, n, (uint32_t)first);
}

/* Rows [first, end) of one sequence, rising, over the pages up to the last one's position: a page's keys are
 * widened once for all of them. */
static void scan_rows(struct pass *pass, uint32_t layer, size_t first, size_t end,
                      struct pass_scratch *scratch)
{
	for (size_t i = first; i < end; i++)
		topk_start(&scratch->topk[i - first]);
	for (size_t page = 0; page * CACHE_PAGE_TOKENS <= pass->rows[end - 1].pos; page++) {
		cache_index_keys(pass->rows[first].cache, layer, page, scratch->index_keys);
		for (size_t i = first; i < end; i++) {
			if (page * CACHE_PAGE_TOKENS <= pass->rows[i].pos)
				score_page(pass, i, page, scratch, &scratch->topk[i - first]);
		}
	}
	for (size_t i = first; i < end; i++)
		pass->rows[i].n_selected = (uint32_t)topk_finish(
			&scratch->topk[i - first], pass->selected + i * pass->shape->index_topk);
}

static void tell_observer(const struct pass *pass, uint32_t layer, size_t i)
{
	const struct pass_row *row = &pass->rows[i];

	if (row->observer->selected != NULL)
		row->observer->selected(row->observer->user, layer, row->pos,
		                        row->all ? NULL : pass->selected + i * pass->shape->index_topk,
		                        row->n_selected);
}

static void select_block(void *user, size_t item, unsigned thread)
{
	const struct selection *selection = user;
	struct pass *pass = selection->pass;
	size_t first = item * selection->block_rows, end = first + selection->block_rows, n;

	if (end > pass->n_rows)
		end = pass->n_rows;
	for (size_t i = first; i < end; i += n) {
		struct pass_row *row = &pass->rows[i];

		n = 1;
		row->all = !needs_scores(pass, row);
		row->n_selected = row->pos + 1;
		if (row->all)
			continue;
		while (i + n < end && pass->rows[i + n].cache == row->cache)
			pass->rows[i + n++].all = false;
		scan_rows(pass, selection->layer, i, i + n, &pass->scratch[thread]);
	}
	for (size_t i = first; i < end; i++)
		tell_observer(pass, selection->layer, i);
}

void indexer_select(struct pass *pass, uint32_t layer)
{
	bool many = pass->n_rows >= MANY_ROWS;
	struct selection selection = { pass, layer, many ? SELECT_ROWS : 1 };

	pool_run(pass->pool, (pass->n_rows + selection.block_rows - 1) / selection.block_rows, select_block,
	         &selection);
}
