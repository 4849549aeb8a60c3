/* The feed-forward block: a dense MLP, or routed experts beside a shared one. An MLP is down(silu(gate x) * up x). The
 * router, in float32: s = sigmoid(Wg u); experts are chosen by s + e_score_correction_bias, out of the topk_group best
 * groups (a group's score is the sum of its two best; dropped groups count as -inf), equal ones to the lower number;
 * their weights are s, normed to 1 if norm_topk_prob, times routed_scaling_factor. A token's experts are summed in
 * rising order of their number, the shared one last. */
#ifndef SKIMD_MODEL_MOE_H
#define SKIMD_MODEL_MOE_H

#include "model/pass.h"

struct mlp_weights {
	struct matrix gate, up, down;
};

struct moe_weights {
	struct matrix gate; /* [n_routed_experts, hidden_size] */
	float *bias; /* [n_routed_experts], or NULL */
	struct mlp_weights *experts; /* [n_routed_experts] */
	struct mlp_weights shared; /* n_shared_experts * moe_intermediate_size wide, or intermediate_size */
};

/* sparse: router and experts, else the dense MLP alone (in shared). */
int moe_load(struct moe_weights *moe, const struct checkpoint *checkpoint, const struct model_shape *shape,
             uint32_t layer, bool sparse, struct err *err);
/* All but the router; see layer_to_levels(). -ENOMEM. */
int moe_to_levels(struct moe_weights *moe, const struct model_shape *shape);
void moe_done(struct moe_weights *moe, const struct model_shape *shape);

/* u (normed) in, pass->u out. products is scratch of layer_n_products(). */
void moe_forward(struct pass *pass, const struct moe_weights *moe, bool sparse, struct product *products);

/* One token's routing, from its router logits (overwritten): experts[num_experts_per_tok], rising, and their weights. */
void moe_route(const struct model_shape *shape, float *logits, const float *bias, uint32_t *experts,
               float *weights);

#endif
