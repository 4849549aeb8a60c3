/* The model nano with stores of its own in a folder, and a document's and a question's way through them: what trials of the
 * audit share. Whatever is compared is compared all of it. A step that fails ends the test. */
#ifndef SKIMD_TESTS_DESK_H
#define SKIMD_TESTS_DESK_H

#include <errno.h>

#include "base/buf.h"
#include "pipeline/comparison.h"
#include "pipeline/job.h"
#include "pipeline/question_job.h"
#include "store/docstore_audit.h"
#include "store/docstore_questions.h"
#include "store/kvwriter.h"
#include "tests/fixture.h"

#define DESK_KV_BUDGET ((uint64_t)2 << 30)

typedef void (*desk_tamper)(void *user, uint32_t layer, size_t pos, uint32_t *positions, size_t n);

struct desk {
	struct path folder;
	struct docstore *store;
	struct kvstore *kv;
	struct kvwriter *writer;
	struct engine *engine;
	struct reader *reader;
	const char *fingerprint;
};

static const struct pipeline_hooks DESK_HOOKS = { 0 };
static const struct audit_settings DESK_AUDIT = { true, 1 };

static inline void desk_expect(int r, const struct err *err)
{
	if (r < 0)
		fail_msg("%s", err->text);
}

/* tamper as in struct engine_settings. */
static inline void desk_open(struct desk *desk, desk_tamper tamper)
{
	struct path model = fixture_path("nano"), store, kv;
	struct docstore_settings settings = { .mode = DOCSTORE_WRITE };
	const struct engine_settings engine = { .dir = model.text, .tamper = tamper };
	struct err err = { "" };

	desk->folder = folder_make();
	store = path_of(&desk->folder, "skimd.db");
	kv = path_of(&desk->folder, "kv.db");
	settings.path = store.text;
	desk->fingerprint = "of a trial";
	desk_expect(docstore_open(&settings, &desk->store, &err), &err);
	desk_expect(kvstore_open(kv.text, DESK_KV_BUDGET, &desk->kv, NULL, &err), &err);
	desk_expect(kvwriter_new(desk->kv, KV_QUEUE_BYTES, &desk->writer, &err), &err);
	desk_expect(engine_open(&engine, &desk->engine, &err), &err);
	desk_expect(reader_open(desk->engine, desk->writer, &desk->reader, &err), &err);
}

static inline void desk_close(struct desk *desk)
{
	reader_close(desk->reader);
	engine_close(desk->engine);
	kvwriter_free(desk->writer);
	kvstore_close(desk->kv);
	docstore_close(desk->store);
	folder_remove(&desk->folder);
}

/* A file with this text, read to its end. */
static inline int64_t desk_read(struct desk *desk, const char *name, const struct buf *text)
{
	struct path path = path_of(&desk->folder, name);
	const struct document_file file = { .path = path.text, .inode = 1, .size = (int64_t)text->n };
	struct document document = { 0 };
	struct err err = { "" };
	struct job job = { .store = desk->store,
		           .reader = desk->reader,
		           .model = "nano",
		           .fingerprint = desk->fingerprint,
		           .audit = DESK_AUDIT,
		           .hooks = &DESK_HOOKS,
		           .err = &err };

	folder_write(&desk->folder, name, text->data, text->n);
	desk_expect(docstore_add(desk->store, &file, &job.id, NULL, &err), &err);
	desk_expect(docstore_start(desk->store, job.id, &err), &err);
	kvwriter_begin(desk->writer, job.id);
	desk_expect(job_run(&job), &err);
	kvwriter_end(desk->writer);
	desk_expect(docstore_get(desk->store, job.id, &document, &err), &err);
	if (document.state != DOCUMENT_DONE)
		fail_msg("%s", document.error == NULL ? "not done" : document.error);
	document_done(&document);
	return job.id;
}

/* The caller's, for question_done(). */
static inline struct question desk_ask(struct desk *desk, int64_t document_id, const char *text)
{
	const struct question_request request = { document_id, text, "control", NULL };
	struct question ret = { 0 };
	struct err err = { "" };
	int64_t id = 0;
	struct question_job job = { .store = desk->store,
		                    .reader = desk->reader,
		                    .model = "nano",
		                    .fingerprint = desk->fingerprint,
		                    .audit = DESK_AUDIT };

	desk_expect(docstore_ask(desk->store, &request, &id, &err), &err);
	desk_expect(docstore_start_question(desk->store, id, &err), &err);
	desk_expect(question_job_begin(&job, id, &err), &err);
	kvwriter_begin(desk->writer, document_id);
	desk_expect(question_job_run(&job, &DESK_HOOKS, &err), &err);
	kvwriter_end(desk->writer);
	desk_expect(question_job_end(&job, NULL, &err), &err);
	desk_expect(docstore_get_question(desk->store, id, &ret, &err), &err);
	assert_int_equal(ret.state, QUESTION_ANSWERED);
	return ret;
}

/* All that is due. */
static inline void desk_compare(struct desk *desk)
{
	struct err err = { "" };
	struct due_check due;
	int r;

	while ((r = docstore_next_check(desk->store, desk->fingerprint, &due, &err)) == 0) {
		struct comparison comparison = {
			.store = desk->store, .reader = desk->reader, .due = &due, .hooks = &DESK_HOOKS
		};

		kvwriter_begin(desk->writer, due.document_id);
		desk_expect(comparison_run(&comparison, &err), &err);
		kvwriter_end(desk->writer);
	}
	assert_int_equal(r, -ENOENT);
}

#endif
