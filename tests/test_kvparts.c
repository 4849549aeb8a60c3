/* Some bytes of a block are those that were put, or the block is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>

#include "store/kvparts.h"
#include "tests/blocks.h"

#define N_BLOCKS 12
#define N_READS 400

static int read_range(struct kvstore *store, uint64_t number, size_t offset, size_t n)
{
	uint8_t tokens[BLOCK_TOKEN_BYTES], bytes[BLOCK_BYTES], back[BLOCK_BYTES];
	struct err err = { "" };
	struct kv_key key;
	int r;

	block_fill(number, &key, tokens, bytes);
	memset(back, 0xa5, sizeof(back));
	r = kvstore_read(store, &key, offset, back, n, &err);
	if (r == 0) {
		assert_memory_equal(back, bytes + offset, n);
		for (size_t i = n; i < sizeof(back); i++)
			assert_int_equal(back[i], 0xa5);
	}
	return r;
}

static void any_range_of_any_block_is_what_was_put(void **state)
{
	struct path folder = folder_make(), path = path_of(&folder, "kv.db");
	struct kvstore *store = blocks_open(&path);
	uint64_t seed = 3;

	(void)state;
	blocks_put(store, 0, N_BLOCKS);
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < N_READS; i++) {
			size_t offset = draw(&seed) % BLOCK_BYTES,
			       n = draw(&seed) % (BLOCK_BYTES - offset + 1);

			assert_int_equal(read_range(store, draw(&seed) % N_BLOCKS, offset, n), 0);
		}
		assert_int_equal(read_range(store, 0, 0, BLOCK_BYTES), 0);
		assert_int_equal(read_range(store, 0, BLOCK_BYTES - 1, 1), 0);
		kvstore_close(store);
		store = blocks_open(&path);
	}
	assert_int_equal(read_range(store, N_BLOCKS, 0, 1), -ENOENT);
	kvstore_close(store);
	folder_remove(&folder);
}

static void a_range_beyond_the_block_is_none(void **state)
{
	struct path folder = folder_make(), path = path_of(&folder, "kv.db");
	struct kvstore *store = blocks_open(&path);
	uint8_t byte[2];
	struct err err;
	struct kv_key key;
	uint8_t tokens[BLOCK_TOKEN_BYTES], bytes[BLOCK_BYTES];

	(void)state;
	blocks_put(store, 0, 1);
	block_fill(0, &key, tokens, bytes);
	assert_int_equal(kvstore_read(store, &key, BLOCK_BYTES - 1, byte, 2, &err), -ENOENT);
	kvstore_close(store);
	folder_remove(&folder);
}

/* Every block of a file in which a byte is another: some part of some block is lost, and nothing else is. */
static void a_damaged_part_is_not_read(void **state)
{
	uint64_t seed = 7;
	size_t n_lost = 0;

	(void)state;
	for (size_t trial = 0; trial < 60; trial++) {
		struct path folder = folder_make(), path = path_of(&folder, "kv.db");
		struct kvstore *store = blocks_open(&path);
		struct stat st;
		uint8_t byte;
		off_t at;
		int fd;

		blocks_put(store, 0, N_BLOCKS);
		kvstore_close(store);
		assert_int_equal(stat(path.text, &st), 0);
		at = (off_t)(st.st_size / 2 + (off_t)(draw(&seed) % (uint64_t)(st.st_size / 2)));
		fd = open(path.text, O_RDWR | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= (uint8_t)(1 + draw(&seed) % 255);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		close(fd);
		store = blocks_open(&path);
		for (uint64_t i = 0; i < N_BLOCKS; i++) {
			for (size_t offset = 0; offset < BLOCK_BYTES; offset += 1000) {
				int r = read_range(store, i, offset, 900);

				assert_true(r == 0 || r == -ENOENT);
				n_lost += r < 0;
			}
		}
		kvstore_close(store);
		folder_remove(&folder);
	}
	assert_true(n_lost > 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_range_of_any_block_is_what_was_put),
		cmocka_unit_test(a_range_beyond_the_block_is_none),
		cmocka_unit_test(a_damaged_part_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
