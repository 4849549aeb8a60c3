#include "pipeline/formats/ods.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/formats/idmap.h"
#include "pipeline/formats/odf_package.h"
#include "pipeline/formats/sheet_row.h"
#include "pipeline/formats/story.h"

#define MAX_CELLS 1024 /* equal ones side by side, that are full */
#define MAX_ROWS 10000 /* equal ones below each other, that are */

struct reader {
	struct story story;
	struct idmap hidden; /* styles of sheets that are not shown */
	char *style; /* at hand, while styles are read */
	struct sheet_row row;
	unsigned n_rows, n_cells; /* how often the one at hand stands there */
	struct buf cell;
	char value[64]; /* of the cell, for where it shows no text */
};

static int start_style(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value name = xml_attribute(xml, ODF_STYLE, "name");

	free(reader->style);
	reader->style = name.text == NULL ? NULL : strndup(name.text, name.n);
	return 0;
}

static int start_table_properties(struct xml *xml, void *user)
{
	struct reader *reader = user;

	if (reader->style == NULL || !xml_value_is(xml_attribute(xml, ODF_TABLE, "display"), "false"))
		return 0;
	return idmap_add(&reader->hidden, reader->style, strlen(reader->style), "", 0);
}

static int start_sheet(struct xml *xml, void *user)
{
	struct reader *reader = user;
	struct xml_value name = xml_attribute(xml, ODF_TABLE, "name");
	struct xml_value style = xml_attribute(xml, ODF_TABLE, "style-name");

	reader->story.aside = idmap_find(&reader->hidden, style.text, style.n) != NULL;
	return sink_section(reader->story.sink, name.text != NULL ? name.text : "", name.n);
}

static int start_row(struct xml *xml, void *user)
{
	struct reader *reader = user;

	reader->n_rows = xml_value_number(xml_attribute(xml, ODF_TABLE, "number-rows-repeated"), INT_MAX, 1);
	return 0;
}

static int end_row(void *user)
{
	struct reader *reader = user;
	unsigned n = reader->n_rows;

	if (reader->row.n_cells > 0 && n > MAX_ROWS) {
		sink_truncated(reader->story.sink, "only the first ten thousand of many equal rows");
		n = MAX_ROWS;
	}
	return sheet_row_end(&reader->row, n, reader->story.aside, reader->story.sink);
}

static int start_cell(struct xml *xml, void *user)
{
	static const char *const values[] = { "string-value", "date-value", "time-value", "boolean-value",
		                              "value" };
	struct reader *reader = user;

	reader->n_cells =
		xml_value_number(xml_attribute(xml, ODF_TABLE, "number-columns-repeated"), INT_MAX, 1);
	reader->cell.n = 0;
	reader->value[0] = '\0';
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct xml_value value = xml_attribute(xml, ODF_OFFICE, values[i]);

		if (value.text != NULL && value.n < sizeof(reader->value)) {
			memcpy(reader->value, value.text, value.n);
			reader->value[value.n] = '\0';
			break;
		}
	}
	return 0;
}

static int end_cell(void *user)
{
	struct reader *reader = user;
	const char *text = reader->cell.n > 0 ? reader->cell.data : reader->value;
	size_t n = reader->cell.n > 0 ? reader->cell.n : strlen(reader->value);
	int r = 0;

	if (n == 0) {
		sheet_row_add_empty(&reader->row, reader->n_cells);
		return 0;
	}
	reader->story.has_text = reader->story.has_text || !reader->story.aside;
	for (unsigned i = 0; r == 0 && i < reader->n_cells && i < MAX_CELLS; i++)
		r = sheet_row_add(&reader->row, text, n);
	return r;
}

static int add_text(void *user, const char *text, size_t n)
{
	struct reader *reader = user;

	buf_append(&reader->cell, text, n);
	return buf_status(&reader->cell);
}

/* Between paragraphs, and for what the cell shows as white space. */
static int start_blank(struct xml *xml, void *user)
{
	(void)xml;
	return add_text(user, " ", 1);
}

static int start_paragraph(struct xml *xml, void *user)
{
	struct reader *reader = user;

	return reader->cell.n > 0 ? start_blank(xml, user) : 0;
}

static int pass_over(struct xml *xml, void *user)
{
	(void)xml, (void)user;
	return XML_SKIP;
}

static const struct xml_tag TAGS[] = {
	{ ODF_STYLE, "style", false, start_style, NULL },
	{ ODF_STYLE, "table-properties", false, start_table_properties, NULL },
	{ ODF_TABLE, "table", false, start_sheet, NULL },
	{ ODF_TABLE, "table-row", false, start_row, end_row },
	{ ODF_TABLE, "table-cell", false, start_cell, end_cell },
	{ ODF_TABLE, "covered-table-cell", false, start_cell, end_cell },
	{ ODF_TEXT, "p", true, start_paragraph, NULL },
	{ ODF_TEXT, "s", false, start_blank, NULL },
	{ ODF_TEXT, "tab", false, start_blank, NULL },
	{ ODF_TEXT, "line-break", false, start_blank, NULL },
	/* beside the cells: remarks, drawings, other documents, what has changed, running heads */
	{ ODF_OFFICE, "annotation", false, pass_over, NULL },
	{ ODF_TABLE, "shapes", false, pass_over, NULL },
	{ ODF_DRAW, "frame", false, pass_over, NULL },
	{ ODF_TABLE, "tracked-changes", false, pass_over, NULL },
	{ ODF_OFFICE, "master-styles", false, pass_over, NULL },
};
static const struct xml_dialect DIALECT = { TAGS, sizeof(TAGS) / sizeof(TAGS[0]), add_text };

static int parse_ods(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct reader reader = { .story = { .sink = sink } };
	struct package *package;
	struct err words = { "" };
	int r = odf_read_content(input, &DIALECT, &reader, &package, &words);

	if (r < 0)
		sheet_row_end(&reader.row, 1, reader.story.aside, sink);
	r = story_finish(&reader.story, r, &words, err);
	story_done(&reader.story);
	sheet_row_done(&reader.row);
	idmap_done(&reader.hidden);
	buf_done(&reader.cell);
	free(reader.style);
	package_close(package);
	return r;
}

static bool is_ods(const struct format_input *input)
{
	return odf_is(input, "spreadsheet");
}

const struct format FORMAT_ODS = {
	.media_type = "application/vnd.oasis.opendocument.spreadsheet",
	.name = "an OpenDocument spreadsheet",
	.is = is_ods,
	.parse = parse_ods,
};
