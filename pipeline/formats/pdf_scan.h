/* One page of a PDF file, drawn by pdftoppm and read by tesseract. */
#ifndef SKIMD_PIPELINE_FORMATS_PDF_SCAN_H
#define SKIMD_PIPELINE_FORMATS_PDF_SCAN_H

#include "pipeline/formats/format.h"

/* Put the words of page input->ocr->page into the sink, line by line, as they are; nothing where none are found. -ENOPKG, -EIO
 * as programs_run(); -ETIME; -EBADMSG: it cannot be drawn or read; -EFBIG: its picture, or what is read of it, is too large. */
int pdf_scan_read(const struct format_input *input, struct sink *sink, struct err *err);

#endif
