/* Questions about a whole document that has been read. The passages that have a question's words, and the first one, are
 * read again, each by itself, as the model answers from short texts only; what it quotes from each competes by the model's
 * own score and by that of the words. An answer is a verbatim part of one sentence. */
#ifndef SKIMD_PIPELINE_ANSWER_H
#define SKIMD_PIPELINE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pipeline/ask_passage.h"
#include "pipeline/reader.h"
#include "pipeline/view.h"
#include "store/docstore.h"

/* What was found. Its strings and its evidence are its own, for answer_done(). */
struct answer {
	char *text; /* as the model sees it, lines joined; PROMPT_NOT_STATED if nothing was found */
	bool found;
	bool generated; /* false: verbatim */
	double score; /* 0 to 1: how likely it is that the answer is right, also where it was not taken */
	struct evidence *evidence; /* the sentence that it stands in, in the stored text's bytes */
	size_t n_evidence;
};
void answer_done(struct answer *answer);

/* One document, opened for questions; one thread's. */
struct answerer;

/* Open a document that has its text in the store; the reader is borrowed, the store not kept. -ENOENT: it has none;
 * others as docstore_get_text()'s; -ENOMEM. */
int answerer_open(struct reader *reader, struct docstore *store, int64_t document_id, struct answerer **ret,
                  struct err *err);
void answerer_close(struct answerer *answerer); /* NULL is allowed */

/* The text as it is read: what answer_find() gives the reader points into it. The answerer's. */
const struct view *answerer_view(const struct answerer *answerer);

/* The best quotation for a question, whether it is an answer or not. Errors as reader_read()'s. */
int answer_weigh(struct answerer *answerer, const char *question, struct asked_passage *ret,
                 struct usage *usage, const struct reader_hooks *hooks, struct err *err);

/* How likely it is that a quotation is right, 0 to 1; *ret_found: likely enough. */
double answer_score(const struct asked_passage *asked, bool *ret_found);

/* Answer one question; what blocks the store keeps makes the next one about the same place cheaper, and no other. *usage
 * grows. Errors as reader_read()'s. */
int answer_find(struct answerer *answerer, const char *question, struct answer *ret, struct usage *usage,
                const struct reader_hooks *hooks, struct err *err);

#endif
