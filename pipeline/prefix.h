/* Carries blocks between the engine and kv.db: the engine asks for a block, kv.db has it, and neither knows the other.
 *
 * A block's key is a chain: SHA-256 over the key of the block before it (for the first one, the engine's fingerprint)
 * and its own tokens. So a key names the model, its numerics and every token up to the block's end; never a path or a
 * context's size. */
#ifndef SKIMD_PIPELINE_PREFIX_H
#define SKIMD_PIPELINE_PREFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/block_io.h"
#include "model/engine.h"
#include "store/kvwriter.h"

struct prefix {
	struct kvwriter *kv; /* NULL: nothing is kept */
	const uint8_t *fingerprint; /* [FINGERPRINT_BYTES], borrowed */
	struct kv_key *chain; /* [n_blocks] keys of the sequence's whole blocks so far */
	size_t n_blocks, cap_blocks;
	size_t n_loaded; /* of them, which the store had */
	bool full; /* a block was not put: none behind it is until prefix_start() */
};

void prefix_init(struct prefix *prefix, struct kvwriter *kv, const uint8_t *fingerprint);
void prefix_done(struct prefix *prefix);

/* Another sequence of tokens comes. */
void prefix_start(struct prefix *prefix);

/* The calls, for context_restore() and context_save(). What is loaded or stored is pinned; the document's end unpins. A
 * store without room is not an error: the reading goes on, and the block is computed again next time. */
struct block_io prefix_block_io(struct prefix *prefix);

/* How many tokens of the sequence are in the store, those of its first whole blocks. */
size_t prefix_n_kept(const struct prefix *prefix);

#endif
