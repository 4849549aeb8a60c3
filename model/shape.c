#include "model/shape.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/json.h"

#define MAX_CONFIG_BYTES ((size_t)4 << 20)
#define MAX_LAYERS 1024
#define MAX_WIDTH (1u << 20)
#define MAX_POSITIONS (1u << 24)
#define MAX_TOPK (1u << 16)

/* One config.json being read: the first failure sticks, later calls do nothing. */
struct config {
	const char *path;
	json_t *root;
	struct err *err;
	int r;
};

/* A null is an absent key. */
static const json_t *lookup(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

static uint32_t read_count(struct config *config, const char *key, int64_t absent, uint32_t min, uint32_t max)
{
	const json_t *value = lookup(config->root, key);
	json_int_t n = absent;

	if (config->r < 0)
		return min;
	if (value == NULL && absent < 0) {
		config->r = err_set(config->err, -EBADMSG, "%s: key '%s' is missing", config->path, key);
		return min;
	}
	if (value != NULL && !json_is_integer(value)) {
		config->r = err_set(config->err, -EBADMSG, "%s: key '%s' is not a whole number", config->path,
		                    key);
		return min;
	}
	if (value != NULL)
		n = json_integer_value(value);
	if (n < min || n > max) {
		config->r = err_set(config->err, -EBADMSG, "%s: key '%s' is %lld, expected %u to %u",
		                    config->path, key, (long long)n, min, max);
		return min;
	}
	return (uint32_t)n;
}

static double read_number_of(struct config *config, const json_t *object, const char *key, double absent,
                             double min, double max)
{
	const json_t *value = lookup(object, key);

	if (config->r < 0 || value == NULL)
		return absent;
	if (!json_is_number(value) || !(json_number_value(value) >= min && json_number_value(value) <= max)) {
		config->r = err_set(config->err, -EBADMSG, "%s: key '%s' is not a number from %g to %g",
		                    config->path, key, min, max);
		return absent;
	}
	return json_number_value(value);
}

static bool read_bool(struct config *config, const char *key, bool absent)
{
	const json_t *value = lookup(config->root, key);

	if (config->r < 0 || value == NULL)
		return absent;
	if (!json_is_boolean(value)) {
		config->r = err_set(config->err, -EBADMSG, "%s: key '%s' is not true or false", config->path,
		                    key);
		return absent;
	}
	return json_is_true(value);
}

/* The index of the key's word among words (ended by NULL); the first one when the key is absent. */
static unsigned read_word(struct config *config, const json_t *object, const char *key,
                          const char *const *words)
{
	const json_t *value = lookup(object, key);

	if (config->r < 0 || value == NULL)
		return 0;
	for (unsigned i = 0; json_is_string(value) && words[i] != NULL; i++) {
		if (strcmp(json_string_value(value), words[i]) == 0)
			return i;
	}
	config->r = err_set(config->err, -ENOTSUP, "%s: key '%s': '%s' is not supported", config->path, key,
	                    json_is_string(value) ? json_string_value(value) : "its type");
	return 0;
}

static void read_family(struct config *config, struct model_shape *shape)
{
	static const char *const FAMILIES[] = { "deepseek_v32", "glm_moe_dsa", NULL };

	if (lookup(config->root, "model_type") == NULL)
		config->r = err_set(config->err, -EBADMSG, "%s: key 'model_type' is missing", config->path);
	shape->family = (enum model_family)read_word(config, config->root, "model_type", FAMILIES);
}

static void read_sizes(struct config *config, struct model_shape *shape)
{
	bool deepseek = shape->family == MODEL_DEEPSEEK_V32;

	shape->vocab_size = read_count(config, "vocab_size", -1, 1, 1u << 22);
	shape->hidden_size = read_count(config, "hidden_size", -1, 1, MAX_WIDTH);
	shape->intermediate_size = read_count(config, "intermediate_size", -1, 1, MAX_WIDTH);
	shape->num_hidden_layers = read_count(config, "num_hidden_layers", -1, 1, MAX_LAYERS);
	shape->num_attention_heads = read_count(config, "num_attention_heads", -1, 1, 1024);
	shape->q_lora_rank = read_count(config, "q_lora_rank", -1, 1, MAX_WIDTH);
	shape->kv_lora_rank = read_count(config, "kv_lora_rank", -1, 1, 8192);
	shape->qk_nope_head_dim = read_count(config, "qk_nope_head_dim", -1, 1, 4096);
	shape->qk_rope_head_dim = read_count(config, "qk_rope_head_dim", -1, 2, 4096);
	shape->v_head_dim = read_count(config, "v_head_dim", -1, 1, 4096);
	shape->index_n_heads = read_count(config, "index_n_heads", deepseek ? 64 : 32, 1, 1024);
	shape->index_head_dim = read_count(config, "index_head_dim", 128, 2, 4096);
	shape->index_topk = read_count(config, "index_topk", 2048, 1, MAX_TOPK);
	shape->max_position_embeddings = read_count(config, "max_position_embeddings", -1, 1, MAX_POSITIONS);
	if (config->r == 0 &&
	    (shape->qk_rope_head_dim % 2 != 0 || shape->index_head_dim < shape->qk_rope_head_dim))
		config->r = err_set(
			config->err, -EBADMSG,
			"%s: key 'qk_rope_head_dim' is %u: it must be even and at most 'index_head_dim' (%u)",
			config->path, shape->qk_rope_head_dim, shape->index_head_dim);
	if (lookup(config->root, "qk_head_dim") != NULL &&
	    read_count(config, "qk_head_dim", -1, 1, 8192) != shape_qk_head_dim(shape) && config->r == 0)
		config->r =
			err_set(config->err, -EBADMSG,
		                "%s: key 'qk_head_dim' is not 'qk_nope_head_dim' + 'qk_rope_head_dim' (%u)",
		                config->path, shape_qk_head_dim(shape));
}

static const char *experts_key(const struct config *config)
{
	static const char *const KEYS[] = { "n_routed_experts", "num_local_experts", "num_experts" };

	for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
		if (lookup(config->root, KEYS[i]) != NULL)
			return KEYS[i];
	}
	return KEYS[0];
}

static void read_experts(struct config *config, struct model_shape *shape)
{
	static const char *const SCORING[] = { "sigmoid", "softmax", NULL };
	static const char *const METHODS[] = { "noaux_tc", NULL };
	uint32_t in_group;

	shape->moe_intermediate_size = read_count(config, "moe_intermediate_size", -1, 1, MAX_WIDTH);
	shape->n_routed_experts = read_count(config, experts_key(config), -1, 1, 4096);
	shape->n_shared_experts = read_count(config, "n_shared_experts", 1, 0, 64);
	shape->num_experts_per_tok =
		read_count(config, "num_experts_per_tok", -1, 1, shape->n_routed_experts);
	shape->n_group = read_count(config, "n_group", shape->family == MODEL_DEEPSEEK_V32 ? 8 : 1, 1,
	                            shape->n_routed_experts);
	shape->topk_group = read_count(config, "topk_group", shape->family == MODEL_DEEPSEEK_V32 ? 4 : 1, 1,
	                               shape->n_group);
	shape->routed_scaling_factor =
		(float)read_number_of(config, config->root, "routed_scaling_factor", 2.5, -1e6, 1e6);
	shape->softmax_gate = read_word(config, config->root, "scoring_func", SCORING) == 1;
	read_word(config, config->root, "topk_method", METHODS);
	shape->norm_topk_prob = read_bool(config, "norm_topk_prob", true);
	if (config->r < 0)
		return;
	in_group = shape->n_routed_experts / shape->n_group;
	if (shape->n_routed_experts % shape->n_group != 0 || (shape->n_group > 1 && in_group < 2) ||
	    shape->topk_group * in_group < shape->num_experts_per_tok)
		config->r = err_set(
			config->err, -EBADMSG,
			"%s: %u experts in %u groups of which %u are kept cannot give %u experts a token",
			config->path, shape->n_routed_experts, shape->n_group, shape->topk_group,
			shape->num_experts_per_tok);
}

/* YaRN: low frequencies are divided by the factor, high ones stay, with a ramp between (dsa-reference 3.2). */
static void yarn_frequencies(struct model_shape *shape, double theta, double factor, double original,
                             double beta_fast, double beta_slow)
{
	uint32_t e = shape->qk_rope_head_dim;
	double log_theta = 2 * log(theta), two_pi = 2 * M_PI;
	double low = floor(e * log(original / (beta_fast * two_pi)) / log_theta);
	double high = ceil(e * log(original / (beta_slow * two_pi)) / log_theta);

	low = fmax(low, 0);
	high = fmin(high, e - 1);
	if (low == high)
		high += 0.001;
	for (uint32_t j = 0; j < e / 2; j++) {
		double f = pow(theta, -2.0 * j / e);
		double ramp = fmin(fmax((j - low) / (high - low), 0), 1);

		shape->rope_inv_freq[j] = (float)(f * (1 - ramp) + f / factor * ramp);
	}
}

static double yarn_mscale(double factor, double mscale)
{
	return factor > 1 && mscale != 0 ? 0.1 * mscale * log(factor) + 1 : 1;
}

static void read_yarn(struct config *config, struct model_shape *shape, const json_t *rope, double theta)
{
	double factor = read_number_of(config, rope, "factor", 0, 1, 1e6);
	double original =
		read_number_of(config, rope, "original_max_position_embeddings", 0, 1, MAX_POSITIONS);
	double beta_fast = read_number_of(config, rope, "beta_fast", 32, 1e-6, 1e6);
	double beta_slow = read_number_of(config, rope, "beta_slow", 1, 1e-6, 1e6);
	double mscale = read_number_of(config, rope, "mscale", 1, 0, 1e3);
	double mscale_all_dim = read_number_of(config, rope, "mscale_all_dim", 0, 0, 1e3);
	double m = yarn_mscale(factor, mscale_all_dim);

	if (config->r == 0 && (factor == 0 || original == 0))
		config->r = err_set(config->err, -EBADMSG, "%s: YaRN without '%s'", config->path,
		                    factor == 0 ? "factor" : "original_max_position_embeddings");
	if (config->r < 0)
		return;
	yarn_frequencies(shape, theta, factor, original, beta_fast, beta_slow);
	shape->rope_factor = (float)read_number_of(config, rope, "attention_factor",
	                                           yarn_mscale(factor, mscale) / m, 1e-3, 1e3);
	shape->softmax_scale = (float)(pow(shape_qk_head_dim(shape), -0.5) * m * m);
}

static void read_rope(struct config *config, struct model_shape *shape)
{
	static const char *const TYPES[] = { "default", "yarn", NULL };
	const json_t *rope = lookup(config->root, "rope_parameters");
	double theta;

	if (config->r < 0)
		return;
	if (rope == NULL)
		rope = lookup(config->root, "rope_scaling");
	if (rope != NULL && !json_is_object(rope)) {
		config->r = err_set(config->err, -EBADMSG, "%s: the rope parameters are not an object",
		                    config->path);
		return;
	}
	theta = read_number_of(config, config->root, "rope_theta", 10000, 1.001, 1e12);
	theta = read_number_of(config, rope, "rope_theta", theta, 1.001, 1e12);
	shape->rope_inv_freq = array_new(float, shape->qk_rope_head_dim / 2);
	if (shape->rope_inv_freq == NULL) {
		config->r = err_set(config->err, -ENOMEM, "%s: no memory", config->path);
		return;
	}
	shape->rope_factor = 1;
	shape->softmax_scale = (float)pow(shape_qk_head_dim(shape), -0.5);
	if (read_word(config, rope, lookup(rope, "rope_type") != NULL ? "rope_type" : "type", TYPES) == 1) {
		read_yarn(config, shape, rope, theta);
		return;
	}
	for (uint32_t j = 0; j < shape->qk_rope_head_dim / 2; j++)
		shape->rope_inv_freq[j] = (float)pow(theta, -2.0 * j / shape->qk_rope_head_dim);
}

/* A list of num_hidden_layers words, each one of two; *ret[i] is whether it is the second. False: no such key. */
static bool read_layer_words(struct config *config, const struct model_shape *shape, const char *key,
                             const char *const *words, bool *ret)
{
	const json_t *list = lookup(config->root, key);

	if (config->r < 0 || list == NULL)
		return false;
	if (!json_is_array(list) || json_array_size(list) < shape->num_hidden_layers) {
		config->r = err_set(config->err, -EBADMSG, "%s: key '%s' is not a list of %u layers",
		                    config->path, key, shape->num_hidden_layers);
		return true;
	}
	for (uint32_t i = 0; i < shape->num_hidden_layers; i++) {
		const char *word = json_string_value(json_array_get(list, i));

		if (word == NULL || (strcmp(word, words[0]) != 0 && strcmp(word, words[1]) != 0)) {
			config->r = err_set(config->err, -ENOTSUP,
			                    "%s: key '%s', layer %u: '%s' is not supported", config->path,
			                    key, i, word == NULL ? "its type" : word);
			return true;
		}
		ret[i] = strcmp(word, words[1]) == 0;
	}
	return true;
}

static void read_mlp_layers(struct config *config, struct model_shape *shape)
{
	static const char *const WORDS[] = { "dense", "sparse" };
	uint32_t dense = read_count(config, "first_k_dense_replace", 3, 0, MAX_LAYERS);
	uint32_t every = read_count(config, "moe_layer_freq", 1, 1, MAX_LAYERS);

	if (config->r < 0 || read_layer_words(config, shape, "mlp_layer_types", WORDS, shape->sparse_mlp))
		return;
	for (uint32_t i = 0; i < shape->num_hidden_layers; i++)
		shape->sparse_mlp[i] = i >= dense && i % every == 0;
}

static const char *const INDEXER_WORDS[] = { "shared", "full" };

/* index_topk_pattern: a string of F and S, or a list of the words that indexer_types has. */
static bool read_topk_pattern(struct config *config, struct model_shape *shape)
{
	const json_t *pattern = lookup(config->root, "index_topk_pattern");

	if (config->r < 0 || pattern == NULL)
		return false;
	if (json_is_array(pattern))
		return read_layer_words(config, shape, "index_topk_pattern", INDEXER_WORDS,
		                        shape->full_indexer);
	for (uint32_t i = 0; i < shape->num_hidden_layers; i++) {
		const char *letters = json_string_value(pattern);

		if (letters == NULL || json_string_length(pattern) < shape->num_hidden_layers ||
		    (letters[i] != 'F' && letters[i] != 'S')) {
			config->r = err_set(config->err, -EBADMSG,
			                    "%s: key 'index_topk_pattern' is not %u letters F or S",
			                    config->path, shape->num_hidden_layers);
			return true;
		}
		shape->full_indexer[i] = letters[i] == 'F';
	}
	return true;
}

static void read_indexer_layers(struct config *config, struct model_shape *shape)
{
	uint32_t every = read_count(config, "index_topk_freq", 1, 1, MAX_LAYERS);
	uint32_t offset = read_count(config, "index_skip_topk_offset", 2, 0, MAX_LAYERS);

	if (config->r == 0 &&
	    !read_layer_words(config, shape, "indexer_types", INDEXER_WORDS, shape->full_indexer) &&
	    !read_topk_pattern(config, shape)) {
		for (uint32_t i = 0; i < shape->num_hidden_layers; i++)
			shape->full_indexer[i] = (i + 1 > offset ? i + 1 - offset : 0) % every == 0;
	}
	if (config->r == 0 && !shape->full_indexer[0])
		config->r = err_set(config->err, -EBADMSG,
		                    "%s: layer 0 shares an indexer's choice, but none is before it",
		                    config->path);
}

static void read_layers(struct config *config, struct model_shape *shape)
{
	const json_t *kinds = lookup(config->root, "layer_types");
	const json_t *kind;
	size_t i;

	if (config->r < 0)
		return;
	json_array_foreach(kinds, i, kind)
	{
		const char *word = json_string_value(kind);

		if (word == NULL || strcmp(word, "deepseek_sparse_attention") != 0) {
			config->r = err_set(config->err, -ENOTSUP,
			                    "%s: key 'layer_types', layer %zu: '%s' is not supported",
			                    config->path, i, word == NULL ? "its type" : word);
			return;
		}
	}
	shape->sparse_mlp = array_new(bool, shape->num_hidden_layers);
	shape->full_indexer = array_new(bool, shape->num_hidden_layers);
	if (shape->sparse_mlp == NULL || shape->full_indexer == NULL) {
		config->r = err_set(config->err, -ENOMEM, "%s: no memory", config->path);
		return;
	}
	read_mlp_layers(config, shape);
	read_indexer_layers(config, shape);
}

static void read_token_ids(struct config *config, struct model_shape *shape)
{
	const json_t *eos = lookup(config->root, "eos_token_id");
	size_t n = json_is_array(eos) ? json_array_size(eos) : eos != NULL;

	shape->bos_token_id = read_count(config, "bos_token_id", 0, 0, shape->vocab_size - 1);
	if (config->r == 0 && n > MODEL_MAX_EOS)
		config->r = err_set(config->err, -EBADMSG,
		                    "%s: key 'eos_token_id' has %zu entries, at most %d are possible",
		                    config->path, n, MODEL_MAX_EOS);
	if (config->r == 0 && n == 0)
		config->r = err_set(config->err, -EBADMSG, "%s: key 'eos_token_id' is missing", config->path);
	for (size_t i = 0; config->r == 0 && i < n; i++) {
		const json_t *id = json_is_array(eos) ? json_array_get(eos, i) : eos;

		if (!json_is_integer(id) || json_integer_value(id) < 0 ||
		    json_integer_value(id) >= shape->vocab_size)
			config->r = err_set(config->err, -EBADMSG, "%s: key 'eos_token_id' is not a token id",
			                    config->path);
		else
			shape->eos_token_id[shape->n_eos++] = (uint32_t)json_integer_value(id);
	}
}

static void read_quantization(struct config *config, struct model_shape *shape)
{
	const json_t *quantization = lookup(config->root, "quantization_config");
	const json_t *block = lookup(quantization, "weight_block_size");

	shape->weight_block_size[0] = shape->weight_block_size[1] = 128;
	for (size_t i = 0; config->r == 0 && block != NULL && i < 2; i++) {
		json_int_t n = json_integer_value(json_array_get(block, i));

		if (json_array_size(block) != 2 || n < 1 || n > MAX_WIDTH)
			config->r = err_set(config->err, -EBADMSG,
			                    "%s: key 'weight_block_size' is not two sizes", config->path);
		else
			shape->weight_block_size[i] = (uint32_t)n;
	}
}

static void read_rest(struct config *config, struct model_shape *shape)
{
	static const char *const ACTIVATIONS[] = { "silu", NULL };

	read_word(config, config->root, "hidden_act", ACTIVATIONS);
	shape->rms_norm_eps =
		(float)read_number_of(config, config->root, "rms_norm_eps",
	                              shape->family == MODEL_GLM_MOE_DSA ? 1e-5 : 1e-6, 1e-12, 1);
	shape->tie_word_embeddings = read_bool(config, "tie_word_embeddings", false);
	shape->indexer_rope_interleave =
		read_bool(config, "indexer_rope_interleave", shape->family == MODEL_GLM_MOE_DSA);
	if (!read_bool(config, "rope_interleave", true))
		config->r = err_set(config->err, -ENOTSUP,
		                    "%s: key 'rope_interleave': false is not supported", config->path);
	if (read_bool(config, "mlp_bias", false))
		config->r = err_set(config->err, -ENOTSUP, "%s: key 'mlp_bias': true is not supported",
		                    config->path);
	if (read_bool(config, "attention_bias", false))
		config->r = err_set(config->err, -ENOTSUP, "%s: key 'attention_bias': true is not supported",
		                    config->path);
}

int shape_read(const char *dir, struct model_shape *ret, struct err *err)
{
	char path[PATH_MAX];
	struct model_shape shape = { 0 };
	struct config config = { .path = path, .err = err };

	snprintf(path, sizeof(path), "%s/config.json", dir);
	config.r = json_read_file(path, MAX_CONFIG_BYTES, &config.root, err);
	if (config.r < 0)
		return config.r;
	if (!json_is_object(config.root))
		config.r = err_set(err, -EBADMSG, "%s: not an object", path);
	if (config.r == 0) {
		read_family(&config, &shape);
		read_sizes(&config, &shape);
		read_experts(&config, &shape);
		read_rest(&config, &shape);
		read_quantization(&config, &shape);
		read_token_ids(&config, &shape);
		read_rope(&config, &shape);
		read_layers(&config, &shape);
	}
	json_decref(config.root);
	if (config.r < 0)
		shape_done(&shape);
	else
		*ret = shape;
	return config.r;
}

void shape_done(struct model_shape *shape)
{
	free(shape->sparse_mlp);
	free(shape->full_indexer);
	free(shape->rope_inv_freq);
	*shape = (struct model_shape){ 0 };
}

const char *model_family_name(enum model_family family)
{
	return family == MODEL_DEEPSEEK_V32 ? "deepseek_v32" : "glm_moe_dsa";
}
