/* The arithmetic of the engine: plain functions for what is cheap, and one table of kernels, chosen at open for the
 * CPU found, for what is not.
 *
 * The rule that makes results bit-identical: every output element of a kernel is one accumulator over K in rising
 * order; SIMD lanes are outputs, never parts of K. A token's result then depends on the tokens before it and on
 * nothing else: not on how many rows a call has, nor on how threads share the panels. Of K, families that round their
 * inputs take two at a time, the second first. Families differ from one another by this and by the fused multiply-add,
 * so a family's name is part of the numerics fingerprint.
 *
 * Against a matrix of levels, inputs are rounded to levels too, LEVEL_BLOCK by LEVEL_BLOCK, by every family alike. Within
 * a block integers are summed, in any order; blocks in rising order:
 *	y[o] = sum_b (x_scale[b] * scale[o][b]) * (float)(sum_{k in b} x_level[k] * level[o][k]) */
#ifndef SKIMD_MODEL_OPS_H
#define SKIMD_MODEL_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "model/weights.h"

#define INDEX_GROUP PANEL /* indexer keys side by side: a panel of the matrix that the scan multiplies by */
#define CODE_HEADS 4 /* an indexer query's heads are padded to a multiple of it where its keys are codes, */
#define CODE_STEP 4 /* and its width likewise */
#define CODE_MOST_WIDTH 512 /* wider keys have no codes: sums of products would overflow */
#define CODE_ZERO 128 /* the code of 0 */
#define INPUT_LEVELS 127 /* at most, of what meets a matrix of levels */
#define HEAD_PAD 8 /* heads are padded to a multiple of it */
#define RANK_PAD 32 /* mixed latents are padded to a multiple of it */
#define TAKE_SPARE 16 /* elements that take_scores() may write to behind the last one that it takes */
#define ATTEND_TILE 32 /* cached rows that are found, and asked for, together */

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

static inline size_t kv_element_bytes(const struct kv_view *view)
{
	return view->bf16 ? 2 : 4;
}

/* Where a position's latent begins, and its rope key. */
static inline const uint8_t *kv_latent(const struct kv_view *view, size_t pos)
{
	return view->pages[pos / view->page_tokens] + view->latent_offset +
	       pos % view->page_tokens * view->rank * kv_element_bytes(view);
}

static inline const uint8_t *kv_rope_key(const struct kv_view *view, size_t pos)
{
	return view->pages[pos / view->page_tokens] + view->rope_offset +
	       pos % view->page_tokens * view->rope * kv_element_bytes(view);
}

/* One query's attention over cached rows in the absorbed form, all heads; see mla.h. In three steps, so that threads may
 * share a step: scores of some rows, softmax, mixtures of some channels. */
struct attend {
	const struct kv_view *view;
	const float *q; /* [rank + rope][n_heads] */
	const uint32_t *rows; /* positions [n_rows], rising; NULL: 0 to n_rows - 1 */
	size_t n_rows;
	uint32_t n_heads; /* padded to HEAD_PAD */
	uint32_t rank_stride; /* of a head's mixture; padded to RANK_PAD */
	float scale;
	float *scores; /* [n_rows][n_heads]; after the softmax, each row's share of the attention */
};

/* Words of scratch that attend_score() needs: two values of the query each, where a family rounds them. */
static inline size_t attend_query_words(uint32_t rank, uint32_t rope, uint32_t n_heads)
{
	return ((size_t)rank + rope) / 2 * n_heads;
}

/* An indexer query rounded to integers, for keys that are codes of 8 bits; see index_codes.h. */
struct coded_query {
	uint32_t n_heads, width; /* padded */
	int8_t *levels; /* [n_heads][width], of which none is beyond the family's code_levels */
	int32_t *offsets; /* [n_heads]: CODE_ZERO times the sum of the levels */
	float *weights; /* [n_heads] of the head, times what one level stands for */
};

/* Index scores and the positions that they belong to. */
struct scored {
	float *scores;
	uint32_t *positions;
};

/* An integer that compares as the score does: -0 as +0, NaN below all. */
static inline int32_t score_key(float score)
{
	int32_t bits;

	score += 0.0f;
	memcpy(&bits, &score, sizeof(bits));
	return score == score ? bits ^ (bits >> 31 & 0x7fffffff) : INT32_MIN;
}

/* One query's softmax over scores that come in tiles, for one head. */
struct softmax_row {
	float most, sum; /* the largest score so far; the sum of exp(score - most). At first -inf and 0 */
	float factor; /* what the last tile made of all before it: exp(the most before it - most) */
};

struct ops {
	const char *name; /* of the family: "plain", "avx2", "avx2bf16", "avx512", "avx512bf16" */
	bool rounds_inputs; /* what meets a bf16 matrix or a bf16 cache is rounded to bf16 first; not for strict numerics */

	bool streams_e4m3; /* products of a row or two read e4m3 weights as such */
	int8_t code_levels; /* the most that score_codes() takes as a level */

	/* y[n_rows][ldy] = x[n_rows][ldx] W^T, for the outputs of panels [first, end); ldy has room for whole
	 * panels. */
	void (*matmul)(float *y, size_t ldy, const float *x, size_t ldx, size_t n_rows,
	               const struct matrix *matrix, size_t first, size_t end);

	/* Index scores of one query for n keys, a multiple of INDEX_GROUP, from its heads' products with them:
	 * ret[s] = sum_j weights[j] * max(0, dots[j][s]), over j in order; dots [n_heads][ldd]. */
	void (*weigh_scores)(float *ret, const float *dots, size_t ldd, const float *weights,
	                     uint32_t n_heads, size_t n);

	/* Nearly the same scores, of n_panels * PANEL keys that are codes [n_panels][width / CODE_STEP][PANEL][CODE_STEP],
	 * each with a scale: ret[s] = scales[s] * sum_j weights[j] * max(0, levels[j] . codes[s] - offsets[j]). */
	void (*score_codes)(float *ret, const struct coded_query *query, const uint8_t *codes,
	                    const float *scales, size_t n_panels);

	/* Append those of n scores that are `least` or more and less than `below`, with their positions; returns how many.
	 * Compared are the integers of score_key(); INT32_MAX is above all. `to` may be what is read, no further on;
	 * it has room for n and TAKE_SPARE more. */
	size_t (*take_scores)(struct scored to, const float *scores, const uint32_t *positions, size_t n,
	                      int32_t least, int32_t below);

	/* Widen [least, most] to all scores that are numbers. */
	void (*range_of_scores)(const float *scores, size_t n, float *least, float *most);

	/* How many scores are `least` or more; NaN is not. */
	size_t (*count_scores)(const float *scores, size_t n, float least);

	/* scores = scale * q . row, for rows [first, end) of the list; words: scratch of
	 * attend_query_words(). */
	void (*attend_score)(const struct attend *attend, size_t first, size_t end, uint32_t *words);

	/* scores = exp(score - max) / sum, by head over the rows in order. */
	void (*attend_softmax)(const struct attend *attend);

	/* out[n_heads][rank_stride] = sum of share * latent over the rows in order, for the channels [first, end),
	 * multiples of RANK_PAD. Padding receives anything. */
	void (*attend_mix)(const struct attend *attend, float *out, size_t first, size_t end);

	/* The next tile of n_rows queries: scores[n_rows][ld] = exp(score - most) of n keys, a multiple of
	 * PANEL, of which the first is not -inf. */
	void (*softmax_tile)(struct softmax_row *rows, size_t n_rows, float *scores, size_t ld, size_t n);

	/* sums[n_rows][n] = sums * factor of the row + tile[n_rows][n]; n is a multiple of HEAD_PAD. */
	void (*add_tile)(float *sums, const float *tile, const struct softmax_row *rows, size_t n_rows,
	                 size_t n);

	/* gate[i] = silu(gate[i]) * up[i] */
	void (*silu_mul)(float *gate, const float *up, size_t n);
};

/* The family named (NULL: what SKIMD_KERNELS names, else the best for this CPU). -ENOTSUP: unknown, or not for this
 * CPU. */
int ops_select(const char *name, const struct ops **ret, struct err *err);

/* The best family here that computes in float32 throughout, if this one does not. */
const struct ops *ops_without_rounding(const struct ops *ops);

/* out = weight * x / sqrt(mean(x^2) + eps); out may be x. */
void rms_norm(float *out, const float *x, const float *weight, size_t n, float eps);

/* out = weight * (x - mean) / sqrt(var + eps) + bias; out may be x. */
void layer_norm(float *out, const float *x, const float *weight, const float *bias, size_t n, float eps);

/* n values, stride apart, to exp(x) / sum of all exp(x), in order. */
void softmax(float *x, size_t n, size_t stride);

/* Rotate pairs of x[n] in place by n/2 cosines and sines: (x[2j], x[2j+1]), or with `half` (x[j], x[j + n/2]). */
void rope_rotate(float *x, const float *cosines, const float *sines, size_t n, bool half);

/* What to multiply the values of a block by to make levels of them, the largest INPUT_LEVELS, and what one level stands
 * for; both 0 where all are next to nothing. `largest`: the bits of the largest magnitude, which are NaN's where one is. */
static inline float level_factor(int32_t largest, float *ret_scale)
{
	float most;

	memcpy(&most, &largest, sizeof(most));
	*ret_scale = most < 0x1p-100f ? 0 : most / INPUT_LEVELS;
	return most < 0x1p-100f ? 0 : INPUT_LEVELS / most;
}

/* float32 to the cache's element type and back. */
void store_row(void *row, const float *values, size_t n, bool bf16);
void load_row(float *values, const void *row, size_t n, bool bf16);

/* The bits of the nearest bf16, ties to even. */
uint16_t bf16_bits(float value);

#endif
