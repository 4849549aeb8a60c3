#include <errno.h>
#include <limits.h>
#include <string.h>

#include "store/kvschema.h"
#include "store/kvstore_internal.h"

#define MAX_VICTIMS 256
#define MAX_AHEAD_PAGES 2048 /* evicted before there is need */
#define ROW_BYTES 512 /* of a block in the tables beside its bytes, about */

struct victim {
	int64_t id;
	int64_t n_bytes;
	struct kv_key key;
};

/* A row of KV_OLDEST; zeros when it fails the txn. */
static struct victim read_victim(struct txn *txn, sqlite3_stmt *row)
{
	struct victim victim = { .id = sqlite3_column_int64(row, 0),
		                 .n_bytes = sqlite3_column_int64(row, 2) };

	if (sqlite3_column_bytes(row, 1) != KV_KEY_BYTES || victim.n_bytes < 0 || victim.n_bytes > INT_MAX) {
		txn_fail(txn, -EBADMSG, "a block with a key of %d bytes and %lld bytes",
		         sqlite3_column_bytes(row, 1), (long long)victim.n_bytes);
		return (struct victim){ 0 };
	}
	memcpy(victim.key.bytes, sqlite3_column_blob(row, 1), KV_KEY_BYTES);
	return victim;
}

/* The oldest blocks that are not pinned, up to MAX_VICTIMS, until they make n_wanted pages. KV_NO_ROOM: all that is
 * not pinned does not make n_needed. */
static int choose_victims(struct kvstore *store, int64_t n_needed, int64_t n_wanted, struct victim *victims,
                          size_t *ret_n, struct err *err)
{
	struct txn txn = txn_within(store->file.db, err);
	int64_t n_bytes = 0;
	size_t n = 0;
	sqlite3_stmt *row;

	for (row = txn_rows(&txn, KV_OLDEST); row != NULL; row = txn_next(&txn, row)) {
		struct victim victim = read_victim(&txn, row);

		if (n_bytes >= n_wanted * KV_PAGE_BYTES ||
		    (n == MAX_VICTIMS && n_bytes >= n_needed * KV_PAGE_BYTES))
			break;
		if (txn.ret < 0 || key_set_has(&store->pins, &victim.key))
			continue;
		n_bytes += victim.n_bytes + ROW_BYTES;
		if (n < MAX_VICTIMS)
			victims[n++] = victim;
	}
	row_done(row);
	*ret_n = n;
	if (store->pins.n == 0 && n == 0) /* they are lost: of blocks whose rows are gone */
		txn_fail(&txn, -EBADMSG, "%lld pages are wanted, and no block has them", (long long)n_needed);
	if (txn.ret < 0)
		return txn.ret;
	return store->pins.n > 0 && n_bytes < n_needed * KV_PAGE_BYTES ? KV_NO_ROOM : 0;
}

/* In transactions of their own: a page that was freed in the same transaction would go into the journal, whole,
 * when a put takes it. */
static int evict(struct kvstore *store, const struct victim *victims, size_t n, struct err *err)
{
	int r = kvstore_commit(store, err);

	for (size_t i = 0; i < n && r == 0; i++) {
		r = kvstore_delete_block(store, victims[i].id, victims[i].n_bytes, err);
		store->stats.evicted += r == 0;
	}
	return r < 0 ? r : kvfile_commit(&store->file, err);
}

/* Some blocks more than needed go at once, as an eviction costs two commits, with many pages that are not blocks. */
int kvstore_make_room(struct kvstore *store, int64_t n_pages, struct err *err)
{
	struct victim victims[MAX_VICTIMS];
	int64_t n_ahead = store->file.max_pages / 16, room = 0;
	size_t n = 0;
	int r;

	if (n_ahead > MAX_AHEAD_PAGES)
		n_ahead = MAX_AHEAD_PAGES;
	while ((r = kvfile_room(&store->file, &room, err)) == 0 && room < n_pages) {
		if ((r = kvstore_write_touches(store, err)) < 0 ||
		    (r = choose_victims(store, n_pages - room, n_pages - room + n_ahead, victims, &n, err)) <
		            0 ||
		    (r = evict(store, victims, n, err)) < 0)
			return r;
	}
	return r;
}
