/* What the readers of man(7) and of mdoc(7) share: a page on its way into a sink. */
#ifndef SKIMD_PIPELINE_FORMATS_MANUAL_PAGE_INTERNAL_H
#define SKIMD_PIPELINE_FORMATS_MANUAL_PAGE_INTERNAL_H

#include <stdbool.h>

#include "base/buf.h"
#include "pipeline/formats/sink.h"
#include "pipeline/formats/troff_text.h"

enum { MANUAL_TITLE = 1, MANUAL_SECTION, MANUAL_SUBSECTION };

/* What a line that is awaited will be. */
enum manual_next { MANUAL_TEXT, MANUAL_HEADING, MANUAL_TAG };

enum manual_list { MANUAL_NO_LIST, MANUAL_ITEMS, MANUAL_TAGS, MANUAL_NUMBERS, MANUAL_ROWS };

#define MANUAL_MAX_LISTS 9

struct manual_page {
	struct sink *sink;
	struct troff_span rest;
	struct buf words; /* of the line at hand, to be used at once */
	bool open, preformatted;
	bool joins; /* the next word follows without a blank: \c, Ns, an opening bracket */
	enum manual_next next;
	unsigned next_level; /* of the heading that is awaited */
	unsigned indent; /* .RS within .RS */
	bool was_true; /* the last .ie */
	unsigned depth; /* of conditions on the line at hand */
	/* mdoc */
	struct buf name; /* of what the page describes: .Nm */
	struct {
		enum manual_list kind;
		unsigned n_items;
	} lists[MANUAL_MAX_LISTS + 1];
	unsigned n_lists; /* may be more than lists has */
	bool no_spaces; /* .Sm off */
	bool in_synopsis;
	int r;
};

void manual_end(struct manual_page *page); /* the open block */
void manual_begin(struct manual_page *page, enum sink_block block, unsigned level);
void manual_put(struct manual_page *page, const char *text); /* as it is */
void manual_break(struct manual_page *page);

/* A text with escapes, as the page's next words, a blank in front unless they join. */
void manual_put_text(struct manual_page *page, struct troff_span text);

void manual_preformatted(struct manual_page *page, bool begin);
void manual_heading(struct manual_page *page, unsigned level, struct troff_span line);

/* The name of a page and its section, as "ls(1)". */
void manual_title(struct manual_page *page, struct troff_span line);

/* A macro with what follows it on its line. false: it is none. */
bool manual_man_macro(struct manual_page *page, struct troff_span name, struct troff_span line);
bool manual_mdoc_macro(struct manual_page *page, struct troff_span name, struct troff_span line);

#endif
