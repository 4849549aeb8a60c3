/* Key passages, summary and title: of one chunk, and by reduction of a whole document. Key passages are whole sentences
 * of the text: those that share most with what the model says of it, and are central. A document is called as it calls
 * itself, else by the model. Summaries are the model's, sentence by sentence, those of a document beginning with its first
 * part's: each marked as generated, with the sentence that it comes nearest to as evidence, or quoted where that says the
 * same, and then with what follows it where the document is long; what has words, names or numbers that the text has not
 * is left out, and where nothing is left a sentence stands in. */
#ifndef SKIMD_PIPELINE_SUMMARY_H
#define SKIMD_PIPELINE_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "pipeline/chunk.h"
#include "pipeline/reader.h"
#include "pipeline/view.h"
#include "store/docstore.h"

/* A document's text in both forms: as stored, and as the model sees it. Borrowed. */
struct summary_text {
	const char *source;
	const struct view *view;
};

/* How long a document's results are: with its length, or about half or twice that. */
enum summary_length { SUMMARY_AUTO, SUMMARY_SHORT, SUMMARY_LONG };

struct summary_settings {
	enum summary_length length;
	bool prose; /* the model reads the document's language: it may use its own words */
};

/* Cut a view into the chunks that it is read in, which fit the reader. As chunk_make(). */
int summary_cut(const struct reader *reader, const struct view *view, struct chunk **ret, size_t *ret_n,
                struct err *err);

/* Read one chunk and make its passages, more of them than a short document needs. Without prose nothing is asked of the
 * model, and where no line is a sentence any line may stand for the chunk. Passages are appended to *ret. Errors as
 * reader_read()'s. */
int summary_chunk(struct reader *reader, const struct summary_text *text, const struct chunk *chunk,
                  bool prose, struct passages *ret, struct usage *usage, const struct reader_hooks *hooks,
                  struct err *err);

/* The whole document from its chunks' passages: these are read again as one text, in groups and again until one group
 * holds all. What a single chunk gave is the document's as it is, but for its weaker key passages. Passages are appended
 * to *ret, key passages in the order of the text. */
int summary_reduce(struct reader *reader, const struct document_chunk *chunks, size_t n,
                   const struct summary_settings *settings, struct passages *ret, struct usage *usage,
                   const struct reader_hooks *hooks, struct err *err);

/* Named in a chunk's key: changes when the tasks or what is made of their answers change. */
#define SUMMARY_VERSION "summary 10"

#endif
