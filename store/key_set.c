#include "store/key_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct kv_key ZEROS;

static bool equal(const struct kv_key *a, const struct kv_key *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Where the key stands or would stand; a key is a hash already. */
static struct kv_key *slot_of(const struct key_set *set, const struct kv_key *key)
{
	size_t i;

	memcpy(&i, key->bytes, sizeof(i));
	for (i &= set->n_slots - 1;; i = (i + 1) & (set->n_slots - 1)) {
		if (equal(&set->slots[i], key) || equal(&set->slots[i], &ZEROS))
			return &set->slots[i];
	}
}

static int grow(struct key_set *set)
{
	struct key_set grown = *set;

	grown.n_slots = set->n_slots == 0 ? 64 : set->n_slots * 2;
	grown.slots = calloc(grown.n_slots, sizeof(*grown.slots));
	if (grown.slots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_slots; i++) {
		if (!equal(&set->slots[i], &ZEROS))
			*slot_of(&grown, &set->slots[i]) = set->slots[i];
	}
	free(set->slots);
	*set = grown;
	return 0;
}

int key_set_add(struct key_set *set, const struct kv_key *key)
{
	struct kv_key *slot;

	if (equal(key, &ZEROS)) {
		set->has_zeros = true;
		return 0;
	}
	if (set->n * 2 >= set->n_slots && grow(set) < 0)
		return -ENOMEM;
	slot = slot_of(set, key);
	if (equal(slot, &ZEROS))
		set->n++;
	*slot = *key;
	return 0;
}

bool key_set_has(const struct key_set *set, const struct kv_key *key)
{
	if (equal(key, &ZEROS))
		return set->has_zeros;
	return set->n > 0 && equal(slot_of(set, key), key);
}

void key_set_done(struct key_set *set)
{
	free(set->slots);
	*set = (struct key_set){ 0 };
}
