/* What the codes of indexer keys leave of one query: candidates for the best k, whose exact scores are found in two rounds.
 *
 * A score by codes is off by at most `off`. First come those near the k-th best by codes, k of them and few more: the k-th
 * of their exact scores is a bound that the k-th best of all is not below. Of the others only those that are less than
 * `off` below the bound may reach it, and come second. The rest, often half of what codes leave, is never looked at. */
#ifndef SKIMD_MODEL_CANDIDATES_H
#define SKIMD_MODEL_CANDIDATES_H

#include "model/topk.h"

#define CANDIDATE_ROUNDS 2

struct candidates {
	const struct scored *left; /* by codes, positions rising */
	size_t n_left;
	float near, off;
	float bound; /* of candidates_narrow(): no exact score below it is among the best k */
	struct scored found[CANDIDATE_ROUNDS]; /* [cap + TAKE_SPARE + 1]: positions rising; the caller puts exact scores */
	size_t n_found[CANDIDATE_ROUNDS];
};

/* For what a topk of that cap leaves. -ENOMEM: for candidates_done() all the same, which takes zeroed memory as well. */
int candidates_init(struct candidates *candidates, size_t cap);
void candidates_done(struct candidates *candidates);

/* What topk holds, with slack twice `off`, to the first round; topk stays as it is until candidates_push(). */
void candidates_begin(struct candidates *candidates, struct topk *topk);

/* The first round's exact scores are there: to the second. */
void candidates_narrow(struct candidates *candidates, const struct ops *ops, size_t k);

/* What may be among the best k of both rounds by their exact scores, in order of position. */
void candidates_push(struct candidates *candidates, struct topk *topk);

#endif
