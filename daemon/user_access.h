/* What another user, such as the service's, may do with a folder: asked of the kernel in that user's name, so that
 * groups and access control lists count. */
#ifndef SKIMD_DAEMON_USER_ACCESS_H
#define SKIMD_DAEMON_USER_ACCESS_H

#include <stdbool.h>

#include "base/err.h"

/* Whether user may list and enter folder (and write: make files in it), an absolute path. alone: whatever the folders
 * above it say. 1: yes. 0: no, and ret_culprit, room for PATH_MAX, is the folder that is in the way, this one or one
 * above. -ENOENT: no such user; -EPERM: only root and the user himself can ask; -ENOMEM, -EAGAIN, -EIO. */
int user_access(const char *user, const char *folder, bool write, bool alone, char *ret_culprit,
                struct err *err);

#endif
