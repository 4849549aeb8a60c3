#include "store/kvstore.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/array.h"
#include "store/kvcounts.h"
#include "store/kvschema.h"
#include "store/kvstore_internal.h"

#define SESSION_USES ((int64_t)1 << 20)
#define FIRST_SESSION \
	((int64_t)1 << 12) /* its uses are as wide in a row as those of the next 2^26 sessions */
#define MAX_COUNTER ((int64_t)1 << 62) /* of uses and blocks; no file has seen so many */
#define EMPTY_PAGES 8 /* of a file without blocks */

/* A row of block that answers to a key. */
struct found {
	int64_t id;
	int64_t n_bytes;
	uint64_t checksum;
	bool same; /* tokens and size are those asked for */
	struct kv_owners owners;
};

static uint64_t checksum_of(const struct kv_key *key, const void *bytes, size_t n)
{
	uint64_t seed;

	memcpy(&seed, key->bytes, sizeof(seed));
	return XXH3_64bits_withSeed(bytes, n, seed);
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int count_blocks(struct kvstore *store, struct err *err)
{
	struct txn txn = txn_within(store->file.db, err);
	sqlite3_stmt *row = txn_rows(&txn, KV_TOTALS);
	int64_t used, id;

	if (row == NULL)
		return txn.ret;
	store->stats.blocks = (uint64_t)sqlite3_column_int64(row, 0);
	store->stats.bytes = (uint64_t)sqlite3_column_int64(row, 1);
	used = sqlite3_column_int64(row, 2);
	id = larger(sqlite3_column_int64(row, 3), sqlite3_column_int64(row, 4));
	row_done(row);
	if (larger(used, id) > MAX_COUNTER) {
		txn_fail(&txn, -EBADMSG, "a block's number is too large");
	} else {
		store->session = larger(store->session, used / SESSION_USES + 1);
		store->id = larger(store->id, id);
	}
	return txn.ret;
}

void kvstore_forget_all(struct kvstore *store)
{
	store->n_touches = 0;
	store->stats.blocks = store->stats.bytes = 0;
	store->parts.id = 0;
}

static void count_set_aside(struct kvstore *store)
{
	kvstore_forget_all(store);
	store->stats.damaged++;
	store->stats.set_aside++;
}

static void set_aside(struct kvstore *store)
{
	count_set_aside(store);
	kvfile_set_aside(&store->file, NULL);
}

int kvstore_recover(struct kvstore *store, int r)
{
	kvfile_rollback(&store->file);
	if (r == -EBADMSG || count_blocks(store, NULL) == -EBADMSG)
		set_aside(store);
	return r;
}

static void next_session(struct kvstore *store)
{
	store->session += store->n_uses > 0;
	store->n_uses = 0;
}

/* A session is a document's. Its uses are later than those of the sessions before it, and each is earlier than the one
 * before it: a block is worth nothing without those that it stands behind, so what goes first is the end of the document
 * that was used least recently. */
static int64_t next_use(struct kvstore *store)
{
	if (store->n_uses == SESSION_USES)
		next_session(store);
	return (store->session + 1) * SESSION_USES - ++store->n_uses;
}

static void touch(struct kvstore *store, int64_t id)
{
	store->touches[store->n_touches++] = (struct touch){ id, next_use(store) };
}

static void forget_touches(struct kvstore *store, int64_t id)
{
	size_t n = 0;

	for (size_t i = 0; i < store->n_touches; i++) {
		if (store->touches[i].id != id)
			store->touches[n++] = store->touches[i];
	}
	store->n_touches = n;
}

int kvstore_write_touches(struct kvstore *store, struct err *err)
{
	struct txn txn = txn_within(store->file.db, err);

	for (size_t i = 0; i < store->n_touches && txn.ret == 0; i++) {
		txn.ret = kvfile_step(&store->file, kvfile_touch_cost(), 0, err);
		txn_run(&txn, KV_TOUCH, db_int(store->touches[i].id), db_int(store->touches[i].used));
	}
	store->n_touches = 0;
	return txn.ret;
}

int kvstore_commit(struct kvstore *store, struct err *err)
{
	int r = kvstore_write_touches(store, err);

	return r < 0 ? r : kvfile_commit(&store->file, err);
}

int kvstore_write_owners(struct kvstore *store, int64_t id, const struct kv_owners *owners, struct err *err)
{
	struct txn txn = txn_within(store->file.db, err);

	txn.ret = kvfile_step(&store->file, kvfile_touch_cost(), 0, err);
	txn_run(&txn, KV_OWN, db_int(id), kvowners_value(owners));
	return txn.ret;
}

/* A block was found for the document in work. */
static int use(struct kvstore *store, struct found *found, struct err *err)
{
	size_t n_owners = found->owners.n;
	int r = 0;

	touch(store, found->id);
	if (store->owner != 0)
		kvowners_add(&found->owners, store->owner);
	if (found->owners.n > n_owners)
		r = kvstore_write_owners(store, found->id, &found->owners, err);
	if (r == 0 && store->n_touches == KV_MAX_TOUCHES)
		r = kvstore_write_touches(store, err);
	return r;
}

static int find(struct kvstore *store, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                size_t n_bytes, struct found *ret, struct err *err)
{
	struct txn txn = txn_within(store->file.db, err);
	sqlite3_stmt *row = txn_rows(&txn, KV_FIND, db_blob(key->bytes, sizeof(key->bytes)));

	if (row == NULL)
		return txn.ret < 0 ? txn.ret : -ENOENT;
	ret->id = sqlite3_column_int64(row, 0);
	ret->checksum = (uint64_t)sqlite3_column_int64(row, 2);
	ret->n_bytes = sqlite3_column_int64(row, 3);
	ret->same = ret->n_bytes == (int64_t)n_bytes &&
	            sqlite3_column_bytes(row, 1) == (int64_t)n_token_bytes &&
	            (n_token_bytes == 0 || memcmp(sqlite3_column_blob(row, 1), tokens, n_token_bytes) == 0);
	ret->owners = kvowners_of(row, 4);
	row_done(row);
	return 0;
}

int kvstore_delete_block(struct kvstore *store, int64_t id, int64_t n_bytes, struct err *err)
{
	struct txn txn = txn_within(store->file.db, err);

	forget_touches(store, id);
	if (store->parts.id == id)
		store->parts.id = 0;
	txn.ret = kvfile_step(&store->file, kvfile_delete_cost(&store->file, (size_t)n_bytes), 0, err);
	txn_run(&txn, KV_DELETE_BLOCK, db_int(id));
	txn_run(&txn, KV_DELETE_DATA, db_int(id));
	if (txn.ret == 0) {
		uint64_t n = (uint64_t)n_bytes; /* in a damaged row, any number */

		store->stats.blocks -= store->stats.blocks > 0;
		store->stats.bytes -= n < store->stats.bytes ? n : store->stats.bytes;
	}
	return txn.ret;
}

/* The pages that this frees must not be taken by a put of the same transaction: see evict(). */
static int remove_block(struct kvstore *store, const struct found *found, struct err *err)
{
	int r = kvstore_delete_block(store, found->id, found->n_bytes, err);

	return r < 0 ? r : kvfile_commit(&store->file, err);
}

/* -EILSEQ: these are not the bytes that were put. */
static int read_bytes(struct kvstore *store, const struct kv_key *key, const struct found *found, void *bytes,
                      struct err *err)
{
	sqlite3 *sqlite = store->file.db->sqlite;
	int n = (int)found->n_bytes;
	sqlite3_blob *blob = NULL;
	int code = sqlite3_blob_open(sqlite, "main", "data", "bytes", found->id, 0, &blob);
	int r = 0;

	if (code == SQLITE_OK && sqlite3_blob_bytes(blob) == n)
		code = sqlite3_blob_read(blob, bytes, n, 0);
	else if (code == SQLITE_OK)
		code = SQLITE_ERROR;
	if (code == SQLITE_ERROR) /* no such row, or not so many bytes */
		r = -EILSEQ;
	else if (code != SQLITE_OK)
		r = db_failed(store->file.db, err);
	sqlite3_blob_close(blob);
	if (r == 0 && checksum_of(key, bytes, (size_t)n) != found->checksum)
		r = -EILSEQ;
	return r;
}

/* -EILSEQ: something stands there, and it is not what was put. */
static int get(struct kvstore *store, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
               void *bytes, size_t n_bytes, struct found *found, struct err *err)
{
	int r = find(store, key, tokens, n_token_bytes, n_bytes, found, err);

	if (r < 0)
		return r;
	return found->same ? read_bytes(store, key, found, bytes, err) : -EILSEQ;
}

int kvstore_get(struct kvstore *store, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                void *bytes, size_t n_bytes, struct err *err)
{
	struct found found = { 0 };
	int r = -ENOENT;

	if (store->file.db != NULL)
		r = get(store, key, tokens, n_token_bytes, bytes, n_bytes, &found, err);
	if (r == 0) {
		store->stats.hits++;
		if ((r = use(store, &found, NULL)) < 0)
			kvstore_recover(store, r);
		return 0;
	}
	store->stats.misses++;
	if (r == -ENOENT)
		return err_set(err, -ENOENT, "no such block");
	if (r == -EILSEQ) {
		store->stats.damaged++;
		r = remove_block(store, &found, err);
		if (r == 0)
			return err_set(err, -ENOENT, "block damaged or of other tokens, removed");
	}
	kvstore_recover(store, r);
	return r == -ENOMEM || r == -EIO ? r : -ENOENT;
}

static int64_t n_pages_to_put(size_t n_bytes)
{
	return (int64_t)(n_bytes / (KV_PAGE_BYTES - 4)) + 2 + KV_SLACK_PAGES;
}

static int insert(struct kvstore *store, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                  const void *bytes, size_t n_bytes, struct err *err)
{
	struct txn txn = txn_within(store->file.db, err);
	uint64_t *parts = array_new(uint64_t, kvparts_n(n_bytes));
	struct kv_owners owners = { 0 };
	int64_t id = ++store->id;

	if (parts == NULL)
		return err_set(err, -ENOMEM, "no memory for a block's checksums");
	kvparts_checksums(key, bytes, n_bytes, parts);
	if (store->owner != 0)
		kvowners_add(&owners, store->owner);
	txn.ret = kvfile_step(&store->file, kvfile_put_cost(&store->file, n_bytes), n_bytes, err);
	txn_run(&txn, KV_PUT_DATA, db_int(id), db_blob(bytes, n_bytes));
	txn_run(&txn, KV_PUT_BLOCK, db_int(id), db_blob(key->bytes, sizeof(key->bytes)),
	        db_blob(tokens, n_token_bytes), db_int((int64_t)checksum_of(key, bytes, n_bytes)),
	        db_int(next_use(store)), db_int((int64_t)n_bytes), kvowners_value(&owners),
	        db_blob(parts, kvparts_n(n_bytes) * sizeof(*parts)));
	free(parts);
	if (txn.ret < 0)
		return txn.ret;
	store->stats.blocks++;
	store->stats.bytes += n_bytes;
	store->stats.stored++;
	store->stats.bytes_stored += n_bytes;
	store->stats.token_bytes_stored += n_token_bytes;
	return 0;
}

static int put(struct kvstore *store, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
               const void *bytes, size_t n_bytes, struct err *err)
{
	struct found found = { 0 };
	int r = find(store, key, tokens, n_token_bytes, n_bytes, &found, err);

	if (r == 0 && found.same)
		return use(store, &found, err);
	if (r == 0)
		r = remove_block(store, &found, err);
	if (r < 0 && r != -ENOENT)
		return r;
	r = kvstore_make_room(store, n_pages_to_put(n_bytes + n_token_bytes), err);
	return r < 0 ? r : insert(store, key, tokens, n_token_bytes, bytes, n_bytes, err);
}

static bool can_fit(const struct kvstore *store, size_t n_bytes)
{
	return store->file.db != NULL && n_bytes < INT_MAX / 2 &&
	       n_pages_to_put(n_bytes) + EMPTY_PAGES <= store->file.max_pages &&
	       kvfile_delete_cost(&store->file, n_bytes) <= store->file.journal_pages;
}

static int put_or_recover(struct kvstore *store, const struct kv_key *key, const void *tokens,
                          size_t n_token_bytes, const void *bytes, size_t n_bytes, struct err *err)
{
	int r = put(store, key, tokens, n_token_bytes, bytes, n_bytes, err);

	if (r == KV_NO_ROOM)
		return err_set(err, -ENOSPC,
		               "what is pinned leaves no room for %zu bytes in the budget of %llu", n_bytes,
		               (unsigned long long)store->budget_bytes);
	return r < 0 ? kvstore_recover(store, r) : 0;
}

int kvstore_put(struct kvstore *store, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                const void *bytes, size_t n_bytes, struct err *err)
{
	int r;

	if (store->budget_bytes == 0)
		return 0;
	if (store->file.db == NULL && store->file.path != NULL)
		return err_set(err, -EIO, "%s: given up after a failure", store->file.path);
	if (!can_fit(store, n_bytes + n_token_bytes))
		return err_set(err, -EFBIG, "block of %zu bytes does not fit the budget of %llu", n_bytes,
		               (unsigned long long)store->budget_bytes);
	r = put_or_recover(store, key, tokens, n_token_bytes, bytes, n_bytes, err);
	if (r == -EBADMSG && store->file.db != NULL) /* now a new file, which takes this block */
		r = put_or_recover(store, key, tokens, n_token_bytes, bytes, n_bytes, err);
	return r == -EBADMSG ? -EIO : r;
}

/* Bring a file that was just opened within the budget. */
static int settle(struct kvstore *store, struct err *err)
{
	int r;

	if ((r = count_blocks(store, err)) < 0 || (r = kvstore_make_room(store, KV_SLACK_PAGES, err)) < 0)
		return r;
	return kvfile_shrink(&store->file, err);
}

static int reopen(struct kvstore *store, struct err *err)
{
	int r;

	kvstore_forget_all(store);
	if ((r = kvfile_reopen(&store->file, err)) == 0)
		r = settle(store, err);
	if (r == 0)
		return err_set(err, -ESTALE, "%s: deleted or replaced, going on with what is there now",
		               store->file.path);
	return r == -EBADMSG || store->file.db != NULL ? kvstore_recover(store, r) : r;
}

int kvstore_flush(struct kvstore *store, struct err *err)
{
	int r;

	if (store->file.db == NULL)
		return 0;
	if ((r = kvstore_commit(store, err)) < 0)
		return kvstore_recover(store, r);
	kvfile_count(&store->file);
	return kvfile_has_moved(&store->file) ? reopen(store, err) : 0;
}

int kvstore_tidy(struct kvstore *store, struct err *err)
{
	int r;

	if (store->file.db == NULL)
		return 0;
	if ((r = kvstore_commit(store, err)) < 0 || (r = kvfile_tidy(&store->file, err)) < 0)
		return kvstore_recover(store, r);
	return r;
}

int kvstore_pin(struct kvstore *store, const struct kv_key *key)
{
	return key_set_add(&store->pins, key);
}

void kvstore_unpin_all(struct kvstore *store)
{
	key_set_done(&store->pins);
	store->owner = 0;
	next_session(store);
}

void kvstore_set_owner(struct kvstore *store, int64_t owner)
{
	store->owner = owner;
}

void kvstore_stats(struct kvstore *store, struct kv_stats *ret)
{
	const struct kv_stats *now = &store->stats, *then = &store->at_open;

	*ret = (struct kv_stats){
		.blocks = now->blocks,
		.bytes = now->bytes,
		.file_bytes = store->file.db == NULL ? 0 : kvfile_bytes(store->file.path),
		.hits = now->hits - then->hits,
		.misses = now->misses - then->misses,
		.damaged = now->damaged - then->damaged,
		.stored = now->stored - then->stored,
		.evicted = now->evicted - then->evicted,
		.bytes_stored = now->bytes_stored - then->bytes_stored,
		.token_bytes_stored = now->token_bytes_stored - then->token_bytes_stored,
		.set_aside = now->set_aside - then->set_aside,
	};
}

int kvstore_peek(const char *path, struct kv_stats *ret, struct err *err)
{
	char *resolved;
	int r = db_resolve(path, 0, &resolved, err);

	if (r < 0)
		return r;
	if ((r = kvcounts_peek(resolved, ret, err)) == 0)
		ret->file_bytes = kvfile_bytes(resolved);
	free(resolved);
	return r;
}

static int open_file(struct kvstore *store, const char *path, struct err *ret_replaced, struct err *err)
{
	int r = kvfile_open(&store->file, path, store->budget_bytes, &store->stats, ret_replaced, err);

	if (r < 0)
		return r;
	store->at_open = store->stats;
	if (ret_replaced->text[0] != '\0')
		count_set_aside(store);
	return settle(store, err);
}

int kvstore_open(const char *path, uint64_t budget_bytes, struct kvstore **ret, struct err *ret_replaced,
                 struct err *err)
{
	struct kvstore *store = calloc(1, sizeof(*store));
	struct err why = { "" }, replaced = { "" };
	int r = 0;

	if (store == NULL)
		return err_set(err, -ENOMEM, "%s: no memory", path);
	store->budget_bytes = budget_bytes;
	store->session = FIRST_SESSION;
	if (budget_bytes >= KV_MIN_BUDGET)
		r = open_file(store, path, &replaced, &why);
	if (r == -EBADMSG &&
	    store->file.db != NULL) { /* past its header, found when blocks were counted or evicted */
		replaced = why;
		set_aside(store);
		r = store->file.db == NULL ? -EIO : 0;
	}
	if (ret_replaced != NULL)
		*ret_replaced = replaced;
	if (r < 0) {
		kvfile_close(&store->file);
		free(store);
		return err_set(err, r, "%s", why.text);
	}
	*ret = store;
	return 0;
}

void kvstore_close(struct kvstore *store)
{
	if (store == NULL)
		return;
	kvstore_flush(store, NULL);
	kvfile_close(&store->file);
	free(store->parts.checksums);
	key_set_done(&store->pins);
	free(store);
}
