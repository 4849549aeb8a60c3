/* The running exact top-k of one query's index scores: memory for a few times k, whatever the context. Equal scores
 * go to the lower position, +0 equals -0, NaN is below everything. The result depends on the scores alone, not on the
 * pieces they came in. */
#ifndef SKIMD_MODEL_TOPK_H
#define SKIMD_MODEL_TOPK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct topk {
	size_t k, n, cap;
	bool full; /* k scores of at least `floor` are held: an equal one that comes later loses */
	uint32_t floor;
	float floor_score;
	uint32_t *keys; /* [cap] scores as integers that compare alike */
	uint32_t *positions; /* [cap] rising */
	uint32_t *spare; /* [cap] for the cut */
};

/* -ENOMEM. */
int topk_init(struct topk *topk, size_t k);
void topk_done(struct topk *topk);

void topk_start(struct topk *topk); /* for the next query */

/* Scores of the positions first, first + 1, ... : behind those pushed before. */
void topk_push(struct topk *topk, const float *scores, size_t n, uint32_t first);

/* All that `from` holds, whose positions are behind those pushed before: the best of both together. */
void topk_merge(struct topk *topk, const struct topk *from);

/* The chosen positions, rising, into ret (room for k); returns their count, min(k, pushed). */
size_t topk_finish(struct topk *topk, uint32_t *ret);

#endif
