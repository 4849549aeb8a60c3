/* Multi-head latent attention (DeepSeek-V2 report, section 2.1): a token keeps a latent c [kv_lora_rank] and one rotated
 * key [qk_rope_head_dim] for all heads. By head h, with kv_b's W_UK[h] [nope, rank] and W_UV[h] [v, rank]:
 *   naive:     k = W_UK c, v = W_UV c;  score = scale * (q_nope . k + q_rope . k_rope);  out = sum p v
 *   absorbed:  q~ = W_UK^T q_nope;  score = scale * (q~ . c + q_rope . k_rope);  out = W_UV (sum p c)
 * Equal in exact arithmetic. The absorbed form reads one row for all heads and expands nothing; the naive one is the
 * definition, and the twin that tests hold it against. */
#ifndef SKIMD_MODEL_MLA_H
#define SKIMD_MODEL_MLA_H

#include "model/indexer.h"
#include "model/pass.h"

struct mla_weights {
	struct matrix q_a, q_b, kv_a, o;
	float *q_a_norm, *kv_a_norm; /* [q_lora_rank], [kv_lora_rank] */
	struct matrix *uk_transposed; /* [heads] of [rank, nope]; absorbed form */
	struct matrix *uv; /* [heads] of [v, rank]; absorbed form, dense.h */
	float *uk; /* [heads][nope][rank]; dense.h */
	struct matrix kv_b; /* [heads * (nope + v), rank]; naive form */
};

int mla_load(struct mla_weights *mla, const struct checkpoint *checkpoint, const struct model_shape *shape,
             uint32_t layer, bool naive, struct err *err);
/* All but kv_b; see layer_to_levels(). -ENOMEM. */
int mla_to_levels(struct mla_weights *mla);
void mla_done(struct mla_weights *mla, const struct model_shape *shape);

/* The whole block: u (normed) in, pass->u out; writes the rows' latents and keys to the cache, selects, attends. indexer
 * is NULL in a layer that reuses the choice of the layer before. products is scratch of layer_n_products(). */
void mla_forward(struct pass *pass, const struct mla_weights *mla, const struct indexer_weights *indexer,
                 uint32_t layer, struct product *products);

#endif
