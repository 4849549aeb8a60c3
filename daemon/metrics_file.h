/* The file for node_exporter, written again and again while the loop runs, if the configuration names one. */
#ifndef SKIMD_DAEMON_METRICS_FILE_H
#define SKIMD_DAEMON_METRICS_FILE_H

#include "base/err.h"
#include "daemon/config.h"
#include "daemon/intake.h"
#include "daemon/loop.h"
#include "daemon/worker.h"
#include "pipeline/pipeline.h"

struct metrics_file;

/* All borrowed. */
struct metrics_file_settings {
	const struct config *config;
	struct loop *loop;
	struct docstore *reader;
	struct pipeline *pipeline;
	struct worker *worker;
	struct intake *intake;
};

int metrics_file_open(const struct metrics_file_settings *settings, struct metrics_file **ret,
                      struct err *err);
void metrics_file_close(struct metrics_file *file); /* before the loop is freed; NULL is allowed */

/* The configuration is another: where the file is, and how often it is written. */
void metrics_file_reload(struct metrics_file *file);

#endif
