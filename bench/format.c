#include "bench/format.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/array.h"

#define SCALE_VALUES 128 /* that share one */
#define E4M3_MAX 448.0f
#define MIN_AMAX 1e-4f
#define TWO_TO_120 0x1p120f /* e4m3's bits in a float's place, times this, are its value */

const char *const FORMAT_NAMES[N_FORMATS] = {
	[FORMAT_PLAIN] = "bf16 plain",
	[FORMAT_DEFLATED] = "bf16 shuffled and deflated",
	[FORMAT_FP8_LATENTS] = "fp8 latents",
	[FORMAT_FP8] = "fp8 latents and index keys",
};

int format_init(struct format *format, enum format_kind kind, const struct cache_layout *layout,
                uint32_t n_layers, struct err *err)
{
	*format = (struct format){ kind, layout, n_layers, array_new(uint8_t, cache_block_bytes(layout)) };
	return format->scratch != NULL ? 0 : err_set(err, -ENOMEM, "no memory for a page");
}

void format_done(struct format *format)
{
	free(format->scratch);
	format->scratch = NULL;
}

/* Codes and scales together are always fewer than the bytes that they stand for. */
size_t format_max_bytes(const struct format *format)
{
	return compressBound(cache_block_bytes(format->layout));
}

static void shuffle(const uint8_t *from, uint8_t *to, size_t n_elements)
{
	for (size_t i = 0; i < n_elements; i++) {
		to[i] = from[2 * i];
		to[n_elements + i] = from[2 * i + 1];
	}
}

static void unshuffle(const uint8_t *from, uint8_t *to, size_t n_elements)
{
	for (size_t i = 0; i < n_elements; i++) {
		to[2 * i] = from[i];
		to[2 * i + 1] = from[n_elements + i];
	}
}

static float float_of_bits(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static uint32_t bits_of_float(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/* To the nearest, ties to even; |value| is at most E4M3_MAX. Below 2^-6 the steps are of 2^-9. */
static uint8_t e4m3_of_float(float value)
{
	float size = fabsf(value);
	int exponent = size < 0x1p-6f ? -6 : ilogbf(size);
	uint32_t steps =
		(uint32_t)lrintf(ldexpf(size, 3 - exponent)); /* of an eighth; 8 to 16, fewer below */

	return (uint8_t)((value < 0 ? 0x80u : 0) | ((uint32_t)(exponent + 6) * 8 + steps));
}

static float scale_of(const uint16_t *values, size_t n)
{
	float most = MIN_AMAX;

	for (size_t i = 0; i < n; i++)
		most = fmaxf(most, fabsf(float_of_bits((uint32_t)values[i] << 16)));
	return exp2f(ceilf(log2f(most / E4M3_MAX)));
}

/* Codes of n_rows rows, then their scales; returns the bytes taken. */
static size_t encode_rows(const uint8_t *page, size_t n_rows, size_t width, uint8_t *ret)
{
	const uint16_t *values = (const uint16_t *)(const void *)page;
	uint8_t *scales = ret + n_rows * width;

	for (size_t row = 0; row < n_rows; row++) {
		for (size_t at = 0; at < width; at += SCALE_VALUES) {
			size_t n = width - at < SCALE_VALUES ? width - at : SCALE_VALUES;
			const uint16_t *from = values + row * width + at;
			float scale = scale_of(from, n);

			for (size_t i = 0; i < n; i++)
				ret[row * width + at + i] =
					e4m3_of_float(float_of_bits((uint32_t)from[i] << 16) / scale);
			memcpy(scales, &scale, sizeof(scale));
			scales += sizeof(scale);
		}
	}
	return (size_t)(scales - ret);
}

/* The product has no more bits than bf16 holds. */
static void decode_codes(const uint8_t *restrict codes, size_t n, float scale, uint16_t *restrict ret)
{
	float factor = TWO_TO_120 * scale;

	for (size_t i = 0; i < n; i++) {
		uint32_t bits = (codes[i] & 0x80u) << 24 | (codes[i] & 0x7fu) << 20;

		ret[i] = (uint16_t)(bits_of_float(float_of_bits(bits) * factor) >> 16);
	}
}

static size_t decode_rows(const uint8_t *bytes, size_t n_rows, size_t width, uint8_t *page)
{
	uint16_t *values = (uint16_t *)(void *)page;
	const uint8_t *scales = bytes + n_rows * width;

	for (size_t row = 0; row < n_rows; row++) {
		for (size_t at = 0; at < width; at += SCALE_VALUES) {
			size_t n = width - at < SCALE_VALUES ? width - at : SCALE_VALUES;
			float scale;

			memcpy(&scale, scales, sizeof(scale));
			scales += sizeof(scale);
			decode_codes(bytes + row * width + at, n, scale, values + row * width + at);
		}
	}
	return (size_t)(scales - bytes);
}

/* One layer's rows of one sort in a page. */
struct part {
	size_t offset, width;
	bool fp8;
};

enum { LATENTS, ROPE_KEYS, INDEX_KEYS, N_PARTS };

static void parts_of(const struct format *format, uint32_t layer, struct part *ret)
{
	const struct cache_layout *layout = format->layout;

	ret[LATENTS] = (struct part){ layout->latent_offset[layer], layout->rank, true };
	ret[ROPE_KEYS] = (struct part){ layout->rope_offset[layer], layout->rope, false };
	ret[INDEX_KEYS] = (struct part){ layout->row_bytes + layout->index_offset[layer],
		                         layout->full_indexer[layer] ? layout->index_width : 0,
		                         format->kind == FORMAT_FP8 };
}

static size_t encode_page(const struct format *format, const uint8_t *page, uint8_t *ret)
{
	struct part parts[N_PARTS];
	size_t n = 0;

	for (uint32_t layer = 0; layer < format->n_layers; layer++) {
		parts_of(format, layer, parts);
		for (size_t i = 0; i < N_PARTS; i++) {
			size_t n_plain = CACHE_PAGE_TOKENS * parts[i].width * 2;

			if (parts[i].fp8)
				n += encode_rows(page + parts[i].offset, CACHE_PAGE_TOKENS, parts[i].width,
				                 ret + n);
			else
				memcpy(ret + n, page + parts[i].offset, n_plain);
			n += parts[i].fp8 ? 0 : n_plain;
		}
	}
	return n;
}

static void decode_page(const struct format *format, const uint8_t *bytes, uint8_t *page)
{
	struct part parts[N_PARTS];

	for (uint32_t layer = 0; layer < format->n_layers; layer++) {
		parts_of(format, layer, parts);
		for (size_t i = 0; i < N_PARTS; i++) {
			size_t n_plain = CACHE_PAGE_TOKENS * parts[i].width * 2;

			if (parts[i].fp8)
				bytes += decode_rows(bytes, CACHE_PAGE_TOKENS, parts[i].width,
				                     page + parts[i].offset);
			else
				memcpy(page + parts[i].offset, bytes, n_plain);
			bytes += parts[i].fp8 ? 0 : n_plain;
		}
	}
}

static int deflate_page(const struct format *format, const uint8_t *page, uint8_t *ret, size_t *ret_n,
                        struct err *err)
{
	uLongf n = format_max_bytes(format);

	shuffle(page, format->scratch, cache_block_bytes(format->layout) / 2);
	if (compress2(ret, &n, format->scratch, cache_block_bytes(format->layout), 1) != Z_OK)
		return err_set(err, -EINVAL, "zlib did not compress a block");
	*ret_n = n;
	return 0;
}

static int inflate_page(const struct format *format, const uint8_t *bytes, size_t n, uint8_t *page,
                        struct err *err)
{
	uLongf n_page = cache_block_bytes(format->layout);

	if (uncompress(format->scratch, &n_page, bytes, n) != Z_OK || n_page != cache_block_bytes(format->layout))
		return err_set(err, -EINVAL, "zlib did not restore a block");
	unshuffle(format->scratch, page, n_page / 2);
	return 0;
}

int format_encode(const struct format *format, const uint8_t *page, uint8_t *ret, size_t *ret_n,
                  struct err *err)
{
	switch (format->kind) {
	case FORMAT_PLAIN:
		memcpy(ret, page, cache_block_bytes(format->layout));
		*ret_n = cache_block_bytes(format->layout);
		return 0;
	case FORMAT_DEFLATED:
		return deflate_page(format, page, ret, ret_n, err);
	default:
		*ret_n = encode_page(format, page, ret);
		return 0;
	}
}

int format_decode(const struct format *format, const uint8_t *bytes, size_t n, uint8_t *page, struct err *err)
{
	switch (format->kind) {
	case FORMAT_PLAIN:
		memcpy(page, bytes, n);
		return 0;
	case FORMAT_DEFLATED:
		return inflate_page(format, bytes, n, page, err);
	default:
		decode_page(format, bytes, page);
		return 0;
	}
}
