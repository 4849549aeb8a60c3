/* config.json as one struct, every value checked, of the families deepseek_v32 and glm_moe_dsa, in both spellings
 * (rope_scaling and rope_parameters). Fields keep config.json's names. */
#ifndef SKIMD_MODEL_SHAPE_H
#define SKIMD_MODEL_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum model_family { MODEL_DEEPSEEK_V32, MODEL_GLM_MOE_DSA };

#define MODEL_MAX_EOS 8

struct model_shape {
	enum model_family family;
	uint32_t vocab_size, hidden_size, intermediate_size, moe_intermediate_size;
	uint32_t num_hidden_layers, num_attention_heads;
	uint32_t q_lora_rank, kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim;
	uint32_t index_n_heads, index_head_dim; /* the indexer: heads, width, */
	uint32_t index_topk; /* and tokens kept for each query */
	uint32_t n_routed_experts, n_shared_experts, num_experts_per_tok, n_group, topk_group;
	float routed_scaling_factor, rms_norm_eps;
	bool norm_topk_prob, softmax_gate; /* scoring_func: softmax instead of sigmoid */
	bool tie_word_embeddings, indexer_rope_interleave;
	uint32_t max_position_embeddings;
	uint32_t bos_token_id, eos_token_id[MODEL_MAX_EOS], n_eos;
	uint32_t weight_block_size[2]; /* rows and columns that share a scale */

	/* What follows from them. */
	bool *sparse_mlp; /* [num_hidden_layers] experts, not a dense MLP */
	bool *full_indexer; /* [num_hidden_layers] scores by itself; else it reuses the choice before it */
	float *rope_inv_freq; /* [qk_rope_head_dim / 2] */
	float rope_factor; /* on cos and sin */
	float softmax_scale; /* (n + e)^-0.5 * m^2 */
};

/* Read dir/config.json. *ret is filled on success and then freed by shape_done(). -ENOENT: no such file;
 * -EBADMSG: a key is missing, has the wrong type or an impossible value; -ENOTSUP: a model of another kind. */
int shape_read(const char *dir, struct model_shape *ret, struct err *err);
void shape_done(struct model_shape *shape);

const char *model_family_name(enum model_family family);

/* qk_nope_head_dim + qk_rope_head_dim: what one head's query and key hold. */
static inline uint32_t shape_qk_head_dim(const struct model_shape *shape)
{
	return shape->qk_nope_head_dim + shape->qk_rope_head_dim;
}

#endif
