/* The running top-k against a plain sort of all scores, in one run and merged from parts; with every family of kernels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/topk.h"
#include "tests/families.h"

#define MAX_N 8300
#define MANY 5000
#define TOGETHER 64 /* scores that are taken in at a time, at most */

struct candidate {
	double score;
	uint32_t pos;
};

/* The better one first: NaN last, equal ones by position. */
static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

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

/* Some scores, and what is asked of them. */
struct query {
	const float *scores;
	size_t n, k;
	float slack;
};

/* What came of it. */
struct choice {
	size_t n;
	bool overflowed;
	uint32_t positions[MAX_N];
};

static size_t sort_all(const struct query *query, uint32_t *ret)
{
	static struct candidate all[MAX_N];
	size_t n = query->k < query->n ? query->k : query->n;

	for (size_t i = 0; i < query->n; i++)
		all[i] = (struct candidate){ (double)query->scores[i], (uint32_t)i };
	qsort(all, query->n, sizeof(all[0]), compare_candidates);
	for (size_t i = 0; i < n; i++)
		ret[i] = all[i].pos;
	qsort(ret, n, sizeof(*ret), compare_positions);
	return n;
}

/* With the families in turn. */
static void new_topk(struct topk *topk, size_t k)
{
	static size_t n;

	assert_int_equal(topk_init(topk, k, families[n++ % n_families]), 0);
}

static void finish(struct topk *topk, struct choice *ret)
{
	const uint32_t *positions;

	ret->n = topk_finish(topk, &positions);
	ret->overflowed = topk->overflowed;
	memcpy(ret->positions, positions, ret->n * sizeof(*positions));
}

/* Pieces of drawn sizes, empty ones too; the same object serves query after query. */
static void push_in_pieces(struct topk *topk, const struct query *query, size_t largest, uint64_t *seed,
                           struct choice *ret)
{
	topk_start(topk, query->slack);
	for (size_t first = 0; first < query->n;) {
		size_t piece = (size_t)(draw(seed) % (largest + 1));

		if (piece > query->n - first)
			piece = query->n - first;
		topk_push(topk, query->scores + first, piece, (uint32_t)first);
		first += piece;
	}
	finish(topk, ret);
}

/* The same with positions that are given one by one, beyond those of the scores. */
static void push_at_positions(struct topk *topk, const struct query *query, size_t largest, uint64_t *seed,
                              struct choice *ret)
{
	static uint32_t positions[MAX_N];

	for (size_t i = 0; i < query->n; i++)
		positions[i] = (uint32_t)i * 3 + 1000000000;
	topk_start(topk, query->slack);
	for (size_t first = 0; first < query->n;) {
		size_t piece = (size_t)(draw(seed) % (largest + 1));

		if (piece > query->n - first)
			piece = query->n - first;
		topk_push_at(topk, query->scores + first, piece, positions + first);
		first += piece;
	}
	finish(topk, ret);
	for (size_t i = 0; i < ret->n; i++)
		ret->positions[i] = (ret->positions[i] - 1000000000) / 3;
}

/* So many parts of drawn sizes, empty ones too, the first of them pushed into what the others are merged into; then the
 * rest of the scores behind them. */
static void merge_parts(struct topk *topk, const struct query *query, size_t n_parts, uint64_t *seed,
                        struct choice *ret)
{
	const float *scores = query->scores;
	size_t n = query->n, first = (size_t)(draw(seed) % (n + 1));
	struct topk part;

	new_topk(&part, topk->k);
	topk_start(topk, query->slack);
	topk_push(topk, scores, first, 0);
	for (size_t i = 1; i < n_parts; i++) {
		size_t end = first + (size_t)(draw(seed) % (n - first + 1)), middle = (first + end) / 2;

		topk_start(&part, query->slack);
		topk_push(&part, scores + first, middle - first, (uint32_t)first);
		topk_push(&part, scores + middle, end - middle, (uint32_t)middle);
		topk_merge(topk, &part);
		first = end;
	}
	topk_push(topk, scores + first, n - first, (uint32_t)first);
	finish(topk, ret);
	topk_done(&part);
}

/* Parts of equal size, each in an object of its own, merged by twos, then those by twos: whatever the way. */
static void merge_merged(const struct query *query, struct choice *ret)
{
	struct topk parts[8];

	for (size_t i = 0; i < COUNT(parts); i++) {
		size_t first = query->n * i / COUNT(parts), end = query->n * (i + 1) / COUNT(parts);

		new_topk(&parts[i], query->k);
		topk_start(&parts[i], query->slack);
		topk_push(&parts[i], query->scores + first, end - first, (uint32_t)first);
	}
	for (size_t step = 1; step < COUNT(parts); step *= 2) {
		for (size_t i = 0; i < COUNT(parts); i += 2 * step)
			topk_merge(&parts[i], &parts[i + step]);
	}
	finish(&parts[0], ret);
	for (size_t i = 0; i < COUNT(parts); i++)
		topk_done(&parts[i]);
}

static const size_t LARGEST[] = { 1, 3, 64, 1000, MAX_N };
#define N_WAYS (3 * COUNT(LARGEST) + 1)

/* One of N_WAYS to come to a choice. */
static void choose_by(size_t way, struct topk *topk, const struct query *query, uint64_t *seed,
                      struct choice *ret)
{
	size_t i = way % COUNT(LARGEST);

	if (way < COUNT(LARGEST))
		push_in_pieces(topk, query, LARGEST[i], seed, ret);
	else if (way < 2 * COUNT(LARGEST))
		push_at_positions(topk, query, LARGEST[i], seed, ret);
	else if (way < 3 * COUNT(LARGEST))
		merge_parts(topk, query, 5 + i, seed, ret);
	else
		merge_merged(query, ret);
}

static void check_against_sort(const float *scores, size_t n, size_t k, uint64_t *seed)
{
	static uint32_t expected[MAX_N];
	static struct choice choice;
	struct query query = { scores, n, k, 0 };
	size_t n_expected = sort_all(&query, expected);
	struct topk topk;

	new_topk(&topk, k);
	for (size_t way = 0; way < N_WAYS; way++) {
		choose_by(way, &topk, &query, seed, &choice);
		assert_int_equal(choice.n, n_expected);
		assert_memory_equal(choice.positions, expected, n_expected * sizeof(*expected));
		assert_false(choice.overflowed);
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
	static const size_t NS[] = { 1, 2, 15, 64, 65, 600, 1025, MANY }, KS[] = { 1, 2, 16, 512, 700 };
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

/* Where the first cut comes, and one score or some to either side; k of what is passed over together, too. */
static void the_choice_is_that_of_a_plain_sort_at_every_limit(void **state)
{
	static const size_t KS[] = { 1, 15, 16, 17, 511, 512, 513, 1024 };
	static const unsigned VALUES[] = { 0, 1, 2, 9 };
	static float scores[MAX_N];
	uint64_t seed = 5;

	(void)state;
	for (size_t i = 0; i < COUNT(KS) * COUNT(VALUES); i++) {
		struct topk topk;
		size_t limit;

		new_topk(&topk, KS[i / COUNT(VALUES)]);
		topk_start(&topk, 0);
		limit = topk.limit;
		topk_done(&topk);
		for (size_t n = limit - 17; n <= limit + 17;
		     n += n == limit - 15 || n == limit + 1 ? 14 : 1) {
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
	static float scores[MANY];
	uint64_t seed = 2;

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		scores[i] = (float)i;
	check_against_sort(scores, MANY, 16, &seed);
	for (size_t i = 0; i < MANY; i++)
		scores[i] = -(float)i;
	check_against_sort(scores, MANY, 16, &seed);
}

static size_t choose(const float *scores, size_t n, size_t k, uint32_t *ret)
{
	const uint32_t *positions;
	struct topk topk;

	new_topk(&topk, k);
	topk_start(&topk, 0);
	topk_push(&topk, scores, n, 0);
	n = topk_finish(&topk, &positions);
	memcpy(ret, positions, n * sizeof(*ret));
	topk_done(&topk);
	return n;
}

static void among_equal_scores_the_first_positions_win(void **state)
{
	static float scores[MANY];
	uint32_t chosen[16];

	(void)state;
	assert_int_equal(choose(scores, MANY, 16, chosen), 16);
	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(chosen[i], i);
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
	static float scores[MANY];
	uint64_t seed = 3;

	(void)state;
	for (size_t k = 1; k < 3000; k = k * 3 + 1) {
		for (size_t i = 0; i < MANY; i++)
			scores[i] = ODD[draw(&seed) % COUNT(ODD)];
		check_against_sort(scores, MANY, k, &seed);
	}
}

/* The keys of both infinities are as far apart as keys can be; with NaN among the scores, or only one of the two, they
 * lie otherwise. */
static void infinities_sort_like_the_rest(void **state)
{
	static const float ODD[] = { INFINITY, -INFINITY, 0, 3.4028235e38F, NAN };
	static float scores[MANY];
	uint32_t chosen[1];
	uint64_t seed = 6;

	(void)state;
	assert_int_equal(choose((const float[]){ -INFINITY, INFINITY, INFINITY, 1 }, 4, 1, chosen), 1);
	assert_int_equal(chosen[0], 1);
	for (size_t n_odd = 1; n_odd <= COUNT(ODD); n_odd++) {
		for (size_t k = 1; k < 3000; k = k * 3 + 1) {
			for (size_t i = 0; i < MANY; i++)
				scores[i] =
					draw(&seed) % 3 == 0 ? draw_float(&seed) : ODD[draw(&seed) % n_odd];
			check_against_sort(scores, MANY, k, &seed);
			check_against_sort(scores, 30, k, &seed);
		}
	}
}

static void what_is_merged_stays_as_it_was(void **state)
{
	static float scores[MANY];
	static uint32_t expected[MANY];
	static struct choice choice;
	struct query query = { scores, MANY, 100, 0 };
	struct topk whole, part;
	uint64_t seed = 7;
	size_t n;

	(void)state;
	fill(scores, MANY, 0, &seed);
	n = sort_all(&query, expected);
	new_topk(&whole, query.k);
	new_topk(&part, query.k);
	topk_start(&whole, 0);
	topk_start(&part, 0);
	topk_merge(&whole, &part); /* nothing into nothing */
	finish(&whole, &choice);
	assert_int_equal(choice.n, 0);
	topk_push(&part, scores, MANY, 0);
	topk_merge(&whole, &part);
	for (int i = 0; i < 2; i++) {
		finish(i == 0 ? &whole : &part, &choice);
		assert_int_equal(choice.n, n);
		assert_memory_equal(choice.positions, expected, n * sizeof(*expected));
	}
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

/* How the scores of the tests with slack lie. */
enum spread { EVEN, FEW_VALUES, CLUSTERS, NEGATIVE, OUTLIERS, EQUAL, INFINITE, N_SPREADS };

static float draw_score(enum spread spread, uint64_t *seed)
{
	static const float ODD[] = { INFINITY, -INFINITY, NAN, -NAN, 3.4028235e38F, -3.4028235e38F, -0.0F };
	float even = draw_float(seed);
	uint64_t which = draw(seed);

	switch (spread) {
	case FEW_VALUES:
		return (float)((int)(which % 7) - 3) * 0.25F;
	case CLUSTERS:
		return (float)(which % 5) * 10 + even * 1e-3F;
	case NEGATIVE:
		return even - 1000;
	case OUTLIERS:
		return which % 50 == 0 ? even * 1e30F : even;
	case EQUAL:
		return -3;
	case INFINITE:
		return which % 3 == 0 ? ODD[which / 3 % COUNT(ODD)] : even;
	default:
		return even;
	}
}

/* The k-th best of so many, the best first; NaN, which nothing is below, where they are fewer. */
static double kth_best(struct candidate *all, size_t n, size_t k)
{
	qsort(all, n, sizeof(*all), compare_candidates);
	return k <= n ? all[k - 1].score : (double)NAN;
}

/* Which positions were chosen; they must rise. */
static const bool *chosen_ones(const struct choice *choice, size_t n)
{
	static bool ret[MAX_N];

	memset(ret, 0, sizeof(ret));
	for (size_t i = 0; i < choice->n; i++) {
		assert_true(choice->positions[i] < n);
		assert_true(i == 0 || choice->positions[i] > choice->positions[i - 1]);
		ret[choice->positions[i]] = true;
	}
	return ret;
}

/* Whatever is not below the k-th best by more than the slack is there, or it is said that there was no room. */
static void check_near_ones(const struct query *query, const struct choice *choice, size_t room)
{
	static struct candidate all[MAX_N];
	const bool *chosen = chosen_ones(choice, query->n);
	size_t n_near = 0;
	double kth;

	for (size_t i = 0; i < query->n; i++)
		all[i] = (struct candidate){ (double)query->scores[i], (uint32_t)i };
	kth = kth_best(all, query->n, query->k);
	for (size_t i = 0; i < query->n; i++) {
		bool near = isnan(kth) || (double)query->scores[i] >= kth - (double)query->slack;

		n_near += near;
		assert_true(choice->overflowed || !near || chosen[i]);
	}
	assert_true(choice->overflowed || n_near <= room);
	assert_true(!choice->overflowed || query->n > room - TOGETHER);
}

/* The scores are off by up to half of the slack: by all of it in one direction for those that are among the best as they
 * stand and in the other for the rest, or by drawn parts of it. The best of the true ones are there. */
static void check_true_ones(const struct query *query, const struct choice *choice, bool is_drawn,
                            uint64_t *seed)
{
	static struct candidate all[MAX_N];
	const bool *chosen = chosen_ones(choice, query->n);
	double kth;

	for (size_t i = 0; i < query->n; i++)
		all[i] = (struct candidate){ (double)query->scores[i], (uint32_t)i };
	kth = kth_best(all, query->n, query->k);
	for (size_t i = 0; i < query->n; i++) {
		double direction = is_drawn ? (double)draw_float(seed) : all[i].score >= kth ? -1 : 1;

		all[i].score += direction * (double)query->slack / 2;
	}
	qsort(all, query->n, sizeof(all[0]), compare_candidates);
	for (size_t i = 0; i < query->n && i < query->k; i++)
		assert_true(choice->overflowed || chosen[all[i].pos]);
}

static void check_with_slack(const struct query *query, bool all_finite, uint64_t *seed)
{
	static struct choice choice;
	struct topk topk;

	new_topk(&topk, query->k);
	for (size_t way = 0; way < N_WAYS; way++) {
		choose_by(way, &topk, query, seed, &choice);
		check_near_ones(query, &choice, topk.cap);
		for (int is_drawn = 0; all_finite && is_drawn <= 1; is_drawn++)
			check_true_ones(query, &choice, is_drawn != 0, seed);
	}
	topk_done(&topk);
}

static void with_slack_nothing_is_lost_that_may_be_among_the_best(void **state)
{
	static const float SLACKS[] = { 1e-45F, 1e-6F, 1e-3F, 0.02F, 0.3F, 3, 1e30F };
	static float scores[MAX_N];
	uint64_t seed = 8;

	(void)state;
	for (unsigned i = 0; i < N_SPREADS * COUNT(SLACKS) * 6; i++) {
		enum spread spread = (enum spread)(i % N_SPREADS);
		struct query query = { scores, 1 + (size_t)(draw(&seed) % (i % 2 == 0 ? MAX_N : 1500)),
			               1 + (size_t)(draw(&seed) % 600),
			               SLACKS[i / N_SPREADS % COUNT(SLACKS)] };

		if (i % 5 == 0)
			query.k = 1 + (size_t)(draw(&seed) % 8);
		for (size_t j = 0; j < query.n; j++)
			scores[j] = draw_score(spread, &seed);
		check_with_slack(&query, spread != INFINITE, &seed);
	}
}

/* What is farther below the best than the slack goes, but for those next to the k-th. */
static void with_slack_what_is_far_below_the_best_is_let_go(void **state)
{
	static const size_t KS[] = { 1, 7, 8, 100, 512 };
	static float scores[MANY];
	static struct candidate held[MAX_N];
	static struct choice choice;
	uint64_t seed = 9;

	(void)state;
	for (size_t i = 0; i < COUNT(KS); i++) {
		struct query query = { scores, MANY, KS[i], 0.05F };
		struct topk topk;

		fill(scores, MANY, 0, &seed);
		new_topk(&topk, query.k);
		for (size_t way = 0; way < N_WAYS; way++) {
			double next;

			choose_by(way, &topk, &query, &seed, &choice);
			assert_false(choice.overflowed);
			for (size_t j = 0; j < choice.n; j++)
				held[j] = (struct candidate){ (double)scores[choice.positions[j]],
					                      choice.positions[j] };
			next = kth_best(held, choice.n, query.k + query.k / 8 + 1);
			assert_true(isnan(next) || held[choice.n - 1].score >= next - 0.0501);
		}
		topk_done(&topk);
	}
}

/* One score that is the best, n_near that are just not too far below it, n_far that are, and by more than what lies between
 * the k-th and the next ones; in that order, or the far ones first. */
static bool overflows(struct topk *topk, size_t n_near, size_t n_far, bool far_first, size_t piece)
{
	static struct choice choice;
	static float scores[MAX_N];
	struct query query = { scores, n_near + n_far + 1, 1, 0.25F };
	uint64_t seed = 10;

	assert_true(query.n <= MAX_N);
	for (size_t i = 0; i < n_near + n_far; i++) {
		bool is_far = far_first ? i < n_far : i >= n_near;

		scores[i + 1] = is_far ? 0 : 0.75F;
	}
	scores[0] = 1;
	push_in_pieces(topk, &query, piece, &seed, &choice);
	assert_int_equal(choice.overflowed, topk->overflowed);
	assert_true(choice.overflowed || choice.n == n_near + 1);
	return choice.overflowed;
}

static void more_than_there_is_room_for_is_said_to_be_so(void **state)
{
	struct topk topk;
	size_t room;

	(void)state;
	for (size_t f = 0; f < n_families; f++) {
		new_topk(&topk, 1);
		room = topk.cap;
		for (size_t i = 0; i < COUNT(LARGEST); i++) {
			for (int far_first = 0; far_first <= 1; far_first++) {
				assert_true(overflows(&topk, room, 3000, far_first != 0, LARGEST[i]));
				assert_false(overflows(&topk, room - 1 - TOGETHER, 3000, far_first != 0,
				                       LARGEST[i]));
			}
		}
		assert_true(overflows(&topk, room, 2000, true, 1));
		assert_false(overflows(&topk, room - 1, 2000, true, 1));
		assert_true(overflows(&topk, room, 0, true, 1));
		assert_false(overflows(&topk, room - 1, 0, true, 1));
		topk_done(&topk);
	}
}

static void what_overflowed_stays_so_until_the_next_query(void **state)
{
	static float scores[MANY];
	struct topk whole, part;
	const uint32_t *positions;

	(void)state;
	new_topk(&whole, 4);
	new_topk(&part, 4);
	topk_start(&part, 1);
	topk_push(&part, scores, MANY, 0);
	assert_true(part.overflowed);
	topk_push(&part, (const float[]){ 9, 8, 7, 6, 5 }, 5, MANY);
	topk_finish(&part, &positions);
	assert_true(part.overflowed);
	topk_start(&whole, 1);
	topk_push(&whole, scores, 10, 0);
	topk_merge(&whole, &part);
	assert_true(whole.overflowed);
	topk_finish(&whole, &positions);
	assert_true(whole.overflowed);
	topk_start(&whole, 0);
	topk_push(&whole, scores, MANY, 0);
	assert_int_equal(topk_finish(&whole, &positions), 4);
	assert_int_equal(positions[3], 3);
	assert_false(whole.overflowed);
	topk_done(&whole);
	topk_done(&part);
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
		cmocka_unit_test(with_slack_nothing_is_lost_that_may_be_among_the_best),
		cmocka_unit_test(with_slack_what_is_far_below_the_best_is_let_go),
		cmocka_unit_test(more_than_there_is_room_for_is_said_to_be_so),
		cmocka_unit_test(what_overflowed_stays_so_until_the_next_query),
	};

	return cmocka_run_group_tests(tests, find_families, NULL);
}
