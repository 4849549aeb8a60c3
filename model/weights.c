#include "model/weights.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

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

static void pack_f32(const float *rows, const struct matrix *matrix)
{
	float *panels = matrix->panels;

	for (uint32_t o = 0; o < matrix->n_out; o++) {
		float *column = panels + (size_t)(o / PANEL) * matrix->n_in * PANEL + o % PANEL;

		for (uint32_t i = 0; i < matrix->n_in; i++)
			column[(size_t)i * PANEL] = rows[(size_t)o * matrix->n_in + i];
	}
}

static void pack_bf16(const float *rows, const struct matrix *matrix)
{
	uint32_t *panels = matrix->panels;
	const uint32_t half = PANEL / 2;

	for (uint32_t o = 0; o < matrix->n_out; o++) {
		uint32_t *column = panels + (size_t)(o / PANEL) * matrix->n_in * half + o % half;
		bool high = o % PANEL >= half;

		for (uint32_t i = 0; i < matrix->n_in; i++) {
			uint32_t bits = bits_of(rows[(size_t)o * matrix->n_in + i]);

			column[(size_t)i * half] |= high ? bits : bits >> 16;
		}
	}
}

int matrix_pack(const float *rows, uint32_t n_out, uint32_t n_in, struct matrix *ret)
{
	struct matrix matrix = { .n_out = n_out, .n_in = n_in };

	matrix.bf16 = all_bf16(rows, (size_t)n_out * n_in);
	matrix.panels = array_alloc(matrix_panel_bytes(&matrix), matrix_n_panels(&matrix), 1);
	if (matrix.panels == NULL)
		return -ENOMEM;
	if (matrix.bf16)
		pack_bf16(rows, &matrix);
	else
		pack_f32(rows, &matrix);
	*ret = matrix;
	return 0;
}

void matrix_done(struct matrix *matrix)
{
	free(matrix->panels);
	*matrix = (struct matrix){ 0 };
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

int weights_pack(const struct checkpoint *checkpoint, const struct model_shape *shape, const char *name,
                 uint32_t n_out, uint32_t n_in, struct matrix *ret, struct err *err)
{
	float *rows;
	int r = weights_read(checkpoint, shape, name, n_out, n_in, &rows, err);

	if (r < 0)
		return r;
	r = matrix_pack(rows, n_out, n_in, ret);
	free(rows);
	return r < 0 ? err_set(err, r, "tensor '%s': no memory", name) : 0;
}
