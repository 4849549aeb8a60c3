/* A seccomp filter over the system calls that the daemon never makes, whatever a document does to it: those that trace,
 * mount, load code into the kernel, make namespaces, set clocks, and sockets of every family but AF_UNIX. */
#ifndef SKIMD_DAEMON_SYSCALL_FILTER_H
#define SKIMD_DAEMON_SYSCALL_FILTER_H

#include "base/err.h"

/* From here on these calls fail, with EPERM for the most part, in all threads of the process and in what they start.
 * Needs no_new_privs. -EOPNOTSUPP: this processor's calls are not known here, or the kernel has no filters. */
int syscall_filter_enter(struct err *err);

#endif
