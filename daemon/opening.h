/* What the daemon opens before anything else: the folders that its configuration names, then stores and model. */
#ifndef SKIMD_DAEMON_OPENING_H
#define SKIMD_DAEMON_OPENING_H

#include "base/err.h"
#include "daemon/config.h"
#include "pipeline/pipeline.h"

/* Make the folders that are missing: what the walls shall leave open has to be there first. */
int opening_folders(const struct config *config, struct err *err);

/* The pipeline, and skimd.db once more for the loop, which shall wait for no writer; what a kill left in the outboxes is
 * removed. Threads that compute stand back as model.nice says, the caller's does not. Both are the caller's, also when this
 * fails: NULL or open. Errors as pipeline_open()'s. */
int opening_pipeline(const struct config *config, struct pipeline **ret_pipeline,
                     struct docstore **ret_reader, struct err *err);

#endif
