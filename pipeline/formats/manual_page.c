#include "pipeline/formats/manual_page.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "pipeline/formats/manual_page_internal.h"

#define MAX_CONDITIONS 16 /* on one line */
#define N_LOOKED_AT 400 /* lines; licences stand in front of some pages */

static void keep(struct manual_page *page, int r)
{
	if (page->r == 0)
		page->r = r;
}

void manual_end(struct manual_page *page)
{
	if (page->open)
		keep(page, sink_end(page->sink));
	page->open = page->joins = false;
}

void manual_begin(struct manual_page *page, enum sink_block block, unsigned level)
{
	manual_end(page);
	keep(page, sink_begin(page->sink, block, level));
	page->open = page->joins = true;
}

void manual_put(struct manual_page *page, const char *text)
{
	if (!page->open)
		manual_begin(page, SINK_PARAGRAPH, 0);
	keep(page, sink_text(page->sink, text, strlen(text)));
}

void manual_break(struct manual_page *page)
{
	if (page->open)
		keep(page, sink_break(page->sink));
	page->joins = true;
}

void manual_put_text(struct manual_page *page, struct troff_span text)
{
	bool goes_on;

	if (!page->open)
		manual_begin(page, SINK_PARAGRAPH, 0);
	if (!page->joins && !page->no_spaces)
		keep(page, sink_text(page->sink, " ", 1));
	page->words.n = 0;
	goes_on = troff_append(text, &page->words);
	keep(page, buf_status(&page->words));
	if (page->words.n > 0 && page->r == 0)
		keep(page, sink_text(page->sink, page->words.data, page->words.n));
	page->joins = goes_on;
}

void manual_preformatted(struct manual_page *page, bool begin)
{
	manual_end(page);
	page->preformatted = begin;
	if (begin)
		manual_begin(page, SINK_PREFORMATTED, 0);
}

void manual_heading(struct manual_page *page, unsigned level, struct troff_span line)
{
	struct troff_word word;

	page->preformatted = false;
	page->indent = 0;
	manual_begin(page, SINK_HEADING, level);
	while (troff_next_word(&line, &word))
		manual_put_text(page, word.text);
	manual_end(page);
}

void manual_title(struct manual_page *page, struct troff_span line)
{
	struct troff_word name, section;

	if (!troff_next_word(&line, &name))
		return;
	manual_begin(page, SINK_HEADING, MANUAL_TITLE);
	manual_put_text(page, name.text);
	if (troff_next_word(&line, &section)) {
		manual_put(page, "(");
		page->joins = true;
		manual_put_text(page, section.text);
		manual_put(page, ")");
	}
	manual_end(page);
}

/* Lines up to ".." or to the macro that the definition names for its end. */
static void skip_definition(struct manual_page *page, struct troff_span line, bool is_named)
{
	struct troff_word name, end;
	bool has_end = (!is_named || troff_next_word(&line, &name)) && troff_next_word(&line, &end);
	struct troff_span each;

	while (troff_next_line(&page->rest, &each)) {
		struct troff_span behind_dot = { each.at + 1, each.end };
		size_t n = has_end ? (size_t)(end.text.end - end.text.at) : 0;

		if (!has_end && troff_equals(each, ".."))
			return;
		if (has_end && each.at < each.end && *each.at == '.' &&
		    (size_t)(each.end - behind_dot.at) == n && memcmp(behind_dot.at, end.text.at, n) == 0)
			return;
	}
}

/* How many more groups a line opens than it closes. */
static int count_groups(struct troff_span line)
{
	int n = 0;

	for (; line.at + 1 < line.end; line.at++) {
		if (*line.at != '\\')
			continue;
		n += line.at[1] == '{';
		n -= line.at[1] == '}';
		line.at++;
	}
	return n;
}

static void read_line(struct manual_page *page, struct troff_span line);

static void skip_group(struct manual_page *page, struct troff_span line)
{
	int depth = count_groups(line);
	struct troff_span each;

	while (depth > 0 && troff_next_line(&page->rest, &each))
		depth += count_groups(each);
}

/* What a condition guards: the rest of its line, or a group that ends lines below. */
static void read_guarded(struct manual_page *page, struct troff_span line, bool is_true)
{
	if (!is_true) {
		skip_group(page, line);
		return;
	}
	while (line.at < line.end && (isspace((unsigned char)*line.at) ||
	                              (line.end - line.at >= 2 && memcmp(line.at, "\\{", 2) == 0)))
		line.at += *line.at == '\\' ? 2 : 1;
	if (line.at == line.end || *line.at == '\\' || page->depth >= MAX_CONDITIONS)
		return;
	page->depth++;
	read_line(page, line);
	page->depth--;
}

/* Of all conditions "n", a terminal's, alone is true. */
static void read_condition(struct manual_page *page, struct troff_span line)
{
	struct troff_word condition;
	bool negated;

	page->was_true = false;
	if (!troff_next_word(&line, &condition))
		return;
	negated = *condition.text.at == '!';
	condition.text.at += negated;
	page->was_true = troff_equals(condition.text, "n") != negated;
	read_guarded(page, line, page->was_true);
}

/* Lines of eqn(7), as they are. */
static void read_equation(struct manual_page *page)
{
	struct troff_span line;

	manual_begin(page, SINK_PREFORMATTED, 0);
	while (troff_next_line(&page->rest, &line) && !troff_equals(line, ".EN")) {
		keep(page, sink_text(page->sink, line.at, (size_t)(line.end - line.at)));
		manual_break(page);
	}
	manual_end(page);
}

/* "tab(|)", among the options of a table. */
static char table_separator(struct troff_span options, char otherwise)
{
	const char *tab = memmem(options.at, (size_t)(options.end - options.at), "tab", 3);

	while (tab != NULL && tab + 3 < options.end && (tab[3] == ' ' || tab[3] == '('))
		tab++;
	return tab != NULL && tab + 3 < options.end && tab[2] == '(' ? tab[3] : otherwise;
}

/* "T{", lines of text, "T}": one cell. Returns what follows it on its last line. */
static struct troff_span read_text_cell(struct manual_page *page, struct troff_span line)
{
	while (troff_next_line(&page->rest, &line)) {
		if (line.end - line.at >= 2 && memcmp(line.at, "T}", 2) == 0)
			return (struct troff_span){ line.at + 2, line.end };
		if (line.at == line.end || *line.at != '.') {
			page->joins = false;
			manual_put_text(page, line);
		}
	}
	return (struct troff_span){ line.end, line.end };
}

static void read_row(struct manual_page *page, struct troff_span line, char separator)
{
	manual_begin(page, SINK_ROW, 0);
	while (page->r == 0) {
		const char *end =
			line.at < line.end ? memchr(line.at, separator, (size_t)(line.end - line.at)) : NULL;
		struct troff_span cell = { line.at, end == NULL ? line.end : end };

		page->joins = true;
		if (troff_equals(cell, "T{")) {
			line = read_text_cell(page, line);
			end = line.at < line.end && *line.at == separator ? line.at : NULL;
		} else {
			manual_put_text(page, cell);
		}
		if (end == NULL)
			break;
		keep(page, sink_cell(page->sink));
		line.at = end + 1;
	}
	manual_end(page);
}

/* Lines of tbl(1): options, formats up to a full stop, rows. */
static void read_table(struct manual_page *page)
{
	struct troff_span line;
	bool in_rows = false;
	char separator = '\t';

	while (page->r == 0 && troff_next_line(&page->rest, &line) && !troff_equals(line, ".TE")) {
		bool ends = line.end > line.at && line.end[-1] == '.';

		if (troff_equals(line, ".T&"))
			in_rows = false;
		else if (!in_rows && line.end > line.at && line.end[-1] == ';')
			separator = table_separator(line, separator);
		else if (!in_rows)
			in_rows = ends;
		else if (line.at < line.end && *line.at != '.' && !troff_equals(line, "_") &&
		         !troff_equals(line, "="))
			read_row(page, line, separator);
	}
	manual_end(page);
}

/* Requests of troff itself. false: it is none that matters. */
static bool read_request(struct manual_page *page, struct troff_span name, struct troff_span line)
{
	if (troff_equals(name, "br"))
		manual_break(page);
	else if (troff_equals(name, "sp") || troff_equals(name, "bp") || troff_equals(name, "Sp"))
		page->preformatted ? manual_break(page) : manual_end(page);
	else if (troff_equals(name, "nf") || troff_equals(name, "Vb") || troff_equals(name, "EX"))
		manual_preformatted(page, true);
	else if (troff_equals(name, "fi") || troff_equals(name, "Ve") || troff_equals(name, "EE"))
		manual_preformatted(page, false);
	else if (troff_equals(name, "de") || troff_equals(name, "am") || troff_equals(name, "de1"))
		skip_definition(page, line, true);
	else if (troff_equals(name, "ig"))
		skip_definition(page, line, false);
	else if (troff_equals(name, "if") || troff_equals(name, "ie"))
		read_condition(page, line);
	else if (troff_equals(name, "el"))
		read_guarded(page, line, !page->was_true);
	else if (troff_equals(name, "TS"))
		read_table(page);
	else if (troff_equals(name, "EQ"))
		read_equation(page);
	else
		return false;
	return true;
}

static void read_control(struct manual_page *page, struct troff_span line)
{
	struct troff_span name;

	for (line.at++; line.at < line.end && (*line.at == ' ' || *line.at == '\t');)
		line.at++;
	name = line;
	while (line.at < line.end && !isspace((unsigned char)*line.at) && *line.at != '\\')
		line.at++;
	name.end = line.at;
	if (name.at < name.end && !read_request(page, name, line) && !manual_man_macro(page, name, line))
		manual_mdoc_macro(page, name, line);
}

static void read_preformatted(struct manual_page *page, struct troff_span line)
{
	page->joins = true;
	if (!page->open)
		manual_begin(page, SINK_PREFORMATTED, 0);
	if (line.at < line.end)
		manual_put_text(page, line);
	manual_break(page);
}

static void read_text(struct manual_page *page, struct troff_span line)
{
	if (page->preformatted) {
		read_preformatted(page, line);
	} else if (line.at == line.end) {
		manual_end(page);
	} else if (page->next == MANUAL_HEADING) {
		page->next = MANUAL_TEXT;
		manual_heading(page, page->next_level, line);
	} else {
		if (*line.at == ' ')
			manual_break(page);
		manual_put_text(page, line);
	}
}

static void read_line(struct manual_page *page, struct troff_span line)
{
	bool was_tag = page->next == MANUAL_TAG;

	if (line.at < line.end && (*line.at == '.' || *line.at == '\''))
		read_control(page, line);
	else
		read_text(page, line);
	if (was_tag && page->next == MANUAL_TAG && page->open) {
		page->next = MANUAL_TEXT;
		manual_break(page);
	}
}

static int manual_parse(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct manual_page page = { .sink = sink, .rest = { input->bytes, input->bytes + input->n } };
	struct troff_span line;

	while (page.r == 0 && troff_next_line(&page.rest, &line))
		read_line(&page, line);
	manual_end(&page);
	buf_done(&page.words);
	buf_done(&page.name);
	return page.r == 0 ? 0
	                   : err_set(err, page.r, "the manual page could not be read: %s", strerror(-page.r));
}

/* A title, .TH or .Dt, behind nothing but comments and requests. */
static bool manual_is(const struct format_input *input)
{
	struct troff_span rest = { input->bytes, input->bytes + input->n }, line;
	bool seen_date = false;

	for (int i = 0; i < N_LOOKED_AT && troff_next_line(&rest, &line); i++) {
		size_t n = (size_t)(line.end - line.at);

		if (n >= 4 && memcmp(line.at, ".TH ", 4) == 0)
			return true;
		if (n >= 4 && seen_date && memcmp(line.at, ".Dt ", 4) == 0)
			return true;
		seen_date |= n >= 3 && memcmp(line.at, ".Dd", 3) == 0;
		if (i == 0 && n > 0 && *line.at != '.' && *line.at != '\'')
			return false;
	}
	return false;
}

const struct format FORMAT_MANUAL_PAGE = { "text/troff", "a manual page", true, manual_is, manual_parse };
