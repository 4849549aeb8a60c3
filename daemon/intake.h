/* What the watched folders tell of, for the clerk to write down: which files are documents, which are left out and why,
 * which are gone, and where their outputs go. In the loop's thread, but for intake_outputs(). */
#ifndef SKIMD_DAEMON_INTAKE_H
#define SKIMD_DAEMON_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"
#include "daemon/clerk.h"
#include "daemon/config.h"
#include "daemon/loop.h"
#include "daemon/watch.h"
#include "pipeline/pipeline.h"

struct intake;

/* All borrowed. Callbacks may come before intake_open() returns. */
struct intake_settings {
	struct config *config; /* intake_reload() changes it */
	struct loop *loop;
	struct clerk *clerk;
	bool walled; /* files outside of what is open now are closed to us, for good */
	void *user;
	/* A file of questions is complete. Negative: it could not be taken note of, and is told again. */
	int (*questions)(void *user, const char *path);
	void (*settled)(void *user); /* a file is not waited for any more, or another is */
	/* A watched folder is not the one that it was at the start, and cannot be opened. */
	void (*replaced)(void *user, const char *path);
};

/* Have the documents marked whose files went while nobody watched, then watch every folder of the configuration. Errors as
 * watch_open()'s; -ENOMEM; -EAGAIN. */
int intake_open(const struct intake_settings *settings, struct intake **ret, struct err *err);
void intake_close(struct intake *intake); /* before the loop is freed; NULL is allowed */

/* Watch what fresh names instead, and have the configuration adopt it: folders that are watched as before go on, others
 * are opened, to be scanned by the intake_rescan() that is to follow, or closed. On an error, as of watch_open(), all is
 * as it was, and nothing was looked at. */
int intake_reload(struct intake *intake, struct config *fresh, struct err *err);

/* Scan all folders now; what cannot be scanned is logged. */
void intake_rescan(struct intake *intake);

/* The clerk may have room again: have what went while it had none looked for. */
void intake_clerk_rested(struct intake *intake);

/* Take in what has happened until now: what was written before this call is unsettled, or told of, after it. */
void intake_catch_up(struct intake *intake);

/* Have a file of config->watch[i] that is complete queued, also one that was forgotten. -EINVAL: it is a
 * file of questions; -ENAMETOOLONG: for its outputs;
 * -ENOMEM, -EAGAIN: see clerk.h. */
int intake_add(struct intake *intake, size_t i, const char *path, const struct stat *st, struct err *err);

/* Which outputs a document gets; from any thread. */
struct pipeline_outputs intake_outputs(struct intake *intake, const char *path);

/* How long documents of config->watch[i], whose path goes to ret_folder, room for PATH_MAX, are kept; from any thread.
 * False: there is no such folder. */
bool intake_keep(struct intake *intake, size_t i, char *ret_folder, uint64_t *ret_keep_ns);

struct watch *intake_watch(const struct intake *intake, size_t i); /* of config->watch[i] */

/* Files that are waited for or that the clerk has not written down yet; whether this is one of them. */
size_t intake_n_unsettled(const struct intake *intake);
bool intake_is_unsettled(const struct intake *intake, const char *path);

/* Whether a scan could not keep all it saw and another follows soon; not where several in a row could not. */
bool intake_is_incomplete(const struct intake *intake);

#endif
