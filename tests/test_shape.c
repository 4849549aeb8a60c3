/* config.json in both spellings, the defaults of each family, YaRN by hand, and every refusal by its words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>

#include "base/buf.h"
#include "model/shape.h"
#include "tests/fixture.h"

/* What no family has a default for. */
#define SIZES                                                                             \
	"\"vocab_size\":100,\"hidden_size\":64,\"intermediate_size\":96,"                 \
	"\"moe_intermediate_size\":32,\"num_hidden_layers\":6,\"num_attention_heads\":4," \
	"\"n_routed_experts\":16,\"num_experts_per_tok\":4,\"q_lora_rank\":48,"           \
	"\"kv_lora_rank\":32,\"qk_nope_head_dim\":32,\"qk_rope_head_dim\":16,"            \
	"\"v_head_dim\":24,\"max_position_embeddings\":4096,\"eos_token_id\":1"
#define DEEPSEEK "\"model_type\":\"deepseek_v32\"," SIZES
#define GLM "\"model_type\":\"glm_moe_dsa\"," SIZES

static int setup(void **state)
{
	static struct path folder;

	folder = folder_make();
	*state = &folder;
	return 0;
}

static int teardown(void **state)
{
	folder_remove(*state);
	return 0;
}

/* Keys of `changes` stand in the place of those of `keys`; both are the inside of an object. */
static int read_changed(const struct path *folder, const char *keys, const char *changes,
                        struct model_shape *ret, struct err *err)
{
	struct buf text = { 0 };
	json_t *base, *other;

	buf_printf(&text, "{%s}", keys);
	base = json_loads(text.data, 0, NULL);
	buf_done(&text);
	buf_printf(&text, "{%s}", changes);
	other = json_loads(text.data, 0, NULL);
	buf_done(&text);
	assert_non_null(base);
	assert_non_null(other);
	json_object_update(base, other);
	json_decref(other);
	folder_write_json(folder, "config.json", base);
	return shape_read(folder->text, ret, err);
}

static struct model_shape read_good(const struct path *folder, const char *keys, const char *changes)
{
	struct model_shape shape = { 0 };
	struct err err;

	if (read_changed(folder, keys, changes, &shape, &err) < 0)
		fail_msg("%s", err.text);
	return shape;
}

static void deepseek_has_its_defaults(void **state)
{
	struct model_shape shape = read_good(*state, DEEPSEEK, "");

	assert_int_equal(shape.family, MODEL_DEEPSEEK_V32);
	assert_string_equal(model_family_name(shape.family), "deepseek_v32");
	assert_int_equal(shape.vocab_size, 100);
	assert_int_equal(shape_qk_head_dim(&shape), 48);
	assert_int_equal(shape.index_n_heads, 64);
	assert_int_equal(shape.index_head_dim, 128);
	assert_int_equal(shape.index_topk, 2048);
	assert_int_equal(shape.n_shared_experts, 1);
	assert_int_equal(shape.n_group, 8);
	assert_int_equal(shape.topk_group, 4);
	assert_true(shape.routed_scaling_factor == 2.5F && shape.rms_norm_eps == 1e-6F);
	assert_true(shape.norm_topk_prob && !shape.softmax_gate);
	assert_false(shape.tie_word_embeddings || shape.indexer_rope_interleave);
	assert_int_equal(shape.weight_block_size[0], 128);
	assert_int_equal(shape.weight_block_size[1], 128);
	assert_int_equal(shape.n_eos, 1);
	assert_int_equal(shape.eos_token_id[0], 1);
	for (uint32_t i = 0; i < 6; i++) {
		assert_int_equal(shape.sparse_mlp[i], i >= 3);
		assert_true(shape.full_indexer[i]);
	}
	assert_true(shape.rope_factor == 1);
	assert_true(shape.rope_inv_freq[0] == 1);
	assert_true(shape.rope_inv_freq[4] == 0.01F);
	assert_true(shape.softmax_scale == (float)(1 / sqrt(48)));
	shape_done(&shape);
}

static void glm_has_its_own_defaults(void **state)
{
	struct model_shape shape = read_good(*state, GLM, "");

	assert_int_equal(shape.family, MODEL_GLM_MOE_DSA);
	assert_string_equal(model_family_name(shape.family), "glm_moe_dsa");
	assert_int_equal(shape.index_n_heads, 32);
	assert_int_equal(shape.n_group, 1);
	assert_int_equal(shape.topk_group, 1);
	assert_true(shape.indexer_rope_interleave && shape.rms_norm_eps == 1e-5F);
	shape_done(&shape);
}

static void keys_that_are_given_win_over_defaults(void **state)
{
	struct model_shape shape = read_good(
		*state, DEEPSEEK,
		"\"index_n_heads\":2,\"index_head_dim\":32,\"index_topk\":16,\"n_shared_experts\":0,"
		"\"n_group\":4,\"topk_group\":2,\"routed_scaling_factor\":1,\"rms_norm_eps\":1e-5,"
		"\"norm_topk_prob\":false,\"scoring_func\":\"softmax\",\"topk_method\":\"noaux_tc\","
		"\"tie_word_embeddings\":true,\"indexer_rope_interleave\":true,\"first_k_dense_replace\":1,"
	        "\"moe_layer_freq\":2,"
		"\"quantization_config\":{\"weight_block_size\":[64,32]},\"bos_token_id\":3,"
		"\"eos_token_id\":[4,5]");

	assert_int_equal(shape.index_n_heads, 2);
	assert_int_equal(shape.index_head_dim, 32);
	assert_int_equal(shape.index_topk, 16);
	assert_int_equal(shape.n_shared_experts, 0);
	assert_int_equal(shape.n_group, 4);
	assert_int_equal(shape.topk_group, 2);
	assert_true(shape.routed_scaling_factor == 1 && shape.rms_norm_eps == 1e-5F);
	assert_true(shape.softmax_gate && shape.tie_word_embeddings && shape.indexer_rope_interleave);
	assert_false(shape.norm_topk_prob);
	assert_int_equal(shape.weight_block_size[0], 64);
	assert_int_equal(shape.weight_block_size[1], 32);
	assert_int_equal(shape.bos_token_id, 3);
	assert_int_equal(shape.n_eos, 2);
	assert_int_equal(shape.eos_token_id[1], 5);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(shape.sparse_mlp[i], i == 2 || i == 4);
	shape_done(&shape);
}

static void a_null_is_an_absent_key_and_unknown_keys_are_ignored(void **state)
{
	struct model_shape shape = read_good(
		*state, DEEPSEEK,
		"\"index_topk\":null,\"rope_scaling\":null,\"rope_parameters\":null,"
		"\"architectures\":null,\"quantization_config\":null,\"attention_bias\":null,\"head_dim\":7,"
		"\"n_group\":null,\"indexer_types\":null,\"dtype\":null,\"num_nextn_predict_layers\":1,"
		"\"new\":{}");

	assert_int_equal(shape.index_topk, 2048);
	assert_int_equal(shape.n_group, 8);
	shape_done(&shape);
	shape = read_good(*state, DEEPSEEK, "\"quantization_config\":false,\"eos_token_id\":7");
	assert_int_equal(shape.n_eos, 1);
	assert_int_equal(shape.eos_token_id[0], 7);
	shape_done(&shape);
}

static void experts_have_three_names(void **state)
{
	static const char *const NAMES[] = { "num_local_experts", "num_experts" };

	for (size_t i = 0; i < COUNT(NAMES); i++) {
		struct model_shape shape;
		char changes[128];

		snprintf(changes, sizeof(changes), "\"n_routed_experts\":null,\"%s\":32", NAMES[i]);
		shape = read_good(*state, DEEPSEEK, changes);
		assert_int_equal(shape.n_routed_experts, 32);
		shape_done(&shape);
	}
}

#define YARN_KEYS                                                                                   \
	"\"factor\":40,\"original_max_position_embeddings\":4096,\"beta_fast\":32,\"beta_slow\":1," \
	"\"mscale\":1.0,"                                                                           \
	"\"mscale_all_dim\":1.0"
#define V32 "\"qk_nope_head_dim\":128,\"qk_rope_head_dim\":64,\"index_head_dim\":128,"

static void check_v32_yarn(const struct path *folder, const char *changes)
{
	struct model_shape shape = read_good(folder, DEEPSEEK, changes);

	for (uint32_t j = 0; j < 32; j++) {
		double f = pow(10000, -2.0 * j / 64), ramp = ((double)j - 10) / 13, value;

		ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
		value = f * (1 - ramp) + f / 40 * ramp;
		assert_true(fabs((double)shape.rope_inv_freq[j] / value - 1) < 1e-7);
		if (j <= 10)
			assert_true(shape.rope_inv_freq[j] == (float)f);
		if (j >= 23)
			assert_true(shape.rope_inv_freq[j] == (float)(f / 40));
	}
	assert_true(shape.rope_inv_freq[11] < (float)pow(10000, -22.0 / 64));
	assert_true(shape.rope_inv_freq[22] > (float)(pow(10000, -44.0 / 64) / 40));
	assert_true(fabs((double)shape.softmax_scale - 0.13523378) < 1.5e-8);
	assert_true(shape.rope_factor == 1);
	shape_done(&shape);
}

static void yarn_of_v32_is_the_published_table_in_both_spellings(void **state)
{
	check_v32_yarn(*state, V32 "\"rope_theta\":10000,\"rope_scaling\":{\"type\":\"yarn\"," YARN_KEYS "}");
	check_v32_yarn(*state, V32 "\"rope_scaling\":{\"rope_type\":\"yarn\"," YARN_KEYS "}");
	check_v32_yarn(*state, V32 "\"rope_theta\":5,\"rope_parameters\":{\"rope_theta\":10000.0,"
	                           "\"rope_type\":\"yarn\"," YARN_KEYS "}");
	check_v32_yarn(*state, V32 "\"rope_parameters\":{\"type\":\"yarn\",\"factor\":40.0,\"mscale\":1,"
	                           "\"mscale_all_dim\":1,\"original_max_position_embeddings\":4096}");
}

static void yarn_without_mscale_all_dim_scales_the_angles_not_the_softmax(void **state)
{
	struct model_shape shape =
		read_good(*state, DEEPSEEK,
	                  V32 "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":40,\"mscale_all_dim\":0,"
	                      "\"original_max_position_embeddings\":4096}");

	assert_true(shape.softmax_scale == (float)(1 / sqrt(192)));
	assert_true(fabs((double)shape.rope_factor - 1.3688879) < 1e-6);
	shape_done(&shape);
	shape = read_good(*state, DEEPSEEK,
	                  V32 "\"rope_scaling\":{\"type\":\"yarn\",\"attention_factor\":1.25," YARN_KEYS "}");
	assert_true(shape.rope_factor == 1.25F);
	shape_done(&shape);
}

static void theta_is_read_nested_first_then_flat(void **state)
{
	struct model_shape shape = read_good(*state, GLM, "\"rope_theta\":1000000");

	assert_true(fabs((double)shape.rope_inv_freq[1] - pow(1e6, -0.125)) < 1e-7);
	shape_done(&shape);
	shape = read_good(
		*state, GLM,
		"\"rope_theta\":10,\"rope_parameters\":{\"rope_theta\":8e6,\"rope_type\":\"default\"}");
	assert_true(fabs((double)shape.rope_inv_freq[1] - pow(8e6, -0.125)) < 1e-7);
	shape_done(&shape);
}

static void check_indexers(const struct path *folder, const char *changes, const char *expected)
{
	struct model_shape shape = read_good(folder, GLM, changes);

	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(shape.full_indexer[i], expected[i] == 'F');
	shape_done(&shape);
}

static void the_schedule_of_indexers_has_three_spellings(void **state)
{
	check_indexers(*state, "\"index_topk_freq\":2", "FFSFSF");
	check_indexers(*state, "\"index_topk_freq\":4,\"index_skip_topk_offset\":3", "FFFSSS");
	check_indexers(*state, "\"index_topk_freq\":3,\"index_skip_topk_offset\":1", "FSSFSS");
	check_indexers(*state, "\"index_topk_pattern\":\"FSSFSF\",\"index_topk_freq\":2", "FSSFSF");
	check_indexers(*state,
	               "\"index_topk_pattern\":[\"full\",\"full\",\"shared\",\"full\",\"shared\",\"shared\"]",
	               "FFSFSS");
	check_indexers(*state,
	               "\"indexer_types\":[\"full\",\"shared\",\"shared\",\"full\",\"full\",\"shared\"],"
	               "\"index_topk_pattern\":\"FFFFFF\"",
	               "FSSFFS");
}

static void the_list_of_mlp_layers_wins_over_the_counts(void **state)
{
	static const bool EXPECTED[] = { false, true, false, true, true, false };
	struct model_shape shape =
		read_good(*state, DEEPSEEK,
	                  "\"first_k_dense_replace\":0,\"mlp_layer_types\":[\"dense\",\"sparse\",\"dense\","
	                  "\"sparse\",\"sparse\",\"dense\"]");

	assert_memory_equal(shape.sparse_mlp, EXPECTED, sizeof(EXPECTED));
	shape_done(&shape);
}

struct refusal {
	const char *changes;
	int r;
	const char *words; /* behind the file's name */
};

static void check_refusals(const struct path *folder, const struct refusal *refusals, size_t n)
{
	struct path path = path_of(folder, "config.json");

	for (size_t i = 0; i < n; i++) {
		struct model_shape shape = { .vocab_size = 77 };
		struct err err = { "" };
		struct buf words = { 0 };

		buf_printf(&words, "%s: %s", path.text, refusals[i].words);
		assert_int_equal(read_changed(folder, DEEPSEEK, refusals[i].changes, &shape, &err),
		                 refusals[i].r);
		assert_string_equal(err.text, words.data);
		assert_int_equal(shape.vocab_size, 77);
		buf_done(&words);
	}
}

static void missing_and_foreign_models_are_refused(void **state)
{
	static const struct refusal REFUSALS[] = {
		{ "\"model_type\":null", -EBADMSG, "key 'model_type' is missing" },
		{ "\"model_type\":\"llama\"", -ENOTSUP, "key 'model_type': 'llama' is not supported" },
		{ "\"model_type\":5", -ENOTSUP, "key 'model_type': 'its type' is not supported" },
		{ "\"attention_bias\":true", -ENOTSUP, "key 'attention_bias': true is not supported" },
		{ "\"hidden_act\":\"gelu\"", -ENOTSUP, "key 'hidden_act': 'gelu' is not supported" },
		{ "\"scoring_func\":\"relu\"", -ENOTSUP, "key 'scoring_func': 'relu' is not supported" },
		{ "\"topk_method\":\"greedy\"", -ENOTSUP, "key 'topk_method': 'greedy' is not supported" },
		{ "\"rope_interleave\":false", -ENOTSUP, "key 'rope_interleave': false is not supported" },
		{ "\"mlp_bias\":true", -ENOTSUP, "key 'mlp_bias': true is not supported" },
		{ "\"layer_types\":[\"deepseek_sparse_attention\",\"full_attention\"]", -ENOTSUP,
		  "key 'layer_types', layer 1: 'full_attention' is not supported" },
		{ "\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}", -ENOTSUP,
		  "key 'type': 'linear' is not supported" },
		{ "\"rope_parameters\":{\"rope_type\":\"llama3\"}", -ENOTSUP,
		  "key 'rope_type': 'llama3' is not supported" },
		{ "\"mlp_layer_types\":[\"dense\",\"wide\",\"dense\",\"dense\",\"dense\",\"dense\"]",
		  -ENOTSUP, "key 'mlp_layer_types', layer 1: 'wide' is not supported" },
		{ "\"indexer_types\":[1,2,3,4,5,6]", -ENOTSUP,
		  "key 'indexer_types', layer 0: 'its type' is not supported" },
	};

	check_refusals(*state, REFUSALS, COUNT(REFUSALS));
}

static void impossible_sizes_are_refused(void **state)
{
	static const struct refusal REFUSALS[] = {
		{ "\"vocab_size\":0", -EBADMSG, "key 'vocab_size' is 0, expected 1 to 4194304" },
		{ "\"hidden_size\":-5", -EBADMSG, "key 'hidden_size' is -5, expected 1 to 1048576" },
		{ "\"hidden_size\":64.0", -EBADMSG, "key 'hidden_size' is not a whole number" },
		{ "\"hidden_size\":\"64\"", -EBADMSG, "key 'hidden_size' is not a whole number" },
		{ "\"num_hidden_layers\":4000000000000", -EBADMSG,
		  "key 'num_hidden_layers' is 4000000000000, expected 1 to 1024" },
		{ "\"q_lora_rank\":null", -EBADMSG, "key 'q_lora_rank' is missing" },
		{ "\"qk_rope_head_dim\":15", -EBADMSG,
		  "key 'qk_rope_head_dim' is 15: it must be even and at most 'index_head_dim' (128)" },
		{ "\"qk_rope_head_dim\":16,\"index_head_dim\":8", -EBADMSG,
		  "key 'qk_rope_head_dim' is 16: it must be even and at most 'index_head_dim' (8)" },
		{ "\"qk_head_dim\":47", -EBADMSG,
		  "key 'qk_head_dim' is not 'qk_nope_head_dim' + 'qk_rope_head_dim' (48)" },
		{ "\"index_topk\":0", -EBADMSG, "key 'index_topk' is 0, expected 1 to 65536" },
		{ "\"num_experts_per_tok\":17", -EBADMSG,
		  "key 'num_experts_per_tok' is 17, expected 1 to 16" },
		{ "\"n_group\":3,\"topk_group\":1", -EBADMSG,
		  "16 experts in 3 groups of which 1 are kept cannot give 4 experts a token" },
		{ "\"n_group\":16,\"topk_group\":4", -EBADMSG,
		  "16 experts in 16 groups of which 4 are kept cannot give 4 experts a token" },
		{ "\"n_group\":8,\"topk_group\":1", -EBADMSG,
		  "16 experts in 8 groups of which 1 are kept cannot give 4 experts a token" },
		{ "\"n_group\":4,\"topk_group\":5", -EBADMSG, "key 'topk_group' is 5, expected 1 to 4" },
		{ "\"quantization_config\":{\"weight_block_size\":[128]}", -EBADMSG,
		  "key 'weight_block_size' is not two sizes" },
		{ "\"quantization_config\":{\"weight_block_size\":[128,0]}", -EBADMSG,
		  "key 'weight_block_size' is not two sizes" },
	};

	check_refusals(*state, REFUSALS, COUNT(REFUSALS));
}

static void impossible_values_are_refused(void **state)
{
	static const struct refusal REFUSALS[] = {
		{ "\"rms_norm_eps\":0", -EBADMSG, "key 'rms_norm_eps' is not a number from 1e-12 to 1" },
		{ "\"rms_norm_eps\":\"small\"", -EBADMSG,
		  "key 'rms_norm_eps' is not a number from 1e-12 to 1" },
		{ "\"norm_topk_prob\":1", -EBADMSG, "key 'norm_topk_prob' is not true or false" },
		{ "\"rope_theta\":1", -EBADMSG, "key 'rope_theta' is not a number from 1.001 to 1e+12" },
		{ "\"rope_scaling\":[]", -EBADMSG, "the rope parameters are not an object" },
		{ "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4}", -EBADMSG,
		  "YaRN without 'original_max_position_embeddings'" },
		{ "\"rope_scaling\":{\"type\":\"yarn\",\"original_max_position_embeddings\":64}", -EBADMSG,
		  "YaRN without 'factor'" },
		{ "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":0.5}", -EBADMSG,
		  "key 'factor' is not a number from 1 to 1e+06" },
		{ "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4,\"mscale_all_dim\":-10}", -EBADMSG,
		  "key 'mscale_all_dim' is not a number from 0 to 1000" },
		{ "\"bos_token_id\":100", -EBADMSG, "key 'bos_token_id' is 100, expected 0 to 99" },
		{ "\"eos_token_id\":null", -EBADMSG, "key 'eos_token_id' is missing" },
		{ "\"eos_token_id\":100", -EBADMSG, "key 'eos_token_id' is not a token id" },
		{ "\"eos_token_id\":[1,\"2\"]", -EBADMSG, "key 'eos_token_id' is not a token id" },
		{ "\"eos_token_id\":[1,2,3,4,5,6,7,8,9]", -EBADMSG,
		  "key 'eos_token_id' has 9 entries, at most 8 are possible" },
		{ "\"mlp_layer_types\":[\"dense\"]", -EBADMSG,
		  "key 'mlp_layer_types' is not a list of 6 layers" },
		{ "\"index_topk_pattern\":\"FFF\"", -EBADMSG,
		  "key 'index_topk_pattern' is not 6 letters F or S" },
		{ "\"index_topk_pattern\":\"FFXFFF\"", -EBADMSG,
		  "key 'index_topk_pattern' is not 6 letters F or S" },
		{ "\"index_topk_pattern\":3", -EBADMSG, "key 'index_topk_pattern' is not 6 letters F or S" },
		{ "\"index_topk_pattern\":\"SFFFFF\"", -EBADMSG,
		  "layer 0 shares an indexer's choice, but none is before it" },
	};

	check_refusals(*state, REFUSALS, COUNT(REFUSALS));
}

static void every_size_without_a_default_must_be_there(void **state)
{
	static const char *const KEYS[] = {
		"vocab_size",        "hidden_size",
		"intermediate_size", "moe_intermediate_size",
		"num_hidden_layers", "num_attention_heads",
		"n_routed_experts",  "num_experts_per_tok",
		"q_lora_rank",       "kv_lora_rank",
		"qk_nope_head_dim",  "qk_rope_head_dim",
		"v_head_dim",        "max_position_embeddings",
	};

	for (size_t i = 0; i < COUNT(KEYS); i++) {
		char changes[64], words[64];
		struct refusal refusal = { changes, -EBADMSG, words };

		snprintf(changes, sizeof(changes), "\"%s\":null", KEYS[i]);
		snprintf(words, sizeof(words), "key '%s' is missing", KEYS[i]);
		check_refusals(*state, &refusal, 1);
	}
}

static void what_is_no_configuration_is_refused(void **state)
{
	const struct path *folder = *state;
	struct model_shape shape;
	struct err err;
	struct path path = path_of(folder, "config.json");

	folder_write(folder, "config.json", "[]", 2);
	assert_int_equal(shape_read(folder->text, &shape, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "not an object"));
	folder_write(folder, "config.json", "{\"a\":", 5);
	assert_int_equal(shape_read(folder->text, &shape, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "not valid JSON"));
	folder_write(folder, "config.json", "{\"a\":1,\"a\":2}", 13);
	assert_int_equal(shape_read(folder->text, &shape, &err), -EBADMSG);
	assert_int_equal(unlink(path.text), 0);
	assert_int_equal(shape_read(folder->text, &shape, &err), -ENOENT);
	assert_non_null(strstr(err.text, path.text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deepseek_has_its_defaults),
		cmocka_unit_test(glm_has_its_own_defaults),
		cmocka_unit_test(keys_that_are_given_win_over_defaults),
		cmocka_unit_test(a_null_is_an_absent_key_and_unknown_keys_are_ignored),
		cmocka_unit_test(experts_have_three_names),
		cmocka_unit_test(yarn_of_v32_is_the_published_table_in_both_spellings),
		cmocka_unit_test(yarn_without_mscale_all_dim_scales_the_angles_not_the_softmax),
		cmocka_unit_test(theta_is_read_nested_first_then_flat),
		cmocka_unit_test(the_schedule_of_indexers_has_three_spellings),
		cmocka_unit_test(the_list_of_mlp_layers_wins_over_the_counts),
		cmocka_unit_test(missing_and_foreign_models_are_refused),
		cmocka_unit_test(impossible_sizes_are_refused),
		cmocka_unit_test(impossible_values_are_refused),
		cmocka_unit_test(every_size_without_a_default_must_be_there),
		cmocka_unit_test(what_is_no_configuration_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
