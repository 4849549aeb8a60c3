/* kv.db as a file: its tables, its transactions, how large it and its journal may become, and what happens when
 * it turns out to be damaged.
 *
 * The budget is split: the database gets max_pages, which SQLite itself enforces, and the rollback journal gets
 * room for journal_pages. A page goes into the journal once in a transaction, and what is written to a page that
 * was free at its begin does not; so each step names the most pages that it can put there, and the transaction is
 * committed before these and what the journal holds already would exceed the room. */
#ifndef SKIMD_STORE_KVFILE_H
#define SKIMD_STORE_KVFILE_H

#include "store/db.h"
#include "store/kvstore.h"

#define KV_PAGE_BYTES 16384

struct kvfile {
	char *path;
	struct db *db;
	uint64_t budget_bytes;
	uint64_t
		aside_bytes; /* of the file that was set aside last: it goes when the budget needs its room */
	int64_t max_pages, journal_pages;
	struct kv_stats *stats; /* borrowed; each commit writes its counts */
	struct kv_stats written; /* as the file has them */
	bool in_transaction;
	size_t n_new_bytes; /* of blocks put by the open transaction */
};

/* budget_bytes is at least KV_MIN_BUDGET. Errors and ret_replaced: see kvstore_open(). *stats gets the counts of the
 * file, or of the one that it replaces. The file may still be larger than its budget: evict, then kvfile_shrink(). */
int kvfile_open(struct kvfile *file, const char *path, uint64_t budget_bytes, struct kv_stats *stats,
                struct err *ret_replaced, struct err *err);
void kvfile_close(struct kvfile *file); /* without a commit; {0} is allowed */

/* Before each step that writes: a transaction is open in which n_pages more may be journaled. n_new_bytes is the size
 * of the block that is put, if one is. */
int kvfile_step(struct kvfile *file, int64_t n_pages, size_t n_new_bytes, struct err *err);
int kvfile_commit(struct kvfile *file, struct err *err); /* rolls back when it fails */

/* Outside of a transaction: write the counts, if they changed; if that fails, they wait for the next commit. */
void kvfile_count(struct kvfile *file);

void kvfile_rollback(struct kvfile *file);

/* The most pages that a step journals, with a block of n_bytes. */
int64_t kvfile_put_cost(const struct kvfile *file, size_t n_bytes);
int64_t kvfile_delete_cost(const struct kvfile *file, size_t n_bytes);
int64_t kvfile_touch_cost(void);

/* Pages that the file may still take, those within it that are free included; negative: more than the budget. */
int kvfile_room(struct kvfile *file, int64_t *ret_pages, struct err *err);

/* Give free pages back until the file is within max_pages, and hold it there. */
int kvfile_shrink(struct kvfile *file, struct err *err);

/* Outside of a transaction: where more than one page in eight is free, give some back. 1: it is worth another call. */
int kvfile_tidy(struct kvfile *file, struct err *err);

/* Rename the file, and what stands beside it, as kvstore_open() says, and make a new one. */
int kvfile_set_aside(struct kvfile *file, struct err *err);

/* Whether the path leads to another file by now, or to none. */
bool kvfile_has_moved(const struct kvfile *file);

/* Go on with the file that is there now; one is made if there is none. -EBADMSG: to be set aside; others as of
 * kvstore_open(), but -EIO for another program's database. */
int kvfile_reopen(struct kvfile *file, struct err *err);

/* Empty the file, and remove what was set aside before. */
int kvfile_clear(struct kvfile *file, struct err *err);

/* Of the file at path and its journal, on the disk. */
uint64_t kvfile_bytes(const char *path);

#endif
