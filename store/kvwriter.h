/* Writes blocks to a kv store in a thread of its own: who computes them waits for the disk only where he is the faster of
 * the two for long. While there is a writer its store is called through it alone. Its calls come from one thread, but for
 * kvwriter_read(), which may come from any, one call at a time.
 *
 * Puts form runs, a sequence's blocks each: the first of a run that fails is logged, and no later one of it is tried, as
 * blocks are of use only behind those before them. */
#ifndef SKIMD_STORE_KVWRITER_H
#define SKIMD_STORE_KVWRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/kvstore.h"

#define KV_QUEUE_BYTES ((size_t)32 << 20) /* some seconds of computing */

struct kvwriter;

/* The store is borrowed. With max_queue_bytes of 0 each put waits until it is done. */
int kvwriter_new(struct kvstore *store, size_t max_queue_bytes, struct kvwriter **ret, struct err *err);
void kvwriter_free(struct kvwriter *writer); /* writes what waits; NULL is allowed */

/* A document begins, see kvstore_set_owner(); it ends: nothing is pinned any more, and once all of it is written it is
 * committed, which nobody waits for. */
void kvwriter_begin(struct kvwriter *writer, int64_t owner);
void kvwriter_end(struct kvwriter *writer);

/* What is put from now on is another run. */
void kvwriter_start(struct kvwriter *writer);

/* Take a copy of a block, to be put and pinned. An error is that of an earlier put of the run, or -ENOMEM. */
int kvwriter_put(struct kvwriter *writer, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                 const void *bytes, size_t n_bytes, struct err *err);

/* How many puts of the run are in the store: the first ones. */
size_t kvwriter_n_kept(struct kvwriter *writer);

/* As kvstore_get() and kvstore_read(), also of what was put and is not yet written. What is got is pinned. */
int kvwriter_get(struct kvwriter *writer, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                 void *bytes, size_t n_bytes, struct err *err);
int kvwriter_read(struct kvwriter *writer, const struct kv_key *key, size_t offset, void *bytes, size_t n,
                  struct err *err);

/* Until nothing waits and nothing is being written. */
void kvwriter_wait(struct kvwriter *writer);

/* kvstore_drop() of an owner, or kvstore_clear() (owner 0), when all that was put is written. Between two documents. */
int kvwriter_drop(struct kvwriter *writer, int64_t owner, uint64_t *ret_n_blocks, struct err *err);

/* As they were behind the last get, put or end: waits for nothing. */
void kvwriter_stats(struct kvwriter *writer, struct kv_stats *ret);

#endif
