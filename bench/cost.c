#include "bench/cost.h"

#define ELEMENT_BYTES 2 /* of the cache: bf16 */

size_t cost_weight_bytes(const struct engine *engine)
{
	struct engine_info info;

	engine_info(engine, &info);
	return info.active_bytes;
}

size_t cost_scanning_layers(const struct engine *engine)
{
	const struct model_shape *shape = engine_shape(engine);
	size_t n = 0;

	for (uint32_t i = 0; i < shape->num_hidden_layers; i++)
		n += shape->full_indexer[i];
	return n;
}

/* One key, as the scan reads it. */
static size_t index_key_bytes(const struct model_shape *shape)
{
	return (size_t)shape->index_head_dim * ELEMENT_BYTES;
}

size_t cost_scan_bytes(const struct engine *engine, size_t depth)
{
	return cost_scanning_layers(engine) * depth * index_key_bytes(engine_shape(engine));
}

size_t cost_decode_bytes(const struct engine *engine, size_t depth)
{
	const struct model_shape *shape = engine_shape(engine);
	size_t row = ((size_t)shape->kv_lora_rank + shape->qk_rope_head_dim) * ELEMENT_BYTES;
	bool picks = depth > shape->index_topk;
	size_t n_rows = picks ? shape->index_topk : depth;

	return cost_weight_bytes(engine) + (picks ? cost_scan_bytes(engine, depth) : 0) +
	       shape->num_hidden_layers * n_rows * row;
}
