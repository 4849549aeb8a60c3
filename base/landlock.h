/* Landlock: a thread gives up the files that it does not need, for good, and every thread and process that it starts
 * is born without them. Linux 5.13 and later; what newer kernels can also take away is taken where they can.
 *
 * A rule holds for a file or a folder with all below it, as they are now: what is put in the place of either later
 * is another one. Looking at a path (stat(2), inotify(7)) is left free, as Landlock knows nothing of it. */
#ifndef SKIMD_BASE_LANDLOCK_H
#define SKIMD_BASE_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct landlock_rule {
	char *path; /* a file, or a folder with all below it */
	bool write; /* else it is only read */
	bool execute; /* and a program, or what loads programs (ld.so) */
};

/* From here on nothing is opened but what the rules name, or executed, and where the kernel can do it no TCP
 * port is bound or connected to. A path that is not there, or out of reach, is passed over. Call with no other thread
 * running, as each one has its own rules, and no_new_privs set. The version of Landlock's interface, 1 and up;
 * -EOPNOTSUPP: the kernel has no Landlock, or it is switched off; -E2BIG, -EPERM, -ENOMEM. */
int landlock_enter(const struct landlock_rule *rules, size_t n, struct err *err);

/* The version of the interface that this kernel has, 0 for none. */
int landlock_version(void);

#endif
