/* Key passages, summary and title: of one chunk, and by reduction of a whole document. Key passages are whole sentences
 * of the text by construction of the decoder, which chooses among the most central ones. Summary and title are free text
 * and marked as generated; a sentence whose words the text does not have is left out, and where nothing is left the first
 * sentences, or a heading, stand in and are not marked. */
#ifndef SKIMD_PIPELINE_SUMMARY_H
#define SKIMD_PIPELINE_SUMMARY_H

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

/* Read one chunk and do the three tasks behind it. Passages are appended to *ret. Errors as reader_read()'s. */
int summary_chunk(struct reader *reader, const struct summary_text *text, const struct chunk *chunk,
                  struct passages *ret, struct usage *usage, const struct reader_hooks *hooks,
                  struct err *err);

/* The whole document from its chunks' passages: these are read again as one text, in groups and again until one group
 * holds all. What a single chunk gave is the document's as it is. Passages are appended to *ret, key passages in the
 * order of the text. */
int summary_reduce(struct reader *reader, const struct document_chunk *chunks, size_t n, struct passages *ret,
                   struct usage *usage, const struct reader_hooks *hooks, struct err *err);

/* Named in a chunk's key: changes when the tasks or what is made of their answers change. */
#define SUMMARY_VERSION "summary 4"

/* Free text as people shall see it: valid UTF-8 without control characters, trimmed, no sentence twice, and cut back to
 * its last whole sentence where it was cut by length. one_line: up to the first line feed. *ret is the caller's, for
 * free(); "" is possible. -ENOMEM. */
int summary_clean(const char *text, bool cut, bool one_line, char **ret);

#endif
