#include "pipeline/prefix.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <string.h>

#include "base/log.h"

_Static_assert(FINGERPRINT_BYTES == KV_KEY_BYTES, "the chain starts at the fingerprint");

void prefix_init(struct prefix *prefix, struct kvstore *kv, const uint8_t *fingerprint)
{
	*prefix = (struct prefix){ .kv = kv, .fingerprint = fingerprint };
	prefix_start(prefix);
}

void prefix_start(struct prefix *prefix)
{
	memcpy(prefix->chain.bytes, prefix->fingerprint, sizeof(prefix->chain.bytes));
	prefix->at = 0;
	prefix->full = false;
}

static struct kv_key chain_next(const struct kv_key *before, const uint32_t *tokens, size_t n)
{
	struct sha256_ctx hash;
	struct kv_key key;

	sha256_init(&hash);
	sha256_update(&hash, sizeof(before->bytes), before->bytes);
	sha256_update(&hash, n * sizeof(*tokens), (const uint8_t *)tokens);
	sha256_digest(&hash, sizeof(key.bytes), key.bytes);
	return key;
}

/* The key of the block that holds tokens [first, n). The chain moves on to `first`, starting over where it is beyond:
 * calls come in rising order, so this is one hash a block. Blocks before `first` are whole. */
static struct kv_key block_key(struct prefix *prefix, const uint32_t *tokens, size_t first, size_t n)
{
	if (prefix->at > first)
		prefix_start(prefix);
	while (prefix->at < first) {
		prefix->chain = chain_next(&prefix->chain, tokens + prefix->at, BLOCK_TOKENS);
		prefix->at += BLOCK_TOKENS;
	}
	return chain_next(&prefix->chain, tokens + first, n - first);
}

static int load_block(void *user, const uint32_t *tokens, size_t first, size_t n, void *bytes, size_t n_bytes,
                      struct err *err)
{
	struct prefix *prefix = user;
	struct kv_key key;
	int r;

	if (prefix->kv == NULL)
		return -ENOENT;
	key = block_key(prefix, tokens, first, n);
	r = kvstore_get(prefix->kv, &key, tokens + first, (n - first) * sizeof(*tokens), bytes, n_bytes, err);
	if (r == 0)
		return kvstore_pin(prefix->kv, &key);
	if (r != -ENOENT)
		log_warning("kv store: %s, computing instead", err == NULL ? "cannot read" : err->text);
	return -ENOENT;
}

static int store_block(void *user, const uint32_t *tokens, size_t first, size_t n, const void *bytes,
                       size_t n_bytes, struct err *err)
{
	struct prefix *prefix = user;
	struct err why = { "" };
	struct kv_key key;
	int r;

	(void)err;
	if (prefix->kv == NULL || prefix->full)
		return 0;
	key = block_key(prefix, tokens, first, n);
	r = kvstore_put(prefix->kv, &key, tokens + first, (n - first) * sizeof(*tokens), bytes, n_bytes,
	                &why);
	if (r == 0)
		return kvstore_pin(prefix->kv, &key);
	log_warning("kv store: %s, reading on without keeping this part", why.text);
	prefix->full = true;
	return 0;
}

struct block_io prefix_block_io(struct prefix *prefix)
{
	return (struct block_io){ prefix, load_block, store_block };
}
