#include "daemon/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"

static int check_length(int length, size_t n, const char *what, struct err *err)
{
	if (length < 0 || (size_t)length >= n)
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long", what);
	return 0;
}

int paths_model(const char *word, char *ret, size_t n, struct err *err)
{
	const char *dir = getenv("SKIMD_MODEL_DIR");

	if (strcmp(word, CONFIG_MODEL_NANO) != 0)
		return check_length(snprintf(ret, n, "%s", word), n, "model", err);
	if (dir != NULL && *dir != '\0')
		return check_length(snprintf(ret, n, "%s", dir), n, "SKIMD_MODEL_DIR", err);
	return check_length(snprintf(ret, n, "%s/model/nano", PKGDATADIR), n, "model", err);
}

static int user_path(const char *variable, const char *below_home, const char *name, char *ret, size_t n,
                     struct err *err)
{
	const char *base = getenv(variable), *home = getenv("HOME");

	if (base != NULL && base[0] == '/')
		return check_length(snprintf(ret, n, "%s/skimd/%s", base, name), n, variable, err);
	if (home == NULL || *home == '\0')
		return err_set(err, -ENOENT, "neither HOME nor %s is set: use --no-store", variable);
	return check_length(snprintf(ret, n, "%s/%s/skimd/%s", home, below_home, name), n, "HOME", err);
}

int paths_user_store(char *ret, size_t n, struct err *err)
{
	return user_path("XDG_STATE_HOME", ".local/state", "skimd.db", ret, n, err);
}

int paths_user_cache(char *ret, size_t n, struct err *err)
{
	return user_path("XDG_CACHE_HOME", ".cache", "kv.db", ret, n, err);
}

bool paths_is_inside(const char *path, const char *folder)
{
	size_t n = strcmp(folder, "/") == 0 ? 0 : strlen(folder);

	return strncmp(path, folder, n) == 0 && path[n] == '/' && path[n + 1] != '\0';
}

int paths_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}
