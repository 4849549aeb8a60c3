/* A question behind a document, from the opening of the model on, as pipeline/ asks it: what kv.db has of the document is
 * restored, the rest is read and kept, and a branch takes the question and decodes. */
#ifndef SKIMD_BENCH_QUESTION_H
#define SKIMD_BENCH_QUESTION_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define QUESTION_TOKENS 20
#define ANSWER_TOKENS 20
#define QUESTION_BUDGET_BYTES ((uint64_t)6 << 30) /* of the store */

struct question {
	const char *model, *kv; /* the model's folder; the store's file, made if it is not there */
	unsigned n_threads;
	size_t n_tokens; /* of the document */
	size_t row_memory; /* as in struct engine_settings */
};

/* Seconds, tokens and bytes: all in one type, to be told from process to process. */
struct answer {
	double open_model, open_store, restore, read, keep, ask, decode;
	double n_restored;
	double n_kept_bytes,
		n_written_bytes; /* of blocks into the store; by this process to the disk for them */
	double opened_bytes, most_bytes; /* resident: behind the model's opening, and at most */
	double check; /* of every logit of the answer: equal where they are */
};

int question_ask(const struct question *question, struct answer *ret, struct err *err);

#endif
