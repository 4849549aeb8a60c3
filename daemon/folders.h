/* Which of the configuration's folders would get into each other's way: outputs that are read as inputs again,
 * two documents that write the same output, a file that is read twice, two databases in one file. */
#ifndef SKIMD_DAEMON_FOLDERS_H
#define SKIMD_DAEMON_FOLDERS_H

#include "base/err.h"
#include "daemon/config.h"
#include "daemon/yamltree.h"

/* path, which is absolute, with symbolic links resolved as far as it is there; what is missing may not hold
 * "..". *ret is the caller's, for free(). -ENOTDIR, -EACCES, -ELOOP, -EINVAL, -ENOMEM. */
int folders_resolve(const char *path, char **ret);

/* config comes from root, a mapping; config->watch[i] from the i-th child of its key watch, a list of mappings. file
 * is for the words. -EINVAL. */
int folders_check(const char *file, const struct node *root, const struct config *config, struct err *err);

#endif
