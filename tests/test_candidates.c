/* Two rounds over what scores by codes leave, against the best of all exact scores; with every family of kernels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "model/candidates.h"
#include "tests/families.h"
#include "tests/fixture.h"

#define MOST 6000
#define K 48

struct query {
	float exact[MOST], coded[MOST]; /* less than `off` from each other */
	size_t n;
	float off;
};

/* Scores of few values have many equals; those by codes are off to either side, by a share of what they may be. */
static void draw_query(struct query *query, size_t n, float share, unsigned n_values, uint64_t *seed)
{
	query->n = n;
	for (size_t i = 0; i < n; i++) {
		float score = draw_float(seed);

		query->exact[i] = n_values == 0 ? score : roundf(score * (float)n_values) / (float)n_values;
		query->coded[i] = query->exact[i] + draw_float(seed) * query->off * share;
	}
}

static void put_exact(const struct query *query, struct candidates *candidates, int round)
{
	struct scored *found = &candidates->found[round];

	for (size_t i = 0; i < candidates->n_found[round]; i++) {
		assert_true(i == 0 || found->positions[i] > found->positions[i - 1]);
		found->scores[i] = query->exact[found->positions[i]];
	}
}

/* Whether the choice is that of all exact scores; returns how many of these it took. */
static size_t check_choice(const struct ops *ops, const struct query *query)
{
	struct topk left, chosen, all;
	struct candidates candidates;
	const uint32_t *positions, *expected;
	size_t n, n_scored;

	assert_int_equal(topk_init(&left, K, ops), 0);
	assert_int_equal(topk_init(&chosen, K, ops), 0);
	assert_int_equal(topk_init(&all, K, ops), 0);
	assert_int_equal(candidates_init(&candidates, left.cap), 0);
	topk_start(&left, 2 * query->off);
	topk_push(&left, query->coded, query->n, 0);
	assert_false(left.overflowed);
	candidates_begin(&candidates, &left);
	put_exact(query, &candidates, 0);
	candidates_narrow(&candidates, ops, K);
	put_exact(query, &candidates, 1);
	n_scored = candidates.n_found[0] + candidates.n_found[1];
	assert_true(n_scored <= candidates.n_left);
	topk_start(&chosen, 0);
	candidates_push(&candidates, &chosen);
	topk_start(&all, 0);
	topk_push(&all, query->exact, query->n, 0);
	n = topk_finish(&all, &expected);
	assert_int_equal(topk_finish(&chosen, &positions), n);
	assert_memory_equal(positions, expected, n * sizeof(*positions));
	candidates_done(&candidates);
	topk_done(&left);
	topk_done(&chosen);
	topk_done(&all);
	return n_scored;
}

static void the_choice_is_that_of_all_exact_scores(void **state)
{
	static const size_t SIZES[] = { 0, 1, K - 1, K, K + 1, 200, 1000, 3000, MOST };
	static const float OFF[] = { 0, 0.001F, 0.02F, 0.1F };
	static const unsigned N_VALUES[] = { 0, 200, 7 };
	static struct query query;
	uint64_t seed = 41;

	(void)state;
	for (size_t i = 0; i < COUNT(SIZES) * COUNT(OFF) * COUNT(N_VALUES); i++) {
		query.off = OFF[i / COUNT(SIZES) % COUNT(OFF)];
		draw_query(&query, SIZES[i % COUNT(SIZES)], 0.999F, N_VALUES[i / COUNT(SIZES) / COUNT(OFF)],
		           &seed);
		if (query.n > 1000 && N_VALUES[i / COUNT(SIZES) / COUNT(OFF)] == 7)
			continue; /* more equals than a topk holds */
		for (size_t f = 0; f < n_families; f++)
			check_choice(families[f], &query);
	}
}

static void what_the_first_round_rules_out_is_not_looked_at(void **state)
{
	static struct query query;
	struct topk left;
	const uint32_t *positions;
	uint64_t seed = 42;
	size_t n_left;

	(void)state;
	query.off = 0.1F;
	draw_query(&query, MOST, 0.05F, 0, &seed);
	assert_int_equal(topk_init(&left, K, families[0]), 0);
	topk_start(&left, 2 * query.off);
	topk_push(&left, query.coded, query.n, 0);
	n_left = topk_finish(&left, &positions);
	topk_done(&left);
	assert_in_range(check_choice(families[0], &query), K, n_left * 2 / 3);
}

/* Codes are as far off as they may be, most of them upwards: the best of all is not near the best by codes. */
static void scores_that_are_off_by_all_they_may_are_not_lost(void **state)
{
	static struct query query;

	(void)state;
	query = (struct query){ .n = 2 * K, .off = 0.26F };
	for (size_t i = 0; i < query.n; i++) {
		query.exact[i] = i < 20 ? 9.9F : i < K ? 0.5F : 10.1F;
		query.coded[i] = i < 20 ? 10.0F : i < K ? 0.5F : 10.35F;
	}
	query.exact[0] = 10.25F;
	for (size_t f = 0; f < n_families; f++)
		assert_in_range(check_choice(families[f], &query), K + 1, 2 * K);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_choice_is_that_of_all_exact_scores),
		cmocka_unit_test(what_the_first_round_rules_out_is_not_looked_at),
		cmocka_unit_test(scores_that_are_off_by_all_they_may_are_not_lost),
	};

	return cmocka_run_group_tests(tests, find_families, NULL);
}
