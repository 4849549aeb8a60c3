#include "model/engine.h"

#include <errno.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"
#include "model/engine_internal.h"

#define DEFAULT_PREFILL_ROWS 256
#define MAX_PREFILL_ROWS 4096
#define KEY_POOL_SHARE 2 /* indexer keys that have left memory may take so much less than the rows */
#define MAX_HASHED_FILE ((size_t)1 << 28)

/* Named in every fingerprint: changes when the arithmetic does, so that no stored block outlives its meaning. */
#define NUMERICS_VERSION "skimd numerics 4"

static const char *numerics_name(enum numerics numerics)
{
	static const char *const NAMES[] = {
		[NUMERICS_PRODUCTION] = "production", [NUMERICS_STRICT] = "strict", [NUMERICS_INT8] = "int8"
	};

	return NAMES[numerics];
}

static void hash_bytes(void *user, const void *bytes, size_t n)
{
	struct sha256_ctx *hash = user;
	uint64_t length = n;

	sha256_update(hash, sizeof(length), (const uint8_t *)&length);
	sha256_update(hash, n, bytes);
}

static int hash_file(struct sha256_ctx *hash, const char *dir, const char *name, struct err *err)
{
	char path[PATH_MAX];
	struct buf bytes = { 0 };
	int r;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	r = file_read(path, MAX_HASHED_FILE, &bytes, err);
	if (r == 0)
		hash_bytes(hash, bytes.data == NULL ? "" : bytes.data, bytes.n);
	buf_done(&bytes);
	return r;
}

static int set_fingerprint(struct engine *engine, const char *dir, struct err *err)
{
	char words[128];
	struct sha256_ctx hash;
	int n = snprintf(words, sizeof(words), NUMERICS_VERSION "; %s; %s; %s",
	                 numerics_name(engine->numerics), engine->ops->name,
	                 engine->naive ? "naive" : "absorbed");
	int r;

	sha256_init(&hash);
	hash_bytes(&hash, words, (size_t)n);
	if ((r = hash_file(&hash, dir, "config.json", err)) < 0 ||
	    (engine->tokenizer != NULL && (r = hash_file(&hash, dir, "tokenizer.json", err)) < 0))
		return r;
	checkpoint_each_file(engine->checkpoint, hash_bytes, &hash);
	sha256_digest(&hash, sizeof(engine->fingerprint), engine->fingerprint);
	return 0;
}

/* Layers are read side by side: the first failure in order of the layers is reported. */
struct loading {
	struct engine *engine;
	struct layer_result {
		int r;
		struct err err;
	} * results;
};

static void load_layer_item(void *user, size_t item, unsigned thread)
{
	struct loading *loading = user;
	struct engine *engine = loading->engine;

	(void)thread;
	loading->results[item].r = layer_load(&engine->layers[item], engine->checkpoint, &engine->shape,
	                                      (uint32_t)item, engine->naive, &loading->results[item].err);
	if (loading->results[item].r == 0 && engine->numerics == NUMERICS_INT8 &&
	    layer_to_levels(&engine->layers[item], &engine->shape) < 0)
		loading->results[item].r =
			err_set(&loading->results[item].err, -ENOMEM, "no memory for layer %zu", item);
}

static int load_layers(struct engine *engine, struct err *err)
{
	uint32_t n = engine->shape.num_hidden_layers;
	struct loading loading = { engine, array_new(struct layer_result, n) };
	int r = 0;

	engine->layers = array_new(struct layer_weights, n);
	if (engine->layers == NULL || loading.results == NULL) {
		free(loading.results);
		return err_set(err, -ENOMEM, "no memory for %u layers", n);
	}
	pool_run(engine->pool, n, load_layer_item, &loading);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = loading.results[i].r;
		if (r < 0)
			err_set(err, r, "%s", loading.results[i].err.text);
	}
	free(loading.results);
	return r;
}

static int load_ends(struct engine *engine, struct err *err)
{
	const struct model_shape *shape = &engine->shape;
	const char *embedding = "model.embed_tokens.weight";
	int r;

	if ((r = weights_read(engine->checkpoint, shape, "model.norm.weight", 1, shape->hidden_size,
	                      &engine->final_norm, err)) < 0 ||
	    (r = weights_pack(engine->checkpoint, shape,
	                      shape->tie_word_embeddings ? embedding : "lm_head.weight", shape->vocab_size,
	                      shape->hidden_size, &engine->head, err)) < 0)
		return r;
	if (!shape->tie_word_embeddings) { /* read from the file by row: only checked here */
		float *rows;

		r = weights_read(engine->checkpoint, shape, embedding, shape->vocab_size, shape->hidden_size,
		                 &rows, err);
		if (r < 0)
			return r;
		free(rows);
	}
	engine->embedding = checkpoint_find(engine->checkpoint, embedding);
	if (engine->embedding->type == TENSOR_F8_E4M3)
		return err_set(err, -ENOTSUP, "%s: tensor '%s': an fp8 embedding is not supported",
		               engine->embedding->file, embedding);
	return 0;
}

static int open_tokenizer(struct engine *engine, const char *dir, struct err *err)
{
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/tokenizer.json", dir);
	if (access(path, F_OK) < 0)
		return 0;
	r = tokenizer_open(path, &engine->tokenizer, err);
	if (r == 0 && tokenizer_n_vocab(engine->tokenizer) > engine->shape.vocab_size)
		return err_set(err, -EBADMSG, "%s: %u tokens, but 'vocab_size' in config.json is %u", path,
		               tokenizer_n_vocab(engine->tokenizer), engine->shape.vocab_size);
	return r;
}

static int prepare_cache(struct engine *engine, size_t row_memory, struct err *err)
{
	engine->row_memory = row_memory;
	if (cache_layout_init(&engine->layout, &engine->shape, engine->numerics != NUMERICS_STRICT) < 0 ||
	    (row_memory > 0 && paging_new(&engine->layout, row_memory, row_memory / KEY_POOL_SHARE,
	                                  engine->shape.index_topk, &engine->paging) < 0))
		return err_set(err, -ENOMEM, "no memory for %zu bytes of rows", row_memory);
	return 0;
}

static int make_pass(struct engine *engine, const struct engine_settings *settings, struct err *err)
{
	size_t rows = settings->prefill_rows == 0 ? DEFAULT_PREFILL_ROWS : settings->prefill_rows;
	struct pass_settings pass = {
		.shape = &engine->shape,
		.layout = &engine->layout,
		.ops = engine->ops,
		.pool = engine->pool,
		.paging = engine->paging,
		.naive = engine->naive,
		.plain_scan = settings->plain_scan,
		.tamper = settings->tamper,
		.tamper_user = settings->tamper_user,
		.max_rows = rows < MAX_PREFILL_ROWS ? rows : MAX_PREFILL_ROWS,
	};

	engine->products = array_new(struct product, layer_n_products(&engine->shape));
	engine->logits = array_new(float, LOGIT_ROWS, engine_logits_stride(engine));
	if (engine->products == NULL || engine->logits == NULL || pass_init(&engine->pass, &pass) < 0)
		return err_set(err, -ENOMEM, "no memory for a pass of %zu tokens", pass.max_rows);
	return 0;
}

static int open_parts(struct engine *engine, const struct engine_settings *settings, struct err *err)
{
	int r;

	if ((r = ops_select(settings->kernels, &engine->ops, err)) < 0 ||
	    (r = shape_read(settings->dir, &engine->shape, err)) < 0)
		return r;
	if (engine->numerics == NUMERICS_STRICT)
		engine->ops = ops_without_rounding(engine->ops);
	engine->naive = settings->mla_form == MLA_NAIVE;
	if ((r = checkpoint_open(settings->dir, &engine->checkpoint, err)) < 0 ||
	    (r = pool_new(settings->n_threads, &engine->pool, err)) < 0)
		return r;
	if ((r = load_layers(engine, err)) < 0 || (r = load_ends(engine, err)) < 0)
		return err_prefix(err, r, "%s: ", settings->dir);
	if ((r = open_tokenizer(engine, settings->dir, err)) < 0 ||
	    (r = set_fingerprint(engine, settings->dir, err)) < 0)
		return r;
	if ((r = prepare_cache(engine, settings->row_memory, err)) < 0)
		return r;
	return make_pass(engine, settings, err);
}

int engine_open(const struct engine_settings *settings, struct engine **ret, struct err *err)
{
	struct engine *engine = array_new(struct engine, 1);
	int r;

	if (engine == NULL)
		return err_set(err, -ENOMEM, "%s: no memory", settings->dir);
	pthread_mutex_init(&engine->lock, NULL);
	engine->numerics = settings->numerics;
	r = open_parts(engine, settings, err);
	if (r < 0)
		engine_close(engine);
	else
		*ret = engine;
	return r;
}

void engine_close(struct engine *engine)
{
	if (engine == NULL)
		return;
	pass_done(&engine->pass);
	paging_free(engine->paging);
	free(engine->products);
	free(engine->logits);
	for (uint32_t i = 0; engine->layers != NULL && i < engine->shape.num_hidden_layers; i++)
		layer_done(&engine->layers[i], &engine->shape);
	free(engine->layers);
	free(engine->final_norm);
	matrix_done(&engine->head);
	cache_layout_done(&engine->layout);
	pool_free(engine->pool);
	tokenizer_close(engine->tokenizer);
	checkpoint_close(engine->checkpoint);
	shape_done(&engine->shape);
	pthread_mutex_destroy(&engine->lock);
	free(engine);
}

const struct model_shape *engine_shape(const struct engine *engine)
{
	return &engine->shape;
}

const struct tokenizer *engine_tokenizer(const struct engine *engine)
{
	return engine->tokenizer;
}

bool engine_is_eos(const struct engine *engine, uint32_t token)
{
	for (uint32_t i = 0; i < engine->shape.n_eos; i++) {
		if (engine->shape.eos_token_id[i] == token)
			return true;
	}
	return false;
}

const uint8_t *engine_fingerprint(const struct engine *engine)
{
	return engine->fingerprint;
}

static uint64_t n_values(const struct matrix *matrix)
{
	return (uint64_t)matrix->n_out * matrix->n_in;
}

/* Weights, and the bytes of them that a product of one row reads. */
struct volume {
	uint64_t n_values, bytes;
};

static void count_bytes(const struct engine *engine, const struct matrix *matrix, struct volume *volume)
{
	size_t panel = matrix_panel_bytes(matrix);

	if (matrix->levels != NULL)
		panel = (matrix_level_inputs(matrix) +
		         matrix_level_blocks(matrix) * (sizeof(float) + sizeof(int32_t))) *
		        PANEL;
	else if (matrix->e4m3 != NULL && engine->ops->streams_e4m3)
		panel = (size_t)matrix->n_in * PANEL;
	volume->bytes += (uint64_t)panel * matrix_n_panels(matrix);
}

static void count(const struct engine *engine, const struct matrix *matrix, struct volume *volume)
{
	volume->n_values += n_values(matrix);
	count_bytes(engine, matrix, volume);
}

static void count_mlp(const struct engine *engine, const struct mlp_weights *mlp, struct volume *volume)
{
	count(engine, &mlp->gate, volume);
	count(engine, &mlp->up, volume);
	count(engine, &mlp->down, volume);
}

static void count_mla(const struct engine *engine, const struct mla_weights *mla, struct volume *volume)
{
	const struct model_shape *shape = &engine->shape;
	uint64_t n_heads = shape->num_attention_heads, v = shape->v_head_dim;

	count(engine, &mla->q_a, volume);
	count(engine, &mla->q_b, volume);
	count(engine, &mla->kv_a, volume);
	/* These two are kept in other shapes than the checkpoint's. */
	volume->n_values += n_heads * (shape->qk_nope_head_dim + v) * shape->kv_lora_rank +
	                    shape->hidden_size * n_heads * v;
	count_bytes(engine, &mla->o, volume);
	if (engine->naive)
		count_bytes(engine, &mla->kv_b, volume);
	for (uint64_t h = 0; !engine->naive && h < n_heads; h++) {
		count_bytes(engine, &mla->uk_transposed[h], volume);
		count_bytes(engine, &mla->uv[h], volume);
	}
}

static void count_layer(const struct engine *engine, const struct layer_weights *layer,
                        struct engine_info *ret)
{
	const struct model_shape *shape = &engine->shape;
	struct volume all = { 0 }, experts = { 0 };
	uint64_t n_experts = shape->n_routed_experts, n_used = shape->num_experts_per_tok;

	count_mla(engine, &layer->mla, &all);
	count(engine, &layer->indexer.wq_b, &all);
	count(engine, &layer->indexer.wk, &all);
	count(engine, &layer->indexer.weights_proj, &all);
	count(engine, &layer->moe.gate, &all);
	count_mlp(engine, &layer->moe.shared, &all);
	for (uint32_t e = 0; layer->moe.experts != NULL && e < n_experts; e++)
		count_mlp(engine, &layer->moe.experts[e], &experts);
	ret->n_parameters += all.n_values + experts.n_values;
	ret->n_active_parameters += all.n_values + experts.n_values / n_experts * n_used;
	ret->active_bytes += all.bytes + experts.bytes / n_experts * n_used;
}

void engine_info(const struct engine *engine, struct engine_info *ret)
{
	uint64_t ends = n_values(&engine->head) * (engine->shape.tie_word_embeddings ? 1 : 2);
	struct volume head = { 0 };

	*ret = (struct engine_info){
		.n_parameters = ends,
		.n_active_parameters = ends,
		.file_bytes = checkpoint_bytes(engine->checkpoint),
		.block_bytes = cache_block_bytes(&engine->layout),
		.block_tokens = CACHE_PAGE_TOKENS,
		.n_threads = pool_n_threads(engine->pool),
		.kernels = engine->ops->name,
		.mla_form = engine->naive ? "naive" : "absorbed",
		.numerics = numerics_name(engine->numerics),
	};
	count_bytes(engine, &engine->head, &head);
	ret->active_bytes = head.bytes;
	for (uint32_t i = 0; i < engine->shape.num_hidden_layers; i++)
		count_layer(engine, &engine->layers[i], ret);
}
