/* What the parts of the worker share: its thread in worker.c, what that does in worker_tasks.c. */
#ifndef SKIMD_DAEMON_WORKER_INTERNAL_H
#define SKIMD_DAEMON_WORKER_INTERNAL_H

#include <pthread.h>

#include "daemon/worker.h"

/* What somebody else wants done between two documents, and waits for. */
struct chore {
	int (*run)(void *user, struct err *err);
	void *user;
	int r;
	struct err *err;
	bool done;
};

struct worker {
	struct worker_settings settings;
	pthread_t thread;
	atomic_bool cancel; /* the document in work; looked at between passes */
	pthread_mutex_t lock; /* guards what follows, and that `cancel` agrees with it */
	pthread_cond_t wake;
	pthread_cond_t chore_done;
	bool work_waiting, paused, stop;
	bool comparing; /* with dense attention, which whatever there is to do goes before */
	bool ended; /* the thread has */
	struct chore *chore; /* NULL: none */
	struct worker_status status;
	uint64_t changed_ns; /* the worker thread's own, like all that follow */
	bool swept; /* outputs that an earlier run, or a full store, left unwritten are written */
	int64_t left_reading; /* the document that the store could not put back when it failed; 0: none */
	int64_t left_answering; /* likewise a question */
	int64_t asked; /* the document of the last question, whose outputs are not written yet; 0: none */
	struct pipeline_outputs asked_outputs;
	unsigned n_asked; /* about it, one after the other */
};

/* Something that worker_status() tells has changed. */
void worker_tell(struct worker *worker);

/* The document in work; name NULL: none is. */
void worker_set_busy(struct worker *worker, int64_t id, const char *name);

/* There was progress, in whatever. */
void worker_count_step(struct worker *worker);

/* With the lock. What stops one document lets the next be taken as soon as it is over. */
void worker_set_cancel(struct worker *worker);

/* Of an error of the store itself: what a restart would not mend, and somebody who makes room does. */
bool worker_passes(int r);

/* The next question, document or comparison, to its end. -ENOENT: there is nothing to do; -ECANCELED: told to stop; others:
 * the store itself failed. */
int worker_do_next(struct worker *worker, struct err *err);

/* No more questions about the document of the last one, for now: its outputs are written. */
int worker_end_answers(struct worker *worker, struct err *err);

#endif
