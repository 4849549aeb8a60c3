/* The words of a text, as far as two words mean the same: folded to lower case and cut to a stem. What centrality and
 * support compare. */
#ifndef SKIMD_PIPELINE_WORDS_H
#define SKIMD_PIPELINE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A word: letters and digits in a row, other bytes of UTF-8 counted as letters. */
struct word {
	uint64_t stem; /* a hash of the first WORD_STEM bytes, in lower case: "documents" is "document" */
	bool content; /* long enough, or a number or name: not "the", "of", "is", and not "red" either */
	size_t start, end; /* its bytes */
};
#define WORD_STEM 6

/* The next word of text[*at..n), *at moved behind it. False: none is left. */
bool word_next(const char *text, size_t n, size_t *at, struct word *ret);

/* Whether a list that ends in NULL has a word, whatever the case of its letters. */
bool word_is_among(const char *word, size_t n, const char *const *list);

/* Whether a word says nothing by itself: "the", "of", "which"; but not "red". */
bool word_is_function(const char *word, size_t n);

/* Whether a text has any other word. */
bool words_say_something(const char *text, size_t n);

/* The stems of all content words of a text, rising and each once; with `pairs` also those of two that follow each other
 * (word_pair()). *ret is the caller's, for free(). -ENOMEM. */
int words_of(const char *text, size_t n, bool pairs, uint64_t **ret, size_t *ret_n);

/* Two content words with none between them, as a stem of its own. */
uint64_t word_pair(uint64_t first, uint64_t second);

/* How much two rising lists have in common: twice what both hold over what they hold together, 0 to 1. */
double words_overlap(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b);

/* Order of two stems, for qsort(). */
int words_compare(const void *a, const void *b);

/* Whether a rising list of stems holds one. */
bool words_have(const uint64_t *stems, size_t n, uint64_t stem);

#endif
