/* Where a parser puts a document: its text in reading order, and marks that say what a part of it is and where in the
 * file it stands. What a parser knows of lay-out goes into marks; the text holds the document's own words alone, a line
 * feed behind each block, and an empty line between blocks, but for rows and items that follow each other.
 *
 * All functions return 0 or a negative errno, and the same again once one has failed, so that a parser may look at the last
 * one only: -EFBIG: the text has reached its limit; what came before is kept and marked as truncated, whatever the parser
 * then returns; -ENOMEM. */
#ifndef SKIMD_PIPELINE_FORMATS_SINK_H
#define SKIMD_PIPELINE_FORMATS_SINK_H

#include <stdbool.h>
#include <stddef.h>

struct sink;

enum sink_block {
	SINK_PARAGRAPH, /* its line breaks, if any, are the author's */
	SINK_WRAPPED, /* a paragraph whose line breaks are a typesetter's: joined again for the model */
	SINK_HEADING, /* level 1 is the strongest, 9 the weakest */
	SINK_ITEM, /* of a list; level 1 is the outermost */
	SINK_ROW, /* of a table: cells parted by tabs, by sink_cell() */
	SINK_PREFORMATTED, /* program text, verse: white space as it is */
};

/* Begin a block; one that is open ends. level: of a heading or an item, else 0. */
int sink_begin(struct sink *sink, enum sink_block block, unsigned level);

/* Append to the open block, or to a new paragraph. text is UTF-8; bytes that are not become U+FFFD, NULs and other control
 * characters blanks; soft hyphens, zero-width spaces and byte order marks are left out. Runs of white space, no-break
 * spaces among it, become one blank, but in SINK_PREFORMATTED, where line feeds, tabs and blanks stay; none stands at a
 * block's ends, but for the indentation of what is preformatted. A call may hold part of a word, or of a character. */
int sink_text(struct sink *sink, const char *text, size_t n);

/* A line break in the open block: a line feed, several in a row but one; a blank in headings and rows, which are one line.
 * In SINK_PREFORMATTED each counts. */
int sink_break(struct sink *sink);

int sink_cell(
	struct
	sink *sink); /* to the next cell of a row, so between two of them; empty ones at its end are left out */
int sink_end(struct sink *sink); /* end the open block, if any; an empty one leaves nothing behind */

/* What follows, up to the next call, stands on this page (from 1), or in this part of the file: a sheet, a slide, a chapter's
 * own title, a message. They end the open block. */
int sink_page(struct sink *sink, unsigned number);
int sink_section(struct sink *sink, const char *name, size_t n);

/* The open block repeats what stands on other pages, or counts them: kept in the text, but not for the model. */
int sink_aside(struct sink *sink);

/* The result is only a part of the document, and why: "only the first 5000 pages". The first reason stays; one longer than
 * SINK_REASON_MAX - 1 bytes is cut. */
#define SINK_REASON_MAX 160
void sink_truncated(struct sink *sink, const char *reason);

#endif
