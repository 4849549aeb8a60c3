/* From logits to a token: ties, NaN, infinities, and seeded drawing held against the probabilities. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "model/sampler.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_near(double value, double expected, double tolerance)
{
	if (!(fabs(value - expected) <= tolerance))
		fail_msg("%.17g is not %.17g", value, expected);
}

static void greedy_takes_the_largest_and_the_lower_of_equals(void **state)
{
	(void)state;
	assert_int_equal(sampler_greedy((const float[]){ -3, 2, 7, 7, 1 }, 5), 2);
	assert_int_equal(sampler_greedy((const float[]){ -1 }, 1), 0);
	assert_int_equal(sampler_greedy((const float[]){ -0.0F, 0.0F }, 2), 0);
	assert_int_equal(sampler_greedy((const float[]){ 1, INFINITY, INFINITY }, 3), 1);
	assert_int_equal(sampler_greedy((const float[]){ -INFINITY, -INFINITY }, 2), 0);
}

static void greedy_never_takes_nan(void **state)
{
	(void)state;
	assert_int_equal(sampler_greedy((const float[]){ NAN, -5, NAN, -4, NAN }, 5), 3);
	assert_int_equal(sampler_greedy((const float[]){ NAN, -INFINITY }, 2), 1);
	assert_int_equal(sampler_greedy((const float[]){ 1, NAN }, 2), 0);
	assert_int_equal(sampler_greedy((const float[]){ NAN, NAN }, 2), 0);
}

static void greedy_among_some_ids_sees_no_others(void **state)
{
	static const float LOGITS[] = { 9, 1, 4, NAN, 4, 8 };

	(void)state;
	assert_int_equal(sampler_greedy_among(LOGITS, (const uint32_t[]){ 1, 2, 4 }, 3), 2);
	assert_int_equal(sampler_greedy_among(LOGITS, (const uint32_t[]){ 3, 4 }, 2), 4);
	assert_int_equal(sampler_greedy_among(LOGITS, (const uint32_t[]){ 3 }, 1), 3);
}

static void log_probabilities_are_those_of_the_whole_vocabulary(void **state)
{
	static const float LOGITS[] = { 0, 1.0986123F, -INFINITY, NAN, 0 }; /* weights 1, 3, 0, -, 1 */

	(void)state;
	assert_near(sampler_log_probability(LOGITS, 5, 0), log(0.2), 1e-7);
	assert_near(sampler_log_probability(LOGITS, 5, 1), log(0.6), 1e-7);
	assert_true(sampler_log_probability(LOGITS, 5, 2) == -INFINITY);
	assert_true(sampler_log_probability(LOGITS, 5, 3) == -INFINITY);
}

static void log_probabilities_neither_overflow_nor_vanish(void **state)
{
	(void)state;
	assert_near(sampler_log_probability((const float[]){ 1e30F, 1e30F }, 2, 1), log(0.5), 1e-12);
	assert_near(sampler_log_probability((const float[]){ -1e30F, -1e30F }, 2, 1), log(0.5), 1e-12);
	assert_near(sampler_log_probability((const float[]){ 0, -2000 }, 2, 1), -2000, 1e-12);
	assert_near(sampler_log_probability((const float[]){ INFINITY, 3 }, 2, 0), 0, 0);
	assert_true(sampler_log_probability((const float[]){ INFINITY, 3 }, 2, 1) == -INFINITY);
	assert_near(sampler_log_probability((const float[]){ -INFINITY, -INFINITY }, 2, 0), log(0.5), 1e-12);
	assert_true(sampler_log_probability((const float[]){ NAN, NAN }, 2, 0) == -INFINITY);
}

static void the_same_seed_draws_the_same_tokens(void **state)
{
	struct sampler a = { 42, 0.8F, 0.95F }, b = a, other = { 43, 0.8F, 0.95F };
	float logits[100];
	uint32_t order[100];
	unsigned n_different = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(logits); i++)
		logits[i] = (float)(i * 37 % 100) / 30;
	for (unsigned i = 0; i < 200; i++) {
		uint32_t id = sampler_draw(&a, logits, COUNT(logits), order);

		memset(order, 0xff, sizeof(order));
		assert_int_equal(sampler_draw(&b, logits, COUNT(logits), order), id);
		n_different += sampler_draw(&other, logits, COUNT(logits), order) != id;
	}
	assert_in_range(n_different, 100, 200);
}

/* The first draws of seed 1 over two equal logits: splitmix64 must stay what it is. */
static void a_seed_means_the_same_for_ever(void **state)
{
	struct sampler sampler = { 0, 1, 1 };
	uint32_t order[1000];
	float logits[1000] = { 0 };

	(void)state;
	/* splitmix64 from 0 begins with e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f; order runs downwards */
	assert_int_equal(sampler_draw(&sampler, logits, 1000, order), 999 - 883);
	assert_int_equal(sampler_draw(&sampler, logits, 1000, order), 999 - 431);
	assert_int_equal(sampler_draw(&sampler, logits, 1000, order), 999 - 26);
}

static void count_draws(struct sampler sampler, const float *logits, size_t n, unsigned n_draws,
                        unsigned *ret)
{
	uint32_t order[16];

	memset(ret, 0, n * sizeof(*ret));
	for (unsigned i = 0; i < n_draws; i++)
		ret[sampler_draw(&sampler, logits, n, order)]++;
}

static void tokens_come_as_often_as_their_probability_says(void **state)
{
	static const float LOGITS[] = { 0, 0.6931472F, NAN, 1.3862944F,
		                        -INFINITY }; /* weights 1, 2, -, 4, 0 */
	unsigned counts[5];

	(void)state;
	count_draws((struct sampler){ 1, 1, 1 }, LOGITS, 5, 70000, counts);
	assert_near(counts[0], 10000, 500);
	assert_near(counts[1], 20000, 500);
	assert_near(counts[3], 40000, 500);
	assert_int_equal(counts[2] + counts[4], 0);

	count_draws((struct sampler){ 1, 0.5F, 1 }, LOGITS, 5, 21000, counts); /* weights squared */
	assert_near(counts[0], 1000, 150);
	assert_near(counts[1], 4000, 250);
	assert_near(counts[3], 16000, 300);
}

static void top_p_keeps_the_fewest_tokens_that_reach_it(void **state)
{
	static const float LOGITS[] = { 0, 0.6931472F, 0.6931472F, 1.3862944F }; /* 1/9, 2/9, 2/9, 4/9 */
	unsigned counts[4];

	(void)state;
	count_draws((struct sampler){ 9, 1, 0.4F }, LOGITS, 4, 1000, counts);
	assert_int_equal(counts[3], 1000);
	count_draws((struct sampler){ 9, 1, 0.6F }, LOGITS, 4, 6000, counts); /* of equals, the lower id */
	assert_near(counts[3], 4000, 200);
	assert_near(counts[1], 2000, 200);
	assert_int_equal(counts[0] + counts[2], 0);
	count_draws((struct sampler){ 9, 1, 0.95F }, LOGITS, 4, 9000, counts);
	assert_near(counts[0], 1000, 150);
	count_draws((struct sampler){ 9, 1, 0 }, LOGITS, 4, 100, counts);
	assert_int_equal(counts[3], 100);
}

static void no_temperature_is_greedy(void **state)
{
	static const float LOGITS[] = { 1, 3, NAN, 3 };
	struct sampler sampler = { 5, 0, 1 };
	uint32_t order[4];

	(void)state;
	assert_int_equal(sampler_draw(&sampler, LOGITS, 4, order), 1);
	assert_int_equal(sampler.state, 5);
	sampler.temperature = 1e-40F;
	assert_in_range(sampler_draw(&sampler, LOGITS, 4, order) % 2, 1, 1);
	sampler.temperature = 1;
	assert_int_equal(sampler_draw(&sampler, (const float[]){ NAN, NAN }, 2, order), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(greedy_takes_the_largest_and_the_lower_of_equals),
		cmocka_unit_test(greedy_never_takes_nan),
		cmocka_unit_test(greedy_among_some_ids_sees_no_others),
		cmocka_unit_test(log_probabilities_are_those_of_the_whole_vocabulary),
		cmocka_unit_test(log_probabilities_neither_overflow_nor_vanish),
		cmocka_unit_test(the_same_seed_draws_the_same_tokens),
		cmocka_unit_test(a_seed_means_the_same_for_ever),
		cmocka_unit_test(tokens_come_as_often_as_their_probability_says),
		cmocka_unit_test(top_p_keeps_the_fewest_tokens_that_reach_it),
		cmocka_unit_test(no_temperature_is_greedy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
