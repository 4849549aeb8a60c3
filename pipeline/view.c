#include "pipeline/view.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "pipeline/line.h"
#include "pipeline/wrap.h"

/* A block is what stands between blank lines. Longer ones are taken in parts, so that a file without blank
 * lines needs no more memory than others. */
#define MAX_BLOCK_LINES 4096
#define MAX_INDENT 4

/* What is being made. The first failed allocation sticks, as in struct buf. */
struct maker {
	const char *source;
	size_t n;
	bool markdown;
	const struct marks *marks; /* NULL: none, the text itself says what it is */
	struct wrap_markdown state;
	struct line *block; /* MAX_BLOCK_LINES */
	struct buf text;
	struct view *view;
	size_t runs_cap, headings_cap, code_cap;
	bool preformatted; /* what is being read */
	bool failed;
	bool any; /* a line was written */
	struct line last; /* the last one written */
	bool splits_word; /* and the next one goes on in the middle of its last word */
	bool blank_since; /* a blank line followed it, ended by: */
	size_t blank_newline;
};

static void emit(struct maker *maker, const char *bytes, size_t n, size_t at)
{
	struct view *view = maker->view;
	struct view_run *run = view->n_runs > 0 ? &view->runs[view->n_runs - 1] : NULL;

	if (n == 0 || maker->failed)
		return;
	if (run != NULL && run->source_start + run->length == at) {
		run->length += n;
	} else if (array_grow(&view->runs, sizeof(*view->runs), view->n_runs, &maker->runs_cap) == 0) {
		view->runs[view->n_runs++] = (struct view_run){ maker->text.n, at, n };
	} else {
		maker->failed = true;
		return;
	}
	buf_append(&maker->text, bytes, n);
}

static void emit_source(struct maker *maker, size_t start, size_t end)
{
	size_t from = start;

	for (size_t i = start; i < end; i++) {
		if (maker->source[i] != '\f' && maker->source[i] != '\v')
			continue;
		emit(maker, maker->source + from, i - from, from);
		from = i + 1;
	}
	emit(maker, maker->source + from, end - from, from);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f' || c == '\v';
}

/* One blank for each run of them. */
static void emit_filled(struct maker *maker, size_t start, size_t end)
{
	size_t i = start;

	while (i < end) {
		size_t from = i;

		while (i < end && !is_blank(maker->source[i]))
			i++;
		emit(maker, maker->source + from, i - from, from);
		if (i < end)
			emit(maker, " ", 1, i);
		while (i < end && is_blank(maker->source[i]))
			i++;
	}
}

/* "long-" at a line's end: the next line's letters belong to the same word. */
static bool ends_in_hyphen(const char *text, const struct line *line, const struct line *next)
{
	const char *end = text + line->end;

	return line->end - line->start >= 2 && end[-1] == '-' && isalpha((unsigned char)end[-2]) &&
	       isalpha((unsigned char)text[next->start]);
}

/* Typesetters' hyphens at a line's end, U+2010 as groff has them and soft ones, were not in the word. Their
 * bytes. */
static size_t n_breaking_hyphen(const char *text, const struct line *line, const struct line *next)
{
	size_t n = line->end - line->start;

	if (next == NULL || !line->joins || !isalpha((unsigned char)text[next->start]))
		return 0;
	if (n > 3 && memcmp(text + line->end - 3, "\xe2\x80\x90", 3) == 0)
		return 3;
	return n > 2 && memcmp(text + line->end - 2, "\xc2\xad", 2) == 0 ? 2 : 0;
}

static void emit_line_break(struct maker *maker)
{
	if (!maker->any)
		return;
	if (maker->last.joins) {
		if (!maker->splits_word)
			emit(maker, " ", 1, maker->last.newline);
		return;
	}
	emit(maker, "\n", 1, maker->last.newline);
	if (maker->blank_since)
		emit(maker, "\n", 1, maker->blank_newline);
}

/* Where the line's indentation begins to go beyond the block's own. */
static size_t skip_indent(const struct maker *maker, const struct line *line, size_t common)
{
	size_t column = 0, i = line->begin;

	for (; i < line->start; i++) {
		size_t next = maker->source[i] == '\t' ? column / 8 * 8 + 8 : column + 1;

		if (maker->source[i] == '\f' || maker->source[i] == '\v')
			continue;
		if (next > common)
			break;
		column = next;
	}
	return i;
}

/* How a block's lines are indented in the view. */
struct layout {
	size_t common; /* columns that are left out */
	bool aligned; /* its words stand in columns, so that each blank counts; else a few say the same */
};

static size_t find_indent(const struct maker *maker, const struct line *line, const struct layout *layout)
{
	size_t start = skip_indent(maker, line, layout->common);

	return !layout->aligned && line->start - start > MAX_INDENT ? line->start - MAX_INDENT : start;
}

/* What was written from start on. */
static void note_code(struct maker *maker, size_t start)
{
	struct view *view = maker->view;
	struct view_span *last = view->n_code > 0 ? &view->code[view->n_code - 1] : NULL;

	if (last != NULL && last->end + 1 == start)
		last->end = maker->text.n;
	else if (array_grow(&view->code, sizeof(*view->code), view->n_code, &maker->code_cap) == 0)
		view->code[view->n_code++] = (struct view_span){ start, maker->text.n };
	else
		maker->failed = true;
}

static void emit_line(struct maker *maker, const struct line *line, const struct line *next,
                      const struct layout *layout)
{
	bool continues = maker->any && maker->last.joins, filled = continues || line->joins;
	bool first_line_indent = line->joins && next != NULL && next->indent < line->indent;
	size_t n_hyphen = n_breaking_hyphen(maker->source, line, next), start;

	emit_line_break(maker);
	start = maker->text.n;
	if (!continues && !first_line_indent)
		emit_source(maker, find_indent(maker, line, layout), line->start);
	if (filled)
		emit_filled(maker, line->start, line->end - n_hyphen);
	else
		emit_source(maker, line->start, line->end);
	if (maker->preformatted || line->kind == LINE_CODE)
		note_code(maker, start);
	maker->any = true;
	maker->last = *line;
	maker->splits_word = n_hyphen > 0 || (next != NULL && ends_in_hyphen(maker->source, line, next));
	maker->blank_since = false;
}

/* Program text keeps its indentation, which is part of what it says; so does Markdown, where it says what
 * belongs to a list. */
static struct layout find_layout(const struct maker *maker, const struct line *lines, size_t n)
{
	struct layout layout = { .common = SIZE_MAX };

	if (n == 0 || maker->markdown || lines[0].kind == LINE_CODE)
		return (struct layout){ 0, true };
	for (size_t i = 0; i < n; i++) {
		if (lines[i].indent < layout.common)
			layout.common = lines[i].indent;
		if (!lines[i].joins && (i == 0 || !lines[i - 1].joins) &&
		    line_has_gap(maker->source, &lines[i]))
			layout.aligned = true;
	}
	return layout;
}

/* The lines between two headings. */
static void emit_lines(struct maker *maker, struct line *lines, size_t n)
{
	struct layout layout;

	if (!maker->markdown)
		wrap_plain(maker->source, lines, n);
	layout = find_layout(maker, lines, n);
	for (size_t i = 0; i < n; i++)
		emit_line(maker, &lines[i], i + 1 < n ? &lines[i + 1] : NULL, &layout);
}

/* Where the source's byte at, one of the line written last, stands in the view. */
static size_t view_offset(const struct maker *maker, size_t at)
{
	const struct view *view = maker->view;
	size_t i = view->n_runs;

	while (i > 1 && view->runs[i - 1].source_start > at)
		i--;
	return i == 0 ? 0 : view->runs[i - 1].view_start + (at - view->runs[i - 1].source_start);
}

static void emit_heading(struct maker *maker, struct line *line, const struct heading *found)
{
	const struct layout layout = { line->indent, true };
	struct view *view = maker->view;

	line->joins = false;
	emit_line(maker, line, NULL, &layout);
	if (array_grow(&view->headings, sizeof(*view->headings), view->n_headings, &maker->headings_cap) < 0)
		maker->failed = true;
	if (maker->failed)
		return;
	view->headings[view->n_headings++] =
		(struct heading){ view_offset(maker, line->start), view_offset(maker, found->title),
		                  view_offset(maker, found->end - 1) + 1, found->level };
}

static bool find_heading(const struct maker *maker, const struct line *lines, size_t n, size_t i,
                         const struct line *after, struct heading *ret)
{
	return maker->markdown ? heading_markdown(maker->source, lines, n, i, ret)
	                       : heading_plain(maker->source, lines, n, i, after, ret);
}

static void emit_block(struct maker *maker, size_t n, const struct line *after)
{
	struct line *lines = maker->block;
	struct heading heading;
	size_t from = 0;

	if (maker->markdown)
		wrap_markdown(&maker->state, maker->source, lines, n);
	for (size_t i = 0; i < n; i++) {
		/* What follows a heading begins a block of its own. */
		if (!find_heading(maker, lines + from, n - from, i - from, after, &heading))
			continue;
		emit_lines(maker, lines + from, i - from);
		emit_heading(maker, &lines[i], &heading);
		from = i + 1;
	}
	emit_lines(maker, lines + from, n - from);
}

/* Read on to the first line that is not blank, which goes to *ret; false: there is none. */
static bool skip_blank_lines(struct maker *maker, size_t at, struct line *ret, size_t *ret_blank_newline)
{
	*ret_blank_newline = SIZE_MAX;
	while (at < maker->n) {
		line_read(maker->source, maker->n, at, ret);
		if (ret->kind != LINE_BLANK)
			return true;
		if (*ret_blank_newline == SIZE_MAX)
			*ret_blank_newline = ret->newline;
		at = ret->next;
	}
	return false;
}

static void make_blocks(struct maker *maker, size_t at)
{
	struct line line;
	size_t blank_newline;
	bool more = skip_blank_lines(maker, at, &line, &blank_newline);

	while (more && !maker->failed) {
		size_t n = 0;

		do {
			maker->block[n++] = line;
			more = skip_blank_lines(maker, line.next, &line, &blank_newline);
		} while (more && blank_newline == SIZE_MAX && n < MAX_BLOCK_LINES);
		emit_block(maker, n, more ? &line : NULL);
		maker->blank_since = blank_newline != SIZE_MAX;
		maker->blank_newline = blank_newline;
	}
}

/* What stands between two blocks, as what follows the line written last: its end and a blank line. */
static void note_gap(struct maker *maker, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (maker->source[i] != '\n' || i <= maker->last.newline)
			continue;
		maker->blank_since = true;
		maker->blank_newline = i;
		return;
	}
}

/* A page ended in the middle of it: no sign ends a sentence, or a hyphen a word, and it goes on in small letters. */
static bool goes_on(const struct maker *maker, const struct mark *mark, const struct mark *next)
{
	const char *text = maker->source;

	return mark->block == SINK_WRAPPED && next != NULL && next->block == SINK_WRAPPED &&
	       marks_place_at(maker->marks, mark->start) != marks_place_at(maker->marks, next->start) &&
	       strchr(".!?:;", text[mark->end - 1]) == NULL && islower((unsigned char)text[next->start]);
}

/* The lines of a block into maker->block, as many as fit; where those behind them begin. */
static size_t read_lines(struct maker *maker, const struct mark *mark, size_t at, size_t *ret_n)
{
	size_t n = 0;

	while (at < mark->end && n < MAX_BLOCK_LINES) {
		struct line *line = &maker->block[n];

		line_read(maker->source, mark->end, at, line);
		line->joins = mark->block == SINK_WRAPPED && line->next < mark->end;
		n += line->kind != LINE_BLANK;
		at = line->next;
	}
	*ret_n = n;
	return at;
}

static struct layout find_marked_layout(const struct mark *mark, const struct line *lines, size_t n)
{
	struct layout layout = { mark->block == SINK_PREFORMATTED ? SIZE_MAX : 0, true };

	for (size_t i = 0; i < n; i++)
		if (lines[i].indent < layout.common)
			layout.common = lines[i].indent;
	return layout;
}

static void emit_marked_heading(struct maker *maker, const struct mark *mark)
{
	struct line *line = &maker->block[0];
	struct heading heading = { .level = mark->level };

	line_read(maker->source, mark->end, mark->start, line);
	heading.start = heading.title = line->start;
	heading.end = line->end;
	emit_heading(maker, line, &heading);
}

static void emit_marked(struct maker *maker, const struct mark *mark, const struct mark *next)
{
	struct line *lines = maker->block;
	size_t at = mark->start, n;

	maker->preformatted = mark->block == SINK_PREFORMATTED;
	while (at < mark->end && !maker->failed) {
		struct layout layout;
		struct line after;
		bool has_after = false;

		at = read_lines(maker, mark, at, &n);
		layout = find_marked_layout(mark, lines, n);
		if (n > 0 && at >= mark->end && goes_on(maker, mark, next)) {
			line_read(maker->source, maker->n, next->start, &after);
			lines[n - 1].joins = has_after = true;
		} else if (n > 0 && at < mark->end) {
			line_read(maker->source, mark->end, at, &after);
			has_after = true;
		}
		for (size_t i = 0; i < n; i++) {
			const struct line *following = i + 1 < n                     ? &lines[i + 1]
			                               : lines[i].joins && has_after ? &after
			                                                             : NULL;

			if (maker->any && !maker->last.joins)
				note_gap(maker, maker->last.newline, lines[i].begin);
			emit_line(maker, &lines[i], following, &layout);
		}
	}
}

static const struct mark *skip_asides(const struct marks *marks, size_t i)
{
	while (i < marks->n_blocks && marks->blocks[i].aside)
		i++;
	return i < marks->n_blocks ? &marks->blocks[i] : NULL;
}

static void make_marked(struct maker *maker)
{
	const struct marks *marks = maker->marks;
	const struct mark *mark = skip_asides(marks, 0), *next;

	for (; mark != NULL && !maker->failed; mark = next) {
		next = skip_asides(marks, (size_t)(mark - marks->blocks) + 1);
		if (mark->block != SINK_HEADING) {
			emit_marked(maker, mark, next);
			continue;
		}
		if (maker->any)
			note_gap(maker, maker->last.newline, mark->start);
		maker->preformatted = false;
		emit_marked_heading(maker, mark);
	}
}

static size_t skip_mark(const char *source, size_t n)
{
	return n >= 3 && memcmp(source, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static int make(const char *source, size_t n, bool markdown, const struct marks *marks, struct view *ret,
                struct err *err)
{
	struct view view = { .marks = marks };
	struct maker maker = {
		.source = source, .n = n, .markdown = markdown, .marks = marks, .view = &view
	};

	maker.block = array_new(struct line, MAX_BLOCK_LINES);
	maker.failed = maker.block == NULL;
	if (marks != NULL)
		make_marked(&maker);
	else
		make_blocks(&maker, skip_mark(source, n));
	free(maker.block);
	view.n = maker.text.n;
	view.text = buf_take(&maker.text);
	if (maker.failed || view.text == NULL) {
		view_done(&view);
		return err_set(err, -ENOMEM, "no memory for the view of %zu bytes", n);
	}
	*ret = view;
	return 0;
}

int view_make(const char *source, size_t n, bool markdown, struct view *ret, struct err *err)
{
	return make(source, n, markdown, NULL, ret, err);
}

int view_make_marked(const char *source, size_t n, const struct marks *marks, struct view *ret,
                     struct err *err)
{
	return make(source, n, false, marks, ret, err);
}

void view_done(struct view *view)
{
	free(view->text);
	free(view->runs);
	free(view->headings);
	free(view->code);
	*view = (struct view){ 0 };
}
