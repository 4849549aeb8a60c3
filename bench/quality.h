/* What skimd makes of texts that people have summed up or asked about, beside what simple programs make of them. */
#ifndef SKIMD_BENCH_QUALITY_H
#define SKIMD_BENCH_QUALITY_H

#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "bench/desk.h"

struct quality {
	struct desk *desk;
	const char *folder; /* of the sets */
	size_t n_documents; /* of each set of documents */
	size_t max_bytes; /* longer documents are left out */
	size_t n_passages; /* of SQuAD, alone and for unanswerable questions */
	size_t n_hidden; /* documents of each length that a passage is hidden in */
	FILE *csv; /* one line a document or a question, for those who want to look closer */
};

/* Documents of one set: key passages and summary against Lead, LexRank, BM25 and random of the same number of words. */
int quality_documents(const struct quality *quality, const char *set, struct err *err);

/* Questions: each passage as a document, hidden in long ones, and those of other articles. */
int quality_short(const struct quality *quality, struct err *err);
int quality_hidden(const struct quality *quality, size_t n_tokens, struct err *err);
int quality_unanswerable(const struct quality *quality, struct err *err);

/* The constants of the score that other passages would give: the lines of pipeline/answer.c, to be put there. */
int quality_score(const struct quality *quality, struct err *err);

/* Sparse attention beside dense for questions behind n_tokens. */
int quality_dense(const struct quality *quality, size_t n_tokens, struct err *err);

/* A question's time beside the first reading's. */
int quality_cost(const struct quality *quality, struct err *err);

#endif
