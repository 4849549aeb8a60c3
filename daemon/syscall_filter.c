#include "daemon/syscall_filter.h"

#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/sanitized.h"
#include "base/seccomp.h"

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
	/* programs by descriptor; those by name are walled by Landlock, since extraction starts some (extract_walls.h) */
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

int syscall_filter_enter(struct err *err)
{
	struct seccomp_filter filter;

	seccomp_begin(&filter);
	seccomp_add_all(&filter, REFUSED, sizeof(REFUSED) / sizeof(REFUSED[0]), SECCOMP_REFUSE(EPERM));
#ifdef SYS_clone3
	/* Its flags stand behind a pointer, which no filter follows; libc then takes clone. */
	seccomp_add(&filter, SYS_clone3, SECCOMP_REFUSE(ENOSYS));
#endif
	seccomp_add_equal(&filter, SYS_socket, 0, AF_UNIX, SECCOMP_RET_ALLOW, SECCOMP_REFUSE(EAFNOSUPPORT));
	seccomp_add_bits(&filter, SYS_clone, 0, NEW_NAMESPACES, SECCOMP_REFUSE(EPERM), SECCOMP_RET_ALLOW);
	return seccomp_enter(&filter, SECCOMP_RET_ALLOW, err);
}
