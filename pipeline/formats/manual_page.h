/* Pages of the manual, in the macros of man(7) and mdoc(7).
 *
 * The reader is our own: groff and mandoc set pages for a terminal, with running heads, hyphens and columns that would have to
 * be taken apart again, and neither comes as a library. */
#ifndef SKIMD_PIPELINE_FORMATS_MANUAL_PAGE_H
#define SKIMD_PIPELINE_FORMATS_MANUAL_PAGE_H

#include "pipeline/formats/format.h"

/* The page's name and section are a heading, .SH and .Sh sections below it; tagged and numbered paragraphs are items, what
 * is not filled is preformatted, tables of tbl(1) are rows. Other pages that it calls in by .so are not followed. */
extern const struct format FORMAT_MANUAL_PAGE;

#endif
