/* Entries for systemd's journal by its own protocol, which has fields beside the line: one datagram an entry. */
#ifndef SKIMD_BASE_JOURNAL_H
#define SKIMD_BASE_JOURNAL_H

#include <stdbool.h>

#include "base/log.h"

/* Whether standard error is the stream that the service manager connected with the journal: JOURNAL_STREAM names it, and
 * is inherited also where somebody has pointed standard error elsewhere since. */
bool journal_has_stderr(void);

/* A socket whose entries go to path; NULL: the journal's. A descriptor, or a negative errno. */
int journal_connect(const char *path);

/* Send one entry. priority is syslog(3)'s number; message is without the fields, of which the list ends with a NULL
 * name. 0, or the negative errno of what did not get through. */
int journal_send(int fd, int priority, const char *message, const struct log_field *fields);

#endif
