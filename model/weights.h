/* Weights in the form that the kernels stream. A matrix is stored in panels of PANEL outputs; within a panel the
 * inputs run in order and the outputs of one input lie side by side, so that SIMD lanes are outputs and every
 * kernel sums over the inputs in the same rising order. bf16 where every value is exactly one (fp8 with power-of-two
 * scales is), else float32: packing changes no value. */
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
	/* float32: [panels][n_in][PANEL] floats. bf16: [panels][n_in][PANEL / 2] words, output j in the low and
	 * output j + PANEL / 2 in the high half of word j. */
	void *panels;
};

static inline uint32_t matrix_n_panels(const struct matrix *matrix)
{
	return (matrix->n_out + PANEL - 1) / PANEL;
}

/* Bytes of one panel. */
static inline size_t matrix_panel_bytes(const struct matrix *matrix)
{
	return (size_t)matrix->n_in * PANEL * (matrix->bf16 ? 2 : 4);
}

/* Rows of float32 [n_out, n_in] into panels. -ENOMEM. */
int matrix_pack(const float *rows, uint32_t n_out, uint32_t n_in, struct matrix *ret);
void matrix_done(struct matrix *matrix);

/* The tensor `name` of exactly that shape as float32 rows, its fp8 blocks multiplied by `name`_scale_inv. *ret is the
 * caller's, for free(). -EBADMSG: missing, another shape, no scale, or a value that is not finite. */
int weights_read(const struct checkpoint *checkpoint, const struct model_shape *shape, const char *name,
                 uint32_t n_out, uint32_t n_in, float **ret, struct err *err);

/* The same, packed. */
int weights_pack(const struct checkpoint *checkpoint, const struct model_shape *shape, const char *name,
                 uint32_t n_out, uint32_t n_in, struct matrix *ret, struct err *err);

#endif
