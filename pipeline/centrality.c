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
	double *weights; /* of each: how rare it is */
	size_t n;
	double norm;
};

struct corpus {
	struct sentence_words *sentences;
	size_t n;
	uint64_t *all; /* rising: a stem stands there once for each sentence that has it */
	size_t n_all;
};

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
static double similarity(const struct sentence_words *a, const struct sentence_words *b)
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
			double weight = a->weights[i++];

			sum += weight * weight;
			j++;
		}
	}
	return sum / (a->norm * b->norm);
}

static int set_weights(const struct corpus *corpus, struct sentence_words *sentence)
{
	double sum = 0;

	sentence->weights = array_new(double, sentence->n);
	if (sentence->weights == NULL)
		return -ENOMEM;
	for (size_t j = 0; j < sentence->n; j++) {
		sentence->weights[j] = idf(corpus, sentence->stems[j]);
		sum += sentence->weights[j] * sentence->weights[j];
	}
	sentence->norm = sqrt(sum);
	return 0;
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
	for (size_t i = 0; i < n; i++) {
		if (set_weights(corpus, &corpus->sentences[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void sentence_words_done(struct sentence_words *words)
{
	free(words->stems);
	free(words->weights);
}

static void corpus_done(struct corpus *corpus)
{
	for (size_t i = 0; corpus->sentences != NULL && i < corpus->n; i++)
		sentence_words_done(&corpus->sentences[i]);
	free(corpus->sentences);
	free(corpus->all);
}

static void score_all(const struct corpus *corpus, double *ret)
{
	for (size_t i = 0; i < corpus->n; i++)
		ret[i] = 0;
	for (size_t i = 0; i < corpus->n; i++) {
		for (size_t j = i + 1; j < corpus->n; j++) {
			double value = similarity(&corpus->sentences[i], &corpus->sentences[j]);

			ret[i] += value;
			ret[j] += value;
		}
	}
	for (size_t i = 0; i < corpus->n; i++)
		ret[i] *= 1 + FIRST_BONUS * (double)(corpus->n - i) / (double)corpus->n;
}

static void normalize(double *scores, size_t n)
{
	double most = 0;

	for (size_t i = 0; i < n; i++)
		most = scores[i] > most ? scores[i] : most;
	for (size_t i = 0; most > 0 && i < n; i++)
		scores[i] /= most;
}

int centrality_score(const struct grounded_span *sentences, size_t n, double *ret)
{
	struct corpus corpus = { 0 };
	int r = corpus_init(&corpus, sentences, n);

	if (r == 0) {
		score_all(&corpus, ret);
		normalize(ret, n);
	}
	corpus_done(&corpus);
	return r;
}
