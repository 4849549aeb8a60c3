/* Bytes of a text file to UTF-8, by what they are and not by what anyone says they are.
 *
 * The decoders are our own and not iconv(3)'s: glibc loads its tables from files, and extraction runs where
 * there are none to open. */
#ifndef SKIMD_PIPELINE_CHARSET_H
#define SKIMD_PIPELINE_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Turn bytes into UTF-8 without NUL, in place, and name what they were: "utf-8" (then nothing is changed,
 * byte order mark included), "utf-16le", "utf-16be", "utf-32le", "utf-32be" (by their mark, or UTF-16
 * without one by where its zero bytes stand), "utf-8-damaged" (a few bytes in much UTF-8 are wrong: each
 * becomes U+FFFD), "iso-8859-1" or "windows-1252" (mostly ASCII, the rest plausible). The name is a
 * constant. max_bytes bounds what the text may grow to. -ENOTSUP: not text, with the reason; -EFBIG;
 * -ENOMEM. */
int charset_decode(struct buf *bytes, size_t max_bytes, const char **ret_name, struct err *err);

/* The character that a byte of windows-1252 stands for; 0: none. */
uint32_t charset_windows_1252(unsigned char byte);

#endif
