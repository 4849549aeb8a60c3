/* The writer beside a kv store: what is put arrives, in order, under its owner; what waits is found as if it were there; a
 * put that fails ends its run alone; and nobody waits for the disk who need not. */
#include "store/kvwriter.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/blocks.h"

#define N_PUTS 40
#define SMALL_BUDGET ((uint64_t)2 << 20) /* of some 50 blocks of LARGE_BYTES */
#define LARGE_BYTES 300000

struct fixture {
	struct path folder, path;
	struct kvstore *store;
	struct kvwriter *writer;
};

static void open_within(struct fixture *f, uint64_t budget, size_t max_queue_bytes)
{
	struct err err = { "" };

	if (kvstore_open(f->path.text, budget, &f->store, NULL, &err) < 0 ||
	    kvwriter_new(f->store, max_queue_bytes, &f->writer, &err) < 0)
		fail_msg("%s", err.text);
}

static void close_all(struct fixture *f)
{
	kvwriter_free(f->writer);
	kvstore_close(f->store);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->folder = folder_make();
	f->path = path_of(&f->folder, "kv.db");
	open_within(f, BLOCKS_BUDGET, KV_QUEUE_BYTES);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close_all(f);
	folder_remove(&f->folder);
	free(f);
	return 0;
}

static int write_block(struct kvwriter *writer, uint64_t number)
{
	uint8_t tokens[BLOCK_TOKEN_BYTES], bytes[BLOCK_BYTES];
	struct kv_key key;
	int r;

	block_fill(number, &key, tokens, bytes);
	r = kvwriter_put(writer, &key, tokens, sizeof(tokens), bytes, sizeof(bytes), NULL);
	memset(bytes, 0, sizeof(bytes)); /* it has its own copy */
	return r;
}

static void write_blocks(struct kvwriter *writer, uint64_t first, uint64_t end)
{
	for (uint64_t i = first; i < end; i++)
		assert_int_equal(write_block(writer, i), 0);
}

static bool writer_has(struct kvwriter *writer, uint64_t number)
{
	uint8_t tokens[BLOCK_TOKEN_BYTES], bytes[BLOCK_BYTES], back[BLOCK_BYTES];
	struct kv_key key;
	int r;

	block_fill(number, &key, tokens, bytes);
	r = kvwriter_get(writer, &key, tokens, sizeof(tokens), back, sizeof(back), NULL);
	if (r == 0)
		assert_memory_equal(back, bytes, sizeof(bytes));
	return r == 0;
}

/* Blocks so large that a few fill the small budget; number names one. */
static int write_large(struct kvwriter *writer, uint8_t number, struct err *err)
{
	static uint8_t bytes[LARGE_BYTES];
	struct kv_key key = { { number, 1 } };

	memset(bytes, number, sizeof(bytes));
	return kvwriter_put(writer, &key, &number, 1, bytes, sizeof(bytes), err);
}

static bool has_large(struct kvstore *store, uint8_t number)
{
	static uint8_t bytes[LARGE_BYTES];
	struct kv_key key = { { number, 1 } };

	return kvstore_get(store, &key, &number, 1, bytes, sizeof(bytes), NULL) == 0 && bytes[0] == number &&
	       bytes[LARGE_BYTES - 1] == number;
}

static void what_is_put_is_in_the_store_in_the_end(void **state)
{
	struct fixture *f = *state;

	kvwriter_begin(f->writer, 1);
	write_blocks(f->writer, 0, N_PUTS);
	kvwriter_end(f->writer);
	close_all(f);
	open_within(f, BLOCKS_BUDGET, 0);
	assert_blocks(f->store, 0, N_PUTS + 1, "11111111111111111111111111111111111111110");
}

/* Queues that take nothing, one block, and all. */
static void the_length_of_the_queue_changes_nothing(void **state)
{
	static const size_t LENGTHS[] = { 0, 1, BLOCK_BYTES + 1, KV_QUEUE_BYTES };
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(LENGTHS); i++) {
		struct kv_stats stats;

		close_all(f);
		assert_int_equal(unlink(f->path.text), 0);
		open_within(f, BLOCKS_BUDGET, LENGTHS[i]);
		kvwriter_begin(f->writer, 1);
		write_blocks(f->writer, 0, N_PUTS);
		if (LENGTHS[i] == 0)
			assert_int_equal(kvwriter_n_kept(f->writer), N_PUTS);
		kvwriter_wait(f->writer);
		assert_int_equal(kvwriter_n_kept(f->writer), N_PUTS);
		kvwriter_end(f->writer);
		kvwriter_wait(f->writer);
		kvwriter_stats(f->writer, &stats);
		assert_int_equal(stats.blocks, N_PUTS);
		assert_int_equal(stats.bytes, N_PUTS * BLOCK_BYTES);
		assert_int_equal(stats.stored, N_PUTS);
	}
}

static void what_waits_is_found(void **state)
{
	struct fixture *f = *state;

	kvwriter_begin(f->writer, 1);
	for (uint64_t i = 0; i < N_PUTS; i++) {
		uint8_t tokens[BLOCK_TOKEN_BYTES], bytes[BLOCK_BYTES], back[100];
		struct kv_key key;

		block_fill(i, &key, tokens, bytes);
		assert_int_equal(
			kvwriter_put(f->writer, &key, tokens, sizeof(tokens), bytes, sizeof(bytes), NULL), 0);
		if (i % 2 == 0)
			assert_true(writer_has(f->writer, i));
		assert_int_equal(kvwriter_read(f->writer, &key, 5000, back, sizeof(back), NULL), 0);
		assert_memory_equal(back, bytes + 5000, sizeof(back));
	}
	assert_false(writer_has(f->writer, N_PUTS));
}

/* Pinned blocks fill the budget: the first that does not fit ends the run, so that what is kept has no holes. */
static void a_put_that_fails_ends_its_run(void **state)
{
	enum { N = 12 };
	struct fixture *f = *state;
	struct err err = { "" };
	size_t n_kept;
	uint8_t n = 0;

	close_all(f);
	assert_int_equal(unlink(f->path.text), 0);
	open_within(f, SMALL_BUDGET, 0);
	kvwriter_begin(f->writer, 1);
	while (n < N && write_large(f->writer, n, &err) == 0)
		n++;
	assert_in_range(n, 1, N - 1);
	assert_non_null(strstr(err.text, "leaves no room"));
	assert_int_equal(kvwriter_n_kept(f->writer), n);
	assert_int_equal(write_block(f->writer, 1), -EIO); /* it would fit */
	assert_false(writer_has(f->writer, 1));
	assert_int_equal(kvwriter_n_kept(f->writer), n);

	kvwriter_start(f->writer);
	assert_int_equal(kvwriter_n_kept(f->writer), 0);
	assert_int_equal(write_block(f->writer, 1), 0);
	assert_int_equal(kvwriter_n_kept(f->writer), 1);

	kvwriter_end(f->writer); /* nothing is pinned any more */
	kvwriter_begin(f->writer, 2);
	assert_int_equal(write_large(f->writer, 100, &err), 0);
	n_kept = kvwriter_n_kept(f->writer);
	assert_int_equal(n_kept, 1);
	assert_true(has_large(f->store, 100));
}

static void a_long_queue_fails_without_holes_too(void **state)
{
	enum { N = 40 };
	struct fixture *f = *state;
	size_t n_there = 0, n_kept;

	close_all(f);
	assert_int_equal(unlink(f->path.text), 0);
	open_within(f, SMALL_BUDGET, KV_QUEUE_BYTES);
	kvwriter_begin(f->writer, 1);
	for (uint8_t i = 0; i < N; i++)
		write_large(f->writer, i, NULL); /* it may have failed by then, or not yet */
	kvwriter_wait(f->writer);
	n_kept = kvwriter_n_kept(f->writer);
	assert_in_range(n_kept, 1, N - 1);
	assert_int_equal(write_large(f->writer, N, NULL), -EIO);
	while (has_large(f->store, (uint8_t)n_there))
		n_there++;
	assert_int_equal(n_there, n_kept);
	for (uint8_t i = (uint8_t)n_kept; i <= N; i++)
		assert_false(has_large(f->store, i));
}

static void blocks_belong_to_the_document_that_put_them(void **state)
{
	struct fixture *f = *state;
	uint64_t n = 0;

	for (int64_t owner = 1; owner <= 3; owner++) {
		kvwriter_begin(f->writer, owner);
		write_blocks(f->writer, (uint64_t)owner * 10, (uint64_t)owner * 10 + 10);
		assert_true(writer_has(f->writer, 10)); /* all three have it */
		kvwriter_end(f->writer);
	}
	kvwriter_wait(f->writer);
	assert_int_equal(kvstore_drop(f->store, 2, &n, NULL), 0);
	assert_int_equal(n, 10);
	assert_blocks(f->store, 10, 40, "111111111100000000001111111111");
	assert_int_equal(kvstore_drop(f->store, 1, &n, NULL), 0);
	assert_int_equal(n, 9);
}

static void what_is_got_is_pinned_until_the_end(void **state)
{
	struct fixture *f = *state;

	close_all(f);
	assert_int_equal(unlink(f->path.text), 0);
	open_within(f, SMALL_BUDGET, 0);
	kvwriter_begin(f->writer, 1);
	assert_int_equal(write_block(f->writer, 7), 0);
	kvwriter_end(f->writer);
	for (int64_t owner = 2; owner <= 3; owner++) {
		kvwriter_begin(f->writer, owner);
		if (owner == 2)
			assert_true(writer_has(f->writer, 7));
		for (uint8_t i = 0; i < 12; i++)
			write_large(f->writer, (uint8_t)(owner * 20 + i), NULL);
		assert_int_equal(block_is_there(f->store, 7), owner == 2);
		kvwriter_end(f->writer);
	}
	kvwriter_wait(f->writer);
}

struct other {
	struct fixture *f;
	_Atomic uint64_t n_written;
	_Atomic bool stop;
	size_t n_read;
};

/* As the engine's threads read rows while the next block is computed. */
static void *read_rows(void *user)
{
	struct other *other = user;

	while (!other->stop) {
		uint64_t n = other->n_written, number = n == 0 ? 0 : other->n_read * 7 % n;
		uint8_t tokens[BLOCK_TOKEN_BYTES], bytes[BLOCK_BYTES], back[64];
		struct kv_key key;

		if (n == 0)
			continue;
		block_fill(number, &key, tokens, bytes);
		if (kvwriter_read(other->f->writer, &key, 128, back, sizeof(back), NULL) < 0 ||
		    memcmp(back, bytes + 128, sizeof(back)) != 0)
			return NULL;
		other->n_read++;
	}
	return other;
}

static void rows_are_read_while_blocks_are_written(void **state)
{
	struct fixture *f = *state;
	struct other other = { .f = f };
	pthread_t thread;
	void *ret;

	kvwriter_begin(f->writer, 1);
	assert_int_equal(pthread_create(&thread, NULL, read_rows, &other), 0);
	for (uint64_t i = 0; i < 5 * N_PUTS; i++) {
		assert_int_equal(write_block(f->writer, i), 0);
		other.n_written = i + 1;
	}
	kvwriter_wait(f->writer);
	other.stop = true;
	pthread_join(thread, &ret);
	assert_ptr_equal(ret, &other);
	assert_true(other.n_read > 0);
}

static void the_stats_follow(void **state)
{
	struct fixture *f = *state;
	struct kv_stats stats;

	kvwriter_stats(f->writer, &stats);
	assert_int_equal(stats.blocks, 0);
	kvwriter_begin(f->writer, 1);
	write_blocks(f->writer, 0, 3);
	kvwriter_wait(f->writer);
	kvwriter_stats(f->writer, &stats);
	assert_int_equal(stats.stored, 3);
	assert_false(writer_has(f->writer, 4));
	assert_true(writer_has(f->writer, 0));
	kvwriter_stats(f->writer, &stats);
	assert_int_equal(stats.hits, 1);
	assert_int_equal(stats.misses, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_put_is_in_the_store_in_the_end),
		TEST(the_length_of_the_queue_changes_nothing),
		TEST(what_waits_is_found),
		TEST(a_put_that_fails_ends_its_run),
		TEST(a_long_queue_fails_without_holes_too),
		TEST(blocks_belong_to_the_document_that_put_them),
		TEST(what_is_got_is_pinned_until_the_end),
		TEST(rows_are_read_while_blocks_are_written),
		TEST(the_stats_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
