/* Whose configuration and databases skimctl's commands mean. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/paths.h"
#include "daemon/skimctl.h"

#define SERVICE_CONFIG SYSCONFDIR "/skimd/skimd.yaml"

bool skimctl_is_private(void)
{
	return getenv("SKIMD_NO_SERVICE") != NULL;
}

static bool told_of_missing; /* by an earlier look at the configuration */

static void tell_missing(const struct err *why)
{
	if (!told_of_missing)
		skimctl_tell(why);
}

/* A folder that went away is the daemon's trouble: its database and its socket are where they were. */
static int read_named(const char *path, struct config **ret, struct err *err)
{
	int r = config_read_lacking(path, tell_missing, ret, err);

	told_of_missing = true;
	return r;
}

/* Who may not read the file, or not see the folders that it names, is no user of the service: the defaults tell him so, when
 * he meets its database and its socket. */
static int read_service(struct config **ret, struct err *err)
{
	const char *named = getenv("SKIMD_CONFIG"), *path = named != NULL ? named : SERVICE_CONFIG;
	int r = skimctl_is_private() || access(path, R_OK) < 0 ? -EACCES : read_named(path, ret, err);

	return r == -EACCES ? config_default(ret, err) : r;
}

int skimctl_read_config(const char *path, struct config **ret, struct err *err)
{
	return path != NULL ? read_named(path, ret, err) : read_service(ret, err);
}

int skimctl_find_config(const char *path, struct config **ret, bool *ret_own, struct err *err)
{
	int r = skimctl_read_config(path, ret, err);

	if (r < 0)
		return r;
	*ret_own = path == NULL && (skimctl_is_private() || access((*ret)->store.path, R_OK) < 0);
	if (!*ret_own)
		return 0;
	config_free(*ret);
	return config_default(ret, err);
}

int skimctl_find_store(const char *config_path, char *ret, struct err *err)
{
	struct config *config;
	bool own;
	int r = skimctl_find_config(config_path, &config, &own, err);

	if (r < 0)
		return r;
	snprintf(ret, PATH_MAX, "%s", config->store.path);
	config_free(config);
	return own ? paths_user_store(ret, PATH_MAX, err) : 0;
}

int skimctl_find_cache(const char *config_path, char *ret, uint64_t *ret_budget_bytes, struct err *err)
{
	struct config *config;
	bool own;
	int r = skimctl_find_config(config_path, &config, &own, err);

	if (r < 0)
		return r;
	snprintf(ret, PATH_MAX, "%s", config->kv.path);
	*ret_budget_bytes = config->kv.budget_bytes;
	config_free(config);
	return own ? paths_user_cache(ret, PATH_MAX, err) : 0;
}

int skimctl_open_store(const char *config_path, struct docstore **ret, struct err *err)
{
	char path[PATH_MAX];
	struct docstore_settings settings = { .path = path, .mode = DOCSTORE_READ };
	int r = skimctl_find_store(config_path, path, err);

	return r < 0 ? r : docstore_open(&settings, ret, err);
}
