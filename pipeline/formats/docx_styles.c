#include "pipeline/formats/docx_styles.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"

#define MAX_BASES 16 /* styles that stand on each other; more go round in a circle */

const char *const DOCX_SPACE[] = { "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
	                           "http://purl.oclc.org/ooxml/wordprocessingml/main", NULL };

struct docx_style {
	char *id, *base;
	enum docx_role role; /* DOCX_UNKNOWN: as its base has it */
	unsigned level;
};

struct reading {
	struct docx_styles *styles;
	struct docx_style style; /* at hand */
};

static void style_done(struct docx_style *style)
{
	free(style->id);
	free(style->base);
	*style = (struct docx_style){ 0 };
}

static char *copy(struct xml_value value)
{
	return value.text == NULL ? NULL : strndup(value.text, value.n);
}

static struct xml_value value_of(const struct xml *xml)
{
	return xml_attribute(xml, DOCX_SPACE, "val");
}

static int start_style(struct xml *xml, void *user)
{
	struct reading *reading = user;
	struct xml_value id = xml_attribute(xml, DOCX_SPACE, "styleId");

	if (id.text == NULL || !xml_value_is(xml_attribute(xml, DOCX_SPACE, "type"), "paragraph"))
		return XML_SKIP;
	style_done(&reading->style);
	reading->style.id = copy(id);
	return reading->style.id == NULL ? -ENOMEM : 0;
}

/* The names that Word and LibreOffice give in every language, in this case or that. */
static const struct {
	const char *start;
	enum docx_role role;
} NAMES[] = {
	{ "heading ", DOCX_HEADING },         { "title", DOCX_HEADING },
	{ "toc heading", DOCX_CONTENTS },     { "toc ", DOCX_CONTENTS },
	{ "contents ", DOCX_CONTENTS },       { "list bullet", DOCX_ITEM },
	{ "list number", DOCX_ITEM },         { "html preformatted", DOCX_PREFORMATTED },
	{ "source code", DOCX_PREFORMATTED }, { "preformatted text", DOCX_PREFORMATTED },
	{ "macro", DOCX_PREFORMATTED },       { "normal", DOCX_TEXT },
	{ "body text", DOCX_TEXT },
};

/* The digit at the end of "heading 2" or "List Bullet 3"; 1 if there is none. */
static unsigned level_in(struct xml_value name)
{
	char last = name.n > 0 ? name.text[name.n - 1] : '1';

	return last >= '1' && last <= '9' ? (unsigned)(last - '0') : 1;
}

static int start_name(struct xml *xml, void *user)
{
	struct reading *reading = user;
	struct xml_value name = value_of(xml);

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		size_t n = strlen(NAMES[i].start);

		if (name.n >= n && strncasecmp(name.text, NAMES[i].start, n) == 0 &&
		    (NAMES[i].role != DOCX_TEXT || name.n == n)) {
			reading->style.role = NAMES[i].role;
			reading->style.level = level_in(name);
			return 0;
		}
	}
	return 0;
}

static int start_based_on(struct xml *xml, void *user)
{
	struct reading *reading = user;
	struct xml_value base = value_of(xml);

	free(reading->style.base);
	reading->style.base = copy(base);
	return reading->style.base == NULL && base.text != NULL ? -ENOMEM : 0;
}

static int start_outline(struct xml *xml, void *user)
{
	struct reading *reading = user;
	unsigned level = xml_value_number(value_of(xml), 9, 9);

	if (reading->style.role == DOCX_UNKNOWN && level < 9) {
		reading->style.role = DOCX_HEADING;
		reading->style.level = level + 1;
	}
	return 0;
}

static int start_numbering(struct xml *xml, void *user)
{
	struct reading *reading = user;

	(void)xml;
	if (reading->style.role == DOCX_UNKNOWN) {
		reading->style.role = DOCX_ITEM;
		reading->style.level = 1;
	}
	return 0;
}

static int end_style(void *user)
{
	struct reading *reading = user;
	struct docx_styles *styles = reading->styles;

	if (array_grow(&styles->styles, sizeof(reading->style), styles->n, &styles->cap) < 0)
		return -ENOMEM;
	styles->styles[styles->n++] = reading->style;
	reading->style = (struct docx_style){ 0 };
	return 0;
}

static const struct xml_tag TAGS[] = {
	{ DOCX_SPACE, "style", false, start_style, end_style },
	{ DOCX_SPACE, "name", false, start_name, NULL },
	{ DOCX_SPACE, "basedOn", false, start_based_on, NULL },
	{ DOCX_SPACE, "outlineLvl", false, start_outline, NULL },
	{ DOCX_SPACE, "numPr", false, start_numbering, NULL },
};
static const struct xml_dialect DIALECT = { TAGS, sizeof(TAGS) / sizeof(TAGS[0]), NULL };

static int compare(const void *left, const void *right)
{
	const struct docx_style *a = left, *b = right;

	return strcmp(a->id, b->id);
}

int docx_styles_read(struct package *package, const char *part, unsigned max_depth, struct docx_styles *ret,
                     struct err *err)
{
	struct reading reading = { .styles = ret };
	int r = xml_read_member(package, part, max_depth, &DIALECT, &reading, err);

	style_done(&reading.style);
	if (ret->n > 0)
		qsort(ret->styles, ret->n, sizeof(*ret->styles), compare);
	return r;
}

void docx_styles_done(struct docx_styles *styles)
{
	for (size_t i = 0; i < styles->n; i++)
		style_done(&styles->styles[i]);
	free(styles->styles);
	*styles = (struct docx_styles){ 0 };
}

static int compare_id(const char *id, size_t n, const char *other)
{
	int order = strncmp(id, other, n);

	return order != 0 ? order : -(other[n] != '\0');
}

static const struct docx_style *find(const struct docx_styles *styles, const char *id, size_t n)
{
	size_t low = 0, high = styles->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_id(id, n, styles->styles[middle].id);

		if (order == 0)
			return &styles->styles[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

enum docx_role docx_styles_role(const struct docx_styles *styles, const char *id, size_t n_id,
                                unsigned *ret_level)
{
	const struct docx_style *style = id == NULL ? NULL : find(styles, id, n_id);

	*ret_level = 0;
	for (unsigned i = 0; style != NULL && i < MAX_BASES; i++) {
		if (style->role != DOCX_UNKNOWN) {
			*ret_level = style->level;
			return style->role;
		}
		style = style->base == NULL ? NULL : find(styles, style->base, strlen(style->base));
	}
	return DOCX_TEXT;
}
