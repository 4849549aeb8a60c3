/* skimd.db: the documents, their states, the text that was read, and the results; what users query.
 *
 * One process may write: a lock file beside the database says who. Within it every call may come from any
 * thread; one mutex guards the one connection. ":memory:" keeps nothing and locks nothing.
 * Strings in the structs below belong to the struct (…_done() frees them) unless a call says otherwise. */
#ifndef SKIMD_STORE_DOCSTORE_H
#define SKIMD_STORE_DOCSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/look.h"

struct docstore;

enum document_state {
	DOCUMENT_QUEUED,
	DOCUMENT_READING,
	DOCUMENT_DONE,
	DOCUMENT_FAILED,
	DOCUMENT_IGNORED,
	DOCUMENT_GONE,
};

/* What a document that was not read waits for. A file that changes is queued again in any case. */
enum document_retry {
	RETRY_LATER, /* some time: the cause was none of its own, such as a full disk. docstore_take() comes back to it */
	RETRY_CHANGED, /* a change of the file: its content, its place or its permissions */
	RETRY_NEVER, /* other content: nothing but docstore_retry() has the same content read again */
	RETRY_NONE, /* nothing: it has not failed */
};

/* Where a file was seen, and how to tell that it has changed since. */
struct document_file {
	const char *path; /* absolute; one row each */
	const char
		*folder; /* the watched folder, for docstore_take()'s turns; NULL: none, or as the row says */
	bool even_forgotten; /* read it although it is as it was when docstore_forget() removed it */
	const char
		*output; /* outputs are this path and a suffix; NULL: none, or where the row says already */
	int64_t device, inode, size, mtime_ns, ctime_ns;
};

/* Tokens that a reading took. prompt = computed + reused. */
struct usage {
	int64_t prompt_tokens, computed_tokens, reused_tokens, generated_tokens;
};

static inline void usage_add(struct usage *sum, const struct usage *more)
{
	sum->prompt_tokens += more->prompt_tokens;
	sum->computed_tokens += more->computed_tokens;
	sum->reused_tokens += more->reused_tokens;
	sum->generated_tokens += more->generated_tokens;
}

/* One row of document. NULL or 0: not known (yet). */
struct document {
	int64_t id;
	char *path, *name, *output;
	char *sha256; /* of the file's bytes, 64 hex digits */
	char *media_type, *charset, *language;
	int64_t bytes, pages, tokens;
	char *truncated; /* why the text is only a part of the document; NULL: it is all */
	char *ocr_pages; /* whose text is what OCR read: "1-3,7"; NULL: none */
	enum document_state state;
	char *stage;
	double progress; /* 0 to 1 */
	int64_t tokens_done, tokens_total; /* while it is read; about */
	int64_t eta_seconds; /* until it is done, as it looks while it is read; -1: not known */
	char *error;
	enum document_retry retry; /* of one that failed or was ignored */
	char *retry_at; /* UTC; NULL: at no time by itself */
	int64_t attempts; /* failures in a row that were to be tried again later */
	int64_t crashes; /* ends of the process in the middle of its present content, at the same place */
	int64_t duplicate_of;
	char *model, *fingerprint; /* of the results */
	struct usage usage;
	double seconds; /* spent reading */
	bool published; /* its outputs are written, since it was done last */
	char *added_at, *finished_at; /* UTC, "2026-11-22T16:41:00Z" */
};

enum passage_kind { PASSAGE_TITLE, PASSAGE_ABSTRACT, PASSAGE_KEY };

/* A place in the stored text: quote is exactly its bytes [byte_start, byte_end). */
struct evidence {
	char *quote;
	int64_t byte_start, byte_end;
	int64_t page; /* 0: the format has none */
	char *section; /* NULL: before the first heading */
	double score; /* 0 to 1, what it shares with what it is evidence for */
};

struct passage {
	enum passage_kind kind;
	char *text;
	bool generated; /* false: verbatim */
	double score;
	struct evidence *evidence;
	size_t n_evidence;
};

struct passages {
	struct passage *items;
	size_t n, cap;
};

/* Whether the results of a chunk, or an answer, are to be compared with those of dense attention, some time. */
enum check_due { CHECK_NOT_DUE, CHECK_DUE, CHECK_WHOLE_DUE };

/* A chunk of the document and what was read in it. */
struct document_chunk {
	int64_t number; /* from 0, in the order of the text */
	int64_t byte_start, byte_end;
	char *section;
	int64_t tokens;
	char *key; /* 64 hex digits: names text, model and tasks; equal keys have equal results */
	struct passages passages;
	struct looks looks; /* what the tasks looked at; may be empty */
	enum check_due check; /* written with the chunk, not read */
};

enum question_state {
	QUESTION_ASKED, /* waits for the model, or for its document to be read */
	QUESTION_ANSWERING,
	QUESTION_ANSWERED,
	QUESTION_FAILED, /* error says why, and retry_at whether it is asked again by itself */
};

/* A question of a document, and its answer if it has one, which may be of an earlier model while it is asked again. */
struct question {
	int64_t id, document_id;
	char *name, *path; /* of the document */
	char *text;
	char *source; /* see docstore_questions.h */
	char *asked_at; /* UTC */
	enum question_state state;
	char *error;
	char *retry_at; /* UTC; NULL: at no time by itself */
	bool unread; /* its document, as it is now, is to be read first, or cannot be */
	struct passage answer; /* text NULL: none yet; its kind says nothing */
	bool found; /* false: the document does not say, and the text says that */
	struct looks looks; /* what was read again for it; written with the answer, not read */
	enum check_due check; /* likewise */
	char *answered_at; /* UTC */
	char *model, *fingerprint;
	struct usage usage;
	double seconds;
};

struct questions {
	struct question *items;
	size_t n, cap;
};

/* All that was read of one document. */
struct reading {
	struct document document;
	struct passages passages; /* of the whole document, in order of rank within a kind */
	struct document_chunk *chunks;
	size_t n_chunks;
	struct questions questions; /* in the order in which they were asked */
};

void document_done(struct document *document);
void evidence_done(struct evidence *evidence);
void passages_done(struct passages *passages);
void document_chunk_done(struct document_chunk *chunk);
void question_done(struct question *question);
void questions_done(struct questions *questions);
void reading_done(struct reading *reading);

/* Append an empty passage; NULL: no memory. */
struct passage *passages_add(struct passages *passages, enum passage_kind kind);
/* Append an empty evidence; NULL: no memory. */
struct evidence *passage_add_evidence(struct passage *passage);

/* Copies, strings and all; -ENOMEM. */
int passage_copy_evidence(struct passage *passage, const struct evidence *evidence);
int passages_append(struct passages *passages, const struct passages *more);

const char *document_state_name(enum document_state state);
const char *document_retry_name(enum document_retry retry); /* as in the column retry; NULL for RETRY_NONE */

enum docstore_mode {
	DOCSTORE_WRITE, /* takes the lock; -EBUSY, with the holder's pid in the words, if another has it */
	DOCSTORE_WRITE_WAIT, /* waits for the lock; calls waiting(holder's pid) once when it has to */
	DOCSTORE_READ, /* read-only, no lock, never checkpoints */
};

struct docstore_settings {
	const char *path;
	enum docstore_mode mode;
	void (*waiting)(long holder, void *user); /* may be NULL */
	void *user;
	int64_t (*clock)(void); /* seconds since 1970, for tests; NULL: the system's */
};

/* Open and migrate. -EBUSY: see above; -ENOENT: DOCSTORE_READ and no file; -EBADMSG: damaged, foreign, or of a
 * newer skimd, or for reading of an older one; -EINTR: a signal while waiting; -EACCES, -EIO. The lock lives until
 * every copy of its descriptor is closed, so a child that is forked and does not exec keeps it.
 * Opening for writing puts documents left in 'reading' back to 'queued'. Where the last writer ended without
 * docstore_close(), it counts a crash of each, and one that has crashed DOCUMENT_MAX_CRASHES times in its present
 * content, without another chunk read in between, is 'failed' instead, as RETRY_NEVER. What docstore_forget() left
 * undone is finished, too. */
#define DOCUMENT_MAX_CRASHES 2

/* Before a database of an older version is brought up to date it is copied to a file of its name with this behind it, which
 * stays until the next time. */
#define DOCSTORE_OLD_SUFFIX ".old"
int docstore_open(const struct docstore_settings *settings, struct docstore **ret, struct err *err);
void docstore_close(struct docstore *store); /* NULL is allowed */

/* A file was seen: a new row is queued, a changed file's row (any field of file) queued again with its error,
 * attempts and crashes cleared; a file as it was, in any state but gone, is left alone, and so is one that waits for
 * other content (RETRY_NEVER) while only its ctime differs. A row in 'reading' stays in it, and the end of that
 * reading queues it again. A file that is as it was when it was forgotten gets no row: *ret_id is 0. *ret_queued may
 * be NULL. */
int docstore_add(struct docstore *store, const struct document_file *file, int64_t *ret_id, bool *ret_queued,
                 struct err *err);

/* A file that will not be read until it changes, with the reason (state 'ignored'); its row is made or changed.
 * A file that is as it was when it was forgotten gets none. */
int docstore_ignore(struct docstore *store, const struct document_file *file, const char *reason,
                    struct err *err);

/* A file that cannot be read, with the reason (state 'failed', RETRY_CHANGED; also an event): queued by docstore_add()
 * once it can, whatever has changed until then. Told again, it changes nothing. A file that was forgotten gets none. */
int docstore_refuse(struct docstore *store, const struct document_file *file, const char *reason,
                    struct err *err);

/* The file of a row is not there any more; results stay, also those of a reading that ends after this. */
int docstore_gone(struct docstore *store, int64_t id, struct err *err);

/* The next document, now 'reading'. -ENOENT: none is queued, and none that failed is due to be tried again.
 * Folders take turns: of those that have a document queued, the one that was served least recently; within it the
 * document that waits for longest, since it was added, or finished or failed if that was before. */
int docstore_take(struct docstore *store, int64_t *ret_id, struct err *err);

/* When the next document or question that failed is due, in seconds since 1970; the past: now. -ENOENT: none. */
int docstore_next_retry(struct docstore *store, int64_t *ret_unix_seconds, struct err *err);

/* Take one document, whatever its state: it is 'reading' now. -ENOENT. */
int docstore_start(struct docstore *store, int64_t id, struct err *err);

/* Back to 'queued', its chunks kept: the daemon stops before it is done, or tries it again. One that was refused
 * meanwhile stays so. */
int docstore_put_back(struct docstore *store, int64_t id, struct err *err);

/* How far a document in work is. */
struct document_progress {
	const char *stage; /* a word such as "read" */
	double share; /* 0 to 1 */
	int64_t tokens_done, tokens_total; /* about; 0: not known yet */
	int64_t eta_seconds; /* -1: not known */
};
int docstore_progress(struct docstore *store, int64_t id, const struct document_progress *progress,
                      struct err *err);

/* End in 'failed' or 'ignored' with its reason; also an event. RETRY_LATER has it tried again by docstore_take()
 * after a minute, then twice as long each time up to six hours; at the twelfth time it stays failed as RETRY_CHANGED,
 * and its reason says so. */
int docstore_fail(struct docstore *store, int64_t id, enum document_state state, enum document_retry retry,
                  const char *error, struct err *err);

/* One that has failed, was ignored or could not be written out is queued now, its attempts and crashes forgotten, and
 * with them the crashes of all that have the same content. -ENOENT; -EINVAL: in another state, with words that say what to
 * do. */
int docstore_retry(struct docstore *store, int64_t id, struct err *err);

/* One that is done is queued, and its parts will be read anew: neither its chunks nor those of others nor a duplicate's
 * results are used. The results that it has stand until then. Errors as of docstore_retry(). */
int docstore_reread(struct docstore *store, int64_t id, struct err *err);

/* Whether another document of the same content (as docstore_put_text() stored it) has failed for its crashes. */
int docstore_is_quarantined(struct docstore *store, int64_t id, bool *ret, struct err *err);

/* What extraction found: sha256, media_type, charset, language, bytes, pages, truncated, ocr_pages of document are
 * copied, and the text (kept deflated). When the text is not what is stored, the document's results go, answers as
 * well, so that evidence always stands in the stored text; its questions are asked anew, and its chunks are hidden:
 * docstore_find_chunk() still has them until docstore_finish(). */
int docstore_put_text(struct docstore *store, int64_t id, const struct document *document, const char *text,
                      size_t n, struct err *err);

/* The stored text; *ret_text is the caller's, NUL-terminated. -ENOENT: none. */
int docstore_get_text(struct docstore *store, int64_t id, char **ret_text, size_t *ret_n, struct err *err);

/* What else is known of the text's parts, as bytes that mean something to the caller: behind docstore_put_text(), and kept
 * with that text; n 0: nothing. *ret_marks is the caller's, NULL where there are none. -ENOENT: no text. */
int docstore_put_marks(struct docstore *store, int64_t id, const char *marks, size_t n, struct err *err);
int docstore_get_marks(struct docstore *store, int64_t id, char **ret_marks, size_t *ret_n, struct err *err);

/* One chunk's results, in one transaction, replacing what stands under its number; text is the chunk's stored
 * text, for the search table. -EINVAL: no such document, or a quote that is not as long as its bytes. */
int docstore_put_chunk(struct docstore *store, int64_t id, const struct document_chunk *chunk,
                       const char *text, size_t n, struct err *err);

/* Any document's chunk with this key, results and all, to be used again for document id; number and places are those
 * it has in that document (number < 0: in an older text of it), the caller moves them. One that is reread finds only
 * what was read since. -ENOENT: none. */
int docstore_find_chunk(struct docstore *store, int64_t id, const char *key, struct document_chunk *ret,
                        struct err *err);

/* The whole document's results: passages, and from document: tokens, model, fingerprint, usage, seconds.
 * Chunks numbered n_chunks and above are removed; state 'done'. Questions that had failed, or were answered by another
 * model, are asked again. All in one transaction. */
int docstore_finish(struct docstore *store, int64_t id, const struct document *document,
                    const struct passages *passages, size_t n_chunks, struct err *err);

/* The outputs of a document that is done are written; or why not, which becomes its error and an event, while its
 * results stand. retry as for docstore_fail(): it is queued again, where its parts are found read. */
int docstore_published(struct docstore *store, int64_t id, struct err *err);
int docstore_unpublished(struct docstore *store, int64_t id, enum document_retry retry, const char *why,
                         struct err *err);

/* A document with this content and media type that is done by this model, other than id. -ENOENT: none. */
int docstore_find_done(struct docstore *store, int64_t id, const char *sha256, const char *fingerprint,
                       int64_t *ret_id, struct err *err);

/* Give `to` the text, chunks and results of `from`, with duplicate_of and a usage of 0; state 'done'; one
 * transaction. -ENOENT: no such document, or `from` has no text. */
int docstore_copy(struct docstore *store, int64_t from, int64_t to, struct err *err);

/* One row. -ENOENT. */
int docstore_get(struct docstore *store, int64_t id, struct document *ret, struct err *err);

/* The row that an id, a path, a name or a unique part of a name means. -ENOENT: none; -ENOTUNIQ: several, with
 * the first few in the words. */
int docstore_resolve(struct docstore *store, const char *word, int64_t *ret_id, struct err *err);

/* The same by an id, a path or a whole name: for words that may come before their document. */
int docstore_find_named(struct docstore *store, const char *word, int64_t *ret_id, struct err *err);

/* The first row behind id. -ENOENT: there is none. */
int docstore_next(struct docstore *store, int64_t id, struct document *ret, struct err *err);

/* All rows in order of id; stops when each returns non-zero, which is then returned. */
int docstore_each(struct docstore *store, int (*each)(void *user, const struct document *document),
                  void *user, struct err *err);

/* A document with all its chunks and results. */
int docstore_load(struct docstore *store, int64_t id, struct reading *ret, struct err *err);

/* Documents in a state. */
int docstore_count(struct docstore *store, enum document_state state, int64_t *ret_n, struct err *err);

/* Since when the queued document that waits longest does: since it was added, was done last, or changed, whichever is
 * latest; in seconds since 1970. -ENOENT: none is queued. */
int docstore_waiting_since(struct docstore *store, int64_t *ret_seconds, struct err *err);

/* Outputs that skimd writes, by path and SHA-256 of their bytes: only a file that is as skimd wrote it may be
 * replaced. A file is added before it is written, and kept, as the only one of its path, when it is. */
int docstore_output_add(struct docstore *store, int64_t id, const char *path, const char *sha256,
                        struct err *err);
int docstore_output_keep(struct docstore *store, const char *path, const char *sha256, struct err *err);
int docstore_output_is_ours(struct docstore *store, const char *path, const char *sha256, bool *ret,
                            struct err *err);

/* The files that skimd has written for a document, or was about to; stops when each returns non-zero, which is then
 * returned. */
int docstore_each_output(struct docstore *store, int64_t id,
                         int (*each)(void *user, const char *path, const char *sha256), void *user,
                         struct err *err);

/* A line of the event log. level: "info", "warning", "error"; id 0: of no document. */
int docstore_event(struct docstore *store, const char *level, int64_t id, const char *message,
                   struct err *err);

/* Remove what is more than n_most events: the oldest of level "info" first, then the oldest. */
#define EVENTS_MOST 100000
int docstore_trim_events(struct docstore *store, size_t n_most, struct err *err);

struct document_event {
	int64_t id;
	char *at, *level, *message;
	int64_t document_id; /* 0: of none */
};

/* Events behind after_id, oldest first, at most n_most of them; after_id < 0: the newest n_most, oldest first. Stops
 * when each returns non-zero, which is then returned; each may call the store. */
int docstore_events(struct docstore *store, int64_t after_id, size_t n_most,
                    int (*each)(void *user, const struct document_event *event), void *user, struct err *err);

/* A place where words were found. */
struct search_hit {
	int64_t document_id;
	char *name, *path;
	enum document_state state;
	int64_t chunk; /* -1: in a result about the whole document */
	char *kind; /* "text", or the kind of the result */
	char *section; /* NULL: before the first heading, or of the whole document */
	char *snippet; /* around the words, which stand in [brackets] */
	double score; /* better is higher */
};

/* Where all of the words stand, best first, at most n_most places; "words in quotes" stand side by side. Whatever else
 * words contain is no operator and no error. each as for docstore_events(). -EINVAL: no word in it, or too many. */
int docstore_search(struct docstore *store, const char *words, size_t n_most,
                    int (*each)(void *user, const struct search_hit *hit), void *user, struct err *err);

/* Copy everything that is committed into a new file, whole or not at all. Runs beside readers and the writer, and works
 * for DOCSTORE_READ as well. Takes long: not from the loop. -EEXIST: path is there, and stays as it is; -ENOSPC, … */
int docstore_backup(struct docstore *store, const char *path, struct err *err);

/* Remove a document's rows: text, parts, results, questions, its lines of the search table; events keep their id and
 * lose their words. A file that is still as it was then is not queued again. -ENOENT; -EAGAIN: it is being read; the
 * caller stops that first. Its bytes are in the file until docstore_scrub(). */
int docstore_forget_rows(struct docstore *store, int64_t id, struct err *err);

/* Rewrite the database and its WAL without what was removed from them; does nothing when nothing was. Takes as long as
 * copying the database, and others wait. -EBUSY: a reader holds an old state, which says so in words; the next call,
 * open or close goes on with it. */
int docstore_scrub(struct docstore *store, struct err *err);

/* Both. What skimd wrote into the outbox is the pipeline's to remove before: pipeline/forget.h. -EBUSY: the rows are
 * gone, the bytes are not yet. */
int docstore_forget(struct docstore *store, int64_t id, struct err *err);

/* Bytes of the WAL's file; 0 where there is none. From any thread. */
int64_t docstore_wal_bytes(const struct docstore *store);

/* Whether a reader has kept its view of the database for so long that what was written since cannot leave the WAL. Moves
 * into the file what can be. */
int docstore_is_held(struct docstore *store, bool *ret, struct err *err);

/* Documents of a watched folder (NULL: of any) that are done or gone, and were done more than `seconds` ago. *ret_ids is
 * the caller's, for free(). */
int docstore_list_old(struct docstore *store, const char *folder, int64_t seconds, int64_t **ret_ids,
                      size_t *ret_n, struct err *err);

#endif
