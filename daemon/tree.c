#include "daemon/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "daemon/ignore.h"
#include "daemon/remote.h"

/* Nothing that reading causes, OPEN, ACCESS and CLOSE_NOWRITE: our own reading would fill the queue for ever. */
#define EVENTS                                                                                          \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_MODIFY | IN_ATTRIB | \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW)

/* What was just seen could not be kept; a scan will see it again. */
static void check_kept(struct tree *tree, int r)
{
	if (r < 0)
		tree->incomplete = true;
}

static const char *relative(const struct tree *tree, const char *path)
{
	size_t n_root = strlen(tree->root);

	return path[n_root] == '\0' ? "." : path + n_root + 1;
}

static int stat_below(const struct tree *tree, const char *path, struct stat *ret)
{
	int fd = settle_open(tree->root_fd, relative(tree, path), O_PATH | O_NOFOLLOW), r;

	if (fd < 0)
		return fd;
	r = fstat(fd, ret) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static bool is_absent(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP;
}

static void push_pending(struct tree *tree, const char *path)
{
	char *copy = strdup(path);

	if (copy == NULL ||
	    array_grow(&tree->pending, sizeof(char *), tree->n_pending, &tree->cap_pending) < 0) {
		free(copy);
		check_kept(tree, -ENOMEM);
		return;
	}
	tree->pending[tree->n_pending++] = copy;
}

static bool leads_to_a_watched_file(const struct tree *tree, const char *link)
{
	char target[PATH_MAX];
	size_t n = strlen(tree->root);
	struct stat st;

	return realpath(link, target) != NULL && strncmp(target, tree->root, n) == 0 && target[n] == '/' &&
	       stat(target, &st) == 0 && S_ISREG(st.st_mode);
}

static void see(struct tree *tree, const char *path, const struct stat *st, enum sight sight)
{
	if (S_ISDIR(st->st_mode)) {
		if (tree->recursive)
			push_pending(tree, path);
		else
			settle_forget(tree->settle, path);
	} else if (S_ISREG(st->st_mode)) {
		check_kept(tree, settle_see(tree->settle, path, st, sight, tree->now_ns));
	} else if (S_ISLNK(st->st_mode) && leads_to_a_watched_file(tree, path)) {
		settle_forget(tree->settle, path);
	} else {
		check_kept(tree, settle_see_other(tree->settle, path, st, "not a regular file"));
	}
}

static void remove_watch(const struct tree *tree, int wd)
{
	if (wd >= 0)
		inotify_rm_watch(tree->inotify_fd, wd);
}

static int add_watch(struct tree *tree, const char *path)
{
	int wd;

	if (tree->inotify_fd < 0)
		return -1;
	wd = inotify_add_watch(tree->inotify_fd, path, EVENTS);
	if (wd < 0 && (errno == ENOSPC || errno == ENOMEM))
		tree->limit_reached = true;
	return wd;
}

static void forget_folder(struct tree *tree, struct folder *folder)
{
	remove_watch(tree, folder->wd);
	folder_table_remove(&tree->folders, folder);
}

/* *ret_same: it has been watched all along, under this path. */
static int watch_folder(struct tree *tree, const char *path, struct folder **ret, bool *ret_same)
{
	struct folder *folder = folder_table_add(&tree->folders, path);
	int wd, old_wd;

	if (folder == NULL)
		return -ENOMEM;
	*ret = folder;
	folder->scan = tree->scan;
	old_wd = folder->wd;
	wd = add_watch(tree, path);
	*ret_same = wd >= 0 && wd == old_wd;
	if (old_wd != wd)
		remove_watch(tree, old_wd);
	if (folder_table_set_wd(&tree->folders, folder, wd) < 0) {
		remove_watch(tree, wd);
		return -ENOMEM;
	}
	return 0;
}

static void scan_names(struct tree *tree, const char *path, DIR *dir, enum sight sight)
{
	const struct dirent *entry;

	while ((entry = readdir(dir)) != NULL) {
		char *child;
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    ignore_matches(entry->d_name, tree->ignore, tree->n_ignore) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (asprintf(&child, "%s/%s", path, entry->d_name) < 0) {
			check_kept(tree, -ENOMEM);
			continue;
		}
		see(tree, child, &st, sight);
		free(child);
	}
}

static void cannot_scan(struct tree *tree, struct folder *folder, int error)
{
	if (error == EMFILE || error == ENFILE || error == ENOMEM || error == EAGAIN)
		tree->incomplete = true;
	else if (!is_absent(-error))
		check_kept(tree, settle_see_unreadable(tree->settle, folder->path, error));
	forget_folder(tree, folder);
}

static DIR *open_folder(const struct tree *tree, const char *path)
{
	int fd = settle_open(tree->root_fd, relative(tree, path), O_RDONLY | O_DIRECTORY);
	DIR *dir;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	/* The names of one that cannot be entered could be read, and nothing behind them. */
	dir = faccessat(fd, ".", X_OK, AT_EACCESS) < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		int error = errno;

		close(fd);
		errno = error;
	}
	return dir;
}

static void scan_folder(struct tree *tree, const char *path)
{
	struct folder *folder;
	bool same;
	DIR *dir;

	/* The watch first: what comes after it is an event, what came before it is in the folder. */
	if (watch_folder(tree, path, &folder, &same) < 0) {
		tree->incomplete = true;
		return;
	}
	if (same && !tree->full_scan)
		return;
	dir = open_folder(tree, path);
	if (dir == NULL) {
		cannot_scan(tree, folder, errno);
		return;
	}
	settle_forget(tree->settle, path); /* in case that it could not be read before, or was a file */
	folder_table_set_remote(&tree->folders, folder, remote_holds(dirfd(dir)));
	scan_names(tree, path, dir, folder->remote ? SIGHT_POLL : SIGHT_SCAN);
	closedir(dir);
}

static void scan_pending(struct tree *tree)
{
	while (tree->n_pending > 0) {
		char *path = tree->pending[--tree->n_pending];

		scan_folder(tree, path);
		free(path);
	}
}

void tree_forget(struct tree *tree, const char *path)
{
	size_t n = strlen(path);
	struct folder *next;

	for (struct folder *folder = LIST_FIRST(&tree->folders.all); folder != NULL; folder = next) {
		next = LIST_NEXT(folder, all);
		if (strncmp(folder->path, path, n) == 0 &&
		    (folder->path[n] == '/' || folder->path[n] == '\0'))
			forget_folder(tree, folder);
	}
	settle_forget_below(tree->settle, path);
	settle_forget(tree->settle, path);
}

/* What is at path now? Events are only the reason to ask, since much may have happened after them. */
void tree_look(struct tree *tree, const char *path, enum sight sight)
{
	struct folder *folder = folder_table_find(&tree->folders, path);
	struct stat st;
	int r = stat_below(tree, path, &st);

	if (folder != NULL && (is_absent(r) || (r == 0 && !S_ISDIR(st.st_mode))))
		forget_folder(tree, folder);
	if (is_absent(r))
		settle_forget(tree->settle, path);
	else if (r < 0)
		tree->incomplete = true;
	else
		see(tree, path, &st, sight);
	scan_pending(tree);
}

int tree_open(struct tree *tree, struct err *err)
{
	tree->root_fd = open(tree->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* A folder that can be entered but not read is not to be watched. */
	if (tree->root_fd < 0 || faccessat(tree->root_fd, ".", R_OK | X_OK, AT_EACCESS) < 0) {
		int r = err_set(err, -errno, "cannot watch '%s': %s", tree->root, strerror(errno));

		tree_close(tree);
		return r;
	}
	return 0;
}

void tree_close(struct tree *tree)
{
	if (tree->root_fd >= 0)
		close(tree->root_fd);
	tree->root_fd = -1;
}

/* True when it cannot be told. */
static bool exists(const struct tree *tree, const char *path)
{
	struct stat st;

	return !is_absent(stat_below(tree, path, &st));
}

static bool still_there(void *owner, const char *path)
{
	return exists(owner, path);
}

static void sweep_folders(struct tree *tree)
{
	struct folder *next;

	for (struct folder *folder = LIST_FIRST(&tree->folders.all); folder != NULL; folder = next) {
		next = LIST_NEXT(folder, all);
		if (folder->scan != tree->scan && !exists(tree, folder->path))
			forget_folder(tree, folder);
	}
}

void tree_scan(struct tree *tree)
{
	tree->scan++;
	tree->full_scan = true;
	settle_begin_scan(tree->settle);
	push_pending(tree, tree->root);
	scan_pending(tree);
	tree->full_scan = false;
	settle_end_scan(tree->settle, still_there);
	sweep_folders(tree);
}

void tree_done(struct tree *tree)
{
	tree_close(tree);
	folder_table_done(&tree->folders);
	free(tree->pending);
}
