/* What is noted of attention is what a plain computation gives, adds up, and depends on neither passes, threads nor
 * company; the choice that dense attention is compared with is the one that sparse attention makes. On small checkpoints,
 * well beyond index_topk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>

#include "base/array.h"
#include "model/attention_record.h"
#include "model/context.h"
#include "model/engine_internal.h"
#include "tests/fixture.h"
#include "tests/recording.h"

#define N_PAST 200 /* three whole pages and a tail */
#define N_BEHIND 9 /* whose attention is noted */
#define N_ALL (N_PAST + N_BEHIND)
#define N_TOPK 48 /* some tiles, and some positions that are not chosen */
#define TOPK "48"

/* A record with its arrays. */
struct noted {
	struct attention_record record;
	uint32_t buckets[N_PAST];
	size_t n_layers;
};

/* Buckets of `width` positions each, and one for what is behind the past. */
static struct noted *new_noted(const struct engine *engine, size_t width, bool recall)
{
	struct noted *noted = array_new(struct noted, 1);
	size_t n_buckets = (N_PAST + width - 1) / width + 1,
	       n_layers = engine_shape(engine)->num_hidden_layers;

	assert_non_null(noted);
	for (size_t i = 0; i < N_PAST; i++)
		noted->buckets[i] = (uint32_t)(i / width);
	noted->n_layers = n_layers;
	noted->record = (struct attention_record){
		.buckets = noted->buckets,
		.n_positions = N_PAST,
		.n_buckets = n_buckets,
		.mass = array_new(uint64_t, n_layers, n_buckets),
		.n_chosen = array_new(uint64_t, n_layers, n_buckets),
		.recalled = recall ? array_new(uint64_t, n_layers, n_buckets) : NULL,
	};
	assert_true(noted->record.mass != NULL && noted->record.n_chosen != NULL);
	return noted;
}

static void free_noted(struct noted *noted)
{
	free(noted->record.mass);
	free(noted->record.n_chosen);
	free(noted->record.recalled);
	free(noted);
}

static void assert_same(const struct noted *a, const struct noted *b)
{
	size_t n = a->n_layers * a->record.n_buckets;

	assert_int_equal(a->record.n_buckets, b->record.n_buckets);
	assert_memory_equal(a->record.mass, b->record.mass, n * sizeof(uint64_t));
	assert_memory_equal(a->record.n_chosen, b->record.n_chosen, n * sizeof(uint64_t));
	if (a->record.recalled != NULL)
		assert_memory_equal(a->record.recalled, b->record.recalled, n * sizeof(uint64_t));
}

/* How a trial is run. */
struct way {
	const char *fixture, *kernels;
	enum numerics numerics;
	enum mla_form form;
	enum attention attention;
	unsigned n_threads;
	size_t rows, step; /* of a pass, of what is appended behind the past */
	bool company; /* another branch goes on beside it */
	size_t width; /* of buckets; 0: 16 */
	bool recall;
	const char *topk; /* NULL: TOPK */
	size_t first; /* that is noted */
};

static struct engine *open_way(const struct way *way)
{
	struct path dir = fixture_copy(way->fixture);
	struct engine_settings settings = { .dir = dir.text,
		                            .numerics = way->numerics,
		                            .mla_form = way->form,
		                            .n_threads = way->n_threads,
		                            .prefill_rows = way->rows,
		                            .kernels = way->kernels };
	struct engine *engine;
	struct err err;

	change_config(&dir, "index_topk", way->topk == NULL ? TOPK : way->topk);
	if (engine_open(&settings, &engine, &err) < 0)
		fail_msg("%s", err.text);
	folder_remove(&dir);
	return engine;
}

/* Append the tokens behind the past to a branch, beside another one that has them in a different order. */
static void go_on(struct context *branch, struct context *other, const uint32_t *tokens, size_t step)
{
	struct err err;

	for (size_t at = 0; at < N_BEHIND; at += step) {
		size_t n = N_BEHIND - at < step ? N_BEHIND - at : step;
		struct append appends[] = { { branch, tokens + at, n, false },
			                    { other, tokens + N_BEHIND - at - n, n, false } };

		if (context_forward(appends, other == NULL ? 1 : 2, NULL, &err) < 0)
			fail_msg("%s", err.text);
	}
}

static struct noted *note(const struct way *way, struct engine *engine, const uint32_t *tokens,
                          const struct context_observer *observer)
{
	struct noted *ret = new_noted(engine, way->width == 0 ? 16 : way->width, way->recall);
	struct context *past, *branch, *other = NULL;
	struct err err;

	assert_int_equal(context_new(engine, &past, &err), 0);
	forward(past, tokens, N_PAST);
	assert_int_equal(context_fork(past, &branch, &err), 0);
	if (way->company)
		assert_int_equal(context_fork(past, &other, &err), 0);
	context_set_attention(branch, way->attention);
	ret->record.first = way->first;
	context_set_record(branch, &ret->record);
	if (observer != NULL)
		context_set_observer(branch, observer);
	go_on(branch, other, tokens + N_PAST, way->step == 0 ? 1 : way->step);
	context_free(other);
	context_free(branch);
	context_free(past);
	return ret;
}

static struct noted *run(const struct way *way, const struct context_observer *observer)
{
	struct engine *engine = open_way(way);
	uint32_t tokens[N_ALL];
	struct noted *ret;

	draw_tokens(engine, 71, tokens, N_ALL);
	ret = note(way, engine, tokens, observer);
	engine_close(engine);
	return ret;
}

/* What was chosen, by layer and bucket of 16 positions. */
struct counted {
	uint64_t n[16][N_PAST / 16 + 2];
	uint32_t first[N_ALL]; /* of layer 0 at the first position behind the past */
	size_t n_first;
};

static void count(void *user, uint32_t layer, size_t pos, const uint32_t *rows, size_t n)
{
	struct counted *counted = user;

	assert_true(layer < 16);
	for (size_t i = 0; i < n; i++) {
		size_t row = rows == NULL ? i : rows[i];

		counted->n[layer][row < N_PAST ? row / 16 : N_PAST / 16 + 1]++;
	}
	if (layer != 0 || pos != N_PAST || rows == NULL)
		return;
	memcpy(counted->first, rows, n * sizeof(*rows));
	counted->n_first = n;
}

static double units(const struct noted *noted, size_t layer, size_t bucket)
{
	return (double)noted->record.mass[layer * noted->record.n_buckets + bucket] / ATTENTION_UNIT;
}

/* What was recalled, of one token's attention. */
static double recall_of(const struct noted *noted, size_t layer)
{
	double sum = 0;

	for (size_t b = 0; b < noted->record.n_buckets; b++)
		sum += (double)noted->record.recalled[layer * noted->record.n_buckets + b] / ATTENTION_UNIT;
	return sum;
}

static void assert_sums(const struct noted *noted, const char *name)
{
	for (size_t layer = 0; layer < noted->n_layers; layer++) {
		double sum = 0;

		for (size_t b = 0; b < noted->record.n_buckets; b++)
			sum += units(noted, layer, b);
		if (fabs(sum - N_BEHIND) > 1e-3)
			fail_msg("%s, layer %zu: %f, not %d", name, layer, sum, N_BEHIND);
	}
}

static void masses_add_up_and_counts_are_those_of_the_choice(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(FIXTURES); i++) {
		struct way way = { .fixture = FIXTURES[i], .n_threads = 2 };
		struct counted counted = { 0 };
		struct noted *noted = run(&way, &(struct context_observer){ &counted, NULL, count });

		assert_sums(noted, FIXTURES[i]);
		assert_int_equal(counted.n_first, N_TOPK);
		for (size_t layer = 0; layer < noted->n_layers; layer++) {
			for (size_t b = 0; counted.n[layer][0] > 0 && b < noted->record.n_buckets; b++)
				assert_int_equal(noted->record.n_chosen[layer * noted->record.n_buckets + b],
				                 counted.n[layer][b]);
		}
		free_noted(noted);
	}
}

static void tokens_before_the_first_are_not_noted(void **state)
{
	struct way way = { .fixture = "v32-plain", .n_threads = 2, .step = N_BEHIND, .first = N_PAST + 4 };
	struct noted *together = run(&way, NULL), *alone;

	(void)state;
	way.step = 1;
	alone = run(&way, NULL);
	assert_same(together, alone);
	for (size_t layer = 0; layer < alone->n_layers; layer++) {
		double sum = 0;

		for (size_t b = 0; b < alone->record.n_buckets; b++)
			sum += units(alone, layer, b);
		assert_true(fabs(sum - (N_BEHIND - 4)) < 1e-3);
	}
	free_noted(together);
	free_noted(alone);
}

/* Layer 0 of a checkpoint, by its formulas alone. */
struct plain {
	const struct model_shape *shape;
	const struct checkpoint *checkpoint;
	const struct tensor *embedding;
	float *input_norm, *q_a, *q_a_norm, *q_b, *kv_a, *kv_a_norm, *kv_b;
};

static float *read_plain(const struct plain *plain, const char *name, uint32_t n_out, uint32_t n_in)
{
	char whole[128];
	struct err err;
	float *ret;

	snprintf(whole, sizeof(whole), "model.layers.0.%s.weight", name);
	if (weights_read(plain->checkpoint, plain->shape, whole, n_out, n_in, &ret, &err) < 0)
		fail_msg("%s", err.text);
	return ret;
}

static struct plain open_plain(const struct engine *engine)
{
	const struct model_shape *shape = &engine->shape;
	struct plain ret = { .shape = shape,
		             .checkpoint = engine->checkpoint,
		             .embedding = engine->embedding };
	uint32_t heads = shape->num_attention_heads, rank = shape->kv_lora_rank;

	ret.input_norm = read_plain(&ret, "input_layernorm", 1, shape->hidden_size);
	ret.q_a = read_plain(&ret, "self_attn.q_a_proj", shape->q_lora_rank, shape->hidden_size);
	ret.q_a_norm = read_plain(&ret, "self_attn.q_a_layernorm", 1, shape->q_lora_rank);
	ret.q_b =
		read_plain(&ret, "self_attn.q_b_proj", heads * shape_qk_head_dim(shape), shape->q_lora_rank);
	ret.kv_a = read_plain(&ret, "self_attn.kv_a_proj_with_mqa", rank + shape->qk_rope_head_dim,
	                      shape->hidden_size);
	ret.kv_a_norm = read_plain(&ret, "self_attn.kv_a_layernorm", 1, rank);
	ret.kv_b = read_plain(&ret, "self_attn.kv_b_proj",
	                      heads * (shape->qk_nope_head_dim + shape->v_head_dim), rank);
	return ret;
}

static void close_plain(struct plain *plain)
{
	free(plain->input_norm);
	free(plain->q_a);
	free(plain->q_a_norm);
	free(plain->q_b);
	free(plain->kv_a);
	free(plain->kv_a_norm);
	free(plain->kv_b);
}

static float *times(const float *matrix, const float *x, size_t n_out, size_t n_in)
{
	float *ret = array_new(float, n_out);

	assert_non_null(ret);
	for (size_t o = 0; o < n_out; o++) {
		for (size_t i = 0; i < n_in; i++)
			ret[o] += matrix[o * n_in + i] * x[i];
	}
	return ret;
}

static void rotate(const struct plain *plain, size_t pos, float *x)
{
	size_t n = plain->shape->qk_rope_head_dim;
	float cosines[128], sines[128];

	assert_true(n / 2 <= COUNT(cosines));
	for (size_t i = 0; i < n / 2; i++) {
		float angle = (float)pos * plain->shape->rope_inv_freq[i];

		cosines[i] = cosf(angle) * plain->shape->rope_factor;
		sines[i] = sinf(angle) * plain->shape->rope_factor;
	}
	rope_rotate(x, cosines, sines, n, false);
}

/* The normed embedding of a token, times a matrix. */
static float *enter(const struct plain *plain, uint32_t token, const float *matrix, size_t n_out)
{
	size_t d = plain->shape->hidden_size;
	float *x = array_new(float, d), *ret;

	assert_non_null(x);
	tensor_read(plain->embedding, (uint64_t)token * d, d, x);
	rms_norm(x, x, plain->input_norm, d, plain->shape->rms_norm_eps);
	ret = times(matrix, x, n_out, d);
	free(x);
	return ret;
}

/* All heads' queries, rotated. */
static float *query_of(const struct plain *plain, uint32_t token, size_t pos)
{
	const struct model_shape *shape = plain->shape;
	size_t head = shape_qk_head_dim(shape);
	float *latent = enter(plain, token, plain->q_a, shape->q_lora_rank), *q;

	rms_norm(latent, latent, plain->q_a_norm, shape->q_lora_rank, shape->rms_norm_eps);
	q = times(plain->q_b, latent, shape->num_attention_heads * head, shape->q_lora_rank);
	for (size_t h = 0; h < shape->num_attention_heads; h++)
		rotate(plain, pos, q + h * head + shape->qk_nope_head_dim);
	free(latent);
	return q;
}

/* scores[heads] of one position for a query. */
static void score_position(const struct plain *plain, const float *q, uint32_t token, size_t pos,
                           double *scores)
{
	const struct model_shape *shape = plain->shape;
	size_t rank = shape->kv_lora_rank, rope = shape->qk_rope_head_dim, nope = shape->qk_nope_head_dim;
	size_t head = nope + rope, kv_head = nope + shape->v_head_dim;
	float *kv = enter(plain, token, plain->kv_a, rank + rope), *expanded;

	rms_norm(kv, kv, plain->kv_a_norm, rank, shape->rms_norm_eps);
	rotate(plain, pos, kv + rank);
	expanded = times(plain->kv_b, kv, shape->num_attention_heads * kv_head, rank);
	for (size_t h = 0; h < shape->num_attention_heads; h++) {
		scores[h] = 0;
		for (size_t i = 0; i < nope; i++)
			scores[h] += (double)q[h * head + i] * expanded[h * kv_head + i];
		for (size_t i = 0; i < rope; i++)
			scores[h] += (double)q[h * head + nope + i] * kv[rank + i];
		scores[h] *= shape->softmax_scale;
	}
	free(expanded);
	free(kv);
}

/* The attention of position pos to positions [n], averaged over the heads. */
static void attend_plainly(const struct plain *plain, const uint32_t *tokens, size_t pos,
                           const uint32_t *positions, size_t n, double *ret)
{
	size_t heads = plain->shape->num_attention_heads;
	double *scores = array_new(double, n, heads);
	float *q = query_of(plain, tokens[pos], pos);

	assert_non_null(scores);
	for (size_t i = 0; i < n; i++) {
		size_t at = positions == NULL ? i : positions[i];

		score_position(plain, q, tokens[at], at, scores + i * heads);
		ret[i] = 0;
	}
	for (size_t h = 0; h < heads; h++) {
		double most = -INFINITY, sum = 0;

		for (size_t i = 0; i < n; i++)
			most = fmax(most, scores[i * heads + h]);
		for (size_t i = 0; i < n; i++)
			sum += exp(scores[i * heads + h] - most);
		for (size_t i = 0; i < n; i++)
			ret[i] += exp(scores[i * heads + h] - most) / sum / (double)heads;
	}
	free(q);
	free(scores);
}

/* The first token behind the past, each position a bucket of its own. */
static struct noted *note_one(struct engine *engine, const uint32_t *tokens, enum attention attention,
                              bool recall, struct counted *counted)
{
	struct noted *ret = new_noted(engine, 1, recall);
	struct context *context;
	struct err err;

	assert_int_equal(context_new(engine, &context, &err), 0);
	forward(context, tokens, N_PAST);
	context_set_attention(context, attention);
	context_set_record(context, &ret->record);
	context_set_observer(context, &(struct context_observer){ counted, NULL, count });
	forward(context, tokens + N_PAST, 1);
	context_set_record(context, NULL);
	forward(context, tokens + N_PAST + 1, 1);
	context_free(context);
	return ret;
}

static void check_plain(const struct plain *plain, const uint32_t *tokens, const struct noted *noted,
                        const uint32_t *chosen, size_t n, const char *name)
{
	double expected[N_PAST + 1], of[N_PAST + 1] = { 0 };

	attend_plainly(plain, tokens, N_PAST, chosen, n, expected);
	for (size_t i = 0; i < n; i++)
		of[chosen == NULL ? i : chosen[i]] = expected[i];
	for (size_t pos = 0; pos <= N_PAST; pos++) {
		if (fabs(units(noted, 0, pos) - of[pos]) > 2e-6)
			fail_msg("%s: position %zu has %g, not %g", name, pos, units(noted, 0, pos), of[pos]);
	}
}

static void the_first_layers_masses_are_those_of_its_formulas(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(FIXTURES); i++) {
		struct way way = { .fixture = FIXTURES[i], .numerics = NUMERICS_STRICT, .n_threads = 2 };
		struct engine *engine = open_way(&way);
		struct plain plain = open_plain(engine);
		struct counted sparse_counts = { 0 }, dense_counts = { 0 };
		struct noted *sparse, *dense;
		uint32_t tokens[N_ALL];

		draw_tokens(engine, 72, tokens, N_ALL);
		sparse = note_one(engine, tokens, ATTENTION_SPARSE, false, &sparse_counts);
		dense = note_one(engine, tokens, ATTENTION_DENSE, false, &dense_counts);
		check_plain(&plain, tokens, sparse, sparse_counts.first, sparse_counts.n_first, FIXTURES[i]);
		check_plain(&plain, tokens, dense, NULL, N_PAST + 1, FIXTURES[i]);
		free_noted(sparse);
		free_noted(dense);
		close_plain(&plain);
		engine_close(engine);
	}
}

static void what_is_recalled_is_what_fell_on_the_choice_of_sparse_attention(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(FIXTURES); i++) {
		struct way way = { .fixture = FIXTURES[i], .n_threads = i % 2 == 0 ? 1 : 3 };
		struct engine *engine = open_way(&way);
		struct counted counted = { 0 }, unused = { 0 };
		struct noted *sparse, *dense;
		uint32_t tokens[N_ALL];

		draw_tokens(engine, 73, tokens, N_ALL);
		sparse = note_one(engine, tokens, ATTENTION_SPARSE, true, &counted);
		dense = note_one(engine, tokens, ATTENTION_DENSE, true, &unused);
		for (size_t pos = 0, k = 0; pos <= N_PAST; pos++) {
			bool chosen = k < counted.n_first && counted.first[k] == pos;

			assert_int_equal(dense->record.recalled[pos], chosen ? dense->record.mass[pos] : 0);
			k += chosen;
		}
		assert_true(recall_of(dense, 0) < 0.999); /* something was left out */
		for (size_t layer = 0; layer < dense->n_layers; layer++) {
			assert_true(recall_of(dense, layer) > 0 && recall_of(dense, layer) < 1.00001);
			assert_true(fabs(recall_of(sparse, layer) - 1) < 1e-4);
		}
		free_noted(sparse);
		free_noted(dense);
		engine_close(engine);
	}
}

static void a_choice_of_everything_recalls_everything(void **state)
{
	struct way way = { .fixture = "v32-plain",
		           .n_threads = 2,
		           .attention = ATTENTION_DENSE,
		           .recall = true,
		           .topk = "4096" };
	struct noted *noted = run(&way, NULL);

	(void)state;
	assert_memory_equal(noted->record.recalled, noted->record.mass,
	                    noted->n_layers * noted->record.n_buckets * sizeof(uint64_t));
	free_noted(noted);
}

/* All ways to the same numbers. */
static void check_ways(struct way way)
{
	static const struct {
		unsigned n_threads;
		size_t rows, step;
		bool company;
	} WAYS[] = { { 3, 0, 1, false }, { 1, 7, 4, false }, { 2, 64, 9, true }, { 3, 0, 9, true } };
	struct noted *expected;

	way.n_threads = 1;
	expected = run(&way, NULL);
	for (size_t i = 0; i < COUNT(WAYS); i++) {
		struct noted *noted;

		way.n_threads = WAYS[i].n_threads;
		way.rows = WAYS[i].rows;
		way.step = WAYS[i].step;
		way.company = WAYS[i].company;
		noted = run(&way, NULL);
		assert_same(noted, expected);
		free_noted(noted);
	}
	free_noted(expected);
}

static void a_record_depends_on_neither_passes_threads_nor_company(void **state)
{
	static const char *const FAMILIES[] = { "plain", "avx2", "avx512", "avx512bf16", "avx2bf16" };
	const struct ops *ops;

	(void)state;
	for (size_t i = 0; i < COUNT(FIXTURES) * COUNT(FAMILIES); i += tests_are_short() ? 7 : 1) {
		struct way way = { .fixture = FIXTURES[i % COUNT(FIXTURES)],
			           .kernels = FAMILIES[i / COUNT(FIXTURES)],
			           .form = i % 3 == 2 ? MLA_NAIVE : MLA_ABSORBED,
			           .attention = i % 2 == 1 ? ATTENTION_DENSE : ATTENTION_SPARSE,
			           .recall = i % 4 == 1 };

		if (ops_select(way.kernels, &ops, NULL) == 0)
			check_ways(way);
	}
}

static void being_noted_changes_nothing(void **state)
{
	struct way way = { .fixture = "v32-fp8", .n_threads = 2 };
	struct engine *engine = open_way(&way);
	struct recording with = new_recording(engine, N_ALL), without = new_recording(engine, N_ALL);
	struct noted *noted = new_noted(engine, 16, true);
	uint32_t tokens[N_ALL];

	(void)state;
	draw_tokens(engine, 74, tokens, N_ALL);
	for (enum attention attention = ATTENTION_SPARSE; attention <= ATTENTION_DENSE; attention++) {
		for (int i = 0; i < 2; i++) {
			struct context *context;
			struct err err;

			assert_int_equal(context_new(engine, &context, &err), 0);
			context_set_attention(context, attention);
			context_set_record(context, i == 0 ? NULL : &noted->record);
			watch(context, i == 0 ? &without : &with);
			forward(context, tokens, N_ALL);
			context_free(context);
		}
		assert_memory_equal(with.logits, without.logits, N_ALL * with.n_vocab * sizeof(float));
		with.n = without.n = 0;
	}
	free(with.logits);
	free(without.logits);
	free_noted(noted);
	engine_close(engine);
}

static void the_expanded_form_is_refused(void **state)
{
	struct way way = { .fixture = "tiny", .n_threads = 1 };
	struct engine *engine = open_way(&way);
	struct noted *noted = new_noted(engine, 16, false);
	struct context *context;
	uint32_t token = 1;
	struct append append;
	struct err err;

	(void)state;
	assert_int_equal(context_new(engine, &context, &err), 0);
	context_set_attention(context, ATTENTION_DENSE_EXPANDED);
	context_set_record(context, &noted->record);
	append = (struct append){ context, &token, 1, false };
	assert_int_equal(context_forward(&append, 1, NULL, &err), -ENOTSUP);
	assert_int_equal(context_n_tokens(context), 0);
	context_set_record(context, NULL);
	assert_int_equal(context_forward(&append, 1, NULL, &err), 0);
	context_free(context);
	free_noted(noted);
	engine_close(engine);
}

static void shares_that_are_no_numbers_count_as_nothing(void **state)
{
	const float shares[] = { 0.5f, 0.25f, 0, 0, NAN, 0.5f, 0, 0, INFINITY, 1, 0, 0, 0.5f, 0.25f, 9, 9 };
	uint32_t buckets[] = { 1, 0, 0 };
	const uint32_t chosen[] = { 3 };
	uint64_t mass[3] = { 0 }, n_chosen[3] = { 0 }, recalled[3] = { 0 };
	struct attention_record record = { .buckets = buckets,
		                           .n_positions = COUNT(buckets),
		                           .n_buckets = 3,
		                           .mass = mass,
		                           .n_chosen = n_chosen,
		                           .recalled = recalled };
	struct attended attended = {
		.n = 4, .chosen = chosen, .n_chosen = 1, .shares = shares, .n_heads = 2, .stride = 4
	};

	(void)state;
	attention_record_add(&record, &attended);
	assert_int_equal(mass[1], (uint64_t)(0.375 * ATTENTION_UNIT));
	assert_int_equal(mass[0], 0);
	assert_int_equal(mass[2], (uint64_t)(0.375 * ATTENTION_UNIT));
	assert_int_equal(recalled[2], mass[2]);
	assert_int_equal(recalled[1], 0);
	assert_int_equal(n_chosen[0], 2);
	assert_int_equal(n_chosen[1], 1);
	assert_int_equal(n_chosen[2], 1);
}

/* The newest positions, whatever the indexer says. */
static void choose_newest(void *user, uint32_t layer, size_t pos, uint32_t *positions, size_t n)
{
	(void)user;
	(void)layer;
	for (size_t i = 0; i < n; i++)
		positions[i] = (uint32_t)(pos + 1 - n + i);
}

static void a_choice_that_is_tampered_with_recalls_less(void **state)
{
	struct path dir = fixture_copy("v32-plain");
	struct engine_settings settings = { .dir = dir.text, .n_threads = 1, .tamper = choose_newest };
	struct way way = { .fixture = "v32-plain", .attention = ATTENTION_DENSE, .recall = true };
	struct noted *noted;
	struct engine *engine;
	uint32_t tokens[N_ALL];
	struct err err;

	(void)state;
	change_config(&dir, "index_topk", TOPK);
	assert_int_equal(engine_open(&settings, &engine, &err), 0);
	folder_remove(&dir);
	draw_tokens(engine, 71, tokens, N_ALL);
	way.width = 1;
	noted = note(&way, engine, tokens, NULL);
	for (size_t layer = 0; layer < noted->n_layers; layer++) {
		const uint64_t *mass = noted->record.mass + layer * noted->record.n_buckets;
		const uint64_t *recalled = noted->record.recalled + layer * noted->record.n_buckets;
		size_t oldest = N_PAST + 1 - N_TOPK; /* of the first token's choice */

		for (size_t b = 0; b <= N_PAST; b++) {
			if (b < oldest)
				assert_int_equal(recalled[b], 0);
			else if (b >= oldest + N_BEHIND)
				assert_int_equal(recalled[b], mass[b]);
		}
	}
	free_noted(noted);
	engine_close(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masses_add_up_and_counts_are_those_of_the_choice),
		cmocka_unit_test(tokens_before_the_first_are_not_noted),
		cmocka_unit_test(the_first_layers_masses_are_those_of_its_formulas),
		cmocka_unit_test(what_is_recalled_is_what_fell_on_the_choice_of_sparse_attention),
		cmocka_unit_test(a_choice_of_everything_recalls_everything),
		cmocka_unit_test(a_record_depends_on_neither_passes_threads_nor_company),
		cmocka_unit_test(being_noted_changes_nothing),
		cmocka_unit_test(the_expanded_form_is_refused),
		cmocka_unit_test(shares_that_are_no_numbers_count_as_nothing),
		cmocka_unit_test(a_choice_that_is_tampered_with_recalls_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
