/* Which files of a watched folder are complete, and what has been told about each of them.
 *
 * A file is complete when it was seen with the same identity twice, a quiet time apart, with no event in between,
 * and nobody has it open for writing as far as a read lease can tell. Every file is told once for an identity.
 * Knows no inotify: watch.c says what it saw, and when. */
#ifndef SKIMD_DAEMON_SETTLE_H
#define SKIMD_DAEMON_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct settle;

enum sight {
	SIGHT_SCAN, /* in a folder that was read; it may have been there for long */
	SIGHT_POLL, /* the same, but by another clock than ours, and its writer may be anywhere */
	SIGHT_WRITTEN, /* created, written, or closed by a writer */
	SIGHT_RENAMED, /* put into place under this name: most often complete already */
	SIGHT_ATTRIBUTES, /* its mode, owner or times */
};

struct settle_settings {
	size_t n_root; /* bytes of the root folder's path, without a last '/' */
	uint64_t settle_ns;
	void *user;
	/* Negative: it could not be taken note of, and is not told of; it will be offered again. */
	int (*ready)(void *user, const char *path, const struct stat *st);
	int (*unreadable)(void *user, const char *path, int error);
	int (*ignored)(void *user, const char *path, const struct stat *st, const char *reason);
	void (*gone)(void *user, const char *path);
	void *owner;
	void (*changed)(void *owner,
	                const char *path); /* not the regular file any more that it was: look again */
};

/* settings are copied. NULL: no memory. */
struct settle *settle_new(const struct settle_settings *settings);
void settle_free(struct settle *settle); /* NULL is allowed; tells nothing */

/* A regular file was seen. -ENOMEM: it is not kept. */
int settle_see(struct settle *settle, const char *path, const struct stat *st, enum sight sight,
               uint64_t now_ns);

/* Something else was seen that is never read. -ENOMEM, or what ignored() returned: let it be seen again. */
int settle_see_other(struct settle *settle, const char *path, const struct stat *st, const char *reason);

/* A folder, or a file before it has settled, cannot be read. -ENOMEM, or what unreadable() returned: let it be
 * seen again. */
int settle_see_unreadable(struct settle *settle, const char *path, int error);

/* path is not there any more: gone() if anything was told of it. */
void settle_forget(struct settle *settle, const char *path);
void settle_forget_below(struct settle *settle, const char *folder);

/* Between these two every file that is still there is seen; those that were not are asked for with exists(),
 * which returns false only when it is sure. */
void settle_begin_scan(struct settle *settle);
void settle_end_scan(struct settle *settle, bool (*exists)(void *owner, const char *path));

/* Check what is due, as much of it as takes no noticeable time; the rest stays due. Opens files below root_fd, the
 * root folder. */
void settle_tick(struct settle *settle, int root_fd, uint64_t now_ns);

/* When settle_tick() has to come next; UINT64_MAX: nothing is unsettled. */
uint64_t settle_next_ns(const struct settle *settle);

size_t settle_n_files(const struct settle *settle);
size_t settle_n_unsettled(const struct settle *settle);
bool settle_is_unsettled(const struct settle *settle, const char *path);
void settle_each_unsettled(const struct settle *settle,
                           void (*each)(void *user, const char *path, uint64_t since_ns), void *user);

/* openat2(2) of a relative path: never out of the root folder, never through a symbolic link. A descriptor, or
 * a negative errno. */
int settle_open(int root_fd, const char *relative, int flags);

#endif
