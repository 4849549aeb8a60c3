#include "pipeline/prefix.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/log.h"

_Static_assert(FINGERPRINT_BYTES == KV_KEY_BYTES, "the chain starts at the fingerprint");

void prefix_init(struct prefix *prefix, struct kvwriter *kv, const uint8_t *fingerprint)
{
	*prefix = (struct prefix){ .kv = kv, .fingerprint = fingerprint };
}

void prefix_done(struct prefix *prefix)
{
	free(prefix->chain);
	prefix->chain = NULL;
	prefix->n_blocks = prefix->cap_blocks = 0;
}

void prefix_start(struct prefix *prefix)
{
	prefix->n_blocks = prefix->n_loaded = 0;
	prefix->full = false;
	if (prefix->kv != NULL)
		kvwriter_start(prefix->kv);
}

/* The key of tokens[n] behind a block, NULL: behind nothing. */
static struct kv_key chain_next(const struct prefix *prefix, const struct kv_key *before,
                                const uint32_t *tokens, size_t n)
{
	struct sha256_ctx hash;
	struct kv_key key;

	sha256_init(&hash);
	sha256_update(&hash, sizeof(key.bytes), before == NULL ? prefix->fingerprint : before->bytes);
	sha256_update(&hash, n * sizeof(*tokens), (const uint8_t *)tokens);
	sha256_digest(&hash, sizeof(key.bytes), key.bytes);
	return key;
}

/* The key of the block that holds tokens [first, n), blocks before which are whole. Where calls come in rising order this
 * is one hash a block. */
static int block_key(struct prefix *prefix, const uint32_t *tokens, size_t first, size_t n,
                     struct kv_key *ret)
{
	size_t n_before = first / BLOCK_TOKENS;

	if (prefix->n_blocks > n_before)
		prefix->n_blocks = n_before;
	while (prefix->n_blocks < n_before || (n - first == BLOCK_TOKENS && prefix->n_blocks == n_before)) {
		size_t i = prefix->n_blocks;

		if (array_grow(&prefix->chain, sizeof(*prefix->chain), i, &prefix->cap_blocks) < 0)
			return -ENOMEM;
		prefix->chain[i] = chain_next(prefix, i == 0 ? NULL : &prefix->chain[i - 1],
		                              tokens + i * BLOCK_TOKENS, BLOCK_TOKENS);
		prefix->n_blocks++;
	}
	*ret = n - first == BLOCK_TOKENS
	               ? prefix->chain[n_before]
	               : chain_next(prefix, n_before == 0 ? NULL : &prefix->chain[n_before - 1],
	                            tokens + first, n - first);
	return 0;
}

static int load_block(void *user, const uint32_t *tokens, size_t first, size_t n, void *bytes, size_t n_bytes,
                      struct err *err)
{
	struct prefix *prefix = user;
	struct kv_key key;
	int r;

	if (prefix->kv == NULL)
		return -ENOENT;
	if (block_key(prefix, tokens, first, n, &key) < 0)
		return -ENOENT;
	r = kvwriter_get(prefix->kv, &key, tokens + first, (n - first) * sizeof(*tokens), bytes, n_bytes,
	                 err);
	if (r == 0) {
		prefix->n_loaded += n - first == BLOCK_TOKENS;
		return 0;
	}
	if (r != -ENOENT)
		log_warning("kv store: %s, computing instead", err == NULL ? "cannot read" : err->text);
	return -ENOENT;
}

static int store_block(void *user, const uint32_t *tokens, size_t first, size_t n, const void *bytes,
                       size_t n_bytes, struct err *err)
{
	struct prefix *prefix = user;
	struct kv_key key;
	int r;

	if (prefix->kv == NULL || prefix->full)
		return 0;
	r = block_key(prefix, tokens, first, n, &key);
	if (r == 0)
		r = kvwriter_put(prefix->kv, &key, tokens + first, (n - first) * sizeof(*tokens), bytes,
		                 n_bytes, err);
	prefix->full = r < 0;
	return 0;
}

static int read_block(void *user, size_t block, size_t offset, void *bytes, size_t n_bytes, struct err *err)
{
	const struct prefix *prefix = user;

	if (block >= prefix->n_blocks)
		return err_set(err, -ENOENT, "no such block");
	return kvwriter_read(prefix->kv, &prefix->chain[block], offset, bytes, n_bytes, err);
}

struct block_io prefix_block_io(struct prefix *prefix)
{
	return (struct block_io){ prefix, load_block, store_block, read_block };
}

size_t prefix_n_kept(const struct prefix *prefix)
{
	size_t n_blocks;

	if (prefix->kv == NULL)
		return 0;
	n_blocks = prefix->n_loaded + kvwriter_n_kept(prefix->kv); /* a tail may be the last of them */
	return (n_blocks < prefix->n_blocks ? n_blocks : prefix->n_blocks) * BLOCK_TOKENS;
}
