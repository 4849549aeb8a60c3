/* A token's logits depend on the tokens before it and on nothing else, bit for bit: not on the size of passes, threads,
 * company, branches, nor on whether its past was computed or restored. On all small checkpoints, in sequences well
 * beyond index_topk, where one wrongly chosen row would show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/array.h"
#include "model/context.h"
#include "model/ops.h"
#include "tests/fixture.h"
#include "tests/recording.h"

#define N_TOKENS 170 /* two whole pages and a tail */

/* A checkpoint and how its numbers are computed. */
struct mode {
	const char *name;
	struct path dir;
	enum numerics numerics;
	enum mla_form form;
	const char *kernels;
};

static const char *const NUMERICS_NAMES[] = { "production", "strict", "int8" };

static struct engine *open_mode(const struct mode *mode, unsigned n_threads, size_t prefill_rows)
{
	struct engine_settings settings = { .dir = mode->dir.text,
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

/* Modes are all of these with each family; those of families that this CPU lacks are left out. */
static const struct {
	enum numerics numerics;
	enum mla_form form;
} KINDS[] = { { NUMERICS_PRODUCTION, MLA_ABSORBED },
	      { NUMERICS_STRICT, MLA_ABSORBED },
	      { NUMERICS_PRODUCTION, MLA_NAIVE },
	      { NUMERICS_STRICT, MLA_NAIVE },
	      { NUMERICS_INT8, MLA_ABSORBED } };

static const char *const FAMILIES[] = { "avx2", "plain", "avx512", "avx512bf16", "avx2bf16" };

/* The modes of checkpoint i from the first on, `every` of them apart. */
static void each_mode_of(size_t i, size_t first, unsigned every, void (*check)(const struct mode *mode))
{
	for (unsigned m = 0; m < COUNT(FAMILIES) * COUNT(KINDS); m++) {
		struct mode mode = { .name = i < COUNT(FIXTURES) ? FIXTURES[i] : "tiny",
			             .numerics = KINDS[m % COUNT(KINDS)].numerics,
			             .form = KINDS[m % COUNT(KINDS)].form,
			             .kernels = FAMILIES[m / COUNT(KINDS)] };
		const struct ops *ops;

		if (m % every != first % every || ops_select(mode.kernels, &ops, NULL) < 0)
			continue;
		mode.dir = fixture_path(mode.name);
		check(&mode);
	}
}

/* With SKIMD_TEST_SHORT a few modes of every second checkpoint, not always the same. */
static void each_mode(void (*check)(const struct mode *mode))
{
	for (size_t i = 0; i < COUNT(FIXTURES) + 1; i += tests_are_short() ? 2 : 1)
		each_mode_of(i, i + i / 2, tests_are_short() ? 8 : 1, check);
}

/* Two or three modes of each checkpoint, all modes among them; with SKIMD_TEST_SHORT one of every third. */
static void some_modes(void (*check)(const struct mode *mode))
{
	for (size_t i = 0; i < COUNT(FIXTURES) + 1; i += tests_are_short() ? 3 : 1)
		each_mode_of(i, tests_are_short() ? i + i / 2 : i, tests_are_short() ? 8 : 3, check);
}

static struct context *new_context(struct engine *engine, struct recording *recording)
{
	struct context *context = fresh_context(engine);

	if (recording != NULL)
		watch(context, recording);
	return context;
}

static struct context *fork_context(const struct context *parent, struct recording *recording)
{
	struct context *context = forked_context(parent);

	watch(context, recording);
	return context;
}

/* The whole sequence in one call, by itself. */
static struct recording compute(struct engine *engine, const uint32_t *tokens, size_t n)
{
	struct recording ret = new_recording(engine, n);
	struct context *context = new_context(engine, &ret);

	forward(context, tokens, n);
	assert_int_equal(ret.n, n);
	context_free(context);
	return ret;
}

/* Positions [first, n) of both, bit for bit. */
static void assert_equal_from(const struct mode *mode, const struct recording *a, const struct recording *b,
                              size_t first, size_t n)
{
	assert_int_equal(a->n_vocab, b->n_vocab);
	for (size_t pos = first; pos < n; pos++) {
		if (memcmp(a->logits + pos * a->n_vocab, b->logits + pos * b->n_vocab,
		           a->n_vocab * sizeof(*a->logits)) != 0)
			fail_msg("%s, %s, %s, %s: the logits of position %zu differ", mode->name,
			         mode->kernels == NULL ? "best kernels" : mode->kernels,
			         NUMERICS_NAMES[mode->numerics],
			         mode->form == MLA_NAIVE ? "naive" : "absorbed", pos);
	}
}

static void check_passes_and_threads(const struct mode *mode)
{
	static const struct {
		unsigned n_threads;
		size_t rows;
	} WAYS[] = { { 1, 1 }, { 2, 7 }, { 3, 64 }, { 3, 0 }, { 2, 33 } };
	struct engine *engine = open_mode(mode, 1, 0);
	struct recording expected;
	uint32_t tokens[N_TOKENS];

	draw_tokens(engine, 51, tokens, N_TOKENS);
	expected = compute(engine, tokens, N_TOKENS);
	for (size_t i = 0; i < COUNT(WAYS); i++) {
		struct engine *other = open_mode(mode, WAYS[i].n_threads, WAYS[i].rows);
		struct recording recording = compute(other, tokens, N_TOKENS);

		assert_equal_from(mode, &recording, &expected, 0, N_TOKENS);
		free(recording.logits);
		engine_close(other);
	}
	free(expected.logits);
	engine_close(engine);
}

static void logits_depend_on_neither_passes_nor_threads(void **state)
{
	(void)state;
	each_mode(check_passes_and_threads);
}

static void check_token_by_token(const struct mode *mode)
{
	struct engine *engine = open_mode(mode, 2, 0);
	struct context *context = new_context(engine, NULL);
	struct recording expected, recording = new_recording(engine, N_TOKENS);
	uint32_t tokens[N_TOKENS];
	struct err err;

	draw_tokens(engine, 52, tokens, N_TOKENS);
	expected = compute(engine, tokens, N_TOKENS);
	assert_null(context_logits(context));
	for (size_t pos = 0; pos < N_TOKENS; pos++) {
		struct append append = { context, tokens + pos, 1, true };

		assert_int_equal(context_forward(&append, 1, NULL, &err), 0);
		assert_int_equal(context_n_tokens(context), pos + 1);
		record(&recording, pos, context_logits(context));
	}
	assert_memory_equal(context_tokens(context), tokens, sizeof(tokens));
	assert_equal_from(mode, &recording, &expected, 0, N_TOKENS);
	free(expected.logits);
	free(recording.logits);
	context_free(context);
	engine_close(engine);
}

static void decoding_token_by_token_equals_prefill(void **state)
{
	(void)state;
	some_modes(check_token_by_token);
}

/* So far in that threads share out the pages and the attention of few rows, in parts. More positions are chosen than are
 * shared out at all, not in whole tiles; and v32-fp8 has channels for four threads. */
#define N_FAR 2100
#define FAR_TOPK "150"
#define N_NEAR 100 /* all positions are attended to */
#define N_BEHIND 12

/* What follows is the same in each of these ways. */
enum { ONE_BY_ONE, AT_ONCE, IN_COMPANY, OTHER_BRANCH, NEAR_COMPANY, N_WAYS };

/* Two branches of the past and a shorter sequence, a token each in a pass. */
static void go_on_together(struct engine *engine, const struct context *past, const uint32_t *tokens,
                           struct recording *seen)
{
	struct append appends[] = {
		{ fork_context(past, &seen[IN_COMPANY]), tokens + N_FAR, 1, false },
		{ fork_context(past, &seen[OTHER_BRANCH]), tokens, 1, false },
		{ new_context(engine, NULL), tokens + N_NEAR, 1, false },
	};
	struct err err;

	forward(appends[2].context, tokens, N_NEAR);
	watch(appends[2].context, &seen[NEAR_COMPANY]);
	for (size_t n = 0; n < N_BEHIND; n++) {
		assert_int_equal(context_forward(appends, COUNT(appends), NULL, &err), 0);
		for (size_t i = 0; i < COUNT(appends); i++)
			appends[i].tokens++;
	}
	for (size_t i = 0; i < COUNT(appends); i++)
		context_free(appends[i].context);
}

static void go_on(const struct mode *mode, unsigned n_threads, const uint32_t *tokens, struct recording *seen)
{
	struct engine *engine = open_mode(mode, n_threads, 0);
	struct context *past = new_context(engine, NULL), *branch;

	assert_in_range(engine_shape(engine)->index_topk, N_NEAR + N_BEHIND, N_FAR);
	for (size_t i = 0; i < N_WAYS; i++)
		seen[i] = new_recording(engine, N_FAR + N_BEHIND);
	forward(past, tokens, N_FAR);
	branch = fork_context(past, &seen[ONE_BY_ONE]);
	for (size_t i = 0; i < N_BEHIND; i++)
		forward(branch, tokens + N_FAR + i, 1);
	context_free(branch);
	branch = fork_context(past, &seen[AT_ONCE]);
	forward(branch, tokens + N_FAR, N_BEHIND);
	context_free(branch);
	go_on_together(engine, past, tokens, seen);
	context_free(past);
	engine_close(engine);
}

static void check_far(struct mode mode)
{
	static const unsigned N_THREADS[] = { 1, 2, 3, 5 };
	struct recording expected[N_WAYS], seen[N_WAYS];
	uint32_t tokens[N_FAR + N_BEHIND];
	uint64_t seed = 59;

	for (size_t i = 0; i < COUNT(tokens); i++)
		tokens[i] = (uint32_t)(draw(&seed) % 96);
	mode.dir = fixture_copy(mode.name);
	change_config(&mode.dir, "index_topk", FAR_TOPK);
	for (size_t i = 0; i < COUNT(N_THREADS); i++) {
		go_on(&mode, N_THREADS[i], tokens, i == 0 ? expected : seen);
		for (size_t way = 0; i > 0 && way < N_WAYS; way++) {
			size_t first = way == NEAR_COMPANY ? N_NEAR : N_FAR;

			assert_int_equal(seen[way].n, N_BEHIND);
			assert_equal_from(&mode, &seen[way], &expected[way], first, first + N_BEHIND);
			free(seen[way].logits);
		}
	}
	assert_equal_from(&mode, &expected[AT_ONCE], &expected[ONE_BY_ONE], N_FAR, COUNT(tokens));
	assert_equal_from(&mode, &expected[IN_COMPANY], &expected[ONE_BY_ONE], N_FAR, COUNT(tokens));
	for (size_t way = 0; way < N_WAYS; way++)
		free(expected[way].logits);
	folder_remove(&mode.dir);
}

static void far_into_a_sequence_the_logits_do_not_depend_on_threads_either(void **state)
{
	static const struct mode MODES[] = {
		{ "glm-dsa-shared", { "" }, NUMERICS_PRODUCTION, MLA_ABSORBED, NULL },
		{ "v32-fp8", { "" }, NUMERICS_PRODUCTION, MLA_ABSORBED, NULL },
	};

	(void)state;
	for (size_t i = 0; i < (tests_are_short() ? 1 : COUNT(MODES)); i++)
		check_far(MODES[i]);
}

#define N_SEQUENCES 4

static void check_company(const struct mode *mode)
{
	static const size_t LENGTHS[N_SEQUENCES] = { 1, N_TOKENS, 40, 133 };
	struct engine *engine = open_mode(mode, 2, 64);
	struct recording alone[N_SEQUENCES], together[N_SEQUENCES];
	uint32_t tokens[N_SEQUENCES][N_TOKENS];
	struct append appends[N_SEQUENCES];
	struct err err;

	for (size_t i = 0; i < N_SEQUENCES; i++) {
		draw_tokens(engine, 53 + i, tokens[i], N_TOKENS);
		alone[i] = compute(engine, tokens[i], LENGTHS[i]);
		together[i] = new_recording(engine, N_TOKENS);
		appends[i] = (struct append){ new_context(engine, &together[i]), tokens[i], LENGTHS[i],
			                      i % 2 == 0 };
	}
	assert_int_equal(context_forward(appends, N_SEQUENCES, NULL, &err), 0);
	for (size_t i = 0; i < N_SEQUENCES; i++) {
		const float *logits = context_logits(appends[i].context);

		assert_int_equal(together[i].n, LENGTHS[i]);
		assert_equal_from(mode, &together[i], &alone[i], 0, LENGTHS[i]);
		assert_int_equal(logits != NULL, i % 2 == 0);
		if (logits != NULL)
			assert_memory_equal(logits, alone[i].logits + (LENGTHS[i] - 1) * alone[i].n_vocab,
			                    alone[i].n_vocab * sizeof(*logits));
		context_free(appends[i].context);
		free(alone[i].logits);
		free(together[i].logits);
	}
	engine_close(engine);
}

static void sequences_that_run_together_do_not_see_one_another(void **state)
{
	(void)state;
	some_modes(check_company);
}

#define PREFIX 100
#define N_BRANCHES 3

/* The branches of one prefix, and what each would be as a sequence of its own. */
struct family {
	struct engine *engine;
	uint32_t tokens[N_BRANCHES][N_TOKENS];
	struct recording expected[N_BRANCHES], seen[N_BRANCHES];
	struct context *branches[N_BRANCHES];
};

static void family_init(struct family *family, const struct mode *mode)
{
	family->engine = open_mode(mode, 2, 33);
	for (size_t i = 0; i < N_BRANCHES; i++) {
		draw_tokens(family->engine, 60 + i, family->tokens[i], N_TOKENS);
		memcpy(family->tokens[i], family->tokens[0], PREFIX * sizeof(uint32_t));
		family->expected[i] = compute(family->engine, family->tokens[i], N_TOKENS);
		family->seen[i] = new_recording(family->engine, N_TOKENS);
	}
}

/* Branch 0 is the parent itself, 1 a fork of it, 2 a fork of 1. */
static void family_fork(struct family *family)
{
	family->branches[0] = new_context(family->engine, &family->seen[0]);
	forward(family->branches[0], family->tokens[0], PREFIX);
	for (size_t i = 1; i < N_BRANCHES; i++) {
		family->branches[i] = fork_context(family->branches[i - 1], &family->seen[i]);
		assert_int_equal(context_n_tokens(family->branches[i]), PREFIX);
		assert_memory_equal(context_tokens(family->branches[i]), family->tokens[0],
		                    PREFIX * sizeof(uint32_t));
	}
}

static void family_check(struct family *family, const struct mode *mode)
{
	for (size_t i = 0; i < N_BRANCHES; i++) {
		if (family->branches[i] == NULL)
			continue;
		assert_int_equal(context_n_tokens(family->branches[i]), N_TOKENS);
		assert_equal_from(mode, &family->seen[i], &family->expected[i], PREFIX, N_TOKENS);
		context_free(family->branches[i]);
		memset(family->seen[i].logits, 0, N_TOKENS * family->seen[i].n_vocab * sizeof(float));
		family->seen[i].n = 0;
	}
}

static void family_done(struct family *family)
{
	for (size_t i = 0; i < N_BRANCHES; i++) {
		free(family->expected[i].logits);
		free(family->seen[i].logits);
	}
	engine_close(family->engine);
}

static void append_at_once(struct family *family)
{
	struct append appends[N_BRANCHES];
	struct err err;

	for (size_t i = 0; i < N_BRANCHES; i++)
		appends[i] = (struct append){ family->branches[i], family->tokens[i] + PREFIX,
			                      N_TOKENS - PREFIX, false };
	assert_int_equal(context_forward(appends, N_BRANCHES, NULL, &err), 0);
}

/* Pieces of drawn sizes, to branches in drawn order. */
static void append_in_turns(struct family *family, uint64_t seed)
{
	size_t n_done = 0;

	while (n_done < N_BRANCHES) {
		size_t i = (size_t)(draw(&seed) % N_BRANCHES), piece = 1 + (size_t)(draw(&seed) % 20), at;

		if (family->branches[i] == NULL)
			return;
		at = context_n_tokens(family->branches[i]);
		if (at == N_TOKENS)
			continue;
		if (piece > N_TOKENS - at)
			piece = N_TOKENS - at;
		forward(family->branches[i], family->tokens[i] + at, piece);
		n_done += at + piece == N_TOKENS;
	}
}

static void check_branches(const struct mode *mode)
{
	struct family family;

	family_init(&family, mode);
	family_fork(&family);
	append_at_once(&family);
	family_check(&family, mode);
	for (uint64_t seed = 71; seed < 74; seed++) {
		family_fork(&family);
		append_in_turns(&family, seed);
		family_check(&family, mode);
	}
	family_done(&family);
}

static void branches_equal_sequences_that_were_never_forked(void **state)
{
	(void)state;
	some_modes(check_branches);
}

static void check_parent_freed(const struct mode *mode)
{
	struct family family;

	family_init(&family, mode);
	family_fork(&family);
	context_free(family.branches[0]);
	family.branches[0] = NULL;
	for (size_t i = N_BRANCHES - 1; i > 0; i--)
		forward(family.branches[i], family.tokens[i] + PREFIX, N_TOKENS - PREFIX);
	family_check(&family, mode);
	family_done(&family);
}

static void a_parent_may_be_freed_before_its_branches(void **state)
{
	(void)state;
	some_modes(check_parent_freed);
}

static void an_empty_context_forks_into_an_empty_one(void **state)
{
	struct mode mode = { "tiny", fixture_path("tiny"), NUMERICS_STRICT, MLA_AUTO, NULL };
	struct engine *engine = open_mode(&mode, 1, 0);
	struct context *parent = new_context(engine, NULL), *branch;
	struct err err;

	(void)state;
	assert_int_equal(context_fork(parent, &branch, &err), 0);
	assert_int_equal(context_n_tokens(branch), 0);
	forward(branch, (const uint32_t[]){ 1, 2, 3 }, 3);
	assert_int_equal(context_n_tokens(parent), 0);
	assert_int_equal(context_forward(NULL, 0, NULL, &err), 0);
	context_free(parent);
	context_free(branch);
	context_free(NULL);
	engine_close(engine);
}

/* A store in memory, which holds blocks under their tokens. */
struct memory {
	struct block {
		uint32_t tokens[2 * N_TOKENS];
		size_t first, n;
		uint8_t *bytes;
	} blocks[8];
	size_t n_blocks, n_bytes, last_n;
	size_t missing; /* blocks that end there are not told of; 0: none */
	int failure; /* what each call returns, unless 0 */
};

static int load_block(void *user, const uint32_t *tokens, size_t first, size_t n, void *bytes, size_t n_bytes,
                      struct err *err)
{
	struct memory *memory = user;

	assert_true(n > memory->last_n);
	memory->last_n = n;
	if (memory->failure != 0)
		return err_set(err, memory->failure, "out of order");
	for (size_t i = 0; i < memory->n_blocks; i++) {
		const struct block *block = &memory->blocks[i];

		if (block->n != n || block->n == memory->missing ||
		    memcmp(block->tokens, tokens, n * sizeof(*tokens)) != 0)
			continue;
		assert_int_equal(block->first, first);
		assert_int_equal(n_bytes, memory->n_bytes);
		memcpy(bytes, block->bytes, n_bytes);
		return 0;
	}
	return -ENOENT;
}

static int store_block(void *user, const uint32_t *tokens, size_t first, size_t n, const void *bytes,
                       size_t n_bytes, struct err *err)
{
	struct memory *memory = user;
	struct block *block = &memory->blocks[memory->n_blocks];

	assert_true(n > memory->last_n && first % BLOCK_TOKENS == 0 && n - first <= BLOCK_TOKENS);
	memory->last_n = n;
	if (memory->failure != 0)
		return err_set(err, memory->failure, "out of order");
	assert_true(memory->n_blocks < COUNT(memory->blocks));
	memcpy(block->tokens, tokens, n * sizeof(*tokens));
	block->first = first;
	block->n = n;
	block->bytes = malloc(n_bytes);
	assert_non_null(block->bytes);
	memcpy(block->bytes, bytes, n_bytes);
	memory->n_bytes = n_bytes;
	memory->n_blocks++;
	return 0;
}

static void memory_done(struct memory *memory)
{
	for (size_t i = 0; i < memory->n_blocks; i++)
		free(memory->blocks[i].bytes);
}

static int save(const struct context *context, size_t from, bool tail, struct memory *memory, struct err *err)
{
	memory->last_n = 0;
	return context_save(context, from, tail, &(struct block_io){ memory, load_block, store_block, NULL },
	                    err);
}

static int restore(struct context *context, const uint32_t *tokens, size_t n, struct memory *memory,
                   size_t *ret_n, struct err *err)
{
	memory->last_n = 0;
	return context_restore(context, tokens, n,
	                       &(struct block_io){ memory, load_block, store_block, NULL }, ret_n, err);
}

/* A prompt of n tokens whose first PREFIX + 60 (two blocks and a tail) were saved: n_expected of them come back, and
 * what follows is that of a cold sequence. */
struct warm {
	size_t n, missing, n_expected;
};

#define N_SAVED 160
#define N_LONG 200

static void check_warm(const struct mode *mode, struct engine *engine, const uint32_t *tokens,
                       const struct recording *cold, struct memory *memory, const struct warm *warm)
{
	struct recording seen = new_recording(engine, N_LONG);
	struct context *context = new_context(engine, &seen);
	size_t n = SIZE_MAX;
	struct err err;

	memory->missing = warm->missing;
	assert_int_equal(restore(context, tokens, warm->n, memory, &n, &err), 0);
	assert_int_equal(n, warm->n_expected);
	assert_int_equal(context_n_tokens(context), n);
	if (n > 0)
		assert_memory_equal(context_tokens(context), tokens, n * sizeof(*tokens));
	forward(context, tokens + n, N_LONG - n);
	assert_int_equal(seen.n, N_LONG - n);
	assert_equal_from(mode, &seen, cold, n, N_LONG);
	memory->missing = 0;
	context_free(context);
	free(seen.logits);
}

static void check_restored(const struct mode *mode)
{
	static const struct warm WARM[] = {
		{ N_SAVED, 0, N_SAVED }, /* all of it */
		{ N_SAVED, N_SAVED, 128 }, /* no tail */
		{ N_SAVED, 128, 64 }, /* a block is gone: what is behind it does not count */
		{ N_SAVED, 64, 0 },
		{ N_SAVED - 1, 0, 128 }, /* a tail of another length */
		{ N_SAVED + 1, 0, 128 },
		{ N_LONG, 0, 128 },
		{ 128, 0, 128 },
		{ 64, 0, 64 },
		{ 63, 0, 0 },
		{ 0, 0, 0 },
	};
	struct engine *engine = open_mode(mode, 2, 50), *other = open_mode(mode, 1, 0);
	uint32_t tokens[N_LONG];
	struct context *context = new_context(engine, NULL);
	struct memory memory = { .n_blocks = 0 };
	struct recording cold;
	struct err err;

	draw_tokens(engine, 81, tokens, N_LONG);
	cold = compute(engine, tokens, N_LONG);
	forward(context, tokens, N_SAVED);
	assert_int_equal(save(context, 0, true, &memory, &err), 0);
	assert_int_equal(memory.n_blocks, 3);
	for (size_t i = 0; i < COUNT(WARM); i++)
		check_warm(mode, i % 2 == 0 ? engine : other, tokens, &cold, &memory, &WARM[i]);
	memory_done(&memory);
	free(cold.logits);
	context_free(context);
	engine_close(engine);
	engine_close(other);
}

static void a_restored_past_equals_a_computed_one(void **state)
{
	(void)state;
	some_modes(check_restored);
}

static void check_blocks(const struct mode *mode)
{
	struct engine *engine = open_mode(mode, 2, 50);
	struct context *cold = new_context(engine, NULL), *warm = new_context(engine, NULL);
	struct memory first = { .n_blocks = 0 }, second = first, third = first;
	uint32_t tokens[N_LONG];
	struct err err;
	size_t n;

	draw_tokens(engine, 82, tokens, N_LONG);
	forward(cold, tokens, N_SAVED);
	assert_int_equal(save(cold, 0, true, &first, &err), 0);
	assert_int_equal(restore(warm, tokens, N_SAVED, &first, &n, &err), 0);
	forward(cold, tokens + N_SAVED, N_LONG - N_SAVED);
	forward(warm, tokens + N_SAVED, N_LONG - N_SAVED);
	assert_int_equal(save(cold, 0, true, &second, &err), 0);
	assert_int_equal(save(warm, 0, true, &third, &err), 0);
	assert_int_equal(second.n_blocks, 4);
	assert_int_equal(third.n_blocks, 4);
	for (size_t i = 0; i < 4; i++)
		assert_memory_equal(second.blocks[i].bytes, third.blocks[i].bytes, second.n_bytes);
	assert_memory_equal(first.blocks[1].bytes, third.blocks[1].bytes, first.n_bytes);
	memory_done(&first);
	memory_done(&second);
	memory_done(&third);
	context_free(cold);
	context_free(warm);
	engine_close(engine);
}

static void blocks_of_a_restored_context_have_the_same_bytes(void **state)
{
	(void)state;
	some_modes(check_blocks);
}

static void a_save_gives_the_blocks_that_end_behind_its_start(void **state)
{
	static const struct {
		size_t from;
		bool tail;
		size_t n_blocks, first;
	} SAVES[] = { { 0, false, 2, 0 },    { 0, true, 3, 0 },    { 63, false, 2, 0 },  { 64, false, 1, 64 },
		      { 128, true, 1, 128 }, { 128, false, 0, 0 }, { 150, true, 1, 128 } };
	struct mode mode = { "tiny", fixture_path("tiny"), NUMERICS_PRODUCTION, MLA_AUTO, NULL };
	struct engine *engine = open_mode(&mode, 1, 0);
	struct context *context = new_context(engine, NULL);
	uint32_t tokens[N_SAVED];
	struct err err;

	(void)state;
	draw_tokens(engine, 83, tokens, N_SAVED);
	forward(context, tokens, N_SAVED);
	for (size_t i = 0; i < COUNT(SAVES); i++) {
		struct memory memory = { .n_blocks = 0 };

		assert_int_equal(save(context, SAVES[i].from, SAVES[i].tail, &memory, &err), 0);
		assert_int_equal(memory.n_blocks, SAVES[i].n_blocks);
		if (memory.n_blocks > 0)
			assert_int_equal(memory.blocks[0].first, SAVES[i].first);
		memory_done(&memory);
	}
	context_free(context);
	engine_close(engine);
}

static void a_store_that_fails_is_reported_and_leaves_the_context_usable(void **state)
{
	struct mode mode = { "v32-plain", fixture_path("v32-plain"), NUMERICS_STRICT, MLA_AUTO, NULL };
	struct engine *engine = open_mode(&mode, 1, 0);
	struct memory memory = { .failure = -EIO };
	uint32_t tokens[N_LONG];
	struct recording cold, seen;
	struct context *context;
	size_t n;
	struct err err;

	(void)state;
	draw_tokens(engine, 84, tokens, N_LONG);
	cold = compute(engine, tokens, N_LONG);
	seen = new_recording(engine, N_LONG);
	context = new_context(engine, &seen);
	assert_int_equal(restore(context, tokens, N_LONG, &memory, &n, &err), -EIO);
	assert_string_equal(err.text, "out of order");
	assert_int_equal(n, 0);
	forward(context, tokens, N_LONG);
	assert_equal_from(&mode, &seen, &cold, 0, N_LONG);
	assert_int_equal(save(context, 0, true, &memory, &err), -EIO);
	assert_int_equal(memory.last_n, BLOCK_TOKENS); /* it did not go on */
	context_free(context);
	free(cold.logits);
	free(seen.logits);
	engine_close(engine);
}

/* Stopped within the second of two sequences; both go on to their ends. */
static void check_cancelled(const struct mode *mode)
{
	struct engine *engine = open_mode(mode, 2, 32);
	struct recording expected[2], seen[2];
	uint32_t tokens[2][N_TOKENS];
	struct append appends[2];
	struct err err;
	int r;

	for (size_t i = 0; i < 2; i++) {
		draw_tokens(engine, 90 + i, tokens[i], N_TOKENS);
		expected[i] = compute(engine, tokens[i], N_TOKENS);
		seen[i] = new_recording(engine, N_TOKENS);
		appends[i] = (struct append){ new_context(engine, &seen[i]), tokens[i], N_TOKENS, false };
	}
	seen[1].stop_at = 40;
	r = context_forward(appends, 2, &seen[1].stop, &err);
	assert_int_equal(r, -ECANCELED);
	assert_string_equal(err.text, "told to stop");
	assert_int_equal(context_n_tokens(appends[0].context), N_TOKENS);
	assert_in_range(context_n_tokens(appends[1].context), 40, 72);
	for (size_t i = 0; i < 2; i++) {
		size_t n = context_n_tokens(appends[i].context);

		assert_int_equal(seen[i].n, n);
		assert_memory_equal(context_tokens(appends[i].context), tokens[i], n * sizeof(uint32_t));
		forward(appends[i].context, tokens[i] + n, N_TOKENS - n);
		assert_equal_from(mode, &seen[i], &expected[i], 0, N_TOKENS);
		context_free(appends[i].context);
		free(expected[i].logits);
		free(seen[i].logits);
	}
	engine_close(engine);
}

static void a_cancelled_pass_leaves_whole_sequences(void **state)
{
	(void)state;
	some_modes(check_cancelled);
}

/* Dense attention on the checkpoint as it is. */
static struct recording compute_dense(struct engine *engine, const uint32_t *tokens, size_t n)
{
	struct recording ret = new_recording(engine, n);
	struct context *context = new_context(engine, &ret);

	context_set_attention(context, ATTENTION_DENSE);
	forward(context, tokens, n);
	context_free(context);
	return ret;
}

static void told_to_stop_beforehand_it_does_nothing(void **state)
{
	struct mode mode = { "tiny", fixture_path("tiny"), NUMERICS_PRODUCTION, MLA_AUTO, NULL };
	struct engine *engine = open_mode(&mode, 1, 0);
	struct context *context = new_context(engine, NULL);
	struct append append = { context, (const uint32_t[]){ 1, 2, 3 }, 3, true };
	atomic_bool stop = true;
	struct err err;

	(void)state;
	append.n = 0;
	assert_int_equal(context_forward(&append, 1, &stop, &err), 0);
	assert_null(context_logits(context));
	append.n = 3;
	assert_int_equal(context_forward(&append, 1, &stop, &err), -ECANCELED);
	assert_int_equal(context_n_tokens(context), 0);
	context_free(context);
	engine_close(engine);
}

static void check_dense(const struct mode *mode)
{
	struct engine *engine = open_mode(mode, 2, 64), *all;
	struct recording dense, sparse, widest;
	struct mode wide = *mode;
	uint32_t tokens[N_TOKENS];

	wide.dir = fixture_copy(mode->name);
	change_config(&wide.dir, "index_topk", "4096");
	all = open_mode(&wide, 1, 16);
	draw_tokens(engine, 95, tokens, N_TOKENS);
	dense = compute_dense(engine, tokens, N_TOKENS);
	sparse = compute(engine, tokens, N_TOKENS);
	widest = compute(all, tokens, N_TOKENS);
	assert_equal_from(mode, &widest, &dense, 0, N_TOKENS);
	assert_int_equal(engine_shape(engine)->index_topk, 16);
	assert_equal_from(mode, &sparse, &dense, 0, 16);
	for (size_t pos = 40; pos < N_TOKENS; pos++)
		assert_memory_not_equal(sparse.logits + pos * sparse.n_vocab,
		                        dense.logits + pos * dense.n_vocab, sparse.n_vocab * sizeof(float));
	free(dense.logits);
	free(sparse.logits);
	free(widest.logits);
	engine_close(engine);
	engine_close(all);
	folder_remove(&wide.dir);
}

static void an_index_topk_beyond_the_sequence_is_dense_attention_and_a_small_one_is_not(void **state)
{
	(void)state;
	some_modes(check_dense);
}

/* What a layer chose for a query; called from several threads, for different positions. */
struct choices {
	uint32_t n[N_TOKENS][4];
	bool all[N_TOKENS][4], wrong[N_TOKENS][4];
};

static void see_choice(void *user, uint32_t layer, size_t pos, const uint32_t *rows, size_t n)
{
	struct choices *choices = user;

	choices->n[pos][layer] = (uint32_t)n;
	choices->all[pos][layer] = rows == NULL;
	for (size_t i = 0; rows != NULL && i < n; i++)
		choices->wrong[pos][layer] |= rows[i] > pos || (i > 0 && rows[i] <= rows[i - 1]);
}

static void check_choices(const struct mode *mode)
{
	static struct choices choices;
	struct engine *engine = open_mode(mode, 2, 64);
	struct context *context = new_context(engine, NULL);
	const struct model_shape *shape = engine_shape(engine);
	uint32_t tokens[N_TOKENS];

	memset(&choices, 0, sizeof(choices));
	draw_tokens(engine, 96, tokens, N_TOKENS);
	context_set_observer(context, &(struct context_observer){ &choices, NULL, see_choice });
	forward(context, tokens, N_TOKENS);
	for (uint32_t pos = 0; pos < N_TOKENS; pos++) {
		for (uint32_t layer = 0; layer < shape->num_hidden_layers; layer++) {
			uint32_t n = pos < shape->index_topk ? pos + 1 : shape->index_topk;

			assert_false(choices.wrong[pos][layer]);
			assert_int_equal(choices.n[pos][layer], shape->full_indexer[layer] ? n : 0);
			assert_int_equal(choices.all[pos][layer],
			                 shape->full_indexer[layer] && pos < shape->index_topk);
		}
	}
	context_free(context);
	engine_close(engine);
}

static void every_query_looks_at_index_topk_earlier_positions_in_order(void **state)
{
	(void)state;
	some_modes(check_choices);
}

static void a_token_beyond_the_vocabulary_is_refused_before_anything_is_done(void **state)
{
	struct mode mode = { "v32-plain", fixture_path("v32-plain"), NUMERICS_STRICT, MLA_AUTO, NULL };
	struct engine *engine = open_mode(&mode, 1, 0);
	struct context *one = new_context(engine, NULL), *two = new_context(engine, NULL);
	const uint32_t good[] = { 1, 95, 0 }, bad[] = { 1, 2, 96 }, worst[] = { UINT32_MAX };
	struct append appends[] = { { one, good, 3, true }, { two, bad, 3, true } };
	struct err err;

	(void)state;
	assert_int_equal(context_forward(appends, 2, NULL, &err), -EINVAL);
	assert_string_equal(err.text, "token 96 is beyond the vocabulary of 96");
	assert_int_equal(context_n_tokens(one) + context_n_tokens(two), 0);
	appends[1].tokens = worst;
	appends[1].n = 1;
	assert_int_equal(context_forward(appends, 2, NULL, &err), -EINVAL);
	appends[1].tokens = good;
	assert_int_equal(context_forward(appends, 2, NULL, &err), 0);
	context_free(one);
	context_free(two);
	engine_close(engine);
}

/* Stored blocks are found again under the fingerprint: it must tell apart whatever changes their bytes. */
static void the_fingerprint_is_that_of_the_numbers_not_of_their_making(void **state)
{
	struct mode mode = { "v32-plain", fixture_path("v32-plain"), NUMERICS_STRICT, MLA_ABSORBED, "plain" };
	struct mode others[] = { mode, mode, mode, mode };
	struct engine *engine = open_mode(&mode, 1, 0), *same = open_mode(&mode, 2, 7);

	(void)state;
	assert_memory_equal(engine_fingerprint(engine), engine_fingerprint(same), FINGERPRINT_BYTES);
	others[0].numerics = NUMERICS_PRODUCTION;
	others[1].form = MLA_NAIVE;
	others[2].dir = fixture_copy("v32-plain");
	change_config(&others[2].dir, "index_topk", "17");
	others[3].numerics = NUMERICS_INT8;
	for (size_t i = 0; i < COUNT(others); i++) {
		struct engine *other = open_mode(&others[i], 1, 0);

		assert_memory_not_equal(engine_fingerprint(engine), engine_fingerprint(other),
		                        FINGERPRINT_BYTES);
		engine_close(other);
	}
	folder_remove(&others[2].dir);
	engine_close(engine);
	engine_close(same);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logits_depend_on_neither_passes_nor_threads),
		cmocka_unit_test(decoding_token_by_token_equals_prefill),
		cmocka_unit_test(far_into_a_sequence_the_logits_do_not_depend_on_threads_either),
		cmocka_unit_test(sequences_that_run_together_do_not_see_one_another),
		cmocka_unit_test(branches_equal_sequences_that_were_never_forked),
		cmocka_unit_test(a_parent_may_be_freed_before_its_branches),
		cmocka_unit_test(an_empty_context_forks_into_an_empty_one),
		cmocka_unit_test(a_restored_past_equals_a_computed_one),
		cmocka_unit_test(blocks_of_a_restored_context_have_the_same_bytes),
		cmocka_unit_test(a_save_gives_the_blocks_that_end_behind_its_start),
		cmocka_unit_test(a_store_that_fails_is_reported_and_leaves_the_context_usable),
		cmocka_unit_test(a_cancelled_pass_leaves_whole_sequences),
		cmocka_unit_test(told_to_stop_beforehand_it_does_nothing),
		cmocka_unit_test(an_index_topk_beyond_the_sequence_is_dense_attention_and_a_small_one_is_not),
		cmocka_unit_test(every_query_looks_at_index_topk_earlier_positions_in_order),
		cmocka_unit_test(a_token_beyond_the_vocabulary_is_refused_before_anything_is_done),
		cmocka_unit_test(the_fingerprint_is_that_of_the_numbers_not_of_their_making),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
