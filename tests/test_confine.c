/* Each wall is tried from within, by a child process that walls itself in first. Where the kernel has no Landlock, what
 * would need it passes with a note. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/file.h"
#include "base/landlock.h"
#include "base/log.h"
#include "base/sanitized.h"
#include "base/seccomp.h"
#include "daemon/confine.h"
#include "pipeline/extract.h"
#include "tests/remove_tree.h"

/* A temporary folder with in/ (a.txt, and link, which leads out), in-more/, out/, model/ (config.json, a link to
 * blobs/config), cache/kv.db (a link to large/kv.db), etc/skimd.yaml, and secret. */
struct fixture {
	char folder[PATH_MAX];
	struct config *config;
	struct confine *confine;
};

static struct fixture fixture;

static const char *at(const char *name)
{
	static char paths[4][2 * PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", fixture.folder, name);
	return path;
}

static void put(const char *name, const char *text)
{
	assert_int_equal(file_make_folder_of(at(name), 0700, NULL), 0);
	assert_int_equal(file_replace(at(name), text, strlen(text), 0600, NULL), 0);
}

static int setup(void **state)
{
	char template[] = "/tmp/test_confine.XXXXXX";
	struct err err = { "" };

	(void)state;
	memset(&fixture, 0, sizeof(fixture));
	assert_non_null(mkdtemp(template));
	assert_non_null(realpath(template, fixture.folder));
	put("in/a.txt", "The harbour master opened the gate at noon.\n");
	put("secret", "nobody's business\n");
	put("blobs/config", "{}");
	put("blobs/other", "{}");
	put("in-more/b.txt", "b");
	assert_int_equal(symlink(at("secret"), at("in/link")), 0);
	assert_int_equal(mkdir(at("out"), 0700), 0);
	assert_int_equal(mkdir(at("state"), 0700), 0);
	assert_int_equal(mkdir(at("model"), 0700), 0);
	assert_int_equal(symlink("../blobs/config", at("model/config.json")), 0);
	put("large/kv.db", "");
	assert_int_equal(mkdir(at("cache"), 0700), 0);
	assert_int_equal(symlink("../large/kv.db", at("cache/kv.db")), 0);
	put("etc/skimd.yaml", "watch: [{path: ../in, outbox: ../out}]\nmodel: {path: ../model}\n"
	                      "store: {path: ../state/skimd.db}\nkv: {path: ../cache/kv.db}\n");
	assert_int_equal(config_read(at("etc/skimd.yaml"), &fixture.config, &err), 0);
	assert_int_equal(confine_plan(fixture.config, at("etc/skimd.yaml"), &fixture.confine, &err), 0);
	log_set_level(LOG_LEVEL_ERROR);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	confine_free(fixture.confine);
	config_free(fixture.config);
	return remove_tree(fixture.folder);
}

/* What `try` returns, an errno or 0, in a process behind the walls. */
static int walled(int (*try)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		confine_enter(fixture.confine);
		_exit(try());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int error_of(long r)
{
	return r < 0 ? errno : 0;
}

static int opening(const char *name, int flags)
{
	int fd = open(name, flags | O_CLOEXEC, 0600), error = error_of(fd);

	if (fd >= 0)
		close(fd);
	return error;
}

static bool has_landlock(void)
{
	if (landlock_version() > 0)
		return true;
	print_message("this kernel has no Landlock: nothing to be tried\n");
	return false;
}

static void the_plan_holds_what_the_configuration_names(void **state)
{
	static const struct {
		const char *name;
		bool read, write;
	} PATHS[] = {
		{ "in", true, false },
		{ "in/a.txt", true, false },
		{ "in-more", false, false },
		{ "in-more/b.txt", false, false },
		{ "out", true, true },
		{ "out/deep/a.md", true, true },
		{ "cache/kv.db", true, true },
		{ "large/kv.db-journal", true, true },
		{ "secret", false, false },
		{ "etc/skimd.yaml", true, false },
		{ "blobs/config", true, false },
		{ "blobs/other", false, false },
		{ "", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
		assert_int_equal(confine_covers(fixture.confine, at(PATHS[i].name), false), PATHS[i].read);
		assert_int_equal(confine_covers(fixture.confine, at(PATHS[i].name), true), PATHS[i].write);
	}
	assert_false(confine_covers(fixture.confine, "/etc/shadow", false));
	assert_false(confine_covers(fixture.confine, "/", false));
	assert_true(confine_covers(fixture.confine, "/etc/passwd", false));
}

static void the_plan_is_shown(void **state)
{
	char *text = NULL, expected[PATH_MAX + 8];
	size_t n;
	FILE *stream = open_memstream(&text, &n);

	(void)state;
	confine_print(fixture.confine, stream);
	assert_int_equal(fclose(stream), 0);
	snprintf(expected, sizeof(expected), "  %s\n", at("in"));
	assert_non_null(strstr(text, expected));
	assert_true(strstr(text, expected) < strstr(text, "that it may also write:"));
	snprintf(expected, sizeof(expected), "  %s\n", at("out"));
	assert_true(strstr(text, expected) > strstr(text, "that it may also write:"));
	free(text);
}

static int read_document(void)
{
	int fd = open(at("in/a.txt"), O_RDONLY | O_CLOEXEC);
	struct extracted extracted = { 0 };
	int r = fd < 0 ? -errno : extract_file(fd, "a.txt", NULL, NULL, &extracted, NULL);

	if (fd >= 0)
		close(fd);
	extracted_done(&extracted);
	return -r;
}

static int write_output(void)
{
	return -file_replace(at("out/a.txt.summary.md"), "x", 1, 0640, NULL);
}

static int make_output_folder(void)
{
	return error_of(mkdir(at("out/deep"), 0700));
}

static int write_state(void)
{
	return opening(at("state/skimd.db"), O_RDWR | O_CREAT);
}

static int write_linked_cache(void)
{
	int error = opening(at("cache/kv.db"), O_RDWR);

	return error != 0 ? error : opening(at("large/kv.db-journal"), O_RDWR | O_CREAT);
}

static int read_model(void)
{
	return opening(at("model/config.json"), O_RDONLY);
}

static int read_configuration(void)
{
	return opening(at("etc/skimd.yaml"), O_RDONLY);
}

static void *walk(void *user)
{
	*(int *)user = opening(at("secret"), O_RDONLY);
	return NULL;
}

static int start_thread(void)
{
	pthread_t thread;
	int error = 0;

	if (pthread_create(&thread, NULL, walk, &error) != 0)
		return EAGAIN;
	pthread_join(thread, NULL);
	return landlock_version() > 0 && error != EACCES ? EINVAL : 0;
}

static int unix_socket(void)
{
	return error_of(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static void what_the_daemon_does_goes_on_within(void **state)
{
	(void)state;
	assert_int_equal(walled(read_document), 0);
	assert_int_equal(walled(write_output), 0);
	assert_int_equal(walled(make_output_folder), 0);
	assert_int_equal(walled(write_state), 0);
	assert_int_equal(walled(write_linked_cache), 0);
	assert_int_equal(walled(read_model), 0);
	assert_int_equal(walled(read_configuration), 0);
	assert_int_equal(walled(unix_socket), 0);
}

static void a_thread_is_within_as_well(void **state)
{
	(void)state;
	assert_int_equal(walled(start_thread), 0);
}

static int read_secret(void)
{
	return opening(at("secret"), O_RDONLY);
}

static int follow_link(void)
{
	return opening(at("in/link"), O_RDONLY);
}

static int read_neighbour(void)
{
	return opening(at("in-more/b.txt"), O_RDONLY);
}

static int read_other_blob(void)
{
	return opening(at("blobs/other"), O_RDONLY);
}

static int list_above(void)
{
	return opening(fixture.folder, O_RDONLY | O_DIRECTORY);
}

static int write_document(void)
{
	return opening(at("in/a.txt"), O_WRONLY);
}

static int add_document(void)
{
	return opening(at("in/new"), O_WRONLY | O_CREAT);
}

static int remove_document(void)
{
	return error_of(unlink(at("in/a.txt")));
}

static int write_configuration(void)
{
	return opening(at("etc/skimd.yaml"), O_WRONLY | O_APPEND);
}

static int write_elsewhere(void)
{
	return opening(at("new"), O_WRONLY | O_CREAT);
}

static int make_link(void)
{
	return error_of(symlink("/etc", at("out/etc")));
}

static int take_document(void)
{
	return error_of(rename(at("in/a.txt"), at("out/a.txt")));
}

static int read_process(void)
{
	return opening("/proc/1/status", O_RDONLY);
}

static int read_from_child(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(read_secret());
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void other_files_are_closed(void **state)
{
	(void)state;
	if (!has_landlock())
		return;
	assert_int_equal(walled(read_secret), EACCES);
	assert_int_equal(walled(follow_link), EACCES);
	assert_int_equal(walled(read_neighbour), EACCES);
	assert_int_equal(walled(read_other_blob), EACCES);
	assert_int_equal(walled(list_above), EACCES);
	assert_int_equal(walled(write_elsewhere), EACCES);
#ifndef SKIMD_SANITIZED /* sanitizers look at processes */
	assert_int_equal(walled(read_process), EACCES);
#else
	(void)read_process;
#endif
	assert_int_equal(walled(read_from_child), EACCES);
}

static void what_is_read_cannot_be_written(void **state)
{
	(void)state;
	if (!has_landlock())
		return;
	assert_int_equal(walled(write_document), EACCES);
	assert_int_equal(walled(add_document), EACCES);
	assert_int_equal(walled(remove_document), EACCES);
	assert_int_equal(walled(write_configuration), EACCES);
	assert_int_equal(walled(make_link), EACCES);
	assert_int_not_equal(walled(take_document), 0);
	assert_int_equal(access(at("in/a.txt"), F_OK), 0);
}

static int truncate_document(void)
{
	return error_of(truncate(at("in/a.txt"), 0));
}

static void what_is_read_cannot_be_truncated(void **state)
{
	(void)state;
	if (landlock_version() < 3) {
		print_message("this kernel's Landlock lets through truncate(2)\n");
		return;
	}
	assert_int_equal(walled(truncate_document), EACCES);
}

static int run_program(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	return error_of(execv("/bin/true", argv));
}

static void no_other_program_is_started(void **state)
{
	(void)state;
	if (has_landlock())
		assert_int_equal(walled(run_program), EACCES);
}

static void a_program_that_is_replaced_is_known(void **state)
{
	struct err err = { "" };

	(void)state;
	confine_free(fixture.confine);
	fixture.confine = NULL;
	put("program", "one");
	assert_int_equal(setenv("SKIMD_EXTRACT", at("program"), 1), 0);
	assert_int_equal(confine_plan(fixture.config, at("etc/skimd.yaml"), &fixture.confine, &err), 0);
	unsetenv("SKIMD_EXTRACT");
	assert_null(confine_replaced(fixture.confine));
	put("in/a.txt", "Another file."); /* no program */
	assert_null(confine_replaced(fixture.confine));
	put("program.new", "two");
	assert_int_equal(rename(at("program"), at("program.old")),
	                 0); /* so that no new file is what it was */
	assert_null(confine_replaced(fixture.confine));
	assert_int_equal(link(at("program.new"), at("program")), 0);
	assert_string_equal(confine_replaced(fixture.confine), at("program"));
	assert_int_equal(rename(at("program.old"), at("program")), 0);
	assert_null(confine_replaced(fixture.confine));
}

static int inet(void)
{
	return error_of(socket(AF_INET, SOCK_STREAM, 0));
}

static int inet6(void)
{
	return error_of(socket(AF_INET6, SOCK_DGRAM, 0));
}

static int netlink(void)
{
	return error_of(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int packet(void)
{
	return error_of(socket(AF_PACKET, SOCK_RAW, 0));
}

static void there_is_no_network(void **state)
{
	(void)state;
	assert_int_equal(walled(inet), EAFNOSUPPORT);
	assert_int_equal(walled(inet6), EAFNOSUPPORT);
	assert_int_equal(walled(netlink), EAFNOSUPPORT);
	assert_int_equal(walled(packet), EAFNOSUPPORT);
}

/* The argument has other bits above those that the kernel looks at. */
static int disguised_inet(void)
{
	return error_of(syscall(SYS_socket, (UINT64_C(1) << 32) | AF_INET, SOCK_STREAM, 0));
}

static void no_disguise_gets_past_the_filter(void **state)
{
	(void)state;
	assert_int_equal(walled(disguised_inet), EAFNOSUPPORT);
}

#ifdef __x86_64__
static int x32_getpid(void)
{
	return error_of(syscall(0x40000000 + SYS_getpid));
}

static void the_other_numbers_of_this_processor_are_refused(void **state)
{
	(void)state;
	assert_int_equal(walled(x32_getpid), ENOSYS);
}
#endif

static int trace(void)
{
	return error_of(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int read_memory(void)
{
	return error_of(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}

static int load_bpf(void)
{
	return error_of(syscall(SYS_bpf, 0, NULL, 0));
}

static int io_uring(void)
{
	return error_of(syscall(SYS_io_uring_setup, 1, NULL));
}

static int fault_handler(void)
{
	return error_of(syscall(SYS_userfaultfd, 0));
}

static int perf_events(void)
{
	return error_of(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
}

static int keys(void)
{
	return error_of(syscall(SYS_keyctl, 0, 0));
}

static int change_personality(void)
{
	return error_of(personality(ADDR_NO_RANDOMIZE));
}

static int mount_something(void)
{
	return error_of(mount("none", at("out"), "tmpfs", 0, NULL));
}

static int load_module(void)
{
	return error_of(syscall(SYS_init_module, NULL, 0, ""));
}

static int set_clock(void)
{
	return error_of(syscall(SYS_clock_settime, CLOCK_REALTIME, NULL));
}

static void calls_that_it_never_makes_are_refused(void **state)
{
	static int (*const TRIES[])(void) = { read_memory, load_bpf, io_uring,           fault_handler,
		                              perf_events, keys,     change_personality, mount_something,
		                              load_module, set_clock };

	(void)state;
#ifndef SKIMD_SANITIZED
	assert_int_equal(walled(trace), EPERM);
#else
	(void)trace;
#endif
	for (size_t i = 0; i < sizeof(TRIES) / sizeof(TRIES[0]); i++)
		assert_int_equal(walled(TRIES[i]), EPERM);
}

static int leave_namespace(void)
{
	return error_of(unshare(CLONE_NEWUSER));
}

static int clone_namespace(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return error_of(pid);
}

static int clone_hidden(void)
{
	return error_of(syscall(SYS_clone3, NULL, 0));
}

static void no_namespace_is_made(void **state)
{
	(void)state;
	assert_int_equal(walled(leave_namespace), EPERM);
	assert_int_equal(walled(clone_namespace), EPERM);
	assert_int_equal(walled(clone_hidden), ENOSYS);
}

static int privileges(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : EPERM;
}

static void no_privileges_are_gained(void **state)
{
	(void)state;
	assert_int_equal(walled(privileges), 0);
}

/* A kernel that does not have one call, as far as this process can tell. */
static void be_without(unsigned call)
{
	struct sock_filter lines[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, call },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};
	const struct sock_fprog filter = { sizeof(lines) / sizeof(lines[0]), lines };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		_exit(255);
}

/* The errors of opening what is outside and of making a socket, on a kernel without that call. */
static void walled_without(unsigned call, int ret[2])
{
	int ends[2], errors[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		be_without(call);
		log_set_level(LOG_LEVEL_ERROR);
		confine_enter(fixture.confine);
		errors[0] = read_secret();
		errors[1] = inet();
		_exit(write(ends[1], errors, sizeof(errors)) == sizeof(errors) ? 0 : 1);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], ret, sizeof(errors)), sizeof(errors));
	close(ends[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void without_landlock_the_other_wall_stands(void **state)
{
	int errors[2];

	(void)state;
	walled_without(SYS_landlock_create_ruleset, errors);
	assert_int_equal(errors[0], 0);
	assert_int_equal(errors[1], EAFNOSUPPORT);
}

static void without_seccomp_the_other_wall_stands(void **state)
{
	int errors[2];

	(void)state;
	if (!has_landlock())
		return;
	walled_without(SYS_seccomp, errors);
	assert_int_equal(errors[0], EACCES);
	assert_int_not_equal(errors[1], EAFNOSUPPORT);
}

struct other_thread {
	pthread_barrier_t filtered, tried;
};

static void *filter_itself(void *user)
{
	struct other_thread *other = user;

	be_without(SYS_acct);
	pthread_barrier_wait(&other->filtered);
	pthread_barrier_wait(&other->tried);
	return NULL;
}

/* The kernel then names the thread, and sets no errno. */
static void a_filter_that_not_all_threads_can_have_is_an_error(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct seccomp_filter filter;
		struct other_thread other;
		pthread_t thread;
		int r;

		pthread_barrier_init(&other.filtered, NULL, 2);
		pthread_barrier_init(&other.tried, NULL, 2);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    pthread_create(&thread, NULL, filter_itself, &other) != 0)
			_exit(255);
		pthread_barrier_wait(&other.filtered);
		seccomp_begin(&filter);
		errno = 0;
		r = seccomp_enter(&filter, SECCOMP_RET_ALLOW, NULL);
		pthread_barrier_wait(&other.tried);
		pthread_join(thread, NULL);
		_exit(r == -ESRCH ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_plan_holds_what_the_configuration_names),
		TEST(the_plan_is_shown),
		TEST(what_the_daemon_does_goes_on_within),
		TEST(a_thread_is_within_as_well),
		TEST(other_files_are_closed),
		TEST(what_is_read_cannot_be_written),
		TEST(what_is_read_cannot_be_truncated),
		TEST(no_other_program_is_started),
		TEST(a_program_that_is_replaced_is_known),
		TEST(there_is_no_network),
		TEST(no_disguise_gets_past_the_filter),
#ifdef __x86_64__
		TEST(the_other_numbers_of_this_processor_are_refused),
#endif
		TEST(calls_that_it_never_makes_are_refused),
		TEST(no_namespace_is_made),
		TEST(no_privileges_are_gained),
		TEST(without_landlock_the_other_wall_stands),
		TEST(without_seccomp_the_other_wall_stands),
		TEST(a_filter_that_not_all_threads_can_have_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
