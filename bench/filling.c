#include "bench/filling.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "bench/crew.h"
#include "bench/disk.h"
#include "store/kvstore.h"

#define DOCUMENT_BLOCKS 64 /* 4096 tokens, */
#define TOKEN_BYTES 256 /* of each block */
#define EVICTED_BUDGETS 2

struct fill {
	const struct filling *filling;
	struct kvstore *kv;
	uint64_t *block; /* [block_bytes], rounded up */
	uint64_t n_blocks; /* put so far */
	struct written now; /* since the start */
	double start;
	struct filled *filled;
};

/* What a block is found by; no two blocks' are alike. */
struct name {
	struct kv_key key;
	uint8_t tokens[TOKEN_BYTES];
};

static struct name name_of(uint64_t block)
{
	struct name name;

	for (size_t i = 0; i < sizeof(name.key.bytes); i++)
		name.key.bytes[i] = (uint8_t)((block + i) * 0x9e3779b97f4a7c15u >> 56);
	memcpy(name.key.bytes + sizeof(name.key.bytes) - sizeof(block), &block, sizeof(block));
	memset(name.tokens, (int)(block & 255), sizeof(name.tokens));
	return name;
}

/* Bytes that nothing compresses, of which each block has its own. */
static void make_block(struct fill *fill)
{
	uint64_t state = fill->n_blocks * 2 + 1;

	for (size_t i = 0; i < fill->filling->block_bytes / sizeof(*fill->block); i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		fill->block[i] = state;
	}
}

static int put_block(struct fill *fill, struct err *err)
{
	const struct name name = name_of(fill->n_blocks);
	struct kv_stats stats;
	int r;

	make_block(fill);
	if ((r = kvstore_put(fill->kv, &name.key, name.tokens, sizeof(name.tokens), fill->block,
	                     fill->filling->block_bytes, err)) < 0 ||
	    (r = kvstore_pin(fill->kv, &name.key)) < 0)
		return r;
	fill->n_blocks++;
	fill->now.payload_bytes += (double)fill->filling->block_bytes;
	kvstore_stats(fill->kv, &stats);
	if ((double)stats.file_bytes > fill->filled->most_bytes)
		fill->filled->most_bytes = (double)stats.file_bytes;
	return 0;
}

static int put_document(struct fill *fill, struct err *err)
{
	uint64_t disk_bytes = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < DOCUMENT_BLOCKS; i++)
		r = put_block(fill, err);
	kvstore_unpin_all(fill->kv);
	if (r < 0 || (r = kvstore_flush(fill->kv, err)) < 0 || (r = disk_written(&disk_bytes, err)) < 0)
		return r;
	fill->now.disk_bytes = (double)disk_bytes;
	fill->now.seconds = crew_clock() - fill->start;
	return 0;
}

/* Somebody asks once more about the document before the last, so that its blocks are marked as used. */
static int ask_again(struct fill *fill, struct err *err)
{
	int r = 0;

	if (fill->n_blocks < 2 * DOCUMENT_BLOCKS)
		return 0;
	for (size_t i = 2 * DOCUMENT_BLOCKS; r == 0 && i > DOCUMENT_BLOCKS; i--) {
		const struct name name = name_of(fill->n_blocks - i);

		r = kvstore_get(fill->kv, &name.key, name.tokens, sizeof(name.tokens), fill->block,
		                fill->filling->block_bytes, err);
	}
	return r;
}

static struct written difference(const struct written *before, const struct written *after)
{
	return (struct written){ after->payload_bytes - before->payload_bytes,
		                 after->disk_bytes - before->disk_bytes, after->seconds - before->seconds };
}

/* Until something is evicted; the document that brings it about belongs to neither side. */
static int fill_up(struct fill *fill, struct err *err)
{
	struct kv_stats stats = { 0 };
	int r = 0;

	while (r == 0 && stats.evicted == 0) {
		fill->filled->filling = fill->now;
		if ((r = put_document(fill, err)) == 0)
			kvstore_stats(fill->kv, &stats);
	}
	return r;
}

static int evict_on(struct fill *fill, struct err *err)
{
	const struct written before = fill->now;
	double end = before.payload_bytes + (double)(EVICTED_BUDGETS * fill->filling->budget_bytes);
	int r = 0;

	while (r == 0 && fill->now.payload_bytes < end) {
		if ((r = ask_again(fill, err)) == 0)
			r = put_document(fill, err);
	}
	fill->filled->evicting = difference(&before, &fill->now);
	return r;
}

int filling_run(const struct filling *filling, struct filled *ret, struct err *err)
{
	struct fill fill = { .filling = filling, .filled = ret, .start = crew_clock() };
	int r;

	*ret = (struct filled){ .most_bytes = 0 };
	fill.block = array_new(uint64_t, filling->block_bytes / sizeof(uint64_t) + 1);
	if (fill.block == NULL)
		return err_set(err, -ENOMEM, "no memory for a block of %zu bytes", filling->block_bytes);
	r = kvstore_open(filling->kv, filling->budget_bytes, &fill.kv, NULL, err);
	if (r == 0 && (r = fill_up(&fill, err)) == 0)
		r = evict_on(&fill, err);
	kvstore_close(fill.kv);
	free(fill.block);
	return r;
}
