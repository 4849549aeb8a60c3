/* Dense attention with keys and values expanded: the absorbed form's logits within rounding, and bits that depend on
 * neither passes, threads nor company. Behind more positions than are expanded together, of which the last are not a whole
 * page. What came densely does not reach a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>

#include "base/array.h"
#include "model/context.h"
#include "model/dense.h"
#include "model/ops.h"
#include "tests/block_memory.h"
#include "tests/fixture.h"
#include "tests/recording.h"

#define N_TOKENS (4 * DENSE_TILE + BLOCK_TOKENS + 9)

/* A checkpoint and how its numbers are computed. */
struct mode {
	const char *name;
	enum numerics numerics;
	enum mla_form form;
	const char *kernels;
};

static const char *const FAMILIES[] = { "avx2", "plain", "avx512", "avx512bf16", "avx2bf16" };

static struct engine *open_mode(const struct mode *mode, unsigned n_threads, size_t prefill_rows)
{
	struct path dir = fixture_path(mode->name);
	struct engine_settings settings = { .dir = dir.text,
		                            .numerics = mode->numerics,
		                            .mla_form = mode->form,
		                            .n_threads = n_threads,
		                            .prefill_rows = prefill_rows,
		                            .kernels = mode->kernels };
	struct engine *engine;
	struct err err;

	if (engine_open(&settings, &engine, &err) < 0)
		fail_msg("%s", err.text);
	return engine;
}

/* All families here in both numerics, each on a checkpoint of its own; with SKIMD_TEST_SHORT every third. */
static void each_mode(void (*check)(const struct mode *mode))
{
	for (size_t i = 0; i < 2 * COUNT(FAMILIES); i += tests_are_short() ? 3 : 1) {
		struct mode mode = { FIXTURES[i % COUNT(FIXTURES)],
			             i % 2 == 0 ? NUMERICS_STRICT : NUMERICS_PRODUCTION, MLA_ABSORBED,
			             FAMILIES[i / 2] };
		const struct ops *ops;

		if (ops_select(mode.kernels, &ops, NULL) == 0)
			check(&mode);
	}
}

static struct context *new_context(struct engine *engine, enum attention attention)
{
	struct context *context;
	struct err err;

	assert_int_equal(context_new(engine, &context, &err), 0);
	context_set_attention(context, attention);
	return context;
}

static struct context *fork_context(const struct context *parent, enum attention attention)
{
	struct context *context;
	struct err err;

	assert_int_equal(context_fork(parent, &context, &err), 0);
	context_set_attention(context, attention);
	return context;
}

/* n_sparse tokens with sparse attention, the rest with the other. */
static struct recording compute(struct engine *engine, const uint32_t *tokens, size_t n_sparse,
                                enum attention attention)
{
	struct recording ret = new_recording(engine, N_TOKENS);
	struct context *context = new_context(engine, ATTENTION_SPARSE);

	watch(context, &ret);
	forward(context, tokens, n_sparse);
	context_set_attention(context, attention);
	forward(context, tokens + n_sparse, N_TOKENS - n_sparse);
	context_free(context);
	return ret;
}

/* Positions [first, N_TOKENS) of both, bit for bit. */
static void assert_equal_from(const struct mode *mode, const struct recording *a, const struct recording *b,
                              size_t first)
{
	for (size_t pos = first; pos < N_TOKENS; pos++) {
		if (memcmp(a->logits + pos * a->n_vocab, b->logits + pos * b->n_vocab,
		           a->n_vocab * sizeof(*a->logits)) != 0)
			fail_msg("%s, %s, %s: the logits of position %zu differ", mode->name, mode->kernels,
			         mode->numerics == NUMERICS_STRICT ? "strict" : "production", pos);
	}
}

/* How many positions have a logit that is off by more than `bar` of the largest. */
static size_t count_different(const struct recording *a, const struct recording *b, double bar)
{
	double largest = 0;
	size_t n = 0;

	for (size_t i = 0; i < N_TOKENS * a->n_vocab; i++)
		largest = fmax(largest, fabs((double)b->logits[i]));
	for (size_t pos = 0; pos < N_TOKENS; pos++) {
		double most = 0;

		for (size_t i = pos * a->n_vocab; i < (pos + 1) * a->n_vocab; i++) {
			assert_true(isfinite(a->logits[i]));
			most = fmax(most, fabs((double)a->logits[i] - (double)b->logits[i]));
		}
		n += most > bar * largest;
	}
	return n;
}

/* What rounding does, the worst seen being a tenth of it; where it is to bf16 a router may choose another expert. */
static void check_forms(const struct mode *mode)
{
	struct engine *engine = open_mode(mode, 2, 0);
	struct recording expanded, absorbed, sparse;
	uint32_t tokens[N_TOKENS];
	double bar = mode->numerics == NUMERICS_STRICT ? 3e-5 : 2e-3;
	size_t n_other_experts = 0;
	const struct ops *ops;

	assert_int_equal(ops_select(mode->kernels, &ops, NULL), 0);
	if (mode->numerics == NUMERICS_PRODUCTION && ops->rounds_inputs) {
		bar = 5e-2;
		n_other_experts = N_TOKENS / 10;
	}
	draw_tokens(engine, 31, tokens, N_TOKENS);
	expanded = compute(engine, tokens, 0, ATTENTION_DENSE_EXPANDED);
	absorbed = compute(engine, tokens, 0, ATTENTION_DENSE);
	sparse = compute(engine, tokens, 0, ATTENTION_SPARSE);
	if (count_different(&expanded, &absorbed, bar) > n_other_experts)
		fail_msg("%s, %s: %zu positions are off by more than %g", mode->name, mode->kernels,
		         count_different(&expanded, &absorbed, bar), bar);
	assert_true(count_different(&sparse, &absorbed, bar) > N_TOKENS / 2);
	free(expanded.logits);
	free(absorbed.logits);
	free(sparse.logits);
	engine_close(engine);
}

static void both_dense_forms_give_the_same_logits_within_rounding(void **state)
{
	(void)state;
	each_mode(check_forms);
}

static void check_passes_and_threads(const struct mode *mode)
{
	static const struct {
		unsigned n_threads;
		size_t rows;
	} WAYS[] = { { 2, 7 }, { 3, 64 }, { 2, 65 }, { 3, 4096 }, { 1, 200 }, { 2, 1 } };
	struct engine *engine = open_mode(mode, 1, 0);
	struct recording expected;
	uint32_t tokens[N_TOKENS];

	draw_tokens(engine, 32, tokens, N_TOKENS);
	expected = compute(engine, tokens, 0, ATTENTION_DENSE_EXPANDED);
	for (size_t i = 0; i < COUNT(WAYS) - tests_are_short(); i++) {
		struct engine *other = open_mode(mode, WAYS[i].n_threads, WAYS[i].rows);
		struct recording seen = compute(other, tokens, 0, ATTENTION_DENSE_EXPANDED);

		assert_equal_from(mode, &seen, &expected, 0);
		free(seen.logits);
		engine_close(other);
	}
	free(expected.logits);
	engine_close(engine);
}

static void expanded_logits_depend_on_neither_passes_nor_threads(void **state)
{
	(void)state;
	each_mode(check_passes_and_threads);
}

/* The form of the engine itself is not the one of its dense contexts. */
static void check_naive(const struct mode *mode)
{
	struct mode naive = { mode->name, mode->numerics, MLA_NAIVE, mode->kernels };
	struct engine *engine = open_mode(mode, 2, 0), *other = open_mode(&naive, 2, 0);
	struct recording expected, seen;
	uint32_t tokens[N_TOKENS];

	draw_tokens(engine, 33, tokens, N_TOKENS);
	expected = compute(engine, tokens, 0, ATTENTION_DENSE_EXPANDED);
	seen = compute(other, tokens, 0, ATTENTION_DENSE_EXPANDED);
	assert_equal_from(mode, &seen, &expected, 0);
	free(expected.logits);
	free(seen.logits);
	engine_close(engine);
	engine_close(other);
}

static void an_engine_of_the_naive_form_gives_the_same_expanded_logits(void **state)
{
	(void)state;
	each_mode(check_naive);
}

#define N_PAST 300 /* sparse, and shared by all branches */
#define N_BRANCHES 6

static const enum attention OF_BRANCH[N_BRANCHES] = {
	ATTENTION_DENSE_EXPANDED, ATTENTION_SPARSE, ATTENTION_DENSE_EXPANDED,
	ATTENTION_DENSE_EXPANDED, ATTENTION_DENSE,  ATTENTION_DENSE_EXPANDED,
};

/* All branches go on together, so that a pass has rows of several forms, some of a few tokens only. */
static void check_branches(const struct mode *mode)
{
	static uint32_t tokens[N_BRANCHES][N_TOKENS];
	struct engine *engine = open_mode(mode, 3, 0);
	struct context *past = new_context(engine, ATTENTION_SPARSE);
	struct recording seen[N_BRANCHES], expected;
	struct append appends[N_BRANCHES];
	struct err err;

	for (size_t i = 0; i < N_BRANCHES; i++) {
		draw_tokens(engine, 34 + i, tokens[i], N_TOKENS);
		memcpy(tokens[i], tokens[0], N_PAST * sizeof(tokens[0][0]));
		seen[i] = new_recording(engine, N_TOKENS);
	}
	forward(past, tokens[0], N_PAST);
	for (size_t i = 0; i < N_BRANCHES; i++) {
		appends[i] = (struct append){ fork_context(past, OF_BRANCH[i]), tokens[i] + N_PAST, 1 + i % 3,
			                      false };
		watch(appends[i].context, &seen[i]);
	}
	assert_int_equal(context_forward(appends, N_BRANCHES, NULL, &err), 0);
	for (size_t i = 0; i < N_BRANCHES; i++) {
		appends[i].tokens += appends[i].n;
		appends[i].n = N_TOKENS - N_PAST - appends[i].n;
	}
	assert_int_equal(context_forward(appends, N_BRANCHES, NULL, &err), 0);
	for (size_t i = 0; i < N_BRANCHES; i++) {
		expected = compute(engine, tokens[i], N_PAST, OF_BRANCH[i]);
		assert_equal_from(mode, &seen[i], &expected, N_PAST);
		context_free(appends[i].context);
		free(expected.logits);
		free(seen[i].logits);
	}
	context_free(past);
	engine_close(engine);
}

static void branches_of_all_forms_run_together_as_each_by_itself(void **state)
{
	(void)state;
	each_mode(check_branches);
}

static int save(const struct context *context, struct block_memory *memory, struct err *err)
{
	const struct block_io io = block_memory_io(memory);

	return context_save(context, 0, false, &io, err);
}

static size_t restore(struct context *context, const uint32_t *tokens, struct block_memory *memory)
{
	const struct block_io io = block_memory_io(memory);
	struct err err;
	size_t n;

	assert_int_equal(context_restore(context, tokens, BLOCK_TOKENS, &io, &n, &err), 0);
	return n;
}

static void assert_not_saved(const struct context *context)
{
	struct block_memory memory = { .n_stored = 0 };
	struct err err;

	assert_int_equal(save(context, &memory, &err), -EINVAL);
	assert_string_equal(err.text, "a context with dense tokens has no blocks to be stored");
	assert_int_equal(memory.n_stored, 0);
}

static void check_saving(enum attention dense)
{
	struct mode mode = { "tiny", NUMERICS_PRODUCTION, MLA_AUTO, NULL };
	struct engine *engine = open_mode(&mode, 1, 0);
	struct context *sparse = new_context(engine, ATTENTION_SPARSE), *branch, *twig, *warm;
	struct block_memory memory = { .n_stored = 0 }, again = { .n_stored = 0 };
	uint32_t tokens[2 * BLOCK_TOKENS];
	struct err err;

	draw_tokens(engine, 41, tokens, COUNT(tokens));
	forward(sparse, tokens, BLOCK_TOKENS);
	branch = fork_context(sparse, dense);
	assert_int_equal(save(branch, &memory, &err), 0); /* nothing came densely yet */
	assert_int_equal(memory.n_stored, 1);
	warm = new_context(engine, dense);
	assert_int_equal(restore(warm, tokens, &memory), BLOCK_TOKENS);
	assert_int_equal(save(warm, &again, &err), 0);
	assert_memory_equal(again.ending_at[BLOCK_TOKENS], memory.ending_at[BLOCK_TOKENS], memory.n_bytes);
	forward(branch, tokens + BLOCK_TOKENS, 1);
	forward(warm, tokens + BLOCK_TOKENS, BLOCK_TOKENS);
	assert_not_saved(branch);
	assert_not_saved(warm);
	context_set_attention(branch, ATTENTION_SPARSE);
	twig = fork_context(branch, ATTENTION_SPARSE);
	forward(twig, tokens + BLOCK_TOKENS, BLOCK_TOKENS);
	assert_not_saved(branch);
	assert_not_saved(twig);
	assert_int_equal(save(sparse, &again, &err), 0);
	assert_memory_equal(again.ending_at[BLOCK_TOKENS], memory.ending_at[BLOCK_TOKENS], memory.n_bytes);
	context_free(twig);
	context_free(warm);
	context_free(branch);
	context_free(sparse);
	block_memory_done(&memory);
	block_memory_done(&again);
	engine_close(engine);
}

static void tokens_that_came_densely_are_not_saved_and_what_was_there_before_may_be(void **state)
{
	(void)state;
	check_saving(ATTENTION_DENSE);
	check_saving(ATTENTION_DENSE_EXPANDED);
}

static void an_expanded_context_without_tokens_takes_none(void **state)
{
	struct mode mode = { "tiny", NUMERICS_STRICT, MLA_AUTO, NULL };
	struct engine *engine = open_mode(&mode, 2, 0);
	struct context *context = new_context(engine, ATTENTION_DENSE_EXPANDED);

	(void)state;
	forward(context, NULL, 0);
	assert_int_equal(context_n_tokens(context), 0);
	context_free(context);
	engine_close(engine);
}

#define N_ROWS 3
#define N_KEYS (2 * DENSE_TILE + PANEL)
#define LD (DENSE_TILE + 8)

/* Scores in tiles, some of them not there, against a softmax of the whole row in double precision. */
static void check_softmax(const struct ops *ops, uint64_t seed, float size)
{
	static float scores[N_KEYS / DENSE_TILE + 1][N_ROWS][LD], first[N_KEYS / DENSE_TILE + 1][N_ROWS][LD];
	struct softmax_row rows[N_ROWS], kept[N_KEYS / DENSE_TILE + 1][N_ROWS];
	size_t n_tiles = 0;

	for (size_t i = 0; i < N_ROWS; i++)
		rows[i] = (struct softmax_row){ .most = -INFINITY };
	for (size_t key = 0; key < N_KEYS; key += DENSE_TILE, n_tiles++) {
		size_t n = N_KEYS - key < DENSE_TILE ? N_KEYS - key : DENSE_TILE;

		for (size_t i = 0; i < N_ROWS; i++) {
			for (size_t j = 0; j < LD; j++)
				scores[n_tiles][i][j] = j >= n ? NAN
				                        : j > 3 + i && key + DENSE_TILE >= N_KEYS
				                                ? -INFINITY
				                                : size * draw_float(&seed);
		}
		memcpy(first[n_tiles], scores[n_tiles], sizeof(first[n_tiles]));
		ops->softmax_tile(rows, N_ROWS, scores[n_tiles][0], LD, n);
		memcpy(kept[n_tiles], rows, sizeof(rows));
		for (size_t i = 0; i < N_ROWS; i++) {
			for (size_t j = n; j < LD; j++)
				assert_true(isnan(scores[n_tiles][i][j]));
		}
	}
	for (size_t i = 0; i < N_ROWS; i++) {
		double most = -INFINITY, sum = 0;

		for (size_t key = 0; key < N_KEYS; key++)
			most = fmax(most, (double)first[key / DENSE_TILE][i][key % DENSE_TILE]);
		for (size_t key = 0; key < N_KEYS; key++)
			sum += exp((double)first[key / DENSE_TILE][i][key % DENSE_TILE] - most);
		assert_true((double)rows[i].most == most);
		assert_true(fabs((double)rows[i].sum - sum) <= 1e-6 * sum);
		for (size_t key = 0; key < N_KEYS; key++) {
			size_t tile = key / DENSE_TILE;
			double share = exp((double)first[tile][i][key % DENSE_TILE] - most);
			double value = (double)scores[tile][i][key % DENSE_TILE];

			for (size_t later = tile + 1; later < n_tiles; later++)
				value *= (double)kept[later][i].factor;
			assert_true(fabs(value - share) <= 2e-6 * share + 1e-37);
			assert_true(share > 0 || value == 0);
		}
	}
}

static void a_softmax_by_tiles_is_that_of_the_whole_row(void **state)
{
	const struct ops *ops;

	(void)state;
	for (size_t i = 0; i < COUNT(FAMILIES); i++) {
		if (ops_select(FAMILIES[i], &ops, NULL) < 0)
			continue;
		check_softmax(ops, 42, 1);
		check_softmax(ops, 43, 30);
		check_softmax(ops, 44, 1e-3f);
	}
}

static void a_tile_is_added_to_the_scaled_sums_of_its_own_row(void **state)
{
	struct softmax_row rows[] = { { .factor = 1 }, { .factor = 0 }, { .factor = 0.5f } };
	const struct ops *ops;

	(void)state;
	for (size_t f = 0; f < COUNT(FAMILIES); f++) {
		float sums[COUNT(rows)][24], tile[COUNT(rows)][24];

		if (ops_select(FAMILIES[f], &ops, NULL) < 0)
			continue;
		for (size_t i = 0; i < COUNT(rows) * 24; i++) {
			sums[i / 24][i % 24] = (float)i;
			tile[i / 24][i % 24] = (float)(1000 * i);
		}
		ops->add_tile(sums[0], tile[0], rows, COUNT(rows), 24);
		for (size_t i = 0; i < COUNT(rows) * 24; i++)
			assert_true(sums[i / 24][i % 24] ==
			            (float)i * rows[i / 24].factor + (float)(1000 * i));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_dense_forms_give_the_same_logits_within_rounding),
		cmocka_unit_test(expanded_logits_depend_on_neither_passes_nor_threads),
		cmocka_unit_test(an_engine_of_the_naive_form_gives_the_same_expanded_logits),
		cmocka_unit_test(branches_of_all_forms_run_together_as_each_by_itself),
		cmocka_unit_test(tokens_that_came_densely_are_not_saved_and_what_was_there_before_may_be),
		cmocka_unit_test(an_expanded_context_without_tokens_takes_none),
		cmocka_unit_test(a_softmax_by_tiles_is_that_of_the_whole_row),
		cmocka_unit_test(a_tile_is_added_to_the_scaled_sums_of_its_own_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
