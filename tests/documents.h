/* Documents for the skimd.db of store_fixture.h: what the tests of its queue, its search and of forgetting
 * share. A step that fails ends the test. */
#ifndef SKIMD_TESTS_DOCUMENTS_H
#define SKIMD_TESTS_DOCUMENTS_H

#include "tests/store_fixture.h"

/* A file as it is when it is seen first; no two paths have the same inode. */
static inline struct document_file file_in(const char *folder, const char *path)
{
	struct document_file file = {
		.path = path, .folder = folder, .device = 1, .size = 3, .mtime_ns = 4, .ctime_ns = 5
	};

	for (const char *c = path; *c != '\0'; c++)
		file.inode = file.inode * 131 % 1000000007 + *c;
	return file;
}

static inline int64_t add_file(struct fixture *f, const struct document_file *file)
{
	struct err err = { "" };
	int64_t id = 0;

	if (docstore_add(f->store, file, &id, NULL, &err) < 0)
		fail_msg("%s", err.text);
	return id;
}

static inline int64_t add(struct fixture *f, const char *folder, const char *path)
{
	struct document_file file = file_in(folder, path);

	return add_file(f, &file);
}

static inline int64_t take(struct fixture *f)
{
	struct err err = { "" };
	int64_t id = 0;
	int r = docstore_take(f->store, &id, &err);

	if (r < 0 && r != -ENOENT)
		fail_msg("%s", err.text);
	return r < 0 ? 0 : id;
}

static inline void fail_document(struct fixture *f, int64_t id, enum document_retry retry, const char *why)
{
	struct err err = { "" };

	if (docstore_fail(f->store, id, DOCUMENT_FAILED, retry, why, &err) < 0)
		fail_msg("%s", err.text);
}

static inline struct document get(struct fixture *f, int64_t id)
{
	struct document document = { 0 };

	assert_int_equal(docstore_get(f->store, id, &document, NULL), 0);
	return document;
}

static inline void expect_state(struct fixture *f, int64_t id, enum document_state state)
{
	struct document document = get(f, id);

	assert_string_equal(document_state_name(document.state), document_state_name(state));
	document_done(&document);
}

static inline char *key_of(char letter)
{
	static char keys[128][65];
	char *key = keys[letter & 127];

	memset(key, letter, 64);
	return key;
}

static inline void put_text(struct fixture *f, int64_t id, const char *text)
{
	struct document document = { .sha256 = key_of((char)('a' + strlen(text) % 26)),
		                     .media_type = (char *)(uintptr_t) "text/plain",
		                     .bytes = (int64_t)strlen(text) };

	assert_int_equal(docstore_put_text(f->store, id, &document, text, strlen(text), NULL), 0);
}

/* The whole text as one chunk, with its first n_quote bytes as a key passage. */
static inline void put_chunk(struct fixture *f, int64_t id, int64_t number, char key, const char *text,
                             size_t n_quote)
{
	struct document_chunk chunk = {
		.number = number, .byte_end = (int64_t)strlen(text), .tokens = 12, .key = strdup(key_of(key))
	};
	struct passage *passage = passages_add(&chunk.passages, PASSAGE_KEY);
	struct evidence *evidence = passage_add_evidence(passage);

	passage->text = strndup(text, n_quote);
	evidence->quote = strndup(text, n_quote);
	evidence->byte_end = (int64_t)n_quote;
	assert_int_equal(docstore_put_chunk(f->store, id, &chunk, text, strlen(text), NULL), 0);
	document_chunk_done(&chunk);
}

static inline void finish(struct fixture *f, int64_t id, const char *title, size_t n_chunks)
{
	struct document document = { .tokens = 12,
		                     .model = (char *)(uintptr_t) "nano",
		                     .fingerprint = (char *)(uintptr_t) "f1" };
	struct passages passages = { 0 };
	struct passage *passage = passages_add(&passages, PASSAGE_TITLE);

	passage->text = strdup(title);
	passage->generated = true;
	assert_int_equal(docstore_finish(f->store, id, &document, &passages, n_chunks, NULL), 0);
	passages_done(&passages);
}

/* One that is 'reading', to its end. */
static inline void read_document(struct fixture *f, int64_t id, char key, const char *text, const char *title)
{
	put_text(f, id, text);
	put_chunk(f, id, 0, key, text, strlen(text) / 2);
	finish(f, id, title, 1);
}

/* A query as a user makes it: any SQLite client, read-only. */
static inline int64_t query(struct fixture *f, const char *sql)
{
	sqlite3 *sqlite;
	sqlite3_stmt *row = NULL;
	int64_t n = -1;

	assert_int_equal(sqlite3_open_v2(f->path, &sqlite, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	if (sqlite3_prepare_v2(sqlite, sql, -1, &row, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(sqlite));
	if (sqlite3_step(row) == SQLITE_ROW)
		n = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	sqlite3_close(sqlite);
	return n;
}

/* In a child, which ends without closing the store, as a crash does. */
static inline void die_in(struct fixture *f, void (*work)(struct fixture *f))
{
	int status;
	pid_t child;

	docstore_close(f->store);
	f->store = NULL;
	child = fork();
	if (child == 0) {
		f->store = open_or_fail(f->path, DOCSTORE_WRITE);
		work(f);
		_exit(7);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static inline void crash_in(struct fixture *f, void (*work)(struct fixture *f))
{
	die_in(f, work);
	f->store = open_or_fail(f->path, DOCSTORE_WRITE);
}

#endif
