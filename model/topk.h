/* The running exact top-k of one query's index scores: memory for a few times k, whatever the context. Equal scores
 * go to the lower position, +0 equals -0, NaN is below everything. The result depends on the scores alone, not on the
 * pieces they came in.
 *
 * With slack, scores are known only to within half of it: all that may be among the best k are kept, those less than
 * slack below the k-th as well. If these become too many to be held, it says so. */
#ifndef SKIMD_MODEL_TOPK_H
#define SKIMD_MODEL_TOPK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/ops.h"

struct topk {
	const struct ops *ops;
	size_t k, n, cap;
	size_t limit; /* at which the next cut comes, not beyond cap */
	float slack;
	float near; /* by the last cut: what k of those held are not below, and few more; -INFINITY before one */
	bool overflowed; /* with slack: what is held is worth nothing */
	int32_t least; /* key of a score: what is below is not taken in any more */
	struct scored held; /* [cap], positions rising */
	int32_t *keys, *spare; /* [cap] for the cut */
};

/* -ENOMEM. */
int topk_init(struct topk *topk, size_t k, const struct ops *ops);
void topk_done(struct topk *topk);

void topk_start(struct topk *topk, float slack); /* for the next query; slack is 0 or more, and finite */

/* Scores of the positions first, first + 1, ... : behind those pushed before. */
void topk_push(struct topk *topk, const float *scores, size_t n, uint32_t first);

/* Scores of these positions, which rise: behind those pushed before. */
void topk_push_at(struct topk *topk, const float *scores, size_t n, const uint32_t *positions);

/* All that `from` holds, of the same slack, whose positions are behind those pushed before: the best of both together. */
void topk_merge(struct topk *topk, const struct topk *from);

/* Of those held only those that may be among the best k stay. */
void topk_cut(struct topk *topk);

/* A score that at least k of n are not below, and few more than k; NaN if fewer than k of them are numbers. */
float topk_near(const struct ops *ops, const float *scores, size_t n, size_t k);

/* A score below which none is taken in any more; rises, -INFINITY at first. */
float topk_floor(const struct topk *topk);

/* The chosen positions, rising; *ret is valid until the next start. Returns their count: without slack min(k, pushed). */
size_t topk_finish(struct topk *topk, const uint32_t **ret);

#endif
