#include "pipeline/formats/pdf_order.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define MIN_COLUMN 30 /* characters of a line that may have been filled up */
#define MAX_COLUMN 64 /* a line of more is no column's */
#define MIN_LINES 8
#define N_KEY 16 /* bytes that a line is known by; at its end a hyphen may have been taken away */

/* A line of a page: without blanks at its ends. */
struct page_line {
	const char *text;
	size_t n;
	uint64_t key;
	bool begins, ends; /* a part */
};

struct page_lines {
	struct page_line *items;
	size_t n, cap;
};

static bool is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\0';
}

static size_t count_characters(const char *text, size_t n)
{
	size_t n_characters = 0;

	for (size_t i = 0; i < n; i++)
		n_characters += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n_characters;
}

static size_t length_up_to(const char *text, size_t n, char c)
{
	const char *end = n == 0 ? NULL : memchr(text, c, n);

	return end == NULL ? n : (size_t)(end - text);
}

bool pdf_order_is_doubtful(const char *text, size_t n)
{
	size_t n_narrow = 0, n_wide = 0;

	for (size_t i = 0; i < n;) {
		size_t length = length_up_to(text + i, n - i, '\n');
		size_t width = count_characters(text + i, length);

		n_wide += width > MAX_COLUMN;
		n_narrow += width >= MIN_COLUMN && width <= MAX_COLUMN;
		i += length + 1;
	}
	return n_narrow >= MIN_LINES && n_narrow > 4 * n_wide;
}

static uint64_t key_of(const char *text, size_t n)
{
	uint64_t key = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < n && i < N_KEY; i++)
		key = (key ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
	return key;
}

static struct page_line trim(const char *text, size_t n)
{
	while (n > 0 && is_white(text[n - 1]))
		n--;
	for (; n > 0 && is_white(*text); n--)
		text++;
	return (struct page_line){ .text = text, .n = n, .key = key_of(text, n) };
}

/* The lines of a page that are not blank. */
static int split(const char *text, size_t n, struct page_lines *ret)
{
	bool begins = true;

	ret->n = 0;
	for (size_t i = 0; i < n;) {
		size_t length = length_up_to(text + i, n - i, '\n');
		struct page_line line = trim(text + i, length);

		i += length + 1;
		if (line.n == 0 && ret->n > 0)
			ret->items[ret->n - 1].ends = true;
		if (line.n > 0) {
			if (array_grow(&ret->items, sizeof(*ret->items), ret->n, &ret->cap) < 0)
				return -1;
			line.begins = begins;
			ret->items[ret->n++] = line;
		}
		begins = line.n == 0;
	}
	if (ret->n > 0)
		ret->items[ret->n - 1].ends = true;
	return 0;
}

static bool is_finished(const struct page_line *line)
{
	size_t n = line->n;

	while (n > 1 && strchr("\"')]", line->text[n - 1]) != NULL)
		n--;
	return strchr(".!?", line->text[n - 1]) != NULL;
}

/* It was filled up, as headings and items are not. */
static bool is_unfinished(const struct page_line *line)
{
	char last = line->text[line->n - 1];

	return (islower((unsigned char)last) || last == ',' || last == '-') &&
	       count_characters(line->text, line->n) >= MIN_COLUMN;
}

/* How often a line goes on as no sentence does: one that is not at its end with a capital, or one that is with a small
 * letter. */
static size_t count_breaks(const struct page_lines *lines)
{
	size_t n_breaks = 0;

	for (size_t i = 0; i + 1 < lines->n; i++) {
		const struct page_line *line = &lines->items[i];
		unsigned char next = (unsigned char)line[1].text[0];

		n_breaks += is_unfinished(line) ? isupper(next) != 0 : is_finished(line) && islower(next);
	}
	return n_breaks;
}

/* An order that is no order breaks every other line; a note at the foot of a column breaks one. */
static bool is_worse(const struct page_lines *raw, const struct page_lines *laid_out)
{
	return count_breaks(raw) > count_breaks(laid_out) + raw->n / 16;
}

/* Of other alphabets each byte counts. */
static bool is_letter(char c)
{
	return isalnum((unsigned char)c) != 0 || (unsigned char)c >= 0x80;
}

/* No letter has been lost or gained. Hyphens may: of words that were joined again. */
static bool has_same_letters(const struct page_lines *a, const struct page_lines *b)
{
	const struct page_lines *const sides[] = { a, b };
	size_t n[2] = { 0 };

	for (size_t side = 0; side < 2; side++)
		for (size_t i = 0; i < sides[side]->n; i++)
			for (size_t k = 0; k < sides[side]->items[i].n; k++)
				n[side] += is_letter(sides[side]->items[i].text[k]);
	return n[0] == n[1];
}

static int compare_keys(const void *a, const void *b)
{
	const struct page_line *left = a, *right = b;

	return (left->key > right->key) - (left->key < right->key);
}

/* Of lines that begin alike, only what is true of all of them is known. */
static void learn(struct page_lines *known)
{
	size_t n = 0;

	if (known->n > 0)
		qsort(known->items, known->n, sizeof(*known->items), compare_keys);
	for (size_t i = 0; i < known->n; i++) {
		if (n > 0 && known->items[n - 1].key == known->items[i].key) {
			known->items[n - 1].begins &= known->items[i].begins;
			known->items[n - 1].ends &= known->items[i].ends;
		} else {
			known->items[n++] = known->items[i];
		}
	}
	known->n = n;
}

/* The lines of raw, with what is known of those of the other page. */
static void put_raw(const struct page_lines *raw, const struct page_lines *known, struct buf *ret)
{
	for (size_t i = 0; i < raw->n; i++) {
		const struct page_line *line = &raw->items[i], *like = NULL;

		if (known->n > 0)
			like = bsearch(line, known->items, known->n, sizeof(*known->items), compare_keys);
		if (like != NULL && like->begins)
			buf_append(ret, "\n", 1);
		buf_append(ret, line->text, line->n);
		buf_puts(ret, like != NULL && like->ends ? "\n\n" : "\n");
	}
}

static void put_page(const char *laid_out, size_t n, const char *raw, size_t n_raw,
                     struct page_lines lines[2], struct buf *ret)
{
	if (split(laid_out, n, &lines[0]) < 0 || split(raw, n_raw, &lines[1]) < 0) {
		ret->failed = true;
		return;
	}
	if (lines[1].n == 0 || !has_same_letters(&lines[0], &lines[1]) || is_worse(&lines[1], &lines[0])) {
		buf_append(ret, laid_out, n);
		return;
	}
	learn(&lines[0]);
	put_raw(&lines[1], &lines[0], ret);
}

void pdf_order_mend(const char *laid_out, size_t n, const char *raw, size_t n_raw, struct buf *ret)
{
	struct page_lines lines[2] = { { 0 } };

	for (size_t i = 0, k = 0; i < n;) {
		size_t length = length_up_to(laid_out + i, n - i, '\f');
		size_t raw_length = k < n_raw ? length_up_to(raw + k, n_raw - k, '\f') : 0;

		put_page(laid_out + i, length, k < n_raw ? raw + k : "", raw_length, lines, ret);
		i += length;
		k += raw_length + 1;
		if (i < n)
			buf_append(ret, laid_out + i++, 1);
	}
	free(lines[0].items);
	free(lines[1].items);
}
