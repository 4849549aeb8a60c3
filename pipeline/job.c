#include "pipeline/job.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/hex.h"
#include "base/log.h"
#include "pipeline/language.h"
#include "pipeline/output.h"
#include "pipeline/prompt.h"
#include "pipeline/summary.h"

#define PROGRESS_STEP 0.01 /* between two writes of a document's progress to the store */

static const struct job_state *extract(struct job *job);
static const struct job_state *cut(struct job *job);
static const struct job_state *read_chunks(struct job *job);
static const struct job_state *reduce(struct job *job);
static const struct job_state *publish(struct job *job);

static const struct job_state EXTRACT = { "extract", extract }; /* -> CHUNK; PUBLISH if its twin is done */
static const struct job_state CHUNK = { "chunk", cut }; /* -> READ */
static const struct job_state READ = { "read", read_chunks }; /* -> REDUCE */
static const struct job_state REDUCE = { "reduce", reduce }; /* -> PUBLISH, with all rows written */
static const struct job_state PUBLISH = { "publish", publish }; /* -> the end */

/* The store failed, or the program was told to stop: not the document's fault. */
static const struct job_state *stop(struct job *job, int r)
{
	job->r = r;
	return NULL;
}

/* The document ends here, with the words in why. */
static const struct job_state *fail(struct job *job, int r, const struct err *why)
{
	bool ignored = r == -ENODATA || r == -ENOTSUP;

	log_warning("'%s': %s", job->document.path, why->text);
	return stop(job, docstore_fail(job->store, job->id, ignored ? DOCUMENT_IGNORED : DOCUMENT_FAILED,
	                               why->text, job->err));
}

/* What a model's answer failed with: memory and cancellation are ours, the rest is the document's. */
static const struct job_state *fail_reading(struct job *job, int r, const struct err *why)
{
	if (r != -ECANCELED && r != -ENOMEM)
		return fail(job, r == -ENOTSUP ? -EINVAL : r, why);
	err_set(job->err, r, "%s", why->text);
	return stop(job, r);
}

static void report(struct job *job)
{
	double share = job->n_tokens == 0 ? 0 : (double)job->n_done / (double)job->n_tokens;

	if (job->hooks->progress != NULL)
		job->hooks->progress(job->hooks->user, job->state->name, job->n_done, job->n_tokens);
	if (share > 0.99)
		share = 0.99;
	if (share < job->reported + PROGRESS_STEP)
		return;
	job->reported = share;
	docstore_progress(job->store, job->id, job->state->name, share, NULL);
}

static void see_tokens(void *user, size_t n_new)
{
	struct job *job = user;

	job->n_done += n_new;
	report(job);
}

static struct reader_hooks reader_hooks(struct job *job)
{
	return (struct reader_hooks){ job, see_tokens, job->hooks->cancel };
}

/* O_NOFOLLOW and O_NONBLOCK: what was a file when it was queued may be a link or a FIFO now. */
static int open_and_extract(struct job *job, struct err *why)
{
	int fd = open(job->document.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	int r;

	if (fd < 0)
		return err_set(why, -errno, "cannot open: %s", strerror(errno));
	r = extract_file(fd, job->document.path, &job->limits, &job->extracted, why);
	close(fd);
	return r;
}

static int keep_text(struct job *job)
{
	struct document found = { .sha256 = job->extracted.sha256,
		                  .media_type = (char *)(uintptr_t)job->extracted.media_type,
		                  .charset = job->extracted.charset,
		                  .language = (char *)(uintptr_t)language_of(job->extracted.text,
		                                                             job->extracted.n),
		                  .bytes = (int64_t)job->extracted.bytes };

	return docstore_put_text(job->store, job->id, &found, job->extracted.text, job->extracted.n,
	                         job->err);
}

static const struct job_state *extract(struct job *job)
{
	struct err why = { "" };
	int64_t twin;
	int r = open_and_extract(job, &why);

	if (r == -ENOENT)
		return stop(job, docstore_gone(job->store, job->id, job->err));
	if (r < 0)
		return fail(job, r, &why);
	if ((r = keep_text(job)) < 0)
		return stop(job, r);
	r = docstore_find_done(job->store, job->id, job->extracted.sha256, job->fingerprint, &twin, job->err);
	if (r == -ENOENT)
		return &CHUNK;
	if (r == 0)
		r = docstore_copy(job->store, twin, job->id, job->err);
	return r < 0 ? stop(job, r) : &PUBLISH;
}

static const struct job_state *cut(struct job *job)
{
	bool markdown = strcmp(job->extracted.media_type, "text/markdown") == 0;
	size_t most = reader_max_bytes(job->reader) < CHUNK_MAX_BYTES ? reader_max_bytes(job->reader)
	                                                              : CHUNK_MAX_BYTES;
	struct chunk_limits limits = { .max_bytes = most };
	struct err why = { "" };
	size_t n_tokens;
	int r;

	if ((r = view_make(job->extracted.text, job->extracted.n, markdown, &job->view, &why)) < 0 ||
	    (r = chunk_make(&job->view, &limits, &job->chunks, &job->n_chunks, &why)) < 0 ||
	    (r = reader_count(job->reader, job->view.text, job->view.n, &n_tokens, &why)) < 0)
		return fail(job, r, &why);
	job->results = array_new(struct document_chunk, job->n_chunks);
	if (job->results == NULL)
		return stop(job, err_set(job->err, -ENOMEM, "no memory for %zu chunks", job->n_chunks));
	job->document.tokens = (int64_t)n_tokens;
	job->n_tokens = n_tokens;
	return &READ;
}

static void hash_part(struct sha256_ctx *hash, const void *bytes, size_t n)
{
	uint64_t length = n;

	sha256_update(hash, sizeof(length), (const uint8_t *)&length);
	sha256_update(hash, n, bytes);
}

/* All that a chunk's results depend on: model, tasks, its stored text, how the model sees it, and the section it
 * starts in. Where it stands is not part of it. */
static int set_key(struct job *job, const struct chunk *chunk, struct document_chunk *result)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx hash;

	result->key = malloc(2 * sizeof(digest) + 1);
	if (result->key == NULL)
		return -ENOMEM;
	sha256_init(&hash);
	hash_part(&hash, SUMMARY_VERSION, strlen(SUMMARY_VERSION));
	hash_part(&hash, job->fingerprint, strlen(job->fingerprint));
	for (int task = 0; task < N_TASKS; task++)
		hash_part(&hash, prompt_words((enum task_kind)task),
		          strlen(prompt_words((enum task_kind)task)));
	hash_part(&hash, job->extracted.text + result->byte_start,
	          (size_t)(result->byte_end - result->byte_start));
	hash_part(&hash, job->view.text + chunk->start, chunk->end - chunk->start);
	hash_part(&hash, result->section == NULL ? "" : result->section,
	          result->section == NULL ? 0 : strlen(result->section));
	sha256_digest(&hash, sizeof(digest), digest);
	hex_encode(digest, sizeof(digest), result->key);
	return 0;
}

static int describe_chunk(struct job *job, size_t number, struct document_chunk *result)
{
	const struct chunk *chunk = &job->chunks[number];
	size_t start, end, n_tokens;
	int r;

	view_source_range(&job->view, chunk->start, chunk->end, &start, &end);
	result->number = (int64_t)number;
	result->byte_start = (int64_t)start;
	result->byte_end = (int64_t)end;
	result->section = summary_section(&job->view, chunk->start);
	r = reader_count(job->reader, job->view.text + chunk->start, chunk->end - chunk->start, &n_tokens,
	                 job->err);
	if (r < 0)
		return r;
	result->tokens = (int64_t)n_tokens;
	return set_key(job, chunk, result) < 0 ? err_set(job->err, -ENOMEM, "no memory for a chunk") : 0;
}

/* The results of an equal chunk, read before in this document or another, moved to where this one stands. */
static int reuse_chunk(struct job *job, struct document_chunk *result)
{
	struct document_chunk found = { 0 };
	int r = docstore_find_chunk(job->store, result->key, &found, job->err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < found.passages.n; i++) {
		for (size_t j = 0; j < found.passages.items[i].n_evidence; j++) {
			struct evidence *evidence = &found.passages.items[i].evidence[j];

			evidence->byte_start += result->byte_start - found.byte_start;
			evidence->byte_end += result->byte_start - found.byte_start;
		}
	}
	result->passages = found.passages;
	found.passages = (struct passages){ 0 };
	document_chunk_done(&found);
	return 0;
}

/* 0; or what fail_reading() is to be told, in why. */
static int read_chunk(struct job *job, size_t number, struct err *why)
{
	struct summary_text text = { job->extracted.text, &job->view };
	struct document_chunk *result = &job->results[number];
	struct reader_hooks hooks = reader_hooks(job);
	uint64_t done = job->n_done;
	int r = reuse_chunk(job, result);

	if (r == -ENOENT)
		r = summary_chunk(job->reader, &text, &job->chunks[number], &result->passages,
		                  &job->document.usage, &hooks, why);
	if (r < 0)
		return r;
	job->n_done = done + (uint64_t)result->tokens;
	return docstore_put_chunk(job->store, job->id, result, job->extracted.text + result->byte_start,
	                          (size_t)(result->byte_end - result->byte_start), why);
}

static const struct job_state *read_chunks(struct job *job)
{
	for (size_t i = 0; i < job->n_chunks; i++) {
		struct err why = { "" };
		int r = describe_chunk(job, i, &job->results[i]);

		if (r < 0)
			return stop(job, r);
		if ((r = read_chunk(job, i, &why)) < 0)
			return fail_reading(job, r, &why);
		report(job);
	}
	return &REDUCE;
}

static const struct job_state *reduce(struct job *job)
{
	struct reader_hooks hooks = { NULL, NULL, job->hooks->cancel };
	struct err why = { "" };
	struct timespec now;
	int r = summary_reduce(job->reader, job->results, job->n_chunks, &job->passages, &job->document.usage,
	                       &hooks, &why);

	if (r < 0)
		return fail_reading(job, r, &why);
	clock_gettime(CLOCK_MONOTONIC, &now);
	job->document.seconds += (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	free(job->document.model);
	free(job->document.fingerprint);
	job->document.model = strdup(job->model);
	job->document.fingerprint = strdup(job->fingerprint);
	if (job->document.model == NULL || job->document.fingerprint == NULL)
		return stop(job, err_set(job->err, -ENOMEM, "no memory for a document"));
	r = docstore_finish(job->store, job->id, &job->document, &job->passages, job->n_chunks, job->err);
	return r < 0 ? stop(job, r) : &PUBLISH;
}

static const struct job_state *publish(struct job *job)
{
	struct err why = { "" };
	int r = output_write(job->store, job->id, job->outputs.markdown, job->outputs.json, &why);

	if (r == 0 || job->document.output == NULL)
		return stop(job, r);
	return fail(job, -EINVAL, &why);
}

static void job_done(struct job *job)
{
	for (size_t i = 0; job->results != NULL && i < job->n_chunks; i++)
		document_chunk_done(&job->results[i]);
	free(job->results);
	free(job->chunks);
	passages_done(&job->passages);
	view_done(&job->view);
	extracted_done(&job->extracted);
	document_done(&job->document);
}

int job_run(struct job *job)
{
	struct timespec now;
	int r = docstore_get(job->store, job->id, &job->document, job->err);

	if (r < 0)
		return r;
	clock_gettime(CLOCK_MONOTONIC, &now);
	job->document.seconds = -((double)now.tv_sec + (double)now.tv_nsec / 1e9);
	job->document.usage = (struct usage){ 0 };
	for (job->state = &EXTRACT; job->state != NULL && job->r == 0; job->state = job->state->enter(job)) {
		job->reported = 0;
		if (job->state != &PUBLISH) /* the rows say 'done' by then */
			job->r = docstore_progress(job->store, job->id, job->state->name, 0, job->err);
		if (job->r < 0)
			break;
	}
	r = job->r;
	if (r == -ECANCELED && docstore_put_back(job->store, job->id, NULL) < 0)
		log_warning("'%s': cannot be queued again now; the next start does it", job->document.path);
	job_done(job);
	return r;
}
