#include "model/layer.h"

#include <stdio.h>
#include <stdlib.h>

int layer_load(struct layer_weights *weights, const struct checkpoint *checkpoint,
               const struct model_shape *shape, uint32_t layer, bool naive, struct err *err)
{
	char input[128], post[128];
	int r;

	snprintf(input, sizeof(input), "model.layers.%u.input_layernorm.weight", layer);
	snprintf(post, sizeof(post), "model.layers.%u.post_attention_layernorm.weight", layer);
	if ((r = weights_read(checkpoint, shape, input, 1, shape->hidden_size, &weights->input_norm, err)) <
	            0 ||
	    (r = weights_read(checkpoint, shape, post, 1, shape->hidden_size, &weights->post_attention_norm,
	                      err)) < 0 ||
	    (r = mla_load(&weights->mla, checkpoint, shape, layer, naive, err)) < 0)
		return r;
	if (shape->full_indexer[layer] &&
	    (r = indexer_load(&weights->indexer, checkpoint, shape, layer, err)) < 0)
		return r;
	return moe_load(&weights->moe, checkpoint, shape, layer, shape->sparse_mlp[layer], err);
}

int layer_to_levels(struct layer_weights *weights, const struct model_shape *shape)
{
	int r = mla_to_levels(&weights->mla);

	return r < 0 ? r : moe_to_levels(&weights->moe, shape);
}

void layer_done(struct layer_weights *weights, const struct model_shape *shape)
{
	free(weights->input_norm);
	free(weights->post_attention_norm);
	mla_done(&weights->mla, shape);
	indexer_done(&weights->indexer);
	moe_done(&weights->moe, shape);
}

size_t layer_n_products(const struct model_shape *shape)
{
	size_t attention = shape->num_attention_heads + 4, experts = 2 * (size_t)shape->n_routed_experts + 2;

	return attention > experts ? attention : experts;
}

struct norm_rows {
	struct pass *pass;
	const float *weight;
};

static void norm_item(void *user, size_t item, unsigned thread)
{
	const struct norm_rows *rows = user;
	struct pass *pass = rows->pass;

	(void)thread;
	rms_norm(pass->u + item * pass->hidden_stride, pass->x + item * pass->hidden_stride, rows->weight,
	         pass->shape->hidden_size, pass->shape->rms_norm_eps);
}

static void add_item(void *user, size_t item, unsigned thread)
{
	struct pass *pass = user;
	float *x = pass->x + item * pass->hidden_stride;
	const float *u = pass->u + item * pass->hidden_stride;

	(void)thread;
	for (uint32_t d = 0; d < pass->shape->hidden_size; d++)
		x[d] += u[d];
}

void layer_forward(struct pass *pass, const struct layer_weights *weights, uint32_t layer,
                   struct product *products)
{
	struct norm_rows input = { pass, weights->input_norm }, post = { pass, weights->post_attention_norm };

	pool_run(pass->pool, pass->n_rows, norm_item, &input);
	mla_forward(pass, &weights->mla, pass->shape->full_indexer[layer] ? &weights->indexer : NULL, layer,
	            products);
	pool_run(pass->pool, pass->n_rows, add_item, pass);
	pool_run(pass->pool, pass->n_rows, norm_item, &post);
	moe_forward(pass, &weights->moe, pass->shape->sparse_mlp[layer], products);
	pool_run(pass->pool, pass->n_rows, add_item, pass);
}
