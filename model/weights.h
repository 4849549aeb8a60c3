/* Weights in the form that the kernels stream. A matrix is stored in panels of PANEL outputs; within a panel the
 * inputs run in order and the outputs of one input lie side by side, so that SIMD lanes are outputs and every
 * kernel sums over the inputs in the same rising order. bf16 where every value is exactly one (fp8 with power-of-two
 * scales is), else float32: packing changes no value. What is asked to be levels, integers of 8 bits, is rounded. */
#ifndef SKIMD_MODEL_WEIGHTS_H
#define SKIMD_MODEL_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/safetensors.h"
#include "model/shape.h"

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "model/ must not be built with -ffast-math: results would depend on the compiler"
#endif

#define PANEL 16

/* y[n_out] = W[n_out, n_in] x[n_in]. */
struct matrix {
	uint32_t n_out, n_in;
	bool bf16;
	/* float32: [panels][n_in][PANEL] floats. bf16: [panels][n_in / 2, rounded up][PANEL] words, of output j the
	 * even input in the low and the odd one in the high half of word j. */
	void *panels;

	/* Weights that were e4m3 with scales that are powers of two are kept as such too, for products of a few
	 * rows, which cost what is read: [panels][n_in][PANEL], and each panel's scales, one for scale_inputs
	 * inputs. NULL where they were anything else. */
	uint8_t *e4m3;
	float *scales; /* [panels][n_in / scale_inputs, rounded up] */
	uint32_t scale_inputs;

	/* Instead of all these, weights that were rounded: levels [panels][level_inputs / LEVEL_STEP][PANEL][LEVEL_STEP],
	 * of which LEVEL_BLOCK inputs of an output share what one level stands for. */
	int8_t *levels;
	float *level_scales; /* [panels][level_blocks][PANEL] */
	int32_t *level_sums; /* likewise: a block's levels, added */
};

#define LEVEL_BLOCK 128 /* inputs */
#define LEVEL_STEP 4
#define WEIGHT_LEVELS 64 /* at most: two products with inputs of 8 bits fit 16 */

static inline uint32_t matrix_n_panels(const struct matrix *matrix)
{
	return (matrix->n_out + PANEL - 1) / PANEL;
}

static inline uint32_t matrix_n_scales(const struct matrix *matrix)
{
	return (matrix->n_in + matrix->scale_inputs - 1) / matrix->scale_inputs;
}

/* Inputs with those of nothing behind them that fill the last step. */
static inline size_t matrix_level_inputs(const struct matrix *matrix)
{
	return ((size_t)matrix->n_in + LEVEL_STEP - 1) / LEVEL_STEP * LEVEL_STEP;
}

static inline size_t matrix_level_blocks(const struct matrix *matrix)
{
	return ((size_t)matrix->n_in + LEVEL_BLOCK - 1) / LEVEL_BLOCK;
}

/* Bytes of one panel. */
static inline size_t matrix_panel_bytes(const struct matrix *matrix)
{
	return (matrix->bf16 ? ((size_t)matrix->n_in + 1) / 2 : matrix->n_in) * PANEL * 4;
}

/* Rows of float32 [n_out, n_in] into panels. -ENOMEM. */
int matrix_pack(const float *rows, uint32_t n_out, uint32_t n_in, struct matrix *ret);
void matrix_done(struct matrix *matrix);

/* Set the weights of one output, rounded to the nearest bf16 in a matrix of bf16. */
void matrix_put_row(struct matrix *matrix, uint32_t output, const float *row);

/* Set a whole panel from PANEL rows that have the matrix' own kind of elements, wherever they lie. */
void matrix_put_panel(struct matrix *matrix, uint32_t panel, const uint8_t *const *rows);

/* Round the weights to levels, and let go of what they were. A level stands for the block's largest weight /
 * WEIGHT_LEVELS or the next power of two, whichever errs less: e4m3 has few values that are not multiples of the latter.
 * -ENOMEM: the matrix is as it was. */
int matrix_to_levels(struct matrix *matrix);

/* The tensor `name` of exactly that shape as float32 rows, its fp8 blocks multiplied by `name`_scale_inv. *ret is the
 * caller's, for free(). -EBADMSG: missing, another shape, no scale, or a value that is not finite. */
int weights_read(const struct checkpoint *checkpoint, const struct model_shape *shape, const char *name,
                 uint32_t n_out, uint32_t n_in, float **ret, struct err *err);

/* The same, packed; e4m3 as such, too, where that gives the same products. */
int weights_pack(const struct checkpoint *checkpoint, const struct model_shape *shape, const char *name,
                 uint32_t n_out, uint32_t n_in, struct matrix *ret, struct err *err);

#endif
