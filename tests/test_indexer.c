/* Scanning codes first chooses what scanning keys alone does, and so gives the same logits, bit for bit: whatever the
 * checkpoint, the kernels and the way to a sequence, with ties, and where codes tell nothing. In sequences of more than one
 * slab of codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "model/indexer.h"
#include "model/pass.h"
#include "tests/block_memory.h"
#include "tests/families.h"
#include "tests/recording.h"

#define N_TOKENS (CODE_TOKENS + 3 * CACHE_PAGE_TOKENS + 10)
#define N_LONG 4700 /* more than a topk of the fixtures can hold */
#define N_VALUES 96 /* the smallest vocabulary */

/* A checkpoint and how it is computed. */
struct mode {
	struct path dir;
	const char *kernels;
	unsigned n_threads;
	size_t prefill_rows;
};

/* The families in turn, not the slowest one first. */
static const char *family(size_t i)
{
	return families[(i + 1) % n_families]->name;
}

/* With SKIMD_TEST_SHORT one, or few, of the cases. */
static size_t some(size_t n, size_t n_short)
{
	return tests_are_short() ? n_short : n;
}

static struct engine *open_engine(const struct mode *mode, bool plain_scan)
{
	struct engine_settings settings = { .dir = mode->dir.text,
		                            .mla_form = MLA_ABSORBED,
		                            .plain_scan = plain_scan,
		                            .n_threads = mode->n_threads,
		                            .prefill_rows = mode->prefill_rows,
		                            .kernels = mode->kernels };
	struct engine *engine;
	struct err err;

	if (engine_open(&settings, &engine, &err) < 0)
		fail_msg("%s", err.text);
	return engine;
}

/* What is seen of a sequence. */
struct trace {
	struct recording logits;
	size_t n_layers, topk;
	uint32_t *n_selected; /* [N_TOKENS][n_layers]; 0: the layer does not choose */
	uint32_t *selected; /* [N_TOKENS][n_layers][topk], where not everything is */
};

static struct trace new_trace(const struct engine *engine)
{
	const struct model_shape *shape = engine_shape(engine);
	struct trace ret = { new_recording(engine, N_TOKENS), shape->num_hidden_layers, shape->index_topk,
		             array_new(uint32_t, N_TOKENS, shape->num_hidden_layers),
		             array_new(uint32_t, (size_t)N_TOKENS * shape->num_hidden_layers,
		                       shape->index_topk) };

	assert_true(ret.n_selected != NULL && ret.selected != NULL);
	return ret;
}

static void trace_done(struct trace *trace)
{
	free(trace->logits.logits);
	free(trace->n_selected);
	free(trace->selected);
}

static void see_logits(void *user, size_t pos, const float *logits)
{
	struct trace *trace = user;

	record(&trace->logits, pos, logits);
}

/* Called from several threads, for different positions. */
static void see_selected(void *user, uint32_t layer, size_t pos, const uint32_t *rows, size_t n)
{
	struct trace *trace = user;
	size_t place = pos * trace->n_layers + layer;

	trace->n_selected[place] = (uint32_t)n;
	if (rows != NULL && n <= trace->topk)
		memcpy(trace->selected + place * trace->topk, rows, n * sizeof(*rows));
}

static void follow(struct context *context, struct trace *trace)
{
	context_set_observer(context, &(struct context_observer){ trace, see_logits, see_selected });
}

static struct context *new_context(struct engine *engine, struct trace *trace)
{
	struct context *context = fresh_context(engine);

	follow(context, trace);
	return context;
}

static struct context *fork_context(const struct context *parent, struct trace *trace)
{
	struct context *context = forked_context(parent);

	follow(context, trace);
	return context;
}

/* The whole sequence in one call, by keys alone. */
static struct trace expect(const struct mode *mode, const uint32_t *tokens, size_t n)
{
	struct engine *engine = open_engine(mode, true);
	struct trace ret = new_trace(engine);
	struct context *context = new_context(engine, &ret);

	forward(context, tokens, n);
	context_free(context);
	engine_close(engine);
	return ret;
}

/* Positions [first, n) of both. */
static void assert_same(const struct mode *mode, const struct trace *a, const struct trace *b, size_t first,
                        size_t n)
{
	size_t n_vocab = a->logits.n_vocab, n_layers = a->n_layers, topk = a->topk;

	for (size_t i = first * n_layers; i < n * n_layers; i++) {
		if (a->n_selected[i] != b->n_selected[i] ||
		    memcmp(a->selected + i * topk, b->selected + i * topk, topk * sizeof(uint32_t)) != 0)
			fail_msg("%s, %s: layer %zu chooses other rows for position %zu", mode->dir.text,
			         mode->kernels, i % n_layers, i / n_layers);
	}
	for (size_t pos = first; pos < n; pos++) {
		if (memcmp(a->logits.logits + pos * n_vocab, b->logits.logits + pos * n_vocab,
		           n_vocab * sizeof(float)) != 0)
			fail_msg("%s, %s: the logits of position %zu differ", mode->dir.text, mode->kernels,
			         pos);
	}
}

static void draw_sequence(uint64_t seed, uint32_t *tokens)
{
	for (size_t i = 0; i < N_TOKENS; i++)
		tokens[i] = (uint32_t)(draw(&seed) % N_VALUES);
}

/* Both scans in one call. */
static void check_scans(const struct mode *mode, const uint32_t *tokens)
{
	struct trace expected = expect(mode, tokens, N_TOKENS), seen;
	struct engine *engine = open_engine(mode, false);
	struct context *context;

	seen = new_trace(engine);
	context = new_context(engine, &seen);
	forward(context, tokens, N_TOKENS);
	assert_same(mode, &seen, &expected, 0, N_TOKENS);
	trace_done(&seen);
	trace_done(&expected);
	context_free(context);
	engine_close(engine);
}

static void on_every_checkpoint_both_scans_choose_the_same(void **state)
{
	uint32_t tokens[N_TOKENS];

	(void)state;
	draw_sequence(1, tokens);
	for (size_t i = 0; i < COUNT(FIXTURES) + 1; i += tests_are_short() ? 4 : 1) {
		struct mode mode = { fixture_path(i < COUNT(FIXTURES) ? FIXTURES[i] : "tiny"), family(i), 1,
			             0 };

		check_scans(&mode, tokens);
	}
}

static void with_every_index_topk_both_scans_choose_the_same(void **state)
{
	static const char *const TOPKS[] = { "1", "200", "2", "64", "1030" };
	uint32_t tokens[N_TOKENS];

	(void)state;
	draw_sequence(2, tokens);
	for (size_t i = 0; i < some(COUNT(TOPKS), 2); i++) {
		struct mode mode = { fixture_copy(FIXTURES[i]), family(i), 2, 0 };

		change_config(&mode.dir, "index_topk", TOPKS[i]);
		check_scans(&mode, tokens);
		folder_remove(&mode.dir);
	}
}

/* The same token, or a few in turn: scores that differ by their positions' rotation, or not at all. */
static void of_repeated_tokens_both_scans_choose_the_same(void **state)
{
	uint32_t tokens[N_TOKENS];

	(void)state;
	for (uint32_t period = 1; period <= some(3, 1); period++) {
		struct mode mode = { fixture_path(FIXTURES[period * 2]), family(period - 1), 2, 0 };

		for (uint32_t i = 0; i < N_TOKENS; i++)
			tokens[i] = 7 + i % period;
		check_scans(&mode, tokens);
	}
}

/* The last tokens one by one: so few rows are scored in parts by several threads. */
static void check_way(const struct mode *mode, const uint32_t *tokens, const struct trace *expected)
{
	struct engine *engine = open_engine(mode, false);
	struct trace seen = new_trace(engine);
	struct context *context = new_context(engine, &seen);

	forward(context, tokens, N_TOKENS - 20);
	for (size_t pos = N_TOKENS - 20; pos < N_TOKENS; pos++)
		forward(context, tokens + pos, 1);
	assert_same(mode, &seen, expected, 0, N_TOKENS);
	trace_done(&seen);
	context_free(context);
	engine_close(engine);
}

static void in_passes_and_by_threads_both_scans_choose_the_same(void **state)
{
	static const struct {
		unsigned n_threads;
		size_t rows;
	} WAYS[] = { { 1, 33 }, { 2, 7 }, { 2, 0 }, { 3, 64 }, { 5, 16 } };
	uint32_t tokens[N_TOKENS];

	(void)state;
	draw_sequence(3, tokens);
	for (size_t f = 0; f < some(n_families, 1); f++) {
		struct mode mode = { fixture_path(FIXTURES[f + 1]), family(f), 1, 0 };
		struct trace expected = expect(&mode, tokens, N_TOKENS);

		for (size_t i = 0; i < some(COUNT(WAYS), 3); i++) {
			mode.n_threads = WAYS[i].n_threads;
			mode.prefill_rows = WAYS[i].rows;
			check_way(&mode, tokens, &expected);
		}
		trace_done(&expected);
	}
}

/* Each branch goes on from `first` with tokens of its own, in turns with its parent and in a pass with it. */
static void check_branches(const struct mode *mode, size_t first)
{
	uint32_t tokens[3][N_TOKENS];
	struct trace expected[3], seen[3];
	struct append appends[3];
	struct engine *engine = open_engine(mode, false);
	struct err err;

	for (size_t i = 0; i < 3; i++) {
		draw_sequence(10 + i, tokens[i]);
		memcpy(tokens[i], tokens[0], first * sizeof(uint32_t));
		expected[i] = expect(mode, tokens[i], N_TOKENS);
		seen[i] = new_trace(engine);
		appends[i] = (struct append){ NULL, tokens[i] + first, 30, false };
	}
	appends[0].context = new_context(engine, &seen[0]);
	forward(appends[0].context, tokens[0], first);
	for (size_t i = 1; i < 3; i++)
		appends[i].context = fork_context(appends[i - 1].context, &seen[i]);
	for (size_t i = 3; i-- > 0;) /* the last branch is the first to write */
		assert_int_equal(context_forward(&appends[i], 1, NULL, &err), 0);
	for (size_t i = 0; i < 3; i++) {
		appends[i].tokens += 30;
		appends[i].n = N_TOKENS - first - 30;
	}
	assert_int_equal(context_forward(appends, 3, NULL, &err), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_same(mode, &seen[i], &expected[i], first, N_TOKENS);
		trace_done(&seen[i]);
		trace_done(&expected[i]);
		context_free(appends[i].context);
	}
	engine_close(engine);
}

/* From within the second slab of codes, from within the first, and from where one begins. */
static void of_branches_both_scans_choose_the_same(void **state)
{
	static const size_t FIRST[] = { CODE_TOKENS + 70, CODE_TOKENS - 100, CODE_TOKENS };

	(void)state;
	for (size_t i = 0; i < some(COUNT(FIRST), 1); i++) {
		struct mode mode = { fixture_path(FIXTURES[i * 2]), family(i), 2, 64 };

		check_branches(&mode, FIRST[i]);
	}
}

/* From blocks that the plain scan left, too: they are the same. */
static void of_a_restored_past_both_scans_choose_the_same(void **state)
{
	enum { N_SAVED = CODE_TOKENS + CACHE_PAGE_TOKENS + 30 };
	uint32_t tokens[N_TOKENS];

	(void)state;
	draw_sequence(4, tokens);
	for (size_t i = 0; i < some(2, 1); i++) {
		struct mode mode = { fixture_path(FIXTURES[i]), family(i), 2, 64 };
		struct trace expected = expect(&mode, tokens, N_TOKENS), seen;
		struct engine *from = open_engine(&mode, i == 0), *to = open_engine(&mode, false);
		struct block_memory blocks = { .n_bytes = 0 };
		struct block_io io = block_memory_io(&blocks);
		struct context *past, *context;
		struct err err;
		size_t n;

		seen = new_trace(to);
		past = new_context(from, &seen);
		context = new_context(to, &seen);
		assert_memory_equal(engine_fingerprint(from), engine_fingerprint(to), FINGERPRINT_BYTES);
		forward(past, tokens, N_SAVED);
		assert_int_equal(context_save(past, 0, true, &io, &err), 0);
		assert_int_equal(context_restore(context, tokens, N_SAVED, &io, &n, &err), 0);
		assert_int_equal(n, N_SAVED);
		forward(context, tokens + n, N_TOKENS - n);
		assert_same(&mode, &seen, &expected, n, N_TOKENS);
		block_memory_done(&blocks);
		trace_done(&seen);
		trace_done(&expected);
		context_free(past);
		context_free(context);
		engine_close(from);
		engine_close(to);
	}
}

/* A tensor of 32-bit floats in the checkpoint's only file set to other values. */
static void set_tensor(const struct path *dir, const char *name, const float *values, size_t n)
{
	struct buf file = folder_read(dir, "model.safetensors");
	uint64_t n_header;
	json_t *header, *offsets;

	memcpy(&n_header, file.data, sizeof(n_header));
	header = json_loadb((const char *)file.data + 8, n_header, 0, NULL);
	offsets = json_object_get(json_object_get(header, name), "data_offsets");
	assert_int_equal(json_integer_value(json_array_get(offsets, 1)) -
	                         json_integer_value(json_array_get(offsets, 0)),
	                 n * sizeof(float));
	memcpy((uint8_t *)file.data + 8 + n_header + json_integer_value(json_array_get(offsets, 0)), values,
	       n * sizeof(float));
	folder_write(dir, "model.safetensors", file.data, file.n);
	json_decref(header);
	buf_done(&file);
}

#define WIDTH 32 /* of the indexer's keys in these checkpoints, */
#define ROPE 16 /* of which so many are rotated */

/* A checkpoint whose keys are `bias`, but for what the layer norm's weight leaves of them. */
static struct path copy_with_keys(const char *name, float weight, const float *bias)
{
	struct path dir = fixture_copy(name);
	float weights[WIDTH];

	for (size_t i = 0; i < WIDTH; i++)
		weights[i] = weight;
	for (unsigned layer = 0; layer < 3; layer++) {
		char tensor[128];

		snprintf(tensor, sizeof(tensor), "model.layers.%u.self_attn.indexer.k_norm.weight", layer);
		set_tensor(&dir, tensor, weights, WIDTH);
		snprintf(tensor, sizeof(tensor), "model.layers.%u.self_attn.indexer.k_norm.bias", layer);
		set_tensor(&dir, tensor, bias, WIDTH);
	}
	return dir;
}

/* The first positions of all, where all keys are equal. */
static void check_first_ones(const struct mode *mode, const uint32_t *tokens)
{
	struct engine *engine = open_engine(mode, false);
	struct trace seen = new_trace(engine);
	struct context *context = new_context(engine, &seen);

	forward(context, tokens, N_TOKENS);
	for (size_t i = seen.topk * seen.n_layers; i < N_TOKENS * seen.n_layers; i++) {
		assert_int_equal(seen.n_selected[i], seen.topk);
		for (uint32_t j = 0; j < seen.topk; j++)
			assert_int_equal(seen.selected[i * seen.topk + j], j);
	}
	trace_done(&seen);
	context_free(context);
	engine_close(engine);
}

static void of_equal_keys_the_first_are_chosen(void **state)
{
	float bias[WIDTH] = { 0 };
	uint32_t tokens[N_TOKENS];

	(void)state;
	draw_sequence(5, tokens);
	for (size_t i = 0; i < some(n_families, 1); i++) {
		struct mode mode = { { "" }, family(i), 1 + (unsigned)i, 64 };
		uint64_t seed = i;

		for (size_t k = ROPE; k < WIDTH; k++)
			bias[k] = draw_float(&seed);
		mode.dir = copy_with_keys("v32-plain", 0, bias);
		check_scans(&mode, tokens);
		check_first_ones(&mode, tokens);
		folder_remove(&mode.dir);
	}
}

/* The logits of a long sequence, all of them. */
static struct recording record_long(const struct mode *mode, bool plain_scan, const uint32_t *tokens)
{
	struct engine *engine = open_engine(mode, plain_scan);
	struct recording ret = new_recording(engine, N_LONG);
	struct context *context = NULL;
	struct err err;

	if (context_new(engine, &context, &err) < 0)
		fail_msg("%s", err.text);
	watch(context, &ret);
	forward(context, tokens, N_LONG);
	context_free(context);
	engine_close(engine);
	return ret;
}

/* More keys that codes cannot tell apart than there is room for (see topk.c): the best so far, by their exact scores,
 * must rule out the rest. By one thread, and by several that share the pages of the last rows. */
static void of_more_keys_alike_than_there_is_room_for_both_scans_choose_the_same(void **state)
{
	static const float WEIGHTS[] = { 0, 3e-4F };
	static uint32_t tokens[N_LONG];
	float bias[WIDTH] = { 0 };
	uint64_t seed = 8;

	(void)state;
	for (size_t i = 0; i < N_LONG; i++)
		tokens[i] = (uint32_t)(draw(&seed) % N_VALUES);
	for (size_t k = ROPE; k < WIDTH; k++)
		bias[k] = draw_float(&seed);
	for (size_t i = 0; i < some(COUNT(WEIGHTS), 0); i++) {
		struct mode mode = { copy_with_keys("v32-plain", WEIGHTS[i], bias), family(i),
			             1 + (unsigned)i % 2, i == 0 ? 64 : 1000 };
		struct recording plain = record_long(&mode, true, tokens);
		struct recording coded = record_long(&mode, false, tokens);

		assert_int_equal(coded.n, N_LONG);
		assert_memory_equal(coded.logits, plain.logits, N_LONG * plain.n_vocab * sizeof(float));
		free(plain.logits);
		free(coded.logits);
		folder_remove(&mode.dir);
	}
}

/* From some bits of bf16 to less than one. */
static void of_nearly_equal_keys_both_scans_choose_the_same(void **state)
{
	static const float WEIGHTS[] = { 1e-2F, 1e-3F, 1e-1F, 3e-3F, 1e-4F };
	float bias[WIDTH] = { 0 };
	uint32_t tokens[N_TOKENS];
	uint64_t seed = 6;

	(void)state;
	draw_sequence(6, tokens);
	for (size_t k = 0; k < WIDTH; k++)
		bias[k] = k < ROPE ? 1e-3F * draw_float(&seed) : draw_float(&seed);
	for (size_t i = 0; i < some(COUNT(WEIGHTS), 2); i++) {
		struct mode mode = { copy_with_keys("glm-dsa", WEIGHTS[i], bias), family(i), 2, 64 };

		check_scans(&mode, tokens);
		folder_remove(&mode.dir);
	}
}

/* bf16 rounds it to infinity, of which there is no code. */
static void of_keys_that_are_not_finite_both_scans_choose_the_same(void **state)
{
	float bias[WIDTH] = { 0 };
	uint32_t tokens[N_TOKENS];

	(void)state;
	draw_sequence(7, tokens);
	bias[ROPE + 3] = 3.4e38F;
	for (size_t i = 0; i < some(n_families, 1); i++) {
		struct mode mode = { copy_with_keys("v32-plain", 1, bias), family(i), 2, 0 };

		check_scans(&mode, tokens);
		folder_remove(&mode.dir);
	}
}

/* Keys that are made to be taken for one another, and a query with a weight of 1 whose elements are: scores are the sums of
 * a key's elements, and only what keys lose is off. */
#define N_ELEMENTS 64

/* An element that is the largest, so that levels are whole numbers, and others. */
static void fill_key(float *key, float others, float last)
{
	for (size_t i = 0; i < N_ELEMENTS; i++)
		key[i] = others;
	key[0] = 127;
	key[N_ELEMENTS - 1] = last;
}

/* The best one for the last position. */
static uint32_t choose_one(const float *keys, uint32_t n, const struct ops *ops, unsigned n_threads)
{
	static const float nothing[2];
	bool full_indexer = true;
	struct model_shape shape = { .num_hidden_layers = 1,
		                     .kv_lora_rank = 2,
		                     .qk_rope_head_dim = 2,
		                     .index_n_heads = 1,
		                     .index_head_dim = N_ELEMENTS,
		                     .index_topk = 1,
		                     .full_indexer = &full_indexer };
	struct pass_settings settings = { .shape = &shape, .ops = ops, .max_rows = 1 };
	struct context_observer observer = { .user = NULL };
	struct cache_layout layout;
	struct cache cache;
	struct pass pass;
	uint32_t ret;

	assert_int_equal(cache_layout_init(&layout, &shape, true), 0);
	cache_init(&cache, &layout);
	assert_int_equal(cache_reserve(&cache, n), 0);
	for (size_t pos = 0; pos < n; pos++)
		cache_put(&cache, 0, pos, nothing, nothing, keys + pos * N_ELEMENTS);
	settings.layout = &layout;
	assert_int_equal(pool_new(n_threads, &settings.pool, NULL), 0);
	assert_int_equal(pass_init(&pass, &settings), 0);
	pass.n_rows = 1;
	pass.rows[0] = (struct pass_row){ .cache = &cache, .observer = &observer, .pos = n - 1 };
	for (size_t i = 0; i < N_ELEMENTS; i++)
		pass.index_q[i] = 1;
	pass.index_w[0] = 1;
	indexer_select(&pass, 0);
	assert_int_equal(pass.rows[0].n_selected, 1);
	ret = pass.selected[0];
	pass_done(&pass);
	pool_free(settings.pool);
	cache_done(&cache);
	cache_layout_done(&layout);
	return ret;
}

/* The code of one key loses and those of two others gain all that can be lost: they change places. */
static void the_best_is_chosen_of_keys_whose_codes_are_off_in_both_directions(void **state)
{
	(void)state;
	for (uint32_t best = 0; best < 3; best++) {
		float keys[3][N_ELEMENTS];

		fill_key(keys[best], 9.4375F, 9.4375F); /* 721.5625, by codes 694 */
		fill_key(keys[(best + 1) % 3], 9.5625F, 1.5625F); /* 721.4375, by codes 749 */
		fill_key(keys[(best + 2) % 3], 9.5625F, 0.5625F); /* 720.4375, by codes 748 */
		for (size_t f = 0; f < n_families; f++)
			assert_int_equal(choose_one(keys[0], 3, families[f], 1), best);
	}
}

/* The best key's code is off, those of its rivals, in the other slab, are not. */
static void the_best_is_chosen_of_keys_of_which_one_slab_tells_little(void **state)
{
	enum { N = CODE_TOKENS + 3 };
	float *keys = array_new(float, N, N_ELEMENTS);

	(void)state;
	assert_non_null(keys);
	for (uint32_t best = 0; best < N; best += N - 1) {
		uint32_t rival = best == 0 ? CODE_TOKENS : 500;

		memset(keys, 0, sizeof(*keys) * N * N_ELEMENTS);
		fill_key(keys + (size_t)best * N_ELEMENTS, 9.4375F, 9.4375F); /* 721.5625, by codes 694 */
		fill_key(keys + (size_t)rival * N_ELEMENTS, 9, 36); /* 721 */
		fill_key(keys + (size_t)(rival + 1) * N_ELEMENTS, 9, 35); /* 720 */
		for (size_t f = 0; f < 2 * n_families; f++)
			assert_int_equal(choose_one(keys, N, families[f / 2], 1 + f % 2), best);
	}
	free(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_every_checkpoint_both_scans_choose_the_same),
		cmocka_unit_test(with_every_index_topk_both_scans_choose_the_same),
		cmocka_unit_test(of_repeated_tokens_both_scans_choose_the_same),
		cmocka_unit_test(in_passes_and_by_threads_both_scans_choose_the_same),
		cmocka_unit_test(of_branches_both_scans_choose_the_same),
		cmocka_unit_test(of_a_restored_past_both_scans_choose_the_same),
		cmocka_unit_test(of_equal_keys_the_first_are_chosen),
		cmocka_unit_test(of_more_keys_alike_than_there_is_room_for_both_scans_choose_the_same),
		cmocka_unit_test(of_nearly_equal_keys_both_scans_choose_the_same),
		cmocka_unit_test(of_keys_that_are_not_finite_both_scans_choose_the_same),
		cmocka_unit_test(the_best_is_chosen_of_keys_whose_codes_are_off_in_both_directions),
		cmocka_unit_test(the_best_is_chosen_of_keys_of_which_one_slab_tells_little),
	};

	return cmocka_run_group_tests(tests, find_families, NULL);
}
