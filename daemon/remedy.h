/* The commands by which somebody who may do so lets a user read what he may not read. */
#ifndef SKIMD_DAEMON_REMEDY_H
#define SKIMD_DAEMON_REMEDY_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/buf.h"

/* Append a path as a shell reads it. */
void remedy_quote(const char *path, struct buf *ret);

/* Append "usermod -aG GROUP USER" if the group of a file or folder is one that may do with it what needed, bits of a mode
 * such as S_IRGRP, asks for. False: it has no such group. */
bool remedy_group(const char *user, const struct stat *st, mode_t needed, struct buf *ret);

/* Append "setfacl OPTIONS u:USER:RIGHTS PATH". */
void remedy_acl(const char *user, const char *options, const char *rights, const char *path, struct buf *ret);

/* Append what lets this process's user read a file or folder: of one that his group has, the group's right; else his place
 * in its group; else an access list. */
void remedy_own(const char *path, const struct stat *st, struct buf *ret);

#endif
