#include "model/cache.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* Lies in front of a piece's bytes; both keep a cache line's alignment. */
struct piece_head {
	_Alignas(64) void *memory; /* what free() takes */
	_Atomic uint32_t n_holders;
};

static struct piece_head *head_of(uint8_t *piece)
{
	return (struct piece_head *)(void *)(piece - sizeof(struct piece_head));
}

/* Zeroed, by calloc(), which does not touch what the kernel has zeroed already: that would be half of the time in which a
 * block is restored into it. */
static uint8_t *piece_new(size_t n_bytes)
{
	const size_t align = _Alignof(struct piece_head);
	uint8_t *memory = calloc(1, n_bytes + sizeof(struct piece_head) + align), *bytes;

	if (memory == NULL)
		return NULL;
	bytes = memory + sizeof(struct piece_head) + align - (uintptr_t)memory % align;
	*head_of(bytes) = (struct piece_head){ .memory = memory, .n_holders = 1 };
	return bytes;
}

static void piece_release(uint8_t *piece)
{
	if (atomic_fetch_sub(&head_of(piece)->n_holders, 1) == 1)
		free(head_of(piece)->memory);
}

/* Takes the piece over, also when it fails. */
static int pieces_add(struct pieces *pieces, uint8_t *piece)
{
	if (array_grow(&pieces->at, sizeof(*pieces->at), pieces->n, &pieces->cap) < 0) {
		if (piece != NULL)
			piece_release(piece);
		return -ENOMEM;
	}
	pieces->at[pieces->n++] = piece;
	return 0;
}

static void pieces_drop(struct pieces *pieces, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++) {
		if (pieces->at[i] != NULL)
			piece_release(pieces->at[i]);
		pieces->at[i] = NULL;
	}
}

static void pieces_done(struct pieces *pieces)
{
	pieces_drop(pieces, 0, pieces->n);
	free(pieces->at);
}

/* The first n of `from` are held by `to` as well. */
static int pieces_share(struct pieces *to, const struct pieces *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (from->at[i] != NULL)
			atomic_fetch_add(&head_of(from->at[i])->n_holders, 1);
		if (pieces_add(to, from->at[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Room for n tokens behind n_tokens; the piece that is not full is this holder's alone. */
static int pieces_reserve(struct pieces *pieces, size_t piece_bytes, size_t piece_tokens, size_t n_tokens,
                          size_t n)
{
	size_t first = n_tokens / piece_tokens;

	if (n > 0 && first < pieces->n && atomic_load(&head_of(pieces->at[first])->n_holders) > 1) {
		uint8_t *own = piece_new(piece_bytes);

		if (own == NULL)
			return -ENOMEM;
		memcpy(own, pieces->at[first], piece_bytes);
		piece_release(pieces->at[first]);
		pieces->at[first] = own;
	}
	while (pieces->n * piece_tokens < n_tokens + n) {
		uint8_t *piece = piece_new(piece_bytes);

		if (piece == NULL || pieces_add(pieces, piece) < 0)
			return -ENOMEM;
	}
	return 0;
}

static size_t n_pieces(size_t n_tokens, size_t piece_tokens)
{
	return (n_tokens + piece_tokens - 1) / piece_tokens;
}

int cache_layout_init(struct cache_layout *layout, const struct model_shape *shape, bool bf16)
{
	size_t n_layers = shape->num_hidden_layers, row = CACHE_PAGE_TOKENS * (bf16 ? 2u : 4u);

	*layout = (struct cache_layout){
		.rank = shape->kv_lora_rank,
		.rope = shape->qk_rope_head_dim,
		.index_width = shape->index_head_dim,
		.bf16 = bf16,
		.n_layers = shape->num_hidden_layers,
		.full_indexer = shape->full_indexer,
		.latent_offset = array_new(size_t, n_layers),
		.rope_offset = array_new(size_t, n_layers),
		.index_offset = array_new(size_t, n_layers),
		.codes_offset = array_new(size_t, n_layers),
		.has_codes = bf16 && has_index_codes(shape->index_head_dim),
	};
	if (layout->latent_offset == NULL || layout->rope_offset == NULL || layout->index_offset == NULL ||
	    layout->codes_offset == NULL) {
		cache_layout_done(layout);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n_layers; i++) {
		layout->latent_offset[i] = layout->row_bytes;
		layout->rope_offset[i] = layout->row_bytes + row * layout->rank;
		layout->row_bytes += row * (layout->rank + layout->rope);
		if (!layout->full_indexer[i])
			continue;
		layout->index_offset[i] = layout->key_bytes;
		layout->key_bytes += row * layout->index_width;
		layout->codes_offset[i] = layout->slab_bytes;
		if (layout->has_codes)
			layout->slab_bytes += index_codes_bytes(layout->index_width);
	}
	return 0;
}

void cache_layout_done(struct cache_layout *layout)
{
	free(layout->latent_offset);
	free(layout->rope_offset);
	free(layout->index_offset);
	free(layout->codes_offset);
	*layout = (struct cache_layout){ 0 };
}

static uint64_t new_page_id(void)
{
	static _Atomic uint64_t last;

	return atomic_fetch_add(&last, 1) + 1;
}

/* Room for the ids of n pages. */
static int reserve_ids(struct cache *cache, size_t n)
{
	return array_reserve(&cache->page_ids, sizeof(*cache->page_ids), n, &cache->cap_ids);
}

void cache_init(struct cache *cache, const struct cache_layout *layout)
{
	*cache = (struct cache){ .layout = layout };
}

void cache_done(struct cache *cache)
{
	pieces_done(&cache->rows);
	pieces_done(&cache->keys);
	pieces_done(&cache->slabs);
	free(cache->page_ids);
	*cache = (struct cache){ 0 };
}

int cache_share(struct cache *to, const struct cache *from)
{
	size_t n_pages = n_pieces(from->n_tokens, CACHE_PAGE_TOKENS);
	size_t n_slabs = from->layout->has_codes ? n_pieces(from->n_tokens, CODE_TOKENS) : 0;

	if (reserve_ids(to, n_pages) < 0 || pieces_share(&to->rows, &from->rows, n_pages) < 0 ||
	    pieces_share(&to->keys, &from->keys, n_pages) < 0 ||
	    pieces_share(&to->slabs, &from->slabs, n_slabs) < 0)
		return -ENOMEM;
	if (n_pages > 0)
		memcpy(to->page_ids, from->page_ids, n_pages * sizeof(*to->page_ids));
	to->source = from->source;
	to->n_absent_rows = from->n_absent_rows;
	to->n_absent_keys = from->n_absent_keys;
	to->n_tokens = from->n_tokens;
	return 0;
}

/* A page that is new, or is a copy now, gets an id of its own. */
static int reserve_pages(struct cache *cache, size_t n)
{
	size_t n_tokens = cache->n_tokens, first = n_tokens / CACHE_PAGE_TOKENS, n_before = cache->rows.n;
	uint8_t *last = first < n_before ? cache->rows.at[first] : NULL;
	int r = reserve_ids(cache, n_pieces(n_tokens + n, CACHE_PAGE_TOKENS));

	if (r == 0)
		r = pieces_reserve(&cache->rows, cache->layout->row_bytes, CACHE_PAGE_TOKENS, n_tokens, n);
	if (last != NULL && cache->rows.at[first] != last)
		cache->page_ids[first] = new_page_id();
	for (size_t i = n_before; i < cache->rows.n; i++)
		cache->page_ids[i] = new_page_id();
	return r;
}

int cache_reserve(struct cache *cache, size_t n)
{
	const struct cache_layout *layout = cache->layout;
	int r = reserve_pages(cache, n);

	if (r == 0)
		r = pieces_reserve(&cache->keys, layout->key_bytes, CACHE_PAGE_TOKENS, cache->n_tokens, n);
	if (r == 0 && layout->has_codes)
		r = pieces_reserve(&cache->slabs, layout->slab_bytes, CODE_TOKENS, cache->n_tokens, n);
	return r;
}

void cache_drop_rows(struct cache *cache, size_t n)
{
	if (n > cache->n_absent_rows) {
		pieces_drop(&cache->rows, cache->n_absent_rows, n);
		cache->n_absent_rows = n;
	}
}

void cache_drop_keys(struct cache *cache, size_t n)
{
	if (n > cache->n_absent_keys) {
		pieces_drop(&cache->keys, cache->n_absent_keys, n);
		cache->n_absent_keys = n;
	}
}

/* The code of an indexer key as the cache holds it. */
static void put_code(struct cache *cache, uint32_t layer, size_t pos, const uint8_t *held)
{
	struct index_codes codes = cache_index_codes(cache, layer, pos / CODE_TOKENS);
	float key[CODE_MOST_WIDTH];

	load_row(key, held, cache->layout->index_width, true);
	index_codes_put(&codes, pos % CODE_TOKENS, key, cache->layout->index_width);
}

void cache_put(struct cache *cache, uint32_t layer, size_t pos, const float *latent, const float *rope_key,
               const float *index_key)
{
	const struct cache_layout *layout = cache->layout;
	size_t element = layout->bf16 ? 2 : 4, in_page = pos % CACHE_PAGE_TOKENS;
	uint8_t *held, *page = cache->rows.at[pos / CACHE_PAGE_TOKENS];

	store_row(page + layout->latent_offset[layer] + in_page * layout->rank * element, latent,
	          layout->rank, layout->bf16);
	store_row(page + layout->rope_offset[layer] + in_page * layout->rope * element, rope_key,
	          layout->rope, layout->bf16);
	if (index_key == NULL)
		return;
	held = cache->keys.at[pos / CACHE_PAGE_TOKENS] + layout->index_offset[layer] +
	       in_page * layout->index_width * element;
	store_row(held, index_key, layout->index_width, layout->bf16);
	if (layout->has_codes)
		put_code(cache, layer, pos, held);
}

void cache_put_block(struct cache *cache, size_t first, size_t end, const uint8_t *block)
{
	const struct cache_layout *layout = cache->layout;
	size_t page = first / CACHE_PAGE_TOKENS;

	memcpy(cache->rows.at[page], block, layout->row_bytes);
	memcpy(cache->keys.at[page], block + layout->row_bytes, layout->key_bytes);
	for (uint32_t layer = 0; layout->has_codes && layer < layout->n_layers; layer++) {
		struct key_view view = cache_key_view(cache, layer);

		for (size_t pos = first; layout->full_indexer[layer] && pos < end; pos++)
			put_code(cache, layer, pos, key_at(&view, pos));
	}
}

void cache_get_block(const struct cache *cache, size_t page, uint8_t *block)
{
	memcpy(block, cache->rows.at[page], cache->layout->row_bytes);
	memcpy(block + cache->layout->row_bytes, cache->keys.at[page], cache->layout->key_bytes);
}

struct kv_view cache_view(const struct cache *cache, uint32_t layer)
{
	return (struct kv_view){
		.pages = (const uint8_t *const *)cache->rows.at,
		.page_tokens = CACHE_PAGE_TOKENS,
		.latent_offset = cache->layout->latent_offset[layer],
		.rope_offset = cache->layout->rope_offset[layer],
		.rank = cache->layout->rank,
		.rope = cache->layout->rope,
		.bf16 = cache->layout->bf16,
	};
}

struct key_view cache_key_view(const struct cache *cache, uint32_t layer)
{
	const struct cache_layout *layout = cache->layout;

	return (struct key_view){
		.pages = (const uint8_t *const *)cache->keys.at,
		.offset = layout->index_offset[layer],
		.key_bytes = layout->index_width * (layout->bf16 ? 2u : 4u),
	};
}

struct index_codes cache_index_codes(const struct cache *cache, uint32_t layer, size_t slab)
{
	return index_codes_at(cache->slabs.at[slab] + cache->layout->codes_offset[layer]);
}
