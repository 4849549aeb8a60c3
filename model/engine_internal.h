/* What engine.c opens and context.c runs. */
#ifndef SKIMD_MODEL_ENGINE_INTERNAL_H
#define SKIMD_MODEL_ENGINE_INTERNAL_H

#include <pthread.h>

#include "model/engine.h"
#include "model/layer.h"

struct engine {
	struct model_shape shape;
	struct checkpoint *checkpoint; /* the embedding is read from the mapped file */
	struct tokenizer *tokenizer;
	struct cache_layout layout;
	const struct tensor *embedding; /* [vocab_size, hidden_size] */
	struct layer_weights *layers; /* [num_hidden_layers] */
	float *final_norm;
	struct matrix head; /* [vocab_size, hidden_size] */
	const struct ops *ops;
	struct pool *pool;
	enum numerics numerics;
	bool naive;
	size_t row_memory;
	uint8_t fingerprint[FINGERPRINT_BYTES];

	pthread_mutex_t lock; /* guards what follows: one forward pass at a time */
	struct paging *paging; /* NULL: all stays in memory */
	struct pass pass;
	struct product *products;
	float *logits; /* [LOGIT_ROWS][head's outputs in whole panels] */
};

#define LOGIT_ROWS 32 /* rows whose logits are computed together */

static inline size_t engine_logits_stride(const struct engine *engine)
{
	return round_up(engine->shape.vocab_size, PANEL);
}

#endif
