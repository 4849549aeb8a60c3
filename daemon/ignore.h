/* Names that are never documents: what editors, browsers, synchronizers and file managers leave behind for a
 * while, and what the user's own patterns say. */
#ifndef SKIMD_DAEMON_IGNORE_H
#define SKIMD_DAEMON_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether name (of a file or a folder, without its path) matches a built-in pattern or one of the n globs, as
 * fnmatch(3) has it: case counts, and a leading period is a character like any other. */
bool ignore_matches(const char *name, char *const *globs, size_t n);

#endif
