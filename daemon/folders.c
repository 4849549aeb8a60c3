#include "daemon/folders.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/paths.h"

struct checker {
	const char *file;
	const struct node *root, *watch;
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

static enum meeting meet(struct tree a, struct tree b)
{
	if (strcmp(a.path, b.path) == 0)
		return SAME;
	if (b.deep && paths_is_inside(a.path, b.path))
		return INSIDE;
	if (a.deep && paths_is_inside(b.path, a.path))
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

/* A database changes with every document, and each change would be an event; the metrics do with the time. */
static int check_place(const struct checker *checker, size_t i, const char *key, const char *path,
                       const char *place)
{
	const char *folder = watched(checker, i).path;
	char *resolved;
	bool inside;
	int r = folders_resolve(place, &resolved);

	if (r < 0)
		return node_error(checker->file, key_of(checker, i, "path"), checker->err, r, "%s '%s': %s",
		                  key, path, strerror(-r));
	inside = strcmp(resolved, folder) == 0 || paths_is_inside(resolved, folder);
	free(resolved);
	if (!inside)
		return 0;
	return node_error(checker->file, key_of(checker, i, "path"), checker->err, -EINVAL,
	                  "'%s' holds %s '%s': skimd would watch what it writes itself", folder, key, path);
}

static int check_database(const struct checker *checker, size_t i, const char *key, const char *path)
{
	return check_place(checker, i, key, path, path);
}

/* By its folder, as who may not ask may not look into that either, and shall be told so in other words. */
static int check_inbox_place(const struct checker *checker, size_t i)
{
	const char *inbox = checker->config->store.inbox;
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", inbox);
	return check_place(checker, i, "store.inbox", inbox, dirname(copy));
}

static const struct node *key_below(const struct checker *checker, const char *section, const char *key)
{
	const struct node *node = node_get(checker->root, section);

	return node != NULL && node->kind == NODE_MAPPING ? node_get(node, key) : NULL;
}

/* The key that a clash of the databases is blamed on; none need be written, as all have defaults. */
static const struct node *database_key(const struct checker *checker)
{
	const struct node *kv = key_below(checker, "kv", "path"),
			  *store = key_below(checker, "store", "path");

	if (kv != NULL)
		return kv;
	return store != NULL ? store : checker->root;
}

static int check_databases(const struct checker *checker)
{
	char *store_path = NULL, *kv_path = NULL;
	int r;

	if ((r = folders_resolve(checker->config->store.path, &store_path)) == 0)
		r = folders_resolve(checker->config->kv.path, &kv_path);
	if (r < 0)
		node_error(checker->file, database_key(checker), checker->err, r, "%s", strerror(-r));
	else if (strcmp(store_path, kv_path) == 0)
		r = node_error(checker->file, database_key(checker), checker->err, -EINVAL,
		               "'%s' is both store.path and kv.path: each needs a file of its own", kv_path);
	free(store_path);
	free(kv_path);
	return r;
}

/* Who may write into the inbox's folder could take away what else is in it. */
static int check_inbox(const struct checker *checker)
{
	const char *inbox = checker->config->store.inbox, *last = strrchr(inbox, '/');
	const char *const others[] = { checker->config->store.path, checker->config->kv.path,
		                       checker->config->control.socket, checker->config->metrics.file };
	const struct node *key = key_below(checker, "store", "inbox");

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (others[i] != NULL && strncmp(others[i], inbox, (size_t)(last + 1 - inbox)) == 0)
			return node_error(checker->file, key != NULL ? key : database_key(checker),
			                  checker->err, -EINVAL,
			                  "'%s' needs a folder of its own, without '%s': whoever asks may "
			                  "write there",
			                  inbox, others[i]);
	}
	return 0;
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
	if ((r = check_database(checker, i, "store.path", checker->config->store.path)) < 0 ||
	    (r = check_inbox_place(checker, i)) < 0)
		return r;
	if ((r = check_database(checker, i, "kv.path", checker->config->kv.path)) < 0 ||
	    checker->config->metrics.file == NULL)
		return r;
	return check_database(checker, i, "metrics.file", checker->config->metrics.file);
}

int folders_check(const char *file, const struct node *root, const struct config *config, struct err *err)
{
	const struct node *watch = node_get(root, "watch");
	const struct checker checker = { file, root, watch, config, err };
	int r = 0;

	for (size_t i = 0; i < config->n_watch && r == 0; i++)
		r = check_entry(&checker, i);
	if (r == 0)
		r = check_databases(&checker);
	return r < 0 ? r : check_inbox(&checker);
}
