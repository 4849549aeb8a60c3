#include "pipeline/extract_selftest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/sanitized.h"
#include "pipeline/extract_walls.h"

#define MEMORY_BYTES ((uint64_t)256 << 20)
#define CPU_SECONDS 1u
#define N_FORKS 64

/* A process's end tells: this code, that what it tried was done. */
#define DONE 42

enum walled { WALLED_PARSER, WALLED_PROGRAM };

struct attempt {
	const char *what;
	enum walled walled;
	void (*run)(void); /* returns where it was refused */
	bool needs_files; /* the wall that is to stop it is Landlock, or else seccomp */
};

static pid_t parent;

static _Noreturn void done(void)
{
	_exit(DONE);
}

static void done_if(bool yes)
{
	if (yes)
		done();
}

static void open_file(void)
{
	done_if(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
}

static void open_process(void)
{
	done_if(open("/proc/self/environ", O_RDONLY | O_CLOEXEC) >= 0);
}

static void make_file(void)
{
	done_if(open("/tmp/skimd-extract.selftest", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0);
}

static void open_to_write(void)
{
	done_if(open("/dev/null", O_WRONLY | O_TRUNC | O_CLOEXEC) >= 0);
}

/* Also one that is open already, as the document is. */
static void write_file(void)
{
	done_if(write(STDIN_FILENO, "x", 1) > 0);
}

static void truncate_file(void)
{
	done_if(ftruncate(STDIN_FILENO, 1 << 20) == 0);
}

static void remove_file(void)
{
	done_if(unlink("/tmp/skimd-extract.selftest") == 0 || errno == ENOENT);
}

static void open_socket(void)
{
	done_if(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
}

static void open_local_socket(void)
{
	done_if(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
}

static void run_shell(void)
{
	char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "exit 42" }, NULL };
	char *const environment[] = { NULL };

	execve("/bin/sh", argv, environment);
}

static void fork_many(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_FORKS; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(EXIT_SUCCESS);
		n += pid > 0;
	}
	done_if(n > 0);
}

static void trace_parent(void)
{
	done_if(ptrace(PTRACE_ATTACH, parent, NULL, NULL) == 0);
}

static void signal_parent(void)
{
	done_if(kill(parent, SIGCONT) == 0);
}

/* The way of abort(3), but to another. */
static void signal_thread_of_parent(void)
{
	done_if(syscall(SYS_tgkill, parent, parent, SIGCONT) == 0);
}

/* By way of an open descriptor: whom the kernel tells when something happens to it. */
static void own_descriptor_for_parent(void)
{
	done_if(fcntl(STDOUT_FILENO, F_SETOWN, parent) == 0);
}

/* How a library ends that has found its own data broken: it shall be seen as that. */
static void abort_itself(void)
{
	abort();
}

static void limit_parent(void)
{
	const struct rlimit none = { 0, 0 };

	done_if(syscall(SYS_prlimit64, parent, RLIMIT_NICE, &none, NULL) == 0);
}

static void raise_limit(void)
{
	const struct rlimit most = { RLIM_INFINITY, RLIM_INFINITY };

	done_if(setrlimit(RLIMIT_FSIZE, &most) == 0);
}

static void leave_session(void)
{
	done_if(setsid() >= 0 || setpgid(0, 0) == 0);
}

static void map_code(void)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	done_if(code != MAP_FAILED);
}

static void take_memory(void)
{
	for (unsigned i = 0; i < 64; i++) {
		void *memory = mmap(NULL, MEMORY_BYTES / 8, PROT_READ | PROT_WRITE,
		                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (memory == MAP_FAILED)
			return;
	}
	done();
}

static void take_time(void)
{
	struct timespec began, now;

	clock_gettime(CLOCK_MONOTONIC, &began);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while (now.tv_sec - began.tv_sec < 60);
	done();
}

static void open_many(void)
{
	int fd = 0;

	for (unsigned i = 0; i < 1024 && fd >= 0; i++)
		fd = fcntl(STDIN_FILENO, F_DUPFD, 0);
	done_if(fd >= 0);
}

static const struct attempt ATTEMPTS[] = {
	{ "open a file", WALLED_PARSER, open_file, false },
	{ "make a file", WALLED_PARSER, make_file, false },
	{ "write to the document", WALLED_PARSER, write_file, false },
	{ "truncate or lengthen the document", WALLED_PARSER, truncate_file, false },
	{ "remove a file", WALLED_PARSER, remove_file, false },
	{ "open a network socket", WALLED_PARSER, open_socket, false },
	{ "open a local socket", WALLED_PARSER, open_local_socket, false },
	{ "run a program", WALLED_PARSER, run_shell, false },
	{ "fork", WALLED_PARSER, fork_many, false },
	{ "trace another process", WALLED_PARSER, trace_parent, false },
	{ "signal another process", WALLED_PARSER, signal_parent, false },
	{ "signal a thread of another process", WALLED_PARSER, signal_thread_of_parent, false },
	{ "have another process signalled", WALLED_PARSER, own_descriptor_for_parent, false },
	{ "abort itself, which it may", WALLED_PARSER, abort_itself, false },
	{ "limit another process", WALLED_PARSER, limit_parent, false },
	{ "raise a limit", WALLED_PARSER, raise_limit, false },
	{ "leave its session", WALLED_PARSER, leave_session, false },
	{ "make new code", WALLED_PARSER, map_code, false },
	{ "open more and more", WALLED_PARSER, open_many, false },
	{ "take more and more memory", WALLED_PARSER, take_memory, false },
	{ "take more and more processor time", WALLED_PARSER, take_time, false },
	{ "open a file, as pdftotext", WALLED_PROGRAM, open_file, true },
	{ "read a process's environment, as pdftotext", WALLED_PROGRAM, open_process, true },
	{ "make a file, as pdftotext", WALLED_PROGRAM, make_file, false },
	{ "open a file to write to it, as pdftotext", WALLED_PROGRAM, open_to_write, false },
	{ "write to the document, as pdftotext", WALLED_PROGRAM, write_file, false },
	{ "remove a file, as pdftotext", WALLED_PROGRAM, remove_file, false },
	{ "open a network socket, as pdftotext", WALLED_PROGRAM, open_socket, false },
	{ "run another program, as pdftotext", WALLED_PROGRAM, run_shell, true },
	{ "fork, as pdftotext", WALLED_PROGRAM, fork_many, false },
	{ "trace another process, as pdftotext", WALLED_PROGRAM, trace_parent, false },
	{ "signal another process, as pdftotext", WALLED_PROGRAM, signal_parent, false },
	{ "limit another process, as pdftotext", WALLED_PROGRAM, limit_parent, false },
	{ "take more and more memory, as pdftotext", WALLED_PROGRAM, take_memory, false },
};

#define N_ATTEMPTS (sizeof(ATTEMPTS) / sizeof(ATTEMPTS[0]))

/* A file that is open for writing, which the document never is. */
static void open_document(void)
{
	int fd = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (fd >= 0)
		dup2(fd, STDIN_FILENO);
}

static _Noreturn void attempt(const struct attempt *attempt)
{
	const struct walls_limits limits = { MEMORY_BYTES, CPU_SECONDS };
	struct walls walls;

	open_document();
	program_path(PROGRAM_PDFTOTEXT);
	if (walls_limit(&limits, NULL) < 0)
		done();
	walls = attempt->walled == WALLED_PARSER ? walls_enter_parser()
	                                         : walls_enter_program(PROGRAM_PDFTOTEXT);
	if (!walls.calls || (attempt->needs_files && !walls.files))
		_exit(DONE + 1);
	attempt->run();
	_exit(EXIT_SUCCESS);
}

/* In words, how the process ended. */
static void describe(int status, char *ret, size_t n)
{
	if (WIFSIGNALED(status))
		snprintf(ret, n, "ended by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == EXIT_SUCCESS)
		snprintf(ret, n, "refused");
	else
		snprintf(ret, n, "%s", WEXITSTATUS(status) == DONE ? "NOT STOPPED" : "NO WALL HERE");
}

static bool is_left_out(const struct attempt *attempt)
{
#ifdef SKIMD_SANITIZED
	return attempt->run == take_memory;
#else
	(void)attempt;
	return false;
#endif
}

static bool is_stopped(const struct attempt *one, char *ret_words, size_t n)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		attempt(one);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		snprintf(ret_words, n, "NOT TRIED: %s", strerror(errno));
		return false;
	}
	describe(status, ret_words, n);
	return WIFSIGNALED(status) || WEXITSTATUS(status) == EXIT_SUCCESS;
}

int extract_selftest(FILE *stream)
{
	size_t n_failed = 0;

	parent = getpid();
	fprintf(stream, "1..%zu\n", N_ATTEMPTS);
	for (size_t i = 0; i < N_ATTEMPTS; i++) {
		char words[96] = "not tried, as this build's sanitizer takes terabytes of address space";
		bool stopped = is_left_out(&ATTEMPTS[i]) || is_stopped(&ATTEMPTS[i], words, sizeof(words));

		n_failed += !stopped;
		fprintf(stream, "%s %zu - %s: %s\n", stopped ? "ok" : "not ok", i + 1, ATTEMPTS[i].what,
		        words);
		fflush(stream);
	}
	return n_failed == 0 ? 0 : -EPERM;
}
