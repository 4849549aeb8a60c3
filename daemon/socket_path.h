/* The name of a UNIX stream socket in the file system: taken by a server, found by a client. */
#ifndef SKIMD_DAEMON_SOCKET_PATH_H
#define SKIMD_DAEMON_SOCKET_PATH_H

#include "base/err.h"

/* Connect to path; *ret_fd is the caller's, and does not block. -ENOENT: no such file; -ECONNREFUSED: nobody listens;
 * -EACCES; -EAGAIN: too many wait already; -ENAMETOOLONG. The words begin with the path. */
int socket_path_connect(const char *path, int *ret_fd, struct err *err);

/* Bind path, whose folder is there, without listening yet. A socket on which nobody listens is replaced. -EADDRINUSE:
 * somebody does, who is named; -EEXIST: something else is there; -ENAMETOOLONG, -EACCES, -ENOENT. */
int socket_path_bind(const char *path, int *ret_fd, struct err *err);

#endif
