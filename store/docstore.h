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

struct docstore;

enum document_state {
	DOCUMENT_QUEUED,
	DOCUMENT_READING,
	DOCUMENT_DONE,
	DOCUMENT_FAILED,
	DOCUMENT_IGNORED,
	DOCUMENT_GONE,
};

/* Where a file was seen, and how to tell that it has changed since. */
struct document_file {
	const char *path; /* absolute; one row each */
	const char
		*output; /* outputs are this path and a suffix; NULL: none, or where the row says already */
	int64_t device, inode, size, mtime_ns, ctime_ns;
};

/* Tokens that a reading took. prompt = computed + reused. */
struct usage {
	int64_t prompt_tokens, computed_tokens, reused_tokens, generated_tokens;
};

/* One row of document. NULL or 0: not known (yet). */
struct document {
	int64_t id;
	char *path, *name, *output;
	char *sha256; /* of the file's bytes, 64 hex digits */
	char *media_type, *charset, *language;
	int64_t bytes, pages, tokens;
	enum document_state state;
	char *stage;
	double progress; /* 0 to 1 */
	char *error;
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
	double score; /* mean log-probability of a token */
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

/* A chunk of the document and what was read in it. */
struct document_chunk {
	int64_t number; /* from 0, in the order of the text */
	int64_t byte_start, byte_end;
	char *section;
	int64_t tokens;
	char *key; /* 64 hex digits: names text, model and tasks; equal keys have equal results */
	struct passages passages;
};

/* All that was read of one document. */
struct reading {
	struct document document;
	struct passages passages; /* of the whole document, in order of rank within a kind */
	struct document_chunk *chunks;
	size_t n_chunks;
};

void document_done(struct document *document);
void passages_done(struct passages *passages);
void document_chunk_done(struct document_chunk *chunk);
void reading_done(struct reading *reading);

/* Append an empty passage; NULL: no memory. */
struct passage *passages_add(struct passages *passages, enum passage_kind kind);
/* Append an empty evidence; NULL: no memory. */
struct evidence *passage_add_evidence(struct passage *passage);

/* Copies, strings and all; -ENOMEM. */
int passage_copy_evidence(struct passage *passage, const struct evidence *evidence);
int passages_append(struct passages *passages, const struct passages *more);

const char *document_state_name(enum document_state state);

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
};

/* Open and migrate. -EBUSY: see above; -ENOENT: DOCSTORE_READ and no file; -EBADMSG: damaged, foreign, or of a
 * newer skimd, or for reading of an older one; -EINTR: a signal while waiting; -EACCES, -EIO. Opening for writing
 * puts documents left in 'reading' back to 'queued'. The lock lives until every copy of its descriptor is closed,
 * so a child that is forked and does not exec keeps it. */
int docstore_open(const struct docstore_settings *settings, struct docstore **ret, struct err *err);
void docstore_close(struct docstore *store); /* NULL is allowed */

/* A file was seen: a new row is queued, a changed file's row (any field of file) queued again with its error
 * cleared; a file as it was, in any state but gone, is left alone. A row in 'reading' stays in it, and the end of
 * that reading queues it again. *ret_queued may be NULL. */
int docstore_add(struct docstore *store, const struct document_file *file, int64_t *ret_id, bool *ret_queued,
                 struct err *err);

/* A file that will not be read, with the reason (state 'ignored'); its row is made or changed. */
int docstore_ignore(struct docstore *store, const struct document_file *file, const char *reason,
                    struct err *err);

/* The file of a row is not there any more; results stay, also those of a reading that ends after this. */
int docstore_gone(struct docstore *store, int64_t id, struct err *err);

/* Oldest queued document, now 'reading': by when it was added, or finished if it was read before. -ENOENT. */
int docstore_take(struct docstore *store, int64_t *ret_id, struct err *err);

/* Take one document, whatever its state: it is 'reading' now. -ENOENT. */
int docstore_start(struct docstore *store, int64_t id, struct err *err);

/* Back to 'queued', its chunks kept, its error cleared: the daemon stops before it is done, or tries it again. */
int docstore_put_back(struct docstore *store, int64_t id, struct err *err);

/* Progress of a document in work. stage is a word such as "read". */
int docstore_progress(struct docstore *store, int64_t id, const char *stage, double progress,
                      struct err *err);

/* End in 'failed' or 'ignored' with its reason; also an event. */
int docstore_fail(struct docstore *store, int64_t id, enum document_state state, const char *error,
                  struct err *err);

/* What extraction found: sha256, media_type, charset, language, bytes, pages of document are copied, and the text
 * (kept deflated). When the text is not what is stored, the document's results go, so that evidence always stands
 * in the stored text, and its chunks are hidden: docstore_find_chunk() still has them until docstore_finish(). */
int docstore_put_text(struct docstore *store, int64_t id, const struct document *document, const char *text,
                      size_t n, struct err *err);

/* The stored text; *ret_text is the caller's, NUL-terminated. -ENOENT: none. */
int docstore_get_text(struct docstore *store, int64_t id, char **ret_text, size_t *ret_n, struct err *err);

/* One chunk's results, in one transaction, replacing what stands under its number; text is the chunk's stored
 * text, for the search table. -EINVAL: no such document, or a quote that is not as long as its bytes. */
int docstore_put_chunk(struct docstore *store, int64_t id, const struct document_chunk *chunk,
                       const char *text, size_t n, struct err *err);

/* Any document's chunk with this key, results and all, to be used again; number and places are those it has in
 * that document (number < 0: in an older text of it), the caller moves them. -ENOENT: none. */
int docstore_find_chunk(struct docstore *store, const char *key, struct document_chunk *ret, struct err *err);

/* The whole document's results: passages, and from document: tokens, model, fingerprint, usage, seconds.
 * Chunks numbered n_chunks and above are removed; state 'done'. All in one transaction. */
int docstore_finish(struct docstore *store, int64_t id, const struct document *document,
                    const struct passages *passages, size_t n_chunks, struct err *err);

/* The outputs of a document that is done are written; or why not, which becomes its error and an event, while its
 * results stand. */
int docstore_published(struct docstore *store, int64_t id, struct err *err);
int docstore_unpublished(struct docstore *store, int64_t id, const char *why, struct err *err);

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

/* A line of the event log. level: "info", "warning", "error"; id 0: of no document. */
int docstore_event(struct docstore *store, const char *level, int64_t id, const char *message,
                   struct err *err);

#endif
