/* kv.db as a file: its tables, its transactions, how large it and its journal may become, and what happens when
 * it turns out to be damaged.
 *
 * The budget is split: the database gets max_pages, which SQLite itself enforces, and the rollback journal gets
 * room for journal_pages. A page goes into the journal once in a transaction, and what is written to a page that
 * was free at its begin does not; so each step names the most pages that it can put there, and the transaction is
 * committed before the sum would exceed the room. */
#ifndef SKIMD_STORE_KVFILE_H
#define SKIMD_STORE_KVFILE_H

#include "store/db.h"

#define KV_PAGE_BYTES 16384
#define KV_MIN_BUDGET ((uint64_t)2 << 20) /* below, its own structure would be most of it */

struct kvfile {
	char *path;
	struct db *db;
	int64_t max_pages, journal_pages;
	int64_t n_journaled; /* at most, by the open transaction */
	bool in_transaction;
};

enum kvfile_statement {
	KV_FIND,
	KV_PUT_BLOCK,
	KV_PUT_DATA,
	KV_DELETE_BLOCK,
	KV_DELETE_DATA,
	KV_TOUCH,
	KV_OLDEST,
	KV_TOTALS,
	KV_PAGE_COUNT,
	KV_FREE_PAGES,
	N_KV_STATEMENTS
};

/* budget_bytes is at least KV_MIN_BUDGET. Errors and ret_replaced: see kvstore_open(). The file may still be
 * larger than its budget: evict, then kvfile_shrink(). */
int kvfile_open(struct kvfile *file, const char *path, uint64_t budget_bytes, struct err *ret_replaced,
                struct err *err);
void kvfile_close(struct kvfile *file); /* without a commit; {0} is allowed */

/* Before each step that writes: a transaction is open in which n_pages more may be journaled. */
int kvfile_step(struct kvfile *file, int64_t n_pages, struct err *err);
int kvfile_commit(struct kvfile *file, struct err *err); /* rolls back when it fails */
void kvfile_rollback(struct kvfile *file);

/* The most pages that a step journals, with a block of n_bytes. */
int64_t kvfile_put_cost(const struct kvfile *file, size_t n_bytes);
int64_t kvfile_delete_cost(const struct kvfile *file, size_t n_bytes);
int64_t kvfile_touch_cost(void);

/* Pages that the file may still take, those within it that are free included; negative: more than the budget. */
int kvfile_room(struct kvfile *file, int64_t *ret_pages, struct err *err);

/* Give free pages back until the file is within max_pages, and hold it there. */
int kvfile_shrink(struct kvfile *file, struct err *err);

/* Rename the file, and what stands beside it, as kvstore_open() says, and make a new one. */
int kvfile_set_aside(struct kvfile *file, struct err *err);

/* Of the file and its journal on disk. */
uint64_t kvfile_bytes(const struct kvfile *file);

#endif
