#include "pipeline/formats/pptx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/formats/opc.h"
#include "pipeline/formats/story.h"
#include "pipeline/formats/xml.h"

#define MAX_LEVEL 8

static const char *const P[] = { "http://schemas.openxmlformats.org/presentationml/2006/main",
	                         "http://purl.oclc.org/ooxml/presentationml/main", NULL };
static const char *const A[] = { "http://schemas.openxmlformats.org/drawingml/2006/main",
	                         "http://purl.oclc.org/ooxml/drawingml/main", NULL };
/* What a shape is for, by the place that the lay-out keeps for it. */
enum role { FREE_TEXT, TITLE, OUTLINE, LEFT_OUT };

struct reader {
	struct story story;
	struct package *package;
	const struct format_input *input;
	struct opc_relations relations; /* of the presentation */
	enum role role; /* of the shape at hand */
	bool in_notes; /* of which the body alone is text */
	unsigned level; /* of the paragraph at hand */
	bool has_bullet, has_no_bullet;
	unsigned n_slides;
	struct err *err;
};

/* Shapes */

static int start_shape(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	reader->role = FREE_TEXT;
	return 0;
}

/* The place stands in front of the text. Titles are the slide's alone, and its notes have a body alone. */
static int start_place(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value type = xml_attribute(xml, NULL, "type");

	if (xml_value_is(type, "body"))
		reader->role = OUTLINE;
	else if (reader->in_notes)
		reader->role = LEFT_OUT;
	else if (xml_value_is(type, "title") || xml_value_is(type, "ctrTitle"))
		reader->role = TITLE;
	else if (type.text == NULL || xml_value_is(type, "obj"))
		reader->role = OUTLINE;
	else if (!xml_value_is(type, "subTitle") && !xml_value_is(type, "tbl"))
		reader->role = LEFT_OUT;
	return 0;
}

/* Paragraphs */

static int begin_paragraph(struct reader *reader)
{
	bool is_item = !reader->in_notes && !reader->has_no_bullet &&
	               (reader->role == OUTLINE || reader->has_bullet);

	if (reader->role == TITLE)
		return story_paragraph(&reader->story, SINK_HEADING, 1, false);
	if (is_item)
		return story_paragraph(&reader->story, SINK_ITEM, reader->level + 1, false);
	return story_paragraph(&reader->story, SINK_PARAGRAPH, 0, false);
}

static int start_paragraph(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	reader->level = 0;
	reader->has_bullet = reader->has_no_bullet = false;
	return begin_paragraph(reader);
}

static int start_properties(struct xml *xml, void *user)
{
	struct reader *reader = user;

	reader->level = xml_value_number(xml_attribute(xml, NULL, "lvl"), MAX_LEVEL, 0);
	return 0;
}

static int end_properties(void *user)
{
	return begin_paragraph(user);
}

static int start_bullet(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	reader->has_bullet = true;
	return 0;
}

static int start_no_bullet(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	reader->has_no_bullet = true;
	return 0;
}

static int end_paragraph(void *user)
{
	struct reader *reader = user;

	return story_end_paragraph(&reader->story);
}

static int add_text(void *user, const char *text, size_t n)
{
	struct reader *reader = user;

	return reader->role == LEFT_OUT ? 0 : story_text(&reader->story, text, n);
}

static int start_break(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	return reader->role == LEFT_OUT ? 0 : story_break(&reader->story);
}

static int start_field(struct xml *xml, void *user)
{
	(void)user;
	return xml_value_is(xml_attribute(xml, NULL, "type"), "slidenum") ? XML_SKIP : 0;
}

/* Tables */

static int start_row(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	reader->role = FREE_TEXT;
	return story_row(&reader->story);
}

static int end_row(void *user)
{
	struct reader *reader = user;

	return story_end_row(&reader->story);
}

static int start_cell(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	return story_cell(&reader->story);
}

static int start_slide(struct xml *xml, void *user)
{
	struct reader *reader = user;

	reader->story.aside = !xml_value_bool(xml_attribute(xml, NULL, "show"), true);
	return 0;
}

static const struct xml_tag SLIDE_TAGS[] = {
	{ P, "sld", false, start_slide, NULL },
	{ P, "sp", false, start_shape, NULL },
	{ P, "graphicFrame", false, start_shape, NULL },
	{ P, "ph", false, start_place, NULL },
	{ A, "p", false, start_paragraph, end_paragraph },
	{ A, "pPr", false, start_properties, end_properties },
	{ A, "buChar", false, start_bullet, NULL },
	{ A, "buAutoNum", false, start_bullet, NULL },
	{ A, "buNone", false, start_no_bullet, NULL },
	{ A, "t", true, NULL, NULL },
	{ A, "br", false, start_break, NULL },
	{ A, "fld", false, start_field, NULL },
	{ A, "tr", false, start_row, end_row },
	{ A, "tc", false, start_cell, NULL },
};
static const struct xml_dialect SLIDE = { SLIDE_TAGS, sizeof(SLIDE_TAGS) / sizeof(SLIDE_TAGS[0]), add_text };

/* One that is damaged or not there leaves a presentation that is not whole. */
static int read_part(struct reader *reader, const char *part, bool in_notes)
{
	struct err words = { "" };
	int r;

	reader->in_notes = in_notes;
	reader->role = FREE_TEXT;
	r = xml_read_member(reader->package, part, reader->input->max_depth, &SLIDE, reader, &words);
	reader->story.n_rows = 0;
	if (r == -EBADMSG || r == -ENOENT) {
		sink_truncated(reader->story.sink, words.text);
		return story_end_paragraph(&reader->story);
	}
	return r == 0 ? story_end_paragraph(&reader->story) : err_set(reader->err, r, "%s", words.text);
}

/* What is drawn as a diagram, and what the speaker wanted to say. */
static int read_beside(struct reader *reader, const char *slide)
{
	struct opc_relations relations = { 0 };
	struct err words = { "" };
	int r = opc_relations_read(reader->package, slide, reader->input->max_depth, &relations, &words);

	if (r < 0 && r != -EBADMSG)
		err_set(reader->err, r, "%s", words.text);
	for (size_t i = 0; r == 0 && i < relations.n; i++)
		if (strcmp(relations.relations[i].type, "diagramData") == 0)
			r = read_part(reader, relations.relations[i].target, false);
	for (size_t i = 0; r == 0 && i < relations.n; i++)
		if (strcmp(relations.relations[i].type, "notesSlide") == 0)
			r = read_part(reader, relations.relations[i].target, true);
	opc_relations_done(&relations);
	return r == -EBADMSG ? 0 : r;
}

static int start_slide_id(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value id = xml_attribute(xml, OPC_RELATIONS_SPACE, "id");
	const char *slide = opc_target(&reader->relations, id.text, id.n);
	char name[64];
	int n, r;

	if (slide == NULL)
		return 0;
	if (reader->n_slides == reader->input->max_pages) {
		snprintf(name, sizeof(name), "only the first %u slides", reader->n_slides);
		sink_truncated(reader->story.sink, name);
		return 0;
	}
	n = snprintf(name, sizeof(name), "Slide %u", ++reader->n_slides);
	reader->story.aside = false;
	r = sink_section(reader->story.sink, name, (size_t)n);
	if (r == 0)
		r = read_part(reader, slide, false);
	return r == 0 ? read_beside(reader, slide) : r;
}

static const struct xml_tag PRESENTATION_TAGS[] = { { P, "sldId", false, start_slide_id, NULL } };
static const struct xml_dialect PRESENTATION = { PRESENTATION_TAGS, 1, NULL };

static int read_presentation(struct reader *reader, struct err *err)
{
	char *main_part = NULL;
	int r = opc_main_part(reader->package, reader->input->max_depth, &main_part, err);

	if (r == 0)
		r = opc_relations_read(reader->package, main_part, reader->input->max_depth,
		                       &reader->relations, err);
	if (r == 0)
		r = xml_read_member(reader->package, main_part, reader->input->max_depth, &PRESENTATION,
		                    reader, err);
	free(main_part);
	return r;
}

static int parse_pptx(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct err words = { "" };
	struct reader reader = { .story = { .sink = sink }, .input = input, .err = &words };
	int r = package_open(input, &reader.package, &words);

	if (r == 0)
		r = read_presentation(&reader, &words);
	r = story_finish(&reader.story, r, &words, err);
	story_done(&reader.story);
	opc_relations_done(&reader.relations);
	package_close(reader.package);
	return r;
}

static bool is_pptx(const struct format_input *input)
{
	static const char *const types[] = { "presentationml.presentation.main+xml",
		                             "presentationml.slideshow.main+xml",
		                             "presentationml.template.main+xml",
		                             "ms-powerpoint.presentation.macroEnabled.main+xml",
		                             "ms-powerpoint.slideshow.macroEnabled.main+xml",
		                             NULL };

	return opc_has_content(input, types);
}

const struct format FORMAT_PPTX = {
	.media_type = "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	.name = "a PowerPoint presentation",
	.is = is_pptx,
	.parse = parse_pptx,
};
