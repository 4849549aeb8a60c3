#include "daemon/folders.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct checker {
	const char *file;
	const struct node *watch;
	const struct config *config;
	struct err *err;
};

/* A folder and whether what lies in its subfolders counts, too. */
struct tree {
	const char *path;
	bool deep;
};

/* How the first of two trees stands to the second. */
enum meeting { APART, SAME, INSIDE, AROUND };

static bool has_dotdot(const char *path)
{
	for (const char *part = path; part != NULL; part = strchr(part, '/')) {
		part += strspn(part, "/");
		if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
			return true;
	}
	return false;
}

/* Resolved base and the missing rest of the path, without doubled slashes and ".". */
static int join_missing(const char *base, const char *rest, char **ret)
{
	char path[PATH_MAX];
	size_t n = (size_t)snprintf(path, sizeof(path), "%s", strcmp(base, "/") == 0 ? "" : base);

	while (*(rest += strspn(rest, "/")) != '\0') {
		size_t n_part = strcspn(rest, "/");

		if (n + n_part + 2 > sizeof(path))
			return -ENAMETOOLONG;
		if (n_part != 1 || rest[0] != '.') {
			path[n++] = '/';
			memcpy(path + n, rest, n_part);
			n += n_part;
			path[n] = '\0';
		}
		rest += n_part;
	}
	*ret = strdup(n > 0 ? path : "/");
	return *ret != NULL ? 0 : -ENOMEM;
}

int folders_resolve(const char *path, char **ret)
{
	char head[PATH_MAX], resolved[PATH_MAX];
	size_t n = strlen(path);

	if (n >= sizeof(head))
		return -ENAMETOOLONG;
	memcpy(head, path, n + 1);
	while (realpath(n > 0 ? head : "/", resolved) == NULL) {
		if (errno != ENOENT)
			return -errno;
		while (n > 0 && head[n - 1] == '/')
			head[--n] = '\0';
		while (n > 0 && head[n - 1] != '/')
			head[--n] = '\0';
	}
	if (has_dotdot(path + n))
		return -EINVAL;
	return join_missing(resolved, path + n, ret);
}

static bool is_inside(const char *path, const char *folder)
{
	size_t n = strcmp(folder, "/") == 0 ? 0 : strlen(folder);

	return strncmp(path, folder, n) == 0 && path[n] == '/' && path[n + 1] != '\0';
}

static enum meeting meet(struct tree a, struct tree b)
{
	if (strcmp(a.path, b.path) == 0)
		return SAME;
	if (b.deep && is_inside(a.path, b.path))
		return INSIDE;
	if (a.deep && is_inside(b.path, a.path))
		return AROUND;
	return APART;
}

static struct tree watched(const struct checker *checker, size_t i)
{
	return (struct tree){ checker->config->watch[i].path, checker->config->watch[i].recursive };
}

/* An outbox mirrors the watched tree, so it is as deep as that. */
static struct tree outbox(const struct checker *checker, size_t i)
{
	return (struct tree){ checker->config->watch[i].outbox, checker->config->watch[i].recursive };
}

static const struct node *key_of(const struct checker *checker, size_t i, const char *key)
{
	return node_get(checker->watch->children[i], key);
}

static const char *verb(enum meeting meeting)
{
	static const char *const VERBS[] = { [SAME] = "is", [INSIDE] = "lies inside", [AROUND] = "holds" };

	return VERBS[meeting];
}

static int check_watched(const struct checker *checker, size_t i, size_t j)
{
	enum meeting meeting = meet(watched(checker, i), watched(checker, j));

	if (meeting == APART)
		return 0;
	return node_error(checker->file, key_of(checker, i, "path"), checker->err, -EINVAL,
	                  "'%s' %s the folder of watch[%zu]: its files would be read twice",
	                  watched(checker, i).path, verb(meeting), j);
}

static int check_outboxes(const struct checker *checker, size_t i, size_t j)
{
	enum meeting meeting = meet(outbox(checker, i), outbox(checker, j));

	if (meeting == APART)
		return 0;
	return node_error(checker->file, key_of(checker, i, "outbox"), checker->err, -EINVAL,
	                  "'%s' %s the outbox of watch[%zu]: outputs could have the same names",
	                  outbox(checker, i).path, verb(meeting), j);
}

static int check_loop(const struct checker *checker, size_t i, size_t j)
{
	enum meeting meeting = meet(outbox(checker, i), watched(checker, j));

	if (meeting == APART)
		return 0;
	return node_error(checker->file, key_of(checker, i, "outbox"), checker->err, -EINVAL,
	                  "'%s' %s the folder that watch[%zu] watches: skimd would read what it wrote",
	                  outbox(checker, i).path, verb(meeting), j);
}

/* A database changes with every document, and each change would be an event. */
static int check_database(const struct checker *checker, size_t i, const char *key, const char *path)
{
	char *resolved;
	bool inside;
	int r = folders_resolve(path, &resolved);

	if (r < 0)
		return node_error(checker->file, key_of(checker, i, "path"), checker->err, r, "%s '%s': %s",
		                  key, path, strerror(-r));
	inside = is_inside(resolved, watched(checker, i).path);
	free(resolved);
	if (!inside)
		return 0;
	return node_error(checker->file, key_of(checker, i, "path"), checker->err, -EINVAL,
	                  "'%s' holds %s '%s': skimd would watch its own database", watched(checker, i).path,
	                  key, path);
}

static int check_entry(const struct checker *checker, size_t i)
{
	int r;

	for (size_t j = 0; j < i; j++) {
		if ((r = check_watched(checker, i, j)) < 0 || (r = check_outboxes(checker, i, j)) < 0)
			return r;
	}
	for (size_t j = 0; j < checker->config->n_watch; j++) {
		if ((r = check_loop(checker, i, j)) < 0)
			return r;
	}
	if ((r = check_database(checker, i, "store.path", checker->config->store.path)) < 0)
		return r;
	return check_database(checker, i, "kv.path", checker->config->kv.path);
}

int folders_check(const char *file, const struct node *watch, const struct config *config, struct err *err)
{
	const struct checker checker = { .file = file, .watch = watch, .config = config, .err = err };
	int r = 0;

	for (size_t i = 0; i < config->n_watch && r == 0; i++)
		r = check_entry(&checker, i);
	return r;
}
