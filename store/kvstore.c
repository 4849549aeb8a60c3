#include "store/kvstore.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "store/key_set.h"
#include "store/kvfile.h"

#define MAX_TOUCHES 1024
#define MAX_VICTIMS 16
#define FIRST_USED ((int64_t)1 << 32) /* as wide in a row as all that follow in 2^46 uses */
#define ROW_BYTES 512 /* of a block in the tables beside its bytes, about */
#define SLACK_PAGES 8 /* that the trees may take when a block is put */
#define EMPTY_PAGES 8 /* of a file without blocks */
#define NO_ROOM (-EDQUOT) /* what is pinned fills the budget: nothing failed, nothing is to recover */

/* A block that was used, and is marked so in the file later, with others. */
struct touch {
	int64_t id, used;
};

struct victim {
	int64_t id;
	int64_t n_bytes;
};

struct kvstore {
	uint64_t budget_bytes;
	struct kvfile file; /* file.db is NULL: nothing is kept */
	struct key_set pins;
	struct touch touches[MAX_TOUCHES];
	size_t n_touches;
	int64_t used; /* the clock: of the latest use */
	struct kv_stats stats;
};

/* A row of block that answers to a key. */
struct found {
	int64_t id;
	int64_t n_bytes;
	uint64_t checksum;
	bool same; /* tokens and size are those asked for */
};

static uint64_t checksum_of(const struct kv_key *key, const void *bytes, size_t n)
{
	uint64_t seed;

	memcpy(&seed, key->bytes, sizeof(seed));
	return XXH3_64bits_withSeed(bytes, n, seed);
}

static int count_blocks(struct kvstore *store, struct err *err)
{
	struct txn txn = txn_within(store->file.db, err);
	sqlite3_stmt *row = txn_rows(&txn, KV_TOTALS);
	int64_t used;

	if (row == NULL)
		return txn.ret;
	store->stats.blocks = (uint64_t)sqlite3_column_int64(row, 0);
	store->stats.bytes = (uint64_t)sqlite3_column_int64(row, 1);
	used = sqlite3_column_int64(row, 2);
	if (used > store->used)
		store->used = used;
	row_done(row);
	return txn.ret;
}

static void set_aside(struct kvstore *store)
{
	store->n_touches = 0;
	store->stats.blocks = store->stats.bytes = 0;
	store->stats.damaged++;
	store->stats.set_aside++;
	kvfile_set_aside(&store->file, NULL);
}

/* After a failure of SQLite's: what the batch held is lost, a damaged file is made anew (or, when that fails
 * too, the store keeps nothing from then on). Returns r. */
static int recover(struct kvstore *store, int r)
{
	kvfile_rollback(&store->file);
	if (r == -EBADMSG || count_blocks(store, NULL) == -EBADMSG)
		set_aside(store);
	return r;
}

static void touch(struct kvstore *store, int64_t id)
{
	store->touches[store->n_touches++] = (struct touch){ id, ++store->used };
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

static int write_touches(struct kvstore *store, struct err *err)
{
	struct txn txn = txn_within(store->file.db, err);

	for (size_t i = 0; i < store->n_touches && txn.ret == 0; i++) {
		txn.ret = kvfile_step(&store->file, kvfile_touch_cost(), err);
		txn_run(&txn, KV_TOUCH, db_int(store->touches[i].id), db_int(store->touches[i].used));
	}
	store->n_touches = 0;
	return txn.ret;
}

static int commit(struct kvstore *store, struct err *err)
{
	int r = write_touches(store, err);

	return r < 0 ? r : kvfile_commit(&store->file, err);
}

static int find(struct kvstore *store, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                size_t n_bytes, struct found *ret, struct err *err)
{
	struct txn txn = txn_within(store->file.db, err);
	sqlite3_stmt *row = txn_rows(&txn, KV_FIND, db_blob(key->bytes, sizeof(key->bytes)));

	if (row == NULL)
		return txn.ret < 0 ? txn.ret : err_set(err, -ENOENT, "no such block");
	ret->id = sqlite3_column_int64(row, 0);
	ret->checksum = (uint64_t)sqlite3_column_int64(row, 2);
	ret->n_bytes = sqlite3_column_int64(row, 3);
	ret->same = ret->n_bytes == (int64_t)n_bytes &&
	            sqlite3_column_bytes(row, 1) == (int64_t)n_token_bytes &&
	            (n_token_bytes == 0 || memcmp(sqlite3_column_blob(row, 1), tokens, n_token_bytes) == 0);
	row_done(row);
	return 0;
}

static int delete_block(struct kvstore *store, int64_t id, int64_t n_bytes, struct err *err)
{
	struct txn txn = txn_within(store->file.db, err);

	forget_touches(store, id);
	txn.ret = kvfile_step(&store->file, kvfile_delete_cost(&store->file, (size_t)n_bytes), err);
	txn_run(&txn, KV_DELETE_BLOCK, db_int(id));
	txn_run(&txn, KV_DELETE_DATA, db_int(id));
	if (txn.ret == 0) {
		store->stats.blocks--;
		store->stats.bytes -= (uint64_t)n_bytes;
	}
	return txn.ret;
}

/* The pages that this frees must not be taken by a put of the same transaction: see evict(). */
static int remove_block(struct kvstore *store, const struct found *found, struct err *err)
{
	int r = delete_block(store, found->id, found->n_bytes, err);

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
		touch(store, found.id);
		if (store->n_touches == MAX_TOUCHES && (r = write_touches(store, NULL)) < 0)
			recover(store, r);
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
	recover(store, r);
	return r == -ENOMEM || r == -EIO ? r : -ENOENT;
}

static int64_t n_pages_to_put(size_t n_bytes)
{
	return (int64_t)(n_bytes / (KV_PAGE_BYTES - 4)) + 2 + SLACK_PAGES;
}

/* The oldest blocks that are not pinned, up to MAX_VICTIMS, until they make n_wanted pages. NO_ROOM: all that is
 * not pinned does not make n_needed. */
static int choose_victims(struct kvstore *store, int64_t n_needed, int64_t n_wanted, struct victim *victims,
                          size_t *ret_n, struct err *err)
{
	struct txn txn = txn_within(store->file.db, err);
	int64_t n_bytes = 0;
	size_t n = 0;
	sqlite3_stmt *row;

	for (row = txn_rows(&txn, KV_OLDEST); row != NULL; row = txn_next(&txn, row)) {
		struct kv_key key = { 0 };

		if (n_bytes >= n_wanted * KV_PAGE_BYTES ||
		    (n == MAX_VICTIMS && n_bytes >= n_needed * KV_PAGE_BYTES))
			break;
		if (sqlite3_column_bytes(row, 1) != KV_KEY_BYTES) {
			txn_fail(&txn, -EBADMSG, "a key of %d bytes", sqlite3_column_bytes(row, 1));
			continue;
		}
		memcpy(key.bytes, sqlite3_column_blob(row, 1), KV_KEY_BYTES);
		if (key_set_has(&store->pins, &key))
			continue;
		n_bytes += sqlite3_column_int64(row, 2) + ROW_BYTES;
		if (n < MAX_VICTIMS)
			victims[n++] =
				(struct victim){ sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 2) };
	}
	row_done(row);
	*ret_n = n;
	return txn.ret < 0 ? txn.ret : n_bytes < n_needed * KV_PAGE_BYTES ? NO_ROOM : 0;
}

/* In transactions of their own: a page that was freed in the same transaction would go into the journal, whole,
 * when a put takes it. */
static int evict(struct kvstore *store, const struct victim *victims, size_t n, struct err *err)
{
	int r = commit(store, err);

	for (size_t i = 0; i < n && r == 0; i++) {
		r = delete_block(store, victims[i].id, victims[i].n_bytes, err);
		store->stats.evicted += r == 0;
	}
	return r < 0 ? r : kvfile_commit(&store->file, err);
}

/* Evict until the file may take n_pages. In a large store some blocks more than that go at once, as an eviction
 * costs a commit. */
static int make_room(struct kvstore *store, int64_t n_pages, struct err *err)
{
	struct victim victims[MAX_VICTIMS];
	int64_t n_ahead = store->file.max_pages / 256, room = 0;
	size_t n = 0;
	int r;

	while ((r = kvfile_room(&store->file, &room, err)) == 0 && room < n_pages) {
		if ((r = write_touches(store, err)) < 0 ||
		    (r = choose_victims(store, n_pages - room, n_pages - room + n_ahead, victims, &n, err)) <
		            0 ||
		    (r = evict(store, victims, n, err)) < 0)
			return r;
	}
	return r;
}

static int insert(struct kvstore *store, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                  const void *bytes, size_t n_bytes, struct err *err)
{
	struct txn txn = txn_within(store->file.db, err);
	int64_t id;

	txn.ret = kvfile_step(&store->file, kvfile_put_cost(&store->file, n_bytes), err);
	txn_run(&txn, KV_PUT_DATA, db_blob(bytes, n_bytes));
	id = txn_last_id(&txn);
	txn_run(&txn, KV_PUT_BLOCK, db_int(id), db_blob(key->bytes, sizeof(key->bytes)),
	        db_blob(tokens, n_token_bytes), db_int((int64_t)checksum_of(key, bytes, n_bytes)),
	        db_int(++store->used), db_int((int64_t)n_bytes));
	if (txn.ret < 0)
		return txn.ret;
	store->stats.blocks++;
	store->stats.bytes += n_bytes;
	store->stats.stored++;
	store->stats.bytes_stored += n_bytes;
	return 0;
}

static int put(struct kvstore *store, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
               const void *bytes, size_t n_bytes, struct err *err)
{
	struct found found = { 0 };
	int r = find(store, key, tokens, n_token_bytes, n_bytes, &found, err);

	if (r == 0 && found.same) {
		touch(store, found.id);
		return store->n_touches == MAX_TOUCHES ? write_touches(store, err) : 0;
	}
	if (r == 0)
		r = remove_block(store, &found, err);
	if (r < 0 && r != -ENOENT)
		return r;
	r = make_room(store, n_pages_to_put(n_bytes + n_token_bytes), err);
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

	if (r == NO_ROOM)
		return err_set(err, -ENOSPC,
		               "what is pinned leaves no room for %zu bytes in the budget of %llu", n_bytes,
		               (unsigned long long)store->budget_bytes);
	return r < 0 ? recover(store, r) : 0;
}

int kvstore_put(struct kvstore *store, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                const void *bytes, size_t n_bytes, struct err *err)
{
	int r;

	if (store->budget_bytes == 0)
		return 0;
	if (!can_fit(store, n_bytes + n_token_bytes))
		return err_set(err, -EFBIG, "block of %zu bytes does not fit the budget of %llu", n_bytes,
		               (unsigned long long)store->budget_bytes);
	r = put_or_recover(store, key, tokens, n_token_bytes, bytes, n_bytes, err);
	if (r == -EBADMSG && store->file.db != NULL) /* now a new file, which takes this block */
		r = put_or_recover(store, key, tokens, n_token_bytes, bytes, n_bytes, err);
	return r == -EBADMSG ? -EIO : r;
}

int kvstore_flush(struct kvstore *store, struct err *err)
{
	int r;

	if (store->file.db == NULL)
		return 0;
	r = commit(store, err);
	return r < 0 ? recover(store, r) : 0;
}

int kvstore_pin(struct kvstore *store, const struct kv_key *key)
{
	return key_set_add(&store->pins, key);
}

void kvstore_unpin_all(struct kvstore *store)
{
	key_set_done(&store->pins);
}

void kvstore_stats(struct kvstore *store, struct kv_stats *ret)
{
	*ret = store->stats;
	ret->file_bytes = store->file.db == NULL ? 0 : kvfile_bytes(&store->file);
}

static int open_file(struct kvstore *store, const char *path, struct err *ret_replaced, struct err *err)
{
	int r;

	if ((r = kvfile_open(&store->file, path, store->budget_bytes, ret_replaced, err)) < 0)
		return r;
	if ((r = count_blocks(store, err)) < 0 || (r = make_room(store, SLACK_PAGES, err)) < 0)
		return r;
	return kvfile_shrink(&store->file, err);
}

int kvstore_open(const char *path, uint64_t budget_bytes, struct kvstore **ret, struct err *ret_replaced,
                 struct err *err)
{
	struct kvstore *store = calloc(1, sizeof(*store));
	struct err why = { "" };
	int r = 0;

	if (store == NULL)
		return err_set(err, -ENOMEM, "%s: no memory", path);
	if (ret_replaced != NULL)
		ret_replaced->text[0] = '\0';
	store->budget_bytes = budget_bytes;
	store->used = FIRST_USED;
	if (budget_bytes >= KV_MIN_BUDGET)
		r = open_file(store, path, ret_replaced, &why);
	if (r == -EBADMSG &&
	    store->file.db != NULL) { /* past its header, found when blocks were counted or evicted */
		if (ret_replaced != NULL)
			*ret_replaced = why;
		set_aside(store);
		r = store->file.db == NULL ? -EIO : 0;
	}
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
	key_set_done(&store->pins);
	free(store);
}
