#include "model/topk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define MIN_SPARE 512 /* scores taken in beyond k before the next cut */

/* Integers that compare as the floats do. */
static uint32_t key_of(float score)
{
	uint32_t bits;

	if (score != score)
		return 0;
	score += 0.0f; /* -0 to +0 */
	memcpy(&bits, &score, sizeof(bits));
	return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

int topk_init(struct topk *topk, size_t k)
{
	size_t cap = k + (k > MIN_SPARE ? k : MIN_SPARE);

	*topk = (struct topk){ .k = k, .cap = cap };
	topk->keys = array_new(uint32_t, cap);
	topk->positions = array_new(uint32_t, cap);
	if (topk->keys != NULL && topk->positions != NULL)
		return 0;
	topk_done(topk);
	return -ENOMEM;
}

void topk_done(struct topk *topk)
{
	free(topk->keys);
	free(topk->positions);
	*topk = (struct topk){ 0 };
}

void topk_start(struct topk *topk)
{
	topk->n = 0;
	topk->full = false;
	topk->floor = 0;
}

/* The k-th largest key, found byte by byte from the top; *ret_above is how many are larger. */
static uint32_t kth_largest(const struct topk *topk, size_t *ret_above)
{
	uint32_t prefix = 0, mask = 0;
	size_t above = 0;

	for (int shift = 24; shift >= 0; shift -= 8) {
		size_t counts[256] = { 0 };
		uint32_t byte = 255;

		for (size_t i = 0; i < topk->n; i++) {
			if ((topk->keys[i] & mask) == prefix)
				counts[topk->keys[i] >> shift & 255]++;
		}
		while (above + counts[byte] < topk->k)
			above += counts[byte--];
		prefix |= byte << shift;
		mask |= 255u << shift;
	}
	*ret_above = above;
	return prefix;
}

/* Keep the k best in order of position. */
static void cut(struct topk *topk)
{
	size_t above, equal, n = 0;

	if (topk->n <= topk->k)
		return;
	topk->floor = kth_largest(topk, &above);
	topk->full = true;
	equal = topk->k - above;
	for (size_t i = 0; i < topk->n; i++) {
		bool keep = topk->keys[i] > topk->floor;

		if (topk->keys[i] == topk->floor && equal > 0) {
			equal--;
			keep = true;
		}
		topk->keys[n] = topk->keys[i];
		topk->positions[n] = topk->positions[i];
		n += keep;
	}
	topk->n = n;
}

void topk_push(struct topk *topk, const float *scores, size_t n, uint32_t first)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t key = key_of(scores[i]);

		if (topk->full && key <= topk->floor)
			continue;
		if (topk->n == topk->cap) {
			cut(topk);
			if (key <= topk->floor)
				continue;
		}
		topk->keys[topk->n] = key;
		topk->positions[topk->n++] = first + (uint32_t)i;
	}
}

size_t topk_finish(struct topk *topk, uint32_t *ret)
{
	cut(topk);
	memcpy(ret, topk->positions, topk->n * sizeof(*ret));
	return topk->n;
}
