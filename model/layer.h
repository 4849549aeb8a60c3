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

/* For NUMERICS_INT8: round the matrices that make up most of the arithmetic, once loaded. What chooses, the indexer and
 * the router, and what meets cached rows, kv_b, stay as they are; so does the head, whose inputs bear rounding least. What
 * each costs is in bench/README.md. -ENOMEM. */
int layer_to_levels(struct layer_weights *weights, const struct model_shape *shape);

void layer_done(struct layer_weights *weights, const struct model_shape *shape);

/* Products that one layer may list at once. */
size_t layer_n_products(const struct model_shape *shape);

void layer_forward(struct pass *pass, const struct layer_weights *weights, uint32_t layer,
                   struct product *products);

#endif
