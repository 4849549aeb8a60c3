/* "<path>-lock": who has it locked may write the database. The file stays for good, as a lock on a file that is
 * unlinked and made anew is a lock on two files. */
#ifndef SKIMD_STORE_DOCSTORE_LOCK_H
#define SKIMD_STORE_DOCSTORE_LOCK_H

#include "store/docstore.h"

/* path is settings' path made absolute. *ret_fd holds the lock until docstore_unlock(); *ret_last: the process that had it
 * last and just ended; 0: none, it was given back. -EBUSY; -EINTR: a signal while waiting. */
int docstore_lock(const char *path, const struct docstore_settings *settings, int *ret_fd, long *ret_last,
                  struct err *err);

/* last: what the next one gets for *ret_last, 0 unless what the last one left is still to be seen to. fd -1 is allowed. */
void docstore_unlock(int fd, long last);

#endif
