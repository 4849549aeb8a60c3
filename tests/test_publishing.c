/* The step that makes a document done and writes its outputs, killed before each of its system calls in turn. What is seen
 * then is the previous version or the new one, whole, or nothing, and never without its row; after a restart all of it is
 * there, once. Otherwise every fifth call is taken, and with SKIMD_TEST_SHORT every fortieth; SKIMD_TEST_LONG takes all.
 * And with each of its writes failed for want of room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "pipeline/digest.h"
#include "tests/fixture.h"
#include "tests/tracer.h"
#include "tests/trial.h"

#define N_COMMITS_BEFORE 3 /* "reduce" as the stage, the results, the name of the first output */
#define N_SENTENCES 6

/* The worker's thread is the one that makes the first commit of the step, and its calls are counted from there. */
struct step {
	unsigned first_commit; /* of skimd.db in a run: the step begins with it; 0: not known yet */
	unsigned kill_at; /* the call of that thread, or the write that fails; 0: none */
	unsigned n_commits, n_calls;
	pid_t thread;
};

static bool is_commit(const struct tracer_call *call)
{
	static const char WAL[] = "/skimd.db-wal";
	char path[PATH_MAX];

	if (call->number != SYS_fdatasync && call->number != SYS_fsync)
		return false;
	tracer_descriptor(call, 0, path);
	return strlen(path) > strlen(WAL) && strcmp(path + strlen(path) - strlen(WAL), WAL) == 0;
}

static bool opens_temporary(const struct tracer_call *call)
{
	char path[PATH_MAX];

	if (call->number != SYS_openat)
		return false;
	tracer_string(call, 1, path);
	return strstr(path, "/outbox/.skimd.") != NULL;
}

/* Learns where the step begins. */
static enum tracer_order learn(void *user, const struct tracer_call *call)
{
	struct step *step = user;

	if (is_commit(call))
		step->n_commits++;
	if (step->first_commit == 0 && opens_temporary(call))
		step->first_commit = step->n_commits - N_COMMITS_BEFORE + 1;
	return TRACER_GO;
}

static enum tracer_order kill_in_turn(void *user, const struct tracer_call *call)
{
	struct step *step = user;

	if (is_commit(call) && ++step->n_commits == step->first_commit)
		step->thread = call->thread;
	if (call->thread != step->thread || ++step->n_calls != step->kill_at)
		return TRACER_GO;
	return TRACER_KILL;
}

static bool writes_file(const struct tracer_call *call)
{
	static const char LOG[] = "/log";
	char path[PATH_MAX];
	size_t n;

	if (call->number != SYS_write && call->number != SYS_pwrite64)
		return false;
	tracer_descriptor(call, 0, path);
	n = strlen(path);
	return path[0] == '/' && n > strlen(LOG) && strcmp(path + n - strlen(LOG), LOG) != 0;
}

static enum tracer_order fail_in_turn(void *user, const struct tracer_call *call)
{
	struct step *step = user;

	if (is_commit(call) && ++step->n_commits == step->first_commit)
		step->thread = call->thread;
	if (call->thread != step->thread || !writes_file(call) || ++step->n_calls != step->kill_at)
		return TRACER_GO;
	return TRACER_FAIL;
}

static int run(const struct trial *trial,
               enum tracer_order (*before)(void *user, const struct tracer_call *call), struct step *step)
{
	struct trial_path log = trial_path(trial, "log");
	struct trial_command command;
	struct tracer_settings settings = {
		.log = log.text, .error = ENOSPC, .before = before, .user = step
	};

	trial_command(trial, "--once", &command);
	settings.argv = command.argv;
	return tracer_run(&settings);
}

/* The outputs are of the file as it is now. */
static void check_current(const struct trial *trial, const char *name)
{
	struct trial_path folder = trial_path(trial, "inbox");
	struct path inbox, outbox;
	struct buf text, sql = { 0 };
	char sha256[DIGEST_HEX], output[TRIAL_NAME + 16];
	json_t *json;

	snprintf(inbox.text, sizeof(inbox.text), "%s", folder.text);
	folder = trial_path(trial, "outbox");
	snprintf(outbox.text, sizeof(outbox.text), "%s", folder.text);
	snprintf(output, sizeof(output), "%s.summary.json", name);
	text = folder_read(&inbox, name);
	digest_hex(text.data, text.n, sha256);
	json = folder_read_json(&outbox, output);
	assert_string_equal(json_string_value(json_object_get(json_object_get(json, "document"), "sha256")),
	                    sha256);
	buf_printf(&sql, "SELECT count(*) FROM output WHERE path LIKE '%%/%s.summary.%%'", name);
	assert_int_equal(trial_int(trial, sql.data), 2);
	json_decref(json);
	buf_done(&text);
	buf_done(&sql);
}

static void mend(struct trial *trial, const char *name)
{
	int status = trial_once(trial);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		trial_show_log(trial);
		fail_msg("the restart ended with status %#x", (unsigned)status);
	}
	trial_check_end(trial);
	trial_check_rows(trial);
	check_current(trial, name);
}

static unsigned stride(void)
{
	return getenv("SKIMD_TEST_LONG") != NULL ? 1 : tests_are_short() ? 40 : 5;
}

/* Where the step begins; 0: nothing can be traced here. number: of the next document, a new one each time or the one that
 * changes. */
static unsigned learn_first_commit(struct trial *trial, bool fresh, unsigned *number)
{
	struct step known = { 0 };
	char name[TRIAL_NAME];

	/* The first run makes the database, and so has more commits. */
	for (unsigned i = 0; i < 2; i++) {
		int status;

		known = (struct step){ 0 };
		snprintf(name, sizeof(name), "doc%u.txt", fresh ? *number : 0);
		trial_drop(trial, name, (*number)++, N_SENTENCES);
		status = run(trial, learn, &known);
		if (status < 0) {
			print_message("# nothing can be traced here: %s\n", strerror(-status));
			return 0;
		}
		assert_int_equal(status, 0);
	}
	return known.first_commit;
}

/* fresh: each time another document; else the one document is changed each time. */
static void kill_each(struct trial *trial, bool fresh)
{
	unsigned n_kills = 0, number = fresh ? 1000 : 2000;
	unsigned first_commit = learn_first_commit(trial, fresh, &number);
	char name[TRIAL_NAME];
	int status = 0;

	if (first_commit == 0)
		return;
	for (unsigned call = 1; status == 0 || WIFSIGNALED(status); call += stride()) {
		struct step step = { .first_commit = first_commit, .kill_at = call };

		snprintf(name, sizeof(name), "doc%u.txt", fresh ? number : 0);
		trial_drop(trial, name, number++, N_SENTENCES);
		status = run(trial, kill_in_turn, &step);
		trial_check_outputs(trial);
		mend(trial, name);
		if (status == 0)
			break;
		assert_int_equal(WTERMSIG(status), SIGKILL);
		n_kills++;
	}
	assert_int_equal(status, 0); /* the last one came behind the step's end */
	assert_true(n_kills > 100 / stride());
	print_message("# killed at %u places\n", n_kills);
}

static void a_new_document_is_published_wholly_wherever_it_is_killed(void **state)
{
	kill_each(*state, true);
}

static void a_changed_document_is_published_wholly_wherever_it_is_killed(void **state)
{
	kill_each(*state, false);
}

#define UNTOLD "SELECT count(*) FROM document WHERE published = 0 AND error IS NULL"

static void a_disk_that_is_full_for_a_moment_is_made_up_for_or_told(void **state)
{
	struct trial *trial = *state;
	unsigned number = 3000, first_commit = learn_first_commit(trial, true, &number), n_failed = 0;
	unsigned write = 1;
	struct step step;

	if (first_commit == 0)
		return;
	do {
		char name[TRIAL_NAME];
		int status;

		step = (struct step){ .first_commit = first_commit, .kill_at = write };
		snprintf(name, sizeof(name), "doc%u.txt", number);
		trial_drop(trial, name, number++, N_SENTENCES);
		status = run(trial, fail_in_turn, &step);
		trial_check_outputs(trial);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 0 && trial_int(trial, UNTOLD) > 0) {
			trial_show_log(trial);
			fail_msg("write %u: not published, and nothing says so", write);
		}
		mend(trial, name);
		n_failed += step.n_calls >= write;
		write += tests_are_short() ? 9 : 1;
	} while (step.n_calls >= step.kill_at);
	assert_true(n_failed > 5);
	print_message("# %u writes failed\n", n_failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_document_is_published_wholly_wherever_it_is_killed,
		                                trial_setup, trial_teardown),
		cmocka_unit_test_setup_teardown(a_changed_document_is_published_wholly_wherever_it_is_killed,
		                                trial_setup, trial_teardown),
		cmocka_unit_test_setup_teardown(a_disk_that_is_full_for_a_moment_is_made_up_for_or_told,
		                                trial_setup, trial_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
