/* Where questions come from, but for the control socket: rows of inbox.db, files NAME.ask beside documents, and what the
 * configuration asks of every document of a folder. A thread of its own takes them over into skimd.db, since a client may
 * hold the inbox's lock for as long as it likes. */
#ifndef SKIMD_DAEMON_ASKING_H
#define SKIMD_DAEMON_ASKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "daemon/config.h"
#include "store/docstore.h"

struct asking;

/* All borrowed, config until asking_start() only. */
struct asking_settings {
	const struct config *config;
	struct docstore *store;
	const char *fingerprint; /* of the model that answers */
	void *user;
	void (*asked)(void *user); /* from the thread: a question may be there to be answered */
};

/* Make the inbox's folder, for the members of the control socket's group if there is one that we are in, else for the
 * user alone. Before the walls are put up. */
int asking_make_folder(const struct config *config, struct err *err);

/* Nothing is done before asking_start(), but files may be named. */
int asking_new(const struct asking_settings *settings, struct asking **ret, struct err *err);
int asking_start(struct asking *asking, struct err *err);

/* Returns when the thread has ended. NULL is allowed. */
void asking_free(struct asking *asking);

/* From any thread. A file of questions is complete, or has changed; without its document it waits for that. -EAGAIN: too
 * many do; -ENOMEM. */
int asking_file(struct asking *asking, const char *path);

/* From any thread. There is a document that was not there before. */
void asking_documents(struct asking *asking);

/* Ask what another configuration's folders ask, of what is there as well. -ENOMEM: it stays as it was. */
int asking_reload(struct asking *asking, const struct config *config);

#define ASKING_MAX_NAMED 8

struct asking_status {
	bool busy; /* something is to be taken over, or not known yet whether it is */
	int64_t n_rows; /* of the inbox, that wait for their document */
	size_t n_files; /* that do; the first few are named */
	char files[ASKING_MAX_NAMED][256]; /* the ends of long paths; control characters replaced */
};

void asking_status(struct asking *asking, struct asking_status *ret);

#endif
