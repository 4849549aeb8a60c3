/* What is read when: failures that come back, crashes that do not, folders in turn. */
#include "tests/documents.h"

#include <sys/syscall.h>

#include <sys/stat.h>

#include "store/backoff.h"

#define INBOX "/in"
#define OTHER "/other"
#define BOOKS "/books"
#define TEXT "The river rose. The bridge held."

static void folders_take_turns_and_a_large_one_starves_none(void **state)
{
	struct fixture *f = *state;
	char path[32];
	int64_t single;

	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), INBOX "/%d.txt", i);
		add(f, INBOX, path);
	}
	assert_int_equal(take(f), 1);
	assert_int_equal(take(f), 2);
	single = add(f, OTHER, OTHER "/a.txt");
	assert_int_equal(take(f), single);
	assert_int_equal(take(f), 3);
	add(f, OTHER, OTHER "/b.txt");
	add(f, BOOKS, BOOKS "/c.txt");
	assert_int_equal(take(f), single + 2); /* the folder that was never served */
	assert_int_equal(take(f), single + 1);
	assert_int_equal(take(f), 4);
	assert_int_equal(take(f), 5);
}

static void turns_are_kept_over_a_restart(void **state)
{
	struct fixture *f = *state;

	add(f, INBOX, "/in/1");
	add(f, INBOX, "/in/2");
	add(f, OTHER, "/other/3");
	add(f, OTHER, "/other/4");
	assert_int_equal(take(f), 1);
	reopen(f); /* 1 is queued again, and the other folder has its turn all the same */
	assert_int_equal(take(f), 3);
	assert_int_equal(take(f), 1);
	assert_int_equal(take(f), 4);
	assert_int_equal(take(f), 2);
	assert_int_equal(take(f), 0);
}

static void a_file_that_comes_to_another_folder_waits_in_its_line(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_in(INBOX, "/in/1");
	bool queued = true;
	int64_t id;

	add(f, INBOX, "/in/1");
	file.folder = OTHER; /* the configuration was changed, the file was not */
	assert_int_equal(docstore_add(f->store, &file, &id, &queued, NULL), 0);
	assert_false(queued);
	assert_int_equal(query(f, "SELECT folder = '/other' FROM document"), 1);
	assert_int_equal(take(f), 1);
}

static void back_off_doubles_up_to_six_hours(void **state)
{
	(void)state;
	for (int64_t id = 1; id < 2000; id += 7) {
		assert_in_range(backoff_seconds(1, id), 60, 75);
		assert_in_range(backoff_seconds(2, id), 120, 150);
		assert_in_range(backoff_seconds(8, id), 60 * 128, 75 * 128);
		assert_in_range(backoff_seconds(10, id), 6 * 3600, BACKOFF_LONGEST_S);
		assert_in_range(backoff_seconds(1000000, id), 6 * 3600, BACKOFF_LONGEST_S);
		assert_int_equal(backoff_seconds(9, id), backoff_seconds(9, id));
	}
	assert_true(backoff_seconds(10, 1) != backoff_seconds(10, 2));
}

static void a_passing_failure_comes_back_when_it_is_due(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1"), next = 0, wait = backoff_seconds(1, id);
	struct document document;

	assert_int_equal(docstore_next_retry(f->store, &next, NULL), -ENOENT);
	assert_int_equal(take(f), id);
	fail_document(f, id, RETRY_LATER, "the disk is full");
	document = get(f, id);
	assert_int_equal(document.state, DOCUMENT_FAILED);
	assert_int_equal(document.retry, RETRY_LATER);
	assert_int_equal(document.attempts, 1);
	assert_string_equal(document.error, "the disk is full");
	assert_memory_equal(document.retry_at, "2027-01-15T08:01:", strlen("2027-01-15T08:01:"));
	document_done(&document);
	assert_int_equal(docstore_next_retry(f->store, &next, NULL), 0);
	assert_int_equal(next, now_s + wait);

	now_s += wait - 1;
	assert_int_equal(take(f), 0);
	now_s++;
	assert_int_equal(take(f), id);
	assert_int_equal(docstore_next_retry(f->store, &next, NULL), -ENOENT);
	fail_document(f, id, RETRY_LATER, "the disk is full");
	assert_int_equal(docstore_next_retry(f->store, &next, NULL), 0);
	assert_int_equal(next, now_s + backoff_seconds(2, id));
	now_s = next;
	assert_int_equal(take(f), id);
	read_document(f, id, 'a', TEXT, "Floods");
	assert_int_equal(docstore_published(f->store, id, NULL), 0);
	document = get(f, id);
	assert_int_equal(document.state, DOCUMENT_DONE);
	assert_int_equal(document.attempts, 0);
	assert_int_equal(document.retry, RETRY_NONE);
	document_done(&document);
}

static void a_passing_failure_that_does_not_pass_is_given_up(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1"), start = now_s, next = 0;
	int n = 1;

	assert_int_equal(take(f), id);
	for (;; n++) {
		fail_document(f, id, RETRY_LATER, "no room");
		if (docstore_next_retry(f->store, &next, NULL) < 0)
			break;
		now_s = next;
		assert_int_equal(take(f), id);
	}
	assert_int_equal(n, BACKOFF_ATTEMPTS);
	assert_in_range(now_s - start, 20 * 3600, 26 * 3600);
	assert_int_equal(query(f,
	                       "SELECT state = 'failed' AND retry = 'changed' AND error = 'no room; given up"
	                       " after 12 attempts, ''skimctl retry 1'' tries again' FROM document"),
	                 1);
	assert_int_equal(docstore_retry(f->store, id, NULL), 0);
	assert_int_equal(take(f), id);
	fail_document(f, id, RETRY_LATER, "no room");
	assert_int_equal(query(f, "SELECT attempts FROM document"), 1);
}

static void that_it_is_given_up_stands_behind_the_longest_reason(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1"), next;
	char reason[1024];

	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	assert_int_equal(take(f), id);
	for (int i = 1; i < BACKOFF_ATTEMPTS; i++) {
		fail_document(f, id, RETRY_LATER, reason);
		assert_int_equal(docstore_next_retry(f->store, &next, NULL), 0);
		now_s = next;
		assert_int_equal(take(f), id);
	}
	fail_document(f, id, RETRY_LATER, reason);
	assert_int_equal(query(f,
	                       "SELECT error GLOB 'xxxx*xx; given up after 12 attempts, ''skimctl retry 1''"
	                       " tries again' FROM document"),
	                 1);
}

static void outputs_that_cannot_be_written_are_tried_again_with_pauses(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1"), next = 0;

	take(f);
	for (int i = 1; i <= 3; i++) {
		read_document(f, id, 'a', TEXT, "Floods");
		assert_int_equal(docstore_unpublished(f->store, id, RETRY_LATER, "no room", NULL), 0);
		expect_state(f, id, DOCUMENT_DONE);
		assert_int_equal(query(f, "SELECT attempts FROM document WHERE error = 'no room'"), i);
		assert_int_equal(docstore_next_retry(f->store, &next, NULL), 0);
		assert_int_equal(next, now_s + backoff_seconds(i, id));
		assert_int_equal(take(f), 0);
		now_s = next;
		assert_int_equal(take(f), id);
	}
	read_document(f, id, 'a', TEXT, "Floods");
	assert_int_equal(docstore_unpublished(f->store, id, RETRY_NONE, "in the way", NULL), 0);
	assert_int_equal(docstore_next_retry(f->store, &next, NULL), -ENOENT);
	assert_int_equal(docstore_retry(f->store, id, NULL), 0); /* somebody moved it away */
	assert_int_equal(take(f), id);
	read_document(f, id, 'a', TEXT, "Floods");
	assert_int_equal(docstore_published(f->store, id, NULL), 0);
	assert_int_equal(docstore_retry(f->store, id, NULL), -EINVAL);
	assert_int_equal(query(f, "SELECT attempts = 0 AND error IS NULL AND retry IS NULL FROM document"),
	                 1);
}

static void what_is_reread_waits_for_no_other_try(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1");

	take(f);
	read_document(f, id, 'a', TEXT, "Floods");
	assert_int_equal(docstore_unpublished(f->store, id, RETRY_LATER, "no room", NULL), 0);
	assert_int_equal(docstore_reread(f->store, id, NULL), 0);
	assert_int_equal(
		query(f, "SELECT state = 'queued' AND error IS NULL AND retry IS NULL AND retry_at IS NULL"
	                 " FROM document"),
		1);
}

static void a_clock_that_jumps_neither_starves_nor_storms(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1"), next = 0;

	take(f);
	fail_document(f, id, RETRY_LATER, "no room");
	now_s -= 365 * 86400; /* back by a year: it would wait for one */
	assert_int_equal(docstore_next_retry(f->store, &next, NULL), 0);
	assert_int_equal(next, now_s);
	assert_int_equal(take(f), id);
	fail_document(f, id, RETRY_LATER, "no room");
	assert_int_equal(take(f), 0);
	now_s += 10 * 365 * 86400; /* ahead by ten: it is tried once, and waits again */
	assert_int_equal(take(f), id);
	fail_document(f, id, RETRY_LATER, "no room");
	assert_int_equal(take(f), 0);
	assert_int_equal(docstore_next_retry(f->store, &next, NULL), 0);
	assert_int_equal(next, now_s + backoff_seconds(3, id));
}

static void a_retry_that_is_due_waits_behind_what_waits_for_longer(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1");

	take(f);
	fail_document(f, id, RETRY_LATER, "no room");
	add(f, INBOX, "/in/2");
	assert_int_equal(
		query(f, "SELECT count(*) FROM v_documents WHERE retry = 'later' AND retry_at > '2027'"), 1);
	now_s += 86400;
	assert_in_range(take(f), 1, 2); /* both have waited since the same second; neither is lost */
	assert_in_range(take(f), 1, 2);
	assert_int_equal(take(f), 0);
}

static void what_waits_for_other_content_does_not_come_back_for_a_chmod(void **state)
{
	static const struct {
		enum document_retry retry;
		bool content, queued;
	} CASES[] = {
		{ RETRY_CHANGED, false, true },
		{ RETRY_CHANGED, true, true },
		{ RETRY_NEVER, false, false },
		{ RETRY_NEVER, true, true },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		char path[32];
		struct document_file file;
		bool queued = false;
		int64_t id;

		snprintf(path, sizeof(path), "/in/%zu", i);
		file = file_in(INBOX, path);
		id = add_file(f, &file);
		assert_int_equal(docstore_start(f->store, id, NULL), 0);
		fail_document(f, id, CASES[i].retry, "no text");
		file.ctime_ns++;
		file.mtime_ns += CASES[i].content;
		assert_int_equal(docstore_add(f->store, &file, &id, &queued, NULL), 0);
		assert_int_equal(queued, CASES[i].queued);
	}
}

static void a_failure_is_none_where_it_makes_no_sense(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1");

	assert_int_equal(docstore_fail(f->store, id, DOCUMENT_DONE, RETRY_CHANGED, "x", NULL), -EINVAL);
	assert_int_equal(docstore_fail(f->store, id, DOCUMENT_FAILED, RETRY_NONE, "x", NULL), -EINVAL);
	assert_int_equal(docstore_fail(f->store, id, DOCUMENT_IGNORED, RETRY_LATER, "x", NULL), -EINVAL);
	expect_state(f, id, DOCUMENT_QUEUED);
}

static void a_file_that_changes_while_it_fails_is_read_again_from_the_first_attempt(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_in(INBOX, "/in/1");
	int64_t id = add_file(f, &file);

	take(f);
	file.size++;
	add_file(f, &file);
	fail_document(f, id, RETRY_LATER, "no room");
	assert_int_equal(
		query(f, "SELECT state = 'queued' AND attempts = 0 AND retry IS NULL AND retry_at IS NULL"
	                 " FROM document"),
		1);
}

static void take_one(struct fixture *f)
{
	int64_t id;

	if (docstore_take(f->store, &id, NULL) < 0)
		_exit(1);
}

static void read_one_more_chunk(struct fixture *f)
{
	int64_t id, n;

	if (docstore_take(f->store, &id, NULL) < 0)
		_exit(1);
	put_text(f, id, TEXT);
	n = query(f, "SELECT count(*) FROM chunk");
	put_chunk(f, id, n, (char)('a' + n), TEXT, 15);
}

static void begin_to_read(struct fixture *f)
{
	static const struct document_progress READ = { .stage = "read", .eta_seconds = -1 };
	int64_t id;

	if (docstore_take(f->store, &id, NULL) < 0)
		_exit(1);
	put_text(f, id, TEXT);
	docstore_progress(f->store, id, &READ, NULL);
}

static void begin_to_extract(struct fixture *f)
{
	static const struct document_progress EXTRACT = { .stage = "extract", .eta_seconds = -1 };
	int64_t id;

	if (docstore_take(f->store, &id, NULL) < 0)
		_exit(1);
	docstore_progress(f->store, id, &EXTRACT, NULL);
}

static void two_crashes_in_the_same_content_are_enough(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_in(INBOX, "/in/1");
	int64_t id = add_file(f, &file);
	struct document document;
	bool queued = false;

	crash_in(f, begin_to_read);
	document = get(f, id);
	assert_int_equal(document.state, DOCUMENT_QUEUED);
	assert_int_equal(document.crashes, 1);
	document_done(&document);
	crash_in(f, begin_to_read);
	document = get(f, id);
	assert_int_equal(document.state, DOCUMENT_FAILED);
	assert_int_equal(document.retry, RETRY_NEVER);
	assert_string_equal(
		document.error,
		"skimd ended 2 times in the middle of it (stage 'read'): left out until its content "
		"changes, or 'skimctl retry 1'");
	document_done(&document);
	assert_int_equal(query(f, "SELECT count(*) FROM event WHERE document_id = 1"), 1);
	add(f, INBOX, "/in/2");
	assert_int_equal(take(f), 2); /* and the daemon goes on with the others */

	file.size++;
	assert_int_equal(docstore_add(f->store, &file, &id, &queued, NULL), 0);
	assert_true(queued);
	crash_in(f, take_one);
	assert_int_equal(query(f, "SELECT crashes FROM document WHERE id = 1"), 1);
}

static void an_orderly_stop_is_no_crash(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1");

	for (int i = 0; i < 4; i++) {
		assert_int_equal(take(f), id);
		reopen(f);
		expect_state(f, id, DOCUMENT_QUEUED);
	}
	assert_int_equal(query(f, "SELECT crashes FROM document"), 0);
}

static void a_long_document_that_got_further_is_not_given_up(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1");

	for (int i = 0; i < 4; i++) {
		crash_in(f, read_one_more_chunk);
		expect_state(f, id, DOCUMENT_QUEUED);
	}
	assert_int_equal(query(f, "SELECT crashes FROM document"), 1);
	crash_in(f, take_one);
	expect_state(f, id, DOCUMENT_FAILED);
}

static void set_version(struct fixture *f, int64_t version)
{
	char sql[48];
	sqlite3 *sqlite;

	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", (int)version);
	assert_int_equal(sqlite3_open(f->path, &sqlite), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(sqlite);
}

static void a_start_that_fails_does_not_hide_a_crash_from_the_next(void **state)
{
	struct fixture *f = *state;
	struct docstore_settings settings = { .path = f->path, .mode = DOCSTORE_WRITE };

	int64_t version = query(f, "PRAGMA user_version");

	add(f, INBOX, "/in/1");
	die_in(f, begin_to_read);
	set_version(f, version + 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(docstore_open(&settings, &f->store, NULL), -EBADMSG);
	set_version(f, version);
	f->store = open_or_fail(f->path, DOCSTORE_WRITE);
	assert_int_equal(query(f, "SELECT crashes FROM document WHERE state = 'queued'"), 1);
}

static void close_as_if_it_crashed(struct fixture *f)
{
	char name[80];
	FILE *lock;

	docstore_close(f->store);
	f->store = NULL;
	snprintf(name, sizeof(name), "%s-lock", f->path);
	lock = fopen(name, "w");
	assert_non_null(lock);
	fprintf(lock, "4194304\n");
	fclose(lock);
	f->store = open_or_fail(f->path, DOCSTORE_WRITE);
}

static void a_crash_after_a_change_is_not_the_new_contents(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_in(INBOX, "/in/1");
	int64_t id = add_file(f, &file);

	crash_in(f, begin_to_read);
	assert_int_equal(take(f), id);
	file.size++;
	add_file(f, &file);
	close_as_if_it_crashed(f);
	assert_int_equal(query(f, "SELECT crashes FROM document WHERE state = 'queued'"), 0);
}

static void the_same_content_elsewhere_is_known_by_its_crashes(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1"), twin;
	bool crashes = true;

	crash_in(f, begin_to_read);
	twin = add(f, INBOX, "/in/2");
	assert_int_equal(docstore_start(f->store, twin, NULL), 0);
	put_text(f, twin, TEXT);
	assert_int_equal(docstore_is_quarantined(f->store, twin, &crashes, NULL), 0);
	assert_false(crashes);
	assert_int_equal(docstore_put_back(f->store, twin, NULL), 0);
	crash_in(f, begin_to_read);
	expect_state(f, id, DOCUMENT_FAILED);
	assert_int_equal(docstore_is_quarantined(f->store, twin, &crashes, NULL), 0);
	assert_true(crashes);
	assert_int_equal(docstore_is_quarantined(f->store, id, &crashes, NULL), 0);
	assert_false(crashes);
	put_text(f, twin, TEXT " It held.");
	assert_int_equal(docstore_is_quarantined(f->store, twin, &crashes, NULL), 0);
	assert_false(crashes);

	put_text(f, twin, TEXT);
	assert_int_equal(docstore_start(f->store, twin, NULL), 0);
	fail_document(f, twin, RETRY_NEVER, "a twin");
	assert_int_equal(docstore_retry(f->store, twin, NULL), 0); /* of both */
	assert_int_equal(docstore_is_quarantined(f->store, twin, &crashes, NULL), 0);
	assert_false(crashes);
}

/* Which content it was is not known before its text is out: sha256 is of what the file had before. */
static void a_crash_before_the_text_is_known_is_nobody_elses(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_in(INBOX, "/in/1");
	int64_t id = add_file(f, &file), twin = add(f, INBOX, "/in/2");
	bool crashes = true;

	read_document(f, take(f), 'a', TEXT, "Floods");
	read_document(f, take(f), 'a', TEXT, "Floods");
	file.size++;
	add_file(f, &file);
	crash_in(f, begin_to_extract);
	crash_in(f, begin_to_extract);
	expect_state(f, id, DOCUMENT_FAILED);
	assert_int_equal(docstore_is_quarantined(f->store, twin, &crashes, NULL), 0);
	assert_false(crashes);
}

static void retry_queues_what_failed_or_was_ignored(void **state)
{
	struct fixture *f = *state;
	struct document_file file = file_in(INBOX, "/in/pipe");
	int64_t id = add(f, INBOX, "/in/1");
	struct err err = { "" };

	assert_int_equal(docstore_retry(f->store, 9, &err), -ENOENT);
	assert_int_equal(docstore_retry(f->store, id, &err), -EINVAL);
	assert_non_null(strstr(err.text, "document 1 is queued: only what failed or was ignored"));
	take(f);
	assert_int_equal(docstore_retry(f->store, id, &err), -EINVAL);
	fail_document(f, id, RETRY_NEVER, "x");
	assert_int_equal(docstore_retry(f->store, id, &err), 0);
	assert_int_equal(
		query(f, "SELECT state = 'queued' AND error IS NULL AND retry IS NULL FROM document"), 1);
	assert_int_equal(docstore_ignore(f->store, &file, "a pipe", NULL), 0);
	assert_int_equal(docstore_retry(f->store, 2, &err), 0);
	read_document(f, take(f), 'a', TEXT, "Floods");
	assert_int_equal(docstore_retry(f->store, id, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'reread'"));
}

static bool finds(struct fixture *f, int64_t id, char key)
{
	struct document_chunk chunk = { 0 };
	int r = docstore_find_chunk(f->store, id, key_of(key), &chunk, NULL);

	document_chunk_done(&chunk);
	return r == 0;
}

static void reread_finds_no_chunk_but_those_read_since(void **state)
{
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1"), twin = add(f, INBOX, "/in/2"), found = 0;
	struct err err = { "" };

	assert_int_equal(docstore_reread(f->store, id, &err), -EINVAL);
	assert_non_null(strstr(err.text, "document 1 is queued: only what is done"));
	read_document(f, take(f), 'a', TEXT, "Floods");
	read_document(f, take(f), 'a', TEXT, "Floods");
	assert_true(finds(f, 77, 'a'));
	assert_int_equal(docstore_reread(f->store, id, &err), 0);
	expect_state(f, id, DOCUMENT_QUEUED);
	assert_int_equal(query(f, "SELECT count(*) FROM summary WHERE document_id = 1"), 2);

	assert_int_equal(take(f), id);
	put_text(f, id, TEXT);
	assert_false(finds(f, id, 'a')); /* neither its own nor its twin's */
	assert_true(finds(f, 77, 'a')); /* which others find still */
	assert_int_equal(
		docstore_find_done(f->store, id, key_of((char)('a' + strlen(TEXT) % 26)), "f1", &found, NULL),
		-ENOENT);
	put_chunk(f, id, 0, 'a', TEXT, 15);
	reopen(f); /* a stop in the middle */
	assert_int_equal(take(f), id);
	assert_true(finds(f, id, 'a')); /* what was read since is kept */
	finish(f, id, "Floods again", 1);
	assert_int_equal(query(f, "SELECT reread FROM document WHERE id = 1"), 0);
	expect_state(f, twin, DOCUMENT_DONE);
}

static void progress_is_seen_while_it_is_read(void **state)
{
	static const struct document_progress HALF = { "read", 0.5, 500, 1000, 42 };
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1");

	take(f);
	assert_int_equal(query(f, "SELECT eta_seconds IS NULL AND tokens_total IS NULL FROM document"), 1);
	assert_int_equal(docstore_progress(f->store, id, &HALF, NULL), 0);
	assert_int_equal(
		query(f, "SELECT stage = 'read' AND percent = 50 AND eta_seconds = 42 FROM v_documents"), 1);
	assert_int_equal(query(f, "SELECT tokens_done = 500 AND tokens_total = 1000 FROM document"), 1);
	read_document(f, id, 'a', TEXT, "Floods");
	assert_int_equal(query(f, "SELECT eta_seconds IS NULL AND tokens_done IS NULL FROM document"), 1);
}

/* In place of the C library's, for SQLite. */
static unsigned n_syncs;

int fdatasync(int fd)
{
	n_syncs++;
	return (int)syscall(SYS_fdatasync, fd);
}

static void what_is_found_out_again_does_not_wait_for_the_disk(void **state)
{
	const struct document_progress progress = { .stage = "read", .share = 0.5, .eta_seconds = -1 };
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1");

	assert_int_equal(take(f), id);
	n_syncs = 0;
	put_text(f, id, TEXT);
	assert_int_equal(docstore_progress(f->store, id, &progress, NULL), 0);
	assert_int_equal(n_syncs, 0);
	read_document(f, id, 'a', TEXT, "Floods");
	assert_true(n_syncs > 0); /* its results do */
	n_syncs = 0;
	assert_int_equal(docstore_published(f->store, id, NULL), 0);
	assert_int_equal(n_syncs, 0);
	add(f, INBOX, "/in/2");
	assert_true(n_syncs > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_store, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_found_out_again_does_not_wait_for_the_disk),
		TEST(folders_take_turns_and_a_large_one_starves_none),
		TEST(turns_are_kept_over_a_restart),
		TEST(a_file_that_comes_to_another_folder_waits_in_its_line),
		cmocka_unit_test(back_off_doubles_up_to_six_hours),
		TEST(a_passing_failure_comes_back_when_it_is_due),
		TEST(a_passing_failure_that_does_not_pass_is_given_up),
		TEST(that_it_is_given_up_stands_behind_the_longest_reason),
		TEST(outputs_that_cannot_be_written_are_tried_again_with_pauses),
		TEST(what_is_reread_waits_for_no_other_try),
		TEST(a_clock_that_jumps_neither_starves_nor_storms),
		TEST(a_retry_that_is_due_waits_behind_what_waits_for_longer),
		TEST(what_waits_for_other_content_does_not_come_back_for_a_chmod),
		TEST(a_failure_is_none_where_it_makes_no_sense),
		TEST(a_file_that_changes_while_it_fails_is_read_again_from_the_first_attempt),
		TEST(two_crashes_in_the_same_content_are_enough),
		TEST(an_orderly_stop_is_no_crash),
		TEST(a_start_that_fails_does_not_hide_a_crash_from_the_next),
		TEST(a_long_document_that_got_further_is_not_given_up),
		TEST(a_crash_after_a_change_is_not_the_new_contents),
		TEST(the_same_content_elsewhere_is_known_by_its_crashes),
		TEST(a_crash_before_the_text_is_known_is_nobody_elses),
		TEST(retry_queues_what_failed_or_was_ignored),
		TEST(reread_finds_no_chunk_but_those_read_since),
		TEST(progress_is_seen_while_it_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
