/* How far the scores that codes give are from the exact ones: never farther than is said, whatever keys and queries hold,
 * and not said to be much farther than they can be. With every family of kernels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/index_codes.h"
#include "model/pool.h"
#include "tests/families.h"

/* Keys of bf16, their codes, and a query. What is not filled in is 0. */
struct scan {
	uint32_t n_heads, width;
	size_t n_keys;
	float *q, *weights, *keys; /* [n_heads][width], [n_heads], [n_keys][width] */
	void *memory;
	struct index_codes codes;
};

static void scan_init(struct scan *scan, uint32_t n_heads, uint32_t width, size_t n_keys)
{
	*scan = (struct scan){ n_heads,
		               width,
		               n_keys,
		               array_new(float, n_heads, width),
		               array_new(float, n_heads),
		               array_new(float, n_keys, width),
		               array_alloc(index_codes_bytes(width), 1, 1),
		               { .scales = NULL } };
	assert_true(scan->q != NULL && scan->weights != NULL && scan->keys != NULL && scan->memory != NULL);
	scan->codes = index_codes_at(scan->memory);
}

static void scan_done(struct scan *scan)
{
	free(scan->q);
	free(scan->weights);
	free(scan->keys);
	free(scan->memory);
}

static void round_to_bf16(float *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint16_t half;

		store_row(&half, &x[i], 1, true);
		load_row(&x[i], &half, 1, true);
	}
}

/* To be called when the keys are filled in. */
static void put_keys(const struct scan *scan)
{
	round_to_bf16(scan->keys, scan->n_keys * scan->width);
	for (size_t s = 0; s < scan->n_keys; s++)
		index_codes_put(&scan->codes, s, scan->keys + s * scan->width, scan->width);
}

/* As the indexer scores keys exactly. */
static float *exact_scores(const struct scan *scan, const struct ops *ops)
{
	size_t n_padded = round_up(scan->n_keys, PANEL);
	float *dots = array_new(float, scan->n_heads, n_padded), *ret = array_new(float, n_padded);
	struct matrix keys = { .n_out = (uint32_t)n_padded, .n_in = scan->width, .bf16 = true };

	keys.panels = array_new(uint8_t, matrix_panel_bytes(&keys), matrix_n_panels(&keys));
	assert_true(dots != NULL && ret != NULL && keys.panels != NULL);
	for (uint32_t s = 0; s < scan->n_keys; s++)
		matrix_put_row(&keys, s, scan->keys + (size_t)s * scan->width);
	ops->matmul(dots, n_padded, scan->q, scan->width, scan->n_heads, &keys, 0, matrix_n_panels(&keys));
	ops->weigh_scores(ret, dots, n_padded, scan->weights, scan->n_heads, n_padded);
	matrix_done(&keys);
	free(dots);
	return ret;
}

/* What the codes give, and by how much it may be off. */
static float *coded_scores(const struct scan *scan, const struct ops *ops, const struct code_bounds *bounds,
                           float *ret_off)
{
	size_t n_panels = (scan->n_keys + PANEL - 1) / PANEL;
	float *ret = array_new(float, n_panels, PANEL);
	struct coded_query query;

	assert_non_null(ret);
	assert_int_equal(coded_query_init(&query, scan->n_heads, scan->width), 0);
	*ret_off = coded_query_set(&query, ops, scan->q, scan->weights, scan->n_heads, scan->width, bounds);
	if (isfinite(*ret_off))
		ops->score_codes(ret, &query, scan->codes.codes, scan->codes.scales, n_panels);
	coded_query_done(&query);
	return ret;
}

/* By how much the scores may be off, and by how much they are at the most. */
struct distance {
	double said, seen;
};

/* Not finite if the codes tell nothing. */
static struct distance measure(const struct scan *scan, const struct ops *ops,
                               const struct code_bounds *bounds)
{
	float off, *exact = exact_scores(scan, ops), *coded = coded_scores(scan, ops, bounds, &off);
	struct distance ret = { (double)off, 0 };

	for (size_t s = 0; isfinite(off) && s < scan->n_keys; s++) {
		double seen = fabs((double)exact[s] - (double)coded[s]);

		if (!(seen <= (double)off))
			fail_msg("%s, %u heads of %u: key %zu has %.9g for %.9g, and may be off by %.3g",
			         ops->name, scan->n_heads, scan->width, s, (double)coded[s], (double)exact[s],
			         (double)off);
		ret.seen = seen > ret.seen ? seen : ret.seen;
	}
	free(exact);
	free(coded);
	return ret;
}

/* What a key or a head of a query may look like. */
enum look { EVEN, NORMAL, ZERO, CONSTANT, ONE_LARGE, DENORMAL, MANY_SIZES, WHOLE, N_LOOKS };

static float draw_normal(uint64_t *seed)
{
	float sum = 0;

	for (int i = 0; i < 12; i++)
		sum += draw_float(seed) / 2;
	return sum;
}

/* 10 to the power of up to `range`, either way. */
static float draw_size(double range, uint64_t *seed)
{
	return (float)pow(10, (double)draw_float(seed) * range);
}

static void draw_vector(float *x, size_t n, enum look look, float size, uint64_t *seed)
{
	float constant = draw_float(seed);

	for (size_t i = 0; i < n; i++) {
		float even = draw_float(seed);

		switch (look) {
		case NORMAL:
			x[i] = draw_normal(seed) * size;
			break;
		case ZERO:
			x[i] = 0;
			break;
		case CONSTANT:
			x[i] = constant * size;
			break;
		case DENORMAL:
			x[i] = even * 1e-39F;
			break;
		case MANY_SIZES:
			x[i] = even * size * draw_size(5, seed);
			break;
		case WHOLE:
			x[i] = roundf(even * 127) * size;
			break;
		default:
			x[i] = even * size;
		}
	}
	if (look == ONE_LARGE)
		x[draw(seed) % n] = size * 1e4F;
}

/* Each key and head looks as it likes; sizes are 10 to the power of up to `range`, either way. */
static void draw_scan(struct scan *scan, double range, uint64_t *seed)
{
	float key_size = draw_size(range, seed), q_size = draw_size(range, seed),
	      w_size = draw_size(range, seed);
	bool differ = draw(seed) % 2 == 0;
	enum look look = (enum look)(draw(seed) % N_LOOKS);

	for (size_t s = 0; s < scan->n_keys; s++)
		draw_vector(scan->keys + s * scan->width, scan->width,
		            differ ? (enum look)(draw(seed) % N_LOOKS) : look,
		            draw(seed) % 8 == 0 ? draw_size(range, seed) : key_size, seed);
	for (uint32_t j = 0; j < scan->n_heads; j++)
		draw_vector(scan->q + (size_t)j * scan->width, scan->width, (enum look)(draw(seed) % N_LOOKS),
		            differ && draw(seed) % 4 == 0 ? draw_size(range, seed) : q_size, seed);
	draw_vector(scan->weights, scan->n_heads, (enum look)(draw(seed) % N_LOOKS), w_size, seed);
}

static const uint32_t WIDTHS[] = { 4,  8,  12, 16, 20, 24, 28, 32, 36, 40,
	                           44, 48, 52, 56, 60, 64, 5,  11, 33, 512 };

/* Returns how many times the codes told something. */
static size_t check_draws(double range, uint64_t seed)
{
	size_t n_told = 0;

	for (uint32_t i = 0; i < COUNT(WIDTHS) * 9 * 3; i++) {
		struct scan scan;

		scan_init(&scan, 1 + i % 9, WIDTHS[i / 9 % COUNT(WIDTHS)], 1 + (size_t)(draw(&seed) % 80));
		draw_scan(&scan, range, &seed);
		put_keys(&scan);
		for (size_t f = 0; f < n_families; f++)
			n_told += isfinite(measure(&scan, families[f], scan.codes.bounds).said) != 0;
		scan_done(&scan);
	}
	return n_told;
}

static void scores_of_codes_are_off_by_no_more_than_is_said(void **state)
{
	size_t n = COUNT(WIDTHS) * 9 * 3 * n_families;

	(void)state;
	assert_int_equal(check_draws(2, 1), n);
	assert_int_equal(check_draws(5, 2), n);
}

static void that_holds_for_keys_queries_and_weights_of_any_size(void **state)
{
	size_t n = COUNT(WIDTHS) * 9 * 3 * n_families;

	(void)state;
	assert_true(check_draws(15, 3) > n / 4);
	assert_true(check_draws(30, 4) > n / 20);
	assert_true(check_draws(37, 5) > n / 20);
}

static void of_a_whole_slab_the_bound_is_that_of_all_its_keys(void **state)
{
	uint64_t seed = 6;
	struct scan scan;

	(void)state;
	scan_init(&scan, 4, 32, CODE_TOKENS);
	draw_scan(&scan, 3, &seed);
	put_keys(&scan);
	for (size_t f = 0; f < n_families; f++)
		assert_true(isfinite(measure(&scan, families[f], scan.codes.bounds).said));
	scan_done(&scan);
}

static double norm_of(const float *x, size_t n)
{
	double ret = 0;

	for (size_t i = 0; i < n; i++)
		ret += (double)x[i] * (double)x[i];
	return sqrt(ret);
}

/* Against the largest that scores of such keys, weights and queries could be. */
static void of_ordinary_draws_little_is_said_to_be_off(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (uint32_t i = 0; i < COUNT(WIDTHS); i++) {
		struct scan scan;
		double most_key = 0, most_score = 0;

		scan_init(&scan, 5, WIDTHS[i], 64);
		draw_vector(scan.keys, scan.n_keys * scan.width, NORMAL, 2, &seed);
		draw_vector(scan.q, (size_t)scan.n_heads * scan.width, NORMAL, 0.5F, &seed);
		draw_vector(scan.weights, scan.n_heads, NORMAL, 1, &seed);
		put_keys(&scan);
		for (size_t s = 0; s < scan.n_keys; s++)
			most_key = fmax(most_key, norm_of(scan.keys + s * scan.width, scan.width));
		for (uint32_t j = 0; j < scan.n_heads; j++)
			most_score += fabs((double)scan.weights[j]) * most_key *
			              norm_of(scan.q + (size_t)j * scan.width, scan.width);
		for (size_t f = 0; f < n_families; f++)
			assert_true(measure(&scan, families[f], scan.codes.bounds).said <= 0.03 * most_score);
		scan_done(&scan);
	}
}

/* x [64] whose first element is the largest, and all others are between two levels, near the middle. Each is exactly a
 * bf16. */
static void fill_between_levels(float *x, int most_level, int level)
{
	for (size_t i = 0; i < 64; i++)
		x[i] = (float)level + 0.4375F;
	x[0] = (float)most_level;
}

static void fill_constant(float *x, float value)
{
	for (size_t i = 0; i < 64; i++)
		x[i] = value;
}

/* All that is lost points in the direction of what it meets: the bound is nearly reached. */
static void check_reached(const struct scan *scan, const struct ops *ops, double share)
{
	struct distance distance = measure(scan, ops, scan->codes.bounds);

	assert_true(distance.seen >= share * distance.said);
}

static void what_a_query_loses_counts_in_full(void **state)
{
	struct scan scan;

	(void)state;
	for (int sign = -1; sign <= 1; sign += 2) {
		scan_init(&scan, 2, 64, 1);
		fill_constant(scan.keys, 1);
		scan.weights[0] = 3;
		scan.weights[1] = (float)sign;
		put_keys(&scan);
		for (size_t f = 0; f < n_families; f++) {
			fill_between_levels(scan.q, families[f]->code_levels, 9);
			fill_between_levels(scan.q + 64, families[f]->code_levels, 9);
			check_reached(&scan, families[f], sign > 0 ? 0.95 : 0.45);
		}
		scan_done(&scan);
	}
}

static void what_a_key_loses_counts_in_full(void **state)
{
	struct scan scan;

	(void)state;
	scan_init(&scan, 1, 64, 2);
	fill_constant(scan.keys, 0.25F);
	fill_between_levels(scan.keys + 64, 127, 9); /* bf16 has eight digits */
	put_keys(&scan);
	fill_constant(scan.q, 1);
	scan.weights[0] = -0.5F;
	for (size_t f = 0; f < n_families; f++)
		check_reached(&scan, families[f], 0.95);
	scan_done(&scan);
}

/* In a family that rounds its inputs the exact score is one of the rounded query. */
static void codes_are_of_the_query_that_the_exact_product_sees(void **state)
{
	struct scan scan;

	(void)state;
	scan_init(&scan, 1, 64, 1);
	fill_constant(scan.keys, 1);
	put_keys(&scan);
	fill_constant(scan.q, 0.1F);
	scan.weights[0] = 1;
	for (size_t f = 0; f < n_families; f++)
		assert_true(measure(&scan, families[f], scan.codes.bounds).said < 0.01);
	scan_done(&scan);
}

static void a_code_stands_where_its_panel_says(void **state)
{
	enum { WIDTH = 6, PLACE = 33 }; /* the second of the third panel */
	const float key[WIDTH] = { 254, -254, 2, 0, -0.9F, 3 };
	const uint8_t expected[8] = { 255, 1, 129, 128, 128, 130, 128, 128 };
	struct scan scan;

	(void)state;
	scan_init(&scan, 1, WIDTH, 0);
	assert_int_equal(index_codes_bytes(WIDTH) % 64, 0);
	index_codes_put(&scan.codes, PLACE, key, WIDTH);
	for (size_t s = 0; s < CODE_TOKENS; s++) {
		assert_true(scan.codes.scales[s] == (s == PLACE ? 2 : 0));
		for (size_t k = 0; k < 8; k++) {
			size_t place = ((s / PANEL * 2 + k / CODE_STEP) * PANEL + s % PANEL) * CODE_STEP;

			assert_int_equal(scan.codes.codes[place + k % CODE_STEP],
			                 s == PLACE ? expected[k] : 0);
		}
	}
	scan_done(&scan);
}

static float value_of(const _Atomic uint32_t *bound)
{
	uint32_t bits = *bound;
	float ret;

	memcpy(&ret, &bits, sizeof(ret));
	return ret;
}

static void bounds_are_of_the_largest_errors_and_norms_so_far(void **state)
{
	const float keys[][4] = { { 127, 0.5F, 0, 0 }, { 254, 0, 0, 0 }, { 127, 0.25F, 0.25F, 0 }, { 0 } };
	const float errors[] = { 0.5F, 0.5F, 0.5F, 0.5F }, norms[] = { 127, 254, 254, 254 };
	struct scan scan;

	(void)state;
	scan_init(&scan, 1, 4, 0);
	for (size_t i = 0; i < COUNT(keys); i++) {
		index_codes_put(&scan.codes, i, keys[i], 4);
		assert_in_range((uint64_t)(value_of(&scan.codes.bounds->error) / errors[i] * 1e4F), 10000,
		                10002);
		assert_in_range((uint64_t)(value_of(&scan.codes.bounds->norm) / norms[i] * 1e4F), 10000,
		                10002);
	}
	scan_done(&scan);
}

static void bounds_of_several_slabs_are_the_largest_of_each(void **state)
{
	struct code_bounds both = { 0 };
	struct scan scans[2];
	uint64_t seed = 8;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		scan_init(&scans[i], 3, 24, 40);
		draw_vector(scans[i].keys, (size_t)40 * 24, EVEN, i == 0 ? 10 : 1, &seed);
		draw_vector(scans[i].q, (size_t)3 * 24, EVEN, 1, &seed);
		draw_vector(scans[i].weights, 3, EVEN, 1, &seed);
	}
	/* whole numbers: the larger keys are without errors */
	draw_vector(scans[0].keys, (size_t)40 * 24, WHOLE, 1, &seed);
	for (size_t s = 0; s < 40; s++)
		scans[0].keys[s * 24] = 127;
	for (size_t i = 0; i < 2; i++) {
		put_keys(&scans[i]);
		code_bounds_add(&both, scans[i].codes.bounds);
	}
	assert_true(both.norm == scans[0].codes.bounds->norm && both.norm > scans[1].codes.bounds->norm);
	assert_true(both.error == scans[1].codes.bounds->error && both.error > scans[0].codes.bounds->error);
	for (size_t i = 0; i < 2 * n_families; i++) {
		double alone = measure(&scans[i % 2], families[i / 2], scans[i % 2].codes.bounds).said;

		assert_true(measure(&scans[i % 2], families[i / 2], &both).said > alone);
	}
	scan_done(&scans[0]);
	scan_done(&scans[1]);
}

static void assert_tells_nothing(const struct scan *scan, const struct ops *ops)
{
	assert_true(!isfinite(measure(scan, ops, scan->codes.bounds).said));
}

static void what_is_not_finite_has_no_bound(void **state)
{
	static const float ODD[] = { NAN, -NAN, INFINITY, -INFINITY };
	uint64_t seed = 9;

	(void)state;
	for (size_t i = 0; i < COUNT(ODD) * n_families; i++) {
		const struct ops *ops = families[i / COUNT(ODD)];
		float odd = ODD[i % COUNT(ODD)];
		struct scan scan;

		for (size_t place = 0; place < 11; place++) {
			scan_init(&scan, 3, 11, 20);
			draw_vector(scan.keys, (size_t)20 * 11, EVEN, 1, &seed);
			draw_vector(scan.q, (size_t)3 * 11, EVEN, 1, &seed);
			draw_vector(scan.weights, 3, EVEN, 1, &seed);
			put_keys(&scan);
			assert_true(isfinite(measure(&scan, ops, scan.codes.bounds).said));
			scan.q[place * 3] = odd;
			assert_tells_nothing(&scan, ops);
			scan.q[place * 3] = 0;
			scan.weights[place % 3] = odd;
			assert_tells_nothing(&scan, ops);
			scan.weights[place % 3] = 0;
			scan.keys[place * 20] = odd;
			put_keys(&scan);
			assert_tells_nothing(&scan, ops);
			scan.keys[place * 20] = 0;
			put_keys(&scan); /* it has been there */
			assert_tells_nothing(&scan, ops);
			scan_done(&scan);
		}
	}
}

static void what_bf16_cannot_hold_has_no_bound_where_queries_are_rounded_to_it(void **state)
{
	struct scan scan;

	(void)state;
	scan_init(&scan, 1, 4, 1);
	scan.keys[1] = 1e-30F;
	put_keys(&scan);
	scan.weights[0] = 1;
	scan.q[1] = 3.4e38F;
	for (size_t f = 0; f < n_families; f++) {
		if (families[f]->rounds_inputs)
			assert_tells_nothing(&scan, families[f]);
	}
	scan_done(&scan);
}

/* Where a sum leaves float32, on the one side or the other: products, which a small weight or none would hide, the weighted
 * ones, or those of codes whose scale is yet to come. */
static void what_overflows_on_the_way_has_no_bound(void **state)
{
	static const struct {
		float key, q, weight;
	} CASES[] = { { 0x1p66F, 0x1p66F, 0x1p-100F },
		      { 0x1p66F, 0x1p66F, 0 },
		      { 0x1p40F, 0x1p40F, 0x1p60F },
		      { 0x1p-110F, 0x1p100F, 0x1p20F } };

	(void)state;
	for (size_t i = 0; i < COUNT(CASES); i++) {
		struct scan scan;

		scan_init(&scan, 1, 64, 3);
		fill_constant(scan.keys, CASES[i].key);
		fill_constant(scan.q, CASES[i].q);
		scan.weights[0] = CASES[i].weight;
		put_keys(&scan);
		for (size_t f = 0; f < n_families; f++)
			assert_tells_nothing(&scan, families[f]);
		scan_done(&scan);
	}
}

/* Of a weight that is too small to be multiplied by a level; the keys make up for it. */
static void what_underflows_on_the_way_counts_as_off(void **state)
{
	struct scan scan;

	(void)state;
	for (int exponent = -70; exponent > -140; exponent--) {
		scan_init(&scan, 1, 64, 3);
		fill_constant(scan.keys, 0x1p60F);
		fill_constant(scan.q, 0x1p-40F);
		scan.weights[0] = ldexpf(1.3F, exponent);
		put_keys(&scan);
		for (size_t f = 0; f < n_families; f++)
			assert_true(isfinite(measure(&scan, families[f], scan.codes.bounds).said));
		scan_done(&scan);
	}
}

static void keys_too_wide_have_no_codes(void **state)
{
	(void)state;
	assert_true(has_index_codes(1));
	assert_true(has_index_codes(CODE_MOST_WIDTH));
	assert_false(has_index_codes(CODE_MOST_WIDTH + 1));
}

static void put_one(void *user, size_t item, unsigned thread)
{
	const struct scan *scan = user;

	(void)thread;
	index_codes_put(&scan->codes, item, scan->keys + item * scan->width, scan->width);
}

static void several_threads_put_what_one_does(void **state)
{
	struct scan scan;
	struct pool *pool;
	struct err err;
	size_t n_bytes = index_codes_bytes(16);
	void *alone;
	uint64_t seed = 10;

	(void)state;
	assert_int_equal(pool_new(4, &pool, &err), 0);
	scan_init(&scan, 1, 16, CODE_TOKENS);
	draw_scan(&scan, 3, &seed);
	put_keys(&scan);
	alone = malloc(n_bytes);
	assert_non_null(alone);
	memcpy(alone, scan.memory, n_bytes);
	memset(scan.memory, 0, n_bytes);
	pool_run(pool, CODE_TOKENS, put_one, &scan);
	assert_memory_equal(scan.memory, alone, n_bytes);
	free(alone);
	scan_done(&scan);
	pool_free(pool);
}

/* Keys that get larger and then smaller again: the largest meets others that raise the bounds as well. Many times, as it
 * is a matter of moments. */
static void of_keys_put_at_the_same_moment_the_largest_counts(void **state)
{
	enum { N = 64 };
	struct scan scan;
	struct pool *pool;
	struct err err;
	uint32_t error, norm;

	(void)state;
	assert_int_equal(pool_new(2, &pool, &err), 0);
	scan_init(&scan, 1, 4, N);
	for (size_t s = 0; s < N; s++) {
		float size = (float)(s < N / 2 ? 2 * s : 2 * (N - s) - 1);

		scan.keys[s * 4] = 128 + size;
		scan.keys[s * 4 + 1] = (128 + size) / 256;
	}
	put_keys(&scan);
	error = scan.codes.bounds->error;
	norm = scan.codes.bounds->norm;
	for (int i = 0; i < 20000; i++) {
		scan.codes.bounds->error = scan.codes.bounds->norm = 0;
		pool_run(pool, N, put_one, &scan);
		assert_int_equal(scan.codes.bounds->error, error);
		assert_int_equal(scan.codes.bounds->norm, norm);
	}
	scan_done(&scan);
	pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scores_of_codes_are_off_by_no_more_than_is_said),
		cmocka_unit_test(that_holds_for_keys_queries_and_weights_of_any_size),
		cmocka_unit_test(of_a_whole_slab_the_bound_is_that_of_all_its_keys),
		cmocka_unit_test(of_ordinary_draws_little_is_said_to_be_off),
		cmocka_unit_test(what_a_query_loses_counts_in_full),
		cmocka_unit_test(what_a_key_loses_counts_in_full),
		cmocka_unit_test(codes_are_of_the_query_that_the_exact_product_sees),
		cmocka_unit_test(a_code_stands_where_its_panel_says),
		cmocka_unit_test(bounds_are_of_the_largest_errors_and_norms_so_far),
		cmocka_unit_test(bounds_of_several_slabs_are_the_largest_of_each),
		cmocka_unit_test(what_is_not_finite_has_no_bound),
		cmocka_unit_test(what_bf16_cannot_hold_has_no_bound_where_queries_are_rounded_to_it),
		cmocka_unit_test(what_overflows_on_the_way_has_no_bound),
		cmocka_unit_test(what_underflows_on_the_way_counts_as_off),
		cmocka_unit_test(keys_too_wide_have_no_codes),
		cmocka_unit_test(several_threads_put_what_one_does),
		cmocka_unit_test(of_keys_put_at_the_same_moment_the_largest_counts),
	};

	return cmocka_run_group_tests(tests, find_families, NULL);
}
