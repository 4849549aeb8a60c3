#include "store/kvparts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "store/kvschema.h"
#include "store/kvstore_internal.h"

static uint64_t checksum_of(const struct kv_key *key, size_t part, const void *bytes, size_t n)
{
	uint64_t seed;

	memcpy(&seed, key->bytes, sizeof(seed));
	return XXH3_64bits_withSeed(bytes, n, seed + part);
}

void kvparts_checksums(const struct kv_key *key, const void *bytes, size_t n_bytes, uint64_t *ret)
{
	for (size_t i = 0; i < kvparts_n(n_bytes); i++) {
		size_t at = i * KV_PART_BYTES,
		       n = n_bytes - at < KV_PART_BYTES ? n_bytes - at : KV_PART_BYTES;

		ret[i] = checksum_of(key, i, (const uint8_t *)bytes + at, n);
	}
}

static int keep_checksums(struct kvparts *parts, const void *checksums, size_t n)
{
	if (n > parts->cap) {
		uint64_t *larger = realloc(parts->checksums, n * sizeof(*larger));

		if (larger == NULL)
			return -ENOMEM;
		parts->checksums = larger;
		parts->cap = n;
	}
	memcpy(parts->checksums, checksums, n * sizeof(*parts->checksums));
	parts->n = n;
	return 0;
}

/* -ENOENT: no such block, or none whose parts have checksums. */
static int find(struct kvstore *store, const struct kv_key *key, struct err *err)
{
	struct txn txn = txn_within(store->file.db, err);
	struct kvparts *parts = &store->parts;
	sqlite3_stmt *row;
	int r;

	if (parts->id != 0 && memcmp(&parts->key, key, sizeof(*key)) == 0)
		return 0;
	parts->id = 0;
	row = txn_rows(&txn, KV_FIND_PARTS, db_blob(key->bytes, sizeof(key->bytes)));
	if (row == NULL)
		return txn.ret < 0 ? txn.ret : -ENOENT;
	parts->n_bytes = (size_t)sqlite3_column_int64(row, 1);
	if ((size_t)sqlite3_column_bytes(row, 2) != kvparts_n(parts->n_bytes) * sizeof(*parts->checksums))
		r = -ENOENT;
	else
		r = keep_checksums(parts, sqlite3_column_blob(row, 2), kvparts_n(parts->n_bytes));
	if (r == 0) {
		parts->id = sqlite3_column_int64(row, 0);
		parts->key = *key;
	}
	row_done(row);
	return r;
}

/* Bytes [offset, offset + n) from the parts that they are in, each of which is checked. -EILSEQ: it is not what was put. */
static int read_parts(struct kvstore *store, sqlite3_blob *blob, size_t offset, uint8_t *bytes, size_t n,
                      struct err *err)
{
	const struct kvparts *parts = &store->parts;
	uint8_t part[KV_PART_BYTES];

	while (n > 0) {
		size_t i = offset / KV_PART_BYTES, first = i * KV_PART_BYTES, in_part = offset - first;
		size_t n_part =
			parts->n_bytes - first < KV_PART_BYTES ? parts->n_bytes - first : KV_PART_BYTES;
		size_t n_here = n_part - in_part < n ? n_part - in_part : n;

		if (sqlite3_blob_read(blob, part, (int)n_part, (int)first) != SQLITE_OK)
			return db_failed(store->file.db, err);
		if (checksum_of(&parts->key, i, part, n_part) != parts->checksums[i])
			return -EILSEQ;
		memcpy(bytes, part + in_part, n_here);
		offset += n_here;
		bytes += n_here;
		n -= n_here;
	}
	return 0;
}

static int read_block(struct kvstore *store, const struct kv_key *key, size_t offset, void *bytes, size_t n,
                      struct err *err)
{
	sqlite3_blob *blob = NULL;
	int r = find(store, key, err), code;

	if (r < 0)
		return r;
	if (offset > store->parts.n_bytes || n > store->parts.n_bytes - offset)
		return -ENOENT;
	code = sqlite3_blob_open(store->file.db->sqlite, "main", "data", "bytes", store->parts.id, 0, &blob);
	if (code == SQLITE_ERROR ||
	    (code == SQLITE_OK && (size_t)sqlite3_blob_bytes(blob) != store->parts.n_bytes))
		r = -EILSEQ;
	else if (code != SQLITE_OK)
		r = db_failed(store->file.db, err);
	else
		r = read_parts(store, blob, offset, bytes, n, err);
	sqlite3_blob_close(blob);
	return r;
}

int kvstore_read(struct kvstore *store, const struct kv_key *key, size_t offset, void *bytes, size_t n,
                 struct err *err)
{
	int r = store->file.db == NULL ? -ENOENT : read_block(store, key, offset, bytes, n, err);

	if (r == 0)
		return 0;
	if (r == -ENOENT)
		return err_set(err, r, "no such block");
	if (r == -EILSEQ) {
		store->stats.damaged++;
		r = kvstore_delete_block(store, store->parts.id, (int64_t)store->parts.n_bytes, err);
		if (r == 0 && (r = kvfile_commit(&store->file, err)) == 0)
			return err_set(err, -ENOENT, "block damaged, removed");
	}
	kvstore_recover(store, r);
	return r == -ENOMEM || r == -EIO ? r : -ENOENT;
}
