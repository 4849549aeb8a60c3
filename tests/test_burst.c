/* Very many small files at once, and somebody who reads skimd.db all the while in one transaction: all files come to their
 * end, the reader keeps the view that it began with, and the daemon's memory does not grow with the number of files.
 * SKIMD_TEST_LONG: 12,000 files, else 200; with SKIMD_TEST_SHORT 40. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/fixture.h"
#include "tests/trial.h"

#define N_SENTENCES 3
#define MAX_WAL_BYTES ((int64_t)64 << 20) /* what is left of it once nobody reads */
#define MAX_GROWTH_KB 16384 /* between a fifth of the files and all: what the C library keeps for later */

static unsigned n_files(void)
{
	return getenv("SKIMD_TEST_LONG") != NULL ? 12000 : tests_are_short() ? 40 : 200;
}

static void drop_many(const struct trial *trial, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++) {
		char name[TRIAL_NAME];

		snprintf(name, sizeof(name), "file%05u.txt", i);
		trial_drop(trial, name, 10000 + i, N_SENTENCES);
	}
}

/* What the daemon holds in memory, less what is files'. */
static long anonymous_kb(const struct trial *trial)
{
	char path[64], line[256];
	long ret = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)trial->daemon);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, "RssAnon:", 8) == 0)
			ret = strtol(line + 8, NULL, 10);
	}
	fclose(file);
	return ret;
}

static int64_t count(sqlite3 *db)
{
	sqlite3_stmt *row;
	int64_t ret;

	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM document", -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	ret = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	return ret;
}

static sqlite3 *begin_reading(const struct trial *trial)
{
	sqlite3 *db;

	assert_int_equal(
		sqlite3_open_v2(trial_path(trial, "state/skimd.db").text, &db, SQLITE_OPEN_READONLY, NULL),
		SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	assert_int_equal(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static void wait_for_done(const struct trial *trial, unsigned n)
{
	trial_wait(trial, "SELECT sum(state = 'done' AND published) FROM document", n);
}

static int64_t wal_bytes(const struct trial *trial)
{
	struct stat st;

	return stat(trial_path(trial, "state/skimd.db-wal").text, &st) == 0 ? st.st_size : 0;
}

static void a_burst_ends_while_a_reader_holds_its_view(void **state)
{
	struct trial *trial = *state;
	unsigned n_before = n_files() / 5, n = n_files();
	long before_kb, after_kb;
	int64_t n_seen;
	sqlite3 *reader;
	int status;

	trial_start(trial);
	drop_many(trial, 0, n_before);
	wait_for_done(trial, n_before);
	before_kb = anonymous_kb(trial);
	reader = begin_reading(trial);
	n_seen = count(reader);
	drop_many(trial, n_before, n);
	wait_for_done(trial, n);
	after_kb = anonymous_kb(trial);
	assert_int_equal(count(reader), n_seen);
	print_message("# %u files; %ld kB, then %ld; a WAL of %" PRId64 " kB under the reader\n", n,
	              before_kb, after_kb, wal_bytes(trial) / 1024);
	assert_int_equal(sqlite3_close(reader), SQLITE_OK);
	assert_true(TRIAL_SANITIZED || after_kb < before_kb + MAX_GROWTH_KB);
	drop_many(trial, n, n + 1);
	wait_for_done(trial, n + 1);
	assert_true(wal_bytes(trial) <= MAX_WAL_BYTES);
	status = trial_stop(trial);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(wal_bytes(trial), 0);
	trial_check_rows(trial);
	trial_check_end(trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_burst_ends_while_a_reader_holds_its_view, trial_setup, trial_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
