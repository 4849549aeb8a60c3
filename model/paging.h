/* Rows and indexer keys of long sequences whose pages have left memory: they are read from the stored blocks when a
 * query selects them, and the latest used stay here, in slots of all layers and sequences. What comes back are the
 * bytes that were there, so results do not depend on any of it. */
#ifndef SKIMD_MODEL_PAGING_H
#define SKIMD_MODEL_PAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/cache.h"

struct paging;

/* For row_memory bytes of rows (at least min_rows) and key_memory of indexer keys. -ENOMEM. layout must outlive it. */
int paging_new(const struct cache_layout *layout, size_t row_memory, size_t key_memory, size_t min_rows,
               struct paging **ret);
void paging_free(struct paging *paging); /* NULL is allowed */

/* Make the slots, whose memory is taken as they fill; again is nothing. Before the first fetch; by any thread. -ENOMEM. */
int paging_start(struct paging *paging);

/* How many rows can be there together. */
size_t paging_n_rows(const struct paging *paging);

/* Rows of a layer at positions [n], brought in as needed: ret[n] are their positions in the view. They stay until as
 * many others have been fetched as fit; by one thread. False: an error, which is kept for paging_error(). */
bool paging_fetch_rows(struct paging *paging, const struct cache *cache, uint32_t layer,
                       const uint32_t *positions, size_t n, uint32_t *ret);
struct kv_view paging_view(const struct paging *paging);

/* Copies of a layer's indexer keys at positions [n] into ret [n][index_head_dim], zeros after an error; by any thread. */
void paging_fetch_keys(struct paging *paging, const struct cache *cache, uint32_t layer,
                       const uint32_t *positions, size_t n, uint8_t *ret);

/* The first error since the last call: what was computed since is worth nothing. -ESTALE: a block is no longer stored. */
int paging_error(struct paging *paging, struct err *err);

#endif
