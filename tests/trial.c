#include "tests/trial.h"
#include "tests/remove_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "pipeline/digest.h"

#define WAIT_S 180 /* a sanitizer on a busy machine */
#define POLL_S 0.005
#define SHARE 20 /* between two looks, times what one takes */
#define BUSY_MS 10000
#define LOG_END 3000
#define MAX_OUTPUT_BYTES ((size_t)16 << 20)

struct trial_path trial_path(const struct trial *trial, const char *name)
{
	struct trial_path ret;

	snprintf(ret.text, sizeof(ret.text), "%s/%s", trial->folder, name);
	return ret;
}

static void write_file(const char *path, const struct buf *text)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(text->data, 1, text->n, file), text->n);
	assert_int_equal(fclose(file), 0);
}

static void write_config(const struct trial *trial)
{
	const char *top = getenv("abs_top_srcdir");
	char here[PATH_MAX];
	struct buf text = { 0 };

	if (top == NULL)
		top = getcwd(here, sizeof(here));
	buf_printf(&text,
	           "watch: [{path: %s/inbox, outbox: %s/outbox, settle: 0s, rescan: 1s}]\n"
	           "model: {path: %s/tests/data/tiny, threads: 1, nice: 19}\n"
	           "store: {path: %s/state/skimd.db}\n"
	           "kv: {path: %s/cache/kv.db, budget: 16M}\n"
	           "control: {socket: %s/control}\n",
	           trial->folder, trial->folder, top, trial->folder, trial->folder, trial->folder);
	write_file(trial_path(trial, "skimd.yaml").text, &text);
	buf_done(&text);
}

void trial_init(struct trial *trial)
{
	static const char *const FOLDERS[] = { "inbox", "outbox", "drop", "state", "cache" };

	*trial = (struct trial){ .folder = "/tmp/skimd_trial.XXXXXX" };
	assert_non_null(mkdtemp(trial->folder));
	for (size_t i = 0; i < sizeof(FOLDERS) / sizeof(FOLDERS[0]); i++)
		assert_int_equal(mkdir(trial_path(trial, FOLDERS[i]).text, 0700), 0);
	write_config(trial);
}

void trial_done(struct trial *trial)
{
	if (trial->daemon != 0)
		trial_kill(trial);
	remove_tree(trial->folder);
}

int trial_setup(void **state)
{
	static struct trial trial;

	trial_init(&trial);
	*state = &trial;
	return 0;
}

int trial_teardown(void **state)
{
	trial_done(*state);
	return 0;
}

static void append_sentence(struct buf *text, unsigned number, unsigned i)
{
	static const char *const WHO[] = { "river",   "warden", "engine", "mason",  "ledger",
		                           "harbour", "beacon", "miller", "signal", "bridge" };
	static const char *const DID[] = { "kept",  "moved",  "raised", "opened",  "counted",
		                           "found", "closed", "traded", "painted", "measured" };

	buf_printf(text, "The %s number %u of %u %s the letters of the %s.%s", WHO[(number + 7 * i) % 10], i,
	           number, DID[(number / 10 + i) % 10], WHO[(number + i / 11) % 10],
	           i % 5 == 4 ? "\n\n" : "\n");
}

void trial_drop(const struct trial *trial, const char *name, unsigned number, unsigned n_sentences)
{
	struct trial_path from = trial_path(trial, "drop/file");
	char inbox_name[TRIAL_NAME + 8];
	struct buf text = { 0 };

	for (unsigned i = 0; i < n_sentences; i++)
		append_sentence(&text, number, i);
	write_file(from.text, &text);
	buf_done(&text);
	snprintf(inbox_name, sizeof(inbox_name), "inbox/%s", name);
	assert_int_equal(rename(from.text, trial_path(trial, inbox_name).text), 0);
}

void trial_remove(const struct trial *trial, const char *name)
{
	char inbox_name[TRIAL_NAME + 8];

	snprintf(inbox_name, sizeof(inbox_name), "inbox/%s", name);
	assert_int_equal(unlink(trial_path(trial, inbox_name).text), 0);
}

void trial_command(const struct trial *trial, const char *last_option, struct trial_command *ret)
{
	const char *top = getenv("abs_top_builddir");

	snprintf(ret->program, sizeof(ret->program), "%s/skimd", top == NULL ? "." : top);
	snprintf(ret->config, sizeof(ret->config), "%s/skimd.yaml", trial->folder);
	ret->argv[0] = ret->program;
	ret->argv[1] = "-c";
	ret->argv[2] = ret->config;
	ret->argv[3] = last_option;
	ret->argv[4] = NULL;
}

static pid_t start(const struct trial *trial, const char *last_option)
{
	struct trial_path log = trial_path(trial, "log");
	struct trial_command command;
	pid_t child;

	trial_command(trial, last_option, &command);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int fd = open(log.text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		if (last_option != NULL)
			alarm(WAIT_S); /* it is to end by itself */
		execv(command.program, (char *const *)(uintptr_t)command.argv);
		_exit(127);
	}
	return child;
}

void trial_start(struct trial *trial)
{
	assert_int_equal(trial->daemon, 0);
	trial->daemon = start(trial, NULL);
}

static int end(struct trial *trial, int signal_number)
{
	int status;

	assert_int_equal(kill(trial->daemon, signal_number), 0);
	assert_int_equal(waitpid(trial->daemon, &status, 0), trial->daemon);
	trial->daemon = 0;
	return status;
}

/* That it was still there to be killed: an end of its own would be a crash. */
void trial_kill(struct trial *trial)
{
	int status = end(trial, SIGKILL);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
		trial_show_log(trial);
		fail_msg("the daemon had ended by itself, with status %#x", (unsigned)status);
	}
}

int trial_stop(struct trial *trial)
{
	return end(trial, SIGTERM);
}

int trial_once(struct trial *trial)
{
	pid_t child = start(trial, "--once");
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

void trial_show_log(const struct trial *trial)
{
	struct buf text = { 0 };

	if (file_read(trial_path(trial, "log").text, MAX_OUTPUT_BYTES, &text, NULL) == 0 && text.n > 0)
		fprintf(stderr, "%s\n", text.data + (text.n > LOG_END ? text.n - LOG_END : 0));
	buf_done(&text);
}

void trial_rows(const struct trial *trial, const char *sql, void (*each)(void *user, sqlite3_stmt *row),
                void *user)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *row = NULL;

	if (sqlite3_open_v2(trial_path(trial, "state/skimd.db").text, &db, SQLITE_OPEN_READONLY, NULL) ==
	            SQLITE_OK &&
	    sqlite3_busy_timeout(db, BUSY_MS) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, sql, -1, &row, NULL) == SQLITE_OK) {
		while (sqlite3_step(row) == SQLITE_ROW)
			each(user, row);
	}
	sqlite3_finalize(row);
	sqlite3_close(db);
}

void trial_retry(const struct trial *trial)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(trial_path(trial, "state/skimd.db").text, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
	                              "UPDATE document SET state = 'queued', error = NULL, retry = NULL,"
	                              " crashes = 0 WHERE state = 'failed'",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(db);
}

static void take_int(void *user, sqlite3_stmt *row)
{
	*(int64_t *)user = sqlite3_column_int64(row, 0);
}

static void take_text(void *user, sqlite3_stmt *row)
{
	const char *text = (const char *)sqlite3_column_text(row, 0);

	free(*(char **)user);
	*(char **)user = text == NULL ? NULL : strdup(text);
}

int64_t trial_int(const struct trial *trial, const char *sql)
{
	int64_t ret = -1;

	trial_rows(trial, sql, take_int, &ret);
	return ret;
}

char *trial_text(const struct trial *trial, const char *sql)
{
	char *ret = NULL;

	trial_rows(trial, sql, take_text, &ret);
	return ret;
}

/* Of another process's database there is no event; but looking shall not be what the machine is busy with. */
static void pause_for(double look_s)
{
	double s = SHARE * look_s > POLL_S ? SHARE * look_s : POLL_S;
	const struct timespec pause = { (time_t)s, (long)((s - (double)(time_t)s) * 1e9) };

	nanosleep(&pause, NULL);
}

void trial_wait(const struct trial *trial, const char *sql, int64_t expected)
{
	double changed = clock_seconds(), began = changed;
	int64_t found = -1, last = -1;

	while (began - changed < WAIT_S) {
		began = clock_seconds();
		found = trial_int(trial, sql);
		if (found == expected)
			return;
		if (found != last)
			changed = began;
		last = found;
		pause_for(clock_seconds() - began);
	}
	trial_show_log(trial);
	fail_msg("%s: %lld, expected %lld", sql, (long long)found, (long long)expected);
}

static bool ends_with(const char *text, const char *ending)
{
	size_t n = strlen(text), n_ending = strlen(ending);

	return n >= n_ending && strcmp(text + n - n_ending, ending) == 0;
}

static void check_whole(const char *path, const struct buf *text)
{
	json_t *json;

	if (ends_with(path, ".summary.md")) {
		if (text->n < 3 || strncmp(text->data, "# ", 2) != 0 || text->data[text->n - 1] != '\n')
			fail_msg("%s is not whole", path);
		return;
	}
	assert_true(ends_with(path, ".summary.json"));
	json = json_loadb(text->data == NULL ? "" : text->data, text->n, 0, NULL);
	if (json == NULL)
		fail_msg("%s is not whole", path);
	json_decref(json);
}

/* skimd.db knows these bytes as its own. */
static void check_known(const struct trial *trial, const char *path, const struct buf *text)
{
	char sha256[DIGEST_HEX];
	struct buf sql = { 0 };

	digest_hex(text->data, text->n, sha256);
	buf_printf(
		&sql,
		"SELECT count(*) FROM output WHERE path = '%s' AND sha256 = '%s' AND document_id IS NOT NULL",
		path, sha256);
	if (trial_int(trial, sql.data) != 1)
		fail_msg("%s has no row", path);
	buf_done(&sql);
}

/* nftw() has no room for a pointer of the caller's. */
static struct {
	const struct trial *trial;
	time_t since; /* what did not change since then was seen before */
	int64_t n, n_temporary;
} walk;

static int check_output(const char *path, const struct stat *st, int type, struct FTW *place)
{
	struct buf text = { 0 };

	if (type != FTW_F)
		return 0;
	if (file_is_temporary(path + place->base)) {
		walk.n_temporary++;
		return 0;
	}
	walk.n++;
	if (st->st_ctim.tv_sec < walk.since)
		return 0;
	assert_int_equal(file_read(path, MAX_OUTPUT_BYTES, &text, NULL), 0);
	check_whole(path, &text);
	check_known(walk.trial, path, &text);
	buf_done(&text);
	return 0;
}

static void check_outputs(const struct trial *trial, time_t since)
{
	int64_t n_published =
		trial_int(trial, "SELECT coalesce(sum(published AND state = 'done'), 0) FROM document");

	walk.trial = trial;
	walk.since = since;
	walk.n = walk.n_temporary = 0;
	nftw(trial_path(trial, "outbox").text, check_output, 16, FTW_PHYS);
	assert_true(walk.n >= 2 * n_published);
}

void trial_check_outputs(struct trial *trial)
{
	time_t now = time(NULL);

	check_outputs(trial, trial->checked - 1);
	trial->checked = now;
}

void trial_check_end(const struct trial *trial)
{
	check_outputs(trial, 0);
	assert_int_equal(walk.n_temporary, 0);
	assert_int_equal(
		trial_int(trial, "SELECT count(*) FROM document WHERE state = 'done' AND NOT published"), 0);
}

void trial_check_rows(const struct trial *trial)
{
	char *found = trial_text(trial, "PRAGMA integrity_check");

	if (found != NULL)
		assert_string_equal(found, "ok");
	free(found);
	assert_int_equal(trial_int(trial, "SELECT count(*) FROM (SELECT 1 FROM summary WHERE chunk_id IS NULL"
	                                  " GROUP BY document_id, kind, rank HAVING count(*) > 1)"),
	                 0);
	assert_int_equal(trial_int(trial,
	                           "SELECT count(*) FROM (SELECT 1 FROM summary WHERE chunk_id IS NOT NULL"
	                           " GROUP BY chunk_id, kind, rank HAVING count(*) > 1)"),
	                 0);
	assert_int_equal(
		trial_int(trial,
	                  "SELECT count(*) FROM document WHERE state = 'done' AND NOT EXISTS"
	                  " (SELECT 1 FROM summary WHERE document_id = document.id AND chunk_id IS NULL)"),
		0);
	assert_int_equal(trial_int(trial, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}
