/* A kv.db in a folder of its own, and small blocks for it, each known by a number. A step that fails ends the test. */
#ifndef SKIMD_TESTS_BLOCKS_H
#define SKIMD_TESTS_BLOCKS_H

#include <errno.h>
#include <sqlite3.h>

#include "store/kvstore.h"
#include "tests/fixture.h"

#define BLOCKS_BUDGET ((uint64_t)16 << 20)
#define BLOCK_BYTES 20000
#define BLOCK_TOKEN_BYTES 16

static inline void block_fill(uint64_t number, struct kv_key *ret_key, uint8_t tokens[BLOCK_TOKEN_BYTES],
                              uint8_t bytes[BLOCK_BYTES])
{
	for (size_t i = 0; i < sizeof(ret_key->bytes); i++)
		ret_key->bytes[i] = (uint8_t)draw(&number);
	for (size_t i = 0; i < BLOCK_TOKEN_BYTES; i++)
		tokens[i] = (uint8_t)draw(&number);
	for (size_t i = 0; i < BLOCK_BYTES; i++)
		bytes[i] = (uint8_t)draw(&number);
}

static inline struct kvstore *blocks_open(const struct path *path)
{
	struct kvstore *ret = NULL;
	struct err err = { "" };

	if (kvstore_open(path->text, BLOCKS_BUDGET, &ret, NULL, &err) < 0)
		fail_msg("%s", err.text);
	return ret;
}

static inline void block_put(struct kvstore *store, uint64_t number)
{
	uint8_t tokens[BLOCK_TOKEN_BYTES], bytes[BLOCK_BYTES];
	struct err err = { "" };
	struct kv_key key;

	block_fill(number, &key, tokens, bytes);
	if (kvstore_put(store, &key, tokens, sizeof(tokens), bytes, sizeof(bytes), &err) < 0)
		fail_msg("%s", err.text);
}

static inline void blocks_put(struct kvstore *store, uint64_t first, uint64_t end)
{
	for (uint64_t i = first; i < end; i++)
		block_put(store, i);
}

/* Whether it is there; then with its own bytes. */
static inline bool block_is_there(struct kvstore *store, uint64_t number)
{
	uint8_t tokens[BLOCK_TOKEN_BYTES], bytes[BLOCK_BYTES], back[BLOCK_BYTES];
	struct kv_key key;
	int r;

	block_fill(number, &key, tokens, bytes);
	r = kvstore_get(store, &key, tokens, sizeof(tokens), back, sizeof(back), NULL);
	if (r == 0)
		assert_memory_equal(back, bytes, sizeof(bytes));
	else
		assert_int_equal(r, -ENOENT);
	return r == 0;
}

/* Which of the blocks [first, end) are there, as a string such as "1101". */
static inline void assert_blocks(struct kvstore *store, uint64_t first, uint64_t end, const char *expected)
{
	char found[64] = "";

	assert_true(end - first < sizeof(found));
	for (uint64_t i = first; i < end; i++)
		found[i - first] = block_is_there(store, i) ? '1' : '0';
	assert_string_equal(found, expected);
}

static inline void run_sql(const struct path *path, const char *sql)
{
	sqlite3 *sqlite;

	assert_int_equal(sqlite3_open(path->text, &sqlite), SQLITE_OK);
	if (sqlite3_exec(sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(sqlite));
	assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
}

#endif
