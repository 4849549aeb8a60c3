#include "daemon/confine.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/landlock.h"
#include "base/log.h"
#include "base/sanitized.h"
#include "daemon/folders.h"
#include "daemon/paths.h"
#include "daemon/syscall_filter.h"
#include "pipeline/extract.h"
#include "pipeline/extract_walls.h"

/* Which file a path meant; all 0: none. */
struct identity {
	dev_t device;
	ino_t inode;
};

struct confine {
	struct landlock_rule *rules;
	size_t n, cap;
	struct identity *planned; /* [n_planned] of the rules, when they were made */
	size_t n_planned, cap_planned;
};

/* What libc opens by itself: names of users and groups, the time zone, and the libraries of either; and what SQLite
 * takes its random numbers from. */
static const char *const LIBC[] = {
	"/etc/group", "/etc/ld.so.cache", "/etc/localtime", "/etc/nsswitch.conf",  "/etc/passwd",  "/lib",
	"/lib64",     "/usr/lib",         "/usr/lib64",     "/usr/share/zoneinfo", "/dev/urandom",
#ifdef SKIMD_SANITIZED
	"/proc", /* the sanitizers look at the memory and the threads of their process, and of the extractor's */
#endif
};

bool confine_covers(const struct confine *confine, const char *path, bool write)
{
	for (size_t i = 0; i < confine->n; i++) {
		const struct landlock_rule *rule = &confine->rules[i];

		if ((rule->write || !write) &&
		    (strcmp(path, rule->path) == 0 || paths_is_inside(path, rule->path)))
			return true;
	}
	return false;
}

static struct identity identify(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? (struct identity){ 0 } : (struct identity){ st.st_dev, st.st_ino };
}

/* As it is called in the end; what cannot be said of a path that is not there is left as it stands. */
static int add_rule(struct confine *confine, const struct landlock_rule *wanted, struct err *err)
{
	struct landlock_rule rule = *wanted;

	if (folders_resolve(wanted->path, &rule.path) < 0 && (rule.path = strdup(wanted->path)) == NULL)
		return err_set(err, -ENOMEM, "no memory for the walls");
	if (!rule.execute && confine_covers(confine, rule.path, rule.write)) {
		free(rule.path);
		return 0;
	}
	if (array_grow(&confine->rules, sizeof(*confine->rules), confine->n, &confine->cap) < 0 ||
	    array_grow(&confine->planned, sizeof(*confine->planned), confine->n_planned,
	               &confine->cap_planned) < 0) {
		free(rule.path);
		return err_set(err, -ENOMEM, "no memory for the walls");
	}
	confine->planned[confine->n_planned++] = identify(rule.path);
	confine->rules[confine->n++] = rule;
	return 0;
}

static int add(struct confine *confine, const char *path, bool write, struct err *err)
{
	const struct landlock_rule rule = { .path = (char *)(uintptr_t)path, .write = write };

	return add_rule(confine, &rule, err);
}

/* The folder of a file, which is written beside: databases have journals, and what replaces a file is its neighbour. */
static int add_folder_of(struct confine *confine, const char *path, bool write, struct err *err)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	return add(confine, dirname(copy), write, err);
}

/* SQLite follows a link to a database, and puts the journal where that leads. */
static int add_database(struct confine *confine, const char *path, struct err *err)
{
	char resolved[PATH_MAX];
	int r = add_folder_of(confine, path, true, err);

	if (r == 0 && realpath(path, resolved) != NULL)
		r = add_folder_of(confine, resolved, true, err);
	return r;
}

/* The file may be a link, as configuration tools like them, and both ends of it are looked at again. */
static int add_configuration(struct confine *confine, const char *config_path, struct err *err)
{
	char resolved[PATH_MAX];
	int r = add_folder_of(confine, config_path, false, err);

	if (r == 0 && realpath(config_path, resolved) != NULL)
		r = add_folder_of(confine, resolved, false, err);
	return r;
}

/* A checkpoint out of a download cache is a folder of links to files elsewhere. */
static int add_model(struct confine *confine, const char *word, struct err *err)
{
	char dir[PATH_MAX], path[2 * PATH_MAX], resolved[PATH_MAX];
	int r = paths_model(word, dir, sizeof(dir), err);
	const struct dirent *entry;
	DIR *folder;

	if (r < 0 || (r = add(confine, dir, false, err)) < 0 || (folder = opendir(dir)) == NULL)
		return r;
	while (r == 0 && (entry = readdir(folder)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (entry->d_name[0] != '.' && realpath(path, resolved) != NULL)
			r = add(confine, resolved, false, err);
	}
	closedir(folder);
	return r;
}

static int add_written(struct confine *confine, const struct config *config, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->n_watch; i++)
		r = add(confine, config->watch[i].outbox, true, err);
	if (r < 0 || (r = add_database(confine, config->store.path, err)) < 0 ||
	    (r = add_database(confine, config->kv.path, err)) < 0 ||
	    (config->store.inbox != NULL &&
	     (r = add_folder_of(confine, config->store.inbox, true, err)) < 0) ||
	    (r = add(confine, RUNSTATEDIR "/skimd", true, err)) < 0 ||
	    (r = add_folder_of(confine, config->control.socket, true, err)) < 0 ||
	    (config->metrics.file != NULL &&
	     (r = add_folder_of(confine, config->metrics.file, true, err)) < 0))
		return r;
	return add(confine, "/dev/null", true, err);
}

static int add_read(struct confine *confine, const struct config *config, const char *config_path,
                    struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->n_watch; i++)
		r = add(confine, config->watch[i].path, false, err);
	if (r < 0 || (r = add_model(confine, config->model.path, err)) < 0 ||
	    (r = add_configuration(confine, config_path, err)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < sizeof(LIBC) / sizeof(LIBC[0]); i++)
		r = add(confine, LIBC[i], false, err);
	return r;
}

static int add_extraction_rule(void *user, const struct landlock_rule *rule)
{
	return add_rule(user, rule, NULL);
}

/* The extractor, and what it and the programs that it runs are made of: its own walls are within these. */
static int add_extraction(struct confine *confine, struct err *err)
{
	const struct landlock_rule extractor = { .path = (char *)(uintptr_t)extract_program(),
		                                 .execute = true };
	int r = add_rule(confine, &extractor, err);

	if (r == 0 && walls_each_rule(add_extraction_rule, confine) < 0)
		r = err_set(err, -ENOMEM, "no memory for the walls");
	return r;
}

int confine_plan(const struct config *config, const char *config_path, struct confine **ret, struct err *err)
{
	struct confine *confine = array_new(struct confine, 1);
	int r;

	if (confine == NULL)
		return err_set(err, -ENOMEM, "no memory for the walls");
	if ((r = add_written(confine, config, err)) < 0 ||
	    (r = add_read(confine, config, config_path, err)) < 0 || (r = add_extraction(confine, err)) < 0)
		confine_free(confine);
	else
		*ret = confine;
	return r;
}

void confine_free(struct confine *confine)
{
	if (confine == NULL)
		return;
	for (size_t i = 0; i < confine->n; i++)
		free(confine->rules[i].path);
	free(confine->rules);
	free(confine->planned);
	free(confine);
}

static void print_paths(const struct confine *confine, bool write, bool execute, FILE *stream)
{
	for (size_t i = 0; i < confine->n; i++) {
		if (confine->rules[i].write == write && confine->rules[i].execute == execute)
			fprintf(stream, "  %s\n", confine->rules[i].path);
	}
}

void confine_print(const struct confine *confine, FILE *stream)
{
	fprintf(stream, "files and folders that the daemon may read:\n");
	print_paths(confine, false, false, stream);
	fprintf(stream, "that it may also write:\n");
	print_paths(confine, true, false, stream);
	fprintf(stream, "programs that it may start, and what loads them:\n");
	print_paths(confine, false, true, stream);
	fprintf(stream, "it has no network%s\n",
	        landlock_version() > 0
	                ? ""
	                : "; but this kernel, without Landlock, walls neither files nor programs");
}

/* What is not there at this moment may be back at the next. */
const char *confine_replaced(const struct confine *confine)
{
	for (size_t i = 0; i < confine->n; i++) {
		const struct identity *was = &confine->planned[i];
		struct identity is = { 0 };

		if (confine->rules[i].execute)
			is = identify(confine->rules[i].path);
		if (is.inode != 0 && (is.inode != was->inode || is.device != was->device))
			return confine->rules[i].path;
	}
	return NULL;
}

bool confine_enter(const struct confine *confine)
{
	struct err err = { "" };
	int version;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_warning("walls: no_new_privs: %s, going on without", strerror(errno));
	version = landlock_enter(confine->rules, confine->n, &err);
	if (version < 0)
		log_warning("walls: %s: all files that the user may open stay open to the daemon", err.text);
	else
		log_debug("walls: %zu files and folders, Landlock %d", confine->n, version);
	if (syscall_filter_enter(&err) < 0)
		log_warning("walls: %s, going on without", err.text);
	return version > 0;
}
