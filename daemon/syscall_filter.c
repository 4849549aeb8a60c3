#include "daemon/syscall_filter.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "daemon/sanitized.h"

/* By hand and without libseccomp, as the list only refuses: there is nothing in it that another processor would have
 * under another name, and what a processor lacks is left out by the preprocessor. */
#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define THIS_ARCH AUDIT_ARCH_RISCV64
#else
#define THIS_ARCH 0
#endif

#define X32_BIT 0x40000000u /* on x86_64: the same calls under other numbers */
#define NEW_NAMESPACES                                                                                       \
	(uint32_t)(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
	           CLONE_NEWCGROUP)

static const int REFUSED[] = {
/* other processes */
#ifndef SKIMD_SANITIZED /* the leak sanitizer traces its own process when that ends */
	SYS_ptrace,
#endif
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_kcmp,
#ifdef SYS_pidfd_getfd
	SYS_pidfd_getfd,
#endif
	/* programs: extraction runs within this process, which starts none */
	SYS_execve,
	SYS_execveat,
	/* file systems */
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_swapon,
	SYS_swapoff,
	SYS_quotactl,
	SYS_open_by_handle_at,
#ifdef SYS_fsopen
	SYS_open_tree,
	SYS_move_mount,
	SYS_fsopen,
	SYS_fsconfig,
	SYS_fsmount,
	SYS_fspick,
#endif
#ifdef SYS_mount_setattr
	SYS_mount_setattr,
#endif
	/* the kernel */
	SYS_bpf,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_reboot,
	SYS_syslog,
	SYS_acct,
	SYS_perf_event_open,
	SYS_userfaultfd,
	SYS_personality,
	SYS_add_key,
	SYS_keyctl,
	SYS_request_key,
#ifdef SYS_kexec_file_load
	SYS_kexec_file_load,
#endif
#ifdef SYS_iopl
	SYS_iopl,
	SYS_ioperm,
#endif
/* io_uring, whose requests no filter sees */
#ifdef SYS_io_uring_setup
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
#endif
	/* namespaces, the host's name and clock */
	SYS_unshare,
	SYS_setns,
	SYS_sethostname,
	SYS_setdomainname,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_adjtimex,
	SYS_clock_adjtime,
};

#define N_REFUSED (sizeof(REFUSED) / sizeof(REFUSED[0]))
#define N_OTHERS 20

struct program {
	struct sock_filter lines[2 * N_REFUSED + N_OTHERS];
	unsigned short n;
};

static void add(struct program *program, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	program->lines[program->n++] = (struct sock_filter){ code, jt, jf, k };
}

static void load(struct program *program, size_t offset)
{
	add(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void refuse(struct program *program, int code)
{
	add(program, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | (uint32_t)code);
}

static void allow(struct program *program)
{
	add(program, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
}

static void refuse_call(struct program *program, int number, int code)
{
	add(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)number);
	refuse(program, code);
}

/* Where the low half of a call's first argument lies; all processors above are little-endian. */
#define FIRST_ARGUMENT offsetof(struct seccomp_data, args)

/* A call is looked at by its first argument: code and k are the test, and the call passes if it holds. */
static void check_call(struct program *program, int number, uint16_t code, uint32_t k, bool holds, int error)
{
	add(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, (uint32_t)number);
	load(program, FIRST_ARGUMENT);
	add(program, code, holds ? 1 : 0, holds ? 0 : 1, k);
	refuse(program, error);
	allow(program);
}

static void write_program(struct program *program)
{
	load(program, offsetof(struct seccomp_data, arch));
	add(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, THIS_ARCH);
	refuse(program, EPERM);
	load(program, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
	add(program, BPF_JMP | BPF_JSET | BPF_K, 0, 1, X32_BIT);
	refuse(program, ENOSYS);
#endif
	for (size_t i = 0; i < N_REFUSED; i++)
		refuse_call(program, REFUSED[i], EPERM);
#ifdef SYS_clone3
	/* Its flags stand behind a pointer, which no filter follows; libc then takes clone. */
	refuse_call(program, SYS_clone3, ENOSYS);
#endif
	check_call(program, SYS_socket, BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, true, EAFNOSUPPORT);
	check_call(program, SYS_clone, BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, false, EPERM);
	allow(program);
}

int syscall_filter_enter(struct err *err)
{
	struct program program = { .n = 0 };
	struct sock_fprog filter;

	if (THIS_ARCH == 0)
		return err_set(err, -EOPNOTSUPP, "the system calls of this processor are not known");
	write_program(&program);
	filter = (struct sock_fprog){ program.n, program.lines };
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0)
		return err_set(err, -EOPNOTSUPP, "no filter of system calls: %s", strerror(errno));
	return 0;
}
