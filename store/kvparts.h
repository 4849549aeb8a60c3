/* Checksums of a block's bytes part by part, so that some of them can be read and trusted without the rest. */
#ifndef SKIMD_STORE_KVPARTS_H
#define SKIMD_STORE_KVPARTS_H

#include "store/kvstore.h"

#define KV_PART_BYTES 4096

static inline size_t kvparts_n(size_t n_bytes)
{
	return (n_bytes + KV_PART_BYTES - 1) / KV_PART_BYTES;
}

/* Of all parts, each with its place: ret[kvparts_n(n_bytes)]. */
void kvparts_checksums(const struct kv_key *key, const void *bytes, size_t n_bytes, uint64_t *ret);

/* The block that was read from last. */
struct kvparts {
	struct kv_key key;
	int64_t id; /* 0: none */
	size_t n_bytes, n, cap;
	uint64_t *checksums; /* [n] */
};

#endif
