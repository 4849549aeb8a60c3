/* Logits to one token. Nothing here allocates; NaN never wins, and equal logits go to the lower id. */
#ifndef SKIMD_MODEL_SAMPLER_H
#define SKIMD_MODEL_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

/* The id of the largest of n > 0 logits; 0 where all are NaN. */
uint32_t sampler_greedy(const float *logits, size_t n);

/* The same among n_ids > 0 ids, rising; the first of them where all their logits are NaN. */
uint32_t sampler_greedy_among(const float *logits, const uint32_t *ids, size_t n_ids);

/* The logarithm of the softmax over all n logits, at id: summed in double, by rising id, so that the same logits
 * give the same bits. -INFINITY where the logit is NaN or all of the probability is elsewhere. */
double sampler_log_probability(const float *logits, size_t n, uint32_t id);

/* Seeded drawing: the same seed, settings and logits give the same tokens. The caller fills it in. */
struct sampler {
	uint64_t state; /* at first the seed, any value */
	float temperature; /* 0 or less: greedy, and the state stays */
	float top_p; /* only the likeliest tokens that together reach it; 1 or more: all */
};

/* Draw one of n > 0 ids; order is room for n ids, of no meaning afterwards. */
uint32_t sampler_draw(struct sampler *sampler, const float *logits, size_t n, uint32_t *order);

#endif
