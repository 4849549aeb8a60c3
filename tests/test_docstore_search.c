/* Searching with what people type, the event log as those who follow it see it, and copies of the whole. */
#include "tests/documents.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define INBOX "/in"

struct found {
	size_t n;
	int64_t ids[16];
	char snippet[256], kind[16];
	double score;
	size_t stop_at; /* 0: never */
};

static int note_hit(void *user, const struct search_hit *hit)
{
	struct found *found = user;

	assert_true(found->n < 16);
	if (found->n == 0) {
		snprintf(found->snippet, sizeof(found->snippet), "%s", hit->snippet);
		snprintf(found->kind, sizeof(found->kind), "%s", hit->kind);
	} else {
		assert_true(hit->score <= found->score);
	}
	assert_memory_equal(hit->path, INBOX "/", 4);
	assert_string_equal(hit->name, hit->path + 4);
	assert_int_equal(hit->state, DOCUMENT_DONE);
	found->score = hit->score;
	found->ids[found->n++] = hit->document_id;
	return found->stop_at > 0 && found->n == found->stop_at ? 42 : 0;
}

static struct found search(struct fixture *f, const char *words)
{
	struct found found = { 0 };
	struct err err = { "" };

	if (docstore_search(f->store, words, 16, note_hit, &found, &err) < 0)
		fail_msg("'%s': %s", words, err.text);
	return found;
}

static int64_t read_text(struct fixture *f, const char *path, char key, const char *text)
{
	int64_t id = add(f, INBOX, path);

	docstore_start(f->store, id, NULL);
	put_text(f, id, text);
	put_chunk(f, id, 0, key, text, 3);
	finish(f, id, "Untitled", 1);
	return id;
}

static int set_up_texts(void **state)
{
	struct fixture *f;

	if (set_up_store(state) < 0)
		return -1;
	f = *state;
	read_text(f, INBOX "/a", 'a',
	          "The river rose near the old mill, and payments were delayed for NOT paying (AND more).");
	read_text(f, INBOX "/b", 'b',
	          "River, river, river: the river is everything to this town of the river.");
	read_text(f, INBOX "/c", 'c',
	          "Caf\xc3\xa9s opened; na\xc3\xafve guests paid. The mill is old and the near future is "
	          "NEAR.");
	return 0;
}

static void words_are_found_best_first_with_their_place(void **state)
{
	struct fixture *f = *state;
	struct found found = search(f, "river");

	assert_int_equal(found.n, 2);
	assert_int_equal(found.ids[0], 2);
	assert_int_equal(found.ids[1], 1);
	assert_non_null(strstr(found.snippet, "[River], [river]"));
	assert_string_equal(found.kind, "text");
	found = search(f, "RIVERS rising mill"); /* all of them; "rising" is no form of "rose" */
	assert_int_equal(found.n, 0);
	found = search(f, "payment delay");
	assert_int_equal(found.n, 1);
	assert_int_equal(found.ids[0], 1);
	found = search(f, "cafe naive");
	assert_int_equal(found.n, 1);
	assert_int_equal(found.ids[0], 3);
	found = search(f, "untitled");
	assert_int_equal(found.n, 3);
	assert_string_equal(found.kind, "title");
}

static void words_in_quotes_stand_side_by_side(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(search(f, "old mill").n, 2);
	assert_int_equal(search(f, "\"old mill\"").n, 1);
	assert_int_equal(search(f, "\"old mill").n, 1);
	assert_int_equal(search(f, "\"mill old\" river").n, 0);
	assert_int_equal(search(f, "\"old mill\" river").n, 1);
	assert_int_equal(search(f, "near\"old mill\"river").n, 1);
}

static void no_words_are_syntax(void **state)
{
	static const char *const WORDS[] = {
		"river*",
		"\"river",
		"river\"",
		"river AND",
		"AND river",
		"NOT",
		"NEAR(river mill, 3)",
		"body:river",
		"(river",
		"river)",
		"river^2",
		"^river",
		"-river",
		"{body}: river",
		"river + mill",
		"river OR NOT",
		"'river'",
		"river;--",
		"\"\"\"",
		"river \"\" x",
		"a\\b",
		"* river *",
		"river \xe2\x80\x94 mill",
		"\xff\xfe river",
		"river\n\tmill",
		"search MATCH 'x'",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
		struct found found = { 0 };
		struct err err = { "" };
		int r = docstore_search(f->store, WORDS[i], 16, note_hit, &found, &err);

		if (r < 0 && strcmp(err.text, "there is no word to search for") != 0)
			fail_msg("'%s': %s", WORDS[i], err.text);
	}
	assert_int_equal(search(f, "river*").n, 2);
	assert_int_equal(search(f, "body:river").n, 0); /* two words, one of them nowhere */
	assert_int_equal(search(f, "NOT paying").n, 1);
	assert_int_equal(search(f, "NEAR future").n, 1);
	assert_int_equal(search(f, "river - mill").n, 1);
	assert_int_equal(search(f, "river \xe2\x80\x94 mill").n, 1);
}

static void what_has_no_word_or_too_many_is_refused(void **state)
{
	static const char *const NONE[] = { "", " ", "\"", "***", "( ) - +", "\"\" \"\"" };
	struct fixture *f = *state;
	struct found found = { 0 };
	struct err err = { "" };
	char words[5000];

	for (size_t i = 0; i < sizeof(NONE) / sizeof(NONE[0]); i++) {
		assert_int_equal(docstore_search(f->store, NONE[i], 5, note_hit, &found, &err), -EINVAL);
		assert_string_equal(err.text, "there is no word to search for");
	}
	memset(words, 'a', sizeof(words));
	words[4999] = '\0';
	assert_int_equal(docstore_search(f->store, words, 5, note_hit, &found, &err), -EINVAL);
	for (size_t i = 0; i < 4096; i += 2)
		words[i] = ' ';
	words[4096] = '\0';
	assert_int_equal(docstore_search(f->store, words, 5, note_hit, &found, &err), -EINVAL);
	assert_string_equal(err.text, "2048 words to search for, more than 64");
	words[128] = '\0';
	assert_int_equal(docstore_search(f->store, words, 5, note_hit, &found, &err), 0);
}

static void no_more_is_found_than_asked_for(void **state)
{
	struct fixture *f = *state;
	struct found found = { .stop_at = 1 };

	assert_int_equal(docstore_search(f->store, "river", 1, note_hit, &found, NULL), 42);
	assert_int_equal(found.n, 1);
	found = (struct found){ .stop_at = 1 };
	assert_int_equal(docstore_search(f->store, "river", 16, note_hit, &found, NULL), 42);
	assert_int_equal(found.n, 1);
	found = (struct found){ 0 };
	assert_int_equal(docstore_search(f->store, "river", 1, note_hit, &found, NULL), 0);
	assert_int_equal(found.n, 1);
	found = (struct found){ 0 };
	assert_int_equal(docstore_search(f->store, "river", 0, note_hit, &found, NULL), 0);
	assert_int_equal(found.n, 0);
}

struct seen {
	struct fixture *f;
	int64_t first, last;
	size_t n;
	int64_t stop_at;
};

static int note_event(void *user, const struct document_event *event)
{
	struct seen *seen = user;
	char message[32];

	snprintf(message, sizeof(message), "number %lld", (long long)event->id);
	assert_string_equal(event->message, message);
	assert_string_equal(event->level, "info");
	assert_int_equal(event->document_id, event->id % 2);
	assert_true(event->id > seen->last);
	if (seen->n++ == 0)
		seen->first = event->id;
	seen->last = event->id;
	assert_int_equal(docstore_event(seen->f->store, "info", (event->id + 1000) % 2, "later", NULL), 0);
	return event->id == seen->stop_at ? 42 : 0;
}

static void events_are_told_in_order_from_where_one_left_off(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { .f = f };

	add(f, INBOX, "/in/a");
	assert_int_equal(docstore_events(f->store, 0, 10, note_event, &seen, NULL), 0);
	assert_int_equal(seen.n, 0);
	for (int i = 1; i <= 600; i++) {
		char message[32];

		snprintf(message, sizeof(message), "number %d", i);
		assert_int_equal(docstore_event(f->store, "info", i % 2, message, NULL), 0);
	}
	assert_int_equal(docstore_events(f->store, 0, 600, note_event, &seen, NULL), 0);
	assert_true(seen.n == 600 && seen.first == 1 && seen.last == 600);
	seen = (struct seen){ .f = f };
	assert_int_equal(docstore_events(f->store, 590, 5, note_event, &seen, NULL), 0);
	assert_true(seen.n == 5 && seen.first == 591);
	seen = (struct seen){ .f = f, .stop_at = 7 };
	assert_int_equal(docstore_events(f->store, 0, 600, note_event, &seen, NULL), 42);
	assert_int_equal(seen.n, 7);
}

static int note_id(void *user, const struct document_event *event)
{
	struct seen *seen = user;

	if (seen->n++ == 0)
		seen->first = event->id;
	seen->last = event->id;
	return 0;
}

static void the_newest_events_come_oldest_first(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { .f = f };

	for (int i = 1; i <= 30; i++)
		assert_int_equal(docstore_event(f->store, "error", 0, "x", NULL), 0);
	assert_int_equal(docstore_events(f->store, -1, 20, note_id, &seen, NULL), 0);
	assert_true(seen.n == 20 && seen.first == 11 && seen.last == 30);
	seen = (struct seen){ .f = f };
	assert_int_equal(docstore_events(f->store, -1, 100, note_id, &seen, NULL), 0);
	assert_true(seen.n == 30 && seen.first == 1);
}

static void old_news_goes_before_old_warnings(void **state)
{
	struct fixture *f = *state;

	for (int i = 1; i <= 30; i++)
		assert_int_equal(docstore_event(f->store, i % 3 == 0 ? "warning" : "info", 0, "x", NULL), 0);
	assert_int_equal(docstore_trim_events(f->store, 30, NULL), 0);
	assert_int_equal(query(f, "SELECT count(*) FROM event"), 30);
	assert_int_equal(docstore_trim_events(f->store, 15, NULL), 0);
	assert_int_equal(query(f, "SELECT count(*) FROM event"), 15);
	assert_int_equal(query(f, "SELECT count(*) FROM event WHERE level = 'warning'"), 10);
	assert_int_equal(query(f, "SELECT min(id) FROM event WHERE level = 'info'"), 23);
	assert_int_equal(docstore_trim_events(f->store, 5, NULL), 0);
	assert_int_equal(query(f, "SELECT min(id) FROM event"), 18);
	assert_int_equal(docstore_event(f->store, "info", 0, "x", NULL), 0);
	assert_int_equal(query(f, "SELECT max(id) FROM event"), 31); /* who follows sees no number twice */
}

static void a_reader_that_holds_its_view_is_noticed(void **state)
{
	struct fixture *f = *state;
	sqlite3 *reader;
	bool held = true;

	add(f, INBOX, "/in/a");
	assert_int_equal(docstore_is_held(f->store, &held, NULL), 0);
	assert_false(held);
	assert_int_equal(sqlite3_open_v2(f->path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT * FROM document", NULL, NULL, NULL), SQLITE_OK);
	add(f, INBOX, "/in/b");
	assert_int_equal(docstore_is_held(f->store, &held, NULL), 0);
	assert_true(held);
	assert_true(docstore_wal_bytes(f->store) > 0);
	sqlite3_close(reader);
	assert_int_equal(docstore_is_held(f->store, &held, NULL), 0);
	assert_false(held);
}

static void put_file(const struct fixture *f, const char *name, const char *bytes, time_t age_s)
{
	char path[80];
	const struct timespec times[] = { { time(NULL) - age_s, 0 }, { time(NULL) - age_s, 0 } };
	FILE *file;

	snprintf(path, sizeof(path), "%.40s/%s", f->folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fwrite(bytes, 1, strlen(bytes), file) == strlen(bytes));
	fclose(file);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Whether it was there. */
static bool remove_file(const struct fixture *f, const char *name)
{
	char path[80];

	snprintf(path, sizeof(path), "%.40s/%s", f->folder, name);
	return unlink(path) == 0;
}

static void what_a_killed_backup_left_goes_with_the_next(void **state)
{
	struct fixture *f = *state;
	char copy[80];

	snprintf(copy, sizeof(copy), "%.40s/copy.db", f->folder);
	put_file(f, ".skimd.killed", "SQLite format 3", 3600); /* and a NUL that is missing: not one */
	put_file(f, ".skimd.abcdef", "", 3600);
	put_file(f, ".skimd.inwork", "", 60);
	put_file(f, ".skimd.others", "{}", 3600);
	put_file(f, "skimd.abcdef", "", 3600);
	assert_int_equal(docstore_backup(f->store, copy, NULL), 0);
	assert_int_equal(unlink(copy), 0);
	assert_true(remove_file(f, ".skimd.killed"));
	assert_false(remove_file(f, ".skimd.abcdef"));
	assert_true(remove_file(f, ".skimd.inwork"));
	assert_true(remove_file(f, ".skimd.others"));
	assert_true(remove_file(f, "skimd.abcdef"));
}

static void half_a_database_of_a_killed_backup_goes_too(void **state)
{
	struct fixture *f = *state;
	const struct timespec times[] = { { time(NULL) - 3600, 0 }, { time(NULL) - 3600, 0 } };
	char half[80], copy[80];

	snprintf(half, sizeof(half), "%.40s/.skimd.HALF00", f->folder);
	snprintf(copy, sizeof(copy), "%.40s/copy.db", f->folder);
	assert_int_equal(docstore_backup(f->store, half, NULL), 0);
	assert_int_equal(truncate(half, 5000), 0);
	assert_int_equal(utimensat(AT_FDCWD, half, times, 0), 0);
	assert_int_equal(docstore_backup(f->store, copy, NULL), 0);
	assert_int_equal(unlink(copy), 0);
	assert_int_equal(access(half, F_OK), -1);
}

static size_t n_files_in(const char *folder)
{
	char command[80];
	size_t n = 0;
	FILE *names;

	snprintf(command, sizeof(command), "ls -A '%s'", folder);
	names = popen(command, "r");
	assert_non_null(names);
	for (int c; (c = fgetc(names)) != EOF;)
		n += c == '\n';
	pclose(names);
	return n;
}

static void a_backup_is_whole_and_replaces_nothing(void **state)
{
	struct fixture *f = *state;
	struct fixture copy = { .store = NULL };
	size_t n_files = n_files_in(f->folder);
	struct err err = { "" };
	struct docstore *reader;
	struct stat st;

	snprintf(copy.path, sizeof(copy.path), "%s/copy.db", f->folder);
	if (docstore_backup(f->store, copy.path, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(stat(copy.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(n_files_in(f->folder), n_files + 1);
	assert_int_equal(docstore_backup(f->store, copy.path, &err), -EEXIST);
	assert_non_null(strstr(err.text, "copy.db: is there already"));
	copy.store = open_or_fail(copy.path, DOCSTORE_WRITE);
	assert_int_equal(search(&copy, "river").n, 2);
	expect_state(&copy, 3, DOCUMENT_DONE);
	docstore_close(copy.store);
	assert_int_equal(n_files_in(f->folder), n_files + 4); /* with lock, WAL and index */
	for (size_t i = 0; i < 4; i++) {
		static const char *const SUFFIXES[] = { "", "-wal", "-shm", "-lock" };
		char name[80];

		snprintf(name, sizeof(name), "%s%s", copy.path, SUFFIXES[i]);
		unlink(name);
	}
	reader = open_or_fail(f->path, DOCSTORE_READ); /* beside the writer */
	if (docstore_backup(reader, copy.path, &err) < 0)
		fail_msg("%s", err.text);
	docstore_close(reader);
	unlink(copy.path);
	assert_int_equal(docstore_backup(f->store, "/nowhere/copy.db", &err), -ENOENT);
	assert_int_equal(symlink("nowhere", copy.path), 0);
	assert_int_equal(docstore_backup(f->store, copy.path, &err), -EEXIST);
	unlink(copy.path);
	assert_int_equal(n_files_in(f->folder), n_files);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_store, tear_down)
#define TEST_OF_TEXTS(name) cmocka_unit_test_setup_teardown(name, set_up_texts, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OF_TEXTS(words_are_found_best_first_with_their_place),
		TEST_OF_TEXTS(words_in_quotes_stand_side_by_side),
		TEST_OF_TEXTS(no_words_are_syntax),
		TEST_OF_TEXTS(what_has_no_word_or_too_many_is_refused),
		TEST_OF_TEXTS(no_more_is_found_than_asked_for),
		TEST(events_are_told_in_order_from_where_one_left_off),
		TEST(the_newest_events_come_oldest_first),
		TEST(old_news_goes_before_old_warnings),
		TEST(a_reader_that_holds_its_view_is_noticed),
		TEST(what_a_killed_backup_left_goes_with_the_next),
		TEST(half_a_database_of_a_killed_backup_goes_too),
		TEST_OF_TEXTS(a_backup_is_whole_and_replaces_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
