#include "pipeline/language.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define MAX_SAMPLE ((size_t)1 << 18) /* bytes that are looked at */
#define MIN_SHARE 0.14 /* of all words; English prose has 0.25 to 0.45, manuals less */

static bool is_function_word(const char *word, size_t n)
{
	static const char *const WORDS[] = { "a",    "an",   "and",  "are",  "as",   "at",   "be", "by",
		                             "can",  "for",  "from", "has",  "if",   "in",   "is", "it",
		                             "not",  "of",   "on",   "or",   "that", "the",  "to", "was",
		                             "when", "with", "will", "this", "you",  "which" };

	for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
		if (strlen(WORDS[i]) == n && strncasecmp(word, WORDS[i], n) == 0)
			return true;
	}
	return false;
}

static bool is_letter(char byte)
{
	return isalpha((unsigned char)byte) != 0 || (unsigned char)byte >= 0x80;
}

const char *language_of(const char *text, size_t n)
{
	size_t n_words = 0, n_function = 0;

	if (n > MAX_SAMPLE)
		n = MAX_SAMPLE;
	for (size_t i = 0; i < n;) {
		size_t start = i;

		while (i < n && is_letter(text[i]))
			i++;
		if (i > start) {
			n_words++;
			n_function += is_function_word(text + start, i - start);
		} else {
			i++;
		}
	}
	return n_words > 0 && (double)n_function >= MIN_SHARE * (double)n_words ? "en" : "und";
}

bool language_is_read(const char *language)
{
	return language == NULL || strcmp(language, "en") == 0;
}
