/* A kv.db, damaged or made up: whatever the file, a block is the bytes that were put or a miss, and after the open blocks
 * can be put and got again. Damage is not forgery: a checksum can be met by who computes it, so libFuzzer is not to be shown
 * what is compared (-use_cmp=0). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/target.h"
#include "store/kvstore.h"

#define N_BLOCKS 6 /* of which the last is put by each run */
#define BLOCK_BYTES 5000
#define TOKEN_BYTES 64

struct block {
	struct kv_key key;
	uint8_t tokens[TOKEN_BYTES], bytes[BLOCK_BYTES];
};

static struct block blocks[N_BLOCKS];

static struct kvstore *open_store(struct err *err)
{
	struct kvstore *store = NULL;
	struct err replaced;
	char path[PATH_MAX];
	int r;

	scratch_path("kv.db", path);
	r = kvstore_open(path, KV_MIN_BUDGET, &store, &replaced, err);
	REQUIRE((r == 0) == (store != NULL));
	return store;
}

static int put(struct kvstore *store, const struct block *block)
{
	return kvstore_put(store, &block->key, block->tokens, TOKEN_BYTES, block->bytes, BLOCK_BYTES, NULL);
}

static struct image make_image(void)
{
	struct kvstore *store = open_store(NULL);

	REQUIRE(store != NULL);
	for (size_t i = 0; i < N_BLOCKS; i++) {
		memset(&blocks[i].key, (int)(17 * i + 1), sizeof(blocks[i].key));
		memset(blocks[i].tokens, (int)i, TOKEN_BYTES);
		for (size_t j = 0; j < BLOCK_BYTES; j++)
			blocks[i].bytes[j] = (uint8_t)(j * (2 * i + 1) + j / 256);
		kvstore_set_owner(store, (int64_t)i + 1);
		REQUIRE(i == N_BLOCKS - 1 || put(store, &blocks[i]) == 0);
	}
	kvstore_close(store);
	return image_load("kv.db");
}

static bool has(struct kvstore *store, const struct block *block)
{
	uint8_t bytes[BLOCK_BYTES], part[100];
	struct err err = { "" };
	int r = kvstore_get(store, &block->key, block->tokens, TOKEN_BYTES, bytes, BLOCK_BYTES, &err);

	REQUIRE(r == 0 || r == -ENOENT);
	REQUIRE(r < 0 || memcmp(bytes, block->bytes, BLOCK_BYTES) == 0);
	if (kvstore_read(store, &block->key, 4050, part, sizeof(part), &err) == 0)
		REQUIRE(memcmp(part, block->bytes + 4050, sizeof(part)) == 0);
	return r == 0;
}

static void remove_files(void)
{
	static const char *const NAMES[] = { "kv.db", "kv.db-journal", "kv.db-wal", "kv.db-shm",
		                             "kv.db.damaged" };

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
		scratch_remove(NAMES[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct image image;
	struct err err = { "" };
	struct kvstore *store;

	if (image.n == 0)
		image = make_image();
	remove_files();
	image_write_damaged(&image, (struct input){ bytes, n }, "kv.db");
	store = open_store(&err);
	if (store == NULL) { /* another program's database */
		REQUIRE(err.text[0] != '\0');
		return 0;
	}
	for (size_t i = 0; i < N_BLOCKS - 1; i++)
		has(store, &blocks[i]);
	if (put(store, &blocks[N_BLOCKS - 1]) == 0 && kvstore_flush(store, &err) == 0)
		REQUIRE(has(store, &blocks[N_BLOCKS - 1]));
	kvstore_drop(store, 2, &(uint64_t){ 0 }, &err);
	kvstore_tidy(store, &err);
	kvstore_close(store);
	return 0;
}
