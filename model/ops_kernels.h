/* The kernels of one family, written in vectors of VEC_BYTES. Included once by each ops_<family>.c, which defines FAMILY,
 * the table that comes of it, and FAMILY_NAME; VEC_BYTES, MULADD(a, b, c), and what fits its registers: MATMUL_ROWS rows
 * of x by MATMUL_PANELS panels, one row by WIDE_PANELS, SCORE_ROWS cached rows by one vector of heads, and MIX_HEADS
 * heads by two vectors of channels.
 *
 * bf16 comes in words of two neighbours: shifted left a word is the first of them as float32, masked it is the second.
 * So a vector of words is widened by two operations into the even and the odd elements. */
#include <math.h>
#include <string.h>

#define LANES (VEC_BYTES / 4)
#define PANEL_VECS (PANEL / LANES)
#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(VEC_BYTES)));
typedef float vec_unaligned __attribute__((vector_size(VEC_BYTES), aligned(4)));
typedef int32_t ivec __attribute__((vector_size(VEC_BYTES)));
typedef uint32_t uvec __attribute__((vector_size(VEC_BYTES)));
typedef uint32_t uvec_unaligned __attribute__((vector_size(VEC_BYTES), aligned(4)));

/* Heads come in eights, whatever the width of the family's vectors. */
typedef float vec8 __attribute__((vector_size(32)));
typedef float vec8_unaligned __attribute__((vector_size(32), aligned(4)));
typedef int32_t ivec8 __attribute__((vector_size(32)));

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

INLINE vec vec_max(vec a, vec b)
{
	ivec mask = a > b;

	return (vec)((mask & (ivec)a) | (~mask & (ivec)b));
}

INLINE vec vec_min(vec a, vec b)
{
	ivec mask = a < b;

	return (vec)((mask & (ivec)a) | (~mask & (ivec)b));
}

INLINE vec8 load8(const float *from)
{
	return *(const vec8_unaligned *)from;
}

INLINE void store8(float *to, vec8 value)
{
	*(vec8_unaligned *)to = value;
}

INLINE vec8 splat8(float value)
{
	return value - (vec8){ 0 };
}

typedef uint32_t uvec8 __attribute__((vector_size(32)));

#ifdef __AVX2__
#define HIDE8(x) __asm__("" : "+x"(x))
#else
#define HIDE8(x) ((void)0)
#endif

/* The compiler may not see through it: it would shift the word before it is spread, which takes longer. */
INLINE uvec8 splat_word8(const uint8_t *from)
{
	uint32_t word;
	uvec8 ret;

	memcpy(&word, from, sizeof(word));
	ret = word - (uvec8){ 0 };
	HIDE8(ret);
	return ret;
}

INLINE vec8 select_greater(vec8 a, vec8 b, vec8 if_greater, vec8 otherwise)
{
	ivec8 mask = a > b;

	return (vec8)((mask & (ivec8)if_greater) | (~mask & (ivec8)otherwise));
}

/* e^x for x in [-87, 88], 0 below; relative error under 2e-7; NaN stays NaN. Cody and Waite's reduction by ln 2 in two
 * parts, a polynomial on [-ln2/2, ln2/2], and the exponent added by integers: it is in the low bits of a number of
 * the size of `round`. */
INLINE vec8 exp8_bounded(vec8 x)
{
	const vec8 round = splat8(12582912.0f); /* 1.5 * 2^23: adding it leaves the nearest integer */
	vec8 bounded = select_greater(splat8(-87), x, splat8(-87), x);
	vec8 shifted = MULADD8(bounded, splat8(1.44269504f), round), n = shifted - round;
	vec8 r = MULADD8(n, splat8(-0.693145752f), bounded);
	vec8 p = splat8(1.0f / 5040);

	r = MULADD8(n, splat8(-1.42860677e-6f), r);
	p = MULADD8(p, r, splat8(1.0f / 720));
	p = MULADD8(p, r, splat8(1.0f / 120));
	p = MULADD8(p, r, splat8(1.0f / 24));
	p = MULADD8(p, r, splat8(1.0f / 6));
	p = MULADD8(p, r, splat8(0.5f));
	p = MULADD8(p, r, splat8(1));
	p = MULADD8(p, r, splat8(1));
	p = (vec8)((ivec8)p + ((ivec8)shifted << 23));
	return (vec8)(((ivec8)p & ~(splat8(-87) > x)) | (x != x));
}

/* The same for any x: e^88 above 88. */
INLINE vec8 exp8(vec8 x)
{
	return exp8_bounded(select_greater(x, splat8(88), splat8(88), x));
}

/* The first and the second bf16 of each word, as float32. */
INLINE vec low_halves(uvec words)
{
	return (vec)(words << 16);
}

INLINE vec high_halves(uvec words)
{
	return (vec)(words & 0xffff0000u);
}

INLINE uvec load_words(const void *from)
{
	return *(const uvec_unaligned *)from;
}

/* acc[.][p] += x[.][0] * w for n_rows. Panel by panel: with the weights of all of them at hand at once, accumulators would
 * have to leave their registers. */
INLINE void matmul_step(vec acc[MATMUL_ROWS][WIDE_PANELS][PANEL_VECS], const float *x, size_t ldx,
                        vec w[PANEL_VECS], const int n_rows, const int p)
{
#pragma GCC unroll 16
	for (int m = 0; m < n_rows; m++) {
		vec xk = splat(x[(size_t)m * ldx]);

#pragma GCC unroll 4
		for (int v = 0; v < PANEL_VECS; v++)
			acc[m][p][v] = MULADD(xk, w[v], acc[m][p][v]);
	}
}

INLINE void matmul_store(float *y, size_t ldy, vec acc[MATMUL_ROWS][WIDE_PANELS][PANEL_VECS],
                         const int n_rows, const int n_panels)
{
#pragma GCC unroll 16
	for (int m = 0; m < n_rows; m++) {
#pragma GCC unroll 8
		for (int p = 0; p < n_panels; p++) {
#pragma GCC unroll 4
			for (int v = 0; v < PANEL_VECS; v++)
				store(y + (size_t)m * ldy + (size_t)p * PANEL + (size_t)v * LANES,
				      acc[m][p][v]);
		}
	}
}

/* Inputs k and, unless it is the last of an odd number, k + 1 of bf16 panels. */
INLINE void matmul_pair(vec acc[MATMUL_ROWS][WIDE_PANELS][PANEL_VECS], const float *x, size_t ldx,
                        const uint8_t *words, size_t panel_bytes, bool both, const int n_rows,
                        const int n_panels)
{
#pragma GCC unroll 8
	for (int p = 0; p < n_panels; p++) {
		const uint8_t *panel = words + (size_t)p * panel_bytes;
		vec w[PANEL_VECS];

#pragma GCC unroll 4
		for (int v = 0; v < PANEL_VECS; v++)
			w[v] = low_halves(load_words(panel + v * VEC_BYTES));
		matmul_step(acc, x, ldx, w, n_rows, p);
		if (!both)
			continue;
#pragma GCC unroll 4
		for (int v = 0; v < PANEL_VECS; v++)
			w[v] = high_halves(load_words(panel + v * VEC_BYTES));
		matmul_step(acc, x + 1, ldx, w, n_rows, p);
	}
}

/* n_rows by n_panels, both known when compiled: every accumulator is a register. */
INLINE void matmul_tile(float *y, size_t ldy, const float *x, size_t ldx, const uint8_t *panels,
                        size_t panel_bytes, size_t n_in, const int n_rows, const int n_panels,
                        const bool bf16)
{
	vec acc[MATMUL_ROWS][WIDE_PANELS][PANEL_VECS] = { 0 };

	if (bf16) {
		for (size_t k = 0; k + 2 <= n_in; k += 2)
			matmul_pair(acc, x + k, ldx, panels + k / 2 * PANEL * 4, panel_bytes, true, n_rows,
			            n_panels);
		if (n_in % 2 != 0)
			matmul_pair(acc, x + n_in - 1, ldx, panels + n_in / 2 * PANEL * 4, panel_bytes, false,
			            n_rows, n_panels);
	} else {
		for (size_t k = 0; k < n_in; k++) {
#pragma GCC unroll 8
			for (int p = 0; p < n_panels; p++) {
				vec w[PANEL_VECS];

#pragma GCC unroll 4
				for (int v = 0; v < PANEL_VECS; v++)
					w[v] = (vec)load_words(panels + (size_t)p * panel_bytes +
					                       (k * PANEL + (size_t)v * LANES) * 4);
				matmul_step(acc, x + k, ldx, w, n_rows, p);
			}
		}
	}
	matmul_store(y, ldy, acc, n_rows, n_panels);
}

#ifdef SPREAD_E4M3
#define E4M3_ROWS 2 /* at most as many rows have more to gain from fewer bytes than to lose by widening */

/* As matmul_tile(), from e4m3 panels: the same products in the same order. Spread out, the bits of e4m3 are those of a
 * float32 that is 2^120 times too small, subnormals and all; x makes up for that and for the block's scale, exactly. */
INLINE void e4m3_tile(float *y, size_t ldy, const float *x, size_t ldx, const struct matrix *matrix,
                      size_t first, const int n_rows, const int n_panels)
{
	size_t n_in = matrix->n_in, bytes = n_in * PANEL;
	const uint8_t *panels = matrix->e4m3 + first * bytes;
	const float *scales = matrix->scales + first * matrix_n_scales(matrix);
	vec acc[MATMUL_ROWS][WIDE_PANELS][PANEL_VECS] = { 0 };

	for (size_t k = 0; k < n_in; scales++) {
		size_t end = k + matrix->scale_inputs < n_in ? k + matrix->scale_inputs : n_in;
		float factor = *scales * 0x1p120f;

		for (; k < end; k++) {
			float scaled[MATMUL_ROWS];

#pragma GCC unroll 16
			for (int m = 0; m < n_rows; m++)
				scaled[m] = x[(size_t)m * ldx + k] * factor;
#pragma GCC unroll 8
			for (int p = 0; p < n_panels; p++) {
				vec w[PANEL_VECS];

				SPREAD_E4M3(w, panels + (size_t)p * bytes + k * PANEL);
				matmul_step(acc, scaled, 1, w, n_rows, p);
			}
		}
	}
	matmul_store(y + first * PANEL, ldy, acc, n_rows, n_panels);
}

/* Whether panels first and last share the scales of one block. */
INLINE bool share_scales(const struct matrix *matrix, size_t first, size_t last)
{
	size_t n = matrix_n_scales(matrix);

	return memcmp(matrix->scales + first * n, matrix->scales + last * n, n * sizeof(*matrix->scales)) ==
	       0;
}

/* Whether x times any scale of these panels is far from overflow in e4m3_tile(). */
INLINE bool is_small(const float *x, size_t n, const struct matrix *matrix, size_t first, size_t end)
{
	size_t n_scales = matrix_n_scales(matrix);
	float most_x = 0, most_scale = 0;
	vec most = splat(0);
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		most = vec_max(vec_max(load(x + i), -load(x + i)), most);
	for (size_t j = 0; j < LANES; j++)
		most_x = most[j] > most_x ? most[j] : most_x;
	for (; i < n; i++)
		most_x = fabsf(x[i]) > most_x ? fabsf(x[i]) : most_x;
	for (i = first * n_scales; i < end * n_scales; i++)
		most_scale = matrix->scales[i] > most_scale ? matrix->scales[i] : most_scale;
	return most_x * most_scale < 1 && most_scale < 1;
}

/* Whether the product was made. */
INLINE bool matmul_e4m3(float *y, size_t ldy, const float *x, size_t ldx, size_t n_rows,
                        const struct matrix *matrix, size_t first, size_t end)
{
	size_t p = first, n_wide = WIDE_PANELS / n_rows; /* as many sums as there are registers for */

	for (size_t m = 0; m < n_rows; m++) {
		if (!is_small(x + m * ldx, matrix->n_in, matrix, first, end))
			return false;
	}
	for (; p + n_wide <= end && share_scales(matrix, p, p + n_wide - 1); p += n_wide) {
		if (n_rows == 1)
			e4m3_tile(y, ldy, x, ldx, matrix, p, 1, WIDE_PANELS);
		else
			e4m3_tile(y, ldy, x, ldx, matrix, p, 2, WIDE_PANELS / 2);
	}
	for (; p < end; p++) {
		if (n_rows == 1)
			e4m3_tile(y, ldy, x, ldx, matrix, p, 1, 1);
		else
			e4m3_tile(y, ldy, x, ldx, matrix, p, 2, 1);
	}
	return true;
}
#endif

/* All rows by n_panels panels: the panels stay in the first-level cache meanwhile. */
INLINE void matmul_rows(float *y, size_t ldy, const float *x, size_t ldx, size_t n_rows,
                        const uint8_t *panels, size_t panel_bytes, size_t n_in, const int n_panels,
                        const bool bf16)
{
	size_t m = 0;

	for (; m + MATMUL_ROWS <= n_rows; m += MATMUL_ROWS)
		matmul_tile(y + m * ldy, ldy, x + m * ldx, ldx, panels, panel_bytes, n_in, MATMUL_ROWS,
		            n_panels, bf16);
#if MATMUL_ROWS > 8
	for (; m + 8 <= n_rows; m += 8)
		matmul_tile(y + m * ldy, ldy, x + m * ldx, ldx, panels, panel_bytes, n_in, 8, n_panels, bf16);
#endif
#if MATMUL_ROWS > 4
	for (; m + 4 <= n_rows; m += 4)
		matmul_tile(y + m * ldy, ldy, x + m * ldx, ldx, panels, panel_bytes, n_in, 4, n_panels, bf16);
#endif
#if MATMUL_ROWS > 3
	for (; m + 3 <= n_rows; m += 3)
		matmul_tile(y + m * ldy, ldy, x + m * ldx, ldx, panels, panel_bytes, n_in, 3, n_panels, bf16);
#endif
#if MATMUL_ROWS > 2
	for (; m + 2 <= n_rows; m += 2)
		matmul_tile(y + m * ldy, ldy, x + m * ldx, ldx, panels, panel_bytes, n_in, 2, n_panels, bf16);
#endif
	for (; m < n_rows; m++)
		matmul_tile(y + m * ldy, ldy, x + m * ldx, ldx, panels, panel_bytes, n_in, 1, n_panels, bf16);
}

INLINE void matmul_form(float *y, size_t ldy, const float *x, size_t ldx, size_t n_rows,
                        const struct matrix *matrix, size_t first, size_t end, const bool bf16)
{
	size_t bytes = matrix_panel_bytes(matrix), p = first;
	const uint8_t *panels = matrix->panels;

	if (n_rows == 1) {
		for (; p + WIDE_PANELS <= end; p += WIDE_PANELS)
			matmul_tile(y + p * PANEL, ldy, x, ldx, panels + p * bytes, bytes, matrix->n_in, 1,
			            WIDE_PANELS, bf16);
	} else if (n_rows == 2) { /* four sums alone would wait for each other */
		for (; p + WIDE_PANELS / 2 <= end; p += WIDE_PANELS / 2)
			matmul_tile(y + p * PANEL, ldy, x, ldx, panels + p * bytes, bytes, matrix->n_in, 2,
			            WIDE_PANELS / 2, bf16);
	}
#if MATMUL_PANELS > 1
	for (; p + MATMUL_PANELS <= end; p += MATMUL_PANELS)
		matmul_rows(y + p * PANEL, ldy, x, ldx, n_rows, panels + p * bytes, bytes, matrix->n_in,
		            MATMUL_PANELS, bf16);
#endif
	for (; p < end; p++)
		matmul_rows(y + p * PANEL, ldy, x, ldx, n_rows, panels + p * bytes, bytes, matrix->n_in, 1,
		            bf16);
}

static void weigh_scores(float *ret, const float *dots, size_t ldd, const float *weights, uint32_t n_heads,
                         size_t n)
{
	for (size_t i = 0; i < n; i += INDEX_GROUP) {
		vec scores[PANEL_VECS] = { 0 };

		for (uint32_t j = 0; j < n_heads; j++) {
#pragma GCC unroll 4
			for (int v = 0; v < PANEL_VECS; v++)
				scores[v] = MULADD(
					splat(weights[j]),
					vec_max(load(dots + j * ldd + i + (size_t)v * LANES), splat(0)),
					scores[v]);
		}
#pragma GCC unroll 4
		for (int v = 0; v < PANEL_VECS; v++)
			store(ret + i + (size_t)v * LANES, scores[v]);
	}
}

#ifndef CODE_LEVELS
#define CODE_LEVELS 127

static void score_codes(float *ret, const struct coded_query *query, const uint8_t *codes,
                        const float *scales, size_t n_panels)
{
	for (size_t p = 0; p < n_panels; p++, ret += PANEL, scales += PANEL, codes += query->width * PANEL) {
		float sums[PANEL] = { 0 };

		for (uint32_t j = 0; j < query->n_heads; j++) {
			const int8_t *levels = query->levels + (size_t)j * query->width;
			int32_t dots[PANEL] = { 0 };

			for (size_t k = 0; k < query->width; k++) {
				for (size_t s = 0; s < PANEL; s++)
					dots[s] += levels[k] * codes[(k / CODE_STEP * PANEL + s) * CODE_STEP +
					                             k % CODE_STEP];
			}
			for (size_t s = 0; s < PANEL; s++) {
				int32_t dot = dots[s] - query->offsets[j];

				sums[s] += query->weights[j] * (float)(dot > 0 ? dot : 0);
			}
		}
		for (size_t s = 0; s < PANEL; s++)
			ret[s] = scales[s] * sums[s];
	}
}
#endif

#ifdef COMPRESS
/* score_key() of each. */
INLINE ivec keys_of(vec scores)
{
	ivec bits = (ivec)(scores + splat(0)), numbers = scores == scores;

	return ((bits ^ ((bits >> 31) & 0x7fffffff)) & numbers) | (INT32_MIN & ~numbers);
}
#endif

static size_t take_scores(struct scored to, const float *scores, const uint32_t *positions, size_t n,
                          int32_t least, int32_t below)
{
	size_t i = 0, n_taken = 0;

#ifdef COMPRESS
	for (const ivec floor = least - (ivec){ 0 }, top = below - (ivec){ 0 }; i + LANES <= n; i += LANES) {
		vec block = load(scores + i);
		ivec keys = keys_of(block);
		uvec places = load_words(positions + i);
		unsigned taken = NOT_BELOW(keys, floor) & ~NOT_BELOW(keys, top);

		COMPRESS(to.scores + n_taken, block, taken);
		COMPRESS(to.positions + n_taken, places, taken);
		n_taken += (unsigned)__builtin_popcount(taken);
	}
#endif
	for (; i < n; i++) {
		float score = scores[i];
		int32_t key = score_key(score);

		to.scores[n_taken] = score;
		to.positions[n_taken] = positions[i];
		n_taken += key >= least && key < below;
	}
	return n_taken;
}

static void range_of_scores(const float *scores, size_t n, float *least, float *most)
{
	vec low = splat(*least), high = splat(*most);
	size_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		vec block = load(scores + i);

		low = vec_min(block, low);
		high = vec_max(block, high);
	}
	for (size_t j = 0; j < LANES; j++) {
		*least = low[j] < *least ? low[j] : *least;
		*most = high[j] > *most ? high[j] : *most;
	}
	for (; i < n; i++) {
		*least = scores[i] < *least ? scores[i] : *least;
		*most = scores[i] > *most ? scores[i] : *most;
	}
}

static size_t count_scores(const float *scores, size_t n, float least)
{
	const vec floor = splat(least);
	ivec counts = { 0 };
	size_t i = 0, ret = 0;

	for (; i + LANES <= n; i += LANES)
		counts += load(scores + i) >= floor; /* -1 where it is */
	for (size_t j = 0; j < LANES; j++)
		ret += (size_t)-counts[j];
	for (; i < n; i++)
		ret += scores[i] >= least;
	return ret;
}

/* Where a cached row's latent lies, and its rope key. */
struct row_place {
	const uint8_t *latent, *rope;
};

/* The places of rows [first, first + n) of the list, on their way into the cache. */
INLINE void find_rows(struct row_place *ret, const struct attend *attend, size_t first, size_t n)
{
	const struct kv_view *view = attend->view;
	size_t latent_bytes = view->rank * kv_element_bytes(view);

	for (size_t i = 0; i < n; i++) {
		size_t pos = attend->rows == NULL ? first + i : attend->rows[first + i];

		ret[i].latent = kv_latent(view, pos);
		ret[i].rope = kv_rope_key(view, pos);
		for (size_t byte = 0; byte < latent_bytes; byte += 64)
			__builtin_prefetch(ret[i].latent + byte);
		__builtin_prefetch(ret[i].rope);
	}
}

INLINE float element(const uint8_t *from, size_t k, const bool bf16)
{
	uint32_t bits = bf16 ? (uint32_t)(from[k * 2] | from[k * 2 + 1] << 8) << 16 : 0;
	float ret;

	memcpy(&ret, bf16 ? (const void *)&bits : from + k * sizeof(ret), sizeof(ret));
	return ret;
}

/* acc[m] += row m * q over n elements in order, for SCORE_ROWS rows and eight heads. A word of two bf16 is broadcast and
 * widened there: half the loads of what is widened beforehand, and the latter is what FMAs would wait for. */
INLINE void score_part(vec8 *acc, const float *q, size_t n_heads, const uint8_t *const *rows, size_t n,
                       const bool bf16)
{
	size_t k = 0;

	for (; bf16 && k + 2 <= n; k += 2) {
		vec8 first = load8(q + k * n_heads), second = load8(q + (k + 1) * n_heads);

#pragma GCC unroll 16
		for (size_t m = 0; m < SCORE_ROWS; m++) {
			uvec8 word = splat_word8(rows[m] + k * 2);

			acc[m] = MULADD8((vec8)(word << 16), first, acc[m]);
			acc[m] = MULADD8((vec8)(word & 0xffff0000u), second, acc[m]);
		}
	}
	for (; k < n; k++) {
#pragma GCC unroll 16
		for (size_t m = 0; m < SCORE_ROWS; m++)
			acc[m] = MULADD8(splat8(element(rows[m], k, bf16)), load8(q + k * n_heads), acc[m]);
	}
}

/* scores[n][n_heads] = scale * q . row, for n <= SCORE_ROWS rows. */
INLINE void score_some(float *scores, const struct row_place *places, size_t n, const struct attend *attend,
                       const bool bf16)
{
	const struct kv_view *view = attend->view;
	const uint8_t *latents[SCORE_ROWS], *ropes[SCORE_ROWS];
	size_t n_heads = attend->n_heads;

	for (size_t m = 0; m < SCORE_ROWS; m++) {
		latents[m] = places[m < n ? m : n - 1].latent;
		ropes[m] = places[m < n ? m : n - 1].rope;
	}
	for (size_t h = 0; h < n_heads; h += HEAD_PAD) {
		vec8 acc[SCORE_ROWS] = { 0 };

		score_part(acc, attend->q + h, n_heads, latents, view->rank, bf16);
		score_part(acc, attend->q + view->rank * n_heads + h, n_heads, ropes, view->rope, bf16);
		for (size_t m = 0; m < n; m++)
			store8(scores + m * n_heads + h, acc[m] * splat8(attend->scale));
	}
}

INLINE void score_rows(const struct attend *attend, size_t first, size_t end, const bool bf16)
{
	struct row_place places[2][ATTEND_TILE];
	unsigned now = 0;

	find_rows(places[now], attend, first, end - first < ATTEND_TILE ? end - first : ATTEND_TILE);
	for (size_t i = first, n; i < end; i += n, now ^= 1) {
		n = end - i < ATTEND_TILE ? end - i : ATTEND_TILE;
		if (i + n < end)
			find_rows(places[now ^ 1], attend, i + n,
			          end - i - n < ATTEND_TILE ? end - i - n : ATTEND_TILE);
		for (size_t m = 0; m < n; m += SCORE_ROWS)
			score_some(attend->scores + (i + m) * attend->n_heads, places[now] + m,
			           n - m < SCORE_ROWS ? n - m : SCORE_ROWS, attend, bf16);
	}
}

/* By head over all rows: exp(s - max) / sum. */
static void attend_softmax(const struct attend *attend)
{
	float *scores = attend->scores;
	size_t n_heads = attend->n_heads, n = attend->n_rows * n_heads;

	for (size_t h = 0; h < n_heads; h += HEAD_PAD) {
		vec8 most = load8(scores + h), sum = splat8(0), factor;

		for (size_t i = h + n_heads; i < n; i += n_heads) {
			vec8 score = load8(scores + i);

			most = select_greater(score, most, score, most);
		}
		for (size_t i = h; i < n; i += n_heads) {
			vec8 weight = exp8(load8(scores + i) - most);

			store8(scores + i, weight);
			sum += weight;
		}
		factor = splat8(1) / sum;
		for (size_t i = h; i < n; i += n_heads)
			store8(scores + i, load8(scores + i) * factor);
	}
}

INLINE float max_of_row(const float *x, size_t n)
{
	vec8 most[2] = { load8(x), load8(x + 8) };
	float lanes[8];

	for (size_t j = PANEL; j < n; j += PANEL) {
#pragma GCC unroll 2
		for (size_t i = 0; i < 2; i++) {
			vec8 next = load8(x + j + i * 8);

			most[i] = select_greater(next, most[i], next, most[i]);
		}
	}
	store8(lanes, select_greater(most[0], most[1], most[0], most[1]));
	for (int i = 4; i > 0; i /= 2) {
		for (int j = 0; j < i; j++)
			lanes[j] = lanes[j + i] > lanes[j] ? lanes[j + i] : lanes[j];
	}
	return lanes[0];
}

INLINE float sum_of_lanes(vec8 x)
{
	float lanes[8];

	store8(lanes, x);
	for (int n = 4; n > 0; n /= 2) {
		for (int i = 0; i < n; i++)
			lanes[i] += lanes[i + n];
	}
	return lanes[0];
}

static void softmax_tile(struct softmax_row *rows, size_t n_rows, float *scores, size_t ld, size_t n)
{
	for (size_t i = 0; i < n_rows; i++) {
		float most = max_of_row(scores + i * ld, n);

		most = rows[i].most > most ? rows[i].most : most;
		rows[i].factor = exp8_bounded(splat8(rows[i].most - most))[0];
		rows[i].most = most;
	}
	for (size_t i = 0; i < n_rows; i++, scores += ld) {
		vec8 most = splat8(rows[i].most), sum = splat8(0);

		for (size_t j = 0; j < n; j += 8) {
			vec8 share = exp8_bounded(load8(scores + j) - most);

			store8(scores + j, share);
			sum += share;
		}
		rows[i].sum = rows[i].sum * rows[i].factor + sum_of_lanes(sum);
	}
}

static void add_tile(float *sums, const float *tile, const struct softmax_row *rows, size_t n_rows, size_t n)
{
	for (size_t i = 0; i < n_rows; i++) {
		for (size_t j = 0; j < n; j += 8, sums += 8, tile += 8)
			store8(sums, MULADD8(load8(sums), splat8(rows[i].factor), load8(tile)));
	}
}

/* Channels c to c + 2 * LANES of a row: the even and the odd ones of bf16, else the first and the second half. */
INLINE void load_channels(vec *low, vec *high, const uint8_t *latent, size_t c, const bool bf16)
{
	if (bf16) {
		uvec words = load_words(latent + c * 2);

		*low = low_halves(words);
		*high = high_halves(words);
	} else {
		*low = (vec)load_words(latent + c * 4);
		*high = (vec)load_words(latent + (c + LANES) * 4);
	}
}

/* out[h .. h + MIX_HEADS][c .. c + 2 * LANES] += weight * row, for the rows of one tile in order. */
INLINE void mix_block(float *out, const float *weights, const struct row_place *places, size_t n, size_t c,
                      const struct attend *attend, const bool bf16)
{
	vec acc[MIX_HEADS][2];

#pragma GCC unroll 8
	for (size_t m = 0; m < MIX_HEADS; m++) {
		acc[m][0] = load(out + m * attend->rank_stride);
		acc[m][1] = load(out + m * attend->rank_stride + LANES);
	}
	for (size_t i = 0; i < n; i++) {
		vec low, high;

		load_channels(&low, &high, places[i].latent, c, bf16);
#pragma GCC unroll 8
		for (size_t m = 0; m < MIX_HEADS; m++) {
			vec weight = splat(weights[i * attend->n_heads + m]);

			acc[m][0] = MULADD(weight, low, acc[m][0]);
			acc[m][1] = MULADD(weight, high, acc[m][1]);
		}
	}
#pragma GCC unroll 8
	for (size_t m = 0; m < MIX_HEADS; m++) {
		store(out + m * attend->rank_stride, acc[m][0]);
		store(out + m * attend->rank_stride + LANES, acc[m][1]);
	}
}

/* The blocks of mix_block() back to the order of channels. */
INLINE void order_channels(float *out)
{
	float even[LANES], odd[LANES];

	memcpy(even, out, sizeof(even));
	memcpy(odd, out + LANES, sizeof(odd));
	for (size_t j = 0; j < LANES; j++) {
		out[2 * j] = even[j];
		out[2 * j + 1] = odd[j];
	}
}

INLINE void mix_form(const struct attend *attend, float *out, size_t first, size_t end, const bool bf16)
{
	struct row_place places[ATTEND_TILE];

	for (size_t h = 0; h < attend->n_heads; h++)
		memset(out + h * attend->rank_stride + first, 0, (end - first) * sizeof(*out));
	for (size_t i = 0; i < attend->n_rows; i += ATTEND_TILE) {
		size_t n = attend->n_rows - i < ATTEND_TILE ? attend->n_rows - i : ATTEND_TILE;

		find_rows(places, attend, i, n);
		for (size_t c = first; c < end; c += (size_t)2 * LANES) {
			for (size_t h = 0; h < attend->n_heads; h += MIX_HEADS)
				mix_block(out + h * attend->rank_stride + c,
				          attend->scores + i * attend->n_heads + h, places, n, c, attend,
				          bf16);
		}
	}
	for (size_t h = 0; bf16 && h < attend->n_heads; h++) {
		for (size_t c = first; c < end; c += (size_t)2 * LANES)
			order_channels(out + h * attend->rank_stride + c);
	}
}

INLINE vec8 silu_mul8(vec8 gate, vec8 up)
{
	return gate / (splat8(1) + exp8(-gate)) * up;
}

static void silu_mul(float *gate, const float *up, size_t n)
{
	float part[2][8] = { 0 };
	size_t i = 0;

	for (; i + 8 <= n; i += 8)
		store8(gate + i, silu_mul8(load8(gate + i), load8(up + i)));
	memcpy(part[0], gate + i, (n - i) * sizeof(*gate));
	memcpy(part[1], up + i, (n - i) * sizeof(*up));
	store8(part[0], silu_mul8(load8(part[0]), load8(part[1])));
	memcpy(gate + i, part[0], (n - i) * sizeof(*gate));
}

#ifdef DOT_PAIRS
#include "model/ops_pairs.h"
#endif

#include "model/ops_levels.h"

static void matmul(float *y, size_t ldy, const float *x, size_t ldx, size_t n_rows,
                   const struct matrix *matrix, size_t first, size_t end)
{
	if (matrix->levels != NULL) {
		matmul_levels(y, ldy, x, ldx, n_rows, matrix, first, end);
		return;
	}
	if (!matrix->bf16) {
		matmul_form(y, ldy, x, ldx, n_rows, matrix, first, end, false);
		return;
	}
#ifdef DOT_PAIRS
	matmul_pairs(y, ldy, x, ldx, n_rows, matrix, first, end);
#else
#ifdef SPREAD_E4M3
	if (matrix->e4m3 != NULL && n_rows <= E4M3_ROWS &&
	    matmul_e4m3(y, ldy, x, ldx, n_rows, matrix, first, end))
		return;
#endif
	matmul_form(y, ldy, x, ldx, n_rows, matrix, first, end, true);
#endif
}

static void attend_score(const struct attend *attend, size_t first, size_t end, uint32_t *words)
{
#ifdef DOT_PAIRS
	if (has_pairs(attend->view)) {
		score_pairs(attend, first, end, words);
		return;
	}
#endif
	(void)words;
	if (attend->view->bf16)
		score_rows(attend, first, end, true);
	else
		score_rows(attend, first, end, false);
}

static void attend_mix(const struct attend *attend, float *out, size_t first, size_t end)
{
#ifdef DOT_PAIRS
	if (has_pairs(attend->view)) {
		mix_pairs(attend, out, first, end);
		return;
	}
#endif
	if (attend->view->bf16)
		mix_form(attend, out, first, end, true);
	else
		mix_form(attend, out, first, end, false);
}

#ifdef DOT_PAIRS
#define ROUNDS_INPUTS true
#else
#define ROUNDS_INPUTS false
#endif
#if defined(SPREAD_E4M3) && !defined(DOT_PAIRS)
#define STREAMS_E4M3 true
#else
#define STREAMS_E4M3 false
#endif

const struct ops FAMILY = {
	.name = FAMILY_NAME,
	.rounds_inputs = ROUNDS_INPUTS,
	.streams_e4m3 = STREAMS_E4M3,
	.code_levels = CODE_LEVELS,
	.matmul = matmul,
	.weigh_scores = weigh_scores,
	.score_codes = score_codes,
	.take_scores = take_scores,
	.range_of_scores = range_of_scores,
	.count_scores = count_scores,
	.attend_score = attend_score,
	.attend_softmax = attend_softmax,
	.attend_mix = attend_mix,
	.softmax_tile = softmax_tile,
	.add_tile = add_tile,
	.silu_mul = silu_mul,
};
