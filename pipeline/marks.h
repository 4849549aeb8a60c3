/* What is known of a text's parts beside their words: which bytes are a heading, an item, a row, and on which page or in
 * which part of the file they stand. Parsers of formats leave marks through formats/sink.h; plain text and Markdown have
 * none. As bytes they go from process to process and into skimd.db beside the text. */
#ifndef SKIMD_PIPELINE_MARKS_H
#define SKIMD_PIPELINE_MARKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "pipeline/formats/sink.h"

#define MARKS_MAX_BLOCKS ((size_t)1 << 21)
#define MARKS_MAX_PLACES ((size_t)1 << 18)
#define MARKS_MAX_LEVEL 9
#define MARKS_MAX_SECTION 200 /* bytes */

/* One block of the text, with a line feed behind it; between two there is nothing but line feeds and blanks. */
struct mark {
	size_t start, end; /* start < end, between two characters each */
	enum sink_block block;
	unsigned level; /* of a heading or an item; else 0 */
	bool aside; /* not for the model */
};

/* Where the text from start on stands, up to the next place. */
struct mark_place {
	size_t start;
	unsigned page; /* 0: none */
	char *section; /* NULL: none */
	size_t section_start; /* of the first of the places behind each other that have this section */
};

struct marks {
	struct mark *blocks; /* rising */
	size_t n_blocks; /* 0: the text has no marks */
	struct mark_place *places; /* rising */
	size_t n_places;
};

void marks_done(struct marks *marks); /* all zero is allowed */

/* Set section_start of all, once they stand. */
void marks_join_sections(struct marks *marks);

/* NULL: in front of the first place, or there are none. */
const struct mark_place *marks_place_at(const struct marks *marks, size_t offset);

/* Append them as bytes; nothing for a text without marks. Errors stick in ret. */
void marks_encode(const struct marks *marks, struct buf *ret);

/* From bytes that anybody may have made, for the text that they belong to. *ret is the caller's, for marks_done().
 * -EBADMSG: they are no marks of this text; -ENOMEM. */
int marks_decode(const char *bytes, size_t n, const char *text, size_t n_text, struct marks *ret,
                 struct err *err);

#endif
