#include "bench/desk.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_BYTES ((uint64_t)4 << 30)
#define MAX_BARE_TOKENS 24
#define NOBODY "0000000000000000000000000000000000000000000000000000000000000000"

static const struct reader_hooks NO_HOOKS = { 0 };
static const struct pipeline_hooks NO_PIPELINE_HOOKS = { 0 };

static int open_bare(struct desk *desk, const char *model, unsigned n_threads, struct err *err)
{
	const struct engine_settings settings = { .dir = model, .n_threads = n_threads };
	int r = engine_open(&settings, &desk->engine, err);

	return r < 0 ? r : reader_open(desk->engine, NULL, &desk->reader, err);
}

int desk_open(struct desk *ret, const char *model, const char *cache, unsigned n_threads, struct err *err)
{
	struct pipeline_settings settings = { .model_dir = model,
		                              .n_threads = n_threads,
		                              .store = { .path = ":memory:", .mode = DOCSTORE_WRITE },
		                              .kv_path = cache,
		                              .kv_budget_bytes = cache == NULL ? 0 : CACHE_BYTES };
	int r;

	*ret = (struct desk){ .folder = strdup("/tmp/skimd-quality-XXXXXX") };
	if (ret->folder == NULL || mkdtemp(ret->folder) == NULL) {
		free(ret->folder);
		return err_set(err, -errno, "no temporary folder: %s", strerror(errno));
	}
	if ((r = pipeline_open(&settings, &ret->pipeline, err)) < 0 ||
	    (r = open_bare(ret, model, n_threads, err)) < 0)
		desk_close(ret);
	return r;
}

void desk_close(struct desk *desk)
{
	reader_close(desk->reader);
	engine_close(desk->engine);
	pipeline_close(desk->pipeline);
	rmdir(desk->folder);
	free(desk->folder);
	*desk = (struct desk){ 0 };
}

static int add_row(struct desk *desk, const char *path, const struct stat *about, int64_t *ret_id,
                   struct err *err)
{
	const struct document_file file = { .path = path,
		                            .folder = desk->folder,
		                            .device = (int64_t)about->st_dev,
		                            .inode = (int64_t)about->st_ino,
		                            .size = (int64_t)about->st_size };

	return docstore_add(pipeline_docstore(desk->pipeline), &file, ret_id, NULL, err);
}

static void name_text(struct desk *desk, char *ret, size_t n)
{
	snprintf(ret, n, "%s/%zu.txt", desk->folder, desk->n_texts++);
}

static int write_text(const char *path, const char *text, struct stat *ret, struct err *err)
{
	FILE *file = fopen(path, "we");

	if (file == NULL)
		return err_set(err, -errno, "'%s': %s", path, strerror(errno));
	if (fputs(text, file) < 0 || fflush(file) != 0 || fstat(fileno(file), ret) < 0) {
		fclose(file);
		return err_set(err, -EIO, "'%s': cannot be written", path);
	}
	return fclose(file) == 0 ? 0 : err_set(err, -EIO, "'%s': cannot be written", path);
}

static int process(struct desk *desk, int64_t id, struct reading *ret, struct err *err)
{
	struct docstore *store = pipeline_docstore(desk->pipeline);
	const struct pipeline_outputs none = { 0 };
	int r;

	if ((r = docstore_start(store, id, err)) < 0 ||
	    (r = pipeline_process(desk->pipeline, id, &none, &NO_PIPELINE_HOOKS, err)) < 0 ||
	    (r = docstore_load(store, id, ret, err)) < 0)
		return r;
	if (ret->document.state == DOCUMENT_DONE)
		return 0;
	r = err_set(err, -EBADMSG, "a text was not read: %s",
	            ret->document.error == NULL ? "no reason" : ret->document.error);
	reading_done(ret);
	return r;
}

int desk_read(struct desk *desk, const char *text, struct reading *ret, struct err *err)
{
	char path[PATH_MAX];
	struct stat about;
	int64_t id;
	int r;

	name_text(desk, path, sizeof(path));
	if ((r = write_text(path, text, &about, err)) == 0 &&
	    (r = add_row(desk, path, &about, &id, err)) == 0)
		r = process(desk, id, ret, err);
	unlink(path);
	return r;
}

int desk_put(struct desk *desk, const char *text, int64_t *ret_id, struct err *err)
{
	static char sha256[] = NOBODY, type[] = "text/plain", charset[] = "utf-8", language[] = "en";
	const struct document found = { .sha256 = sha256,
		                        .media_type = type,
		                        .charset = charset,
		                        .language = language,
		                        .bytes = (int64_t)strlen(text) };
	struct docstore *store = pipeline_docstore(desk->pipeline);
	struct stat about = { .st_ino = 1 };
	char path[PATH_MAX];
	int r;

	name_text(desk, path, sizeof(path));
	if ((r = add_row(desk, path, &about, ret_id, err)) < 0 ||
	    (r = docstore_start(store, *ret_id, err)) < 0)
		return r;
	return docstore_put_text(store, *ret_id, &found, text, strlen(text), err);
}

int desk_ask(struct desk *desk, int64_t id, const char *question, struct answer *ret, struct err *err)
{
	struct usage usage = { 0 };

	return pipeline_answer(desk->pipeline, id, &question, 1, ret, &usage, &NO_PIPELINE_HOOKS, err);
}

int desk_weigh(struct desk *desk, int64_t id, const char *question, struct asked_passage *ret,
               char **ret_words, struct err *err)
{
	struct usage usage = { 0 };
	struct answerer *answerer;
	int r = answerer_open(desk->reader, pipeline_docstore(desk->pipeline), id, &answerer, err);

	if (r < 0)
		return r;
	r = answer_weigh(answerer, question, ret, &usage, &NO_HOOKS, err);
	if (r == 0)
		*ret_words = strndup(answerer_view(answerer)->text + ret->start, ret->end - ret->start);
	answerer_close(answerer);
	return r == 0 && *ret_words == NULL ? err_set(err, -ENOMEM, "no memory for an answer") : r;
}

void desk_set_attention(struct desk *desk, enum attention attention)
{
	reader_set_attention(desk->reader, attention);
}

int desk_ask_bare(struct desk *desk, const char *text, const char *question, char **ret, struct err *err)
{
	const struct reader_task task = { .kind = TASK_QUESTION,
		                          .question = question,
		                          .max_tokens = MAX_BARE_TOKENS };
	struct reader_result result;
	struct usage usage = { 0 };
	int r = reader_read(desk->reader, text, strlen(text), &task, 1, &result, &usage, &NO_HOOKS, err);

	if (r == 0)
		*ret = result.text;
	return r;
}

int desk_count(struct desk *desk, const char *text, size_t *ret, struct err *err)
{
	return reader_count(desk->reader, text, strlen(text), ret, err);
}
