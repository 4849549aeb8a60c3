/* The real daemon on folders of its own, for trials by accidents: what users do to it, and what they then find. A step that
 * fails ends the test. */
#ifndef SKIMD_TESTS_TRIAL_H
#define SKIMD_TESTS_TRIAL_H

#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* Sanitizers bring an allocator of their own: none can be put before it, and it keeps what is freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TRIAL_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TRIAL_SANITIZED true
#endif
#endif
#ifndef TRIAL_SANITIZED
#define TRIAL_SANITIZED false
#endif

#define TRIAL_NAME 64 /* bytes that a name of a document may take */

struct trial {
	char folder[48]; /* inbox, outbox, drop, state/skimd.db, cache/kv.db, skimd.yaml and log are below */
	pid_t daemon; /* 0: none runs */
	time_t checked; /* when the outputs were looked at last */
};

/* Folders and a configuration with the tiny model. */
void trial_init(struct trial *trial);
void trial_done(struct trial *trial); /* kills the daemon, if there is one, and removes all */

/* The same for cmocka: *state is a trial. */
int trial_setup(void **state);
int trial_teardown(void **state);

/* The path of a name below the folder. */
struct trial_path {
	char text[PATH_MAX];
};
struct trial_path trial_path(const struct trial *trial, const char *name);

/* Put sentences that no other number has into the inbox under a name, in one step; the same numbers are the same text. */
void trial_drop(const struct trial *trial, const char *name, unsigned number, unsigned n_sentences);
void trial_remove(const struct trial *trial, const char *name);

/* The argument lists of programs in this build. */
#define TRIAL_MAX_ARGUMENTS 8
struct trial_command {
	char program[PATH_MAX];
	char config[PATH_MAX];
	const char *argv[TRIAL_MAX_ARGUMENTS];
};
void trial_command(const struct trial *trial, const char *last_option, struct trial_command *ret);

/* The daemon with its words going to `log`. */
void trial_start(struct trial *trial);
void trial_kill(struct trial *trial);
int trial_stop(struct trial *trial); /* SIGTERM; its wait status */
int trial_once(struct trial *trial); /* `skimd --once`, its wait status */

/* What has failed is queued again, as by 'skimctl retry'; while no daemon runs. */
void trial_retry(const struct trial *trial);

/* Each row of a query on skimd.db, which is opened for reading. While there is no database or no table there are none. */
void trial_rows(const struct trial *trial, const char *sql, void (*each)(void *user, sqlite3_stmt *row),
                void *user);

/* One value of one row: an integer, -1 if there is no row; a text, the caller's, NULL if there is none. */
int64_t trial_int(const struct trial *trial, const char *sql);
char *trial_text(const struct trial *trial, const char *sql);

/* Until the query's value is as expected; after three minutes in which it did not change the test has failed. */
void trial_wait(const struct trial *trial, const char *sql, int64_t expected);

/* While no daemon runs: each output that changed since the last call is whole and has its row, and whatever is published
 * has its outputs. A kill may have left temporary files. */
void trial_check_outputs(struct trial *trial);

/* The same of all outputs; and no temporary file is there, nor a document that is done and not published. */
void trial_check_end(const struct trial *trial);

/* skimd.db by SQLite's own check, and that each result is there once. */
void trial_check_rows(const struct trial *trial);

/* The end of the daemon's log, on standard error, for who looks for the reason of a failure. */
void trial_show_log(const struct trial *trial);

#endif
