/* Another configuration for a daemon that runs. */
#ifndef SKIMD_DAEMON_RELOAD_H
#define SKIMD_DAEMON_RELOAD_H

#include "base/err.h"
#include "daemon/config.h"
#include "daemon/confine.h"

/* Read and check it, and make its outboxes, if all that it names lies within the walls that were put up at the start
 * (confine; NULL: there are none). *ret is the caller's. Errors as config_read()'s; -EACCES, -EROFS: a folder is out of
 * reach, with words that say what opens it. */
int reload_read(const char *path, const struct confine *confine, struct config **ret, struct err *err);

#endif
