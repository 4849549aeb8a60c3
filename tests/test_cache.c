/* Where a page keeps things, and when sequences share a page or get one of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "model/cache.h"
#include "tests/fixture.h"

#define RANK 24
#define ROPE 6
#define WIDTH 11 /* odd: in bf16 a word is half empty */

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

/* The weights of one output of the page's matrix; see weights.h for where they stand. */
static void check_index_key(const struct cache *cache, uint32_t layer, size_t pos, unsigned tag)
{
	struct matrix keys = cache_index_keys(cache, layer, pos / CACHE_PAGE_TOKENS);
	size_t output = pos % CACHE_PAGE_TOKENS, lane = output % PANEL;
	const uint8_t *panel = (const uint8_t *)keys.panels + output / PANEL * matrix_panel_bytes(&keys);

	assert_int_equal(keys.n_out, CACHE_PAGE_TOKENS);
	assert_int_equal(keys.n_in, WIDTH);
	assert_int_equal(keys.bf16, cache->layout->bf16);
	for (size_t i = 0; i < WIDTH; i++) {
		size_t place = keys.bf16 ? (i / 2 * PANEL + lane) * 2 + i % 2 : i * PANEL + lane;
		float value;

		load_row(&value, panel + place * (keys.bf16 ? 2 : 4), 1, keys.bf16);
		assert_true(value == value_of(layer, pos, i + 200, tag));
	}
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
	return cache_layout_init(&layout, &SHAPE, false);
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
		size_t row = CACHE_PAGE_TOKENS * element, width = element == 2 ? WIDTH + 1 : WIDTH;

		assert_int_equal(cache_layout_init(&layout, &SHAPE, element == 2), 0);
		assert_int_equal(layout.latent_offset[0], 0);
		assert_int_equal(layout.rope_offset[0], row * RANK);
		assert_int_equal(layout.index_offset[0], row * (RANK + ROPE));
		assert_int_equal(layout.latent_offset[1], row * (RANK + ROPE + width));
		assert_int_equal(layout.latent_offset[2],
		                 row * (2 * (RANK + ROPE) + width)); /* layer 1 has none */
		assert_int_equal(layout.page_bytes, row * (3 * (RANK + ROPE) + 2 * width));
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
		assert_int_equal(cache.n_pages, 4);
		check_rows(&cache, 0, 201, 0);
		cache_done(&cache);
		cache_layout_done(&layout);
	}
}

static void reserving_moves_no_token_and_whole_pages_stay(void **state)
{
	struct cache cache;

	cache_init(&cache, *state);
	assert_int_equal(cache_reserve(&cache, 0), 0);
	assert_int_equal(cache.n_pages, 0);
	assert_int_equal(cache_reserve(&cache, 64), 0);
	assert_int_equal(cache.n_pages, 1);
	assert_int_equal(cache.n_tokens, 0);
	assert_int_equal(cache_reserve(&cache, 65), 0);
	assert_int_equal(cache.n_pages, 2);
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
		assert_ptr_equal(branch.pages[i], parent.pages[i]);
	assert_int_equal(cache_reserve(&branch, 1), 0);
	for (size_t i = 0; i < 2; i++)
		assert_ptr_equal(branch.pages[i], parent.pages[i]);
	assert_ptr_not_equal(branch.pages[2], parent.pages[2]);
	assert_memory_equal(branch.pages[2], parent.pages[2], parent.layout->page_bytes);
	cache_done(&parent);
	check_rows(&branch, 0, 150, 1);
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
	page = branch.pages[0];
	cache_done(&parent);
	grow(&branch, 1, 2);
	assert_ptr_equal(branch.pages[0], page);
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
	assert_ptr_equal(branch.pages[1], parent.pages[1]);
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
	assert_int_equal(branch.n_pages, 1);
	grow(&branch, 3, 2);
	grow(&parent, 3, 3);
	check_rows(&branch, 64, 67, 2);
	check_rows(&parent, 64, 67, 3);
	cache_done(&parent);
	cache_done(&branch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_lays_out_latents_rope_keys_and_indexer_keys_by_layer),
		cmocka_unit_test(rows_and_indexer_keys_come_back_from_where_they_were_put),
		cmocka_unit_test(reserving_moves_no_token_and_whole_pages_stay),
		cmocka_unit_test(a_branch_shares_every_page_until_it_writes),
		cmocka_unit_test(what_a_branch_writes_its_parent_and_siblings_do_not_see),
		cmocka_unit_test(the_last_holder_of_a_page_writes_it_in_place),
		cmocka_unit_test(a_full_last_page_is_shared_for_good),
		cmocka_unit_test(room_that_was_only_reserved_is_not_shared),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
