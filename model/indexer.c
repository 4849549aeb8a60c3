#include "model/indexer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_PART_PAGES 4 /* pages that are worth a thread's while */
/* Up to so many times index_topk keys all are scored exactly: gathering what codes leave costs more. Few rows share no look at
 * a key; see bench/README.md. */
#define EXACT_TIMES 16
#define EXACT_TIMES_FEW 6

#define K_NORM_EPS 1e-6f /* not in config.json; the same in both families */

int indexer_load(struct indexer_weights *indexer, const struct checkpoint *checkpoint,
                 const struct model_shape *shape, uint32_t layer, struct err *err)
{
	uint32_t width = shape->index_head_dim, n_heads = shape->index_n_heads;
	char name[5][128];
	static const char *const NAMES[5] = { "wq_b.weight", "wk.weight", "weights_proj.weight",
		                              "k_norm.weight", "k_norm.bias" };
	int r;

	for (size_t i = 0; i < 5; i++)
		snprintf(name[i], sizeof(name[i]), "model.layers.%u.self_attn.indexer.%s", layer, NAMES[i]);
	if ((r = weights_pack(checkpoint, shape, name[0], n_heads * width, shape->q_lora_rank, &indexer->wq_b,
	                      err)) < 0 ||
	    (r = weights_pack(checkpoint, shape, name[1], width, shape->hidden_size, &indexer->wk, err)) <
	            0 ||
	    (r = weights_pack(checkpoint, shape, name[2], n_heads, shape->hidden_size, &indexer->weights_proj,
	                      err)) < 0 ||
	    (r = weights_read(checkpoint, shape, name[3], 1, width, &indexer->k_norm, err)) < 0)
		return r;
	return weights_read(checkpoint, shape, name[4], 1, width, &indexer->k_norm_bias, err);
}

void indexer_done(struct indexer_weights *indexer)
{
	matrix_done(&indexer->wq_b);
	matrix_done(&indexer->wk);
	matrix_done(&indexer->weights_proj);
	free(indexer->k_norm);
	free(indexer->k_norm_bias);
}

void indexer_input_products(struct pass *pass, const struct indexer_weights *indexer, struct product *ret)
{
	ret[0] = (struct product){ pass->index_k,       pass->u,     &indexer->wk, pass->index_k_stride,
		                   pass->hidden_stride, pass->n_rows };
	ret[1] = (struct product){ pass->index_w,          pass->u,
		                   &indexer->weights_proj, pass->index_w_stride,
		                   pass->hidden_stride,    pass->n_rows };
}

struct product indexer_query_product(struct pass *pass, const struct indexer_weights *indexer)
{
	return (struct product){ pass->index_q,        pass->q_latent,      &indexer->wq_b,
		                 pass->index_q_stride, pass->q_rank_stride, pass->n_rows };
}

void indexer_finish_row(struct pass *pass, const struct indexer_weights *indexer, size_t row)
{
	const struct model_shape *shape = pass->shape;
	uint32_t width = shape->index_head_dim, rope = shape->qk_rope_head_dim;
	const float *cosines = pass->cosines + row * (rope / 2), *sines = pass->sines + row * (rope / 2);
	float *k = pass->index_k + row * pass->index_k_stride,
	      *w = pass->index_w + row * pass->index_w_stride;
	float *q = pass->index_q + row * pass->index_q_stride;
	float scale = 1 / sqrtf((float)shape->index_n_heads * (float)width);

	layer_norm(k, k, indexer->k_norm, indexer->k_norm_bias, width, K_NORM_EPS);
	rope_rotate(k, cosines, sines, rope, !shape->indexer_rope_interleave);
	for (uint32_t j = 0; j < shape->index_n_heads; j++) {
		rope_rotate(q + (size_t)j * width, cosines, sines, rope, !shape->indexer_rope_interleave);
		w[j] *= scale;
	}
}

/* A layer's selection, for the threads: each takes a block of rows over a part of their pages. Where a block's pages
 * are in several parts, the best of each are merged behind. */
struct selection {
	struct pass *pass;
	uint32_t layer;
	size_t n_blocks, n_parts;
	int round; /* of few rows' candidates, whose exact scores are shared out as well */
};

/* Pages [first, end). */
struct page_range {
	size_t first, end;
};

static bool needs_scores(const struct pass *pass, const struct pass_row *row)
{
	bool asked = !row->dense || (row->record != NULL && row->record->recalled != NULL);

	return asked && row->pos >= pass->shape->index_topk;
}

static size_t end_of_block(const struct pass *pass, size_t block)
{
	size_t end = (block + 1) * SELECT_ROWS;

	return end < pass->n_rows ? end : pass->n_rows;
}

/* Whether a row is to be scored against the keys of this page. */
static bool reaches(const struct pass *pass, size_t row, size_t page)
{
	return needs_scores(pass, &pass->rows[row]) && pass->rows[row].pos >= page * CACHE_PAGE_TOKENS;
}

/* How many keys of a page a row may see. */
static size_t n_visible(const struct pass_row *row, size_t page)
{
	size_t n = row->pos + 1 - page * CACHE_PAGE_TOKENS;

	return n < CACHE_PAGE_TOKENS ? n : CACHE_PAGE_TOKENS;
}

/* Panels of the keys at n positions, up to a page of them; the last panel is filled up with the first key. */
static void pack_keys(struct pass *pass, struct pass_scratch *scratch, const struct cache *cache,
                      uint32_t layer, const uint32_t *positions, size_t n)
{
	struct key_view view = cache_key_view(cache, layer);
	const uint8_t *places[CACHE_PAGE_TOKENS];
	bool is_paged = cache->n_absent_keys > 0;

	if (is_paged)
		paging_fetch_keys(pass->paging, cache, layer, positions, n, scratch->fetched_keys);
	for (size_t i = 0; i < n; i++)
		places[i] =
			is_paged ? scratch->fetched_keys + i * view.key_bytes : key_at(&view, positions[i]);
	for (size_t i = n; i < round_up(n, PANEL); i++)
		places[i] = places[0];
	for (size_t i = 0; i < n; i += PANEL)
		matrix_put_panel(&scratch->keys, (uint32_t)(i / PANEL), places + i);
}

/* dots of rows [first, first + n) with the first n_keys packed keys. */
static void multiply_keys(struct pass *pass, struct pass_scratch *scratch, size_t first, size_t n,
                          size_t n_keys)
{
	const struct model_shape *shape = pass->shape;

	pass->ops->matmul(scratch->dots, CACHE_PAGE_TOKENS, pass->index_q + first * pass->index_q_stride,
	                  shape->index_head_dim, n * shape->index_n_heads, &scratch->keys, 0,
	                  (n_keys + PANEL - 1) / PANEL);
}

/* The scores of row `first + i` from what multiply_keys() left. */
static const float *weigh_keys(struct pass *pass, struct pass_scratch *scratch, size_t first, size_t i,
                               size_t n_keys)
{
	uint32_t n_heads = pass->shape->index_n_heads;

	pass->ops->weigh_scores(scratch->index_scores, scratch->dots + i * n_heads * CACHE_PAGE_TOKENS,
	                        CACHE_PAGE_TOKENS, pass->index_w + (first + i) * pass->index_w_stride,
	                        n_heads, round_up(n_keys, INDEX_GROUP));
	return scratch->index_scores;
}

/* Of a page's keys, exactly, into the topk of each row from `first` on that sees the same page; returns how many. */
static size_t score_page(struct pass *pass, uint32_t layer, size_t page, size_t first, size_t end,
                         struct pass_scratch *scratch, struct topk *topk)
{
	const struct cache *cache = pass->rows[first].cache;
	uint32_t positions[CACHE_PAGE_TOKENS];
	bool side_by_side =
		pass->index_q_stride == (size_t)pass->shape->index_n_heads * pass->shape->index_head_dim;
	size_t n = 1;

	while (side_by_side && first + n < end && reaches(pass, first + n, page) &&
	       pass->rows[first + n].cache->page_ids[page] == cache->page_ids[page])
		n++;
	for (size_t i = 0; i < CACHE_PAGE_TOKENS; i++)
		positions[i] = (uint32_t)(page * CACHE_PAGE_TOKENS + i);
	pack_keys(pass, scratch, cache, layer, positions, CACHE_PAGE_TOKENS);
	multiply_keys(pass, scratch, first, n, CACHE_PAGE_TOKENS);
	for (size_t i = 0; i < n; i++)
		topk_push(&topk[i], weigh_keys(pass, scratch, first, i, CACHE_PAGE_TOKENS),
		          n_visible(&pass->rows[first + i], page), (uint32_t)(page * CACHE_PAGE_TOKENS));
	return n;
}

/* Rows [first, end) over a range of pages, exactly. */
static void scan_keys(struct pass *pass, uint32_t layer, size_t first, size_t end, struct page_range pages,
                      struct pass_scratch *scratch, struct topk *topk)
{
	for (size_t i = first; i < end; i++)
		topk_start(&topk[i - first], 0);
	for (size_t page = pages.first; page < pages.end; page++) {
		for (size_t i = first, n; i < end; i += n) {
			n = 1;
			if (reaches(pass, i, page))
				n = score_page(pass, layer, page, i, end, scratch, &topk[i - first]);
		}
	}
}

/* Round a row's query; by how much its scores may be off, not finite where codes tell nothing. */
static float code_query(struct pass *pass, uint32_t layer, size_t row, struct coded_query *query)
{
	const struct model_shape *shape = pass->shape;
	const struct pass_row *at = &pass->rows[row];
	struct code_bounds bounds = { 0 };

	for (size_t slab = 0; slab * CODE_TOKENS <= at->pos; slab++)
		code_bounds_add(&bounds, cache_index_codes(at->cache, layer, slab).bounds);
	return coded_query_set(query, pass->ops, pass->index_q + row * pass->index_q_stride,
	                       pass->index_w + row * pass->index_w_stride, shape->index_n_heads,
	                       shape->index_head_dim, &bounds);
}

/* Of the keys of a page, by their codes, into index_scores; returns how many the row sees. */
static size_t score_codes(struct pass *pass, uint32_t layer, size_t page, size_t row,
                          struct pass_scratch *scratch, const struct coded_query *query)
{
	size_t start = page * CACHE_PAGE_TOKENS, n = n_visible(&pass->rows[row], page);
	struct index_codes codes = cache_index_codes(pass->rows[row].cache, layer, start / CODE_TOKENS);

	start %= CODE_TOKENS;
	pass->ops->score_codes(scratch->index_scores, query, codes.codes + start * query->width,
	                       codes.scales + start, (n + PANEL - 1) / PANEL);
	return n;
}

/* Rows [first, end) over a range of pages, by their codes; a row whose codes tell nothing counts as overflowed. */
static void scan_codes(struct pass *pass, uint32_t layer, size_t first, size_t end, struct page_range pages,
                       struct pass_scratch *scratch, struct topk *topk)
{
	for (size_t i = first; i < end; i++) {
		float off = 0;

		if (needs_scores(pass, &pass->rows[i]))
			off = code_query(pass, layer, i, &scratch->coded[i - first]);
		topk_start(&topk[i - first], isfinite(2 * off) ? 2 * off : 0);
		topk[i - first].overflowed = !isfinite(2 * off);
	}
	for (size_t page = pages.first; page < pages.end; page++) {
		for (size_t i = first; i < end; i++) {
			size_t n;

			if (!reaches(pass, i, page) || topk[i - first].overflowed)
				continue;
			n = score_codes(pass, layer, page, i, scratch, &scratch->coded[i - first]);
			topk_push(&topk[i - first], scratch->index_scores, n,
			          (uint32_t)(page * CACHE_PAGE_TOKENS));
		}
	}
}

/* Keys that codes left lie anywhere: a group of them is on its way while the group before it is scored. */
static void ask_for_keys(const struct cache *cache, uint32_t layer, const uint32_t *positions, size_t n)
{
	struct key_view view = cache_key_view(cache, layer);

	for (size_t i = 0; cache->n_absent_keys == 0 && i < n; i++) {
		const uint8_t *key = key_at(&view, positions[i]);

		for (size_t byte = 0; byte < view.key_bytes; byte += 64)
			__builtin_prefetch(key + byte);
	}
}

static size_t at_most_a_page(size_t n)
{
	return n < CACHE_PAGE_TOKENS ? n : CACHE_PAGE_TOKENS;
}

/* The exact scores of n positions, from 1 to a page's. */
static const float *score_positions(struct pass *pass, uint32_t layer, size_t row, const uint32_t *positions,
                                    size_t n, struct pass_scratch *scratch)
{
	pack_keys(pass, scratch, pass->rows[row].cache, layer, positions, n);
	multiply_keys(pass, scratch, row, 1, n);
	return weigh_keys(pass, scratch, row, 0, n);
}

/* The exact scores of groups [first, end), of a page's number each, of one round's candidates. */
static void score_candidates(struct pass *pass, uint32_t layer, size_t row, const struct scored *found,
                             size_t n, struct page_range groups, struct pass_scratch *scratch)
{
	const struct cache *cache = pass->rows[row].cache;

	if (groups.first < groups.end)
		ask_for_keys(cache, layer, found->positions + groups.first * CACHE_PAGE_TOKENS,
		             at_most_a_page(n - groups.first * CACHE_PAGE_TOKENS));
	for (size_t group = groups.first; group < groups.end; group++) {
		size_t first = group * CACHE_PAGE_TOKENS, n_keys = at_most_a_page(n - first);

		ask_for_keys(cache, layer, found->positions + first + n_keys,
		             at_most_a_page(n - first - n_keys));
		memcpy(found->scores + first,
		       score_positions(pass, layer, row, found->positions + first, n_keys, scratch),
		       n_keys * sizeof(float));
	}
}

static size_t n_groups(size_t n)
{
	return (n + CACHE_PAGE_TOKENS - 1) / CACHE_PAGE_TOKENS;
}

/* The best of what codes left, by exact scores. */
static struct topk *choose_exactly(struct pass *pass, uint32_t layer, size_t row, struct topk *left,
                                   struct pass_scratch *scratch)
{
	struct candidates *candidates = &scratch->candidates;

	candidates_begin(candidates, left);
	for (int round = 0; round < CANDIDATE_ROUNDS; round++) {
		size_t n;

		if (round > 0)
			candidates_narrow(candidates, pass->ops, pass->shape->index_topk);
		n = candidates->n_found[round];
		score_candidates(pass, layer, row, &candidates->found[round], n,
		                 (struct page_range){ 0, n_groups(n) }, scratch);
	}
	topk_start(&scratch->chosen, 0);
	candidates_push(candidates, &scratch->chosen);
	return &scratch->chosen;
}

static struct page_range pages_of_row(const struct pass_row *row)
{
	return (struct page_range){ 0, row->pos / CACHE_PAGE_TOKENS + 1 };
}

/* Of a page's keys, those that codes, which are off by `off` at most, do not rule out; returns how many. */
static size_t find_open(struct pass *pass, uint32_t layer, size_t page, size_t row, float off,
                        struct pass_scratch *scratch, uint32_t open[CACHE_PAGE_TOKENS])
{
	float least = topk_floor(&scratch->chosen) - 2 * off;
	size_t n_keys = score_codes(pass, layer, page, row, scratch, &scratch->coded[0]), n = 0;

	for (size_t i = 0; i < n_keys; i++) {
		open[n] = (uint32_t)(page * CACHE_PAGE_TOKENS + i);
		n += scratch->index_scores[i] < least ? 0 : 1; /* NaN counts */
	}
	return n;
}

/* Where too many keys are alike for those that codes leave to be held: the best so far, by their exact scores, rule out
 * more and more of the rest. Slower, and bounded whatever the keys are. */
static void choose_in_steps(struct pass *pass, uint32_t layer, size_t row, float off,
                            struct pass_scratch *scratch)
{
	uint32_t open[CACHE_PAGE_TOKENS];

	topk_start(&scratch->chosen, 0);
	for (size_t page = 0; page < pages_of_row(&pass->rows[row]).end; page++) {
		size_t n = find_open(pass, layer, page, row, off, scratch, open);

		if (n > 0)
			topk_push_at(&scratch->chosen, score_positions(pass, layer, row, open, n, scratch), n,
			             open);
	}
}

/* Of a row whose scan has overflowed. */
static struct topk *choose_again(struct pass *pass, uint32_t layer, size_t row, struct topk *topk,
                                 struct pass_scratch *scratch)
{
	float off = pass->scans_codes ? code_query(pass, layer, row, &scratch->coded[0]) : INFINITY;

	if (!isfinite(2 * off)) {
		scan_keys(pass, layer, row, row + 1, pages_of_row(&pass->rows[row]), scratch, topk);
		return topk;
	}
	choose_in_steps(pass, layer, row, off, scratch);
	return &scratch->chosen;
}

/* The best of a row, to its selection. */
static void select_row(struct pass *pass, uint32_t layer, size_t i, struct topk *best)
{
	struct pass_row *row = &pass->rows[i];
	uint32_t *selected = pass->selected + i * pass->shape->index_topk;
	const uint32_t *positions;

	row->n_chosen = 0;
	if (needs_scores(pass, row)) {
		row->n_chosen = (uint32_t)topk_finish(best, &positions);
		memcpy(selected, positions, row->n_chosen * sizeof(*selected));
		if (pass->tamper != NULL)
			pass->tamper(pass->tamper_user, layer, row->pos, selected, row->n_chosen);
	}
	row->all = row->dense || row->n_chosen == 0;
	row->n_selected = row->all ? row->pos + 1 : row->n_chosen;
	if (row->observer->selected != NULL)
		row->observer->selected(row->observer->user, layer, row->pos, row->all ? NULL : selected,
		                        row->n_selected);
}

static size_t n_pages_of_block(const struct pass *pass, size_t block)
{
	size_t n = 0;

	for (size_t i = block * SELECT_ROWS; i < end_of_block(pass, block); i++) {
		size_t n_own = pages_of_row(&pass->rows[i]).end;

		if (needs_scores(pass, &pass->rows[i]) && n_own > n)
			n = n_own;
	}
	return n;
}

/* Whether the keys of a block's pages are looked at by their codes first. */
static bool codes_come_first(const struct pass *pass, size_t block)
{
	size_t times = pass->n_rows > PASS_FEW_ROWS ? EXACT_TIMES : EXACT_TIMES_FEW;

	return pass->scans_codes &&
	       n_pages_of_block(pass, block) * CACHE_PAGE_TOKENS > times * pass->shape->index_topk;
}

/* What the scan of all of a row's pages left in topk, to its selection. */
static void finish_row(struct pass *pass, uint32_t layer, size_t i, struct topk *topk,
                       struct pass_scratch *scratch)
{
	if (needs_scores(pass, &pass->rows[i])) {
		if (topk->overflowed)
			topk = choose_again(pass, layer, i, topk, scratch);
		else if (codes_come_first(pass, i / SELECT_ROWS))
			topk = choose_exactly(pass, layer, i, topk, scratch);
	}
	select_row(pass, layer, i, topk);
}

static void scan_block(const struct selection *selection, size_t block, struct page_range pages,
                       struct pass_scratch *scratch, struct topk *topk)
{
	struct pass *pass = selection->pass;

	(codes_come_first(pass, block) ? scan_codes : scan_keys)(
		pass, selection->layer, block * SELECT_ROWS, end_of_block(pass, block), pages, scratch, topk);
}

static void select_block(void *user, size_t item, unsigned thread)
{
	const struct selection *selection = user;
	struct pass *pass = selection->pass;
	struct pass_scratch *scratch = &pass->scratch[thread];

	scan_block(selection, item, (struct page_range){ 0, n_pages_of_block(pass, item) }, scratch,
	           scratch->topk);
	for (size_t i = item * SELECT_ROWS; i < end_of_block(pass, item); i++)
		finish_row(pass, selection->layer, i, &scratch->topk[i % SELECT_ROWS], scratch);
}

static void scan_part(void *user, size_t item, unsigned thread)
{
	const struct selection *selection = user;
	struct pass *pass = selection->pass;
	size_t part = item % selection->n_parts, block = item / selection->n_parts;
	size_t n_pages = n_pages_of_block(pass, block);
	struct topk *topk = pass->part_topk + item * SELECT_ROWS;

	scan_block(selection, block,
	           (struct page_range){ n_pages * part / selection->n_parts,
	                                n_pages * (part + 1) / selection->n_parts },
	           &pass->scratch[thread], topk);
	for (size_t i = 0; i < end_of_block(pass, block) - block * SELECT_ROWS; i++)
		topk_cut(&topk[i]); /* here the threads do it side by side */
}

static void merge_parts(void *user, size_t item, unsigned thread)
{
	const struct selection *selection = user;
	struct pass *pass = selection->pass;
	struct topk *whole = &pass->scratch[thread].topk[0];
	const struct topk *parts =
		pass->part_topk + item / SELECT_ROWS * selection->n_parts * SELECT_ROWS + item % SELECT_ROWS;

	topk_start(whole, parts->slack);
	for (size_t part = 0; part < selection->n_parts; part++)
		topk_merge(whole, parts + part * SELECT_ROWS);
	finish_row(pass, selection->layer, item, whole, &pass->scratch[thread]);
}

/* Few rows, once more: what codes left of each is scored exactly by all threads, and the best are chosen behind. */
static void merge_few(void *user, size_t row, unsigned thread)
{
	struct pass *pass = ((struct selection *)user)->pass;
	size_t n_parts = ((struct selection *)user)->n_parts;
	struct topk *whole = pass->part_topk + row;
	struct candidates *candidates = &pass->candidates[row];

	(void)thread;
	memset(candidates->n_found, 0, sizeof(candidates->n_found));
	if (!needs_scores(pass, &pass->rows[row]))
		return;
	for (size_t part = 1; part < n_parts; part++)
		topk_merge(whole, whole + part * SELECT_ROWS);
	if (!whole->overflowed)
		candidates_begin(candidates, whole);
}

static void narrow_few(void *user, size_t row, unsigned thread)
{
	struct pass *pass = ((struct selection *)user)->pass;

	(void)thread;
	if (pass->candidates[row].n_found[0] > 0)
		candidates_narrow(&pass->candidates[row], pass->ops, pass->shape->index_topk);
}

static void score_few(void *user, size_t item, unsigned thread)
{
	const struct selection *selection = user;
	struct pass *pass = selection->pass;
	size_t row = item / selection->n_parts, part = item % selection->n_parts;
	const struct candidates *candidates = &pass->candidates[row];
	size_t n = candidates->n_found[selection->round];
	struct page_range groups = { n_groups(n) * part / selection->n_parts,
		                     n_groups(n) * (part + 1) / selection->n_parts };

	score_candidates(pass, selection->layer, row, &candidates->found[selection->round], n, groups,
	                 &pass->scratch[thread]);
}

static void choose_few(void *user, size_t row, unsigned thread)
{
	const struct selection *selection = user;
	struct pass *pass = selection->pass;
	struct topk *best = &pass->scratch[thread].chosen;
	struct topk *whole = pass->part_topk + row;

	if (needs_scores(pass, &pass->rows[row]) && whole->overflowed) {
		best = choose_again(pass, selection->layer, row, whole, &pass->scratch[thread]);
	} else {
		topk_start(best, 0);
		candidates_push(&pass->candidates[row], best);
	}
	select_row(pass, selection->layer, row, best);
}

/* Few rows are not enough blocks for the threads: their pages are shared out as well, if they are many. */
static size_t choose_n_parts(const struct pass *pass, size_t n_blocks)
{
	size_t n_threads = pool_n_threads(pass->pool), n_pages = 0, n_parts;

	for (size_t i = 0; i < n_blocks; i++)
		n_pages += n_pages_of_block(pass, i);
	n_parts = n_pages / n_blocks / MIN_PART_PAGES;
	if (n_threads == 1 || n_blocks >= n_threads || n_parts < 2)
		return 1;
	return n_parts < PASS_PARTS(n_threads) / n_blocks ? n_parts : PASS_PARTS(n_threads) / n_blocks;
}

void indexer_select(struct pass *pass, uint32_t layer)
{
	struct selection selection = { .pass = pass,
		                       .layer = layer,
		                       .n_blocks = (pass->n_rows + SELECT_ROWS - 1) / SELECT_ROWS };

	selection.n_parts = choose_n_parts(pass, selection.n_blocks);
	if (selection.n_parts == 1) {
		pool_run(pass->pool, selection.n_blocks, select_block, &selection);
		return;
	}
	pool_run(pass->pool, selection.n_blocks * selection.n_parts, scan_part, &selection);
	if (pass->n_rows > PASS_FEW_ROWS || !codes_come_first(pass, 0)) {
		pool_run(pass->pool, pass->n_rows, merge_parts, &selection);
		return;
	}
	pool_run(pass->pool, pass->n_rows, merge_few, &selection);
	for (; selection.round < CANDIDATE_ROUNDS; selection.round++) {
		if (selection.round > 0)
			pool_run(pass->pool, pass->n_rows, narrow_few, &selection);
		pool_run(pass->pool, pass->n_rows * selection.n_parts, score_few, &selection);
	}
	pool_run(pass->pool, pass->n_rows, choose_few, &selection);
}
