#include "pipeline/chunk.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/array.h"
#include "pipeline/sentence.h"

#define LEAST_MAX_BYTES 16
#define N_HASHED 64 /* bytes behind a boundary that rank it among its equals */
#define N_HEADING_LEVELS 6
#define SPARSE 15 /* of the places within a long word, about one in 16 is a boundary */

enum strength { ANYWHERE, WORD, SENTENCE, LINE, PARAGRAPH, HEADING };

struct boundary {
	size_t at;
	uint64_t rank; /* strength, then hash */
};

/* The boundaries in order, and over them a tree of the highest ranks: best[n + i] is i, and best[k] the
 * better of best[2k] and best[2k + 1]. */
struct boundaries {
	const char *text;
	size_t n_text;
	size_t max_gap; /* only in gaps longer than this are weaker boundaries ever looked at */
	struct boundary *items;
	size_t n, cap;
	size_t *best;
};

static bool is_space(char c)
{
	return isspace((unsigned char)c) != 0;
}

static bool is_inside_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* FNV-1a with its bits mixed at the end. Chunks are looked for again by later builds: never change it. */
static uint64_t hash_after(const struct boundaries *all, size_t at)
{
	size_t end = all->n_text - at < N_HASHED ? all->n_text : at + N_HASHED;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = at; i < end; i++)
		hash = (hash ^ (unsigned char)all->text[i]) * UINT64_C(0x100000001b3);
	hash ^= hash >> 32;
	hash *= UINT64_C(0xd6e8feb86659fd93);
	return hash ^ hash >> 32;
}

static int add(struct boundaries *all, size_t at, unsigned strength, uint64_t hash)
{
	if (array_grow(&all->items, sizeof(*all->items), all->n, &all->cap) < 0)
		return -ENOMEM;
	all->items[all->n++] = (struct boundary){ at, (uint64_t)strength << 56 | hash >> 8 };
	return 0;
}

static int add_anywhere(struct boundaries *all, size_t start, size_t end)
{
	uint64_t last = 0;
	int r = 0;

	for (size_t i = start + 1; r == 0 && end - start > all->max_gap && i < end; i++) {
		uint64_t hash;

		if (is_inside_character(all->text[i]))
			continue;
		hash = hash_after(all, i);
		/* A text of one letter would have a boundary everywhere, and none better than another. */
		if ((hash & SPARSE) == 0 && hash != last)
			r = add(all, i, ANYWHERE, hash);
		last = hash;
	}
	return r;
}

static int add_words(struct boundaries *all, size_t start, size_t end)
{
	size_t last = start;
	int r = 0;

	for (size_t i = start + 1; r == 0 && end - start > all->max_gap && i < end; i++) {
		if (is_space(all->text[i]) || !is_space(all->text[i - 1]))
			continue;
		if ((r = add_anywhere(all, last, i)) == 0)
			r = add(all, i, WORD, hash_after(all, i));
		last = i;
	}
	return r < 0 ? r : add_anywhere(all, last, end);
}

static int add_sentences(struct boundaries *all, size_t start, size_t end)
{
	struct sentence *sentences;
	size_t n, last = start;
	int r;

	if (end - start <= all->max_gap)
		return 0;
	if ((r = sentence_find(all->text, start, end, &sentences, &n)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (sentences[i].start == start)
			continue;
		if ((r = add_words(all, last, sentences[i].start)) == 0)
			r = add(all, sentences[i].start, SENTENCE, hash_after(all, sentences[i].start));
		last = sentences[i].start;
	}
	free(sentences);
	return r < 0 ? r : add_words(all, last, end);
}

static unsigned heading_strength(const struct heading *heading)
{
	unsigned level = heading->level < N_HEADING_LEVELS ? heading->level : N_HEADING_LEVELS;

	return HEADING + N_HEADING_LEVELS - level;
}

/* How strong the boundary in front of the line at `at` is, where n_passed headings start further to the
 * front. Text stays with the heading over it, and what a colon announces with the colon where there is a
 * choice. */
static unsigned line_strength(const struct boundaries *all, const struct view *view, size_t n_passed,
                              size_t at)
{
	size_t last = at;

	if (n_passed < view->n_headings && view->headings[n_passed].start == at)
		return heading_strength(&view->headings[n_passed]);
	while (last > 0 && is_space(all->text[last - 1]))
		last--;
	if (n_passed > 0 && view->headings[n_passed - 1].end >= last)
		return SENTENCE;
	return at >= 2 && all->text[at - 2] == '\n' && last > 0 && all->text[last - 1] != ':' ? PARAGRAPH
	                                                                                      : LINE;
}

static int find_boundaries(struct boundaries *all, const struct view *view)
{
	size_t last = 0, n_passed = 0;
	int r;

	for (size_t at = 1; at < all->n_text; at++) {
		if (all->text[at - 1] != '\n' || all->text[at] == '\n')
			continue;
		while (n_passed < view->n_headings && view->headings[n_passed].start < at)
			n_passed++;
		if ((r = add_sentences(all, last, at)) < 0 ||
		    (r = add(all, at, line_strength(all, view, n_passed, at), hash_after(all, at))) < 0)
			return r;
		last = at;
	}
	return add_sentences(all, last, all->n_text);
}

/* The higher rank; of equals the one further to the front. */
static size_t better(const struct boundaries *all, size_t a, size_t b)
{
	const struct boundary *items = all->items;

	if (items[a].rank != items[b].rank)
		return items[a].rank > items[b].rank ? a : b;
	return a < b ? a : b;
}

static int build_tree(struct boundaries *all)
{
	all->best = array_new(size_t, all->n, 2);
	if (all->best == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < all->n; i++)
		all->best[all->n + i] = i;
	for (size_t k = all->n; k-- > 1;)
		all->best[k] = better(all, all->best[2 * k], all->best[2 * k + 1]);
	return 0;
}

/* The first boundary at or behind a place. */
static size_t first_from(const struct boundaries *all, size_t at)
{
	size_t low = 0, high = all->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (all->items[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Where nothing tells one place from another: the middle. */
static size_t middle_of(const struct boundaries *all, size_t from, size_t to)
{
	size_t middle = from + (to - from) / 2, steps = 0;

	while (steps < 3 && is_inside_character(all->text[middle - steps]))
		steps++;
	return is_inside_character(all->text[middle - steps]) ? middle : middle - steps;
}

/* The strongest boundary from one place to another, both included. */
static size_t strongest(const struct boundaries *all, size_t from, size_t to)
{
	size_t low = first_from(all, from), high = first_from(all, to + 1), best = low;

	if (low == high)
		return middle_of(all, from, to);
	for (low += all->n, high += all->n; low < high; low /= 2, high /= 2) {
		if (low % 2 == 1)
			best = better(all, best, all->best[low++]);
		if (high % 2 == 1)
			best = better(all, best, all->best[--high]);
	}
	return all->items[best].at;
}

/* Segments not yet cut wait on a stack, the foremost on top, so that chunks come out in order. */
static int cut(const struct boundaries *all, const struct chunk_limits *limits, struct chunk **ret,
               size_t *ret_n)
{
	struct chunk *chunks = NULL, *waiting = NULL, segment = { 0, all->n_text };
	size_t n = 0, cap = 0, n_waiting = 0, waiting_cap = 0, at;

	for (;;) {
		if (segment.end - segment.start > limits->max_bytes) {
			if (array_grow(&waiting, sizeof(*waiting), n_waiting, &waiting_cap) < 0)
				goto fail;
			at = strongest(all, segment.start + limits->min_bytes,
			               segment.end - limits->min_bytes);
			waiting[n_waiting++] = (struct chunk){ at, segment.end };
			segment.end = at;
			continue;
		}
		if (array_grow(&chunks, sizeof(*chunks), n, &cap) < 0)
			goto fail;
		chunks[n++] = segment;
		if (n_waiting == 0)
			break;
		segment = waiting[--n_waiting];
	}
	free(waiting);
	*ret = chunks;
	*ret_n = n;
	return 0;
fail:
	free(chunks);
	free(waiting);
	return -ENOMEM;
}

static int complete(const struct chunk_limits *limits, struct chunk_limits *ret, struct err *err)
{
	*ret = limits != NULL ? *limits : (struct chunk_limits){ 0 };
	if (ret->max_bytes == 0)
		ret->max_bytes = CHUNK_MAX_BYTES;
	if (ret->min_bytes == 0)
		ret->min_bytes = ret->max_bytes / 10 * 3;
	if (ret->max_bytes < LEAST_MAX_BYTES || ret->min_bytes > ret->max_bytes / 2)
		return err_set(err, -EINVAL, "chunks of %zu to %zu bytes cannot be cut", ret->min_bytes,
		               ret->max_bytes);
	return 0;
}

int chunk_make(const struct view *view, const struct chunk_limits *limits, struct chunk **ret, size_t *ret_n,
               struct err *err)
{
	struct boundaries all = { .text = view->text, .n_text = view->n };
	struct chunk_limits complete_limits;
	int r = complete(limits, &complete_limits, err);

	if (r < 0)
		return r;
	if (view->n == 0) {
		*ret = NULL;
		*ret_n = 0;
		return 0;
	}
	all.max_gap = complete_limits.max_bytes - 2 * complete_limits.min_bytes;
	if ((r = find_boundaries(&all, view)) < 0 || (r = build_tree(&all)) < 0 ||
	    (r = cut(&all, &complete_limits, ret, ret_n)) < 0)
		err_set(err, r, "no memory for the chunks of %zu bytes", view->n);
	free(all.items);
	free(all.best);
	return r;
}
