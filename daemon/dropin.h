/* The drop-in of skimd.service that opens the unit's sandbox for one folder. */
#ifndef SKIMD_DAEMON_DROPIN_H
#define SKIMD_DAEMON_DROPIN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

#define DROPIN_FOLDER "/etc/systemd/system/skimd.service.d"

/* Whether the folder, an absolute path without symbolic links, is one to be opened. -EINVAL: no absolute path, the
 * system's own, everybody's at once, one that the service has to itself under this name, or its own already. */
int dropin_check(const char *folder, struct err *err);

/* Whether the unit hides the folder as a user's own (ProtectHome=), so that it is shown to the service alone, past the
 * folders above it and their permissions. */
bool dropin_is_hidden(const char *folder);

/* The file's name below DROPIN_FOLDER, in ret, room for NAME_MAX + 1. -ENAMETOOLONG. */
int dropin_name(const char *folder, char *ret, struct err *err);

/* Append what the file holds. */
void dropin_print(const char *folder, bool write, struct buf *ret);

#endif
