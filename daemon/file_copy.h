/* A file's copy, put into a folder that somebody watches: whole, under a name that nothing had. */
#ifndef SKIMD_DAEMON_FILE_COPY_H
#define SKIMD_DAEMON_FILE_COPY_H

#include "base/err.h"

/* Copy path, a regular file, into folder as name, or as "name-2" before its suffix and so on where that is taken. ret, of
 * PATH_MAX, is where it is then. While it is copied it has a name that watched folders leave alone. The owner's and the
 * group's right to read are set, the rest is the umask's. -EINVAL: no regular file; -EACCES, -ENOSPC … */
int file_copy_into(const char *path, const char *folder, const char *name, char *ret, struct err *err);

#endif
