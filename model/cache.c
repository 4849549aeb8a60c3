#include "model/cache.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* A page's count lies in front of its bytes; both keep a cache line's alignment. */
struct page_head {
	_Alignas(64) _Atomic uint32_t n_holders;
};

static struct page_head *head_of(uint8_t *page)
{
	return (struct page_head *)(void *)(page - sizeof(struct page_head));
}

static uint8_t *page_new(const struct cache_layout *layout)
{
	uint8_t *memory = array_alloc(1, layout->page_bytes + sizeof(struct page_head), 1);

	if (memory == NULL)
		return NULL;
	atomic_init(&((struct page_head *)(void *)memory)->n_holders, 1);
	return memory + sizeof(struct page_head);
}

static void page_release(uint8_t *page)
{
	if (atomic_fetch_sub(&head_of(page)->n_holders, 1) == 1)
		free(head_of(page));
}

static struct matrix index_keys_at(const struct cache_layout *layout, void *panels)
{
	return (struct matrix){
		.n_out = CACHE_PAGE_TOKENS,
		.n_in = layout->index_width,
		.bf16 = layout->bf16,
		.panels = panels,
	};
}

static size_t index_key_bytes(const struct cache_layout *layout)
{
	struct matrix keys = index_keys_at(layout, NULL);

	return matrix_panel_bytes(&keys) / PANEL;
}

int cache_layout_init(struct cache_layout *layout, const struct model_shape *shape, bool bf16)
{
	size_t element = bf16 ? 2 : 4, offset = 0;

	*layout = (struct cache_layout){
		.rank = shape->kv_lora_rank,
		.rope = shape->qk_rope_head_dim,
		.index_width = shape->index_head_dim,
		.bf16 = bf16,
		.latent_offset = array_new(size_t, shape->num_hidden_layers),
		.rope_offset = array_new(size_t, shape->num_hidden_layers),
		.index_offset = array_new(size_t, shape->num_hidden_layers),
	};
	if (layout->latent_offset == NULL || layout->rope_offset == NULL || layout->index_offset == NULL) {
		cache_layout_done(layout);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < shape->num_hidden_layers; i++) {
		layout->latent_offset[i] = offset;
		offset += CACHE_PAGE_TOKENS * element * layout->rank;
		layout->rope_offset[i] = offset;
		offset += CACHE_PAGE_TOKENS * element * layout->rope;
		if (!shape->full_indexer[i])
			continue;
		layout->index_offset[i] = offset;
		offset += CACHE_PAGE_TOKENS * index_key_bytes(layout);
	}
	layout->page_bytes = offset;
	return 0;
}

void cache_layout_done(struct cache_layout *layout)
{
	free(layout->latent_offset);
	free(layout->rope_offset);
	free(layout->index_offset);
	*layout = (struct cache_layout){ 0 };
}

void cache_init(struct cache *cache, const struct cache_layout *layout)
{
	*cache = (struct cache){ .layout = layout };
}

void cache_done(struct cache *cache)
{
	for (size_t i = 0; i < cache->n_pages; i++)
		page_release(cache->pages[i]);
	free(cache->pages);
	*cache = (struct cache){ 0 };
}

static int add_page(struct cache *cache, uint8_t *page)
{
	if (page == NULL ||
	    array_grow(&cache->pages, sizeof(*cache->pages), cache->n_pages, &cache->cap_pages) < 0) {
		if (page != NULL)
			page_release(page);
		return -ENOMEM;
	}
	cache->pages[cache->n_pages++] = page;
	return 0;
}

int cache_share(struct cache *to, const struct cache *from)
{
	for (size_t i = 0; i < (from->n_tokens + CACHE_PAGE_TOKENS - 1) / CACHE_PAGE_TOKENS; i++) {
		atomic_fetch_add(&head_of(from->pages[i])->n_holders, 1);
		if (add_page(to, from->pages[i]) < 0)
			return -ENOMEM;
	}
	to->n_tokens = from->n_tokens;
	return 0;
}

int cache_reserve(struct cache *cache, size_t n)
{
	size_t first = cache->n_tokens / CACHE_PAGE_TOKENS;

	if (n > 0 && first < cache->n_pages && atomic_load(&head_of(cache->pages[first])->n_holders) > 1) {
		uint8_t *own = page_new(cache->layout);

		if (own == NULL)
			return -ENOMEM;
		memcpy(own, cache->pages[first], cache->layout->page_bytes);
		page_release(cache->pages[first]);
		cache->pages[first] = own;
	}
	while (cache->n_pages * CACHE_PAGE_TOKENS < cache->n_tokens + n) {
		if (add_page(cache, page_new(cache->layout)) < 0)
			return -ENOMEM;
	}
	return 0;
}

void cache_put(struct cache *cache, uint32_t layer, size_t pos, const float *latent, const float *rope_key,
               const float *index_key)
{
	const struct cache_layout *layout = cache->layout;
	size_t element = layout->bf16 ? 2 : 4, in_page = pos % CACHE_PAGE_TOKENS;
	uint8_t *page = cache->pages[pos / CACHE_PAGE_TOKENS];

	store_row(page + layout->latent_offset[layer] + in_page * layout->rank * element, latent,
	          layout->rank, layout->bf16);
	store_row(page + layout->rope_offset[layer] + in_page * layout->rope * element, rope_key,
	          layout->rope, layout->bf16);
	if (index_key != NULL) {
		struct matrix keys = index_keys_at(layout, page + layout->index_offset[layer]);

		matrix_put_row(&keys, (uint32_t)in_page, index_key);
	}
}

struct kv_view cache_view(const struct cache *cache, uint32_t layer)
{
	return (struct kv_view){
		.pages = (const uint8_t *const *)cache->pages,
		.page_tokens = CACHE_PAGE_TOKENS,
		.latent_offset = cache->layout->latent_offset[layer],
		.rope_offset = cache->layout->rope_offset[layer],
		.rank = cache->layout->rank,
		.rope = cache->layout->rope,
		.bf16 = cache->layout->bf16,
	};
}

struct matrix cache_index_keys(const struct cache *cache, uint32_t layer, size_t page)
{
	return index_keys_at(cache->layout, cache->pages[page] + cache->layout->index_offset[layer]);
}
