/* What attention keeps of the tokens it has seen: by layer a latent and a rope key, together a row, and where the layer
 * has an indexer an indexer key. Elements are bf16, or float32 in strict numerics.
 *
 * They are kept in pages of CACHE_PAGE_TOKENS tokens that sequences share. A page's rows, by layer: latents
 * [CACHE_PAGE_TOKENS][kv_lora_rank], rope keys [CACHE_PAGE_TOKENS][qk_rope_head_dim]. Its indexer keys, by layer:
 * [CACHE_PAGE_TOKENS][index_head_dim]. One behind the other they are the bytes of a stored block, so that what is
 * restored is what was there. Rows and keys of pages that are stored may leave memory (see paging.h).
 *
 * Of bf16 indexer keys there are codes as well, which the scan reads instead (index_codes.h). They are made from the
 * keys, are not stored, and lie in slabs of CODE_TOKENS tokens, by layer: one stream for the scan. */
#ifndef SKIMD_MODEL_CACHE_H
#define SKIMD_MODEL_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/block_io.h"
#include "model/index_codes.h"
#include "model/ops.h"
#include "model/shape.h"

#define CACHE_PAGE_TOKENS BLOCK_TOKENS

/* Where things stand. */
struct cache_layout {
	uint32_t rank, rope, index_width;
	bool bf16;
	uint32_t n_layers;
	const bool *full_indexer; /* [n_layers], the shape's */
	size_t *latent_offset, *rope_offset; /* [n_layers] in a page's rows */
	size_t *index_offset; /* [n_layers] in its indexer keys */
	size_t *codes_offset; /* [n_layers] in a slab */
	size_t row_bytes, key_bytes, slab_bytes; /* of all rows of a page, of all its keys, of a slab */
	bool has_codes;
};

/* -ENOMEM. */
int cache_layout_init(struct cache_layout *layout, const struct model_shape *shape, bool bf16);
void cache_layout_done(struct cache_layout *layout);

/* Pieces of memory, each behind its reference count. */
struct pieces {
	uint8_t **at; /* NULL: not in memory any more */
	size_t n, cap;
};

/* What one sequence holds. */
struct cache {
	const struct cache_layout *layout;
	struct pieces rows, keys; /* of pages */
	struct pieces slabs; /* of codes */
	uint64_t *page_ids; /* [rows.n] names of what the pages hold: of one id they hold the same */
	size_t cap_ids;
	size_t n_absent_rows, n_absent_keys; /* pages from the first on that are not in memory, */
	const struct block_io *source; /* but here */
	size_t n_tokens;
};

void cache_init(struct cache *cache, const struct cache_layout *layout);
void cache_done(struct cache *cache);

/* Make `to`, empty, hold the tokens of `from`; pages are shared, none is copied. */
int cache_share(struct cache *to, const struct cache *from);

/* Make room for n more tokens, in memory that this sequence alone may write: a shared last page or slab is copied.
 * n_tokens stays; the caller moves it when the rows are written. */
int cache_reserve(struct cache *cache, size_t n);

/* Write one token's rows of one layer; index_key is NULL where the layer has no indexer. */
void cache_put(struct cache *cache, uint32_t layer, size_t pos, const float *latent, const float *rope_key,
               const float *index_key);

/* The rows of one layer for the attention kernel. */
struct kv_view cache_view(const struct cache *cache, uint32_t layer);

/* Let go of the rows, or the indexer keys, of the first n pages, which are whole and stored. */
void cache_drop_rows(struct cache *cache, size_t n);
void cache_drop_keys(struct cache *cache, size_t n);

/* The indexer keys of one layer. */
struct key_view {
	const uint8_t *const *pages; /* of keys; NULL: not in memory */
	size_t offset, key_bytes;
};

struct key_view cache_key_view(const struct cache *cache, uint32_t layer);

/* Where the key of a position begins; its page's keys must be in memory. */
static inline const uint8_t *key_at(const struct key_view *view, size_t pos)
{
	return view->pages[pos / CACHE_PAGE_TOKENS] + view->offset +
	       pos % CACHE_PAGE_TOKENS * view->key_bytes;
}

/* The codes of the positions from slab * CODE_TOKENS on. */
struct index_codes cache_index_codes(const struct cache *cache, uint32_t layer, size_t slab);

/* Write positions [first, end) of one page from a block's bytes, or the block's bytes from them. */
void cache_put_block(struct cache *cache, size_t first, size_t end, const uint8_t *block);
void cache_get_block(const struct cache *cache, size_t page, uint8_t *block);
static inline size_t cache_block_bytes(const struct cache_layout *layout)
{
	return layout->row_bytes + layout->key_bytes;
}

#endif
