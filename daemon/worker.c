#include "daemon/worker_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/array.h"
#include "base/log.h"
#include "daemon/unwritten.h"

void worker_set_cancel(struct worker *worker)
{
	worker->cancel = worker->stop || worker->paused || worker->chore != NULL ||
	                 (worker->comparing && worker->work_waiting);
}

static void set_resting(struct worker *worker, const struct err *why)
{
	pthread_mutex_lock(&worker->lock);
	worker->status.resting = why != NULL;
	if (why != NULL)
		worker->status.err = *why;
	pthread_mutex_unlock(&worker->lock);
}

/* A pause is no reason to leave outputs unwritten. */
static bool is_stopping(void *user)
{
	struct worker *worker = user;
	bool stop;

	pthread_mutex_lock(&worker->lock);
	stop = worker->stop;
	pthread_mutex_unlock(&worker->lock);
	return stop;
}

static struct pipeline_outputs outputs_of(void *user, const char *path)
{
	const struct worker *worker = user;

	return worker->settings.outputs(worker->settings.user, path);
}

static void note_step(void *user)
{
	worker_count_step(user);
}

static int publish_unwritten(struct worker *worker, struct err *err)
{
	const struct unwritten_settings settings = {
		.pipeline = worker->settings.pipeline,
		.user = worker,
		.outputs = outputs_of,
		.stop = is_stopping,
		.step = note_step,
	};

	return unwritten_publish(&settings, err);
}

/* Questions and documents until none waits, or the store needs a rest. 0, or what stops the worker. */
static int drain(struct worker *worker, struct err *err)
{
	int r = 0;

	set_resting(worker, NULL);
	if (!worker->swept)
		r = publish_unwritten(worker, err);
	worker->swept |= r == 0;
	while (r == 0 && !worker->cancel) {
		worker->settings.between(worker->settings.user, &worker->cancel);
		r = worker_do_next(worker, err);
	}
	if (r == 0 || r == -ECANCELED) {
		r = worker_end_answers(worker, err);
		if (r == 0)
			return -ECANCELED;
	}
	if (!worker_passes(r))
		return r == -ENOENT ? 0 : r;
	log_error("%s; trying again soon", err->text);
	worker->swept = false; /* that may have come between a result and its outputs */
	set_resting(worker, err);
	return 0;
}

/* With the lock, which is given up for the work. */
static void do_chore(struct worker *worker)
{
	struct chore *chore = worker->chore;

	pthread_mutex_unlock(&worker->lock);
	chore->r = chore->run(chore->user, chore->err);
	pthread_mutex_lock(&worker->lock);
	chore->done = true;
	worker->chore = NULL;
	worker->status.n_steps++;
	worker_set_cancel(worker);
	pthread_cond_broadcast(&worker->chore_done);
}

static bool has_work(const struct worker *worker)
{
	return worker->work_waiting && !worker->paused;
}

/* False: stop. */
static bool wait_for_work(struct worker *worker)
{
	bool stop;

	pthread_mutex_lock(&worker->lock);
	while (!worker->stop && (worker->chore != NULL || !has_work(worker))) {
		if (worker->chore != NULL)
			do_chore(worker);
		else
			pthread_cond_wait(&worker->wake, &worker->lock);
	}
	stop = worker->stop;
	/* Both at once: nobody shall see neither work waiting nor a worker at work. */
	worker->work_waiting = false;
	worker->status.busy = !stop;
	pthread_mutex_unlock(&worker->lock);
	return !stop;
}

/* A document was put back, but the worker goes on: it is there to be taken again. */
static bool was_interrupted(struct worker *worker, int r)
{
	bool interrupted;

	pthread_mutex_lock(&worker->lock);
	interrupted = r == -ECANCELED && !worker->stop;
	worker->work_waiting |= interrupted;
	pthread_mutex_unlock(&worker->lock);
	return interrupted;
}

static void end(struct worker *worker, int r, const struct err *err)
{
	pthread_mutex_lock(&worker->lock);
	if (r < 0 && r != -ECANCELED) {
		worker->status.r = r;
		worker->status.err = *err;
	}
	worker->status.busy = false; /* not before it can be seen why */
	worker->ended = true;
	pthread_cond_broadcast(&worker->chore_done);
	pthread_mutex_unlock(&worker->lock);
	if (r < 0 && r != -ECANCELED)
		worker_tell(worker);
}

void worker_stand_back(int nice)
{
	if (setpriority(PRIO_PROCESS, 0, nice) < 0)
		log_warning("nice %d: %s, going on without", nice, strerror(errno));
}

/* When nothing waits to be read. What fails now is done the next time. */
static void tidy(struct docstore *store)
{
	docstore_scrub(store, NULL); /* what a reader was in the way of */
	docstore_trim_events(store, EVENTS_MOST, NULL);
}

static void *worker_main(void *user)
{
	struct worker *worker = user;
	struct err err = { "" };
	int r = 0;

	worker_stand_back(worker->settings.nice);
	while (r == 0 && wait_for_work(worker)) {
		r = drain(worker, &err);
		if (was_interrupted(worker, r))
			r = 0;
		else if (r == 0)
			tidy(pipeline_docstore(worker->settings.pipeline));
		if (r == 0)
			worker_set_busy(worker, 0, NULL);
	}
	end(worker, r, &err);
	return NULL;
}

int worker_start(const struct worker_settings *settings, struct worker **ret, struct err *err)
{
	struct worker *worker = array_new(struct worker, 1);
	int r;

	if (worker == NULL)
		return err_set(err, -ENOMEM, "no memory for the worker");
	worker->settings = *settings;
	worker->work_waiting = true;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->wake, NULL);
	pthread_cond_init(&worker->chore_done, NULL);
	r = -pthread_create(&worker->thread, NULL, worker_main, worker);
	if (r < 0) {
		free(worker);
		return err_set(err, r, "cannot start the worker: %s", strerror(-r));
	}
	*ret = worker;
	return 0;
}

void worker_wake(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->work_waiting = true;
	worker_set_cancel(worker);
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

void worker_pause(struct worker *worker, bool pause)
{
	pthread_mutex_lock(&worker->lock);
	worker->paused = pause;
	worker_set_cancel(worker);
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

int worker_run(struct worker *worker, int (*run)(void *user, struct err *err), void *user, struct err *err)
{
	struct chore chore = { .run = run, .user = user, .err = err };

	pthread_mutex_lock(&worker->lock);
	while (worker->chore != NULL && !worker->ended)
		pthread_cond_wait(&worker->chore_done, &worker->lock);
	if (!worker->ended)
		worker->chore = &chore;
	worker_set_cancel(worker);
	pthread_cond_signal(&worker->wake);
	while (!chore.done && !worker->ended)
		pthread_cond_wait(&worker->chore_done, &worker->lock);
	if (!chore.done)
		chore.r = err_set(err, -ECANCELED, "the daemon is stopping");
	pthread_mutex_unlock(&worker->lock);
	return chore.r;
}

void worker_status(struct worker *worker, struct worker_status *ret)
{
	pthread_mutex_lock(&worker->lock);
	*ret = worker->status;
	ret->busy |= has_work(worker);
	ret->paused = worker->paused;
	pthread_mutex_unlock(&worker->lock);
}

void worker_stop(struct worker *worker)
{
	if (worker == NULL)
		return;
	pthread_mutex_lock(&worker->lock);
	worker->stop = true;
	worker_set_cancel(worker);
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
	pthread_join(worker->thread, NULL);
	pthread_mutex_destroy(&worker->lock);
	pthread_cond_destroy(&worker->wake);
	pthread_cond_destroy(&worker->chore_done);
	free(worker);
}
