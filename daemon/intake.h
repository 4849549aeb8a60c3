/* What the watched folders tell of, into the store: which files are documents, which are left out and why, which are
 * gone, and where their outputs go. In the loop's thread. */
#ifndef SKIMD_DAEMON_INTAKE_H
#define SKIMD_DAEMON_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"
#include "daemon/config.h"
#include "daemon/loop.h"
#include "daemon/watch.h"
#include "store/docstore.h"

struct intake;

/* All borrowed. Callbacks may come before intake_open() returns. */
struct intake_settings {
	const struct config *config;
	struct loop *loop;
	struct docstore *store;
	bool walled; /* files outside of what is open now are closed to us, for good */
	void *user;
	void (*queued)(void *user); /* a document waits to be read */
	/* A file of questions is complete. Negative: it could not be taken note of, and is told again. */
	int (*questions)(void *user, const char *path);
	/* A watched folder is not the one that it was at the start, and cannot be opened. */
	void (*replaced)(void *user, const char *path);
};

/* Mark the documents whose files went while nobody watched, then watch every folder of the configuration. Errors as
 * docstore_each()'s and watch_open()'s. */
int intake_open(const struct intake_settings *settings, struct intake **ret, struct err *err);
void intake_close(struct intake *intake); /* before the loop is freed; NULL is allowed */

/* Scan all folders now; what cannot be scanned is logged. */
void intake_rescan(struct intake *intake);

/* Queue a file of config->watch[i] that is complete, also one that was forgotten. -EINVAL: it is a file of questions;
 * -ENAMETOOLONG: for its outputs. -EIO: the
 * store, which is logged. */
int intake_add(struct intake *intake, size_t i, const char *path, const struct stat *st, struct err *err);

struct watch *intake_watch(const struct intake *intake, size_t i); /* of config->watch[i] */
size_t intake_n_unsettled(const struct intake *intake);

/* Whether a scan could not keep all it saw and another follows soon; not where several in a row could not. */
bool intake_is_incomplete(const struct intake *intake);

#endif
