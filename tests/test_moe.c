/* The router by hand, and against a plain second implementation in double precision. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/moe.h"
#include "tests/fixture.h"

#define MAX_EXPERTS 64

static const struct model_shape PLAIN = {
	.n_routed_experts = 8,
	.num_experts_per_tok = 2,
	.n_group = 1,
	.topk_group = 1,
	.routed_scaling_factor = 1,
	.norm_topk_prob = true,
};

/* The router logit whose sigmoid is p. */
static float logit(double p)
{
	return (float)log(p / (1 - p));
}

static void route(const struct model_shape *shape, const double *scores, const float *bias, uint32_t *experts,
                  float *weights)
{
	float logits[MAX_EXPERTS];

	for (uint32_t e = 0; e < shape->n_routed_experts; e++)
		logits[e] = logit(scores[e]);
	moe_route(shape, logits, bias, experts, weights);
}

static void assert_weight(float value, double expected)
{
	if (!(fabs((double)value - expected) <= 1e-5))
		fail_msg("%.9g is not %.9g", (double)value, expected);
}

static void the_best_experts_are_chosen_and_stand_in_order_of_number(void **state)
{
	const double scores[] = { 0.1, 0.2, 0.9, 0.3, 0.1, 0.2, 0.6, 0.5 };
	uint32_t experts[2];
	float weights[2];

	(void)state;
	route(&PLAIN, scores, NULL, experts, weights);
	assert_int_equal(experts[0], 2);
	assert_int_equal(experts[1], 6);
	assert_weight(weights[0], 0.6);
	assert_weight(weights[1], 0.4);
}

static void the_bias_chooses_and_the_unbiased_scores_weigh(void **state)
{
	const double scores[] = { 0.1, 0.2, 0.9, 0.3, 0.1, 0.2, 0.6, 0.5 };
	const float bias[] = { 0, 1, -1, 0, 0, 0, -0.5F, 0.1F };
	uint32_t experts[2];
	float weights[2];

	(void)state;
	route(&PLAIN, scores, bias, experts, weights);
	assert_int_equal(experts[0], 1); /* 1.2 */
	assert_int_equal(experts[1], 7); /* 0.6 */
	assert_weight(weights[0], 0.2 / 0.7);
	assert_weight(weights[1], 0.5 / 0.7);
}

static void weights_are_scaled_and_normed_only_where_asked(void **state)
{
	const double scores[] = { 0.1, 0.2, 0.9, 0.3, 0.1, 0.2, 0.6, 0.5 };
	struct model_shape shape = PLAIN;
	uint32_t experts[2];
	float weights[2];

	(void)state;
	shape.routed_scaling_factor = 2.5F;
	route(&shape, scores, NULL, experts, weights);
	assert_weight(weights[0], 2.5 * 0.6);
	shape.norm_topk_prob = false;
	route(&shape, scores, NULL, experts, weights);
	assert_weight(weights[0], 2.5 * 0.9);
	assert_weight(weights[1], 2.5 * 0.6);
}

static void among_equal_experts_the_lower_numbers_are_chosen(void **state)
{
	const double scores[] = { 0.2, 0.5, 0.5, 0.5, 0.5, 0.1, 0.5, 0.5 };
	struct model_shape shape = PLAIN;
	uint32_t experts[3];
	float weights[3];

	(void)state;
	shape.num_experts_per_tok = 3;
	route(&shape, scores, NULL, experts, weights);
	assert_int_equal(experts[0], 1);
	assert_int_equal(experts[1], 2);
	assert_int_equal(experts[2], 3);
	assert_weight(weights[2], 1.0 / 3);
}

/* With 8 groups of 2 and biases that make every sum negative, a dropped group counted as 0 would win. */
static void dropped_groups_lose_to_negative_ones(void **state)
{
	struct model_shape shape = PLAIN;
	double scores[16];
	float bias[16], weights[4];
	uint32_t experts[4];

	(void)state;
	shape.n_routed_experts = 16;
	shape.n_group = 8;
	shape.topk_group = 2;
	shape.num_experts_per_tok = 4;
	for (uint32_t e = 0; e < 16; e++) {
		scores[e] = 0.5;
		bias[e] = -3 - (float)e / 16;
	}
	bias[10] = bias[11] = -2; /* group 5 is the best, */
	bias[6] = -1.5F; /* and group 3 beside group 0: -4 -0.9 against -6.06 */
	route(&shape, scores, bias, experts, weights);
	assert_int_equal(experts[0], 6);
	assert_int_equal(experts[1], 7);
	assert_int_equal(experts[2], 10);
	assert_int_equal(experts[3], 11);
	for (size_t i = 0; i < 4; i++)
		assert_weight(weights[i], 0.25);
}

static void a_group_counts_by_its_two_best(void **state)
{
	/* group 0 has the best expert, group 1 the best pair, group 2 the best three */
	const double scores[] = { 0.9, 0.1, 0.1, 0.1, 0.7, 0.6, 0.1, 0.1, 0.5, 0.5, 0.5, 0.5 };
	struct model_shape shape = PLAIN;
	uint32_t experts[3];
	float weights[3];

	(void)state;
	shape.n_routed_experts = 12;
	shape.n_group = 3;
	shape.num_experts_per_tok = 3;
	route(&shape, scores, NULL, experts, weights);
	assert_int_equal(experts[0], 4);
	assert_int_equal(experts[1], 5);
	assert_int_equal(experts[2], 6);
}

static void of_equal_groups_the_lower_ones_are_kept(void **state)
{
	const double scores[] = { 0.1, 0.1, 0.5, 0.4, 0.4, 0.5, 0.5, 0.4 };
	struct model_shape shape = PLAIN;
	uint32_t experts[2];
	float weights[2];

	(void)state;
	shape.n_group = 4;
	shape.num_experts_per_tok = 2;
	route(&shape, scores, NULL, experts, weights);
	assert_int_equal(experts[0], 2);
	assert_int_equal(experts[1], 3);
}

static void a_softmax_gate_shares_one_among_all_experts(void **state)
{
	struct model_shape shape = PLAIN;
	float logits[] = { 0, 1.0986123F, 0, -INFINITY, 0, 0, 0.6931472F, 0 },
	      weights[2]; /* 1 3 1 0 1 1 2 1 */
	uint32_t experts[2];

	(void)state;
	shape.softmax_gate = true;
	shape.norm_topk_prob = false;
	moe_route(&shape, logits, NULL, experts, weights);
	assert_int_equal(experts[0], 1);
	assert_int_equal(experts[1], 6);
	assert_weight(weights[0], 0.3);
	assert_weight(weights[1], 0.2);
}

static void scores_that_vanish_give_no_nan(void **state)
{
	float logits[] = { -200, -200, -200, -200, -200, -200, -200, -200 }, weights[2];
	uint32_t experts[2];

	(void)state;
	moe_route(&PLAIN, logits, NULL, experts, weights);
	assert_true(weights[0] == 0 && weights[1] == 0);
	assert_int_equal(experts[0], 0);
	assert_int_equal(experts[1], 1);
}

/* The paper's order of steps, one expert at a time, with dropped groups at minus infinity. */
static void route_plainly(const struct model_shape *shape, const float *logits, const float *bias,
                          bool *chosen)
{
	uint32_t n = shape->n_routed_experts / shape->n_group;
	float b[MAX_EXPERTS], group[MAX_EXPERTS];
	bool kept[MAX_EXPERTS] = { false };

	memset(chosen, 0, MAX_EXPERTS * sizeof(*chosen));
	for (uint32_t e = 0; e < shape->n_routed_experts; e++)
		b[e] = 1 / (1 + expf(-logits[e])) + bias[e];
	for (uint32_t g = 0; g < shape->n_group; g++) {
		group[g] = -INFINITY;
		for (uint32_t i = 0; i < n; i++) {
			for (uint32_t j = i + 1; j < n; j++)
				group[g] = fmaxf(group[g], b[g * n + i] + b[g * n + j]);
		}
	}
	for (uint32_t i = 0; i < shape->topk_group; i++) {
		uint32_t best = UINT32_MAX;

		for (uint32_t g = 0; g < shape->n_group; g++) {
			if (!kept[g] && (best == UINT32_MAX || group[g] > group[best]))
				best = g;
		}
		kept[best] = true;
	}
	for (uint32_t i = 0; i < shape->num_experts_per_tok; i++) {
		uint32_t best = UINT32_MAX;

		for (uint32_t e = 0; e < shape->n_routed_experts; e++) {
			if ((kept[e / n] || shape->n_group == 1) && !chosen[e] &&
			    (best == UINT32_MAX || b[e] > b[best]))
				best = e;
		}
		chosen[best] = true;
	}
}

static void check_random(const struct model_shape *shape, uint64_t *seed)
{
	float logits[MAX_EXPERTS], bias[MAX_EXPERTS], weights[8], sum = 0;
	bool chosen[MAX_EXPERTS];
	uint32_t experts[8];

	for (uint32_t e = 0; e < shape->n_routed_experts; e++) {
		logits[e] = (float)(int)(draw(seed) % 9) - 4; /* few values: ties */
		bias[e] = ((float)(draw(seed) % 4) - 3) / 4;
	}
	route_plainly(shape, logits, bias, chosen);
	moe_route(shape, logits, bias, experts, weights);
	for (uint32_t i = 0; i < shape->num_experts_per_tok; i++) {
		assert_true(i == 0 || experts[i] > experts[i - 1]);
		assert_true(chosen[experts[i]]);
		sum += weights[i];
	}
	assert_weight(sum, (double)shape->routed_scaling_factor);
}

static void routing_is_that_of_a_plain_implementation(void **state)
{
	static const uint32_t SHAPES[][4] = {
		/* experts, groups, kept, chosen */
		{ 8, 1, 1, 2 },  { 16, 4, 2, 4 }, { 64, 8, 4, 8 },
		{ 64, 1, 1, 8 }, { 16, 8, 8, 8 }, { 6, 3, 1, 2 },
	};
	uint64_t seed = 31;

	(void)state;
	for (size_t i = 0; i < COUNT(SHAPES); i++) {
		struct model_shape shape = PLAIN;

		shape.n_routed_experts = SHAPES[i][0];
		shape.n_group = SHAPES[i][1];
		shape.topk_group = SHAPES[i][2];
		shape.num_experts_per_tok = SHAPES[i][3];
		shape.routed_scaling_factor = 2.5F;
		for (unsigned round = 0; round < 500; round++)
			check_random(&shape, &seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_experts_are_chosen_and_stand_in_order_of_number),
		cmocka_unit_test(the_bias_chooses_and_the_unbiased_scores_weigh),
		cmocka_unit_test(weights_are_scaled_and_normed_only_where_asked),
		cmocka_unit_test(among_equal_experts_the_lower_numbers_are_chosen),
		cmocka_unit_test(dropped_groups_lose_to_negative_ones),
		cmocka_unit_test(a_group_counts_by_its_two_best),
		cmocka_unit_test(of_equal_groups_the_lower_ones_are_kept),
		cmocka_unit_test(a_softmax_gate_shares_one_among_all_experts),
		cmocka_unit_test(scores_that_vanish_give_no_nan),
		cmocka_unit_test(routing_is_that_of_a_plain_implementation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
