/* The kernels of one family, written in vectors of VEC_BYTES. Included once by each ops_<family>.c, which defines
 * VEC_BYTES, MULADD(a, b, c), and how many accumulators fit its registers: MATMUL_ROWS rows of x by one panel, and
 * INDEX_HEADS heads by one group of keys. */
#include <string.h>

#define LANES (VEC_BYTES / 4)
#define PANEL_VECS (PANEL / LANES)
#define GROUP_VECS (INDEX_GROUP / LANES)
#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(VEC_BYTES)));
typedef float vec_unaligned __attribute__((vector_size(VEC_BYTES), aligned(4)));
typedef int32_t ivec __attribute__((vector_size(VEC_BYTES)));
typedef uint32_t uvec __attribute__((vector_size(VEC_BYTES)));
typedef uint32_t uvec_unaligned __attribute__((vector_size(VEC_BYTES), aligned(4)));

INLINE vec load(const float *from)
{
	return *(const vec_unaligned *)from;
}

INLINE void store(float *to, vec value)
{
	*(vec_unaligned *)to = value;
}

INLINE vec splat(float value)
{
	return value - (vec){ 0 };
}

INLINE vec select_greater(vec a, vec b, vec if_greater, vec otherwise)
{
	ivec mask = a > b;

	return (vec)((mask & (ivec)if_greater) | (~mask & (ivec)otherwise));
}

INLINE vec vec_max(vec a, vec b)
{
	return select_greater(a, b, a, b);
}

/* e^x for x in [-87, 88], 0 below; relative error under 2e-7. Cody and Waite's reduction by ln 2 in two parts, a
 * polynomial on [-ln2/2, ln2/2], and the exponent put together by integers. */
INLINE vec vec_exp(vec x)
{
	const vec round = splat(12582912.0f); /* 1.5 * 2^23: adding it leaves the nearest integer */
	vec bounded = select_greater(x, splat(88), splat(88), vec_max(x, splat(-87)));
	vec n = MULADD(bounded, splat(1.44269504f), round) - round;
	vec r = MULADD(n, splat(-0.693145752f), bounded);
	vec p = splat(1.0f / 5040);
	ivec exponent = (__builtin_convertvector(n, ivec) + 127) << 23;

	r = MULADD(n, splat(-1.42860677e-6f), r);
	p = MULADD(p, r, splat(1.0f / 720));
	p = MULADD(p, r, splat(1.0f / 120));
	p = MULADD(p, r, splat(1.0f / 24));
	p = MULADD(p, r, splat(1.0f / 6));
	p = MULADD(p, r, splat(0.5f));
	p = MULADD(p, r, splat(1));
	p = MULADD(p, r, splat(1));
	p = select_greater(splat(-87), x, splat(0), p * (vec)exponent);
	return (vec)((ivec)p | (ivec)(x != x)); /* NaN stays NaN */
}

/* One panel's weights for one input, widened. */
INLINE void load_weights(vec *ret, const void *panel, size_t k, bool bf16)
{
	if (!bf16) {
		for (int v = 0; v < PANEL_VECS; v++)
			ret[v] = load((const float *)panel + k * PANEL + v * LANES);
		return;
	}
	for (int v = 0; v < PANEL_VECS / 2; v++) {
		uvec words = *(const uvec_unaligned *)((const uint32_t *)panel + k * PANEL / 2 + v * LANES);

		ret[v] = (vec)(words << 16);
		ret[v + PANEL_VECS / 2] = (vec)(words & 0xffff0000u);
	}
}

/* n_rows by n_panels, both known when compiled: every accumulator is a register. */
INLINE void matmul_tile(float *y, size_t ldy, const float *x, size_t ldx, const uint8_t *panels,
                        size_t panel_bytes, size_t n_in, const int n_rows, const int n_panels,
                        const bool bf16)
{
	vec acc[MATMUL_ROWS][4][PANEL_VECS] = { 0 };

	for (size_t k = 0; k < n_in; k++) {
#pragma GCC unroll 4
		for (int p = 0; p < n_panels; p++) {
			vec w[PANEL_VECS];

			load_weights(w, panels + (size_t)p * panel_bytes, k, bf16);
#pragma GCC unroll 8
			for (int m = 0; m < n_rows; m++) {
				vec xk = splat(x[(size_t)m * ldx + k]);

#pragma GCC unroll 8
				for (int v = 0; v < PANEL_VECS; v++)
					acc[m][p][v] = MULADD(xk, w[v], acc[m][p][v]);
			}
		}
	}
#pragma GCC unroll 8
	for (int m = 0; m < n_rows; m++) {
#pragma GCC unroll 4
		for (int p = 0; p < n_panels; p++) {
#pragma GCC unroll 8
			for (int v = 0; v < PANEL_VECS; v++)
				store(y + (size_t)m * ldy + (size_t)p * PANEL + (size_t)v * LANES,
				      acc[m][p][v]);
		}
	}
}

/* A few rows: the panels side by side fill the registers that rows leave free. */
INLINE size_t matmul_few(float *y, size_t ldy, const float *x, size_t ldx, size_t n_rows,
                         const uint8_t *panels, size_t panel_bytes, size_t n_in, size_t n_panels,
                         const bool bf16)
{
	const int wide = MATMUL_ROWS >= 4 ? 4 : 2;
	size_t p = 0;

	if (n_rows == 1) {
		for (; p + (size_t)wide <= n_panels; p += (size_t)wide)
			matmul_tile(y + p * PANEL, ldy, x, ldx, panels + p * panel_bytes, panel_bytes, n_in,
			            1, wide, bf16);
	} else if (n_rows == 2 && MATMUL_ROWS >= 4) {
		for (; p + 2 <= n_panels; p += 2)
			matmul_tile(y + p * PANEL, ldy, x, ldx, panels + p * panel_bytes, panel_bytes, n_in,
			            2, 2, bf16);
	}
	return p;
}

INLINE void matmul_panel(float *y, size_t ldy, const float *x, size_t ldx, size_t n_rows,
                         const uint8_t *panel, size_t n_in, const bool bf16)
{
	size_t m = 0;

	for (; m + MATMUL_ROWS <= n_rows; m += MATMUL_ROWS)
		matmul_tile(y + m * ldy, ldy, x + m * ldx, ldx, panel, 0, n_in, MATMUL_ROWS, 1, bf16);
	switch (n_rows - m) {
#if MATMUL_ROWS > 2
	case 5:
		matmul_tile(y + m * ldy, ldy, x + m * ldx, ldx, panel, 0, n_in, 5, 1, bf16);
		break;
	case 4:
		matmul_tile(y + m * ldy, ldy, x + m * ldx, ldx, panel, 0, n_in, 4, 1, bf16);
		break;
	case 3:
		matmul_tile(y + m * ldy, ldy, x + m * ldx, ldx, panel, 0, n_in, 3, 1, bf16);
		break;
	case 2:
		matmul_tile(y + m * ldy, ldy, x + m * ldx, ldx, panel, 0, n_in, 2, 1, bf16);
		break;
#endif
	case 1:
		matmul_tile(y + m * ldy, ldy, x + m * ldx, ldx, panel, 0, n_in, 1, 1, bf16);
		break;
	}
}

INLINE void matmul_form(float *y, size_t ldy, const float *x, size_t ldx, size_t n_rows,
                        const struct matrix *matrix, size_t first, size_t end, const bool bf16)
{
	size_t panel_bytes = matrix_panel_bytes(matrix);
	const uint8_t *panels = (const uint8_t *)matrix->panels + first * panel_bytes;
	size_t p = matmul_few(y, ldy, x, ldx, n_rows, panels, panel_bytes, matrix->n_in, end - first, bf16);

	for (; p < end - first; p++)
		matmul_panel(y + p * PANEL, ldy, x, ldx, n_rows, panels + p * panel_bytes, matrix->n_in,
		             bf16);
}

static void matmul(float *y, size_t ldy, const float *x, size_t ldx, size_t n_rows,
                   const struct matrix *matrix, size_t first, size_t end)
{
	if (matrix->bf16)
		matmul_form(y + first * PANEL, ldy, x, ldx, n_rows, matrix, first, end, true);
	else
		matmul_form(y + first * PANEL, ldy, x, ldx, n_rows, matrix, first, end, false);
}

/* n_heads dot products with one group of keys, each passed through the ReLU and added to the scores in order. */
INLINE void index_heads(vec *scores, const float *q, const float *weights, const float *keys, uint32_t width,
                        const int n_heads)
{
	vec acc[INDEX_HEADS][GROUP_VECS] = { 0 };

	for (size_t d = 0; d < width; d++) {
#pragma GCC unroll 4
		for (int j = 0; j < n_heads; j++) {
			vec qd = splat(q[(size_t)j * width + d]);

#pragma GCC unroll 8
			for (int v = 0; v < GROUP_VECS; v++)
				acc[j][v] = MULADD(qd, load(keys + d * INDEX_GROUP + (size_t)v * LANES),
				                   acc[j][v]);
		}
	}
#pragma GCC unroll 4
	for (int j = 0; j < n_heads; j++) {
#pragma GCC unroll 8
		for (int v = 0; v < GROUP_VECS; v++)
			scores[v] = MULADD(splat(weights[j]), vec_max(acc[j][v], splat(0)), scores[v]);
	}
}

static void index_scores(float *ret, const float *q, const float *weights, const float *keys, size_t n_groups,
                         uint32_t n_heads, uint32_t width)
{
	for (size_t g = 0; g < n_groups; g++) {
		const float *group = keys + g * width * INDEX_GROUP;
		vec scores[GROUP_VECS] = { 0 };
		uint32_t j = 0;

		for (; j + INDEX_HEADS <= n_heads; j += INDEX_HEADS)
			index_heads(scores, q + (size_t)j * width, weights + j, group, width, INDEX_HEADS);
		for (; j < n_heads; j++)
			index_heads(scores, q + (size_t)j * width, weights + j, group, width, 1);
		for (int v = 0; v < GROUP_VECS; v++)
			store(ret + g * INDEX_GROUP + (size_t)v * LANES, scores[v]);
	}
}

INLINE void widen(float *to, const void *from, size_t n, bool bf16)
{
	const uint16_t *halves = from;

	if (!bf16) {
		memcpy(to, from, n * sizeof(*to));
		return;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t bits = (uint32_t)halves[i] << 16;

		memcpy(&to[i], &bits, sizeof(bits));
	}
}

/* Rows [first, first + n) of the list into the tile, float32, latent then rope key. */
INLINE void load_tile(float *tile, const struct kv_view *view, const uint32_t *rows, size_t first, size_t n,
                      const struct attend_shape *shape)
{
	size_t element = view->bf16 ? 2 : 4;

	for (size_t i = 0; i < n; i++) {
		size_t pos = rows == NULL ? first + i : rows[first + i], in_page = pos % view->page_tokens;
		const uint8_t *page = view->pages[pos / view->page_tokens];
		float *row = tile + i * (shape->rank + shape->rope);

		widen(row, page + view->latent_offset + in_page * view->rank * element, view->rank,
		      view->bf16);
		widen(row + shape->rank, page + view->rope_offset + in_page * view->rope * element,
		      view->rope, view->bf16);
	}
}

#define SCORE_ROWS 8

/* scores[n][n_heads] = scale * q . row, for the rows of one tile. */
INLINE void score_tile(float *scores, const float *q, const float *tile, size_t n,
                       const struct attend_shape *shape)
{
	size_t width = shape->rank + shape->rope;

	for (size_t i = 0; i < n; i += SCORE_ROWS) {
		for (size_t h = 0; h < shape->n_heads; h += LANES) {
			vec acc[SCORE_ROWS] = { 0 };

			for (size_t k = 0; k < width; k++) {
				vec qk = load(q + k * shape->n_heads + h);

#pragma GCC unroll 8
				for (size_t m = 0; m < SCORE_ROWS; m++)
					acc[m] = MULADD(splat(tile[(i + m) * width + k]), qk, acc[m]);
			}
			for (size_t m = 0; m < SCORE_ROWS && i + m < n; m++)
				store(scores + (i + m) * shape->n_heads + h, acc[m] * splat(shape->scale));
		}
	}
}

/* Scores to weights, by head over all rows: exp(s - max) / sum. */
INLINE void softmax_rows(float *scores, size_t n_rows, const struct attend_shape *shape)
{
	for (size_t h = 0; h < shape->n_heads; h += LANES) {
		vec most = load(scores + h), sum = splat(0), factor;

		for (size_t i = 1; i < n_rows; i++)
			most = vec_max(load(scores + i * shape->n_heads + h), most);
		for (size_t i = 0; i < n_rows; i++) {
			vec weight = vec_exp(load(scores + i * shape->n_heads + h) - most);

			store(scores + i * shape->n_heads + h, weight);
			sum += weight;
		}
		factor = splat(1) / sum;
		for (size_t i = 0; i < n_rows; i++)
			store(scores + i * shape->n_heads + h,
			      load(scores + i * shape->n_heads + h) * factor);
	}
}

#define MIX_HEADS 4

/* out[n_heads][rank] += weight * row, for the rows of one tile in order. */
INLINE void mix_tile(float *out, const float *weights, const float *tile, size_t n,
                     const struct attend_shape *shape)
{
	size_t width = shape->rank + shape->rope;

	for (size_t h = 0; h < shape->n_heads; h += MIX_HEADS) {
		for (size_t c = 0; c < shape->rank; c += (size_t)2 * LANES) {
			vec acc[MIX_HEADS][2];

#pragma GCC unroll 4
			for (size_t m = 0; m < MIX_HEADS; m++) {
				acc[m][0] = load(out + (h + m) * shape->rank + c);
				acc[m][1] = load(out + (h + m) * shape->rank + c + LANES);
			}
			for (size_t i = 0; i < n; i++) {
				vec low = load(tile + i * width + c),
				    high = load(tile + i * width + c + LANES);

#pragma GCC unroll 4
				for (size_t m = 0; m < MIX_HEADS; m++) {
					vec weight = splat(weights[i * shape->n_heads + h + m]);

					acc[m][0] = MULADD(weight, low, acc[m][0]);
					acc[m][1] = MULADD(weight, high, acc[m][1]);
				}
			}
#pragma GCC unroll 4
			for (size_t m = 0; m < MIX_HEADS; m++) {
				store(out + (h + m) * shape->rank + c, acc[m][0]);
				store(out + (h + m) * shape->rank + c + LANES, acc[m][1]);
			}
		}
	}
}

static void attend(float *out, const float *q, const struct kv_view *view, const uint32_t *rows,
                   size_t n_rows, float *scores, float *tile, const struct attend_shape *shape)
{
	for (size_t i = 0; i < n_rows; i += ATTEND_TILE) {
		size_t n = n_rows - i < ATTEND_TILE ? n_rows - i : ATTEND_TILE;

		load_tile(tile, view, rows, i, n, shape);
		score_tile(scores + i * shape->n_heads, q, tile, n, shape);
	}
	softmax_rows(scores, n_rows, shape);
	memset(out, 0, (size_t)shape->n_heads * shape->rank * sizeof(*out));
	for (size_t i = 0; i < n_rows; i += ATTEND_TILE) {
		size_t n = n_rows - i < ATTEND_TILE ? n_rows - i : ATTEND_TILE;

		load_tile(tile, view, rows, i, n, shape);
		mix_tile(out, scores + i * shape->n_heads, tile, n, shape);
	}
}

INLINE vec silu_mul_vec(vec gate, vec up)
{
	return gate / (splat(1) + vec_exp(-gate)) * up;
}

static void silu_mul(float *gate, const float *up, size_t n)
{
	float part[2][LANES] = { 0 };
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		store(gate + i, silu_mul_vec(load(gate + i), load(up + i)));
	memcpy(part[0], gate + i, (n - i) * sizeof(*gate));
	memcpy(part[1], up + i, (n - i) * sizeof(*up));
	store(part[0], silu_mul_vec(load(part[0]), load(part[1])));
	memcpy(gate + i, part[0], (n - i) * sizeof(*gate));
}
