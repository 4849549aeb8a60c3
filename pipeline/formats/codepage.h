/* Text in a character set that a document names, to UTF-8.
 *
 * UTF-8, ASCII, Latin-1 and windows-1252 are read by our own tables, as most documents are in one of them; the others by
 * iconv(3), and only those of a list: glibc has sets with states and extensions that no document needs, and that have had
 * holes. Where iconv finds no table (it loads them from files), the characters that are not ASCII become U+FFFD. */
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

#endif
