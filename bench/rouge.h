/* How much a text has in common with a reference: ROUGE-1, -2 and -L, F measure, over words in lower case that are not
 * stemmed. And what the scores of questions need: SQuAD's F1 and exact match. */
#ifndef SKIMD_BENCH_ROUGE_H
#define SKIMD_BENCH_ROUGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum metric { ROUGE_1, ROUGE_2, ROUGE_L };
#define N_METRICS 3

/* A text's words as numbers: runs of ASCII letters and digits, hashed in lower case. */
struct rouge_words {
	uint64_t *items;
	size_t n;
};

/* The program ends where there is no memory, here and below. */
struct rouge_words rouge_words_of(const char *text, size_t n);
void rouge_words_done(struct rouge_words *words);

/* The best score of each metric over the references, 0 to 100. */
void rouge_score(const struct rouge_words *text, const char *const *references, size_t n, double *ret);

/* By SQuAD's rule: lower case, no ASCII punctuation, no articles; the best over the answers, 0 to 100. */
double rouge_answer_f1(const char *text, const char *const *answers, size_t n);
bool rouge_answer_exact(const char *text, const char *const *answers, size_t n);

#endif
