/* Rich Text Format.
 *
 * The reader is our own: Debian has no library for it (unrtf and LibreOffice are programs, the one without care for
 * what it is given, the other far too large to go within the walls), and what a reader needs of RTF is groups, some
 * ninety words and the text between them. */
#ifndef SKIMD_PIPELINE_FORMATS_RTF_H
#define SKIMD_PIPELINE_FORMATS_RTF_H

#include "pipeline/formats/format.h"

extern const struct format FORMAT_RTF;

#endif
