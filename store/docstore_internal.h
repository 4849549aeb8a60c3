/* What the parts of docstore share. */
#ifndef SKIMD_STORE_DOCSTORE_INTERNAL_H
#define SKIMD_STORE_DOCSTORE_INTERNAL_H

#include <pthread.h>

#include "store/db.h"
#include "store/docstore.h"

struct docstore {
	pthread_mutex_t lock; /* guards db */
	struct db *db;
	bool read_only;
	int lock_fd; /* -1: none */
};

/* Every public call is one transaction between these two, which hold the mutex. */
struct txn docstore_begin(struct docstore *store, struct err *err);
struct txn docstore_begin_read(struct docstore *store, struct err *err);
int docstore_end(struct docstore *store, struct txn *txn);

/* Fail with -ENOENT unless the last statement changed the row of document id. */
void docstore_need_row(struct txn *txn, int64_t id);

#endif
