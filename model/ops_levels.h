/* Included by ops_kernels.h: products with a matrix of levels; see ops.h for the sum. A family that has instructions
 * for it defines LOAD_LEVELS(from), LEVEL_STEP levels of each of a vector's outputs; DOT_LEVELS(acc, word, levels), acc +
 * their products with a word of as many inputs; and ROUND_LEVELS(to, from, factor), 16 values to such words: what is
 * rounded is factor * value, to even. Inputs come without a sign, CODE_ZERO larger than they are. */

/* For level_factor(). */
INLINE int32_t largest_magnitude(const float *x, size_t n)
{
	ivec most = { 0 };
	int32_t ret = 0;
	size_t k = 0;

	for (; k + LANES <= n; k += LANES) {
		ivec bits = (ivec)load(x + k) & 0x7fffffff, larger = bits > most;

		most = (larger & bits) | (~larger & most);
	}
	for (size_t j = 0; j < LANES; j++)
		ret = most[j] > ret ? most[j] : ret;
	for (; k < n; k++) {
		int32_t bits;

		memcpy(&bits, x + k, sizeof(bits));
		bits &= 0x7fffffff;
		ret = bits > ret ? bits : ret;
	}
	return ret;
}

#ifndef DOT_LEVELS

/* y[m][16] += of one panel, block by block. */
static void add_level_block(float y[PANEL], const int32_t *x, float x_scale, const int8_t *levels, size_t n,
                            const float *scales)
{
	for (size_t j = 0; j < PANEL; j += LANES) {
		int32_t sums[LANES] = { 0 };
		vec total;

		for (size_t k = 0; k < n; k++) {
			for (size_t i = 0; i < LANES; i++)
				sums[i] += x[k] * levels[(k / LEVEL_STEP * PANEL + j + i) * LEVEL_STEP +
				                         k % LEVEL_STEP];
		}
		for (size_t i = 0; i < LANES; i++)
			total[i] = (float)sums[i];
		store(y + j, MULADD(splat(x_scale) * load(scales + j), total, load(y + j)));
	}
}

static void matmul_levels(float *y, size_t ldy, const float *x, size_t ldx, size_t n_rows,
                          const struct matrix *matrix, size_t first, size_t end)
{
	size_t n_blocks = matrix_level_blocks(matrix), n_in = matrix_level_inputs(matrix);
	int32_t levels[LEVEL_BLOCK];

	for (size_t m = 0; m < n_rows; m++, x += ldx, y += ldy) {
		memset(y + first * PANEL, 0, (end - first) * PANEL * sizeof(*y));
		for (size_t b = 0; b < n_blocks; b++) {
			size_t k = b * LEVEL_BLOCK,
			       n = matrix->n_in - k < LEVEL_BLOCK ? matrix->n_in - k : LEVEL_BLOCK;
			float scale, factor = level_factor(largest_magnitude(x + k, n), &scale);

			for (size_t i = 0; i < n; i++)
				levels[i] = (int32_t)lrintf(x[k + i] * factor);
			for (size_t p = first; p < end; p++)
				add_level_block(y + p * PANEL, levels, scale,
				                matrix->levels + (p * n_in + k) * PANEL, n,
				                matrix->level_scales + (p * n_blocks + b) * PANEL);
		}
	}
}
#else

#define LEVEL_ROWS (6 * MATMUL_ROWS) /* that are rounded together */
#define LEVEL_WORDS ((size_t)LEVEL_ROWS * 256) /* that they may have */
#define BLOCK_WORDS (LEVEL_BLOCK / LEVEL_STEP)

/* Rows of x over some blocks. */
struct level_rows {
	uint32_t words[LEVEL_WORDS]; /* [rows][n_blocks][BLOCK_WORDS] */
	float scales[LEVEL_WORDS / BLOCK_WORDS]; /* [rows][n_blocks] */
	size_t n_blocks;
};

/* One block of one row. */
INLINE void round_block(struct level_rows *to, size_t at, const float *x, size_t n)
{
	uint32_t *words = to->words + at * BLOCK_WORDS;
	float factor = level_factor(largest_magnitude(x, n), &to->scales[at]), rest[16] = { 0 };
	size_t k = 0;

	for (; k + 16 <= n; k += 16)
		ROUND_LEVELS(words + k / LEVEL_STEP, x + k, factor);
	if (k == n)
		return;
	memcpy(rest, x + k, (n - k) * sizeof(*x));
	ROUND_LEVELS(words + k / LEVEL_STEP, rest, factor);
}

/* n_rows by n_panels over block b of x, which is the matrix' block `block`; added to y but for the first. */
INLINE void levels_tile(float *y, size_t ldy, const struct level_rows *x, size_t row, size_t b,
                        const struct matrix *matrix, size_t panel, size_t block, const int n_rows,
                        const int n_panels)
{
	size_t bytes = matrix_level_inputs(matrix) * PANEL, n_blocks = matrix_level_blocks(matrix);
	size_t n_in = matrix_level_inputs(matrix) - block * LEVEL_BLOCK;
	size_t n_words = (n_in < LEVEL_BLOCK ? n_in : LEVEL_BLOCK) / LEVEL_STEP,
	       ld = x->n_blocks * BLOCK_WORDS;
	const int8_t *levels = matrix->levels + panel * bytes + block * LEVEL_BLOCK * PANEL;
	const float *scales = matrix->level_scales + (panel * n_blocks + block) * PANEL;
	const int32_t *sums = matrix->level_sums + (panel * n_blocks + block) * PANEL;
	const uint32_t *words = x->words + (row * x->n_blocks + b) * BLOCK_WORDS;
	ivec acc[MATMUL_ROWS][WIDE_PANELS][PANEL_VECS] = { 0 };

	for (size_t k = 0; k < n_words; k++) {
#pragma GCC unroll 8
		for (int p = 0; p < n_panels; p++) {
			ivec w[PANEL_VECS];

#pragma GCC unroll 4
			for (int v = 0; v < PANEL_VECS; v++)
				w[v] = LOAD_LEVELS(levels + (size_t)p * bytes +
				                   (k * PANEL + (size_t)v * LANES) * LEVEL_STEP);
#pragma GCC unroll 16
			for (int m = 0; m < n_rows; m++) {
				uint32_t word = words[(size_t)m * ld + k];

#pragma GCC unroll 4
				for (int v = 0; v < PANEL_VECS; v++)
					acc[m][p][v] = DOT_LEVELS(acc[m][p][v], word, w[v]);
					/* The compiler may not see beyond: left to itself it would begin so many of these at
				 * once that sums leave the registers. */
#pragma GCC unroll 4
				for (int v = 0; v < PANEL_VECS; v++)
					__asm__("" : "+v"(acc[m][p][v]));
			}
		}
	}
#pragma GCC unroll 8
	for (int p = 0; p < n_panels; p++) {
#pragma GCC unroll 16
		for (int m = 0; m < n_rows; m++) {
			vec x_scale = splat(x->scales[(row + (size_t)m) * x->n_blocks + b]);

#pragma GCC unroll 4
			for (int v = 0; v < PANEL_VECS; v++) {
				size_t at = (size_t)p * n_blocks * PANEL + (size_t)v * LANES;
				float *to =
					y + (row + (size_t)m) * ldy + (size_t)p * PANEL + (size_t)v * LANES;
				ivec sum = acc[m][p][v];

				sum -= CODE_ZERO * (ivec)load_words(sums + at);
				store(to,
				      MULADD(x_scale * load(scales + at), __builtin_convertvector(sum, vec),
				             block == 0 ? splat(0) : load(to)));
			}
		}
	}
}

/* All of n_rows by n_panels, over one block. */
INLINE void levels_rows(float *y, size_t ldy, const struct level_rows *x, size_t n_rows, size_t b,
                        const struct matrix *matrix, size_t panel, size_t block, const int n_panels)
{
	size_t m = 0;

	for (; m + MATMUL_ROWS <= n_rows; m += MATMUL_ROWS)
		levels_tile(y, ldy, x, m, b, matrix, panel, block, MATMUL_ROWS, n_panels);
#if MATMUL_ROWS > 4
	for (; m + 4 <= n_rows; m += 4)
		levels_tile(y, ldy, x, m, b, matrix, panel, block, 4, n_panels);
#endif
	for (; m + 2 <= n_rows; m += 2)
		levels_tile(y, ldy, x, m, b, matrix, panel, block, 2, n_panels);
	for (; m < n_rows; m++)
		levels_tile(y, ldy, x, m, b, matrix, panel, block, 1, n_panels);
}

/* n_rows, at most LEVEL_ROWS, over x's blocks, of which the first is the matrix' block `block`. */
INLINE void levels_blocks(float *y, size_t ldy, const struct level_rows *x, size_t n_rows,
                          const struct matrix *matrix, size_t first, size_t end, size_t block)
{
	size_t p = first;

	for (; n_rows == 1 && p + WIDE_PANELS <= end; p += WIDE_PANELS) {
		for (size_t b = 0; b < x->n_blocks; b++)
			levels_tile(y + p * PANEL, ldy, x, 0, b, matrix, p, block + b, 1, WIDE_PANELS);
	}
	for (; n_rows == 2 && p + WIDE_PANELS / 2 <= end; p += WIDE_PANELS / 2) {
		for (size_t b = 0; b < x->n_blocks; b++)
			levels_tile(y + p * PANEL, ldy, x, 0, b, matrix, p, block + b, 2, WIDE_PANELS / 2);
	}
#if MATMUL_PANELS > 1
	for (; p + MATMUL_PANELS <= end; p += MATMUL_PANELS) {
		for (size_t b = 0; b < x->n_blocks; b++)
			levels_rows(y + p * PANEL, ldy, x, n_rows, b, matrix, p, block + b, MATMUL_PANELS);
	}
#endif
	for (; p < end; p++) {
		for (size_t b = 0; b < x->n_blocks; b++)
			levels_rows(y + p * PANEL, ldy, x, n_rows, b, matrix, p, block + b, 1);
	}
}

static void matmul_levels(float *y, size_t ldy, const float *x, size_t ldx, size_t n_rows,
                          const struct matrix *matrix, size_t first, size_t end)
{
	size_t n_blocks = matrix_level_blocks(matrix);
	struct level_rows rows;

	for (size_t m = 0, n; m < n_rows; m += n) {
		n = n_rows - m < LEVEL_ROWS ? n_rows - m : LEVEL_ROWS;
		for (size_t block = 0; block < n_blocks; block += rows.n_blocks) {
			rows.n_blocks = LEVEL_WORDS / BLOCK_WORDS / n;
			if (rows.n_blocks > n_blocks - block)
				rows.n_blocks = n_blocks - block;
			for (size_t i = 0; i < n * rows.n_blocks; i++) {
				size_t k = (block + i % rows.n_blocks) * LEVEL_BLOCK;

				round_block(&rows, i, x + (m + i / rows.n_blocks) * ldx + k,
				            matrix->n_in - k < LEVEL_BLOCK ? matrix->n_in - k : LEVEL_BLOCK);
			}
			levels_blocks(y + m * ldy, ldy, &rows, n, matrix, first, end, block);
		}
	}
}
#endif
