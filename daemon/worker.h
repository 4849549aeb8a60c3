/* The one thread that runs jobs: takes questions and documents from the database, as docstore_take_question() and
 * docstore_take() have them, until told to stop. Questions come first: between two documents, and between two parts of
 * one, which goes back to the queue for them. */
#ifndef SKIMD_DAEMON_WORKER_H
#define SKIMD_DAEMON_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "pipeline/pipeline.h"

struct worker;

struct worker_settings {
	struct pipeline *pipeline; /* the worker's own while it runs, but for its docstore */
	int nice; /* how far its thread stands back: 0 to 19 */
	void *user;
	/* Which outputs a document gets; from the worker's thread. */
	struct pipeline_outputs (*outputs)(void *user, const char *path);
	/* No document is in work, and the next may be taken; from the worker's thread. *cancel: it is to stop. */
	void (*between)(void *user, const atomic_bool *cancel);
	/* Something that worker_status() tells has changed; from the worker's thread, at most about once a second
	 * while a document is read. */
	void (*changed)(void *user);
};

struct worker_status {
	bool busy; /* a document is in work, or waits and may be taken */
	bool paused;
	int64_t id; /* of the document in work; 0: none */
	int64_t question_id; /* of it, that is being answered; 0: it is read */
	char name[256]; /* of the document in work, control characters replaced */
	char stage[16];
	uint64_t n_done, n_tokens;
	uint64_t n_documents, n_questions; /* ended since the start */
	struct usage usage; /* of those of them that are done or answered */
	uint64_t n_steps; /* rises while there is progress, whatever it is in */
	bool resting; /* the store has no room or no memory, err says more: the next worker_wake() tries again */
	int r; /* the error that ended the thread; 0 */
	struct err err;
};

/* Start the thread; before all else it writes outputs that an earlier run left unwritten. */
int worker_start(const struct worker_settings *settings, struct worker **ret, struct err *err);

/* The calling thread, and those that it starts from now on, stand back behind other programs: setpriority(2). */
void worker_stand_back(int nice);

/* There may be work. */
void worker_wake(struct worker *worker);

/* Between two passes of the model the document in work goes back to the queue, its finished chunks kept, and none is
 * taken until this is called with false. */
void worker_pause(struct worker *worker, bool pause);

/* Have run(user) called by the worker's thread while no document is in work, which is put back for it and taken again
 * later; returns what that returned, when it has. From any other thread, but not the loop's, as it takes a while.
 * -ECANCELED: the worker stops. */
int worker_run(struct worker *worker, int (*run)(void *user, struct err *err), void *user, struct err *err);

void worker_status(struct worker *worker, struct worker_status *ret);

/* Returns when the thread has ended: between two passes of the model, and at once while a file's text is being taken out.
 * The document in work is queued again, and its chunks that are finished are kept. */
void worker_stop(struct worker *worker);

#endif
