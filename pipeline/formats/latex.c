#include "pipeline/formats/latex.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/buf.h"
#include "pipeline/formats/latex_word.h"

#define N_LOOKED_AT ((size_t)64 << 10)
#define MAX_ITEM_LEVEL 9
#define MAX_VERB 1000 /* bytes of \verb, which ends on its line */
#define MAX_MATH ((size_t)16 << 10) /* bytes of one formula in a paragraph */

struct span {
	const char *at, *end;
};

struct latex {
	struct sink *sink;
	struct span rest;
	struct span title, author, date; /* for \maketitle */
	struct span *notes; /* footnotes of the paragraph, for behind it */
	size_t n_notes, cap_notes;
	unsigned n_lists, n_tables, max_depth;
	unsigned depth; /* of spans within spans that are read */
	const char *math_searched[2]; /* no end of a formula up to here: \\], \\) */
	bool open, in_row;
	bool has_input, too_deep;
	int r;
};

static void read_span(struct latex *latex, struct span span);
static void read_block(struct latex *latex, struct span span, enum sink_block block, unsigned level);

static void keep(struct latex *latex, int r)
{
	if (latex->r == 0)
		latex->r = r;
}

static void put_notes(struct latex *latex)
{
	struct span *notes = latex->notes;
	size_t n = latex->n_notes;

	latex->notes = NULL;
	latex->n_notes = latex->cap_notes = 0;
	latex->depth++; /* a note may have notes */
	for (size_t i = 0; i < n && latex->r == 0; i++)
		read_block(latex, notes[i], SINK_PARAGRAPH, 0);
	latex->depth--;
	free(notes);
}

static void end_block(struct latex *latex)
{
	if (latex->open)
		keep(latex, sink_end(latex->sink));
	latex->open = latex->in_row = false;
	if (latex->n_notes > 0)
		put_notes(latex);
}

static void begin_block(struct latex *latex, enum sink_block block, unsigned level)
{
	end_block(latex);
	keep(latex, sink_begin(latex->sink, block, level));
	latex->open = true;
}

static void put(struct latex *latex, const char *text, size_t n)
{
	if (!latex->open && latex->n_tables > 0)
		begin_block(latex, SINK_ROW, 0);
	latex->open = true;
	keep(latex, sink_text(latex->sink, text, n));
}

static void put_word(struct latex *latex, const char *text)
{
	put(latex, text, strlen(text));
}

static void skip_blanks(struct latex *latex)
{
	while (latex->rest.at < latex->rest.end && isspace((unsigned char)*latex->rest.at))
		latex->rest.at++;
}

static void skip_line(struct latex *latex)
{
	const char *end = memchr(latex->rest.at, '\n', (size_t)(latex->rest.end - latex->rest.at));

	latex->rest.at = end == NULL ? latex->rest.end : end + 1;
}

/* What stands between the opening mark at rest.at and its closing one, comments and escaped ones passed over; rest is behind
 * it then. Without a closing one: up to the end of the paragraph, so that a slip does not swallow the document. */
static struct span take_group(struct latex *latex, char opening, char closing)
{
	const char *at = latex->rest.at + 1, *end = latex->rest.end;
	struct span ret = { at, end };
	size_t depth = 1;

	for (; at < end; at++) {
		if (*at == '\\' && at + 1 < end) {
			at++;
		} else if (*at == '%') {
			const char *line_end = memchr(at, '\n', (size_t)(end - at));

			at = line_end == NULL ? end - 1 : line_end;
		} else if (*at == opening && opening != closing) {
			depth++;
		} else if (*at == closing && --depth == 0) {
			ret.end = at;
			latex->rest.at = at + 1;
			return ret;
		} else if (*at == '\n' && closing == ']' && at + 1 < end && at[1] == '\n') {
			break;
		}
	}
	latex->rest.at = ret.end = at;
	return ret;
}

static bool is_next(const struct latex *latex, char c)
{
	return latex->rest.at < latex->rest.end && *latex->rest.at == c;
}

/* [options], if there are some. */
static void drop_options(struct latex *latex)
{
	while (is_next(latex, '['))
		take_group(latex, '[', ']');
}

/* {argument}, \command or one character. */
static struct span take_argument(struct latex *latex)
{
	struct span ret;

	skip_blanks(latex);
	if (is_next(latex, '{'))
		return take_group(latex, '{', '}');
	ret.at = latex->rest.at;
	if (is_next(latex, '\\')) {
		latex->rest.at++;
		while (latex->rest.at < latex->rest.end && isalpha((unsigned char)*latex->rest.at))
			latex->rest.at++;
	}
	if (latex->rest.at == ret.at || latex->rest.at == ret.at + 1)
		latex->rest.at += latex->rest.at < latex->rest.end;
	ret.end = latex->rest.at;
	return ret;
}

/* n arguments, with options in front of and between them. */
static void drop_arguments(struct latex *latex, unsigned n)
{
	if (is_next(latex, '*'))
		latex->rest.at++;
	for (unsigned i = 0; i < n; i++) {
		drop_options(latex);
		take_argument(latex);
	}
	drop_options(latex);
}

/* The words of a span, into the block that is open. */
static void read_within(struct latex *latex, struct span span)
{
	const struct span rest = latex->rest;
	const unsigned n_tables = latex->n_tables;
	const char *searched[] = { latex->math_searched[0], latex->math_searched[1] };

	latex->n_tables = 0;
	latex->math_searched[0] = latex->math_searched[1] = NULL;
	read_span(latex, span);
	latex->n_tables = n_tables;
	memcpy(latex->math_searched, searched, sizeof(searched));
	latex->rest = rest;
}

static void read_block(struct latex *latex, struct span span, enum sink_block block, unsigned level)
{
	if (span.at == NULL)
		return;
	begin_block(latex, block, level);
	read_within(latex, span);
	end_block(latex);
}

static void read_heading(struct latex *latex, unsigned level)
{
	if (is_next(latex, '*'))
		latex->rest.at++;
	drop_options(latex);
	read_block(latex, take_argument(latex), SINK_HEADING, level);
}

static void read_title(struct latex *latex)
{
	const struct span title = latex->title, author = latex->author, date = latex->date;

	latex->title.at = latex->author.at = latex->date.at = NULL; /* they may say \maketitle themselves */
	read_block(latex, title, SINK_HEADING, 1);
	read_block(latex, author, SINK_PARAGRAPH, 0);
	read_block(latex, date, SINK_PARAGRAPH, 0);
}

static void read_item(struct latex *latex, const struct latex_known *known)
{
	unsigned level = latex->n_lists < 1                ? 1
	                 : latex->n_lists > MAX_ITEM_LEVEL ? MAX_ITEM_LEVEL
	                                                   : latex->n_lists;

	begin_block(latex, SINK_ITEM, level);
	skip_blanks(latex);
	if (is_next(latex, '[')) {
		read_within(latex, take_group(latex, '[', ']'));
		put(latex, " ", 1);
	}
	for (unsigned i = 0; i < known->value; i++)
		take_argument(latex);
}

static void take_note(struct latex *latex)
{
	drop_options(latex);
	keep(latex, array_grow(&latex->notes, sizeof(*latex->notes), latex->n_notes, &latex->cap_notes));
	if (latex->r == 0)
		latex->notes[latex->n_notes++] = take_argument(latex);
}

static void read_caption(struct latex *latex)
{
	drop_options(latex);
	read_block(latex, take_argument(latex), SINK_PARAGRAPH, 0);
}

static const char *line_end(struct span text)
{
	const char *end = memchr(text.at, '\n', (size_t)(text.end - text.at));

	return end == NULL ? text.end : end;
}

/* \verb|text|, \lstinline{text} */
static void read_verb(struct latex *latex)
{
	struct span text;
	char mark;

	if (is_next(latex, '*'))
		latex->rest.at++;
	drop_options(latex);
	if (latex->rest.at == latex->rest.end)
		return;
	mark = *latex->rest.at == '{' ? '}' : *latex->rest.at;
	text = (struct span){ latex->rest.at + 1, latex->rest.end };
	if (text.end - text.at > MAX_VERB)
		text.end = text.at + MAX_VERB;
	text.end = memchr(text.at, mark, (size_t)(line_end(text) - text.at));
	if (text.end == NULL)
		return;
	put(latex, text.at, (size_t)(text.end - text.at));
	latex->rest.at = text.end + 1;
}

/* A letter and the mark that goes on it are one character where there is one. */
static void read_accent(struct latex *latex, const struct latex_known *known)
{
	struct span letter = take_argument(latex);
	bool dotless = letter.end - letter.at == 2 && letter.at[0] == '\\';
	const char *composed = latex_composed(known->name[0], letter.at + dotless,
	                                      (size_t)(letter.end - letter.at) - dotless);

	if (composed != NULL) {
		put_word(latex, composed);
	} else {
		read_within(latex, letter);
		put_word(latex, known->text);
	}
}

static void read_break(struct latex *latex, const struct latex_known *known)
{
	if (known->value == 1 && is_next(latex, '*'))
		latex->rest.at++;
	if (known->value == 1)
		drop_options(latex);
	if (known->value == 1 && latex->n_tables > 0)
		end_block(latex);
	else if (latex->open)
		keep(latex, sink_break(latex->sink));
}

/* Where "\end{name}" begins; the end of the text if it does not. */
static const char *find_end(const struct latex *latex, struct span name)
{
	struct span rest = latex->rest;
	size_t n = (size_t)(name.end - name.at);

	while (rest.at < rest.end) {
		const char *end = memmem(rest.at, (size_t)(rest.end - rest.at), "\\end{", 5);

		if (end == NULL)
			break;
		if ((size_t)(rest.end - end) > 5 + n && memcmp(end + 5, name.at, n) == 0 && end[5 + n] == '}')
			return end;
		rest.at = end + 5;
	}
	return rest.end;
}

/* Its text as it is, or nothing of it. */
static void take_whole(struct latex *latex, struct span name, bool is_kept)
{
	struct span text = { latex->rest.at, find_end(latex, name) };

	end_block(latex);
	if (is_kept) {
		begin_block(latex, SINK_PREFORMATTED, 0);
		put(latex, text.at, (size_t)(text.end - text.at));
		end_block(latex);
	}
	latex->rest.at = text.end;
}

static void begin_environment(struct latex *latex)
{
	struct span name = take_argument(latex);
	unsigned n_arguments;
	enum latex_environment environment =
		latex_environment_find(name.at, (size_t)(name.end - name.at), &n_arguments);

	drop_options(latex);
	for (unsigned i = 0; i < n_arguments; i++)
		take_argument(latex);
	if (environment != LATEX_PLAIN || !latex->in_row)
		end_block(latex);
	if (environment == LATEX_VERBATIM || environment == LATEX_MATH || environment == LATEX_COMMENT)
		take_whole(latex, name, environment != LATEX_COMMENT);
	latex->n_lists += environment == LATEX_LIST;
	latex->n_tables += environment == LATEX_TABLE;
}

static void end_environment(struct latex *latex)
{
	struct span name = take_argument(latex);
	unsigned n_arguments;
	enum latex_environment environment =
		latex_environment_find(name.at, (size_t)(name.end - name.at), &n_arguments);

	if (environment != LATEX_PLAIN || !latex->in_row)
		end_block(latex);
	latex->n_lists -= environment == LATEX_LIST && latex->n_lists > 0;
	latex->n_tables -= environment == LATEX_TABLE && latex->n_tables > 0;
	if (environment == LATEX_DOCUMENT)
		latex->rest.at = latex->rest.end;
}

/* \def\name#1{...} */
static void drop_definition(struct latex *latex)
{
	while (latex->rest.at < latex->rest.end && !is_next(latex, '{') && !is_next(latex, '\n'))
		latex->rest.at++;
	if (is_next(latex, '{'))
		take_group(latex, '{', '}');
}

/* What \maketitle will say; any other word says nothing of it. */
static void take_titling(struct latex *latex, enum latex_word word)
{
	switch (word) {
	case LATEX_TITLE:
		drop_options(latex);
		latex->title = take_argument(latex);
		break;
	case LATEX_AUTHOR:
		drop_options(latex);
		latex->author = take_argument(latex);
		break;
	case LATEX_DATE:
		latex->date = take_argument(latex);
		break;
	default:
		break;
	}
}

static void read_known(struct latex *latex, const struct latex_known *known)
{
	switch (known->word) {
	case LATEX_HEADING:
		read_heading(latex, known->value);
		break;
	case LATEX_CELLS:
	case LATEX_DROPPED:
		drop_arguments(latex, known->value);
		break;
	case LATEX_TITLE:
	case LATEX_AUTHOR:
	case LATEX_DATE:
		take_titling(latex, known->word);
		break;
	case LATEX_MAKETITLE:
		read_title(latex);
		break;
	case LATEX_BEGIN:
		begin_environment(latex);
		break;
	case LATEX_END:
		end_environment(latex);
		break;
	case LATEX_ITEM:
		read_item(latex, known);
		break;
	case LATEX_FOOTNOTE:
		take_note(latex);
		break;
	case LATEX_CAPTION:
		read_caption(latex);
		break;
	case LATEX_PARAGRAPH:
		end_block(latex);
		break;
	case LATEX_VERB:
		read_verb(latex);
		break;
	case LATEX_DEF:
		drop_definition(latex);
		break;
	case LATEX_INPUT:
		take_argument(latex);
		latex->has_input = true;
		break;
	case LATEX_BLANK:
		read_break(latex, known);
		break;
	case LATEX_TEXT:
		put_word(latex, known->text);
		break;
	case LATEX_ACCENT:
		read_accent(latex, known);
		break;
	case LATEX_UNKNOWN:
		drop_options(latex);
	}
}

/* Where "\\)" or "\\]" is, near enough. What has been searched in vain is not searched again. */
static const char *find_math_end(struct latex *latex, char closing)
{
	const char mark[] = { '\\', closing };
	const char **searched = &latex->math_searched[closing == ')'], *end = latex->rest.end, *start, *found;

	if ((size_t)(end - latex->rest.at) > MAX_MATH)
		end = latex->rest.at + MAX_MATH;
	start = *searched != NULL && *searched > latex->rest.at ? *searched : latex->rest.at;
	found = start < end ? memmem(start, (size_t)(end - start), mark, sizeof(mark)) : NULL;
	*searched = found != NULL || end == latex->rest.at ? found : end - 1;
	return found;
}

/* \( \) \[ \]: with what is between them. */
static bool read_math(struct latex *latex)
{
	char closing = is_next(latex, '(') ? ')' : is_next(latex, '[') ? ']' : '\0';
	const char *start = latex->rest.at - 1, *end;

	if (closing == '\0')
		return false;
	end = find_math_end(latex, closing);
	latex->rest.at = end == NULL ? latex->rest.at + 1 : end + 2;
	put(latex, start, (size_t)(latex->rest.at - start));
	return true;
}

static void read_command(struct latex *latex)
{
	struct span name;

	latex->rest.at++;
	name = latex->rest;
	if (name.at == name.end || read_math(latex))
		return;
	while (latex->rest.at < latex->rest.end && isalpha((unsigned char)*latex->rest.at))
		latex->rest.at++;
	if (latex->rest.at == name.at) {
		latex->rest.at++;
		if (isspace((unsigned char)*name.at)) {
			put(latex, " ", 1);
			return;
		}
	}
	read_known(latex, latex_word_find(name.at, (size_t)(latex->rest.at - name.at)));
}

/* $math$ and $$math$$, up to the paragraph's end at most. */
static void read_dollars(struct latex *latex)
{
	const char *start = latex->rest.at;
	size_t n = start + 1 < latex->rest.end && start[1] == '$' ? 2 : 1;
	const char *at = start + n;

	while (at < latex->rest.end && *at != '$' && !(at[0] == '\n' && at[1] == '\n'))
		at += 1 + (*at == '\\' && at + 1 < latex->rest.end);
	if (at >= latex->rest.end || *at != '$')
		at = start + 1;
	else
		at += (size_t)(latex->rest.end - at) < n ? (size_t)(latex->rest.end - at) : n;
	put(latex, start, (size_t)(at - start));
	latex->rest.at = at;
}

static const struct {
	const char *source, *text;
} LIGATURES[] = {
	{ "---", "\xe2\x80\x94" }, { "--", "\xe2\x80\x93" }, { "``", "\xe2\x80\x9c" },
	{ "''", "\xe2\x80\x9d" },  { "`", "\xe2\x80\x98" },  { "~", " " },
};

static bool read_ligature(struct latex *latex)
{
	for (size_t i = 0; i < sizeof(LIGATURES) / sizeof(LIGATURES[0]); i++) {
		size_t n = strlen(LIGATURES[i].source);

		if ((size_t)(latex->rest.end - latex->rest.at) >= n &&
		    memcmp(latex->rest.at, LIGATURES[i].source, n) == 0) {
			put_word(latex, LIGATURES[i].text);
			latex->rest.at += n;
			return true;
		}
	}
	return false;
}

static void read_cell(struct latex *latex)
{
	latex->rest.at++;
	if (latex->n_tables == 0) {
		put(latex, "&", 1);
		return;
	}
	if (!latex->open)
		begin_block(latex, SINK_ROW, 0);
	latex->in_row = true;
	keep(latex, sink_cell(latex->sink));
}

/* White space: an empty line ends a paragraph. */
static void read_blanks(struct latex *latex)
{
	size_t n_lines = 0;

	for (; latex->rest.at < latex->rest.end && isspace((unsigned char)*latex->rest.at); latex->rest.at++)
		n_lines += *latex->rest.at == '\n';
	if (n_lines > 1 && latex->n_tables == 0)
		end_block(latex);
	else if (latex->open)
		put(latex, " ", 1);
}

static void read_plain(struct latex *latex)
{
	const char *start = latex->rest.at;

	do
		latex->rest.at++;
	while (latex->rest.at < latex->rest.end && !isspace((unsigned char)*latex->rest.at) &&
	       strchr("\\%{}$&~-`'", *latex->rest.at) == NULL);
	put(latex, start, (size_t)(latex->rest.at - start));
}

static void read_some(struct latex *latex)
{
	switch (*latex->rest.at) {
	case '\\':
		read_command(latex);
		break;
	case '%':
		skip_line(latex);
		break;
	case '{':
	case '}':
		latex->rest.at++;
		break;
	case '$':
		read_dollars(latex);
		break;
	case '&':
		read_cell(latex);
		break;
	default:
		if (isspace((unsigned char)*latex->rest.at))
			read_blanks(latex);
		else if (!read_ligature(latex))
			read_plain(latex);
	}
}

static void read_span(struct latex *latex, struct span span)
{
	if (latex->depth >= latex->max_depth) {
		latex->too_deep = true;
		return;
	}
	latex->depth++;
	latex->rest = span;
	while (latex->rest.at < latex->rest.end && latex->r == 0)
		read_some(latex);
	latex->depth--;
}

/* In front of \begin{document} there are definitions, but for what \maketitle sets. */
static void read_preamble(struct latex *latex, const char *end)
{
	const char *whole_end = latex->rest.end;

	latex->rest.end = end;
	while (latex->rest.at < latex->rest.end) {
		struct span name;

		if (*latex->rest.at == '%') {
			skip_line(latex);
			continue;
		}
		if (*latex->rest.at++ != '\\')
			continue;
		name = latex->rest;
		while (latex->rest.at < latex->rest.end && isalpha((unsigned char)*latex->rest.at))
			latex->rest.at++;
		take_titling(latex, latex_word_find(name.at, (size_t)(latex->rest.at - name.at))->word);
	}
	latex->rest.end = whole_end;
}

static struct span whole(const struct format_input *input)
{
	bool mark = input->n >= 3 && memcmp(input->bytes, "\xef\xbb\xbf", 3) == 0;

	return (struct span){ input->bytes + (mark ? 3 : 0), input->bytes + input->n };
}

static int latex_parse(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct latex latex = { .sink = sink, .rest = whole(input), .max_depth = input->max_depth };
	const char *document = memmem(input->bytes, input->n, "\\begin{document}", 16);

	if (document != NULL) {
		read_preamble(&latex, document);
		latex.rest.at = document;
	}
	read_span(&latex, latex.rest);
	end_block(&latex);
	free(latex.notes);
	if (latex.too_deep)
		sink_truncated(sink, "its groups are nested too deeply");
	if (latex.has_input)
		sink_truncated(sink, "files that it includes by \\input are not read");
	return latex.r == 0
	               ? 0
	               : err_set(err, latex.r, "the LaTeX source could not be read: %s", strerror(-latex.r));
}

/* At the start of a line, blanks in front. */
static bool has_line(struct span text, const char *start)
{
	size_t n = strlen(start);

	for (const char *at = text.at; (at = memmem(at, (size_t)(text.end - at), start, n)) != NULL;
	     at += n) {
		const char *back = at;

		while (back > text.at && (back[-1] == ' ' || back[-1] == '\t'))
			back--;
		if (back == text.at || back[-1] == '\n')
			return true;
	}
	return false;
}

static bool is_named(const struct format_input *input)
{
	const char *ending = strrchr(input->name, '.');

	return ending != NULL && (strcasecmp(ending, ".tex") == 0 || strcasecmp(ending, ".latex") == 0 ||
	                          strcasecmp(ending, ".ltx") == 0);
}

/* Nothing but comments in front of the first command: what is about LaTeX begins with words. */
static bool begins_with_command(struct span text)
{
	while (text.at < text.end && (isspace((unsigned char)*text.at) || *text.at == '%'))
		text.at = *text.at == '%' ? line_end(text) : text.at + 1;
	return text.at < text.end && *text.at == '\\';
}

static bool latex_is(const struct format_input *input)
{
	const bool named = is_named(input);
	struct span text = whole(input);

	if ((size_t)(text.end - text.at) > N_LOOKED_AT)
		text.end = text.at + N_LOOKED_AT;
	if (!named && !begins_with_command(text))
		return false;
	if (has_line(text, "\\documentclass") || has_line(text, "\\documentstyle") ||
	    has_line(text, "\\begin{document}"))
		return true;
	return named && (has_line(text, "\\section") || has_line(text, "\\chapter") ||
	                 has_line(text, "\\begin{") || has_line(text, "\\subsection"));
}

const struct format FORMAT_LATEX = { "application/x-tex", "LaTeX source", true, latex_is, latex_parse };
