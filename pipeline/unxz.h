/* xz files in memory. */
#ifndef SKIMD_PIPELINE_UNXZ_H
#define SKIMD_PIPELINE_UNXZ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* The bytes start as an xz file does. */
bool unxz_is(const char *bytes, size_t n);

/* Append what all its streams unpack to. Errors: see unpacking_run(). */
int unxz(const char *bytes, size_t n, size_t max_bytes, struct buf *ret, struct err *err);

#endif
