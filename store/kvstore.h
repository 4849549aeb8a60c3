/* kv.db: the attention state of texts that were read, in blocks of consecutive tokens. Large and rebuildable:
 * losing it loses time. It knows neither tokens nor engines: a key, the token bytes that must stand under it, and
 * the block's bytes.
 *
 * A block is written once and read back only if its tokens are equal and its checksum (XXH3, seeded with the key)
 * holds; anything else is a miss, counted and removed. The file never grows beyond the budget: the blocks of the least
 * recently used document go first, the last one of them before the others; pinned ones stay. One process has it open
 * (an exclusive lock); calls come from one thread. */
#ifndef SKIMD_STORE_KVSTORE_H
#define SKIMD_STORE_KVSTORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define KV_KEY_BYTES 32
#define KV_MIN_BUDGET ((uint64_t)2 << 20) /* below, the file's own structure would be most of it */

struct kvstore;

struct kv_key {
	uint8_t bytes[KV_KEY_BYTES];
};

/* blocks and bytes are what the file holds now; file_bytes is its size, with its journal's. */
struct kv_stats {
	uint64_t blocks, bytes, file_bytes;
	uint64_t hits, misses, damaged, stored, evicted;
	uint64_t bytes_stored, token_bytes_stored; /* of the blocks, and of the tokens that they are for */
	uint64_t
		set_aside; /* times that the whole file was found damaged and replaced, damaged counts it too */
};

/* Open or make the file. One that is damaged, of another version, or no database at all is renamed to
 * "<path>.damaged" and made anew; *ret_replaced (may be NULL) then holds the reason, else "". What has that name
 * already is replaced if it is a kv store, too; else ".damaged.1" is taken, and so on. A budget of 0 keeps nothing:
 * every get is a miss, every put does nothing, and no file is touched; below KV_MIN_BUDGET likewise, but a put says -EFBIG. A
 * file larger than the budget has shrunk when this returns. -EBADMSG: a database that is not a kv store, nothing is
 * done to it; -EBUSY: another process has it; -EIO, -EACCES. */
int kvstore_open(const char *path, uint64_t budget_bytes, struct kvstore **ret, struct err *ret_replaced,
                 struct err *err);
void kvstore_close(struct kvstore *store); /* commits; NULL is allowed */

/* The block's n_bytes into bytes. -ENOENT: a miss, for whatever reason; bytes may then be partly written. Only
 * -ENOMEM and -EIO are worth a log line. */
int kvstore_get(struct kvstore *store, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                void *bytes, size_t n_bytes, struct err *err);

/* n bytes from `offset` on of a block; what they stand in is checked by checksums of its own. Not counted as a hit or a use.
 * Errors as of kvstore_get(). */
int kvstore_read(struct kvstore *store, const struct kv_key *key, size_t offset, void *bytes, size_t n,
                 struct err *err);

/* Keep a block; one that is there already is only marked as used. Writes are batched: kvstore_flush() or the
 * batch's size commits. -EFBIG: can never fit the budget; -ENOSPC: what is pinned leaves no room, or the disk
 * is full: reading goes on. -EIO: what was put since the last commit is lost too. A file that turns out to be
 * damaged in any call is set aside as by open, with what was in it, and made anew: a get is then a miss, a put goes
 * into the new file, a flush returns -EBADMSG. -ESTALE, of a flush: somebody deleted the file or put another in its
 * place, and the store goes on with what is there now. */
int kvstore_put(struct kvstore *store, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                const void *bytes, size_t n_bytes, struct err *err);
int kvstore_flush(struct kvstore *store, struct err *err);

/* Where much of the file is free, give a part of it back to the disk: for idle time. 1: there is more to do, 0: there is
 * not; errors as of kvstore_flush(). */
int kvstore_tidy(struct kvstore *store, struct err *err);

/* Blocks that must not be evicted until kvstore_unpin_all(): those of the document in work, which ends with it. */
int kvstore_pin(struct kvstore *store, const struct kv_key *key);
void kvstore_unpin_all(struct kvstore *store);

/* The document in work, a number of the caller's: blocks that are put or found until kvstore_unpin_all() are noted as
 * its own. 0: none. */
void kvstore_set_owner(struct kvstore *store, int64_t owner);

/* Remove the blocks that are owner's alone; one that another document has, too, stays. The file keeps its size, and what
 * is put next takes the room. Errors as of kvstore_flush(). */
int kvstore_drop(struct kvstore *store, int64_t owner, uint64_t *ret_n_blocks, struct err *err);

/* Remove all blocks, pinned or not, and the file that was set aside last. -EIO, -EBUSY: the store keeps nothing from
 * then on. */
int kvstore_clear(struct kvstore *store, struct err *err);

/* Counts since the open. */
void kvstore_stats(struct kvstore *store, struct kv_stats *ret);

/* Counts since the file was made, as they were at the last commit: of a file that is not open in this process, but may
 * be in another, which is neither seen nor disturbed. What cannot be read of the counts is 0. -ENOENT: no such file;
 * -EBADMSG: damaged, or no kv store; -EACCES, -EIO. */
int kvstore_peek(const char *path, struct kv_stats *ret, struct err *err);

#endif
