/* One watched folder: tells which files are there, complete and readable, and which are gone.
 *
 * inotify gives hints, scans give the truth: the folder is scanned when watch_rescan() asks for it, from then on every
 * rescan_ns, and whenever events were or may have been lost. Runs in one thread; callbacks must not call back into the
 * watch, but for its getters. Nothing is ever followed out of the folder, and symbolic links to folders not at all. */
#ifndef SKIMD_DAEMON_WATCH_H
#define SKIMD_DAEMON_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "daemon/loop.h"

struct watch;

/* All strings are the caller's, paths in callbacks the watch's; the former must outlive the watch. */
struct watch_settings {
	const char *path; /* resolved by realpath(3); paths in callbacks start with the result */
	bool recursive;
	uint64_t settle_ns, rescan_ns;
	char *const *ignore; /* see ignore_matches(); files and folders that match are as if not there */
	size_t n_ignore;
	void *user;
	/* The next three return 0, or a negative errno when they could not take note of it: it is told again, after
	 * some seconds. */
	/* A regular file is complete. Once for each identity: device, inode, size, mtime and ctime. */
	int (*ready)(void *user, const char *path, const struct stat *st);
	/* A file or a folder that cannot be read. It is tried again by every scan, and told again only if the
	 * error or the file changes. A folder that can be read again is told as gone. */
	int (*unreadable)(void *user, const char *path, int error);
	/* Not a regular file: FIFO, socket, device, or symbolic link, but for one to a file that is watched. */
	int (*ignored)(void *user, const char *path, const struct stat *st, const char *reason);
	/* Something told of before was deleted or moved away. */
	void (*gone)(void *user, const char *path);
	/* More or fewer files are unsettled than before. */
	void (*settled)(void *user);
};

struct watch_counts {
	size_t n_files; /* known, whatever their state */
	size_t n_unsettled;
	size_t n_folders,
		n_unwatched_folders; /* unwatched: left to rescans, as inotify's limits are reached */
	size_t n_remote_folders; /* on a network: scanned every half minute, as inotify does not see all */
	uint64_t n_overflows, n_scans;
	unsigned n_incomplete; /* scans in a row that could not see or keep everything; another follows */
};

/* Make sure that the folder can be watched; nothing is looked at or told of before the first watch_rescan(). With a loop,
 * time comes from its clock and everything goes on by itself then. Without one (NULL), time starts at 0 and passes by
 * watch_tick() only. *ret is the caller's, for watch_close(). -ENOENT, -ENOTDIR, -EACCES, -EMFILE, -ENOMEM. inotify's
 * own limits are no error: they are logged, once, and rescans take its place. */
int watch_open(const struct watch_settings *settings, struct loop *loop, struct watch **ret, struct err *err);
void watch_close(struct watch *watch); /* before its loop is freed; NULL is allowed */

/* Scan everything now, at first and as on SIGHUP. Callbacks may come before this returns. When the folder cannot be read
 * (-ENOENT, -EACCES ...) all that is known is kept, nothing is told as gone, and it is tried again by itself. */
int watch_rescan(struct watch *watch, struct err *err);

/* Look at one path below the folder now. What is there settles by the same rules as any file. Errors as above. */
int watch_look(struct watch *watch, const char *path, struct err *err);

/* Look at all that has happened until now, on the watch's own clock: events are taken in, and what has none is
 * scanned, once a second at most. */
void watch_catch_up(struct watch *watch);

/* Take events in, scan if it is time, and tell what has settled, some files of it; while more are due, call it
 * again. now_ns never goes back. The loop does this. */
void watch_tick(struct watch *watch, uint64_t now_ns);

struct watch_counts watch_count(const struct watch *watch);

bool watch_is_unsettled(const struct watch *watch, const char *path);

/* Files that are still being written, or may be, since when on the clock of watch_tick(). */
void watch_each_unsettled(const struct watch *watch,
                          void (*each)(void *user, const char *path, uint64_t since_ns), void *user);

#endif
