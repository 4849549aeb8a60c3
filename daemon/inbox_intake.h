/* What stands in inbox.db, into skimd.db: which document a row means, and why one is not taken. Of one thread, but for
 * inbox_intake_cancel(). */
#ifndef SKIMD_DAEMON_INBOX_INTAKE_H
#define SKIMD_DAEMON_INBOX_INTAKE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "store/docstore.h"
#include "store/inbox.h"

struct inbox_intake;

/* All borrowed. */
struct inbox_intake_settings {
	const char *path;
	gid_t group; /* see inbox_settings */
	struct docstore *store;
	const char *fingerprint; /* of the model that answers */
	void *user;
	void (*asked)(void *user); /* a question was taken */
};

/* Errors as of inbox_new(). */
int inbox_intake_new(const struct inbox_intake_settings *settings, struct inbox_intake **ret,
                     struct err *err);
void inbox_intake_free(struct inbox_intake *intake); /* NULL is allowed */

/* From any thread: what is in work ends soon. */
void inbox_intake_cancel(struct inbox_intake *intake);

/* As inbox_look(); what went wrong is logged once, and what was set aside is an event as well. */
int inbox_intake_look(struct inbox_intake *intake, bool clean, struct inbox_counts *ret);

#endif
