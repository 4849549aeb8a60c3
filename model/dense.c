#include "model/dense.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/mla.h"

#define GROUP_TILES 4 /* tiles that are expanded together: one head's stay in the second-level cache */
#define GROUP_KEYS (GROUP_TILES * DENSE_TILE)
#define BLOCK_ROWS 64 /* rows that share a look at a tile */

/* What one thread needs of its own. */
struct dense_scratch {
	float *latents; /* [CACHE_PAGE_TOKENS][rank] */
	float *panel; /* [rank][PANEL], the same transposed */
	float *scores; /* [BLOCK_ROWS][DENSE_TILE] */
	float *mixed; /* [BLOCK_ROWS][v_stride], of one tile */
};

struct dense {
	/* The group of tiles, by head, as matrices that the rows are multiplied by. */
	float *keys; /* [heads][GROUP_KEYS / PANEL][nope + rope][PANEL] */
	float *values; /* [heads][GROUP_TILES][v_stride / PANEL][DENSE_TILE][PANEL] */

	/* The rows, by head. */
	float *queries; /* [heads][max_rows][nope + rope], scaled */
	float *mixed; /* [heads][max_rows][v_stride] */
	struct softmax_row *softmax; /* [heads][max_rows] */

	struct dense_scratch *scratch; /* [threads] */
};

static int init_scratch(struct dense_scratch *scratch, const struct pass *pass)
{
	uint32_t rank = pass->shape->kv_lora_rank;

	scratch->latents = array_new(float, CACHE_PAGE_TOKENS, rank);
	scratch->panel = array_new(float, rank, PANEL);
	scratch->scores = array_new(float, BLOCK_ROWS, DENSE_TILE);
	scratch->mixed = array_new(float, BLOCK_ROWS, pass->v_stride);
	if (scratch->latents == NULL || scratch->panel == NULL || scratch->scores == NULL ||
	    scratch->mixed == NULL)
		return -ENOMEM;
	return 0;
}

static int init_dense(struct dense *dense, const struct pass *pass)
{
	const struct model_shape *shape = pass->shape;
	size_t heads = shape->num_attention_heads, rows = heads * pass->max_rows;
	int r = 0;

	dense->keys = array_new(float, heads *GROUP_KEYS, shape_qk_head_dim(shape));
	dense->values = array_new(float, heads *GROUP_KEYS, pass->v_stride);
	dense->queries = array_new(float, rows, shape_qk_head_dim(shape));
	dense->mixed = array_new(float, rows, pass->v_stride);
	dense->softmax = array_new(struct softmax_row, rows);
	dense->scratch = array_new(struct dense_scratch, pool_n_threads(pass->pool));
	if (dense->keys == NULL || dense->values == NULL || dense->queries == NULL || dense->mixed == NULL ||
	    dense->softmax == NULL || dense->scratch == NULL)
		return -ENOMEM;
	for (unsigned i = 0; r == 0 && i < pool_n_threads(pass->pool); i++)
		r = init_scratch(&dense->scratch[i], pass);
	return r;
}

int dense_reserve(struct pass *pass)
{
	struct dense *dense;
	int r;

	if (pass->dense != NULL)
		return 0;
	dense = array_new(struct dense, 1);
	if (dense == NULL)
		return -ENOMEM;
	r = init_dense(dense, pass);
	if (r < 0)
		dense_free(dense, pool_n_threads(pass->pool));
	else
		pass->dense = dense;
	return r;
}

void dense_free(struct dense *dense, unsigned n_threads)
{
	if (dense == NULL)
		return;
	for (unsigned i = 0; dense->scratch != NULL && i < n_threads; i++) {
		free(dense->scratch[i].latents);
		free(dense->scratch[i].panel);
		free(dense->scratch[i].scores);
		free(dense->scratch[i].mixed);
	}
	free(dense->scratch);
	free(dense->keys);
	free(dense->values);
	free(dense->queries);
	free(dense->mixed);
	free(dense->softmax);
	free(dense);
}

/* Rows of one sequence on their way over a group of tiles, for the threads. */
struct dense_rows {
	struct pass *pass;
	const struct mla_weights *mla;
	struct kv_view view;
	size_t first, n; /* in the pass */
	size_t n_keys; /* that the last of them sees */
	size_t group; /* first key of the group */
};

static void start_row_item(void *user, size_t item, unsigned thread)
{
	const struct dense_rows *rows = user;
	const struct pass *pass = rows->pass;
	struct dense *dense = pass->dense;
	uint32_t head = shape_qk_head_dim(pass->shape);

	(void)thread;
	for (size_t h = 0; h < pass->shape->num_attention_heads; h++) {
		size_t at = h * pass->max_rows + item;
		const float *q = pass->q + (rows->first + item) * pass->q_stride + h * head;

		for (size_t k = 0; k < head; k++)
			dense->queries[at * head + k] = q[k] * pass->shape->softmax_scale;
		memset(dense->mixed + at * pass->v_stride, 0, pass->v_stride * sizeof(*dense->mixed));
		dense->softmax[at] = (struct softmax_row){ .most = -INFINITY };
	}
}

static void finish_row_item(void *user, size_t item, unsigned thread)
{
	const struct dense_rows *rows = user;
	struct pass *pass = rows->pass;
	size_t n_heads = pass->shape->num_attention_heads, stride = pass->v_stride;
	float *heads = pass->heads + (rows->first + item) * n_heads * stride;

	(void)thread;
	for (size_t h = 0; h < n_heads; h++) {
		size_t at = h * pass->max_rows + item;
		float factor = 1 / pass->dense->softmax[at].sum;

		for (size_t c = 0; c < stride; c++)
			heads[h * stride + c] = pass->dense->mixed[at * stride + c] * factor;
	}
}

/* The latents of a page's n keys, and nothing behind them. */
static void load_latents(const struct kv_view *view, size_t key, size_t n, float *ret)
{
	for (size_t i = 0; i < n; i++)
		load_row(ret + i * view->rank, kv_latent(view, key + i), view->rank, view->bf16);
	memset(ret + n * view->rank, 0, (CACHE_PAGE_TOKENS - n) * view->rank * sizeof(*ret));
}

static void transpose_panel(const float *latents, size_t rank, float *ret)
{
	for (size_t j = 0; j < PANEL; j++) {
		for (size_t k = 0; k < rank; k++)
			ret[k * PANEL + j] = latents[j * rank + k];
	}
}

/* The rope keys of a panel of keys, which are those of every head, behind the expanded ones. */
static void put_rope_keys(const struct dense_rows *rows, size_t key, size_t n, float *keys,
                          size_t head_floats)
{
	const struct kv_view *view = &rows->view;
	size_t n_heads = rows->pass->shape->num_attention_heads;
	uint32_t nope = rows->pass->shape->qk_nope_head_dim;
	float *first = keys + (size_t)nope * PANEL;

	memset(first, 0, (size_t)view->rope * PANEL * sizeof(*first));
	for (size_t j = 0; j < n; j++) {
		const uint8_t *row = kv_rope_key(view, key + j);

		for (size_t k = 0; k < view->rope; k++)
			load_row(&first[k * PANEL + j], row + k * kv_element_bytes(view), 1, view->bf16);
	}
	for (size_t h = 1; h < n_heads; h++)
		memcpy(first + h * head_floats, first, (size_t)view->rope * PANEL * sizeof(*first));
}

/* All heads' keys of a panel: W_UK c, transposed, as the product of W_UK's rows with the latents as a matrix. */
static void expand_keys(const struct dense_rows *rows, size_t key, size_t n, const float *latents,
                        struct dense_scratch *scratch)
{
	const struct pass *pass = rows->pass;
	const struct model_shape *shape = pass->shape;
	struct matrix panel = { .n_out = PANEL, .n_in = shape->kv_lora_rank, .panels = scratch->panel };
	size_t head = shape_qk_head_dim(shape), nope = shape->qk_nope_head_dim;
	float *keys = pass->dense->keys + (key - rows->group) * head;

	transpose_panel(latents, shape->kv_lora_rank, scratch->panel);
	for (size_t h = 0; h < shape->num_attention_heads; h++)
		pass->ops->matmul(keys + h * GROUP_KEYS * head, PANEL,
		                  rows->mla->uk + h * nope * shape->kv_lora_rank, shape->kv_lora_rank, nope,
		                  &panel, 0, 1);
	put_rope_keys(rows, key, n, keys, GROUP_KEYS * head);
}

static void expand_values(const struct dense_rows *rows, size_t page, const float *latents)
{
	const struct pass *pass = rows->pass;
	size_t tile_floats = DENSE_TILE * pass->v_stride, in_tile = page % DENSE_TILE;
	float *values =
		pass->dense->values + (page - in_tile - rows->group) * pass->v_stride + in_tile * PANEL;

	for (size_t h = 0; h < pass->shape->num_attention_heads; h++) {
		const struct matrix *uv = &rows->mla->uv[h];

		for (size_t p = 0; p < matrix_n_panels(uv); p++) {
			struct matrix panel = {
				.n_out = PANEL,
				.n_in = uv->n_in,
				.bf16 = uv->bf16,
				.panels = (uint8_t *)uv->panels + p * matrix_panel_bytes(uv),
			};

			pass->ops->matmul(values + h * GROUP_TILES * tile_floats + p * DENSE_TILE * PANEL,
			                  PANEL, latents, pass->shape->kv_lora_rank, CACHE_PAGE_TOKENS,
			                  &panel, 0, 1);
		}
	}
}

/* One page. Keys behind the last one are zeros: they may weigh 0, but not be anything. */
static void expand_item(void *user, size_t item, unsigned thread)
{
	const struct dense_rows *rows = user;
	struct dense_scratch *scratch = &rows->pass->dense->scratch[thread];
	size_t page = rows->group + item * CACHE_PAGE_TOKENS, n = rows->n_keys - page;

	if (n > CACHE_PAGE_TOKENS)
		n = CACHE_PAGE_TOKENS;
	load_latents(&rows->view, page, n, scratch->latents);
	for (size_t i = 0; i < CACHE_PAGE_TOKENS; i += PANEL)
		expand_keys(rows, page + i,
		            i + PANEL < n ? PANEL
		            : i < n       ? n - i
		                          : 0,
		            scratch->latents + i * rows->view.rank, scratch);
	expand_values(rows, page, scratch->latents);
}

/* Keys from `tile` on that the row sees. */
static size_t keys_of_row(const struct dense_rows *rows, size_t row, size_t tile)
{
	size_t n = rows->pass->rows[rows->first + row].pos + 1 - tile;

	return n < DENSE_TILE ? n : DENSE_TILE;
}

/* Scores of the n rows from `row` on, which see keys of the tile, the last of them n_keys; what a row does not see is
 * -inf. */
static void score_tile(const struct dense_rows *rows, size_t head, size_t row, size_t n, size_t tile,
                       size_t n_keys, float *ret)
{
	const struct pass *pass = rows->pass;
	uint32_t width = shape_qk_head_dim(pass->shape);
	struct matrix keys = {
		.n_out = DENSE_TILE,
		.n_in = width,
		.panels = pass->dense->keys + (head * GROUP_KEYS + tile - rows->group) * width,
	};
	size_t n_panels = (n_keys + PANEL - 1) / PANEL;

	pass->ops->matmul(ret, DENSE_TILE, pass->dense->queries + (head * pass->max_rows + row) * width,
	                  width, n, &keys, 0, n_panels);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = keys_of_row(rows, row + i, tile); j < n_panels * PANEL; j++)
			ret[i * DENSE_TILE + j] = -INFINITY;
	}
}

/* The sums of the tile's values by their shares; a tile that is not full, panel by panel, as they lie apart. */
static void mix_tile(const struct dense_rows *rows, size_t head, size_t n, size_t tile, size_t n_keys,
                     const float *shares, float *ret)
{
	const struct pass *pass = rows->pass;
	uint32_t v_stride = (uint32_t)pass->v_stride;
	float *values = pass->dense->values + (head * GROUP_KEYS + tile - rows->group) * v_stride;
	size_t step = n_keys == DENSE_TILE ? v_stride : PANEL;

	for (size_t c = 0; c < v_stride; c += step) {
		struct matrix matrix = {
			.n_out = (uint32_t)step,
			.n_in = (uint32_t)n_keys,
			.panels = values + c * DENSE_TILE,
		};

		pass->ops->matmul(ret + c, v_stride, shares, DENSE_TILE, n, &matrix, 0, step / PANEL);
	}
}

/* One head of a block of rows over one tile. */
static void attend_tile(const struct dense_rows *rows, size_t head, size_t row, size_t end, size_t tile,
                        struct dense_scratch *scratch)
{
	const struct pass *pass = rows->pass;
	struct dense *dense = pass->dense;
	size_t n_keys = keys_of_row(rows, end - 1, tile), at = head * pass->max_rows + row, n = end - row;

	score_tile(rows, head, row, n, tile, n_keys, scratch->scores);
	pass->ops->softmax_tile(dense->softmax + at, n, scratch->scores, DENSE_TILE, round_up(n_keys, PANEL));
	mix_tile(rows, head, n, tile, n_keys, scratch->scores, scratch->mixed);
	pass->ops->add_tile(dense->mixed + at * pass->v_stride, scratch->mixed, dense->softmax + at, n,
	                    pass->v_stride);
}

/* The first row that sees a key. */
static size_t first_row_at(const struct dense_rows *rows, size_t key)
{
	size_t pos = rows->pass->rows[rows->first].pos;

	return key > pos ? key - pos : 0;
}

static void attend_block_item(void *user, size_t item, unsigned thread)
{
	const struct dense_rows *rows = user;
	size_t n_blocks = (rows->n + BLOCK_ROWS - 1) / BLOCK_ROWS, head = item / n_blocks;
	size_t first = item % n_blocks * BLOCK_ROWS, end = first + BLOCK_ROWS;

	if (end > rows->n)
		end = rows->n;
	for (size_t tile = rows->group; tile < rows->group + GROUP_KEYS; tile += DENSE_TILE) {
		size_t row = first_row_at(rows, tile);

		if (row < first)
			row = first;
		if (row >= end)
			break;
		attend_tile(rows, head, row, end, tile, &rows->pass->dense->scratch[thread]);
	}
}

static void attend_rows(struct dense_rows *rows)
{
	struct pass *pass = rows->pass;
	size_t n_blocks = (rows->n + BLOCK_ROWS - 1) / BLOCK_ROWS;

	pool_run(pass->pool, rows->n, start_row_item, rows);
	for (rows->group = 0; rows->group < rows->n_keys; rows->group += GROUP_KEYS) {
		size_t n_keys = rows->n_keys - rows->group;

		if (n_keys > GROUP_KEYS)
			n_keys = GROUP_KEYS;
		pool_run(pass->pool, (n_keys + CACHE_PAGE_TOKENS - 1) / CACHE_PAGE_TOKENS, expand_item, rows);
		pool_run(pass->pool, n_blocks * pass->shape->num_attention_heads, attend_block_item, rows);
	}
	pool_run(pass->pool, rows->n, finish_row_item, rows);
}

void dense_attend(struct pass *pass, const struct mla_weights *mla, uint32_t layer)
{
	for (size_t i = 0, n; i < pass->n_rows; i += n) {
		struct dense_rows rows = { .pass = pass, .mla = mla, .first = i };
		const struct cache *cache = pass->rows[i].cache;

		for (n = 1; i + n < pass->n_rows && pass->rows[i + n].cache == cache;)
			n++;
		if (!pass->rows[i].expanded)
			continue;
		rows.view = cache_view(cache, layer);
		rows.n = n;
		rows.n_keys = pass->rows[i + n - 1].pos + (size_t)1;
		attend_rows(&rows);
	}
}
