/* Documents to take the text out of, of the sizes that bars are set for. The words are pseudo-random and the same in each
 * run. */
#ifndef SKIMD_BENCH_MADE_FILES_H
#define SKIMD_BENCH_MADE_FILES_H

#include <stddef.h>

#include "base/err.h"

/* Each replaces the file path. -errno of writing it; -ENOMEM; -EIO: libzip's words. */

/* n_pages pages of sixty lines in two styles, with a running head and a number, deflated as most are. */
int made_pdf(const char *path, unsigned n_pages, struct err *err);

/* A package of about n_bytes: headings, and paragraphs of several runs with properties, as Word writes them. */
int made_docx(const char *path, size_t n_bytes, struct err *err);

/* A plain text of one line. */
int made_text(const char *path, struct err *err);

#endif
