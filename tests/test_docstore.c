/* skimd.db: states, texts, chunks and results, who may write, and that anybody with read permission can read. */
#include "store/docstore.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/docstore_schema.h"
#include "tests/store_fixture.h"

#define TEXT "The river rose. The bridge held. Nobody was hurt."
#define OTHER_TEXT "In May the river rose. The bridge held. Nobody was hurt."
#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define NOBODY 65534

static const struct document_progress HALF = { "read", 0.5, 50, 100, 7 };

static int open_as(const char *path, enum docstore_mode mode, struct docstore **ret, struct err *err)
{
	struct docstore_settings settings = { .path = path, .mode = mode };

	return docstore_open(&settings, ret, err);
}

static struct document_file file_at(const char *path)
{
	return (struct document_file){ .path = path,
		                       .output = "/out/it",
		                       .device = 1,
		                       .inode = 2,
		                       .size = 3,
		                       .mtime_ns = 4,
		                       .ctime_ns = 5 };
}

static int64_t add(struct fixture *f, const char *path)
{
	struct document_file file = file_at(path);
	int64_t id = 0;

	assert_int_equal(docstore_add(f->store, &file, &id, NULL, NULL), 0);
	return id;
}

static void expect_state(struct fixture *f, int64_t id, enum document_state state)
{
	struct document document;

	assert_int_equal(docstore_get(f->store, id, &document, NULL), 0);
	assert_string_equal(document_state_name(document.state), document_state_name(state));
	document_done(&document);
}

static void put_text(struct fixture *f, int64_t id, const char *text)
{
	struct document document = { .sha256 = (char *)(uintptr_t)KEY_A,
		                     .media_type = (char *)(uintptr_t) "text/plain",
		                     .bytes = (int64_t)strlen(text),
		                     .pages = 2 };

	assert_int_equal(docstore_put_text(f->store, id, &document, text, strlen(text), NULL), 0);
}

static void add_quote(struct passages *passages, enum passage_kind kind, const char *text, const char *quote)
{
	struct passage *passage = passages_add(passages, kind);
	struct evidence *evidence = passage_add_evidence(passage);
	const char *place = strstr(text, quote);

	passage->text = strdup(quote);
	passage->score = -0.25;
	evidence->quote = strdup(quote);
	evidence->byte_start = place - text;
	evidence->byte_end = evidence->byte_start + (int64_t)strlen(quote);
	evidence->page = 1;
	evidence->section = strdup("Floods");
	evidence->score = -0.5;
}

static struct document_chunk chunk_of(int64_t number, const char *key, const char *text, const char *quote)
{
	struct document_chunk chunk = {
		.number = number, .byte_start = 0, .byte_end = (int64_t)strlen(text), .tokens = 12
	};

	chunk.key = strdup(key);
	add_quote(&chunk.passages, PASSAGE_KEY, text, quote);
	return chunk;
}

static int put_chunk(struct fixture *f, int64_t id, int64_t number, const char *key, const char *text,
                     const char *quote)
{
	struct document_chunk chunk = chunk_of(number, key, text, quote);
	int r = docstore_put_chunk(f->store, id, &chunk, text, strlen(text), NULL);

	document_chunk_done(&chunk);
	return r;
}

static int finish(struct fixture *f, int64_t id, const char *title, size_t n_chunks)
{
	struct document document = { .tokens = 12,
		                     .model = (char *)(uintptr_t) "nano",
		                     .fingerprint = (char *)(uintptr_t) "f1",
		                     .usage = { 100, 60, 40, 7 },
		                     .seconds = 1.5 };
	struct passages passages = { 0 };
	struct passage *passage = passages_add(&passages, PASSAGE_TITLE);
	int r;

	passage->text = strdup(title);
	passage->generated = true;
	add_quote(&passages, PASSAGE_KEY, TEXT, "The bridge held.");
	add_quote(&passages, PASSAGE_KEY, TEXT, "Nobody was hurt.");
	r = docstore_finish(f->store, id, &document, &passages, n_chunks, NULL);
	passages_done(&passages);
	return r;
}

/* Of one that is 'reading'. */
static void read_to_the_end(struct fixture *f, int64_t id)
{
	put_text(f, id, TEXT);
	assert_int_equal(put_chunk(f, id, 0, KEY_A, TEXT, "The river rose."), 0);
	assert_int_equal(finish(f, id, "A flood", 1), 0);
}

static void read_document(struct fixture *f, int64_t id)
{
	assert_int_equal(docstore_start(f->store, id, NULL), 0);
	read_to_the_end(f, id);
}

/* A query as a user makes it: any SQLite client, read-only. */
static int64_t query(struct fixture *f, const char *sql)
{
	sqlite3 *sqlite;
	sqlite3_stmt *row = NULL;
	int64_t n = -1;

	assert_int_equal(sqlite3_open_v2(f->path, &sqlite, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	if (sqlite3_prepare_v2(sqlite, sql, -1, &row, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(sqlite));
	if (sqlite3_step(row) == SQLITE_ROW)
		n = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	sqlite3_close(sqlite);
	return n;
}

static void change_outside(struct fixture *f, const char *sql)
{
	sqlite3 *sqlite;

	assert_int_equal(sqlite3_open(f->path, &sqlite), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(sqlite);
}

static void a_new_file_is_queued_and_taken_oldest_first(void **state)
{
	struct fixture *f = *state;
	int64_t first = add(f, "/in/a.txt"), second = add(f, "/in/b.txt"), id = 0;
	struct err err;

	expect_state(f, first, DOCUMENT_QUEUED);
	assert_int_equal(docstore_take(f->store, &id, NULL), 0);
	assert_int_equal(id, first);
	expect_state(f, first, DOCUMENT_READING);
	assert_int_equal(docstore_take(f->store, &id, NULL), 0);
	assert_int_equal(id, second);
	assert_int_equal(docstore_take(f->store, &id, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no document is queued"));
}

static void a_file_as_it_was_is_left_alone_and_a_changed_one_queued(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_at("/in/a.txt");
	int64_t id = add(f, "/in/a.txt"), again = 0;
	bool queued = true;

	read_document(f, id);
	assert_int_equal(docstore_add(f->store, &file, &again, &queued, NULL), 0);
	assert_int_equal(again, id);
	assert_false(queued);
	expect_state(f, id, DOCUMENT_DONE);

	for (int field = 0; field < 6; field++) {
		int64_t *const fields[] = { &file.device, &file.inode, &file.size, &file.mtime_ns,
			                    &file.ctime_ns };

		if (field < 5)
			++*fields[field];
		else
			file.output = "/out/elsewhere";
		assert_int_equal(docstore_start(f->store, id, NULL), 0);
		assert_int_equal(docstore_fail(f->store, id, DOCUMENT_FAILED, RETRY_CHANGED, "broken", NULL),
		                 0);
		assert_int_equal(docstore_add(f->store, &file, &again, &queued, NULL), 0);
		assert_true(queued);
		expect_state(f, id, DOCUMENT_QUEUED);
	}
	assert_int_equal(query(f, "SELECT error IS NULL AND progress = 0 FROM document"), 1);
}

static void a_failed_file_as_it_was_stays_failed(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_at("/in/a.txt");
	int64_t id = add(f, "/in/a.txt");
	bool queued = true;

	assert_int_equal(docstore_start(f->store, id, NULL), 0);
	assert_int_equal(docstore_fail(f->store, id, DOCUMENT_FAILED, RETRY_CHANGED, "not a PDF", NULL), 0);
	assert_int_equal(docstore_add(f->store, &file, &id, &queued, NULL), 0);
	assert_false(queued);
	expect_state(f, id, DOCUMENT_FAILED);
	assert_int_equal(query(f, "SELECT count(*) FROM event WHERE level = 'warning' AND document_id = 1 AND"
	                          " message = 'not a PDF' AND at LIKE '____-__-__T__:__:__Z'"),
	                 1);
}

static void a_file_that_is_gone_and_returns_is_queued(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_at("/in/a.txt");
	int64_t id = add(f, "/in/a.txt");
	bool queued = false;

	read_document(f, id);
	assert_int_equal(docstore_gone(f->store, id, NULL), 0);
	expect_state(f, id, DOCUMENT_GONE);
	assert_int_equal(query(f, "SELECT count(*) FROM summary"), 4);
	assert_int_equal(docstore_add(f->store, &file, &id, &queued, NULL), 0);
	assert_true(queued);
}

static void a_file_that_changes_while_it_is_read_is_queued_at_the_end(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_at("/in/a.txt");
	int64_t id = add(f, "/in/a.txt");
	bool queued = false;

	docstore_take(f->store, &id, NULL);
	file.size++;
	assert_int_equal(docstore_add(f->store, &file, &id, &queued, NULL), 0);
	assert_true(queued);
	expect_state(f, id, DOCUMENT_READING);
	read_to_the_end(f, id);
	expect_state(f, id, DOCUMENT_QUEUED);
	docstore_take(f->store, &id, NULL);
	read_to_the_end(f, id);
	expect_state(f, id, DOCUMENT_DONE);
}

static void a_file_that_goes_away_while_it_is_read_stays_gone(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, "/in/a.txt");

	docstore_take(f->store, &id, NULL);
	assert_int_equal(docstore_gone(f->store, id, NULL), 0);
	read_to_the_end(f, id);
	expect_state(f, id, DOCUMENT_GONE);
}

static void expect_reason(struct fixture *f, int64_t id, const char *reason)
{
	struct document document;

	assert_int_equal(docstore_get(f->store, id, &document, NULL), 0);
	assert_int_equal(document.state, DOCUMENT_FAILED);
	assert_int_equal(document.retry, RETRY_CHANGED);
	assert_string_equal(document.error, reason);
	document_done(&document);
}

static void a_file_that_is_refused_while_it_is_read_keeps_the_reason(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_at("/in/a.txt");
	int64_t id = add(f, "/in/a.txt"), other;

	docstore_take(f->store, &id, NULL);
	assert_int_equal(docstore_refuse(f->store, &file, "cannot be read", NULL), 0);
	assert_int_equal(docstore_put_back(f->store, id, NULL), 0);
	expect_reason(f, id, "cannot be read");
	read_to_the_end(f, id);
	expect_reason(f, id, "cannot be read");

	other = add(f, "/in/b.txt");
	read_document(f, other);
	assert_int_equal(docstore_copy(f->store, other, id, NULL), 0);
	expect_reason(f, id, "cannot be read");
}

static void a_file_deleted_and_made_again_while_it_is_read_is_read_again(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_at("/in/a.txt");
	int64_t id = add(f, "/in/a.txt");
	bool queued = false;

	docstore_take(f->store, &id, NULL);
	assert_int_equal(docstore_gone(f->store, id, NULL), 0);
	file.inode++;
	assert_int_equal(docstore_add(f->store, &file, &id, &queued, NULL), 0);
	assert_true(queued);
	read_to_the_end(f, id);
	expect_state(f, id, DOCUMENT_QUEUED);
}

static void results_are_unpublished_until_their_outputs_are_written(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, "/in/a.txt");
	struct document document;

	read_document(f, id);
	assert_int_equal(docstore_unpublished(f->store, id, RETRY_NONE, "no space", NULL), 0);
	assert_int_equal(docstore_get(f->store, id, &document, NULL), 0);
	assert_false(document.published);
	assert_string_equal(document.error, "no space");
	assert_int_equal(document.state, DOCUMENT_DONE);
	document_done(&document);
	assert_int_equal(docstore_published(f->store, id, NULL), 0);
	assert_int_equal(query(f, "SELECT published FROM document"), 1);
	read_document(f, id);
	assert_int_equal(query(f, "SELECT published FROM document"), 0);
}

static void a_file_that_always_changes_starves_no_other(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_at("/in/a.txt");
	int64_t busy = add(f, "/in/a.txt"), other = add(f, "/in/b.txt"), id = 0;

	change_outside(
		f,
		"UPDATE document SET added_at = '2026-01-01T00:00:00Z', finished_at = '2026-01-03T00:00:00Z'"
		" WHERE id = 1; UPDATE document SET added_at = '2026-01-02T00:00:00Z' WHERE id = 2");
	file.size++;
	docstore_add(f->store, &file, &busy, NULL, NULL);
	docstore_take(f->store, &id, NULL);
	assert_int_equal(id, other);
}

static void an_ignored_file_says_why(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_at("/in/a.iso");
	struct document document;

	assert_int_equal(docstore_ignore(f->store, &file, "too large", NULL), 0);
	assert_int_equal(docstore_ignore(f->store, &file, "much too large", NULL), 0);
	assert_int_equal(docstore_get(f->store, 1, &document, NULL), 0);
	assert_int_equal(document.state, DOCUMENT_IGNORED);
	assert_string_equal(document.error, "much too large");
	assert_string_equal(document.name, "a.iso");
	document_done(&document);
}

static void a_reading_comes_back_as_it_was_stored(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, "/in/a.txt");
	struct reading reading;
	struct evidence *evidence;

	assert_int_equal(docstore_start(f->store, id, NULL), 0);
	assert_int_equal(docstore_progress(f->store, id, &HALF, NULL), 0);
	assert_int_equal(query(f, "SELECT percent FROM v_documents WHERE stage = 'read'"), 50);
	read_document(f, id);
	assert_int_equal(docstore_load(f->store, id, &reading, NULL), 0);
	assert_int_equal(reading.document.state, DOCUMENT_DONE);
	assert_string_equal(reading.document.path, "/in/a.txt");
	assert_string_equal(reading.document.output, "/out/it");
	assert_string_equal(reading.document.media_type, "text/plain");
	assert_null(reading.document.charset);
	assert_null(reading.document.stage);
	assert_int_equal(reading.document.pages, 2);
	assert_int_equal(reading.document.usage.reused_tokens, 40);
	assert_true(reading.document.seconds == 1.5 && reading.document.progress == 1);
	assert_int_equal(strlen(reading.document.finished_at), 20);
	assert_int_equal(reading.passages.n, 3);
	assert_int_equal(reading.passages.items[0].kind, PASSAGE_TITLE);
	assert_true(reading.passages.items[0].generated);
	assert_string_equal(reading.passages.items[2].text, "Nobody was hurt.");
	assert_int_equal(reading.n_chunks, 1);
	assert_string_equal(reading.chunks[0].key, KEY_A);
	assert_null(reading.chunks[0].section);
	evidence = reading.chunks[0].passages.items[0].evidence;
	assert_string_equal(evidence->quote, "The river rose.");
	assert_int_equal(evidence->byte_start, 0);
	assert_int_equal(evidence->byte_end, 15);
	assert_int_equal(evidence->page, 1);
	assert_string_equal(evidence->section, "Floods");
	assert_true(evidence->score == -0.5);
	reading_done(&reading);
	assert_int_equal(
		query(f, "SELECT count(*) FROM v_documents WHERE title = 'A flood' AND percent = 100"), 1);
	assert_int_equal(query(f, "SELECT count(*) FROM summary WHERE model = 'nano'"), 4);
	assert_int_equal(query(f, "SELECT rank FROM summary WHERE text = 'Nobody was hurt.'"), 1);
}

static void a_text_comes_back_and_is_stored_deflated(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, "/in/a.txt");
	size_t n = 1 << 20, n_back = 0;
	char *text = malloc(n + 1), *back = NULL;
	struct err err;

	assert_int_equal(docstore_get_text(f->store, id, &back, &n_back, &err), -ENOENT);
	assert_non_null(strstr(err.text, "document 1 has no text"));
	memset(text, 'x', n);
	text[n] = '\0';
	put_text(f, id, text);
	assert_int_equal(docstore_get_text(f->store, id, &back, &n_back, NULL), 0);
	assert_int_equal(n_back, n);
	assert_string_equal(back, text);
	assert_true(query(f, "SELECT length(deflated) FROM text") < 10000);
	free(back);
	put_text(f, id, "");
	assert_int_equal(docstore_get_text(f->store, id, &back, &n_back, NULL), 0);
	assert_int_equal(n_back, 0);
	assert_string_equal(back, "");
	free(back);
	free(text);
}

static void an_equal_text_keeps_its_chunks(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, "/in/a.txt");

	read_document(f, id);
	put_text(f, id, TEXT);
	assert_int_equal(query(f, "SELECT count(*) FROM chunk WHERE number = 0"), 1);
	assert_int_equal(query(f, "SELECT count(*) FROM summary"), 4);
	assert_int_equal(query(f, "SELECT count(*) FROM document WHERE fingerprint = 'f1'"), 1);
}

static void a_changed_text_hides_its_chunks_until_it_is_done(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, "/in/a.txt");
	struct document_chunk chunk;
	struct reading reading;

	read_document(f, id);
	put_text(f, id, OTHER_TEXT);
	put_text(f, id, TEXT "!"); /* twice, so that numbers are set aside beside others */
	assert_int_equal(docstore_load(f->store, id, &reading, NULL), 0);
	assert_int_equal(reading.n_chunks, 0);
	assert_int_equal(reading.passages.n, 0);
	reading_done(&reading);
	assert_int_equal(query(f, "SELECT count(*) FROM search"), 0);

	assert_int_equal(put_chunk(f, id, 0, KEY_B, OTHER_TEXT, "the river rose."), 0);
	put_text(f, id, OTHER_TEXT);
	assert_int_equal(query(f, "SELECT count(*) FROM chunk WHERE number < 0"), 2);
	assert_int_equal(docstore_find_chunk(f->store, 99, KEY_A, &chunk, NULL), 0);
	assert_string_equal(chunk.passages.items[0].evidence[0].quote, "The river rose.");
	document_chunk_done(&chunk);

	assert_int_equal(put_chunk(f, id, 0, KEY_B, OTHER_TEXT, "The bridge held."), 0);
	assert_int_equal(finish(f, id, "A flood", 1), 0);
	assert_int_equal(docstore_find_chunk(f->store, 99, KEY_A, &chunk, NULL), -ENOENT);
	assert_int_equal(query(f, "SELECT count(*) FROM chunk"), 1);
	assert_int_equal(query(f, "SELECT count(*) FROM evidence"), 3);
	assert_int_equal(query(f, "SELECT count(*) FROM search"), 5);
}

static void a_chunk_replaces_the_one_under_its_number(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, "/in/a.txt");

	put_text(f, id, TEXT);
	assert_int_equal(put_chunk(f, id, 0, KEY_A, TEXT, "The river rose."), 0);
	assert_int_equal(put_chunk(f, id, 0, KEY_B, TEXT, "The bridge held."), 0);
	assert_int_equal(query(f, "SELECT count(*) FROM chunk WHERE key GLOB 'b*'"), 1);
	assert_int_equal(query(f, "SELECT count(*) FROM evidence"), 1);
	assert_int_equal(query(f, "SELECT count(*) FROM search"), 2);
	assert_int_equal(
		query(f, "SELECT count(*) FROM search WHERE search MATCH 'rise OR rose' AND kind = 'key'"),
		0);
	assert_int_equal(query(f,
	                       "SELECT count(*) FROM search WHERE search MATCH 'bridges' AND document_id = 1"
	                       " AND chunk = 0"),
	                 2);
}

static void chunks_behind_the_last_go_when_it_is_done(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, "/in/a.txt");

	put_text(f, id, TEXT);
	for (int64_t i = 0; i < 4; i++)
		put_chunk(f, id, i, KEY_A, TEXT, "The river rose.");
	finish(f, id, "First", 2);
	finish(f, id, "Second", 2);
	assert_int_equal(query(f, "SELECT count(*) FROM chunk"), 2);
	assert_int_equal(query(f, "SELECT count(*) FROM summary WHERE kind = 'title'"), 1);
	assert_int_equal(query(f, "SELECT count(*) FROM search WHERE kind = 'text'"), 2);
}

static void a_quote_that_is_not_its_bytes_is_refused_with_its_chunk(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, "/in/a.txt");
	struct document_chunk chunk = chunk_of(0, KEY_A, TEXT, "The river rose.");
	struct err err = { "" };

	chunk.passages.items[0].evidence[0].byte_end++;
	assert_int_equal(docstore_put_chunk(f->store, id, &chunk, TEXT, strlen(TEXT), &err), -EINVAL);
	assert_non_null(strstr(err.text, "evidence of bytes 0 to 16: "));
	assert_non_null(strstr(err.text, "quote_is_its_bytes"));
	document_chunk_done(&chunk);
	assert_int_equal(query(f, "SELECT count(*) FROM chunk"), 0);
}

static void a_copy_has_the_results_and_keeps_its_own_file(void **state)
{
	struct fixture *f = *state;
	int64_t from = add(f, "/in/a.txt"), to = add(f, "/in/b.txt"), found = 0;
	struct reading reading;

	read_document(f, from);
	assert_int_equal(docstore_find_done(f->store, to, KEY_A, "f1", &found, NULL),
	                 -ENOENT); /* no media type yet */
	assert_int_equal(docstore_start(f->store, to, NULL), 0);
	put_text(f, to, TEXT);
	assert_int_equal(docstore_find_done(f->store, from, KEY_A, "f1", &found, NULL), -ENOENT);
	assert_int_equal(docstore_find_done(f->store, to, KEY_A, "f2", &found, NULL), -ENOENT);
	assert_int_equal(docstore_find_done(f->store, to, KEY_A, "f1", &found, NULL), 0);
	assert_int_equal(found, from);
	put_chunk(f, to, 3, KEY_B, TEXT, "The river rose.");
	assert_int_equal(docstore_copy(f->store, from, to, NULL), 0);

	assert_int_equal(docstore_load(f->store, to, &reading, NULL), 0);
	assert_string_equal(reading.document.name, "b.txt");
	assert_int_equal(reading.document.duplicate_of, from);
	assert_int_equal(reading.document.state, DOCUMENT_DONE);
	assert_string_equal(reading.document.fingerprint, "f1");
	assert_int_equal(reading.document.usage.prompt_tokens, 0);
	assert_int_equal(reading.n_chunks, 1);
	assert_string_equal(reading.chunks[0].passages.items[0].evidence[0].quote, "The river rose.");
	assert_int_equal(reading.passages.n, 3);
	reading_done(&reading);
	assert_int_equal(query(f, "SELECT count(*) FROM search WHERE document_id = 2"), 5);
	assert_int_equal(query(f, "SELECT count(*) FROM summary WHERE model IS NULL"), 0);
	assert_int_equal(docstore_copy(f->store, from, from, NULL), -EINVAL);
	assert_int_equal(docstore_copy(f->store, 77, to, NULL), -ENOENT);
}

static void a_word_means_an_id_a_path_a_name_or_a_part_of_one(void **state)
{
	struct fixture *f = *state;
	int64_t report = add(f, "/in/Report 2024.pdf"), notes = add(f, "/in/notes.txt"), id = 0;
	struct err err;

	add(f, "/in/old/notes.txt");
	add(f, "/in/other-notes.txt");
	add(f, "/in/more-notes.txt");
	assert_int_equal(docstore_resolve(f->store, "2", &id, NULL), 0);
	assert_int_equal(id, notes);
	assert_int_equal(docstore_resolve(f->store, "/in/notes.txt", &id, NULL), 0);
	assert_int_equal(id, notes);
	assert_int_equal(docstore_resolve(f->store, "report", &id, NULL), 0);
	assert_int_equal(id, report);
	assert_int_equal(docstore_resolve(f->store, "2024", &id, NULL), 0); /* no such id */
	assert_int_equal(id, report);
	assert_int_equal(docstore_resolve(f->store, "notes.txt", &id, &err), -ENOTUNIQ);
	assert_non_null(strstr(err.text, "'notes.txt' means several documents: 2 notes.txt, 3 notes.txt"));
	assert_int_equal(docstore_resolve(f->store, "notes", &id, &err), -ENOTUNIQ);
	assert_non_null(strstr(err.text, "4 other-notes.txt, and more"));
	assert_int_equal(docstore_resolve(f->store, "%", &id, NULL), -ENOENT);
	assert_int_equal(docstore_resolve(f->store, "", &id, NULL), -ENOENT);
}

struct visit {
	struct fixture *fixture;
	int64_t n, sum;
};

static int visit(void *user, const struct document *document)
{
	struct visit *seen = user;

	expect_state(seen->fixture, document->id, document->state); /* a callback may call the store */
	seen->sum = seen->sum * 10 + document->id;
	return ++seen->n == 3 ? 42 : 0;
}

static void each_visits_in_order_until_told_to_stop(void **state)
{
	struct fixture *f = *state;
	struct visit seen = { .fixture = f };
	int64_t n = 0;

	add(f, "/in/a");
	add(f, "/in/b");
	assert_int_equal(docstore_each(f->store, visit, &seen, NULL), 0);
	assert_int_equal(seen.sum, 12);
	add(f, "/in/c");
	add(f, "/in/d");
	seen = (struct visit){ .fixture = f };
	assert_int_equal(docstore_each(f->store, visit, &seen, NULL), 42);
	assert_int_equal(seen.sum, 123);
	assert_int_equal(docstore_count(f->store, DOCUMENT_QUEUED, &n, NULL), 0);
	assert_int_equal(n, 4);
}

static void the_longest_wait_counts_from_what_was_last(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_at("/in/new");
	int64_t before = time(NULL), since = 0, id;

	assert_int_equal(docstore_waiting_since(f->store, &since, NULL), -ENOENT);
	file.ctime_ns = INT64_C(4000000000) * 1000000000;
	assert_int_equal(docstore_add(f->store, &file, &id, NULL, NULL), 0);
	assert_int_equal(docstore_waiting_since(f->store, &since, NULL), 0);
	assert_int_equal(since, 4000000000); /* changed after it was added */
	add(f, "/in/old"); /* by its times; it was added now */
	assert_int_equal(docstore_waiting_since(f->store, &since, NULL), 0);
	assert_in_range(since, before, time(NULL));
}

static void only_outputs_that_were_written_are_ours(void **state)
{
	struct fixture *f = *state;
	bool ours = true;

	add(f, "/in/a");
	assert_int_equal(docstore_output_is_ours(f->store, "/out/a.json", KEY_A, &ours, NULL), 0);
	assert_false(ours);
	assert_int_equal(docstore_output_add(f->store, 1, "/out/a.json", KEY_A, NULL), 0);
	assert_int_equal(docstore_output_add(f->store, 1, "/out/a.json", KEY_B, NULL), 0);
	assert_int_equal(docstore_output_is_ours(f->store, "/out/a.json", KEY_A, &ours, NULL), 0);
	assert_true(ours);
	assert_int_equal(docstore_output_keep(f->store, "/out/a.json", KEY_B, NULL), 0);
	assert_int_equal(docstore_output_is_ours(f->store, "/out/a.json", KEY_A, &ours, NULL), 0);
	assert_false(ours);
	assert_int_equal(docstore_output_is_ours(f->store, "/out/a.json", KEY_B, &ours, NULL), 0);
	assert_true(ours);
}

static void a_document_that_is_not_there_is_said_so(void **state)
{
	struct fixture *f = *state;
	struct document document;
	struct reading reading;
	struct err err = { "" };

	assert_int_equal(docstore_get(f->store, 7, &document, &err), -ENOENT);
	assert_non_null(strstr(err.text, "skimd.db: there is no document 7"));
	assert_int_equal(docstore_load(f->store, 7, &reading, NULL), -ENOENT);
	assert_int_equal(docstore_gone(f->store, 7, NULL), -ENOENT);
	assert_int_equal(docstore_put_back(f->store, 7, NULL), -ENOENT);
	assert_int_equal(docstore_progress(f->store, 7, &HALF, NULL), -ENOENT);
	assert_int_equal(docstore_fail(f->store, 7, DOCUMENT_FAILED, RETRY_CHANGED, "x", NULL), -ENOENT);
	assert_int_equal(finish(f, 7, "x", 0), -ENOENT);
	assert_int_equal(query(f, "SELECT count(*) FROM event"), 0);
	assert_int_equal(docstore_event(f->store, "info", 0, "of no document", NULL), 0);
	assert_int_equal(docstore_fail(f->store, add(f, "/in/a"), DOCUMENT_DONE, RETRY_CHANGED, "x", NULL),
	                 -EINVAL);
}

static void what_was_being_read_is_queued_again_after_a_crash(void **state)
{
	struct fixture *f = *state;
	pid_t child = fork();
	int status;

	if (child == 0) {
		int64_t id;

		f->store = open_or_fail(f->path, DOCSTORE_WRITE);
		id = add(f, "/in/a.txt");
		docstore_take(f->store, &id, NULL);
		put_text(f, id, TEXT);
		put_chunk(f, id, 0, KEY_A, TEXT, "The river rose.");
		raise(SIGKILL);
	}
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	f->store = open_or_fail(f->path, DOCSTORE_WRITE);
	expect_state(f, 1, DOCUMENT_QUEUED);
	assert_int_equal(query(f, "SELECT count(*) FROM chunk"), 1);
}

static int run_child(int (*body)(struct fixture *f), struct fixture *f)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0)
		_exit(body(f));
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A writer that dies while it starts a program: that has the lock for a moment yet. */
static int dies_with_a_child(struct fixture *f)
{
	open_or_fail(f->path, DOCSTORE_WRITE);
	if (fork() == 0) {
		usleep(300000);
		_exit(0);
	}
	raise(SIGKILL);
	return 1;
}

static void a_lock_that_outlives_its_holder_is_waited_for(void **state)
{
	struct fixture *f = *state;

	docstore_close(f->store);
	assert_int_equal(run_child(dies_with_a_child, f), 128 + SIGKILL);
	f->store = open_or_fail(f->path, DOCSTORE_WRITE);
}

static int is_told_who_has_it(struct fixture *f)
{
	struct docstore *store = NULL;
	struct err err = { "" };
	char words[128];

	snprintf(words, sizeof(words), "%s: in use by process %ld", f->path, (long)getppid());
	return open_as(f->path, DOCSTORE_WRITE, &store, &err) == -EBUSY && strcmp(err.text, words) == 0 ? 0
	                                                                                                : 1;
}

static void a_second_writer_is_told_who_has_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run_child(is_told_who_has_it, f), 0);
}

struct wait {
	int n, fd;
	long holder;
};

static void note_waiting(long holder, void *user)
{
	struct wait *wait = user;

	wait->n++;
	wait->holder = holder;
	if (write(wait->fd, "w", 1) != 1)
		_exit(9);
}

/* In a child that was forked before the parent took the lock: it has no part in the parent's. */
static int wait_for_the_lock(const char *path, int go, int said)
{
	struct wait wait = { .fd = said };
	struct docstore_settings settings = {
		.path = path, .mode = DOCSTORE_WRITE_WAIT, .waiting = note_waiting, .user = &wait
	};
	struct docstore *store = NULL;
	int64_t n = 0;
	char byte;

	if (read(go, &byte, 1) != 1)
		return 3;
	if (docstore_open(&settings, &store, NULL) < 0 || wait.n != 1 || wait.holder != getppid())
		return 1;
	docstore_count(store, DOCUMENT_QUEUED, &n, NULL);
	docstore_close(store);
	return n == 1 ? 0 : 2;
}

static void a_waiting_writer_says_so_once_and_gets_it(void **state)
{
	struct fixture *f = *state;
	int go[2], said[2], status = -1;
	char byte;
	pid_t child;

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(said), 0);
	child = fork();
	if (child == 0)
		_exit(wait_for_the_lock(f->path, go[0], said[1]));
	f->store = open_or_fail(f->path, DOCSTORE_WRITE);
	assert_int_equal(write(go[1], "g", 1), 1);
	assert_int_equal(read(said[0], &byte, 1), 1);
	add(f, "/in/a.txt");
	docstore_close(f->store);
	f->store = NULL;
	waitpid(child, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	for (int end = 0; end < 2; end++) {
		close(go[end]);
		close(said[end]);
	}
}

/* Reads as a user who may read the files and write nothing. */
static int reads_one_as_nobody(struct fixture *f)
{
	struct docstore *store = NULL;
	struct err err = { "" };
	struct reading reading;

	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
		return 10;
	if (open_as(f->path, DOCSTORE_READ, &store, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 11;
	}
	if (docstore_load(store, 1, &reading, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 12;
	}
	if (reading.n_chunks != 1 || reading.document.state != DOCUMENT_DONE)
		return 13;
	reading_done(&reading);
	if (docstore_gone(store, 1, &err) == 0)
		return 14;
	docstore_close(store);
	return query(f, "SELECT count(*) FROM search WHERE search MATCH 'bridge'") == 2 ? 0 : 15;
}

static void let_all_read(struct fixture *f)
{
	static const char *const SUFFIXES[] = { "", "-wal", "-shm" };
	char name[80];

	assert_int_equal(chmod(f->folder, 0555), 0);
	for (size_t i = 0; i < sizeof(SUFFIXES) / sizeof(SUFFIXES[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", f->path, SUFFIXES[i]);
		assert_int_equal(chmod(name, 0444), 0);
	}
}

static void anybody_may_read_while_a_writer_has_it_open(void **state)
{
	struct fixture *f = *state;

	read_document(f, add(f, "/in/a.txt"));
	let_all_read(f);
	assert_int_equal(run_child(reads_one_as_nobody, f), 0);
	chmod(f->folder, 0755);
}

static void anybody_may_read_after_a_clean_stop(void **state)
{
	struct fixture *f = *state;
	char wal[80];
	struct stat status;

	read_document(f, add(f, "/in/a.txt"));
	docstore_close(f->store);
	f->store = NULL;
	snprintf(wal, sizeof(wal), "%s-wal", f->path);
	assert_int_equal(stat(wal, &status), 0);
	assert_int_equal(status.st_size, 0);
	let_all_read(f);
	assert_int_equal(run_child(reads_one_as_nobody, f), 0);
	assert_int_equal(run_child(reads_one_as_nobody, f), 0);
	chmod(f->folder, 0755);
}

static int reads_a_document_and_is_killed(struct fixture *f)
{
	f->store = open_or_fail(f->path, DOCSTORE_WRITE);
	read_document(f, add(f, "/in/a.txt"));
	return kill(getpid(), SIGKILL);
}

static void anybody_may_read_after_a_kill(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run_child(reads_a_document_and_is_killed, f), 128 + SIGKILL);
	let_all_read(f);
	assert_int_equal(run_child(reads_one_as_nobody, f), 0);
	assert_int_equal(query(f, "SELECT count(*) FROM document"), 1);
	chmod(f->folder, 0755);
}

static void new_files_are_0640_whatever_the_umask(void **state)
{
	static const char *const SUFFIXES[] = { "", "-wal", "-shm", "-lock" };
	struct fixture *f = *state;
	mode_t old = umask(0077);
	struct stat status;
	char name[80];

	f->store = open_or_fail(f->path, DOCSTORE_WRITE);
	umask(old);
	for (size_t i = 0; i < sizeof(SUFFIXES) / sizeof(SUFFIXES[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", f->path, SUFFIXES[i]);
		assert_int_equal(stat(name, &status), 0);
		assert_int_equal(status.st_mode & 0777, 0640);
	}
}

static void expect_refused(struct fixture *f, enum docstore_mode mode, int code, const char *words)
{
	struct docstore *store = NULL;
	struct err err = { "" };

	assert_int_equal(open_as(f->path, mode, &store, &err), code);
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, words);
}

static void the_database_of_another_application_is_refused_and_left_as_it_is(void **state)
{
	struct fixture *f = *state;

	change_outside(f, "CREATE TABLE theirs(x)");
	expect_refused(f, DOCSTORE_WRITE, -EBADMSG,
	               "skimd.db: not a skimd database (its application id is 0x00000000)");
	expect_refused(f, DOCSTORE_READ, -EBADMSG, "not a skimd database");
	assert_int_equal(query(f, "SELECT count(*) FROM sqlite_schema"), 1);
	assert_int_equal(query(f, "SELECT journal_mode = 'delete' FROM pragma_journal_mode"), 1);
}

static void a_newer_schema_is_refused(void **state)
{
	struct fixture *f = *state;

	docstore_close(open_or_fail(f->path, DOCSTORE_WRITE));
	change_outside(f, "PRAGMA user_version = 9");
	expect_refused(f, DOCSTORE_WRITE, -EBADMSG,
	               "made by a newer skimd: schema version 9, this one knows up to 4");
}

static void damage_is_said_so(void **state)
{
	struct fixture *f = *state;
	char junk[5000];
	int fd = open(f->path, O_WRONLY | O_CREAT, 0600);

	memset(junk, 'j', sizeof(junk));
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	close(fd);
	expect_refused(f, DOCSTORE_WRITE, -EBADMSG, "skimd.db: file is not a database");
}

static void a_reader_makes_no_file(void **state)
{
	struct fixture *f = *state;

	expect_refused(f, DOCSTORE_READ, -ENOENT, "skimd.db: cannot open: No such file or directory");
	assert_int_equal(access(f->path, F_OK), -1);
}

static void memory_keeps_nothing(void **state)
{
	struct fixture *f = *state;

	f->store = open_or_fail(":memory:", DOCSTORE_WRITE);
	assert_int_equal(add(f, "/in/a.txt"), 1);
	read_document(f, 1);
	expect_state(f, 1, DOCUMENT_DONE);
	docstore_close(f->store);
	f->store = open_or_fail(":memory:", DOCSTORE_WRITE);
	assert_int_equal(add(f, "/in/b.txt"), 1);
	assert_int_equal(access(":memory:", F_OK), -1);
	assert_int_equal(access(":memory:-lock", F_OK), -1);
}

static void marks_are_kept_and_copied_with_their_text(void **state)
{
	struct fixture *f = *state;
	int64_t from = add(f, "/in/from"), to = add(f, "/in/to");
	static const char MARKS[] = "\1\0\xff";
	char *back = NULL;
	size_t n = 9;

	assert_int_equal(docstore_put_marks(f->store, from, MARKS, 3, NULL), -ENOENT);
	read_document(f, from);
	assert_int_equal(docstore_get_marks(f->store, from, &back, &n, NULL), 0);
	assert_true(back == NULL && n == 0);
	assert_int_equal(docstore_put_marks(f->store, from, MARKS, 3, NULL), 0);
	assert_int_equal(docstore_copy(f->store, from, to, NULL), 0);
	assert_int_equal(docstore_get_marks(f->store, to, &back, &n, NULL), 0);
	assert_int_equal(n, 3);
	assert_memory_equal(back, MARKS, 3);
	free(back);
	put_text(f, from, OTHER_TEXT);
	assert_int_equal(docstore_get_marks(f->store, from, &back, &n, NULL), 0);
	assert_int_equal(n, 0);
}

/* A statement's plan, its lines behind each other. */
static void read_plan(sqlite3 *db, const char *sql, char *ret, size_t n)
{
	sqlite3_stmt *row;
	char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
	size_t used = 0;

	ret[0] = '\0';
	assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &row, NULL), SQLITE_OK);
	while (sqlite3_step(row) == SQLITE_ROW && used < n)
		used += (size_t)snprintf(ret + used, n - used, "%s\n", sqlite3_column_text(row, 3));
	sqlite3_finalize(row);
	sqlite3_free(explain);
}

/* What is carried out for each document is not to look through all that are in some state, or the work for n documents grows
 * with the square of n. */
static void only_what_is_about_a_state_looks_through_it(void **state)
{
	static const enum docstore_statement ABOUT_STATES[] = { COUNT_STATE,   WAITING_SINCE, PUT_BACK_ALL,
		                                                COUNT_CRASHES, NEXT_CRASHED,  FAIL_ALL,
		                                                LIST_OLD };
	struct fixture *f = *state;
	char plan[4096];
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	for (int i = 0; i < N_DOCSTORE_STATEMENTS; i++) {
		bool is_about_states = false;

		for (size_t j = 0; j < sizeof(ABOUT_STATES) / sizeof(ABOUT_STATES[0]); j++)
			is_about_states |= (int)ABOUT_STATES[j] == i;
		if (is_about_states)
			continue;
		read_plan(db, DOCSTORE_STATEMENTS[i], plan, sizeof(plan));
		if (strstr(plan, "document_state") != NULL)
			fail_msg("%s\n%s", DOCSTORE_STATEMENTS[i], plan);
	}
	sqlite3_close(db);
}

/* At the start some look for the few that a crash left in work. */
static void no_question_is_found_by_looking_at_all(void **state)
{
	static const enum docstore_statement AT_THE_START[] = { PUT_BACK_QUESTIONS, COUNT_QUESTION_CRASHES,
		                                                NEXT_QUESTION_CRASHED };
	struct fixture *f = *state;
	char plan[4096];
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	for (int i = 0; i < N_DOCSTORE_STATEMENTS; i++) {
		bool counts = i == COUNT_QUESTIONS || i == COUNT_ASKED_BY_SOMEBODY, at_the_start = false;
		bool takes_any = i == NEXT_QUESTION_OF_ALL;

		for (size_t j = 0; j < sizeof(AT_THE_START) / sizeof(AT_THE_START[0]); j++)
			at_the_start |= (int)AT_THE_START[j] == i;
		read_plan(db, DOCSTORE_STATEMENTS[i], plan, sizeof(plan));
		if ((strstr(plan, "SCAN question\n") != NULL) != at_the_start ||
		    (strstr(plan, "question USING INTEGER PRIMARY KEY (rowid>") != NULL) != takes_any ||
		    (strstr(plan, "COVERING INDEX question_count") != NULL) != counts)
			fail_msg("%s\n%s", DOCSTORE_STATEMENTS[i], plan);
	}
	sqlite3_close(db);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_store, tear_down)
#define TEST_OF_FILE(name) cmocka_unit_test_setup_teardown(name, set_up_folder, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_file_is_queued_and_taken_oldest_first),
		TEST(a_file_as_it_was_is_left_alone_and_a_changed_one_queued),
		TEST(a_failed_file_as_it_was_stays_failed),
		TEST(a_file_that_is_gone_and_returns_is_queued),
		TEST(a_file_that_changes_while_it_is_read_is_queued_at_the_end),
		TEST(a_file_that_goes_away_while_it_is_read_stays_gone),
		TEST(a_file_that_is_refused_while_it_is_read_keeps_the_reason),
		TEST(a_file_deleted_and_made_again_while_it_is_read_is_read_again),
		TEST(a_file_that_always_changes_starves_no_other),
		TEST(results_are_unpublished_until_their_outputs_are_written),
		TEST(an_ignored_file_says_why),
		TEST(a_reading_comes_back_as_it_was_stored),
		TEST(a_text_comes_back_and_is_stored_deflated),
		TEST(an_equal_text_keeps_its_chunks),
		TEST(a_changed_text_hides_its_chunks_until_it_is_done),
		TEST(a_chunk_replaces_the_one_under_its_number),
		TEST(chunks_behind_the_last_go_when_it_is_done),
		TEST(a_quote_that_is_not_its_bytes_is_refused_with_its_chunk),
		TEST(a_copy_has_the_results_and_keeps_its_own_file),
		TEST(a_word_means_an_id_a_path_a_name_or_a_part_of_one),
		TEST(each_visits_in_order_until_told_to_stop),
		TEST(the_longest_wait_counts_from_what_was_last),
		TEST(only_outputs_that_were_written_are_ours),
		TEST(a_document_that_is_not_there_is_said_so),
		TEST(a_lock_that_outlives_its_holder_is_waited_for),
		TEST(a_second_writer_is_told_who_has_it),
		TEST_OF_FILE(a_waiting_writer_says_so_once_and_gets_it),
		TEST(anybody_may_read_while_a_writer_has_it_open),
		TEST(anybody_may_read_after_a_clean_stop),
		TEST(marks_are_kept_and_copied_with_their_text),
		TEST(only_what_is_about_a_state_looks_through_it),
		TEST(no_question_is_found_by_looking_at_all),
		TEST_OF_FILE(anybody_may_read_after_a_kill),
		TEST_OF_FILE(what_was_being_read_is_queued_again_after_a_crash),
		TEST_OF_FILE(new_files_are_0640_whatever_the_umask),
		TEST_OF_FILE(the_database_of_another_application_is_refused_and_left_as_it_is),
		TEST_OF_FILE(a_newer_schema_is_refused),
		TEST_OF_FILE(damage_is_said_so),
		TEST_OF_FILE(a_reader_makes_no_file),
		TEST_OF_FILE(memory_keeps_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
