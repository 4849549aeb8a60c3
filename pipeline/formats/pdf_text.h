/* What pdftotext makes of pages: lines in reading order, an empty line between parts that stand apart, a form feed behind
 * each page. Out of it come paragraphs, headings and items, and what repeats from page to page is marked as an aside. */
#ifndef SKIMD_PIPELINE_FORMATS_PDF_TEXT_H
#define SKIMD_PIPELINE_FORMATS_PDF_TEXT_H

#include <stddef.h>

#include "base/err.h"
#include "pipeline/formats/sink.h"

/* How many pages there are, by their form feeds. */
unsigned pdf_text_pages(const char *text, size_t n);

/* The first max_pages of them into sink; where there are more, it is truncated. text may hold any bytes, and has a NUL behind
 * them. The sink's errors, and -ENOMEM. */
int pdf_text_parse(const char *text, size_t n, unsigned max_pages, struct sink *sink, struct err *err);

#endif
