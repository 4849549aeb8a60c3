/* Questions of a document, one after the other: each from its row to its answer in skimd.db. What is opened for the first
 * serves the others, and the document's outputs are written once, behind the last. */
#ifndef SKIMD_PIPELINE_QUESTION_JOB_H
#define SKIMD_PIPELINE_QUESTION_JOB_H

#include "base/err.h"
#include "pipeline/audit.h"
#include "pipeline/pipeline.h"
#include "pipeline/reader.h"
#include "store/docstore.h"

struct answerer;

struct question_job {
	/* Borrowed. */
	struct docstore *store;
	struct reader *reader;
	const char *model, *fingerprint;
	struct audit_settings audit; /* of what is read again for it, and of its answer */

	/* Its own. */
	int64_t document_id; /* 0: of none yet */
	struct answerer *answerer; /* of that document; NULL: not open */
	bool answered; /* since its outputs were written */

	/* Of the question in work. */
	struct question question; /* its row */
	const struct pipeline_hooks *hooks;
	struct err *err;
	uint64_t n_done; /* tokens */
};

/* Question id is next: its document is job->document_id from here on, and another one is let go of as it is. -ENOENT: there
 * is no such question. */
int question_job_begin(struct question_job *job, int64_t id, struct err *err);

/* Answer it. As pipeline_answer_question(). */
int question_job_run(struct question_job *job, const struct pipeline_hooks *hooks, struct err *err);

/* Let go of the document. As pipeline_end_answers(). */
int question_job_end(struct question_job *job, const struct pipeline_outputs *outputs, struct err *err);

#endif
