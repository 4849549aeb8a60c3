/* The daemon is killed at random moments while files come, change and go, and started again, and again. After
 * each kill what is visible is whole; in the end each file has come to exactly one end, with results and outputs once. With
 * SKIMD_TEST_LONG a thousand rounds, with SKIMD_TEST_SHORT ten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/fixture.h"
#include "tests/trial.h"

#define SEED 20261123
#define MAX_FILES 4096
#define MAX_LIFE_MS 160
#define N_ROUNDS_UNCHECKED 10 /* of all rows, which takes longer the more there are */

struct file {
	char name[TRIAL_NAME];
	bool there;
	char finished[32]; /* when it was done, as last seen; "": not yet */
};

struct rounds {
	struct trial trial;
	struct file files[MAX_FILES];
	unsigned n_files, n_texts, n_done;
	uint64_t random;
};

static unsigned n_rounds(void)
{
	return getenv("SKIMD_TEST_LONG") != NULL ? 1000 : tests_are_short() ? 10 : 50;
}

static void write_text(struct rounds *rounds, struct file *file, unsigned number)
{
	trial_drop(&rounds->trial, file->name, number, 3 + number % 12);
	file->there = true;
	file->finished[0] = '\0';
}

static void add_file(struct rounds *rounds)
{
	struct file *file = &rounds->files[rounds->n_files];

	if (rounds->n_files == MAX_FILES)
		return;
	snprintf(file->name, sizeof(file->name), "file%04u.txt", rounds->n_files++);
	/* One in five is a text that is there already. */
	write_text(rounds, file,
	           draw(&rounds->random) % 5 == 0 ? (unsigned)(draw(&rounds->random) % (rounds->n_texts + 1))
	                                          : ++rounds->n_texts);
}

static void change_or_remove(struct rounds *rounds)
{
	struct file *file;

	if (rounds->n_files == 0)
		return;
	file = &rounds->files[draw(&rounds->random) % rounds->n_files];
	if (file->there && draw(&rounds->random) % 2 == 0) {
		trial_remove(&rounds->trial, file->name);
		file->there = false;
	} else {
		write_text(rounds, file, ++rounds->n_texts);
	}
}

static void pass(uint64_t ms)
{
	const struct timespec time = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

	nanosleep(&time, NULL);
}

/* A daemon's life: a few files come, then it is killed. */
static void live(struct rounds *rounds)
{
	unsigned n_steps = 1 + (unsigned)(draw(&rounds->random) % 3);

	trial_start(&rounds->trial);
	for (unsigned i = 0; i < n_steps; i++) {
		pass(draw(&rounds->random) % (MAX_LIFE_MS / n_steps));
		if (draw(&rounds->random) % 4 == 0)
			change_or_remove(rounds);
		else
			add_file(rounds);
	}
	pass(draw(&rounds->random) % MAX_LIFE_MS);
	trial_kill(&rounds->trial);
}

/* Whether the row is of the file as it is now. */
static bool is_of_now(const struct rounds *rounds, const struct file *file, int64_t inode, int64_t ctime_ns)
{
	char name[TRIAL_NAME + 8];
	struct stat st;

	snprintf(name, sizeof(name), "inbox/%s", file->name);
	return stat(trial_path(&rounds->trial, name).text, &st) == 0 && (int64_t)st.st_ino == inode &&
	       (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec == ctime_ns;
}

/* What is done stays done while its file stays: nothing is read twice. */
static void see_done(void *user, sqlite3_stmt *row)
{
	struct rounds *rounds = user;
	const char *name = (const char *)sqlite3_column_text(row, 0);
	const char *finished = (const char *)sqlite3_column_text(row, 1);
	struct file *file = &rounds->files[strtoul(name + strlen("file"), NULL, 10)];

	if (!is_of_now(rounds, file, sqlite3_column_int64(row, 2), sqlite3_column_int64(row, 3)))
		return;
	if (file->finished[0] != '\0' && strcmp(finished, file->finished) != 0)
		fail_msg("%s was done at %s, and again at %s", name, file->finished, finished);
	snprintf(file->finished, sizeof(file->finished), "%s", finished);
	rounds->n_done++;
}

/* False: killed before there was a database. */
static bool check_standing(struct rounds *rounds)
{
	if (trial_int(&rounds->trial, "SELECT count(*) FROM output") < 0)
		return false;
	trial_check_outputs(&rounds->trial);
	rounds->n_done = 0;
	trial_rows(&rounds->trial,
	           "SELECT name, finished_at, inode, ctime_ns FROM document WHERE state = 'done'", see_done,
	           rounds);
	return true;
}

static int64_t n_there(const struct rounds *rounds)
{
	int64_t n = 0;

	for (unsigned i = 0; i < rounds->n_files; i++)
		n += rounds->files[i].there;
	return n;
}

static void check_ends(struct rounds *rounds)
{
	for (unsigned i = 0; i < rounds->n_files; i++) {
		const struct file *file = &rounds->files[i];
		struct buf sql = { 0 };
		char *state;

		buf_printf(&sql, "SELECT group_concat(state) FROM document WHERE name = '%s'", file->name);
		state = trial_text(&rounds->trial, sql.data);
		if (file->there)
			assert_string_equal(state == NULL ? "(no row)" : state, "done");
		else if (state != NULL) /* it may have gone before anybody saw it */
			assert_string_equal(state, "gone");
		free(state);
		buf_done(&sql);
	}
}

/* A last daemon, until nothing is queued; once a file that came to it is done, it is past its start. */
static void live_to_the_end(struct rounds *rounds)
{
	struct buf sql = { 0 };

	trial_start(&rounds->trial);
	add_file(rounds);
	buf_printf(&sql, "SELECT count(*) FROM document WHERE name = '%s' AND state IN ('done', 'failed')",
	           rounds->files[rounds->n_files - 1].name);
	trial_wait(&rounds->trial, sql.data, 1);
	trial_wait(&rounds->trial, "SELECT sum(state IN ('queued', 'reading')) FROM document", 0);
	buf_done(&sql);
}

static void each_file_comes_to_one_end_whenever_the_daemon_is_killed(void **state)
{
	struct rounds *rounds = *state;
	int status;

	for (unsigned round = 0; round < n_rounds(); round++) {
		live(rounds);
		if (check_standing(rounds) && round % N_ROUNDS_UNCHECKED == 0)
			trial_check_rows(&rounds->trial);
	}
	live_to_the_end(rounds);
	assert_int_equal(trial_stop(&rounds->trial), 0);
	trial_retry(&rounds->trial); /* what two kills have hit, and is left out */
	live_to_the_end(rounds);
	trial_wait(&rounds->trial, "SELECT sum(state = 'done' AND published) FROM document", n_there(rounds));
	trial_wait(&rounds->trial, "SELECT sum(state NOT IN ('done', 'gone')) FROM document", 0);
	status = trial_stop(&rounds->trial);
	if (status != 0) {
		trial_show_log(&rounds->trial);
		fail_msg("SIGTERM ended it with status %#x", (unsigned)status);
	}
	assert_true(check_standing(rounds));
	check_ends(rounds);
	trial_check_rows(&rounds->trial);
	trial_check_end(&rounds->trial);
	print_message("# %u rounds, %u files, %" PRId64 " documents done\n", n_rounds(), rounds->n_files,
	              n_there(rounds));
}

static int setup(void **state)
{
	struct rounds *rounds = calloc(1, sizeof(*rounds));

	rounds->random = SEED;
	trial_init(&rounds->trial);
	*state = rounds;
	return 0;
}

static int teardown(void **state)
{
	struct rounds *rounds = *state;

	trial_done(&rounds->trial);
	free(rounds);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_file_comes_to_one_end_whenever_the_daemon_is_killed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
