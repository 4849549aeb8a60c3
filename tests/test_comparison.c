/* Answers that are due are compared with dense attention behind the chunk that they stand in, once, and only while they stand
 * there; their rows go where the answers go. With tests/data/tiny, whose index_topk is 16. */
#include "pipeline/comparison.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#include "pipeline/audit.h"
#include "store/docstore_questions.h"
#include "tests/jobs.h"

static const struct pipeline_hooks NO_HOOKS = { 0 };
#define QUESTION "Who counted the lamps?"

/* A document of several chunks that is done. */
static int64_t read_one(struct fixture *f, struct buf *text)
{
	struct reading reading;
	int64_t id;

	*text = make_text(25000, 1);
	reading = read_text(f, "a.txt", text);
	id = reading.document.id;
	assert_true(reading.n_chunks > 1);
	reading_done(&reading);
	return id;
}

/* The first sentence from `at` on as an answer that is due, whatever the model would have said; said to stand `shift` bytes
 * farther on. */
static int64_t put_shifted(struct fixture *f, int64_t document_id, const char *text, size_t at, int64_t shift)
{
	struct docstore *store = pipeline_docstore(f->pipeline);
	const struct question_request request = { document_id, QUESTION, "control", NULL };
	const char *start = strchr(text + at, '\n') + 1;
	struct evidence evidence = { .byte_start = start - text + shift };
	struct question question = { .document_id = document_id, .found = true, .check = CHECK_DUE };
	struct err err = { "" };

	evidence.quote = strndup(start, strcspn(start, "\n"));
	evidence.byte_end = evidence.byte_start + (int64_t)strlen(evidence.quote);
	question.answer = (struct passage){ .text = evidence.quote, .evidence = &evidence, .n_evidence = 1 };
	question.fingerprint = (char *)(uintptr_t)pipeline_fingerprint(f->pipeline);
	assert_int_equal(docstore_ask(store, &request, &question.id, &err), 0);
	assert_int_equal(docstore_start_question(store, question.id, &err), 0);
	if (docstore_put_answer(store, &question, &err) < 0)
		fail_msg("%s", err.text);
	free(evidence.quote);
	return question.id;
}

static int64_t put_answer(struct fixture *f, int64_t document_id, const char *text, size_t at)
{
	return put_shifted(f, document_id, text, at, 0);
}

static struct audit load_audit(struct fixture *f, int64_t id)
{
	struct audit ret = { 0 };
	struct err err = { "" };

	if (docstore_load_audit(pipeline_docstore(f->pipeline), id, &ret, &err) < 0)
		fail_msg("%s", err.text);
	return ret;
}

static int compare(struct fixture *f)
{
	return pipeline_compare(f->pipeline, &NO_HOOKS, NULL);
}

static void an_answer_is_compared_behind_its_chunk_once(void **state)
{
	struct fixture *f = *state;
	struct buf text;
	int64_t id = read_one(f, &text), question = put_answer(f, id, text.data, 15000);
	struct reading reading = load(f, id);
	struct audit audit = load_audit(f, id);
	const struct dense_check *check;

	assert_int_equal(audit.n_due, 1);
	audit_done(&audit);
	assert_int_equal(compare(f), 0);
	assert_int_equal(compare(f), -ENOENT);
	audit = load_audit(f, id);
	assert_int_equal(audit.n_due, 0);
	assert_int_equal(audit.checks.n, 1);
	check = &audit.checks.items[0];
	assert_int_equal(check->kind, LOOK_ANSWER);
	assert_int_equal(check->question_id, question);
	assert_true(check->chance < 0.1 && check->tokens > 3);
	for (size_t i = 0; i < reading.n_chunks; i++) {
		const struct document_chunk *chunk = &reading.chunks[i];

		if (chunk->byte_start <= 15000 && 15000 < chunk->byte_end)
			assert_int_equal(check->byte_start, chunk->byte_start);
	}
	audit_done(&audit);
	reading_done(&reading);
	buf_done(&text);
}

static void the_same_answer_is_compared_to_the_same_bits(void **state)
{
	struct fixture *f = *state;
	struct buf text;
	int64_t id = read_one(f, &text);
	struct audit audits[2];

	for (size_t i = 0; i < COUNT(audits); i++) {
		put_answer(f, id, text.data, 3000);
		assert_int_equal(compare(f), 0);
		audits[i] = load_audit(f, id);
		assert_int_equal(audits[i].checks.n, 1); /* the other one went with its answer */
	}
	assert_true(audits[0].checks.items[0].score == audits[1].checks.items[0].score);
	assert_true(audits[0].checks.items[0].score_delta == audits[1].checks.items[0].score_delta);
	assert_true(audits[0].checks.items[0].mass_recall == audits[1].checks.items[0].mass_recall);
	for (size_t i = 0; i < COUNT(audits); i++)
		audit_done(&audits[i]);
	buf_done(&text);
}

/* As a row may be that something else has written. */
static void words_that_stand_elsewhere_are_not_compared(void **state)
{
	struct fixture *f = *state;
	struct buf text;
	int64_t id = read_one(f, &text);
	struct audit audit;

	put_shifted(f, id, text.data, 3000, 7);
	assert_int_equal(compare(f), 0);
	audit = load_audit(f, id);
	assert_int_equal(audit.checks.n, 0);
	assert_int_equal(audit.n_due, 0);
	audit_done(&audit);
	buf_done(&text);
}

static void a_comparison_that_is_stopped_stays_due(void **state)
{
	struct fixture *f = *state;
	const atomic_bool cancel = true;
	const struct pipeline_hooks stopped = { .cancel = &cancel };
	struct buf text;
	int64_t id = read_one(f, &text);
	struct audit audit;

	put_answer(f, id, text.data, 20000);
	assert_int_equal(pipeline_compare(f->pipeline, &stopped, NULL), -ECANCELED);
	audit = load_audit(f, id);
	assert_int_equal(audit.n_due, 1);
	audit_done(&audit);
	assert_int_equal(compare(f), 0);
	buf_done(&text);
}

static void a_share_of_the_answers_is_due_always_the_same_ones(void **state)
{
	static char quote[] = "The warden counted the lamps.";
	const struct evidence evidence = { .quote = quote };
	size_t n_due = 0;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		char question[32];
		enum check_due due;

		snprintf(question, sizeof(question), "Who counted lamp %d?", i);
		due = audit_answer_due(question, &evidence, 1, 0.05);
		assert_int_equal(due, audit_answer_due(question, &evidence, 1, 0.05));
		assert_int_equal(audit_answer_due(question, NULL, 0, 1), CHECK_NOT_DUE);
		n_due += due != CHECK_NOT_DUE;
	}
	assert_in_range(n_due, 200, 300);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(an_answer_is_compared_behind_its_chunk_once),
		WITH_FIXTURE(the_same_answer_is_compared_to_the_same_bits),
		WITH_FIXTURE(words_that_stand_elsewhere_are_not_compared),
		WITH_FIXTURE(a_comparison_that_is_stopped_stays_due),
		cmocka_unit_test(a_share_of_the_answers_is_due_always_the_same_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
