/* The order in which a page is read. pdftotext finds it by where words stand, which keeps tables of contents, heads and
 * margins apart, and mixes the columns of papers; or takes it from the file (-raw), as the program that made the page wrote
 * it, column by column for the most part, but without a trace of what stands apart. */
#ifndef SKIMD_PIPELINE_FORMATS_PDF_ORDER_H
#define SKIMD_PIPELINE_FORMATS_PDF_ORDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Whether text, as pdftotext writes it, has lines as narrow as those of columns: then it is worth to look at the other
 * order. */
bool pdf_order_is_doubtful(const char *text, size_t n);

/* Append laid_out to ret, page by page. A page that has the same letters in raw, and whose sentences do not fall apart
 * there, is taken from there: each line that begins or ends a part in laid_out does so in ret. Both may hold any bytes; raw
 * may have other pages. Errors stick in ret. */
void pdf_order_mend(const char *laid_out, size_t n, const char *raw, size_t n_raw, struct buf *ret);

#endif
