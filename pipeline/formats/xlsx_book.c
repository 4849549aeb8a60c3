#include "pipeline/formats/xlsx_book.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "pipeline/formats/idmap.h"

#define MAX_FORMAT 1000000

const char *const XLSX_SPACE[] = { "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
	                           "http://purl.oclc.org/ooxml/spreadsheetml/main", NULL };

static int pass_over(struct xml *xml, void *user)
{
	(void)xml, (void)user;
	return XML_SKIP;
}

static int add_string_text(void *user, const char *text, size_t n)
{
	struct xlsx_strings *strings = user;

	buf_append(&strings->text, text, n);
	return buf_status(&strings->text);
}

static int end_string(void *user)
{
	struct xlsx_strings *strings = user;

	if (array_grow(&strings->ends, sizeof(*strings->ends), strings->n, &strings->cap) < 0)
		return -ENOMEM;
	strings->ends[strings->n++] = strings->text.n;
	return 0;
}

/* A text is one run, or several with their fonts; the phonetic ones say the same again. */
static const struct xml_tag STRING_TAGS[] = {
	{ XLSX_SPACE, "si", false, NULL, end_string },
	{ XLSX_SPACE, "t", true, NULL, NULL },
	{ XLSX_SPACE, "rPh", false, pass_over, NULL },
};
static const struct xml_dialect STRINGS = { STRING_TAGS, sizeof(STRING_TAGS) / sizeof(STRING_TAGS[0]),
	                                    add_string_text };

int xlsx_strings_read(struct package *package, const char *part, unsigned max_depth, struct xlsx_strings *ret,
                      struct err *err)
{
	return xml_read_member(package, part, max_depth, &STRINGS, ret, err);
}

void xlsx_strings_done(struct xlsx_strings *strings)
{
	buf_done(&strings->text);
	free(strings->ends);
	*strings = (struct xlsx_strings){ 0 };
}

const char *xlsx_string(const struct xlsx_strings *strings, size_t at, size_t *ret_n)
{
	size_t start = at > 0 && at < strings->n ? strings->ends[at - 1] : 0;

	if (at >= strings->n || strings->text.data == NULL)
		return NULL;
	*ret_n = strings->ends[at] - start;
	return strings->text.data + start;
}

struct reading {
	struct xlsx_formats *formats;
	struct idmap codes; /* of the workbook's own formats, by number */
};

static int start_code(struct xml *xml, void *user)
{
	struct reading *reading = user;
	struct xml_value id = xml_attribute(xml, NULL, "numFmtId");
	struct xml_value code = xml_attribute(xml, NULL, "formatCode");

	return idmap_add(&reading->codes, id.text, id.n, code.text, code.n);
}

static int start_style(struct xml *xml, void *user)
{
	struct reading *reading = user;
	struct xlsx_formats *formats = reading->formats;
	struct xml_value id = xml_attribute(xml, NULL, "numFmtId");
	const char *code = idmap_find(&reading->codes, id.text, id.n);

	if (array_grow(&formats->of_style, sizeof(*formats->of_style), formats->n, &formats->cap) < 0)
		return -ENOMEM;
	formats->of_style[formats->n++] = code != NULL
	                                          ? xlsx_format_of_code(code, strlen(code))
	                                          : xlsx_format_of_id(xml_value_number(id, MAX_FORMAT, 0));
	return 0;
}

static int start_styles(struct xml *xml, void *user)
{
	struct reading *reading = user;

	(void)xml;
	reading->formats->n = 0;
	return 0;
}

/* The styles that cells name are those of <cellXfs>; there are others of the same form, which stand elsewhere. */
static const struct xml_tag STYLE_TAGS[] = {
	{ XLSX_SPACE, "numFmt", false, start_code, NULL },
	{ XLSX_SPACE, "cellStyleXfs", false, pass_over, NULL },
	{ XLSX_SPACE, "dxfs", false, pass_over, NULL },
	{ XLSX_SPACE, "cellXfs", false, start_styles, NULL },
	{ XLSX_SPACE, "xf", false, start_style, NULL },
};
static const struct xml_dialect STYLES = { STYLE_TAGS, sizeof(STYLE_TAGS) / sizeof(STYLE_TAGS[0]), NULL };

int xlsx_formats_read(struct package *package, const char *part, unsigned max_depth, struct xlsx_formats *ret,
                      struct err *err)
{
	struct reading reading = { .formats = ret };
	int r = xml_read_member(package, part, max_depth, &STYLES, &reading, err);

	idmap_done(&reading.codes);
	return r;
}

void xlsx_formats_done(struct xlsx_formats *formats)
{
	free(formats->of_style);
	*formats = (struct xlsx_formats){ 0 };
}

struct xlsx_format xlsx_format(const struct xlsx_formats *formats, size_t style)
{
	return style < formats->n ? formats->of_style[style] : (struct xlsx_format){ XLSX_PLAIN, 0 };
}
