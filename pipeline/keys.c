#include "pipeline/keys.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "pipeline/centrality.h"
#include "pipeline/sentence.h"
#include "pipeline/words.h"

/* What weighs how much beside the words of the summary; measured, see bench/README.md. */
#define TITLE 0.3
#define CENTRAL \
	0.6 /* of FEW sentences; of more it weighs less, as what a long text repeats is central there */
#define ANNOUNCES 0.4 /* likewise */
#define FEW 6
#define EARLY 0.1 /* how far the first is ahead of the last, of MANY sentences and more */
#define MANY 20
#define LEANS 0.6 /* what is left to a sentence that does not stand alone */

#define ALIKE 0.5 /* two sentences that share more than that say the same */

/* Content words and their pairs. */
struct stems {
	uint64_t *items;
	size_t n;
};

struct choice {
	const struct stems *stems; /* [n] of each sentence */
	double *scores; /* [n]; below 0: not to be chosen any more */
	size_t n;
};

static double overlap(const struct stems *a, const struct stems *b)
{
	return words_overlap(a->items, a->n, b->items, b->n);
}

static int stems_of(struct stems *ret, const char *text, size_t n)
{
	return words_of(text, n, true, &ret->items, &ret->n);
}

static void stems_free(struct stems *stems, size_t n)
{
	for (size_t i = 0; stems != NULL && i < n; i++)
		free(stems[i].items);
	free(stems);
}

/* *ret is the caller's, for stems_free(), also after a failure. */
static int stems_of_all(const struct grounded_span *sentences, size_t n, struct stems **ret)
{
	*ret = array_new(struct stems, n);
	if (*ret == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (stems_of(&(*ret)[i], sentences[i].bytes, sentences[i].n) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The best one left, the first of equals; n: none. */
static size_t best_of(const struct choice *choice)
{
	size_t best = choice->n;

	for (size_t i = 0; i < choice->n; i++) {
		if (choice->scores[i] >= 0 && (best == choice->n || choice->scores[i] > choice->scores[best]))
			best = i;
	}
	return best;
}

/* One is taken: it is no choice any more, and neither is what is like it. */
static void take(struct choice *choice, size_t taken)
{
	for (size_t i = 0; i < choice->n; i++) {
		if (i == taken || overlap(&choice->stems[i], &choice->stems[taken]) > ALIKE)
			choice->scores[i] = -1;
	}
}

static void choose(struct choice *choice, size_t n_most, struct key_sentence *ret, size_t *ret_n)
{
	size_t best;

	*ret_n = 0;
	while (*ret_n < n_most && (best = best_of(choice)) < choice->n) {
		ret[(*ret_n)++] = (struct key_sentence){ best, choice->scores[best] };
		take(choice, best);
	}
}

static int stems_of_guide(struct stems *ret, const char *text)
{
	return text == NULL ? 0 : stems_of(ret, text, strlen(text));
}

/* How much a sentence's place takes away from it. */
static double lateness(size_t i, size_t n)
{
	return EARLY * (double)i / (double)(n < MANY ? MANY : n);
}

/* Scores hold the centrality, and then all of it, from 0 to 1. */
static void score_all(struct choice *choice, const struct grounded_span *sentences,
                      const struct stems *summary, const struct stems *title)
{
	double few = choice->n <= FEW ? 1 : FEW / (double)choice->n;

	for (size_t i = 0; i < choice->n; i++) {
		const struct grounded_span *sentence = &sentences[i];
		double announces = sentence_announces(sentence->bytes, sentence->n) ? 1 : 0,
		       leans = sentence_stands_alone(sentence->bytes, sentence->n) ? 1 : LEANS;
		double sum = EARLY - lateness(i, choice->n) + overlap(&choice->stems[i], summary) +
		             TITLE * overlap(&choice->stems[i], title) +
		             few * (CENTRAL * choice->scores[i] + ANNOUNCES * announces);

		choice->scores[i] = leans * sum / (EARLY + 1 + TITLE + few * (CENTRAL + ANNOUNCES));
	}
}

int keys_choose(const struct grounded_span *sentences, size_t n, const struct key_guide *guide, size_t n_most,
                struct key_sentence *ret, size_t *ret_n)
{
	struct stems *stems = NULL, summary = { 0 }, title = { 0 };
	struct choice choice = { .scores = array_new(double, n), .n = n };
	int r = choice.scores == NULL ? -ENOMEM : stems_of_all(sentences, n, &stems);

	if (r == 0 && (r = centrality_score(sentences, n, choice.scores)) == 0 &&
	    (r = stems_of_guide(&summary, guide->summary)) == 0 &&
	    (r = stems_of_guide(&title, guide->title)) == 0) {
		choice.stems = stems;
		score_all(&choice, sentences, &summary, &title);
		choose(&choice, n_most, ret, ret_n);
	}
	stems_free(stems, n);
	free(summary.items);
	free(title.items);
	free(choice.scores);
	return r;
}

int keys_nearest(const struct grounded_span *sentences, size_t n, const char *text, size_t n_text,
                 struct key_sentence *ret)
{
	struct stems *stems = NULL, about = { 0 };
	int r = stems_of_all(sentences, n, &stems);

	if (r == 0)
		r = stems_of(&about, text, n_text);
	*ret = (struct key_sentence){ 0 };
	for (size_t i = 0; r == 0 && i < n; i++) {
		double score = overlap(&stems[i], &about);

		if (score > ret->score)
			*ret = (struct key_sentence){ i, score };
	}
	stems_free(stems, n);
	free(about.items);
	return r;
}
