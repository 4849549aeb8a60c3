/* What the configuration asks of every document of a folder: a copy, for a thread that the configuration may change beside. */
#ifndef SKIMD_DAEMON_STANDING_H
#define SKIMD_DAEMON_STANDING_H

#include <stddef.h>

#include "daemon/config.h"

struct standing_folder {
	char *path;
	char **questions;
	size_t n_questions;
};

struct standing {
	struct standing_folder *folders;
	size_t n_folders;
};

/* *ret is the caller's, for standing_free(). -ENOMEM. */
int standing_copy(const struct config *config, struct standing **ret);
void standing_free(struct standing *standing); /* NULL is allowed */

#endif
