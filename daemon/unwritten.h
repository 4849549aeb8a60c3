/* Outputs whose rows were written when the program was stopped before the files were. */
#ifndef SKIMD_DAEMON_UNWRITTEN_H
#define SKIMD_DAEMON_UNWRITTEN_H

#include <stdbool.h>

#include "base/err.h"
#include "pipeline/pipeline.h"

struct unwritten_settings {
	struct pipeline *pipeline;
	void *user;
	struct pipeline_outputs (*outputs)(void *user, const char *path); /* which a document gets */
	bool (*stop)(void *user); /* asked before each document */
	void (*step)(void *user); /* one is written, or cannot be: its row says why */
};

/* Write them. Errors as docstore_each()'s, and of the store's own failures. */
int unwritten_publish(const struct unwritten_settings *settings, struct err *err);

#endif
