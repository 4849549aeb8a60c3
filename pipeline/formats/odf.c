#include "pipeline/formats/odf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/formats/idmap.h"
#include "pipeline/formats/odf_package.h"
#include "pipeline/formats/story.h"

#define MAX_LEVEL 9
#define MAX_BLANKS 256 /* of one <text:s>, in program text */
#define MAX_COPIES 64 /* of one cell or row that is repeated */
#define MAX_BASES 16

struct reader {
	struct story story;
	struct idmap styles; /* of paragraphs, to the style each stands on */
	struct idmap hidden; /* styles of slides that are not shown */
	char *style; /* at hand, while styles are read */
	unsigned n_lists, n_contents; /* open ones; contents: tables of contents and indexes */
	bool is_presentation, in_title, in_outline, in_body;
	unsigned n_slides;
};

/* Styles. Those of the document itself have made-up names, and stand on ones that mean something. */

static int start_style(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value name = xml_attribute(xml, ODF_STYLE, "name");
	struct xml_value base = xml_attribute(xml, ODF_STYLE, "parent-style-name");

	free(reader->style);
	reader->style = name.text == NULL ? NULL : strndup(name.text, name.n);
	return idmap_add(&reader->styles, name.text, name.n, base.text, base.n);
}

static int start_page_properties(struct xml *xml, void *user)
{
	struct reader *reader = user;

	if (reader->style == NULL ||
	    !xml_value_is(xml_attribute(xml, ODF_PRESENTATION, "visibility"), "hidden"))
		return 0;
	return idmap_add(&reader->hidden, reader->style, strlen(reader->style), "", 0);
}

static bool stands_on(struct reader *reader, struct xml_value style, const char *name)
{
	const char *text = style.text;
	size_t n = style.n;

	for (unsigned i = 0; text != NULL && i < MAX_BASES; i++) {
		if (n >= strlen(name) && memcmp(text, name, strlen(name)) == 0)
			return true;
		text = idmap_find(&reader->styles, text, n);
		n = text == NULL ? 0 : strlen(text);
	}
	return false;
}

/* Paragraphs */

static bool is_aside(const struct reader *reader)
{
	return reader->n_contents > 0;
}

static int start_heading(struct xml *xml, void *user)
{
	struct reader *reader = user;
	unsigned level = xml_value_number(xml_attribute(xml, ODF_TEXT, "outline-level"), MAX_LEVEL, 1);

	return story_paragraph(&reader->story, SINK_HEADING, level > 0 ? level : 1, is_aside(reader));
}

/* In a presentation all that is listed is indented somehow: the outline has the items. */
static bool is_item(const struct reader *reader)
{
	return reader->n_lists > 0 && (!reader->is_presentation || reader->in_outline);
}

static int start_paragraph(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value style = xml_attribute(xml, ODF_TEXT, "style-name");
	struct story *story = &reader->story;

	if (reader->in_title || (!reader->is_presentation && stands_on(reader, style, "Title")))
		return story_paragraph(story, SINK_HEADING, 1, is_aside(reader));
	if (stands_on(reader, style, "Preformatted_20_Text") || stands_on(reader, style, "Source_20_Code"))
		return story_paragraph(story, SINK_PREFORMATTED, 0, is_aside(reader));
	if (is_item(reader))
		return story_paragraph(story, SINK_ITEM, reader->n_lists, is_aside(reader));
	return story_paragraph(story, SINK_PARAGRAPH, 0, is_aside(reader));
}

static int end_paragraph(void *user)
{
	struct reader *reader = user;

	return story_end_paragraph(&reader->story);
}

static int add_text(void *user, const char *text, size_t n)
{
	struct reader *reader = user;

	return story_text(&reader->story, text, n);
}

static int start_blanks(struct xml *xml, void *user)
{
	struct reader *reader = user;
	unsigned n = xml_value_number(xml_attribute(xml, ODF_TEXT, "c"), MAX_BLANKS, 1);
	int r = 0;

	while (r == 0 && n-- > 0)
		r = story_text(&reader->story, " ", 1);
	return r;
}

static int start_tab(struct xml *xml, void *user)
{
	(void)xml;
	return add_text(user, "\t", 1);
}

static int start_break(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	return story_break(&reader->story);
}

static int pass_over(struct xml *xml, void *user)
{
	(void)xml, (void)user;
	return XML_SKIP;
}

/* Lists and tables */

static int start_list(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	reader->n_lists++;
	return 0;
}

static int end_list(void *user)
{
	struct reader *reader = user;

	reader->n_lists--;
	return 0;
}

static int start_row(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	return story_row(&reader->story);
}

static int end_row(void *user)
{
	struct reader *reader = user;

	return story_end_row(&reader->story);
}

/* A cell that is repeated is an empty one; rows of text documents are not repeated by any program. */
static int start_cell(struct xml *xml, void *user)
{
	struct reader *reader = user;
	unsigned n =
		xml_value_number(xml_attribute(xml, ODF_TABLE, "number-columns-repeated"), MAX_COPIES, 1);
	int r = 0;

	while (r == 0 && n-- > 0)
		r = story_cell(&reader->story);
	return r;
}

/* What stands beside */

static int start_contents(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	reader->n_contents++;
	return 0;
}

static int end_contents(void *user)
{
	struct reader *reader = user;

	reader->n_contents--;
	return 0;
}

static int start_note(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	story_box(&reader->story);
	return 0;
}

static int end_note(void *user)
{
	struct reader *reader = user;

	return story_end_box(&reader->story);
}

/* The frames of a text lie in its paragraphs, those of slides by themselves. */
static int start_text_box(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	if (!reader->is_presentation)
		story_box(&reader->story);
	return 0;
}

static int end_text_box(void *user)
{
	struct reader *reader = user;

	return reader->is_presentation ? story_end_paragraph(&reader->story) : story_end_box(&reader->story);
}

/* Slides */

static int start_slide(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value style = xml_attribute(xml, ODF_DRAW, "style-name");
	char name[32];
	int n = snprintf(name, sizeof(name), "Slide %u", ++reader->n_slides);

	reader->story.aside = idmap_find(&reader->hidden, style.text, style.n) != NULL;
	story_end_paragraph(&reader->story);
	return sink_section(reader->story.sink, name, (size_t)n);
}

static int end_slide(void *user)
{
	struct reader *reader = user;

	reader->in_title = reader->in_outline = false;
	return story_end_paragraph(&reader->story);
}

static int start_frame(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value class = xml_attribute(xml, ODF_PRESENTATION, "class");

	if (xml_value_is(class, "page-number") || xml_value_is(class, "date-time") ||
	    xml_value_is(class, "footer") || xml_value_is(class, "header"))
		return XML_SKIP;
	reader->in_title = xml_value_is(class, "title");
	reader->in_outline = xml_value_is(class, "outline");
	return 0;
}

static int end_frame(void *user)
{
	struct reader *reader = user;

	reader->in_title = reader->in_outline = false;
	return 0;
}

/* The content has no running heads; styles.xml has nothing else. A flat file has both, and the heads first. */
static int start_master_styles(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	if (reader->is_presentation)
		return XML_SKIP;
	reader->story.aside = true;
	return 0;
}

static int end_master_styles(void *user)
{
	struct reader *reader = user;
	int r = story_end_paragraph(&reader->story);

	reader->story.aside = false;
	return r;
}

static const struct xml_tag TAGS[] = {
	{ ODF_STYLE, "style", false, start_style, NULL },
	{ ODF_STYLE, "drawing-page-properties", false, start_page_properties, NULL },
	{ ODF_OFFICE, "master-styles", false, start_master_styles, end_master_styles },
	{ ODF_TEXT, "h", true, start_heading, end_paragraph },
	{ ODF_TEXT, "p", true, start_paragraph, end_paragraph },
	{ ODF_TEXT, "s", false, start_blanks, NULL },
	{ ODF_TEXT, "tab", false, start_tab, NULL },
	{ ODF_TEXT, "line-break", false, start_break, NULL },
	{ ODF_TEXT, "list", false, start_list, end_list },
	{ ODF_TEXT, "list-item", false, NULL, NULL },
	{ ODF_TABLE, "table-row", false, start_row, end_row },
	{ ODF_TABLE, "table-cell", false, start_cell, NULL },
	{ ODF_TABLE, "covered-table-cell", false, start_cell, NULL },
	{ ODF_TEXT, "note", false, NULL, NULL },
	{ ODF_TEXT, "note-body", false, start_note, end_note },
	{ ODF_DRAW, "text-box", false, start_text_box, end_text_box },
	{ ODF_DRAW, "page", false, start_slide, end_slide },
	{ ODF_DRAW, "frame", false, start_frame, end_frame },
	/* tables of contents and their kin */
	{ ODF_TEXT, "table-of-content", false, start_contents, end_contents },
	{ ODF_TEXT, "illustration-index", false, start_contents, end_contents },
	{ ODF_TEXT, "table-index", false, start_contents, end_contents },
	{ ODF_TEXT, "object-index", false, start_contents, end_contents },
	{ ODF_TEXT, "alphabetical-index", false, start_contents, end_contents },
	/* deleted; the mark of a note; remarks; what an index is made from; how a word is pronounced; what pictures show */
	{ ODF_TEXT, "tracked-changes", false, pass_over, NULL },
	{ ODF_TEXT, "note-citation", false, pass_over, NULL },
	{ ODF_OFFICE, "annotation", false, pass_over, NULL },
	{ ODF_TEXT, "table-of-content-source", false, pass_over, NULL },
	{ ODF_TEXT, "alphabetical-index-source", false, pass_over, NULL },
	{ ODF_TEXT, "ruby-text", false, pass_over, NULL },
	{ ODF_SVG, "title", false, pass_over, NULL },
	{ ODF_SVG, "desc", false, pass_over, NULL },
	{ ODF_TEXT, "script", false, pass_over, NULL },
	{ ODF_OFFICE, "forms", false, pass_over, NULL },
	{ ODF_OFFICE, "binary-data", false, pass_over, NULL },
};
static const struct xml_dialect DIALECT = { TAGS, sizeof(TAGS) / sizeof(TAGS[0]), add_text };

/* A damaged styles.xml costs the running heads alone. */
static int read_running_heads(struct reader *reader, struct package *package,
                              const struct format_input *input, struct err *err)
{
	int r = story_end_paragraph(&reader->story);

	if (r < 0 || package == NULL || reader->is_presentation || !package_has(package, "styles.xml"))
		return r;
	reader->n_lists = reader->n_contents = 0;
	r = xml_read_member(package, "styles.xml", input->max_depth, &DIALECT, reader, err);
	if (r == -EBADMSG)
		sink_truncated(reader->story.sink, err->text);
	return r == -EBADMSG ? 0 : r;
}

static int parse(const struct format_input *input, bool is_presentation, struct sink *sink, struct err *err)
{
	struct reader reader = { .story = { .sink = sink }, .is_presentation = is_presentation };
	struct package *package;
	struct err words = { "" };
	int r = odf_read_content(input, &DIALECT, &reader, &package, &words);

	if (r == 0)
		r = read_running_heads(&reader, package, input, &words);
	r = story_finish(&reader.story, r, &words, err);
	story_done(&reader.story);
	idmap_done(&reader.styles);
	idmap_done(&reader.hidden);
	free(reader.style);
	package_close(package);
	return r;
}

static bool is_odt(const struct format_input *input)
{
	return odf_is(input, "text");
}

static int parse_odt(const struct format_input *input, struct sink *sink, struct err *err)
{
	return parse(input, false, sink, err);
}

static bool is_odp(const struct format_input *input)
{
	return odf_is(input, "presentation") || odf_is(input, "graphics");
}

static int parse_odp(const struct format_input *input, struct sink *sink, struct err *err)
{
	return parse(input, true, sink, err);
}

const struct format FORMAT_ODT = {
	.media_type = "application/vnd.oasis.opendocument.text",
	.name = "an OpenDocument text",
	.is = is_odt,
	.parse = parse_odt,
};

const struct format FORMAT_ODP = {
	.media_type = "application/vnd.oasis.opendocument.presentation",
	.name = "an OpenDocument presentation",
	.is = is_odp,
	.parse = parse_odp,
};
