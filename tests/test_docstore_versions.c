/* Files of earlier versions of the schema: brought up to date, with what they hold. */
#include "tests/documents.h"

#include <sys/stat.h>
#include <sys/syscall.h>

#include "store/docstore_questions.h"

#define INBOX "/in"
#define TEXT "The river rose. The bridge held."
#define NEWEST 4

/* What version 1 had of it: its tables, and the rows of three documents. */
static const char VERSION_1[] =
	"PRAGMA application_id = 1936420196; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;"
	"CREATE TABLE document(id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, name TEXT "
	"NOT NULL,"
	" sha256 TEXT, media_type TEXT, charset TEXT, bytes INTEGER, pages INTEGER, tokens INTEGER, language "
	"TEXT,"
	" state TEXT NOT NULL CHECK (state IN ('queued', 'reading', 'done', 'failed', 'ignored', 'gone')),"
	" stage TEXT, progress REAL NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1), error TEXT, model "
	"TEXT,"
	" fingerprint TEXT, duplicate_of INTEGER REFERENCES document(id) ON DELETE SET NULL, output TEXT,"
	" device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,"
	" ctime_ns INTEGER NOT NULL, changed INTEGER NOT NULL DEFAULT 0 CHECK (changed IN (0, 1)),"
	" published INTEGER NOT NULL DEFAULT 0 CHECK (published IN (0, 1)), prompt_tokens INTEGER NOT NULL "
	"DEFAULT 0,"
	" computed_tokens INTEGER NOT NULL DEFAULT 0, reused_tokens INTEGER NOT NULL DEFAULT 0,"
	" generated_tokens INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0,"
	" added_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')), finished_at TEXT) STRICT;"
	"CREATE INDEX document_queue ON document(state, coalesce(finished_at, added_at), id);"
	"CREATE INDEX document_name ON document(name);"
	"CREATE INDEX document_sha256 ON document(sha256);"
	"CREATE INDEX document_duplicate_of ON document(duplicate_of);"
	"CREATE TABLE text(document_id INTEGER PRIMARY KEY REFERENCES document(id) ON DELETE CASCADE,"
	" bytes INTEGER NOT NULL, deflated BLOB NOT NULL) STRICT;"
	"CREATE TABLE chunk(id INTEGER PRIMARY KEY, document_id INTEGER NOT NULL REFERENCES document(id) ON "
	"DELETE"
	" CASCADE, number INTEGER NOT NULL, byte_start INTEGER NOT NULL, byte_end INTEGER NOT NULL CHECK "
	"(byte_end >="
	" byte_start), section TEXT, tokens INTEGER NOT NULL, key TEXT NOT NULL, UNIQUE (document_id, "
	"number)) STRICT;"
	"CREATE INDEX chunk_key ON chunk(key);"
	"CREATE TABLE summary(id INTEGER PRIMARY KEY, document_id INTEGER NOT NULL REFERENCES document(id) "
	"ON DELETE"
	" CASCADE, chunk_id INTEGER REFERENCES chunk(id) ON DELETE CASCADE, kind TEXT NOT NULL CHECK (kind "
	"IN ('title',"
	" 'abstract', 'key')), rank INTEGER NOT NULL, text TEXT NOT NULL, generated INTEGER NOT NULL CHECK "
	"(generated IN"
	" (0, 1)), score REAL, model TEXT) STRICT;"
	"CREATE INDEX summary_document ON summary(document_id, chunk_id);"
	"CREATE INDEX summary_chunk ON summary(chunk_id);"
	"CREATE TABLE evidence(id INTEGER PRIMARY KEY, document_id INTEGER NOT NULL REFERENCES document(id) "
	"ON DELETE"
	" CASCADE, summary_id INTEGER REFERENCES summary(id) ON DELETE CASCADE, quote TEXT NOT NULL, "
	"byte_start INTEGER"
	" NOT NULL CHECK (byte_start >= 0), byte_end INTEGER NOT NULL, page INTEGER, section TEXT, score "
	"REAL,"
	" CONSTRAINT quote_is_its_bytes CHECK (byte_end - byte_start = length(CAST(quote AS BLOB)))) STRICT;"
	"CREATE INDEX evidence_document ON evidence(document_id);"
	"CREATE INDEX evidence_summary ON evidence(summary_id);"
	"CREATE TABLE output(path TEXT NOT NULL, sha256 TEXT NOT NULL, document_id INTEGER REFERENCES "
	"document(id) ON"
	" DELETE SET NULL, PRIMARY KEY (path, sha256)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX output_document ON output(document_id);"
	"CREATE TABLE event(id INTEGER PRIMARY KEY, at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', "
	"'now')),"
	" level TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')), document_id INTEGER REFERENCES "
	"document(id)"
	" ON DELETE SET NULL, message TEXT NOT NULL) STRICT;"
	"CREATE INDEX event_document ON event(document_id);"
	"CREATE VIRTUAL TABLE search USING fts5(document_id UNINDEXED, chunk UNINDEXED, kind UNINDEXED, "
	"body, tokenize ="
	" 'porter unicode61');"
	"CREATE VIEW v_documents AS SELECT id, name, path, state, stage, CAST(round(100 * progress) AS "
	"INTEGER) AS"
	" percent, error, (SELECT text FROM summary WHERE document_id = document.id AND chunk_id IS NULL AND "
	"kind ="
	" 'title' ORDER BY rank LIMIT 1) AS title, finished_at FROM document;"
	"INSERT INTO document(path, name, state, error, device, inode, size, mtime_ns, ctime_ns, sha256, "
	"finished_at)"
	" VALUES ('/in/old', 'old', 'done', NULL, 1, 2, 3, 4, 5, 'abc', '2026-01-01T00:00:00Z'),"
	" ('/in/bad', 'bad', 'failed', 'damaged', 1, 3, 3, 4, 5, NULL, '2026-01-01T00:00:00Z'),"
	" ('/in/work', 'work', 'reading', NULL, 1, 4, 3, 4, 5, NULL, NULL),"
	" ('/in/next', 'next', 'queued', NULL, 1, 5, 3, 4, 5, NULL, NULL);"
	"INSERT INTO summary(document_id, kind, rank, text, generated) VALUES (1, 'title', 0, 'The flood', "
	"1);"
	"INSERT INTO search(rowid, document_id, chunk, kind, body) VALUES (3, 1, NULL, 'title', 'The "
	"flood');";

static int count_hits(void *user, const struct search_hit *hit)
{
	int *n = user;

	*n += strcmp(hit->name, "old") == 0;
	return 0;
}

static void a_file_of_version_1_is_brought_up_to_date(void **state)
{
	struct fixture *f = *state;
	struct document_file file = { "/in/old", .folder = INBOX, .device = 1,  .inode = 2,
		                      .size = 3, .mtime_ns = 4,   .ctime_ns = 5 };
	struct err err = { "" };
	sqlite3 *sqlite;
	bool queued = true;
	int64_t id = 0;
	int n = 0;

	assert_int_equal(sqlite3_open(f->path, &sqlite), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sqlite, VERSION_1, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(sqlite);
	f->store = open_or_fail(f->path, DOCSTORE_WRITE);
	assert_int_equal(query(f, "PRAGMA user_version"), NEWEST);
	assert_int_equal(query(f, "SELECT count(*) FROM document WHERE state = 'queued' AND crashes = 0"), 2);
	assert_int_equal(
		query(f, "SELECT retry = 'changed' AND retry_at IS NULL FROM document WHERE name = 'bad'"),
		1);
	if (docstore_search(f->store, "floods", 5, count_hits, &n, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(n, 1);
	assert_int_equal(docstore_add(f->store, &file, &id, &queued, NULL), 0);
	assert_false(queued);
	assert_int_equal(take(f), 3);
	assert_int_equal(take(f), 4);
	assert_int_equal(docstore_retry(f->store, 2, NULL), 0);
	assert_int_equal(docstore_forget(f->store, 1, NULL), 0);
	reopen(f);
	assert_int_equal(query(f, "SELECT count(*) FROM document"), 3);
}

/* A store that is never opened, for its path. */
static struct fixture old_of(const struct fixture *f)
{
	struct fixture old = { .store = NULL };

	snprintf(old.path, sizeof(old.path), "%.40s/skimd.db" DOCSTORE_OLD_SUFFIX, f->folder);
	return old;
}

static void what_was_there_is_kept_beside_until_the_next_time(void **state)
{
	struct fixture *f = *state, old = old_of(f);
	struct stat st;
	sqlite3 *sqlite;

	docstore_close(f->store); /* a new one is none of an older version */
	assert_int_equal(stat(old.path, &st), -1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(unlink(f->path), 0);
		assert_int_equal(sqlite3_open(f->path, &sqlite), SQLITE_OK);
		assert_int_equal(sqlite3_exec(sqlite, VERSION_1, NULL, NULL, NULL), SQLITE_OK);
		if (i == 1)
			assert_int_equal(
				sqlite3_exec(sqlite, "DELETE FROM document WHERE id = 2", NULL, NULL, NULL),
				SQLITE_OK);
		sqlite3_close(sqlite);
		f->store = open_or_fail(f->path, DOCSTORE_WRITE);
		assert_int_equal(query(&old, "PRAGMA user_version"), 1);
		assert_int_equal(query(&old, "SELECT count(*) FROM document"), 4 - i);
		assert_int_equal(stat(old.path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0640);
		if (i == 0)
			docstore_close(f->store);
	}
}

static bool folders_cannot_be_synced;

/* In place of the C library's. */
int fsync(int fd)
{
	struct stat st;

	if (folders_cannot_be_synced && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

static void why_it_cannot_be_kept_is_said(void **state)
{
	struct fixture *f = *state;
	struct docstore_settings settings = { .path = f->path, .mode = DOCSTORE_WRITE };
	char words[256];
	struct err err = { "" };
	sqlite3 *sqlite;
	int r;

	assert_int_equal(sqlite3_open(f->path, &sqlite), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sqlite, VERSION_1, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(sqlite);
	folders_cannot_be_synced = true;
	r = docstore_open(&settings, &f->store, &err);
	folders_cannot_be_synced = false;
	assert_int_equal(r, -EIO);
	snprintf(words, sizeof(words),
	         "cannot be copied before it is brought up to date: %s" DOCSTORE_OLD_SUFFIX
	         ": cannot sync its folder: Input/output error",
	         f->path);
	assert_string_equal(err.text, words);
}

/* What was made of version 3 by the builds that had it, from a file of now: the last one, the first one, and the one before the
 * tables of audits. */
#define LAST_VERSION_3 "DROP INDEX question_count; DROP TABLE ask_file; PRAGMA user_version = 3;"
#define FIRST_VERSION_3                                                                                  \
	"DROP VIEW v_reading; ALTER TABLE document DROP COLUMN ocr_pages; DROP INDEX question_retry_at;" \
	"ALTER TABLE question DROP COLUMN retry_at; ALTER TABLE question DROP COLUMN "                   \
	"attempts;" LAST_VERSION_3
#define WITHOUT_PARTS                                                                                  \
	"DROP INDEX dense_due_answer; ALTER TABLE dense_due DROP COLUMN answer_id;"                    \
	"DROP INDEX dense_check_answer; ALTER TABLE dense_check DROP COLUMN answer_id;"                \
	"ALTER TABLE reading DROP COLUMN part_tokens;"                                                 \
	"CREATE VIEW v_reading AS SELECT id AS reading_id, mass FROM reading;"                         \
	"INSERT INTO reading(document_id, kind, byte_start, tokens, elsewhere, lengths, mass, chosen)" \
	" VALUES (1, 'title', 0, 8, 0, '[32]', '[1000000]', '[1000]');"
#define WITHOUT_AUDITS "DROP TABLE dense_check; DROP TABLE dense_due; DROP TABLE reading;"

static void change(struct fixture *f, const char *sql)
{
	char *words = NULL;
	sqlite3 *sqlite;

	docstore_close(f->store);
	f->store = NULL;
	assert_int_equal(sqlite3_open(f->path, &sqlite), SQLITE_OK);
	if (sqlite3_exec(sqlite, sql, NULL, NULL, &words) != SQLITE_OK)
		fail_msg("%s", words);
	sqlite3_close(sqlite);
}

/* Every column of every table and view, and every index, a line. */
static char *describe(struct fixture *f)
{
	static const char SQL[] = "SELECT group_concat(line, char(10)) FROM (SELECT owner.name || '.' || "
	                          "part.name || ' ' || part.type"
				  "  || ' ' || part.\"notnull\" AS line FROM sqlite_schema AS owner, "
	                          "pragma_table_info(owner.name) AS part"
				  " WHERE owner.type IN ('table', 'view') UNION SELECT type || ' ' || name "
	                          "FROM sqlite_schema ORDER BY 1)";
	sqlite3 *sqlite;
	sqlite3_stmt *row;
	char *ret;

	assert_int_equal(sqlite3_open_v2(f->path, &sqlite, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(sqlite, SQL, -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	ret = strdup((const char *)sqlite3_column_text(row, 0));
	sqlite3_finalize(row);
	sqlite3_close(sqlite);
	return ret;
}

static void a_file_of_version_3_gets_what_it_lacks(void **state)
{
	static const char *const FORMS[] = { LAST_VERSION_3, FIRST_VERSION_3 WITHOUT_PARTS,
		                             FIRST_VERSION_3 WITHOUT_AUDITS };
	struct question_request request = { .document_id = 1, .text = "What held?", .source = "control" };
	struct fixture *f = *state;
	int64_t id = add(f, INBOX, "/in/1"), question = 0;
	char *expected = describe(f);

	assert_int_equal(take(f), id);
	read_document(f, id, 'a', TEXT, "Floods");
	assert_int_equal(docstore_ask(f->store, &request, &question, NULL), 0);
	for (size_t i = 0; i < sizeof(FORMS) / sizeof(FORMS[0]); i++) {
		char *found;

		change(f, FORMS[i]);
		assert_int_equal(query(f, "PRAGMA user_version"), 3);
		f->store = open_or_fail(f->path, DOCSTORE_WRITE);
		assert_int_equal(query(f, "PRAGMA user_version"), NEWEST);
		found = describe(f);
		assert_string_equal(found, expected);
		free(found);
		expect_state(f, id, DOCUMENT_DONE);
		assert_int_equal(query(f, "SELECT count(*) FROM reading"), 0); /* weighed in another way */
		assert_int_equal(query(f, "SELECT attempts = 0 AND retry_at IS NULL FROM question"), 1);
		assert_int_equal(docstore_take_question(f->store, 0, &question, NULL), 0);
		assert_int_equal(docstore_put_back_question(f->store, question, NULL), 0);
	}
	free(expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_of_version_1_is_brought_up_to_date, set_up_folder,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_file_of_version_3_gets_what_it_lacks, set_up_store,
		                                tear_down),
		cmocka_unit_test_setup_teardown(why_it_cannot_be_kept_is_said, set_up_folder, tear_down),
		cmocka_unit_test_setup_teardown(what_was_there_is_kept_beside_until_the_next_time,
		                                set_up_store, tear_down),
	};

	return cmocka_run_group_tests_name("docstore_versions", tests, NULL, NULL);
}
