/* A few threads that share out numbered pieces of work. The caller works too; who does which piece never shows in a
 * result. Idle threads spin for some microseconds, then sleep on a futex. */
#ifndef SKIMD_MODEL_POOL_H
#define SKIMD_MODEL_POOL_H

#include <stddef.h>

#include "base/err.h"

struct pool;

/* n_threads in all, the caller counted, at most 256; 0: as many as the CPU affinity allows. -EAGAIN: so many cannot be
 * started; -ENOMEM. */
int pool_new(unsigned n_threads, struct pool **ret, struct err *err);
void pool_free(struct pool *pool); /* NULL is allowed */

unsigned pool_n_threads(const struct pool *pool);

/* Call work(user, item, thread) for every item below n_items, in any order and on any thread (thread is below
 * pool_n_threads() and never in two calls at once); return when all are done. One caller at a time. */
void pool_run(struct pool *pool, size_t n_items, void (*work)(void *user, size_t item, unsigned thread),
              void *user);

#endif
