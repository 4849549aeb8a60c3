#include "daemon/skimctl_pipeline.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/config.h"
#include "daemon/paths.h"
#include "daemon/skimctl.h"

static void show_waiting(long holder, void *user)
{
	(void)user;
	fprintf(stderr, "skimctl: waiting for process %ld, which has the store open for writing\n", holder);
}

static int find_own(const struct skimctl_pipeline *settings, const struct config *config, char *store,
                    char *cache, struct err *err)
{
	int r;

	if (settings->config_path != NULL) {
		snprintf(store, PATH_MAX, "%s", config->store.path);
		snprintf(cache, PATH_MAX, "%s", config->kv.path);
		return 0;
	}
	r = paths_user_store(store, PATH_MAX, err);
	return r < 0 ? r : paths_user_cache(cache, PATH_MAX, err);
}

/* store and cache have room for PATH_MAX. */
static int set_stores(const struct skimctl_pipeline *settings, const struct config *config,
                      struct pipeline_settings *ret, char *store, char *cache, struct err *err)
{
	int r;

	ret->store = (struct docstore_settings){
		.path = ":memory:", .mode = DOCSTORE_WRITE_WAIT, .waiting = show_waiting
	};
	ret->kv_budget_bytes = config->kv.budget_bytes;
	if (settings->stores == SKIMCTL_STORES_NONE)
		return 0;
	ret->store.path = store;
	ret->kv_path = cache;
	if (settings->stores == SKIMCTL_STORES_FOUND) {
		r = skimctl_find_store(settings->config_path, store, err);
		return r < 0 ? r
		             : skimctl_find_cache(settings->config_path, cache, &ret->kv_budget_bytes, err);
	}
	if ((r = find_own(settings, config, store, cache, err)) < 0 ||
	    (r = file_make_folder_of(store, 0750, err)) < 0)
		return r;
	return file_make_folder_of(cache, 0750, err);
}

/* With the service's databases come its model and its limits. */
static int find_config(const struct skimctl_pipeline *settings, struct config **ret, struct err *err)
{
	bool own;

	if (settings->stores == SKIMCTL_STORES_FOUND)
		return skimctl_find_config(settings->config_path, ret, &own, err);
	return settings->config_path != NULL ? skimctl_read_config(settings->config_path, ret, err)
	                                     : config_default(ret, err);
}

/* ret is room for PATH_MAX. */
static int find_model(const char *word, char *ret, struct err *err)
{
	int r = paths_model(word, ret, PATH_MAX, err);

	if (r < 0 || strcmp(word, CONFIG_MODEL_NANO) != 0 || access(ret, R_OK | X_OK) == 0)
		return r;
	return err_set(
		err, -errno,
		"the model '%s' cannot be opened: %s; for a tree that is not installed SKIMD_MODEL_DIR says "
		"where it is",
		ret, strerror(errno));
}

int skimctl_open_pipeline(const struct skimctl_pipeline *settings, struct pipeline **ret, struct err *err)
{
	char store[PATH_MAX], cache[PATH_MAX], model[PATH_MAX];
	struct pipeline_settings open = { .model_dir = model };
	struct config *config;
	const char *word;
	int r = find_config(settings, &config, err);

	if (r < 0)
		return r;
	open.n_threads = settings->n_threads > 0 ? (unsigned)settings->n_threads : config->model.threads;
	open.int8_weights = config->model.int8_weights;
	open.extract = config_extract_limits(config);
	open.summary_length = config->summary.length;
	open.audit.reading = config->audit.reading;
	open.kv_memory_bytes = config->kv.memory_bytes;
	word = settings->model != NULL ? settings->model : config->model.path;
	if ((r = find_model(word, model, err)) == 0 &&
	    (r = set_stores(settings, config, &open, store, cache, err)) == 0)
		r = pipeline_open(&open, ret, err);
	config_free(config);
	return r;
}
