/* Where things are when nobody says otherwise, and how one path stands to another. */
#ifndef SKIMD_DAEMON_PATHS_H
#define SKIMD_DAEMON_PATHS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* A model's folder: "nano" is the installed default (SKIMD_MODEL_DIR says where it is in a tree that is not installed),
 * any other word is a folder. -ENAMETOOLONG. */
int paths_model(const char *word, char *ret, size_t n, struct err *err);

/* skimctl's own state and cache without a daemon: $XDG_STATE_HOME/skimd/skimd.db, $XDG_CACHE_HOME/skimd/kv.db or the usual
 * defaults below $HOME. -ENOENT: none of the variables is set. */
int paths_user_store(char *ret, size_t n, struct err *err);
int paths_user_cache(char *ret, size_t n, struct err *err);

/* Whether path lies below folder, however deep. Both are absolute and without "." and "..". */
bool paths_is_inside(const char *path, const char *folder);

/* For tsearch(3) and its kin: the order of two structs that have a path, a char *, as their first member. */
int paths_compare(const void *a, const void *b);

#endif
