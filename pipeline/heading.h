/* Headings: by their marks in Markdown, by their looks in plain text, where doubtful ones are left out. */
#ifndef SKIMD_PIPELINE_HEADING_H
#define SKIMD_PIPELINE_HEADING_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/line.h"

struct heading {
	size_t start; /* the line's first byte, marks included */
	size_t title, end; /* its words, without marks */
	unsigned level; /* 1 is the strongest */
};

/* Whether line i of a block is a heading. after: the first line behind the block, NULL if there is none.
 * Offsets in *ret are into text. Plain text: underlined titles; "3.2 Scope", "CHAPTER IV"; capitals that
 * start at the margin or stand in the middle; short titles whose text is indented under them. */
bool heading_plain(const char *text, const struct line *lines, size_t n, size_t i, const struct line *after,
                   struct heading *ret);
bool heading_markdown(const char *text, const struct line *lines, size_t n, size_t i, struct heading *ret);

#endif
