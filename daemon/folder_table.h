/* The folders of a watched tree, by path and by inotify's watch descriptor. */
#ifndef SKIMD_DAEMON_FOLDER_TABLE_H
#define SKIMD_DAEMON_FOLDER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct folder {
	char *path; /* first, for paths_compare() */
	int wd; /* -1: not watched */
	bool remote; /* see remote.h: its watch tells of this machine's changes alone */
	unsigned scan; /* the last one that saw it */
	LIST_ENTRY(folder) all;
};

/* Zeroed: empty. */
struct folder_table {
	LIST_HEAD(, folder) all;
	void *by_path, *by_wd; /* trees of tsearch(3) */
	size_t n, n_unwatched, n_remote;
};

/* NULL: not there. */
struct folder *folder_table_find(const struct folder_table *table, const char *path);
struct folder *folder_table_find_wd(const struct folder_table *table, int wd);

/* The folder of this path, new (with wd -1) or not. NULL: no memory. */
struct folder *folder_table_add(struct folder_table *table, const char *path);

/* Another wd, or -1. Who had the wd before has none now: inotify gives one for an inode, so this is where the
 * folder went that the other path used to name. -ENOMEM: it has wd -1 now. */
int folder_table_set_wd(struct folder_table *table, struct folder *folder, int wd);

void folder_table_set_remote(struct folder_table *table, struct folder *folder, bool remote);

void folder_table_remove(struct folder_table *table, struct folder *folder);
void folder_table_done(struct folder_table *table);

#endif
