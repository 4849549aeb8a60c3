/* A set of block keys. */
#ifndef SKIMD_STORE_KEY_SET_H
#define SKIMD_STORE_KEY_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "store/kvstore.h"

/* {0} is empty. */
struct key_set {
	struct kv_key *slots; /* a power of two of them; a key of zeros is an empty slot */
	size_t n, n_slots;
	bool has_zeros;
};

int key_set_add(struct key_set *set, const struct kv_key *key); /* -ENOMEM */
bool key_set_has(const struct key_set *set, const struct kv_key *key);
void key_set_done(struct key_set *set);

#endif
