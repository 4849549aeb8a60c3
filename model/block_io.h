/* How blocks of a sequence's cache leave the engine and come back, as a few calls. The engine declares them and knows no
 * store; who implements them knows no attention. */
#ifndef SKIMD_MODEL_BLOCK_IO_H
#define SKIMD_MODEL_BLOCK_IO_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BLOCK_TOKENS 64

/* A block holds the rows of tokens [first, n) of a sequence: a whole page, or the tail behind the last one. Its rows
 * depend on all n tokens. Within one restore or save, calls come in rising order of n, each block once. */
struct block_io {
	void *user;

	/* Fill bytes with the block stored for exactly tokens[0..n). -ENOENT: not there. Called from any thread, by one at
	 * a time. */
	int (*load)(void *user, const uint32_t *tokens, size_t first, size_t n, void *bytes, size_t n_bytes,
	            struct err *err);

	/* Keep the block. A failure stops the save, nothing else. */
	int (*store)(void *user, const uint32_t *tokens, size_t first, size_t n, const void *bytes,
	             size_t n_bytes, struct err *err);

	/* Fill bytes with n_bytes from `offset` on of the sequence's `block`th block, a whole one that was loaded or
	 * stored. -ENOENT: no longer there. May be called from any thread, by one at a time; NULL where blocks are only
	 * for the next time. */
	int (*read)(void *user, size_t block, size_t offset, void *bytes, size_t n_bytes, struct err *err);
};

#endif
