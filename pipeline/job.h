/* One document's states, as a table that reads aloud: each state's function returns the state after it. */
#ifndef SKIMD_PIPELINE_JOB_H
#define SKIMD_PIPELINE_JOB_H

#include "pipeline/audit.h"
#include "pipeline/chunk.h"
#include "pipeline/extract.h"
#include "pipeline/pipeline.h"
#include "pipeline/reader.h"
#include "pipeline/summary.h"
#include "pipeline/view.h"

struct job;

struct job_state {
	const char *name; /* the stage in skimd.db */
	/* -> the state after it, or NULL: the job has ended, job->r says how */
	const struct job_state *(*enter)(struct job *job);
};

struct job {
	/* Borrowed. */
	struct docstore *store;
	struct reader *reader;
	const char *model, *fingerprint;
	struct extract_limits limits;
	struct pipeline_outputs outputs;
	struct summary_settings summary; /* prose is the job's own */
	struct audit_settings audit;
	const struct pipeline_hooks *hooks;
	struct err *err;

	/* Its own. */
	int64_t id;
	const struct job_state *state;
	struct document document;
	struct extracted extracted;
	struct view view;
	struct chunk *chunks;
	size_t n_chunks;
	struct document_chunk *results; /* [n_chunks] */
	struct passages passages;
	uint64_t n_tokens, n_done; /* about how much there is to read; read so far */
	uint64_t n_computed; /* of n_done, those that were not found read */
	double reported, reported_at; /* progress as last written to the store, and when */
	double state_began; /* as reported_at, in seconds of the monotonic clock */
	int r; /* 0, or the first error that is not the document's own */
};

/* Run the job from its first state to its last. As pipeline_process(). */
int job_run(struct job *job);

#endif
