/* Questions that are dropped as a file beside their document: report.pdf.ask for report.pdf, one a line. Empty lines and
 * those that begin with '#' are none. */
#ifndef SKIMD_DAEMON_ASK_FILE_H
#define SKIMD_DAEMON_ASK_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define ASK_FILE_SUFFIX ".ask"

/* Whether the name of a file, with or without its path, says that it holds questions of another. */
bool ask_file_is(const char *path);

/* The path of the document that an ask file is for. False: it does not fit ret[n]. */
bool ask_file_document(const char *path, char *ret, size_t n);

/* Each line that is meant to be a question, without blanks around it; number counts all lines from 1. Stops when each
 * returns non-zero, which is then returned. -ENOENT, -EACCES, -ELOOP; -EINVAL: not a regular file; -EFBIG. */
int ask_file_read(const char *path, int (*each)(void *user, size_t number, const char *question), void *user,
                  struct err *err);

#endif
