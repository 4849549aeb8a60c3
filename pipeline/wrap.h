/* Which line breaks were made by something that fills lines, and stand for a blank only.
 *
 * In plain text it is a matter of evidence. A line was wrapped if the next one's first word had no room
 * left in it; that alone says little in a block of two or three lines, so that the next line must also look
 * like the middle of a sentence, and most of the block must agree. Lists, tables, program text, verse,
 * addresses and logs then stay as they are. Only the block itself is looked at: an edit changes nothing
 * further away. */
#ifndef SKIMD_PIPELINE_WRAP_H
#define SKIMD_PIPELINE_WRAP_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/line.h"

/* Set joins in the n lines of a block of plain text (no blank line within, no heading). A block that reads
 * like program text gets LINE_CODE throughout. */
void wrap_plain(const char *text, struct line *lines, size_t n);

/* What a Markdown parser must remember from one block to the next. Start with all zero. */
struct wrap_markdown {
	char fence; /* '`' or '~' while a fence is open */
	size_t n_fence;
	size_t item_content; /* column of the last item's words, while its list goes on */
	bool front_matter, started;
};

/* The same for Markdown, where every paragraph may be filled anew unless it says otherwise. Lines in
 * fences, indented code, front matter and HTML get LINE_CODE. */
void wrap_markdown(struct wrap_markdown *state, const char *text, struct line *lines, size_t n);

#endif
