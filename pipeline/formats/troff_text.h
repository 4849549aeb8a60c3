/* Lines of troff: their words, and what escapes in them stand for. */
#ifndef SKIMD_PIPELINE_FORMATS_TROFF_TEXT_H
#define SKIMD_PIPELINE_FORMATS_TROFF_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Borrowed. */
struct troff_span {
	const char *at, *end;
};

struct troff_word {
	struct troff_span text; /* of a quoted one what is between the quotes */
	bool quoted;
};

/* The next line, without its end; lines that a backslash at the end joins are two. false: there is none. */
bool troff_next_line(struct troff_span *text, struct troff_span *ret);

/* The next word of a macro's line. false: there is none. */
bool troff_next_word(struct troff_span *line, struct troff_word *ret);

/* Append a text as UTF-8: characters by their names, fonts, sizes and movements left out. A comment ends it.
 * true: the line ends in \c, so that the next one goes on without a blank. */
bool troff_append(struct troff_span text, struct buf *ret);

bool troff_equals(struct troff_span text, const char *word);

#endif
