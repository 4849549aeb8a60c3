/* bzip2 files in memory. */
#ifndef SKIMD_PIPELINE_BUNZIP2_H
#define SKIMD_PIPELINE_BUNZIP2_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* The bytes start as a bzip2 file does. */
bool bunzip2_is(const char *bytes, size_t n);

/* Append what all its streams unpack to. Errors: see unpacking_run(). */
int bunzip2(const char *bytes, size_t n, size_t max_bytes, struct buf *ret, struct err *err);

#endif
