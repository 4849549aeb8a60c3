#include "model/weights.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/ops.h"

static uint32_t bits_of(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static bool all_bf16(const float *values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((bits_of(values[i]) & 0xffff) != 0)
			return false;
	}
	return true;
}

void matrix_put_row(struct matrix *matrix, uint32_t output, const float *row)
{
	uint8_t *panel = (uint8_t *)matrix->panels + output / PANEL * matrix_panel_bytes(matrix);
	size_t lane = output % PANEL;

	if (!matrix->bf16) {
		for (uint32_t i = 0; i < matrix->n_in; i++)
			((float *)(void *)panel)[(size_t)i * PANEL + lane] = row[i];
		return;
	}
	for (uint32_t i = 0; i < matrix->n_in; i++)
		((uint16_t *)(void *)panel)[((size_t)(i / 2) * PANEL + lane) * 2 + i % 2] = bf16_bits(row[i]);
}

typedef uint32_t four_words __attribute__((vector_size(16), aligned(2)));

/* Words [first, first + 4) of four rows to those of four columns, a row of PANEL words each. */
static void transpose_four(uint32_t *to, const uint8_t *const *rows, size_t first)
{
	four_words a = *(const four_words *)(const void *)(rows[0] + first * 4);
	four_words b = *(const four_words *)(const void *)(rows[1] + first * 4);
	four_words c = *(const four_words *)(const void *)(rows[2] + first * 4);
	four_words d = *(const four_words *)(const void *)(rows[3] + first * 4);
	four_words ac_low = __builtin_shufflevector(a, c, 0, 4, 1, 5);
	four_words ac_high = __builtin_shufflevector(a, c, 2, 6, 3, 7);
	four_words bd_low = __builtin_shufflevector(b, d, 0, 4, 1, 5);
	four_words bd_high = __builtin_shufflevector(b, d, 2, 6, 3, 7);

	*(four_words *)(to + 0 * PANEL) = __builtin_shufflevector(ac_low, bd_low, 0, 4, 1, 5);
	*(four_words *)(to + 1 * PANEL) = __builtin_shufflevector(ac_low, bd_low, 2, 6, 3, 7);
	*(four_words *)(to + 2 * PANEL) = __builtin_shufflevector(ac_high, bd_high, 0, 4, 1, 5);
	*(four_words *)(to + 3 * PANEL) = __builtin_shufflevector(ac_high, bd_high, 2, 6, 3, 7);
}

void matrix_put_panel(struct matrix *matrix, uint32_t panel, const uint8_t *const *rows)
{
	uint32_t *words =
		(uint32_t *)(void *)((uint8_t *)matrix->panels + panel * matrix_panel_bytes(matrix));
	size_t n = matrix->bf16 ? matrix->n_in / 2 : matrix->n_in, k = 0;

	for (; k + 4 <= n; k += 4) {
		for (size_t j = 0; j < PANEL; j += 4)
			transpose_four(words + k * PANEL + j, rows + j, k);
	}
	for (; k < n; k++) {
		for (size_t j = 0; j < PANEL; j++)
			memcpy(words + k * PANEL + j, rows[j] + k * 4, 4);
	}
	for (size_t j = 0; matrix->bf16 && matrix->n_in % 2 != 0 && j < PANEL; j++)
		words[k * PANEL + j] = (uint32_t)(rows[j][k * 4] | rows[j][k * 4 + 1] << 8);
}

int matrix_pack(const float *rows, uint32_t n_out, uint32_t n_in, struct matrix *ret)
{
	struct matrix matrix = { .n_out = n_out, .n_in = n_in };

	matrix.bf16 = all_bf16(rows, (size_t)n_out * n_in);
	matrix.panels = array_alloc(matrix_panel_bytes(&matrix), matrix_n_panels(&matrix), 1);
	if (matrix.panels == NULL)
		return -ENOMEM;
	for (uint32_t o = 0; o < n_out; o++)
		matrix_put_row(&matrix, o, rows + (size_t)o * n_in);
	*ret = matrix;
	return 0;
}

void matrix_done(struct matrix *matrix)
{
	free(matrix->panels);
	free(matrix->e4m3);
	free(matrix->scales);
	free(matrix->levels);
	free(matrix->level_scales);
	free(matrix->level_sums);
	*matrix = (struct matrix){ 0 };
}

static float weight_at(const struct matrix *matrix, uint32_t output, uint32_t input)
{
	const uint8_t *panel = (const uint8_t *)matrix->panels + output / PANEL * matrix_panel_bytes(matrix);
	size_t lane = output % PANEL;
	uint32_t bits;
	float ret;

	if (!matrix->bf16)
		return ((const float *)(const void *)panel)[(size_t)input * PANEL + lane];
	bits = (uint32_t)((const uint16_t *)(const void *)
	                          panel)[((size_t)(input / 2) * PANEL + lane) * 2 + input % 2]
	       << 16;
	memcpy(&ret, &bits, sizeof(ret));
	return ret;
}

/* The nearest whole number, ties to even, of one that is small. */
static float nearest(float value)
{
	return value + 0x1.8p23f - 0x1.8p23f;
}

/* The nearest multiples of the scale; returns by how much they err: the sum of the squares. */
static float round_weights(int8_t *levels, const float *weights, size_t n, float scale)
{
	float ret = 0;

	for (size_t i = 0; i < n; i++) {
		float level = nearest(weights[i] / scale), error = weights[i] - level * scale;

		levels[i] = (int8_t)level;
		ret += error * error;
	}
	return ret;
}

/* n weights, at most LEVEL_BLOCK, as levels; returns what a level stands for. */
static float weight_levels(int8_t *levels, const float *weights, size_t n)
{
	int8_t other[LEVEL_BLOCK];
	float most = 0, scale, mantissa, power;
	int exponent;

	for (size_t i = 0; i < n; i++)
		most = fabsf(weights[i]) > most ? fabsf(weights[i]) : most;
	if (most < 0x1p-100f) {
		memset(levels, 0, n);
		return 0;
	}
	scale = most / WEIGHT_LEVELS;
	mantissa = frexpf(scale, &exponent);
	power = ldexpf(1, mantissa > 0.5f ? exponent : exponent - 1);
	if (round_weights(levels, weights, n, scale) <= round_weights(other, weights, n, power))
		return scale;
	memcpy(levels, other, n);
	return power;
}

/* A block of one output to its places. */
static void put_levels(struct matrix *matrix, uint32_t output, uint32_t block)
{
	uint32_t first = block * LEVEL_BLOCK,
		 n = matrix->n_in - first < LEVEL_BLOCK ? matrix->n_in - first : LEVEL_BLOCK;
	size_t at = (output / PANEL * matrix_level_blocks(matrix) + block) * PANEL + output % PANEL;
	int8_t *to = matrix->levels + (output / PANEL * matrix_level_inputs(matrix) + first) * PANEL +
	             output % PANEL * LEVEL_STEP;
	float weights[LEVEL_BLOCK];
	int8_t levels[LEVEL_BLOCK];

	for (uint32_t i = 0; i < n; i++)
		weights[i] = weight_at(matrix, output, first + i);
	matrix->level_scales[at] = weight_levels(levels, weights, n);
	for (uint32_t i = 0; i < n; i++) {
		to[(size_t)(i / LEVEL_STEP) * PANEL * LEVEL_STEP + i % LEVEL_STEP] = levels[i];
		matrix->level_sums[at] += levels[i];
	}
}

int matrix_to_levels(struct matrix *matrix)
{
	struct matrix rounded = *matrix;
	size_t n_panels = matrix_n_panels(matrix), n_blocks = matrix_level_blocks(matrix);

	rounded.levels = array_new(int8_t, n_panels * PANEL, matrix_level_inputs(matrix));
	rounded.level_scales = array_new(float, n_panels *PANEL, n_blocks);
	rounded.level_sums = array_new(int32_t, n_panels * PANEL, n_blocks);
	if (rounded.levels == NULL || rounded.level_scales == NULL || rounded.level_sums == NULL) {
		free(rounded.levels);
		free(rounded.level_scales);
		free(rounded.level_sums);
		return -ENOMEM;
	}
	for (uint32_t o = 0; o < matrix->n_out; o++) {
		for (uint32_t b = 0; b < n_blocks; b++)
			put_levels(&rounded, o, b);
	}
	free(matrix->panels);
	free(matrix->e4m3);
	free(matrix->scales);
	rounded.panels = NULL;
	rounded.e4m3 = NULL;
	rounded.scales = NULL;
	*matrix = rounded;
	return 0;
}

/* A vector is a matrix of one row. */
static bool has_shape(const struct tensor *tensor, uint32_t n_out, uint32_t n_in)
{
	if (tensor->n_dims == 1)
		return n_out == 1 && tensor->dims[0] == n_in;
	return tensor->n_dims == 2 && tensor->dims[0] == n_out && tensor->dims[1] == n_in;
}

static int find_scale(const struct checkpoint *checkpoint, const struct model_shape *shape,
                      const struct tensor *tensor, uint32_t n_out, uint32_t n_in, float **ret,
                      struct err *err)
{
	uint32_t n_rows = (n_out - 1) / shape->weight_block_size[0] + 1;
	uint32_t n_columns = (n_in - 1) / shape->weight_block_size[1] + 1;
	const struct tensor *scale;
	char name[512];

	snprintf(name, sizeof(name), "%s_scale_inv", tensor->name);
	scale = checkpoint_find(checkpoint, name);
	if (scale == NULL)
		return err_set(err, -EBADMSG, "%s: tensor '%s': fp8, but '%s' is missing", tensor->file,
		               tensor->name, name);
	if (!has_shape(scale, n_rows, n_columns) || scale->type == TENSOR_OTHER ||
	    scale->type == TENSOR_F8_E4M3)
		return err_set(err, -EBADMSG, "%s: tensor '%s': not %u x %u float values", scale->file, name,
		               n_rows, n_columns);
	*ret = array_new(float, n_rows, n_columns);
	if (*ret == NULL)
		return err_set(err, -ENOMEM, "%s: no memory for '%s'", scale->file, name);
	tensor_read(scale, 0, (uint64_t)n_rows * n_columns, *ret);
	return 0;
}

static void apply_scale(const struct model_shape *shape, const float *scale, uint32_t n_out, uint32_t n_in,
                        float *rows)
{
	uint32_t n_columns = (n_in - 1) / shape->weight_block_size[1] + 1;

	for (uint32_t o = 0; o < n_out; o++) {
		for (uint32_t i = 0; i < n_in; i++)
			rows[(size_t)o * n_in + i] *=
				scale[(size_t)(o / shape->weight_block_size[0]) * n_columns +
			              i / shape->weight_block_size[1]];
	}
}

static int check_finite(const struct tensor *tensor, const float *values, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(values[i]))
			return err_set(err, -EBADMSG, "%s: tensor '%s': value %zu is not finite",
			               tensor->file, tensor->name, i);
	}
	return 0;
}

int weights_read(const struct checkpoint *checkpoint, const struct model_shape *shape, const char *name,
                 uint32_t n_out, uint32_t n_in, float **ret, struct err *err)
{
	const struct tensor *tensor = checkpoint_find(checkpoint, name);
	float *rows = NULL, *scale = NULL;
	int r = 0;

	if (tensor == NULL)
		return err_set(err, -EBADMSG, "tensor '%s' is missing", name);
	if (!has_shape(tensor, n_out, n_in))
		return err_set(err, -EBADMSG, "%s: tensor '%s': %llu x %llu, expected %u x %u", tensor->file,
		               name, (unsigned long long)(tensor->n_dims == 0 ? 0 : tensor->dims[0]),
		               (unsigned long long)(tensor->n_dims < 2 ? 1 : tensor->dims[1]), n_out, n_in);
	if (tensor->type == TENSOR_OTHER)
		return err_set(err, -EBADMSG, "%s: tensor '%s': not a float type that is supported",
		               tensor->file, name);
	if (tensor->type == TENSOR_F8_E4M3)
		r = find_scale(checkpoint, shape, tensor, n_out, n_in, &scale, err);
	if (r == 0 && (rows = array_new(float, n_out, n_in)) == NULL)
		r = err_set(err, -ENOMEM, "%s: tensor '%s': no memory", tensor->file, name);
	if (r == 0) {
		tensor_read(tensor, 0, (uint64_t)n_out * n_in, rows);
		if (scale != NULL)
			apply_scale(shape, scale, n_out, n_in, rows);
		r = check_finite(tensor, rows, (size_t)n_out * n_in, err);
	}
	free(scale);
	if (r < 0)
		free(rows);
	else
		*ret = rows;
	return r;
}

static bool is_power_of_two(float value)
{
	return value > 0 && (bits_of(value) & 0x7fffff) == 0;
}

/* Whether every panel has the same scale for all its outputs, and each a power of two. */
static bool keeps_e4m3(const struct model_shape *shape, const float *scale, const struct matrix *matrix)
{
	uint32_t n_rows = (matrix->n_out - 1) / shape->weight_block_size[0] + 1;
	uint32_t n_columns = (matrix->n_in - 1) / shape->weight_block_size[1] + 1;

	if (!matrix->bf16 || shape->weight_block_size[0] % PANEL != 0)
		return false;
	for (size_t i = 0; i < (size_t)n_rows * n_columns; i++) {
		if (!is_power_of_two(scale[i]))
			return false;
	}
	return true;
}

static int keep_e4m3(struct matrix *matrix, const uint8_t *data, const float *scale, uint32_t block_outputs)
{
	uint32_t n_panels = matrix_n_panels(matrix), n_in = matrix->n_in, n_scales = matrix_n_scales(matrix);

	matrix->e4m3 = array_alloc((size_t)n_in * PANEL, n_panels, 1);
	matrix->scales = array_new(float, n_panels, n_scales);
	if (matrix->e4m3 == NULL || matrix->scales == NULL)
		return -ENOMEM;
	for (uint32_t o = 0; o < matrix->n_out; o++) {
		uint8_t *lane = matrix->e4m3 + (size_t)(o / PANEL) * n_in * PANEL + o % PANEL;

		for (uint32_t i = 0; i < n_in; i++)
			lane[(size_t)i * PANEL] = data[(size_t)o * n_in + i];
	}
	for (uint32_t p = 0; p < n_panels; p++)
		memcpy(matrix->scales + (size_t)p * n_scales,
		       scale + (size_t)(p * PANEL / block_outputs) * n_scales, n_scales * sizeof(*scale));
	return 0;
}

/* Beside the panels, the tensor's own bytes, if it is e4m3. */
static int add_e4m3(const struct checkpoint *checkpoint, const struct model_shape *shape, const char *name,
                    struct matrix *matrix, struct err *err)
{
	const struct tensor *tensor = checkpoint_find(checkpoint, name);
	float *scale = NULL;
	int r;

	if (tensor->type != TENSOR_F8_E4M3)
		return 0;
	r = find_scale(checkpoint, shape, tensor, matrix->n_out, matrix->n_in, &scale, err);
	if (r == 0 && keeps_e4m3(shape, scale, matrix)) {
		matrix->scale_inputs = shape->weight_block_size[1];
		r = keep_e4m3(matrix, tensor->data, scale, shape->weight_block_size[0]);
	}
	free(scale);
	return r;
}

int weights_pack(const struct checkpoint *checkpoint, const struct model_shape *shape, const char *name,
                 uint32_t n_out, uint32_t n_in, struct matrix *ret, struct err *err)
{
	float *rows;
	int r = weights_read(checkpoint, shape, name, n_out, n_in, &rows, err);

	if (r < 0)
		return r;
	r = matrix_pack(rows, n_out, n_in, ret);
	free(rows);
	if (r == 0 && (r = add_e4m3(checkpoint, shape, name, ret, err)) < 0)
		matrix_done(ret);
	return r < 0 ? err_set(err, r, "tensor '%s': no memory", name) : 0;
}
