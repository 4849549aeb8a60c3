/* OpenDocument spreadsheets, packed or flat. Each sheet is a section, each row a row, with what its cells show. Hidden
 * sheets are marked as aside. Left out: charts, drawings, annotations. */
#ifndef SKIMD_PIPELINE_FORMATS_ODS_H
#define SKIMD_PIPELINE_FORMATS_ODS_H

#include "pipeline/formats/format.h"

extern const struct format FORMAT_ODS;

#endif
