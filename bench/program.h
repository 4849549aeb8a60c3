/* This program once more, in a process that begins from nothing: what a restart costs is measured after one. It is told
 * by words what to do, and leaves one struct of results on its standard output. */
#ifndef SKIMD_BENCH_PROGRAM_H
#define SKIMD_BENCH_PROGRAM_H

#include <stddef.h>

#include "base/err.h"

/* Run it with words (a NULL behind the last), and wait for its end. *ret_seconds (may be NULL): from before the fork
 * to when it has ended. It ends with us at the latest. -EIO: it failed, and has said why on standard error. */
int program_run(const char *const *words, void *ret, size_t n_bytes, double *ret_seconds, struct err *err);

/* The other side's last act. -EIO: nobody listens. */
int program_tell(const void *results, size_t n_bytes, struct err *err);

#endif
