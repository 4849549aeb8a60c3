/* config.json of a checkpoint. What is accepted has no size of 0 that something divides by, and its lists are as long as
 * it says. */
#include <math.h>

#include "fuzz/target.h"
#include "model/shape.h"

static void check_shape(const struct model_shape *shape)
{
	unsigned n_sparse = 0;

	REQUIRE(shape->vocab_size > 0 && shape->hidden_size > 0 && shape->num_hidden_layers > 0);
	REQUIRE(shape->num_attention_heads > 0 && shape->index_n_heads > 0 && shape->index_topk > 0);
	REQUIRE(shape->qk_rope_head_dim > 0 && shape->qk_rope_head_dim % 2 == 0);
	REQUIRE(shape->index_head_dim >= shape->qk_rope_head_dim);
	REQUIRE(shape->n_eos <= MODEL_MAX_EOS);
	REQUIRE(isfinite(shape->softmax_scale) && isfinite(shape->rope_factor));
	for (uint32_t layer = 0; layer < shape->num_hidden_layers; layer++)
		n_sparse += shape->sparse_mlp[layer] + shape->full_indexer[layer];
	REQUIRE(n_sparse == 0 || shape->full_indexer[0]);
	for (uint32_t i = 0; i < shape->qk_rope_head_dim / 2; i++)
		REQUIRE(!isnan(shape->rope_inv_freq[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct model_shape shape;
	struct err err = { "" };
	char folder[PATH_MAX];

	scratch_path("", folder);
	scratch_write("config.json", bytes, n);
	if (shape_read(folder, &shape, &err) < 0) {
		REQUIRE(err.text[0] != '\0');
		return 0;
	}
	check_shape(&shape);
	shape_done(&shape);
	return 0;
}
