#include "pipeline/formats/html.h"

#include <ctype.h>
#include <errno.h>
#include <libxml/HTMLparser.h>
#include <libxml/parserInternals.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "pipeline/formats/html_charset.h"
#include "pipeline/formats/html_element.h"
#include "pipeline/formats/html_source.h"

#define DEEPEST 512
#define SOUP 4 /* elements that nobody closed, for one that is meant */
#define MAX_TABLES 16 /* within each other */

struct table { /* an open one */
	bool in_row;
	bool is_layout; /* the row at hand holds blocks, and is none */
	size_t n_cells; /* of the row at hand */
};

struct frame { /* an open element */
	enum html_element element;
	bool is_aside;
};

struct html {
	struct sink *sink;
	const struct html_page *page;
	htmlParserCtxt *parser;
	struct frame frames[DEEPEST];
	size_t n_frames, max_depth;
	size_t n_skipped; /* elements open from the one on that is left out */
	size_t n_asides, n_lists, n_pre;
	unsigned heading; /* level of the open one; 0: none */
	bool item_waits; /* the list's item has no word yet */
	struct table tables[MAX_TABLES];
	size_t n_tables;
	bool is_open; /* a block is, but for rows */
	bool has_text;
	struct buf title;
	bool title_waits; /* to be put in front of the text */
	struct buf chapter; /* the heading that names it, while it is read */
	bool in_chapter_heading, is_named;
	int r;
	struct err *err;
};

static void stop(struct html *html, int r)
{
	if (html->r == 0)
		html->r = r;
	xmlStopParser(html->parser);
}

static void check(struct html *html, int r)
{
	if (r < 0 && html->r == 0)
		stop(html, r);
}

static struct table *table_of(struct html *html)
{
	return html->n_tables > 0 && html->n_tables <= MAX_TABLES ? &html->tables[html->n_tables - 1] : NULL;
}

static bool is_in_row(struct html *html)
{
	const struct table *table = table_of(html);

	return table != NULL && table->in_row && !table->is_layout;
}

static void end_block(struct html *html)
{
	if (html->is_open)
		check(html, is_in_row(html) ? sink_text(html->sink, " ", 1) : sink_end(html->sink));
	html->is_open = html->is_open && is_in_row(html);
}

static void begin(struct html *html, enum sink_block block, unsigned level)
{
	check(html, sink_begin(html->sink, block, level));
	if (html->n_asides > 0)
		check(html, sink_aside(html->sink));
}

/* A page whose text begins with its greatest heading has its title there. */
static void put_title(struct html *html)
{
	if (html->n_asides > 0 || !html->title_waits)
		return;
	html->title_waits = false;
	if (html->heading == 1)
		return;
	check(html, sink_begin(html->sink, SINK_HEADING, 1));
	check(html, sink_text(html->sink, html->title.data, html->title.n));
}

static void open_block(struct html *html)
{
	put_title(html);
	if (html->heading > 0)
		begin(html, SINK_HEADING, html->heading);
	else if (html->n_pre > 0)
		begin(html, SINK_PREFORMATTED, 0);
	else if (html->item_waits)
		begin(html, SINK_ITEM, (unsigned)html->n_lists);
	else
		begin(html, SINK_PARAGRAPH, 0);
	if (html->heading == 0)
		html->item_waits = false;
	html->is_open = true;
}

static void open_row(struct html *html)
{
	const struct table *table = table_of(html);

	put_title(html);
	begin(html, SINK_ROW, 0);
	for (size_t i = 1; i < table->n_cells; i++)
		check(html, sink_cell(html->sink));
	html->is_open = true;
}

static bool is_blank(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isspace((unsigned char)text[i]))
			return false;
	return true;
}

static void put_text(struct html *html, const char *text, size_t n)
{
	bool blank = is_blank(text, n);

	if (html->in_chapter_heading) {
		buf_append(&html->chapter, text, n);
		return;
	}
	if (!html->is_open && blank)
		return;
	if (!html->is_open && is_in_row(html))
		open_row(html);
	else if (!html->is_open)
		open_block(html);
	if (!blank && html->n_asides == 0)
		html->has_text = true;
	check(html, sink_text(html->sink, text, n));
}

/* Titles and chapters */

static void end_title(struct html *html)
{
	const char *name = html->page->name;

	check(html, buf_status(&html->title));
	if (html->title.n == 0 || is_blank(html->title.data, html->title.n) ||
	    (name != NULL && strcmp(name, html->title.data) == 0))
		return;
	if (!html->page->is_chapter)
		html->title_waits = !html->has_text;
	else if (!html->is_named)
		check(html, sink_section(html->sink, html->title.data, html->title.n));
}

/* A row that holds another table, or a heading, is there to arrange the page. */
static void leave_row(struct html *html)
{
	if (is_in_row(html)) {
		struct table *table = table_of(html);

		table->is_layout = true;
	}
	end_block(html);
}

static void begin_heading(struct html *html, unsigned level)
{
	leave_row(html);
	html->heading = level;
	html->in_chapter_heading = html->page->is_chapter && !html->is_named && html->n_asides == 0;
}

static void end_heading(struct html *html)
{
	struct buf name = html->chapter;

	if (html->in_chapter_heading) {
		html->in_chapter_heading = false;
		html->chapter = (struct buf){ 0 };
		if (buf_status(&name) < 0)
			check(html, -ENOMEM);
		if (name.n > 0 && !is_blank(name.data, name.n)) {
			html->is_named = true;
			check(html, sink_section(html->sink, name.data, name.n));
			put_text(html, name.data, name.n);
		}
		buf_done(&name);
	}
	end_block(html);
	html->heading = 0;
}

/* Tables */

static void begin_table(struct html *html)
{
	leave_row(html);
	if (html->n_tables++ < MAX_TABLES)
		html->tables[html->n_tables - 1] = (struct table){ 0 };
}

static void end_row(struct html *html)
{
	struct table *table = table_of(html);

	if (table != NULL)
		*table = (struct table){ 0 };
	end_block(html);
}

static void end_table(struct html *html)
{
	end_row(html);
	html->n_tables--;
}

static void begin_row(struct html *html)
{
	struct table *table = table_of(html);

	end_row(html);
	if (table != NULL)
		table->in_row = true;
}

static void begin_cell(struct html *html)
{
	struct table *table = table_of(html);

	if (!is_in_row(html)) {
		end_block(html);
		return;
	}
	table->n_cells++;
	if (html->is_open)
		check(html, sink_cell(html->sink));
}

/* Elements */

static void begin_element(struct html *html, enum html_element element)
{
	switch (element) {
	case HTML_H1 ... HTML_H6:
		begin_heading(html, (unsigned)(element - HTML_H1) + 1);
		break;
	case HTML_BREAK:
		if (is_in_row(html) || html->in_chapter_heading)
			put_text(html, " ", 1);
		else if (html->is_open)
			check(html, sink_break(html->sink));
		break;
	case HTML_LIST:
		end_block(html);
		html->n_lists++;
		break;
	case HTML_ITEM:
		end_block(html);
		html->item_waits = html->n_lists > 0;
		break;
	case HTML_PRE:
		end_block(html);
		html->n_pre++;
		break;
	case HTML_TABLE:
		begin_table(html);
		break;
	case HTML_ROW:
		begin_row(html);
		break;
	case HTML_CELL:
		begin_cell(html);
		break;
	case HTML_BLOCK:
	case HTML_ASIDE:
		end_block(html);
		break;
	case HTML_TITLE:
	case HTML_INLINE:
	case HTML_LEFT_OUT:
		break;
	}
}

static void end_element(struct html *html, enum html_element element)
{
	switch (element) {
	case HTML_H1 ... HTML_H6:
		end_heading(html);
		break;
	case HTML_LIST:
		end_block(html);
		html->n_lists--;
		break;
	case HTML_ITEM:
		end_block(html);
		html->item_waits = false;
		break;
	case HTML_PRE:
		end_block(html);
		html->n_pre--;
		break;
	case HTML_TABLE:
		end_table(html);
		break;
	case HTML_ROW:
		end_row(html);
		break;
	case HTML_TITLE:
		end_title(html);
		break;
	case HTML_BLOCK:
	case HTML_ASIDE:
		end_block(html);
		break;
	case HTML_CELL:
	case HTML_BREAK:
	case HTML_INLINE:
	case HTML_LEFT_OUT:
		break;
	}
}

static void on_start(void *user, const xmlChar *name, const xmlChar **attributes)
{
	struct html *html = user;
	enum html_element element = html_element_of((const char *)name, (const char *const *)attributes);

	if (html->r < 0)
		return;
	if (html->n_frames + html->n_skipped >= html->max_depth) {
		stop(html, err_set(html->err, -EFBIG, "elements nested more than %zu deep", html->max_depth));
		return;
	}
	if (html->n_skipped > 0 || element == HTML_LEFT_OUT) {
		html->n_skipped++;
		return;
	}
	begin_element(html, element);
	html->frames[html->n_frames++] = (struct frame){ element, element == HTML_ASIDE };
	html->n_asides += element == HTML_ASIDE;
}

static void on_end(void *user, const xmlChar *name)
{
	struct html *html = user;

	(void)name;
	if (html->r < 0)
		return;
	if (html->n_skipped > 0)
		html->n_skipped--;
	else if (html->n_frames > 0) {
		struct frame frame = html->frames[--html->n_frames];

		end_element(html, frame.element);
		html->n_asides -= frame.is_aside;
	}
}

static void on_text(void *user, const xmlChar *text, int n)
{
	struct html *html = user;

	if (html->r < 0 || html->n_skipped > 0)
		return;
	if (html->n_frames > 0 && html->frames[html->n_frames - 1].element == HTML_TITLE)
		buf_append(&html->title, text, (size_t)n);
	else
		put_text(html, (const char *)text, (size_t)n);
}

/* It would be printed otherwise. */
static void on_error(void *user, xmlErrorPtr error)
{
	struct html *html = user;

	if (error->code == XML_ERR_NO_MEMORY)
		check(html, err_set(html->err, -ENOMEM, "no memory to read its HTML"));
}

static int parse_text(struct html *html, const struct buf *text)
{
	if (text->n > INT_MAX)
		return err_set(html->err, -EFBIG, "more than 2 GB of HTML");
	html->parser = htmlCreateMemoryParserCtxt(text->data, (int)text->n);
	if (html->parser == NULL)
		return err_set(html->err, -ENOMEM, "no memory to read its HTML");
	*html->parser->sax = (htmlSAXHandler){ .initialized = XML_SAX2_MAGIC,
		                               .startElement = on_start,
		                               .endElement = on_end,
		                               .characters = on_text,
		                               .ignorableWhitespace = on_text,
		                               .cdataBlock = on_text,
		                               .serror = on_error };
	html->parser->userData = html;
	htmlCtxtUseOptions(html->parser, HTML_PARSE_NOIMPLIED | HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC);
	xmlSwitchEncoding(html->parser, XML_CHAR_ENCODING_UTF8);
	htmlParseDocument(html->parser);
	if (html->heading > 0)
		end_heading(html);
	check(html, sink_end(html->sink));
	xmlFreeDoc(html->parser->myDoc);
	htmlFreeParserCtxt(html->parser);
	return html->r;
}

int html_read(const struct html_page *page, struct sink *sink, bool *ret_has_text, struct err *err)
{
	struct html *html = calloc(1, sizeof(*html));
	struct buf text = { 0 };
	int r;

	if (html == NULL)
		return err_set(err, -ENOMEM, "no memory to read its HTML");
	html->sink = sink;
	html->page = page;
	html->err = err;
	html->max_depth = (size_t)page->max_depth * SOUP < DEEPEST ? (size_t)page->max_depth * SOUP : DEEPEST;
	r = html_charset_decode(page->bytes, page->n, page->charset, &text, err);
	html_source_disarm(&text);
	if (r == 0 && text.n > 0)
		r = parse_text(html, &text);
	if (html->has_text)
		*ret_has_text = true;
	buf_done(&text);
	buf_done(&html->title);
	buf_done(&html->chapter);
	free(html);
	return r;
}

static int parse_html(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct html_page page = { .bytes = input->bytes, .n = input->n, .max_depth = input->max_depth };
	struct err words = { "" };
	bool has_text = false;
	int r = html_read(&page, sink, &has_text, &words);

	if (r == 0)
		return has_text ? 0 : err_set(err, -ENODATA, "the file holds no text");
	if (r != -EFBIG || !has_text)
		return err_set(err, r, "%s", words.text[0] != '\0' ? words.text : strerror(-r));
	sink_truncated(sink, words.text);
	return 0;
}

const struct format FORMAT_HTML = {
	.media_type = "text/html",
	.name = "a web page",
	.is = html_source_is,
	.parse = parse_html,
};
