#include "bench/baselines.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bootstrap.h"
#include "bench/memory.h"
#include "pipeline/sentence.h"

#define MIN_WORDS 4
#define K1 1.2
#define B 0.75
#define DAMPING 0.85
#define ROUNDS 50 /* of the power method; it settles long before */

const char *const BASELINE_NAMES[N_BASELINES] = { "lead", "lexrank", "bm25", "random" };

void sentences_of(struct sentences *ret, const char *text)
{
	struct sentence *found;
	size_t n;

	*ret = (struct sentences){ .text = text };
	if (sentence_find(text, 0, strlen(text), &found, &n) < 0)
		abort();
	ret->starts = memory_take(n + 1, sizeof(*ret->starts));
	ret->ends = memory_take(n + 1, sizeof(*ret->ends));
	ret->words = memory_take(n + 1, sizeof(*ret->words));
	for (size_t i = 0; i < n; i++) {
		struct rouge_words words =
			rouge_words_of(text + found[i].start, found[i].end - found[i].start);

		if (words.n < MIN_WORDS) {
			rouge_words_done(&words);
			continue;
		}
		ret->starts[ret->n] = found[i].start;
		ret->ends[ret->n] = found[i].end;
		ret->words[ret->n++] = words;
	}
	free(found);
}

void sentences_done(struct sentences *sentences)
{
	for (size_t i = 0; i < sentences->n; i++)
		rouge_words_done(&sentences->words[i]);
	free(sentences->words);
	free(sentences->starts);
	free(sentences->ends);
}

/* A word, the sentence it stands in, and how often. */
struct entry {
	uint64_t word;
	size_t sentence;
	double count, idf;
};

struct table {
	struct entry *entries; /* by sentence, then by word */
	size_t *firsts; /* [n + 1] where a sentence's entries start */
	size_t n;
};

static int by_word(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;

	if (left->word != right->word)
		return left->word < right->word ? -1 : 1;
	return left->sentence < right->sentence ? -1 : left->sentence > right->sentence;
}

static int by_sentence(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;

	if (left->sentence != right->sentence)
		return left->sentence < right->sentence ? -1 : 1;
	return left->word < right->word ? -1 : left->word > right->word;
}

/* Entries sorted by word get the logarithm of how rare their word is. */
static void set_idf(struct entry *entries, size_t n, size_t n_sentences)
{
	for (size_t i = 0, end; i < n; i = end) {
		double df;

		for (end = i; end < n && entries[end].word == entries[i].word; end++)
			;
		df = (double)(end - i);
		for (size_t j = i; j < end; j++)
			entries[j].idf = log(1 + ((double)n_sentences - df + 0.5) / (df + 0.5));
	}
}

static struct table table_of(const struct sentences *sentences)
{
	size_t n_words = 0, n = 0;
	struct table table = { .n = sentences->n };

	for (size_t i = 0; i < sentences->n; i++)
		n_words += sentences->words[i].n;
	table.entries = memory_take(n_words + 1, sizeof(*table.entries));
	table.firsts = memory_take(sentences->n + 1, sizeof(*table.firsts));
	for (size_t i = 0, at = 0; i < sentences->n; i++) {
		for (size_t j = 0; j < sentences->words[i].n; j++)
			table.entries[at++] = (struct entry){ sentences->words[i].items[j], i, 1, 0 };
	}
	qsort(table.entries, n_words, sizeof(*table.entries), by_word);
	for (size_t i = 0; i < n_words; i++) {
		if (n > 0 && by_word(&table.entries[n - 1], &table.entries[i]) == 0)
			table.entries[n - 1].count++;
		else
			table.entries[n++] = table.entries[i];
	}
	set_idf(table.entries, n, sentences->n);
	qsort(table.entries, n, sizeof(*table.entries), by_sentence);
	for (size_t i = 0, at = 0; i <= sentences->n; i++) {
		while (at < n && table.entries[at].sentence < i)
			at++;
		table.firsts[i] = at;
	}
	return table;
}

static void table_done(struct table *table)
{
	free(table->entries);
	free(table->firsts);
}

static double product(const struct table *table, size_t a, size_t b)
{
	const struct entry *entries = table->entries;
	double sum = 0;

	for (size_t i = table->firsts[a], j = table->firsts[b];
	     i < table->firsts[a + 1] && j < table->firsts[b + 1];) {
		if (entries[i].word == entries[j].word) {
			sum += entries[i].count * entries[j].count * entries[i].idf * entries[i].idf;
			i++;
			j++;
		} else if (entries[i].word < entries[j].word) {
			i++;
		} else {
			j++;
		}
	}
	return sum;
}

/* The matrix of cosines, each row divided by its sum. */
static double *similarities(const struct table *table)
{
	double *matrix = memory_take(table->n * table->n + 1, sizeof(double));
	double *norms = memory_take(table->n + 1, sizeof(double));

	for (size_t i = 0; i < table->n; i++)
		norms[i] = sqrt(product(table, i, i));
	for (size_t i = 0; i < table->n; i++) {
		double sum = 0;

		for (size_t j = 0; j < table->n; j++) {
			double norm = norms[i] * norms[j];

			matrix[i * table->n + j] = norm > 0 ? product(table, i, j) / norm : 0;
			sum += matrix[i * table->n + j];
		}
		for (size_t j = 0; sum > 0 && j < table->n; j++)
			matrix[i * table->n + j] /= sum;
	}
	free(norms);
	return matrix;
}

/* LexRank with continuous weights (Erkan and Radev, 2004). */
static void score_lexrank(const struct sentences *sentences, double *scores)
{
	struct table table = table_of(sentences);
	size_t n = sentences->n;
	double *matrix = similarities(&table), *next = memory_take(n + 1, sizeof(double));

	for (size_t i = 0; i < n; i++)
		scores[i] = 1 / (double)n;
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t j = 0; j < n; j++)
			next[j] = (1 - DAMPING) / (double)n;
		for (size_t i = 0; i < n; i++) {
			for (size_t j = 0; j < n; j++)
				next[j] += DAMPING * scores[i] * matrix[i * n + j];
		}
		memcpy(scores, next, n * sizeof(*scores));
	}
	free(next);
	free(matrix);
	table_done(&table);
}

static void score_bm25(const struct sentences *sentences, const char *query, double *scores)
{
	struct table table = table_of(sentences);
	struct rouge_words words = rouge_words_of(query, strlen(query));
	double mean = 0;

	for (size_t i = 0; i < sentences->n; i++)
		mean += (double)sentences->words[i].n / (double)sentences->n;
	for (size_t i = 0; i < sentences->n; i++) {
		double length = (double)sentences->words[i].n / mean;

		for (size_t j = table.firsts[i]; j < table.firsts[i + 1]; j++) {
			const struct entry *entry = &table.entries[j];
			double weight = entry->idf * entry->count * (K1 + 1) /
			                (entry->count + K1 * (1 - B + B * length));

			for (size_t k = 0; k < words.n; k++) {
				if (words.items[k] == entry->word)
					scores[i] += weight;
			}
		}
	}
	rouge_words_done(&words);
	table_done(&table);
}

struct scored {
	size_t number;
	double score;
};

static int by_score(const void *a, const void *b)
{
	const struct scored *left = a, *right = b;

	if (left->score != right->score)
		return left->score > right->score ? -1 : 1;
	return left->number < right->number ? -1 : left->number > right->number;
}

void baseline_rank(enum baseline baseline, const struct sentences *sentences, const char *query,
                   uint64_t seed, size_t *ret)
{
	double *scores = memory_take(sentences->n + 1, sizeof(double));
	struct scored *scored = memory_take(sentences->n + 1, sizeof(*scored));

	if (baseline == BASELINE_LEXRANK)
		score_lexrank(sentences, scores);
	if (baseline == BASELINE_BM25)
		score_bm25(sentences, query, scores);
	for (size_t i = 0; baseline == BASELINE_RANDOM && i < sentences->n; i++)
		scores[i] = (double)draw(&seed);
	for (size_t i = 0; i < sentences->n; i++)
		scored[i] = (struct scored){ i, scores[i] };
	qsort(scored, sentences->n, sizeof(*scored), by_score);
	for (size_t i = 0; i < sentences->n; i++)
		ret[i] = scored[i].number;
	free(scored);
	free(scores);
}

struct rouge_words baseline_take(const struct sentences *sentences, const size_t *ranked, size_t n_words)
{
	struct rouge_words taken = { memory_take(n_words + 1, sizeof(uint64_t)), 0 };
	size_t *room = memory_take(sentences->n + 1, sizeof(size_t)), left = n_words;

	for (size_t i = 0; left > 0 && i < sentences->n; i++) {
		size_t n = sentences->words[ranked[i]].n;

		room[ranked[i]] = n < left ? n : left;
		left -= room[ranked[i]];
	}
	for (size_t i = 0; i < sentences->n; i++) {
		memcpy(taken.items + taken.n, sentences->words[i].items, room[i] * sizeof(uint64_t));
		taken.n += room[i];
	}
	free(room);
	return taken;
}
