/* Reading with a model, and that its results depend on nothing but text and tasks: not on what kv.db holds, on threads, or
 * on a reading that was stopped. The model is tests/data/tiny, with top-k 16 on texts beyond it. */
#include "pipeline/reader.h"

#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "model/block_io.h"
#include "tests/reading.h"

#define N_SPANS 12
#define N_READ 3 /* tasks */
#define MAX_QUOTE_TOKENS 200
#define STEP_TOKENS 512 /* reader.c looks at cancel, and keeps what it has, this often */

static const struct reader_hooks NO_HOOKS = { 0 };

/* A text, sentences of it to quote, and where its blocks are kept. */
struct fixture {
	struct path folder;
	struct engine *engine;
	struct kvstore *kv;
	struct kvwriter *writer;
	struct reader *reader;
	struct buf text;
	struct grounded_span spans[N_SPANS];
	struct reader_task tasks[N_READ];
};

struct outcome {
	struct reader_result results[N_READ];
	struct usage usage;
};

static void open_reader_within(struct fixture *f, unsigned n_threads, size_t row_memory)
{
	struct err err = { "" };

	f->engine = open_tiny_within(n_threads, row_memory);
	if (reader_open(f->engine, f->writer, &f->reader, &err) < 0)
		fail_msg("%s", err.text);
}

static void open_reader(struct fixture *f, unsigned n_threads)
{
	open_reader_within(f, n_threads, 0);
}

static void close_reader(struct fixture *f)
{
	reader_close(f->reader);
	engine_close(f->engine);
	f->reader = NULL;
	f->engine = NULL;
}

static void open_store(struct fixture *f, uint64_t budget)
{
	f->kv = open_kv(&f->folder, budget);
	f->writer = open_writer(f->kv, KV_QUEUE_BYTES);
}

static void close_store(struct fixture *f)
{
	kvwriter_free(f->writer);
	kvstore_close(f->kv);
}

static void find_spans(struct fixture *f)
{
	const char *at = f->text.data;

	for (size_t i = 0; i < N_SPANS; i++) {
		f->spans[i] = (struct grounded_span){ at, strcspn(at, "\n") };
		at += f->spans[i].n;
		at += strspn(at, "\n");
	}
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->folder = folder_make();
	open_store(f, KV_BUDGET);
	f->text = make_text(3000, 1);
	find_spans(f);
	f->tasks[0] = (struct reader_task){ .kind = TASK_TITLE, .max_tokens = 12 };
	f->tasks[1] = (struct reader_task){ .kind = TASK_SUMMARY, .max_tokens = 30 };
	f->tasks[2] = (struct reader_task){ .kind = TASK_QUESTION,
		                            .question = "Who was hurt?",
		                            .spans = f->spans,
		                            .n_spans = N_SPANS,
		                            .max_tokens = MAX_QUOTE_TOKENS };
	open_reader(f, 2);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close_reader(f);
	close_store(f);
	folder_remove(&f->folder);
	buf_done(&f->text);
	free(f);
	return 0;
}

static void outcome_done(struct outcome *outcome)
{
	for (size_t i = 0; i < N_READ; i++)
		reader_result_done(&outcome->results[i]);
}

static struct outcome read_text(struct fixture *f)
{
	struct outcome ret = { 0 };
	struct err err = { "" };

	if (reader_read(f->reader, f->text.data, f->text.n, f->tasks, N_READ, ret.results, &ret.usage,
	                &NO_HOOKS, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(ret.usage.prompt_tokens, ret.usage.computed_tokens + ret.usage.reused_tokens);
	return ret;
}

/* To the last bit, scores too. */
static void assert_same(const struct reader_result *a, const struct reader_result *b)
{
	assert_memory_equal(&a->score, &b->score, sizeof(a->score));
	assert_int_equal(a->cut, b->cut);
	assert_int_equal(a->quoted, b->quoted);
	if (a->quoted)
		assert_memory_equal(&a->quote, &b->quote, sizeof(a->quote));
	assert_int_equal(a->text == NULL, b->text == NULL);
	if (a->text != NULL)
		assert_string_equal(a->text, b->text);
}

/* Read again, and compare with what was read before; returns the usage. */
static struct usage assert_reads_the_same(struct fixture *f, const struct outcome *expected)
{
	struct outcome outcome = read_text(f);

	for (size_t i = 0; i < N_READ; i++)
		assert_same(&outcome.results[i], &expected->results[i]);
	assert_int_equal(outcome.usage.prompt_tokens, expected->usage.prompt_tokens);
	assert_int_equal(outcome.usage.generated_tokens, expected->usage.generated_tokens);
	outcome_done(&outcome);
	return outcome.usage;
}

static int64_t count(struct fixture *f)
{
	size_t n;

	assert_int_equal(reader_count(f->reader, f->text.data, f->text.n, &n, NULL), 0);
	return (int64_t)n;
}

static void reopen_kv(struct fixture *f)
{
	close_reader(f);
	close_store(f);
	open_store(f, KV_BUDGET);
	open_reader(f, 2);
}

static void a_cold_reading_computes_everything(void **state)
{
	struct fixture *f = *state;
	struct outcome cold = read_text(f);

	assert_int_equal(cold.usage.reused_tokens, 0);
	assert_true(cold.usage.computed_tokens > count(f));
	assert_true(count(f) > 2 * STEP_TOKENS);
	assert_true(cold.usage.generated_tokens > 0);
	outcome_done(&cold);
}

static void a_warm_reading_in_the_same_process_is_the_cold_one(void **state)
{
	struct fixture *f = *state;
	struct outcome cold = read_text(f);
	struct usage usage = assert_reads_the_same(f, &cold);

	assert_int_equal(usage.reused_tokens, count(f));
	outcome_done(&cold);
}

static void a_warm_reading_after_a_restart_is_the_cold_one(void **state)
{
	struct fixture *f = *state;
	struct outcome cold = read_text(f);
	struct usage usage;

	reopen_kv(f);
	usage = assert_reads_the_same(f, &cold);
	assert_int_equal(usage.reused_tokens, count(f));
	outcome_done(&cold);
}

static void a_reading_without_a_store_is_the_same(void **state)
{
	struct fixture *f = *state;
	struct outcome cold = read_text(f);
	struct kvwriter *writer = f->writer;

	close_reader(f);
	f->writer = NULL;
	open_reader(f, 2);
	assert_int_equal(assert_reads_the_same(f, &cold).reused_tokens, 0);
	assert_int_equal(assert_reads_the_same(f, &cold).reused_tokens, 0);
	f->writer = writer;
	outcome_done(&cold);
}

static void threads_do_not_change_a_reading(void **state)
{
	struct fixture *f = *state;
	struct outcome cold = read_text(f);
	struct kvwriter *writer = f->writer;

	f->writer = NULL;
	for (unsigned n_threads = 1; n_threads <= 3; n_threads += 2) {
		close_reader(f);
		open_reader(f, n_threads);
		assert_reads_the_same(f, &cold);
	}
	f->writer = writer; /* blocks of two threads, read by three */
	close_reader(f);
	open_reader(f, 3);
	assert_int_equal(assert_reads_the_same(f, &cold).reused_tokens, count(f));
	outcome_done(&cold);
}

static void delete_block(const struct fixture *f, int number)
{
	struct path path = path_of(&f->folder, "kv.db");
	char sql[200];
	sqlite3 *db;

	snprintf(sql, sizeof(sql),
	         "DELETE FROM data WHERE id = (SELECT id FROM block ORDER BY id LIMIT 1 OFFSET %d);"
	         "DELETE FROM block WHERE id = (SELECT id FROM block ORDER BY id LIMIT 1 OFFSET %d)",
	         number, number);
	assert_int_equal(sqlite3_open(path.text, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(db), 1);
	sqlite3_close(db);
}

/* Cold, warm, and where the store has no room for it. */
static void a_reading_whose_rows_leave_memory_is_the_same(void **state)
{
	struct fixture *f = *state;
	struct outcome whole = read_text(f);

	for (size_t i = 0; i < 4; i++) {
		close_reader(f);
		close_store(f);
		if (i == 0 || i == 2)
			each_file(&f->folder, remove_one, NULL);
		open_store(f, i < 2 ? KV_BUDGET : 2 << 20);
		open_reader_within(f, 1 + i % 2, i == 3 ? 40000 : 1);
		assert_reads_the_same(f, &whole);
	}
	outcome_done(&whole);
}

struct loss {
	struct fixture *f;
	size_t n_calls, at;
};

static void lose_all(void *user, size_t n_new)
{
	struct loss *loss = user;
	struct err err = { "" };

	(void)n_new;
	if (++loss->n_calls != loss->at)
		return;
	kvwriter_wait(loss->f->writer);
	if (kvstore_clear(loss->f->kv, &err) < 0)
		fail_msg("%s", err.text);
}

static void rows_that_are_lost_on_the_way_are_computed_again(void **state)
{
	struct fixture *f = *state;
	struct outcome whole = read_text(f);
	struct err err = { "" };

	close_reader(f);
	open_reader_within(f, 2, 1);
	for (size_t at = 1; at <= 3; at++) {
		struct loss loss = { .f = f, .at = at };
		struct reader_hooks hooks = { .user = &loss, .tokens = lose_all };
		struct outcome outcome = { 0 };

		kvwriter_wait(f->writer);
		if (at > 1) /* a reading in steps */
			assert_int_equal(kvstore_clear(f->kv, &err), 0);
		if (reader_read(f->reader, f->text.data, f->text.n, f->tasks, N_READ, outcome.results,
		                &outcome.usage, &hooks, &err) < 0)
			fail_msg("%s", err.text);
		assert_true(loss.n_calls >= at);
		for (size_t i = 0; i < N_READ; i++)
			assert_same(&outcome.results[i], &whole.results[i]);
		outcome_done(&outcome);
	}
	outcome_done(&whole);
}

static void a_reading_with_a_hole_in_the_store_is_the_same(void **state)
{
	enum { HOLE = 7 };
	struct fixture *f = *state;
	struct outcome cold = read_text(f);

	close_reader(f);
	close_store(f);
	delete_block(f, HOLE);
	open_store(f, KV_BUDGET);
	open_reader(f, 2);
	assert_int_equal(assert_reads_the_same(f, &cold).reused_tokens, HOLE * BLOCK_TOKENS);
	assert_int_equal(assert_reads_the_same(f, &cold).reused_tokens, count(f));
	outcome_done(&cold);
}

static void a_text_with_the_same_beginning_reuses_it(void **state)
{
	struct fixture *f = *state;
	struct outcome cold = read_text(f), longer;
	int64_t whole_blocks = count(f) / BLOCK_TOKENS * BLOCK_TOKENS;

	outcome_done(&cold);
	buf_puts(&f->text, "\nThe last word was never said.\n");
	find_spans(f);
	longer = read_text(f);
	assert_in_range(longer.usage.reused_tokens, whole_blocks - BLOCK_TOKENS, whole_blocks);
	outcome_done(&longer);
}

static void tasks_do_not_depend_on_each_other(void **state)
{
	struct fixture *f = *state;
	struct outcome all = read_text(f);

	for (size_t i = 0; i < N_READ; i++) {
		struct reader_result alone;
		struct usage usage = { 0 };

		assert_int_equal(reader_read(f->reader, f->text.data, f->text.n, &f->tasks[i], 1, &alone,
		                             &usage, &NO_HOOKS, NULL),
		                 0);
		assert_same(&alone, &all.results[i]);
		reader_result_done(&alone);
	}
	outcome_done(&all);
}

static void a_quote_is_words_of_a_span(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = read_text(f);
	const struct reader_result *result = &outcome.results[2];

	assert_null(result->text);
	assert_true(result->quoted);
	assert_in_range(result->quote.span, 0, N_SPANS - 1);
	assert_true(result->quote.n > 0);
	assert_in_range(result->quote.start + result->quote.n, 1, f->spans[result->quote.span].n);
	assert_true(result->quote.score < 0);
	outcome_done(&outcome);
}

static void a_quote_that_does_not_end_is_none(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome;

	f->tasks[2].max_tokens = 1; /* words, and no room for the end behind them */
	outcome = read_text(f);
	assert_false(outcome.results[2].quoted);
	outcome_done(&outcome);
}

static void free_text_ends_at_its_most_tokens(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome;
	size_t n;

	f->tasks[0].max_tokens = 1;
	f->tasks[1].max_tokens = 5;
	outcome = read_text(f);
	assert_true(outcome.results[0].cut);
	assert_true(outcome.results[1].cut);
	assert_int_equal(outcome.results[2].cut, false);
	n = strlen(outcome.results[1].text);
	assert_in_range(strlen(outcome.results[0].text), 1, n);
	outcome_done(&outcome);
}

/* Stops when so many prompt tokens are done. */
struct stopper {
	size_t n_done, stop_at;
	atomic_bool cancel;
};

static void see_tokens(void *user, size_t n_new)
{
	struct stopper *stopper = user;

	stopper->n_done += n_new;
	if (stopper->n_done >= stopper->stop_at)
		stopper->cancel = true;
}

static int read_until(struct fixture *f, struct stopper *stopper, struct usage *usage, struct err *err)
{
	struct reader_hooks hooks = { stopper, see_tokens, &stopper->cancel };
	struct reader_result results[N_READ];
	int r = reader_read(f->reader, f->text.data, f->text.n, f->tasks, N_READ, results, usage, &hooks,
	                    err);

	for (size_t i = 0; i < N_READ; i++) {
		assert_true(r == 0 || (results[i].text == NULL && !results[i].quoted));
		reader_result_done(&results[i]);
	}
	return r;
}

static void a_reading_that_is_stopped_keeps_its_whole_blocks(void **state)
{
	struct fixture *f = *state;
	struct stopper stopper = { .stop_at = STEP_TOKENS };
	struct usage stopped = { 0 }, usage;
	struct outcome again;
	struct kvwriter *writer = f->writer;

	assert_int_equal(read_until(f, &stopper, &stopped, NULL), -ECANCELED);
	assert_int_equal(stopped.generated_tokens, 0);
	assert_int_equal(stopped.prompt_tokens, stopped.computed_tokens);
	assert_in_range(stopped.computed_tokens, STEP_TOKENS, count(f) - 1);

	again = read_text(f);
	assert_int_equal(again.usage.reused_tokens, stopped.computed_tokens / BLOCK_TOKENS * BLOCK_TOKENS);
	close_reader(f);
	f->writer = NULL;
	open_reader(f, 2);
	usage = assert_reads_the_same(f, &again);
	assert_int_equal(usage.reused_tokens, 0);
	f->writer = writer;
	outcome_done(&again);
}

static void a_reading_that_is_stopped_before_it_starts_ends_within_a_step(void **state)
{
	struct fixture *f = *state;
	struct stopper stopper = { .cancel = true };
	struct usage usage = { 0 };

	assert_int_equal(read_until(f, &stopper, &usage, NULL), -ECANCELED);
	assert_in_range(usage.computed_tokens, 0, STEP_TOKENS);
	assert_int_equal(usage.generated_tokens, 0);
}

static void all_prompt_tokens_are_told(void **state)
{
	struct fixture *f = *state;
	struct stopper cold = { .stop_at = SIZE_MAX }, warm = { .stop_at = SIZE_MAX };
	struct usage usage = { 0 };

	assert_int_equal(read_until(f, &cold, &usage, NULL), 0);
	assert_int_equal(cold.n_done, count(f));
	assert_int_equal(read_until(f, &warm, &usage, NULL), 0);
	assert_int_equal(warm.n_done, count(f));
}

static void a_text_beyond_the_context_is_refused(void **state)
{
	struct fixture *f = *state;
	struct stopper stopper = { .stop_at = SIZE_MAX };
	struct usage usage = { 0 };
	struct err err = { "" };

	buf_done(&f->text);
	f->text = make_text(60000, 2);
	find_spans(f);
	assert_int_equal(read_until(f, &stopper, &usage, &err), -EFBIG);
	assert_non_null(strstr(err.text, "does not fit the model's context of 16384"));
	assert_int_equal(usage.prompt_tokens, 0);
}

static void the_longest_text_that_is_sure_to_fit_fits(void **state)
{
	struct fixture *f = *state;
	size_t n_tokens, n = reader_max_bytes(f->reader);
	char *worst = malloc(n);

	assert_non_null(worst);
	for (size_t i = 0; i < n; i++) /* control characters are tokens of one byte */
		worst[i] = (char)(1 + i % 8);
	assert_int_equal(reader_count(f->reader, worst, n, &n_tokens, NULL), 0);
	assert_true(n_tokens + 1000 < engine_shape(f->engine)->max_position_embeddings);
	free(worst);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_cold_reading_computes_everything),
		TEST(a_warm_reading_in_the_same_process_is_the_cold_one),
		TEST(a_warm_reading_after_a_restart_is_the_cold_one),
		TEST(a_reading_without_a_store_is_the_same),
		TEST(threads_do_not_change_a_reading),
		TEST(a_reading_whose_rows_leave_memory_is_the_same),
		TEST(rows_that_are_lost_on_the_way_are_computed_again),
		TEST(a_reading_with_a_hole_in_the_store_is_the_same),
		TEST(a_text_with_the_same_beginning_reuses_it),
		TEST(tasks_do_not_depend_on_each_other),
		TEST(a_quote_is_words_of_a_span),
		TEST(a_quote_that_does_not_end_is_none),
		TEST(free_text_ends_at_its_most_tokens),
		TEST(a_reading_that_is_stopped_keeps_its_whole_blocks),
		TEST(a_reading_that_is_stopped_before_it_starts_ends_within_a_step),
		TEST(all_prompt_tokens_are_told),
		TEST(a_text_beyond_the_context_is_refused),
		TEST(the_longest_text_that_is_sure_to_fit_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
