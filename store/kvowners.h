/* The documents that a block of kv.db was put or found for, by their numbers. */
#ifndef SKIMD_STORE_KVOWNERS_H
#define SKIMD_STORE_KVOWNERS_H

#include "store/db.h"

#define KV_MAX_OWNERS 16 /* a block that so many share takes no more, and is dropped for none of them */

struct kv_owners {
	int64_t ids[KV_MAX_OWNERS];
	size_t n;
};

/* From and to a column. The value borrows. */
struct kv_owners kvowners_of(sqlite3_stmt *row, int column);
struct db_value kvowners_value(const struct kv_owners *owners);

bool kvowners_has(const struct kv_owners *owners, int64_t id);
void kvowners_add(struct kv_owners *owners, int64_t id);
void kvowners_remove(struct kv_owners *owners, int64_t id);

#endif
