/* The row of kv.db that counts what was done with it, over restarts. It has a checksum: a row that is damaged or not
 * there counts nothing, and fails nothing. */
#ifndef SKIMD_STORE_KVCOUNTS_H
#define SKIMD_STORE_KVCOUNTS_H

#include <stdbool.h>

#include "store/db.h"
#include "store/kvstore.h"

/* All of *ret but file_bytes; zeros, and false, where there is no such row, or none that is whole. */
bool kvcounts_read(struct db *db, struct kv_stats *ret);

/* The same of a file that is not open here, past the lock of a process that has it; where there is no such row, blocks
 * and bytes are counted. path is absolute. -EBADMSG: no kv store, or one that is damaged; -EACCES, -EIO. */
int kvcounts_peek(const char *path, struct kv_stats *ret, struct err *err);

/* Within a transaction, which it never fails. */
void kvcounts_write(struct db *db, const struct kv_stats *stats);

#endif
