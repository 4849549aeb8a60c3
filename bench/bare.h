/* What tools and libraries take by themselves for the text of a file, without walls, marks or a place for the text to go
 * to. */
#ifndef SKIMD_BENCH_BARE_H
#define SKIMD_BENCH_BARE_H

#include <stddef.h>

#include "base/err.h"

/* Each reads the file and gives the number of bytes of its text. */

/* pdftotext, with its output on a pipe. -ENOENT, -EIO: it cannot be started, or fails. */
int bare_pdftotext(const char *path, size_t *ret, struct err *err);

/* word/document.xml of a package by libzip, through libxml2's SAX interface: all that is character data is kept. */
int bare_docx(const char *path, size_t *ret, struct err *err);

#endif
