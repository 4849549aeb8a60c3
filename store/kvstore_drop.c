#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "store/kvschema.h"
#include "store/kvstore_internal.h"

/* A block that is one owner's among others. */
struct owned {
	int64_t id, n_bytes;
	struct kv_owners owners;
};

static int find_owned(struct kvstore *store, int64_t owner, struct owned **ret, size_t *ret_n,
                      struct err *err)
{
	struct txn txn = txn_within(store->file.db, err);
	size_t cap = 0;
	sqlite3_stmt *row;

	for (row = txn_rows(&txn, KV_OWNED); row != NULL; row = txn_next(&txn, row)) {
		struct owned owned = { sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1),
			               kvowners_of(row, 2) };

		if (!kvowners_has(&owned.owners, owner) || owned.owners.n == KV_MAX_OWNERS)
			continue;
		if (array_grow(ret, sizeof(**ret), *ret_n, &cap) < 0)
			txn_fail(&txn, -ENOMEM, "no memory for a document's blocks");
		else
			(*ret)[(*ret_n)++] = owned;
	}
	return txn.ret;
}

static int disown(struct kvstore *store, struct owned *owned, int64_t owner, struct err *err)
{
	kvowners_remove(&owned->owners, owner);
	if (owned->owners.n == 0)
		return kvstore_delete_block(store, owned->id, owned->n_bytes, err);
	return kvstore_write_owners(store, owned->id, &owned->owners, err);
}

int kvstore_drop(struct kvstore *store, int64_t owner, uint64_t *ret_n_blocks, struct err *err)
{
	uint64_t n_before;
	struct owned *owned = NULL;
	size_t n = 0;
	int r;

	*ret_n_blocks = 0;
	if (store->file.db == NULL)
		return 0;
	if ((r = kvstore_commit(store, err)) == 0)
		r = find_owned(store, owner, &owned, &n, err);
	n_before = store->stats.blocks;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = disown(store, &owned[i], owner, err);
	free(owned);
	if (r == 0 && (r = kvfile_commit(&store->file, err)) == 0)
		*ret_n_blocks = n_before - store->stats.blocks;
	return r < 0 ? kvstore_recover(store, r) : 0;
}

int kvstore_clear(struct kvstore *store, struct err *err)
{
	int r;

	if (store->file.db == NULL)
		return 0;
	kvstore_forget_all(store);
	r = kvfile_clear(&store->file, err);
	return r < 0 ? r : kvstore_flush(store, err);
}
