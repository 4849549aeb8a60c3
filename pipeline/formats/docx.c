#include "pipeline/formats/docx.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/formats/docx_styles.h"
#include "pipeline/formats/idmap.h"
#include "pipeline/formats/opc.h"
#include "pipeline/formats/package.h"
#include "pipeline/formats/story.h"
#include "pipeline/formats/xml.h"

#define W DOCX_SPACE
#define MAX_LEVEL 9
#define MAX_TABLES 32 /* within each other; of deeper ones each is taken for one of several columns */

static const char *const MATH[] = { "http://schemas.openxmlformats.org/officeDocument/2006/math",
	                            "http://purl.oclc.org/ooxml/officeDocument/math", NULL };

/* The paragraph properties that say what a paragraph is. */
struct properties {
	enum docx_role role;
	unsigned level, outline; /* of the style; outline: of the paragraph itself, 9: none */
	bool is_listed;
	unsigned list_level;
};

struct reader {
	struct story story;
	struct docx_styles styles;
	struct idmap footnotes, endnotes;
	struct properties properties;
	bool in_properties, in_run, is_hidden;
	uint64_t codes; /* a bit for each open field, the innermost last: whether its code is being read */
	unsigned char n_columns[MAX_TABLES]; /* of open tables, at most 2 are counted */
	unsigned n_tables;
	char *note_id; /* at hand, while notes are read, */
	struct idmap *notes; /* and where it goes to */
};

static struct xml_value value_of(const struct xml *xml)
{
	return xml_attribute(xml, W, "val");
}

/* Paragraphs */

static int start_paragraph(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	reader->properties = (struct properties){ .role = DOCX_TEXT, .outline = MAX_LEVEL };
	return story_paragraph(&reader->story, SINK_PARAGRAPH, 0, false);
}

static int start_properties(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	reader->in_properties = true;
	return 0;
}

static int start_style(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value id = value_of(xml);

	reader->properties.role = docx_styles_role(&reader->styles, id.text, id.n, &reader->properties.level);
	return 0;
}

static int start_outline(struct xml *xml, void *user)
{
	struct reader *reader = user;

	reader->properties.outline = xml_value_number(value_of(xml), MAX_LEVEL, MAX_LEVEL);
	return 0;
}

static int start_list_level(struct xml *xml, void *user)
{
	struct reader *reader = user;

	reader->properties.list_level = xml_value_number(value_of(xml), MAX_LEVEL - 1, 0);
	return 0;
}

/* The list 0 takes a paragraph out of its style's list. */
static int start_list(struct xml *xml, void *user)
{
	struct reader *reader = user;
	bool is_none = xml_value_is(value_of(xml), "0");

	reader->properties.is_listed = !is_none;
	if (is_none && reader->properties.role == DOCX_ITEM)
		reader->properties.role = DOCX_TEXT;
	return 0;
}

static int end_properties(void *user)
{
	struct reader *reader = user;
	const struct properties *p = &reader->properties;

	reader->in_properties = false;
	if (p->role == DOCX_CONTENTS)
		return story_paragraph(&reader->story, SINK_PARAGRAPH, 0, true);
	if (p->outline < MAX_LEVEL)
		return story_paragraph(&reader->story, SINK_HEADING, p->outline + 1, false);
	if (p->role == DOCX_HEADING)
		return story_paragraph(&reader->story, SINK_HEADING, p->level, false);
	if (p->role == DOCX_PREFORMATTED)
		return story_paragraph(&reader->story, SINK_PREFORMATTED, 0, false);
	if (p->is_listed)
		return story_paragraph(&reader->story, SINK_ITEM, p->list_level + 1, false);
	if (p->role == DOCX_ITEM)
		return story_paragraph(&reader->story, SINK_ITEM, p->level, false);
	return 0;
}

static int end_paragraph(void *user)
{
	struct reader *reader = user;

	return story_end_paragraph(&reader->story);
}

/* Runs */

static int start_run(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	reader->in_run = !reader->in_properties;
	reader->is_hidden = false;
	return 0;
}

static int end_run(void *user)
{
	struct reader *reader = user;

	reader->in_run = reader->is_hidden = false;
	return 0;
}

static int start_vanish(struct xml *xml, void *user)
{
	struct reader *reader = user;

	if (reader->in_run && !reader->in_properties)
		reader->is_hidden = value_of(xml).text == NULL || xml_value_bool(value_of(xml), true);
	return 0;
}

static int add_text(void *user, const char *text, size_t n)
{
	struct reader *reader = user;

	return reader->codes != 0 || reader->is_hidden ? 0 : story_text(&reader->story, text, n);
}

static int start_tab(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml; /* stops of the paragraph's tabs have the same name */
	return reader->in_properties ? 0 : add_text(user, "\t", 1);
}

static int start_break(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	return reader->codes != 0 || reader->is_hidden ? 0 : story_break(&reader->story);
}

static int start_hyphen(struct xml *xml, void *user)
{
	(void)xml;
	return add_text(user, "-", 1);
}

/* A field is its code, a separator and its result; each of them may hold fields. */
static int start_field_mark(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value type = xml_attribute(xml, W, "fldCharType");

	if (xml_value_is(type, "begin"))
		reader->codes = reader->codes << 1 | 1;
	else if (xml_value_is(type, "separate"))
		reader->codes &= ~(uint64_t)1;
	else if (xml_value_is(type, "end"))
		reader->codes >>= 1;
	return 0;
}

static int pass_over(struct xml *xml, void *user)
{
	(void)xml, (void)user;
	return XML_SKIP;
}

/* Tables. One of a single column is a frame around paragraphs. */

static int start_table(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	if (reader->n_tables++ < MAX_TABLES)
		reader->n_columns[reader->n_tables - 1] = 0;
	return 0;
}

static int end_table(void *user)
{
	struct reader *reader = user;

	reader->n_tables--;
	return 0;
}

/* The grid stands in front of the rows. */
static int start_column(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	if (reader->n_tables > 0 && reader->n_tables <= MAX_TABLES &&
	    reader->n_columns[reader->n_tables - 1] < 2)
		reader->n_columns[reader->n_tables - 1]++;
	return 0;
}

static bool is_frame(const struct reader *reader)
{
	return reader->n_tables > 0 && reader->n_tables <= MAX_TABLES &&
	       reader->n_columns[reader->n_tables - 1] == 1;
}

static int start_row(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	return is_frame(reader) ? 0 : story_row(&reader->story);
}

static int start_cell(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	return is_frame(reader) ? 0 : story_cell(&reader->story);
}

static int end_row(void *user)
{
	struct reader *reader = user;

	return is_frame(reader) ? 0 : story_end_row(&reader->story);
}

/* Text boxes, notes */

static int start_box(struct xml *xml, void *user)
{
	struct reader *reader = user;

	(void)xml;
	story_box(&reader->story);
	return 0;
}

static int end_box(void *user)
{
	struct reader *reader = user;

	return story_end_box(&reader->story);
}

/* Notes are read first, each as a box whose text is kept until the document refers to it. */
static int start_note(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value id = xml_attribute(xml, W, "id"), type = xml_attribute(xml, W, "type");

	if (id.text == NULL || (type.text != NULL && !xml_value_is(type, "normal")))
		return XML_SKIP;
	free(reader->note_id);
	reader->note_id = strndup(id.text, id.n);
	story_box(&reader->story);
	return reader->note_id == NULL ? -ENOMEM : 0;
}

static int end_note(void *user)
{
	struct reader *reader = user;
	int r = story_end_box(&reader->story);

	if (r == 0)
		r = idmap_add(reader->notes, reader->note_id, strlen(reader->note_id),
		              reader->story.behind.data, reader->story.behind.n);
	buf_done(&reader->story.behind);
	return r;
}

static int refer(struct xml *xml, struct reader *reader, struct idmap *notes)
{
	struct xml_value id = xml_attribute(xml, W, "id");
	char *note = reader->codes != 0 || reader->is_hidden ? NULL : idmap_take(notes, id.text, id.n);
	int r = note == NULL ? 0 : story_note(&reader->story, note);

	free(note);
	return r;
}

static int start_footnote_reference(struct xml *xml, void *user)
{
	struct reader *reader = user;

	return refer(xml, reader, &reader->footnotes);
}

static int start_endnote_reference(struct xml *xml, void *user)
{
	struct reader *reader = user;

	return refer(xml, reader, &reader->endnotes);
}

static const struct xml_tag TAGS[] = {
	{ W, "p", false, start_paragraph, end_paragraph },
	{ W, "pPr", false, start_properties, end_properties },
	{ W, "pStyle", false, start_style, NULL },
	{ W, "outlineLvl", false, start_outline, NULL },
	{ W, "ilvl", false, start_list_level, NULL },
	{ W, "numId", false, start_list, NULL },
	{ W, "r", false, start_run, end_run },
	{ W, "vanish", false, start_vanish, NULL },
	{ W, "t", true, NULL, NULL },
	{ MATH, "t", true, NULL, NULL },
	{ W, "tab", false, start_tab, NULL },
	{ W, "ptab", false, start_tab, NULL },
	{ W, "br", false, start_break, NULL },
	{ W, "cr", false, start_break, NULL },
	{ W, "noBreakHyphen", false, start_hyphen, NULL },
	{ W, "fldChar", false, start_field_mark, NULL },
	{ W, "tbl", false, start_table, end_table },
	{ W, "gridCol", false, start_column, NULL },
	{ W, "tr", false, start_row, end_row },
	{ W, "tc", false, start_cell, NULL },
	{ W, "txbxContent", false, start_box, end_box },
	{ W, "footnote", false, start_note, end_note },
	{ W, "endnote", false, start_note, end_note },
	{ W, "footnoteReference", false, start_footnote_reference, NULL },
	{ W, "endnoteReference", false, start_endnote_reference, NULL },
	/* deleted, or moved from here; as it was before a change; how a word is pronounced */
	{ W, "del", false, pass_over, NULL },
	{ W, "moveFrom", false, pass_over, NULL },
	{ W, "pPrChange", false, pass_over, NULL },
	{ W, "rPrChange", false, pass_over, NULL },
	{ W, "tblGridChange", false, pass_over, NULL },
	{ W, "rt", false, pass_over, NULL },
};
static const struct xml_dialect DIALECT = { TAGS, sizeof(TAGS) / sizeof(TAGS[0]), add_text };

/* A part beside the document itself; a damaged one leaves a document that is not whole. */
static int read_beside(struct reader *reader, struct package *package, const struct format_input *input,
                       const char *part, struct err *err)
{
	int r = part == NULL || !package_has(package, part)
	                ? 0
	                : xml_read_member(package, part, input->max_depth, &DIALECT, reader, err);

	reader->codes = 0;
	reader->story.n_boxes = reader->n_tables = 0;
	reader->in_properties = reader->in_run = reader->is_hidden = false;
	if (r == -EBADMSG)
		sink_truncated(reader->story.sink, err->text);
	return r == -EBADMSG ? 0 : r;
}

static int read_styles(struct reader *reader, struct package *package, const struct format_input *input,
                       const char *part, struct err *err)
{
	int r = part == NULL || !package_has(package, part)
	                ? 0
	                : docx_styles_read(package, part, input->max_depth, &reader->styles, err);

	if (r == -EBADMSG)
		sink_truncated(reader->story.sink, err->text);
	return r == -EBADMSG ? 0 : r;
}

static int read_notes(struct reader *reader, struct package *package, const struct format_input *input,
                      const struct opc_relations *relations, struct err *err)
{
	int r;

	reader->notes = &reader->footnotes;
	r = read_beside(reader, package, input, opc_target_of_type(relations, "footnotes"), err);
	reader->notes = &reader->endnotes;
	if (r == 0)
		r = read_beside(reader, package, input, opc_target_of_type(relations, "endnotes"), err);
	buf_done(&reader->story.behind);
	return r;
}

/* They repeat on pages that we do not know, and come last. */
static int read_running_heads(struct reader *reader, struct package *package,
                              const struct format_input *input, const struct opc_relations *relations,
                              struct err *err)
{
	int r = story_end_paragraph(&reader->story);

	reader->story.aside = true;
	for (size_t i = 0; r == 0 && i < relations->n; i++) {
		const char *type = relations->relations[i].type;

		if (strcmp(type, "header") == 0 || strcmp(type, "footer") == 0)
			r = read_beside(reader, package, input, relations->relations[i].target, err);
		if (r == 0)
			r = story_end_paragraph(&reader->story);
	}
	return r;
}

static int read_parts(struct reader *reader, struct package *package, const struct format_input *input,
                      const char *document, struct err *err)
{
	struct opc_relations relations = { 0 };
	int r = opc_relations_read(package, document, input->max_depth, &relations, err);

	if (r == 0)
		r = read_styles(reader, package, input, opc_target_of_type(&relations, "styles"), err);
	if (r == 0)
		r = read_notes(reader, package, input, &relations, err);
	if (r == 0)
		r = xml_read_member(package, document, input->max_depth, &DIALECT, reader, err);
	if (r == 0)
		r = read_running_heads(reader, package, input, &relations, err);
	opc_relations_done(&relations);
	return r;
}

static void reader_done(struct reader *reader)
{
	story_done(&reader->story);
	docx_styles_done(&reader->styles);
	idmap_done(&reader->footnotes);
	idmap_done(&reader->endnotes);
	free(reader->note_id);
}

static int parse_docx(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct reader reader = { .story = { .sink = sink } };
	struct package *package = NULL;
	struct err words = { "" };
	char *document = NULL;
	int r = package_open(input, &package, &words);

	if (r == 0)
		r = opc_main_part(package, input->max_depth, &document, &words);
	if (r == 0)
		r = read_parts(&reader, package, input, document, &words);
	r = story_finish(&reader.story, r, &words, err);
	free(document);
	package_close(package);
	reader_done(&reader);
	return r;
}

static bool is_docx(const struct format_input *input)
{
	static const char *const types[] = { "wordprocessingml.document.main+xml",
		                             "wordprocessingml.template.main+xml",
		                             "ms-word.document.macroEnabled.main+xml",
		                             "ms-word.template.macroEnabledTemplate.main+xml", NULL };

	return opc_has_content(input, types);
}

const struct format FORMAT_DOCX = {
	.media_type = "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	.name = "a Word document",
	.is = is_docx,
	.parse = parse_docx,
};
