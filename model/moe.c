#include "model/moe.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static int load_mlp(struct mlp_weights *mlp, const struct checkpoint *checkpoint,
                    const struct model_shape *shape, const char *prefix, uint32_t width, struct err *err)
{
	char gate[160], up[160], down[160];
	int r;

	snprintf(gate, sizeof(gate), "%s.gate_proj.weight", prefix);
	snprintf(up, sizeof(up), "%s.up_proj.weight", prefix);
	snprintf(down, sizeof(down), "%s.down_proj.weight", prefix);
	if ((r = weights_pack(checkpoint, shape, gate, width, shape->hidden_size, &mlp->gate, err)) < 0 ||
	    (r = weights_pack(checkpoint, shape, up, width, shape->hidden_size, &mlp->up, err)) < 0)
		return r;
	return weights_pack(checkpoint, shape, down, shape->hidden_size, width, &mlp->down, err);
}

static void mlp_done(struct mlp_weights *mlp)
{
	matrix_done(&mlp->gate);
	matrix_done(&mlp->up);
	matrix_done(&mlp->down);
}

static int load_router(struct moe_weights *moe, const struct checkpoint *checkpoint,
                       const struct model_shape *shape, uint32_t layer, struct err *err)
{
	char name[160];
	int r;

	snprintf(name, sizeof(name), "model.layers.%u.mlp.gate.weight", layer);
	r = weights_pack(checkpoint, shape, name, shape->n_routed_experts, shape->hidden_size, &moe->gate,
	                 err);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "model.layers.%u.mlp.gate.e_score_correction_bias", layer);
	return weights_read(checkpoint, shape, name, 1, shape->n_routed_experts, &moe->bias, err);
}

static int load_experts(struct moe_weights *moe, const struct checkpoint *checkpoint,
                        const struct model_shape *shape, uint32_t layer, struct err *err)
{
	char prefix[128];
	int r = 0;

	moe->experts = array_new(struct mlp_weights, shape->n_routed_experts);
	if (moe->experts == NULL)
		return err_set(err, -ENOMEM, "no memory for the experts of layer %u", layer);
	for (uint32_t e = 0; r == 0 && e < shape->n_routed_experts; e++) {
		snprintf(prefix, sizeof(prefix), "model.layers.%u.mlp.experts.%u", layer, e);
		r = load_mlp(&moe->experts[e], checkpoint, shape, prefix, shape->moe_intermediate_size, err);
	}
	return r;
}

int moe_load(struct moe_weights *moe, const struct checkpoint *checkpoint, const struct model_shape *shape,
             uint32_t layer, bool sparse, struct err *err)
{
	char prefix[128];
	int r;

	if (!sparse) {
		snprintf(prefix, sizeof(prefix), "model.layers.%u.mlp", layer);
		return load_mlp(&moe->shared, checkpoint, shape, prefix, shape->intermediate_size, err);
	}
	if ((r = load_router(moe, checkpoint, shape, layer, err)) < 0 ||
	    (r = load_experts(moe, checkpoint, shape, layer, err)) < 0 || shape->n_shared_experts == 0)
		return r;
	snprintf(prefix, sizeof(prefix), "model.layers.%u.mlp.shared_experts", layer);
	return load_mlp(&moe->shared, checkpoint, shape, prefix,
	                shape->n_shared_experts * shape->moe_intermediate_size, err);
}

static int mlp_to_levels(struct mlp_weights *mlp)
{
	if (mlp->gate.n_out > 0 && (matrix_to_levels(&mlp->gate) < 0 || matrix_to_levels(&mlp->up) < 0 ||
	                            matrix_to_levels(&mlp->down) < 0))
		return -ENOMEM;
	return 0;
}

int moe_to_levels(struct moe_weights *moe, const struct model_shape *shape)
{
	for (uint32_t e = 0; moe->experts != NULL && e < shape->n_routed_experts; e++) {
		if (mlp_to_levels(&moe->experts[e]) < 0)
			return -ENOMEM;
	}
	return mlp_to_levels(&moe->shared);
}

void moe_done(struct moe_weights *moe, const struct model_shape *shape)
{
	for (uint32_t e = 0; moe->experts != NULL && e < shape->n_routed_experts; e++)
		mlp_done(&moe->experts[e]);
	free(moe->experts);
	free(moe->bias);
	matrix_done(&moe->gate);
	mlp_done(&moe->shared);
}

static void gate_scores(const struct model_shape *shape, float *logits)
{
	if (shape->softmax_gate) {
		softmax(logits, shape->n_routed_experts, 1);
		return;
	}
	for (uint32_t e = 0; e < shape->n_routed_experts; e++)
		logits[e] = (float)(1 / (1 + exp(-(double)logits[e])));
}

static float biased(const float *scores, const float *bias, uint32_t expert)
{
	return bias == NULL ? scores[expert] : scores[expert] + bias[expert];
}

/* A group's score: the sum of its two best. */
static float group_score(const float *scores, const float *bias, uint32_t first, uint32_t n)
{
	float best = -INFINITY, second = -INFINITY;

	for (uint32_t e = first; e < first + n; e++) {
		float b = biased(scores, bias, e);

		if (b > best) {
			second = best;
			best = b;
		} else if (b > second) {
			second = b;
		}
	}
	return best + second;
}

/* Whether fewer than topk_group groups are better than this one. */
static bool group_is_kept(const struct model_shape *shape, const float *scores, const float *bias,
                          uint32_t group)
{
	uint32_t n = shape->n_routed_experts / shape->n_group, better = 0;
	float own;

	if (shape->n_group == 1)
		return true;
	own = group_score(scores, bias, group * n, n);
	for (uint32_t g = 0; g < shape->n_group; g++) {
		float other = group_score(scores, bias, g * n, n);

		better += other > own || (other == own && g < group);
	}
	return better < shape->topk_group;
}

/* The experts, best first, put in order of their number. */
static void choose_experts(const struct model_shape *shape, const float *scores, const float *bias,
                           uint32_t *experts)
{
	uint32_t k = shape->num_experts_per_tok, n = 0, in_group = shape->n_routed_experts / shape->n_group;

	for (uint32_t g = 0; g < shape->n_group; g++) {
		if (!group_is_kept(shape, scores, bias, g))
			continue;
		for (uint32_t e = g * in_group; e < (g + 1) * in_group; e++) {
			uint32_t place = n < k ? n++ : k;

			/* Insertion among those held, best first; a later equal one stays behind. */
			while (place > 0 &&
			       biased(scores, bias, e) > biased(scores, bias, experts[place - 1])) {
				if (place < k)
					experts[place] = experts[place - 1];
				place--;
			}
			if (place < k)
				experts[place] = e;
		}
	}
	for (uint32_t i = 1; i < k; i++) {
		for (uint32_t j = i; j > 0 && experts[j] < experts[j - 1]; j--) {
			uint32_t expert = experts[j];

			experts[j] = experts[j - 1];
			experts[j - 1] = expert;
		}
	}
}

void moe_route(const struct model_shape *shape, float *logits, const float *bias, uint32_t *experts,
               float *weights)
{
	float sum = 0;

	gate_scores(shape, logits);
	choose_experts(shape, logits, bias, experts);
	for (uint32_t i = 0; i < shape->num_experts_per_tok; i++) {
		weights[i] = logits[experts[i]];
		sum += weights[i];
	}
	for (uint32_t i = 0; i < shape->num_experts_per_tok; i++) {
		if (shape->norm_topk_prob)
			weights[i] /= sum + 1e-20f;
		weights[i] *= shape->routed_scaling_factor;
	}
}

/* Rows sorted by expert: expert e's stand at places [expert_start[e], expert_start[e + 1]). */
static void group_rows(struct pass *pass)
{
	const struct model_shape *shape = pass->shape;
	uint32_t k = shape->num_experts_per_tok, *start = pass->expert_start;

	memset(start, 0, ((size_t)shape->n_routed_experts + 1) * sizeof(*start));
	for (size_t i = 0; i < pass->n_rows * k; i++)
		start[pass->expert_of[i] + 1]++;
	for (uint32_t e = 0; e < shape->n_routed_experts; e++)
		start[e + 1] += start[e];
	for (size_t i = 0; i < pass->n_rows * k; i++)
		pass->place_of[i] = start[pass->expert_of[i]]++;
	memmove(start + 1, start, shape->n_routed_experts * sizeof(*start));
	start[0] = 0;
}

static void gather_item(void *user, size_t item, unsigned thread)
{
	struct pass *pass = user;
	uint32_t k = pass->shape->num_experts_per_tok;

	(void)thread;
	for (uint32_t j = 0; j < k; j++)
		memcpy(pass->expert_in + pass->place_of[item * k + j] * pass->hidden_stride,
		       pass->u + item * pass->hidden_stride, pass->hidden_stride * sizeof(float));
}

static void activate_experts_item(void *user, size_t item, unsigned thread)
{
	struct pass *pass = user;
	uint32_t k = pass->shape->num_experts_per_tok;

	(void)thread;
	for (uint32_t j = 0; j < k; j++) {
		size_t at = pass->place_of[item * k + j] * pass->expert_stride;

		pass->ops->silu_mul(pass->expert_gate + at, pass->expert_up + at,
		                    pass->shape->moe_intermediate_size);
	}
}

/* A dense or shared MLP's row; its stride is whole panels of its own width. */
struct mlp_rows {
	struct pass *pass;
	uint32_t width;
	size_t stride;
};

static void activate_mlp_item(void *user, size_t item, unsigned thread)
{
	const struct mlp_rows *rows = user;

	(void)thread;
	rows->pass->ops->silu_mul(rows->pass->mlp_gate + item * rows->stride,
	                          rows->pass->mlp_up + item * rows->stride, rows->width);
}

static void add_scaled(float sums[PANEL], float factor, const float *values)
{
	for (size_t i = 0; i < PANEL; i++)
		sums[i] += factor * values[i];
}

/* u = shared + experts, in the order that moe.h promises: experts first. */
static void combine_item(void *user, size_t item, unsigned thread)
{
	const struct mlp_rows *rows = user;
	struct pass *pass = rows->pass;
	uint32_t k = pass->shape->num_experts_per_tok;
	float *u = pass->u + item * pass->hidden_stride;

	(void)thread;
	for (size_t d = 0; d < pass->hidden_stride; d += PANEL) {
		float sums[PANEL] = { 0 };

		for (uint32_t j = 0; j < k; j++)
			add_scaled(sums, pass->expert_weight[item * k + j],
			           pass->expert_out + pass->place_of[item * k + j] * pass->hidden_stride + d);
		for (size_t i = 0; rows->width > 0 && i < PANEL; i++)
			sums[i] += u[d + i];
		memcpy(u + d, sums, sizeof(sums));
	}
}

/* gate and up of every expert that has rows, and of the shared MLP; returns the number of products. */
static size_t list_inputs(struct pass *pass, const struct moe_weights *moe, bool sparse,
                          const struct mlp_rows *rows, struct product *products)
{
	size_t n = 0;

	if (rows->width > 0) {
		products[n++] =
			(struct product){ pass->mlp_gate,      pass->u,     &moe->shared.gate, rows->stride,
			                  pass->hidden_stride, pass->n_rows };
		products[n++] =
			(struct product){ pass->mlp_up,        pass->u,     &moe->shared.up, rows->stride,
			                  pass->hidden_stride, pass->n_rows };
	}
	for (uint32_t e = 0; sparse && e < pass->shape->n_routed_experts; e++) {
		size_t first = pass->expert_start[e], n_rows = pass->expert_start[e + 1] - first;
		const float *in = pass->expert_in + first * pass->hidden_stride;

		if (n_rows == 0)
			continue;
		products[n++] = (struct product){ pass->expert_gate + first * pass->expert_stride,
			                          in,
			                          &moe->experts[e].gate,
			                          pass->expert_stride,
			                          pass->hidden_stride,
			                          n_rows };
		products[n++] = (struct product){ pass->expert_up + first * pass->expert_stride,
			                          in,
			                          &moe->experts[e].up,
			                          pass->expert_stride,
			                          pass->hidden_stride,
			                          n_rows };
	}
	return n;
}

static size_t list_outputs(struct pass *pass, const struct moe_weights *moe, bool sparse,
                           const struct mlp_rows *rows, struct product *products)
{
	size_t n = 0;

	if (rows->width > 0)
		products[n++] = (struct product){ pass->u,           pass->mlp_gate,
			                          &moe->shared.down, pass->hidden_stride,
			                          rows->stride,      pass->n_rows };
	for (uint32_t e = 0; sparse && e < pass->shape->n_routed_experts; e++) {
		size_t first = pass->expert_start[e], n_rows = pass->expert_start[e + 1] - first;

		if (n_rows > 0)
			products[n++] = (struct product){ pass->expert_out + first * pass->hidden_stride,
				                          pass->expert_gate + first * pass->expert_stride,
				                          &moe->experts[e].down,
				                          pass->hidden_stride,
				                          pass->expert_stride,
				                          n_rows };
	}
	return n;
}

struct routing {
	struct pass *pass;
	const struct moe_weights *moe;
};

static void route_item(void *user, size_t item, unsigned thread)
{
	const struct routing *routing = user;
	struct pass *pass = routing->pass;
	uint32_t k = pass->shape->num_experts_per_tok;

	(void)thread;
	moe_route(pass->shape, pass->gates + item * pass->gate_stride, routing->moe->bias,
	          pass->expert_of + item * k, pass->expert_weight + item * k);
}

static void route_rows(struct pass *pass, const struct moe_weights *moe)
{
	struct routing routing = { pass, moe };
	struct product gate = { pass->gates,         pass->u,     &moe->gate, pass->gate_stride,
		                pass->hidden_stride, pass->n_rows };

	pass_products(pass, &gate, 1);
	pool_run(pass->pool, pass->n_rows, route_item, &routing);
	group_rows(pass);
	pool_run(pass->pool, pass->n_rows, gather_item, pass);
}

void moe_forward(struct pass *pass, const struct moe_weights *moe, bool sparse, struct product *products)
{
	const struct model_shape *shape = pass->shape;
	struct mlp_rows rows = { .pass = pass };

	rows.width =
		sparse ? shape->n_shared_experts * shape->moe_intermediate_size : shape->intermediate_size;
	rows.stride = round_up(rows.width, PANEL);
	if (sparse)
		route_rows(pass, moe);
	pass_products(pass, products, list_inputs(pass, moe, sparse, &rows, products));
	if (sparse)
		pool_run(pass->pool, pass->n_rows, activate_experts_item, pass);
	if (rows.width > 0)
		pool_run(pass->pool, pass->n_rows, activate_mlp_item, &rows);
	pass_products(pass, products, list_outputs(pass, moe, sparse, &rows, products));
	if (sparse)
		pool_run(pass->pool, pass->n_rows, combine_item, &rows);
}
