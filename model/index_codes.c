#include "model/index_codes.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define N_LEVELS 127 /* on each side of CODE_ZERO */
#define ROUND 12582912.0f /* 1.5 * 2^23: adding it leaves the nearest integer */
#define LOST_SQUARES 4e-18f /* more than the norm of numbers whose squares are lost */
#define MOST_CODE ((float)(N_LEVELS * CODE_MOST_WIDTH)) /* more than the norm of a key's levels */

static uint32_t padded_width(uint32_t width)
{
	return (uint32_t)round_up(width, CODE_STEP);
}

size_t index_codes_bytes(uint32_t width)
{
	return round_up(sizeof(struct code_bounds), 64) + CODE_TOKENS * (sizeof(float) + padded_width(width));
}

struct index_codes index_codes_at(void *memory)
{
	uint8_t *scales = (uint8_t *)memory + round_up(sizeof(struct code_bounds), 64);

	return (struct index_codes){ memory, (float *)(void *)scales, scales + CODE_TOKENS * sizeof(float) };
}

static void raise(_Atomic uint32_t *bound, uint32_t bits)
{
	uint32_t held = atomic_load_explicit(bound, memory_order_relaxed);

	while (bits > held && !atomic_compare_exchange_weak_explicit(bound, &held, bits, memory_order_relaxed,
	                                                             memory_order_relaxed))
		;
}

void code_bounds_add(struct code_bounds *bounds, const struct code_bounds *other)
{
	raise(&bounds->error, atomic_load_explicit(&other->error, memory_order_relaxed));
	raise(&bounds->norm, atomic_load_explicit(&other->norm, memory_order_relaxed));
}

static uint32_t bits_of(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static float value_of(const _Atomic uint32_t *bound)
{
	uint32_t bits = atomic_load_explicit(bound, memory_order_relaxed);
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

typedef float four_floats __attribute__((vector_size(16), aligned(4)));
typedef uint32_t four_words __attribute__((vector_size(16), aligned(4)));

static float sum_of(four_floats x)
{
	return (x[0] + x[1]) + (x[2] + x[3]);
}

/* The largest |x|, of n numbers, a multiple of 4; NaN or infinite if one of them is. As integers: those of what is not
 * finite are above all others. */
static float most_of(const float *x, size_t n)
{
	four_words most = { 0 };
	uint32_t bits = 0;
	float ret;

	for (size_t i = 0; i < n; i += 4) {
		four_words size = *(const four_words *)(const void *)(x + i) & 0x7fffffff;
		four_words larger = (four_words)(size > most);

		most = (size & larger) | (most & ~larger);
	}
	for (size_t i = 0; i < 4; i++)
		bits = most[i] > bits ? most[i] : bits;
	memcpy(&ret, &bits, sizeof(ret));
	return ret;
}

/* x as `unit` times a level, the norm of what that leaves and of what it holds; rather more than less. */
struct rounded {
	float unit, error, norm;
};

/* n is a multiple of 4. False: some x is not finite. */
static bool round_levels(int8_t *levels, const float *x, size_t n, int8_t most_level, struct rounded *ret)
{
	float most = most_of(x, n), unit = most / most_level, inverse = 1 / unit;
	four_floats errors = { 0 }, squares = { 0 };

	if (!isfinite(most))
		return false;
	if (unit < FLT_MIN) /* all of so small an x is error */
		unit = inverse = 0;
	for (size_t i = 0; i < n; i += 4) {
		four_floats four = *(const four_floats *)(x + i), shifted = four * inverse + ROUND;
		four_floats level = shifted - ROUND, error = four - level * unit;
		four_words bits = (four_words)shifted; /* of which the low ones are the level's */

		for (size_t j = 0; j < 4; j++)
			levels[i + j] = (int8_t)bits[j];
		errors += error * error;
		squares += level * level;
	}
	*ret = (struct rounded){ unit, sqrtf(sum_of(errors)) * 1.0001f + LOST_SQUARES,
		                 unit * sqrtf(sum_of(squares)) * 1.0001f };
	return true;
}

void index_codes_put(const struct index_codes *codes, size_t place, const float *key, uint32_t width)
{
	uint8_t *to = codes->codes + place / PANEL * padded_width(width) * PANEL + place % PANEL * CODE_STEP;
	float values[CODE_MOST_WIDTH];
	int8_t levels[CODE_MOST_WIDTH];
	struct rounded rounded;

	memcpy(values, key, width * sizeof(*key));
	for (size_t i = width; i < padded_width(width); i++)
		values[i] = 0;
	if (!round_levels(levels, values, padded_width(width), N_LEVELS, &rounded)) {
		raise(&codes->bounds->error, bits_of(INFINITY));
		return;
	}
	codes->scales[place] = rounded.unit;
	raise(&codes->bounds->error, bits_of(rounded.error));
	raise(&codes->bounds->norm, bits_of(rounded.norm));
	for (size_t i = 0; i < width; i += CODE_STEP, to += PANEL * CODE_STEP) {
		uint32_t four;

		memcpy(&four, levels + i, sizeof(four));
		four ^= 0x80808080; /* CODE_ZERO added to each */
		memcpy(to, &four, sizeof(four));
	}
}

int coded_query_init(struct coded_query *query, uint32_t n_heads, uint32_t width)
{
	*query = (struct coded_query){
		.n_heads = (uint32_t)round_up(n_heads, CODE_HEADS),
		.width = padded_width(width),
	};
	query->levels = array_new(int8_t, query->n_heads, query->width);
	query->offsets = array_new(int32_t, query->n_heads);
	query->weights = array_new(float, query->n_heads);
	if (query->levels != NULL && query->offsets != NULL && query->weights != NULL)
		return 0;
	coded_query_done(query);
	return -ENOMEM;
}

void coded_query_done(struct coded_query *query)
{
	free(query->levels);
	free(query->offsets);
	free(query->weights);
	*query = (struct coded_query){ 0 };
}

/* Both ways of summing up round each of their steps by 2^-24 of what stands there, which is never more than the sum of
 * the norms' products. */
static float rounding(uint32_t n_heads, uint32_t width)
{
	return (float)(width + 2 * n_heads + 16) * 0x1p-22f;
}

float coded_query_set(struct coded_query *query, const struct ops *ops, const float *q, const float *w,
                      uint32_t n_heads, uint32_t width, const struct code_bounds *bounds)
{
	float most_error = value_of(&bounds->error), most_norm = value_of(&bounds->norm);
	float most_key = fmaxf(most_norm + most_error, MOST_CODE), difference = 0, reach = 0;
	float near[CODE_MOST_WIDTH]; /* as the exact product sees the query */
	uint16_t halves[CODE_MOST_WIDTH];

	for (uint32_t j = 0; j < n_heads; j++, q += width) {
		int8_t *levels = query->levels + (size_t)j * query->width;
		struct rounded rounded;
		int32_t sum = 0;

		memset(near + width, 0, (query->width - width) * sizeof(*near));
		memcpy(near, q, width * sizeof(*q));
		if (ops->rounds_inputs) {
			store_row(halves, q, width, true);
			load_row(near, halves, width, true);
		}
		if (!round_levels(levels, near, query->width, ops->code_levels, &rounded))
			return INFINITY;
		for (uint32_t i = 0; i < width; i++)
			sum += levels[i];
		query->offsets[j] = CODE_ZERO * sum;
		query->weights[j] = w[j] * rounded.unit;
		difference +=
			fabsf(w[j]) *
				((rounded.norm + rounded.error) *
		                         (most_error + (most_norm + most_error) * rounding(n_heads, width)) +
		                 rounded.error * most_norm) +
			FLT_MIN * most_norm; /* more than a weight loses that is too small for float32 */
		reach += (1 + fabsf(w[j])) * (rounded.norm + rounded.error) * most_key;
	}
	/* a sum that overflowed would be off by any amount */
	return isfinite(2 * reach) ? difference * 1.0001f + FLT_MIN : INFINITY;
}
