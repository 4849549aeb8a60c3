/* inbox.db: where users put questions with any SQLite client, in one table that anybody of the group may write. What
 * stands in it is taken over into skimd.db and then removed; what cannot be taken over yet gets the reason in its column
 * error.
 *
 * Others hold its locks, change it under our feet and may put anything in its place: it is opened for a moment only, read
 * without any code of its own (no triggers, views, extensions, and a schema that must be ours to the letter), and a file
 * that is not an inbox is set aside. One thread at a time. */
#ifndef SKIMD_STORE_INBOX_H
#define SKIMD_STORE_INBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct inbox;

#define INBOX_MAX_TEXT 4096 /* bytes of a question; also of a document's name or path */
#define INBOX_MAX_ROWS 1000 /* that an honest client can have waiting at a time */
#define INBOX_KEEP_S (7 * 86400) /* what could not be taken over in this time is removed */

/* A row, borrowed for the call. */
struct inbox_row {
	int64_t id; /* never used again within one inbox */
	const char *document, *text; /* neither longer than INBOX_MAX_TEXT, nor checked otherwise */
};

enum inbox_verdict {
	INBOX_TAKEN, /* remove it */
	INBOX_WAITS, /* leave it, with the words as its error, and offer it again */
};

struct inbox_settings {
	const char *path; /* absolute; its folder is there */
	gid_t group; /* of those who may write; (gid_t)-1: nobody but our own user */
	void *user;
	/* What shall become of a row; inbox names this inbox.db among all. A negative errno ends the look with it. */
	int (*take)(void *user, const char *inbox, const struct inbox_row *row, struct err *ret_why,
	            struct err *err);
	/* A row that was taken stands in the file no more. */
	int (*removed)(void *user, const char *inbox, int64_t id, struct err *err);
	int64_t (*clock)(void); /* seconds since 1970, for tests; NULL: the system's */
};

/* Nothing is touched yet. *ret is the caller's, for inbox_free(). -ENOMEM; -EIO: SQLite does not start; what the folder
 * cannot be found for. */
int inbox_new(const struct inbox_settings *settings, struct inbox **ret, struct err *err);
void inbox_free(struct inbox *inbox); /* NULL is allowed */

/* From any thread: a look that takes long ends soon, with -ECANCELED, and so do all others. */
void inbox_cancel(struct inbox *inbox);

struct inbox_counts {
	int64_t n_taken; /* in this look */
	int64_t n_waiting; /* rows that stay */
	bool to_clean; /* something is to be removed or written, and was not: call again with clean */
};

/* Offer every row to take(). With clean, also remove what was taken, now or before, and write the errors; best when
 * clients are quiet, since one that does not wait for locks may be turned away meanwhile. A file that is missing is made.
 * One that is no inbox is renamed to PATH.damaged first, in the place of an earlier one, but a link or a FIFO is removed;
 * ret_aside says why then, else it is empty. -EBUSY: a client holds a lock, what was taken by then counts; -ECANCELED;
 * -ENOSPC, -EACCES: it cannot be made. */
int inbox_look(struct inbox *inbox, bool clean, struct inbox_counts *ret, struct err *ret_aside,
               struct err *err);

#endif
