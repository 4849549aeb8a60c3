#include "pipeline/words.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"

#define MIN_CONTENT 4 /* letters of a word that says something, if it is neither number nor name */

static bool in_word(char byte)
{
	return isalnum((unsigned char)byte) != 0 || (unsigned char)byte >= 0x80;
}

/* FNV-1a over the stem. */
static uint64_t stem_of(const char *word, size_t n)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n && i < WORD_STEM; i++)
		hash = (hash ^ (uint64_t)tolower((unsigned char)word[i])) * 0x100000001b3u;
	return hash;
}

bool word_is_among(const char *word, size_t n, const char *const *list)
{
	for (; *list != NULL; list++) {
		if (strlen(*list) == n && strncasecmp(word, *list, n) == 0)
			return true;
	}
	return false;
}

static const char *const LONG_FUNCTION_WORDS[] = {
	"about",  "also",   "been",  "between", "both",  "could", "does",      "each",  "every", "from",
	"have",   "having", "into",  "more",    "most",  "must",  "only",      "other", "over",  "same",
	"should", "some",   "such",  "than",    "that",  "their", "them",      "then",  "there", "these",
	"they",   "this",   "those", "upon",    "using", "very",  "were",      "what",  "when",  "where",
	"which",  "while",  "will",  "with",    "would", "your",  "following", NULL
};

/* Shorter than any content word. Not "no", "one", "may" and "us", which may be answers. */
static const char *const SHORT_FUNCTION_WORDS[] = {
	"a",  "an",  "and", "are", "as",  "at", "be",  "but", "by",  "can", "did", "do",  "for", "had", "has",
	"he", "her", "his", "how", "i",   "if", "in",  "is",  "it",  "its", "my",  "nor", "not", "of",  "off",
	"on", "or",  "our", "out", "she", "so", "the", "to",  "was", "we",  "who", "why", "you", NULL
};

bool word_is_function(const char *word, size_t n)
{
	return word_is_among(word, n, n >= MIN_CONTENT ? LONG_FUNCTION_WORDS : SHORT_FUNCTION_WORDS);
}

static bool says_something(const char *word, size_t n)
{
	if (word_is_among(word, n, LONG_FUNCTION_WORDS))
		return false;
	if (n >= MIN_CONTENT || isdigit((unsigned char)word[0]) != 0)
		return true;
	return n >= 2 && isupper((unsigned char)word[0]) != 0 && isupper((unsigned char)word[1]) != 0;
}

/* A plural's s is no part of a short word's stem. */
static size_t without_plural(const char *word, size_t n)
{
	return n > 3 && n <= WORD_STEM && word[n - 1] == 's' && word[n - 2] != 's' ? n - 1 : n;
}

bool word_next(const char *text, size_t n, size_t *at, struct word *ret)
{
	size_t start;

	while (*at < n && !in_word(text[*at]))
		(*at)++;
	start = *at;
	while (*at < n && in_word(text[*at]))
		(*at)++;
	if (*at == start)
		return false;
	ret->content = says_something(text + start, *at - start);
	ret->start = start;
	ret->end = *at;
	ret->stem = stem_of(text + start, without_plural(text + start, *at - start));
	return true;
}

bool words_say_something(const char *text, size_t n)
{
	size_t at = 0;
	struct word word;

	while (word_next(text, n, &at, &word)) {
		if (!word_is_function(text + word.start, word.end - word.start))
			return true;
	}
	return false;
}

int words_compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

uint64_t word_pair(uint64_t first, uint64_t second)
{
	return (first ^ second >> 7) * 0x9e3779b97f4a7c15u + second;
}

struct stems {
	uint64_t *items;
	size_t n, cap;
};

static int add_stem(struct stems *stems, uint64_t stem)
{
	if (array_grow(&stems->items, sizeof(*stems->items), stems->n, &stems->cap) < 0)
		return -ENOMEM;
	stems->items[stems->n++] = stem;
	return 0;
}

static void sort_stems(struct stems *stems)
{
	size_t n = 0;

	if (stems->n > 0)
		qsort(stems->items, stems->n, sizeof(*stems->items), words_compare);
	for (size_t i = 0; i < stems->n; i++) {
		if (i == 0 || stems->items[i] != stems->items[i - 1])
			stems->items[n++] = stems->items[i];
	}
	stems->n = n;
}

int words_of(const char *text, size_t n, bool pairs, uint64_t **ret, size_t *ret_n)
{
	struct stems stems = { 0 };
	uint64_t last = 0;
	size_t at = 0;
	struct word word;

	while (word_next(text, n, &at, &word)) {
		if (!word.content)
			continue;
		if (add_stem(&stems, word.stem) < 0 ||
		    (pairs && last != 0 && add_stem(&stems, word_pair(last, word.stem)) < 0)) {
			free(stems.items);
			return -ENOMEM;
		}
		last = word.stem;
	}
	sort_stems(&stems);
	*ret = stems.items;
	*ret_n = stems.n;
	return 0;
}

bool words_have(const uint64_t *stems, size_t n, uint64_t stem)
{
	return n > 0 && bsearch(&stem, stems, n, sizeof(stem), words_compare) != NULL;
}

double words_overlap(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b)
{
	size_t shared = 0;

	for (size_t i = 0, j = 0; i < n_a && j < n_b;) {
		if (a[i] == b[j]) {
			shared++;
			i++;
			j++;
		} else if (a[i] < b[j]) {
			i++;
		} else {
			j++;
		}
	}
	return n_a + n_b == 0 ? 0 : 2 * (double)shared / (double)(n_a + n_b);
}
