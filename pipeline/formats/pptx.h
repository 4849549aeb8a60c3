/* PowerPoint presentations (Office Open XML). Slides stand in the order in which they are shown, each a section of its own
 * with its notes behind it; hidden ones are marked as aside. Left out: dates, numbers and footers of slides, comments. */
#ifndef SKIMD_PIPELINE_FORMATS_PPTX_H
#define SKIMD_PIPELINE_FORMATS_PPTX_H

#include "pipeline/formats/format.h"

extern const struct format FORMAT_PPTX;

#endif
