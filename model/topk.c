#include "model/topk.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define CUT_AT(k) (4 * (k) + 1024) /* scores held at the first cut, which has the next ones measured */
#define CAP(k) (4 * CUT_AT(k))
#define CHUNK 64 /* scores that are taken in between looks at the room */
#define N_BUCKETS 256
#define MAX_STEPS 24

int topk_init(struct topk *topk, size_t k, const struct ops *ops)
{
	size_t cap = CAP(k);

	*topk = (struct topk){ .ops = ops, .k = k, .cap = cap };
	topk->held.scores = malloc((cap + TAKE_SPARE) * sizeof(*topk->held.scores));
	topk->held.positions = malloc((cap + TAKE_SPARE) * sizeof(*topk->held.positions));
	topk->keys = malloc(cap * sizeof(*topk->keys));
	topk->spare = malloc(cap * sizeof(*topk->spare));
	if (topk->held.scores != NULL && topk->held.positions != NULL && topk->keys != NULL &&
	    topk->spare != NULL)
		return 0;
	topk_done(topk);
	return -ENOMEM;
}

void topk_done(struct topk *topk)
{
	free(topk->held.scores);
	free(topk->held.positions);
	free(topk->keys);
	free(topk->spare);
	*topk = (struct topk){ 0 };
}

void topk_start(struct topk *topk, float slack)
{
	topk->n = 0;
	topk->limit = CUT_AT(topk->k);
	topk->slack = slack;
	topk->near = -INFINITY;
	topk->overflowed = false;
	topk->least = INT32_MIN;
}

static void drop_below(struct topk *topk, int32_t least)
{
	topk->n = topk->ops->take_scores(topk->held, topk->held.scores, topk->held.positions, topk->n, least,
	                                 INT32_MAX);
}

/* Halving the range finds it fast. */
float topk_near(const struct ops *ops, const float *scores, size_t n, size_t k)
{
	float low = FLT_MAX, high = -FLT_MAX;
	size_t n_above;

	ops->range_of_scores(scores, n, &low, &high);
	low = low < -FLT_MAX ? -FLT_MAX : low;
	high = high > FLT_MAX ? FLT_MAX : high;
	n_above = ops->count_scores(scores, n, low);
	if (n_above < k)
		return ops->count_scores(scores, n, -INFINITY) < k ? NAN : -INFINITY;
	for (int step = 0; step < MAX_STEPS && n_above > k + k / 8; step++) {
		float middle = low / 2 + high / 2;
		size_t n_middle = ops->count_scores(scores, n, middle);

		if (n_middle < k) {
			high = middle;
		} else {
			low = middle;
			n_above = n_middle;
		}
	}
	return low;
}

static void find_range(const int32_t *keys, size_t n, int32_t *ret_least, int32_t *ret_most)
{
	int32_t least = INT32_MAX, most = INT32_MIN;

	for (size_t i = 0; i < n; i++) {
		least = keys[i] < least ? keys[i] : least;
		most = keys[i] > most ? keys[i] : most;
	}
	*ret_least = least;
	*ret_most = most;
}

/* The k-th largest of the keys held: they are counted in buckets of equal width, and the bucket that it is in is looked
 * at by itself, in spare. */
static int32_t kth_largest(struct topk *topk)
{
	const int32_t *keys = topk->keys;
	int32_t least, most;
	size_t n = topk->n, k = topk->k;

	for (size_t i = 0; i < n; i++)
		topk->keys[i] = score_key(topk->held.scores[i]);
	find_range(keys, n, &least, &most);
	while (least < most) {
		uint32_t counts[N_BUCKETS] = { 0 }, bucket = N_BUCKETS - 1, base = (uint32_t)least;
		unsigned shift = 0;
		size_t n_kept = 0;

		while (((uint32_t)most - base) >> shift >= N_BUCKETS)
			shift++;
		for (size_t i = 0; i < n; i++)
			counts[((uint32_t)keys[i] - base) >> shift]++;
		while (counts[bucket] < k)
			k -= counts[bucket--];
		for (size_t i = 0; i < n; i++) {
			int32_t key = keys[i];

			topk->spare[n_kept] = key;
			n_kept += ((uint32_t)key - base) >> shift == bucket;
		}
		keys = topk->spare;
		n = n_kept;
		find_range(keys, n, &least, &most);
	}
	return least;
}

/* Keep those above the k-th, and as many equal ones, in order of position, as make k. */
static void keep_best(struct topk *topk)
{
	int32_t kth = kth_largest(topk);
	size_t equal = topk->k, n = 0;

	for (size_t i = 0; i < topk->n; i++)
		equal -= topk->keys[i] > kth;
	for (size_t i = 0; i < topk->n; i++) {
		bool is_equal = topk->keys[i] == kth && equal > 0;

		topk->held.scores[n] = topk->held.scores[i];
		topk->held.positions[n] = topk->held.positions[i];
		n += topk->keys[i] > kth || is_equal;
		equal -= is_equal;
	}
	topk->n = n;
	topk->least = kth + 1; /* an equal one that comes later loses */
}

void topk_cut(struct topk *topk)
{
	if (topk->n <= topk->k)
		return;
	topk->near = topk_near(topk->ops, topk->held.scores, topk->n, topk->k);
	topk->least = score_key(topk->near - topk->slack);
	drop_below(topk, topk->least);
	if (topk->slack == 0 && topk->n > topk->k)
		keep_best(topk);
}

/* Whether there is room for n more, at most CHUNK. */
static bool make_room(struct topk *topk, size_t n)
{
	if (topk->n + n > topk->limit && !topk->overflowed) {
		topk_cut(topk);
		topk->limit = topk->n + CUT_AT(topk->k) / 2;
		topk->limit = topk->limit < topk->cap ? topk->limit : topk->cap;
	}
	if (topk->n + n > topk->limit) {
		topk->n = 0;
		topk->overflowed = true;
	}
	return !topk->overflowed;
}

/* At most CHUNK. */
static void take(struct topk *topk, const float *scores, size_t n, const uint32_t *positions)
{
	struct scored end = { topk->held.scores, topk->held.positions };

	if (!make_room(topk, n))
		return;
	end.scores += topk->n;
	end.positions += topk->n;
	topk->n += topk->ops->take_scores(end, scores, positions, n, topk->least, INT32_MAX);
}

void topk_push_at(struct topk *topk, const float *scores, size_t n, const uint32_t *positions)
{
	for (size_t i = 0; i < n; i += CHUNK)
		take(topk, scores + i, n - i < CHUNK ? n - i : CHUNK, positions + i);
}

void topk_push(struct topk *topk, const float *scores, size_t n, uint32_t first)
{
	uint32_t positions[CHUNK];

	for (size_t i = 0; i < n; i += CHUNK) {
		for (uint32_t j = 0; j < CHUNK; j++)
			positions[j] = first + (uint32_t)i + j;
		take(topk, scores + i, n - i < CHUNK ? n - i : CHUNK, positions);
	}
}

void topk_merge(struct topk *topk, const struct topk *from)
{
	topk->overflowed |= from->overflowed;
	topk->limit = topk->cap; /* one cut in the end, if they fit */
	if (topk->slack > 0 && from->least > topk->least)
		topk->least = from->least; /* k of those that `from` has seen are good enough for that */
	topk_push_at(topk, from->held.scores, from->n, from->held.positions);
}

float topk_floor(const struct topk *topk)
{
	int32_t bits = topk->least ^ (topk->least >> 31 & 0x7fffffff); /* as score_key() has it */
	float floor;

	memcpy(&floor, &bits, sizeof(floor));
	return floor == floor ? floor : -INFINITY;
}

size_t topk_finish(struct topk *topk, const uint32_t **ret)
{
	topk_cut(topk);
	*ret = topk->held.positions;
	return topk->n;
}
