/* skimd.yaml, in a folder that has the folders "in" and "more": what is accepted is in its ranges, and is the same when it
 * is read again; what is refused is said with the file's name. */
#include <string.h>
#include <sys/stat.h>

#include "daemon/config.h"
#include "fuzz/target.h"

static void check_watch(const struct config_watch *watch)
{
	REQUIRE(watch->path[0] == '/' && watch->outbox[0] == '/');
	REQUIRE(strcmp(watch->path, watch->outbox) != 0);
	REQUIRE(watch->rescan_ns > 0);
	for (size_t i = 0; i < watch->n_ignore; i++)
		REQUIRE(strlen(watch->ignore[i]) > 0);
}

static void check_config(const struct config *config)
{
	REQUIRE(config->n_watch > 0);
	for (size_t i = 0; i < config->n_watch; i++)
		check_watch(&config->watch[i]);
	REQUIRE(config->model.threads <= 256 && config->model.nice >= 0 && config->model.nice <= 19);
	REQUIRE(config->store.path[0] == '/' && config->kv.path[0] == '/');
	REQUIRE(strcmp(config->store.path, config->kv.path) != 0);
	REQUIRE(config->extract.max_bytes > 0);
}

static void check_again(const char *path, const struct config *config)
{
	struct config *again;

	REQUIRE(config_read(path, &again, NULL) == 0);
	REQUIRE(again->n_watch == config->n_watch && again->kv.budget_bytes == config->kv.budget_bytes);
	REQUIRE(strcmp(again->store.path, config->store.path) == 0);
	config_free(again);
}

static void make_folders(void)
{
	static bool made;
	char path[PATH_MAX];

	if (made)
		return;
	made = true;
	scratch_path("in", path);
	REQUIRE(mkdir(path, 0700) == 0);
	scratch_path("more", path);
	REQUIRE(mkdir(path, 0700) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct config *config;
	struct err err = { "" };
	char path[PATH_MAX];

	make_folders();
	scratch_write("skimd.yaml", bytes, n);
	scratch_path("skimd.yaml", path);
	if (config_read(path, &config, &err) < 0) {
		REQUIRE(strncmp(err.text, path, strlen(path)) == 0);
		return 0;
	}
	check_config(config);
	check_again(path, config);
	config_free(config);
	return 0;
}
