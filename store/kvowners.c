#include "store/kvowners.h"

#include <string.h>

struct kv_owners kvowners_of(sqlite3_stmt *row, int column)
{
	const void *ids = sqlite3_column_blob(row, column);
	struct kv_owners owners = { .n = (size_t)sqlite3_column_bytes(row, column) / sizeof(owners.ids[0]) };

	if (owners.n > KV_MAX_OWNERS)
		owners.n = KV_MAX_OWNERS;
	if (owners.n > 0)
		memcpy(owners.ids, ids, owners.n * sizeof(owners.ids[0]));
	return owners;
}

struct db_value kvowners_value(const struct kv_owners *owners)
{
	return owners->n == 0 ? db_null() : db_blob(owners->ids, owners->n * sizeof(owners->ids[0]));
}

bool kvowners_has(const struct kv_owners *owners, int64_t id)
{
	for (size_t i = 0; i < owners->n; i++) {
		if (owners->ids[i] == id)
			return true;
	}
	return false;
}

void kvowners_add(struct kv_owners *owners, int64_t id)
{
	if (owners->n < KV_MAX_OWNERS && !kvowners_has(owners, id))
		owners->ids[owners->n++] = id;
}

void kvowners_remove(struct kv_owners *owners, int64_t id)
{
	size_t n = 0;

	for (size_t i = 0; i < owners->n; i++) {
		if (owners->ids[i] != id)
			owners->ids[n++] = owners->ids[i];
	}
	owners->n = n;
}
