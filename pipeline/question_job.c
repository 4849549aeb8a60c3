#include "pipeline/question_job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "pipeline/answer.h"
#include "pipeline/audit.h"
#include "pipeline/failure.h"
#include "pipeline/publish.h"
#include "store/docstore_questions.h"

#define STAGE "answer"

/* How many there will be is not known before the passages are. */
static void see_tokens(void *user, size_t n_new)
{
	struct question_job *job = user;

	job->n_done += n_new;
	if (job->hooks->progress != NULL)
		job->hooks->progress(job->hooks->user, STAGE, job->n_done, 0);
}

static int open_answerer(struct question_job *job, struct err *why)
{
	if (job->answerer != NULL)
		return 0;
	return answerer_open(job->reader, job->store, job->document_id, &job->answerer, why);
}

static int find_answer(struct question_job *job, struct answer *ret, struct err *why)
{
	const struct reader_hooks hooks = { job, see_tokens, job->hooks->cancel };
	struct audit_notes notes = { .view_start = AUDIT_ANYWHERE, .looks = &job->question.looks };
	const struct reader_audit audit = { &notes, READER_CHECK_NONE, audit_see };
	int r = open_answerer(job, why);

	if (r < 0)
		return r;
	notes.view = answerer_view(job->answerer);
	reader_set_audit(job->reader, job->audit.reading ? &audit : NULL);
	r = answer_find(job->answerer, job->question.text, ret, &job->question.usage, &hooks, why);
	reader_set_audit(job->reader, NULL);
	return r;
}

/* The question's row, with this answer in place of any that it had. */
static int keep_answer(struct question_job *job, const struct answer *answer, double seconds, struct err *err)
{
	struct question kept = job->question;

	kept.answer = (struct passage){ .text = answer->text,
		                        .generated = answer->generated,
		                        .score = answer->score,
		                        .evidence = answer->evidence,
		                        .n_evidence = answer->n_evidence };
	kept.found = answer->found;
	kept.check =
		audit_answer_due(kept.text, answer->evidence, answer->n_evidence, job->audit.dense_share);
	kept.model = (char *)(uintptr_t)job->model;
	kept.fingerprint = (char *)(uintptr_t)job->fingerprint;
	kept.seconds = seconds;
	return docstore_put_answer(job->store, &kept, err);
}

/* It is classed as a document's failure of reading is. */
static int fail(struct question_job *job, int r, const struct err *why)
{
	log_warning("'%s': question %lld: %s", job->question.path, (long long)job->question.id, why->text);
	return docstore_fail_question(job->store, job->question.id, failure_of_reading(r).retry, why->text,
	                              job->err);
}

static int put_back(struct question_job *job, int r, const struct err *why)
{
	int failure = docstore_put_back_question(job->store, job->question.id, job->err);

	return failure < 0 ? failure : err_set(job->err, r, "%s", why->text);
}

static int answer(struct question_job *job)
{
	double began = clock_seconds();
	struct answer answer = { 0 };
	struct err why = { "" };
	int r;

	job->question.usage = (struct usage){ 0 };
	r = find_answer(job, &answer, &why);
	if (r == -ECANCELED || r == -EBUSY || r == -ENOSPC ||
	    r == -EDQUOT) /* the store's matter, it passes */
		return put_back(job, r, &why);
	if (r < 0)
		return fail(job, r, &why);
	r = keep_answer(job, &answer, clock_seconds() - began, &why);
	if (r == -EINVAL || r == -EFBIG) /* this answer will never be taken */
		r = fail(job, r, &why);
	else if (r < 0)
		err_set(job->err, r, "%s", why.text);
	else
		job->answered = true;
	answer_done(&answer);
	return r;
}

/* Without writing anything. */
static void let_go(struct question_job *job)
{
	answerer_close(job->answerer);
	job->answerer = NULL;
	job->document_id = 0;
	job->answered = false;
}

int question_job_begin(struct question_job *job, int64_t id, struct err *err)
{
	int r = docstore_get_question(job->store, id, &job->question, err);

	if (r < 0)
		return r;
	if (job->document_id != job->question.document_id)
		let_go(job);
	job->document_id = job->question.document_id;
	return 0;
}

int question_job_run(struct question_job *job, const struct pipeline_hooks *hooks, struct err *err)
{
	int r;

	job->hooks = hooks;
	job->err = err;
	job->n_done = 0;
	r = answer(job);
	question_done(&job->question);
	return r;
}

/* A document that has changed meanwhile is read anew, and its outputs are written then; one that was forgotten has none. */
static int publish(struct question_job *job, const struct pipeline_outputs *outputs, struct err *err)
{
	struct document document = { 0 };
	int r = docstore_get(job->store, job->document_id, &document, err);

	if (r == 0 && (document.state == DOCUMENT_DONE || document.state == DOCUMENT_GONE))
		r = publish_outputs(job->store, &document, outputs, err);
	document_done(&document);
	return r == -ENOENT ? 0 : r;
}

int question_job_end(struct question_job *job, const struct pipeline_outputs *outputs, struct err *err)
{
	int r = job->answered && outputs != NULL ? publish(job, outputs, err) : 0;

	if (r == 0)
		let_go(job);
	return r;
}
