/* Every way to the same bits: a document that is read cold, warm in the same process, warm after a restart, with a block
 * gone from its middle, and after kill -9 in the middle of its reading; by one and two threads, in passes of three sizes, with
 * rows that leave memory. Each reading is a process of its own, and its logits must be those of one that had no store.
 *
 * The models are tests/data/tiny and the fixtures, their contexts well beyond index_topk; with SKIMD_TEST_LONG it is
 * model/nano, with documents of 1k, 10k and 100k tokens; SKIMD_TEST_PART takes a part of the pairs of threads and passes. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <xxhash.h>

#include <cmocka.h>

#include "base/array.h"
#include "model/context.h"
#include "model/sampler.h"
#include "pipeline/prefix.h"
#include "tests/blocks.h"
#include "tests/recording.h"

#define STEP_TOKENS 512 /* as pipeline/reader.c */
#define QUESTION_TOKENS 20
#define ANSWER_TOKENS 20
#define N_TOKENS 1300 /* beyond a slab of codes, and no whole number of blocks */
#define LONG 50000 /* tokens that are not read from the beginning once more */
#define FEW 2000 /* tokens of which no row is held: with more it would take hours */
#define A_TENTH 320 /* bytes of a token: a tenth of the rows of nano */
#define BUDGET ((uint64_t)4 << 30)

/* A document and how it is read. */
struct reading {
	const char *model;
	size_t n_tokens;
	const char *kv; /* NULL: no store */
	unsigned n_threads;
	size_t prefill_rows, row_memory;
	size_t die_behind; /* tokens: kill -9 there; 0: not */
};

/* What is asked for first, and once more behind the same store in the same process. */
struct outcome {
	uint64_t logits[2]; /* a hash over those of each token of question and answer */
	uint32_t answer[2][ANSWER_TOKENS];
	size_t n_restored[2];
};

struct reader {
	const struct reading *reading;
	struct engine *engine;
	struct kvstore *kv;
	struct kvwriter *writer;
	struct prefix prefix;
	struct block_io io;
	uint32_t *tokens; /* of document and question */
};

static void expect_ok(int r, const struct err *err)
{
	if (r < 0)
		fail_msg("%s", err->text);
}

static void open_reader(struct reader *reader, const struct reading *reading)
{
	struct engine_settings settings = { .dir = reading->model,
		                            .n_threads = reading->n_threads,
		                            .prefill_rows = reading->prefill_rows,
		                            .row_memory = reading->row_memory };
	struct err err = { "" };

	*reader = (struct reader){ .reading = reading };
	expect_ok(engine_open(&settings, &reader->engine, &err), &err);
	if (reading->kv != NULL) {
		expect_ok(kvstore_open(reading->kv, BUDGET, &reader->kv, NULL, &err), &err);
		expect_ok(kvwriter_new(reader->kv, KV_QUEUE_BYTES, &reader->writer, &err), &err);
	}
	prefix_init(&reader->prefix, reader->writer, engine_fingerprint(reader->engine));
	reader->io = prefix_block_io(&reader->prefix);
	reader->tokens = array_new(uint32_t, reading->n_tokens + QUESTION_TOKENS);
	assert_non_null(reader->tokens);
	draw_tokens(reader->engine, 1, reader->tokens, reading->n_tokens + QUESTION_TOKENS);
}

static void close_reader(struct reader *reader)
{
	free(reader->tokens);
	prefix_done(&reader->prefix);
	kvwriter_free(reader->writer);
	kvstore_close(reader->kv);
	engine_close(reader->engine);
}

/* As pipeline/reader.c: what the store has, and then step by step. */
static struct context *read_document(struct reader *reader, size_t *ret_n_restored)
{
	const struct reading *reading = reader->reading;
	size_t n = reading->n_tokens, at;
	struct context *context = NULL;
	struct err err = { "" };

	prefix_start(&reader->prefix);
	expect_ok(context_new(reader->engine, &context, &err), &err);
	expect_ok(context_restore(context, reader->tokens, n, &reader->io, ret_n_restored, &err), &err);
	while ((at = context_n_tokens(context)) < n) {
		forward(context, reader->tokens + at, n - at < STEP_TOKENS ? n - at : STEP_TOKENS);
		expect_ok(context_save(context, at, false, &reader->io, &err), &err);
		if (reading->die_behind > 0 && context_n_tokens(context) >= reading->die_behind)
			raise(SIGKILL); /* the writer is at work */
		context_drop_rows(context, prefix_n_kept(&reader->prefix), &reader->io);
	}
	expect_ok(context_save(context, n / BLOCK_TOKENS * BLOCK_TOKENS, true, &reader->io, &err), &err);
	return context;
}

static uint64_t ask(struct reader *reader, struct context *context, uint32_t *answer)
{
	size_t n_vocab = engine_shape(reader->engine)->vocab_size, n = reader->reading->n_tokens;
	struct err err = { "" };
	uint64_t hash = 0;

	for (size_t i = 0; i < QUESTION_TOKENS + ANSWER_TOKENS; i++) {
		const uint32_t *token =
			i < QUESTION_TOKENS ? &reader->tokens[n + i] : &answer[i - QUESTION_TOKENS];

		expect_ok(context_forward(&(struct append){ context, token, 1, true }, 1, NULL, &err), &err);
		hash = XXH3_64bits_withSeed(context_logits(context), n_vocab * sizeof(float), hash);
		if (i >= QUESTION_TOKENS - 1 && i < QUESTION_TOKENS + ANSWER_TOKENS - 1)
			answer[i - QUESTION_TOKENS + 1] = sampler_greedy(context_logits(context), n_vocab);
	}
	return hash;
}

static struct outcome read_twice(const struct reading *reading)
{
	struct outcome ret = { 0 };
	struct reader reader;

	open_reader(&reader, reading);
	for (size_t i = 0; i < COUNT(ret.logits) && (i == 0 || reader.kv != NULL); i++) {
		struct context *document, *branch = NULL;
		struct err err = { "" };

		if (reader.writer != NULL)
			kvwriter_begin(reader.writer, 1);
		document = read_document(&reader, &ret.n_restored[i]);
		expect_ok(context_fork(document, &branch, &err), &err);
		ret.logits[i] = ask(&reader, branch, ret.answer[i]);
		context_free(branch);
		context_free(document);
		if (reader.writer != NULL)
			kvwriter_end(reader.writer);
	}
	close_reader(&reader);
	return ret;
}

/* In a process of its own; whether it came to its end. */
static bool read_apart(const struct reading *reading, struct outcome *ret)
{
	int status, ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct outcome outcome = read_twice(reading);

		_exit(write(ends[1], &outcome, sizeof(outcome)) != sizeof(outcome));
	}
	close(ends[1]);
	if (read(ends[0], ret, sizeof(*ret)) != sizeof(*ret))
		*ret = (struct outcome){ 0 };
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return false;
	}
	assert_int_equal(status, 0);
	return true;
}

static void expect_same(const struct reading *reading, const char *what, const struct outcome *expected)
{
	struct outcome outcome;
	bool ended = read_apart(reading, &outcome);

	for (size_t i = 0; i < COUNT(outcome.logits); i++) {
		if (!ended || outcome.logits[i] != expected->logits[0] ||
		    memcmp(outcome.answer[i], expected->answer[0], sizeof(outcome.answer[i])) != 0)
			fail_msg("%s, %zu tokens, %u threads, passes of %zu, %s%s: other logits",
			         reading->model, reading->n_tokens, reading->n_threads, reading->prefill_rows,
			         what, i == 0 ? "" : ", and again");
	}
	assert_int_equal(outcome.n_restored[1], reading->n_tokens);
}

/* As after an eviction: whole blocks [first, end) of the document are gone, its only one and read in order. */
static void delete_blocks(const struct path *path, size_t first, size_t end)
{
	char sql[400];

	snprintf(sql, sizeof(sql),
	         "CREATE TEMP TABLE gone AS SELECT id FROM block ORDER BY id LIMIT %zu OFFSET %zu;"
	         "DELETE FROM data WHERE id IN gone; DELETE FROM block WHERE id IN gone",
	         end - first, first);
	run_sql(path, sql);
}

static size_t restored_by(const struct reading *reading, const char *what, const struct outcome *expected)
{
	struct outcome outcome;

	assert_true(read_apart(reading, &outcome));
	if (outcome.logits[0] != expected->logits[0])
		fail_msg("%s, %zu tokens, %u threads, passes of %zu, %s: other logits", reading->model,
		         reading->n_tokens, reading->n_threads, reading->prefill_rows, what);
	return outcome.n_restored[0];
}

/* All states of the store, one after the other. */
static void read_all_ways(struct reading reading, const struct path *kv, const struct outcome *expected)
{
	size_t n_blocks = reading.n_tokens / BLOCK_TOKENS, hole = n_blocks * 7 / 8, kept = n_blocks * 3 / 4;
	struct outcome dead;

	unlink(kv->text);
	reading.kv = kv->text;
	expect_same(&reading, "cold", expected);
	assert_int_equal(restored_by(&reading, "after a restart", expected), reading.n_tokens);

	delete_blocks(kv, hole, hole + 1);
	assert_int_equal(restored_by(&reading, "with a block gone", expected), hole * BLOCK_TOKENS);

	if (reading.n_tokens < LONG) {
		unlink(kv->text);
		reading.die_behind = 1;
		assert_false(read_apart(&reading, &dead));
		reading.die_behind = 0;
		expect_same(&reading, "killed at the beginning", expected);
	}
	delete_blocks(kv, kept, n_blocks + 1); /* a tail has no whole number */
	reading.die_behind = (kept + n_blocks) / 2 * BLOCK_TOKENS;
	assert_false(read_apart(&reading, &dead));
	reading.die_behind = 0;
	assert_in_range(restored_by(&reading, "killed in the middle", expected), kept * BLOCK_TOKENS,
	                reading.n_tokens);
	assert_int_equal(restored_by(&reading, "after all", expected), reading.n_tokens);
}

/* Pairs of threads and rows: all, or every second one. */
static const struct part ALL_PAIRS = { 1, 1 }, ODD_PAIRS = { 1, 2 }, EVEN_PAIRS = { 2, 2 };

static bool is_in_part(const struct part *part, size_t number)
{
	return number >= part->first && (number - part->first) % part->stride == 0;
}

static void read_model(const char *model, size_t n_tokens, const size_t *rows, size_t n_rows,
                       struct part pairs)
{
	struct path folder = folder_make(), kv = path_of(&folder, "kv.db");
	struct reading reading = { .model = model, .n_tokens = n_tokens, .n_threads = 1 };
	struct outcome expected;

	assert_true(read_apart(&reading, &expected));
	for (unsigned n_threads = 1; n_threads <= 2; n_threads++) {
		for (size_t i = 0; i < n_rows; i++) {
			if (!is_in_part(&pairs, (n_threads - 1) * n_rows + i + 1))
				continue;
			reading.n_threads = n_threads;
			reading.prefill_rows = rows[i];
			reading.row_memory = i == 1 ? (n_tokens < FEW ? 1 : n_tokens * A_TENTH) : 0;
			read_all_ways(reading, &kv, &expected);
			if (getenv("SKIMD_TEST_LONG") != NULL)
				print_message("# %zu tokens, %u threads, passes of %zu rows: the same\n",
				              n_tokens, n_threads, rows[i]);
		}
	}
	folder_remove(&folder);
}

static void every_way_leads_to_the_same_logits(void **state)
{
	static const size_t ROWS[] = { 0, 16, 100 };

	(void)state;
	read_model(fixture_path("tiny").text, N_TOKENS, ROWS, COUNT(ROWS),
	           tests_are_short() ? ODD_PAIRS : ALL_PAIRS);
	for (size_t i = 0; i < (tests_are_short() ? 1 : COUNT(FIXTURES)); i++)
		read_model(fixture_path(FIXTURES[i]).text, N_TOKENS, ROWS, COUNT(ROWS),
		           i % 2 == 0 ? EVEN_PAIRS : ODD_PAIRS);
}

static void of_nano_too(void **state)
{
	static const size_t ROWS[] = { 0, 128, 512 };
	const size_t *n_tokens = *state;

	read_model(fixture_path("nano").text, *n_tokens, ROWS, COUNT(ROWS), tests_part());
}

int main(void)
{
	static size_t lengths[] = { 1000, 10000, 100000 };
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_way_leads_to_the_same_logits) };
	const struct CMUnitTest nano[] = {
		{ "1k tokens of nano", of_nano_too, NULL, NULL, &lengths[0] },
		{ "10k tokens of nano", of_nano_too, NULL, NULL, &lengths[1] },
		{ "100k tokens of nano", of_nano_too, NULL, NULL, &lengths[2] },
	};

	return getenv("SKIMD_TEST_LONG") != NULL ? cmocka_run_group_tests(nano, NULL, NULL)
	                                         : cmocka_run_group_tests(tests, NULL, NULL);
}
