#include "bench/rouge.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/memory.h"

static uint64_t hash_of(const char *bytes, size_t n)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (uint64_t)tolower((unsigned char)bytes[i])) * 0x100000001b3u;
	return hash;
}

struct rouge_words rouge_words_of(const char *text, size_t n)
{
	struct rouge_words words = { memory_take(n + 1, sizeof(uint64_t)), 0 };

	for (size_t i = 0; i < n;) {
		size_t start = i;

		while (i < n && isascii(text[i]) && isalnum((unsigned char)text[i]))
			i++;
		if (i > start)
			words.items[words.n++] = hash_of(text + start, i - start);
		else
			i++;
	}
	return words;
}

void rouge_words_done(struct rouge_words *words)
{
	free(words->items);
	*words = (struct rouge_words){ 0 };
}

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

/* The text's runs of `length` words, sorted. */
static struct rouge_words grams_of(const struct rouge_words *words, size_t length)
{
	struct rouge_words grams = { memory_take(words->n + 1, sizeof(uint64_t)), 0 };

	for (size_t i = 0; i + length <= words->n; i++) {
		uint64_t gram = words->items[i];

		for (size_t j = 1; j < length; j++)
			gram = gram * 0x9e3779b97f4a7c15u + words->items[i + j];
		grams.items[grams.n++] = gram;
	}
	qsort(grams.items, grams.n, sizeof(*grams.items), compare);
	return grams;
}

static double f_measure(size_t n_shared, size_t n_text, size_t n_reference)
{
	return n_shared == 0 ? 0 : 200.0 * (double)n_shared / (double)(n_text + n_reference);
}

static double score_grams(const struct rouge_words *text, const struct rouge_words *reference, size_t length)
{
	struct rouge_words a = grams_of(text, length), b = grams_of(reference, length);
	size_t shared = 0;
	double score;

	for (size_t i = 0, j = 0; i < a.n && j < b.n;) {
		if (a.items[i] == b.items[j]) {
			shared++;
			i++;
			j++;
		} else if (a.items[i] < b.items[j]) {
			i++;
		} else {
			j++;
		}
	}
	score = f_measure(shared, a.n, b.n);
	rouge_words_done(&a);
	rouge_words_done(&b);
	return score;
}

/* The longest common subsequence, row by row. */
static double score_longest(const struct rouge_words *text, const struct rouge_words *reference)
{
	size_t *row = memory_take(reference->n + 1, sizeof(size_t)), longest;

	for (size_t i = 0; i < text->n; i++) {
		size_t diagonal = 0;

		for (size_t j = 0; j < reference->n; j++) {
			size_t above = row[j + 1];

			if (text->items[i] == reference->items[j])
				row[j + 1] = diagonal + 1;
			else if (row[j] > above)
				row[j + 1] = row[j];
			diagonal = above;
		}
	}
	longest = row[reference->n];
	free(row);
	return f_measure(longest, text->n, reference->n);
}

void rouge_score(const struct rouge_words *text, const char *const *references, size_t n, double *ret)
{
	memset(ret, 0, N_METRICS * sizeof(*ret));
	for (size_t i = 0; i < n; i++) {
		struct rouge_words reference = rouge_words_of(references[i], strlen(references[i]));
		const double scores[N_METRICS] = { score_grams(text, &reference, 1),
			                           score_grams(text, &reference, 2),
			                           score_longest(text, &reference) };

		for (size_t metric = 0; metric < N_METRICS; metric++) {
			if (scores[metric] > ret[metric])
				ret[metric] = scores[metric];
		}
		rouge_words_done(&reference);
	}
}

static bool is_article(const char *word, size_t n)
{
	return (n == 1 && word[0] == 'a') || (n == 2 && memcmp(word, "an", 2) == 0) ||
	       (n == 3 && memcmp(word, "the", 3) == 0);
}

/* SQuAD's words: those between blanks, when punctuation is gone. */
static struct rouge_words answer_words_of(const char *text)
{
	size_t length = strlen(text), n = 0;
	char *plain = memory_take(length + 1, 1);
	struct rouge_words words = { memory_take(length + 1, sizeof(uint64_t)), 0 };

	for (size_t i = 0; i < length; i++) {
		if (!isascii(text[i]) || !ispunct((unsigned char)text[i]))
			plain[n++] = (char)tolower((unsigned char)text[i]);
	}
	for (size_t i = 0; i < n;) {
		size_t start = i;

		while (i < n && !isspace((unsigned char)plain[i]))
			i++;
		if (i == start)
			i++;
		else if (!is_article(plain + start, i - start))
			words.items[words.n++] = hash_of(plain + start, i - start);
	}
	free(plain);
	return words;
}

double rouge_answer_f1(const char *text, const char *const *answers, size_t n)
{
	struct rouge_words words = answer_words_of(text);
	double best = 0;

	for (size_t i = 0; i < n; i++) {
		struct rouge_words answer = answer_words_of(answers[i]);
		double score = words.n == 0 && answer.n == 0 ? 100 : score_grams(&words, &answer, 1);

		if (score > best)
			best = score;
		rouge_words_done(&answer);
	}
	rouge_words_done(&words);
	return best;
}

bool rouge_answer_exact(const char *text, const char *const *answers, size_t n)
{
	struct rouge_words words = answer_words_of(text);
	bool exact = false;

	for (size_t i = 0; i < n; i++) {
		struct rouge_words answer = answer_words_of(answers[i]);

		exact = exact || (words.n == answer.n &&
		                  memcmp(words.items, answer.items, words.n * sizeof(*words.items)) == 0);
		rouge_words_done(&answer);
	}
	rouge_words_done(&words);
	return exact;
}
