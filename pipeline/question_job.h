/* One question's way: from its row to its answer in skimd.db and in the outputs of its document. */
#ifndef SKIMD_PIPELINE_QUESTION_JOB_H
#define SKIMD_PIPELINE_QUESTION_JOB_H

#include "base/err.h"
#include "pipeline/audit.h"
#include "pipeline/pipeline.h"
#include "pipeline/reader.h"
#include "store/docstore.h"

struct question_job {
	/* Borrowed. */
	struct docstore *store;
	struct reader *reader;
	const char *model, *fingerprint;
	const struct pipeline_outputs *outputs; /* NULL: they are left as they are */
	const struct pipeline_hooks *hooks;
	struct audit_settings audit; /* of what is read again for it, and of its answer */
	struct err *err;

	struct question question; /* its row, the caller's for question_done() */
	uint64_t n_done; /* tokens */
};

/* As pipeline_answer_question(). */
int question_job_run(struct question_job *job);

#endif
