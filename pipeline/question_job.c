#include "pipeline/question_job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "pipeline/answer.h"
#include "pipeline/audit.h"
#include "pipeline/failure.h"
#include "pipeline/output.h"
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

static int find_answer(struct question_job *job, struct answer *ret, struct err *why)
{
	const struct reader_hooks hooks = { job, see_tokens, job->hooks->cancel };
	struct audit_notes notes = { .view_start = AUDIT_ANYWHERE, .looks = &job->question.looks };
	const struct reader_audit audit = { &notes, READER_CHECK_NONE, audit_see };
	struct answerer *answerer;
	int r = answerer_open(job->reader, job->store, job->question.document_id, &answerer, why);

	if (r < 0)
		return r;
	notes.view = answerer_view(answerer);
	reader_set_audit(job->reader, job->audit.reading ? &audit : NULL);
	r = answer_find(answerer, job->question.text, ret, &job->question.usage, &hooks, why);
	reader_set_audit(job->reader, NULL);
	answerer_close(answerer);
	return r;
}

/* The question's row, with this answer in place of any that it had. */
static int keep_answer(struct question_job *job, const struct answer *answer, double seconds)
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
	return docstore_put_answer(job->store, &kept, job->err);
}

static int write_outputs(struct question_job *job)
{
	int64_t id = job->question.document_id;
	struct err why = { "" };
	int r = output_write(job->store, id, job->outputs->markdown, job->outputs->json, &why);

	if (r == 0 && job->outputs->html)
		r = output_write_page(job->store, id, &why);
	if (r == 0)
		return docstore_published(job->store, id, job->err);
	log_warning("'%s': %s", job->question.path, why.text);
	return docstore_unpublished(job->store, id, failure_of_writing(r), why.text, job->err);
}

/* A document that has changed meanwhile is read anew, and its outputs are written then. */
static int publish(struct question_job *job)
{
	struct document document = { 0 };
	enum document_state state;
	int r = docstore_get(job->store, job->question.document_id, &document, job->err);

	if (r < 0)
		return r;
	state = document.state;
	document_done(&document);
	return state == DOCUMENT_DONE || state == DOCUMENT_GONE ? write_outputs(job) : 0;
}

static int fail(struct question_job *job, const struct err *why)
{
	log_warning("'%s': question %lld: %s", job->question.path, (long long)job->question.id, why->text);
	return docstore_fail_question(job->store, job->question.id, why->text, job->err);
}

static int put_back(struct question_job *job, int r, const struct err *why)
{
	int failure = docstore_put_back_question(job->store, job->question.id, job->err);

	return failure < 0 ? failure : err_set(job->err, r, "%s", why->text);
}

int question_job_run(struct question_job *job)
{
	double began = clock_seconds();
	struct answer answer = { 0 };
	struct err why = { "" };
	int r;

	job->question.usage = (struct usage){ 0 };
	r = find_answer(job, &answer, &why);
	if (r == -ECANCELED || r == -EBUSY || r == -ENOSPC || r == -EDQUOT) /* it passes */
		return put_back(job, r, &why);
	if (r < 0)
		return fail(job, &why);
	r = keep_answer(job, &answer, clock_seconds() - began);
	if (r == -EINVAL || r == -EFBIG) { /* this answer will never be taken */
		why = *job->err;
		r = fail(job, &why);
	} else if (r == 0 && job->outputs != NULL) {
		r = publish(job);
	}
	answer_done(&answer);
	return r;
}
