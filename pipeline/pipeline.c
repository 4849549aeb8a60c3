#include "pipeline/pipeline.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/hex.h"
#include "base/log.h"
#include "pipeline/comparison.h"
#include "pipeline/job.h"
#include "pipeline/messages.h"
#include "pipeline/publish.h"
#include "pipeline/question_job.h"
#include "pipeline/reader.h"
#include "store/docstore_audit.h"
#include "store/docstore_questions.h"
#include "store/kvstore.h"
#include "store/kvwriter.h"

struct pipeline {
	struct docstore *store;
	struct kvstore *kv; /* NULL: none */
	struct kvwriter *writer; /* NULL: likewise */
	uint64_t n_damaged; /* of kv, that the event log has */
	struct engine *engine;
	struct reader *reader;
	struct extract_limits limits;
	enum summary_length summary_length;
	struct audit_settings audit;
	struct question_job questions;
	char model[256];
	char fingerprint[2 * FINGERPRINT_BYTES + 1];
};

/* The cache is worth time, not results: without it everything works, slower. */
static void open_cache(struct pipeline *pipeline, const struct pipeline_settings *settings)
{
	struct err err = { "" }, replaced = { "" };
	struct kv_stats stats;
	int r;

	if (settings->kv_path == NULL || settings->kv_budget_bytes == 0)
		return;
	r = kvstore_open(settings->kv_path, settings->kv_budget_bytes, &pipeline->kv, &replaced, &err);
	if (r == 0) {
		kvstore_stats(pipeline->kv, &stats);
		pipeline->n_damaged = stats.damaged;
		r = kvwriter_new(pipeline->kv, KV_QUEUE_BYTES, &pipeline->writer, &err);
	}
	if (r < 0) {
		log_warning("kv store: %s, starting without it", err.text);
		docstore_event(pipeline->store, "warning", 0, err.text, NULL);
	} else if (replaced.text[0] != '\0') {
		log_warning("kv store: %s, set aside and made anew", replaced.text);
		docstore_event(pipeline->store, "warning", 0, replaced.text, NULL);
	}
}

static size_t quarter_of_memory(void)
{
	long n_pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	return n_pages > 0 && page > 0 ? (size_t)n_pages / 4 * (size_t)page : 0;
}

static int open_parts(struct pipeline *pipeline, const struct pipeline_settings *settings, struct err *err)
{
	struct engine_settings engine = {
		.dir = settings->model_dir,
		.numerics = settings->int8_weights ? NUMERICS_INT8 : NUMERICS_PRODUCTION,
		.n_threads = settings->n_threads,
		.row_memory = settings->kv_memory_bytes > 0 ? settings->kv_memory_bytes : quarter_of_memory(),
	};
	char dir[PATH_MAX];
	int r;

	if ((r = docstore_open(&settings->store, &pipeline->store, err)) < 0)
		return r;
	open_cache(pipeline, settings);
	if ((r = engine_open(&engine, &pipeline->engine, err)) < 0 ||
	    (r = reader_open(pipeline->engine, pipeline->writer, &pipeline->reader, err)) < 0)
		return err_prefix(err, r, "model: ");
	snprintf(dir, sizeof(dir), "%s", settings->model_dir);
	snprintf(pipeline->model, sizeof(pipeline->model), "%s", basename(dir));
	hex_encode(engine_fingerprint(pipeline->engine), FINGERPRINT_BYTES, pipeline->fingerprint);
	pipeline->limits = settings->extract;
	pipeline->summary_length = settings->summary_length;
	pipeline->audit = settings->audit;
	pipeline->questions = (struct question_job){ .store = pipeline->store,
		                                     .reader = pipeline->reader,
		                                     .model = pipeline->model,
		                                     .fingerprint = pipeline->fingerprint,
		                                     .audit = settings->audit };
	return 0;
}

int pipeline_open(const struct pipeline_settings *settings, struct pipeline **ret, struct err *err)
{
	struct pipeline *pipeline = array_new(struct pipeline, 1);
	int r;

	if (pipeline == NULL)
		return err_set(err, -ENOMEM, "no memory for a pipeline");
	r = open_parts(pipeline, settings, err);
	if (r < 0)
		pipeline_close(pipeline);
	else
		*ret = pipeline;
	return r;
}

void pipeline_close(struct pipeline *pipeline)
{
	if (pipeline == NULL)
		return;
	question_job_end(&pipeline->questions, NULL, NULL);
	reader_close(pipeline->reader);
	engine_close(pipeline->engine);
	kvwriter_free(pipeline->writer);
	kvstore_close(pipeline->kv);
	docstore_close(pipeline->store);
	free(pipeline);
}

struct docstore *pipeline_docstore(struct pipeline *pipeline)
{
	return pipeline->store;
}

void pipeline_kv_stats(struct pipeline *pipeline, struct kv_stats *ret)
{
	*ret = (struct kv_stats){ 0 };
	if (pipeline->writer != NULL)
		kvwriter_stats(pipeline->writer, ret);
}

const char *pipeline_model_name(const struct pipeline *pipeline)
{
	return pipeline->model;
}

const char *pipeline_fingerprint(const struct pipeline *pipeline)
{
	return pipeline->fingerprint;
}

int pipeline_drop_cached(struct pipeline *pipeline, int64_t id, uint64_t *ret_n_blocks, struct err *err)
{
	*ret_n_blocks = 0;
	return pipeline->writer == NULL ? 0 : kvwriter_drop(pipeline->writer, id, ret_n_blocks, err);
}

static const struct log_field DAMAGED[] = { { "MESSAGE_ID", MESSAGE_CACHE_DAMAGED }, { NULL, NULL } };

/* Damage costs time, and is no fault of the document in work; but somebody should look at the disk. */
static void note_damage(struct pipeline *pipeline, int64_t id)
{
	struct kv_stats stats;
	char text[128];

	kvwriter_stats(pipeline->writer, &stats);
	if (stats.damaged == pipeline->n_damaged)
		return;
	snprintf(text, sizeof(text), "kv store: %llu damaged blocks or files were removed and computed again",
	         (unsigned long long)(stats.damaged - pipeline->n_damaged));
	pipeline->n_damaged = stats.damaged;
	log_fields(LOG_LEVEL_WARNING, DAMAGED, "%s", text);
	docstore_event(pipeline->store, "warning", id, text, NULL);
}

/* What the cache takes from here on is this document's, until end_work(). */
static void begin_work(struct pipeline *pipeline, int64_t id)
{
	if (pipeline->writer != NULL)
		kvwriter_begin(pipeline->writer, id);
}

static void end_work(struct pipeline *pipeline, int64_t id)
{
	if (pipeline->writer == NULL)
		return;
	kvwriter_end(pipeline->writer);
	note_damage(pipeline, id);
}

int pipeline_process(struct pipeline *pipeline, int64_t id, const struct pipeline_outputs *outputs,
                     const struct pipeline_hooks *hooks, struct err *err)
{
	struct job job = {
		.store = pipeline->store,
		.reader = pipeline->reader,
		.model = pipeline->model,
		.fingerprint = pipeline->fingerprint,
		.limits = pipeline->limits,
		.outputs = *outputs,
		.summary = { .length = pipeline->summary_length },
		.audit = pipeline->audit,
		.hooks = hooks,
		.err = err,
		.id = id,
	};
	int r;

	begin_work(pipeline, id);
	r = job_run(&job);
	end_work(pipeline, id);
	return r;
}

int pipeline_publish(struct pipeline *pipeline, int64_t id, const struct pipeline_outputs *outputs,
                     struct err *err)
{
	struct document document = { 0 };
	int r = docstore_get(pipeline->store, id, &document, err);

	if (r < 0)
		return r;
	if (document.state == DOCUMENT_DONE && !document.published)
		r = publish_outputs(pipeline->store, &document, outputs, err);
	document_done(&document);
	return r;
}

int pipeline_compare(struct pipeline *pipeline, const struct pipeline_hooks *hooks, struct err *err)
{
	struct due_check due;
	struct comparison comparison = {
		.store = pipeline->store, .reader = pipeline->reader, .due = &due, .hooks = hooks
	};
	int r = docstore_next_check(pipeline->store, pipeline->fingerprint, &due, err);

	if (r < 0)
		return r;
	begin_work(pipeline, due.document_id);
	r = comparison_run(&comparison, err);
	end_work(pipeline, due.document_id);
	return r;
}

int pipeline_answer_question(struct pipeline *pipeline, int64_t id, const struct pipeline_hooks *hooks,
                             struct err *err)
{
	struct question_job *job = &pipeline->questions;
	int r = question_job_begin(job, id, err);

	if (r < 0)
		return r;
	begin_work(pipeline, job->document_id);
	r = question_job_run(job, hooks, err);
	end_work(pipeline, job->document_id);
	return r;
}

int pipeline_end_answers(struct pipeline *pipeline, const struct pipeline_outputs *outputs, struct err *err)
{
	return question_job_end(&pipeline->questions, outputs, err);
}

static int answer_all(struct answerer *answerer, const char *const *questions, size_t n, struct answer *ret,
                      struct usage *usage, const struct reader_hooks *hooks, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < n; i++)
		ret[i] = (struct answer){ 0 };
	for (size_t i = 0; r == 0 && i < n; i++)
		r = answer_find(answerer, questions[i], &ret[i], usage, hooks, err);
	for (size_t i = 0; r < 0 && i < n; i++)
		answer_done(&ret[i]);
	return r;
}

int pipeline_answer(struct pipeline *pipeline, int64_t id, const char *const *questions, size_t n,
                    struct answer *ret, struct usage *usage, const struct pipeline_hooks *hooks,
                    struct err *err)
{
	const struct reader_hooks reader_hooks = { .cancel = hooks->cancel };
	struct answerer *answerer;
	int r = answerer_open(pipeline->reader, pipeline->store, id, &answerer, err);

	if (r < 0)
		return r;
	begin_work(pipeline, id);
	r = answer_all(answerer, questions, n, ret, usage, &reader_hooks, err);
	end_work(pipeline, id);
	answerer_close(answerer);
	return r;
}
