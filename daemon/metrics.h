/* Figures for node_exporter's textfile collector: a text file in the exposition format of Prometheus. */
#ifndef SKIMD_DAEMON_METRICS_H
#define SKIMD_DAEMON_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "daemon/worker.h"
#include "pipeline/pipeline.h"
#include "store/kvstore.h"

#define METRICS_N_STATES (DOCUMENT_GONE + 1)

struct metrics {
	const char *model, *fingerprint;
	int64_t documents[METRICS_N_STATES]; /* by state */
	int64_t waiting_seconds; /* of the queued document that waits longest; 0: none does */
	size_t n_unsettled; /* files that are still being written */
	struct worker_status worker;
	struct kv_stats kv;
};

/* Fill in what the database, the pipeline and the worker know, at now_seconds since 1970; n_unsettled is the caller's.
 * Errors as of docstore_count(). */
int metrics_collect(struct docstore *store, struct pipeline *pipeline, struct worker *worker,
                    int64_t now_seconds, struct metrics *ret, struct err *err);

/* Append the file's text. */
void metrics_print(const struct metrics *metrics, struct buf *ret);

#endif
