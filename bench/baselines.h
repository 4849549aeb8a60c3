/* What a simple program would pick: whole sentences of a text in its order, cut at a number of words. */
#ifndef SKIMD_BENCH_BASELINES_H
#define SKIMD_BENCH_BASELINES_H

#include <stddef.h>
#include <stdint.h>

#include "bench/rouge.h"

enum baseline { BASELINE_LEAD, BASELINE_LEXRANK, BASELINE_BM25, BASELINE_RANDOM };
#define N_BASELINES 4
extern const char *const BASELINE_NAMES[N_BASELINES];

/* A text's sentences of four words and more. */
struct sentences {
	const char *text; /* borrowed */
	size_t *starts, *ends; /* [n] bytes */
	struct rouge_words *words; /* [n] */
	size_t n;
};

void sentences_of(struct sentences *ret, const char *text);
void sentences_done(struct sentences *sentences);

/* One baseline's order of the sentences, best first, as numbers: ret has room for all. The query is BM25's; the seed is
 * the random one's. */
void baseline_rank(enum baseline baseline, const struct sentences *sentences, const char *query,
                   uint64_t seed, size_t *ret);

/* The first of the ranked sentences that together have n_words, in the text's order, cut there. Its words are the caller's,
 * for rouge_words_done(). */
struct rouge_words baseline_take(const struct sentences *sentences, const size_t *ranked, size_t n_words);

#endif
