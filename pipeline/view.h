/* A text as the model shall see it, with the way back to the text as it is stored.
 *
 * Left out are a byte order mark, form feeds, carriage returns in front of line feeds, blanks at the end of
 * a line, all but one of several blank lines, and the indentation that a block has in common. The lines of
 * a paragraph become one line: a line break becomes a blank, or nothing where the line ends in a hyphen
 * (which is kept, unless it is a typesetter's own), and runs of blanks become one. Headings, lists, tables,
 * program text, quotations and short lines keep their breaks.
 *
 * Of a text with marks these say what its blocks are: headings, items, rows and preformatted lines keep their breaks, wrapped
 * paragraphs are joined, also over the end of a page, and asides are left out.
 *
 * Every byte of the view stands for one byte of the source, in the same order, and equals it unless it
 * stands for white space. So every span of the view is a span of the source. */
#ifndef SKIMD_PIPELINE_VIEW_H
#define SKIMD_PIPELINE_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "pipeline/heading.h"
#include "pipeline/marks.h"

/* Bytes of the view that stand for consecutive bytes of the source. */
struct view_run {
	size_t view_start, source_start, length;
};

/* Bytes of the view. */
struct view_span {
	size_t start, end;
};

struct view {
	char *text; /* n bytes and a NUL; no white space at the end, at the start only the first line's indentation */
	size_t n;
	struct view_run *runs; /* rising in both, without gaps in the view */
	size_t n_runs;
	struct heading *headings; /* rising; offsets into the view's text */
	size_t n_headings;
	struct view_span *code; /* rising: lines of program text, and what a format says is preformatted */
	size_t n_code;
	const struct marks *marks; /* the source's, borrowed; NULL: it has none */
};

/* source is not kept; it may hold any bytes. *ret is the caller's, for view_done(). Linear in n. -ENOMEM. */
int view_make(const char *source, size_t n, bool markdown, struct view *ret, struct err *err);

/* The same of a text with marks, which stay the caller's and have to outlive the view. */
int view_make_marked(const char *source, size_t n, const struct marks *marks, struct view *ret, struct err *err);
void view_done(struct view *view); /* all zero is allowed */

/* The source byte that the view's byte at offset (< n) stands for. */
size_t view_source(const struct view *view, size_t offset);

/* The source's span from the first to the last byte of the view's [start, end), start < end <= n. */
void view_source_range(const struct view *view, size_t start, size_t end, size_t *ret_start, size_t *ret_end);

/* The page of the source that the view's byte at offset (< n) stands on; 0: none is known. */
unsigned view_page_at(const struct view *view, size_t offset);

/* The words of the section that the view's byte at offset (<= n) stands in: the last heading's at or in front of it, or the
 * name of the part of the file if no heading has come in that. *ret is borrowed; NULL: there is none. */
void view_section_at(const struct view *view, size_t offset, const char **ret, size_t *ret_n);

/* Whether the view's byte at offset stands in what is no prose to its format; see struct view. */
bool view_is_code(const struct view *view, size_t offset);

/* The last heading that starts at or in front of offset: its section holds it. NULL: there is none. */
const struct heading *view_heading_at(const struct view *view, size_t offset);

#endif
