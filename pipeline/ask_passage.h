/* One question to one passage of a text. What comes back is a quotation: the model's own words where they stand in the
 * passage but for the case of letters, else what it says when it can only quote. */
#ifndef SKIMD_PIPELINE_ASK_PASSAGE_H
#define SKIMD_PIPELINE_ASK_PASSAGE_H

#include <stddef.h>

#include "base/err.h"
#include "pipeline/chunk.h"
#include "pipeline/reader.h"
#include "pipeline/view.h"
#include "store/docstore.h"

struct asked_passage {
	size_t start, end; /* the quotation's bytes of the view; none: both 0 */
	size_t sentence_start, sentence_end; /* that it stands in */
	double mean; /* log-probability of one of its tokens */
	double not_stated; /* log-probability of the words that the passage does not say it; below -20 -20 */
};

/* *usage grows. Errors as reader_read()'s. */
int ask_passage(struct reader *reader, const struct view *view, const struct chunk *passage,
                const char *question, struct asked_passage *ret, struct usage *usage,
                const struct reader_hooks *hooks, struct err *err);

#endif
