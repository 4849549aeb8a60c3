/* Whether the walls of extract_walls.h hold: each thing that a document could want to do with a process that it has taken
 * over is tried, in a process of its own that has put them up. */
#ifndef SKIMD_PIPELINE_EXTRACT_SELFTEST_H
#define SKIMD_PIPELINE_EXTRACT_SELFTEST_H

#include <stdio.h>

/* A line of the Test Anything Protocol for each. Where the kernel lacks Landlock or seccomp, that is a failure of its own.
 * 0, or -EPERM: something was not stopped. Takes a second or two. */
int extract_selftest(FILE *stream);

#endif
