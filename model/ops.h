/* The arithmetic of the engine: plain functions for what is cheap, and one table of kernels, chosen at open for the
 * CPU found, for what is not.
 *
 * The rule that makes results bit-identical: every output element of a kernel is one accumulator over K in rising
 * order; SIMD lanes are outputs, never parts of K. A token's result then depends on the tokens before it and on
 * nothing else: not on how many rows a call has, nor on how threads share the panels. Families differ from one
 * another by the fused multiply-add alone, so a family's name is part of the numerics fingerprint. */
#ifndef SKIMD_MODEL_OPS_H
#define SKIMD_MODEL_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/weights.h"

#define INDEX_GROUP 16 /* indexer keys that lie side by side */
#define HEAD_PAD 8 /* heads are padded to a multiple of it */
#define RANK_PAD 16 /* latents are padded to a multiple of it */

static inline size_t round_up(size_t n, size_t multiple)
{
	return (n + multiple - 1) / multiple * multiple;
}

/* One layer's cached rows, by page of `page_tokens` tokens. Latents and rope keys are row-major within a page. */
struct kv_view {
	const uint8_t *const *pages;
	size_t page_tokens, latent_offset, rope_offset; /* bytes from a page's start */
	uint32_t rank, rope; /* elements of a row */
	bool bf16; /* else float32 */
};

/* Shapes of one query's attention in the absorbed form; see mla.h. */
struct attend_shape {
	uint32_t n_heads; /* padded to HEAD_PAD */
	uint32_t rank; /* padded to RANK_PAD */
	uint32_t rope;
	float scale;
};

struct ops {
	const char *name; /* of the family: "plain", "avx2" */

	/* y[n_rows][ldy] = x[n_rows][ldx] W^T, for the outputs of panels [first, end); ldy has room for whole
	 * panels. */
	void (*matmul)(float *y, size_t ldy, const float *x, size_t ldx, size_t n_rows,
	               const struct matrix *matrix, size_t first, size_t end);

	/* Index scores of one query against n_groups of INDEX_GROUP keys:
	 *   q [n_heads][width]   weights [n_heads]   keys [n_groups][width][INDEX_GROUP]   ret [n_groups * INDEX_GROUP]
	 * ret[s] = sum_j weights[j] * max(0, q[j] . k[s]), over j in order. */
	void (*index_scores)(float *ret, const float *q, const float *weights, const float *keys,
	                     size_t n_groups, uint32_t n_heads, uint32_t width);

	/* One query, all heads, over n_rows cached rows (positions in `rows`, rising; NULL: 0 to n_rows - 1):
	 *   q [rank + rope][n_heads]   out [n_heads][rank]   sums and weights are by head over the rows in order
	 *   scores: scratch [n_rows][n_heads]   tile: scratch [ATTEND_TILE][rank + rope], zeroed once
	 * The scores array holds each row's weight (its share of the attention) afterwards. */
	void (*attend)(float *out, const float *q, const struct kv_view *view, const uint32_t *rows,
	               size_t n_rows, float *scores, float *tile, const struct attend_shape *shape);

	/* gate[i] = silu(gate[i]) * up[i] */
	void (*silu_mul)(float *gate, const float *up, size_t n);
};

#define ATTEND_TILE 32

/* The family named (NULL: what SKIMD_KERNELS names, else the best for this CPU). -ENOTSUP: unknown, or not for this
 * CPU. */
int ops_select(const char *name, const struct ops **ret, struct err *err);

/* out = weight * x / sqrt(mean(x^2) + eps); out may be x. */
void rms_norm(float *out, const float *x, const float *weight, size_t n, float eps);

/* out = weight * (x - mean) / sqrt(var + eps) + bias; out may be x. */
void layer_norm(float *out, const float *x, const float *weight, const float *bias, size_t n, float eps);

/* n values, stride apart, to exp(x) / sum of all exp(x), in order. */
void softmax(float *x, size_t n, size_t stride);

/* Rotate pairs of x[n] in place by n/2 cosines and sines: (x[2j], x[2j+1]), or with `half` (x[j], x[j + n/2]). */
void rope_rotate(float *x, const float *cosines, const float *sines, size_t n, bool half);

/* float32 to the cache's element type and back. */
void store_row(void *row, const float *values, size_t n, bool bf16);
void load_row(float *values, const void *row, size_t n, bool bf16);

/* The nearest bf16, ties to even, as float32. */
float round_bf16(float value);

#endif
