#include "pipeline/retrieval.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "pipeline/words.h"

/* BM25's usual constants: how soon a repeated word stops to count, and how much a long passage pays. */
#define K1 1.2
#define B 0.75

/* A stem in a passage, and how often. */
struct posting {
	uint64_t stem;
	uint32_t passage, count;
};

struct retrieval {
	struct posting *postings; /* rising by stem, then by passage */
	size_t n_postings, cap;
	double *lengths; /* [n_passages] in words, over the mean */
	size_t n_passages;
};

static int compare_postings(const void *a, const void *b)
{
	const struct posting *left = a, *right = b;

	if (left->stem != right->stem)
		return left->stem < right->stem ? -1 : 1;
	return left->passage < right->passage ? -1 : left->passage > right->passage;
}

static int add_passage(struct retrieval *retrieval, const struct grounded_span *passage, size_t number)
{
	struct word word;
	size_t at = 0;

	while (word_next(passage->bytes, passage->n, &at, &word)) {
		if (array_grow(&retrieval->postings, sizeof(*retrieval->postings), retrieval->n_postings,
		               &retrieval->cap) < 0)
			return -ENOMEM;
		retrieval->postings[retrieval->n_postings++] =
			(struct posting){ word.stem, (uint32_t)number, 1 };
		retrieval->lengths[number]++;
	}
	return 0;
}

/* One posting for each stem of a passage. */
static void count_postings(struct retrieval *retrieval)
{
	size_t n = 0;

	if (retrieval->n_postings > 0)
		qsort(retrieval->postings, retrieval->n_postings, sizeof(*retrieval->postings),
		      compare_postings);
	for (size_t i = 0; i < retrieval->n_postings; i++) {
		if (n > 0 && compare_postings(&retrieval->postings[n - 1], &retrieval->postings[i]) == 0)
			retrieval->postings[n - 1].count++;
		else
			retrieval->postings[n++] = retrieval->postings[i];
	}
	retrieval->n_postings = n;
}

static void normalize_lengths(struct retrieval *retrieval)
{
	double sum = 0;

	for (size_t i = 0; i < retrieval->n_passages; i++)
		sum += retrieval->lengths[i];
	for (size_t i = 0; sum > 0 && i < retrieval->n_passages; i++)
		retrieval->lengths[i] *= (double)retrieval->n_passages / sum;
}

int retrieval_new(const struct grounded_span *passages, size_t n, struct retrieval **ret)
{
	struct retrieval *retrieval = array_new(struct retrieval, 1);
	int r = 0;

	if (retrieval == NULL)
		return -ENOMEM;
	retrieval->n_passages = n;
	retrieval->lengths = array_new(double, n);
	if (retrieval->lengths == NULL)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_passage(retrieval, &passages[i], i);
	if (r < 0) {
		retrieval_free(retrieval);
		return r;
	}
	count_postings(retrieval);
	normalize_lengths(retrieval);
	*ret = retrieval;
	return 0;
}

void retrieval_free(struct retrieval *retrieval)
{
	if (retrieval == NULL)
		return;
	free(retrieval->postings);
	free(retrieval->lengths);
	free(retrieval);
}

/* The postings of a stem: *ret_end behind the last one. */
static size_t find_postings(const struct retrieval *retrieval, uint64_t stem, size_t *ret_end)
{
	size_t low = 0, high = retrieval->n_postings;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (retrieval->postings[middle].stem < stem)
			low = middle + 1;
		else
			high = middle;
	}
	for (*ret_end = low; *ret_end < retrieval->n_postings && retrieval->postings[*ret_end].stem == stem;
	     (*ret_end)++)
		;
	return low;
}

/* Returns the most that a passage could get for it. */
static double add_word(const struct retrieval *retrieval, uint64_t stem, double *scores)
{
	size_t end, start = find_postings(retrieval, stem, &end);
	double n = (double)retrieval->n_passages, df = (double)(end - start);
	double idf = log(1 + (n - df + 0.5) / (df + 0.5));

	for (size_t i = start; i < end; i++) {
		const struct posting *posting = &retrieval->postings[i];
		double count = posting->count, length = retrieval->lengths[posting->passage];

		scores[posting->passage] += idf * count * (K1 + 1) / (count + K1 * (1 - B + B * length));
	}
	return idf * (K1 + 1);
}

int retrieval_score(const struct retrieval *retrieval, const char *query, size_t n, double *ret)
{
	bool all = !words_say_something(query, n); /* else these count alone: in a short text "who" is rare */
	uint64_t *seen = NULL;
	size_t n_seen = 0, cap = 0, at = 0;
	double most = 0;
	struct word word;

	memset(ret, 0, retrieval->n_passages * sizeof(*ret));
	while (word_next(query, n, &at, &word)) {
		bool skipped = !all && word_is_function(query + word.start, word.end - word.start);

		for (size_t i = 0; i < n_seen; i++)
			skipped = skipped || seen[i] == word.stem;
		if (skipped)
			continue;
		if (array_grow(&seen, sizeof(*seen), n_seen, &cap) < 0) {
			free(seen);
			return -ENOMEM;
		}
		seen[n_seen++] = word.stem;
		most += add_word(retrieval, word.stem, ret);
	}
	free(seen);
	for (size_t i = 0; most > 0 && i < retrieval->n_passages; i++)
		ret[i] /= most;
	return 0;
}

static int compare_retrieved(const void *a, const void *b)
{
	const struct retrieved *left = a, *right = b;

	if (left->score != right->score)
		return left->score > right->score ? -1 : 1;
	return left->passage < right->passage ? -1 : left->passage > right->passage;
}

int retrieval_rank(const struct retrieval *retrieval, const char *query, size_t n, size_t n_most,
                   struct retrieved *ret, size_t *ret_n)
{
	double *scores = array_new(double, retrieval->n_passages);
	struct retrieved *all = array_new(struct retrieved, retrieval->n_passages);
	int r = scores == NULL || all == NULL ? -ENOMEM : retrieval_score(retrieval, query, n, scores);

	if (r == 0) {
		for (size_t i = 0; i < retrieval->n_passages; i++)
			all[i] = (struct retrieved){ i, scores[i] };
		if (retrieval->n_passages > 0)
			qsort(all, retrieval->n_passages, sizeof(*all), compare_retrieved);
		*ret_n = n_most < retrieval->n_passages ? n_most : retrieval->n_passages;
		memcpy(ret, all, *ret_n * sizeof(*ret));
	}
	free(scores);
	free(all);
	return r;
}
