#include "model/mla.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/dense.h"

/* The rows of one head's part of kv_b: as they are, transposed, and as a matrix of their own. */
static int pack_head(const float *kv_b, const struct model_shape *shape, uint32_t head,
                     struct mla_weights *mla)
{
	uint32_t rank = shape->kv_lora_rank, nope = shape->qk_nope_head_dim, v = shape->v_head_dim;
	const float *uk = kv_b + (size_t)head * (nope + v) * rank, *uv = uk + (size_t)nope * rank;
	float *transposed = array_new(float, rank, nope);
	int r;

	if (transposed == NULL)
		return -ENOMEM;
	memcpy(mla->uk + (size_t)head * nope * rank, uk, (size_t)nope * rank * sizeof(*uk));
	for (uint32_t i = 0; i < nope; i++) {
		for (uint32_t j = 0; j < rank; j++)
			transposed[(size_t)j * nope + i] = uk[(size_t)i * rank + j];
	}
	r = matrix_pack(transposed, rank, nope, &mla->uk_transposed[head]);
	free(transposed);
	return r < 0 ? r : matrix_pack(uv, v, rank, &mla->uv[head]);
}

static int load_kv_b(struct mla_weights *mla, const struct checkpoint *checkpoint,
                     const struct model_shape *shape, const char *name, bool naive, struct err *err)
{
	uint32_t n_heads = shape->num_attention_heads;
	uint32_t n_out = n_heads * (shape->qk_nope_head_dim + shape->v_head_dim);
	float *rows;
	int r;

	if (naive &&
	    (r = weights_pack(checkpoint, shape, name, n_out, shape->kv_lora_rank, &mla->kv_b, err)) < 0)
		return r;
	r = weights_read(checkpoint, shape, name, n_out, shape->kv_lora_rank, &rows, err);
	if (r < 0)
		return r;
	mla->uk_transposed = array_new(struct matrix, n_heads);
	mla->uv = array_new(struct matrix, n_heads);
	mla->uk = array_new(float, n_heads, (size_t)shape->qk_nope_head_dim * shape->kv_lora_rank);
	if (mla->uk_transposed == NULL || mla->uv == NULL || mla->uk == NULL)
		r = -ENOMEM;
	for (uint32_t h = 0; r == 0 && h < n_heads; h++)
		r = pack_head(rows, shape, h, mla);
	free(rows);
	return r < 0 ? err_set(err, r, "tensor '%s': no memory", name) : 0;
}

/* o_proj with a head's inputs padded to whole panels, as the heads' outputs stand in the pass. */
static int load_o(struct mla_weights *mla, const struct checkpoint *checkpoint,
                  const struct model_shape *shape, const char *name, struct err *err)
{
	uint32_t n_heads = shape->num_attention_heads, v = shape->v_head_dim;
	size_t stride = round_up(v, PANEL);
	float *rows, *padded;
	int r;

	if (stride == v)
		return weights_pack(checkpoint, shape, name, shape->hidden_size, n_heads * v, &mla->o, err);
	r = weights_read(checkpoint, shape, name, shape->hidden_size, n_heads * v, &rows, err);
	if (r < 0)
		return r;
	padded = array_new(float, shape->hidden_size, n_heads *stride);
	for (size_t i = 0; padded != NULL && i < (size_t)shape->hidden_size * n_heads; i++)
		memcpy(padded + i * stride, rows + i * v, v * sizeof(*rows));
	r = padded == NULL ? -ENOMEM
	                   : matrix_pack(padded, shape->hidden_size, (uint32_t)(n_heads * stride), &mla->o);
	free(padded);
	free(rows);
	return r < 0 ? err_set(err, r, "tensor '%s': no memory", name) : 0;
}

int mla_load(struct mla_weights *mla, const struct checkpoint *checkpoint, const struct model_shape *shape,
             uint32_t layer, bool naive, struct err *err)
{
	static const char *const NAMES[] = { "q_a_proj",      "q_b_proj",       "kv_a_proj_with_mqa",
		                             "q_a_layernorm", "kv_a_layernorm", "kv_b_proj",
		                             "o_proj" };
	uint32_t n_q = shape->num_attention_heads * shape_qk_head_dim(shape);
	uint32_t n_kv = shape->kv_lora_rank + shape->qk_rope_head_dim;
	char name[7][128];
	int r;

	for (size_t i = 0; i < 7; i++)
		snprintf(name[i], sizeof(name[i]), "model.layers.%u.self_attn.%s.weight", layer, NAMES[i]);
	if ((r = weights_pack(checkpoint, shape, name[0], shape->q_lora_rank, shape->hidden_size, &mla->q_a,
	                      err)) < 0 ||
	    (r = weights_pack(checkpoint, shape, name[1], n_q, shape->q_lora_rank, &mla->q_b, err)) < 0 ||
	    (r = weights_pack(checkpoint, shape, name[2], n_kv, shape->hidden_size, &mla->kv_a, err)) < 0 ||
	    (r = weights_read(checkpoint, shape, name[3], 1, shape->q_lora_rank, &mla->q_a_norm, err)) < 0 ||
	    (r = weights_read(checkpoint, shape, name[4], 1, shape->kv_lora_rank, &mla->kv_a_norm, err)) <
	            0 ||
	    (r = load_kv_b(mla, checkpoint, shape, name[5], naive, err)) < 0)
		return r;
	return load_o(mla, checkpoint, shape, name[6], err);
}

int mla_to_levels(struct mla_weights *mla)
{
	if (matrix_to_levels(&mla->q_a) < 0 || matrix_to_levels(&mla->q_b) < 0 ||
	    matrix_to_levels(&mla->kv_a) < 0 || matrix_to_levels(&mla->o) < 0)
		return -ENOMEM;
	return 0;
}

void mla_done(struct mla_weights *mla, const struct model_shape *shape)
{
	for (uint32_t h = 0; h < shape->num_attention_heads; h++) {
		if (mla->uk_transposed != NULL)
			matrix_done(&mla->uk_transposed[h]);
		if (mla->uv != NULL)
			matrix_done(&mla->uv[h]);
	}
	free(mla->uk_transposed);
	free(mla->uv);
	free(mla->uk);
	matrix_done(&mla->kv_b);
	matrix_done(&mla->q_a);
	matrix_done(&mla->q_b);
	matrix_done(&mla->kv_a);
	matrix_done(&mla->o);
	free(mla->q_a_norm);
	free(mla->kv_a_norm);
}

/* A layer on its way through the pass, for the threads. */
struct layer_attention {
	struct pass *pass;
	const struct mla_weights *mla;
	const struct indexer_weights *indexer;
	uint32_t layer;
	size_t first, end; /* rows of the pass whose attention is under way */
};

static void norm_query_item(void *user, size_t item, unsigned thread)
{
	const struct layer_attention *attention = user;
	struct pass *pass = attention->pass;
	float *q_latent = pass->q_latent + item * pass->q_rank_stride;

	(void)thread;
	rms_norm(q_latent, q_latent, attention->mla->q_a_norm, pass->shape->q_lora_rank,
	         pass->shape->rms_norm_eps);
}

/* Latent, rope key and indexer key of one row into the cache; its queries rotated. */
static void keep_row_item(void *user, size_t item, unsigned thread)
{
	const struct layer_attention *attention = user;
	struct pass *pass = attention->pass;
	const struct model_shape *shape = pass->shape;
	uint32_t rope = shape->qk_rope_head_dim, head = shape_qk_head_dim(shape);
	const float *cosines = pass->cosines + item * (rope / 2), *sines = pass->sines + item * (rope / 2);
	float *latent = pass->kv + item * pass->kv_stride, *q = pass->q + item * pass->q_stride;

	(void)thread;
	rms_norm(latent, latent, attention->mla->kv_a_norm, shape->kv_lora_rank, shape->rms_norm_eps);
	rope_rotate(latent + shape->kv_lora_rank, cosines, sines, rope, false);
	for (uint32_t h = 0; h < shape->num_attention_heads; h++)
		rope_rotate(q + (size_t)h * head + shape->qk_nope_head_dim, cosines, sines, rope, false);
	if (attention->indexer != NULL)
		indexer_finish_row(pass, attention->indexer, item);
	cache_put(pass->rows[item].cache, attention->layer, pass->rows[item].pos, latent,
	          latent + shape->kv_lora_rank,
	          attention->indexer == NULL ? NULL : pass->index_k + item * pass->index_k_stride);
}

/* Rows whose cached ones are not all in memory find them in paging. */
static bool is_paged(const struct pass *pass, size_t row)
{
	return pass->rows[row].cache->n_absent_rows > 0;
}

static struct kv_view view_of(const struct pass *pass, size_t row, uint32_t layer)
{
	return is_paged(pass, row) ? paging_view(pass->paging) : cache_view(pass->rows[row].cache, layer);
}

static const uint32_t *selected_rows(const struct pass *pass, size_t row)
{
	if (pass->rows[row].all)
		return NULL;
	return (is_paged(pass, row) ? pass->fetched : pass->selected) + row * pass->shape->index_topk;
}

/* The query as the kernel takes it: [rank + rope][heads_padded]. */
static void lay_out_query(const struct pass *pass, size_t row, float *ret)
{
	const struct model_shape *shape = pass->shape;
	uint32_t rope = shape->qk_rope_head_dim, head = shape_qk_head_dim(shape),
		 n_heads = shape->num_attention_heads, rank = shape->kv_lora_rank;

	for (uint32_t h = 0; h < n_heads; h++) {
		const float *latent = pass->q_absorbed + (row * n_heads + h) * pass->rank_stride;
		const float *rotated =
			pass->q + row * pass->q_stride + (size_t)h * head + shape->qk_nope_head_dim;

		for (size_t k = 0; k < rank; k++)
			ret[k * pass->heads_padded + h] = latent[k];
		for (size_t k = 0; k < rope; k++)
			ret[(rank + k) * pass->heads_padded + h] = rotated[k];
	}
}

/* One row's attention, in a thread's scratch. */
static struct attend attend_of(const struct pass *pass, size_t row, struct pass_scratch *scratch,
                               const struct kv_view *view)
{
	return (struct attend){
		.view = view,
		.q = scratch->query,
		.rows = selected_rows(pass, row),
		.n_rows = pass->rows[row].n_selected,
		.n_heads = pass->heads_padded,
		.rank_stride = (uint32_t)pass->rank_stride,
		.scale = pass->shape->softmax_scale,
		.scores = scratch->scores,
	};
}

static void keep_mixed(struct pass *pass, size_t row, const struct pass_scratch *scratch)
{
	size_t n = pass->shape->num_attention_heads * pass->rank_stride;

	memcpy(pass->mixed + row * n, scratch->mixed, n * sizeof(*scratch->mixed));
}

/* Neighbours attend to much the same rows: one thread takes a few of them, while these are in its cache. */
static size_t attend_rows(const struct layer_attention *attention)
{
	size_t n = (attention->end - attention->first) / (4 * (size_t)pool_n_threads(attention->pass->pool));

	return n == 0 ? 1 : n < 8 ? n : 8;
}

/* Where a row's attention went, as its softmax left it in scratch. The positions are its own, also where paging has them
 * elsewhere. */
static void note_attention(const struct layer_attention *attention, size_t i,
                           const struct pass_scratch *scratch)
{
	const struct pass *pass = attention->pass;
	const struct pass_row *row = &pass->rows[i];
	const uint32_t *selected = pass->selected + i * pass->shape->index_topk;

	if (row->record == NULL)
		return;
	attention_record_add(row->record, &(struct attended){
						  .layer = attention->layer,
						  .positions = row->all ? NULL : selected,
						  .n = row->n_selected,
						  .chosen = row->n_chosen == 0 ? NULL : selected,
						  .n_chosen = row->n_chosen,
						  .shares = scratch->scores,
						  .n_heads = pass->shape->num_attention_heads,
						  .stride = pass->heads_padded,
					  });
}

static void attend_absorbed_item(void *user, size_t item, unsigned thread)
{
	const struct layer_attention *attention = user;
	struct pass *pass = attention->pass;
	struct pass_scratch *scratch = &pass->scratch[thread];
	size_t n = attend_rows(attention), first = attention->first + item * n;

	for (size_t i = first; i < first + n && i < attention->end; i++) {
		struct kv_view view = view_of(pass, i, attention->layer);
		struct attend attend = attend_of(pass, i, scratch, &view);

		if (pass->rows[i].expanded)
			continue;
		lay_out_query(pass, i, scratch->query);
		pass->ops->attend_score(&attend, 0, attend.n_rows, scratch->query_words);
		pass->ops->attend_softmax(&attend);
		note_attention(attention, i, scratch);
		pass->ops->attend_mix(&attend, scratch->mixed, 0, pass->rank_stride);
		keep_mixed(pass, i, scratch);
	}
}

/* Fewer rows than threads: the threads share each one's attention, which stays in the scratch of that number. */
#define MIN_PART_ROWS 64 /* cached rows that are worth a thread's while */

struct shared_attention {
	struct pass *pass;
	const struct attend *attends; /* [n_rows] */
	size_t n_parts;
};

static void score_part(void *user, size_t item, unsigned thread)
{
	const struct shared_attention *shared = user;
	size_t row = item / shared->n_parts, part = item % shared->n_parts;
	const struct attend *attend = &shared->attends[row];
	size_t n_tiles = (attend->n_rows + ATTEND_TILE - 1) / ATTEND_TILE;
	size_t first = n_tiles * part / shared->n_parts * ATTEND_TILE;
	size_t end = n_tiles * (part + 1) / shared->n_parts * ATTEND_TILE;

	shared->pass->ops->attend_score(attend, first, end < attend->n_rows ? end : attend->n_rows,
	                                shared->pass->scratch[thread].query_words);
}

static void mix_part(void *user, size_t item, unsigned thread)
{
	const struct shared_attention *shared = user;
	size_t row = item / shared->n_parts, part = item % shared->n_parts;
	size_t n_blocks = shared->pass->rank_stride / RANK_PAD;

	(void)thread;
	shared->pass->ops->attend_mix(&shared->attends[row], shared->pass->scratch[row].mixed,
	                              n_blocks * part / shared->n_parts * RANK_PAD,
	                              n_blocks * (part + 1) / shared->n_parts * RANK_PAD);
}

static void attend_shared(const struct layer_attention *attention)
{
	struct pass *pass = attention->pass;
	size_t n = attention->end - attention->first;
	struct kv_view views[PASS_FEW_ROWS];
	struct attend attends[PASS_FEW_ROWS];
	struct shared_attention shared = { pass, attends, PASS_PARTS(pool_n_threads(pass->pool)) / n };

	for (size_t i = 0; i < n; i++) {
		views[i] = view_of(pass, attention->first + i, attention->layer);
		attends[i] = attend_of(pass, attention->first + i, &pass->scratch[i], &views[i]);
		lay_out_query(pass, attention->first + i, pass->scratch[i].query);
	}
	pool_run(pass->pool, n * shared.n_parts, score_part, &shared);
	for (size_t i = 0; i < n; i++) {
		pass->ops->attend_softmax(&attends[i]);
		note_attention(attention, attention->first + i, &pass->scratch[i]);
	}
	pool_run(pass->pool, n * shared.n_parts, mix_part, &shared);
	for (size_t i = 0; i < n; i++)
		keep_mixed(pass, attention->first + i, &pass->scratch[i]);
}

static size_t count_expanded(const struct pass *pass)
{
	size_t n = 0;

	for (size_t i = 0; i < pass->n_rows; i++)
		n += pass->rows[i].expanded;
	return n;
}

static void attend_absorbed(struct layer_attention *attention)
{
	struct pass *pass = attention->pass;
	size_t n = attention->end - attention->first;

	if (count_expanded(pass) == 0 && n < pool_n_threads(pass->pool) && n <= PASS_FEW_ROWS &&
	    pass->rows[attention->first].n_selected >= MIN_PART_ROWS)
		attend_shared(attention);
	else
		pool_run(pass->pool, (n + attend_rows(attention) - 1) / attend_rows(attention),
		         attend_absorbed_item, attention);
}

static void absorb(struct pass *pass, const struct mla_weights *mla, struct product *products)
{
	const struct model_shape *shape = pass->shape;
	uint32_t n_heads = shape->num_attention_heads;

	for (uint32_t h = 0; h < n_heads; h++)
		products[h] = (struct product){ pass->q_absorbed + h * pass->rank_stride,
			                        pass->q + (size_t)h * shape_qk_head_dim(shape),
			                        &mla->uk_transposed[h],
			                        n_heads * pass->rank_stride,
			                        pass->q_stride,
			                        pass->n_rows };
	pass_products(pass, products, n_heads);
}

static void expand_mixed(struct pass *pass, const struct mla_weights *mla, struct product *products)
{
	uint32_t n_heads = pass->shape->num_attention_heads;

	for (uint32_t h = 0; h < n_heads; h++)
		products[h] = (struct product){
			pass->heads + h * pass->v_stride, pass->mixed + h * pass->rank_stride, &mla->uv[h],
			n_heads * pass->v_stride,         n_heads * pass->rank_stride,         pass->n_rows
		};
	pass_products(pass, products, n_heads);
}

/* Naive form: keys and values of a tile of rows, expanded into scratch; rope keys stay in the tile. Returns how many. */
static size_t expand_tile(const struct layer_attention *attention, size_t row, size_t first,
                          struct pass_scratch *scratch)
{
	struct pass *pass = attention->pass;
	const struct matrix *kv_b = &attention->mla->kv_b;
	struct kv_view view = view_of(pass, row, attention->layer);
	const uint32_t *rows = selected_rows(pass, row);
	size_t stride = view.rank + view.rope;
	size_t n = pass->rows[row].n_selected - first;

	if (n > ATTEND_TILE)
		n = ATTEND_TILE;
	for (size_t i = 0; i < n; i++) {
		size_t pos = rows == NULL ? first + i : rows[first + i];

		load_row(scratch->tile + i * stride, kv_latent(&view, pos), view.rank, view.bf16);
		load_row(scratch->tile + i * stride + view.rank, kv_rope_key(&view, pos), view.rope,
		         view.bf16);
	}
	pass->ops->matmul(scratch->expanded, round_up(kv_b->n_out, PANEL), scratch->tile, stride, n, kv_b, 0,
	                  matrix_n_panels(kv_b));
	return n;
}

static float dot(const float *a, const float *b, size_t n, float sum)
{
	for (size_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static void score_naive(const struct layer_attention *attention, size_t row, struct pass_scratch *scratch)
{
	struct pass *pass = attention->pass;
	const struct model_shape *shape = pass->shape;
	uint32_t nope = shape->qk_nope_head_dim, head = nope + shape->v_head_dim,
		 rope = shape->qk_rope_head_dim;
	size_t stride = round_up((size_t)shape->num_attention_heads * head, PANEL), n;

	for (size_t first = 0; first < pass->rows[row].n_selected; first += n) {
		n = expand_tile(attention, row, first, scratch);
		for (size_t i = 0; i < n; i++) {
			const float *rope_key =
				scratch->tile + i * (shape->kv_lora_rank + rope) + shape->kv_lora_rank;

			for (uint32_t h = 0; h < shape->num_attention_heads; h++) {
				const float *q =
					pass->q + row * pass->q_stride + (size_t)h * shape_qk_head_dim(shape);
				float sum =
					dot(q, scratch->expanded + i * stride + (size_t)h * head, nope, 0);

				scratch->scores[(first + i) * pass->heads_padded + h] =
					dot(q + nope, rope_key, rope, sum) * shape->softmax_scale;
			}
		}
	}
}

static void mix_naive(const struct layer_attention *attention, size_t row, struct pass_scratch *scratch)
{
	struct pass *pass = attention->pass;
	const struct model_shape *shape = pass->shape;
	uint32_t nope = shape->qk_nope_head_dim, v = shape->v_head_dim;
	size_t stride = round_up((size_t)shape->num_attention_heads * (nope + v), PANEL), n;
	float *heads = pass->heads + row * shape->num_attention_heads * pass->v_stride;

	memset(heads, 0, shape->num_attention_heads * pass->v_stride * sizeof(*heads));
	for (size_t first = 0; first < pass->rows[row].n_selected; first += n) {
		n = expand_tile(attention, row, first, scratch);
		for (size_t i = 0; i < n; i++) {
			for (uint32_t h = 0; h < shape->num_attention_heads; h++) {
				const float *value =
					scratch->expanded + i * stride + (size_t)h * (nope + v) + nope;
				float weight = scratch->scores[(first + i) * pass->heads_padded + h];

				for (uint32_t c = 0; c < v; c++)
					heads[h * pass->v_stride + c] += weight * value[c];
			}
		}
	}
}

static void attend_naive_item(void *user, size_t item, unsigned thread)
{
	const struct layer_attention *attention = user;
	struct pass *pass = attention->pass;
	struct pass_scratch *scratch = &pass->scratch[thread];
	size_t row = attention->first + item;

	if (pass->rows[row].expanded)
		return;
	score_naive(attention, row, scratch);
	for (uint32_t h = 0; h < pass->shape->num_attention_heads; h++)
		softmax(scratch->scores + h, pass->rows[row].n_selected, pass->heads_padded);
	note_attention(attention, row, scratch);
	mix_naive(attention, row, scratch);
}

static void project_inputs(const struct layer_attention *attention, struct product *products)
{
	struct pass *pass = attention->pass;
	const struct mla_weights *mla = attention->mla;
	size_t n = 2;

	products[0] = (struct product){ pass->q_latent,      pass->u,     &mla->q_a, pass->q_rank_stride,
		                        pass->hidden_stride, pass->n_rows };
	products[1] =
		(struct product){ pass->kv,    pass->u, &mla->kv_a, pass->kv_stride, pass->hidden_stride,
		                  pass->n_rows };
	if (attention->indexer != NULL) {
		indexer_input_products(pass, attention->indexer, products + n);
		n += 2;
	}
	pass_products(pass, products, n);
}

static void project_queries(const struct layer_attention *attention, struct product *products)
{
	struct pass *pass = attention->pass;
	size_t n = 1;

	products[0] = (struct product){ pass->q,        pass->q_latent,      &attention->mla->q_b,
		                        pass->q_stride, pass->q_rank_stride, pass->n_rows };
	if (attention->indexer != NULL)
		products[n++] = indexer_query_product(pass, attention->indexer);
	pass_products(pass, products, n);
}

/* Bring in what the rows from `first` on have selected, as many of them as paging can hold; *ret_end is the row behind.
 * False: it failed. */
static bool fetch_selected(const struct layer_attention *attention, size_t first, size_t *ret_end)
{
	struct pass *pass = attention->pass;
	size_t topk = pass->shape->index_topk, room = pass->paging == NULL ? 0 : paging_n_rows(pass->paging);
	size_t i = first;

	for (; i < pass->n_rows; i++) {
		if (!is_paged(pass, i))
			continue;
		if (room < topk)
			break;
		room -= topk;
		if (!paging_fetch_rows(pass->paging, pass->rows[i].cache, attention->layer,
		                       pass->selected + i * topk, pass->rows[i].n_selected,
		                       pass->fetched + i * topk))
			return false;
	}
	*ret_end = i;
	return true;
}

/* Rows that want it expanded are passed over by the other forms, and come last: a product that serves them all has
 * written theirs too. */
static void attend(struct layer_attention *attention, struct product *products)
{
	struct pass *pass = attention->pass;

	if (count_expanded(pass) < pass->n_rows) {
		if (!pass->naive)
			absorb(pass, attention->mla, products);
		for (attention->first = 0; attention->first < pass->n_rows;
		     attention->first = attention->end) {
			if (!fetch_selected(attention, attention->first, &attention->end))
				return;
			if (pass->naive)
				pool_run(pass->pool, attention->end - attention->first, attend_naive_item,
				         attention);
			else
				attend_absorbed(attention);
		}
		if (!pass->naive)
			expand_mixed(pass, attention->mla, products);
	}
	if (count_expanded(pass) > 0)
		dense_attend(pass, attention->mla, attention->layer);
}

void mla_forward(struct pass *pass, const struct mla_weights *mla, const struct indexer_weights *indexer,
                 uint32_t layer, struct product *products)
{
	struct layer_attention attention = { pass, mla, indexer, layer, 0, pass->n_rows };

	project_inputs(&attention, products);
	pool_run(pass->pool, pass->n_rows, norm_query_item, &attention);
	project_queries(&attention, products);
	pool_run(pass->pool, pass->n_rows, keep_row_item, &attention);
	if (indexer != NULL)
		indexer_select(pass, layer);
	attend(&attention, products);
	products[0] = (struct product){ pass->u,
		                        pass->heads,
		                        &mla->o,
		                        pass->hidden_stride,
		                        pass->shape->num_attention_heads * pass->v_stride,
		                        pass->n_rows };
	pass_products(pass, products, 1);
}
