#include "pipeline/sentence.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "pipeline/words.h"

#define MIN_WORDS 5
#define MAX_NAME_WORDS 4 /* that "is" may be away from a name */
#define MAX_WORDS 60
#define MAX_ABBREVIATION 12

static bool is_space(char c)
{
	return isspace((unsigned char)c) != 0;
}

/* The bytes of the sign at text[i] if it is among the strings of a list; 0: it is not. */
static size_t sign_length(const char *text, size_t i, size_t end, const char *const *signs)
{
	for (; *signs != NULL; signs++) {
		size_t n = strlen(*signs);

		if (end - i >= n && memcmp(text + i, *signs, n) == 0)
			return n;
	}
	return 0;
}

static const char *const END_MARKS[] = { ".", "!", "?", "…", NULL };
static const char *const CLOSERS[] = { "\"", "'", ")", "]", "”", "’", "»", "*", "_", "`", NULL };
static const char *const OPENERS[] = { "\"", "'", "(", "[", "“", "‘", "«", "*", "_", "`", NULL };

static size_t skip_signs(const char *text, size_t i, size_t end, const char *const *signs)
{
	size_t n;

	while (i < end && (n = sign_length(text, i, end, signs)) > 0)
		i += n;
	return i;
}

/* Words whose full stop is their own. Those in the first list are never a sentence's last word; those in
 * the second may be, and then the next word decides. */
static const char *const TITLES[] = { "Dr",  "Mr",     "Mrs", "Ms",     "Prof", "Rev", "Hon", "Gen",
	                              "Col", "Capt",   "Lt",  "Sgt",    "Gov",  "Sen", "Rep", "St",
	                              "Mt",  "Messrs", "e.g", "eg",     "i.e",  "ie",  "vs",  "cf",
	                              "viz", "al",     "ca",  "approx", "resp", NULL };
static const char *const COUNTED[] = { "No",  "Nos", "Fig", "Figs", "Sec",  "Sect", "Ch",   "Chap", "Vol",
	                               "pp",  "p",   "Eq",  "Eqs",  "Art",  "Ref",  "Refs", "Tab",  "App",
	                               "par", "ver", "Op",  "Ed",   "eds",  "Jan",  "Feb",  "Mar",  "Apr",
	                               "Jun", "Jul", "Aug", "Sep",  "Sept", "Oct",  "Nov",  "Dec",  NULL };
static const char *const OPEN_ENDED[] = { "etc",  "Inc", "Ltd",  "Corp", "Co",   "Jr",  "Sr",   "a.m",
	                                  "p.m",  "U.S", "U.K",  "Ph.D", "U.N",  "D.C", "Bros", "Assn",
	                                  "Dept", "est", "incl", "esp",  "misc", NULL };

/* The word in front of text[i], where a full stop stands; its start. */
static size_t word_before(const char *text, size_t start, size_t i)
{
	size_t from = i;

	while (from > start && i - from <= MAX_ABBREVIATION &&
	       (isalnum((unsigned char)text[from - 1]) || text[from - 1] == '.' ||
	        (text[from - 1] & 0x80) != 0))
		from--;
	return from;
}

/* Whether the full stop at text[i] belongs to its word; next: where the text goes on behind it. */
static bool is_abbreviation(const char *text, size_t start, size_t i, size_t next)
{
	size_t from = word_before(text, start, i), n = i - from;
	const char *word = text + from;
	bool line_start = from == start || text[from - 1] == '\n';

	if (n == 0)
		return false;
	if (word_is_among(word, n, TITLES))
		return true;
	if (word_is_among(word, n, COUNTED))
		return isdigit((unsigned char)text[next]) ||
		       (strchr("IVX", text[next]) != NULL && !islower((unsigned char)text[next + 1]));
	if (word_is_among(word, n, OPEN_ENDED))
		return islower((unsigned char)text[next]);
	/* An initial; "I" and a lone letter at the end of "plan B." are taken for one too, rather than to
	 * split a name. */
	if (n == 1 && isupper((unsigned char)*word))
		return *word != 'I' || line_start;
	if (n == 3 && word[1] == '.' && isupper((unsigned char)word[0]) && isupper((unsigned char)word[2]))
		return true;
	/* "1." at a line's start numbers what follows. */
	return line_start && n <= 3 && isdigit((unsigned char)*word);
}

static bool starts_sentence(const char *text, size_t i, size_t end)
{
	size_t word = skip_signs(text, i, end, OPENERS);

	if (word == end)
		return word > i;
	return !islower((unsigned char)text[word]) && strchr(".,;:!?)]", text[word]) == NULL;
}

/* The end of the sentence whose mark stands at text[i], closing quotes included; 0: it goes on. */
static size_t end_at_mark(const char *text, size_t start, size_t end, size_t i)
{
	bool full_stop = text[i] == '.', dots;
	size_t after = skip_signs(text, i, end, END_MARKS), closed = skip_signs(text, after, end, CLOSERS),
	       next = closed;

	dots = after > i + 1 && (full_stop || (text[i] & 0x80) != 0);
	while (next < end && is_space(text[next]) && text[next] != '\n')
		next++;
	if (next == end || text[next] == '\n')
		return closed;
	if (next == closed || !starts_sentence(text, next, end))
		return 0;
	/* Dots with a blank in front stand for words left out. */
	if (dots && i > start && is_space(text[i - 1]))
		return 0;
	if (full_stop && !dots && is_abbreviation(text, start, i, next))
		return 0;
	return closed;
}

/* The end of the sentence that starts at text[start]. */
static size_t find_end(const char *text, size_t start, size_t end)
{
	size_t i = start, last = start;

	while (i < end && text[i] != '\n') {
		size_t n = sign_length(text, i, end, END_MARKS),
		       stop = n > 0 ? end_at_mark(text, start, end, i) : 0;

		if (stop > 0)
			return stop;
		/* Marks in a row are one. */
		i = n > 0 ? skip_signs(text, i, end, END_MARKS) : i + 1;
		if (!is_space(text[i - 1]))
			last = i;
	}
	return last;
}

int sentence_find(const char *text, size_t start, size_t end, struct sentence **ret, size_t *ret_n)
{
	struct sentence *sentences = NULL;
	size_t n = 0, cap = 0, i = start;

	for (;;) {
		while (i < end && is_space(text[i]))
			i++;
		if (i == end)
			break;
		if (array_grow(&sentences, sizeof(*sentences), n, &cap) < 0) {
			free(sentences);
			return -ENOMEM;
		}
		sentences[n].start = i;
		sentences[n].end = i = find_end(text, i, end);
		n++;
	}
	*ret = sentences;
	*ret_n = n;
	return 0;
}

static bool ends_well(const char *text, struct sentence sentence)
{
	size_t i = sentence.end, n;

	for (n = 1; n > 0 && i > sentence.start;) {
		n = 0;
		for (const char *const *sign = CLOSERS; *sign != NULL && n == 0; sign++)
			if (i - sentence.start > strlen(*sign) &&
			    memcmp(text + i - strlen(*sign), *sign, strlen(*sign)) == 0)
				n = strlen(*sign);
		i -= n;
	}
	return i > sentence.start && strchr(".!?", text[i - 1]) != NULL;
}

/* The first byte behind quotes; 0: there is none. */
static unsigned char first_byte(const char *text, struct sentence sentence)
{
	static const char *const quotes[] = { "\"", "'", "“", "‘", NULL };
	size_t i = skip_signs(text, sentence.start, sentence.end, quotes);

	return i < sentence.end ? (unsigned char)text[i] : 0;
}

static bool starts_well(const char *text, struct sentence sentence)
{
	unsigned char first = first_byte(text, sentence);

	return isalnum(first) || first >= 0x80;
}

bool sentence_starts_large(const char *text, struct sentence sentence)
{
	unsigned char first = first_byte(text, sentence);

	return isupper(first) || first >= 0x80;
}

bool sentence_worth_quoting(const char *text, struct sentence sentence)
{
	size_t n_words = 0, n_letters = 0, n_capitals = 0, n_signs = 0, n_brackets = 0;

	for (size_t i = sentence.start; i < sentence.end; i++) {
		if (text[i] == '\n')
			return false;
		if (is_space(text[i]))
			continue;
		n_words += i == sentence.start || is_space(text[i - 1]);
		n_signs++;
		n_letters += isalpha((unsigned char)text[i]) || (text[i] & 0x80) != 0;
		n_capitals += isupper((unsigned char)text[i]) != 0;
		n_brackets += strchr("[]{}<>|", text[i]) != NULL;
	}
	return n_words >= MIN_WORDS && n_words <= MAX_WORDS && n_letters * 10 >= n_signs * 7 &&
	       n_brackets * 15 <= n_signs && n_capitals * 2 <= n_letters && starts_well(text, sentence) &&
	       ends_well(text, sentence);
}

/* What a text may call itself. */
static const char *const TEXTS[] = { "article",  "book",  "chapter", "document", "file",          "guide",
	                             "handbook", "howto", "license", "manual",   "memo",          "page",
	                             "paper",    "part",  "report",  "section",  "specification", "standard",
	                             "study",    "text",  "topic",   "tutorial", "work",          NULL };

static bool next_is_among(const char *sentence, size_t n, size_t *at, const char *const *list)
{
	struct word word;

	return word_next(sentence, n, at, &word) &&
	       word_is_among(sentence + word.start, word.end - word.start, list);
}

/* "For example" */
static bool is_example(const char *sentence, size_t n)
{
	static const char *const FOR[] = { "for", NULL }, *const EXAMPLE[] = { "example", "instance", NULL };
	size_t at = 0;

	return next_is_among(sentence, n, &at, FOR) && next_is_among(sentence, n, &at, EXAMPLE);
}

/* A string, or the rest of a sentence. */
static bool is_piece(const char *sentence, size_t n, const struct word *first)
{
	return isdigit((unsigned char)sentence[0]) != 0 || (sentence[0] == '"' && sentence[n - 1] == '"') ||
	       (islower((unsigned char)sentence[0]) != 0 &&
	        word_is_function(sentence + first->start, first->end - first->start));
}

bool sentence_stands_alone(const char *sentence, size_t n)
{
	static const char *const POINTERS[] = { "also", "and",   "but",   "he",   "his",  "however", "it",
		                                "its",  "note",  "she",   "so",   "such", "that",    "their",
		                                "then", "there", "these", "they", "this", "those",   NULL };
	static const char *const THIS[] = { "this", NULL };
	size_t first = 0, at = 0;
	struct word word;

	if (!word_next(sentence, n, &first, &word) || is_piece(sentence, n, &word) || is_example(sentence, n))
		return false;
	return !word_is_among(sentence + word.start, word.end - word.start, POINTERS) ||
	       (next_is_among(sentence, n, &at, THIS) && next_is_among(sentence, n, &at, TEXTS));
}

static bool is_adverb(const char *word, size_t n)
{
	static const char *const ADVERBS[] = { "also", "first", "further", "then", NULL };

	return word_is_among(word, n, ADVERBS) || (n > 2 && memcmp(word + n - 2, "ly", 2) == 0);
}

/* What authors do, behind "we" and one adverb at most. */
static bool does_something(const char *sentence, size_t n, size_t at)
{
	static const char *const DEEDS[] = {
		"address",     "analyse", "analyze",  "apply",   "argue",     "build",     "consider",
		"demonstrate", "derive",  "describe", "design",  "develop",   "establish", "evaluate",
		"examine",     "explore", "extend",   "find",    "formulate", "give",      "introduce",
		"investigate", "learn",   "offer",    "present", "propose",   "prove",     "provide",
		"report",      "show",    "study",    "suggest", "train",     "use",       NULL
	};
	size_t behind = at;
	struct word word;

	if (word_next(sentence, n, &behind, &word) && is_adverb(sentence + word.start, word.end - word.start))
		at = behind;
	return next_is_among(sentence, n, &at, DEEDS);
}

bool sentence_announces(const char *sentence, size_t n)
{
	static const char *const WE[] = { "i", "we", NULL }, *const OUR[] = { "our", "this", NULL };
	size_t at = 0;
	struct word word;

	while (word_next(sentence, n, &at, &word)) {
		const char *start = sentence + word.start;
		size_t length = word.end - word.start, behind = at;

		if ((word_is_among(start, length, WE) && does_something(sentence, n, at)) ||
		    (word_is_among(start, length, OUR) && next_is_among(sentence, n, &behind, TEXTS)))
			return true;
	}
	return false;
}

/* The next word that is no article. */
static bool next_noun(const char *text, size_t n, size_t *at, struct word *ret)
{
	static const char *const ARTICLES[] = { "a", "an", "the", NULL };

	while (word_next(text, n, at, ret)) {
		if (!word_is_among(text + ret->start, ret->end - ret->start, ARTICLES))
			return true;
	}
	return false;
}

bool sentence_defines(const char *sentence, size_t n, const char *title)
{
	static const char *const IS[] = { "is", "are", NULL }, *const A[] = { "a", "an", "the", "one", NULL };
	size_t at = 0, title_at = 0;
	struct word word, name;

	if (!next_noun(title, strlen(title), &title_at, &name) || !next_noun(sentence, n, &at, &word) ||
	    word_is_function(title + name.start, name.end - name.start) ||
	    word.end - word.start != name.end - name.start ||
	    strncasecmp(sentence + word.start, title + name.start, word.end - word.start) != 0)
		return false;
	for (size_t i = 0; i < MAX_NAME_WORDS && word_next(sentence, n, &at, &word); i++) {
		if (word_is_among(sentence + word.start, word.end - word.start, IS))
			return next_is_among(sentence, n, &at, A);
	}
	return false;
}
