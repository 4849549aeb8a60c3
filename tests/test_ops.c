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
#include "tests/fixture.h"

static const struct ops *families[4];
static size_t n_families;

static int find_families(void **state)
{
	static const char *const NAMES[] = { "plain", "avx2" };

	(void)state;
	for (size_t i = 0; i < COUNT(NAMES); i++)
		n_families += ops_select(NAMES[i], &families[n_families], NULL) == 0;
	return n_families > 0 ? 0 : -1;
}

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
	assert_int_equal(matrix_pack(trial->weights, (uint32_t)n_out, (uint32_t)n_in, &trial->matrix), 0);
}

static void trial_done(struct trial *trial)
{
	free(trial->weights);
	free(trial->x);
	matrix_done(&trial->matrix);
}

static float *multiply(const struct trial *trial, const struct ops *ops)
{
	float *y = array_new(float, trial->n_rows, trial->ldy);

	assert_non_null(y);
	ops->matmul(y, trial->ldy, trial->x, trial->ldx, trial->n_rows, &trial->matrix, 0,
	            matrix_n_panels(&trial->matrix));
	return y;
}

static void check_product(const struct trial *trial, const float *y)
{
	for (size_t m = 0; m < trial->n_rows; m++) {
		for (size_t o = 0; o < trial->n_out; o++) {
			double sum = 0, size = 0;

			for (size_t k = 0; k < trial->n_in; k++) {
				double term = (double)trial->x[m * trial->ldx + k] *
				              (double)trial->weights[o * trial->n_in + k];

				sum += term;
				size += fabs(term);
			}
			assert_close((double)y[m * trial->ldy + o], sum, size,
			             6e-8 * (double)(trial->n_in + 1));
		}
	}
}

static const size_t WIDTHS_IN[] = { 1, 2, 31, 64, 130 }, WIDTHS_OUT[] = { 1, 15, 16, 17, 48, 65, 130 };

static void products_are_the_sums_of_double_precision(void **state)
{
	struct trial trial;
	uint64_t seed = 11;

	(void)state;
	for (size_t f = 0; f < n_families; f++) {
		for (size_t i = 0; i < COUNT(WIDTHS_IN) * COUNT(WIDTHS_OUT); i++) {
			for (size_t n_rows = 1; n_rows <= 13; n_rows += 1 + i % 4) {
				float *y;

				trial_init(&trial, n_rows, WIDTHS_IN[i % COUNT(WIDTHS_IN)],
				           WIDTHS_OUT[i / COUNT(WIDTHS_IN)], n_rows % 2 == 0, &seed);
				y = multiply(&trial, families[f]);
				check_product(&trial, y);
				free(y);
				trial_done(&trial);
			}
		}
	}
}

/* Every row by itself, panel by panel, into rows of their own. */
static void check_pieces(const struct trial *trial, const struct ops *ops, const float *whole)
{
	float *y = array_new(float, trial->ldy);
	size_t n_panels = matrix_n_panels(&trial->matrix);

	assert_non_null(y);
	for (size_t step = 1; step <= n_panels; step++) {
		for (size_t m = 0; m < trial->n_rows; m++) {
			for (size_t first = 0; first < n_panels; first += step)
				ops->matmul(y, trial->ldy, trial->x + m * trial->ldx, trial->ldx, 1,
				            &trial->matrix, first,
				            first + step < n_panels ? first + step : n_panels);
			assert_memory_equal(y, whole + m * trial->ldy, trial->n_out * sizeof(*y));
		}
	}
	free(y);
}

static void a_product_depends_on_neither_rows_nor_panels_beside_it(void **state)
{
	struct trial trial;
	uint64_t seed = 12;

	(void)state;
	for (size_t f = 0; f < n_families; f++) {
		for (size_t n_rows = 1; n_rows <= 13; n_rows++) {
			float *y;

			trial_init(&trial, n_rows, 70 + n_rows, 16 * 9 + n_rows, n_rows % 3 == 0, &seed);
			y = multiply(&trial, families[f]);
			check_pieces(&trial, families[f], y);
			free(y);
			trial_done(&trial);
		}
	}
}

/* Each output is one accumulator over the inputs in rising order, with the family's multiply-add. */
static void a_product_is_summed_in_rising_order(void **state)
{
	struct trial trial;
	uint64_t seed = 13;

	(void)state;
	trial_init(&trial, 7, 333, 40, false, &seed);
	for (size_t f = 0; f < n_families; f++) {
		bool fused = strcmp(families[f]->name, "plain") != 0;
		float *y = multiply(&trial, families[f]);

		for (size_t i = 0; i < trial.n_rows * trial.n_out; i++) {
			const float *x = trial.x + i / trial.n_out * trial.ldx;
			const float *w = trial.weights + i % trial.n_out * trial.n_in;
			float sum = 0;

			for (size_t k = 0; k < trial.n_in; k++) {
				float product = x[k] * w[k];

				sum = fused ? fmaf(x[k], w[k], sum) : sum + product;
			}
			assert_memory_equal(&y[i / trial.n_out * trial.ldy + i % trial.n_out], &sum,
			                    sizeof(sum));
		}
		free(y);
	}
	trial_done(&trial);
}

static void a_bf16_matrix_gives_what_its_values_give_in_float32(void **state)
{
	struct trial trial;
	uint64_t seed = 14;

	(void)state;
	trial_init(&trial, 9, 65, 50, true, &seed);
	for (size_t f = 0; f < n_families; f++) {
		float *narrow = multiply(&trial, families[f]), *wide;
		struct matrix matrix = trial.matrix;
		float *rows = array_new(float, trial.n_out + 1, trial.n_in);

		assert_true(matrix.bf16);
		memcpy(rows, trial.weights, trial.n_out * trial.n_in * sizeof(*rows));
		rows[trial.n_out * trial.n_in] = 0.1F; /* one more output, which no bf16 holds */
		assert_int_equal(
			matrix_pack(rows, (uint32_t)trial.n_out + 1, (uint32_t)trial.n_in, &trial.matrix), 0);
		assert_false(trial.matrix.bf16);
		wide = multiply(&trial, families[f]);
		for (size_t m = 0; m < trial.n_rows; m++)
			assert_memory_equal(wide + m * trial.ldy, narrow + m * trial.ldy,
			                    trial.n_out * sizeof(*wide));
		matrix_done(&trial.matrix);
		trial.matrix = matrix;
		free(rows);
		free(narrow);
		free(wide);
	}
	trial_done(&trial);
}

struct scan {
	uint32_t n_heads, width;
	size_t n_groups;
	float *q, *weights, *keys;
};

static void scan_init(struct scan *scan, uint32_t n_heads, uint32_t width, size_t n_groups, uint64_t *seed)
{
	*scan = (struct scan){ n_heads, width, n_groups, NULL, NULL, NULL };
	scan->q = draw_array((size_t)n_heads * width, seed);
	scan->weights = draw_array(n_heads, seed);
	scan->keys = draw_array(n_groups * width * INDEX_GROUP, seed);
}

static void scan_done(struct scan *scan)
{
	free(scan->q);
	free(scan->weights);
	free(scan->keys);
}

static void check_scan(const struct scan *scan, const float *scores)
{
	for (size_t s = 0; s < scan->n_groups * INDEX_GROUP; s++) {
		const float *keys =
			scan->keys + s / INDEX_GROUP * scan->width * INDEX_GROUP + s % INDEX_GROUP;
		double sum = 0, size = 0;

		for (uint32_t j = 0; j < scan->n_heads; j++) {
			double dot = 0, terms = 0;

			for (uint32_t d = 0; d < scan->width; d++) {
				double term = (double)scan->q[j * scan->width + d] *
				              (double)keys[(size_t)d * INDEX_GROUP];

				dot += term;
				terms += fabs(term);
			}
			sum += (double)scan->weights[j] * fmax(dot, 0);
			size += fabs((double)scan->weights[j]) * terms;
		}
		assert_close((double)scores[s], sum, size, 6e-8 * (scan->width + scan->n_heads));
	}
}

static void index_scores_are_weighted_sums_of_what_is_positive(void **state)
{
	static const uint32_t HEADS[] = { 1, 2, 3, 4, 7, 8 }, WIDTHS[] = { 2, 20, 64 };
	struct scan scan;
	uint64_t seed = 15;

	(void)state;
	for (size_t f = 0; f < n_families; f++) {
		for (size_t i = 0; i < COUNT(HEADS) * COUNT(WIDTHS); i++) {
			size_t n_groups = 1 + i % 5;
			float *scores = array_new(float, n_groups, INDEX_GROUP), one[INDEX_GROUP];

			scan_init(&scan, HEADS[i / COUNT(WIDTHS)], WIDTHS[i % COUNT(WIDTHS)], n_groups,
			          &seed);
			families[f]->index_scores(scores, scan.q, scan.weights, scan.keys, n_groups,
			                          scan.n_heads, scan.width);
			check_scan(&scan, scores);
			/* a group by itself: the same bits */
			families[f]->index_scores(one, scan.q, scan.weights,
			                          scan.keys + (n_groups - 1) * scan.width * INDEX_GROUP, 1,
			                          scan.n_heads, scan.width);
			assert_memory_equal(one, scores + (n_groups - 1) * INDEX_GROUP, sizeof(one));
			free(scores);
			scan_done(&scan);
		}
	}
}

static void index_scores_of_opposed_keys_are_zero(void **state)
{
	float q[8], weights[2] = { -1, 2 }, keys[4 * INDEX_GROUP], scores[INDEX_GROUP];

	(void)state;
	for (size_t i = 0; i < COUNT(q); i++)
		q[i] = 1;
	for (size_t i = 0; i < COUNT(keys); i++)
		keys[i] = -1;
	for (size_t f = 0; f < n_families; f++) {
		families[f]->index_scores(scores, q, weights, keys, 1, 2, 4);
		for (size_t i = 0; i < INDEX_GROUP; i++)
			assert_true(scores[i] == 0);
	}
}

#define PAGE_TOKENS 64
#define N_POSITIONS 200

/* A layer's rows in pages, as the cache keeps them, and what they say in float32. */
struct rows {
	struct attend_shape shape;
	struct kv_view view;
	const uint8_t *pages[4];
	float *latents, *rope_keys; /* [N_POSITIONS][rank], [N_POSITIONS][rope] */
	float *q;
};

static void rows_init(struct rows *rows, uint32_t n_heads, uint32_t rank, uint32_t rope, bool bf16,
                      uint64_t *seed)
{
	size_t element = bf16 ? 2 : 4, page_bytes = PAGE_TOKENS * (rank + rope) * element + 64;

	rows->shape = (struct attend_shape){ n_heads, (uint32_t)round_up(rank, RANK_PAD), rope, 0.7F };
	rows->view = (struct kv_view){ rows->pages, PAGE_TOKENS, 64,  64 + PAGE_TOKENS * rank * element,
		                       rank,        rope,        bf16 };
	rows->latents = draw_array((size_t)N_POSITIONS * rank, seed);
	rows->rope_keys = draw_array((size_t)N_POSITIONS * rope, seed);
	rows->q = draw_array((size_t)(rows->shape.rank + rope) * n_heads, seed);
	for (size_t i = 0; i < COUNT(rows->pages); i++) {
		uint8_t *page = array_new(uint8_t, page_bytes);

		for (size_t t = 0; t < PAGE_TOKENS && i * PAGE_TOKENS + t < N_POSITIONS; t++) {
			float *latent = rows->latents + (i * PAGE_TOKENS + t) * rank;
			float *rope_key = rows->rope_keys + (i * PAGE_TOKENS + t) * rope;

			store_row(page + rows->view.latent_offset + t * rank * element, latent, rank, bf16);
			load_row(latent, page + rows->view.latent_offset + t * rank * element, rank, bf16);
			store_row(page + rows->view.rope_offset + t * rope * element, rope_key, rope, bf16);
			load_row(rope_key, page + rows->view.rope_offset + t * rope * element, rope, bf16);
		}
		rows->pages[i] = page;
	}
}

static void rows_done(struct rows *rows)
{
	for (size_t i = 0; i < COUNT(rows->pages); i++)
		free((void *)(uintptr_t)rows->pages[i]);
	free(rows->latents);
	free(rows->rope_keys);
	free(rows->q);
}

static double score_of(const struct rows *rows, uint32_t head, size_t pos)
{
	uint32_t rank = rows->view.rank, rope = rows->view.rope, n_heads = rows->shape.n_heads;
	double sum = 0;

	for (uint32_t k = 0; k < rank; k++)
		sum += (double)rows->q[k * n_heads + head] * (double)rows->latents[pos * rank + k];
	for (uint32_t k = 0; k < rope; k++)
		sum += (double)rows->q[(rows->shape.rank + k) * n_heads + head] *
		       (double)rows->rope_keys[pos * rope + k];
	return sum * (double)rows->shape.scale;
}

static void check_head(const struct rows *rows, uint32_t head, const uint32_t *list, size_t n,
                       const float *out, const float *weights)
{
	double p[N_POSITIONS], sum = 0;

	for (size_t i = 0; i < n; i++) {
		p[i] = exp(score_of(rows, head, list == NULL ? i : list[i]));
		sum += p[i];
	}
	for (size_t i = 0; i < n; i++)
		assert_close((double)weights[i * rows->shape.n_heads + head], p[i] / sum, p[i] / sum, 2e-5);
	for (uint32_t c = 0; c < rows->shape.rank; c++) {
		double mixed = 0;

		for (size_t i = 0; c < rows->view.rank && i < n; i++)
			mixed += p[i] / sum *
			         (double)rows->latents[(list == NULL ? i : list[i]) * rows->view.rank + c];
		assert_close((double)out[head * rows->shape.rank + c], mixed, 1, 1e-5);
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
	const struct attend_shape *shape = &rows->shape;
	float *out = array_new(float, shape->n_heads, shape->rank);
	float *scores = array_new(float, n, shape->n_heads);
	float *tile = array_new(float, ATTEND_TILE, shape->rank + shape->rope);

	ops->attend(out, rows->q, &rows->view, list, n, scores, tile, shape);
	for (uint32_t h = 0; h < shape->n_heads; h++)
		check_head(rows, h, list, n, out, scores);
	free(out);
	free(scores);
	free(tile);
}

static void attention_is_a_softmax_over_the_listed_rows_alone(void **state)
{
	static const uint32_t RANKS[] = { 16, 24, 48 }, ROPES[] = { 2, 8, 20 };
	uint32_t list[N_POSITIONS];
	struct rows rows;
	uint64_t seed = 16;

	(void)state;
	for (size_t f = 0; f < n_families; f++) {
		for (size_t i = 0; i < COUNT(RANKS) * COUNT(ROPES); i++) {
			rows_init(&rows, i % 2 == 0 ? 8 : 16, RANKS[i / COUNT(ROPES)],
			          ROPES[i % COUNT(ROPES)], i % 3 == 0, &seed);
			for (size_t n = 1; n <= N_POSITIONS; n = n * 3 + 2)
				check_attention(families[f], &rows, NULL, n);
			check_attention(families[f], &rows, list, draw_list(list, 3, &seed));
			check_attention(families[f], &rows, (const uint32_t[]){ N_POSITIONS - 1 }, 1);
			rows_done(&rows);
		}
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
		float *out[2], *scores = array_new(float, N_POSITIONS, 8),
			       *tile = array_new(float, ATTEND_TILE, 40);

		for (size_t i = 0; i < 2; i++) {
			out[i] = array_new(float, 8, 32);
			families[f]->attend(out[i], rows.q, &rows.view, i == 0 ? NULL : list, N_POSITIONS,
			                    scores, tile, &rows.shape);
		}
		assert_memory_equal(out[0], out[1], 8 * 32 * sizeof(float));
		free(out[0]);
		free(out[1]);
		free(scores);
		free(tile);
	}
	rows_done(&rows);
}

static void a_score_that_is_not_a_number_shows_in_the_result(void **state)
{
	struct rows rows;
	uint64_t seed = 22;

	(void)state;
	rows_init(&rows, 8, 32, 8, false, &seed);
	rows.q[3 * 8 + 5] = NAN; /* head 5 */
	for (size_t f = 0; f < n_families; f++) {
		float out[8 * 32], scores[N_POSITIONS * 8], *tile = array_new(float, ATTEND_TILE, 40);

		families[f]->attend(out, rows.q, &rows.view, NULL, N_POSITIONS, scores, tile, &rows.shape);
		for (size_t i = 0; i < COUNT(out); i++)
			assert_int_equal(isnan(out[i]) != 0, i / 32 == 5);
		free(tile);
	}
	rows_done(&rows);
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

		for (size_t i = 0; i < trial.n_rows * trial.ldy; i++)
			assert_close((double)y[i], (double)plain[i], 1, 1e-5);
		free(y);
		free(plain);
	}
	trial_done(&trial);
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

static float of_bits(uint32_t bits)
{
	float ret;

	memcpy(&ret, &bits, sizeof(ret));
	return ret;
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
	for (size_t i = 0; i < COUNT(CASES); i++) {
		float rounded = round_bf16(of_bits(CASES[i][0])), expected = of_bits(CASES[i][1]);

		assert_memory_equal(&rounded, &expected, sizeof(rounded));
	}
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
		cmocka_unit_test(a_product_depends_on_neither_rows_nor_panels_beside_it),
		cmocka_unit_test(a_product_is_summed_in_rising_order),
		cmocka_unit_test(a_bf16_matrix_gives_what_its_values_give_in_float32),
		cmocka_unit_test(index_scores_are_weighted_sums_of_what_is_positive),
		cmocka_unit_test(index_scores_of_opposed_keys_are_zero),
		cmocka_unit_test(attention_is_a_softmax_over_the_listed_rows_alone),
		cmocka_unit_test(attention_over_a_list_of_all_rows_is_that_without_a_list),
		cmocka_unit_test(a_score_that_is_not_a_number_shows_in_the_result),
		cmocka_unit_test(silu_is_accurate_over_its_whole_range),
		cmocka_unit_test(silu_of_extremes_is_finite_and_nan_stays_nan),
		cmocka_unit_test(silu_of_a_part_is_that_of_the_whole),
		cmocka_unit_test(families_agree_within_rounding),
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
