/* File systems whose files other machines, or programs outside of the kernel, change: inotify tells nothing of that. */
#ifndef SKIMD_DAEMON_REMOTE_H
#define SKIMD_DAEMON_REMOTE_H

#include <stdbool.h>

/* Whether an open file or folder is on NFS, SMB, FUSE or the like. False where that cannot be told. */
bool remote_holds(int fd);

#endif
