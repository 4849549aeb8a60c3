/* Processes beside the one that measures. */
#ifndef SKIMD_BENCH_PROCESS_H
#define SKIMD_BENCH_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Start a process that keeps the first of our CPUs busy and does nothing else; it ends with us at the latest. */
int process_start_busy(pid_t *ret, struct err *err);
void process_stop_busy(pid_t pid);

/* A size from /proc/self/status in bytes: "VmRSS" is what is resident, "VmHWM" the most that ever was. 0: unknown. */
size_t process_status_bytes(const char *key);

/* Run work(user) in a child, where nothing that this process has allocated since is counted; it fills ret[n]. Call while
 * there is one thread. -EIO: the child failed. */
int process_measure(int (*work)(void *user, double *ret, struct err *err), void *user, double *ret, size_t n,
                    struct err *err);

#endif
