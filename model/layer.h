/* One transformer layer, in the paper's order: x += attention(norm(x)); x += feed_forward(norm(x)). */
#ifndef SKIMD_MODEL_LAYER_H
#define SKIMD_MODEL_LAYER_H

#include "model/indexer.h"
#include "model/mla.h"
#include "model/moe.h"

struct layer_weights {
	float *input_norm, *post_attention_norm; /* [hidden_size] */
	struct mla_weights mla;
	struct indexer_weights indexer; /* empty where full_indexer is false */
	struct moe_weights moe;
};

int layer_load(struct layer_weights *weights, const struct checkpoint *checkpoint,
               const struct model_shape *shape, uint32_t layer, bool naive, struct err *err);
void layer_done(struct layer_weights *weights, const struct model_shape *shape);

/* Products that one layer may list at once. */
size_t layer_n_products(const struct model_shape *shape);

void layer_forward(struct pass *pass, const struct layer_weights *weights, uint32_t layer,
                   struct product *products);

#endif
