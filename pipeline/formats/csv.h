/* Tables as text: cells parted by commas, semicolons, tabs or bars, as RFC 4180 and those before it have them. */
#ifndef SKIMD_PIPELINE_FORMATS_CSV_H
#define SKIMD_PIPELINE_FORMATS_CSV_H

#include "pipeline/formats/format.h"

/* Each record is a row. A cell in quotes may hold line breaks, which become blanks. */
extern const struct format FORMAT_CSV;

#endif
