/* A document's text, deflated for the database and back (zlib). */
#ifndef SKIMD_STORE_DOCSTORE_TEXT_H
#define SKIMD_STORE_DOCSTORE_TEXT_H

#include <stddef.h>

/* *ret is the caller's. -ENOMEM. */
int text_deflate(const char *text, size_t n, unsigned char **ret, size_t *ret_n);

/* n_text bytes and a NUL, the caller's. -ENOMEM; -EBADMSG: they do not inflate to just that many. */
int text_inflate(const void *deflated, size_t n, size_t n_text, char **ret);

#endif
