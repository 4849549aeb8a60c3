/* The character set of a web page, and its text as UTF-8. */
#ifndef SKIMD_PIPELINE_FORMATS_HTML_CHARSET_H
#define SKIMD_PIPELINE_FORMATS_HTML_CHARSET_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Append a page as valid UTF-8 without NUL. By its byte order mark, else by declared (what an envelope says, as mail does;
 * NULL: nothing), else by its XML declaration or <meta>, else by what the bytes look like. A page that says UTF-8 or Latin-1
 * is believed where its bytes agree: no other mistake is made so often. -ENOMEM, -EFBIG. */
int html_charset_decode(const char *bytes, size_t n, const char *declared, struct buf *ret, struct err *err);

#endif
