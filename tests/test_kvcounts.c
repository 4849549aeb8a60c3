/* What kv.db counts of itself: over restarts, past the lock of the process that has it, and at nobody's cost. */
#include "store/kvcounts.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/blocks.h"

struct fixture {
	struct path folder, path;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->folder = folder_make();
	f->path = path_of(&f->folder, "kv.db");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	folder_remove(&f->folder);
	free(f);
	return 0;
}

static struct kv_stats peek(const struct path *path)
{
	struct kv_stats stats = { 0 };
	struct err err = { "" };

	if (kvstore_peek(path->text, &stats, &err) < 0)
		fail_msg("%s", err.text);
	return stats;
}

/* 3 blocks stored, 2 hits, 1 miss. */
static void work(struct kvstore *store, uint64_t first)
{
	blocks_put(store, first, first + 3);
	assert_blocks(store, first + 1, first + 3, "11");
	assert_blocks(store, first + 100, first + 101, "0");
}

static void counts_add_up_over_restarts(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store;
	struct kv_stats stats;

	for (uint64_t i = 0; i < 3; i++) {
		store = blocks_open(&f->path);
		work(store, 10 * i);
		kvstore_stats(store, &stats);
		assert_int_equal(stats.stored, 3);
		assert_int_equal(stats.hits, 2);
		kvstore_close(store);
	}
	stats = peek(&f->path);
	assert_int_equal(stats.blocks, 9);
	assert_int_equal(stats.bytes, 9 * BLOCK_BYTES);
	assert_int_equal(stats.stored, 9);
	assert_int_equal(stats.bytes_stored, 9 * BLOCK_BYTES);
	assert_int_equal(stats.token_bytes_stored, 9 * BLOCK_TOKEN_BYTES);
	assert_int_equal(stats.hits, 6);
	assert_int_equal(stats.misses, 3);
	assert_int_equal(stats.evicted, 0);
	assert_int_equal(stats.damaged, 0);
	assert_int_equal(stats.set_aside, 0);
	assert_true(stats.file_bytes > stats.bytes);
}

static void a_session_of_misses_alone_is_counted(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = blocks_open(&f->path);

	assert_blocks(store, 0, 5, "00000");
	kvstore_close(store);
	assert_int_equal(peek(&f->path).misses, 5);
}

static void evicted_blocks_are_counted(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = blocks_open(&f->path);
	struct kv_stats stats;

	blocks_put(store, 0, 1000);
	kvstore_close(store);
	stats = peek(&f->path);
	assert_true(stats.evicted > 100);
	assert_int_equal(stats.evicted + stats.blocks, 1000);
}

static struct timespec changed(const struct path *path)
{
	struct stat status;

	assert_int_equal(stat(path->text, &status), 0);
	return status.st_mtim;
}

static void a_get_writes_nothing(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = blocks_open(&f->path);
	struct timespec before, after;

	work(store, 0);
	assert_int_equal(kvstore_flush(store, NULL), 0);
	before = changed(&f->path);
	for (unsigned i = 0; i < 500; i++)
		assert_blocks(store, 0, 4, "1110");
	after = changed(&f->path);
	assert_memory_equal(&before, &after, sizeof(before));
	kvstore_close(store);
	assert_int_equal(peek(&f->path).hits, 1502);
}

/* Runs in a child: some work, flushed; then more, in a batch that is never committed. */
static void work_until_killed(const struct path *path, int ready)
{
	struct kvstore *store = blocks_open(path);

	work(store, 0);
	if (kvstore_flush(store, NULL) < 0)
		_exit(1);
	work(store, 10);
	if (write(ready, "r", 1) != 1)
		_exit(1);
	alarm(60); /* should the test end before it kills */
	pause();
}

static void counts_are_seen_while_a_process_has_the_file_and_survive_its_kill(void **state)
{
	struct fixture *f = *state;
	int ready[2], status, r;
	struct kv_stats stats = { 0 };
	pid_t child;
	char c;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0)
		work_until_killed(&f->path, ready[1]);
	close(ready[1]);
	r = (int)read(ready[0], &c, 1);
	if (r == 1)
		r = kvstore_peek(f->path.text, &stats, NULL);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	assert_int_equal(r, 0);
	assert_int_equal(stats.stored, 3);
	assert_int_equal(stats.hits, 2);
	assert_int_equal(stats.blocks, 3);
	assert_int_equal(peek(&f->path).stored, 3);
	kvstore_close(blocks_open(&f->path));
	stats = peek(&f->path);
	assert_int_equal(stats.stored, 3);
	assert_int_equal(stats.blocks, 3);
	close(ready[0]);
}

static void use(const struct path *path)
{
	struct kvstore *store = blocks_open(path);
	struct kv_stats stats;

	assert_blocks(store, 0, 3, "111");
	block_put(store, 50);
	assert_int_equal(kvstore_flush(store, NULL), 0);
	kvstore_stats(store, &stats);
	assert_int_equal(stats.damaged, 0);
	kvstore_close(store);
}

static void a_damaged_row_counts_nothing_and_fails_nothing(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = blocks_open(&f->path);
	struct kv_stats stats;

	work(store, 0);
	kvstore_close(store);
	run_sql(&f->path, "UPDATE counts SET hits = hits + 1");
	stats = peek(&f->path);
	assert_int_equal(stats.stored, 0);
	assert_int_equal(stats.hits, 0);
	assert_int_equal(stats.blocks, 3);
	assert_int_equal(stats.bytes, 3 * BLOCK_BYTES);
	use(&f->path);
	stats = peek(&f->path);
	assert_int_equal(stats.hits, 3);
	assert_int_equal(stats.stored, 1);
	assert_int_equal(stats.blocks, 4);
}

static void a_lost_table_counts_nothing_and_fails_nothing(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = blocks_open(&f->path);

	work(store, 0);
	kvstore_close(store);
	run_sql(&f->path, "DROP TABLE counts");
	use(&f->path);
	assert_int_equal(peek(&f->path).blocks, 4);
	assert_int_equal(peek(&f->path).stored, 0);
}

static void counts_go_on_when_the_file_is_set_aside(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = blocks_open(&f->path);
	struct kv_stats stats;

	work(store, 0);
	kvstore_close(store);
	run_sql(&f->path, "PRAGMA user_version = 99");
	store = blocks_open(&f->path);
	kvstore_stats(store, &stats);
	assert_int_equal(stats.damaged, 1);
	assert_int_equal(stats.set_aside, 1);
	kvstore_close(store);
	stats = peek(&f->path);
	assert_int_equal(stats.set_aside, 1);
	assert_int_equal(stats.damaged, 1);
	assert_int_equal(stats.blocks, 0);

	run_sql(&f->path, "DROP INDEX block_key; DROP TABLE block"); /* the row can still be read */
	store = blocks_open(&f->path);
	work(store, 0);
	kvstore_close(store);
	stats = peek(&f->path);
	assert_int_equal(stats.set_aside, 2);
	assert_int_equal(stats.damaged, 2);
	assert_int_equal(stats.stored, 3);
	assert_int_equal(stats.blocks, 3);
}

static void counts_of_a_truncated_file_go_on(void **state)
{
	struct fixture *f = *state;
	struct kvstore *store = blocks_open(&f->path);
	struct kv_stats stats;

	work(store, 0);
	kvstore_close(store);
	stats = peek(&f->path);
	assert_int_equal(truncate(f->path.text, (off_t)stats.file_bytes - 40000), 0);
	assert_int_equal(peek(&f->path).stored, 3);
	kvstore_close(blocks_open(&f->path));
	stats = peek(&f->path);
	assert_int_equal(stats.set_aside, 1);
	assert_int_equal(stats.damaged, 1);
	assert_int_equal(stats.stored, 3);
	assert_int_equal(stats.hits, 2);
	assert_int_equal(stats.blocks, 0);
}

static void expect_no_peek(const struct path *path, int code, const char *words)
{
	struct kv_stats stats;
	struct err err = { "" };

	assert_int_equal(kvstore_peek(path->text, &stats, &err), code);
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, words);
}

static void what_is_no_kv_store_cannot_be_peeked_at(void **state)
{
	struct fixture *f = *state;
	char junk[40000];

	expect_no_peek(&f->path, -ENOENT, "kv.db: cannot open: No such file or directory");
	memset(junk, 'x', sizeof(junk));
	folder_write(&f->folder, "kv.db", junk, sizeof(junk));
	expect_no_peek(&f->path, -EBADMSG, "file is not a database");
	unlink(f->path.text);
	run_sql(&f->path, "CREATE TABLE theirs(x)");
	expect_no_peek(&f->path, -EBADMSG, "not a kv store");
}

static void a_path_may_have_any_letters(void **state)
{
	struct fixture *f = *state;
	struct path path = path_of(&f->folder, "a b%41?c=d#e&\303\244.db");
	struct kvstore *store = blocks_open(&path);

	work(store, 0);
	kvstore_close(store);
	assert_int_equal(peek(&path).stored, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counts_add_up_over_restarts),
		TEST(a_session_of_misses_alone_is_counted),
		TEST(evicted_blocks_are_counted),
		TEST(a_get_writes_nothing),
		TEST(counts_are_seen_while_a_process_has_the_file_and_survive_its_kill),
		TEST(a_damaged_row_counts_nothing_and_fails_nothing),
		TEST(a_lost_table_counts_nothing_and_fails_nothing),
		TEST(counts_go_on_when_the_file_is_set_aside),
		TEST(counts_of_a_truncated_file_go_on),
		TEST(what_is_no_kv_store_cannot_be_peeked_at),
		TEST(a_path_may_have_any_letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
