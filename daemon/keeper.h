/* Has the documents of a folder forgotten when they have been done for as long as its `keep:` says. */
#ifndef SKIMD_DAEMON_KEEPER_H
#define SKIMD_DAEMON_KEEPER_H

#include <stdatomic.h>

#include "base/err.h"
#include "daemon/intake.h"
#include "daemon/loop.h"
#include "pipeline/pipeline.h"

struct keeper;

/* All borrowed. */
struct keeper_settings {
	struct loop *loop;
	struct intake *intake;
	struct pipeline *pipeline;
	void *user;
	void (*due)(void *user); /* have keeper_run() called soon, by the thread that runs jobs */
};

int keeper_open(const struct keeper_settings *settings, struct keeper **ret, struct err *err);
void keeper_close(struct keeper *keeper); /* before the loop is freed; NULL is allowed */

/* The configuration is another: how long documents are kept. */
void keeper_reload(struct keeper *keeper);

/* Forget what is due, if it is time to look; while no document is in work. What fails is logged, and tried again when it
 * is time the next time. *cancel ends it between two documents. */
void keeper_run(struct keeper *keeper, const atomic_bool *cancel);

#endif
