/* A web page as text, before it is parsed: whether it is one, and what would keep a parser busy for hours. */
#ifndef SKIMD_PIPELINE_FORMATS_HTML_SOURCE_H
#define SKIMD_PIPELINE_FORMATS_HTML_SOURCE_H

#include <stdbool.h>

#include "base/buf.h"
#include "pipeline/formats/format.h"

/* It says that it is one, behind comments and declarations; or it has the name of one and begins with a tag. In UTF-16 as
 * well, where it has a byte order mark. */
bool html_source_is(const struct format_input *input);

/* libxml2 compares each attribute of a tag with all before it, and a hostile tag has a million. Where one has very many, this
 * makes it words, in place. */
void html_source_disarm(struct buf *text);

#endif
