#include "store/kvcounts.h"

#include <string.h>
#include <xxhash.h>

#include "store/kvschema.h"

/* In the order of the columns of KV_COUNTS and the values of KV_COUNT, where the checksum comes behind them. */
static const size_t OFFSETS[] = {
	offsetof(struct kv_stats, blocks),
	offsetof(struct kv_stats, bytes),
	offsetof(struct kv_stats, hits),
	offsetof(struct kv_stats, misses),
	offsetof(struct kv_stats, damaged),
	offsetof(struct kv_stats, set_aside),
	offsetof(struct kv_stats, stored),
	offsetof(struct kv_stats, bytes_stored),
	offsetof(struct kv_stats, token_bytes_stored),
	offsetof(struct kv_stats, evicted),
};

#define N_COUNTS (sizeof(OFFSETS) / sizeof(OFFSETS[0]))

static int64_t checksum_of(const int64_t counts[N_COUNTS])
{
	return (int64_t)XXH3_64bits(counts, N_COUNTS * sizeof(*counts));
}

bool kvcounts_read(struct db *db, struct kv_stats *ret)
{
	struct txn txn = txn_within(db, NULL);
	sqlite3_stmt *row = txn_rows(&txn, KV_COUNTS, db_int(1));
	int64_t counts[N_COUNTS];
	bool whole;

	*ret = (struct kv_stats){ 0 };
	if (row == NULL)
		return false;
	for (size_t i = 0; i < N_COUNTS; i++)
		counts[i] = sqlite3_column_int64(row, (int)i);
	whole = sqlite3_column_int64(row, N_COUNTS) == checksum_of(counts);
	row_done(row);
	for (size_t i = 0; whole && i < N_COUNTS; i++)
		memcpy((char *)ret + OFFSETS[i], &counts[i], sizeof(counts[i]));
	return whole;
}

void kvcounts_write(struct db *db, const struct kv_stats *stats)
{
	struct txn txn = txn_within(db, NULL);
	struct db_value values[N_COUNTS + 1];
	int64_t counts[N_COUNTS];

	for (size_t i = 0; i < N_COUNTS; i++) {
		memcpy(&counts[i], (const char *)stats + OFFSETS[i], sizeof(counts[i]));
		values[i] = db_int(counts[i]);
	}
	values[N_COUNTS] = db_int(checksum_of(counts));
	txn_run_values(&txn, KV_COUNT, values, N_COUNTS + 1);
}

static void count_rows(struct db *db, struct kv_stats *ret)
{
	struct txn txn = txn_within(db, NULL);
	sqlite3_stmt *row = txn_rows(&txn, KV_TOTALS);

	if (row == NULL)
		return;
	ret->blocks = (uint64_t)sqlite3_column_int64(row, 0);
	ret->bytes = (uint64_t)sqlite3_column_int64(row, 1);
	row_done(row);
}

static int peek(const char *path, struct kv_stats *ret, bool *ret_whole, struct err *err)
{
	struct db_settings settings = {
		.path = path, .unlocked = true, .sql = KV_STATEMENTS, .n_sql = N_KV_STATEMENTS
	};
	struct db *db;
	int r = db_open(&settings, &db, err);

	if (r < 0)
		return r;
	/* With writable_schema a file that lacks its end can be read, too. */
	if ((r = db_exec(db,
	                 "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
	                 "PRAGMA writable_schema = ON",
	                 err)) == 0 &&
	    (r = db_check(db, &KV_SCHEMA, err)) >= 0) {
		*ret_whole = r == 1 || kvcounts_read(db, ret); /* or empty */
		if (!*ret_whole)
			count_rows(db, ret);
	}
	db_close(db);
	return r < 0 ? r : 0;
}

int kvcounts_peek(const char *path, struct kv_stats *ret, struct err *err)
{
	struct kv_stats stats = { 0 };
	bool whole = false;
	int r = 0;

	/* What is just being written may look damaged, once. */
	for (int i = 0; i < 3 && !whole; i++)
		r = peek(path, &stats, &whole, err);
	if (r == 0)
		*ret = stats;
	return r;
}
