/* Zstandard files in memory. */
#ifndef SKIMD_PIPELINE_UNZSTD_H
#define SKIMD_PIPELINE_UNZSTD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* The bytes start as a Zstandard file does. */
bool unzstd_is(const char *bytes, size_t n);

/* Append what all its frames unpack to. Errors: see unpacking_run(). */
int unzstd(const char *bytes, size_t n, size_t max_bytes, struct buf *ret, struct err *err);

#endif
