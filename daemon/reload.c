#include "daemon/reload.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/folders.h"
#include "pipeline/messages.h"

static const struct log_field NOT_RELOADED[] = { { "MESSAGE_ID", MESSAGE_NOT_RELOADED }, { NULL, NULL } };

struct check {
	const char *path; /* of the configuration */
	const struct confine *confine;
	struct err *err;
};

/* r, and what a folder needs to come within reach. */
static int out_of_reach(const struct check *check, int r, const char *key, const char *folder, bool write)
{
	return err_set(
		check->err, r,
		"%s: key '%s': '%s' is out of reach of this daemon (%s): 'skimctl allow %s%s' opens it to"
		" the service, and a restart takes it",
		check->path, key, folder, r == -EACCES ? "its walls stand" : strerror(-r),
		write ? "--write " : "", folder);
}

static int check_walls(const struct check *check, const char *key, const char *folder, bool write)
{
	char *resolved;
	bool covered;
	int r;

	if (check->confine == NULL)
		return 0;
	r = folders_resolve(folder, &resolved);
	if (r < 0)
		return out_of_reach(check, r, key, folder, write);
	covered = confine_covers(check->confine, resolved, write);
	free(resolved);
	return covered ? 0 : out_of_reach(check, -EACCES, key, folder, write);
}

/* Walls by path are no proof: a folder that was replaced since is another one. */
static int check_reading(const struct check *check, const char *key, const char *folder)
{
	int fd, r = check_walls(check, key, folder, false);

	if (r < 0)
		return r;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return out_of_reach(check, -errno, key, folder, false);
	close(fd);
	return 0;
}

/* Whether a folder can be written into, or made: what is there of its path says so, as nothing is made before all of the
 * configuration is accepted. 0 or a negative errno. */
static int can_write(const char *folder)
{
	char path[PATH_MAX];
	struct stat st;

	if ((size_t)snprintf(path, sizeof(path), "%s", folder) >= sizeof(path))
		return -ENAMETOOLONG;
	while (stat(path, &st) < 0 && errno == ENOENT && strcmp(path, "/") != 0)
		dirname(path); /* of an absolute path: in place */
	return faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

static int check_writing(const struct check *check, const char *key, const char *folder)
{
	int r = check_walls(check, key, folder, true);

	if (r < 0)
		return r;
	r = can_write(folder);
	return r < 0 ? out_of_reach(check, r, key, folder, true) : 0;
}

static int check_metrics(const struct check *check, const char *file)
{
	char copy[PATH_MAX];

	if (file == NULL)
		return 0;
	snprintf(copy, sizeof(copy), "%s", file);
	return check_writing(check, "metrics.file", dirname(copy));
}

static int check_folder(const struct check *check, const struct config_watch *watch, size_t i)
{
	char key[48];
	int r;

	snprintf(key, sizeof(key), "watch[%zu].path", i);
	if ((r = check_reading(check, key, watch->path)) < 0)
		return r;
	snprintf(key, sizeof(key), "watch[%zu].outbox", i);
	return check_writing(check, key, watch->outbox);
}

static int make_folders(const struct config *config, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->n_watch; i++)
		r = file_make_folders(config->watch[i].outbox, 0750, err);
	if (r == 0 && config->metrics.file != NULL)
		r = file_make_folder_of(config->metrics.file, 0750, err);
	return r;
}

/* Errors as config_read()'s; -EACCES, -EROFS: a folder is out of reach. */
static int read_checked(const struct reload *reload, struct config **ret, struct err *err)
{
	const struct check check = { reload->path, reload->confine, err };
	struct config *config;
	int r = config_read(reload->path, &config, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < config->n_watch; i++)
		r = check_folder(&check, &config->watch[i], i);
	if (r == 0)
		r = check_metrics(&check, config->metrics.file);
	if (r == 0)
		r = make_folders(config, err);
	if (r < 0)
		config_free(config);
	else
		*ret = config;
	return r;
}

static void warn_fixed(const struct reload *reload, const struct config *fresh)
{
	struct buf names = { 0 };

	config_list_fixed(reload->config, fresh, &names);
	if (names.n > 0 && buf_status(&names) == 0)
		log_fields(LOG_LEVEL_WARNING, NOT_RELOADED, "%s: needs a restart: %s; all else is taken",
		           reload->path, names.data);
	buf_done(&names);
}

static int take(const struct reload *reload, struct err *err)
{
	struct config *fresh;
	int r = read_checked(reload, &fresh, err);

	if (r < 0)
		return r;
	r = intake_reload(reload->intake, fresh, err);
	if (r == 0) {
		log_set_level(reload->config->log.level);
		metrics_file_reload(reload->metrics_file);
		keeper_reload(reload->keeper);
		if (asking_reload(reload->asking, reload->config) < 0)
			log_warning("no memory for the folders' questions: they stay as they were");
		log_info("%s: taken, %zu folder%s", reload->path, reload->config->n_watch,
		         reload->config->n_watch == 1 ? "" : "s");
		warn_fixed(reload, fresh);
	}
	config_free(fresh);
	return r;
}

void reload_run(const struct reload *reload)
{
	struct err err = { "" };

	if (take(reload, &err) < 0) {
		log_fields(LOG_LEVEL_ERROR, NOT_RELOADED, "%s; going on with the configuration as it was",
		           err.text);
		clerk_event(reload->clerk, "error", err.text);
	}
	intake_rescan(reload->intake);
}
