/* Ten times what the budget holds, document by document: the files on the disk never take more than the budget, nothing
 * fails, and little more is written than is kept. SKIMD_TEST_LONG takes the rows of 200 documents of 20k tokens. */
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/kvstore.h"
#include "tests/fixture.h"

#define N_HELD 20 /* documents that the budget holds */
#define N_TOKEN_BYTES 256

/* Documents, blocks of each, bytes of each block. */
struct volume {
	unsigned n_documents, n_blocks;
	size_t n_bytes;
};

static const struct volume SMALL = { 200, 6, 28672 };
static const struct volume MIDDLE = { 80, 31, 286720 }; /* blocks as of model/nano, a tenth of the tokens */
static const struct volume LARGE = { 200, 313, 286720 };

struct filling {
	struct volume volume;
	char folder[40], path[64], journal_path[80];
	uint64_t budget;
	struct kvstore *store;
	uint8_t *bytes, *back;
	uint64_t most_bytes; /* on the disk */
	uint64_t n_put; /* bytes */
};

/* Bytes that tell document and block, as fast as memory. */
static void fill(const struct filling *filling, unsigned document, unsigned block, struct kv_key *ret_key)
{
	uint64_t seed = (uint64_t)document << 32 | block, *words = (uint64_t *)(void *)filling->bytes;

	for (size_t i = 0; i < sizeof(ret_key->bytes); i++)
		ret_key->bytes[i] = (uint8_t)draw(&seed);
	for (size_t i = 0; i < filling->volume.n_bytes / sizeof(*words); i++)
		words[i] = seed += 0x9e3779b97f4a7c15u;
}

static void look(const char *path, uint64_t *bytes, uint64_t *bytes_of_blocks)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return;
	*bytes += (uint64_t)status.st_size;
	*bytes_of_blocks += (uint64_t)status.st_blocks * 512;
}

/* Sizes as ls(1) and as du(1) have them. */
static void expect_within_budget(struct filling *filling)
{
	uint64_t bytes = 0, bytes_of_blocks = 0;

	look(filling->path, &bytes, &bytes_of_blocks);
	look(filling->journal_path, &bytes, &bytes_of_blocks);
	if (bytes_of_blocks > bytes)
		bytes = bytes_of_blocks;
	if (bytes > filling->budget)
		fail_msg("%llu bytes in a budget of %llu", (unsigned long long)bytes,
		         (unsigned long long)filling->budget);
	if (bytes > filling->most_bytes)
		filling->most_bytes = bytes;
}

static void put(struct filling *filling, unsigned document, unsigned block)
{
	static const uint8_t TOKENS[N_TOKEN_BYTES];
	struct err err = { "" };
	struct kv_key key;

	fill(filling, document, block, &key);
	if (kvstore_put(filling->store, &key, TOKENS, N_TOKEN_BYTES, filling->bytes, filling->volume.n_bytes,
	                &err) < 0)
		fail_msg("document %u, block %u: %s", document, block, err.text);
	expect_within_budget(filling);
	assert_int_equal(kvstore_pin(filling->store, &key), 0);
	filling->n_put += filling->volume.n_bytes;
}

static void expect_block(struct filling *filling, unsigned document, unsigned block)
{
	static const uint8_t TOKENS[N_TOKEN_BYTES];
	struct kv_key key;

	fill(filling, document, block, &key);
	assert_int_equal(kvstore_get(filling->store, &key, TOKENS, N_TOKEN_BYTES, filling->back,
	                             filling->volume.n_bytes, NULL),
	                 0);
	assert_memory_equal(filling->back, filling->bytes, filling->volume.n_bytes);
}

static void put_document(struct filling *filling, unsigned document)
{
	for (unsigned i = 0; i < filling->volume.n_blocks; i++)
		put(filling, document, i);
	for (unsigned i = 0; i < filling->volume.n_blocks; i++)
		expect_block(filling, document, i);
	kvstore_unpin_all(filling->store);
	assert_int_equal(kvstore_flush(filling->store, NULL), 0);
	expect_within_budget(filling);
}

static void begin(struct filling *filling, struct volume volume)
{
	struct err err = { "" };

	*filling = (struct filling){ .volume = volume };
	filling->budget = (uint64_t)N_HELD * volume.n_blocks * volume.n_bytes;
	snprintf(filling->folder, sizeof(filling->folder), "/tmp/test_kvbudget.XXXXXX");
	assert_non_null(mkdtemp(filling->folder));
	snprintf(filling->path, sizeof(filling->path), "%s/kv.db", filling->folder);
	snprintf(filling->journal_path, sizeof(filling->journal_path), "%s-journal", filling->path);
	filling->bytes = malloc(volume.n_bytes);
	filling->back = malloc(volume.n_bytes);
	assert_true(filling->bytes != NULL && filling->back != NULL);
	if (kvstore_open(filling->path, filling->budget, &filling->store, NULL, &err) < 0)
		fail_msg("%s", err.text);
}

static void end(struct filling *filling)
{
	kvstore_close(filling->store);
	expect_within_budget(filling);
	unlink(filling->path);
	unlink(filling->journal_path);
	assert_int_equal(rmdir(filling->folder), 0);
	free(filling->bytes);
	free(filling->back);
}

static bool tests_are_long(void)
{
	return getenv("SKIMD_TEST_LONG") != NULL;
}

static void the_budget_holds_in_the_middle_of_every_document(void **state)
{
	struct filling filling;
	struct kv_stats stats;

	(void)state;
	begin(&filling, SMALL);
	for (unsigned i = 0; i < filling.volume.n_documents; i++)
		put_document(&filling, i);
	kvstore_stats(filling.store, &stats);
	assert_int_equal(stats.evicted + stats.blocks, filling.volume.n_documents * filling.volume.n_blocks);
	assert_true(stats.bytes > filling.budget / 3); /* most of so small a budget is structure */
	assert_int_equal(stats.damaged, 0);
	end(&filling);
}

/* That this process had written to the disk since it began. */
static uint64_t bytes_written(void)
{
	unsigned long long ret = 0;
	FILE *io = fopen("/proc/self/io", "r");
	char line[128];

	assert_non_null(io);
	while (fgets(line, sizeof(line), io) != NULL && sscanf(line, "write_bytes: %llu", &ret) != 1)
		;
	fclose(io);
	return ret;
}

static bool is_on_a_disk(const char *folder)
{
	struct statfs status;

	return statfs(folder, &status) == 0 && status.f_type != TMPFS_MAGIC;
}

/* Bytes written for each byte put, by the documents from first on. */
static double put_documents(struct filling *filling, unsigned first, unsigned end)
{
	uint64_t written = bytes_written(), put_before = filling->n_put;

	for (unsigned i = first; i < end; i++)
		put_document(filling, i);
	return (double)(bytes_written() - written) / (double)(filling->n_put - put_before);
}

static void little_more_is_written_than_is_kept(void **state)
{
	struct volume volume = tests_are_long() ? LARGE : MIDDLE;
	struct filling filling;
	struct kv_stats stats;
	double filled, steady;

	(void)state;
	if (tests_are_short() || !is_on_a_disk("/tmp"))
		return; /* too long, or nothing is counted there */
	begin(&filling, volume);
	filled = put_documents(&filling, 0, N_HELD * 3 / 4);
	kvstore_stats(filling.store, &stats);
	assert_int_equal(stats.evicted, 0);
	put_documents(&filling, N_HELD * 3 / 4, 2 * N_HELD);
	steady = put_documents(&filling, 2 * N_HELD, volume.n_documents);
	kvstore_stats(filling.store, &stats);
	print_message("# %u documents of %u blocks of %zu bytes, budget %llu: at most %llu on the disk, "
	              "%.3f written for each byte while filling, %.3f while evicting\n",
	              volume.n_documents, volume.n_blocks, volume.n_bytes, (unsigned long long)filling.budget,
	              (unsigned long long)filling.most_bytes, filled, steady);
	assert_true(stats.bytes > filling.budget * 4 / 5);
	assert_true(filled >= 1 && filled <= 1.15);
	assert_true(steady >= 1 && steady <= 1.3);
	end(&filling);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_budget_holds_in_the_middle_of_every_document),
		cmocka_unit_test(little_more_is_written_than_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
