/* A text as the model shall see it, with the way back to the text as it is stored.
 *
 * Left out are a byte order mark, form feeds, carriage returns in front of line feeds, blanks at the end of
 * a line, all but one of several blank lines, and the indentation that a block has in common. The lines of
 * a paragraph become one line: a line break becomes a blank, or nothing where the line ends in a hyphen
 * (which is kept, unless it is a typesetter's own), and runs of blanks become one. Headings, lists, tables,
 * program text, quotations and short lines keep their breaks.
 *
 * Every byte of the view stands for one byte of the source, in the same order, and equals it unless it
 * stands for white space. So every span of the view is a span of the source. */
#ifndef SKIMD_PIPELINE_VIEW_H
#define SKIMD_PIPELINE_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "pipeline/heading.h"

/* Bytes of the view that stand for consecutive bytes of the source. */
struct view_run {
	size_t view_start, source_start, length;
};

struct view {
	char *text; /* n bytes and a NUL; no white space at the end, at the start only the first line's indentation */
	size_t n;
	struct view_run *runs; /* rising in both, without gaps in the view */
	size_t n_runs;
	struct heading *headings; /* rising; offsets into the view's text */
	size_t n_headings;
};

/* source is not kept; it may hold any bytes. *ret is the caller's, for view_done(). Linear in n. -ENOMEM. */
int view_make(const char *source, size_t n, bool markdown, struct view *ret, struct err *err);
void view_done(struct view *view); /* all zero is allowed */

/* The source byte that the view's byte at offset (< n) stands for. */
size_t view_source(const struct view *view, size_t offset);

/* The source's span from the first to the last byte of the view's [start, end), start < end <= n. */
void view_source_range(const struct view *view, size_t start, size_t end, size_t *ret_start, size_t *ret_end);

/* The last heading that starts at or in front of offset: its section holds it. NULL: there is none. */
const struct heading *view_heading_at(const struct view *view, size_t offset);

#endif
