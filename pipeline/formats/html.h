/* Web pages, also as parts of books and mail. By libxml2's HTML parser, which takes what people write.
 *
 * Kept: headings, paragraphs, lists, tables as rows, preformatted text. Marked as aside: navigation, page footers and
 * asides (but notes that are so marked). Left out: scripts, styles, forms' controls, pictures and their descriptions, and
 * what is hidden or deleted. The title is a heading where no heading of the first level begins the text. */
#ifndef SKIMD_PIPELINE_FORMATS_HTML_H
#define SKIMD_PIPELINE_FORMATS_HTML_H

#include <stdbool.h>

#include "pipeline/formats/format.h"

extern const struct format FORMAT_HTML;

struct html_page {
	const char *bytes;
	size_t n;
	const char *charset; /* what an envelope says; NULL: the page itself */
	const char *name; /* of its file; a title that is no more than this is none */
	unsigned max_depth;
	/* It is a chapter: its title, or better its first heading, is the section that follows. */
	bool is_chapter;
};

/* Put a page into the sink; *ret_has_text is set where it has words that are no aside. 0, -EFBIG: nested too deep, behind
 * what was read; -ENOMEM; what the sink returned, without words. */
int html_read(const struct html_page *page, struct sink *sink, bool *ret_has_text, struct err *err);

#endif
