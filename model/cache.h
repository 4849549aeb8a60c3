/* What attention keeps of the tokens it has seen: by layer a latent and a rope key, and where the layer has an indexer
 * an indexer key. Kept in pages of CACHE_PAGE_TOKENS tokens that sequences share; a page's bytes are also the bytes of
 * a stored block, so that what is restored is what was there.
 *
 * A page, by layer: latents [CACHE_PAGE_TOKENS][kv_lora_rank], rope keys [CACHE_PAGE_TOKENS][qk_rope_head_dim], indexer
 * keys as the panels of a matrix (see weights.h) that the scan multiplies by. Elements are bf16, or float32 in strict
 * numerics. */
#ifndef SKIMD_MODEL_CACHE_H
#define SKIMD_MODEL_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/block_io.h"
#include "model/ops.h"
#include "model/shape.h"

#define CACHE_PAGE_TOKENS BLOCK_TOKENS

/* Where things stand in a page. */
struct cache_layout {
	uint32_t rank, rope, index_width;
	bool bf16;
	size_t *latent_offset, *rope_offset,
		*index_offset; /* [num_hidden_layers]; index_offset is 0 without an indexer */
	size_t page_bytes;
};

/* -ENOMEM. */
int cache_layout_init(struct cache_layout *layout, const struct model_shape *shape, bool bf16);
void cache_layout_done(struct cache_layout *layout);

/* The pages of one sequence. */
struct cache {
	const struct cache_layout *layout;
	uint8_t **pages; /* each behind its reference count */
	size_t n_pages, cap_pages;
	size_t n_tokens;
};

void cache_init(struct cache *cache, const struct cache_layout *layout);
void cache_done(struct cache *cache);

/* Make `to`, empty, hold the tokens of `from`; pages are shared, none is copied. */
int cache_share(struct cache *to, const struct cache *from);

/* Make room for n more tokens, in pages that this sequence alone may write: a shared last page is copied. n_tokens
 * stays; the caller moves it when the rows are written. */
int cache_reserve(struct cache *cache, size_t n);

/* Write one token's rows of one layer; index_key is NULL where the layer has no indexer. */
void cache_put(struct cache *cache, uint32_t layer, size_t pos, const float *latent, const float *rope_key,
               const float *index_key);

/* The rows of one layer for the attention kernel. */
struct kv_view cache_view(const struct cache *cache, uint32_t layer);

/* One page's indexer keys as a matrix [CACHE_PAGE_TOKENS, index_head_dim], to be read only. */
struct matrix cache_index_keys(const struct cache *cache, uint32_t layer, size_t page);

#endif
