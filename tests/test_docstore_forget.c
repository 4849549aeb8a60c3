/* What is forgotten is found nowhere: not by a query, not by a search, and not as bytes of the database's files. */
#include "tests/documents.h"

#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "pipeline/digest.h"
#include "pipeline/forget.h"
#include "pipeline/output.h"
#include "store/docstore_questions.h"

#define INBOX "/in"

/* How often the bytes stand in the database and its companions. */
static size_t n_found_in(const char *path, const char *word)
{
	struct buf bytes = { 0 };
	struct err err = { "" };
	size_t n = 0;

	if (access(path, F_OK) < 0)
		return 0;
	if (file_read(path, (size_t)1 << 30, &bytes, &err) < 0)
		fail_msg("%s", err.text);
	for (const char *at = bytes.data; at != NULL && bytes.n > 0;) {
		at = memmem(at, bytes.n - (size_t)(at - bytes.data), word, strlen(word));
		if (at != NULL) {
			at++;
			n++;
		}
	}
	buf_done(&bytes);
	return n;
}

static size_t n_found(struct fixture *f, const char *word)
{
	static const char *const SUFFIXES[] = { "", "-wal", "-journal", "-shm", "-lock" };
	char name[80];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(SUFFIXES) / sizeof(SUFFIXES[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", f->path, SUFFIXES[i]);
		n += n_found_in(name, word);
	}
	return n;
}

static uint64_t seed;

static size_t draw(size_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(seed >> 33) % n;
}

/* A text with words of its own number in it: in places that are drawn, among others that all texts share. */
static char *make_text(size_t number, size_t n_words)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < n_words; i++) {
		if (draw(9) == 0)
			buf_printf(&text, "quirk%zuzebra ", number);
		else
			buf_printf(&text, "common%zu ", draw(400));
	}
	buf_printf(&text, "quirk%zuzebra.", number);
	return buf_take(&text);
}

static int64_t read_numbered(struct fixture *f, size_t number)
{
	char path[64], title[64];
	char *text = make_text(number, 50 + draw(3000));
	int64_t id;

	snprintf(path, sizeof(path), INBOX "/path%zuyak.txt", number);
	snprintf(title, sizeof(title), "Title%zuxylophone", number);
	id = add(f, INBOX, path);
	assert_int_equal(docstore_start(f->store, id, NULL), 0);
	put_text(f, id, text);
	for (int64_t i = 0; i < (int64_t)draw(6) + 1; i++)
		put_chunk(f, id, i, (char)('a' + i), text, strlen(text) / 2);
	finish(f, id, title, 6);
	free(text);
	return id;
}

static void expect_no_word(struct fixture *f, size_t number)
{
	static const char *const FORMS[][2] = {
		{ "quirk", "zebra" }, { "path", "yak" }, { "Title", "xylo" },
		{ "title", "xylo" },  { "ask", "why" },  { "reply", "zebra" }
	};

	for (size_t i = 0; i < sizeof(FORMS) / sizeof(FORMS[0]); i++) {
		char word[64];

		snprintf(word, sizeof(word), "%s%zu%s", FORMS[i][0], number, FORMS[i][1]);
		if (n_found(f, word) > 0)
			fail_msg("'%s' is found %zu times", word, n_found(f, word));
	}
}

static int count_hits(void *user, const struct search_hit *hit)
{
	size_t *n = user;

	(void)hit;
	++*n;
	return 0;
}

static void answer_numbered(struct fixture *f, int64_t id, unsigned number)
{
	struct question question = { .document_id = id, .found = true };
	struct question_request request = { .document_id = id, .source = "inbox" };
	char text[64], answer[64];
	struct err err = { "" };

	snprintf(text, sizeof(text), "ask%uwhy the zebra?", number);
	snprintf(answer, sizeof(answer), "reply%uzebra stands", number);
	request.text = text;
	question.answer.text = answer;
	if (docstore_ask(f->store, &request, &question.id, &err) < 0 ||
	    docstore_put_answer(f->store, &question, &err) < 0)
		fail_msg("%s", err.text);
}

static void no_word_of_it_is_found_in_the_files(void **state)
{
	struct fixture *f = *state;
	int64_t ids[40];
	size_t n = 0;
	struct err err = { "" };

	seed = 4; /* without VACUUM, words of two documents are left in the room of pages */
	for (size_t i = 0; i < 40; i++)
		ids[i] = read_numbered(f, 100 + i);
	answer_numbered(f, ids[7], 107);
	answer_numbered(f, ids[8], 108);
	assert_int_equal(
		docstore_output_add(f->store, ids[7], "/out/path107yak.txt.summary.md", key_of('f'), NULL),
		0);
	assert_int_equal(docstore_event(f->store, "warning", ids[7], "quirk107zebra is odd", NULL), 0);
	assert_int_equal(docstore_event(f->store, "info", 0, "linked to /in/path107yak.txt today", NULL), 0);
	assert_int_equal(docstore_event(f->store, "info", ids[8], "like 'path107yak.txt'", NULL), 0);
	assert_true(n_found(f, "path107yak") > 5);
	if (docstore_forget(f->store, ids[7], &err) < 0)
		fail_msg("%s", err.text);
	expect_no_word(f, 107);
	assert_int_equal(docstore_search(f->store, "quirk107zebra", 5, count_hits, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_int_equal(docstore_search(f->store, "quirk108zebra", 5, count_hits, &n, NULL), 0);
	assert_true(n > 0);
	assert_int_equal(
		query(f, "SELECT count(*) FROM event WHERE message = 'of a document that was forgotten'"), 3);
	assert_int_equal(query(f, "SELECT count(*) FROM document"), 39);
	assert_int_equal(query(f, "SELECT count(*) FROM text"), 39);
	assert_int_equal(query(f, "SELECT count(*) FROM question JOIN answer ON question_id = question.id"),
	                 1);
	assert_int_equal(query(f, "SELECT count(*) FROM output"), 0);
	assert_int_equal(query(f, "SELECT count(*) FROM chore"), 0);
	assert_int_equal(docstore_forget(f->store, ids[7], NULL), -ENOENT);
	ids[7] = 0;
	for (size_t i = 0; i < 30; i++) { /* and others come and go */
		size_t gone = draw(40);

		if (ids[gone] == 0)
			continue;
		assert_int_equal(docstore_forget(f->store, ids[gone], NULL), 0);
		expect_no_word(f, 100 + gone);
		ids[gone] = 0;
		read_numbered(f, 200 + i);
	}
	assert_int_equal(query(f, "PRAGMA quick_check"), 0); /* "ok" as a number */
}

static void what_is_forgotten_unread_leaves_nothing_either(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/path1yak.txt");

	take(f);
	fail_document(f, id, RETRY_LATER, "odd in /in/path1yak.txt");
	assert_int_equal(docstore_forget(f->store, id, NULL), 0);
	expect_no_word(f, 1);
	assert_int_equal(take(f), 0);
}

static void what_is_being_read_is_not_forgotten(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/a");
	struct err err = { "" };

	assert_int_equal(docstore_forget(f->store, 7, &err), -ENOENT);
	assert_int_equal(take(f), id);
	assert_int_equal(docstore_forget(f->store, id, &err), -EAGAIN);
	assert_non_null(strstr(err.text, "document 1 is being read"));
	assert_int_equal(forget_document(f->store, id, &err), -EAGAIN);
	expect_state(f, id, DOCUMENT_READING);
}

static void stays_forgotten(struct fixture *f, const char *name,
                            int (*leave_out)(struct docstore *, const struct document_file *, const char *,
                                             struct err *))
{
	char path[40];
	struct document_file file;
	int64_t id;

	snprintf(path, sizeof(path), INBOX "/%s", name);
	file = file_in(INBOX, path);
	assert_int_equal(leave_out(f->store, &file, "a reason", NULL), 0);
	assert_int_equal(docstore_resolve(f->store, name, &id, NULL), 0);
	assert_int_equal(docstore_forget(f->store, id, NULL), 0);
	assert_int_equal(leave_out(f->store, &file, "a reason", NULL), 0);
	assert_int_equal(query(f, "SELECT count(*) FROM document"), 0);
}

static void a_forgotten_file_that_is_as_it_was_does_not_come_back(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_in(INBOX, "/in/a");
	bool queued = true;
	int64_t id = add_file(f, &file);

	assert_int_equal(docstore_forget(f->store, id, NULL), 0);
	assert_int_equal(docstore_add(f->store, &file, &id, &queued, NULL), 0);
	assert_int_equal(id, 0);
	assert_false(queued);
	reopen(f);
	assert_int_equal(add_file(f, &file), 0);
	file.mtime_ns++;
	assert_int_equal(docstore_add(f->store, &file, &id, &queued, NULL), 0);
	assert_true(queued && id > 1);
	assert_int_equal(query(f, "SELECT count(*) FROM forgotten"), 0);

	assert_int_equal(docstore_forget(f->store, id, NULL), 0);
	file.even_forgotten = true; /* named by the user */
	assert_true(add_file(f, &file) > id);
	assert_int_equal(docstore_gone(f->store, id + 1, NULL), 0);
	assert_int_equal(docstore_forget(f->store, id + 1, NULL), 0);
	assert_int_equal(query(f, "SELECT count(*) FROM forgotten"),
	                 0); /* a file that is not there has no mark */

	stays_forgotten(f, "pipe", docstore_ignore);
	stays_forgotten(f, "secret", docstore_refuse);
}

static void a_reader_that_holds_an_old_state_puts_it_off(void **state)
{
	struct fixture *f = *state;
	sqlite3 *reader;
	struct err err = { "" };
	int64_t id;

	seed = 3;
	for (size_t i = 0; i < 10; i++)
		id = read_numbered(f, 300 + i);
	assert_int_equal(sqlite3_open_v2(f->path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM document", NULL, NULL, NULL),
	                 SQLITE_OK);
	assert_int_equal(docstore_forget(f->store, id, &err), -EBUSY);
	assert_non_null(strstr(err.text, "the rows are removed, but a reader holds an old state"));
	assert_int_equal(query(f, "SELECT count(*) FROM document"), 9);
	assert_true(n_found(f, "path309yak") > 0);
	assert_int_equal(docstore_scrub(f->store, &err), -EBUSY);
	assert_int_equal(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(reader);
	assert_int_equal(docstore_scrub(f->store, &err), 0);
	expect_no_word(f, 309);
	assert_int_equal(query(f, "SELECT count(*) FROM chore"), 0);
}

static void forget_rows_of_the_last(struct fixture *f)
{
	if (docstore_forget_rows(f->store, 10, NULL) < 0)
		_exit(1);
}

static void a_crash_in_between_is_made_up_for_by_the_next_start(void **state)
{
	struct fixture *f = *state;

	seed = 5;
	for (size_t i = 0; i < 10; i++)
		read_numbered(f, 400 + i);
	crash_in(f, forget_rows_of_the_last);
	assert_int_equal(query(f, "SELECT count(*) FROM document"), 9);
	expect_no_word(f, 409);
}

static void make_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fputs(text, file) < 0, 0);
	fclose(file);
}

static void outputs_go_unless_somebody_changed_them(void **state)
{
	struct fixture *f = *state;
	char markdown[128], json[128], sha256[DIGEST_HEX];
	int64_t id = add(f, INBOX, "/in/a");
	struct err err = { "" };

	snprintf(markdown, sizeof(markdown), "%s/a" OUTPUT_MARKDOWN_SUFFIX, f->folder);
	snprintf(json, sizeof(json), "%s/a" OUTPUT_JSON_SUFFIX, f->folder);
	make_file(markdown, "# ours\n");
	make_file(json, "{}\n");
	digest_hex("# ours\n", 7, sha256);
	assert_int_equal(docstore_output_add(f->store, id, markdown, sha256, NULL), 0);
	digest_hex("{ }\n", 4, sha256);
	assert_int_equal(docstore_output_add(f->store, id, json, sha256, NULL), 0);
	if (forget_document(f->store, id, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(access(markdown, F_OK), -1);
	assert_int_equal(access(json, F_OK), 0); /* changed since */
	assert_int_equal(docstore_get(f->store, id, &(struct document){ 0 }, NULL), -ENOENT);
	unlink(json);
}

static void old_documents_are_listed_by_folder(void **state)
{
	struct fixture *f = *state;
	int64_t *ids = NULL, first, second;
	size_t n = 0;

	now_s = (int64_t)time(NULL);
	first = add(f, INBOX, "/in/a");
	second = add(f, "/other", "/other/b");
	add(f, INBOX, "/in/c");
	docstore_start(f->store, first, NULL);
	read_document(f, first, 'a', "The river rose.", "Floods");
	docstore_start(f->store, second, NULL);
	read_document(f, second, 'b', "The bridge held.", "Bridges");
	assert_int_equal(docstore_gone(f->store, second, NULL), 0);
	assert_int_equal(docstore_list_old(f->store, NULL, 3600, &ids, &n, NULL), 0);
	assert_int_equal(n, 0);
	free(ids);
	now_s += 3700;
	assert_int_equal(docstore_list_old(f->store, NULL, 3600, &ids, &n, NULL), 0);
	assert_int_equal(n, 2);
	free(ids);
	assert_int_equal(docstore_list_old(f->store, INBOX, 3600, &ids, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(ids[0], first);
	free(ids);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_store, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_word_of_it_is_found_in_the_files),
		TEST(what_is_forgotten_unread_leaves_nothing_either),
		TEST(what_is_being_read_is_not_forgotten),
		TEST(a_forgotten_file_that_is_as_it_was_does_not_come_back),
		TEST(a_reader_that_holds_an_old_state_puts_it_off),
		TEST(a_crash_in_between_is_made_up_for_by_the_next_start),
		TEST(outputs_go_unless_somebody_changed_them),
		TEST(old_documents_are_listed_by_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
