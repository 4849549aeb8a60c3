/* `skimd --once` over one small document, where one call of the system fails, or all from one on: each in turn. No fault ends
 * it by a crash or leaves something partial to be seen, the reason is told, and a run without faults mends all. Otherwise a
 * part of the calls is taken, spread evenly; with SKIMD_TEST_SHORT a small one; SKIMD_TEST_LONG takes all, or with
 * SKIMD_TEST_PART=K/N the K-th of every N of them, so that N runs, each of a time that can be waited for, take all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fixture.h"
#include "tests/tracer.h"
#include "tests/trial.h"

#define N_SENTENCES 6
#define MAX_ALLOCATIONS 100000
#define MOST_DOCUMENTS 20 /* in one folder */
#define ALLOCATIONS_STRIDE 7 /* of all: there are very many, most of them in loops */

/* Calls of one kind, and what becomes of them. */
struct kind {
	const char *name;
	bool (*is_one)(const struct kind *kind, const struct tracer_call *call);
	long numbers[12]; /* ends with 0, which is read(), so that comes first if at all */
	int error; /* 0: the call takes half of its bytes */
	bool lasting; /* this call and all behind it */
};

struct fault {
	const struct trial *trial;
	const struct kind *kind;
	unsigned at; /* 0: none; count only */
	unsigned n;
	bool begun; /* the program's own work has */
};

static bool has_number(const struct kind *kind, const struct tracer_call *call)
{
	for (size_t i = 0; i == 0 || (i < COUNT(kind->numbers) && kind->numbers[i] != 0); i++) {
		if ((uint64_t)kind->numbers[i] == call->number)
			return true;
	}
	return false;
}

static bool is_ours(const char *path)
{
	return strstr(path, "/skimd_trial.") != NULL || strstr(path, "/tests/data/tiny") != NULL;
}

static bool names_file(const struct kind *kind, const struct tracer_call *call)
{
	char path[PATH_MAX];

	if (!has_number(kind, call))
		return false;
	tracer_string(call, call->number == SYS_rename || call->number == SYS_mkdir ? 0 : 1, path);
	return is_ours(path);
}

static bool has_file(const struct kind *kind, const struct tracer_call *call)
{
	char path[PATH_MAX];

	if (!has_number(kind, call))
		return false;
	tracer_descriptor(call, 0, path);
	return is_ours(path) && strcmp(path + strlen(path) - 4, "/log") != 0;
}

static const struct kind KINDS[] = {
	{ "open, EMFILE", names_file, { SYS_openat, SYS_openat2 }, EMFILE, false },
	{ "open, EMFILE and so on", names_file, { SYS_openat, SYS_openat2 }, EMFILE, true },
	{ "open, EIO", names_file, { SYS_openat, SYS_openat2 }, EIO, false },
	{ "descriptors, EMFILE",
	  has_number,
	  { SYS_epoll_create1, SYS_eventfd2, SYS_timerfd_create, SYS_signalfd4, SYS_inotify_init1,
	    SYS_socket },
	  EMFILE,
	  false },
	{ "read, EIO", has_file, { SYS_read, SYS_pread64 }, EIO, false },
	{ "read, short", has_file, { SYS_read, SYS_pread64 }, 0, false },
	{ "write, ENOSPC", has_file, { SYS_write, SYS_pwrite64 }, ENOSPC, false },
	{ "write, ENOSPC and so on", has_file, { SYS_write, SYS_pwrite64 }, ENOSPC, true },
	{ "write, EIO", has_file, { SYS_write, SYS_pwrite64 }, EIO, false },
	{ "write, short", has_file, { SYS_write, SYS_pwrite64 }, 0, false },
	{ "sync, EIO", has_file, { SYS_fsync, SYS_fdatasync }, EIO, false },
	{ "truncate, EIO", has_file, { SYS_ftruncate, SYS_fallocate }, EIO, false },
	{ "rename, EIO", names_file, { SYS_rename, SYS_renameat, SYS_renameat2 }, EIO, false },
	{ "mkdir, ENOSPC", names_file, { SYS_mkdir, SYS_mkdirat }, ENOSPC, false },
	{ "mmap, ENOMEM", has_number, { SYS_mmap }, ENOMEM, false },
	{ "mmap, ENOMEM and so on", has_number, { SYS_mmap }, ENOMEM, true },
	{ "thread, EAGAIN", has_number, { SYS_clone3, SYS_clone }, EAGAIN, false },
};

/* What comes before the configuration is opened is the loader's. */
static bool begins(const struct tracer_call *call)
{
	char path[PATH_MAX];

	if (call->number != SYS_openat)
		return false;
	tracer_string(call, 1, path);
	return strstr(path, "/skimd.yaml") != NULL;
}

static enum tracer_order fail_in_turn(void *user, const struct tracer_call *call)
{
	struct fault *fault = user;

	if (!fault->begun)
		fault->begun = begins(call);
	if (!fault->begun || !fault->kind->is_one(fault->kind, call))
		return TRACER_GO;
	fault->n++;
	if (fault->at == 0 || (fault->n != fault->at && !(fault->kind->lasting && fault->n > fault->at)))
		return TRACER_GO;
	return fault->kind->error == 0 ? TRACER_SHORT : TRACER_FAIL;
}

static int run(const struct trial *trial, struct fault *fault)
{
	struct trial_path log = trial_path(trial, "log");
	struct trial_command command;
	struct tracer_settings settings = {
		.log = log.text, .error = fault->kind->error, .before = fail_in_turn, .user = fault
	};

	trial_command(trial, "--once", &command);
	settings.argv = command.argv;
	unlink(log.text);
	return tracer_run(&settings);
}

static void drop(const struct trial *trial, char name[TRIAL_NAME])
{
	static unsigned number = 3000;

	snprintf(name, TRIAL_NAME, "doc%u.txt", number);
	trial_drop(trial, name, number++, N_SENTENCES);
}

static char *state_of(const struct trial *trial, const char *column, const char *name)
{
	struct buf sql = { 0 };
	char *ret;

	buf_printf(&sql, "SELECT %s FROM document WHERE name = '%s'", column, name);
	ret = trial_text(trial, sql.data);
	buf_done(&sql);
	return ret;
}

static bool is_done(const struct trial *trial, const char *name)
{
	char *state = state_of(trial, "state || published", name);
	bool ret = state != NULL && strcmp(state, "done1") == 0;

	free(state);
	return ret;
}

static size_t log_bytes(const struct trial *trial)
{
	struct stat st;

	return stat(trial_path(trial, "log").text, &st) == 0 ? (size_t)st.st_size : 0;
}

/* A run that did not do its work said why: in the log, by its exit status, or beside the document. */
static void check_told(const struct trial *trial, const char *what, const char *name, int status)
{
	char *error = state_of(trial, "error", name);

	if (!is_done(trial, name) && error == NULL && (WEXITSTATUS(status) == 0 || log_bytes(trial) == 0)) {
		trial_show_log(trial);
		fail_msg("%s: '%s' is not done, and nothing says why", what, name);
	}
	free(error);
}

/* A document that has failed is read again when its file is written again, as a user would. */
static void mend(struct trial *trial, const char *what, const char *name)
{
	char inbox_name[TRIAL_NAME + 8];

	if (!is_done(trial, name))
		assert_int_equal(trial_once(trial), 0);
	if (!is_done(trial, name)) {
		char *error = state_of(trial, "error", name);

		if (error == NULL)
			fail_msg("%s: '%s' is not done after a run without faults, and nothing says why",
			         what, name);
		free(error);
		snprintf(inbox_name, sizeof(inbox_name), "inbox/%s", name);
		assert_int_equal(utimensat(AT_FDCWD, trial_path(trial, inbox_name).text, NULL, 0), 0);
		assert_int_equal(trial_once(trial), 0);
	}
	if (!is_done(trial, name)) {
		trial_show_log(trial);
		fail_msg("%s: '%s' is not mended", what, name);
	}
	trial_check_end(trial);
	trial_check_rows(trial);
}

static void check_outcome(struct trial *trial, const char *what, const char *name, int status)
{
	if (!WIFEXITED(status)) {
		trial_show_log(trial);
		fail_msg("%s: ended by signal %d", what, WTERMSIG(status));
	}
	trial_check_outputs(trial);
	check_told(trial, what, name, status);
	mend(trial, what, name);
}

/* So many of n. */
static struct part places_of(unsigned n)
{
	unsigned most = tests_are_short() ? 1 : 2, stride = n <= most ? 1 : n / most;

	return getenv("SKIMD_TEST_LONG") != NULL ? tests_part() : (struct part){ (stride + 1) / 2, stride };
}

/* Each document that is known adds to the calls and allocations of a run: without that, places would move ahead of the
 * counting, which would never reach the last. */
static void start_afresh(struct trial *trial, unsigned n_faults)
{
	if (n_faults % MOST_DOCUMENTS != 0)
		return;
	trial_done(trial);
	trial_init(trial);
}

/* False: nothing can be traced here. */
static bool fail_each(struct trial *trial, const struct kind *kind)
{
	struct fault count = { .trial = trial, .kind = kind };
	char name[TRIAL_NAME], what[128];
	struct part places;
	unsigned n_faults = 0;
	int status;

	drop(trial, name);
	status = run(trial, &count);
	if (status == -EPERM) {
		print_message("# nothing can be traced here\n");
		return false;
	}
	check_outcome(trial, "no fault", name, status);
	places = places_of(count.n);
	for (unsigned at = places.first; at <= count.n; at += places.stride) {
		struct fault fault = { .trial = trial, .kind = kind, .at = at };

		snprintf(what, sizeof(what), "%s at %u of %u", kind->name, at, count.n);
		drop(trial, name);
		status = run(trial, &fault);
		check_outcome(trial, what, name, status);
		start_afresh(trial, ++n_faults);
	}
	print_message("# %s: %u calls, %u of them failed in turn\n", kind->name, count.n, n_faults);
	return true;
}

static void no_failing_call_loses_or_breaks_a_document(void **state)
{
	for (size_t i = 0; i < COUNT(KINDS); i++) {
		if (!fail_each(*state, &KINDS[i]))
			return;
	}
}

/* Whether allocations can be made to fail. */
static bool can_preload(char *ret_library)
{
	const char *top = getenv("abs_top_builddir");

	snprintf(ret_library, PATH_MAX, "%s/tests/faults.so", top == NULL ? "." : top);
	return !TRIAL_SANITIZED && access(ret_library, R_OK) == 0;
}

static int once_with_fault(struct trial *trial, const char *library, unsigned at, bool lasting)
{
	char number[16];
	int status;

	snprintf(number, sizeof(number), "%u", at);
	unlink(trial_path(trial, "log").text);
	setenv("LD_PRELOAD", library, 1);
	setenv("SKIMD_FAULT_ALLOCATION", number, 1);
	setenv("SKIMD_FAULT_LASTING", lasting ? "1" : "0", 1);
	status = trial_once(trial);
	unsetenv("LD_PRELOAD");
	return status;
}

/* The stride is a prime, so that it meets each of the loops that allocate. */
static void no_failing_allocation_loses_or_breaks_a_document(void **state)
{
	struct part places = { 1, tests_are_short() ? 1999 : 743 };
	unsigned n_untouched = 0, n_faults = 0;
	char library[PATH_MAX], name[TRIAL_NAME], what[64];
	struct trial *trial = *state;

	if (!can_preload(library)) {
		print_message("# no allocation can be made to fail in this build\n");
		return;
	}
	if (getenv("SKIMD_TEST_LONG") != NULL) {
		places = tests_part();
		places.stride *= ALLOCATIONS_STRIDE;
	}
	/* Behind its last allocation a run is as it is without faults. */
	for (unsigned at = places.first; n_untouched < 3 && at < MAX_ALLOCATIONS; at += places.stride) {
		bool lasting = n_faults % 2 == 1;
		int status;

		snprintf(what, sizeof(what), "allocation %u%s", at, lasting ? " and so on" : "");
		drop(trial, name);
		status = once_with_fault(trial, library, at, lasting);
		n_untouched = status == 0 && is_done(trial, name) ? n_untouched + 1 : 0;
		check_outcome(trial, what, name, status);
		start_afresh(trial, ++n_faults);
	}
	print_message("# %u allocations failed in turn\n", n_faults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_failing_call_loses_or_breaks_a_document, trial_setup,
		                                trial_teardown),
		cmocka_unit_test_setup_teardown(no_failing_allocation_loses_or_breaks_a_document, trial_setup,
		                                trial_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
