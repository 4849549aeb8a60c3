#include "model/candidates.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/array.h"

#define PIECE 256 /* candidates that are put in order at a time */

int candidates_init(struct candidates *candidates, size_t cap)
{
	*candidates = (struct candidates){ 0 };
	for (int round = 0; round < CANDIDATE_ROUNDS; round++) {
		struct scored *found = &candidates->found[round];

		found->scores = array_new(float, cap + TAKE_SPARE + 1);
		found->positions = array_new(uint32_t, cap + TAKE_SPARE + 1);
		if (found->scores == NULL || found->positions == NULL)
			return -ENOMEM;
	}
	return 0;
}

void candidates_done(struct candidates *candidates)
{
	for (int round = 0; round < CANDIDATE_ROUNDS; round++) {
		free(candidates->found[round].scores);
		free(candidates->found[round].positions);
	}
	*candidates = (struct candidates){ 0 };
}

/* Those whose scores are `least` or more and below `end`; returns how many. */
static size_t find_between(const struct candidates *candidates, const struct ops *ops, int32_t least,
                           int32_t end, const struct scored *found)
{
	const struct scored *left = candidates->left;

	return ops->take_scores(*found, left->scores, left->positions, candidates->n_left, least, end);
}

void candidates_begin(struct candidates *candidates, struct topk *topk)
{
	const uint32_t *positions;

	candidates->n_left = topk_finish(topk, &positions);
	candidates->left = &topk->held;
	candidates->near = topk->near;
	candidates->off = topk->slack / 2;
	candidates->bound = -INFINITY;
	candidates->n_found[0] = find_between(candidates, topk->ops, score_key(candidates->near), INT32_MAX,
	                                      &candidates->found[0]);
	candidates->n_found[1] = 0;
}

void candidates_narrow(struct candidates *candidates, const struct ops *ops, size_t k)
{
	candidates->bound = topk_near(ops, candidates->found[0].scores, candidates->n_found[0], k);
	candidates->n_found[1] = find_between(candidates, ops, score_key(candidates->bound - candidates->off),
	                                      score_key(candidates->near), &candidates->found[1]);
}

/* What is below the bound is dropped, and the end marked for merge(). */
static size_t drop_below(const struct ops *ops, const struct scored *found, size_t n, float bound)
{
	n = ops->take_scores(*found, found->scores, found->positions, n, score_key(bound), INT32_MAX);
	found->positions[n] = UINT32_MAX; /* behind all others */
	return n;
}

/* n of what both rounds hold from there on, in order; which comes next cannot be guessed, and so is no branch. */
static void merge(const struct candidates *candidates, size_t at[CANDIDATE_ROUNDS], size_t n, float *scores,
                  uint32_t *positions)
{
	const struct scored *a = &candidates->found[0], *b = &candidates->found[1];
	size_t i = at[0], j = at[1];

	for (size_t m = 0; m < n; m++) {
		bool is_first = a->positions[i] < b->positions[j];
		const float *score = is_first ? &a->scores[i] : &b->scores[j];
		const uint32_t *position = is_first ? &a->positions[i] : &b->positions[j];

		scores[m] = *score;
		positions[m] = *position;
		i += is_first;
		j += !is_first;
	}
	at[0] = i;
	at[1] = j;
}

void candidates_push(struct candidates *candidates, struct topk *topk)
{
	size_t at[CANDIDATE_ROUNDS] = { 0 }, n_left = 0, n;
	uint32_t positions[PIECE];
	float scores[PIECE];

	for (int round = 0; round < CANDIDATE_ROUNDS; round++) {
		candidates->n_found[round] = drop_below(topk->ops, &candidates->found[round],
		                                        candidates->n_found[round], candidates->bound);
		n_left += candidates->n_found[round];
	}
	for (; n_left > 0; n_left -= n) {
		n = n_left < PIECE ? n_left : PIECE;
		merge(candidates, at, n, scores, positions);
		topk_push_at(topk, scores, n, positions);
	}
}
