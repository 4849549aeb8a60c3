/* LaTeX, as its author wrote it: the source is read, not set. */
#ifndef SKIMD_PIPELINE_FORMATS_LATEX_H
#define SKIMD_PIPELINE_FORMATS_LATEX_H

#include "pipeline/formats/format.h"

/* Sections become headings, \item items, rows of tables rows; verbatim text is kept as it is, mathematics as its source;
 * footnotes stand behind their paragraph. Of commands that are not known the name goes, and what stands in braces stays.
 * Comments go. Files that are \input are not followed, which the result says. */
extern const struct format FORMAT_LATEX;

#endif
