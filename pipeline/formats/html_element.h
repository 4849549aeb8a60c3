/* What the elements of web pages are to a reader. */
#ifndef SKIMD_PIPELINE_FORMATS_HTML_ELEMENT_H
#define SKIMD_PIPELINE_FORMATS_HTML_ELEMENT_H

enum html_element {
	HTML_INLINE, /* part of a line, and whatever is not known */
	HTML_BLOCK,
	HTML_H1,
	HTML_H2,
	HTML_H3,
	HTML_H4,
	HTML_H5,
	HTML_H6,
	HTML_BREAK,
	HTML_LIST,
	HTML_ITEM,
	HTML_PRE,
	HTML_TABLE,
	HTML_ROW,
	HTML_CELL,
	HTML_TITLE,
	HTML_ASIDE, /* beside the text: the way about, the foot of the page */
	HTML_LEFT_OUT, /* with all that is in it */
};

/* By name, in any case, and by attributes: names and values by turns, up to NULL; NULL: none. */
enum html_element html_element_of(const char *name, const char *const *attributes);

#endif
