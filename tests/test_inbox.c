/* inbox.db: what clients may put into it, how it is taken over, and whatever else they put in its place. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
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

#include "store/inbox.h"

#define MAX_TAKEN 1100

struct fixture {
	char folder[40];
	char path[64];
	struct inbox *inbox;
	struct inbox_counts counts;
	struct err aside, err;
	int r;

	/* What the taker does, and what it was offered. */
	const char *unknown; /* a document that is not there */
	int fails; /* negative: its own trouble */
	int64_t ids[MAX_TAKEN];
	char texts[MAX_TAKEN][16];
	size_t n_offered, n_removed;
	char name[32];
};

static int64_t now_s;

static int64_t read_clock(void)
{
	return now_s;
}

static int take(void *user, const char *inbox, const struct inbox_row *row, struct err *ret_why,
                struct err *err)
{
	struct fixture *f = user;

	if (f->fails < 0)
		return err_set(err, f->fails, "skimd.db is away");
	snprintf(f->name, sizeof(f->name), "%s", inbox);
	assert_true(f->n_offered < MAX_TAKEN);
	f->ids[f->n_offered] = row->id;
	snprintf(f->texts[f->n_offered++], sizeof(f->texts[0]), "%s", row->text);
	if (f->unknown == NULL || strcmp(row->document, f->unknown) != 0)
		return INBOX_TAKEN;
	err_set(ret_why, 0, "no document is named '%s'", row->document);
	return INBOX_WAITS;
}

static int see_removed(void *user, const char *inbox, int64_t id, struct err *err)
{
	struct fixture *f = user;

	(void)err;
	assert_string_equal(inbox, f->name);
	assert_true(id > 0);
	f->n_removed++;
	return 0;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct inbox_settings settings = { .path = f->path,
		                           .group = getgid(),
		                           .user = f,
		                           .take = take,
		                           .removed = see_removed,
		                           .clock = read_clock };

	snprintf(f->folder, sizeof(f->folder), "/tmp/skimd_inbox.XXXXXX");
	if (mkdtemp(f->folder) == NULL)
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/inbox.db", f->folder);
	now_s = time(NULL);
	*state = f;
	return inbox_new(&settings, &f->inbox, &f->err);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[64];
	int r;

	inbox_free(f->inbox);
	snprintf(command, sizeof(command), "%s", f->folder);
	r = fork();
	if (r == 0)
		execlp("rm", "rm", "-rf", command, (char *)NULL);
	waitpid(r, NULL, 0);
	free(f);
	return 0;
}

static void look(struct fixture *f, bool clean)
{
	f->n_offered = f->n_removed = 0;
	f->err.text[0] = '\0';
	f->r = inbox_look(f->inbox, clean, &f->counts, &f->aside, &f->err);
}

static void look_well(struct fixture *f, bool clean)
{
	look(f, clean);
	if (f->r < 0)
		fail_msg("%s", f->err.text);
	assert_string_equal(f->aside.text, "");
}

/* What a client gets to read when it runs a statement; "" if it succeeds. The client stays for the next. */
static sqlite3 *client;
static char words[512];

static const char *client_runs(struct fixture *f, const char *sql)
{
	char *error = NULL;

	if (client == NULL)
		assert_int_equal(sqlite3_open(f->path, &client), SQLITE_OK);
	sqlite3_exec(client, sql, NULL, NULL, &error);
	snprintf(words, sizeof(words), "%s", error == NULL ? "" : error);
	sqlite3_free(error);
	return words;
}

static void client_leaves(void)
{
	sqlite3_close(client);
	client = NULL;
}

static const char *run_once(struct fixture *f, const char *sql)
{
	client_runs(f, sql);
	client_leaves();
	return words;
}

static int64_t count(struct fixture *f, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t n = -1;

	assert_int_equal(sqlite3_open(f->path, &client), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(client, sql, -1, &statement, NULL), SQLITE_OK);
	if (sqlite3_step(statement) == SQLITE_ROW)
		n = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	client_leaves();
	return n;
}

#define ASK "INSERT INTO question(document, text) VALUES "

static void it_is_made_for_the_group_and_stays(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	ino_t inode;

	look_well(f, true);
	assert_int_equal(lstat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	inode = st.st_ino;
	look_well(f, true);
	assert_int_equal(lstat(f->path, &st), 0);
	assert_int_equal(st.st_ino, inode);
	assert_int_equal(f->counts.n_taken, 0);
	assert_false(f->counts.to_clean);
}

static void a_question_is_offered_until_it_is_removed(void **state)
{
	struct fixture *f = *state;

	look_well(f, true);
	assert_string_equal(run_once(f, ASK "('report.pdf', 'Who?')"), "");
	look_well(f, false);
	assert_int_equal(f->counts.n_taken, 1);
	assert_true(f->counts.to_clean);
	assert_string_equal(f->texts[0], "Who?");
	assert_int_equal(count(f, "SELECT count(*) FROM question"), 1);
	look_well(f, true);
	assert_int_equal(f->n_removed, 1);
	assert_false(f->counts.to_clean);
	assert_int_equal(count(f, "SELECT count(*) FROM question"), 0);
	look_well(f, true);
	assert_int_equal(f->n_offered, 0);
}

static void numbers_are_not_used_again(void **state)
{
	struct fixture *f = *state;

	look_well(f, true);
	run_once(f, ASK "('a', 'one'), ('a', 'two')");
	look_well(f, true);
	run_once(f, ASK "('a', 'three')");
	look_well(f, true);
	assert_int_equal(f->ids[0], 3);
}

static void many_are_taken_in_order(void **state)
{
	struct fixture *f = *state;

	look_well(f, true);
	run_once(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 700) "
	            "INSERT INTO question(document, text) SELECT 'a', 'question ' || i FROM n");
	look_well(f, true);
	assert_int_equal(f->n_offered, 700);
	assert_string_equal(f->texts[699], "question 700");
	for (size_t i = 1; i < 700; i++)
		assert_true(f->ids[i] > f->ids[i - 1]);
	assert_int_equal(f->n_removed, 700);
}

static void what_waits_says_why_and_is_offered_again(void **state)
{
	struct fixture *f = *state;

	f->unknown = "late.pdf";
	look_well(f, true);
	run_once(f, ASK "('late.pdf', 'Who?'), ('there.pdf', 'Who?')");
	look_well(f, true);
	assert_int_equal(f->counts.n_taken, 1);
	assert_int_equal(f->counts.n_waiting, 1);
	assert_int_equal(count(f, "SELECT error = 'no document is named ''late.pdf''' FROM question"), 1);
	look_well(f, true);
	assert_int_equal(f->counts.n_waiting, 1);
	assert_false(f->counts.to_clean); /* nothing is written twice */
	f->unknown = NULL;
	look_well(f, true);
	assert_int_equal(f->counts.n_taken, 1);
	assert_int_equal(count(f, "SELECT count(*) FROM question"), 0);
}

static void what_waits_for_too_long_is_removed(void **state)
{
	struct fixture *f = *state;

	f->unknown = "never.pdf";
	look_well(f, true);
	run_once(f, ASK "('never.pdf', 'Who?')");
	now_s += INBOX_KEEP_S - 60;
	look_well(f, true);
	assert_int_equal(f->counts.n_waiting, 1);
	now_s += 120;
	look_well(f, true);
	assert_int_equal(f->counts.n_waiting, 0);
	assert_int_equal(count(f, "SELECT count(*) FROM question"), 0);
}

static void nonsense_is_refused_in_words(void **state)
{
	static const struct {
		const char *sql, *words;
	} CASES[] = {
		{ ASK "('report.pdf', '')", "text: the question is empty" },
		{ ASK "('report.pdf', '   ')", "text: the question is empty" },
		{ ASK "('report.pdf', NULL)", "text: the question is empty" },
		{ ASK "('', 'Who?')", "document: say which one" },
		{ ASK "(NULL, 'Who?')", "document: say which one" },
		{ "INSERT INTO question(text) VALUES ('Who?')", "document: say which one" },
		{ ASK "('a', printf('%.*c', 4097, 'x'))", "text: the question has more than 4096 bytes" },
		{ ASK "('a', replace(printf('%.*c', 2049, 'x'), 'x', 'é'))", "more than 4096 bytes" },
		{ ASK "(printf('%.*c', 4097, 'x'), 'Who?')", "document: has more than 4096 bytes" },
		{ ASK "('a', 'Who' || char(10) || 'else?')", "text: has a line break" },
		{ ASK "('a', 'Who' || char(27) || '[2J?')", "control character" },
		{ ASK "('a', 'Who' || char(0) || '?')", "control character" },
		{ ASK "('a', x'576f')", "text" },
		{ "INSERT INTO question(document, text, error) VALUES ('a', 'Who?', '')",
		  "are for skimd to set" },
		{ "INSERT INTO question(document, text, asked_at) VALUES ('a', 'Who?', 'yesterday')",
		  "are for skimd to set" },
		{ "INSERT INTO question(id, document, text) VALUES (9223372036854775807, 'a', 'Who?')",
		  "id_is_given_by_the_inbox" },
		{ "INSERT INTO question(document, text, answer) VALUES ('a', 'Who?', 'Me')",
		  "no column named answer" },
		{ "INSERT INTO answer(text) VALUES ('Me')", "no such table" },
		{ "UPDATE question SET text = 'What?'", "cannot be changed" },
	};
	struct fixture *f = *state;

	look_well(f, true);
	assert_string_equal(run_once(f, ASK "('report.pdf', 'Was ist das für ein Ding? 文')"), "");
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		if (strstr(run_once(f, CASES[i].sql), CASES[i].words) == NULL)
			fail_msg("%s: '%s'", CASES[i].sql, words);
	}
	assert_int_equal(count(f, "SELECT count(*) FROM question"), 1);
	look_well(f, true);
	assert_int_equal(f->n_offered, 1);
}

static void a_full_inbox_says_so(void **state)
{
	struct fixture *f = *state;

	look_well(f, true);
	assert_string_equal(
		run_once(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
	                    "INSERT INTO question(document, text) SELECT 'a', 'q' || i FROM n"),
		"");
	assert_string_equal(run_once(f, ASK "('a', 'one more')"), "the inbox is full: 1000 questions wait");
	look_well(f, true);
	assert_string_equal(run_once(f, ASK "('a', 'one more')"), "");
}

static void a_client_that_writes_is_not_waited_for(void **state)
{
	struct fixture *f = *state;

	look_well(f, true);
	assert_string_equal(client_runs(f, ASK "('a', 'before')"), "");
	assert_string_equal(client_runs(f, "BEGIN EXCLUSIVE"), "");
	look(f, true);
	assert_int_equal(f->r, -EBUSY);
	assert_int_equal(f->n_offered, 0);
	assert_string_equal(f->aside.text, "");
	assert_string_equal(client_runs(f, "ROLLBACK; BEGIN IMMEDIATE"), "");
	look(f, true); /* it is taken, and removed later */
	assert_int_equal(f->r, -EBUSY);
	assert_int_equal(f->counts.n_taken, 1);
	assert_true(f->counts.to_clean);
	assert_string_equal(client_runs(f, "COMMIT; BEGIN; SELECT * FROM question"), "");
	look(f, true); /* so it is while somebody reads */
	assert_int_equal(f->r, -EBUSY);
	assert_string_equal(client_runs(f, "COMMIT"), "");
	client_leaves();
	look_well(f, true);
	assert_int_equal(f->n_removed, 1);
}

static void trouble_of_the_taker_leaves_the_row(void **state)
{
	struct fixture *f = *state;

	look_well(f, true);
	run_once(f, ASK "('a', 'Who?')");
	f->fails = -ENOSPC;
	look(f, true);
	assert_int_equal(f->r, -ENOSPC);
	assert_string_equal(f->err.text, "skimd.db is away");
	f->fails = -EIO; /* no trouble of the inbox, whatever it is */
	look(f, true);
	assert_int_equal(f->r, -EIO);
	assert_string_equal(f->aside.text, "");
	f->fails = 0;
	look_well(f, true);
	assert_int_equal(f->counts.n_taken, 1);
}

static void write_file(const char *path, const char *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
}

/* What stands there now is set aside for these words, and the inbox works. */
static void expect_anew(struct fixture *f, const char *why)
{
	look(f, true);
	if (f->r < 0)
		fail_msg("%s", f->err.text);
	if (strstr(f->aside.text, why) == NULL)
		fail_msg("expected '%s': '%s'", why, f->aside.text);
	client_leaves();
	assert_string_equal(run_once(f, ASK "('a', 'Who?')"), "");
	look_well(f, true);
	assert_int_equal(f->counts.n_taken, 1);
	assert_string_equal(f->texts[0], "Who?");
}

static void other_files_are_set_aside(void **state)
{
	struct fixture *f = *state;
	char other[80], aside[80];
	struct stat st;

	write_file(f->path, "not a database at all, but a text of some length", 48);
	expect_anew(f, "not a database");
	snprintf(aside, sizeof(aside), "%s.damaged", f->path);
	assert_int_equal(lstat(aside, &st), 0);
	assert_int_equal(st.st_size, 48);
	write_file(f->path, "", 0);
	expect_anew(f, "is not an inbox");
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(mkfifo(f->path, 0660), 0);
	expect_anew(f, "is not a regular file");
	assert_int_equal(unlink(f->path), 0);
	snprintf(other, sizeof(other), "%s/other.db", f->folder);
	write_file(other, "precious", 8);
	assert_int_equal(symlink(other, f->path), 0);
	expect_anew(f, "is not a regular file");
	assert_int_equal(access(other, F_OK), 0);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(mkdir(f->path, 0770), 0);
	expect_anew(f, "is not a regular file");
	assert_int_equal(truncate(f->path, (off_t)65 << 20), 0);
	expect_anew(f, "more than any inbox needs");
	assert_int_equal(truncate(f->path, 5000), 0);
	expect_anew(f, "");
}

static void another_schema_is_set_aside(void **state)
{
	static const char *const CHANGES[] = {
		"DROP TRIGGER question_is_sound",
		"CREATE TRIGGER more AFTER DELETE ON question BEGIN SELECT 1; END",
		"CREATE VIEW v AS SELECT * FROM question",
		"CREATE TABLE more(x)",
		"CREATE INDEX i ON question(text)",
		"ALTER TABLE question ADD COLUMN more TEXT",
		"DROP TABLE question; CREATE VIEW question AS SELECT 1 AS id, 'a' AS document, 'b' AS text",
		"PRAGMA application_id = 1",
		"PRAGMA journal_mode = WAL",
		"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 9 WHERE name = 'question'",
	};
	struct fixture *f = *state;

	look_well(f, true);
	for (size_t i = 0; i < sizeof(CHANGES) / sizeof(CHANGES[0]); i++) {
		assert_string_equal(run_once(f, CHANGES[i]), "");
		expect_anew(f, "");
	}
}

/* Where one lies beside the file, clients write there, and we would not see it. */
static void a_write_ahead_log_goes_with_its_inbox(void **state)
{
	struct fixture *f = *state;
	char log[80];

	look_well(f, true);
	assert_string_equal(client_runs(f, "PRAGMA journal_mode = WAL; " ASK "('a', 'lost?')"), "");
	expect_anew(f, "");
	client_leaves();
	snprintf(log, sizeof(log), "%s-wal", f->path);
	assert_int_equal(access(log, F_OK), -1);
	write_file(log, "", 0);
	expect_anew(f, "has a write-ahead log");
}

static void rows_that_came_past_the_triggers_are_dropped(void **state)
{
	struct fixture *f = *state;

	look_well(f, true);
	client_runs(f, "PRAGMA writable_schema = ON; CREATE TEMP TABLE t AS SELECT * FROM sqlite_schema;"
	               "DROP TRIGGER question_is_sound; DROP TRIGGER question_stays;");
	assert_string_equal(client_runs(f, ASK "('a', printf('%.*c', 50000, 'x'))"), "");
	assert_string_equal(client_runs(f, ASK "('a', 'b' || char(0) || 'c')"), "");
	assert_string_equal(client_runs(f,
	                                "INSERT INTO question(document, text, asked_at) VALUES ('a', 'old',"
	                                " 'whenever')"),
	                    "");
	assert_string_equal(
		client_runs(f, "INSERT INTO sqlite_schema SELECT * FROM t WHERE type = 'trigger'"), "");
	client_leaves();
	look_well(f, true);
	assert_int_equal(f->n_offered, 1);
	assert_string_equal(f->texts[0], "old");
	assert_int_equal(count(f, "SELECT count(*) FROM question"), 0);
}

static size_t put_number(unsigned char *at, size_t number)
{
	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(number >> (24 - 8 * i));
	return 4;
}

/* A journal of no pages of a database of n_pages, whose end names another file. Returns its length. */
static size_t make_journal(unsigned char *journal, size_t n_pages, const char *other)
{
	static const unsigned char MAGIC[] = { 0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7 };
	size_t n_name = strlen(other), n = 512, sum = 0;

	memset(journal, 0, n);
	memcpy(journal, MAGIC, sizeof(MAGIC));
	put_number(journal + 16, n_pages);
	put_number(journal + 20, 512);
	put_number(journal + 24, 4096);
	n += put_number(journal + n, 262145); /* the page that is never used */
	for (size_t i = 0; i < n_name; i++)
		sum += (unsigned char)(journal[n++] = (unsigned char)other[i]);
	n += put_number(journal + n, n_name);
	n += put_number(journal + n, sum);
	memcpy(journal + n, MAGIC, sizeof(MAGIC));
	return n + sizeof(MAGIC);
}

/* The end of a rollback journal may name a file, as if several databases had been changed together; who rolls it back
 * deletes that file then, which plain SQLite is shown to do first. */
static void a_journal_cannot_have_other_files_deleted(void **state)
{
	struct fixture *f = *state;
	unsigned char bytes[1024];
	char journal[80], victim[80];
	struct stat st;
	size_t n;

	look_well(f, true);
	assert_int_equal(stat(f->path, &st), 0);
	snprintf(victim, sizeof(victim), "%s/victim", f->folder);
	snprintf(journal, sizeof(journal), "%s-journal", f->path);
	n = make_journal(bytes, (size_t)st.st_size / 4096, victim);
	write_file(victim, "x", 1);
	write_file(journal, (const char *)bytes, n);
	assert_int_equal(count(f, "SELECT count(*) FROM question"), 0);
	assert_int_equal(access(victim, F_OK), -1);

	write_file(victim, "x", 1);
	write_file(journal, (const char *)bytes, n);
	look_well(f, true);
	assert_int_equal(access(victim, F_OK), 0);
}

/* A client that was killed while it wrote leaves its journal, and the next to come rolls it back. */
static void what_a_killed_client_left_is_rolled_back(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	look_well(f, true);
	run_once(f, ASK "('a', 'kept')");
	pid = fork();
	if (pid == 0) {
		client_runs(f, "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN");
		for (int i = 0; i < 100; i++)
			client_runs(f, ASK "('a', printf('%.*c', 4000, 'x'))");
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, NULL, 0);
	look_well(f, true);
	assert_int_equal(f->n_offered, 1);
	assert_string_equal(f->texts[0], "kept");
}

static void words_do_not_stay_in_the_file(void **state)
{
	struct fixture *f = *state;
	char bytes[65536];
	ssize_t n;
	int fd;

	look_well(f, true);
	for (int i = 0; i < 40; i++)
		run_once(f, ASK "('secret.pdf', 'Where does the zebra stand?')");
	look_well(f, true);
	assert_int_equal(f->n_removed, 40);
	fd = open(f->path, O_RDONLY);
	n = read(fd, bytes, sizeof(bytes));
	close(fd);
	assert_true(n > 0);
	assert_null(memmem(bytes, (size_t)n, "zebra", 5));
	assert_null(memmem(bytes, (size_t)n, "secret", 6));
}

static void a_look_that_is_cancelled_ends(void **state)
{
	struct fixture *f = *state;

	look_well(f, true);
	run_once(f, ASK "('a', 'Who?')");
	inbox_cancel(f->inbox);
	look(f, true);
	assert_int_equal(f->r, -ECANCELED);
	assert_int_equal(f->n_offered, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_made_for_the_group_and_stays),
		TEST(a_question_is_offered_until_it_is_removed),
		TEST(numbers_are_not_used_again),
		TEST(many_are_taken_in_order),
		TEST(what_waits_says_why_and_is_offered_again),
		TEST(what_waits_for_too_long_is_removed),
		TEST(nonsense_is_refused_in_words),
		TEST(a_full_inbox_says_so),
		TEST(a_client_that_writes_is_not_waited_for),
		TEST(trouble_of_the_taker_leaves_the_row),
		TEST(other_files_are_set_aside),
		TEST(another_schema_is_set_aside),
		TEST(a_write_ahead_log_goes_with_its_inbox),
		TEST(rows_that_came_past_the_triggers_are_dropped),
		TEST(a_journal_cannot_have_other_files_deleted),
		TEST(what_a_killed_client_left_is_rolled_back),
		TEST(words_do_not_stay_in_the_file),
		TEST(a_look_that_is_cancelled_ends),
	};

	return cmocka_run_group_tests_name("inbox", tests, NULL, NULL);
}
