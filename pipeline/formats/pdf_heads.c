#include "pipeline/formats/pdf_heads.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"

#define N_EDGE 6 /* parts from a page's beginning, or its end, among which its head and foot are */
#define MAX_LINES 2
#define MAX_BYTES 120 /* a paragraph that is repeated is none */
#define WINDOW 4 /* pages to each side: heads of chapters change, those of left and right pages differ */
#define MIN_REPEATS 3
#define NO_NUMBER (-1L)

/* A part that may be a head, by its words with all numbers alike. */
struct candidate {
	struct pdf_part *part;
	uint64_t hash;
	long number; /* all that it says; or NO_NUMBER */
};

struct candidates {
	struct candidate *items;
	size_t n, cap;
	size_t *first; /* [n_pages + 1] of each page */
};

/* FNV-1a over the words: each number is one sign, each run of white space another. */
static uint64_t hash_words(const char *text, size_t n)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	char last = '\0';

	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		c = isdigit((unsigned char)c) ? '#' : isspace((unsigned char)c) ? ' ' : c;
		if (c != last || (c != '#' && c != ' '))
			hash = (hash ^ (unsigned char)c) * UINT64_C(1099511628211);
		last = c;
	}
	return hash;
}

static long roman_digit(char c)
{
	switch (tolower((unsigned char)c)) {
	case 'i':
		return 1;
	case 'v':
		return 5;
	case 'x':
		return 10;
	case 'l':
		return 50;
	case 'c':
		return 100;
	default:
		return 0;
	}
}

static long roman_number(const char *text, size_t n)
{
	long sum = 0;

	for (size_t i = 0; i < n; i++) {
		long digit = roman_digit(text[i]), next = i + 1 < n ? roman_digit(text[i + 1]) : 0;

		if (digit == 0 || n > 9)
			return NO_NUMBER;
		sum += digit < next ? -digit : digit;
	}
	return sum > 0 ? sum : NO_NUMBER;
}

/* "12", "- 12 -", "[xii]". */
static long number_of(const char *text, size_t n)
{
	static const char SIGNS[] = " -[]()|.";
	long number = 0;
	size_t i;

	while (n > 0 && strchr(SIGNS, text[0]) != NULL && *text != '\0') {
		text++;
		n--;
	}
	while (n > 0 && text[n - 1] != '\0' && strchr(SIGNS, text[n - 1]) != NULL)
		n--;
	for (i = 0; i < n && i < 7 && isdigit((unsigned char)text[i]); i++)
		number = 10 * number + (text[i] - '0');
	return n == 0 ? NO_NUMBER : i == n ? number : i == 0 ? roman_number(text, n) : NO_NUMBER;
}

/* "Page 3 of 20" needs no other page to be told by. */
static bool counts_pages(const char *text, size_t n)
{
	size_t n_digits = 0;

	if (n > 40 || n < 6 || strncasecmp(text, "page ", 5) != 0)
		return false;
	for (size_t i = 5; i < n; i++) {
		if (isalpha((unsigned char)text[i]) && strncasecmp(text + i, "of ", 3) != 0 &&
		    strncasecmp(text + i - 1, "of ", 3) != 0)
			return false;
		n_digits += isdigit((unsigned char)text[i]) != 0;
	}
	return n_digits > 0;
}

static int add_candidate(struct candidates *list, const char *text, struct pdf_part *part)
{
	const char *words = text + part->start;
	size_t n = part->end - part->start;

	if (part->n_lines > MAX_LINES || n > MAX_BYTES)
		return 0;
	if (array_grow(&list->items, sizeof(*list->items), list->n, &list->cap) < 0)
		return -ENOMEM;
	part->aside = counts_pages(words, n);
	list->items[list->n++] = (struct candidate){ part, hash_words(words, n), number_of(words, n) };
	return 0;
}

/* Those at the edges of each page. */
static int collect(struct candidates *list, const char *text, struct pdf_part *parts, size_t n,
                   unsigned n_pages)
{
	size_t i = 0;
	int r = 0;

	for (unsigned page = 0; page < n_pages; page++) {
		size_t begin = i;

		list->first[page] = list->n;
		while (i < n && parts[i].page == page)
			i++;
		for (size_t k = begin; r == 0 && k < i; k++)
			if (k - begin < N_EDGE || i - k <= N_EDGE)
				r = add_candidate(list, text, &parts[k]);
	}
	list->first[n_pages] = list->n;
	return r;
}

/* The same words; a number that is all there is must have gone on with the pages. */
static bool is_like(const struct candidate *one, const struct candidate *other)
{
	if (one->number != NO_NUMBER)
		return other->number - one->number == (long)other->part->page - (long)one->part->page;
	return one->hash == other->hash && other->number == NO_NUMBER;
}

static bool is_on(const struct candidates *list, unsigned page, const struct candidate *one)
{
	for (size_t i = list->first[page]; i < list->first[page + 1]; i++)
		if (is_like(one, &list->items[i]))
			return true;
	return false;
}

/* On half of the pages around, and on three at least; a number on two, as no other is likely to go on so. */
static bool repeats(const struct candidates *list, unsigned n_pages, const struct candidate *one)
{
	unsigned page = one->part->page, first = page > WINDOW ? page - WINDOW : 0;
	unsigned last = page + WINDOW < n_pages ? page + WINDOW : n_pages - 1, n_found = 0;

	for (unsigned i = first; i <= last; i++)
		n_found += is_on(list, i, one);
	if (one->number != NO_NUMBER)
		return n_found >= 2;
	return n_found >= MIN_REPEATS && 2 * n_found + 1 >= last - first + 1;
}

int pdf_heads_find(const char *text, struct pdf_part *parts, size_t n, unsigned n_pages)
{
	struct candidates list = { .first = array_new(size_t, (size_t)n_pages + 1) };
	int r = list.first == NULL ? -ENOMEM : collect(&list, text, parts, n, n_pages);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		if (repeats(&list, n_pages, &list.items[i]))
			list.items[i].part->aside = true;
	free(list.items);
	free(list.first);
	return r;
}
