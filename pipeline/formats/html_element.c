#include "pipeline/formats/html_element.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct known {
	const char *name;
	enum html_element element;
};

/* By name. */
static const struct known ELEMENTS[] = {
	{ "address", HTML_BLOCK },
	{ "annotation", HTML_LEFT_OUT },
	{ "annotation-xml", HTML_LEFT_OUT },
	{ "article", HTML_BLOCK },
	{ "aside", HTML_ASIDE },
	{ "audio", HTML_LEFT_OUT },
	{ "blockquote", HTML_BLOCK },
	{ "body", HTML_BLOCK },
	{ "br", HTML_BREAK },
	{ "button", HTML_LEFT_OUT },
	{ "canvas", HTML_LEFT_OUT },
	{ "caption", HTML_BLOCK },
	{ "center", HTML_BLOCK },
	{ "datalist", HTML_LEFT_OUT },
	{ "dd", HTML_BLOCK },
	{ "del", HTML_LEFT_OUT },
	{ "details", HTML_BLOCK },
	{ "dir", HTML_LIST },
	{ "div", HTML_BLOCK },
	{ "dl", HTML_BLOCK },
	{ "dt", HTML_BLOCK },
	{ "fieldset", HTML_BLOCK },
	{ "figcaption", HTML_BLOCK },
	{ "figure", HTML_BLOCK },
	{ "footer", HTML_ASIDE },
	{ "form", HTML_BLOCK },
	{ "h1", HTML_H1 },
	{ "h2", HTML_H2 },
	{ "h3", HTML_H3 },
	{ "h4", HTML_H4 },
	{ "h5", HTML_H5 },
	{ "h6", HTML_H6 },
	{ "head", HTML_BLOCK },
	{ "header", HTML_BLOCK },
	{ "hgroup", HTML_BLOCK },
	{ "hr", HTML_BLOCK },
	{ "html", HTML_BLOCK },
	{ "iframe", HTML_LEFT_OUT },
	{ "legend", HTML_BLOCK },
	{ "li", HTML_ITEM },
	{ "listing", HTML_PRE },
	{ "main", HTML_BLOCK },
	{ "menu", HTML_LIST },
	{ "nav", HTML_ASIDE },
	{ "noscript", HTML_LEFT_OUT },
	{ "object", HTML_LEFT_OUT },
	{ "ol", HTML_LIST },
	{ "option", HTML_LEFT_OUT },
	{ "p", HTML_BLOCK },
	{ "plaintext", HTML_PRE },
	{ "pre", HTML_PRE },
	{ "rp", HTML_LEFT_OUT },
	{ "rt", HTML_LEFT_OUT },
	{ "script", HTML_LEFT_OUT },
	{ "section", HTML_BLOCK },
	{ "select", HTML_LEFT_OUT },
	{ "style", HTML_LEFT_OUT },
	{ "summary", HTML_BLOCK },
	{ "svg", HTML_LEFT_OUT },
	{ "table", HTML_TABLE },
	{ "tbody", HTML_BLOCK },
	{ "td", HTML_CELL },
	{ "template", HTML_LEFT_OUT },
	{ "textarea", HTML_LEFT_OUT },
	{ "tfoot", HTML_BLOCK },
	{ "th", HTML_CELL },
	{ "thead", HTML_BLOCK },
	{ "title", HTML_TITLE },
	{ "tr", HTML_ROW },
	{ "ul", HTML_LIST },
	{ "video", HTML_LEFT_OUT },
	{ "xmp", HTML_PRE },
};

static int compare(const void *name, const void *known)
{
	return strcasecmp(name, ((const struct known *)known)->name);
}

static bool has_word(const char *text, const char *word)
{
	return text != NULL && strcasestr(text, word) != NULL;
}

/* "display : NONE" as well. */
static bool has_rule(const char *style, const char *name, const char *value)
{
	const char *at = style == NULL ? NULL : strcasestr(style, name);

	if (at == NULL)
		return false;
	for (at += strlen(name); *at == ':' || isspace((unsigned char)*at);)
		at++;
	return strncasecmp(at, value, strlen(value)) == 0;
}

static const char *value_of(const char *const *attributes, const char *name)
{
	for (; attributes != NULL && attributes[0] != NULL; attributes += 2)
		if (strcasecmp(attributes[0], name) == 0)
			return attributes[1] != NULL ? attributes[1] : "";
	return NULL;
}

static bool is_hidden(const char *const *attributes)
{
	const char *hidden = value_of(attributes, "hidden"), *style = value_of(attributes, "style");

	return (hidden != NULL && strcasecmp(hidden, "until-found") != 0) ||
	       has_rule(style, "display", "none") || has_rule(style, "visibility", "hidden");
}

static bool is_note(const char *const *attributes)
{
	const char *role = value_of(attributes, "role"), *type = value_of(attributes, "epub:type");

	return has_word(role, "note") || has_word(type, "note");
}

/* The number of a note, and the way back from it. */
static bool is_note_mark(const char *const *attributes)
{
	const char *role = value_of(attributes, "role"), *type = value_of(attributes, "epub:type");

	return has_word(role, "doc-noteref") || has_word(role, "doc-backlink") || has_word(type, "noteref") ||
	       has_word(type, "backlink");
}

static bool has_role_aside(const char *const *attributes)
{
	static const char *const roles[] = { "navigation", "contentinfo", "search", "complementary" };
	const char *role = value_of(attributes, "role");

	for (size_t i = 0; role != NULL && i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcasecmp(role, roles[i]) == 0)
			return true;
	return false;
}

enum html_element html_element_of(const char *name, const char *const *attributes)
{
	const struct known *known =
		bsearch(name, ELEMENTS, sizeof(ELEMENTS) / sizeof(ELEMENTS[0]), sizeof(ELEMENTS[0]), compare);
	enum html_element element = known == NULL ? HTML_INLINE : known->element;

	if (attributes == NULL || element == HTML_TITLE)
		return element;
	if (is_hidden(attributes) || is_note_mark(attributes))
		return HTML_LEFT_OUT;
	if (element == HTML_ASIDE && is_note(attributes))
		return HTML_BLOCK;
	return element == HTML_BLOCK && has_role_aside(attributes) ? HTML_ASIDE : element;
}
