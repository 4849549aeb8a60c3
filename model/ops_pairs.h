/* Included by ops_kernels.h for a family that sums pairs of bf16 products by one instruction, DOT_PAIRS(acc, a, b) over
 * words of two bf16: the kernels that stand in for those of float32 where both sides can be bf16. What they round is x,
 * an attention query, and the shares of the attention. */

#define PAIR_BLOCK 256 /* words of x that are rounded at a time */
#define PAIR_ROWS 8 /* cached rows whose scores are summed together */

typedef uint32_t uvec8_unaligned __attribute__((vector_size(32), aligned(4)));

/* n floats as (n + 1) / 2 words. */
INLINE void round_pairs(uint32_t *to, const float *from, size_t n)
{
	size_t i = 0;

	for (; i + (size_t)2 * LANES <= n; i += (size_t)2 * LANES)
		*(uvec_unaligned *)(to + i / 2) = ROUND_PAIRS(from + i);
	for (; i < n; i += 2)
		to[i / 2] = bf16_bits(from[i]) | (uint32_t)(i + 1 < n ? bf16_bits(from[i + 1]) : 0) << 16;
}

/* n_rows by n_panels over n_words words; `more`: added to what is in y. */
INLINE void pairs_tile(float *y, size_t ldy, const uint32_t *x, const uint8_t *panels, size_t panel_bytes,
                       size_t n_words, bool more, const int n_rows, const int n_panels)
{
	vec acc[MATMUL_ROWS][WIDE_PANELS] = { 0 };

#pragma GCC unroll 16
	for (int m = 0; m < n_rows; m++) {
#pragma GCC unroll 8
		for (int p = 0; p < n_panels; p++)
			acc[m][p] = more ? load(y + (size_t)m * ldy + (size_t)p * PANEL) : splat(0);
	}
	for (size_t k = 0; k < n_words; k++) {
		uvec w[WIDE_PANELS];

#pragma GCC unroll 8
		for (int p = 0; p < n_panels; p++)
			w[p] = load_words(panels + (size_t)p * panel_bytes + k * VEC_BYTES);
#pragma GCC unroll 16
		for (int m = 0; m < n_rows; m++) {
			uvec pair = x[(size_t)m * PAIR_BLOCK + k] - (uvec){ 0 };

#pragma GCC unroll 8
			for (int p = 0; p < n_panels; p++)
				acc[m][p] = DOT_PAIRS(acc[m][p], w[p], pair);
		}
	}
#pragma GCC unroll 16
	for (int m = 0; m < n_rows; m++) {
#pragma GCC unroll 8
		for (int p = 0; p < n_panels; p++)
			store(y + (size_t)m * ldy + (size_t)p * PANEL, acc[m][p]);
	}
}

/* n_rows, at most MATMUL_ROWS, by n_panels. */
INLINE void pairs_rows(float *y, size_t ldy, const uint32_t *x, size_t n_rows, const uint8_t *panels,
                       size_t panel_bytes, size_t n_words, bool more, const int n_panels)
{
	size_t m = 0;

	if (n_rows == MATMUL_ROWS) {
		pairs_tile(y, ldy, x, panels, panel_bytes, n_words, more, MATMUL_ROWS, n_panels);
		return;
	}
	for (; m + 4 <= n_rows; m += 4)
		pairs_tile(y + m * ldy, ldy, x + m * PAIR_BLOCK, panels, panel_bytes, n_words, more, 4,
		           n_panels);
	for (; m + 2 <= n_rows; m += 2)
		pairs_tile(y + m * ldy, ldy, x + m * PAIR_BLOCK, panels, panel_bytes, n_words, more, 2,
		           n_panels);
	for (; m < n_rows; m++)
		pairs_tile(y + m * ldy, ldy, x + m * PAIR_BLOCK, panels, panel_bytes, n_words, more, 1,
		           n_panels);
}

static void matmul_pairs(float *y, size_t ldy, const float *x, size_t ldx, size_t n_rows,
                         const struct matrix *matrix, size_t first, size_t end)
{
	uint32_t pairs[MATMUL_ROWS * PAIR_BLOCK];
	size_t bytes = matrix_panel_bytes(matrix), n_words = (matrix->n_in + (size_t)1) / 2;

	for (size_t m = 0, n; m < n_rows; m += n) {
		n = n_rows - m < MATMUL_ROWS ? n_rows - m : MATMUL_ROWS;
		for (size_t k = 0; k < n_words; k += PAIR_BLOCK) {
			size_t n_k = n_words - k < PAIR_BLOCK ? n_words - k : PAIR_BLOCK;
			size_t n_floats = matrix->n_in - 2 * k < 2 * n_k ? matrix->n_in - 2 * k : 2 * n_k;
			const uint8_t *panels = (const uint8_t *)matrix->panels + k * VEC_BYTES;
			size_t p = first;

			for (size_t i = 0; i < n; i++)
				round_pairs(pairs + i * PAIR_BLOCK, x + (m + i) * ldx + 2 * k, n_floats);
			for (; n == 1 && p + WIDE_PANELS <= end; p += WIDE_PANELS)
				pairs_tile(y + m * ldy + p * PANEL, ldy, pairs, panels + p * bytes, bytes,
				           n_k, k > 0, 1, WIDE_PANELS);
			for (; p + MATMUL_PANELS <= end; p += MATMUL_PANELS)
				pairs_rows(y + m * ldy + p * PANEL, ldy, pairs, n, panels + p * bytes, bytes,
				           n_k, k > 0, MATMUL_PANELS);
			for (; p < end; p++)
				pairs_rows(y + m * ldy + p * PANEL, ldy, pairs, n, panels + p * bytes, bytes,
				           n_k, k > 0, 1);
		}
	}
}

/* Rows whose words are pairs of neighbours. */
INLINE bool has_pairs(const struct kv_view *view)
{
	return view->bf16 && view->rank % 2 == 0 && view->rope % 2 == 0;
}

/* The query [rank + rope][n_heads] as words [(rank + rope) / 2][n_heads] of neighbours in a row. */
INLINE void pair_query(uint32_t *to, const struct attend *attend)
{
	size_t n_heads = attend->n_heads, n = (attend->view->rank + attend->view->rope) / 2;

	for (size_t k = 0; k < n; k++) {
		for (size_t h = 0; h < n_heads; h += HEAD_PAD)
			*(uvec8_unaligned *)(to + k * n_heads + h) =
				PAIR8(load8(attend->q + 2 * k * n_heads + h),
			              load8(attend->q + (2 * k + 1) * n_heads + h));
	}
}

/* acc[m] += words of row m * words of eight heads. */
INLINE void score_words(vec8 acc[PAIR_ROWS], const uint8_t *const rows[PAIR_ROWS], const uint32_t *q,
                        size_t n_heads, size_t n_words)
{
	for (size_t k = 0; k < n_words; k++) {
		uvec8 heads = *(const uvec8_unaligned *)(q + k * n_heads);

#pragma GCC unroll 16
		for (size_t m = 0; m < PAIR_ROWS; m++) {
			uint32_t word;

			memcpy(&word, rows[m] + k * sizeof(word), sizeof(word));
			acc[m] = DOT_PAIRS8(acc[m], heads, word - (uvec8){ 0 });
		}
	}
}

/* PAIR_ROWS places, of which n are rows. */
INLINE void score_places(const struct attend *attend, float *scores, const struct row_place *places, size_t n,
                         const uint32_t *q)
{
	size_t n_heads = attend->n_heads;
	const uint8_t *latents[PAIR_ROWS], *ropes[PAIR_ROWS];

	for (size_t m = 0; m < PAIR_ROWS; m++) {
		latents[m] = places[m < n ? m : 0].latent;
		ropes[m] = places[m < n ? m : 0].rope;
	}
	for (size_t h = 0; h < n_heads; h += HEAD_PAD) {
		vec8 acc[PAIR_ROWS] = { 0 };

		score_words(acc, latents, q + h, n_heads, attend->view->rank / 2);
		score_words(acc, ropes, q + attend->view->rank / 2 * n_heads + h, n_heads,
		            attend->view->rope / 2);
		for (size_t m = 0; m < n; m++)
			store8(scores + m * n_heads + h, acc[m] * splat8(attend->scale));
	}
}

INLINE void score_pairs(const struct attend *attend, size_t first, size_t end, uint32_t *q)
{
	struct row_place places[2][PAIR_ROWS];
	unsigned now = 0;

	pair_query(q, attend);
	find_rows(places[now], attend, first, end - first < PAIR_ROWS ? end - first : PAIR_ROWS);
	for (size_t i = first, n; i < end; i += n, now ^= 1) {
		n = end - i < PAIR_ROWS ? end - i : PAIR_ROWS;
		if (i + n < end)
			find_rows(places[now ^ 1], attend, i + n,
			          end - i - n < PAIR_ROWS ? end - i - n : PAIR_ROWS);
		score_places(attend, attend->scores + i * attend->n_heads, places[now], n, q);
	}
}

/* Shares of eight heads in n rows as words of two rows, the last of an odd number beside nothing. */
INLINE void pair_shares(uint32_t to[ATTEND_TILE / 2][8], const float *shares, size_t n_heads, size_t n)
{
	for (size_t i = 0; i < n; i += 2)
		*(uvec8_unaligned *)to[i / 2] =
			PAIR8(load8(shares + i * n_heads),
		              i + 1 < n ? load8(shares + (i + 1) * n_heads) : splat8(0));
}

/* out[8 heads][c .. c + 2 * LANES] += share * latent, for the rows of one tile by twos. */
INLINE void mix_pairs_block(float *out, uint32_t shares[ATTEND_TILE / 2][8], const struct row_place *places,
                            size_t n, size_t c, size_t stride)
{
	vec acc[8][2];

#pragma GCC unroll 8
	for (size_t m = 0; m < 8; m++) {
		acc[m][0] = load(out + m * stride);
		acc[m][1] = load(out + m * stride + LANES);
	}
	for (size_t i = 0; i < n; i += 2) {
		uvec a = load_words(places[i].latent + c * 2);
		uvec b = load_words(places[i + 1 < n ? i + 1 : i].latent + c * 2);
		uvec low = PAIR_ROWS_LOW(a, b), high = PAIR_ROWS_HIGH(a, b);

#pragma GCC unroll 8
		for (size_t m = 0; m < 8; m++) {
			uvec share = shares[i / 2][m] - (uvec){ 0 };

			acc[m][0] = DOT_PAIRS(acc[m][0], low, share);
			acc[m][1] = DOT_PAIRS(acc[m][1], high, share);
		}
	}
#pragma GCC unroll 8
	for (size_t m = 0; m < 8; m++) {
		store(out + m * stride, acc[m][0]);
		store(out + m * stride + LANES, acc[m][1]);
	}
}

/* The blocks of mix_pairs_block(), fours by fours, back to the order of channels. */
INLINE void order_fours(float *out)
{
	float block[2 * LANES];

	memcpy(block, out, sizeof(block));
	for (size_t i = 0; i < LANES; i += 4) {
		memcpy(out + 2 * i, block + i, 4 * sizeof(*out));
		memcpy(out + 2 * i + 4, block + LANES + i, 4 * sizeof(*out));
	}
}

INLINE void mix_pairs(const struct attend *attend, float *out, size_t first, size_t end)
{
	struct row_place places[ATTEND_TILE];
	uint32_t shares[ATTEND_TILE / 2][8];
	size_t stride = attend->rank_stride;

	for (size_t h = 0; h < attend->n_heads; h++)
		memset(out + h * stride + first, 0, (end - first) * sizeof(*out));
	for (size_t i = 0; i < attend->n_rows; i += ATTEND_TILE) {
		size_t n = attend->n_rows - i < ATTEND_TILE ? attend->n_rows - i : ATTEND_TILE;

		find_rows(places, attend, i, n);
		for (size_t h = 0; h < attend->n_heads; h += 8) {
			pair_shares(shares, attend->scores + i * attend->n_heads + h, attend->n_heads, n);
			for (size_t c = first; c < end; c += (size_t)2 * LANES)
				mix_pairs_block(out + h * stride + c, shares, places, n, c, stride);
		}
	}
	for (size_t h = 0; h < attend->n_heads; h++) {
		for (size_t c = first; c < end; c += (size_t)2 * LANES)
			order_fours(out + h * stride + c);
	}
}
