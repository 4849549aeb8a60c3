#include "tests/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#define MAX_THREADS 64
#define HANG_S 180
#define SYSCALL_STOP (SIGTRAP | 0x80)
#define OPTIONS                                                                                   \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
	 PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

struct tracer {
	const struct tracer_settings *settings;
	pid_t process;
	pid_t failing[MAX_THREADS]; /* threads whose call in hand shall have failed */
	size_t n_failing;
};

#ifdef __x86_64__
static bool can_fail(void)
{
	return true;
}

/* -1 is no call: the kernel goes past it, and what it returned is set at its end. */
static void skip_call(pid_t thread)
{
	struct user_regs_struct registers;

	ptrace(PTRACE_GETREGS, thread, NULL, &registers);
	registers.orig_rax = (unsigned long long)-1;
	ptrace(PTRACE_SETREGS, thread, NULL, &registers);
}

static void set_result(pid_t thread, int error)
{
	struct user_regs_struct registers;

	ptrace(PTRACE_GETREGS, thread, NULL, &registers);
	registers.rax = (unsigned long long)-error;
	ptrace(PTRACE_SETREGS, thread, NULL, &registers);
}

static void halve_count(pid_t thread)
{
	struct user_regs_struct registers;

	ptrace(PTRACE_GETREGS, thread, NULL, &registers);
	registers.rdx = (registers.rdx + 1) / 2;
	ptrace(PTRACE_SETREGS, thread, NULL, &registers);
}
#else
static bool can_fail(void)
{
	return false;
}

static void skip_call(pid_t thread)
{
	(void)thread;
}

static void set_result(pid_t thread, int error)
{
	(void)thread;
	(void)error;
}

static void halve_count(pid_t thread)
{
	(void)thread;
}
#endif

/* The traced side. */
static void become(const struct tracer_settings *settings)
{
	int fd = open(settings->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	setenv("ASAN_OPTIONS", "allocator_may_return_null=1:detect_leaks=0",
	       1); /* leaks are found by ptrace, too */
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(126);
	alarm(HANG_S);
	raise(SIGSTOP);
	execv(settings->argv[0], (char *const *)(uintptr_t)settings->argv);
	_exit(127);
}

static void obey(struct tracer *tracer, const struct tracer_call *call)
{
	switch (tracer->settings->before(tracer->settings->user, call)) {
	case TRACER_GO:
		break;
	case TRACER_KILL:
		kill(tracer->process, SIGKILL);
		break;
	case TRACER_FAIL:
		skip_call(call->thread);
		if (tracer->n_failing < MAX_THREADS)
			tracer->failing[tracer->n_failing++] = call->thread;
		break;
	case TRACER_SHORT:
		halve_count(call->thread);
		break;
	}
}

static void end_call(struct tracer *tracer, pid_t thread)
{
	for (size_t i = 0; i < tracer->n_failing; i++) {
		if (tracer->failing[i] != thread)
			continue;
		set_result(thread, tracer->settings->error);
		tracer->failing[i] = tracer->failing[--tracer->n_failing];
		return;
	}
}

static void see_call(struct tracer *tracer, pid_t thread)
{
	struct tracer_call call = { .process = tracer->process, .thread = thread };
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) < 0)
		return; /* killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		end_call(tracer, thread);
	} else if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		call.number = info.entry.nr;
		for (size_t i = 0; i < 6; i++)
			call.arguments[i] = info.entry.args[i];
		obey(tracer, &call);
	}
}

/* The signal that goes on to a thread that has stopped: none where the stop was the tracer's own. */
static int see_stop(struct tracer *tracer, pid_t thread, int status)
{
	int signal_number = WSTOPSIG(status);

	if (signal_number == SYSCALL_STOP) {
		see_call(tracer, thread);
		return 0;
	}
	return status >> 16 != 0 || signal_number == SIGSTOP || signal_number == SIGTRAP ? 0 : signal_number;
}

static int follow(struct tracer *tracer)
{
	for (;;) {
		int status, signal_number;
		pid_t thread = waitpid(-1, &status, __WALL);

		if (thread < 0)
			return -errno;
		if (WIFSTOPPED(status)) {
			signal_number = see_stop(tracer, thread, status);
			ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(uintptr_t)signal_number);
		} else if (thread == tracer->process) {
			return status;
		}
	}
}

int tracer_run(const struct tracer_settings *settings)
{
	struct tracer tracer = { .settings = settings };
	int status;

	if (settings->error != 0 && !can_fail())
		return -EPERM;
	tracer.process = fork();
	if (tracer.process == 0)
		become(settings);
	if (tracer.process < 0 || waitpid(tracer.process, &status, 0) < 0)
		return -errno;
	if (!WIFSTOPPED(status))
		return -EPERM;
	if (ptrace(PTRACE_SETOPTIONS, tracer.process, NULL, (void *)(uintptr_t)OPTIONS) < 0) {
		kill(tracer.process, SIGKILL);
		waitpid(tracer.process, &status, 0);
		return -EPERM;
	}
	ptrace(PTRACE_SYSCALL, tracer.process, NULL, NULL);
	return follow(&tracer);
}

void tracer_string(const struct tracer_call *call, unsigned argument, char *ret)
{
	struct iovec here = { ret, PATH_MAX - 1 };
	struct iovec there = { (void *)(uintptr_t)call->arguments[argument], PATH_MAX - 1 };
	ssize_t n;

	/* What is behind the string may not be mapped: then up to the page's end. */
	n = process_vm_readv(call->process, &here, 1, &there, 1, 0);
	if (n < 0) {
		here.iov_len = there.iov_len = 4096 - call->arguments[argument] % 4096;
		n = process_vm_readv(call->process, &here, 1, &there, 1, 0);
	}
	ret[n < 0 ? 0 : n] = '\0';
}

void tracer_descriptor(const struct tracer_call *call, unsigned argument, char *ret)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)call->process, (int)call->arguments[argument]);
	n = readlink(link, ret, PATH_MAX - 1);
	ret[n < 0 ? 0 : n] = '\0';
}
