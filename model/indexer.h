/* The lightning indexer: scores every past token with a few small heads and picks each query's top k
 * (DeepSeek-V3.2-Exp report, section 2.1). For query t and key s
 *   I[t,s] = sum_j w[t,j] * max(0, q[t,j] . k[s]),  w = (u Wp) * index_n_heads^-0.5 * index_head_dim^-0.5
 * Equal scores go to the lower position. While the context is no longer than index_topk everything is chosen and
 * nothing is scored; the keys are kept all the same.
 *
 * A much longer context's keys are scored by their codes first (index_codes.h), and exactly only where the codes leave
 * open whether a key is among the best. */
#ifndef SKIMD_MODEL_INDEXER_H
#define SKIMD_MODEL_INDEXER_H

#include "model/pass.h"

struct indexer_weights {
	struct matrix wq_b; /* [index_n_heads * index_head_dim, q_lora_rank] */
	struct matrix wk; /* [index_head_dim, hidden_size] */
	struct matrix weights_proj; /* [index_n_heads, hidden_size] */
	float *k_norm, *k_norm_bias; /* [index_head_dim] */
};

int indexer_load(struct indexer_weights *indexer, const struct checkpoint *checkpoint,
                 const struct model_shape *shape, uint32_t layer, struct err *err);
void indexer_done(struct indexer_weights *indexer);

/* index_k and index_w from u: the products that run beside MLA's own; fills ret[2]. */
void indexer_input_products(struct pass *pass, const struct indexer_weights *indexer, struct product *ret);
/* index_q from q_latent. */
struct product indexer_query_product(struct pass *pass, const struct indexer_weights *indexer);

/* Norm, rotation and scaling of one row, in place. */
void indexer_finish_row(struct pass *pass, const struct indexer_weights *indexer, size_t row);

/* For each row, what its attention looks at: row->all, or pass->selected. The keys must be in the cache. */
void indexer_select(struct pass *pass, uint32_t layer);

#endif
