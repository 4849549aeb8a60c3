/* "<path>-lock": who has it locked may write the database. The file stays for good, as a lock on a file that is
 * unlinked and made anew is a lock on two files. */
#ifndef SKIMD_STORE_DOCSTORE_LOCK_H
#define SKIMD_STORE_DOCSTORE_LOCK_H

#include "store/docstore.h"

/* path is settings' path made absolute. *ret_fd holds the lock until it is closed. -EBUSY; -EINTR: a signal while
 * waiting. */
int docstore_lock(const char *path, const struct docstore_settings *settings, int *ret_fd, struct err *err);

#endif
