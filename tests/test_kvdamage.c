/* kv.db damaged in every way that a disk, a power cut or a person may damage it, closed and open: each block is what was
 * put or a miss, what is found damaged is counted, and the store goes on. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/kvstore.h"
#include "tests/fixture.h"

#define SEED 20261122
#define N_RUNS 42 /* of each kind, closed and open; with SKIMD_TEST_SHORT a tenth */
#define HANG_S 120
#define N_BLOCKS 40
#define N_NEW 3 /* blocks that are put in a run, of which the first before the damage */
#define MIN_BYTES 4096
#define MAX_BYTES 28672
#define N_TOKEN_BYTES 64
#define BUDGET ((uint64_t)4 << 20)
#define PAGE 16384

/* Whole files as they lie on the disk. */
struct image {
	uint8_t *bytes;
	size_t n, cap;
};

struct block {
	struct kv_key key;
	uint8_t tokens[N_TOKEN_BYTES];
	uint8_t bytes[MAX_BYTES];
	size_t n;
};

static struct {
	char folder[40], path[64], journal_path[80], other_path[80];
	struct block blocks[N_BLOCKS + N_NEW];
	struct image whole; /* as it was closed */
	struct image cut_db, cut_journal; /* as a crash in mid-transaction left it */
	struct image other, other_journal; /* another model's: other keys, other bytes */
	struct image db, journal; /* what a run damages */
} f;

/* What one kind of damage did. */
struct tally {
	unsigned n_runs, n_lost, n_found, n_set_aside, n_unfound, n_uncounted;
};

static void image_resize(struct image *image, size_t n)
{
	if (n > image->cap) {
		image->bytes = realloc(image->bytes, n);
		assert_non_null(image->bytes);
		image->cap = n;
	}
	image->n = n;
}

static void image_copy(struct image *to, const struct image *from)
{
	image_resize(to, from->n);
	if (from->n > 0)
		memcpy(to->bytes, from->bytes, from->n);
}

static void image_load(struct image *image, const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	image_resize(image, (size_t)status.st_size);
	assert_int_equal(pread(fd, image->bytes, image->n, 0), image->n);
	close(fd);
}

static void write_all(int fd, const struct image *image)
{
	assert_int_equal(ftruncate(fd, (off_t)image->n), 0);
	if (image->n > 0)
		assert_int_equal(pwrite(fd, image->bytes, image->n, 0), image->n);
}

static void image_store(const struct image *image, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	write_all(fd, image);
	close(fd);
}

static void fill(void *bytes, size_t n, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)bytes)[i] = (uint8_t)draw(seed);
}

static void make_blocks(uint64_t seed)
{
	for (size_t i = 0; i < COUNT(f.blocks); i++) {
		struct block *block = &f.blocks[i];

		block->n = MIN_BYTES + draw(&seed) % (MAX_BYTES - MIN_BYTES);
		fill(block->key.bytes, sizeof(block->key.bytes), &seed);
		fill(block->tokens, sizeof(block->tokens), &seed);
		if (i % 3 == 1) { /* twins: the same words behind others */
			block->n = f.blocks[i - 1].n;
			memcpy(block->tokens, f.blocks[i - 1].tokens, sizeof(block->tokens));
		}
		fill(block->bytes, block->n, &seed);
	}
}

static struct kvstore *open_store(struct err *ret_replaced)
{
	struct kvstore *store = NULL;
	struct err err = { "" };

	if (kvstore_open(f.path, BUDGET, &store, ret_replaced, &err) < 0)
		fail_msg("cannot be opened: %s", err.text);
	return store;
}

static void put(struct kvstore *store, size_t i)
{
	const struct block *block = &f.blocks[i];
	struct err err = { "" };

	if (kvstore_put(store, &block->key, block->tokens, N_TOKEN_BYTES, block->bytes, block->n, &err) < 0)
		fail_msg("cannot put: %s", err.text);
}

/* Some of the bytes, from a place that the block decides. */
static void read_some(struct kvstore *store, const struct block *block)
{
	static uint8_t bytes[MAX_BYTES];
	size_t offset = block->n * block->key.bytes[0] / 256,
	       n = (block->n - offset) * block->key.bytes[1] / 256;
	struct err err = { "" };
	int r = kvstore_read(store, &block->key, offset, bytes, n, &err);

	if (r != 0 && r != -ENOENT)
		fail_msg("neither bytes nor a miss: %d, %s", r, err.text);
	if (r == 0)
		assert_memory_equal(bytes, block->bytes + offset, n);
}

/* Whether the block is there; then it is what was put. */
static bool get(struct kvstore *store, size_t i)
{
	static uint8_t bytes[MAX_BYTES];
	const struct block *block = &f.blocks[i];
	struct err err = { "" };
	int r;

	read_some(store, block);
	r = kvstore_get(store, &block->key, block->tokens, N_TOKEN_BYTES, bytes, block->n, &err);
	if (r != 0 && r != -ENOENT)
		fail_msg("neither a block nor a miss: %d, %s", r, err.text);
	if (r == 0)
		assert_memory_equal(bytes, block->bytes, block->n);
	return r == 0;
}

static uint64_t n_damaged(struct kvstore *store, bool set_aside)
{
	struct kv_stats stats;

	kvstore_stats(store, &stats);
	return set_aside ? stats.set_aside : stats.damaged;
}

static void remove_files(void)
{
	static const char *const NAMES[] = { "", ".damaged", ".damaged.1", "2" };
	char name[128];

	for (size_t i = 0; i < COUNT(NAMES); i++) {
		snprintf(name, sizeof(name), "%s%s", f.path, NAMES[i]);
		unlink(name);
		snprintf(name, sizeof(name), "%s%s-journal", f.path, NAMES[i]);
		unlink(name);
	}
}

static void make_whole(struct image *ret)
{
	struct kvstore *store;

	remove_files();
	store = open_store(NULL);
	for (size_t i = 0; i < N_BLOCKS; i++)
		put(store, i);
	kvstore_close(store);
	image_load(ret, f.path);
}

static void run_sql(sqlite3 *sqlite, const char *sql)
{
	if (sqlite3_exec(sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(sqlite));
}

/* Every block's bytes overwritten in one transaction, some of them on the disk already: only the journal knows what
 * they were. */
static void make_cut(const struct image *whole, struct image *ret_db, struct image *ret_journal)
{
	sqlite3 *sqlite;

	image_store(whole, f.path);
	assert_int_equal(sqlite3_open(f.path, &sqlite), SQLITE_OK);
	run_sql(sqlite, "PRAGMA cache_size = 4; PRAGMA cache_spill = 1; BEGIN;"
	                "UPDATE data SET bytes = zeroblob(length(bytes)); DELETE FROM block WHERE id % 2");
	image_load(ret_db, f.path);
	image_load(ret_journal, f.journal_path);
	run_sql(sqlite, "ROLLBACK");
	sqlite3_close(sqlite);
	assert_true(ret_journal->n > 10 * PAGE);
}

static int set_up_group(void **state)
{
	(void)state;
	/* In memory where possible: what is synced here is not the point. */
	snprintf(f.folder, sizeof(f.folder), "%s/test_kvdamage.XXXXXX",
	         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(f.folder) == NULL)
		return -1;
	snprintf(f.path, sizeof(f.path), "%s/kv.db", f.folder);
	snprintf(f.journal_path, sizeof(f.journal_path), "%s-journal", f.path);
	snprintf(f.other_path, sizeof(f.other_path), "%s2", f.path);
	make_blocks(SEED + 1);
	make_whole(&f.other);
	make_cut(&f.other, &f.db, &f.other_journal);
	make_blocks(SEED);
	make_whole(&f.whole);
	make_cut(&f.whole, &f.cut_db, &f.cut_journal);
	return 0;
}

static int tear_down_group(void **state)
{
	(void)state;
	remove_files();
	free(f.whole.bytes);
	free(f.cut_db.bytes);
	free(f.cut_journal.bytes);
	free(f.other.bytes);
	free(f.other_journal.bytes);
	free(f.db.bytes);
	free(f.journal.bytes);
	return rmdir(f.folder);
}

static size_t draw_page(const struct image *image, uint64_t *seed)
{
	return draw(seed) % (image->n / PAGE) * PAGE;
}

static void flip_bits(uint64_t *seed)
{
	for (uint64_t n = 1 + draw(seed) % 8; n > 0; n--)
		f.db.bytes[draw(seed) % f.db.n] ^= (uint8_t)(1 << draw(seed) % 8);
}

static void truncate_anywhere(uint64_t *seed)
{
	f.db.n = draw(seed) % f.db.n;
}

static void truncate_at_a_page(uint64_t *seed)
{
	f.db.n = draw_page(&f.db, seed);
}

static void zero_pages(uint64_t *seed)
{
	for (uint64_t n = 1 + draw(seed) % 3; n > 0; n--)
		memset(f.db.bytes + draw_page(&f.db, seed), 0, PAGE);
}

static void fill_pages(uint64_t *seed)
{
	for (uint64_t n = 1 + draw(seed) % 3; n > 0; n--)
		fill(f.db.bytes + draw_page(&f.db, seed), PAGE, seed);
}

static void swap_pages(uint64_t *seed)
{
	uint8_t *a = f.db.bytes + draw_page(&f.db, seed), *b = f.db.bytes + draw_page(&f.db, seed);
	uint8_t page[PAGE];

	memcpy(page, a, PAGE);
	memmove(a, b, PAGE);
	memcpy(b, page, PAGE);
}

static void repeat_a_page(uint64_t *seed)
{
	memmove(f.db.bytes + draw_page(&f.db, seed), f.db.bytes + draw_page(&f.db, seed), PAGE);
}

/* The first 100 bytes are the file's header, and a page's begins behind it. */
static void change_header(uint64_t *seed)
{
	for (uint64_t n = 1 + draw(seed) % 4; n > 0; n--)
		f.db.bytes[draw(seed) % 120] = (uint8_t)draw(seed);
}

/* The tables' definitions, which stand as text at the end of the first page. */
static void change_schema(uint64_t *seed)
{
	for (uint64_t n = 1 + draw(seed) % 4; n > 0; n--)
		f.db.bytes[PAGE - 1 - draw(seed) % 1800] = (uint8_t)draw(seed);
}

static void replace_all(uint64_t *seed)
{
	image_resize(&f.db, 1 + draw(seed) % (2 * f.whole.n));
	fill(f.db.bytes, f.db.n, seed);
}

/* Only the journal's rollback makes this whole again. */
static void cut_a_transaction(uint64_t *seed)
{
	(void)seed;
	image_copy(&f.db, &f.cut_db);
	image_copy(&f.journal, &f.cut_journal);
}

static void damage_the_journal(uint64_t *seed)
{
	cut_a_transaction(seed);
	switch (draw(seed) % 4) {
	case 0:
		for (uint64_t n = 1 + draw(seed) % 8; n > 0; n--)
			f.journal.bytes[draw(seed) % f.journal.n] ^= (uint8_t)(1 << draw(seed) % 8);
		break;
	case 1:
		f.journal.n = draw(seed) % f.journal.n;
		break;
	case 2:
		memset(f.journal.bytes + draw_page(&f.journal, seed), 0, PAGE);
		break;
	default:
		fill(f.journal.bytes, 28, seed);
	}
}

static void bring_a_foreign_journal(uint64_t *seed)
{
	if (draw(seed) % 2 == 0) {
		image_copy(&f.journal, &f.other_journal);
	} else {
		image_resize(&f.journal, 1 + draw(seed) % (4 * PAGE));
		fill(f.journal.bytes, f.journal.n, seed);
	}
}

static void bring_another_store(uint64_t *seed)
{
	(void)seed;
	image_copy(&f.db, &f.other);
}

/* Statements with numbers for ?1, ?2 and so on. */
static void run_statements(sqlite3 *sqlite, const char *sql, const int *numbers, int n)
{
	while (*sql != '\0') {
		sqlite3_stmt *statement;

		if (sqlite3_prepare_v2(sqlite, sql, -1, &statement, &sql) != SQLITE_OK)
			fail_msg("%s: %s", sql, sqlite3_errmsg(sqlite));
		for (int i = 0; i < n && i < sqlite3_bind_parameter_count(statement); i++)
			sqlite3_bind_int(statement, i + 1, numbers[i]);
		assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
		sqlite3_finalize(statement);
	}
}

/* What a program that knows the tables can do: the pages stay sound, and only checksums and tokens tell. ?1 and ?2 are
 * rows, ?3 is a byte of their tokens, ?4 and the row behind it are twins. */
static void change_rows(uint64_t *seed, const char *sql)
{
	int first = (int)(draw(seed) % N_BLOCKS), step = 1 + (int)(draw(seed) % (N_BLOCKS - 1));
	int numbers[] = { 1 + first, 1 + (first + step) % N_BLOCKS, 1 + (int)(draw(seed) % N_TOKEN_BYTES),
		          1 + 3 * (int)(draw(seed) % (N_BLOCKS / 3)) };
	sqlite3 *sqlite;

	image_store(&f.db, f.other_path);
	assert_int_equal(sqlite3_open(f.other_path, &sqlite), SQLITE_OK);
	run_sql(sqlite, "PRAGMA synchronous = OFF");
	run_statements(sqlite, sql, numbers, COUNT(numbers));
	assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
	image_load(&f.db, f.other_path);
}

static void swap_blobs(uint64_t *seed)
{
	change_rows(seed, "UPDATE data SET id = -?1 WHERE id = ?1; UPDATE data SET id = ?1 WHERE id = ?2;"
	                  "UPDATE data SET id = ?2 WHERE id = -?1");
}

static void swap_twins(uint64_t *seed)
{
	change_rows(seed, "UPDATE data SET id = -1 WHERE id = ?4; UPDATE data SET id = ?4 WHERE id = ?4 + 1;"
	                  "UPDATE data SET id = ?4 + 1 WHERE id = -1");
}

/* Bytes, tokens and checksum fit each other: only the key does not. */
static void swap_keys_of_twins(uint64_t *seed)
{
	change_rows(seed,
	            "INSERT INTO block(id, key, tokens, checksum, used, n_bytes)"
	            " SELECT -1, key, tokens, checksum, used, n_bytes FROM block"
	            " WHERE id = ?4;"
	            "UPDATE block SET key = (SELECT key FROM block b WHERE b.id = ?4 + 1) WHERE id = ?4;"
	            "UPDATE block SET key = (SELECT key FROM block b WHERE b.id = -1) WHERE id = ?4 + 1;"
	            "DELETE FROM block WHERE id = -1");
}

static void change_tokens(uint64_t *seed)
{
	change_rows(seed, "UPDATE block SET tokens = CAST(substr(tokens, 1, ?3 - 1) ||"
	                  " CASE substr(tokens, ?3, 1) WHEN x'00' THEN x'01' ELSE x'00' END ||"
	                  " substr(tokens, ?3 + 1) AS BLOB) WHERE id IN (?1, ?2)");
}

static void change_checksums(uint64_t *seed)
{
	change_rows(seed, "UPDATE block SET checksum = checksum + 1 WHERE id IN (?1, ?2)");
}

static void swap_checksums(uint64_t *seed)
{
	change_rows(seed, "UPDATE block SET checksum = (SELECT checksum FROM block b WHERE b.id = ?2)"
	                  " WHERE id = ?1");
}

static void delete_rows(uint64_t *seed)
{
	change_rows(seed, "DELETE FROM data WHERE id IN (?1, ?2)");
}

static void change_counts(uint64_t *seed)
{
	change_rows(seed, "UPDATE counts SET hits = hits + ?1, stored = ?2");
}

static void lose_counts(uint64_t *seed)
{
	change_rows(seed, draw(seed) % 2 == 0 ? "DELETE FROM counts" : "DROP TABLE counts");
}

/* A name that is gone is a miss like any other: nothing is there to be found damaged. */
static bool has_name(size_t i)
{
	sqlite3_stmt *row = NULL;
	sqlite3 *sqlite;
	bool found;

	assert_int_equal(sqlite3_open(f.path, &sqlite), SQLITE_OK);
	found = sqlite3_prepare_v2(sqlite,
	                           "SELECT 1 FROM block WHERE substr(key, 1, 4) = substr(?1, 1, 4)"
	                           " AND key = ?1",
	                           -1, &row, NULL) == SQLITE_OK &&
	        sqlite3_bind_blob(row, 1, f.blocks[i].key.bytes, KV_KEY_BYTES, SQLITE_STATIC) == SQLITE_OK &&
	        sqlite3_step(row) == SQLITE_ROW;
	sqlite3_finalize(row);
	sqlite3_close(sqlite);
	return found;
}

/* Which blocks are there; returns how many are not. */
static unsigned get_all(struct kvstore *store, bool *ret_found)
{
	unsigned n_lost = 0;

	for (size_t i = 0; i < N_BLOCKS; i++) {
		ret_found[i] = get(store, i);
		n_lost += !ret_found[i];
	}
	return n_lost;
}

static void use_on(struct kvstore *store)
{
	struct kv_stats stats;

	for (size_t i = N_BLOCKS + 1; i < N_BLOCKS + N_NEW; i++) {
		put(store, i);
		if (kvstore_flush(store, NULL) == -EBADMSG) { /* found just now: the file is a new one */
			put(store, i);
			assert_int_equal(kvstore_flush(store, NULL), 0);
		}
		assert_true(get(store, i));
	}
	kvstore_stats(store, &stats);
	assert_true(stats.file_bytes <= BUDGET);
}

/* As skimctl cache shows it. */
static bool is_counted(uint64_t n_found)
{
	struct kv_stats stats;

	return kvstore_peek(f.path, &stats, NULL) == 0 && stats.damaged >= n_found;
}

/* One run on the damaged files, which are written below the store if it is open. */
static void run(void (*damage)(uint64_t *), bool while_open, uint64_t *seed, struct tally *tally)
{
	struct kvstore *store = NULL;
	struct err replaced = { "" };
	bool found[N_BLOCKS];
	unsigned n_lost;
	uint64_t n_found;
	int fd;

	alarm(HANG_S);
	remove_files();
	image_copy(&f.db, &f.whole);
	f.journal.n = 0;
	damage(seed);
	image_store(while_open ? &f.whole : &f.db, f.path);
	/* A descriptor of the store's file that is closed before the store is would take its lock along. */
	fd = open(f.path, O_RDWR);
	assert_true(fd >= 0);
	if (while_open) {
		store = open_store(&replaced);
		for (uint64_t n = draw(seed) % 4; n > 0; n--)
			assert_true(get(store, draw(seed) % N_BLOCKS));
		if (draw(seed) % 2 == 0)
			put(store, N_BLOCKS);
		write_all(fd, &f.db);
	}
	if (f.journal.n > 0)
		image_store(&f.journal, f.journal_path);
	if (!while_open)
		store = open_store(&replaced);
	n_lost = get_all(store, found);
	tally->n_runs++;
	tally->n_lost += n_lost;
	if (n_lost > 0 && n_damaged(store, false) == 0) {
		tally->n_unfound++;
		for (size_t i = 0; i < N_BLOCKS; i++)
			assert_false(!found[i] && !while_open && has_name(i));
	}
	use_on(store);
	n_found = n_damaged(store, false);
	tally->n_found += n_found > 0;
	tally->n_set_aside += n_damaged(store, true) > 0;
	kvstore_close(store);
	close(fd);
	tally->n_uncounted += !is_counted(n_found);
	alarm(0);
}

static struct tally run_all(void (*damage)(uint64_t *), bool while_open)
{
	uint64_t seed = SEED + while_open;
	unsigned n = tests_are_short() ? N_RUNS / 10 : N_RUNS;
	struct tally tally = { 0 };

	for (unsigned i = 0; i < n; i++)
		run(damage, while_open, &seed, &tally);
	print_message(
		"# %u runs, %u blocks lost; found in %u, set aside in %u, unfound in %u, uncounted in %u\n",
		tally.n_runs, tally.n_lost, tally.n_found, tally.n_set_aside, tally.n_unfound,
		tally.n_uncounted);
	return tally;
}

/* no_block_is_wrong_when_bits_flip_while_closed, and so on. */
#define CLOSED(name, damage)                                                   \
	static void no_block_is_wrong_when_##name##_while_closed(void **state) \
	{                                                                      \
		(void)state;                                                   \
		run_all(damage, false);                                        \
	}
#define OPEN(name, damage)                                                   \
	static void no_block_is_wrong_when_##name##_while_open(void **state) \
	{                                                                    \
		(void)state;                                                 \
		run_all(damage, true);                                       \
	}

CLOSED(bits_flip, flip_bits)
OPEN(bits_flip, flip_bits)
CLOSED(the_file_is_truncated_anywhere, truncate_anywhere)
OPEN(the_file_is_truncated_anywhere, truncate_anywhere)
CLOSED(the_file_is_truncated_at_a_page, truncate_at_a_page)
OPEN(the_file_is_truncated_at_a_page, truncate_at_a_page)
CLOSED(pages_are_zeroed, zero_pages)
OPEN(pages_are_zeroed, zero_pages)
CLOSED(pages_are_random, fill_pages)
OPEN(pages_are_random, fill_pages)
CLOSED(pages_are_swapped, swap_pages)
OPEN(pages_are_swapped, swap_pages)
CLOSED(a_page_is_repeated, repeat_a_page)
OPEN(a_page_is_repeated, repeat_a_page)
CLOSED(the_header_is_changed, change_header)
OPEN(the_header_is_changed, change_header)
CLOSED(the_schema_is_changed, change_schema)
OPEN(the_schema_is_changed, change_schema)
CLOSED(the_journal_is_damaged, damage_the_journal)
OPEN(the_journal_is_damaged, damage_the_journal)
CLOSED(the_journal_is_foreign, bring_a_foreign_journal)
OPEN(the_journal_is_foreign, bring_a_foreign_journal)
CLOSED(the_store_is_anothers, bring_another_store)
OPEN(the_store_is_anothers, bring_another_store)
OPEN(the_file_is_random, replace_all)
OPEN(a_transaction_is_cut, cut_a_transaction)
OPEN(blobs_are_swapped, swap_blobs)
OPEN(twins_are_swapped, swap_twins)
OPEN(the_keys_of_twins_are_swapped, swap_keys_of_twins)
OPEN(tokens_are_changed, change_tokens)
OPEN(checksums_are_changed, change_checksums)
OPEN(checksums_are_swapped, swap_checksums)
OPEN(rows_are_deleted, delete_rows)
OPEN(counts_are_changed, change_counts)
OPEN(counts_are_lost, lose_counts)

static size_t header_byte;

static void invert_a_header_byte(uint64_t *seed)
{
	(void)seed;
	f.db.bytes[header_byte] ^= 0xff;
}

static void change_a_header_bit(uint64_t *seed)
{
	(void)seed;
	f.db.bytes[header_byte] ^= 1;
}

static void any_byte_of_the_header_may_be_wrong(void **state)
{
	uint64_t seed = SEED;
	struct tally tally = { 0 };

	(void)state;
	for (header_byte = 0; header_byte < 100; header_byte += tests_are_short() ? 9 : 1) {
		run(invert_a_header_byte, false, &seed, &tally);
		run(change_a_header_bit, false, &seed, &tally);
	}
	assert_int_equal(tally.n_uncounted, 0);
}

/* n_lost blocks in each run, and each run found and counted. */
static void expect_found(void (*damage)(uint64_t *), unsigned n_lost)
{
	struct tally tally = run_all(damage, false);

	assert_int_equal(tally.n_lost, n_lost * tally.n_runs);
	assert_int_equal(tally.n_found, n_lost > 0 ? tally.n_runs : 0);
	assert_int_equal(tally.n_uncounted, 0);
	assert_int_equal(tally.n_set_aside, n_lost == N_BLOCKS ? tally.n_runs : 0);
}

static void what_a_checksum_or_tokens_can_tell_is_always_found(void **state)
{
	(void)state;
	expect_found(swap_blobs, 2);
	expect_found(swap_twins, 2);
	expect_found(swap_keys_of_twins, 2);
	expect_found(change_tokens, 2);
	expect_found(change_checksums, 2);
	expect_found(swap_checksums, 1);
	expect_found(delete_rows, 2);
}

static void a_file_that_is_no_database_is_always_found(void **state)
{
	(void)state;
	expect_found(replace_all, N_BLOCKS);
}

static void what_the_journal_can_mend_costs_no_block(void **state)
{
	(void)state;
	expect_found(cut_a_transaction, 0);
}

static void damaged_counts_cost_no_block(void **state)
{
	(void)state;
	expect_found(change_counts, 0);
	expect_found(lose_counts, 0);
}

#define TEST_CLOSED(name) cmocka_unit_test(no_block_is_wrong_when_##name##_while_closed)
#define TEST_OPEN(name) cmocka_unit_test(no_block_is_wrong_when_##name##_while_open)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_CLOSED(bits_flip),
		TEST_OPEN(bits_flip),
		TEST_CLOSED(the_file_is_truncated_anywhere),
		TEST_OPEN(the_file_is_truncated_anywhere),
		TEST_CLOSED(the_file_is_truncated_at_a_page),
		TEST_OPEN(the_file_is_truncated_at_a_page),
		TEST_CLOSED(pages_are_zeroed),
		TEST_OPEN(pages_are_zeroed),
		TEST_CLOSED(pages_are_random),
		TEST_OPEN(pages_are_random),
		TEST_CLOSED(pages_are_swapped),
		TEST_OPEN(pages_are_swapped),
		TEST_CLOSED(a_page_is_repeated),
		TEST_OPEN(a_page_is_repeated),
		TEST_CLOSED(the_header_is_changed),
		TEST_OPEN(the_header_is_changed),
		TEST_CLOSED(the_schema_is_changed),
		TEST_OPEN(the_schema_is_changed),
		TEST_CLOSED(the_journal_is_damaged),
		TEST_OPEN(the_journal_is_damaged),
		TEST_CLOSED(the_journal_is_foreign),
		TEST_OPEN(the_journal_is_foreign),
		TEST_CLOSED(the_store_is_anothers),
		TEST_OPEN(the_store_is_anothers),
		TEST_OPEN(the_file_is_random),
		TEST_OPEN(a_transaction_is_cut),
		TEST_OPEN(blobs_are_swapped),
		TEST_OPEN(twins_are_swapped),
		TEST_OPEN(the_keys_of_twins_are_swapped),
		TEST_OPEN(tokens_are_changed),
		TEST_OPEN(checksums_are_changed),
		TEST_OPEN(checksums_are_swapped),
		TEST_OPEN(rows_are_deleted),
		TEST_OPEN(counts_are_changed),
		TEST_OPEN(counts_are_lost),
		cmocka_unit_test(any_byte_of_the_header_may_be_wrong),
		cmocka_unit_test(what_a_checksum_or_tokens_can_tell_is_always_found),
		cmocka_unit_test(a_file_that_is_no_database_is_always_found),
		cmocka_unit_test(what_the_journal_can_mend_costs_no_block),
		cmocka_unit_test(damaged_counts_cost_no_block),
	};

	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
