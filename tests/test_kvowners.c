/* Which documents a block is of, and what goes when one of them is dropped. */
#include "store/kvowners.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/blocks.h"

struct fixture {
	struct path folder, path;
	struct kvstore *store;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->folder = folder_make();
	f->path = path_of(&f->folder, "kv.db");
	f->store = blocks_open(&f->path);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	kvstore_close(f->store);
	folder_remove(&f->folder);
	free(f);
	return 0;
}

/* Blocks [first, end) are put, or found, for a document. */
static void read_document(struct fixture *f, int64_t owner, uint64_t first, uint64_t end)
{
	kvstore_set_owner(f->store, owner);
	blocks_put(f->store, first, end);
	kvstore_unpin_all(f->store);
	assert_int_equal(kvstore_flush(f->store, NULL), 0);
}

static uint64_t drop(struct fixture *f, int64_t owner)
{
	struct err err = { "" };
	uint64_t n = 999;

	if (kvstore_drop(f->store, owner, &n, &err) < 0)
		fail_msg("%s", err.text);
	return n;
}

static void reopen(struct fixture *f)
{
	kvstore_close(f->store);
	f->store = blocks_open(&f->path);
}

static void a_dropped_document_takes_its_blocks_along(void **state)
{
	struct fixture *f = *state;
	struct kv_stats stats;

	read_document(f, 7, 0, 3);
	read_document(f, 8, 3, 6);
	assert_int_equal(drop(f, 7), 3);
	assert_blocks(f->store, 0, 6, "000111");
	kvstore_stats(f->store, &stats);
	assert_int_equal(stats.blocks, 3);
	assert_int_equal(stats.bytes, 3 * BLOCK_BYTES);
	assert_int_equal(stats.damaged, 0);
	reopen(f);
	assert_blocks(f->store, 0, 6, "000111");
}

static void a_document_is_known_after_a_restart(void **state)
{
	struct fixture *f = *state;

	read_document(f, 7, 0, 3);
	reopen(f);
	assert_int_equal(drop(f, 7), 3);
	assert_blocks(f->store, 0, 3, "000");
}

static void what_two_documents_share_stays_until_both_are_dropped(void **state)
{
	struct fixture *f = *state;

	read_document(f, 7, 0, 4);
	read_document(f, 8, 2, 6);
	assert_int_equal(drop(f, 7), 2);
	assert_blocks(f->store, 0, 6, "001111");
	assert_int_equal(drop(f, 7), 0);
	assert_int_equal(drop(f, 8), 4);
	assert_blocks(f->store, 0, 6, "000000");
}

static void a_block_that_is_found_is_the_documents_too(void **state)
{
	struct fixture *f = *state;

	read_document(f, 7, 0, 2);
	kvstore_set_owner(f->store, 8);
	assert_true(block_is_there(f->store, 1));
	kvstore_unpin_all(f->store);
	assert_int_equal(drop(f, 7), 1);
	assert_blocks(f->store, 0, 2, "01");
}

static void a_block_of_no_document_is_never_dropped(void **state)
{
	struct fixture *f = *state;

	blocks_put(f->store, 0, 2);
	read_document(f, 7, 2, 3);
	blocks_put(f->store, 3, 4); /* the document ended */
	assert_int_equal(drop(f, 0), 0);
	assert_int_equal(drop(f, 7), 1);
	assert_blocks(f->store, 0, 4, "1101");
}

static void a_block_of_many_documents_is_dropped_for_none(void **state)
{
	struct fixture *f = *state;

	for (int64_t i = 1; i <= KV_MAX_OWNERS + 2; i++)
		read_document(f, i, 0, 1);
	for (int64_t i = 1; i <= KV_MAX_OWNERS + 2; i++)
		assert_int_equal(drop(f, i), 0);
	assert_blocks(f->store, 0, 1, "1");
}

static void the_room_of_a_dropped_document_is_used_again(void **state)
{
	struct fixture *f = *state;
	struct kv_stats before, after;

	read_document(f, 7, 0, 200);
	kvstore_stats(f->store, &before);
	assert_int_equal(drop(f, 7), 200);
	read_document(f, 8, 200, 400);
	kvstore_stats(f->store, &after);
	assert_in_range(after.file_bytes, before.file_bytes, before.file_bytes + before.file_bytes / 10);
	assert_int_equal(after.blocks, 200);
}

static int64_t file_bytes(const struct fixture *f)
{
	struct stat status;

	assert_int_equal(stat(f->path.text, &status), 0);
	return status.st_size;
}

/* In idle time; a little that is free stays, as the next document takes it. */
static void the_room_of_dropped_documents_goes_back_to_the_disk(void **state)
{
	enum { N_CALLS = 1000 };
	struct fixture *f = *state;
	int64_t full, before;
	int n_calls = 0, r;

	read_document(f, 1, 0, 300); /* blocks of the other one stand before, between and behind its own */
	read_document(f, 2, 300, 320);
	read_document(f, 1, 320, 600);
	read_document(f, 2, 600, 605);
	full = file_bytes(f);
	assert_int_equal(kvstore_tidy(f->store, NULL), 0); /* nothing is free */
	assert_int_equal(file_bytes(f), full);
	drop(f, 1);
	assert_int_equal(file_bytes(f), full);
	before = full;
	while ((r = kvstore_tidy(f->store, NULL)) == 1 && ++n_calls < N_CALLS) {
		assert_true(file_bytes(f) <= before);
		before = file_bytes(f);
	}
	assert_int_equal(r, 0);
	assert_true(n_calls > 1); /* in pieces */
	assert_true(before < full / 8);
	assert_blocks(f->store, 300, 320, "11111111111111111111");
	assert_blocks(f->store, 600, 605, "11111");
	reopen(f);
	assert_blocks(f->store, 600, 605, "11111");
	read_document(f, 3, 1000, 1100);
	assert_blocks(f->store, 300, 320, "11111111111111111111");
}

static void owners_are_a_set(void **state)
{
	struct kv_owners owners = { 0 };

	(void)state;
	kvowners_add(&owners, 3);
	kvowners_add(&owners, 5);
	kvowners_add(&owners, 3);
	assert_int_equal(owners.n, 2);
	kvowners_remove(&owners, 3);
	assert_false(kvowners_has(&owners, 3));
	assert_true(kvowners_has(&owners, 5));
	for (int64_t i = 10; i < 40; i++)
		kvowners_add(&owners, i);
	assert_int_equal(owners.n, KV_MAX_OWNERS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_dropped_document_takes_its_blocks_along),
		TEST(a_document_is_known_after_a_restart),
		TEST(what_two_documents_share_stays_until_both_are_dropped),
		TEST(a_block_that_is_found_is_the_documents_too),
		TEST(a_block_of_no_document_is_never_dropped),
		TEST(a_block_of_many_documents_is_dropped_for_none),
		TEST(the_room_of_a_dropped_document_is_used_again),
		TEST(the_room_of_dropped_documents_goes_back_to_the_disk),
		cmocka_unit_test(owners_are_a_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
