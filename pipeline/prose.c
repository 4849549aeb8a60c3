#include "pipeline/prose.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/text.h"
#include "pipeline/sentence.h"
#include "pipeline/words.h"

/* Bytes that are no whole characters become question marks, control characters become blanks. */
static void make_printable(char *text)
{
	for (size_t i = 0, n = strlen(text); i < n;) {
		size_t length = 1;

		while (length <= 4 && i + length <= n && !text_is_utf8(text + i, length))
			length++;
		if (length > 4 || i + length > n) {
			text[i] = '?';
			length = 1;
		}
		if (text[i] != '\n' && text_control_length(text + i) > 0) /* a terminal would obey it */
			memset(text + i, ' ', length);
		i += length;
	}
}

static bool stands_before(const char *text, const struct sentence *sentences, size_t i)
{
	size_t n = sentences[i].end - sentences[i].start;

	for (size_t j = 0; j < i; j++) {
		if (sentences[j].end - sentences[j].start == n &&
		    memcmp(text + sentences[j].start, text + sentences[i].start, n) == 0)
			return true;
	}
	return false;
}

static bool ends_sentence(const char *text, struct sentence sentence)
{
	return strchr(".!?\"')", text[sentence.end - 1]) != NULL;
}

/* The sentences, each once, in one paragraph. A last one that length cut goes, unless it is all there is. */
static int join_sentences(const char *text, size_t n, bool cut, char **ret)
{
	struct sentence *sentences;
	struct buf joined = { 0 };
	size_t n_sentences;
	int r = sentence_find(text, 0, n, &sentences, &n_sentences);

	if (r < 0)
		return r;
	if (cut && n_sentences > 1 && !ends_sentence(text, sentences[n_sentences - 1]))
		n_sentences--;
	for (size_t i = 0; i < n_sentences; i++) {
		if (stands_before(text, sentences, i))
			continue;
		if (joined.n > 0)
			buf_puts(&joined, " ");
		buf_append(&joined, text + sentences[i].start, sentences[i].end - sentences[i].start);
	}
	free(sentences);
	*ret = buf_take(&joined);
	return *ret == NULL ? -ENOMEM : 0;
}

/* One blank where there are several. In place. */
static void collapse_blanks(char *text)
{
	char *to = text;

	for (const char *start = text; *text != '\0'; text++) {
		if (*text != ' ' || to == start || to[-1] != ' ')
			*to++ = *text;
	}
	*to = '\0';
}

int prose_clean(const char *text, bool cut, bool one_line, char **ret)
{
	char *copy = strdup(text), *start;
	size_t n;
	int r;

	if (copy == NULL)
		return -ENOMEM;
	make_printable(copy); /* first, as it leaves blanks that are to be trimmed */
	start = copy + strspn(copy, " \n#");
	n = one_line ? strcspn(start, "\n") : strlen(start);
	while (n > 0 && strchr(" \n", start[n - 1]) != NULL)
		n--;
	start[n] = '\0';
	if (one_line) {
		memmove(copy, start, n + 1);
		collapse_blanks(copy);
		*ret = copy;
		return 0;
	}
	r = join_sentences(start, n, cut, ret);
	free(copy);
	return r;
}

/* What generated words must have in common with the text to be kept. */
struct bar {
	double min_words; /* share of their content words */
	double min_pairs; /* share of their pairs of content words that follow each other */
	size_t min_distinct; /* content words that are not the same */
};

/* A small model that has nothing to say speaks of the document in fluent pairs that the text does not have. Measured,
 * such sentences are worse than an extract (bench/README.md). */
static const struct bar SENTENCE_BAR = { 0.75, 0.5, 5 };
static const struct bar TITLE_BAR = { 0.75, 0, 1 };

struct support {
	size_t n_words, n_pairs, words_found, pairs_found, n_distinct;
};

static int count_support(const char *text, size_t n, const struct prose_source *source, struct support *ret)
{
	uint64_t last = 0, *distinct;
	size_t at = 0;
	struct word word;

	*ret = (struct support){ 0 };
	if (words_of(text, n, false, &distinct, &ret->n_distinct) < 0)
		return -ENOMEM;
	free(distinct);
	while (word_next(text, n, &at, &word)) {
		if (!word.content)
			continue;
		ret->n_words++;
		ret->words_found += words_have(source->stems, source->n, word.stem);
		if (last != 0) {
			ret->n_pairs++;
			ret->pairs_found += words_have(source->stems, source->n, word_pair(last, word.stem));
		}
		last = word.stem;
	}
	return 0;
}

static bool reaches(const struct support *support, const struct bar *bar)
{
	return support->n_distinct >= bar->min_distinct &&
	       (double)support->words_found >= bar->min_words * (double)support->n_words &&
	       (double)support->pairs_found >= bar->min_pairs * (double)support->n_pairs;
}

static double share_of(const struct support *support)
{
	return support->n_words == 0 ? 0 : (double)support->words_found / (double)support->n_words;
}

static bool is_in_word(char byte)
{
	return isalnum((unsigned char)byte) != 0 || (unsigned char)byte >= 0x80;
}

/* Whether the source has it as a whole word, whatever the case of its letters. */
static bool has_word(const struct prose_source *source, const char *word, size_t n)
{
	for (size_t at = 0; at + n <= source->n_text; at++) {
		if (strncasecmp(source->text + at, word, n) == 0 &&
		    (at == 0 || !is_in_word(source->text[at - 1])) &&
		    (at + n == source->n_text || !is_in_word(source->text[at + n])))
			return true;
	}
	return false;
}

/* With a digit or a capital; what a sentence begins with has one in any case, and so has "I". */
static bool is_name(const char *word, size_t n, bool first)
{
	if (isdigit((unsigned char)word[0]) != 0)
		return true;
	for (size_t i = first ? 1 : 0; n > 1 && i < n; i++) {
		if (isdigit((unsigned char)word[i]) != 0 || isupper((unsigned char)word[i]) != 0)
			return true;
	}
	return false;
}

/* A small model spells a name as it likes, and is free with numbers: both say something that the text does not. */
static bool names_are_known(const char *text, size_t n, const struct prose_source *source)
{
	size_t at = 0;
	struct word word;

	for (bool first = true; word_next(text, n, &at, &word); first = false) {
		size_t length = word.end - word.start;

		if (is_name(text + word.start, length, first) && !has_word(source, text + word.start, length))
			return false;
	}
	return true;
}

static int is_supported(const char *text, size_t n, const struct prose_source *source, const struct bar *bar,
                        bool *ret, double *ret_share)
{
	struct support support;
	int r = count_support(text, n, source, &support);

	if (r < 0)
		return r;
	*ret = reaches(&support, bar) && names_are_known(text, n, source);
	*ret_share = share_of(&support);
	return 0;
}

int prose_is_supported(const char *sentence, size_t n, const struct prose_source *source, bool *ret,
                       double *ret_share)
{
	return is_supported(sentence, n, source, &SENTENCE_BAR, ret, ret_share);
}

int prose_title_is_supported(const char *title, const struct prose_source *source, bool *ret,
                             double *ret_share)
{
	return is_supported(title, strlen(title), source, &TITLE_BAR, ret, ret_share);
}
