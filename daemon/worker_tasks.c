#include "daemon/worker_internal.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/loop.h"
#include "pipeline/messages.h"
#include "store/docstore_questions.h"

#define CHANGED_NS 1000000000ull /* between two calls of changed() within a document */
#define MOST_TOGETHER \
	16 /* questions about one document, before those about another that were asked earlier */

void worker_tell(struct worker *worker)
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
		worker_tell(worker);
}

void worker_set_busy(struct worker *worker, int64_t id, const char *name)
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
	worker_tell(worker);
}

void worker_count_step(struct worker *worker)
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
	pthread_mutex_lock(&worker->lock);
	usage_add(&worker->status.usage, usage);
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
	worker_set_busy(worker, id, document.name);
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

bool worker_passes(int r)
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

int worker_end_answers(struct worker *worker, struct err *err)
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
		r = worker_end_answers(worker, err);
	if (r < 0)
		return r;
	worker->asked = question->document_id;
	worker->asked_outputs = worker->settings.outputs(worker->settings.user, question->path);
	worker->n_asked++;
	worker_set_busy(worker, question->document_id, question->name);
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
	worker_tell(worker);
	return r;
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
	if (worker_passes(r))
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
	if (worker_passes(r))
		worker->left_reading = id;
	return r == -ENOENT ? -EIO : r;
}

static void set_comparing(struct worker *worker, bool comparing)
{
	pthread_mutex_lock(&worker->lock);
	worker->comparing = comparing;
	worker_set_cancel(worker);
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
	worker_count_step(user);
}

/* Nothing is queued: look at what was read before. To those who wait the worker has ended. 0: look for documents again;
 * -ENOENT: nothing is due. */
static int compare_one(struct worker *worker, struct err *err)
{
	struct pipeline_hooks hooks = { .user = worker, .progress = see_step, .cancel = &worker->cancel };
	int r;

	if (take_wake(worker))
		return 0;
	worker_set_busy(worker, 0, NULL);
	set_comparing(worker, true);
	r = pipeline_compare(worker->settings.pipeline, &hooks, err);
	set_comparing(worker, false);
	worker_count_step(worker);
	return r == -ECANCELED ? 0 : r;
}

int worker_do_next(struct worker *worker, struct err *err)
{
	int r = put_back_left(worker, err);

	if (r == 0)
		r = take_and_answer(worker, err);
	if (r != -ENOENT)
		return r;
	r = worker_end_answers(worker, err);
	if (r == 0)
		r = take_and_process(worker, err);
	return r == -ENOENT ? compare_one(worker, err) : r;
}
