/* From a file of questions to skimd.db. */
#ifndef SKIMD_DAEMON_ASK_FILE_INTAKE_H
#define SKIMD_DAEMON_ASK_FILE_INTAKE_H

#include <stddef.h>

#include "store/docstore.h"

/* Ask what a file NAME.ask holds of its document NAME; *ret_n questions are there to be answered. What is no question is
 * told, in the log and as events. A file that was taken as it is, for the same row of document, holds nothing new. -ENOENT: it
 * waits for its document. 0: it is done with, also where it is gone or cannot be read; other errors of the store and of
 * reading are those that may pass. */
int ask_file_take(struct docstore *store, const char *path, size_t *ret_n);

#endif
