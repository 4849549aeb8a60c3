/* Character sets of one byte a character: what their upper halves stand for. */
#ifndef SKIMD_PIPELINE_FORMATS_CODEPAGE_TABLES_H
#define SKIMD_PIPELINE_FORMATS_CODEPAGE_TABLES_H

#include <stddef.h>
#include <stdint.h>

/* The characters of the bytes from 0x80 on, 128 of them, 0 where there is none. NULL: no such set. As Python's codecs of
 * these names have them, which follow unicode.org. */
const uint16_t *codepage_table(const char *name);

#endif
