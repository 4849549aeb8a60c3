/* What takes too long for the main loop, done by a thread of its own, one thing after another. */
#ifndef SKIMD_DAEMON_ERRANDS_H
#define SKIMD_DAEMON_ERRANDS_H

#include "base/err.h"
#include "daemon/loop.h"

struct errands;

int errands_new(struct loop *loop, struct errands **ret, struct err *err);

/* Returns when the one in work is done; it and those that wait end with -ECANCELED. Before the loop is freed. NULL is
 * allowed. */
void errands_free(struct errands *errands);

/* Have run(user) called in the thread, and then done(user) with what it returned in the loop's. done() is called in any
 * case but that of an error, -ENOMEM, here. */
int errands_put(struct errands *errands, int (*run)(void *user, struct err *err),
                void (*done)(void *user, int r, const struct err *err), void *user, struct err *err);

#endif
