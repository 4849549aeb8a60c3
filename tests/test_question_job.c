/* A question's way: from its row to its answer in skimd.db and in the outputs of its document, the same each time. Real
 * stores in a folder, and tests/data/tiny as the model. */
#include "pipeline/question_job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/file.h"
#include "store/docstore_questions.h"
#include "tests/jobs.h"

static const struct pipeline_hooks NO_HOOKS = { 0 };

/* A document that is done. */
static int64_t read_one(struct fixture *f, const char *name, uint64_t seed)
{
	struct buf text = make_text(6000, seed);
	struct reading reading = read_text(f, name, &text);
	int64_t id = reading.document.id;

	reading_done(&reading);
	buf_done(&text);
	return id;
}

static int64_t ask(struct fixture *f, int64_t document_id, const char *text)
{
	struct question_request request = { document_id, text, "control", NULL };
	struct err err = { "" };
	int64_t id = 0;

	if (docstore_ask(pipeline_docstore(f->pipeline), &request, &id, &err) < 0)
		fail_msg("%s", err.text);
	return id;
}

static int answer(struct fixture *f, int64_t id, const struct pipeline_outputs *outputs,
                  const struct pipeline_hooks *hooks, struct err *err)
{
	int r;

	assert_int_equal(docstore_start_question(pipeline_docstore(f->pipeline), id, err), 0);
	r = pipeline_answer_question(f->pipeline, id, hooks, err);
	assert_int_equal(pipeline_end_answers(f->pipeline, outputs, err), 0);
	return r;
}

static struct question answered(struct fixture *f, int64_t document_id, const char *text)
{
	struct question question = { 0 };
	struct err err = { "" };
	int64_t id = ask(f, document_id, text);

	if (answer(f, id, &BOTH, &NO_HOOKS, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(docstore_get_question(pipeline_docstore(f->pipeline), id, &question, &err), 0);
	return question;
}

static json_t *output_of(struct fixture *f, const char *name)
{
	struct path path = path_of(&f->outbox, name);
	json_t *json = json_load_file(path.text, 0, NULL);

	assert_non_null(json);
	return json;
}

static void an_answer_stands_in_rows_and_outputs(void **state)
{
	struct fixture *f = *state;
	int64_t id = read_one(f, "a.txt", 1);
	struct question question = answered(f, id, "Who counted the lamps?");
	json_t *json = output_of(f, "a.txt.summary.json"), *answers = json_object_get(json, "answers"),
	       *first;
	struct path path = path_of(&f->outbox, "a.txt.summary.md");
	struct buf markdown = { 0 };
	struct document document;

	assert_int_equal(question.state, QUESTION_ANSWERED);
	assert_non_null(question.answer.text);
	assert_true(question.usage.prompt_tokens > 0);
	assert_int_equal(json_array_size(answers), 1);
	first = json_array_get(answers, 0);
	assert_string_equal(json_string_value(json_object_get(first, "question")), "Who counted the lamps?");
	assert_string_equal(json_string_value(json_object_get(first, "text")), question.answer.text);
	assert_true(json_is_boolean(json_object_get(first, "found")));
	assert_true(json_is_array(json_object_get(first, "evidence")));
	assert_int_equal(file_read(path.text, 1 << 20, &markdown, NULL), 0);
	assert_non_null(strstr(markdown.data, "## Answers\n\n### Who counted the lamps?\n\n"));
	assert_int_equal(docstore_get(pipeline_docstore(f->pipeline), id, &document, NULL), 0);
	assert_true(document.published);
	document_done(&document);
	buf_done(&markdown);
	json_decref(json);
	question_done(&question);
}

static void evidence_is_what_stands_in_the_stored_text(void **state)
{
	struct fixture *f = *state;
	int64_t id = read_one(f, "a.txt", 2);
	char *text = NULL;
	size_t n = 0;

	assert_int_equal(docstore_get_text(pipeline_docstore(f->pipeline), id, &text, &n, NULL), 0);
	for (int i = 0; i < 12; i++) {
		char words[64];
		struct question question;

		snprintf(words, sizeof(words), "What was number %d that the warden found?", 200000 + i);
		question = answered(f, id, words);
		for (size_t j = 0; j < question.answer.n_evidence; j++) {
			const struct evidence *evidence = &question.answer.evidence[j];

			assert_true(evidence->byte_start >= 0 && evidence->byte_end <= (int64_t)n);
			assert_int_equal(strlen(evidence->quote), evidence->byte_end - evidence->byte_start);
			assert_memory_equal(evidence->quote, text + evidence->byte_start,
			                    strlen(evidence->quote));
		}
		assert_int_equal(question.found, question.answer.n_evidence > 0);
		question_done(&question);
	}
	free(text);
}

static void the_same_question_has_the_same_answer_warm_or_cold(void **state)
{
	struct fixture *f = *state;
	int64_t id = read_one(f, "a.txt", 3);
	struct reading warm, cold;
	struct question question = answered(f, id, "Who painted the bridge?");

	question_done(&question);
	question = answered(f, id, "When?");
	question_done(&question);
	question =
		answered(f, id, "Who painted the bridge?"); /* answered again, with all of it in the cache */
	question_done(&question);
	warm = load(f, id);
	reopen(f, "fresh.db", "fresh_kv.db");
	id = read_one(f, "a.txt", 3);
	question = answered(f, id, "Who painted the bridge?");
	question_done(&question);
	question = answered(f, id, "When?");
	question_done(&question);
	cold = load(f, id);
	assert_same_results(&warm, &cold);
	reading_done(&warm);
	reading_done(&cold);
}

static void a_stop_asks_it_again(void **state)
{
	struct fixture *f = *state;
	int64_t id = ask(f, read_one(f, "a.txt", 4), "Who?");
	struct question question = { 0 };
	atomic_bool stop = true;
	struct pipeline_hooks hooks = { .cancel = &stop };
	struct err err = { "" };

	assert_int_equal(answer(f, id, &BOTH, &hooks, &err), -ECANCELED);
	assert_int_equal(docstore_get_question(pipeline_docstore(f->pipeline), id, &question, &err), 0);
	assert_int_equal(question.state, QUESTION_ASKED);
	assert_null(question.answer.text);
	question_done(&question);
}

static void what_cannot_be_asked_fails_with_its_reason(void **state)
{
	struct fixture *f = *state;
	struct question question = { 0 };
	struct err err = { "" };
	int64_t id;

	folder_write(&f->inbox, "new.txt", "Nobody has read this.", 21);
	id = ask(f, queue(f, "new.txt"), "Who?");
	assert_int_equal(answer(f, id, &BOTH, &NO_HOOKS, &err), 0);
	assert_int_equal(docstore_get_question(pipeline_docstore(f->pipeline), id, &question, &err), 0);
	assert_int_equal(question.state, QUESTION_FAILED);
	assert_non_null(strstr(question.error, "has no text"));
	question_done(&question);
}

static void a_foreign_output_stays_and_the_answer_stands(void **state)
{
	struct fixture *f = *state;
	int64_t id = read_one(f, "a.txt", 5);
	struct path path = path_of(&f->outbox, "a.txt.summary.md");
	struct document document;
	struct question question;

	folder_write(&f->outbox, "a.txt.summary.md", "mine", 4);
	question = answered(f, id, "Who?");
	assert_int_equal(question.state, QUESTION_ANSWERED);
	question_done(&question);
	assert_int_equal(docstore_get(pipeline_docstore(f->pipeline), id, &document, NULL), 0);
	assert_int_equal(document.state, DOCUMENT_DONE);
	assert_non_null(strstr(document.error, "was not written by skimd"));
	document_done(&document);
	assert_int_equal(truncate(path.text, 4), 0);
}

static void outputs_that_nobody_wrote_are_written_at_the_next_start(void **state)
{
	struct fixture *f = *state;
	int64_t document_id = read_one(f, "a.txt", 6), id = ask(f, document_id, "Who?");
	struct document document;
	struct err err = { "" };
	json_t *json;

	assert_int_equal(answer(f, id, NULL, &NO_HOOKS, &err), 0);
	json = output_of(f, "a.txt.summary.json");
	assert_int_equal(json_array_size(json_object_get(json, "answers")), 0);
	json_decref(json);
	assert_int_equal(docstore_get(pipeline_docstore(f->pipeline), document_id, &document, NULL), 0);
	assert_false(document.published);
	document_done(&document);
	assert_int_equal(pipeline_publish(f->pipeline, document_id, &BOTH, &err), 0);
	json = output_of(f, "a.txt.summary.json");
	assert_int_equal(json_array_size(json_object_get(json, "answers")), 1);
	json_decref(json);
}

static size_t n_answers(struct fixture *f)
{
	json_t *json = output_of(f, "a.txt.summary.json");
	size_t n = json_array_size(json_object_get(json, "answers"));

	json_decref(json);
	return n;
}

static void outputs_are_written_once_behind_several_answers(void **state)
{
	static const char *const WORDS[] = { "Who?", "When?", "Where?" };
	struct fixture *f = *state;
	int64_t document_id = read_one(f, "a.txt", 7);
	struct err err = { "" };

	for (size_t i = 0; i < 3; i++) {
		int64_t id = ask(f, document_id, WORDS[i]);

		assert_int_equal(docstore_start_question(pipeline_docstore(f->pipeline), id, NULL), 0);
		assert_int_equal(pipeline_answer_question(f->pipeline, id, &NO_HOOKS, &err), 0);
		assert_int_equal(n_answers(f), 0);
	}
	assert_int_equal(pipeline_end_answers(f->pipeline, &BOTH, &err), 0);
	assert_int_equal(n_answers(f), 3);
	assert_int_equal(pipeline_end_answers(f->pipeline, &BOTH, &err), 0);
}

static void a_document_that_is_forgotten_while_it_is_asked_has_no_outputs(void **state)
{
	struct fixture *f = *state;
	int64_t document_id = read_one(f, "a.txt", 8), id = ask(f, document_id, "Who?");
	struct path path = path_of(&f->outbox, "a.txt.summary.json");
	struct err err = { "" };

	assert_int_equal(docstore_start_question(pipeline_docstore(f->pipeline), id, NULL), 0);
	assert_int_equal(pipeline_answer_question(f->pipeline, id, &NO_HOOKS, &err), 0);
	assert_int_equal(docstore_forget(pipeline_docstore(f->pipeline), document_id, &err), 0);
	unlink(path.text);
	assert_int_equal(pipeline_end_answers(f->pipeline, &BOTH, &err), 0);
	assert_int_equal(access(path.text, F_OK), -1);
}

/* zlib, by which stored texts are read, has memory or not. */
static bool memory_is_short;

int __real_uncompress(Bytef *bytes, uLongf *n, const Bytef *deflated, uLong n_deflated);
int __wrap_uncompress(Bytef *bytes, uLongf *n, const Bytef *deflated, uLong n_deflated);

int __wrap_uncompress(Bytef *bytes, uLongf *n, const Bytef *deflated, uLong n_deflated)
{
	return memory_is_short ? Z_MEM_ERROR : __real_uncompress(bytes, n, deflated, n_deflated);
}

static void want_of_memory_passes(void **state)
{
	struct fixture *f = *state;
	int64_t id = ask(f, read_one(f, "a.txt", 9), "Who?");
	struct question question = { 0 };
	struct err err = { "" };
	int r;

	memory_is_short = true;
	r = answer(f, id, &BOTH, &NO_HOOKS, &err);
	memory_is_short = false;
	assert_int_equal(r, 0);
	assert_int_equal(docstore_get_question(pipeline_docstore(f->pipeline), id, &question, &err), 0);
	assert_int_equal(question.state, QUESTION_FAILED);
	assert_non_null(strstr(question.error, "no memory for the text"));
	assert_non_null(question.retry_at);
	question_done(&question);
	assert_int_equal(answer(f, id, &BOTH, &NO_HOOKS, &err), 0);
	assert_int_equal(docstore_get_question(pipeline_docstore(f->pipeline), id, &question, &err), 0);
	assert_int_equal(question.state, QUESTION_ANSWERED);
	assert_null(question.retry_at);
	question_done(&question);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_stands_in_rows_and_outputs),
		TEST(evidence_is_what_stands_in_the_stored_text),
		TEST(the_same_question_has_the_same_answer_warm_or_cold),
		TEST(a_stop_asks_it_again),
		TEST(what_cannot_be_asked_fails_with_its_reason),
		TEST(a_foreign_output_stays_and_the_answer_stands),
		TEST(outputs_that_nobody_wrote_are_written_at_the_next_start),
		TEST(outputs_are_written_once_behind_several_answers),
		TEST(a_document_that_is_forgotten_while_it_is_asked_has_no_outputs),
		TEST(want_of_memory_passes),
	};

	return cmocka_run_group_tests_name("question_job", tests, NULL, NULL);
}
