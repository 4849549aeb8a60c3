/* The running top-k against a plain sort of all scores, in one run and merged from parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/topk.h"
#include "tests/fixture.h"

#define MAX_N 5000

struct scored {
	float score;
	uint32_t pos;
};

/* The better one first: NaN last, equal ones by position. */
static int compare_scores(const void *a, const void *b)
{
	const struct scored *x = a, *y = b;

	if (isnan(x->score) != isnan(y->score))
		return isnan(x->score) ? 1 : -1;
	if (!isnan(x->score) && x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->pos < y->pos ? -1 : 1;
}

static int compare_positions(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static size_t sort_all(const float *scores, size_t n, size_t k, uint32_t *ret)
{
	static struct scored all[MAX_N];

	for (size_t i = 0; i < n; i++)
		all[i] = (struct scored){ scores[i], (uint32_t)i };
	qsort(all, n, sizeof(all[0]), compare_scores);
	for (size_t i = 0; i < k && i < n; i++)
		ret[i] = all[i].pos;
	qsort(ret, k < n ? k : n, sizeof(*ret), compare_positions);
	return k < n ? k : n;
}

/* Pieces of drawn sizes, empty ones too; the same object serves query after query. */
static size_t push_in_pieces(struct topk *topk, const float *scores, size_t n, size_t largest, uint64_t *seed,
                             uint32_t *ret)
{
	topk_start(topk);
	for (size_t first = 0; first < n;) {
		size_t piece = (size_t)(draw(seed) % (largest + 1));

		if (piece > n - first)
			piece = n - first;
		topk_push(topk, scores + first, piece, (uint32_t)first);
		first += piece;
	}
	return topk_finish(topk, ret);
}

/* So many parts of drawn sizes, empty ones too, the first of them pushed into what the others are merged into; then the
 * rest of the scores behind them. */
static size_t merge_parts(struct topk *topk, const float *scores, size_t n, size_t n_parts, uint64_t *seed,
                          uint32_t *ret)
{
	struct topk part;
	size_t first = (size_t)(draw(seed) % (n + 1));

	assert_int_equal(topk_init(&part, topk->k), 0);
	topk_start(topk);
	topk_push(topk, scores, first, 0);
	for (size_t i = 1; i < n_parts; i++) {
		size_t end = first + (size_t)(draw(seed) % (n - first + 1)), middle = (first + end) / 2;

		topk_start(&part);
		topk_push(&part, scores + first, middle - first, (uint32_t)first);
		topk_push(&part, scores + middle, end - middle, (uint32_t)middle);
		topk_merge(topk, &part);
		first = end;
	}
	topk_push(topk, scores + first, n - first, (uint32_t)first);
	topk_done(&part);
	return topk_finish(topk, ret);
}

/* Parts of equal size, each in an object of its own, merged by twos, then those by twos: whatever the way. */
static size_t merge_merged(const float *scores, size_t n, size_t k, uint32_t *ret)
{
	struct topk parts[8];

	for (size_t i = 0; i < COUNT(parts); i++) {
		size_t first = n * i / COUNT(parts), end = n * (i + 1) / COUNT(parts);

		assert_int_equal(topk_init(&parts[i], k), 0);
		topk_start(&parts[i]);
		topk_push(&parts[i], scores + first, end - first, (uint32_t)first);
	}
	for (size_t step = 1; step < COUNT(parts); step *= 2) {
		for (size_t i = 0; i < COUNT(parts); i += 2 * step)
			topk_merge(&parts[i], &parts[i + step]);
	}
	n = topk_finish(&parts[0], ret);
	for (size_t i = 0; i < COUNT(parts); i++)
		topk_done(&parts[i]);
	return n;
}

/* Room for one position more than k, which stays as it was. */
static void check_against_sort(const float *scores, size_t n, size_t k, uint64_t *seed)
{
	static const size_t LARGEST[] = { 1, 3, 64, 1000, MAX_N };
	static uint32_t expected[MAX_N], chosen[MAX_N + 1];
	size_t n_expected = sort_all(scores, n, k, expected);
	struct topk topk;

	assert_int_equal(topk_init(&topk, k), 0);
	for (size_t i = 0; i < 2 * COUNT(LARGEST) + 1; i++) {
		size_t n_chosen;

		chosen[n_expected] = 12345678;
		if (i < COUNT(LARGEST))
			n_chosen = push_in_pieces(&topk, scores, n, LARGEST[i], seed, chosen);
		else if (i < 2 * COUNT(LARGEST))
			n_chosen = merge_parts(&topk, scores, n, i, seed, chosen);
		else
			n_chosen = merge_merged(scores, n, k, chosen);
		assert_int_equal(n_chosen, n_expected);
		assert_memory_equal(chosen, expected, n_chosen * sizeof(*chosen));
		assert_int_equal(chosen[n_expected], 12345678);
	}
	topk_done(&topk);
}

/* n_values different scores, so that ties are common; 0: no ties to speak of. */
static void fill(float *scores, size_t n, unsigned n_values, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++)
		scores[i] = n_values == 0
		                    ? draw_float(seed)
		                    : (float)((int)(draw(seed) % n_values) - (int)(n_values / 2)) * 0.25F;
}

static void the_choice_is_that_of_a_plain_sort(void **state)
{
	static const size_t NS[] = { 1, 2, 15, 64, 65, 600, 1025, MAX_N }, KS[] = { 1, 2, 16, 512, 700 };
	static const unsigned VALUES[] = { 0, 2, 3, 50 };
	static float scores[MAX_N];
	uint64_t seed = 1;

	(void)state;
	for (size_t i = 0; i < COUNT(NS); i++) {
		for (size_t j = 0; j < COUNT(KS); j++) {
			for (size_t v = 0; v < COUNT(VALUES); v++) {
				fill(scores, NS[i], VALUES[v], &seed);
				check_against_sort(scores, NS[i], KS[j], &seed);
			}
		}
	}
}

/* Where the first cut comes, and one score or one block to either side; k of what is passed over together, too. */
static void the_choice_is_that_of_a_plain_sort_at_every_limit(void **state)
{
	static const size_t KS[] = { 1, 15, 16, 17, 511, 512, 513, 1024 };
	static const unsigned VALUES[] = { 0, 1, 2, 9 };
	static float scores[MAX_N];
	uint64_t seed = 5;

	(void)state;
	for (size_t i = 0; i < COUNT(KS) * COUNT(VALUES); i++) {
		struct topk topk;
		size_t cap;

		assert_int_equal(topk_init(&topk, KS[i / COUNT(VALUES)]), 0);
		cap = topk.cap;
		topk_done(&topk);
		for (size_t n = cap - 17; n <= cap + 17; n += n == cap - 15 || n == cap + 1 ? 14 : 1) {
			fill(scores, n, VALUES[i % COUNT(VALUES)], &seed);
			check_against_sort(scores, n, KS[i / COUNT(VALUES)], &seed);
		}
	}
	for (size_t n = 1; n <= 50; n++) {
		fill(scores, n, VALUES[n % COUNT(VALUES)], &seed);
		for (size_t k = 1; k <= n + 1; k++)
			check_against_sort(scores, n, k, &seed);
	}
}

static void rising_and_falling_scores_are_no_special_case(void **state)
{
	static float scores[MAX_N];
	uint64_t seed = 2;

	(void)state;
	for (size_t i = 0; i < MAX_N; i++)
		scores[i] = (float)i;
	check_against_sort(scores, MAX_N, 16, &seed);
	for (size_t i = 0; i < MAX_N; i++)
		scores[i] = -(float)i;
	check_against_sort(scores, MAX_N, 16, &seed);
}

static void among_equal_scores_the_first_positions_win(void **state)
{
	static float scores[MAX_N];
	uint32_t chosen[16];
	struct topk topk;

	(void)state;
	assert_int_equal(topk_init(&topk, 16), 0);
	topk_start(&topk);
	topk_push(&topk, scores, MAX_N, 0);
	assert_int_equal(topk_finish(&topk, chosen), 16);
	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(chosen[i], i);
	topk_done(&topk);
}

static size_t choose(const float *scores, size_t n, size_t k, uint32_t *ret)
{
	struct topk topk;

	assert_int_equal(topk_init(&topk, k), 0);
	topk_start(&topk);
	topk_push(&topk, scores, n, 0);
	n = topk_finish(&topk, ret);
	topk_done(&topk);
	return n;
}

static void a_negative_zero_equals_a_positive_one(void **state)
{
	uint32_t chosen[2];

	(void)state;
	assert_int_equal(choose((const float[]){ -1, -0.0F, 0.0F, 0.0F }, 4, 2, chosen), 2);
	assert_int_equal(chosen[0], 1);
	assert_int_equal(chosen[1], 2);
	assert_int_equal(choose((const float[]){ 0.0F, -0.0F, 0.0F, -1e-45F }, 4, 2, chosen), 2);
	assert_int_equal(chosen[0], 0);
	assert_int_equal(chosen[1], 1);
}

static void nan_is_below_everything(void **state)
{
	uint32_t chosen[3];

	(void)state;
	assert_int_equal(choose((const float[]){ NAN, -NAN, -INFINITY, -3e38F, NAN }, 5, 2, chosen), 2);
	assert_int_equal(chosen[0], 2);
	assert_int_equal(chosen[1], 3);
	assert_int_equal(choose((const float[]){ NAN, INFINITY, -NAN, NAN }, 4, 3, chosen), 3);
	assert_int_equal(chosen[0], 0);
	assert_int_equal(chosen[1], 1);
	assert_int_equal(chosen[2], 2);
}

static void odd_scores_sort_like_the_rest(void **state)
{
	static const float ODD[] = { 0.0F,      -0.0F,  NAN,     -NAN,  INFINITY,
		                     -INFINITY, 1e-45F, -1e-45F, 3e38F, -3e38F };
	static float scores[MAX_N];
	uint64_t seed = 3;

	(void)state;
	for (size_t k = 1; k < 3000; k = k * 3 + 1) {
		for (size_t i = 0; i < MAX_N; i++)
			scores[i] = ODD[draw(&seed) % COUNT(ODD)];
		check_against_sort(scores, MAX_N, k, &seed);
	}
}

/* The keys of both infinities are as far apart as keys can be; with NaN among the scores, or only one of the two, they
 * lie otherwise. */
static void infinities_sort_like_the_rest(void **state)
{
	static const float ODD[] = { INFINITY, -INFINITY, 0, 3.4028235e38F, NAN };
	static float scores[MAX_N];
	uint32_t chosen[1];
	uint64_t seed = 6;

	(void)state;
	assert_int_equal(choose((const float[]){ -INFINITY, INFINITY, INFINITY, 1 }, 4, 1, chosen), 1);
	assert_int_equal(chosen[0], 1);
	for (size_t n_odd = 1; n_odd <= COUNT(ODD); n_odd++) {
		for (size_t k = 1; k < 3000; k = k * 3 + 1) {
			for (size_t i = 0; i < MAX_N; i++)
				scores[i] =
					draw(&seed) % 3 == 0 ? draw_float(&seed) : ODD[draw(&seed) % n_odd];
			check_against_sort(scores, MAX_N, k, &seed);
			check_against_sort(scores, 30, k, &seed);
		}
	}
}

static void what_is_merged_stays_as_it_was(void **state)
{
	static float scores[MAX_N];
	static uint32_t before[MAX_N], behind[MAX_N], expected[MAX_N];
	struct topk whole, part;
	uint64_t seed = 7;
	size_t n;

	(void)state;
	fill(scores, MAX_N, 0, &seed);
	assert_int_equal(topk_init(&whole, 100), 0);
	assert_int_equal(topk_init(&part, 100), 0);
	topk_start(&whole);
	topk_start(&part);
	topk_merge(&whole, &part); /* nothing into nothing */
	assert_int_equal(topk_finish(&whole, before), 0);
	topk_push(&part, scores, MAX_N, 0);
	topk_merge(&whole, &part);
	n = topk_finish(&whole, before);
	assert_int_equal(n, sort_all(scores, MAX_N, 100, expected));
	assert_memory_equal(before, expected, n * sizeof(*before));
	assert_int_equal(topk_finish(&part, behind), n);
	assert_memory_equal(behind, expected, n * sizeof(*behind));
	topk_done(&whole);
	topk_done(&part);
}

static void a_k_beyond_all_scores_takes_them_all(void **state)
{
	static float scores[100];
	uint32_t chosen[1000];
	uint64_t seed = 4;

	(void)state;
	fill(scores, 100, 0, &seed);
	assert_int_equal(choose(scores, 100, 1000, chosen), 100);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(chosen[i], i);
	assert_int_equal(choose(scores, 0, 1000, chosen), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_choice_is_that_of_a_plain_sort),
		cmocka_unit_test(the_choice_is_that_of_a_plain_sort_at_every_limit),
		cmocka_unit_test(rising_and_falling_scores_are_no_special_case),
		cmocka_unit_test(among_equal_scores_the_first_positions_win),
		cmocka_unit_test(a_negative_zero_equals_a_positive_one),
		cmocka_unit_test(nan_is_below_everything),
		cmocka_unit_test(odd_scores_sort_like_the_rest),
		cmocka_unit_test(infinities_sort_like_the_rest),
		cmocka_unit_test(what_is_merged_stays_as_it_was),
		cmocka_unit_test(a_k_beyond_all_scores_takes_them_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
