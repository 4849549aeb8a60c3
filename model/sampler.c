#include "model/sampler.h"

#include <math.h>
#include <stdbool.h>

/* Whether a beats b for certain: NaN beats nothing, and everything else beats NaN. */
static bool is_larger(float a, float b)
{
	return a > b || (isnan(b) && !isnan(a));
}

uint32_t sampler_greedy(const float *logits, size_t n)
{
	uint32_t best = 0;

	for (size_t id = 1; id < n; id++) {
		if (is_larger(logits[id], logits[best]))
			best = (uint32_t)id;
	}
	return best;
}

uint32_t sampler_greedy_among(const float *logits, const uint32_t *ids, size_t n_ids)
{
	uint32_t best = ids[0];

	for (size_t i = 1; i < n_ids; i++) {
		if (is_larger(logits[ids[i]], logits[best]))
			best = ids[i];
	}
	return best;
}

/* exp(scale * (logit - largest)); the largest is 1 even if it is infinite. */
static double weight(float logit, float largest, double scale)
{
	if (isnan(logit))
		return 0;
	return logit == largest ? 1 : exp(scale * ((double)logit - (double)largest));
}

static double sum_of_weights(const float *logits, size_t n, float largest, double scale)
{
	double sum = 0;

	for (size_t id = 0; id < n; id++)
		sum += weight(logits[id], largest, scale);
	return sum;
}

double sampler_log_probability(const float *logits, size_t n, uint32_t id)
{
	float largest = logits[sampler_greedy(logits, n)];
	double sum;

	if (isnan(logits[id]))
		return -INFINITY;
	sum = log(sum_of_weights(logits, n, largest, 1));
	return logits[id] == largest ? -sum : (double)logits[id] - (double)largest - sum;
}

/* splitmix64, the top 53 bits: 0 <= u < 1 */
static double draw_uniform(struct sampler *sampler)
{
	uint64_t bits = sampler->state += 0x9e3779b97f4a7c15;

	bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
	bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
	return (double)((bits ^ bits >> 31) >> 11) * 0x1p-53;
}

static bool comes_first(const float *logits, uint32_t a, uint32_t b)
{
	return is_larger(logits[a], logits[b]) || (!is_larger(logits[b], logits[a]) && a < b);
}

static void sift_down(const float *logits, uint32_t *heap, size_t n, size_t at)
{
	uint32_t moving = heap[at];
	size_t child;

	while ((child = 2 * at + 1) < n) {
		if (child + 1 < n && comes_first(logits, heap[child + 1], heap[child]))
			child++;
		if (!comes_first(logits, heap[child], moving))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = moving;
}

static void fill_order(uint32_t *order, size_t n)
{
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
}

/* Sort the likeliest ids, until their weights reach enough, to the end of order, the likeliest last. Returns how
 * many, and the sum of their weights. */
static size_t sort_likeliest(const float *logits, size_t n, double scale, double enough, uint32_t *order,
                             double *ret_sum)
{
	float largest;
	double sum = 0;
	size_t n_heap = n;

	for (size_t i = n / 2; i-- > 0;)
		sift_down(logits, order, n, i);
	largest = logits[order[0]];
	do {
		uint32_t likeliest = order[0];

		sum += weight(logits[likeliest], largest, scale);
		order[0] = order[--n_heap];
		order[n_heap] = likeliest;
		if (n_heap > 0)
			sift_down(logits, order, n_heap, 0);
	} while (n_heap > 0 && sum < enough);
	*ret_sum = sum;
	return n - n_heap;
}

/* Walk the last n_kept ids of order until their weights have used up left; what rounding leaves over at the end
 * falls to the last id that has any weight. */
static uint32_t pick(const float *logits, float largest, double scale, const uint32_t *order, size_t n,
                     size_t n_kept, double left)
{
	uint32_t picked = order[n - 1];

	for (size_t i = n; i-- > n - n_kept;) {
		double own = weight(logits[order[i]], largest, scale);

		if (own > 0)
			picked = order[i];
		left -= own;
		if (left < 0)
			break;
	}
	return picked;
}

uint32_t sampler_draw(struct sampler *sampler, const float *logits, size_t n, uint32_t *order)
{
	uint32_t best = sampler_greedy(logits, n);
	double scale, sum;
	size_t n_kept = n;

	if (!(sampler->temperature > 0) || isnan(logits[best]))
		return best;
	fill_order(order, n);
	scale = 1 / (double)sampler->temperature;
	sum = sum_of_weights(logits, n, logits[best], scale);
	if (sampler->top_p < 1)
		n_kept = sort_likeliest(logits, n, scale, (double)sampler->top_p * sum, order, &sum);
	return pick(logits, logits[best], scale, order, n, n_kept, draw_uniform(sampler) * sum);
}
