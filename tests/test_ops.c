/* The kernels of each family against sums in double precision, against one another, and against themselves with other
 * batches and panel ranges, bit for bit; norms, rotations and roundings by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/ops.h"
#include "tests/families.h"

static float *draw_array(size_t n, uint64_t *seed)
{
	float *ret = array_new(float, n);

	assert_non_null(ret);
	for (size_t i = 0; i < n; i++)
		ret[i] = draw_float(seed);
	return ret;
}

/* Off by at most `bar` of the sum's terms taken without their signs. */
static void assert_close(double value, double expected, double size, double bar)
{
	if (!(fabs(value - expected) <= bar * size + 1e-37))
		fail_msg("%.9g is not %.9g (%.3g of the terms' size %.3g)", value, expected,
		         fabs(value - expected) / size, size);
}

static void an_unknown_family_is_refused_by_its_name(void **state)
{
	const struct ops *ops = NULL;
	struct err err;

	(void)state;
	assert_int_equal(ops_select("avx1024", &ops, &err), -ENOTSUP);
	assert_string_equal(err.text, "kernels 'avx1024': unknown, or not for this CPU");
	assert_null(ops);
	assert_int_equal(ops_select("plain", &ops, &err), 0);
	assert_string_equal(ops->name, "plain");
}

static void the_environment_chooses_a_family_and_a_setting_overrules_it(void **state)
{
	const struct ops *ops;
	char *before = getenv("SKIMD_KERNELS");

	(void)state;
	before = before == NULL ? NULL : strdup(before);
	assert_int_equal(setenv("SKIMD_KERNELS", "plain", 1), 0);
	assert_int_equal(ops_select(NULL, &ops, NULL), 0);
	assert_string_equal(ops->name, "plain");
	assert_int_equal(setenv("SKIMD_KERNELS", "none", 1), 0);
	assert_int_equal(ops_select(NULL, &ops, NULL), -ENOTSUP);
	assert_int_equal(ops_select("plain", &ops, NULL), 0);
	unsetenv("SKIMD_KERNELS");
	if (before != NULL)
		setenv("SKIMD_KERNELS", before, 1);
	free(before);
}

static float of_bits(uint32_t bits)
{
	float ret;

	memcpy(&ret, &bits, sizeof(ret));
	return ret;
}

static float round_bf16(float value)
{
	return of_bits((uint32_t)bf16_bits(value) << 16);
}

/* What the family makes of a value that meets bf16, or does not. */
static float input_of(const struct ops *ops, bool bf16, float value)
{
	return ops->rounds_inputs && bf16 ? round_bf16(value) : value;
}

/* acc + a * b as the family computes it in float32. */
static float muladd(const struct ops *ops, float a, float b, float acc)
{
	float product = a * b;

	return strcmp(ops->name, "plain") == 0 ? acc + product : fmaf(a, b, acc);
}

/* Floats that no result may depend on. */
static float *poisoned_array(size_t n)
{
	float *ret = array_new(float, n);

	assert_non_null(ret);
	for (size_t i = 0; i < n; i++)
		ret[i] = NAN;
	return ret;
}

/* A product with its operands. */
struct trial {
	size_t n_rows, n_in, n_out, ldx, ldy;
	float *weights, *x;
	struct matrix matrix;
};

static void trial_init(struct trial *trial, size_t n_rows, size_t n_in, size_t n_out, bool bf16,
                       uint64_t *seed)
{
	*trial = (struct trial){
		n_rows, n_in, n_out, n_in + 3, round_up(n_out, PANEL) + 5, NULL, NULL, { 0 }
	};
	trial->weights = draw_array(n_in * n_out, seed);
	trial->x = draw_array(n_rows * trial->ldx, seed);
	for (size_t i = 0; bf16 && i < n_in * n_out; i++)
		trial->weights[i] = round_bf16(trial->weights[i]);
	for (size_t i = 0; i < n_rows * trial->ldx; i++) {
		if (i % trial->ldx >= n_in)
			trial->x[i] = NAN;
	}
	assert_int_equal(matrix_pack(trial->weights, (uint32_t)n_out, (uint32_t)n_in, &trial->matrix), 0);
	assert_int_equal(trial->matrix.bf16, bf16);
}

static void trial_done(struct trial *trial)
{
	free(trial->weights);
	free(trial->x);
	matrix_done(&trial->matrix);
}

static float *multiply(const struct trial *trial, const struct ops *ops)
{
	float *y = poisoned_array(trial->n_rows * trial->ldy);

	ops->matmul(y, trial->ldy, trial->x, trial->ldx, trial->n_rows, &trial->matrix, 0,
	            matrix_n_panels(&trial->matrix));
	return y;
}

static void check_product(const struct trial *trial, const struct ops *ops)
{
	float *y = multiply(trial, ops);

	for (size_t m = 0; m < trial->n_rows; m++) {
		for (size_t o = 0; o < trial->n_out; o++) {
			double sum = 0, size = 0;

			for (size_t k = 0; k < trial->n_in; k++) {
				float x = input_of(ops, trial->matrix.bf16, trial->x[m * trial->ldx + k]);
				double term = (double)x * (double)trial->weights[o * trial->n_in + k];

				sum += term;
				size += fabs(term);
			}
			assert_close((double)y[m * trial->ldy + o], sum, size,
			             6e-8 * (double)(trial->n_in + 1));
		}
	}
	free(y);
}

static void check_products_of(size_t n_rows, size_t n_in, size_t n_out, uint64_t *seed)
{
	for (int bf16 = 0; bf16 <= 1; bf16++) {
		struct trial trial;

		trial_init(&trial, n_rows, n_in, n_out, bf16 != 0, seed);
		for (size_t f = 0; f < n_families; f++)
			check_product(&trial, families[f]);
		trial_done(&trial);
	}
}

static void products_are_the_sums_of_double_precision(void **state)
{
	static const size_t WIDTHS_IN[] = { 1, 2, 3, 31, 64, 130 },
			    WIDTHS_OUT[] = { 1, 15, 16, 17, 48, 65, 130 };
	uint64_t seed = 11;

	(void)state;
	for (size_t i = 0; i < COUNT(WIDTHS_IN) * COUNT(WIDTHS_OUT); i++) {
		for (size_t n_rows = 1; n_rows <= 13; n_rows += 1 + i % 4)
			check_products_of(n_rows, WIDTHS_IN[i % COUNT(WIDTHS_IN)],
			                  WIDTHS_OUT[i / COUNT(WIDTHS_IN)], &seed);
	}
}

/* Around the blocks of inputs that a family may round together. */
static void products_of_wide_inputs_are_the_sums_of_double_precision(void **state)
{
	static const size_t WIDTHS_IN[] = { 511, 512, 513, 1027 }, ROWS[] = { 1, 3, 12, 29 };
	uint64_t seed = 23;

	(void)state;
	for (size_t i = 0; i < COUNT(WIDTHS_IN) * COUNT(ROWS); i++)
		check_products_of(ROWS[i % COUNT(ROWS)], WIDTHS_IN[i / COUNT(ROWS)],
		                  (i + i / COUNT(ROWS)) % 2 == 0 ? 17 : 140, &seed);
}

/* Some panels of one row, into a row of NaN where nothing else may be written. */
static void check_piece(const struct trial *trial, const struct ops *ops, const float *whole, size_t m,
                        size_t first, size_t end)
{
	float *y = poisoned_array(trial->ldy);
	size_t n_written = (end * PANEL < trial->n_out ? end * PANEL : trial->n_out) - first * PANEL;

	ops->matmul(y, trial->ldy, trial->x + m * trial->ldx, trial->ldx, 1, &trial->matrix, first, end);
	assert_memory_equal(y + first * PANEL, whole + m * trial->ldy + first * PANEL,
	                    n_written * sizeof(*y));
	for (size_t i = 0; i < trial->ldy; i++)
		assert_true((i >= first * PANEL && i < end * PANEL) || isnan(y[i]));
	free(y);
}

/* Every row by itself, in pieces of so many panels. */
static void check_pieces(const struct trial *trial, const struct ops *ops)
{
	float *whole = multiply(trial, ops);
	size_t n_panels = matrix_n_panels(&trial->matrix);

	for (size_t step = 1; step <= n_panels; step++) {
		for (size_t m = 0; m < trial->n_rows; m++) {
			for (size_t first = 0; first < n_panels; first += step)
				check_piece(trial, ops, whole, m, first,
				            first + step < n_panels ? first + step : n_panels);
		}
	}
	free(whole);
}

static void a_product_depends_on_neither_rows_nor_panels_beside_it(void **state)
{
	static const size_t ROWS[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 24, 31 };
	uint64_t seed = 12;

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS) * 2; i++) {
		size_t n_rows = ROWS[i / 2];
		struct trial trial;

		trial_init(&trial, n_rows, n_rows == 31 ? 600 : 70 + n_rows, 16 * 9 + n_rows % 16, i % 2 == 0,
		           &seed);
		for (size_t f = 0; f < n_families; f++)
			check_pieces(&trial, families[f]);
		trial_done(&trial);
	}
}

/* Each output is one accumulator over the inputs in rising order, with the family's multiply-add. */
static void check_order(const struct trial *trial, const struct ops *ops)
{
	float *y = multiply(trial, ops);

	for (size_t i = 0; i < trial->n_rows * trial->n_out; i++) {
		const float *x = trial->x + i / trial->n_out * trial->ldx;
		const float *w = trial->weights + i % trial->n_out * trial->n_in;
		float sum = 0;

		for (size_t k = 0; k < trial->n_in; k++)
			sum = muladd(ops, x[k], w[k], sum);
		assert_memory_equal(&y[i / trial->n_out * trial->ldy + i % trial->n_out], &sum, sizeof(sum));
	}
	free(y);
}

static void a_product_is_summed_in_rising_order(void **state)
{
	uint64_t seed = 13;

	(void)state;
	for (int bf16 = 0; bf16 <= 1; bf16++) {
		struct trial trial;

		trial_init(&trial, 7, 333, 40, bf16 != 0, &seed);
		for (size_t f = 0; f < n_families; f++) {
			if (bf16 == 0 || !families[f]->rounds_inputs)
				check_order(&trial, families[f]);
		}
		trial_done(&trial);
	}
}

/* The weight as it is multiplied: level and what one stands for, from where weights.h says that they stand. */
static int level_of(const struct matrix *matrix, size_t o, size_t k, float *ret_scale)
{
	size_t n_in = round_up(matrix->n_in, LEVEL_STEP),
	       n_blocks = (matrix->n_in + LEVEL_BLOCK - 1) / LEVEL_BLOCK;

	*ret_scale = matrix->level_scales[(o / PANEL * n_blocks + k / LEVEL_BLOCK) * PANEL + o % PANEL];
	return matrix
	        ->levels[((o / PANEL * n_in + k / LEVEL_STEP * LEVEL_STEP) * PANEL + o % PANEL * LEVEL_STEP) +
	                 k % LEVEL_STEP];
}

static size_t end_of_level_block(size_t first, size_t n_in)
{
	return first + LEVEL_BLOCK < n_in ? first + LEVEL_BLOCK : n_in;
}

static float largest_of(const float *values, size_t first, size_t end)
{
	float ret = 0;

	for (size_t i = first; i < end; i++)
		ret = fmaxf(ret, fabsf(values[i]));
	return ret;
}

/* One output by the formula of ops.h. */
static float levels_product(const struct trial *trial, const struct ops *ops, const float *x, size_t o)
{
	float y = 0;

	for (size_t first = 0, end; first < trial->n_in; first = end) {
		float most, scale = 0;
		int sum = 0;

		end = end_of_level_block(first, trial->n_in);
		most = largest_of(x, first, end);
		for (size_t k = first; k < end; k++)
			sum += (int)rintf(x[k] * (INPUT_LEVELS / most)) *
			       level_of(&trial->matrix, o, k, &scale);
		y = muladd(ops, most / INPUT_LEVELS * scale, (float)sum, y);
	}
	return y;
}

static void check_levels_product(const struct trial *trial, const struct ops *ops)
{
	float *y = multiply(trial, ops);

	for (size_t i = 0; i < trial->n_rows * trial->n_out; i++) {
		size_t m = i / trial->n_out, o = i % trial->n_out;
		float expected = levels_product(trial, ops, trial->x + m * trial->ldx, o);

		assert_memory_equal(&y[m * trial->ldy + o], &expected, sizeof(expected));
	}
	free(y);
}

static void trial_init_levels(struct trial *trial, size_t n_rows, size_t n_in, size_t n_out, bool bf16,
                              uint64_t *seed)
{
	trial_init(trial, n_rows, n_in, n_out, bf16, seed);
	assert_int_equal(matrix_to_levels(&trial->matrix), 0);
	assert_null(trial->matrix.panels);
}

static void products_with_levels_are_sums_of_integers_block_by_block(void **state)
{
	static const size_t WIDTHS_IN[] = { 1, 3, 4, 31, 64, 127, 128, 129, 257, 400, 1027 },
			    WIDTHS_OUT[] = { 1, 16, 17, 65, 140 };
	uint64_t seed = 41;

	(void)state;
	for (size_t i = 0; i < COUNT(WIDTHS_IN) * COUNT(WIDTHS_OUT); i++) {
		for (size_t n_rows = 1; n_rows <= 41; n_rows += 1 + n_rows / 4 + i % 3) {
			struct trial trial;

			trial_init_levels(&trial, n_rows, WIDTHS_IN[i % COUNT(WIDTHS_IN)],
			                  WIDTHS_OUT[i / COUNT(WIDTHS_IN)], i % 2 == 0, &seed);
			for (size_t f = 0; f < n_families; f++)
				check_levels_product(&trial, families[f]);
			trial_done(&trial);
		}
	}
}

/* Wider than the rows that are rounded together may be, too. */
static void nor_does_one_with_levels(void **state)
{
	static const struct {
		size_t n_rows, n_in, n_out;
	} TRIALS[] = { { 1, 140, 150 }, { 2, 260, 160 },  { 3, 129, 33 },
		       { 5, 128, 48 },  { 13, 300, 100 }, { 40, 3100, 40 } };
	uint64_t seed = 42;

	(void)state;
	for (size_t i = 0; i < COUNT(TRIALS); i++) {
		struct trial trial;

		trial_init_levels(&trial, TRIALS[i].n_rows, TRIALS[i].n_in, TRIALS[i].n_out, true, &seed);
		for (size_t f = 0; f < n_families; f++)
			check_pieces(&trial, families[f]);
		trial_done(&trial);
	}
}

/* Levels off by less than one: with a scale of the largest weight / WEIGHT_LEVELS each is the nearest multiple, and one
 * that errs less in all is taken instead. */
static void a_weight_is_rounded_to_a_near_level(void **state)
{
	uint64_t seed = 43;
	struct trial trial;
	double error = 0, bound = 0;

	(void)state;
	trial_init(&trial, 1, 300, 20, false, &seed);
	assert_int_equal(matrix_to_levels(&trial.matrix), 0);
	for (size_t o = 0; o < trial.n_out; o++) {
		const float *weights = trial.weights + o * trial.n_in;

		for (size_t k = 0; k < trial.n_in; k++) {
			size_t first = k / LEVEL_BLOCK * LEVEL_BLOCK;
			double step =
				(double)largest_of(weights, first, end_of_level_block(first, trial.n_in)) /
				WEIGHT_LEVELS;
			float scale;
			int level = level_of(&trial.matrix, o, k, &scale);
			double off = (double)weights[k] - level * (double)scale;

			assert_in_range(level + WEIGHT_LEVELS, 0, 2 * WEIGHT_LEVELS);
			assert_true(fabs(off) <= 1.001 * step);
			error += off * off;
			bound += step * step / 4;
		}
	}
	assert_true(error < bound / 2); /* a third, were the errors spread evenly */
	trial_done(&trial);
}

/* All e4m3 values of three binades and the lesser multiples: beyond them half a level is lost. */
static void weights_of_e4m3_are_levels_exactly_near_the_largest(void **state)
{
	float row[3 * 8 + 4], scale;
	struct matrix matrix;

	(void)state;
	for (int i = 0; i < 24; i++)
		row[i] = ldexpf((float)(8 + i % 8), i / 8 - 20) * (i % 3 == 0 ? -1 : 1);
	for (int i = 0; i < 4; i++)
		row[24 + i] = ldexpf((float)(2 * i), -20);
	assert_int_equal(matrix_pack(row, 1, COUNT(row), &matrix), 0);
	assert_int_equal(matrix_to_levels(&matrix), 0);
	for (size_t k = 0; k < COUNT(row); k++) {
		int level = level_of(&matrix, 0, k, &scale);

		assert_true((float)level * scale == row[k]);
	}
	matrix_done(&matrix);
}

static void a_block_of_nothing_is_nothing_and_no_nan_is_lost(void **state)
{
	enum { N_IN = 3 * LEVEL_BLOCK, N_OUT = 20, NAN_ROW = 2, ZERO_ROW = 4, N_ROWS = 6 };
	uint64_t seed = 44;
	struct trial trial;

	(void)state;
	trial_init(&trial, N_ROWS, N_IN, N_OUT, true, &seed);
	for (size_t k = 0; k < N_IN; k++) {
		trial.weights[7 * N_IN + k] = 0;
		trial.x[ZERO_ROW * trial.ldx + k] = k % 2 == 0 ? 0 : -0x1p-140f;
	}
	matrix_put_row(&trial.matrix, 7, trial.weights + (size_t)7 * N_IN);
	trial.x[NAN_ROW * trial.ldx + LEVEL_BLOCK + 5] = -NAN;
	assert_int_equal(matrix_to_levels(&trial.matrix), 0);
	for (size_t f = 0; f < n_families; f++) {
		float *y = multiply(&trial, families[f]);

		for (size_t i = 0; i < (size_t)N_ROWS * N_OUT; i++) {
			float value = y[i / N_OUT * trial.ldy + i % N_OUT];

			if (i / N_OUT == NAN_ROW)
				assert_true(isnan(value));
			else
				assert_true((value == 0) == (i % N_OUT == 7 || i / N_OUT == ZERO_ROW));
		}
		free(y);
	}
	trial_done(&trial);
}

/* A matrix of zeros. */
static struct matrix new_matrix(uint32_t n_out, uint32_t n_in, bool bf16)
{
	struct matrix ret = { .n_out = n_out, .n_in = n_in, .bf16 = bf16 };

	ret.panels = array_new(uint8_t, matrix_panel_bytes(&ret), matrix_n_panels(&ret));
	assert_non_null(ret.panels);
	return ret;
}

static void an_output_put_in_stands_where_its_panel_says(void **state)
{
	enum { N_OUT = 18, N_IN = 5, OUTPUT = 17 }; /* the second of the second panel */
	const float row[N_IN] = { 1, 1.00390625F, -2, 1.01171875F, -INFINITY }; /* ties, down and up */
	struct matrix wide = new_matrix(N_OUT, N_IN, false), narrow = new_matrix(N_OUT, N_IN, true);
	const float *floats = wide.panels;
	const uint32_t *words = narrow.panels;
	uint32_t expected[3] = { 0x3f803f80, 0x3f82c000, 0x0000ff80 };

	(void)state;
	assert_int_equal(matrix_panel_bytes(&wide), N_IN * PANEL * 4);
	assert_int_equal(matrix_panel_bytes(&narrow), 3 * PANEL * 4);
	matrix_put_row(&wide, OUTPUT, row);
	matrix_put_row(&narrow, OUTPUT, row);
	for (size_t i = 0; i < 2 * N_IN * PANEL; i++)
		assert_true(floats[i] == (i % PANEL == 1 && i >= N_IN * PANEL ? row[i / PANEL - N_IN] : 0));
	for (size_t i = 0; i < 2 * 3 * PANEL; i++)
		assert_int_equal(words[i], i % PANEL == 1 && i >= 3 * PANEL ? expected[i / PANEL - 3] : 0);
	matrix_done(&wide);
	matrix_done(&narrow);
}

static void a_matrix_of_rows_put_in_is_the_matrix_packed(void **state)
{
	uint64_t seed = 24;

	(void)state;
	for (uint32_t i = 0; i < 12; i++) {
		uint32_t n_in = 1 + i * 3, n_out = 1 + i * 7;
		struct trial trial;
		struct matrix put = new_matrix(n_out, n_in, i % 2 == 0);

		trial_init(&trial, 1, n_in, n_out, i % 2 == 0, &seed);
		for (uint32_t o = n_out; o-- > 0;) {
			float *other = draw_array(n_in, &seed); /* which the second row replaces */

			matrix_put_row(&put, o, other);
			matrix_put_row(&put, o, trial.weights + (size_t)o * n_in);
			free(other);
		}
		assert_memory_equal(put.panels, trial.matrix.panels,
		                    matrix_panel_bytes(&put) * matrix_n_panels(&put));
		matrix_done(&put);
		trial_done(&trial);
	}
}

/* Rows that lie anywhere, not in order and, if of bf16, at any even address. */
static void check_panels(uint32_t n_in, bool bf16, uint64_t *seed)
{
	enum { N_OUT = 3 * PANEL };
	size_t stride = (size_t)n_in * (bf16 ? 2 : 4) + (bf16 ? 6 : 12);
	struct matrix by_rows = new_matrix(N_OUT, n_in, bf16), by_panels = new_matrix(N_OUT, n_in, bf16);
	uint8_t *rows = array_new(uint8_t, N_OUT, stride);

	assert_non_null(rows);
	memset(by_panels.panels, 0xff, matrix_panel_bytes(&by_panels) * matrix_n_panels(&by_panels));
	for (uint32_t o = 0; o < N_OUT; o++) {
		float *row = draw_array(n_in, seed);

		matrix_put_row(&by_rows, o, row);
		store_row(rows + (N_OUT - 1 - o) * stride, row, n_in, bf16);
		free(row);
	}
	for (uint32_t p = N_OUT / PANEL; p-- > 0;) {
		const uint8_t *places[PANEL];

		for (uint32_t i = 0; i < PANEL; i++)
			places[i] = rows + (N_OUT - 1 - p * PANEL - i) * stride;
		matrix_put_panel(&by_panels, p, places);
	}
	assert_memory_equal(by_panels.panels, by_rows.panels,
	                    matrix_panel_bytes(&by_rows) * matrix_n_panels(&by_rows));
	matrix_done(&by_rows);
	matrix_done(&by_panels);
	free(rows);
}

static void a_panel_put_in_is_its_rows_put_in(void **state)
{
	uint64_t seed = 33;

	(void)state;
	for (uint32_t n_in = 1; n_in <= 40; n_in++) {
		check_panels(n_in, false, &seed);
		check_panels(n_in, true, &seed);
	}
	check_panels(128, true, &seed);
	check_panels(513, true, &seed);
}

/* The same values as a matrix of float32, made so by one more output, which no bf16 holds. */
static void check_forms(const struct trial *narrow, const struct ops *ops)
{
	struct trial wide = *narrow;
	float *rows = array_new(float, narrow->n_out + 1, narrow->n_in), *y[2];

	assert_non_null(rows);
	memcpy(rows, narrow->weights, narrow->n_out * narrow->n_in * sizeof(*rows));
	rows[narrow->n_out * narrow->n_in] = 0.1F;
	assert_int_equal(matrix_pack(rows, (uint32_t)narrow->n_out + 1, (uint32_t)narrow->n_in, &wide.matrix),
	                 0);
	assert_false(wide.matrix.bf16);
	y[0] = multiply(narrow, ops);
	y[1] = multiply(&wide, ops);
	for (size_t m = 0; m < narrow->n_rows; m++)
		assert_memory_equal(y[0] + m * narrow->ldy, y[1] + m * narrow->ldy,
		                    narrow->n_out * sizeof(float));
	matrix_done(&wide.matrix);
	free(rows);
	free(y[0]);
	free(y[1]);
}

static void a_bf16_matrix_gives_what_its_values_give_in_float32(void **state)
{
	static const size_t WIDTHS_IN[] = { 1, 2, 65, 66 };
	uint64_t seed = 14;

	(void)state;
	for (size_t i = 0; i < COUNT(WIDTHS_IN); i++) {
		struct trial trial;

		trial_init(&trial, 9, WIDTHS_IN[i], 50, true, &seed);
		for (size_t f = 0; f < n_families; f++) {
			if (!families[f]->rounds_inputs)
				check_forms(&trial, families[f]);
		}
		trial_done(&trial);
	}
}

/* The value of an e4m3 byte, by its definition; 0x7f and 0xff are NaN. */
static float e4m3_value(uint8_t byte)
{
	int exponent = byte >> 3 & 15, mantissa = byte & 7;
	double value = exponent == 0 ? ldexp(mantissa, -9) : ldexp(8 + mantissa, exponent - 10);

	return (float)((byte & 0x80) != 0 ? -value : value);
}

/* A trial whose weights are e4m3 with scales of powers of two, for blocks of 32 outputs and 48 inputs. */
static void trial_init_e4m3(struct trial *trial, size_t n_rows, size_t n_in, size_t n_out, uint64_t *seed)
{
	enum { OUTPUTS = 32, INPUTS = 48 };
	uint8_t *bytes = array_new(uint8_t, n_in, n_out);
	size_t n_scales = (n_in + INPUTS - 1) / INPUTS;
	struct matrix *matrix = &trial->matrix;
	float *scales = array_new(float, n_out / OUTPUTS + 1, n_scales);

	trial_init(trial, n_rows, n_in, n_out, true, seed);
	for (size_t i = 0; i < (n_out / OUTPUTS + 1) * n_scales; i++)
		scales[i] = ldexpf(1, -(int)(draw(seed) % 20) - 1);
	for (size_t i = 0; i < n_in * n_out; i++) {
		size_t block = i / n_in / OUTPUTS * n_scales + i % n_in / INPUTS;

		do {
			bytes[i] = (uint8_t)draw(seed);
		} while ((bytes[i] & 0x7f) == 0x7f);
		trial->weights[i] = e4m3_value(bytes[i]) * scales[block];
	}
	matrix_done(matrix);
	assert_int_equal(matrix_pack(trial->weights, (uint32_t)n_out, (uint32_t)n_in, matrix), 0);
	assert_true(matrix->bf16);
	matrix->scale_inputs = INPUTS;
	matrix->e4m3 = array_new(uint8_t, matrix_n_panels(matrix) * n_in, PANEL);
	matrix->scales = array_new(float, matrix_n_panels(matrix), n_scales);
	for (size_t i = 0; i < n_in * n_out; i++)
		matrix->e4m3[(i / n_in / PANEL * n_in + i % n_in) * PANEL + i / n_in % PANEL] = bytes[i];
	for (size_t p = 0; p < matrix_n_panels(matrix); p++)
		memcpy(matrix->scales + p * n_scales, scales + p * PANEL / OUTPUTS * n_scales,
		       n_scales * sizeof(*scales));
	free(scales);
	free(bytes);
}

static void check_e4m3(struct trial *trial, const struct ops *ops)
{
	uint8_t *e4m3 = trial->matrix.e4m3;
	float *streamed = multiply(trial, ops), *packed;

	trial->matrix.e4m3 = NULL;
	packed = multiply(trial, ops);
	trial->matrix.e4m3 = e4m3;
	for (size_t m = 0; m < trial->n_rows; m++)
		assert_memory_equal(streamed + m * trial->ldy, packed + m * trial->ldy,
		                    trial->n_out * sizeof(*packed));
	free(streamed);
	free(packed);
}

static void e4m3_weights_give_what_their_bf16_values_give(void **state)
{
	struct trial trial;
	uint64_t seed = 31;

	(void)state;
	for (size_t n_rows = 1; n_rows <= 4; n_rows++) {
		for (size_t i = 0; i < 12; i++) {
			trial_init_e4m3(&trial, n_rows, 1 + i * 37, 5 + i * 29, &seed);
			for (size_t f = 0; f < n_families; f++)
				check_e4m3(&trial, families[f]);
			/* numbers so large and so small that a scaled one would leave float32 */
			for (size_t m = 0; m < n_rows; m++) {
				trial.x[m * trial.ldx + i] = 1e37F;
				trial.x[m * trial.ldx] = 1e-44F;
			}
			for (size_t f = 0; f < n_families; f++)
				check_e4m3(&trial, families[f]);
			trial_done(&trial);
		}
	}
}

/* An indexer's queries and a page of its keys; the scores are made as indexer.c makes them. */
struct scan {
	uint32_t n_heads, width, n_keys;
	size_t ldd;
	float *q, *weights, *rows;
	struct matrix keys;
};

static void scan_init(struct scan *scan, uint32_t n_heads, uint32_t width, uint32_t n_groups, bool bf16,
                      uint64_t *seed)
{
	*scan = (struct scan){ .n_heads = n_heads, .width = width, .n_keys = n_groups * INDEX_GROUP };
	scan->ldd = scan->n_keys + 3;
	scan->q = draw_array((size_t)n_heads * width, seed);
	scan->weights = draw_array(n_heads, seed);
	scan->rows = draw_array((size_t)scan->n_keys * width, seed);
	scan->keys = new_matrix(scan->n_keys, width, bf16);
	for (uint32_t s = 0; s < scan->n_keys; s++) {
		float *row = scan->rows + (size_t)s * width;

		for (uint32_t d = 0; bf16 && d < width; d++)
			row[d] = round_bf16(row[d]);
		matrix_put_row(&scan->keys, s, row);
	}
}

static void scan_done(struct scan *scan)
{
	free(scan->q);
	free(scan->weights);
	free(scan->rows);
	matrix_done(&scan->keys);
}

static float *scan_scores(const struct scan *scan, const struct ops *ops)
{
	float *dots = poisoned_array(scan->n_heads * scan->ldd), *ret = poisoned_array(scan->n_keys);

	ops->matmul(dots, scan->ldd, scan->q, scan->width, scan->n_heads, &scan->keys, 0,
	            matrix_n_panels(&scan->keys));
	ops->weigh_scores(ret, dots, scan->ldd, scan->weights, scan->n_heads, scan->n_keys);
	free(dots);
	return ret;
}

static void check_scan(const struct scan *scan, const struct ops *ops)
{
	float *scores = scan_scores(scan, ops);

	for (size_t s = 0; s < scan->n_keys; s++) {
		double sum = 0, size = 0;

		for (uint32_t j = 0; j < scan->n_heads; j++) {
			double dot = 0, terms = 0;

			for (uint32_t d = 0; d < scan->width; d++) {
				float q = input_of(ops, scan->keys.bf16, scan->q[j * scan->width + d]);
				double term = (double)q * (double)scan->rows[s * scan->width + d];

				dot += term;
				terms += fabs(term);
			}
			sum += (double)scan->weights[j] * fmax(dot, 0);
			size += fabs((double)scan->weights[j]) * terms;
		}
		assert_close((double)scores[s], sum, size, 6e-8 * (scan->width + scan->n_heads));
	}
	free(scores);
}

static void index_scores_are_weighted_sums_of_what_is_positive(void **state)
{
	static const uint32_t HEADS[] = { 1, 2, 3, 4, 7, 8 }, WIDTHS[] = { 1, 2, 20, 33, 64 };
	uint64_t seed = 15;

	(void)state;
	for (uint32_t i = 0; i < COUNT(HEADS) * COUNT(WIDTHS) * 2; i++) {
		struct scan scan;

		scan_init(&scan, HEADS[i / 2 / COUNT(WIDTHS)], WIDTHS[i / 2 % COUNT(WIDTHS)], 1 + i / 2 % 5,
		          i % 2 == 0, &seed);
		for (size_t f = 0; f < n_families; f++)
			check_scan(&scan, families[f]);
		scan_done(&scan);
	}
}

/* Over the heads in order, each key for itself, whatever lies beside it. */
static void index_scores_are_weighed_in_the_order_of_heads(void **state)
{
	enum { N_HEADS = 11, N = 5 * INDEX_GROUP, LDD = N + 1 };
	uint64_t seed = 25;
	float *dots = draw_array((size_t)N_HEADS * LDD, &seed), *weights = draw_array(N_HEADS, &seed);

	(void)state;
	for (size_t f = 0; f < n_families; f++) {
		float scores[N + 1], group[INDEX_GROUP];

		scores[N] = 17;
		families[f]->weigh_scores(scores, dots, LDD, weights, N_HEADS, N);
		for (size_t s = 0; s < N; s++) {
			float sum = 0;

			for (size_t j = 0; j < N_HEADS; j++) {
				float dot = dots[j * LDD + s];

				sum = muladd(families[f], weights[j], dot > 0 ? dot : 0, sum);
			}
			assert_memory_equal(&scores[s], &sum, sizeof(sum));
		}
		for (size_t s = 0; s < N; s += INDEX_GROUP) {
			families[f]->weigh_scores(group, dots + s, LDD, weights, N_HEADS, INDEX_GROUP);
			assert_memory_equal(group, scores + s, sizeof(group));
		}
		assert_true(scores[N] == 17);
	}
	free(dots);
	free(weights);
}

static void index_scores_of_opposed_keys_are_zero(void **state)
{
	const float weights[2] = { -1, 2 };
	float dots[2 * INDEX_GROUP], scores[INDEX_GROUP];

	(void)state;
	for (size_t i = 0; i < COUNT(dots); i++)
		dots[i] = i % 3 == 0 ? -0.0F : i % 3 == 1 ? -3 : -INFINITY;
	for (size_t f = 0; f < n_families; f++) {
		families[f]->weigh_scores(scores, dots, INDEX_GROUP, weights, 2, INDEX_GROUP);
		for (size_t i = 0; i < INDEX_GROUP; i++)
			assert_true(scores[i] == 0);
	}
}

/* A query of levels and the codes of some panels of keys, with what integers and double precision make of them. */
struct coding {
	struct coded_query query;
	size_t n_panels;
	uint8_t *codes;
	float *scales;
	uint32_t n_heads; /* without padding */
	int64_t *dots; /* [n_heads][n_panels * PANEL], less the offsets */
};

static uint8_t code_of(const struct coding *coding, size_t s, size_t k)
{
	return coding
	        ->codes[((s / PANEL * coding->query.width / CODE_STEP + k / CODE_STEP) * PANEL + s % PANEL) *
	                        CODE_STEP +
	                k % CODE_STEP];
}

static void sum_up(struct coding *coding)
{
	const struct coded_query *query = &coding->query;
	size_t n = coding->n_panels * PANEL;

	for (uint32_t j = 0; j < coding->n_heads; j++) {
		int64_t sum = 0;

		for (size_t k = 0; k < query->width; k++)
			sum += query->levels[j * query->width + k];
		query->offsets[j] = (int32_t)(CODE_ZERO * sum);
		for (size_t s = 0; s < n; s++) {
			int64_t dot = -query->offsets[j];

			for (size_t k = 0; k < query->width; k++)
				dot += query->levels[j * query->width + k] * code_of(coding, s, k);
			coding->dots[j * n + s] = dot;
		}
	}
}

/* What levels and codes may be: drawn, or as large and as small as they come. */
static void coding_init(struct coding *coding, uint32_t n_heads, uint32_t width, size_t n_panels,
                        int most_level, bool is_extreme, uint64_t *seed)
{
	static const uint8_t CODES[] = { 0, 1, 255 };
	uint32_t padded = (uint32_t)round_up(n_heads, CODE_HEADS);
	uint64_t all = draw(seed) % 6; /* of an extreme one's codes: the same, or drawn */

	*coding = (struct coding){
		.query = { padded, width, array_new(int8_t, padded, width), array_new(int32_t, padded),
		           array_new(float, padded) },
		.n_panels = n_panels,
		.codes = array_new(uint8_t, n_panels * PANEL, width),
		.scales = draw_array(n_panels * PANEL, seed),
		.n_heads = n_heads,
		.dots = array_new(int64_t, n_heads, n_panels * PANEL),
	};
	for (size_t i = 0; i < n_panels * PANEL * width; i++)
		coding->codes[i] = is_extreme ? CODES[all < 3 ? all : draw(seed) % 3] : (uint8_t)draw(seed);
	for (uint32_t j = 0; j < n_heads; j++) {
		uint64_t sign = draw(seed) % 3;

		coding->query.weights[j] = draw_float(seed);
		for (uint32_t k = 0; k < width; k++) {
			int level = (int)(draw(seed) % (unsigned)(2 * most_level + 1)) - most_level;

			if (is_extreme)
				level = sign == 0 || (sign == 2 && level < 0) ? -most_level : most_level;
			coding->query.levels[j * width + k] = (int8_t)level;
		}
	}
	sum_up(coding);
}

static void coding_done(struct coding *coding)
{
	free(coding->query.levels);
	free(coding->query.offsets);
	free(coding->query.weights);
	free(coding->codes);
	free(coding->scales);
	free(coding->dots);
}

/* With as many scores as one more, which stays as it was. */
static float *score_coding(const struct coding *coding, const struct ops *ops)
{
	float *ret = poisoned_array(coding->n_panels * PANEL + 1);

	ops->score_codes(ret, &coding->query, coding->codes, coding->scales, coding->n_panels);
	assert_true(isnan(ret[coding->n_panels * PANEL]));
	return ret;
}

static void check_coding(const struct coding *coding, const struct ops *ops)
{
	float *scores = score_coding(coding, ops);
	size_t n = coding->n_panels * PANEL;

	for (size_t s = 0; s < n; s++) {
		double sum = 0, size = 0;

		for (uint32_t j = 0; j < coding->n_heads; j++) {
			double dot = (double)coding->dots[j * n + s];
			double term = (double)coding->query.weights[j] * fmax(dot, 0);

			sum += term;
			size += fabs(term);
		}
		assert_close((double)scores[s], sum * (double)coding->scales[s],
		             size * fabs((double)coding->scales[s]), 6e-8 * (coding->n_heads + 2));
	}
	free(scores);
}

/* Of one head with a weight of 1 and keys with scales of 1, which are whole numbers: these exactly. */
static void check_whole_numbers(const struct coding *coding, const struct ops *ops)
{
	struct coding one = *coding;
	size_t n = coding->n_panels * PANEL;

	one.scales = array_new(float, n);
	one.query.weights = array_new(float, one.query.n_heads);
	for (size_t s = 0; s < n; s++)
		one.scales[s] = 1;
	for (uint32_t j = 0; j < one.n_heads; j++) {
		float *scores;

		memset(one.query.weights, 0, one.query.n_heads * sizeof(float));
		one.query.weights[j] = 1;
		scores = score_coding(&one, ops);
		for (size_t s = 0; s < n; s++) {
			int64_t dot = one.dots[j * n + s];

			assert_true((double)scores[s] == (double)(dot > 0 ? dot : 0));
		}
		free(scores);
	}
	free(one.scales);
	free(one.query.weights);
}

static void check_codes_of(uint32_t n_heads, uint32_t width, size_t n_panels, bool is_extreme, uint64_t *seed)
{
	for (size_t f = 0; f < n_families; f++) {
		struct coding coding;

		coding_init(&coding, n_heads, width, n_panels, families[f]->code_levels, is_extreme, seed);
		check_coding(&coding, families[f]);
		check_whole_numbers(&coding, families[f]);
		coding_done(&coding);
	}
}

static void scores_of_codes_are_weighted_sums_of_whole_numbers(void **state)
{
	uint64_t seed = 34;

	(void)state;
	for (uint32_t n_heads = 1; n_heads <= 9; n_heads++) {
		for (uint32_t width = CODE_STEP; width <= 64; width += CODE_STEP)
			check_codes_of(n_heads, width, 1 + (n_heads + width / CODE_STEP) % 5, false, &seed);
		check_codes_of(n_heads, CODE_MOST_WIDTH, 1 + n_heads % 5, false, &seed);
	}
}

/* Four products that are summed in fewer than 32 bits would show. */
static void scores_of_the_largest_codes_and_levels_are_no_special_case(void **state)
{
	uint64_t seed = 35;

	(void)state;
	for (uint32_t n_heads = 1; n_heads <= 9; n_heads++) {
		for (uint32_t width = CODE_STEP; width <= CODE_MOST_WIDTH; width *= 2) {
			for (size_t i = 0; i < 3; i++)
				check_codes_of(n_heads, width, 1 + (n_heads + i) % 5, true, &seed);
		}
	}
}

/* Scores with all that a comparison may trip over. */
static float *draw_odd_scores(size_t n, uint64_t *seed)
{
	static const float ODD[] = { 0.0F,      -0.0F,  NAN,     -NAN,  INFINITY,
		                     -INFINITY, 1e-45F, -1e-45F, 3e38F, -3e38F };
	float *ret = draw_array(n, seed);

	for (size_t i = 0; i < n; i++) {
		if (draw(seed) % 3 == 0)
			ret[i] = ODD[draw(seed) % COUNT(ODD)];
		if (i > 0 && draw(seed) % 4 == 0)
			ret[i] = ret[draw(seed) % i];
	}
	return ret;
}

static void keys_of_scores_compare_as_the_scores_do(void **state)
{
	enum { N = 300 };
	uint64_t seed = 36;
	float *scores = draw_odd_scores(N, &seed);

	(void)state;
	for (size_t i = 0; i < N; i++) {
		for (size_t j = 0; j < N; j++) {
			int32_t a = score_key(scores[i]), b = score_key(scores[j]);

			if (isnan(scores[i]))
				assert_int_equal(a, INT32_MIN);
			else
				assert_true(a > INT32_MIN);
			if (!isnan(scores[i]) && !isnan(scores[j])) {
				assert_int_equal(a < b, scores[i] < scores[j]);
				assert_int_equal(a == b, scores[i] == scores[j]);
			}
		}
	}
	free(scores);
}

/* Memory for n scores with their positions and what may be written behind them, and some that may not. */
#define N_BEHIND (TAKE_SPARE + 40)

static struct scored new_scored(size_t n)
{
	struct scored ret = { poisoned_array(n + N_BEHIND), array_new(uint32_t, n + N_BEHIND) };

	assert_non_null(ret.positions);
	memset(ret.positions, 0xff, (n + N_BEHIND) * sizeof(uint32_t));
	return ret;
}

static void scored_done(struct scored *scored)
{
	free(scored->scores);
	free(scored->positions);
}

static void assert_untouched(const struct scored *scored, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++) {
		assert_true(isnan(scored->scores[i]));
		assert_int_equal(scored->positions[i], UINT32_MAX);
	}
}

/* The bits of what is taken, into memory of its own or into what is read, n_before elements further to the front. */
static void check_taken(const struct ops *ops, const struct scored *from, size_t n, int32_t least,
                        int32_t below, bool in_place, size_t n_before)
{
	struct scored expected = new_scored(n), memory = new_scored(n + n_before), to = memory, read = *from;
	size_t n_expected = 0, n_taken, end = n + TAKE_SPARE;

	for (size_t i = 0; i < n; i++) {
		if (score_key(from->scores[i]) < least || score_key(from->scores[i]) >= below)
			continue;
		expected.scores[n_expected] = from->scores[i];
		expected.positions[n_expected++] = from->positions[i];
	}
	if (in_place) {
		read = (struct scored){ memory.scores + n_before, memory.positions + n_before };
		memcpy(read.scores, from->scores, n * sizeof(float));
		memcpy(read.positions, from->positions, n * sizeof(uint32_t));
		end = n_before > TAKE_SPARE ? n + n_before : end;
	}
	n_taken = ops->take_scores(to, read.scores, read.positions, n, least, below);
	assert_int_equal(n_taken, n_expected);
	assert_memory_equal(to.scores, expected.scores, n_taken * sizeof(float));
	assert_memory_equal(to.positions, expected.positions, n_taken * sizeof(uint32_t));
	assert_untouched(&memory, end, n + n_before + N_BEHIND);
	scored_done(&expected);
	scored_done(&memory);
}

static void what_is_in_the_range_is_taken_in_order(void **state)
{
	uint64_t seed = 37;

	(void)state;
	for (size_t n = 0; n <= 200; n++) {
		struct scored from = { draw_odd_scores(n + 3, &seed), array_new(uint32_t, n + 3) };
		int32_t least[] = { INT32_MIN,
			            INT32_MIN + 1,
			            score_key(-INFINITY),
			            score_key(-0.0F),
			            score_key(0) + 1,
			            score_key(draw_float(&seed)),
			            score_key(from.scores[n / 2]),
			            score_key(INFINITY),
			            INT32_MAX };

		assert_non_null(from.positions);
		for (size_t i = 0; i < n + 3; i++)
			from.positions[i] = (uint32_t)draw(&seed);
		for (size_t i = 0; i < n_families * COUNT(least); i++) {
			const struct ops *ops = families[i / COUNT(least)];
			size_t skip = draw(&seed) % 4;
			struct scored part = { from.scores + skip, from.positions + skip };
			int32_t floor = least[i % COUNT(least)];
			int32_t below = draw(&seed) % 2 == 0 ? INT32_MAX : least[draw(&seed) % COUNT(least)];

			check_taken(ops, &part, n > skip ? n - skip : 0, floor, below, false, 0);
			check_taken(ops, &from, n, floor, below, true, 0);
			check_taken(ops, &from, n, floor, below, true, draw(&seed) % 70);
		}
		scored_done(&from);
	}
}

static void the_range_of_scores_is_that_of_those_that_are_numbers(void **state)
{
	uint64_t seed = 39;

	(void)state;
	for (size_t n = 0; n <= 200; n++) {
		float *scores = draw_odd_scores(n + 1, &seed);
		float low = 1, high = -1;

		for (size_t j = 0; j < n; j++) {
			low = scores[j] < low ? scores[j] : low;
			high = scores[j] > high ? scores[j] : high;
		}
		for (size_t i = 0; i < n_families; i++) {
			float least = 1, most = -1;

			families[i]->range_of_scores(scores, n, &least, &most);
			assert_true(least == low && most == high);
		}
		free(scores);
	}
}

static void scores_that_are_not_below_a_bound_are_counted(void **state)
{
	uint64_t seed = 38;

	(void)state;
	for (size_t n = 0; n <= 200; n++) {
		float *scores = draw_odd_scores(n + 1, &seed);
		const float least[] = { -INFINITY, INFINITY,          0.0F,         -0.0F,
			                -3e38F,    draw_float(&seed), scores[n / 2] };

		for (size_t i = 0; i < n_families * COUNT(least); i++) {
			float bound = least[i % COUNT(least)];
			size_t n_expected = 0;

			for (size_t j = 0; j < n; j++)
				n_expected += scores[j] >= bound;
			assert_int_equal(families[i / COUNT(least)]->count_scores(scores, n, bound),
			                 n_expected);
		}
		free(scores);
	}
}

#define PAGE_TOKENS 64
#define N_POSITIONS 200

/* A layer's rows in pages, as the cache keeps them, what they say in float32, and a query. What is in no row is NaN. */
struct rows {
	struct kv_view view;
	const uint8_t *pages[4];
	uint32_t n_heads, rank_stride;
	float *latents, *rope_keys; /* [N_POSITIONS][rank], [N_POSITIONS][rope] */
	float *q; /* [rank + rope][n_heads] */
};

/* n values into the place of a row, and what is left of them there back. */
static void keep_row(uint8_t *place, float *values, size_t n, bool bf16)
{
	store_row(place, values, n, bf16);
	load_row(values, place, n, bf16);
}

static uint8_t *new_page(const struct rows *rows, size_t first)
{
	const struct kv_view *view = &rows->view;
	size_t element = view->bf16 ? 2 : 4;
	size_t bytes = view->rope_offset + (PAGE_TOKENS * view->rope + RANK_PAD) * element;
	uint8_t *page = array_new(uint8_t, bytes);

	assert_non_null(page);
	memset(page, 0xff, bytes);
	for (size_t t = 0; t < PAGE_TOKENS && first + t < N_POSITIONS; t++) {
		keep_row(page + view->latent_offset + t * view->rank * element,
		         rows->latents + (first + t) * view->rank, view->rank, view->bf16);
		keep_row(page + view->rope_offset + t * view->rope * element,
		         rows->rope_keys + (first + t) * view->rope, view->rope, view->bf16);
	}
	return page;
}

static void rows_init(struct rows *rows, uint32_t n_heads, uint32_t rank, uint32_t rope, bool bf16,
                      uint64_t *seed)
{
	*rows = (struct rows){ .n_heads = n_heads, .rank_stride = (uint32_t)round_up(rank, RANK_PAD) };
	rows->view =
		(struct kv_view){ rows->pages, PAGE_TOKENS, 64,  64 + PAGE_TOKENS * rank * (bf16 ? 2 : 4),
		                  rank,        rope,        bf16 };
	rows->latents = draw_array((size_t)N_POSITIONS * rank, seed);
	rows->rope_keys = draw_array((size_t)N_POSITIONS * rope, seed);
	rows->q = draw_array((size_t)(rank + rope) * n_heads, seed);
	for (size_t i = 0; i < COUNT(rows->pages); i++)
		rows->pages[i] = new_page(rows, i * PAGE_TOKENS);
}

static void rows_done(struct rows *rows)
{
	for (size_t i = 0; i < COUNT(rows->pages); i++)
		free((void *)(uintptr_t)rows->pages[i]);
	free(rows->latents);
	free(rows->rope_keys);
	free(rows->q);
}

/* The query rounded where the family does so; by words, so that it must be pairs that a row holds. */
static float query_of(const struct rows *rows, const struct ops *ops, size_t k, uint32_t head)
{
	bool pairs = rows->view.bf16 && rows->view.rank % 2 == 0 && rows->view.rope % 2 == 0;

	return input_of(ops, pairs, rows->q[k * rows->n_heads + head]);
}

static float key_of(const struct rows *rows, size_t pos, size_t k)
{
	uint32_t rank = rows->view.rank;

	return k < rank ? rows->latents[pos * rank + k] : rows->rope_keys[pos * rows->view.rope + k - rank];
}

/* What each step of an attention left. */
struct attention {
	struct attend attend;
	float *scores, *shares; /* [n_rows][n_heads] */
	float *out; /* [n_heads][rank_stride] */
};

/* In parts of so many rows and channels, the last one first. */
static struct attention attend_in_parts(const struct ops *ops, const struct rows *rows, const uint32_t *list,
                                        size_t n, size_t part_rows, size_t part_channels)
{
	size_t n_words = attend_query_words(rows->view.rank, rows->view.rope, rows->n_heads);
	uint32_t *words = malloc(n_words * sizeof(*words));
	struct attention ret = { .scores = poisoned_array(n * rows->n_heads),
		                 .shares = poisoned_array(n * rows->n_heads),
		                 .out = poisoned_array((size_t)rows->n_heads * rows->rank_stride) };

	ret.attend = (struct attend){ &rows->view,   rows->q,           list, n,
		                      rows->n_heads, rows->rank_stride, 0.7F, ret.shares };
	for (size_t end = n, first; end > 0; end = first) {
		first = (end - 1) / part_rows * part_rows;
		ops->attend_score(&ret.attend, first, end, words);
		memset(words, 0xff, n_words * sizeof(*words));
	}
	memcpy(ret.scores, ret.shares, n * rows->n_heads * sizeof(float));
	ops->attend_softmax(&ret.attend);
	for (size_t end = rows->rank_stride, first; end > 0; end = first) {
		first = (end - 1) / part_channels * part_channels;
		ops->attend_mix(&ret.attend, ret.out, first, end);
	}
	free(words);
	return ret;
}

static struct attention attend_at_once(const struct ops *ops, const struct rows *rows, const uint32_t *list,
                                       size_t n)
{
	return attend_in_parts(ops, rows, list, n, N_POSITIONS, rows->rank_stride);
}

static void attention_done(struct attention *attention)
{
	free(attention->scores);
	free(attention->shares);
	free(attention->out);
}

static size_t position_of(const struct attention *attention, size_t i)
{
	return attention->attend.rows == NULL ? i : attention->attend.rows[i];
}

static void check_scores(const struct attention *attention, const struct rows *rows, const struct ops *ops,
                         uint32_t head)
{
	size_t width = rows->view.rank + rows->view.rope;

	for (size_t i = 0; i < attention->attend.n_rows; i++) {
		double sum = 0, size = 0;

		for (size_t k = 0; k < width; k++) {
			double term = (double)query_of(rows, ops, k, head) *
			              (double)key_of(rows, position_of(attention, i), k);

			sum += term;
			size += fabs(term);
		}
		assert_close((double)attention->scores[i * rows->n_heads + head],
		             sum * (double)attention->attend.scale, size, 6e-8 * (double)(width + 1));
	}
}

static void check_shares(const struct attention *attention, uint32_t head)
{
	const struct attend *attend = &attention->attend;
	double most = -INFINITY, sum = 0;

	for (size_t i = 0; i < attend->n_rows; i++)
		most = fmax(most, (double)attention->scores[i * attend->n_heads + head]);
	for (size_t i = 0; i < attend->n_rows; i++)
		sum += exp((double)attention->scores[i * attend->n_heads + head] - most);
	for (size_t i = 0; i < attend->n_rows; i++) {
		double share = exp((double)attention->scores[i * attend->n_heads + head] - most) / sum;

		assert_close((double)attention->shares[i * attend->n_heads + head], share, share,
		             5e-7 + 6e-8 * (double)attend->n_rows);
	}
}

static void check_mixture(const struct attention *attention, const struct rows *rows, const struct ops *ops,
                          uint32_t head)
{
	const struct attend *attend = &attention->attend;
	bool pairs = rows->view.bf16 && rows->view.rank % 2 == 0 && rows->view.rope % 2 == 0;

	for (uint32_t c = 0; c < rows->view.rank; c++) {
		double mixed = 0, size = 0;

		for (size_t i = 0; i < attend->n_rows; i++) {
			float share = input_of(ops, pairs, attention->shares[i * attend->n_heads + head]);
			double term = (double)share * (double)key_of(rows, position_of(attention, i), c);

			mixed += term;
			size += fabs(term);
		}
		assert_close((double)attention->out[head * attend->rank_stride + c], mixed, size,
		             6e-8 * (double)(attend->n_rows + 1));
	}
}

static size_t draw_list(uint32_t *list, unsigned one_in, uint64_t *seed)
{
	size_t n = 0;

	for (uint32_t pos = 0; pos < N_POSITIONS; pos++) {
		if (draw(seed) % one_in == 0)
			list[n++] = pos;
	}
	return n;
}

static void check_attention(const struct ops *ops, const struct rows *rows, const uint32_t *list, size_t n)
{
	struct attention attention = attend_at_once(ops, rows, list, n);

	for (uint32_t h = 0; h < rows->n_heads; h++) {
		check_scores(&attention, rows, ops, h);
		check_shares(&attention, h);
		check_mixture(&attention, rows, ops, h);
	}
	attention_done(&attention);
}

/* Ranks and rope widths below, at and beside the widths of vectors and of padding. Odd ones are not for bf16, whose
 * words are pairs; see query_of(). */
static const struct {
	uint32_t n_heads, rank, rope;
} ATTENTIONS[] = { { 8, 2, 2 },   { 16, 14, 6 },  { 8, 16, 8 },  { 16, 24, 20 }, { 8, 30, 16 },
	           { 16, 32, 2 }, { 24, 34, 34 }, { 8, 48, 64 }, { 16, 96, 30 }, { 8, 130, 10 } };

static void attention_is_a_softmax_over_the_listed_rows_alone(void **state)
{
	static const size_t NS[] = { 1, 2, 31, 33, N_POSITIONS };
	uint32_t list[N_POSITIONS];
	struct rows rows;
	uint64_t seed = 16;

	(void)state;
	for (size_t i = 0; i < COUNT(ATTENTIONS) * 2; i++) {
		size_t n_list = draw_list(list, 3, &seed);

		rows_init(&rows, ATTENTIONS[i / 2].n_heads, ATTENTIONS[i / 2].rank, ATTENTIONS[i / 2].rope,
		          i % 2 == 0, &seed);
		for (size_t f = 0; f < n_families; f++) {
			check_attention(families[f], &rows, NULL, NS[i % COUNT(NS)]);
			check_attention(families[f], &rows, NULL, N_POSITIONS);
			check_attention(families[f], &rows, list, n_list);
			check_attention(families[f], &rows, (const uint32_t[]){ N_POSITIONS - 1 }, 1);
		}
		rows_done(&rows);
	}
}

static void attention_over_rows_of_odd_width_is_no_special_case(void **state)
{
	uint32_t list[N_POSITIONS];
	struct rows rows;
	uint64_t seed = 26;

	(void)state;
	for (uint32_t rank = 1; rank <= 65; rank += 16) {
		size_t n_list = draw_list(list, 2, &seed);

		rows_init(&rows, 8, rank, rank == 17 ? 7 : 4, false, &seed);
		for (size_t f = 0; f < n_families; f++)
			check_attention(families[f], &rows, list, n_list);
		rows_done(&rows);
	}
}

static void assert_same_attention(const struct attention *a, const struct attention *b)
{
	size_t n_heads = a->attend.n_heads, n = a->attend.n_rows * n_heads;

	assert_memory_equal(a->scores, b->scores, n * sizeof(float));
	assert_memory_equal(a->shares, b->shares, n * sizeof(float));
	for (size_t h = 0; h < n_heads; h++)
		assert_memory_equal(a->out + h * a->attend.rank_stride, b->out + h * a->attend.rank_stride,
		                    a->attend.view->rank * sizeof(float));
}

static void check_splits(const struct ops *ops, const struct rows *rows, const uint32_t *list, size_t n)
{
	static const size_t PART_ROWS[] = { 1, 5, ATTEND_TILE, 3 * ATTEND_TILE, 41 };
	struct attention whole = attend_at_once(ops, rows, list, n);

	for (size_t i = 0; i < COUNT(PART_ROWS); i++) {
		struct attention parts =
			attend_in_parts(ops, rows, list, n, PART_ROWS[i], RANK_PAD * (1 + i % 3));

		assert_same_attention(&parts, &whole);
		attention_done(&parts);
	}
	attention_done(&whole);
}

static void attention_in_parts_is_that_of_the_whole(void **state)
{
	uint32_t list[N_POSITIONS];
	struct rows rows;
	uint64_t seed = 27;

	(void)state;
	for (size_t i = 0; i < COUNT(ATTENTIONS) * 2; i++) {
		size_t n_list = draw_list(list, 2, &seed);

		rows_init(&rows, ATTENTIONS[i / 2].n_heads, ATTENTIONS[i / 2].rank, ATTENTIONS[i / 2].rope,
		          i % 2 == 0, &seed);
		for (size_t f = 0; f < n_families; f++) {
			check_splits(families[f], &rows, NULL, N_POSITIONS - 3);
			check_splits(families[f], &rows, list, n_list);
		}
		rows_done(&rows);
	}
}

/* Scores over rank and rope in rising order, mixtures over the rows. */
static void check_order_of_attention(const struct ops *ops, const struct rows *rows, const uint32_t *list,
                                     size_t n)
{
	struct attention attention = attend_at_once(ops, rows, list, n);
	size_t n_heads = rows->n_heads;

	for (size_t i = 0; i < n * n_heads; i++) {
		float sum = 0;

		for (size_t k = 0; k < rows->view.rank + rows->view.rope; k++)
			sum = muladd(ops, key_of(rows, position_of(&attention, i / n_heads), k),
			             rows->q[k * n_heads + i % n_heads], sum);
		sum *= attention.attend.scale;
		assert_memory_equal(&attention.scores[i], &sum, sizeof(sum));
	}
	for (size_t i = 0; i < n_heads * rows->view.rank; i++) {
		size_t h = i / rows->view.rank, c = i % rows->view.rank;
		float sum = 0;

		for (size_t m = 0; m < n; m++)
			sum = muladd(ops, attention.shares[m * n_heads + h],
			             key_of(rows, position_of(&attention, m), c), sum);
		assert_memory_equal(&attention.out[h * rows->rank_stride + c], &sum, sizeof(sum));
	}
	attention_done(&attention);
}

static void attention_is_summed_in_rising_order(void **state)
{
	uint32_t list[N_POSITIONS];
	struct rows rows;
	uint64_t seed = 28;

	(void)state;
	for (size_t i = 0; i < COUNT(ATTENTIONS) * 2; i++) {
		size_t n_list = draw_list(list, 4, &seed);

		rows_init(&rows, ATTENTIONS[i / 2].n_heads, ATTENTIONS[i / 2].rank, ATTENTIONS[i / 2].rope,
		          i % 2 == 0, &seed);
		for (size_t f = 0; f < n_families; f++) {
			if (i % 2 != 0 || !families[f]->rounds_inputs)
				check_order_of_attention(families[f], &rows, list, n_list);
		}
		rows_done(&rows);
	}
}

static void attention_over_a_list_of_all_rows_is_that_without_a_list(void **state)
{
	uint32_t list[N_POSITIONS];
	struct rows rows;
	uint64_t seed = 17;

	(void)state;
	rows_init(&rows, 8, 32, 8, false, &seed);
	for (uint32_t i = 0; i < N_POSITIONS; i++)
		list[i] = i;
	for (size_t f = 0; f < n_families; f++) {
		struct attention listed = attend_at_once(families[f], &rows, list, N_POSITIONS);
		struct attention all = attend_at_once(families[f], &rows, NULL, N_POSITIONS);

		assert_same_attention(&listed, &all);
		attention_done(&listed);
		attention_done(&all);
	}
	rows_done(&rows);
}

/* The largest score is taken off first: no sum overflows, and what is far below it has no share. */
static void shares_of_extreme_scores_are_finite(void **state)
{
	enum { N = 40, HEADS = 16 };
	float scores[N * HEADS];
	struct attend attend = { .n_rows = N, .n_heads = HEADS, .scores = scores };

	(void)state;
	for (size_t f = 0; f < n_families; f++) {
		for (size_t i = 0; i < N * HEADS; i++)
			scores[i] = i / HEADS == i % HEADS ? 3e4F : i / HEADS == 39 ? 3e4F - 1 : -3e4F;
		families[f]->attend_softmax(&attend);
		for (size_t i = 0; i < N * HEADS; i++) {
			double expected = i / HEADS == i % HEADS ? 1 / (1 + exp(-1))
			                  : i / HEADS == 39      ? 1 / (1 + exp(1))
			                                         : 0;

			assert_close((double)scores[i], expected, expected, 1e-6);
		}
	}
}

static void a_score_that_is_not_a_number_shows_in_the_result(void **state)
{
	struct rows rows;
	uint64_t seed = 22;

	(void)state;
	for (int bf16 = 0; bf16 <= 1; bf16++) {
		rows_init(&rows, 8, 32, 8, bf16 != 0, &seed);
		rows.q[3 * 8 + 5] = NAN; /* head 5 */
		for (size_t f = 0; f < n_families; f++) {
			struct attention attention = attend_at_once(families[f], &rows, NULL, N_POSITIONS);

			for (size_t i = 0; i < (size_t)8 * 32; i++)
				assert_int_equal(isnan(attention.out[i]) != 0, i / 32 == 5);
			attention_done(&attention);
		}
		rows_done(&rows);
	}
}

/* With gate = -x and up = 1 the kernel gives -x / (1 + e^x), which shows its exponential. */
static void silu_is_accurate_over_its_whole_range(void **state)
{
	enum { N = 40001 };
	float *gate = array_new(float, N), *up = array_new(float, N);

	(void)state;
	for (size_t f = 0; f < n_families; f++) {
		for (size_t i = 0; i < N; i++) {
			gate[i] = ((float)i - N / 2) * (float)(86.0 / (N / 2));
			up[i] = 1.5F;
		}
		families[f]->silu_mul(gate, up, N);
		for (size_t i = 0; i < N; i++) {
			double x = (double)(((float)i - N / 2) * (float)(86.0 / (N / 2)));
			double expected = x / (1 + exp(-x)) * 1.5;

			assert_close((double)gate[i], expected, fabs(expected), 5e-7);
		}
	}
	free(gate);
	free(up);
}

static void silu_of_extremes_is_finite_and_nan_stays_nan(void **state)
{
	(void)state;
	for (size_t f = 0; f < n_families; f++) {
		float gate[] = { -1e4F, 1e4F, -88, -90, 0, -0.0F, NAN, 3e38F, -3e38F },
		      up[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };

		families[f]->silu_mul(gate, up, COUNT(gate));
		assert_true(fabsf(gate[0]) < 1e-30F);
		assert_true(gate[1] == 1e4F);
		assert_true(fabsf(gate[2]) < 1e-35F && fabsf(gate[3]) < 1e-35F);
		assert_true(gate[4] == 0 && gate[5] == 0);
		assert_true(isnan(gate[6]));
		assert_true(gate[7] == 3e38F);
		assert_true(isfinite(gate[8]));
	}
}

static void silu_of_a_part_is_that_of_the_whole(void **state)
{
	uint64_t seed = 18;
	float *gate = draw_array(37, &seed), *up = draw_array(37, &seed);

	(void)state;
	for (size_t f = 0; f < n_families; f++) {
		float whole[37], one;

		memcpy(whole, gate, sizeof(whole));
		families[f]->silu_mul(whole, up, 37);
		for (size_t i = 0; i < 37; i++) {
			one = gate[i];
			families[f]->silu_mul(&one, up + i, 1);
			assert_memory_equal(&one, &whole[i], sizeof(one));
		}
	}
	free(gate);
	free(up);
}

/* Differences between families are those of rounding: the fused multiply-add. */
static void families_agree_within_rounding(void **state)
{
	struct trial trial;
	uint64_t seed = 19;

	(void)state;
	trial_init(&trial, 5, 512, 100, false, &seed);
	for (size_t f = 1; f < n_families; f++) {
		float *y = multiply(&trial, families[f]), *plain = multiply(&trial, families[0]);

		for (size_t m = 0; m < trial.n_rows; m++) {
			for (size_t o = 0; o < trial.n_out; o++)
				assert_close((double)y[m * trial.ldy + o], (double)plain[m * trial.ldy + o],
				             1, 1e-5);
		}
		free(y);
		free(plain);
	}
	trial_done(&trial);
}

static void same_products(const struct ops *a, const struct ops *b)
{
	uint64_t seed = 29;

	for (size_t i = 0; i < 40; i++) {
		struct trial trial;
		float *y[2];

		trial_init(&trial, 1 + i % 27, 1 + i * 13, 1 + i * 5, i % 2 == 0, &seed);
		y[0] = multiply(&trial, a);
		y[1] = multiply(&trial, b);
		for (size_t m = 0; m < trial.n_rows; m++)
			assert_memory_equal(y[0] + m * trial.ldy, y[1] + m * trial.ldy,
			                    trial.n_out * sizeof(float));
		free(y[0]);
		free(y[1]);
		trial_done(&trial);
	}
}

static void same_index_scores(const struct ops *a, const struct ops *b)
{
	uint64_t seed = 30;

	for (uint32_t i = 0; i < 12; i++) {
		struct scan scan;
		float *scores[2];

		scan_init(&scan, 1 + i, 5 + i * 7, 1 + i % 4, i % 2 == 0, &seed);
		scores[0] = scan_scores(&scan, a);
		scores[1] = scan_scores(&scan, b);
		assert_memory_equal(scores[0], scores[1], scan.n_keys * sizeof(float));
		free(scores[0]);
		free(scores[1]);
		scan_done(&scan);
	}
}

static void same_attentions(const struct ops *a, const struct ops *b)
{
	uint32_t list[N_POSITIONS];
	uint64_t seed = 31;

	for (size_t i = 0; i < COUNT(ATTENTIONS) * 2; i++) {
		size_t n_list = draw_list(list, 3, &seed);
		struct attention attention[2];
		struct rows rows;

		rows_init(&rows, ATTENTIONS[i / 2].n_heads, ATTENTIONS[i / 2].rank, ATTENTIONS[i / 2].rope,
		          i % 2 == 0, &seed);
		attention[0] = attend_at_once(a, &rows, list, n_list);
		attention[1] = attend_at_once(b, &rows, list, n_list);
		assert_same_attention(&attention[0], &attention[1]);
		attention_done(&attention[0]);
		attention_done(&attention[1]);
		rows_done(&rows);
	}
}

static void same_silus(const struct ops *a, const struct ops *b)
{
	uint64_t seed = 32;
	float *gates[2] = { draw_array(1003, &seed), NULL }, *up = draw_array(1003, &seed);

	for (size_t i = 0; i < 1003; i++)
		gates[0][i] *= 100;
	gates[1] = array_new(float, 1003);
	assert_non_null(gates[1]);
	memcpy(gates[1], gates[0], 1003 * sizeof(float));
	a->silu_mul(gates[0], up, 1003);
	b->silu_mul(gates[1], up, 1003);
	assert_memory_equal(gates[0], gates[1], 1003 * sizeof(float));
	free(gates[0]);
	free(gates[1]);
	free(up);
}

/* Wider vectors are no other numbers. */
static void avx512_gives_the_bits_of_avx2(void **state)
{
	const struct ops *narrow, *wide;

	(void)state;
	if (ops_select("avx2", &narrow, NULL) < 0 || ops_select("avx512", &wide, NULL) < 0)
		return;
	same_products(narrow, wide);
	same_index_scores(narrow, wide);
	same_attentions(narrow, wide);
	same_silus(narrow, wide);
}

/* Nor is the instruction that sums pairs another than the two that stand in for it. */
static void avx512bf16_gives_the_bits_of_avx2bf16(void **state)
{
	const struct ops *narrow, *wide;

	(void)state;
	if (ops_select("avx2bf16", &narrow, NULL) < 0 || ops_select("avx512bf16", &wide, NULL) < 0)
		return;
	same_products(narrow, wide);
	same_index_scores(narrow, wide);
	same_attentions(narrow, wide);
	same_silus(narrow, wide);
}

static void what_rounds_its_inputs_has_a_family_in_its_place_that_does_not(void **state)
{
	const struct ops *best;

	(void)state;
	if (ops_select("avx512", &best, NULL) < 0 && ops_select("avx2", &best, NULL) < 0)
		best = families[0];
	for (size_t f = 0; f < n_families; f++) {
		bool rounds = strstr(families[f]->name, "bf16") != NULL;

		assert_int_equal(families[f]->rounds_inputs, rounds);
		assert_ptr_equal(ops_without_rounding(families[f]), rounds ? best : families[f]);
	}
}

static void rms_norm_divides_by_the_root_of_the_mean_square(void **state)
{
	const float x[] = { 3, -4, 0, 0, 5 }, weight[] = { 1, 2, 3, 4, -1 };
	float out[5];

	(void)state;
	rms_norm(out, x, weight, 4, 0); /* mean square 25 / 4 */
	assert_close((double)out[0], 1.2, 1, 1e-6);
	assert_close((double)out[1], -3.2, 1, 1e-6);
	assert_true(out[2] == 0 && out[3] == 0);
	rms_norm(out, x, weight, 5, 6.0F); /* mean square 10, with eps 16 */
	assert_close((double)out[0], 0.75, 1, 1e-6);
	assert_close((double)out[4], -1.25, 1, 1e-6);
}

static void layer_norm_takes_the_mean_off_and_adds_the_bias(void **state)
{
	float x[] = { 1, 3, 5, 7 }, weight[] = { 1, 2, 1, 1 }, bias[] = { 0, 10, -1, 0 }, out[4];

	(void)state;
	layer_norm(out, x, weight, bias, 4, 4); /* mean 4, variance 5, with eps 9 */
	assert_close((double)out[0], -1, 1, 1e-6);
	assert_close((double)out[1], 10 - 2.0 / 3, 1, 1e-6);
	assert_close((double)out[2], 1.0 / 3 - 1, 1, 1e-6);
	assert_close((double)out[3], 1, 1, 1e-6);
	layer_norm(x, x, weight, bias, 4, 4);
	assert_memory_equal(x, out, sizeof(out));
}

static void norms_of_long_rows_are_those_of_double_precision(void **state)
{
	uint64_t seed = 20;
	float *x = draw_array(1003, &seed), *weight = draw_array(1003, &seed), *out = draw_array(1003, &seed);

	(void)state;
	for (size_t n = 1; n <= 1003; n += 167) {
		double mean = 0, square = 0, variance = 0;

		for (size_t i = 0; i < n; i++) {
			mean += (double)x[i] / (double)n;
			square += (double)x[i] * (double)x[i] / (double)n;
		}
		for (size_t i = 0; i < n; i++)
			variance += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
		rms_norm(out, x, weight, n, 1e-5F);
		for (size_t i = 0; i < n; i++)
			assert_close((double)out[i], (double)weight[i] * (double)x[i] / sqrt(square + 1e-5),
			             1, 2e-6);
		layer_norm(out, x, weight, weight, n, 1e-5F);
		for (size_t i = 0; i < n; i++)
			assert_close((double)out[i],
			             (double)weight[i] * ((double)x[i] - mean) / sqrt(variance + 1e-5) +
			                     (double)weight[i],
			             1, 1e-5);
	}
	free(x);
	free(weight);
	free(out);
}

/* Quarter turns: (a, b) becomes (-b, a) where the sine is 1. */
static void rotation_pairs_neighbours_or_halves(void **state)
{
	const float cosines[] = { 0, 1 }, sines[] = { 1, 0 };
	float interleaved[] = { 1, 2, 3, 4 }, half[] = { 1, 2, 3, 4 };

	(void)state;
	rope_rotate(interleaved, cosines, sines, 4, false);
	assert_memory_equal(interleaved, ((const float[]){ -2, 1, 3, 4 }), sizeof(interleaved));
	rope_rotate(half, cosines, sines, 4, true);
	assert_memory_equal(half, ((const float[]){ -3, 2, 1, 4 }), sizeof(half));
}

static void rotation_turns_by_the_angle(void **state)
{
	float x[] = { 2, 1 }, cosine = cosf(0.5F), sine = sinf(0.5F);

	(void)state;
	rope_rotate(x, &cosine, &sine, 2, false);
	assert_close((double)x[0], 2 * cos(0.5) - sin(0.5), 1, 1e-6);
	assert_close((double)x[1], 2 * sin(0.5) + cos(0.5), 1, 1e-6);
}

static void bf16_rounds_to_nearest_and_ties_to_even(void **state)
{
	static const uint32_t CASES[][2] = {
		{ 0x3f800000, 0x3f800000 }, { 0x3f808000, 0x3f800000 }, /* a tie, down to even */
		{ 0x3f818000, 0x3f820000 }, /* a tie, up to even */
		{ 0x3f808001, 0x3f810000 }, { 0x3f817fff, 0x3f810000 }, { 0xbf818000, 0xbf820000 },
		{ 0x7f7fffff, 0x7f800000 }, /* beyond the largest */
		{ 0x7f800000, 0x7f800000 }, { 0xff800000, 0xff800000 }, { 0x80000000, 0x80000000 },
		{ 0x00008000, 0x00000000 }, { 0x00018000, 0x00020000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(CASES); i++)
		assert_int_equal(bf16_bits(of_bits(CASES[i][0])), CASES[i][1] >> 16);
	assert_true(isnan(round_bf16(of_bits(0x7f800001))) && isnan(round_bf16(of_bits(0xffffffff))));
}

static void rows_keep_their_values_in_float32_and_the_nearest_in_bf16(void **state)
{
	uint64_t seed = 21;
	float *values = draw_array(19, &seed), back[19];
	uint16_t halves[19];

	(void)state;
	store_row(halves, values, 19, true);
	load_row(back, halves, 19, true);
	for (size_t i = 0; i < 19; i++)
		assert_true(back[i] == round_bf16(values[i]));
	store_row(back, values, 19, false);
	assert_memory_equal(back, values, sizeof(back));
	load_row(back, values, 19, false);
	assert_memory_equal(back, values, sizeof(back));
	free(values);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unknown_family_is_refused_by_its_name),
		cmocka_unit_test(the_environment_chooses_a_family_and_a_setting_overrules_it),
		cmocka_unit_test(products_are_the_sums_of_double_precision),
		cmocka_unit_test(products_of_wide_inputs_are_the_sums_of_double_precision),
		cmocka_unit_test(a_product_depends_on_neither_rows_nor_panels_beside_it),
		cmocka_unit_test(a_product_is_summed_in_rising_order),
		cmocka_unit_test(products_with_levels_are_sums_of_integers_block_by_block),
		cmocka_unit_test(nor_does_one_with_levels),
		cmocka_unit_test(a_weight_is_rounded_to_a_near_level),
		cmocka_unit_test(weights_of_e4m3_are_levels_exactly_near_the_largest),
		cmocka_unit_test(a_block_of_nothing_is_nothing_and_no_nan_is_lost),
		cmocka_unit_test(an_output_put_in_stands_where_its_panel_says),
		cmocka_unit_test(a_matrix_of_rows_put_in_is_the_matrix_packed),
		cmocka_unit_test(a_panel_put_in_is_its_rows_put_in),
		cmocka_unit_test(a_bf16_matrix_gives_what_its_values_give_in_float32),
		cmocka_unit_test(e4m3_weights_give_what_their_bf16_values_give),
		cmocka_unit_test(index_scores_are_weighted_sums_of_what_is_positive),
		cmocka_unit_test(index_scores_are_weighed_in_the_order_of_heads),
		cmocka_unit_test(index_scores_of_opposed_keys_are_zero),
		cmocka_unit_test(scores_of_codes_are_weighted_sums_of_whole_numbers),
		cmocka_unit_test(scores_of_the_largest_codes_and_levels_are_no_special_case),
		cmocka_unit_test(keys_of_scores_compare_as_the_scores_do),
		cmocka_unit_test(what_is_in_the_range_is_taken_in_order),
		cmocka_unit_test(the_range_of_scores_is_that_of_those_that_are_numbers),
		cmocka_unit_test(scores_that_are_not_below_a_bound_are_counted),
		cmocka_unit_test(attention_is_a_softmax_over_the_listed_rows_alone),
		cmocka_unit_test(attention_over_rows_of_odd_width_is_no_special_case),
		cmocka_unit_test(attention_in_parts_is_that_of_the_whole),
		cmocka_unit_test(attention_is_summed_in_rising_order),
		cmocka_unit_test(attention_over_a_list_of_all_rows_is_that_without_a_list),
		cmocka_unit_test(shares_of_extreme_scores_are_finite),
		cmocka_unit_test(a_score_that_is_not_a_number_shows_in_the_result),
		cmocka_unit_test(silu_is_accurate_over_its_whole_range),
		cmocka_unit_test(silu_of_extremes_is_finite_and_nan_stays_nan),
		cmocka_unit_test(silu_of_a_part_is_that_of_the_whole),
		cmocka_unit_test(families_agree_within_rounding),
		cmocka_unit_test(avx512_gives_the_bits_of_avx2),
		cmocka_unit_test(avx512bf16_gives_the_bits_of_avx2bf16),
		cmocka_unit_test(what_rounds_its_inputs_has_a_family_in_its_place_that_does_not),
		cmocka_unit_test(rms_norm_divides_by_the_root_of_the_mean_square),
		cmocka_unit_test(layer_norm_takes_the_mean_off_and_adds_the_bias),
		cmocka_unit_test(norms_of_long_rows_are_those_of_double_precision),
		cmocka_unit_test(rotation_pairs_neighbours_or_halves),
		cmocka_unit_test(rotation_turns_by_the_angle),
		cmocka_unit_test(bf16_rounds_to_nearest_and_ties_to_even),
		cmocka_unit_test(rows_keep_their_values_in_float32_and_the_nearest_in_bf16),
	};

	return cmocka_run_group_tests(tests, find_families, NULL);
}
