/* Writes down in the store what the loop learns, in a thread of its own: a document that is finished or a database that is
 * rewritten has the store for long, and the loop waits for neither.
 *
 * In the order in which it was told. What the store has no room for is tried again every ten seconds, before all else. */
#ifndef SKIMD_DAEMON_CLERK_H
#define SKIMD_DAEMON_CLERK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "daemon/config.h"
#include "store/docstore.h"

struct clerk;

struct clerk_settings {
	struct docstore *store; /* borrowed, like all */
	void *user;
	void (*queued)(void *user); /* a document waits to be read; from the clerk's thread, as the next */
	void (*rested)(void *user); /* nothing waits to be written any more */
	size_t max_notes; /* that wait, of some hundred bytes each; 0: 100,000 */
};

int clerk_start(const struct clerk_settings *settings, struct clerk **ret, struct err *err);

/* What is not written by now is not: the next start's scan finds it. NULL is allowed. */
void clerk_stop(struct clerk *clerk);

/* All of these copy what they are given. -ENOMEM; -EAGAIN: too much waits already, tell it again later. */
int clerk_add(struct clerk *clerk, const struct document_file *file);
int clerk_ignore(struct clerk *clerk, const struct document_file *file, const char *reason);
int clerk_refuse(struct clerk *clerk, const struct document_file *file, const char *reason);
int clerk_gone(struct clerk *clerk, const char *path);
int clerk_event(struct clerk *clerk, const char *level, const char *message);

/* Documents below the configuration's folders whose files went while nobody watched. */
int clerk_find_gone(struct clerk *clerk, const struct config *config);

size_t clerk_n_waiting(struct clerk *clerk); /* notes that are not written yet */
bool clerk_has(struct clerk *clerk, const char *path); /* one of them is of this file */

/* Why the store takes nothing for now, with words in *err, which may be NULL. 0: it does. */
int clerk_failure(struct clerk *clerk, struct err *err);

/* Returns when all that was told is written, or cannot be for now. From any thread but the loop's once it runs. */
void clerk_wait(struct clerk *clerk);

#endif
