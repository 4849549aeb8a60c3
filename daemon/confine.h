/* The walls that the daemon puts around itself once it knows its configuration: the files that this names, and what libc
 * needs, are left to it, and the extractor, which it starts for each file, with what that runs; other files and programs,
 * the network and the calls of syscall_filter.h are not. What gets hold of the daemon through a document finds itself
 * within. */
#ifndef SKIMD_DAEMON_CONFINE_H
#define SKIMD_DAEMON_CONFINE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "daemon/config.h"

struct confine;

/* What a configuration, read from config_path, needs; nothing is done yet, and what it names need not be there. *ret is
 * the caller's, for confine_free(). -ENOMEM, and the errors of paths_model(). */
int confine_plan(const struct config *config, const char *config_path, struct confine **ret, struct err *err);
void confine_free(struct confine *confine); /* NULL is allowed */

/* Whether path, which is absolute and without symbolic links, lies within: a reload of the configuration can only take
 * what does. */
bool confine_covers(const struct confine *confine, const char *path, bool write);

/* For people: what is left to the daemon. */
void confine_print(const struct confine *confine, FILE *stream);

/* Put them up, for good, as far as the kernel can; a wall that it cannot build is a warning in the log. Once, when the
 * folders are there and before any other thread is: Landlock binds the thread that asks and those that it starts. true:
 * files are walled, so that a folder which is replaced by another one is lost. */
bool confine_enter(const struct confine *confine);

/* A program that is another file than it was when this was planned, as after an upgrade of its package: it cannot be started
 * any more. Borrowed; NULL: all are as they were. */
const char *confine_replaced(const struct confine *confine);

#endif
