/* A pipeline with real stores in a folder and tests/data/tiny as the model, and files for it: what the tests of documents'
 * and of questions' ways share. A step that fails ends the test. */
#ifndef SKIMD_TESTS_JOBS_H
#define SKIMD_TESTS_JOBS_H

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "pipeline/output.h"
#include "pipeline/pipeline.h"
#include "tests/reading.h"

static const struct pipeline_outputs BOTH = { .markdown = true, .json = true };

struct fixture {
	struct path folder, inbox, outbox;
	const char *store, *kv; /* names in the folder */
	struct pipeline *pipeline;
};

static inline void open_pipeline(struct fixture *f)
{
	struct path model = fixture_path("tiny"), store = path_of(&f->folder, f->store);
	struct path kv = path_of(&f->folder, f->kv);
	struct pipeline_settings settings = { .model_dir = model.text,
		                              .n_threads = 2,
		                              .store = { .path = store.text, .mode = DOCSTORE_WRITE },
		                              .kv_path = kv.text,
		                              .kv_budget_bytes = KV_BUDGET,
		                              .extract = { .max_file_bytes = 1 << 20 } };
	struct err err = { "" };

	if (pipeline_open(&settings, &f->pipeline, &err) < 0)
		fail_msg("%s", err.text);
}

/* Other files for the stores, from now on, and no outputs: a fresh database would know none as ours. */
static inline void reopen(struct fixture *f, const char *store, const char *kv)
{
	each_file(&f->outbox, remove_one, NULL);
	pipeline_close(f->pipeline);
	f->store = store;
	f->kv = kv;
	open_pipeline(f);
}

static inline int set_up_closed(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->folder = folder_make();
	f->inbox = folder_make();
	f->outbox = folder_make();
	f->store = "skimd.db";
	f->kv = "kv.db";
	*state = f;
	return 0;
}

static inline int set_up(void **state)
{
	set_up_closed(state);
	open_pipeline(*state);
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	pipeline_close(f->pipeline);
	folder_remove(&f->folder);
	folder_remove(&f->inbox);
	folder_remove(&f->outbox);
	free(f);
	return 0;
}

static inline int64_t nanoseconds(struct timespec time)
{
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* The file as the daemon would queue it. */
static inline int64_t queue(struct fixture *f, const char *name)
{
	struct path path = path_of(&f->inbox, name), output = path_of(&f->outbox, name);
	struct stat st = { 0 };
	struct document_file file = { .path = path.text, .output = output.text };
	struct err err = { "" };
	int64_t id = 0;

	stat(path.text, &st);
	file.inode = (int64_t)st.st_ino;
	file.size = st.st_size;
	file.mtime_ns = nanoseconds(st.st_mtim);
	file.ctime_ns = nanoseconds(st.st_ctim);
	if (docstore_add(pipeline_docstore(f->pipeline), &file, &id, NULL, &err) < 0)
		fail_msg("%s", err.text);
	return id;
}

static inline int process(struct fixture *f, int64_t id, const struct pipeline_hooks *hooks, struct err *err)
{
	assert_int_equal(docstore_start(pipeline_docstore(f->pipeline), id, NULL), 0);
	return pipeline_process(f->pipeline, id, &BOTH, hooks, err);
}

static inline struct reading load(struct fixture *f, int64_t id)
{
	struct reading ret = { 0 };
	struct err err = { "" };

	if (docstore_load(pipeline_docstore(f->pipeline), id, &ret, &err) < 0)
		fail_msg("%s", err.text);
	return ret;
}

/* A file with these bytes, from inbox to its end. */
static inline struct reading read_bytes(struct fixture *f, const char *name, const void *bytes, size_t n)
{
	static const struct pipeline_hooks NONE = { 0 };
	struct err err = { "" };
	int64_t id;

	folder_write(&f->inbox, name, bytes, n);
	id = queue(f, name);
	if (process(f, id, &NONE, &err) < 0)
		fail_msg("%s", err.text);
	return load(f, id);
}

static inline struct reading read_text(struct fixture *f, const char *name, const struct buf *text)
{
	struct reading ret = read_bytes(f, name, text->data, text->n);

	if (ret.document.state != DOCUMENT_DONE)
		fail_msg("%s", ret.document.error);
	return ret;
}

/* All results, as text: what a program gets, but for usage and timings. */
static inline char *results_of(const struct reading *reading)
{
	struct buf text = { 0 };
	json_t *json;
	char *ret;

	assert_int_equal(output_json(reading, &text), 0);
	json = json_loadb(text.data, text.n, 0, NULL);
	assert_non_null(json);
	json_object_del(json, "usage");
	json_object_del(json, "timings");
	ret = json_dumps(json, JSON_INDENT(1) | JSON_SORT_KEYS);
	assert_non_null(ret);
	json_decref(json);
	buf_done(&text);
	return ret;
}

static inline void assert_same_results(const struct reading *a, const struct reading *b)
{
	char *left = results_of(a), *right = results_of(b);

	assert_string_equal(left, right);
	free(left);
	free(right);
}

#endif
