/* What is in a watched folder: scanned as a whole, or looked at by name where an event says so. Sees to it that
 * every folder has an inotify watch, and hands files to settle.c. watch.c brings events and time. */
#ifndef SKIMD_DAEMON_TREE_H
#define SKIMD_DAEMON_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "daemon/folder_table.h"
#include "daemon/settle.h"

struct tree {
	/* set by watch.c */
	char *root; /* absolute, without symbolic links */
	bool recursive;
	char *const *ignore;
	size_t n_ignore;
	int inotify_fd; /* -1: without watches */
	struct settle *settle;
	uint64_t now_ns;

	/* the tree's own */
	int root_fd; /* -1: closed */
	struct folder_table folders;
	char **pending; /* folders to be scanned, a stack */
	size_t n_pending, cap_pending;
	unsigned scan;
	bool full_scan;
	bool limit_reached; /* inotify had no watch for a folder */
	bool incomplete; /* something could not be kept or asked for: scan again soon. For watch.c to clear */
};

/* Open the root folder, for the calls below and for settle_tick(). Not for long: the kernel does not say that a
 * folder was deleted as long as somebody has it open. A negative errno when it cannot be read. */
int tree_open(struct tree *tree, struct err *err);
void tree_close(struct tree *tree); /* nothing if it is closed */

/* See everything there is, and forget what is gone. */
void tree_scan(struct tree *tree);

/* See what is at this path now, if anything. */
void tree_look(struct tree *tree, const char *path, enum sight sight);

/* The folder that had this path went elsewhere with all that was in it. */
void tree_forget(struct tree *tree, const char *path);

void tree_done(struct tree *tree); /* what is the tree's own */

#endif
