/* kv.db: the attention state of texts that were read, in blocks of consecutive tokens. Large and rebuildable:
 * losing it loses time. It knows neither tokens nor engines: a key, the token bytes that must stand under it, and
 * the block's bytes.
 *
 * A block is written once and read back only if its tokens are equal and its checksum (XXH3, seeded with the key)
 * holds; anything else is a miss, counted and removed. The file never grows beyond the budget: the least recently
 * used blocks go first, pinned ones stay. One process has it open (an exclusive lock); calls come from one thread. */
#ifndef SKIMD_STORE_KVSTORE_H
#define SKIMD_STORE_KVSTORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define KV_KEY_BYTES 32

struct kvstore;

struct kv_key {
	uint8_t bytes[KV_KEY_BYTES];
};

/* Since the open; blocks and bytes are what the file holds now. */
struct kv_stats {
	uint64_t blocks, bytes, file_bytes;
	uint64_t hits, misses, damaged, stored, evicted, bytes_stored;
	uint64_t
		set_aside; /* times that the whole file was found damaged and replaced, damaged counts it too */
};

/* Open or make the file. One that is damaged, of another version, or no database at all is renamed to
 * "<path>.damaged" and made anew; *ret_replaced (may be NULL) then holds the reason, else "". What has that name
 * already is replaced if it is a kv store, too; else ".damaged.1" is taken, and so on. A budget of 0 keeps nothing:
 * every get is a miss, every put does nothing, and no file is touched; below 2 MiB likewise, but a put says -EFBIG. A
 * file larger than the budget has shrunk when this returns. -EBADMSG: a database that is not a kv store, nothing is
 * done to it; -EBUSY: another process has it; -EIO, -EACCES. */
int kvstore_open(const char *path, uint64_t budget_bytes, struct kvstore **ret, struct err *ret_replaced,
                 struct err *err);
void kvstore_close(struct kvstore *store); /* commits; NULL is allowed */

/* The block's n_bytes into bytes. -ENOENT: a miss, for whatever reason; bytes may then be partly written. Only
 * -ENOMEM and -EIO are worth a log line. */
int kvstore_get(struct kvstore *store, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                void *bytes, size_t n_bytes, struct err *err);

/* Keep a block; one that is there already is only marked as used. Writes are batched: kvstore_flush() or the
 * batch's size commits. -EFBIG: can never fit the budget; -ENOSPC: what is pinned leaves no room, or the disk
 * is full: reading goes on. -EIO: what was put since the last commit is lost too. A file that turns out to be
 * damaged in any call is set aside as by open, with what was in it, and made anew: a get is then a miss, a put goes
 * into the new file, a flush returns -EBADMSG. */
int kvstore_put(struct kvstore *store, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                const void *bytes, size_t n_bytes, struct err *err);
int kvstore_flush(struct kvstore *store, struct err *err);

/* Blocks that must not be evicted until kvstore_unpin_all(): those of the document in work. */
int kvstore_pin(struct kvstore *store, const struct kv_key *key);
void kvstore_unpin_all(struct kvstore *store);

void kvstore_stats(struct kvstore *store, struct kv_stats *ret);

#endif
