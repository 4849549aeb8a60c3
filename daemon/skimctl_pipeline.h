/* How skimctl opens the pipeline in its own process, for what it reads and answers without a daemon. */
#ifndef SKIMD_DAEMON_SKIMCTL_PIPELINE_H
#define SKIMD_DAEMON_SKIMCTL_PIPELINE_H

#include <stdbool.h>

#include "base/err.h"
#include "pipeline/pipeline.h"

enum skimctl_stores {
	SKIMCTL_STORES_OWN, /* the user's, unless a configuration is named */
	SKIMCTL_STORES_FOUND, /* as skimctl_find_store() has it */
	SKIMCTL_STORES_NONE, /* nothing is kept */
};

struct skimctl_pipeline {
	enum skimctl_stores stores;
	const char *config_path, *model; /* NULL: the default */
	unsigned long n_threads; /* 0: the configuration's */
};

/* Waits for the store's lock, and says so. Errors as of config_read() and pipeline_open(). */
int skimctl_open_pipeline(const struct skimctl_pipeline *settings, struct pipeline **ret, struct err *err);

#endif
