/* gzip files in memory, with walls against bombs. */
#ifndef SKIMD_PIPELINE_GUNZIP_H
#define SKIMD_PIPELINE_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define GUNZIP_MAX_RATIO 100
#define GUNZIP_FREE_BYTES ((size_t)1 << 20) /* the ratio is not asked for up to here */

/* The bytes start as a gzip file does. */
bool gunzip_is(const char *bytes, size_t n);

/* Append what all members of a gzip file unpack to. -EFBIG: more than max_bytes, or more than
 * GUNZIP_MAX_RATIO times the packed bytes read so far; -EBADMSG: cut short, damaged, or followed by
 * something else; -ENOMEM. After a failure *ret holds what had been unpacked. The words name no file. */
int gunzip(const char *bytes, size_t n, size_t max_bytes, struct buf *ret, struct err *err);

#endif
