/* kv.db: what is put comes back unchanged or not at all, and never takes more than its budget on the disk. */
#include "store/kvstore.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

#define N_BYTES 300000
#define TOKENS "0123456789abcdef"
#define N_TOKENS 16
#define LARGE ((uint64_t)64 << 20)

struct fixture {
	char folder[32];
	char path[64];
	uint8_t *bytes, *back;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->folder, sizeof(f->folder), "/tmp/test_kvstore.XXXXXX");
	if (mkdtemp(f->folder) == NULL)
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/kv.db", f->folder);
	f->bytes = malloc(N_BYTES);
	f->back = malloc(N_BYTES);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char pattern[96];
	glob_t names;

	snprintf(pattern, sizeof(pattern), "%s*", f->path);
	if (glob(pattern, 0, NULL, &names) == 0) {
		for (size_t i = 0; i < names.gl_pathc; i++)
			unlink(names.gl_pathv[i]);
		globfree(&names);
	}
	free(f->bytes);
	free(f->back);
	return rmdir(f->folder);
}

static struct kv_key key_of(unsigned number)
{
	struct kv_key key = { { 0 } };
	uint64_t x = number + 1;

	for (size_t i = 0; i < sizeof(key.bytes); i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		key.bytes[i] = (uint8_t)(x >> 56);
	}
	return key;
}

static void fill(struct fixture *f, unsigned number)
{
	uint64_t x = number + 77;

	for (size_t i = 0; i < N_BYTES; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		f->bytes[i] = (uint8_t)(x >> 56);
	}
}

static struct kvstore *open_store(struct fixture *f, uint64_t budget)
{
	struct kvstore *store = NULL;
	struct err replaced = { "?" }, err = { "" };

	if (kvstore_open(f->path, budget, &store, &replaced, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(replaced.text, "");
	return store;
}

static int put(struct fixture *f, struct kvstore *store, unsigned number)
{
	struct kv_key key = key_of(number);

	fill(f, number);
	return kvstore_put(store, &key, TOKENS, N_TOKENS, f->bytes, N_BYTES, NULL);
}

static int get(struct fixture *f, struct kvstore *store, unsigned number)
{
	struct kv_key key = key_of(number);

	return kvstore_get(store, &key, TOKENS, N_TOKENS, f->back, N_BYTES, NULL);
}

static void expect_hit(struct fixture *f, struct kvstore *store, unsigned number)
{
	fill(f, number);
	assert_int_equal(get(f, store, number), 0);
	assert_memory_equal(f->back, f->bytes, N_BYTES);
}

static struct kv_stats stats_of(struct kvstore *store)
{
	struct kv_stats stats;

	kvstore_stats(store, &stats);
	return stats;
}

static uint64_t bytes_on_disk(const struct fixture *f)
{
	char name[96];
	struct stat file = { 0 }, journal = { 0 };

	snprintf(name, sizeof(name), "%s-journal", f->path);
	if (stat(name, &journal) < 0)
		journal.st_size = 0;
	if (stat(f->path, &file) < 0)
		file.st_size = 0;
	return (uint64_t)(file.st_size + journal.st_size);
}

static int64_t query(const struct fixture *f, const char *sql)
{
	sqlite3 *sqlite;
	sqlite3_stmt *row;
	int64_t n = -1;

	assert_int_equal(sqlite3_open(f->path, &sqlite), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(sqlite, sql, -1, &row, NULL), SQLITE_OK);
	if (sqlite3_step(row) == SQLITE_ROW)
		n = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
	return n;
}

static void a_block_comes_back_after_the_store_is_opened_again(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, LARGE);
	struct kv_stats stats;

	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(put(f, store, i), 0);
	expect_hit(f, store, 2); /* from the open batch */
	kvstore_close(store);

	store = open_store(f, LARGE);
	for (unsigned i = 0; i < 5; i++)
		expect_hit(f, store, i);
	assert_int_equal(get(f, store, 5), -ENOENT);
	stats = stats_of(store);
	assert_int_equal(stats.blocks, 5);
	assert_int_equal(stats.bytes, 5 * N_BYTES);
	assert_int_equal(stats.hits, 5);
	assert_int_equal(stats.misses, 1);
	assert_int_equal(stats.damaged, 0);
	assert_int_equal(stats.file_bytes, bytes_on_disk(f));
	kvstore_close(store);
}

static void a_new_file_has_the_layout_that_the_budget_reckons_with(void **state)
{
	struct fixture *f = *state;
	struct stat status;

	kvstore_close(open_store(f, LARGE));
	assert_int_equal(query(f, "PRAGMA page_size"), 16384);
	assert_int_equal(query(f, "PRAGMA auto_vacuum"), 2);
	assert_int_equal(stat(f->path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

static void an_empty_block_is_a_block(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, LARGE);
	struct kv_key key = key_of(1);

	assert_int_equal(kvstore_put(store, &key, "", 0, "", 0, NULL), 0);
	assert_int_equal(kvstore_get(store, &key, "", 0, f->back, 0, NULL), 0);
	kvstore_close(store);
}

static void a_block_of_other_tokens_is_a_miss_and_removed(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, LARGE);
	struct kv_key key = key_of(1);

	put(f, store, 1);
	assert_int_equal(kvstore_get(store, &key, "0123456789abcdeX", N_TOKENS, f->back, N_BYTES, NULL),
	                 -ENOENT);
	assert_int_equal(stats_of(store).damaged, 1);
	assert_int_equal(stats_of(store).blocks, 0);
	assert_int_equal(get(f, store, 1), -ENOENT);
	kvstore_close(store);
}

static void a_block_that_is_there_is_stored_once(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, LARGE);

	put(f, store, 1);
	put(f, store, 1);
	assert_int_equal(stats_of(store).stored, 1);
	assert_int_equal(stats_of(store).blocks, 1);
	kvstore_close(store);
}

static void a_put_replaces_a_block_of_other_tokens(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, LARGE);
	struct kv_key key = key_of(1);

	assert_int_equal(kvstore_put(store, &key, "other", 5, "bytes", 5, NULL), 0);
	assert_int_equal(put(f, store, 1), 0);
	assert_int_equal(stats_of(store).blocks, 1);
	expect_hit(f, store, 1);
	kvstore_close(store);
}

static void keys_that_begin_alike_are_told_apart(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, LARGE);
	struct kv_key key = key_of(1), other = key_of(1);
	uint8_t byte = 0;

	other.bytes[KV_KEY_BYTES - 1] ^= 1;
	assert_int_equal(kvstore_put(store, &key, TOKENS, N_TOKENS, "a", 1, NULL), 0);
	assert_int_equal(kvstore_get(store, &other, TOKENS, N_TOKENS, &byte, 1, NULL), -ENOENT);
	assert_int_equal(kvstore_put(store, &other, TOKENS, N_TOKENS, "b", 1, NULL), 0);
	assert_int_equal(kvstore_get(store, &key, TOKENS, N_TOKENS, &byte, 1, NULL), 0);
	assert_int_equal(byte, 'a');
	assert_int_equal(kvstore_get(store, &other, TOKENS, N_TOKENS, &byte, 1, NULL), 0);
	assert_int_equal(byte, 'b');
	assert_int_equal(stats_of(store).damaged, 0);
	kvstore_close(store);
}

/* Changes one byte of the stored bytes through SQLite, where only the checksum can tell. */
static void flip_stored_byte(struct fixture *f, int offset)
{
	sqlite3 *sqlite;
	sqlite3_blob *blob;
	uint8_t byte;

	assert_int_equal(sqlite3_open(f->path, &sqlite), SQLITE_OK);
	assert_int_equal(sqlite3_blob_open(sqlite, "main", "data", "bytes", 1, 1, &blob), SQLITE_OK);
	assert_int_equal(sqlite3_blob_read(blob, &byte, 1, offset), SQLITE_OK);
	byte ^= 1;
	assert_int_equal(sqlite3_blob_write(blob, &byte, 1, offset), SQLITE_OK);
	sqlite3_blob_close(blob);
	assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
}

static void one_flipped_byte_is_a_miss_wherever_it_is(void **state)
{
	static const int OFFSETS[] = { 0, 1, 4095, 16383, 150000, N_BYTES - 1 };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(OFFSETS) / sizeof(OFFSETS[0]); i++) {
		struct kvstore *store = open_store(f, LARGE);

		assert_int_equal(put(f, store, 1), 0);
		kvstore_close(store);
		flip_stored_byte(f, OFFSETS[i]);
		store = open_store(f, LARGE);
		assert_int_equal(get(f, store, 1), -ENOENT);
		assert_int_equal(stats_of(store).damaged, 1);
		assert_int_equal(stats_of(store).blocks, 0);
		kvstore_close(store);
	}
}

static void overwrite(const char *path, off_t offset, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, offset), n);
	close(fd);
}

/* Overwrites 64 bytes at a place of the closed file, and reads everything: each block is right or a miss, and the
 * store can be used after that. Returns whether something was found damaged. */
static bool survives_damage_at(struct fixture *f, off_t offset, uint8_t filler)
{
	struct kvstore *store = open_store(f, LARGE);
	struct err replaced = { "" }, err = { "" };
	uint8_t junk[64];
	bool found;
	int r;

	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(put(f, store, i), 0);
	kvstore_close(store);
	memset(junk, filler, sizeof(junk));
	overwrite(f->path, offset, junk, sizeof(junk));

	if (kvstore_open(f->path, LARGE, &store, &replaced, &err) < 0)
		fail_msg("offset %lld: %s", (long long)offset, err.text);
	for (unsigned i = 0; i < 6; i++) {
		fill(f, i);
		r = get(f, store, i);
		if (r == 0)
			assert_memory_equal(f->back, f->bytes, N_BYTES);
		else
			assert_int_equal(r, -ENOENT);
	}
	found = replaced.text[0] != '\0' || stats_of(store).damaged > 0;
	assert_int_equal(put(f, store, 9), 0);
	assert_int_equal(kvstore_flush(store, NULL), 0);
	expect_hit(f, store, 9);
	kvstore_close(store);
	return found;
}

static void an_overwritten_file_gives_no_wrong_block_and_goes_on(void **state)
{
	struct fixture *f = *state;
	unsigned n_found = 0, n = 0;

	for (off_t offset = 0; offset < 1800000; offset += 16384 * 7 + 8192, n += 2) {
		unlink(f->path);
		n_found += survives_damage_at(f, offset, 0xff);
		unlink(f->path);
		n_found +=
			survives_damage_at(f, offset - offset % 16384, 0x5a); /* a page's header or pointer */
	}
	assert_true(n_found > n / 2);
}

static void damage_found_by_a_get_sets_the_file_aside_in_the_same_handle(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, LARGE);
	int64_t root;
	uint8_t junk[16384];
	char damaged[96];

	put(f, store, 1);
	kvstore_close(store);
	root = query(f, "SELECT rootpage FROM sqlite_schema WHERE name = 'block_key'");
	memset(junk, 0xee, sizeof(junk));
	overwrite(f->path, (off_t)(root - 1) * 16384, junk, sizeof(junk));

	store = open_store(f, LARGE);
	assert_int_equal(get(f, store, 1), -ENOENT);
	assert_int_equal(stats_of(store).set_aside, 1);
	assert_int_equal(stats_of(store).blocks, 0);
	snprintf(damaged, sizeof(damaged), "%s.damaged", f->path);
	assert_int_equal(access(damaged, F_OK), 0);
	assert_int_equal(put(f, store, 1), 0);
	expect_hit(f, store, 1);
	kvstore_close(store);
	store = open_store(f, LARGE);
	expect_hit(f, store, 1);
	kvstore_close(store);
}

struct watch {
	const struct fixture *fixture;
	uint64_t most;
	atomic_bool stop;
};

/* Sees the file in the middle of transactions too. */
static void *watch_size(void *user)
{
	struct watch *watch = user;

	while (!atomic_load(&watch->stop)) {
		uint64_t bytes = bytes_on_disk(watch->fixture);

		if (bytes > watch->most)
			watch->most = bytes;
	}
	return NULL;
}

/* Blocks [first, end), and the document's end. */
static void put_document(struct fixture *f, struct kvstore *store, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
		assert_int_equal(put(f, store, i), 0);
	kvstore_unpin_all(store);
}

static void the_budget_is_never_exceeded(void **state)
{
	struct fixture *f = *state;
	uint64_t budget = 20 * N_BYTES;
	struct kvstore *store = open_store(f, budget);
	struct watch watch = { .fixture = f };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, watch_size, &watch), 0);
	for (unsigned i = 0; i < 200; i++) {
		put_document(f, store, i, i + 1);
		assert_true(bytes_on_disk(f) <= budget);
		if (i % 7 == 6)
			assert_int_equal(get(f, store, i - 5), 0);
	}
	atomic_store(&watch.stop, true);
	pthread_join(thread, NULL);
	assert_true(watch.most <= budget);
	assert_true(stats_of(store).blocks >= 14);
	assert_int_equal(stats_of(store).evicted + stats_of(store).blocks, 200);
	expect_hit(f, store, 199);
	kvstore_close(store);
	assert_true(bytes_on_disk(f) <= budget);
}

static void blocks_of_all_sizes_stay_within_the_budget(void **state)
{
	struct fixture *f = *state;
	uint64_t budget = 4 << 20, x = 1;
	struct kvstore *store = open_store(f, budget);

	fill(f, 0);
	for (unsigned i = 0; i < 600; i++) {
		struct kv_key key = key_of(i);

		x = x * 6364136223846793005u + 1442695040888963407u;
		assert_int_equal(kvstore_put(store, &key, TOKENS, N_TOKENS, f->bytes,
		                             (x >> 40) % (i % 50 == 0 ? N_BYTES : 3000), NULL),
		                 0);
		assert_true(bytes_on_disk(f) <= budget);
	}
	assert_true(stats_of(store).bytes > budget / 3);
	kvstore_close(store);
}

static void the_least_recently_used_document_goes_first(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, 20 * N_BYTES);
	unsigned n = 0;

	while (stats_of(store).evicted == 0) {
		put_document(f, store, n, n + 1);
		if (++n > 3)
			expect_hit(f, store, 0);
	}
	expect_hit(f, store, 0);
	assert_int_equal(get(f, store, 1), -ENOENT);
	expect_hit(f, store, n - 1);
	kvstore_close(store);
}

/* Its first blocks are worth something without its last ones. */
static void the_end_of_a_document_goes_before_its_beginning(void **state)
{
	enum { N = 7 };
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, 20 * N_BYTES);
	unsigned n = 2 * N, n_left = 0;

	put_document(f, store, 0, N);
	put_document(f, store, N, 2 * N);
	while (stats_of(store).evicted == 0)
		assert_int_equal(put(f, store, n++), 0);
	while (n_left < N && get(f, store, n_left) == 0)
		n_left++;
	assert_in_range(n_left, 1, N - 1);
	for (unsigned i = n_left; i < N; i++)
		assert_int_equal(get(f, store, i), -ENOENT);
	for (unsigned i = N; i < n; i++)
		expect_hit(f, store, i);
	kvstore_close(store);
}

static void uses_are_remembered_over_a_restart(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, 20 * N_BYTES);
	unsigned n = 8;

	for (unsigned i = 0; i < n; i++)
		put_document(f, store, i, i + 1);
	expect_hit(f, store, 0);
	kvstore_close(store);
	store = open_store(f, 20 * N_BYTES);
	while (stats_of(store).evicted == 0)
		put(f, store, n++);
	assert_int_equal(get(f, store, 1), -ENOENT);
	expect_hit(f, store, 0);
	kvstore_close(store);
}

static void pinned_blocks_stay_and_nothing_is_stored_when_all_are(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, 20 * N_BYTES);
	unsigned n = 0, n_pinned = 5;
	int r = 0;

	for (unsigned i = 0; i < n_pinned; i++) {
		struct kv_key key = key_of(i);

		assert_int_equal(kvstore_pin(store, &key), 0);
	}
	for (; n < 60; n++)
		assert_int_equal(put(f, store, n), 0);
	for (unsigned i = 0; i < n_pinned; i++)
		expect_hit(f, store, i);
	assert_true(stats_of(store).evicted > 0);

	for (; r == 0; n++) {
		struct kv_key key = key_of(n);
		struct err err = { "" };

		assert_true(n < 100);
		assert_int_equal(kvstore_pin(store, &key), 0);
		fill(f, n);
		r = kvstore_put(store, &key, TOKENS, N_TOKENS, f->bytes, N_BYTES, &err);
		if (r < 0)
			assert_string_equal(
				err.text,
				"what is pinned leaves no room for 300000 bytes in the budget of 6000000");
	}
	assert_int_equal(r, -ENOSPC);
	expect_hit(f, store, n - 2); /* the put before, perhaps of the batch that is still open */
	expect_hit(f, store, 0);
	kvstore_unpin_all(store);
	assert_int_equal(put(f, store, n), 0);
	kvstore_close(store);
}

static void a_block_larger_than_the_budget_is_refused(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, 2 << 20);
	struct kv_key key = key_of(1);
	size_t n = (2 << 20) + 1;
	uint8_t *large = calloc(1, n);
	struct err err;

	assert_int_equal(kvstore_put(store, &key, TOKENS, N_TOKENS, large, n, &err), -EFBIG);
	assert_string_equal(err.text, "block of 2097153 bytes does not fit the budget of 2097152");
	free(large);
	kvstore_close(store);
}

static void a_budget_of_nothing_keeps_nothing_and_makes_no_file(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, 0);

	assert_int_equal(put(f, store, 1), 0);
	assert_int_equal(get(f, store, 1), -ENOENT);
	assert_int_equal(kvstore_flush(store, NULL), 0);
	assert_int_equal(stats_of(store).misses, 1);
	kvstore_close(store);
	assert_int_equal(access(f->path, F_OK), -1);
}

static void a_smaller_budget_shrinks_the_file_and_keeps_the_newest_blocks(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, LARGE);
	struct watch watch = { .fixture = f };
	uint64_t before;
	pthread_t thread;

	for (unsigned i = 0; i < 150; i++)
		put_document(f, store, i, i + 1);
	kvstore_close(store);
	before = bytes_on_disk(f);
	assert_true(before > 45000000);

	assert_int_equal(pthread_create(&thread, NULL, watch_size, &watch), 0);
	store = open_store(f, 20 * N_BYTES);
	atomic_store(&watch.stop, true);
	pthread_join(thread, NULL);
	assert_true(watch.most < before + (4 << 20));
	assert_true(bytes_on_disk(f) <= 20 * N_BYTES);
	assert_true(stats_of(store).blocks >= 14);
	for (unsigned i = 140; i < 150; i++)
		expect_hit(f, store, i);
	kvstore_close(store);
	assert_true(bytes_on_disk(f) <= 20 * N_BYTES);
}

static void a_process_killed_in_a_batch_leaves_what_was_flushed(void **state)
{
	struct fixture *f = *state;
	pid_t child = fork();
	struct kvstore *store;
	int status;

	if (child == 0) {
		store = open_store(f, LARGE);
		for (unsigned i = 0; i < 4; i++)
			put(f, store, i);
		kvstore_flush(store, NULL);
		for (unsigned i = 4; i < 40; i++)
			put(f, store, i);
		raise(SIGKILL);
	}
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	store = open_store(f, LARGE);
	for (unsigned i = 0; i < 4; i++)
		expect_hit(f, store, i);
	/* of the others, all but the batch that was open */
	assert_true(stats_of(store).blocks < 40 && stats_of(store).blocks >= 20);
	assert_int_equal(put(f, store, 41), 0);
	kvstore_close(store);
	assert_int_equal(
		query(f, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
}

static void expect_set_aside_as(struct fixture *f, const char *suffix, const char *reason)
{
	struct kvstore *store = NULL;
	struct err replaced = { "" };
	char damaged[96];

	assert_int_equal(kvstore_open(f->path, LARGE, &store, &replaced, NULL), 0);
	if (strstr(replaced.text, reason) == NULL)
		fail_msg("'%s' does not say '%s'", replaced.text, reason);
	snprintf(damaged, sizeof(damaged), "%s%s", f->path, suffix);
	assert_int_equal(access(damaged, F_OK), 0);
	assert_int_equal(put(f, store, 1), 0);
	kvstore_close(store);
	store = open_store(f, LARGE);
	expect_hit(f, store, 1);
	kvstore_close(store);
}

static void expect_set_aside(struct fixture *f, const char *reason)
{
	expect_set_aside_as(f, ".damaged", reason);
}

static void read_file(struct fixture *f, const char *suffix, struct buf *ret)
{
	char name[96];

	snprintf(name, sizeof(name), "%s%s", f->path, suffix);
	assert_int_equal(file_read(name, 1 << 20, ret, NULL), 0);
}

static void random_bytes_are_set_aside(void **state)
{
	struct fixture *f = *state;

	fill(f, 5);
	overwrite(f->path, 0, f->bytes, 70000);
	expect_set_aside(f, "file is not a database");
}

static void a_truncated_file_is_set_aside(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, LARGE);

	for (unsigned i = 0; i < 5; i++)
		put(f, store, i);
	kvstore_close(store);
	assert_int_equal(truncate(f->path, 3 * 16384), 0);
	expect_set_aside(f, "database disk image is malformed");
}

static void what_is_no_database_is_kept_and_never_replaced(void **state)
{
	static const char LETTER[] = "Dear reader, this is no cache.\n";
	struct fixture *f = *state;
	struct buf kept = { 0 };

	overwrite(f->path, 0, LETTER, sizeof(LETTER));
	expect_set_aside_as(f, ".damaged", "file is not a database");
	overwrite(f->path, 0, "and neither is this", 20);
	expect_set_aside_as(f, ".damaged.1", "file is not a database");
	read_file(f, ".damaged", &kept);
	assert_string_equal(kept.data, LETTER);
	buf_done(&kept);
}

static void a_kv_store_that_was_set_aside_before_is_replaced(void **state)
{
	struct fixture *f = *state;
	char second[96];

	for (int i = 0; i < 2; i++) {
		kvstore_close(open_store(f, LARGE));
		query(f, "PRAGMA user_version = 3");
		expect_set_aside(f, "made by a newer skimd");
	}
	snprintf(second, sizeof(second), "%s.damaged.1", f->path);
	assert_int_equal(access(second, F_OK), -1);
}

static void expect_left_alone(struct fixture *f)
{
	struct buf before = { 0 }, after = { 0 };
	struct kvstore *store = NULL;
	struct err replaced = { "?" }, err = { "" };
	char name[96], words[128];

	read_file(f, "", &before);
	assert_int_equal(kvstore_open(f->path, LARGE, &store, &replaced, &err), -EBADMSG);
	assert_null(store);
	assert_string_equal(replaced.text, "");
	snprintf(words, sizeof(words), "%s: not a kv store: left alone", f->path);
	assert_string_equal(err.text, words);
	read_file(f, "", &after);
	assert_int_equal(after.n, before.n);
	assert_memory_equal(after.data, before.data, before.n);
	snprintf(name, sizeof(name), "%s.damaged", f->path);
	assert_int_equal(access(name, F_OK), -1);
	buf_done(&before);
	buf_done(&after);
}

static void the_database_of_another_application_is_left_alone(void **state)
{
	struct fixture *f = *state;

	query(f, "CREATE TABLE theirs(x)");
	expect_left_alone(f);
	query(f, "PRAGMA application_id = 305419896");
	expect_left_alone(f);
	query(f, "PRAGMA journal_mode = WAL");
	expect_left_alone(f);
}

static void a_file_of_another_version_is_set_aside(void **state)
{
	struct fixture *f = *state;

	kvstore_close(open_store(f, LARGE));
	query(f, "PRAGMA user_version = 3");
	expect_set_aside(f, "made by a newer skimd: schema version 3, this one knows up to 2");
}

static void run_sql(const struct fixture *f, const char *sql)
{
	sqlite3 *sqlite;

	assert_int_equal(sqlite3_open(f->path, &sqlite), SQLITE_OK);
	if (sqlite3_exec(sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(sqlite));
	assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
}

static void a_file_of_version_1_keeps_its_blocks(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, LARGE);

	for (unsigned i = 0; i < 5; i++)
		put(f, store, i);
	kvstore_close(store);
	run_sql(f,
	        "ALTER TABLE block RENAME TO block_2;"
	        "CREATE TABLE block(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, tokens BLOB NOT NULL,"
	        " checksum INTEGER NOT NULL, used INTEGER NOT NULL, n_bytes INTEGER NOT NULL) STRICT;"
	        "INSERT INTO block SELECT id, key, tokens, checksum, used, n_bytes FROM block_2;"
	        "DROP TABLE block_2; DROP TABLE counts; CREATE INDEX block_used ON block(used);"
	        "PRAGMA user_version = 1");
	store = open_store(f, LARGE);
	for (unsigned i = 0; i < 5; i++)
		expect_hit(f, store, i);
	assert_int_equal(put(f, store, 5), 0);
	kvstore_close(store);
	assert_int_equal(query(f, "PRAGMA user_version"), 2);
	assert_int_equal(query(f, "SELECT stored FROM counts"), 1);
}

static int flush_words(struct kvstore *store, struct err *err)
{
	err->text[0] = '\0';
	return kvstore_flush(store, err);
}

static void a_deleted_file_is_made_anew_by_the_next_flush(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, LARGE);
	struct err err;
	char words[128];

	for (unsigned i = 0; i < 3; i++)
		put(f, store, i);
	assert_int_equal(kvstore_flush(store, NULL), 0);
	assert_int_equal(unlink(f->path), 0);
	expect_hit(f, store, 1);
	put(f, store, 3);
	expect_hit(f, store, 3);
	assert_int_equal(flush_words(store, &err), -ESTALE);
	snprintf(words, sizeof(words), "%s: deleted or replaced, going on with what is there now", f->path);
	assert_string_equal(err.text, words);
	assert_int_equal(get(f, store, 1), -ENOENT);
	put(f, store, 4);
	assert_int_equal(kvstore_flush(store, NULL), 0);
	kvstore_close(store);
	store = open_store(f, LARGE);
	expect_hit(f, store, 4);
	assert_int_equal(stats_of(store).blocks, 1);
	kvstore_close(store);
}

static void a_file_put_in_its_place_is_taken_by_the_next_flush(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, LARGE);
	char other[96];

	put(f, store, 1);
	kvstore_close(store);
	snprintf(other, sizeof(other), "%s2", f->path);
	assert_int_equal(rename(f->path, other), 0);
	store = open_store(f, LARGE);
	put(f, store, 2);
	assert_int_equal(kvstore_flush(store, NULL), 0);
	assert_int_equal(rename(other, f->path), 0);
	expect_hit(f, store, 2);
	assert_int_equal(kvstore_flush(store, NULL), -ESTALE);
	expect_hit(f, store, 1);
	assert_int_equal(get(f, store, 2), -ENOENT);
	kvstore_close(store);
}

static void a_folder_that_is_gone_ends_the_keeping(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, LARGE);
	struct kv_key key = key_of(1);
	struct err err = { "" };
	char away[64];

	put(f, store, 1);
	assert_int_equal(kvstore_flush(store, NULL), 0);
	snprintf(away, sizeof(away), "%s.away", f->folder);
	assert_int_equal(rename(f->folder, away), 0);
	assert_int_equal(kvstore_flush(store, NULL), -ENOENT);
	assert_int_equal(get(f, store, 1), -ENOENT);
	assert_int_equal(kvstore_put(store, &key, TOKENS, N_TOKENS, f->bytes, N_BYTES, &err), -EIO);
	assert_non_null(strstr(err.text, "kv.db: given up after a failure"));
	assert_int_equal(kvstore_flush(store, NULL), 0);
	kvstore_close(store);
	assert_int_equal(rename(away, f->folder), 0);
	store = open_store(f, LARGE);
	expect_hit(f, store, 1);
	kvstore_close(store);
}

static void a_cleared_store_is_small_and_goes_on(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, LARGE);
	int fd = open(f->path, O_RDONLY); /* open until the store is not: its lock */
	char damaged[96];

	for (unsigned i = 0; i < 20; i++)
		put(f, store, i);
	snprintf(damaged, sizeof(damaged), "%s.damaged", f->path);
	assert_int_equal(kvstore_flush(store, NULL), 0);
	assert_int_equal(pread(fd, f->back, 100, 0), 100);
	overwrite(damaged, 0, f->back, 100);
	put(f, store, 20);
	assert_int_equal(kvstore_clear(store, NULL), 0);
	assert_true(bytes_on_disk(f) < 200000);
	assert_int_equal(access(damaged, F_OK), -1);
	assert_int_equal(stats_of(store).blocks, 0);
	assert_int_equal(stats_of(store).bytes, 0);
	assert_int_equal(get(f, store, 3), -ENOENT);
	assert_int_equal(get(f, store, 20), -ENOENT);
	assert_int_equal(put(f, store, 30), 0);
	kvstore_close(store);
	close(fd);
	store = open_store(f, LARGE);
	expect_hit(f, store, 30);
	assert_int_equal(stats_of(store).blocks, 1);
	assert_int_equal(stats_of(store).damaged, 0);
	kvstore_close(store);
	assert_int_equal(query(f, "SELECT stored FROM counts"), 22); /* counts go on */
}

static uint64_t size_of_file(const struct fixture *f, const char *suffix)
{
	struct stat status;
	char path[96];

	snprintf(path, sizeof(path), "%s%s", f->path, suffix);
	return stat(path, &status) < 0 ? 0 : (uint64_t)status.st_size;
}

/* It is kept as long as both fit. */
static void what_was_set_aside_counts_towards_the_budget(void **state)
{
	struct fixture *f = *state;
	uint64_t budget = 20 * N_BYTES;
	struct kvstore *store = open_store(f, budget);
	uint8_t junk[16384];
	unsigned n = 0;

	put_document(f, store, 0, 5);
	kvstore_close(store);
	memset(junk, 0xee, sizeof(junk));
	overwrite(f->path, 16384, junk, sizeof(junk));
	overwrite(f->path, 2 * 16384, junk, sizeof(junk));
	assert_int_equal(kvstore_open(f->path, budget, &store, NULL, NULL), 0);
	put(f, store, n++);
	kvstore_flush(store, NULL);
	assert_true(size_of_file(f, ".damaged") > 5 * N_BYTES);
	while (size_of_file(f, ".damaged") > 0) {
		assert_true(n < 20);
		assert_true(size_of_file(f, ".damaged") + bytes_on_disk(f) <= budget);
		put(f, store, n++);
	}
	assert_true(n > 3);
	for (; stats_of(store).evicted == 0; n++)
		put_document(f, store, n, n + 1);
	assert_true(n > 12);
	assert_true(bytes_on_disk(f) <= budget);
	kvstore_close(store);
}

static void root_keeps_nobody_out(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = NULL;
	struct stat status;
	char journal[96];

	if (geteuid() != 0)
		return; /* who is not root makes files of his own */
	kvstore_close(open_store(f, LARGE));
	assert_int_equal(chown(f->path, 65534, 65534), 0);
	fill(f, 5);
	overwrite(f->path, 0, f->bytes, 70000);
	assert_int_equal(kvstore_open(f->path, LARGE, &store, NULL, NULL), 0);
	snprintf(journal, sizeof(journal), "%s-journal", f->path);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(put(f, store, 1), 0);
		assert_int_equal(kvstore_flush(store, NULL), 0);
		assert_int_equal(stat(f->path, &status), 0);
		assert_int_equal(status.st_uid, 65534);
		assert_int_equal(status.st_gid, 65534);
		assert_int_equal(status.st_mode & 0777, 0600);
		assert_int_equal(stat(journal, &status), 0);
		assert_int_equal(status.st_uid, 65534);
		assert_int_equal(kvstore_clear(store, NULL), 0);
	}
	kvstore_close(store);
}

static void a_second_process_is_told_that_the_file_is_in_use(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = open_store(f, LARGE), *second = NULL;
	struct err err = { "" };
	pid_t child = fork();
	int status;

	if (child == 0) {
		int r = kvstore_open(f->path, LARGE, &second, NULL, &err);

		_exit(r == -EBUSY && strstr(err.text, "kv.db: in use by another process") != NULL ? 0 : 1);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(put(f, store, 1), 0);
	kvstore_close(store);
}

static void a_missing_folder_is_an_error(void **state)
{
	struct kvstore *store = NULL;
	struct err err = { "" };

	(void)state;
	assert_int_equal(kvstore_open("/nonexistent/kv.db", LARGE, &store, NULL, &err), -ENOENT);
	assert_string_equal(err.text, "/nonexistent/kv.db: cannot open: No such file or directory");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_and_free)

static int tear_down_and_free(void **state)
{
	int r = tear_down(state);

	free(*state);
	return r;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_block_comes_back_after_the_store_is_opened_again),
		TEST(a_new_file_has_the_layout_that_the_budget_reckons_with),
		TEST(an_empty_block_is_a_block),
		TEST(a_block_of_other_tokens_is_a_miss_and_removed),
		TEST(a_block_that_is_there_is_stored_once),
		TEST(a_put_replaces_a_block_of_other_tokens),
		TEST(keys_that_begin_alike_are_told_apart),
		TEST(one_flipped_byte_is_a_miss_wherever_it_is),
		TEST(an_overwritten_file_gives_no_wrong_block_and_goes_on),
		TEST(damage_found_by_a_get_sets_the_file_aside_in_the_same_handle),
		TEST(the_budget_is_never_exceeded),
		TEST(blocks_of_all_sizes_stay_within_the_budget),
		TEST(the_least_recently_used_document_goes_first),
		TEST(the_end_of_a_document_goes_before_its_beginning),
		TEST(uses_are_remembered_over_a_restart),
		TEST(pinned_blocks_stay_and_nothing_is_stored_when_all_are),
		TEST(a_block_larger_than_the_budget_is_refused),
		TEST(a_budget_of_nothing_keeps_nothing_and_makes_no_file),
		TEST(a_smaller_budget_shrinks_the_file_and_keeps_the_newest_blocks),
		TEST(a_process_killed_in_a_batch_leaves_what_was_flushed),
		TEST(random_bytes_are_set_aside),
		TEST(a_truncated_file_is_set_aside),
		TEST(what_is_no_database_is_kept_and_never_replaced),
		TEST(a_kv_store_that_was_set_aside_before_is_replaced),
		TEST(the_database_of_another_application_is_left_alone),
		TEST(a_file_of_another_version_is_set_aside),
		TEST(a_file_of_version_1_keeps_its_blocks),
		TEST(a_deleted_file_is_made_anew_by_the_next_flush),
		TEST(a_file_put_in_its_place_is_taken_by_the_next_flush),
		TEST(a_folder_that_is_gone_ends_the_keeping),
		TEST(a_cleared_store_is_small_and_goes_on),
		TEST(what_was_set_aside_counts_towards_the_budget),
		TEST(root_keeps_nobody_out),
		TEST(a_second_process_is_told_that_the_file_is_in_use),
		TEST(a_missing_folder_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
