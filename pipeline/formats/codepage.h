/* Text in a character set that a document names, to UTF-8.
 *
 * Sets of one byte a character are read by our own tables, since extraction runs where there are no files to open; those
 * of East Asia by iconv(3), whose tables are files: codepage_preload() opens them while it can. Of iconv's sets there are no
 * more than a few that documents are really in: it has others, with states and extensions, that have had holes. Where a set
 * is not known, or its table cannot be opened, the characters that are not ASCII become U+FFFD. */
#ifndef SKIMD_PIPELINE_FORMATS_CODEPAGE_H
#define SKIMD_PIPELINE_FORMATS_CODEPAGE_H

#include <stddef.h>

#include "base/buf.h"

struct codepage;

/* A name as mail has it ("iso-8859-15", "Windows-1252"), or "cp" and a number as Windows has them. An unknown name gives
 * one that reads ASCII alone. NULL: no memory. */
struct codepage *codepage_open(const char *name);
void codepage_close(struct codepage *codepage); /* NULL is allowed */

/* Append n bytes to ret as UTF-8; each byte that is none of a character becomes U+FFFD. UTF-8 goes through unchecked. */
void codepage_append(struct codepage *codepage, const char *bytes, size_t n, struct buf *ret);

/* Have iconv load what it may be asked for, in front of walls that let no file be opened. For good. */
void codepage_preload(void);

#endif
