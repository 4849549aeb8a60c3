/* "<path>-lock": who has it locked may write the database. The file stays for good, as a lock on a file that is
 * unlinked and made anew is a lock on two files. */
#ifndef SKIMD_STORE_DOCSTORE_LOCK_H
#define SKIMD_STORE_DOCSTORE_LOCK_H

#include "store/docstore.h"

/* path is settings' path made absolute. *ret_fd holds the lock until docstore_unlock(); *ret_orderly: so did the last
 * one, and did not just end. -EBUSY; -EINTR: a signal while waiting. */
int docstore_lock(const char *path, const struct docstore_settings *settings, int *ret_fd, bool *ret_orderly,
                  struct err *err);
void docstore_unlock(int fd); /* -1 is allowed */

#endif
