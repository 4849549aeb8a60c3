/* One line of a text: where it stands, and what it looks like by itself, in plain text and Markdown alike.
 * Columns count characters; a tab goes to the next multiple of 8. Everything is linear in the line's
 * length. */
#ifndef SKIMD_PIPELINE_LINE_H
#define SKIMD_PIPELINE_LINE_H

#include <stdbool.h>
#include <stddef.h>

enum line_kind {
	LINE_BLANK,
	LINE_TEXT,
	LINE_ITEM, /* starts with a list marker: "- ", "3. ", "(a) " */
	LINE_RULE, /* nothing but a repeated sign: an underline or a horizontal rule */
	LINE_QUOTE, /* starts with ">" */
	LINE_TABLE, /* cells between bars */
	LINE_HASH, /* "## words": a heading in Markdown, mostly a comment elsewhere */
	LINE_FENCE, /* "```" or "~~~" */
	LINE_CODE, /* to be left as it is: said by those who know the lines around */
};

struct line {
	size_t begin; /* the line's first byte, indentation included */
	size_t start, end; /* without indentation, trailing blanks and line end; equal: a blank line */
	size_t newline; /* the byte that ends it: '\n' or a lone '\r'; the text's end if there is none */
	size_t next; /* the next line's begin */
	size_t indent, width; /* columns in front of start and in front of end */
	size_t content; /* LINE_ITEM: the column of the words behind the marker */
	enum line_kind kind;
	bool joins; /* the next line goes on with this one's sentence; left false for wrap.h to say */
};

/* A run of two or more blanks, or a tab, between two words. Start the walk with { line->start, line->indent
 * }. */
struct line_gap {
	size_t at, column; /* where the words go on */
	size_t width; /* in columns */
};

/* The line that begins at text[at], at < n. */
void line_read(const char *text, size_t n, size_t at, struct line *ret);

/* The next gap behind *gap; false: none is left. */
bool line_next_gap(const char *text, const struct line *line, struct line_gap *gap);
bool line_has_gap(const char *text, const struct line *line);

/* The first word's length in columns. */
size_t line_first_word(const char *text, const struct line *line);

/* It reads like program text or a shell's: ends or starts as statements do. */
bool line_is_code(const char *text, const struct line *line);

#endif
