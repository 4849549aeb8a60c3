#include "pipeline/markdown.h"

#include <ctype.h>
#include <string.h>

#include "pipeline/line.h"

#define N_LOOKED_AT ((size_t)256 << 10)

struct marks {
	size_t n_lines, n_code; /* that are not blank; that read like something else */
	size_t n_headings, n_comments; /* "# words" under a blank line; under others */
	size_t n_fences, n_links, n_tables, n_underlined, n_items, n_strong;
	bool in_fence;
};

static bool has(const char *text, const struct line *line, const char *needle)
{
	return memmem(text + line->start, line->end - line->start, needle, strlen(needle)) != NULL;
}

/* "|---|:--:|" */
static bool is_delimiter_row(const char *text, const struct line *line)
{
	size_t n_bars = 0, n_dashes = 0;

	for (size_t i = line->start; i < line->end; i++) {
		if (strchr("|-: ", text[i]) == NULL)
			return false;
		n_bars += text[i] == '|';
		n_dashes += text[i] == '-';
	}
	return n_bars > 0 && n_dashes >= 3;
}

static bool is_setext(const struct line *line, const struct line *last, const char *text)
{
	return line->kind == LINE_RULE && strchr("=-", text[line->start]) != NULL &&
	       last->kind == LINE_TEXT && line->indent == 0 && last->indent == 0;
}

/* "key: value", "import os", ".. note::": data, a program, or another markup. */
static bool is_other(const char *text, const struct line *line)
{
	static const char *const starts[] = { "def ",  "class ",  "import ", "return",   "else",     "elif ",
		                              "func ", "static ", "public ", "private ", "package ", "const ",
		                              "let ",  "var ",    ".. ",     "\\" };
	size_t n = line->end - line->start, i = line->start;

	for (size_t k = 0; k < sizeof(starts) / sizeof(starts[0]); k++)
		if (n > strlen(starts[k]) && memcmp(text + line->start, starts[k], strlen(starts[k])) == 0)
			return true;
	while (i < line->end && (isalnum((unsigned char)text[i]) || strchr("_-.", text[i]) != NULL))
		i++;
	if (i > line->start && i < line->end && text[i] == ':' && islower((unsigned char)text[line->start]))
		return true;
	return line_is_code(text, line) || (line->kind == LINE_HASH && line->indent > 0);
}

static void count_line(struct marks *marks, const char *text, const struct line *line,
                       const struct line *last)
{
	if (line->kind == LINE_FENCE) {
		marks->n_fences += marks->in_fence;
		marks->in_fence = !marks->in_fence;
	}
	if (marks->in_fence || line->kind == LINE_FENCE || line->kind == LINE_BLANK)
		return;
	marks->n_lines++;
	marks->n_code += is_other(text, line);
	if (line->kind == LINE_HASH && line->indent == 0) {
		marks->n_headings += last->kind == LINE_BLANK;
		marks->n_comments += last->kind != LINE_BLANK;
	}
	marks->n_underlined += is_setext(line, last, text);
	marks->n_links += has(text, line, "](");
	marks->n_tables += is_delimiter_row(text, line);
	marks->n_items += line->kind == LINE_ITEM;
	marks->n_strong += has(text, line, "**") || has(text, line, "`");
}

static bool speaks_for_it(const struct marks *marks, bool hinted)
{
	/* The first four are seldom seen elsewhere. */
	const bool kinds[] = { marks->n_headings > marks->n_comments,
		               marks->n_fences > 0,
		               marks->n_links > 0,
		               marks->n_tables > 0,
		               marks->n_underlined > 0,
		               marks->n_items > 1,
		               marks->n_strong > 1 };
	size_t n_kinds = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		n_kinds += kinds[i];
	if (hinted)
		return n_kinds > 0;
	return n_kinds >= 2 && (kinds[0] || kinds[1] || kinds[2] || kinds[3]) &&
	       marks->n_code * 10 <= marks->n_lines;
}

bool markdown_is(const char *text, size_t n, bool hinted)
{
	struct line line, last = { .kind = LINE_BLANK };
	struct marks marks = { 0 };
	size_t at = n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	if (n - at >= 2 && memcmp(text + at, "#!", 2) == 0)
		return false;
	for (; at < n && at < N_LOOKED_AT; at = line.next) {
		line_read(text, n, at, &line);
		count_line(&marks, text, &line, &last);
		last = line;
	}
	return speaks_for_it(&marks, hinted);
}
