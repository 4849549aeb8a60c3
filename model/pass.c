#include "model/pass.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/array.h"
#include "model/dense.h"

/* Rows of x that one piece of a product takes: they stay in the second-level cache while its panels stream by. */
#define PIECE_ROWS 72
#define MIN_SCORES 256

static void set_strides(struct pass *pass, const struct model_shape *shape)
{
	pass->hidden_stride = round_up(shape->hidden_size, PANEL);
	pass->q_rank_stride = round_up(shape->q_lora_rank, PANEL);
	pass->q_stride = round_up((size_t)shape->num_attention_heads * shape_qk_head_dim(shape), PANEL);
	pass->kv_stride = round_up(shape->kv_lora_rank + shape->qk_rope_head_dim, PANEL);
	pass->rank_stride = round_up(shape->kv_lora_rank, RANK_PAD);
	pass->v_stride = round_up(shape->v_head_dim, PANEL);
	pass->index_q_stride = round_up((size_t)shape->index_n_heads * shape->index_head_dim, PANEL);
	pass->index_k_stride = round_up(shape->index_head_dim, PANEL);
	pass->index_w_stride = round_up(shape->index_n_heads, PANEL);
	pass->expert_stride = round_up(shape->moe_intermediate_size, PANEL);
	pass->gate_stride = round_up(shape->n_routed_experts, PANEL);
	pass->heads_padded = (uint32_t)round_up(shape->num_attention_heads, HEAD_PAD);
}

static size_t mlp_stride(const struct model_shape *shape)
{
	size_t shared = (size_t)shape->n_shared_experts * shape->moe_intermediate_size;

	return round_up(shared > shape->intermediate_size ? shared : shape->intermediate_size, PANEL);
}

static int init_scratch(struct pass *pass, struct pass_scratch *scratch, const struct cache_layout *layout)
{
	const struct model_shape *shape = pass->shape;
	size_t row = shape->kv_lora_rank + shape->qk_rope_head_dim;

	scratch->keys = (struct matrix){ .n_out = CACHE_PAGE_TOKENS,
		                         .n_in = shape->index_head_dim,
		                         .bf16 = layout->bf16 };
	scratch->keys.panels = array_alloc(matrix_panel_bytes(&scratch->keys), CACHE_PAGE_TOKENS / PANEL, 1);
	scratch->fetched_keys = array_alloc(layout->bf16 ? 2 : 4, CACHE_PAGE_TOKENS, shape->index_head_dim);
	scratch->dots = array_new(float, SELECT_ROWS * shape->index_n_heads, CACHE_PAGE_TOKENS);
	scratch->index_scores = array_new(float, CACHE_PAGE_TOKENS);
	scratch->query = array_new(float, row, pass->heads_padded);
	scratch->query_words =
		array_new(uint32_t, attend_query_words(shape->kv_lora_rank, shape->qk_rope_head_dim,
	                                               pass->heads_padded));
	scratch->mixed = array_new(float, pass->heads_padded, pass->rank_stride);
	if (pass->naive) {
		scratch->tile = array_new(float, ATTEND_TILE, row);
		scratch->expanded = array_new(float, ATTEND_TILE,
		                              round_up((size_t)shape->num_attention_heads *
		                                               (shape->qk_nope_head_dim + shape->v_head_dim),
		                                       PANEL));
	}
	if (scratch->keys.panels == NULL || scratch->fetched_keys == NULL || scratch->dots == NULL ||
	    scratch->index_scores == NULL || scratch->query == NULL || scratch->query_words == NULL ||
	    scratch->mixed == NULL || (pass->naive && (scratch->tile == NULL || scratch->expanded == NULL)))
		return -ENOMEM;
	for (size_t i = 0; i < SELECT_ROWS; i++) {
		if (topk_init(&scratch->topk[i], shape->index_topk, pass->ops) < 0 ||
		    (pass->scans_codes &&
		     coded_query_init(&scratch->coded[i], shape->index_n_heads, shape->index_head_dim) < 0))
			return -ENOMEM;
	}
	if (topk_init(&scratch->chosen, shape->index_topk, pass->ops) < 0)
		return -ENOMEM;
	return candidates_init(&scratch->candidates, pass->scans_codes ? scratch->chosen.cap : 0);
}

static void done_scratch(struct pass_scratch *scratch)
{
	for (size_t i = 0; i < SELECT_ROWS; i++) {
		topk_done(&scratch->topk[i]);
		coded_query_done(&scratch->coded[i]);
	}
	topk_done(&scratch->chosen);
	candidates_done(&scratch->candidates);
	matrix_done(&scratch->keys);
	free(scratch->fetched_keys);
	free(scratch->dots);
	free(scratch->index_scores);
	free(scratch->query);
	free(scratch->query_words);
	free(scratch->tile);
	free(scratch->expanded);
	free(scratch->scores);
	free(scratch->mixed);
}

/* The row buffers, as a table: where the pointer stands and how wide a row is. */
#define N_ROW_BUFFERS 21
struct row_buffer {
	float **to;
	size_t width;
};

static void list_row_buffers(struct pass *pass, struct row_buffer *ret)
{
	const struct model_shape *shape = pass->shape;
	size_t heads = shape->num_attention_heads, k = shape->num_experts_per_tok;
	const struct row_buffer buffers[N_ROW_BUFFERS] = {
		{ &pass->x, pass->hidden_stride },
		{ &pass->u, pass->hidden_stride },
		{ &pass->q_latent, pass->q_rank_stride },
		{ &pass->q, pass->q_stride },
		{ &pass->kv, pass->kv_stride },
		{ &pass->cosines, shape->qk_rope_head_dim / 2 },
		{ &pass->sines, shape->qk_rope_head_dim / 2 },
		{ &pass->index_q, pass->index_q_stride },
		{ &pass->index_k, pass->index_k_stride },
		{ &pass->index_w, pass->index_w_stride },
		{ &pass->q_absorbed, heads * pass->rank_stride },
		{ &pass->mixed, heads * pass->rank_stride },
		{ &pass->heads, heads * pass->v_stride },
		{ &pass->gates, pass->gate_stride },
		{ &pass->expert_weight, k },
		{ &pass->expert_in, k * pass->hidden_stride },
		{ &pass->expert_gate, k * pass->expert_stride },
		{ &pass->expert_up, k * pass->expert_stride },
		{ &pass->expert_out, k * pass->hidden_stride },
		{ &pass->mlp_gate, mlp_stride(shape) },
		{ &pass->mlp_up, mlp_stride(shape) },
	};

	for (size_t i = 0; i < N_ROW_BUFFERS; i++)
		ret[i] = buffers[i];
}

static int init_rows(struct pass *pass)
{
	const struct model_shape *shape = pass->shape;
	struct row_buffer buffers[N_ROW_BUFFERS];

	pass->rows = array_new(struct pass_row, pass->max_rows);
	pass->selected = array_new(uint32_t, pass->max_rows, shape->index_topk);
	if (pass->paging != NULL)
		pass->fetched = array_new(uint32_t, pass->max_rows, shape->index_topk);
	pass->expert_of = array_new(uint32_t, pass->max_rows, shape->num_experts_per_tok);
	pass->place_of = array_new(uint32_t, pass->max_rows, shape->num_experts_per_tok);
	pass->expert_start = array_new(uint32_t, shape->n_routed_experts + 1);
	if (pass->rows == NULL || pass->selected == NULL || (pass->paging != NULL && pass->fetched == NULL) ||
	    pass->expert_of == NULL || pass->place_of == NULL || pass->expert_start == NULL)
		return -ENOMEM;
	list_row_buffers(pass, buffers);
	for (size_t i = 0; i < N_ROW_BUFFERS; i++) {
		*buffers[i].to = array_new(float, pass->max_rows, buffers[i].width);
		if (*buffers[i].to == NULL)
			return -ENOMEM;
	}
	return 0;
}

static size_t n_part_topk(const struct pass *pass)
{
	unsigned n_threads = pool_n_threads(pass->pool);

	return n_threads == 1 ? 0 : (size_t)PASS_PARTS(n_threads) * SELECT_ROWS;
}

static int init_parts(struct pass *pass)
{
	pass->part_topk = array_new(struct topk, n_part_topk(pass) + 1);
	if (pass->part_topk == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n_part_topk(pass); i++) {
		if (topk_init(&pass->part_topk[i], pass->shape->index_topk, pass->ops) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; pass->scans_codes && n_part_topk(pass) > 0 && i < PASS_FEW_ROWS; i++) {
		if (candidates_init(&pass->candidates[i], pass->part_topk[0].cap) < 0)
			return -ENOMEM;
	}
	return 0;
}

int pass_init(struct pass *pass, const struct pass_settings *settings)
{
	unsigned n_threads = pool_n_threads(settings->pool);
	int r;

	*pass = (struct pass){
		.shape = settings->shape,
		.ops = settings->ops,
		.pool = settings->pool,
		.paging = settings->paging,
		.naive = settings->naive,
		.scans_codes = settings->layout->has_codes && !settings->plain_scan,
		.max_rows = settings->max_rows,
		.tamper = settings->tamper,
		.tamper_user = settings->tamper_user,
	};
	set_strides(pass, settings->shape);
	r = init_rows(pass);
	pass->scratch = array_new(struct pass_scratch, n_threads);
	if (pass->scratch == NULL)
		r = -ENOMEM;
	if (r == 0)
		r = init_parts(pass);
	for (unsigned i = 0; r == 0 && i < n_threads; i++)
		r = init_scratch(pass, &pass->scratch[i], settings->layout);
	if (r == 0)
		r = pass_reserve_scores(pass, MIN_SCORES);
	if (r < 0)
		pass_done(pass);
	return r;
}

void pass_done(struct pass *pass)
{
	struct row_buffer buffers[N_ROW_BUFFERS];

	if (pass->shape == NULL)
		return;
	for (unsigned i = 0; pass->scratch != NULL && i < pool_n_threads(pass->pool); i++)
		done_scratch(&pass->scratch[i]);
	list_row_buffers(pass, buffers);
	for (size_t i = 0; i < N_ROW_BUFFERS; i++)
		free(*buffers[i].to);
	for (size_t i = 0; pass->part_topk != NULL && i < n_part_topk(pass); i++)
		topk_done(&pass->part_topk[i]);
	free(pass->part_topk);
	for (size_t i = 0; i < PASS_FEW_ROWS; i++)
		candidates_done(&pass->candidates[i]);
	dense_free(pass->dense, pool_n_threads(pass->pool));
	free(pass->scratch);
	free(pass->rows);
	free(pass->selected);
	free(pass->fetched);
	free(pass->expert_of);
	free(pass->place_of);
	free(pass->expert_start);
	*pass = (struct pass){ 0 };
}

int pass_reserve_scores(struct pass *pass, size_t n)
{
	for (unsigned i = 0; i < pool_n_threads(pass->pool); i++) {
		struct pass_scratch *scratch = &pass->scratch[i];
		size_t room = n > scratch->n_scores * 2 ? n : scratch->n_scores * 2;
		float *scores;

		if (n <= scratch->n_scores)
			continue;
		scores = array_new(float, room, pass->heads_padded);
		if (scores == NULL)
			return -ENOMEM;
		free(scratch->scores);
		scratch->scores = scores;
		scratch->n_scores = room;
	}
	return 0;
}

void pass_set_angles(struct pass *pass)
{
	const struct model_shape *shape = pass->shape;
	size_t n = shape->qk_rope_head_dim / 2;

	for (size_t i = 0; i < pass->n_rows; i++) {
		for (size_t j = 0; j < n; j++) {
			/* The angle is rounded to float32, as it was when the models were trained. */
			float angle = (float)pass->rows[i].pos * shape->rope_inv_freq[j];

			pass->cosines[i * n + j] = (float)cos((double)angle) * shape->rope_factor;
			pass->sines[i * n + j] = (float)sin((double)angle) * shape->rope_factor;
		}
	}
}

struct shared_products {
	const struct pass *pass;
	const struct product *products;
};

/* Panels of one piece: many rows need no more than a few to be worth a piece. */
static size_t piece_panels(const struct product *product)
{
	if (product->n_rows < PIECE_ROWS)
		return 8;
	return product->matrix->levels != NULL ? 16 : 4; /* every piece rounds its rows anew */
}

static size_t pieces_of_panels(const struct product *product)
{
	return (matrix_n_panels(product->matrix) + piece_panels(product) - 1) / piece_panels(product);
}

static size_t n_pieces(const struct product *product)
{
	return pieces_of_panels(product) * ((product->n_rows + PIECE_ROWS - 1) / PIECE_ROWS);
}

static void run_piece(void *user, size_t item, unsigned thread)
{
	const struct shared_products *shared = user;
	const struct product *product = shared->products;
	size_t first_row, n_rows, first, end;

	(void)thread;
	while (item >= n_pieces(product))
		item -= n_pieces(product++);
	first_row = item / pieces_of_panels(product) * PIECE_ROWS;
	n_rows = product->n_rows - first_row < PIECE_ROWS ? product->n_rows - first_row : PIECE_ROWS;
	first = item % pieces_of_panels(product) * piece_panels(product);
	end = first + piece_panels(product);
	if (end > matrix_n_panels(product->matrix))
		end = matrix_n_panels(product->matrix);
	shared->pass->ops->matmul(product->y + first_row * product->ldy, product->ldy,
	                          product->x + first_row * product->ldx, product->ldx, n_rows,
	                          product->matrix, first, end);
}

void pass_products(struct pass *pass, const struct product *products, size_t n)
{
	struct shared_products shared = { pass, products };
	size_t n_items = 0;

	for (size_t i = 0; i < n; i++)
		n_items += n_pieces(&products[i]);
	pool_run(pass->pool, n_items, run_piece, &shared);
}
