/* PDF files, through pdftotext. */
#ifndef SKIMD_PIPELINE_FORMATS_PDF_H
#define SKIMD_PIPELINE_FORMATS_PDF_H

#include "pipeline/formats/format.h"

extern const struct format FORMAT_PDF;

#endif
