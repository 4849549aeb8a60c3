#include "model/topk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define MIN_SPARE 512 /* scores taken in beyond k before the next cut */
#define BLOCK 16 /* scores that are passed over together */
#define N_BUCKETS 256

typedef float four_floats __attribute__((vector_size(16), aligned(4)));
typedef int32_t four_bits __attribute__((vector_size(16)));
typedef uint32_t four_words __attribute__((vector_size(16), aligned(4)));

/* Integers that compare as the floats do: -0 as +0, NaN below all. */
static four_words keys_of(four_floats scores)
{
	four_words bits = (four_words)(scores + 0.0f), sign = (four_words)((four_bits)bits >> 31);

	return (bits ^ (sign | 0x80000000u)) & (four_words)(scores == scores);
}

static float score_of(uint32_t key)
{
	uint32_t bits = (key & 0x80000000u) != 0 ? key & 0x7fffffffu : ~key;
	float score;

	memcpy(&score, &bits, sizeof(score));
	return score;
}

int topk_init(struct topk *topk, size_t k)
{
	size_t cap = k + (k > MIN_SPARE ? k : MIN_SPARE);

	*topk = (struct topk){ .k = k, .cap = cap };
	topk->keys = array_new(uint32_t, cap);
	topk->positions = array_new(uint32_t, cap);
	topk->spare = array_new(uint32_t, cap);
	if (topk->keys != NULL && topk->positions != NULL && topk->spare != NULL)
		return 0;
	topk_done(topk);
	return -ENOMEM;
}

void topk_done(struct topk *topk)
{
	free(topk->keys);
	free(topk->positions);
	free(topk->spare);
	*topk = (struct topk){ 0 };
}

void topk_start(struct topk *topk)
{
	topk->n = 0;
	topk->full = false;
	topk->floor = 0;
}

static void find_range(const uint32_t *keys, size_t n, uint32_t *ret_least, uint32_t *ret_most)
{
	uint32_t least = UINT32_MAX, most = 0;

	for (size_t i = 0; i < n; i++) {
		least = keys[i] < least ? keys[i] : least;
		most = keys[i] > most ? keys[i] : most;
	}
	*ret_least = least;
	*ret_most = most;
}

/* The k-th largest of the keys held: they are counted in buckets of equal width, and the bucket that it is in is looked
 * at by itself, in spare. */
static uint32_t kth_largest(const struct topk *topk)
{
	const uint32_t *keys = topk->keys;
	uint32_t least, most;
	size_t n = topk->n, k = topk->k;

	find_range(keys, n, &least, &most);
	while (least < most) {
		uint32_t counts[N_BUCKETS] = { 0 }, bucket = N_BUCKETS - 1;
		unsigned shift = 0;
		size_t n_kept = 0;

		while ((most - least) >> shift >= N_BUCKETS)
			shift++;
		for (size_t i = 0; i < n; i++)
			counts[(keys[i] - least) >> shift]++;
		while (counts[bucket] < k)
			k -= counts[bucket--];
		for (size_t i = 0; i < n; i++) {
			uint32_t key = keys[i];

			topk->spare[n_kept] = key;
			n_kept += (key - least) >> shift == bucket;
		}
		keys = topk->spare;
		n = n_kept;
		find_range(keys, n, &least, &most);
	}
	return least;
}

/* Keep the k best in order of position. */
static void cut(struct topk *topk)
{
	size_t equal = topk->k, n = 0;

	if (topk->n <= topk->k)
		return;
	topk->floor = kth_largest(topk);
	topk->floor_score = score_of(topk->floor);
	topk->full = true;
	for (size_t i = 0; i < topk->n; i++)
		equal -= topk->keys[i] > topk->floor;
	for (size_t i = 0; i < topk->n; i++) {
		uint32_t key = topk->keys[i];
		bool is_equal = key == topk->floor && equal > 0;

		topk->keys[n] = key;
		topk->positions[n] = topk->positions[i];
		n += key > topk->floor || is_equal;
		equal -= is_equal;
	}
	topk->n = n;
}

/* n keys, not more than BLOCK. Without a branch for each: which are taken in cannot be foretold. */
static void add(struct topk *topk, const uint32_t *keys, size_t n, const uint32_t *positions)
{
	size_t end;

	if (topk->n + n > topk->cap)
		cut(topk);
	end = topk->n;
	for (size_t i = 0; i < n; i++) {
		topk->keys[end] = keys[i];
		topk->positions[end] = positions[i];
		end += !topk->full || keys[i] > topk->floor;
	}
	topk->n = end;
}

/* A whole block of scores. */
static void add_block(struct topk *topk, const float *scores, uint32_t first)
{
	uint32_t floor, *keys, *positions;
	size_t end;

	if (topk->n + BLOCK > topk->cap)
		cut(topk);
	end = topk->n;
	keys = topk->keys;
	positions = topk->positions;
	floor = topk->full ? topk->floor + 1 : 0;
	for (uint32_t i = 0; i < BLOCK; i += 4) {
		four_words four = keys_of(*(const four_floats *)(scores + i));

#pragma GCC unroll 4
		for (uint32_t j = 0; j < 4; j++) {
			keys[end] = four[j];
			positions[end] = first + i + j;
			end += four[j] >= floor;
		}
	}
	topk->n = end;
}

static bool any_above(const float *scores, float floor)
{
	four_bits any = { 0 };

	for (size_t i = 0; i < BLOCK; i += 4)
		any |= *(const four_floats *)(scores + i) > floor;
	return (any[0] | any[1] | any[2] | any[3]) != 0;
}

void topk_push(struct topk *topk, const float *scores, size_t n, uint32_t first)
{
	uint32_t keys[BLOCK], positions[BLOCK];
	float rest[BLOCK] = { 0 };
	size_t i = 0;

	for (; i + BLOCK <= n; i += BLOCK) {
		if (!topk->full || topk->floor == 0 || any_above(scores + i, topk->floor_score))
			add_block(topk, scores + i, first + (uint32_t)i);
	}
	memcpy(rest, scores + i, (n - i) * sizeof(*scores));
	for (uint32_t j = 0; j < BLOCK; j++)
		positions[j] = first + (uint32_t)i + j;
	for (size_t j = 0; j < BLOCK; j += 4)
		*(four_words *)(keys + j) = keys_of(*(const four_floats *)(rest + j));
	add(topk, keys, n - i, positions);
}

void topk_merge(struct topk *topk, const struct topk *from)
{
	for (size_t i = 0; i < from->n; i += BLOCK)
		add(topk, from->keys + i, from->n - i < BLOCK ? from->n - i : BLOCK, from->positions + i);
}

size_t topk_finish(struct topk *topk, uint32_t *ret)
{
	cut(topk);
	memcpy(ret, topk->positions, topk->n * sizeof(*ret));
	return topk->n;
}
