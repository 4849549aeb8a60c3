#include "model/paging.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define NONE UINT32_MAX

/* Which keys have a slot, in the order of their last use. */
struct slots {
	uint32_t n_slots, n_used;
	uint32_t first, last; /* latest and oldest, or NONE */
	uint64_t *keys; /* [n_slots] */
	uint32_t *next, *before; /* [n_slots] */
	uint32_t *table; /* [mask + 1] slots by hash, probed in a line; NONE where empty */
	uint32_t mask;
};

struct paging {
	const struct cache_layout *layout;
	size_t n_rows, n_keys; /* that fit */
	bool started; /* there are slots */
	struct slots rows, keys;
	uint8_t **row_pages; /* of CACHE_PAGE_TOKENS slots: latents, then rope keys */
	uint8_t *key_slots; /* [keys.n_slots][index_head_dim] */
	pthread_mutex_t lock; /* of keys, of reading blocks, and of what follows */
	int r;
	struct err err;
};

static void slots_done(struct slots *slots)
{
	free(slots->keys);
	free(slots->next);
	free(slots->before);
	free(slots->table);
	*slots = (struct slots){ 0 };
}

static int slots_init(struct slots *slots, size_t n_slots)
{
	uint32_t n = n_slots < NONE / 4 ? (uint32_t)n_slots : NONE / 4, size = 16;

	while (size < 2 * n)
		size *= 2;
	*slots = (struct slots){
		.n_slots = n,
		.first = NONE,
		.last = NONE,
		.keys = malloc(n * sizeof(*slots->keys)),
		.next = malloc(n * sizeof(*slots->next)),
		.before = malloc(n * sizeof(*slots->before)),
		.table = malloc(size * sizeof(*slots->table)),
		.mask = size - 1,
	};
	if (slots->keys == NULL || slots->next == NULL || slots->before == NULL || slots->table == NULL)
		return -ENOMEM;
	memset(slots->table, 0xff, size * sizeof(*slots->table));
	return 0;
}

static uint32_t home_of(const struct slots *slots, uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15) >> 32) & slots->mask;
}

/* Where the key stands in the table, or the empty place where it would. */
static uint32_t place_of(const struct slots *slots, uint64_t key)
{
	uint32_t place = home_of(slots, key);

	while (slots->table[place] != NONE && slots->keys[slots->table[place]] != key)
		place = (place + 1) & slots->mask;
	return place;
}

/* Those behind it that would not be found across the gap move up. */
static void table_remove(struct slots *slots, uint32_t gap)
{
	for (uint32_t place = (gap + 1) & slots->mask; slots->table[place] != NONE;
	     place = (place + 1) & slots->mask) {
		uint32_t home = home_of(slots, slots->keys[slots->table[place]]);

		if (((place - home) & slots->mask) < ((place - gap) & slots->mask))
			continue;
		slots->table[gap] = slots->table[place];
		gap = place;
	}
	slots->table[gap] = NONE;
}

static void unlink_slot(struct slots *slots, uint32_t slot)
{
	uint32_t before = slots->before[slot], next = slots->next[slot];

	*(before == NONE ? &slots->first : &slots->next[before]) = next;
	*(next == NONE ? &slots->last : &slots->before[next]) = before;
}

static void link_first(struct slots *slots, uint32_t slot)
{
	slots->before[slot] = NONE;
	slots->next[slot] = slots->first;
	*(slots->first == NONE ? &slots->last : &slots->before[slots->first]) = slot;
	slots->first = slot;
}

/* The key's slot, now the latest used one; NONE: it has none. */
static uint32_t slots_find(struct slots *slots, uint64_t key)
{
	uint32_t slot = slots->table[place_of(slots, key)];

	if (slot != NONE && slot != slots->first) {
		unlink_slot(slots, slot);
		link_first(slots, slot);
	}
	return slot;
}

/* A slot for a key that has none: a new one, or the oldest. */
static uint32_t slots_take(struct slots *slots, uint64_t key)
{
	uint32_t slot = slots->n_used;

	if (slot < slots->n_slots) {
		slots->n_used++;
	} else {
		slot = slots->last;
		table_remove(slots, place_of(slots, slots->keys[slot]));
		unlink_slot(slots, slot);
	}
	slots->keys[slot] = key;
	slots->table[place_of(slots, key)] = slot;
	link_first(slots, slot);
	return slot;
}

static size_t element_bytes(const struct paging *paging)
{
	return paging->layout->bf16 ? 2 : 4;
}

static size_t row_bytes(const struct paging *paging)
{
	return (paging->layout->rank + (size_t)paging->layout->rope) * element_bytes(paging);
}

static size_t key_bytes(const struct paging *paging)
{
	return paging->layout->index_width * element_bytes(paging);
}

static void free_slots(struct paging *paging)
{
	for (size_t i = 0; paging->row_pages != NULL && i < paging->n_rows / CACHE_PAGE_TOKENS; i++)
		free(paging->row_pages[i]);
	free(paging->row_pages);
	free(paging->key_slots);
	paging->row_pages = NULL;
	paging->key_slots = NULL;
	slots_done(&paging->rows);
	slots_done(&paging->keys);
}

int paging_new(const struct cache_layout *layout, size_t row_memory, size_t key_memory, size_t min_rows,
               struct paging **ret)
{
	struct paging *paging = array_new(struct paging, 1);
	size_t n_keys, n_rows;

	if (paging == NULL)
		return -ENOMEM;
	paging->layout = layout;
	pthread_mutex_init(&paging->lock, NULL);
	n_rows = row_memory / row_bytes(paging) / CACHE_PAGE_TOKENS * CACHE_PAGE_TOKENS;
	n_keys = key_memory / key_bytes(paging);
	paging->n_rows = n_rows > min_rows ? n_rows : round_up(min_rows, CACHE_PAGE_TOKENS);
	paging->n_keys = n_keys > CACHE_PAGE_TOKENS ? n_keys : CACHE_PAGE_TOKENS;
	*ret = paging;
	return 0;
}

static int make_slots(struct paging *paging)
{
	paging->row_pages = array_new(uint8_t *, paging->n_rows / CACHE_PAGE_TOKENS);
	paging->key_slots = malloc(paging->n_keys * key_bytes(paging));
	if (paging->row_pages == NULL || paging->key_slots == NULL ||
	    slots_init(&paging->rows, paging->n_rows) < 0 || slots_init(&paging->keys, paging->n_keys) < 0) {
		free_slots(paging);
		return -ENOMEM;
	}
	paging->started = true;
	return 0;
}

int paging_start(struct paging *paging)
{
	int r;

	pthread_mutex_lock(&paging->lock);
	r = paging->started ? 0 : make_slots(paging);
	pthread_mutex_unlock(&paging->lock);
	return r;
}

void paging_free(struct paging *paging)
{
	if (paging == NULL)
		return;
	free_slots(paging);
	pthread_mutex_destroy(&paging->lock);
	free(paging);
}

size_t paging_n_rows(const struct paging *paging)
{
	return paging->n_rows;
}

struct kv_view paging_view(const struct paging *paging)
{
	const struct cache_layout *layout = paging->layout;

	return (struct kv_view){
		.pages = (const uint8_t *const *)paging->row_pages,
		.page_tokens = CACHE_PAGE_TOKENS,
		.rope_offset = CACHE_PAGE_TOKENS * layout->rank * element_bytes(paging),
		.rank = layout->rank,
		.rope = layout->rope,
		.bf16 = layout->bf16,
	};
}

static uint64_t key_of(const struct cache *cache, uint32_t layer, size_t pos)
{
	return (cache->page_ids[pos / CACHE_PAGE_TOKENS] * cache->layout->n_layers + layer) *
	               CACHE_PAGE_TOKENS +
	       pos % CACHE_PAGE_TOKENS;
}

static void fail(struct paging *paging, int r, const struct err *err)
{
	if (paging->r < 0)
		return;
	paging->r = r;
	paging->err = *err;
}

/* Bytes of a page's block, which is stored; under the lock. */
static void read_block(struct paging *paging, const struct cache *cache, size_t page, size_t offset,
                       uint8_t *bytes, size_t n)
{
	struct err err = { "" };
	int r = cache->source == NULL
	                ? err_set(&err, -ESTALE, "rows that left memory were not stored")
	                : cache->source->read(cache->source->user, page, offset, bytes, n, &err);

	if (r == -ENOENT)
		r = err_set(&err, -ESTALE, "the rows of tokens from %zu on are no longer stored",
		            page * CACHE_PAGE_TOKENS);
	if (r < 0) {
		memset(bytes, 0, n);
		fail(paging, r, &err);
	}
}

/* A position's latent or rope key, n bytes each; `offset` is the layer's, of the first of them in the page. */
static void bring_part(struct paging *paging, const struct cache *cache, size_t pos, size_t offset, size_t n,
                       uint8_t *to)
{
	const uint8_t *rows = cache->rows.at[pos / CACHE_PAGE_TOKENS];

	offset += pos % CACHE_PAGE_TOKENS * n;
	if (rows != NULL)
		memcpy(to, rows + offset, n);
	else
		read_block(paging, cache, pos / CACHE_PAGE_TOKENS, offset, to, n);
}

static void bring_row(struct paging *paging, const struct cache *cache, uint32_t layer, size_t pos,
                      uint32_t slot)
{
	const struct cache_layout *layout = paging->layout;
	uint8_t **page = &paging->row_pages[slot / CACHE_PAGE_TOKENS];
	size_t in_page = slot % CACHE_PAGE_TOKENS;
	size_t latent = layout->rank * element_bytes(paging), rope = layout->rope * element_bytes(paging);

	if (*page == NULL)
		*page = array_alloc(CACHE_PAGE_TOKENS, row_bytes(paging), 1);
	if (*page == NULL) {
		fail(paging, -ENOMEM, &(struct err){ "no memory for rows" });
		return;
	}
	bring_part(paging, cache, pos, layout->latent_offset[layer], latent, *page + in_page * latent);
	bring_part(paging, cache, pos, layout->rope_offset[layer], rope,
	           *page + CACHE_PAGE_TOKENS * latent + in_page * rope);
}

bool paging_fetch_rows(struct paging *paging, const struct cache *cache, uint32_t layer,
                       const uint32_t *positions, size_t n, uint32_t *ret)
{
	pthread_mutex_lock(&paging->lock);
	/* What is there becomes the latest first, so that nothing of it makes room for the rest. */
	for (size_t i = 0; i < n; i++)
		ret[i] = slots_find(&paging->rows, key_of(cache, layer, positions[i]));
	for (size_t i = 0; i < n && paging->r == 0; i++) {
		if (ret[i] != NONE)
			continue;
		ret[i] = slots_take(&paging->rows, key_of(cache, layer, positions[i]));
		bring_row(paging, cache, layer, positions[i], ret[i]);
	}
	pthread_mutex_unlock(&paging->lock);
	return paging->r == 0;
}

static void bring_key(struct paging *paging, const struct cache *cache, uint32_t layer, size_t pos,
                      uint8_t *ret)
{
	size_t n = key_bytes(paging);
	uint64_t key = key_of(cache, layer, pos);
	uint32_t slot = slots_find(&paging->keys, key);

	if (slot == NONE) {
		slot = slots_take(&paging->keys, key);
		read_block(paging, cache, pos / CACHE_PAGE_TOKENS,
		           paging->layout->row_bytes + paging->layout->index_offset[layer] +
		                   pos % CACHE_PAGE_TOKENS * n,
		           paging->key_slots + slot * n, n);
	}
	memcpy(ret, paging->key_slots + slot * n, n);
}

void paging_fetch_keys(struct paging *paging, const struct cache *cache, uint32_t layer,
                       const uint32_t *positions, size_t n, uint8_t *ret)
{
	struct key_view view = cache_key_view(cache, layer);

	pthread_mutex_lock(&paging->lock);
	for (size_t i = 0; i < n; i++, ret += view.key_bytes) {
		if (view.pages[positions[i] / CACHE_PAGE_TOKENS] != NULL)
			memcpy(ret, key_at(&view, positions[i]), view.key_bytes);
		else
			bring_key(paging, cache, layer, positions[i], ret);
	}
	pthread_mutex_unlock(&paging->lock);
}

/* The slots may hold what a failure left: they are emptied. */
static void empty(struct slots *slots)
{
	memset(slots->table, 0xff, (slots->mask + (size_t)1) * sizeof(*slots->table));
	slots->n_used = 0;
	slots->first = slots->last = NONE;
}

int paging_error(struct paging *paging, struct err *err)
{
	int r = paging->r;

	if (r < 0) {
		empty(&paging->rows);
		empty(&paging->keys);
		paging->r = 0;
		return err_set(err, r, "%s", paging->err.text);
	}
	return 0;
}
