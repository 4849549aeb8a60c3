/* What is told of the cache, the same on the control socket and by skimctl without it. */
#ifndef SKIMD_DAEMON_CACHE_VIEW_H
#define SKIMD_DAEMON_CACHE_VIEW_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"

/* The counts of the file, which may be in use, as an object; all 0 where there is none. *ret is the caller's. Errors as
 * kvstore_peek()'s, but -ENOENT; -ENOMEM. */
int cache_view_json(const char *path, uint64_t budget_bytes, json_t **ret, struct err *err);

#endif
