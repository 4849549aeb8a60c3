/* Excel workbooks (Office Open XML). Each sheet is a section, each row a row; formulas are what they came to when the
 * workbook was saved. Hidden sheets are marked as aside. Left out: charts, drawings, comments. */
#ifndef SKIMD_PIPELINE_FORMATS_XLSX_H
#define SKIMD_PIPELINE_FORMATS_XLSX_H

#include "pipeline/formats/format.h"

extern const struct format FORMAT_XLSX;

#endif
