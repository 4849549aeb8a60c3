#include "pipeline/centrality.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/array.h"
#include "pipeline/words.h"

#define MAX_SHARE \
	0.2 /* words in more of the sentences than that say nothing; of MIN_COMMON sentences at least */
#define MIN_COMMON 5
#define FIRST_BONUS 0.5 /* how much the first sentence gains on the last one */

/* A sentence's words, rising. */
struct sentence_words {
	uint64_t *stems;
	size_t n;
	double norm;
};

struct corpus {
	struct sentence_words *sentences;
	size_t n;
	uint64_t *all; /* rising: a stem stands there once for each sentence that has it */
	size_t n_all;
};

struct scored {
	size_t number;
	double score;
};

static int compare_scores(const void *a, const void *b)
{
	const struct scored *left = a, *right = b;

	if (left->score != right->score)
		return left->score > right->score ? -1 : 1;
	return left->number < right->number ? -1 : left->number > right->number;
}

static int compare_numbers(const void *a, const void *b)
{
	const size_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static double idf(const struct corpus *corpus, uint64_t stem)
{
	size_t low = 0, high = corpus->n_all, end;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (corpus->all[mid] < stem)
			low = mid + 1;
		else
			high = mid;
	}
	for (end = low; end < corpus->n_all && corpus->all[end] == stem; end++)
		;
	if (end - low > MIN_COMMON && (double)(end - low) > MAX_SHARE * (double)corpus->n)
		return 0;
	return log((double)(corpus->n + 1) / (double)(end - low));
}

/* Cosine of two sentences; a word counts once in each, weighted by how rare it is. */
static double similarity(const struct corpus *corpus, const struct sentence_words *a,
                         const struct sentence_words *b)
{
	double sum = 0;

	if (a->norm == 0 || b->norm == 0)
		return 0;
	for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
		if (a->stems[i] < b->stems[j]) {
			i++;
		} else if (a->stems[i] > b->stems[j]) {
			j++;
		} else {
			double weight = idf(corpus, a->stems[i++]);

			sum += weight * weight;
			j++;
		}
	}
	return sum / (a->norm * b->norm);
}

static void set_norm(const struct corpus *corpus, struct sentence_words *sentence)
{
	double sum = 0;

	for (size_t j = 0; j < sentence->n; j++)
		sum += pow(idf(corpus, sentence->stems[j]), 2);
	sentence->norm = sqrt(sum);
}

static int corpus_init(struct corpus *corpus, const struct grounded_span *sentences, size_t n)
{
	corpus->n = n;
	corpus->sentences = array_new(struct sentence_words, n);
	if (corpus->sentences == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct sentence_words *words = &corpus->sentences[i];

		if (words_of(sentences[i].bytes, sentences[i].n, false, &words->stems, &words->n) < 0)
			return -ENOMEM;
		corpus->n_all += words->n;
	}
	corpus->all = array_new(uint64_t, corpus->n_all);
	if (corpus->all == NULL)
		return -ENOMEM;
	for (size_t i = 0, at = 0; i < n; i++) {
		for (size_t j = 0; j < corpus->sentences[i].n; j++)
			corpus->all[at++] = corpus->sentences[i].stems[j];
	}
	qsort(corpus->all, corpus->n_all, sizeof(*corpus->all), words_compare);
	for (size_t i = 0; i < n; i++)
		set_norm(corpus, &corpus->sentences[i]);
	return 0;
}

static void corpus_done(struct corpus *corpus)
{
	for (size_t i = 0; corpus->sentences != NULL && i < corpus->n; i++)
		free(corpus->sentences[i].stems);
	free(corpus->sentences);
	free(corpus->all);
}

static void score_all(const struct corpus *corpus, struct scored *ret)
{
	for (size_t i = 0; i < corpus->n; i++)
		ret[i] = (struct scored){ i, 0 };
	for (size_t i = 0; i < corpus->n; i++) {
		for (size_t j = i + 1; j < corpus->n; j++) {
			double value = similarity(corpus, &corpus->sentences[i], &corpus->sentences[j]);

			ret[i].score += value;
			ret[j].score += value;
		}
	}
	for (size_t i = 0; i < corpus->n; i++)
		ret[i].score *= 1 + FIRST_BONUS * (double)(corpus->n - i) / (double)corpus->n;
}

int centrality_shortlist(const struct grounded_span *sentences, size_t n, size_t n_keep, size_t *ret,
                         size_t *ret_n)
{
	struct corpus corpus = { 0 };
	struct scored *scores = array_new(struct scored, n);
	int r = scores == NULL ? -ENOMEM : corpus_init(&corpus, sentences, n);

	if (r == 0) {
		score_all(&corpus, scores);
		qsort(scores, n, sizeof(*scores), compare_scores);
		*ret_n = n < n_keep ? n : n_keep;
		for (size_t i = 0; i < *ret_n; i++)
			ret[i] = scores[i].number;
		qsort(ret, *ret_n, sizeof(*ret), compare_numbers);
	}
	corpus_done(&corpus);
	free(scores);
	return r;
}
