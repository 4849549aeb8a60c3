#include "daemon/opening.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>

#include "base/file.h"
#include "daemon/asking.h"
#include "daemon/paths.h"
#include "daemon/worker.h"
#include "pipeline/output.h"

struct opening {
	const struct config *config;
	struct pipeline *pipeline;
	struct docstore *reader;
	int r;
	struct err *err;
};

int opening_folders(const struct config *config, struct err *err)
{
	int r;

	if ((r = file_make_folder_of(config->store.path, 0750, err)) < 0 ||
	    (r = file_make_folder_of(config->kv.path, 0750, err)) < 0 ||
	    (r = asking_make_folder(config, err)) < 0)
		return r;
	for (size_t i = 0; i < config->n_watch; i++) {
		if ((r = file_make_folders(config->watch[i].outbox, 0750, err)) < 0)
			return r;
	}
	if (strcmp(config->control.socket, CONFIG_CONTROL_SOCKET) == 0)
		return 0; /* the service manager makes its folder */
	return file_make_folder_of(config->control.socket, 0750, err);
}

static int open_pipeline(struct opening *opening, struct err *err)
{
	const struct config *config = opening->config;
	struct pipeline_settings settings = {
		.n_threads = config->model.threads,
		.int8_weights = config->model.int8_weights,
		.store = { .path = config->store.path, .mode = DOCSTORE_WRITE },
		.kv_path = config->kv.path,
		.kv_budget_bytes = config->kv.budget_bytes,
		.kv_memory_bytes = config->kv.memory_bytes,
		.extract = config_extract_limits(config),
		.summary_length = config->summary.length,
		.audit = { config->audit.reading, config->audit.dense_share },
	};
	char model[PATH_MAX];
	int r;

	settings.model_dir = model;
	if ((r = paths_model(config->model.path, model, sizeof(model), err)) < 0 ||
	    (r = pipeline_open(&settings, &opening->pipeline, err)) < 0)
		return r;
	settings.store.mode = DOCSTORE_READ;
	if ((r = docstore_open(&settings.store, &opening->reader, err)) < 0)
		return r;
	for (size_t i = 0; i < config->n_watch; i++) /* with the store's lock held: nobody else writes here */
		output_sweep(config->watch[i].outbox);
	return 0;
}

static void *open_niced(void *user)
{
	struct opening *opening = user;

	worker_stand_back(opening->config->model.nice);
	opening->r = open_pipeline(opening, opening->err);
	return NULL;
}

/* In a thread of its own: a thread has how far it stands back from the one that starts it, and nobody can take it back. */
int opening_pipeline(const struct config *config, struct pipeline **ret_pipeline,
                     struct docstore **ret_reader, struct err *err)
{
	struct opening opening = { .config = config, .err = err };
	pthread_t thread;
	int r = -pthread_create(&thread, NULL, open_niced, &opening);

	if (r < 0)
		return err_set(err, r, "cannot start a thread: %s", strerror(-r));
	pthread_join(thread, NULL);
	*ret_pipeline = opening.pipeline;
	*ret_reader = opening.reader;
	return opening.r;
}
