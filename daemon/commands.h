/* What the daemon does for who speaks to its control socket: the commands of skimd-control(7). */
#ifndef SKIMD_DAEMON_COMMANDS_H
#define SKIMD_DAEMON_COMMANDS_H

#include <stdbool.h>

#include "base/err.h"
#include "daemon/asking.h"
#include "daemon/config.h"
#include "daemon/intake.h"
#include "daemon/loop.h"
#include "daemon/worker.h"
#include "pipeline/pipeline.h"

struct commands;

/* All borrowed. */
struct commands_settings {
	const struct config *config;
	struct loop *loop;
	struct pipeline *pipeline;
	struct intake *intake;
	struct asking *asking;
	struct clerk *clerk;
	struct worker *worker;
	struct docstore *reader; /* a connection of the loop's own, which waits for no writer */
	void *user;
	void (*changed)(void *user); /* something that a status tells, other than what the worker does */
};

/* Listen where the configuration says. Where it says nothing and the default cannot be had, this is logged and *ret is
 * NULL. Errors as of control_open(). */
int commands_open(const struct commands_settings *settings, struct commands **ret, struct err *err);

/* Returns when the command in work is done. While the worker still runs, and before the loop is freed. NULL is allowed,
 * here and below. */
void commands_close(struct commands *commands);

/* A document was queued, has ended, or is another's turn: who waits is told. */
void commands_changed(struct commands *commands);

#endif
