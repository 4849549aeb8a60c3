/* Where a page keeps things, and when sequences share a page or a slab of codes or get one of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/cache.h"
#include "tests/fixture.h"

#define RANK 24
#define ROPE 6
#define WIDTH 11 /* odd, and the last of its codes by fours is padding */

static bool full_indexer[] = { true, false, true };
static const struct model_shape SHAPE = {
	.num_hidden_layers = 3,
	.kv_lora_rank = RANK,
	.qk_rope_head_dim = ROPE,
	.index_head_dim = WIDTH,
	.full_indexer = full_indexer,
};

/* What position pos holds in a layer, by a tag that sequences differ in; exact in bf16. */
static float value_of(uint32_t layer, size_t pos, size_t i, unsigned tag)
{
	return (float)((layer * 31 + pos * 7 + i + tag * 101) % 256);
}

static void put(struct cache *cache, size_t pos, unsigned tag)
{
	float latent[RANK], rope_key[ROPE], index_key[WIDTH];

	for (uint32_t layer = 0; layer < SHAPE.num_hidden_layers; layer++) {
		for (size_t i = 0; i < RANK; i++)
			latent[i] = value_of(layer, pos, i, tag);
		for (size_t i = 0; i < ROPE; i++)
			rope_key[i] = value_of(layer, pos, i + 100, tag);
		for (size_t i = 0; i < WIDTH; i++)
			index_key[i] = value_of(layer, pos, i + 200, tag);
		cache_put(cache, layer, pos, latent, rope_key, full_indexer[layer] ? index_key : NULL);
	}
}

static void grow(struct cache *cache, size_t n, unsigned tag)
{
	assert_int_equal(cache_reserve(cache, n), 0);
	for (size_t i = 0; i < n; i++)
		put(cache, cache->n_tokens++, tag);
}

/* The scale of a key and its codes, which lie by fours. */
struct code {
	float scale;
	uint8_t codes[WIDTH / CODE_STEP + 1][CODE_STEP];
};

static struct code code_at(const struct index_codes *codes, size_t place)
{
	struct code ret = { .scale = codes->scales[place] };

	for (size_t i = 0; i < COUNT(ret.codes); i++)
		memcpy(ret.codes[i],
		       codes->codes +
		               ((place / PANEL * COUNT(ret.codes) + i) * PANEL + place % PANEL) * CODE_STEP,
		       CODE_STEP);
	return ret;
}

/* The code of a key is that of what the page holds, and the slab's bounds are no smaller than the key's own. */
static void check_code(const struct cache *cache, uint32_t layer, size_t pos, const float *key)
{
	struct index_codes seen = cache_index_codes(cache, layer, pos / CODE_TOKENS);
	void *memory = array_alloc(index_codes_bytes(WIDTH), 1, 1);
	struct index_codes alone = index_codes_at(memory);
	struct code expected, code = code_at(&seen, pos % CODE_TOKENS);

	assert_non_null(memory);
	index_codes_put(&alone, pos % CODE_TOKENS, key, WIDTH);
	expected = code_at(&alone, pos % CODE_TOKENS);
	assert_memory_equal(&code, &expected, sizeof(code));
	assert_true(seen.bounds->error >= alone.bounds->error && seen.bounds->norm >= alone.bounds->norm);
	free(memory);
}

static void check_index_key(const struct cache *cache, uint32_t layer, size_t pos, unsigned tag)
{
	struct key_view view = cache_key_view(cache, layer);
	float key[WIDTH];

	load_row(key, key_at(&view, pos), WIDTH, cache->layout->bf16);
	for (size_t i = 0; i < WIDTH; i++)
		assert_true(key[i] == value_of(layer, pos, i + 200, tag));
	if (cache->layout->has_codes)
		check_code(cache, layer, pos, key);
}

static void check_row(const struct cache *cache, uint32_t layer, size_t pos, unsigned tag)
{
	struct kv_view view = cache_view(cache, layer);
	size_t element = view.bf16 ? 2 : 4, in_page = pos % view.page_tokens;
	const uint8_t *page = view.pages[pos / view.page_tokens];
	float latent[RANK], rope_key[ROPE];

	load_row(latent, page + view.latent_offset + in_page * RANK * element, RANK, view.bf16);
	load_row(rope_key, page + view.rope_offset + in_page * ROPE * element, ROPE, view.bf16);
	for (size_t i = 0; i < RANK; i++)
		assert_true(latent[i] == value_of(layer, pos, i, tag));
	for (size_t i = 0; i < ROPE; i++)
		assert_true(rope_key[i] == value_of(layer, pos, i + 100, tag));
	if (!full_indexer[layer])
		return;
	check_index_key(cache, layer, pos, tag);
}

static void check_rows(const struct cache *cache, size_t first, size_t end, unsigned tag)
{
	for (uint32_t layer = 0; layer < SHAPE.num_hidden_layers; layer++) {
		for (size_t pos = first; pos < end; pos++)
			check_row(cache, layer, pos, tag);
	}
}

static int setup(void **state)
{
	static struct cache_layout layout;

	*state = &layout;
	return cache_layout_init(&layout, &SHAPE, true);
}

static int teardown(void **state)
{
	cache_layout_done(*state);
	return 0;
}

static void a_page_lays_out_latents_rope_keys_and_indexer_keys_by_layer(void **state)
{
	struct cache_layout layout;

	(void)state;
	for (size_t element = 2; element <= 4; element += 2) {
		size_t row = CACHE_PAGE_TOKENS * element;

		assert_int_equal(cache_layout_init(&layout, &SHAPE, element == 2), 0);
		assert_int_equal(layout.latent_offset[0], 0);
		assert_int_equal(layout.rope_offset[0], row * RANK);
		assert_int_equal(layout.latent_offset[2], row * 2 * (RANK + ROPE));
		assert_int_equal(layout.row_bytes, row * 3 * (RANK + ROPE));
		assert_int_equal(layout.index_offset[0], 0);
		assert_int_equal(layout.index_offset[2], row * WIDTH); /* layer 1 has none */
		assert_int_equal(layout.key_bytes, row * 2 * WIDTH);
		assert_int_equal(cache_block_bytes(&layout), layout.row_bytes + layout.key_bytes);
		cache_layout_done(&layout);
	}
}

static void a_slab_lays_out_codes_by_layer(void **state)
{
	const struct cache_layout *layout = *state;

	assert_true(layout->has_codes);
	assert_int_equal(layout->codes_offset[0], 0);
	assert_int_equal(layout->codes_offset[2], index_codes_bytes(WIDTH)); /* layer 1 has none */
	assert_int_equal(layout->slab_bytes, 2 * index_codes_bytes(WIDTH));
}

static void keys_of_float32_or_too_wide_have_no_codes(void **state)
{
	struct model_shape shape = SHAPE;

	(void)state;
	for (int bf16 = 0; bf16 <= 1; bf16++) {
		struct cache_layout layout;
		struct cache cache, branch;
		uint8_t *block;

		shape.index_head_dim = bf16 != 0 ? CODE_MOST_WIDTH + 1 : WIDTH;
		assert_int_equal(cache_layout_init(&layout, &shape, bf16 != 0), 0);
		assert_false(layout.has_codes);
		assert_int_equal(layout.slab_bytes, 0);
		cache_init(&cache, &layout);
		cache_init(&branch, &layout);
		assert_int_equal(cache_reserve(&cache, 100), 0);
		cache.n_tokens = 100;
		block = calloc(1, cache_block_bytes(&layout));
		assert_non_null(block);
		cache_put_block(&cache, 64, 100, block);
		free(block);
		assert_int_equal(cache_share(&branch, &cache), 0);
		assert_int_equal(cache_reserve(&branch, 1), 0);
		assert_int_equal(cache.slabs.n + branch.slabs.n, 0);
		cache_done(&cache);
		cache_done(&branch);
		cache_layout_done(&layout);
	}
}

static void rows_and_indexer_keys_come_back_from_where_they_were_put(void **state)
{
	struct cache_layout layout;
	struct cache cache;

	(void)state;
	for (int bf16 = 0; bf16 <= 1; bf16++) {
		assert_int_equal(cache_layout_init(&layout, &SHAPE, bf16 != 0), 0);
		cache_init(&cache, &layout);
		grow(&cache, 1, 0);
		grow(&cache, 200, 0);
		assert_int_equal(cache.rows.n, 4);
		check_rows(&cache, 0, 201, 0);
		grow(&cache, 1000, 0);
		assert_int_equal(cache.slabs.n, bf16 != 0 ? 2 : 0);
		check_rows(&cache, 0, 1201, 0);
		cache_done(&cache);
		cache_layout_done(&layout);
	}
}

static void reserving_moves_no_token_and_whole_pages_stay(void **state)
{
	struct cache cache;

	cache_init(&cache, *state);
	assert_int_equal(cache_reserve(&cache, 0), 0);
	assert_int_equal(cache.rows.n, 0);
	assert_int_equal(cache_reserve(&cache, 64), 0);
	assert_int_equal(cache.rows.n, 1);
	assert_int_equal(cache.n_tokens, 0);
	assert_int_equal(cache_reserve(&cache, 65), 0);
	assert_int_equal(cache.rows.n, 2);
	assert_int_equal(cache.slabs.n, 1);
	assert_int_equal(cache_reserve(&cache, CODE_TOKENS), 0);
	assert_int_equal(cache.slabs.n, 1);
	assert_int_equal(cache_reserve(&cache, CODE_TOKENS + 1), 0);
	assert_int_equal(cache.slabs.n, 2);
	cache_done(&cache);
}

static void a_branch_shares_every_page_until_it_writes(void **state)
{
	struct cache parent, branch;

	cache_init(&parent, *state);
	cache_init(&branch, *state);
	grow(&parent, 150, 1);
	assert_int_equal(cache_share(&branch, &parent), 0);
	assert_int_equal(branch.n_tokens, 150);
	for (size_t i = 0; i < 3; i++)
		assert_ptr_equal(branch.rows.at[i], parent.rows.at[i]);
	assert_int_equal(cache_reserve(&branch, 1), 0);
	for (size_t i = 0; i < 2; i++)
		assert_ptr_equal(branch.rows.at[i], parent.rows.at[i]);
	assert_ptr_not_equal(branch.rows.at[2], parent.rows.at[2]);
	assert_memory_equal(branch.rows.at[2], parent.rows.at[2], parent.layout->row_bytes);
	cache_done(&parent);
	check_rows(&branch, 0, 150, 1);
	cache_done(&branch);
}

static void a_branch_shares_every_slab_until_it_writes(void **state)
{
	struct cache parent, branch;

	cache_init(&parent, *state);
	cache_init(&branch, *state);
	grow(&parent, CODE_TOKENS + 150, 1);
	assert_int_equal(cache_share(&branch, &parent), 0);
	assert_int_equal(branch.slabs.n, 2);
	assert_ptr_equal(branch.slabs.at[1], parent.slabs.at[1]);
	assert_int_equal(cache_reserve(&branch, 1), 0);
	assert_ptr_equal(branch.slabs.at[0], parent.slabs.at[0]);
	assert_ptr_not_equal(branch.slabs.at[1], parent.slabs.at[1]);
	assert_memory_equal(branch.slabs.at[1], parent.slabs.at[1], parent.layout->slab_bytes);
	cache_done(&parent);
	check_rows(&branch, 0, CODE_TOKENS + 150, 1);
	cache_done(&branch);
}

/* Codes and bounds: one large key would tell the scan of the parent less. */
static void a_parent_keeps_its_codes_when_a_branch_grows(void **state)
{
	const struct cache_layout *layout = *state;
	float latent[RANK] = { 0 }, rope_key[ROPE] = { 0 }, index_key[WIDTH] = { 1e6F, 1 };
	struct cache parent, branch;
	void *before;

	cache_init(&parent, layout);
	cache_init(&branch, layout);
	grow(&parent, 100, 1);
	before = malloc(layout->slab_bytes);
	assert_non_null(before);
	memcpy(before, parent.slabs.at[0], layout->slab_bytes);
	assert_int_equal(cache_share(&branch, &parent), 0);
	assert_int_equal(cache_reserve(&branch, 1), 0);
	cache_put(&branch, 0, branch.n_tokens++, latent, rope_key, index_key);
	assert_memory_equal(parent.slabs.at[0], before, layout->slab_bytes);
	assert_true(cache_index_codes(&branch, 0, 0).bounds->norm >
	            cache_index_codes(&parent, 0, 0).bounds->norm);
	free(before);
	cache_done(&parent);
	cache_done(&branch);
}

static void what_a_branch_writes_its_parent_and_siblings_do_not_see(void **state)
{
	struct cache parent, one, two;

	cache_init(&parent, *state);
	cache_init(&one, *state);
	cache_init(&two, *state);
	grow(&parent, 100, 1);
	assert_int_equal(cache_share(&one, &parent), 0);
	assert_int_equal(cache_share(&two, &one), 0);
	grow(&one, 50, 2);
	grow(&parent, 60, 3);
	grow(&two, 10, 4);
	check_rows(&parent, 0, 100, 1);
	check_rows(&parent, 100, 160, 3);
	check_rows(&one, 0, 100, 1);
	check_rows(&one, 100, 150, 2);
	cache_done(&one);
	cache_done(&parent);
	check_rows(&two, 0, 100, 1);
	check_rows(&two, 100, 110, 4);
	cache_done(&two);
}

static void the_last_holder_of_a_page_writes_it_in_place(void **state)
{
	struct cache parent, branch;
	const uint8_t *page;

	cache_init(&parent, *state);
	cache_init(&branch, *state);
	grow(&parent, 10, 1);
	assert_int_equal(cache_share(&branch, &parent), 0);
	page = branch.rows.at[0];
	cache_done(&parent);
	grow(&branch, 1, 2);
	assert_ptr_equal(branch.rows.at[0], page);
	check_rows(&branch, 0, 10, 1);
	check_rows(&branch, 10, 11, 2);
	cache_done(&branch);
}

static void a_full_last_page_is_shared_for_good(void **state)
{
	struct cache parent, branch;

	cache_init(&parent, *state);
	cache_init(&branch, *state);
	grow(&parent, 2 * CACHE_PAGE_TOKENS, 1);
	assert_int_equal(cache_share(&branch, &parent), 0);
	grow(&parent, 5, 2);
	grow(&branch, 5, 3);
	assert_ptr_equal(branch.rows.at[1], parent.rows.at[1]);
	check_rows(&parent, 128, 133, 2);
	check_rows(&branch, 128, 133, 3);
	cache_done(&parent);
	cache_done(&branch);
}

/* Reserved pages behind the tokens are the parent's own. */
static void room_that_was_only_reserved_is_not_shared(void **state)
{
	struct cache parent, branch;

	cache_init(&parent, *state);
	cache_init(&branch, *state);
	grow(&parent, CACHE_PAGE_TOKENS, 1);
	assert_int_equal(cache_reserve(&parent, 100), 0);
	assert_int_equal(cache_share(&branch, &parent), 0);
	assert_int_equal(branch.rows.n, 1);
	grow(&branch, 3, 2);
	grow(&parent, 3, 3);
	check_rows(&branch, 64, 67, 2);
	check_rows(&parent, 64, 67, 3);
	cache_done(&parent);
	cache_done(&branch);
}

static void a_slab_that_was_only_reserved_is_not_shared(void **state)
{
	struct cache parent, branch;

	cache_init(&parent, *state);
	cache_init(&branch, *state);
	grow(&parent, CODE_TOKENS, 1);
	assert_int_equal(cache_reserve(&parent, 100), 0);
	assert_int_equal(parent.slabs.n, 2);
	assert_int_equal(cache_share(&branch, &parent), 0);
	assert_int_equal(branch.slabs.n, 1);
	grow(&branch, 3, 2);
	grow(&parent, 3, 3);
	assert_ptr_equal(branch.slabs.at[0], parent.slabs.at[0]);
	check_rows(&branch, CODE_TOKENS, CODE_TOKENS + 3, 2);
	check_rows(&parent, CODE_TOKENS, CODE_TOKENS + 3, 3);
	cache_done(&parent);
	cache_done(&branch);
}

static void rows_that_came_from_outside_have_the_codes_of_rows_put_in(void **state)
{
	static const size_t ENDS[] = { 64, 128, 1024, 1088, 1171 };
	struct cache put_in, loaded;
	size_t n = ENDS[COUNT(ENDS) - 1];
	uint8_t *block = malloc(cache_block_bytes(*state));

	assert_non_null(block);
	cache_init(&put_in, *state);
	cache_init(&loaded, *state);
	grow(&put_in, n, 1);
	for (size_t i = 0; i < COUNT(ENDS); i++) {
		size_t first = loaded.n_tokens, end = ENDS[i];

		assert_int_equal(cache_reserve(&loaded, end - first), 0);
		for (size_t at = first; at < end; at += CACHE_PAGE_TOKENS) {
			cache_get_block(&put_in, at / CACHE_PAGE_TOKENS, block);
			cache_put_block(&loaded, at,
			                end - at < CACHE_PAGE_TOKENS ? end : at + CACHE_PAGE_TOKENS, block);
		}
		loaded.n_tokens = end;
	}
	check_rows(&loaded, 0, n, 1);
	assert_int_equal(loaded.slabs.n, put_in.slabs.n);
	for (size_t i = 0; i < loaded.slabs.n; i++)
		assert_memory_equal(loaded.slabs.at[i], put_in.slabs.at[i], loaded.layout->slab_bytes);
	free(block);
	cache_done(&put_in);
	cache_done(&loaded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_lays_out_latents_rope_keys_and_indexer_keys_by_layer),
		cmocka_unit_test(a_slab_lays_out_codes_by_layer),
		cmocka_unit_test(keys_of_float32_or_too_wide_have_no_codes),
		cmocka_unit_test(rows_and_indexer_keys_come_back_from_where_they_were_put),
		cmocka_unit_test(reserving_moves_no_token_and_whole_pages_stay),
		cmocka_unit_test(a_branch_shares_every_page_until_it_writes),
		cmocka_unit_test(a_branch_shares_every_slab_until_it_writes),
		cmocka_unit_test(a_parent_keeps_its_codes_when_a_branch_grows),
		cmocka_unit_test(what_a_branch_writes_its_parent_and_siblings_do_not_see),
		cmocka_unit_test(the_last_holder_of_a_page_writes_it_in_place),
		cmocka_unit_test(a_full_last_page_is_shared_for_good),
		cmocka_unit_test(room_that_was_only_reserved_is_not_shared),
		cmocka_unit_test(a_slab_that_was_only_reserved_is_not_shared),
		cmocka_unit_test(rows_that_came_from_outside_have_the_codes_of_rows_put_in),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
