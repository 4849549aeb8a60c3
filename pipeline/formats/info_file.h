/* Info files, as makeinfo writes them: documentation of GNU programs. */
#ifndef SKIMD_PIPELINE_FORMATS_INFO_FILE_H
#define SKIMD_PIPELINE_FORMATS_INFO_FILE_H

#include "pipeline/formats/format.h"

/* Each node is a section, underlined lines are headings; menus are aside, tables of tags are left out. Parts that a file
 * is split into are documents of their own. */
extern const struct format FORMAT_INFO;

#endif
