/* Another configuration for a daemon that runs. */
#ifndef SKIMD_DAEMON_RELOAD_H
#define SKIMD_DAEMON_RELOAD_H

#include "daemon/asking.h"
#include "daemon/clerk.h"
#include "daemon/config.h"
#include "daemon/confine.h"
#include "daemon/intake.h"
#include "daemon/keeper.h"
#include "daemon/metrics_file.h"

/* What it concerns; all borrowed. */
struct reload {
	const char *path; /* of the configuration */
	struct config *config; /* as it is now */
	const struct confine *confine; /* the walls that were put up at the start; NULL: none */
	struct clerk *clerk;
	struct intake *intake;
	struct asking *asking;
	struct keeper *keeper;
	struct metrics_file *metrics_file;
};

/* Read the configuration again, have its folders opened and closed, and scan all. One with an error, or with a folder that
 * lies outside of the walls, is not taken: the log and an event say why, and what opens it. Keys that need a restart are
 * named. In the loop's thread. */
void reload_run(const struct reload *reload);

#endif
