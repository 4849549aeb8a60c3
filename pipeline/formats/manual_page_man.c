/* The macros of man(7). */
#include <stdlib.h>
#include <string.h>

#include "pipeline/formats/manual_page_internal.h"

#define SHORT_TAG 4 /* bytes: a bullet, "1." */

static unsigned item_level(const struct manual_page *page)
{
	return page->indent < 8 ? page->indent + 1 : 9;
}

static void heading_or_next(struct manual_page *page, unsigned level, struct troff_span line)
{
	struct troff_span rest = line;
	struct troff_word word;

	if (troff_next_word(&rest, &word)) {
		manual_heading(page, level, line);
		return;
	}
	page->next = MANUAL_HEADING;
	page->next_level = level;
}

static void title(struct manual_page *page, struct troff_span line)
{
	manual_title(page, line);
}

static void section(struct manual_page *page, struct troff_span line)
{
	heading_or_next(page, MANUAL_SECTION, line);
}

static void subsection(struct manual_page *page, struct troff_span line)
{
	heading_or_next(page, MANUAL_SUBSECTION, line);
}

static void paragraph(struct manual_page *page, struct troff_span line)
{
	(void)line;
	if (page->preformatted)
		manual_break(page);
	else
		manual_end(page);
}

/* The next line is the item's tag. */
static void tagged(struct manual_page *page, struct troff_span line)
{
	(void)line;
	page->preformatted = false;
	manual_begin(page, SINK_ITEM, item_level(page));
	page->next = MANUAL_TAG;
}

static void another_tag(struct manual_page *page, struct troff_span line)
{
	(void)line;
	manual_break(page);
	page->next = MANUAL_TAG;
}

static void indented(struct manual_page *page, struct troff_span line)
{
	struct troff_word tag;

	page->preformatted = false;
	if (!troff_next_word(&line, &tag) || tag.text.at == tag.text.end) {
		manual_end(page);
		return;
	}
	manual_begin(page, SINK_ITEM, item_level(page));
	manual_put_text(page, tag.text);
	if (page->words.n > SHORT_TAG)
		manual_break(page);
}

static void indent(struct manual_page *page, struct troff_span line)
{
	(void)line;
	page->indent++;
	if (!page->preformatted)
		manual_end(page);
}

static void outdent(struct manual_page *page, struct troff_span line)
{
	(void)line;
	page->indent -= page->indent > 0;
	if (!page->preformatted)
		manual_end(page);
}

static void end_line(struct manual_page *page)
{
	if (page->preformatted)
		manual_break(page);
}

/* .B words */
static void font(struct manual_page *page, struct troff_span line)
{
	struct troff_word word;

	while (troff_next_word(&line, &word))
		manual_put_text(page, word.text);
	end_line(page);
}

/* .BR ls (1): without blanks. */
static void fonts(struct manual_page *page, struct troff_span line)
{
	struct troff_word word;
	bool first = true;

	for (; troff_next_word(&line, &word); first = false) {
		page->joins |= !first;
		manual_put_text(page, word.text);
	}
	end_line(page);
}

/* .OP -o file: [-o file] */
static void option(struct manual_page *page, struct troff_span line)
{
	static const char BRACKET[] = "[";

	manual_put_text(page, (struct troff_span){ BRACKET, BRACKET + 1 });
	page->joins = true;
	font(page, line);
	manual_put(page, "]");
}

static void synopsis(struct manual_page *page, struct troff_span line)
{
	manual_end(page);
	font(page, line);
}

static const struct {
	const char *name;
	void (*read)(struct manual_page *page, struct troff_span line);
} MACROS[] = {
	{ "TH", title },       { "SH", section },   { "SS", subsection }, { "PP", paragraph },
	{ "P", paragraph },    { "LP", paragraph }, { "HP", paragraph },  { "TP", tagged },
	{ "TQ", another_tag }, { "IP", indented },  { "RS", indent },     { "RE", outdent },
	{ "B", font },         { "I", font },       { "SM", font },       { "SB", font },
	{ "R", font },         { "BI", fonts },     { "BR", fonts },      { "IB", fonts },
	{ "IR", fonts },       { "RB", fonts },     { "RI", fonts },      { "OP", option },
	{ "SY", synopsis },    { "YS", paragraph }, { "UR", font },       { "MT", font },
	{ "UE", fonts },       { "ME", fonts },     { "MR", fonts },
};

bool manual_man_macro(struct manual_page *page, struct troff_span name, struct troff_span line)
{
	for (size_t i = 0; i < sizeof(MACROS) / sizeof(MACROS[0]); i++) {
		if (troff_equals(name, MACROS[i].name)) {
			MACROS[i].read(page, line);
			return true;
		}
	}
	return false;
}
