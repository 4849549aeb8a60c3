#include "pipeline/extract_walls.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sanitized.h"
#include "base/seccomp.h"

#define MAX_FILES 32
#define MAX_RULES 16

static const char *const LIBRARIES[] = { "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache" };

/* What parsers in C need of the kernel: memory, what is open, the time. Whatever names a file or another process is not
 * among it. */
static const int PARSER_CALLS[] = {
	SYS_read,        SYS_readv,         SYS_write,           SYS_writev,         SYS_close,
	SYS_lseek,       SYS_pread64,       SYS_fstat,
#ifdef SYS_poll
	SYS_poll,
#endif
	SYS_ppoll,       SYS_munmap,        SYS_mremap,          SYS_madvise,        SYS_brk,
	SYS_futex,       SYS_sched_yield,   SYS_rt_sigaction,    SYS_rt_sigprocmask, SYS_rt_sigreturn,
	SYS_sigaltstack, SYS_clock_gettime, SYS_gettimeofday,    SYS_getrandom,      SYS_getpid,
	SYS_gettid,      SYS_wait4,         SYS_restart_syscall, SYS_exit,           SYS_exit_group,
};

/* And a program that is loaded from its file. */
static const int PROGRAM_CALLS[] = {
	SYS_execve,
	SYS_readlinkat,
	SYS_faccessat,
#ifdef SYS_faccessat2
	SYS_faccessat2,
#endif
	SYS_newfstatat,
	SYS_statx,
	SYS_statfs,
	SYS_fstatfs,
	SYS_getdents64,
	SYS_getcwd,
	SYS_set_tid_address,
	SYS_set_robust_list,
#ifdef SYS_rseq
	SYS_rseq,
#endif
#ifdef __x86_64__
	SYS_stat,
	SYS_lstat,
	SYS_access,
	SYS_readlink,
	SYS_arch_prctl,
	SYS_dup2,
	SYS_time,
#endif
	SYS_dup,
	SYS_dup3,
	SYS_uname,
	SYS_sysinfo,
	SYS_getuid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getegid,
	SYS_getrusage,
	SYS_clock_getres,
	SYS_sched_getaffinity,
};

/* No parser asks for these, whatever it was made for: who does has taken it over. */
static const int DEADLY_CALLS[] = {
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_kill,
	SYS_tkill,
	SYS_rt_sigqueueinfo,
	SYS_socket,
	SYS_socketpair,
	SYS_connect,
	SYS_bpf,
	SYS_userfaultfd,
	SYS_perf_event_open,
	SYS_keyctl,
	SYS_add_key,
	SYS_request_key,
	SYS_execveat,
	SYS_setns,
	SYS_unshare,
	SYS_mount,
	SYS_umount2,
	SYS_chroot,
	SYS_pivot_root,
	SYS_init_module,
	SYS_finit_module,
	SYS_kexec_load,
	SYS_reboot,
	SYS_open_by_handle_at,
#ifdef SYS_io_uring_setup
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
#endif
#ifdef SYS_pidfd_getfd
	SYS_pidfd_getfd,
	SYS_pidfd_send_signal,
#endif
};

/* Of fcntl(2): not who gets a signal, and which, when something happens to a pipe. */
static const uint32_t FCNTL_COMMANDS[] = { F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC };

/* Of open(2). Landlock refuses these as well, where the kernel has it. */
#define TO_WRITE (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND)

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static int limit(int resource, uint64_t most, struct err *err)
{
	const struct rlimit both = { most, most };

	if (setrlimit((__rlimit_resource_t)resource, &both) < 0)
		return err_set(err, -errno, "cannot be limited: %s", strerror(errno));
	return 0;
}

/* Who started us may be gone before the signal was asked for: then nobody reads our pipe. */
static int end_with_parent(struct err *err)
{
	struct pollfd output = { STDOUT_FILENO, 0, 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (poll(&output, 1, 0) > 0 && (output.revents & POLLERR) != 0)
		return err_set(err, -EPIPE, "nobody reads what it says");
	return 0;
}

int walls_limit(const struct walls_limits *limits, struct err *err)
{
	const struct rlimit cpu = { limits->cpu_seconds, limits->cpu_seconds + 1 };
	int r = end_with_parent(err);

	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CPU, &cpu) < 0)
		return err_set(err, -errno, "cannot be limited: %s", strerror(errno));
	if ((r = limit(RLIMIT_CORE, 0, err)) < 0 || (r = limit(RLIMIT_FSIZE, 0, err)) < 0 ||
	    (r = limit(RLIMIT_NOFILE, MAX_FILES, err)) < 0)
		return r;
#ifndef SKIMD_SANITIZED
	r = limit(RLIMIT_AS, limits->memory_bytes, err);
#endif
	return r;
}

static void allow_program_calls(struct seccomp_filter *filter)
{
	const uint32_t allow = SECCOMP_RET_ALLOW;

	seccomp_add_all(filter, PROGRAM_CALLS, LENGTH(PROGRAM_CALLS), allow);
	seccomp_add(filter, SYS_mmap, allow);
	seccomp_add(filter, SYS_mprotect, allow);
	seccomp_add_bits(filter, SYS_openat, 2, TO_WRITE, SECCOMP_REFUSE(EACCES), allow);
#ifdef SYS_open
	seccomp_add_bits(filter, SYS_open, 1, TO_WRITE, SECCOMP_REFUSE(EACCES), allow);
#endif
	/* Its own limits, which it can only lower; another process is none of its business. */
	seccomp_add_equal(filter, SYS_prlimit64, 0, 0, allow, SECCOMP_RET_KILL_PROCESS);
}

/* No new code; and fstat(2) as libc has it, but no other name than none. */
static void allow_parser_calls(struct seccomp_filter *filter)
{
	const uint32_t allow = SECCOMP_RET_ALLOW;

	seccomp_add_bits(filter, SYS_mmap, 2, PROT_EXEC, SECCOMP_REFUSE(EPERM), allow);
	seccomp_add_bits(filter, SYS_mprotect, 2, PROT_EXEC, SECCOMP_REFUSE(EPERM), allow);
	seccomp_add(filter, SYS_newfstatat, allow);
	seccomp_add(filter, SYS_execve, SECCOMP_RET_KILL_PROCESS);
}

static int enter_filter(bool is_program, struct err *err)
{
	const uint32_t allow = SECCOMP_RET_ALLOW;
	struct seccomp_filter filter;

	seccomp_begin(&filter);
	seccomp_add_all(&filter, PARSER_CALLS, LENGTH(PARSER_CALLS), allow);
	seccomp_add_one_of(&filter, SYS_fcntl, 1, FCNTL_COMMANDS, LENGTH(FCNTL_COMMANDS), allow,
	                   SECCOMP_REFUSE(EPERM));
	if (is_program)
		allow_program_calls(&filter);
	else
		allow_parser_calls(&filter);
	/* abort(3) signals the process itself, which stays the same one when it becomes a program. */
	seccomp_add_equal(&filter, SYS_tgkill, 0, (uint32_t)getpid(), allow, SECCOMP_RET_KILL_PROCESS);
	seccomp_add_all(&filter, DEADLY_CALLS, LENGTH(DEADLY_CALLS), SECCOMP_RET_KILL_PROCESS);
	return seccomp_enter(&filter, SECCOMP_REFUSE(ENOSYS), err);
}

struct rules {
	struct landlock_rule list[MAX_RULES];
	size_t n;
};

static int add_rule(void *user, const struct landlock_rule *rule)
{
	struct rules *rules = user;

	assert(rules->n < MAX_RULES);
	rules->list[rules->n++] = *rule;
	return 0;
}

/* What loads programs, as this one was: the kernel executes it, too. NULL: this one needed none. */
static const char *find_loader(void)
{
	const ElfW(Phdr) *header = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	size_t n = getauxval(AT_PHNUM);
	uintptr_t base = 0;

	for (size_t i = 0; header != NULL && i < n; i++)
		if (header[i].p_type == PT_PHDR)
			base = (uintptr_t)header - header[i].p_vaddr;
	for (size_t i = 0; header != NULL && i < n; i++)
		if (header[i].p_type == PT_INTERP)
			return (const char *)(base + header[i].p_vaddr);
	return NULL;
}

static int tell(const char *path, bool execute, int (*each)(void *user, const struct landlock_rule *rule),
                void *user)
{
	const struct landlock_rule rule = { (char *)(uintptr_t)path, false, execute };

	return path == NULL ? 0 : each(user, &rule);
}

static int tell_common(int (*each)(void *user, const struct landlock_rule *rule), void *user)
{
	int r = tell(find_loader(), true, each, user);

	for (size_t i = 0; r == 0 && i < LENGTH(LIBRARIES); i++)
		r = tell(LIBRARIES[i], false, each, user);
	return r;
}

static int tell_of_program(enum program program, int (*each)(void *user, const struct landlock_rule *rule),
                           void *user)
{
	int r = tell(program_path(program), true, each, user);

	return r != 0 ? r : tell(program_data(program), false, each, user);
}

static struct walls enter(bool is_program, const struct rules *rules)
{
	struct walls walls = { .r = 0 };
	int files, calls;

	limit(RLIMIT_NPROC, 0, NULL);
	files = landlock_enter(rules->list, rules->n, NULL);
	calls = enter_filter(is_program, NULL);
	walls.files = files > 0;
	walls.calls = calls == 0;
	if (files < 0 && files != -EOPNOTSUPP)
		walls.r = files;
	if (calls < 0 && calls != -EOPNOTSUPP)
		walls.r = calls;
	return walls;
}

struct walls walls_enter_parser(void)
{
	const struct rules none = { .n = 0 };

	return enter(false, &none);
}

struct walls walls_enter_program(enum program program)
{
	struct rules rules = { .n = 0 };

	tell_common(add_rule, &rules);
	tell_of_program(program, add_rule, &rules);
	return enter(true, &rules);
}

int walls_each_rule(int (*each)(void *user, const struct landlock_rule *rule), void *user)
{
	int r = tell_common(each, user);

	for (enum program i = 0; r == 0 && i < N_PROGRAMS; i++)
		r = tell_of_program(i, each, user);
	return r;
}
