/* OpenDocument texts and presentations, packed or flat (one XML file). Left out: what is tracked as deleted, annotations,
 * the marks of notes. Notes and text boxes stand behind their paragraph; tables of contents, running heads and hidden slides
 * are marked as aside. */
#ifndef SKIMD_PIPELINE_FORMATS_ODF_H
#define SKIMD_PIPELINE_FORMATS_ODF_H

#include "pipeline/formats/format.h"

extern const struct format FORMAT_ODT, FORMAT_ODP;

#endif
