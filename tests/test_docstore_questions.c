/* Questions in skimd.db: asked once, taken in order, answered once whatever crashes, and asked anew of a new text. */
#include "tests/documents.h"

#include "store/backoff.h"
#include "store/docstore_questions.h"

#define INBOX "/in"
#define TEXT "The river rose. The bridge held."
#define OTHER_TEXT "The river fell. The bridge held, too."
#define QUESTION "What held?"
#define QUOTE_START 16
#define QUOTE "The bridge held."

static int64_t ask_as(struct fixture *f, int64_t id, const char *text, const char *source,
                      const char *fingerprint)
{
	struct question_request request = { id, text, source, fingerprint };
	struct err err = { "" };
	int64_t question = 0;

	if (docstore_ask(f->store, &request, &question, &err) < 0)
		fail_msg("%s", err.text);
	return question;
}

static int64_t ask(struct fixture *f, int64_t id, const char *text)
{
	return ask_as(f, id, text, "inbox", "f1");
}

static int refuse(struct fixture *f, int64_t id, const char *text, const char *source, struct err *err)
{
	struct question_request request = { id, text, source, NULL };
	int64_t question = 0;

	return docstore_ask(f->store, &request, &question, err);
}

/* 0: none. */
static int64_t take_beside(struct fixture *f, int64_t beside)
{
	struct err err = { "" };
	int64_t id = 0;
	int r = docstore_take_question(f->store, beside, &id, &err);

	if (r < 0 && r != -ENOENT)
		fail_msg("%s", err.text);
	return id;
}

static int64_t take_question(struct fixture *f)
{
	return take_beside(f, 0);
}

static struct question get_question(struct fixture *f, int64_t id)
{
	struct question question = { 0 };
	struct err err = { "" };

	if (docstore_get_question(f->store, id, &question, &err) < 0)
		fail_msg("%s", err.text);
	return question;
}

static void expect_question(struct fixture *f, int64_t id, enum question_state state)
{
	struct question question = get_question(f, id);

	assert_string_equal(question_state_name(question.state), question_state_name(state));
	question_done(&question);
}

static void expect_failed(struct fixture *f, int64_t id, const char *error)
{
	struct question question = get_question(f, id);

	assert_int_equal(question.state, QUESTION_FAILED);
	assert_string_equal(question.error, error);
	question_done(&question);
}

static int put_answer(struct fixture *f, int64_t id, const char *text, const char *fingerprint)
{
	struct question question = get_question(f, id);
	struct evidence *evidence = passage_add_evidence(&question.answer);
	int r;

	free(question.answer.text);
	question.answer.text = strdup(text);
	question.answer.score = 0.5;
	question.found = true;
	*evidence = (struct evidence){ .quote = strdup(QUOTE),
		                       .byte_start = QUOTE_START,
		                       .byte_end = QUOTE_START + (int64_t)strlen(QUOTE),
		                       .section = strdup("Floods") };
	free(question.model);
	free(question.fingerprint);
	question.model = strdup("nano");
	question.fingerprint = strdup(fingerprint);
	r = docstore_put_answer(f->store, &question, NULL);
	question_done(&question);
	return r;
}

static int64_t add_read(struct fixture *f, const char *path)
{
	int64_t id = add(f, INBOX, path);

	assert_int_equal(docstore_start(f->store, id, NULL), 0);
	read_document(f, id, 'a', TEXT, "Floods");
	assert_int_equal(docstore_published(f->store, id, NULL), 0);
	return id;
}

static void a_question_is_kept_once(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1"), other = add(f, INBOX, "/in/2"), first = ask(f, id, QUESTION);

	assert_int_equal(ask_as(f, id, QUESTION, "control", NULL), first);
	assert_true(ask_as(f, other, QUESTION, "file", NULL) != first);
	assert_int_equal(
		query(f, "SELECT count(*) FROM question WHERE state = 'asked' AND error IS NULL AND asked_at"
	                 " LIKE '____-__-__T__:__:__Z' AND source IN ('inbox', 'file')"),
		2);
}

static void a_question_that_cannot_be_one_is_refused(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1");
	char text[QUESTION_MAX_BYTES + 2];
	struct err err = { "" };

	memset(text, '?', sizeof(text));
	text[QUESTION_MAX_BYTES + 1] = '\0';
	assert_int_equal(refuse(f, id, "", "inbox", &err), -EINVAL);
	assert_string_equal(err.text, "the question is empty");
	assert_int_equal(refuse(f, id, "  ", "inbox", &err), -EINVAL);
	assert_string_equal(err.text, "the question is empty");
	assert_int_equal(refuse(f, id, text, "inbox", &err), -EINVAL);
	assert_string_equal(err.text, "the question has 4097 bytes, more than 4096");
	text[QUESTION_MAX_BYTES] = '\0';
	assert_int_equal(refuse(f, id, text, "inbox", &err), 0);
	assert_int_equal(refuse(f, id, "caf\xe9?", "inbox", &err), -EINVAL);
	assert_string_equal(err.text, "the question is not UTF-8");
	assert_int_equal(refuse(f, id, "a\nb", "inbox", &err), -EINVAL);
	assert_string_equal(err.text, "the question has a control character at byte 1");
	assert_int_equal(refuse(f, id, "a\xc2\x9b", "inbox", &err), -EINVAL);
	assert_int_equal(refuse(f, id, "Who?", "rumour", &err), -EINVAL);
	assert_int_equal(refuse(f, 9, "Who?", "inbox", &err), -ENOENT);
	assert_int_equal(query(f, "SELECT count(*) FROM question"), 1);
}

static void a_question_waits_for_its_document(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1"), question = ask(f, id, QUESTION);
	bool waits = true;

	assert_int_equal(take_question(f), 0);
	assert_int_equal(take(f), id);
	assert_int_equal(take_question(f), 0);
	assert_int_equal(docstore_has_question(f->store, &waits, NULL), 0);
	assert_false(waits);
	read_document(f, id, 'a', TEXT, "Floods");
	assert_int_equal(docstore_has_question(f->store, &waits, NULL), 0);
	assert_true(waits);
	assert_int_equal(take_question(f), question);
	expect_question(f, question, QUESTION_ANSWERING);
	assert_int_equal(take_question(f), 0);
}

static void somebody_who_waits_comes_before_what_a_folder_asks(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), standing = ask_as(f, id, "Who?", "folder", NULL);
	int64_t first = ask_as(f, id, "When?", "file", NULL),
		second = ask_as(f, id, "Where?", "control", NULL);

	assert_int_equal(take_question(f), first);
	assert_int_equal(take_question(f), second);
	assert_int_equal(take_question(f), standing);
}

static void questions_about_a_document_come_together(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), other = add_read(f, "/in/2");
	int64_t first = ask(f, id, "Who?"), second = ask(f, other, "Who?"), third = ask(f, id, "When?");
	int64_t standing = ask_as(f, other, "Where?", "folder", NULL);

	assert_int_equal(take_question(f), first);
	assert_int_equal(take_beside(f, id), third);
	assert_int_equal(docstore_put_back_question(f->store, third, NULL), 0);
	assert_int_equal(take_beside(f, other), second); /* what folders ask does not come with it */
	assert_int_equal(take_beside(f, other), third);
	assert_int_equal(take_beside(f, id), standing);
}

static void fail_for_now(struct fixture *f, int64_t id)
{
	assert_int_equal(docstore_fail_question(f->store, id, RETRY_LATER, "no memory for a text", NULL), 0);
}

static int64_t next_retry(struct fixture *f)
{
	int64_t ret = 0;

	assert_int_equal(docstore_next_retry(f->store, &ret, NULL), 0);
	return ret;
}

static void what_passes_is_asked_again_later_each_time(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), question = ask(f, id, QUESTION);

	for (int i = 1; i <= 3; i++) {
		assert_int_equal(take_question(f), question);
		fail_for_now(f, question);
		expect_failed(f, question, "no memory for a text");
		assert_int_equal(next_retry(f), now_s + backoff_seconds(i, question));
		assert_int_equal(take_question(f), 0);
		now_s = next_retry(f);
	}
	assert_int_equal(take_question(f), question);
	assert_int_equal(put_answer(f, question, "The bridge", "f1"), 0);
	assert_int_equal(docstore_next_retry(f->store, &id, NULL), -ENOENT);
	assert_int_equal(query(f, "SELECT attempts FROM question"), 0);
}

static void what_does_not_pass_is_given_up(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), question = ask(f, id, QUESTION), next;

	for (int i = 1; i <= BACKOFF_ATTEMPTS; i++) {
		assert_int_equal(take_question(f), question);
		fail_for_now(f, question);
		if (i < BACKOFF_ATTEMPTS)
			now_s = next_retry(f);
	}
	expect_failed(f, question,
	              "no memory for a text; given up after 12 attempts until it is asked again");
	assert_int_equal(docstore_next_retry(f->store, &next, NULL), -ENOENT);
	assert_int_equal(ask(f, id, QUESTION), question);
	assert_int_equal(take_question(f), question);
	fail_for_now(f, question);
	assert_int_equal(next_retry(f), now_s + backoff_seconds(1, question));
}

static void a_clock_that_was_set_back_keeps_no_question(void **state)
{
	struct fixture *f = *state;
	int64_t question = ask(f, add_read(f, "/in/1"), QUESTION);

	assert_int_equal(take_question(f), question);
	fail_for_now(f, question);
	now_s -= 365 * 86400;
	assert_int_equal(take_question(f), question);
}

static void what_is_due_fails_with_its_document(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), question = ask(f, id, QUESTION);

	assert_int_equal(take_question(f), question);
	fail_for_now(f, question);
	assert_int_equal(docstore_start(f->store, id, NULL), 0);
	assert_int_equal(docstore_fail(f->store, id, DOCUMENT_FAILED, RETRY_NEVER, "damaged", NULL), 0);
	now_s = next_retry(f);
	assert_int_equal(take_question(f), 0);
	expect_failed(f, question, "the document is failed: damaged");
}

static void an_answer_stands_with_its_evidence(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), question = ask(f, id, QUESTION);
	struct reading reading = { 0 };
	const struct question *read;

	assert_int_equal(take_question(f), question);
	assert_int_equal(put_answer(f, question, "The bridge", "f1"), 0);
	assert_int_equal(docstore_load(f->store, id, &reading, NULL), 0);
	assert_int_equal(reading.questions.n, 1);
	read = &reading.questions.items[0];
	assert_int_equal(read->state, QUESTION_ANSWERED);
	assert_string_equal(read->text, QUESTION);
	assert_string_equal(read->answer.text, "The bridge");
	assert_int_equal(read->answer.n_evidence, 1);
	assert_string_equal(read->answer.evidence[0].quote, QUOTE);
	assert_string_equal(read->answer.evidence[0].section, "Floods");
	assert_true(read->found);
	assert_string_equal(read->fingerprint, "f1");
	assert_false(reading.document.published); /* its outputs lack the answer */
	reading_done(&reading);
	assert_int_equal(query(f,
	                       "SELECT count(*) FROM v_answers WHERE name = '1' AND question = 'What held?'"
	                       " AND answer = 'The bridge' AND quote = 'The bridge held.' AND found"),
	                 1);
}

static int count_hits(void *user, const struct search_hit *hit)
{
	int *n = user;

	*n += strcmp(hit->kind, "answer") == 0;
	return 0;
}

static int n_found(struct fixture *f, const char *words)
{
	int n = 0;

	assert_int_equal(docstore_search(f->store, words, 100, count_hits, &n, NULL), 0);
	return n;
}

static void answers_are_found_by_words_of_both(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), question = ask(f, id, "Who is the warden?");

	assert_int_equal(put_answer(f, question, "Miller himself", "f1"), 0);
	assert_int_equal(n_found(f, "warden"), 1);
	assert_int_equal(n_found(f, "miller"), 1);
	assert_int_equal(put_answer(f, question, "Nobody", "f2"), 0);
	assert_int_equal(n_found(f, "miller"), 0);
	assert_int_equal(n_found(f, "nobody warden"), 1);
	assert_int_equal(query(f, "SELECT count(*) FROM answer"), 1);
	assert_int_equal(query(f, "SELECT count(*) FROM evidence WHERE answer_id IS NOT NULL"), 2);
}

static void a_repeated_question_has_its_answer(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), question = ask(f, id, QUESTION);

	assert_int_equal(put_answer(f, question, "The bridge", "f1"), 0);
	assert_int_equal(ask(f, id, QUESTION), question);
	expect_question(f, question, QUESTION_ANSWERED);
	assert_int_equal(take_question(f), 0);
	assert_int_equal(ask_as(f, id, QUESTION, "folder", NULL), question);
	expect_question(f, question, QUESTION_ANSWERED);
	assert_int_equal(ask_as(f, id, QUESTION, "control", "f2"),
	                 question); /* another model may know better */
	assert_int_equal(take_question(f), question);
	assert_int_equal(query(f, "SELECT text = 'The bridge' FROM answer"), 1); /* until then this stands */
}

static void a_quote_that_is_not_its_bytes_is_refused(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), number = ask(f, id, QUESTION);
	struct question question = get_question(f, number);
	struct evidence *evidence = passage_add_evidence(&question.answer);

	question.answer.text = strdup("The bridge");
	*evidence = (struct evidence){ .quote = strdup("The bridge"), .byte_start = 16, .byte_end = 27 };
	assert_int_equal(docstore_put_answer(f->store, &question, NULL), -EINVAL);
	question_done(&question);
	assert_int_equal(query(f, "SELECT count(*) FROM answer"), 0);
	expect_question(f, number, QUESTION_ASKED);
}

static void a_new_text_is_asked_anew(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), question = ask(f, id, QUESTION), failed = ask(f, id, "Who?");

	assert_int_equal(put_answer(f, question, "The bridge", "f1"), 0);
	assert_int_equal(docstore_fail_question(f->store, failed, RETRY_NEVER, "no memory", NULL), 0);
	assert_int_equal(docstore_start(f->store, id, NULL), 0);
	put_text(f, id, TEXT); /* the same: nothing changes */
	expect_question(f, question, QUESTION_ANSWERED);
	put_text(f, id, OTHER_TEXT);
	expect_question(f, question, QUESTION_ASKED);
	assert_int_equal(query(f, "SELECT count(*) FROM answer"), 0);
	assert_int_equal(query(f, "SELECT count(*) FROM evidence WHERE answer_id IS NOT NULL"), 0);
	assert_int_equal(n_found(f, "bridge"), 0);
	assert_int_equal(take_question(f), 0);
	read_document(f, id, 'b', OTHER_TEXT, "Floods");
	assert_int_equal(take_question(f), question);
	assert_int_equal(take_question(f), failed);
}

static void another_model_that_reads_it_is_asked_again(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), question = ask(f, id, QUESTION), other = ask(f, id, "Who?");

	assert_int_equal(put_answer(f, question, "The bridge", "f0"), 0);
	assert_int_equal(put_answer(f, other, "The bridge", "f1"), 0);
	assert_int_equal(docstore_start(f->store, id, NULL), 0);
	read_document(f, id, 'a', TEXT, "Floods"); /* by f1 */
	assert_int_equal(take_question(f), question);
	assert_int_equal(take_question(f), 0);
	expect_question(f, other, QUESTION_ANSWERED);
}

static void a_question_of_a_failed_document_fails_with_its_reason(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1"), question = ask(f, id, QUESTION);

	assert_int_equal(take(f), id);
	fail_document(f, id, RETRY_LATER, "the disk is full");
	assert_int_equal(take_question(f), 0);
	expect_question(f, question, QUESTION_ASKED); /* it is tried again */
	now_s += 600;
	assert_int_equal(take(f), id);
	fail_document(f, id, RETRY_NEVER, "there is no text in it");
	assert_int_equal(take_question(f), 0);
	expect_failed(f, question, "the document is failed: there is no text in it");
	assert_int_equal(docstore_retry(f->store, id, NULL), 0);
	assert_int_equal(take(f), id);
	read_document(f, id, 'a', TEXT, "Floods");
	assert_int_equal(take_question(f), question);
}

static void a_file_that_is_gone_can_still_be_asked(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), never_read = add(f, INBOX, "/in/2");
	int64_t question = ask(f, id, QUESTION), other = ask(f, never_read, QUESTION);

	assert_int_equal(docstore_gone(f->store, id, NULL), 0);
	assert_int_equal(docstore_gone(f->store, never_read, NULL), 0);
	assert_int_equal(take_question(f), question);
	expect_failed(f, other, "the document is gone");
}

static void answer_and_crash(struct fixture *f)
{
	take_question(f);
}

static void a_crash_asks_again_and_two_are_enough(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), question = ask(f, id, QUESTION);

	crash_in(f, answer_and_crash);
	expect_question(f, question, QUESTION_ASKED);
	crash_in(f, answer_and_crash);
	expect_failed(f, question,
	              "skimd ended 2 times in the middle of it: left out until it is asked again");
	assert_int_equal(query(f, "SELECT count(*) FROM event WHERE document_id = 1"), 1);
	assert_int_equal(ask_as(f, id, QUESTION, "folder", "f1"), question); /* no reason to try it */
	assert_int_equal(take_question(f), 0);
	assert_int_equal(ask(f, id, QUESTION), question); /* somebody wants to know */
	crash_in(f, answer_and_crash);
	expect_question(f, question, QUESTION_FAILED);
}

static void an_orderly_stop_is_no_crash(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), question = ask(f, id, QUESTION);

	for (int i = 0; i < 4; i++) {
		assert_int_equal(take_question(f), question);
		reopen(f);
	}
	assert_int_equal(take_question(f), question);
	assert_int_equal(docstore_put_back_question(f->store, question, NULL), 0);
	expect_question(f, question, QUESTION_ASKED);
}

static void all_are_asked_that_are_read(void **state)
{
	struct fixture *f = *state;
	struct question_request all = { .text = QUESTION, .source = "control", .fingerprint = "f1" };
	struct question_request folder = { .text = "Who?", .source = "folder" };
	int64_t first = add_read(f, "/in/1"), second = add_read(f, "/in/2"), n = 0, answered;

	add(f, INBOX, "/in/3");
	add(f, "/elsewhere", "/elsewhere/4");
	answered = ask(f, first, QUESTION);
	assert_int_equal(put_answer(f, answered, "The bridge", "f1"), 0);
	assert_int_equal(docstore_ask_all(f->store, &all, NULL, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(query(f, "SELECT document_id FROM question WHERE state = 'asked'"), second);
	assert_int_equal(docstore_ask_all(f->store, &folder, INBOX, &n, NULL), 0);
	assert_int_equal(n, 3); /* also what is still to be read */
	assert_int_equal(docstore_ask_all(f->store, &folder, INBOX, &n, NULL), 0);
	assert_int_equal(n, 0);
	all.text = "";
	assert_int_equal(docstore_ask_all(f->store, &all, NULL, &n, NULL), -EINVAL);
}

static void questions_are_listed(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), other = add_read(f, "/in/2"), n = 0;
	int64_t first = ask(f, id, QUESTION), second = ask(f, other, QUESTION), third = ask(f, id, "Who?");
	struct question question = { 0 };

	assert_int_equal(docstore_next_question(f->store, 0, 0, NULL, &question, NULL), 0);
	assert_int_equal(question.id, first);
	assert_string_equal(question.path, "/in/1");
	question_done(&question);
	assert_int_equal(docstore_next_question(f->store, first, 0, QUESTION, &question, NULL), 0);
	assert_int_equal(question.id, second);
	question_done(&question);
	assert_int_equal(docstore_next_question(f->store, first, id, NULL, &question, NULL), 0);
	assert_int_equal(question.id, third);
	question_done(&question);
	assert_int_equal(docstore_next_question(f->store, 0, id, "Who?", &question, NULL), 0);
	assert_int_equal(question.id, third);
	question_done(&question);
	assert_int_equal(docstore_next_question(f->store, first, id, QUESTION, &question, NULL), -ENOENT);
	assert_int_equal(docstore_next_question(f->store, third, 0, NULL, &question, NULL), -ENOENT);
	assert_int_equal(docstore_count_questions(f->store, QUESTION_ASKED, &n, NULL), 0);
	assert_int_equal(n, 3);
}

static void a_row_of_an_inbox_is_taken_once(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), question = 0, again = 7;
	struct question_request request = { id, QUESTION, "inbox", "f1" };
	bool taken = true;

	assert_int_equal(docstore_has_inbox_row(f->store, "abc", 3, &taken, NULL), 0);
	assert_false(taken);
	assert_int_equal(docstore_ask_from_inbox(f->store, &request, "abc", 3, &question, NULL), 0);
	assert_true(question > 0);
	assert_int_equal(docstore_fail_question(f->store, question, RETRY_NEVER, "no memory", NULL), 0);
	reopen(f);
	assert_int_equal(docstore_has_inbox_row(f->store, "abc", 3, &taken, NULL), 0);
	assert_true(taken);
	assert_int_equal(docstore_ask_from_inbox(f->store, &request, "abc", 3, &again, NULL), 0);
	assert_int_equal(again, 0);
	expect_question(f, question, QUESTION_FAILED); /* it was not asked a second time */
	assert_int_equal(docstore_ask_from_inbox(f->store, &request, "new", 3, &again, NULL), 0);
	assert_int_equal(again, question);
	expect_question(f, question, QUESTION_ASKED);
	assert_int_equal(docstore_inbox_removed(f->store, "new", 3, NULL), 0);
	assert_int_equal(query(f, "SELECT count(*) FROM inbox_row"), 0);
	request.document_id = 99; /* neither the question nor the row */
	assert_int_equal(docstore_ask_from_inbox(f->store, &request, "new", 4, &again, NULL), -ENOENT);
	assert_int_equal(query(f, "SELECT count(*) FROM inbox_row"), 0);
}

static void words_before_a_document_mean_no_part_of_a_name(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/data.txt"), found = 0;
	struct err err = { "" };

	assert_int_equal(docstore_find_named(f->store, "a.txt", &found, &err), -ENOENT);
	assert_int_equal(docstore_find_named(f->store, "data.txt", &found, &err), 0);
	assert_int_equal(found, id);
	assert_int_equal(docstore_find_named(f->store, "/in/data.txt", &found, &err), 0);
	assert_int_equal(docstore_find_named(f->store, "1", &found, &err), 0);
	add(f, INBOX, "/in/sub/data.txt");
	assert_int_equal(docstore_find_named(f->store, "data.txt", &found, &err), -ENOTUNIQ);
}

/* What version 2 kept of questions, which it could not answer. */
static void questions_of_version_2_are_asked(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1");
	sqlite3 *sqlite;

	docstore_close(f->store);
	f->store = NULL;
	assert_int_equal(sqlite3_open(f->path, &sqlite), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(
			sqlite,
			"DROP VIEW v_reading; DROP TABLE ask_file; DROP TABLE dense_check; DROP TABLE "
	                "dense_due; DROP TABLE "
			"reading;"
			"ALTER TABLE document DROP COLUMN truncated; ALTER TABLE document DROP COLUMN "
			"ocr_pages; ALTER TABLE text DROP COLUMN marks;"
			"ALTER TABLE text DROP COLUMN marks_bytes;"
			"DROP VIEW v_answers; DROP TABLE inbox_row; DROP INDEX evidence_answer;"
			"ALTER TABLE evidence DROP COLUMN answer_id; DROP TABLE answer; DROP TABLE question;"
			"CREATE TABLE question(id INTEGER PRIMARY KEY AUTOINCREMENT, document_id INTEGER NOT "
			"NULL REFERENCES document(id) ON DELETE CASCADE, text TEXT NOT NULL, asked_at TEXT "
			"NOT NULL DEFAULT '2026-11-22T16:41:00Z', source TEXT NOT NULL, state TEXT NOT NULL "
			"DEFAULT 'open', error TEXT, UNIQUE (document_id, text)) STRICT;"
			"CREATE INDEX question_open ON question(document_id) WHERE state = 'open';"
			"INSERT INTO question(id, document_id, text, source) VALUES (5, 1, 'Who?', 'inbox');"
			"PRAGMA user_version = 2",
			NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(sqlite);
	f->store = open_or_fail(f->path, DOCSTORE_WRITE);
	assert_int_equal(take_question(f), 5);
	assert_int_equal(put_answer(f, 5, "The bridge", "f1"), 0);
	assert_true(ask(f, id, "And when?") > 5);
	assert_int_equal(query(f, "SELECT count(*) FROM question WHERE asked_at = '2026-11-22T16:41:00Z'"),
	                 1);
}

static bool has_ask_file(struct fixture *f, int64_t id, const struct document_file *file)
{
	struct err err = { "" };
	bool found = false;

	if (docstore_has_ask_file(f->store, id, file, &found, &err) < 0)
		fail_msg("%s", err.text);
	return found;
}

static void a_file_of_questions_is_known_as_it_was_taken(void **state)
{
	struct fixture *f = *state;
	int64_t id = add_read(f, "/in/1"), other = add_read(f, "/in/2");
	struct document_file file = { .device = 1, .inode = 2, .size = 3, .mtime_ns = 4, .ctime_ns = 5 };
	struct document_file changed = file;

	assert_false(has_ask_file(f, id, &file));
	assert_int_equal(docstore_put_ask_file(f->store, id, &file, NULL), 0);
	assert_int_equal(docstore_put_ask_file(f->store, 77, &file, NULL), 0); /* forgotten meanwhile */
	reopen(f);
	assert_true(has_ask_file(f, id, &file));
	assert_false(has_ask_file(f, other, &file));
	changed.ctime_ns = 6;
	assert_false(has_ask_file(f, id, &changed));
	assert_int_equal(docstore_put_ask_file(f->store, id, &changed, NULL), 0);
	assert_true(has_ask_file(f, id, &changed));
	assert_false(has_ask_file(f, id, &file));
	assert_int_equal(docstore_forget(f->store, id, NULL), 0);
	assert_int_equal(query(f, "SELECT count(*) FROM ask_file"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_store, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_question_is_kept_once),
		TEST(a_question_that_cannot_be_one_is_refused),
		TEST(a_question_waits_for_its_document),
		TEST(somebody_who_waits_comes_before_what_a_folder_asks),
		TEST(an_answer_stands_with_its_evidence),
		TEST(answers_are_found_by_words_of_both),
		TEST(a_repeated_question_has_its_answer),
		TEST(a_quote_that_is_not_its_bytes_is_refused),
		TEST(a_new_text_is_asked_anew),
		TEST(another_model_that_reads_it_is_asked_again),
		TEST(a_question_of_a_failed_document_fails_with_its_reason),
		TEST(a_file_that_is_gone_can_still_be_asked),
		TEST(a_crash_asks_again_and_two_are_enough),
		TEST(an_orderly_stop_is_no_crash),
		TEST(all_are_asked_that_are_read),
		TEST(questions_about_a_document_come_together),
		TEST(what_passes_is_asked_again_later_each_time),
		TEST(what_does_not_pass_is_given_up),
		TEST(a_clock_that_was_set_back_keeps_no_question),
		TEST(what_is_due_fails_with_its_document),
		TEST(questions_are_listed),
		TEST(a_row_of_an_inbox_is_taken_once),
		TEST(words_before_a_document_mean_no_part_of_a_name),
		TEST(a_file_of_questions_is_known_as_it_was_taken),
		TEST(questions_of_version_2_are_asked),
	};

	return cmocka_run_group_tests_name("docstore_questions", tests, NULL, NULL);
}
