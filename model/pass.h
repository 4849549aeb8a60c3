/* One forward pass: some rows (a token each, of one or several sequences) go through the layers together. Holds the
 * rows, what stands in them between the steps of a layer, and scratch of each thread; made once, for the engine. */
#ifndef SKIMD_MODEL_PASS_H
#define SKIMD_MODEL_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/cache.h"
#include "model/candidates.h"
#include "model/context.h"
#include "model/ops.h"
#include "model/paging.h"
#include "model/pool.h"
#include "model/shape.h"

/* A token on its way. Rows of one sequence stand together, in order of position. */
struct pass_row {
	struct cache *cache;
	const struct context_observer *observer; /* its calls may be NULL */
	const struct attention_record *record; /* NULL: none */
	uint32_t token, pos;
	bool dense, expanded; /* see enum attention */
	bool all; /* attention looks at every position up to pos; else at n_selected of them */
	uint32_t n_selected;
	uint32_t n_chosen; /* by the indexer, which may be asked of a dense row too; 0: it was not */
};

#define SELECT_ROWS 16 /* queries that share one look at a page of indexer keys */
#define PASS_FEW_ROWS 8 /* so few may be shared among more threads than they are */
#define PASS_PARTS(n_threads) (4 * (n_threads)) /* pieces that few rows' work is cut into, at the most */

/* What one thread needs of its own. */
struct pass_scratch {
	struct topk topk[SELECT_ROWS]; /* of a block's rows */
	struct candidates candidates; /* of what a row's codes left, */
	struct topk chosen; /* and the best of them */
	struct coded_query coded[SELECT_ROWS];
	struct matrix keys; /* CACHE_PAGE_TOKENS indexer keys */
	uint8_t *fetched_keys; /* [CACHE_PAGE_TOKENS][index_head_dim] */
	float *dots; /* [SELECT_ROWS][index_n_heads][CACHE_PAGE_TOKENS], of indexer queries with a page's keys */
	float *index_scores; /* [CACHE_PAGE_TOKENS] */
	float *query; /* [rank + rope][heads_padded] */
	uint32_t *query_words; /* for attend_score() */
	float *tile; /* [ATTEND_TILE][rank + rope], of the naive form; otherwise NULL */
	float *expanded; /* [ATTEND_TILE][heads * (nope + v)], naive form only */
	float *scores; /* [n_scores][heads_padded] */
	size_t n_scores;
	float *mixed; /* [heads_padded][rank_stride] */
};

struct dense;

struct pass {
	const struct model_shape *shape;
	const struct ops *ops;
	struct pool *pool;
	bool naive;
	bool scans_codes; /* where indexer keys have them, see indexer.h */
	size_t n_rows, max_rows;
	struct pass_row *rows; /* [max_rows] */
	uint32_t *selected; /* [max_rows][index_topk], by the last layer that scored */
	struct paging *paging; /* NULL: all pages are in memory */
	uint32_t *fetched; /* [max_rows][index_topk] where paging holds what is selected */
	void (*tamper)(void *user, uint32_t layer, size_t pos, uint32_t *positions, size_t n); /* or NULL */
	void *tamper_user;

	/* Floats [max_rows][...stride]; strides are the width rounded up to whole panels. */
	size_t hidden_stride, q_rank_stride, q_stride, kv_stride, rank_stride, v_stride;
	size_t index_q_stride, index_k_stride, index_w_stride, expert_stride, gate_stride;
	uint32_t heads_padded;
	float *x; /* the residual stream */
	float *u; /* normed input of a block, then its output */
	float *q_latent; /* c_q */
	float *q; /* [heads][nope + rope] */
	float *kv; /* latent and rope key */
	float *cosines, *sines; /* [qk_rope_head_dim / 2] */
	float *index_q, *index_k, *index_w;
	float *q_absorbed, *mixed; /* [heads][rank_stride] */
	float *heads; /* [heads][v_stride] */
	float *gates; /* router logits */

	/* Experts: rows gathered by expert; a row has num_experts_per_tok places. */
	uint32_t *expert_of, *place_of; /* [max_rows][num_experts_per_tok], experts rising */
	float *expert_weight;
	uint32_t *expert_start; /* [n_routed_experts + 1] */
	float *expert_in, *expert_gate, *expert_up, *expert_out;
	float *mlp_gate, *mlp_up; /* dense and shared */

	struct pass_scratch *scratch; /* [threads] */
	struct dense *dense; /* of dense_reserve(), NULL before */
	struct topk *part_topk; /* [PASS_PARTS][SELECT_ROWS], where threads share out the pages of few rows */
	struct candidates candidates[PASS_FEW_ROWS]; /* of these rows */
};

/* One matrix product among several that run side by side. */
struct product {
	float *y;
	const float *x;
	const struct matrix *matrix;
	size_t ldy, ldx, n_rows;
};

/* What a pass is for; shape, layout, ops and pool must outlive it. */
struct pass_settings {
	const struct model_shape *shape;
	const struct cache_layout *layout;
	const struct ops *ops;
	struct pool *pool;
	struct paging *paging; /* may be NULL; outlives it */
	bool naive, plain_scan;
	size_t max_rows;
	void (*tamper)(void *user, uint32_t layer, size_t pos, uint32_t *positions, size_t n); /* engine.h */
	void *tamper_user;
};

/* -ENOMEM. */
int pass_init(struct pass *pass, const struct pass_settings *settings);
void pass_done(struct pass *pass);

/* Room for attention over n positions; -ENOMEM. */
int pass_reserve_scores(struct pass *pass, size_t n);

/* Cosines and sines of the rows' positions. */
void pass_set_angles(struct pass *pass);

/* All products, shared out among the threads. */
void pass_products(struct pass *pass, const struct product *products, size_t n);

#endif
