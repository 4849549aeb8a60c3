#include "pipeline/formats/pdf_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "pipeline/formats/pdf_heads.h"
#include "pipeline/heading.h"
#include "pipeline/line.h"

#define MAX_PART_LINES 4096 /* longer ones are taken in parts */
#define MAX_WIDTH 255 /* columns that widths are counted to */
#define MIN_FULL 25 /* a line of less is not full, however narrow the page */
#define MAX_HEADING 100 /* bytes */

struct parts {
	struct pdf_part *items;
	size_t n, cap;
	unsigned n_pages;
	size_t end; /* of the last page, in the text */
};

/* What is being made of a page. */
struct page {
	const char *text;
	struct sink *sink;
	struct line *lines; /* MAX_PART_LINES */
	struct line after; /* the first one behind the part in work, if that has one */
	bool has_after;
	size_t full; /* columns of a line that was filled up */
};

unsigned pdf_text_pages(const char *text, size_t n)
{
	unsigned n_pages = 0;

	for (size_t i = 0; i < n; i++)
		n_pages += text[i] == '\f';
	return n_pages;
}

static bool is_blank(const char *text, size_t start, size_t end)
{
	while (start < end && (isspace((unsigned char)text[start]) || text[start] == '\0'))
		start++;
	return start == end;
}

static int add_part(struct parts *parts, size_t start, size_t end, unsigned n_lines)
{
	if (n_lines == 0)
		return 0;
	if (array_grow(&parts->items, sizeof(*parts->items), parts->n, &parts->cap) < 0)
		return -ENOMEM;
	parts->items[parts->n++] = (struct pdf_part){ start, end, parts->n_pages, n_lines, false };
	return 0;
}

/* Parts end with an empty line or the page. */
static int find_parts(const char *text, size_t n, unsigned max_pages, struct parts *parts)
{
	size_t at = 0, start = 0, end = 0;
	unsigned n_lines = 0;
	int r = 0;

	while (at < n && r == 0 && parts->n_pages < max_pages) {
		size_t line_end = at + strcspn(text + at, "\n\f");
		bool page_ends;

		while (line_end < n && text[line_end] == '\0')
			line_end += 1 + strcspn(text + line_end + 1, "\n\f");
		page_ends = line_end < n && text[line_end] == '\f';
		if (!is_blank(text, at, line_end)) {
			start = n_lines == 0 ? at : start;
			end = line_end;
			n_lines++;
		}
		if (is_blank(text, at, line_end) || page_ends || n_lines == MAX_PART_LINES) {
			r = add_part(parts, start, end, n_lines);
			n_lines = 0;
		}
		parts->n_pages += page_ends;
		at = line_end + 1;
	}
	if (r == 0 && parts->n_pages < max_pages)
		r = add_part(parts, start, end, n_lines);
	if (parts->n > 0 && parts->items[parts->n - 1].page == parts->n_pages)
		parts->n_pages++; /* without its form feed */
	parts->end = at < n ? at : n;
	return r;
}

static size_t read_lines(const struct page *page, const struct pdf_part *part)
{
	size_t at = part->start, n = 0;

	while (at < part->end && n < MAX_PART_LINES) {
		line_read(page->text, part->end, at, &page->lines[n]);
		at = page->lines[n].next;
		n += page->lines[n].kind != LINE_BLANK;
	}
	return n;
}

/* How wide lines are that were filled up: as wide as nine of ten in parts of several lines are at most. */
static size_t measure(struct page *page, const struct pdf_part *parts, size_t n)
{
	size_t counts[MAX_WIDTH + 1] = { 0 }, n_lines = 0, n_wider = 0, width = MAX_WIDTH;

	for (size_t i = 0; i < n; i++) {
		size_t n_part = parts[i].aside || parts[i].n_lines < 2 ? 0 : read_lines(page, &parts[i]);

		for (size_t k = 0; k < n_part; k++)
			counts[page->lines[k].width < MAX_WIDTH ? page->lines[k].width : MAX_WIDTH]++;
		n_lines += n_part;
	}
	while (width > 0 && 10 * (n_wider + counts[width]) <= n_lines)
		n_wider += counts[width--];
	return width;
}

static bool starts_item(const char *text, const struct line *line)
{
	static const char *const BULLETS[] = {
		"\xe2\x80\xa2", "\xe2\x96\xa0", "\xe2\x96\xaa", "\xe2\x97\x8f",
		"\xe2\x97\xa6", "\xe2\x80\xa3", "\xe2\x97\x8b", "\xef\x82\xb7"
	};

	for (size_t i = 0; i < sizeof(BULLETS) / sizeof(BULLETS[0]); i++)
		if (line->end - line->start >= 3 && memcmp(text + line->start, BULLETS[i], 3) == 0)
			return true;
	return line->kind == LINE_ITEM;
}

static bool ends_sentence(const char *text, const struct line *line)
{
	size_t end = line->end;

	while (end > line->start && strchr("\"')]", text[end - 1]) != NULL && text[end - 1] != '\0')
		end--;
	return end > line->start && strchr(".!?:;", text[end - 1]) != NULL;
}

/* A line of a table of contents, which fills itself up. */
static bool has_leader(const char *text, const struct line *line)
{
	size_t n = line->end - line->start;

	return memmem(text + line->start, n, ". . . .", 7) != NULL ||
	       memmem(text + line->start, n, ".....", 5) != NULL;
}

/* The next line's first word had no room in it; or it stops in the middle of a sentence, which goes on in small letters. */
static bool goes_on(const struct page *page, const struct line *line, const struct line *next)
{
	size_t least = page->full * 85 / 100 > MIN_FULL ? page->full * 85 / 100 : MIN_FULL;
	bool full = line->width + 1 + line_first_word(page->text, next) >= least;

	if (starts_item(page->text, next) || has_leader(page->text, line))
		return false;
	return full || (!ends_sentence(page->text, line) && islower((unsigned char)page->text[next->start]));
}

/* Line i would be a heading if it stood by itself: pdftotext does not leave empty what was empty on the page. */
static bool find_heading(const struct page *page, size_t n, size_t i, struct heading *ret)
{
	const struct line *line = &page->lines[i];
	const struct line *next = i + 1 < n ? line + 1 : page->has_after ? &page->after : NULL;

	return line->end - line->start <= MAX_HEADING && next != NULL &&
	       heading_plain(page->text, line, 1, 0, next, ret);
}

static void put_line(const struct page *page, const struct line *line)
{
	sink_text(page->sink, page->text + line->start, line->end - line->start);
	sink_break(page->sink);
}

/* From line i to the end of its paragraph; the line behind it. */
static size_t put_paragraph(const struct page *page, size_t n, size_t i)
{
	const struct line *lines = page->lines;
	bool is_item = starts_item(page->text, &lines[i]);
	struct heading heading;

	sink_begin(page->sink, is_item ? SINK_ITEM : SINK_WRAPPED, 1);
	for (;; i++) {
		put_line(page, &lines[i]);
		if (i + 1 == n || !goes_on(page, &lines[i], &lines[i + 1]) ||
		    (ends_sentence(page->text, &lines[i]) && find_heading(page, n, i + 1, &heading)))
			return i + 1;
	}
}

static void put_part(const struct page *page, const struct pdf_part *part)
{
	size_t n = read_lines(page, part), i = 0;
	struct heading heading;

	if (part->aside) {
		sink_begin(page->sink, SINK_WRAPPED, 0);
		for (; i < n; i++)
			put_line(page, &page->lines[i]);
		sink_aside(page->sink);
		return;
	}
	while (i < n) {
		if (find_heading(page, n, i, &heading)) {
			sink_begin(page->sink, SINK_HEADING, heading.level);
			put_line(page, &page->lines[i++]);
		} else {
			i = put_paragraph(page, n, i);
		}
	}
}

/* The first line of the next part that is none of the edges. */
static void look_ahead(struct page *page, const struct pdf_part *parts, size_t n, size_t i)
{
	while (i < n && parts[i].aside)
		i++;
	page->has_after = i < n;
	if (i < n)
		line_read(page->text, parts[i].end, parts[i].start, &page->after);
}

static int put_page(struct page *page, unsigned number, const struct pdf_part *parts, size_t n)
{
	int r = sink_page(page->sink, number + 1);

	page->full = measure(page, parts, n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		look_ahead(page, parts, n, i + 1);
		put_part(page, &parts[i]);
		r = sink_end(page->sink);
	}
	return r;
}

static int put_pages(struct page *page, const struct parts *parts)
{
	size_t i = 0;
	int r = 0;

	for (unsigned number = 0; r == 0 && parts->n > 0 && number < parts->n_pages; number++) {
		size_t begin = i;

		while (i < parts->n && parts->items[i].page == number)
			i++;
		r = put_page(page, number, parts->items + begin, i - begin);
	}
	return r;
}

int pdf_text_parse(const char *text, size_t n, unsigned max_pages, struct sink *sink, struct err *err)
{
	struct page page = { .text = text, .sink = sink, .lines = array_new(struct line, MAX_PART_LINES) };
	struct parts parts = { .n = 0 };
	char reason[64];
	int r = page.lines == NULL ? -ENOMEM : find_parts(text, n, max_pages, &parts);

	if (r == 0)
		r = pdf_heads_find(text, parts.items, parts.n, parts.n_pages);
	if (r == 0 && parts.end < n) {
		snprintf(reason, sizeof(reason), "only the first %u page%s (extract.max_pages)", max_pages,
		         max_pages == 1 ? "" : "s");
		sink_truncated(sink, reason);
	}
	if (r == 0)
		r = put_pages(&page, &parts);
	free(page.lines);
	free(parts.items);
	return r == -ENOMEM ? err_set(err, r, "no memory for its pages") : r;
}
