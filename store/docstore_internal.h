/* What the parts of docstore share. */
#ifndef SKIMD_STORE_DOCSTORE_INTERNAL_H
#define SKIMD_STORE_DOCSTORE_INTERNAL_H

#include <pthread.h>

#include "store/db.h"
#include "store/docstore.h"

#define DOCSTORE_BUSY_MS 5000 /* that another process may have the database locked before a call gives up */

/* What stat(2) says of a file, as values of a statement. */
#define FILE_STAT_VALUES(file)                                                                         \
	db_int((file)->device), db_int((file)->inode), db_int((file)->size), db_int((file)->mtime_ns), \
		db_int((file)->ctime_ns)

struct docstore {
	pthread_mutex_t lock; /* guards db */
	struct db *db;
	bool read_only;
	bool durable; /* a commit waits for the disk */
	bool is_open; /* the database is ours: what docstore_open() refused is left as it was */
	int lock_fd; /* -1: none */
	long last_writer; /* that did not close the database; 0: it did */
	int64_t (*clock)(void);
};

/* Every public call is one transaction between these two, which hold the mutex. */
struct txn docstore_begin(struct docstore *store, struct err *err);

/* One that does not wait for the disk: a loss of power, but no end of the process, may undo it and all others of its kind
 * since the last one that did. For what is found out again. */
struct txn docstore_begin_passing(struct docstore *store, struct err *err);
struct txn docstore_begin_read(struct docstore *store, struct err *err);
int docstore_end(struct docstore *store, struct txn *txn);

/* One statement on the row of document id. -ENOENT: it has none. */
int docstore_change(struct docstore *store, int statement, int64_t id, struct err *err);

/* What the process that wrote last left in work; not orderly: it did not close the store. */
int docstore_recover(struct docstore *store, bool orderly, struct err *err);

/* The same of questions, within its transaction. */
void docstore_recover_questions(struct txn *txn, bool orderly);
/* Copy the database as it is beside itself, before it is brought up to date; replaces what an earlier such copy left. */
int docstore_save_old(struct docstore *store, struct err *err);

/* Fail with -ENOENT unless the last statement changed the row of document id. */
void docstore_need_row(struct txn *txn, int64_t id);

#endif
