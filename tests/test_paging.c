/* A context whose rows have left memory gives the logits of one that holds them all, bit for bit, and what cannot be read
 * back is an error that leaves it whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/array.h"
#include "model/context.h"
#include "tests/block_memory.h"
#include "tests/fixture.h"
#include "tests/recording.h"

#define N_TOKENS 1200 /* beyond a slab of codes */
#define N_BEHIND 40
#define STEP 128

/* What differs from one run to the next; the logits must not. */
struct run {
	const char *fixture;
	size_t row_memory;
	unsigned n_threads;
	size_t prefill_rows;
	enum numerics numerics;
	enum mla_form form;
	bool plain_scan;
};

static struct engine *open_run(const struct run *run)
{
	struct path dir = fixture_path(run->fixture);
	struct engine_settings settings = {
		.dir = dir.text,
		.numerics = run->numerics,
		.mla_form = run->form,
		.n_threads = run->n_threads,
		.prefill_rows = run->prefill_rows,
		.row_memory = run->row_memory,
		.plain_scan = run->plain_scan,
	};
	struct engine *engine;
	struct err err;

	if (engine_open(&settings, &engine, &err) < 0)
		fail_msg("%s", err.text);
	return engine;
}

static void save(struct context *context, size_t from, const struct block_io *io)
{
	struct err err;

	if (context_save(context, from, false, io, &err) < 0)
		fail_msg("%s", err.text);
	context_drop_rows(context, context_n_tokens(context), io);
}

/* A context whose rows have left memory. */
static struct context *read_and_save(struct engine *engine, const uint32_t *tokens, const struct block_io *io)
{
	struct context *context = fresh_context(engine);

	forward(context, tokens, N_TOKENS);
	save(context, 0, io);
	return context;
}

/* Reads tokens[N_TOKENS] in steps, each stored, then a branch goes on, and so does the sequence itself. */
static struct recording read_all(const struct run *run, const uint32_t *tokens, struct block_memory *blocks)
{
	struct engine *engine = open_run(run);
	struct recording ret = new_recording(engine, N_TOKENS + 2 * N_BEHIND);
	const struct block_io io = block_memory_io(blocks);
	struct context *context, *branch;
	struct err err;

	context = fresh_context(engine);
	watch(context, &ret);
	for (size_t at = 0; at < N_TOKENS; at += STEP) {
		forward(context, tokens + at, N_TOKENS - at < STEP ? N_TOKENS - at : STEP);
		save(context, at, &io);
	}
	branch = forked_context(context);
	context_free(context);
	watch(branch, &ret);
	for (size_t i = 0; i < N_BEHIND; i++)
		forward(branch, tokens + i, 1);
	context_free(branch);

	context = fresh_context(engine);
	assert_int_equal(context_restore(context, tokens, N_TOKENS, &io, &(size_t){ 0 }, &err), 0);
	assert_true(context_n_tokens(context) == N_TOKENS / BLOCK_TOKENS * BLOCK_TOKENS);
	forward(context, tokens + context_n_tokens(context), N_TOKENS - context_n_tokens(context));
	for (size_t i = 0; i < N_BEHIND; i++) {
		float *to = ret.logits + (N_TOKENS + N_BEHIND + i) * ret.n_vocab;
		struct append append = { context, tokens + i, 1, true };

		assert_int_equal(context_forward(&append, 1, NULL, &err), 0);
		memcpy(to, context_logits(context), ret.n_vocab * sizeof(*to));
	}
	context_free(context);
	engine_close(engine);
	return ret;
}

static void check_equal(const struct recording *a, const struct recording *b, const struct run *run)
{
	for (size_t pos = 0; pos < N_TOKENS + 2 * N_BEHIND; pos++) {
		if (memcmp(a->logits + pos * a->n_vocab, b->logits + pos * b->n_vocab,
		           a->n_vocab * sizeof(*a->logits)) != 0)
			fail_msg("%s, %zu bytes of rows, %u threads, %zu rows a pass: position %zu differs",
			         run->fixture, run->row_memory, run->n_threads, run->prefill_rows, pos);
	}
}

static void draw_sequence(uint32_t *tokens)
{
	struct run run = { .fixture = "v32-bf16", .n_threads = 1 };
	struct engine *engine = open_run(&run);

	draw_tokens(engine, 41, tokens, N_TOKENS);
	engine_close(engine);
}

static void compare(struct run run, const uint32_t *tokens)
{
	static const size_t MEMORY[] = { 1, 20000, 150000 };
	struct block_memory blocks = { .lost = false }, paged_blocks = { .lost = false };
	struct recording whole = read_all(&run, tokens, &blocks), paged;

	assert_int_equal(blocks.n_reads, 0);
	for (size_t i = 0; i < COUNT(MEMORY); i++) {
		run.row_memory = MEMORY[i];
		run.n_threads = 1 + i % 2;
		run.prefill_rows = i == 0 ? 7 : 256;
		paged = read_all(&run, tokens, &paged_blocks);
		check_equal(&whole, &paged, &run);
		free(paged.logits);
	}
	assert_true(paged_blocks.n_reads > N_TOKENS);
	for (size_t end = BLOCK_TOKENS; end <= N_TOKENS; end += BLOCK_TOKENS)
		assert_memory_equal(blocks.ending_at[end], paged_blocks.ending_at[end], blocks.n_bytes);
	free(whole.logits);
	block_memory_done(&blocks);
	block_memory_done(&paged_blocks);
}

static void rows_that_left_memory_give_the_same_logits(void **state)
{
	uint32_t tokens[N_TOKENS];

	(void)state;
	draw_sequence(tokens);
	for (size_t i = 0; i < COUNT(FIXTURES); i += tests_are_short() ? 4 : 1)
		compare((struct run){ .fixture = FIXTURES[i], .n_threads = 2, .plain_scan = i % 4 == 3 },
		        tokens);
	compare((struct run){ .fixture = "glm-dsa-shared", .n_threads = 1, .numerics = NUMERICS_STRICT },
	        tokens);
	compare((struct run){ .fixture = "v32-fp8", .n_threads = 1, .form = MLA_NAIVE }, tokens);
}

static void a_block_that_is_lost_is_an_error_that_leaves_the_context_whole(void **state)
{
	struct run run = { .fixture = "v32-bf16", .n_threads = 2, .row_memory = 1 };
	struct engine *engine = open_run(&run);
	struct recording before = new_recording(engine, N_TOKENS + 1);
	struct block_memory blocks = { .lost = false };
	const struct block_io io = block_memory_io(&blocks);
	uint32_t tokens[N_TOKENS];
	struct context *context;
	struct append append;
	struct err err;

	(void)state;
	draw_sequence(tokens);
	context = read_and_save(engine, tokens, &io);
	blocks.lost = true;
	append = (struct append){ context, tokens, 9, true };
	assert_int_equal(context_forward(&append, 1, NULL, &err), -ESTALE);
	assert_non_null(strstr(err.text, "no longer stored"));
	assert_int_equal(context_n_tokens(context), N_TOKENS);
	blocks.lost = false;
	watch(context, &before);
	forward(context, tokens, 1);
	context_free(context);

	context = fresh_context(engine);
	forward(context, tokens, N_TOKENS);
	append = (struct append){ context, tokens, 1, true };
	assert_int_equal(context_forward(&append, 1, NULL, &err), 0);
	assert_memory_equal(context_logits(context), before.logits + N_TOKENS * before.n_vocab,
	                    before.n_vocab * sizeof(float));
	context_free(context);
	free(before.logits);
	block_memory_done(&blocks);
	engine_close(engine);
}

static void dense_attention_wants_all_rows_in_memory(void **state)
{
	struct run run = { .fixture = "v32-bf16", .n_threads = 1, .row_memory = 1 };
	struct engine *engine = open_run(&run);
	struct block_memory blocks = { .lost = false };
	const struct block_io io = block_memory_io(&blocks);
	uint32_t tokens[N_TOKENS];
	struct context *context;
	struct append append;
	struct err err;

	(void)state;
	draw_sequence(tokens);
	context = read_and_save(engine, tokens, &io);
	context_set_attention(context, ATTENTION_DENSE);
	append = (struct append){ context, tokens, 1, true };
	assert_int_equal(context_forward(&append, 1, NULL, &err), -ENOTSUP);
	context_set_attention(context, ATTENTION_SPARSE);
	forward(context, tokens, 1);
	context_free(context);
	block_memory_done(&blocks);
	engine_close(engine);
}

/* The attention of what a branch goes on with, by pages. */
static void note_branch(const struct run *run, const uint32_t *tokens, uint64_t *mass, uint64_t *n_chosen)
{
	struct engine *engine = open_run(run);
	struct block_memory blocks = { .lost = false };
	const struct block_io io = block_memory_io(&blocks);
	struct context *context;
	uint32_t buckets[N_TOKENS];
	const struct attention_record record = { .buckets = buckets,
		                                 .n_positions = N_TOKENS,
		                                 .n_buckets = N_TOKENS / BLOCK_TOKENS + 2,
		                                 .mass = mass,
		                                 .n_chosen = n_chosen };

	for (uint32_t i = 0; i < N_TOKENS; i++)
		buckets[i] = i / BLOCK_TOKENS;
	context = read_and_save(engine, tokens, &io);
	context_set_record(context, &record);
	forward(context, tokens, N_BEHIND);
	assert_true((blocks.n_reads > 0) == (run->row_memory > 0));
	context_free(context);
	block_memory_done(&blocks);
	engine_close(engine);
}

static void attention_is_noted_by_its_own_positions_where_rows_have_left_memory(void **state)
{
	struct run run = { .fixture = "glm-dsa-shared", .n_threads = 2 };
	uint64_t mass[2][16 * (N_TOKENS / BLOCK_TOKENS + 2)] = { { 0 } },
							 n_chosen[2][COUNT(mass[0])] = { { 0 } };
	uint32_t tokens[N_TOKENS];

	(void)state;
	draw_sequence(tokens);
	for (size_t i = 0; i < 2; i++) {
		run.row_memory = i == 0 ? 0 : 20000;
		note_branch(&run, tokens, mass[i], n_chosen[i]);
	}
	assert_true(n_chosen[0][0] > 0);
	assert_memory_equal(mass[1], mass[0], sizeof(mass[0]));
	assert_memory_equal(n_chosen[1], n_chosen[0], sizeof(n_chosen[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_that_left_memory_give_the_same_logits),
		cmocka_unit_test(a_block_that_is_lost_is_an_error_that_leaves_the_context_whole),
		cmocka_unit_test(dense_attention_wants_all_rows_in_memory),
		cmocka_unit_test(attention_is_noted_by_its_own_positions_where_rows_have_left_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
