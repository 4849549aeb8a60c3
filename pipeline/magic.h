/* What a file is that is not a text that we read, by its first bytes. */
#ifndef SKIMD_PIPELINE_MAGIC_H
#define SKIMD_PIPELINE_MAGIC_H

#include <stddef.h>

/* "a PDF file", "a PNG image"; NULL: nothing known. The words are a constant. */
const char *magic_name(const char *bytes, size_t n);

#endif
