/* A seccomp filter, written call by call and put up once: what a process may ask of the kernel from then on, and all that
 * it starts.
 *
 * By hand and without libseccomp: what is asked for here are numbers of the processor that the program was compiled for, by
 * their own names, and what that processor lacks is left out by the preprocessor of who asks. */
#ifndef SKIMD_BASE_SECCOMP_H
#define SKIMD_BASE_SECCOMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/err.h"

#define SECCOMP_MAX_LINES 400

/* What becomes of a call. SECCOMP_RET_ALLOW and SECCOMP_RET_KILL_PROCESS are others. */
#define SECCOMP_REFUSE(error) (SECCOMP_RET_ERRNO | (uint32_t)(error))

struct seccomp_filter {
	struct sock_filter lines[SECCOMP_MAX_LINES];
	unsigned short n;
};

/* An empty filter. Calls by the numbers of another processor, or of x86_64's 32-bit pointers, are refused. */
void seccomp_begin(struct seccomp_filter *filter);

/* action for a call, whatever its arguments; the first that names a call counts. */
void seccomp_add(struct seccomp_filter *filter, long number, uint32_t action);
void seccomp_add_all(struct seccomp_filter *filter, const int *numbers, size_t n, uint32_t action);

/* A call whose argument (of its lower 32 bits) is, or has a bit of, `value` gets the first action, else the other. */
void seccomp_add_equal(struct seccomp_filter *filter, long number, unsigned argument, uint32_t value,
                       uint32_t action, uint32_t otherwise);
void seccomp_add_bits(struct seccomp_filter *filter, long number, unsigned argument, uint32_t value,
                      uint32_t action, uint32_t otherwise);

/* A call whose argument is one of n values gets the first action, else the other. */
void seccomp_add_one_of(struct seccomp_filter *filter, long number, unsigned argument, const uint32_t *values,
                        size_t n, uint32_t action, uint32_t otherwise);

/* Put it up, in all threads of the process; calls that it does not name get `otherwise`. Needs no_new_privs.
 * -EOPNOTSUPP: this processor's calls are not known here, or the kernel has no filters; -ESRCH: another thread has a
 * filter that this one has not; -EACCES, -ENOMEM. */
int seccomp_enter(struct seccomp_filter *filter, uint32_t otherwise, struct err *err);

#endif
