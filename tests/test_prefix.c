/* Blocks between the engine and kv.db: the chain of keys, whole blocks and tails, and that no store is in the way of a
 * reading. */
#include "pipeline/prefix.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "tests/reading.h"

#define N_BLOCK_BYTES 1000
#define N_WHOLE 3
#define N_TAIL 17
#define N_TOKENS (N_WHOLE * BLOCK_TOKENS + N_TAIL)

struct fixture {
	struct path folder;
	struct kvstore *kv;
	struct kvwriter *writer;
	uint8_t fingerprint[FINGERPRINT_BYTES];
	struct prefix prefix;
	struct block_io io;
	uint32_t tokens[N_TOKENS];
};

static void open_store(struct fixture *f, uint64_t budget)
{
	f->kv = open_kv(&f->folder, budget);
	f->writer = open_writer(f->kv, KV_QUEUE_BYTES);
	prefix_init(&f->prefix, f->writer, f->fingerprint);
}

static void close_store(struct fixture *f)
{
	prefix_done(&f->prefix);
	kvwriter_free(f->writer);
	kvstore_close(f->kv);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint64_t seed = 1;

	assert_non_null(f);
	f->folder = folder_make();
	for (size_t i = 0; i < FINGERPRINT_BYTES; i++)
		f->fingerprint[i] = (uint8_t)draw(&seed);
	for (size_t i = 0; i < N_TOKENS; i++)
		f->tokens[i] = (uint32_t)(draw(&seed) % 461);
	open_store(f, KV_BUDGET);
	f->io = prefix_block_io(&f->prefix);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close_store(f);
	folder_remove(&f->folder);
	free(f);
	return 0;
}

/* The bytes of block i, which nothing but a store can know. */
static void fill(unsigned char *bytes, size_t i)
{
	for (size_t j = 0; j < N_BLOCK_BYTES; j++)
		bytes[j] = (unsigned char)(i * 31 + j);
}

static size_t end_of(size_t block, size_t n_tokens)
{
	size_t end = (block + 1) * BLOCK_TOKENS;

	return end < n_tokens ? end : n_tokens;
}

/* All blocks of the first n tokens, the tail too. */
static void store_blocks(struct fixture *f, size_t n)
{
	unsigned char bytes[N_BLOCK_BYTES];

	prefix_start(&f->prefix);
	for (size_t i = 0; i * BLOCK_TOKENS < n; i++) {
		fill(bytes, i);
		assert_int_equal(f->io.store(f->io.user, f->tokens, i * BLOCK_TOKENS, end_of(i, n), bytes,
		                             N_BLOCK_BYTES, NULL),
		                 0);
	}
}

/* Whether block i of the first n tokens is there, with its own bytes. */
static bool load_one(struct fixture *f, size_t i, size_t n)
{
	unsigned char bytes[N_BLOCK_BYTES] = { 0 }, expected[N_BLOCK_BYTES];
	int r = f->io.load(f->io.user, f->tokens, i * BLOCK_TOKENS, end_of(i, n), bytes, N_BLOCK_BYTES, NULL);

	if (r == -ENOENT)
		return false;
	assert_int_equal(r, 0);
	fill(expected, i);
	assert_memory_equal(bytes, expected, N_BLOCK_BYTES);
	return true;
}

/* Which blocks of the n tokens are found, as a string such as "1101". */
static void assert_found(struct fixture *f, size_t n, const char *expected)
{
	char found[N_WHOLE + 2] = "";

	prefix_start(&f->prefix);
	for (size_t i = 0; i * BLOCK_TOKENS < n; i++)
		found[i] = load_one(f, i, n) ? '1' : '0';
	assert_string_equal(found, expected);
}

/* The key as the header has it, block by block from the fingerprint on. */
static struct kv_key key_of(const struct fixture *f, size_t n)
{
	struct kv_key key;

	memcpy(key.bytes, f->fingerprint, sizeof(key.bytes));
	for (size_t first = 0; first < n; first += BLOCK_TOKENS) {
		size_t n_own = n - first < BLOCK_TOKENS ? n - first : BLOCK_TOKENS;
		struct sha256_ctx hash;

		sha256_init(&hash);
		sha256_update(&hash, sizeof(key.bytes), key.bytes);
		sha256_update(&hash, n_own * sizeof(uint32_t), (const uint8_t *)(f->tokens + first));
		sha256_digest(&hash, sizeof(key.bytes), key.bytes);
	}
	return key;
}

static void what_is_stored_is_loaded_again(void **state)
{
	struct fixture *f = *state;

	assert_found(f, N_TOKENS, "0000");
	store_blocks(f, N_TOKENS);
	assert_found(f, N_TOKENS, "1111");
	close_store(f);
	open_store(f, KV_BUDGET);
	assert_found(f, N_TOKENS, "1111");
}

static void a_key_is_the_hash_of_the_key_before_and_its_own_tokens(void **state)
{
	struct fixture *f = *state;
	unsigned char bytes[N_BLOCK_BYTES];

	store_blocks(f, N_TOKENS);
	kvwriter_wait(f->writer);
	for (size_t i = 0; i <= N_WHOLE; i++) {
		size_t end = end_of(i, N_TOKENS);
		struct kv_key key = key_of(f, end);

		assert_int_equal(kvstore_get(f->kv, &key, f->tokens + i * BLOCK_TOKENS,
		                             (end - i * BLOCK_TOKENS) * sizeof(uint32_t), bytes,
		                             N_BLOCK_BYTES, NULL),
		                 0);
	}
}

static void another_token_changes_its_key_and_all_later_ones(void **state)
{
	struct fixture *f = *state;

	store_blocks(f, N_TOKENS);
	f->tokens[BLOCK_TOKENS + 5] ^= 1;
	assert_found(f, N_TOKENS, "1000");
	f->tokens[0] ^= 1;
	assert_found(f, N_TOKENS, "0000");
	f->tokens[BLOCK_TOKENS + 5] ^= 1;
	f->tokens[0] ^= 1;
	f->tokens[N_TOKENS - 1] ^= 1;
	assert_found(f, N_TOKENS, "1110");
}

static void equal_tokens_elsewhere_have_another_key(void **state)
{
	struct fixture *f = *state;

	memcpy(f->tokens + BLOCK_TOKENS, f->tokens, BLOCK_TOKENS * sizeof(uint32_t));
	store_blocks(f, BLOCK_TOKENS);
	assert_found(f, 2 * (size_t)BLOCK_TOKENS, "10");
}

static void another_fingerprint_changes_all_keys(void **state)
{
	struct fixture *f = *state;

	store_blocks(f, N_TOKENS);
	f->fingerprint[FINGERPRINT_BYTES - 1] ^= 1;
	assert_found(f, N_TOKENS, "0000");
	f->fingerprint[FINGERPRINT_BYTES - 1] ^= 1;
	assert_found(f, N_TOKENS, "1111");
}

static void a_tail_is_found_under_its_exact_length_only(void **state)
{
	struct fixture *f = *state;

	store_blocks(f, N_TOKENS);
	assert_found(f, N_TOKENS - 1, "1110");
	assert_found(f, N_TOKENS - N_TAIL, "111");
	assert_found(f, N_TOKENS, "1111");
	store_blocks(f, N_TOKENS - 1);
	assert_found(f, N_TOKENS - 1, "1111");
}

static void blocks_are_found_in_any_order(void **state)
{
	struct fixture *f = *state;

	store_blocks(f, N_TOKENS);
	for (size_t i = N_WHOLE + 1; i-- > 0;)
		assert_true(load_one(f, i, N_TOKENS));
	assert_true(load_one(f, 2, N_TOKENS));
	assert_true(load_one(f, 1, N_TOKENS));
}

static void foreign_tokens_under_a_key_are_a_miss(void **state)
{
	struct fixture *f = *state;
	struct kv_key key = key_of(f, BLOCK_TOKENS);
	unsigned char bytes[N_BLOCK_BYTES];
	uint32_t foreign[BLOCK_TOKENS];

	memcpy(foreign, f->tokens, sizeof(foreign));
	foreign[BLOCK_TOKENS - 1] ^= 1;
	fill(bytes, 0);
	assert_int_equal(kvstore_put(f->kv, &key, foreign, sizeof(foreign), bytes, N_BLOCK_BYTES, NULL), 0);
	assert_found(f, BLOCK_TOKENS, "0");
	store_blocks(f, BLOCK_TOKENS);
	assert_found(f, BLOCK_TOKENS, "1");
}

static void a_block_of_another_size_is_a_miss(void **state)
{
	struct fixture *f = *state;
	unsigned char bytes[N_BLOCK_BYTES + 1];

	store_blocks(f, BLOCK_TOKENS);
	prefix_start(&f->prefix);
	assert_int_equal(f->io.load(f->io.user, f->tokens, 0, BLOCK_TOKENS, bytes, sizeof(bytes), NULL),
	                 -ENOENT);
}

static void without_a_store_nothing_is_kept_and_nothing_fails(void **state)
{
	struct fixture *f = *state;

	prefix_done(&f->prefix);
	prefix_init(&f->prefix, NULL, f->fingerprint);
	store_blocks(f, N_TOKENS);
	assert_found(f, N_TOKENS, "0000");
	assert_int_equal(prefix_n_kept(&f->prefix), 0);
}

/* Pinned blocks of one document fill the budget: the rest of it is not kept, and the next document's are again. */
static void a_store_without_room_does_not_stop_the_reading(void **state)
{
	enum { LARGE = 300000, N = 12 };
	static unsigned char bytes[LARGE];
	struct fixture *f = *state;
	uint32_t tokens[N * BLOCK_TOKENS] = { 0 };
	size_t n_kept = 0, n_held;

	close_store(f);
	open_store(f, (uint64_t)2 << 20);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(f->io.store(f->io.user, tokens, i * BLOCK_TOKENS, (i + 1) * BLOCK_TOKENS,
		                             bytes, LARGE, NULL),
		                 0);
		kvwriter_wait(f->writer);
	}
	assert_true(f->prefix.full);
	n_held = prefix_n_kept(&f->prefix);
	prefix_start(&f->prefix);
	while (f->io.load(f->io.user, tokens, n_kept * BLOCK_TOKENS, (n_kept + 1) * BLOCK_TOKENS, bytes,
	                  LARGE, NULL) == 0)
		n_kept++;
	assert_in_range(n_kept, 1, N - 1);
	assert_int_equal(n_held, n_kept * BLOCK_TOKENS);
	assert_int_equal(prefix_n_kept(&f->prefix), n_held);

	kvwriter_end(f->writer);
	prefix_start(&f->prefix);
	assert_false(f->prefix.full);
	store_blocks(f, N_TOKENS);
	assert_found(f, N_TOKENS, "1111");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_stored_is_loaded_again),
		TEST(a_key_is_the_hash_of_the_key_before_and_its_own_tokens),
		TEST(another_token_changes_its_key_and_all_later_ones),
		TEST(equal_tokens_elsewhere_have_another_key),
		TEST(another_fingerprint_changes_all_keys),
		TEST(a_tail_is_found_under_its_exact_length_only),
		TEST(blocks_are_found_in_any_order),
		TEST(foreign_tokens_under_a_key_are_a_miss),
		TEST(a_block_of_another_size_is_a_miss),
		TEST(without_a_store_nothing_is_kept_and_nothing_fails),
		TEST(a_store_without_room_does_not_stop_the_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
