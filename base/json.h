/* JSON files through jansson, with errors that name the file. */
#ifndef SKIMD_BASE_JSON_H
#define SKIMD_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Parse n bytes; path is for the error's words. Duplicate keys are refused. *ret is the caller's, for
 * json_decref(). -EBADMSG: not JSON (with line and column). */
int json_parse(const char *path, const char *bytes, size_t n, json_t **ret, struct err *err);

/* Read and parse a file of at most max_bytes. -ENOENT and other open errors, -EFBIG, -EBADMSG. */
int json_read_file(const char *path, size_t max_bytes, json_t **ret, struct err *err);

/* A string of bytes that need not be text, such as a file's name: what is not UTF-8 becomes U+FFFD. NULL: no memory. */
json_t *json_of_bytes(const char *bytes);

/* The same; null of NULL. */
json_t *json_or_null(const char *bytes);

/* Append to a list. It takes the reference. Where either is NULL, or memory is short, *list becomes NULL for good, and with it
 * what json_pack() makes of it: a list never lacks an item unseen. */
void json_append(json_t **list, json_t *item);

/* The same of an object and a value of it. */
void json_set(json_t **object, const char *key, json_t *value);

/* Append an object as text, with json_dumps()'s flags and a line feed. It takes the reference; NULL, as json_pack() gives
 * where memory is short, is allowed. -ENOMEM: nothing is appended. */
int json_put(json_t *object, size_t flags, struct buf *ret);

#endif
