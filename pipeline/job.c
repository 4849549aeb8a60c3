#include "pipeline/job.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "pipeline/chunk_key.h"
#include "pipeline/failure.h"
#include "pipeline/language.h"
#include "pipeline/messages.h"
#include "pipeline/place.h"
#include "pipeline/publish.h"
#include "pipeline/stored_text.h"
#include "pipeline/summary.h"

#define PROGRESS_S 1.0 /* between two writes of a document's progress to the store */

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

/* One line about the document, message_id as in pipeline/messages.h. */
static void warn(const struct job *job, const char *message_id, const struct err *why)
{
	char number[24];
	const struct log_field about[] = { { "MESSAGE_ID", message_id },
		                           { "SKIMD_DOCUMENT_ID", number },
		                           { "SKIMD_PATH", job->document.path },
		                           { "SKIMD_STAGE", job->state->name },
		                           { NULL, NULL } };

	snprintf(number, sizeof(number), "%lld", (long long)job->id);
	log_fields(LOG_LEVEL_WARNING, about, "'%s': %s", job->document.path, why->text);
}

/* The document ends here, with the words in why. */
static const struct job_state *fail(struct job *job, struct failure failure, const struct err *why)
{
	warn(job, failure.state == DOCUMENT_IGNORED ? MESSAGE_IGNORED : MESSAGE_FAILED, why);
	return stop(job,
	            docstore_fail(job->store, job->id, failure.state, failure.retry, why->text, job->err));
}

/* What reading failed with is the document's, but for being told to stop: one that does not fit fails alone. */
static const struct job_state *fail_reading(struct job *job, int r, const struct err *why)
{
	if (r != -ECANCELED)
		return fail(job, failure_of_reading(r), why);
	err_set(job->err, r, "%s", why->text);
	return stop(job, r);
}

static bool is_cancelled(const struct job *job)
{
	return job->hooks->cancel != NULL && *job->hooks->cancel;
}

/* By the tokens that were computed, since what is found costs nothing. -1: none was yet. */
static int64_t seconds_left(const struct job *job, double now)
{
	double left = job->n_tokens > job->n_done ? (double)(job->n_tokens - job->n_done) : 0;

	if (job->n_computed == 0 || job->state != &READ)
		return -1;
	return (int64_t)ceil((now - job->state_began) * left / (double)job->n_computed);
}

static int write_progress(struct job *job, double share)
{
	struct document_progress progress = { .stage = job->state->name,
		                              .share = share,
		                              .tokens_done = (int64_t)job->n_done,
		                              .tokens_total = (int64_t)job->n_tokens };

	job->reported = share;
	job->reported_at = clock_seconds();
	progress.eta_seconds = seconds_left(job, job->reported_at);
	return docstore_progress(job->store, job->id, &progress, job->err);
}

/* Each write is a commit on the disk: one a second is as often as anybody looks. A failure is met again where results
 * are written. */
static void report(struct job *job)
{
	double share = job->n_tokens == 0 ? 0 : (double)job->n_done / (double)job->n_tokens;

	if (job->hooks->progress != NULL)
		job->hooks->progress(job->hooks->user, job->state->name, job->n_done, job->n_tokens);
	if (share > 0.99)
		share = 0.99;
	if (share > job->reported && clock_seconds() - job->reported_at >= PROGRESS_S)
		write_progress(job, share);
}

static void see_tokens(void *user, size_t n_new)
{
	struct job *job = user;

	job->n_done += n_new;
	job->n_computed += n_new;
	report(job);
}

static struct reader_hooks reader_hooks(struct job *job)
{
	return (struct reader_hooks){ job, see_tokens, job->hooks->cancel };
}

/* What was a file when it was queued may be a FIFO now, and a folder on the way a link to somewhere else: paths are
 * resolved when they are queued, and nothing is followed here. */
static int open_document(const char *path)
{
	const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		                      .resolve = RESOLVE_NO_SYMLINKS };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	if (fd < 0 &&
	    (errno == ENOSYS || errno == EPERM)) /* an old kernel, or a filter that does not know it */
		fd = open(path, (int)how.flags | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/* While it waits for the extractor, it gets on. */
static void see_waiting(void *user)
{
	struct job *job = user;

	if (job->hooks->progress != NULL)
		job->hooks->progress(job->hooks->user, job->state->name, 0, 0);
}

static void see_pages(void *user, unsigned n_done, unsigned n_pages)
{
	struct job *job = user;

	if (clock_seconds() - job->reported_at >= PROGRESS_S)
		write_progress(job, (double)n_done / n_pages);
}

static int open_and_extract(struct job *job, struct err *why)
{
	const struct extract_hooks hooks = { job, see_waiting, job->hooks->cancel, see_pages };
	int fd = open_document(job->document.path);
	int r;

	if (fd < 0)
		return err_set(why, fd, "cannot open: %s",
		               fd == -ELOOP ? "it is behind a symbolic link now" : strerror(-fd));
	r = extract_file(fd, job->document.path, &job->limits, &hooks, &job->extracted, why);
	close(fd);
	return r;
}

static int keep_marks(struct job *job)
{
	struct buf bytes = { 0 };
	int r;

	marks_encode(&job->extracted.marks, &bytes);
	r = buf_status(&bytes) < 0 ? err_set(job->err, -ENOMEM, "no memory for its marks")
	                           : docstore_put_marks(job->store, job->id, bytes.data, bytes.n, job->err);
	buf_done(&bytes);
	return r;
}

static int note_truncated(struct job *job)
{
	struct err why;

	err_set(&why, 0, "a part of it is read: %s", job->extracted.truncated);
	warn(job, MESSAGE_TRUNCATED, &why);
	return docstore_event(job->store, "warning", job->id, why.text, job->err);
}

static char *string_or_null(char *string)
{
	return string[0] == '\0' ? NULL : string;
}

static int keep_text(struct job *job)
{
	struct extracted *extracted = &job->extracted;
	struct document found = { .sha256 = job->extracted.sha256,
		                  .media_type = (char *)(uintptr_t)job->extracted.media_type,
		                  .charset = string_or_null(extracted->charset),
		                  .truncated = string_or_null(extracted->truncated),
		                  .ocr_pages = extracted->ocr_pages,
		                  .pages = extracted->n_pages,
		                  .language = (char *)(uintptr_t)language_of(job->extracted.text,
		                                                             job->extracted.n),
		                  .bytes = (int64_t)job->extracted.bytes };

	int r = docstore_put_text(job->store, job->id, &found, extracted->text, extracted->n, job->err);

	if (r == 0)
		r = keep_marks(job);
	return r < 0 || extracted->truncated[0] == '\0' ? r : note_truncated(job);
}

static const struct job_state *fail_quarantined(struct job *job)
{
	static const struct failure LEFT_OUT = { DOCUMENT_FAILED, RETRY_NEVER };
	struct err why;

	err_set(&why, 0,
	        "skimd ended in the middle of another file with this content: left out until it changes, or"
	        " 'skimctl retry %lld'",
	        (long long)job->id);
	return fail(job, LEFT_OUT, &why);
}

static bool is_prose(const struct job *job)
{
	return language_is_read(language_of(job->extracted.text, job->extracted.n));
}

static const struct job_state *extract(struct job *job)
{
	struct err why = { "" };
	bool crashes;
	int64_t twin;
	int r = open_and_extract(job, &why);

	if (r == -ENOENT)
		return stop(job, docstore_gone(job->store, job->id, job->err));
	if (r == -ECANCELED)
		return stop(job, err_set(job->err, r, "%s", why.text));
	if (r < 0)
		return fail(job, failure_of_extraction(r), &why);
	job->summary.prose = is_prose(job);
	if ((r = keep_text(job)) < 0 ||
	    (r = docstore_is_quarantined(job->store, job->id, &crashes, job->err)) < 0)
		return stop(job, r);
	if (crashes)
		return fail_quarantined(job);
	r = docstore_find_done(job->store, job->id, job->extracted.sha256, job->fingerprint, &twin, job->err);
	if (r == -ENOENT)
		return &CHUNK;
	if (r == 0)
		r = docstore_copy(job->store, twin, job->id, job->err);
	return r < 0 ? stop(job, r) : &PUBLISH;
}

static int describe_chunk(struct job *job, size_t number, struct document_chunk *result, struct err *why)
{
	const struct chunk_source source = { job->extracted.text, &job->view, &job->extracted.marks,
		                             job->fingerprint, job->summary.prose };
	const struct chunk *chunk = &job->chunks[number];
	size_t start, end, n_tokens;
	int r;

	view_source_range(&job->view, chunk->start, chunk->end, &start, &end);
	result->number = (int64_t)number;
	result->byte_start = (int64_t)start;
	result->byte_end = (int64_t)end;
	r = reader_count(job->reader, job->view.text + chunk->start, chunk->end - chunk->start, &n_tokens,
	                 why);
	if (r < 0)
		return r;
	result->tokens = (int64_t)n_tokens;
	if (place_section(&job->view, chunk->start, &result->section) < 0 ||
	    chunk_key_set(&source, chunk, result) < 0)
		return err_set(why, -ENOMEM, "no memory for a part");
	return 0;
}

static int make_chunks(struct job *job, struct err *why)
{
	const struct extracted *extracted = &job->extracted;
	int r;

	r = stored_text_view(extracted->text, extracted->n, extracted->media_type, &extracted->marks,
	                     &job->view, why);
	if (r < 0 || (r = summary_cut(job->reader, &job->view, &job->chunks, &job->n_chunks, why)) < 0)
		return r;
	job->results = array_new(struct document_chunk, job->n_chunks);
	return job->results == NULL ? err_set(why, -ENOMEM, "no memory for %zu parts", job->n_chunks) : 0;
}

static const struct job_state *cut(struct job *job)
{
	struct err why = { "" };
	int r = make_chunks(job, &why);

	for (size_t i = 0; r == 0 && i < job->n_chunks; i++) {
		r = is_cancelled(job) ? err_set(&why, -ECANCELED, "told to stop")
		                      : describe_chunk(job, i, &job->results[i], &why);
		job->n_tokens += (uint64_t)job->results[i].tokens;
	}
	job->document.tokens = (int64_t)job->n_tokens;
	return r < 0 ? fail_reading(job, r, &why) : &READ;
}

/* To where it stands in this document. */
static void move_evidence(const struct job *job, int64_t offset, struct evidence *evidence)
{
	const struct mark_place *place;

	evidence->byte_start += offset;
	evidence->byte_end += offset;
	place = marks_place_at(&job->extracted.marks, (size_t)evidence->byte_start);
	evidence->page = place == NULL ? 0 : place->page;
}

/* The results of an equal chunk, read before in this document or another, moved to where this one stands. */
static int reuse_chunk(struct job *job, struct document_chunk *result)
{
	struct document_chunk found = { 0 };
	int r = docstore_find_chunk(job->store, job->id, result->key, &found, job->err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < found.passages.n; i++) {
		for (size_t j = 0; j < found.passages.items[i].n_evidence; j++)
			move_evidence(job, result->byte_start - found.byte_start,
			              &found.passages.items[i].evidence[j]);
	}
	for (size_t i = 0; i < found.looks.n; i++)
		found.looks.items[i].byte_start += result->byte_start - found.byte_start;
	result->passages = found.passages;
	result->looks = found.looks;
	found.passages = (struct passages){ 0 };
	found.looks = (struct looks){ 0 };
	document_chunk_done(&found);
	return 0;
}

/* Read a chunk, and note what its tasks looked at. */
static int read_and_note(struct job *job, size_t number, struct document_chunk *result, struct err *why)
{
	struct summary_text text = { job->extracted.text, &job->view };
	struct audit_notes notes = { .view = &job->view,
		                     .view_start = job->chunks[number].start,
		                     .looks = &result->looks };
	const struct reader_audit audit = { &notes, READER_CHECK_NONE, audit_see };
	struct reader_hooks hooks = reader_hooks(job);
	int r;

	reader_set_audit(job->reader, job->audit.reading ? &audit : NULL);
	r = summary_chunk(job->reader, &text, &job->chunks[number], job->summary.prose, &result->passages,
	                  &job->document.usage, &hooks, why);
	reader_set_audit(job->reader, NULL);
	return r;
}

/* One chunk read, or found read. Its state is &READ to go on, or where the job goes from here. */
static const struct job_state *read_chunk(struct job *job, size_t number)
{
	struct document_chunk *result = &job->results[number];
	uint64_t done = job->n_done;
	struct err why = { "" };
	int r = reuse_chunk(job, result);

	if (r == -ENOENT) {
		r = read_and_note(job, number, result, &why);
		if (r < 0)
			return fail_reading(job, r, &why);
	}
	result->check = audit_due(result->key, job->audit.dense_share);
	if (r == 0)
		r = docstore_put_chunk(job->store, job->id, result, job->extracted.text + result->byte_start,
		                       (size_t)(result->byte_end - result->byte_start), job->err);
	job->n_done = done + (uint64_t)result->tokens;
	return r < 0 ? stop(job, r) : &READ;
}

/* Only behind a part that was computed: a document gets on however often it gives way. Not one that OCR has read: all of
 * its pages would be read again. */
static bool gives_way(const struct job *job)
{
	return job->n_computed > 0 && job->extracted.ocr_pages == NULL && job->hooks->give_way != NULL &&
	       job->hooks->give_way(job->hooks->user);
}

static const struct job_state *read_chunks(struct job *job)
{
	const struct job_state *next = &READ;

	for (size_t i = 0; next == &READ && i < job->n_chunks; i++) {
		if (is_cancelled(job) || gives_way(job))
			return stop(job, err_set(job->err, -ECANCELED, "told to stop"));
		next = read_chunk(job, i);
		report(job);
	}
	return next == &READ ? &REDUCE : next;
}

static const struct job_state *reduce(struct job *job)
{
	struct reader_hooks hooks = { NULL, NULL, job->hooks->cancel };
	struct err why = { "" };
	int r = summary_reduce(job->reader, job->results, job->n_chunks, &job->summary, &job->passages,
	                       &job->document.usage, &hooks, &why);

	if (r < 0)
		return fail_reading(job, r, &why);
	job->document.seconds += clock_seconds();
	free(job->document.model);
	free(job->document.fingerprint);
	job->document.model = strdup(job->model);
	job->document.fingerprint = strdup(job->fingerprint);
	if (job->document.model == NULL || job->document.fingerprint == NULL)
		return fail_reading(job, err_set(&why, -ENOMEM, "no memory for a document"), &why);
	r = docstore_finish(job->store, job->id, &job->document, &job->passages, job->n_chunks, job->err);
	return r < 0 ? stop(job, r) : &PUBLISH;
}

static const struct job_state *publish(struct job *job)
{
	return stop(job, publish_outputs(job->store, &job->document, &job->outputs, job->err));
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
	int r = docstore_get(job->store, job->id, &job->document, job->err);

	if (r < 0)
		return r;
	job->document.seconds = -clock_seconds();
	job->document.usage = (struct usage){ 0 };
	for (job->state = &EXTRACT; job->state != NULL && job->r == 0; job->state = job->state->enter(job)) {
		job->state_began = clock_seconds();
		if (job->state != &PUBLISH) /* the rows say 'done' by then */
			job->r = write_progress(job, job->state == &REDUCE ? 0.99 : 0);
		if (job->r < 0)
			break;
	}
	r = job->r;
	if (r == -ECANCELED) {
		int failure = docstore_put_back(job->store, job->id, job->err);

		r = failure < 0 ? failure : err_set(job->err, r, "told to stop");
	}
	job_done(job);
	return r;
}
