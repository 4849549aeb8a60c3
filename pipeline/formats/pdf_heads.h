/* Running heads and feet, and page numbers: parts of pages that repeat on the pages around, or count them. */
#ifndef SKIMD_PIPELINE_FORMATS_PDF_HEADS_H
#define SKIMD_PIPELINE_FORMATS_PDF_HEADS_H

#include <stdbool.h>
#include <stddef.h>

/* Lines that stand together, apart from others. */
struct pdf_part {
	size_t start, end; /* bytes of the text, without the last line feed */
	unsigned page; /* from 0 */
	unsigned n_lines;
	bool aside; /* a head, a foot or a number */
};

/* Set aside in n parts, in the order of the text, of n_pages pages. -ENOMEM. */
int pdf_heads_find(const char *text, struct pdf_part *parts, size_t n, unsigned n_pages);

#endif
