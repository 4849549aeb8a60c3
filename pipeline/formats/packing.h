/* One way to pack a single file, as gzip does. */
#ifndef SKIMD_PIPELINE_FORMATS_PACKING_H
#define SKIMD_PIPELINE_FORMATS_PACKING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct packing {
	const char *name; /* for people: "gzip" */
	const char *ending; /* what it puts behind a file's name: ".gz" */
	bool (*is)(const char *bytes, size_t n); /* the bytes start as such a file does */
	/* Append what it unpacks to. -EFBIG: more than max_bytes, or a ratio that only bombs have; -EBADMSG; -ENOMEM. */
	int (*unpack)(const char *bytes, size_t n, size_t max_bytes, struct buf *ret, struct err *err);
};

#endif
