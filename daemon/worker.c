#include "daemon/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/array.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/loop.h"
#include "pipeline/messages.h"
#include "store/docstore_questions.h"

#define CHANGED_NS 1000000000ull /* between two calls of changed() within a document */
#define MOST_TOGETHER \
	16 /* questions about one document, before those about another that were asked earlier */

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
	uint64_t changed_ns; /* the worker thread's own, like the next */
	int64_t left_reading; /* the document that the store could not put back when it failed; 0: none */
	int64_t left_answering; /* likewise a question */
	int64_t asked; /* the document of the last question, whose outputs are not written yet; 0: none */
	struct pipeline_outputs asked_outputs;
	unsigned n_asked; /* about it, one after the other */
};

static void tell(struct worker *worker)
{
	worker->changed_ns = loop_now_ns();
	worker->settings.changed(worker->settings.user);
}

static void see_progress(void *user, const char *stage, uint64_t n_done, uint64_t n_tokens)
{
	struct worker *worker = user;

	pthread_mutex_lock(&worker->lock);
	snprintf(worker->status.stage, sizeof(worker->status.stage), "%s", stage);
	worker->status.n_done = n_done;
	worker->status.n_tokens = n_tokens;
	worker->status.n_steps++;
	pthread_mutex_unlock(&worker->lock);
	if (loop_now_ns() - worker->changed_ns >= CHANGED_NS)
		tell(worker);
}

static void set_busy(struct worker *worker, int64_t id, const char *name)
{
	pthread_mutex_lock(&worker->lock);
	worker->status.busy = name != NULL;
	worker->status.id = id;
	worker->status.question_id = 0;
	worker->status.n_done = worker->status.n_tokens = 0;
	worker->status.stage[0] = '\0';
	snprintf(worker->status.name, sizeof(worker->status.name), "%s", name == NULL ? "" : name);
	text_printable(worker->status.name); /* it goes to the service manager, whose messages are lines */
	pthread_mutex_unlock(&worker->lock);
	tell(worker);
}

static void count_step(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->status.n_steps++;
	pthread_mutex_unlock(&worker->lock);
}

static void log_done(const struct document *document)
{
	const struct usage *usage = &document->usage;
	char number[24], duration_us[24];
	const struct log_field about[] = { { "MESSAGE_ID", MESSAGE_DONE },
		                           { "SKIMD_DOCUMENT_ID", number },
		                           { "SKIMD_PATH", document->path },
		                           { "SKIMD_DURATION_US", duration_us },
		                           { NULL, NULL } };

	snprintf(number, sizeof(number), "%lld", (long long)document->id);
	snprintf(duration_us, sizeof(duration_us), "%.0f", document->seconds * 1e6);
	log_fields(LOG_LEVEL_INFO, about, "'%s': done, %lld tokens, %lld reused, %lld generated, %.1f s",
	           document->path, (long long)document->tokens, (long long)usage->reused_tokens,
	           (long long)usage->generated_tokens, document->seconds);
}

/* What it cost, for worker_status(). */
static void count_usage(struct worker *worker, const struct usage *usage)
{
	struct usage *sum = &worker->status.usage;

	pthread_mutex_lock(&worker->lock);
	sum->prompt_tokens += usage->prompt_tokens;
	sum->computed_tokens += usage->computed_tokens;
	sum->reused_tokens += usage->reused_tokens;
	sum->generated_tokens += usage->generated_tokens;
	pthread_mutex_unlock(&worker->lock);
}

static void note_outcome(struct worker *worker, int64_t id)
{
	struct document document = { 0 };

	if (docstore_get(pipeline_docstore(worker->settings.pipeline), id, &document, NULL) < 0)
		return;
	if (document.state == DOCUMENT_DONE) {
		log_done(&document);
		count_usage(worker, &document.usage);
	}
	document_done(&document);
}

static bool question_waits(void *user)
{
	struct worker *worker = user;
	bool waits = false;

	docstore_has_question(pipeline_docstore(worker->settings.pipeline), &waits, NULL);
	return waits;
}

static int process(struct worker *worker, int64_t id, struct err *err)
{
	struct pipeline_hooks hooks = { worker, see_progress, &worker->cancel, question_waits };
	struct document document = { 0 };
	struct pipeline_outputs outputs;
	int r = docstore_get(pipeline_docstore(worker->settings.pipeline), id, &document, err);

	if (r < 0)
		return r;
	outputs = worker->settings.outputs(worker->settings.user, document.path);
	set_busy(worker, id, document.name);
	r = pipeline_process(worker->settings.pipeline, id, &outputs, &hooks, err);
	if (r == 0) {
		note_outcome(worker, id);
		pthread_mutex_lock(&worker->lock);
		worker->status.n_documents++;
		worker->status.n_steps++;
		pthread_mutex_unlock(&worker->lock);
	}
	document_done(&document);
	return r;
}

/* Of the store itself: what a restart would not mend, and somebody who makes room does. */
static bool passes(int r)
{
	return r == -ENOSPC || r == -EDQUOT || r == -ENOMEM || r == -EBUSY;
}

static void log_answered(const struct question *question)
{
	log_info("'%s': question %lld: %s, score %.2f, %lld tokens, %lld reused, %.1f s", question->path,
	         (long long)question->id, question->found ? "answered" : "not stated there",
	         question->answer.score, (long long)question->usage.prompt_tokens,
	         (long long)question->usage.reused_tokens, question->seconds);
}

static void note_answer(struct worker *worker, int64_t id)
{
	struct question question = { 0 };

	if (docstore_get_question(pipeline_docstore(worker->settings.pipeline), id, &question, NULL) < 0)
		return;
	if (question.state == QUESTION_ANSWERED) {
		log_answered(&question);
		count_usage(worker, &question.usage);
	}
	question_done(&question);
	pthread_mutex_lock(&worker->lock);
	worker->status.n_questions++;
	worker->status.n_steps++;
	pthread_mutex_unlock(&worker->lock);
}

static void set_answering(struct worker *worker, int64_t id)
{
	pthread_mutex_lock(&worker->lock);
	worker->status.question_id = id;
	pthread_mutex_unlock(&worker->lock);
}

/* No more questions about the document of the last one, for now. */
static int end_answers(struct worker *worker, struct err *err)
{
	int r = worker->asked == 0
	                ? 0
	                : pipeline_end_answers(worker->settings.pipeline, &worker->asked_outputs, err);

	if (r == 0)
		worker->asked = worker->n_asked = 0;
	return r;
}

static int turn_to(struct worker *worker, const struct question *question, struct err *err)
{
	int r = 0;

	if (worker->asked != question->document_id || worker->n_asked >= MOST_TOGETHER)
		r = end_answers(worker, err);
	if (r < 0)
		return r;
	worker->asked = question->document_id;
	worker->asked_outputs = worker->settings.outputs(worker->settings.user, question->path);
	worker->n_asked++;
	set_busy(worker, question->document_id, question->name);
	set_answering(worker, question->id);
	return 0;
}

static int answer(struct worker *worker, int64_t id, struct err *err)
{
	struct pipeline_hooks hooks = { worker, see_progress, &worker->cancel, NULL };
	struct question question = { 0 };
	int r = docstore_get_question(pipeline_docstore(worker->settings.pipeline), id, &question, err);

	if (r < 0)
		return r;
	r = turn_to(worker, &question, err);
	question_done(&question);
	if (r < 0)
		return r;
	r = pipeline_answer_question(worker->settings.pipeline, id, &hooks, err);
	if (r == 0)
		note_answer(worker, id);
	tell(worker);
	return r;
}

static void set_resting(struct worker *worker, const struct err *why)
{
	pthread_mutex_lock(&worker->lock);
	worker->status.resting = why != NULL;
	if (why != NULL)
		worker->status.err = *why;
	pthread_mutex_unlock(&worker->lock);
}

static int put_back_left(struct worker *worker, struct err *err)
{
	struct docstore *store = pipeline_docstore(worker->settings.pipeline);
	int r = 0;

	if (worker->left_reading != 0)
		r = docstore_put_back(store, worker->left_reading, err);
	if (r == -ENOENT)
		r = 0;
	if (r == 0 && worker->left_answering != 0)
		r = docstore_put_back_question(store, worker->left_answering, err);
	if (r == 0)
		worker->left_reading = worker->left_answering = 0;
	return r;
}

static int take_and_answer(struct worker *worker, struct err *err)
{
	int64_t beside = worker->n_asked < MOST_TOGETHER ? worker->asked : 0, id;
	int r = docstore_take_question(pipeline_docstore(worker->settings.pipeline), beside, &id, err);

	if (r < 0)
		return r;
	r = answer(worker, id, err);
	if (passes(r))
		worker->left_answering = id;
	return r == -ENOENT ? -EIO : r;
}

static int take_and_process(struct worker *worker, struct err *err)
{
	int64_t id;
	int r = docstore_take(pipeline_docstore(worker->settings.pipeline), &id, err);

	if (r < 0)
		return r;
	r = process(worker, id, err);
	if (passes(r))
		worker->left_reading = id;
	return r == -ENOENT ? -EIO : r;
}

/* With the lock. What stops one document lets the next be taken as soon as it is over. */
static void set_cancel(struct worker *worker)
{
	worker->cancel = worker->stop || worker->paused || worker->chore != NULL ||
	                 (worker->comparing && worker->work_waiting);
}

static void set_comparing(struct worker *worker, bool comparing)
{
	pthread_mutex_lock(&worker->lock);
	worker->comparing = comparing;
	set_cancel(worker);
	pthread_mutex_unlock(&worker->lock);
}

/* Something came up since documents were last looked for: they are looked for again. */
static bool take_wake(struct worker *worker)
{
	bool waiting;

	pthread_mutex_lock(&worker->lock);
	waiting = worker->work_waiting;
	worker->work_waiting = false;
	worker->status.busy |= waiting;
	pthread_mutex_unlock(&worker->lock);
	return waiting;
}

static void see_step(void *user, const char *stage, uint64_t n_done, uint64_t n_tokens)
{
	(void)stage;
	(void)n_done;
	(void)n_tokens;
	count_step(user);
}

/* Nothing is queued: look at what was read before. To those who wait the worker has ended. 0: look for documents again;
 * -ENOENT: nothing is due. */
static int compare_one(struct worker *worker, struct err *err)
{
	struct pipeline_hooks hooks = { .user = worker, .progress = see_step, .cancel = &worker->cancel };
	int r;

	if (take_wake(worker))
		return 0;
	set_busy(worker, 0, NULL);
	set_comparing(worker, true);
	r = pipeline_compare(worker->settings.pipeline, &hooks, err);
	set_comparing(worker, false);
	count_step(worker);
	return r == -ECANCELED ? 0 : r;
}

/* -ENOENT: there is nothing to do. */
static int do_next(struct worker *worker, struct err *err)
{
	int r = put_back_left(worker, err);

	if (r == 0)
		r = take_and_answer(worker, err);
	if (r != -ENOENT)
		return r;
	r = end_answers(worker, err);
	if (r == 0)
		r = take_and_process(worker, err);
	return r == -ENOENT ? compare_one(worker, err) : r;
}

/* Questions and documents until none waits, or the store needs a rest. 0, or what stops the worker. */
static int drain(struct worker *worker, struct err *err)
{
	int r = 0;

	set_resting(worker, NULL);
	while (r == 0 && !worker->cancel) {
		worker->settings.between(worker->settings.user, &worker->cancel);
		r = do_next(worker, err);
	}
	if (r == 0)
		r = end_answers(worker, err);
	if (r == 0)
		return -ECANCELED;
	if (!passes(r))
		return r == -ENOENT ? 0 : r;
	log_error("%s; trying again soon", err->text);
	set_resting(worker, err);
	return 0;
}

struct done_documents {
	int64_t *ids;
	char **paths;
	size_t n, cap_ids, cap_paths;
};

static int note_done(void *user, const struct document *document)
{
	struct done_documents *done = user;

	if (document->state != DOCUMENT_DONE || document->published || document->output == NULL)
		return 0;
	if (array_grow(&done->ids, sizeof(*done->ids), done->n, &done->cap_ids) < 0 ||
	    array_grow(&done->paths, sizeof(*done->paths), done->n, &done->cap_paths) < 0 ||
	    (done->paths[done->n] = strdup(document->path)) == NULL)
		return -ENOMEM;
	done->ids[done->n++] = document->id;
	return 0;
}

/* A pause is no reason to leave them unwritten. */
static bool is_stopping(struct worker *worker)
{
	bool stop;

	pthread_mutex_lock(&worker->lock);
	stop = worker->stop;
	pthread_mutex_unlock(&worker->lock);
	return stop;
}

/* Outputs whose rows were written when the program was stopped before the files were. */
static int publish_unwritten(struct worker *worker, struct err *err)
{
	struct done_documents done = { 0 };
	int r = docstore_each(pipeline_docstore(worker->settings.pipeline), note_done, &done, err);

	for (size_t i = 0; i < done.n; i++) {
		struct pipeline_outputs outputs =
			worker->settings.outputs(worker->settings.user, done.paths[i]);
		struct err why = { "" };

		if (r == 0 && !is_stopping(worker) &&
		    pipeline_publish(worker->settings.pipeline, done.ids[i], &outputs, &why) < 0)
			log_warning("'%s': %s", done.paths[i], why.text);
		count_step(worker);
		free(done.paths[i]);
	}
	free(done.ids);
	free(done.paths);
	return r;
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
	set_cancel(worker);
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
		tell(worker);
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
	int r;

	worker_stand_back(worker->settings.nice);
	r = publish_unwritten(worker, &err);
	while (r == 0 && wait_for_work(worker)) {
		r = drain(worker, &err);
		if (was_interrupted(worker, r))
			r = 0;
		else if (r == 0)
			tidy(pipeline_docstore(worker->settings.pipeline));
		if (r == 0)
			set_busy(worker, 0, NULL);
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
	set_cancel(worker);
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

void worker_pause(struct worker *worker, bool pause)
{
	pthread_mutex_lock(&worker->lock);
	worker->paused = pause;
	set_cancel(worker);
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
	set_cancel(worker);
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
	set_cancel(worker);
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
	pthread_join(worker->thread, NULL);
	pthread_mutex_destroy(&worker->lock);
	pthread_cond_destroy(&worker->wake);
	pthread_cond_destroy(&worker->chore_done);
	free(worker);
}
