#include "pipeline/formats/xlsx.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/formats/opc.h"
#include "pipeline/formats/sheet_row.h"
#include "pipeline/formats/story.h"
#include "pipeline/formats/xlsx_book.h"

#define MAX_COLUMNS 16384

enum kind { NUMBER, STRING, SHARED, BOOLEAN };

struct reader {
	struct story story;
	struct package *package;
	const struct format_input *input;
	struct opc_relations relations; /* of the workbook */
	struct xlsx_strings strings;
	struct xlsx_formats formats;
	bool since_1904;
	struct sheet_row row;
	size_t column; /* of the row, that comes next */
	enum kind kind; /* of the cell at hand */
	size_t style;
	struct buf value;
	struct err *err;
};

/* Cells */

/* "BC12" is in column 54, counted from 0. */
static size_t column_of(struct xml_value reference, size_t otherwise)
{
	size_t column = 0, i = 0;

	for (;
	     i < reference.n && reference.text[i] >= 'A' && reference.text[i] <= 'Z' && column < MAX_COLUMNS;
	     i++)
		column = column * 26 + (size_t)(reference.text[i] - 'A') + 1;
	return i == 0 || column > MAX_COLUMNS ? otherwise : column - 1;
}

static int start_cell(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value type = xml_attribute(xml, NULL, "t");
	size_t column = column_of(xml_attribute(xml, NULL, "r"), reader->column);

	if (column > reader->column)
		sheet_row_add_empty(&reader->row, column - reader->column);
	reader->column = column + 1;
	reader->kind = NUMBER;
	if (xml_value_is(type, "s"))
		reader->kind = SHARED;
	else if (xml_value_is(type, "b"))
		reader->kind = BOOLEAN;
	else if (type.text != NULL && !xml_value_is(type, "n"))
		reader->kind = STRING;
	reader->style = xml_value_number(xml_attribute(xml, NULL, "s"), INT_MAX, 0);
	reader->value.n = 0;
	return 0;
}

static int add_value(void *user, const char *text, size_t n)
{
	struct reader *reader = user;

	buf_append(&reader->value, text, n);
	return buf_status(&reader->value);
}

static int add_cell(struct reader *reader, const char *text, size_t n)
{
	if (text == NULL || n == 0) {
		sheet_row_add_empty(&reader->row, 1);
		return 0;
	}
	reader->story.has_text = reader->story.has_text || !reader->story.aside;
	return sheet_row_add(&reader->row, text, n);
}

static int end_cell(void *user)
{
	struct reader *reader = user;
	const struct buf *value = &reader->value;
	const char *text = value->data;
	char shown[XLSX_NUMBER_MAX];
	size_t n = value->n;

	if (n > 0 && reader->kind == SHARED) {
		text = xlsx_string(&reader->strings,
		                   xml_value_number((struct xml_value){ text, n }, INT_MAX, INT_MAX), &n);
	} else if (n > 0 && reader->kind == BOOLEAN) {
		text = text[0] == '1' ? "TRUE" : "FALSE";
		n = strlen(text);
	} else if (n > 0 && reader->kind == NUMBER) {
		n = xlsx_number_show(text, n, xlsx_format(&reader->formats, reader->style),
		                     reader->since_1904, shown);
		text = shown;
	}
	return add_cell(reader, text, n);
}

static int end_row(void *user)
{
	struct reader *reader = user;

	reader->column = 0;
	return sheet_row_end(&reader->row, 1, reader->story.aside, reader->story.sink);
}

static int pass_over(struct xml *xml, void *user)
{
	(void)xml, (void)user;
	return XML_SKIP;
}

static const struct xml_tag SHEET_TAGS[] = {
	{ XLSX_SPACE, "row", false, NULL, end_row },   { XLSX_SPACE, "c", false, start_cell, end_cell },
	{ XLSX_SPACE, "v", true, NULL, NULL },         { XLSX_SPACE, "t", true, NULL, NULL },
	{ XLSX_SPACE, "rPh", false, pass_over, NULL },
};
static const struct xml_dialect SHEET = { SHEET_TAGS, sizeof(SHEET_TAGS) / sizeof(SHEET_TAGS[0]), add_value };

/* The workbook */

static int start_book_properties(struct xml *xml, void *user)
{
	struct reader *reader = user;

	reader->since_1904 = xml_value_bool(xml_attribute(xml, NULL, "date1904"), false);
	return 0;
}

/* A damaged sheet leaves a workbook that is not whole. */
static int read_sheet(struct reader *reader, const char *part)
{
	struct err words = { "" };
	int r = xml_read_member(reader->package, part, reader->input->max_depth, &SHEET, reader, &words);
	int ended = end_row(reader);

	if (r == -EBADMSG || r == -ENOENT) {
		sink_truncated(reader->story.sink, words.text);
		r = ended;
	}
	return r < 0 ? err_set(reader->err, r, "%s", words.text) : 0;
}

static int start_sheet(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value name = xml_attribute(xml, NULL, "name"), state = xml_attribute(xml, NULL, "state");
	struct xml_value id = xml_attribute(xml, OPC_RELATIONS_SPACE, "id");
	const char *part = opc_target(&reader->relations, id.text, id.n);
	int r;

	if (part == NULL)
		return 0;
	reader->story.aside = state.text != NULL && !xml_value_is(state, "visible");
	r = sink_section(reader->story.sink, name.text != NULL ? name.text : "", name.n);
	return r == 0 ? read_sheet(reader, part) : r;
}

static const struct xml_tag BOOK_TAGS[] = {
	{ XLSX_SPACE, "workbookPr", false, start_book_properties, NULL },
	{ XLSX_SPACE, "sheet", false, start_sheet, NULL },
};
static const struct xml_dialect BOOK = { BOOK_TAGS, sizeof(BOOK_TAGS) / sizeof(BOOK_TAGS[0]), NULL };

/* Texts and formats; where they are damaged, numbers are plain and texts are missing. */
static int read_tables(struct reader *reader, struct err *err)
{
	const char *strings = opc_target_of_type(&reader->relations, "sharedStrings");
	const char *styles = opc_target_of_type(&reader->relations, "styles");
	unsigned max_depth = reader->input->max_depth;
	int r = 0;

	if (strings != NULL)
		r = xlsx_strings_read(reader->package, strings, max_depth, &reader->strings, err);
	if (r == -EBADMSG || r == -ENOENT) {
		sink_truncated(reader->story.sink, err->text);
		r = 0;
	}
	if (r == 0 && styles != NULL && package_has(reader->package, styles))
		r = xlsx_formats_read(reader->package, styles, max_depth, &reader->formats, err);
	return r == -EBADMSG ? 0 : r;
}

static int read_book(struct reader *reader, struct err *err)
{
	unsigned max_depth = reader->input->max_depth;
	char *book = NULL;
	int r = opc_main_part(reader->package, max_depth, &book, err);

	if (r == 0)
		r = opc_relations_read(reader->package, book, max_depth, &reader->relations, err);
	if (r == 0)
		r = read_tables(reader, err);
	if (r == 0)
		r = xml_read_member(reader->package, book, max_depth, &BOOK, reader, err);
	free(book);
	return r;
}

static int parse_xlsx(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct err words = { "" };
	struct reader reader = { .story = { .sink = sink }, .input = input, .err = &words };
	int r = package_open(input, &reader.package, &words);

	if (r == 0)
		r = read_book(&reader, &words);
	r = story_finish(&reader.story, r, &words, err);
	story_done(&reader.story);
	opc_relations_done(&reader.relations);
	xlsx_strings_done(&reader.strings);
	xlsx_formats_done(&reader.formats);
	sheet_row_done(&reader.row);
	buf_done(&reader.value);
	package_close(reader.package);
	return r;
}

static bool is_xlsx(const struct format_input *input)
{
	static const char *const types[] = { "spreadsheetml.sheet.main+xml",
		                             "spreadsheetml.template.main+xml",
		                             "ms-excel.sheet.macroEnabled.main+xml",
		                             "ms-excel.template.macroEnabled.main+xml", NULL };

	return opc_has_content(input, types);
}

const struct format FORMAT_XLSX = {
	.media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	.name = "an Excel workbook",
	.is = is_xlsx,
	.parse = parse_xlsx,
};
