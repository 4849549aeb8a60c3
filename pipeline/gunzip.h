/* gzip files in memory. */
#ifndef SKIMD_PIPELINE_GUNZIP_H
#define SKIMD_PIPELINE_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* The bytes start as a gzip file does. */
bool gunzip_is(const char *bytes, size_t n);

/* Append what all members of a gzip file unpack to. Errors: see unpacking_run(). */
int gunzip(const char *bytes, size_t n, size_t max_bytes, struct buf *ret, struct err *err);

#endif
