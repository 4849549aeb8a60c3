/* Threads that do one thing at the same time, and how long that takes them. */
#ifndef SKIMD_BENCH_CREW_H
#define SKIMD_BENCH_CREW_H

#include "base/err.h"

#define CREW_MAX 256

/* Seconds since some moment, never running backwards. */
double crew_clock(void);

/* Call work(user, thread) on n_threads threads (1 to CREW_MAX, the caller is number 0) that all start when the last of
 * them is there. *ret_seconds: from the first one's start to the last one's end. -EAGAIN: no more threads. */
int crew_run(unsigned n_threads, void (*work)(void *user, unsigned thread), void *user, double *ret_seconds,
             struct err *err);

#endif
