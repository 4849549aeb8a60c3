#include "store/docstore_schema.h"

#define NOW "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')"

/* A chunk of number < 0 belongs to the text that the document had before: hidden, but found by its key until the
 * document is done. A row of search has the id 2 * chunk.id for a chunk's text and 2 * summary.id + 1 for a
 * result, so that it is found without reading through the whole index. Triggers could keep it right, but SQLite
 * 3.40 runs none on FTS5 under trusted_schema = OFF. */
static const char VERSION_1[] =
	"CREATE TABLE document("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" path TEXT NOT NULL UNIQUE,"
	" name TEXT NOT NULL,"
	" sha256 TEXT,"
	" media_type TEXT,"
	" charset TEXT,"
	" bytes INTEGER,"
	" pages INTEGER,"
	" tokens INTEGER,"
	" language TEXT,"
	" state TEXT NOT NULL CHECK (state IN ('queued', 'reading', 'done', 'failed', 'ignored', 'gone')),"
	" stage TEXT,"
	" progress REAL NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),"
	" error TEXT,"
	" model TEXT,"
	" fingerprint TEXT,"
	" duplicate_of INTEGER REFERENCES document(id) ON DELETE SET NULL,"
	" output TEXT,"
	" device INTEGER NOT NULL,"
	" inode INTEGER NOT NULL,"
	" size INTEGER NOT NULL,"
	" mtime_ns INTEGER NOT NULL,"
	" ctime_ns INTEGER NOT NULL,"
	" changed INTEGER NOT NULL DEFAULT 0 CHECK (changed IN (0, 1)),"
	" published INTEGER NOT NULL DEFAULT 0 CHECK (published IN (0, 1)),"
	" prompt_tokens INTEGER NOT NULL DEFAULT 0,"
	" computed_tokens INTEGER NOT NULL DEFAULT 0,"
	" reused_tokens INTEGER NOT NULL DEFAULT 0,"
	" generated_tokens INTEGER NOT NULL DEFAULT 0,"
	" seconds REAL NOT NULL DEFAULT 0,"
	" added_at TEXT NOT NULL DEFAULT (" NOW "),"
	" finished_at TEXT"
	") STRICT;"
	"CREATE INDEX document_queue ON document(state, coalesce(finished_at, added_at), id);"
	"CREATE INDEX document_name ON document(name);"
	"CREATE INDEX document_sha256 ON document(sha256);"
	"CREATE INDEX document_duplicate_of ON document(duplicate_of);"

	"CREATE TABLE text("
	" document_id INTEGER PRIMARY KEY REFERENCES document(id) ON DELETE CASCADE,"
	" bytes INTEGER NOT NULL,"
	" deflated BLOB NOT NULL"
	") STRICT;"

	"CREATE TABLE chunk("
	" id INTEGER PRIMARY KEY,"
	" document_id INTEGER NOT NULL REFERENCES document(id) ON DELETE CASCADE,"
	" number INTEGER NOT NULL,"
	" byte_start INTEGER NOT NULL,"
	" byte_end INTEGER NOT NULL CHECK (byte_end >= byte_start),"
	" section TEXT,"
	" tokens INTEGER NOT NULL,"
	" key TEXT NOT NULL,"
	" UNIQUE (document_id, number)"
	") STRICT;"
	"CREATE INDEX chunk_key ON chunk(key);"

	"CREATE TABLE summary("
	" id INTEGER PRIMARY KEY,"
	" document_id INTEGER NOT NULL REFERENCES document(id) ON DELETE CASCADE,"
	" chunk_id INTEGER REFERENCES chunk(id) ON DELETE CASCADE,"
	" kind TEXT NOT NULL CHECK (kind IN ('title', 'abstract', 'key')),"
	" rank INTEGER NOT NULL,"
	" text TEXT NOT NULL,"
	" generated INTEGER NOT NULL CHECK (generated IN (0, 1)),"
	" score REAL,"
	" model TEXT"
	") STRICT;"
	"CREATE INDEX summary_document ON summary(document_id, chunk_id);"
	"CREATE INDEX summary_chunk ON summary(chunk_id);"

	"CREATE TABLE evidence("
	" id INTEGER PRIMARY KEY,"
	" document_id INTEGER NOT NULL REFERENCES document(id) ON DELETE CASCADE,"
	" summary_id INTEGER REFERENCES summary(id) ON DELETE CASCADE,"
	" quote TEXT NOT NULL,"
	" byte_start INTEGER NOT NULL CHECK (byte_start >= 0),"
	" byte_end INTEGER NOT NULL,"
	" page INTEGER,"
	" section TEXT,"
	" score REAL,"
	" CONSTRAINT quote_is_its_bytes CHECK (byte_end - byte_start = length(CAST(quote AS BLOB)))"
	") STRICT;"
	"CREATE INDEX evidence_document ON evidence(document_id);"
	"CREATE INDEX evidence_summary ON evidence(summary_id);"

	"CREATE TABLE output("
	" path TEXT NOT NULL,"
	" sha256 TEXT NOT NULL,"
	" document_id INTEGER REFERENCES document(id) ON DELETE SET NULL,"
	" PRIMARY KEY (path, sha256)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX output_document ON output(document_id);"

	"CREATE TABLE event("
	" id INTEGER PRIMARY KEY,"
	" at TEXT NOT NULL DEFAULT (" NOW "),"
	" level TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),"
	" document_id INTEGER REFERENCES document(id) ON DELETE SET NULL,"
	" message TEXT NOT NULL"
	") STRICT;"
	"CREATE INDEX event_document ON event(document_id);"

	"CREATE VIRTUAL TABLE search USING fts5("
	" document_id UNINDEXED, chunk UNINDEXED, kind UNINDEXED, body, tokenize = 'porter unicode61');"

	"CREATE VIEW v_documents AS"
	" SELECT id, name, path, state, stage, CAST(round(100 * progress) AS INTEGER) AS percent, error,"
	"  (SELECT text FROM summary WHERE document_id = document.id AND chunk_id IS NULL AND kind = 'title'"
	"   ORDER BY rank LIMIT 1) AS title,"
	"  finished_at"
	" FROM document;";

/* folder_turn.served counts takes, of all folders together: the lowest waits for longest. forgotten knows a file by
 * what stat(2) says of it, since a path would be words of the document. chore: what must be finished before bytes that
 * were removed are gone from the file. */
static const char VERSION_2[] =
	"ALTER TABLE document ADD COLUMN folder TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE document ADD COLUMN retry TEXT CHECK (retry IN ('later', 'changed', 'never'));"
	"ALTER TABLE document ADD COLUMN retry_at TEXT;"
	"ALTER TABLE document ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE document ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE document ADD COLUMN crashed_in TEXT;"
	"ALTER TABLE document ADD COLUMN crashed_chunks INTEGER;"
	"ALTER TABLE document ADD COLUMN reread INTEGER NOT NULL DEFAULT 0 CHECK (reread IN (0, 1));"
	"ALTER TABLE document ADD COLUMN tokens_done INTEGER;"
	"ALTER TABLE document ADD COLUMN tokens_total INTEGER;"
	"ALTER TABLE document ADD COLUMN eta_seconds INTEGER;"
	"UPDATE document SET retry = 'changed' WHERE state IN ('failed', 'ignored');"
	"DROP INDEX document_queue;"
	"CREATE INDEX document_queue ON document(folder, coalesce(finished_at, added_at), id)"
	" WHERE state = 'queued';"
	"CREATE INDEX document_state ON document(state);"
	"CREATE INDEX document_retry_at ON document(retry_at) WHERE retry_at IS NOT NULL;"

	"CREATE TABLE folder_turn("
	" folder TEXT PRIMARY KEY,"
	" served INTEGER NOT NULL DEFAULT 0"
	") STRICT, WITHOUT ROWID;"
	"INSERT INTO folder_turn(folder) VALUES ('');"

	"CREATE TABLE forgotten("
	" device INTEGER NOT NULL,"
	" inode INTEGER NOT NULL,"
	" size INTEGER NOT NULL,"
	" mtime_ns INTEGER NOT NULL,"
	" ctime_ns INTEGER NOT NULL,"
	" PRIMARY KEY (device, inode)"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE chore(name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;"

	"CREATE TABLE question("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" document_id INTEGER NOT NULL REFERENCES document(id) ON DELETE CASCADE,"
	" text TEXT NOT NULL CHECK (length(CAST(text AS BLOB)) BETWEEN 1 AND 4096),"
	" asked_at TEXT NOT NULL DEFAULT (" NOW "),"
	" source TEXT NOT NULL CHECK (source IN ('inbox', 'control', 'folder', 'file')),"
	" state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'answered', 'failed')),"
	" error TEXT,"
	" UNIQUE (document_id, text)"
	") STRICT;"
	"CREATE INDEX question_open ON question(document_id) WHERE state = 'open';"

	"DROP VIEW v_documents;"
	"CREATE VIEW v_documents AS"
	" SELECT id, name, path, state, stage, CAST(round(100 * progress) AS INTEGER) AS percent, "
	"eta_seconds,"
	"  error, retry, retry_at,"
	"  (SELECT text FROM summary WHERE document_id = document.id AND chunk_id IS NULL AND kind = 'title'"
	"   ORDER BY rank LIMIT 1) AS title,"
	"  finished_at"
	" FROM document;";

/* What the audit keeps. lengths, part_tokens, mass and chosen are lists of the same length, by part of the text, in JSON; the
 * parts follow each other from byte_start on. reading is by far the largest of these tables: rows of parts would take twice as
 * much. dense_due: what is to be compared, some time, of a chunk or of an answer. */
#define AUDIT_TABLES                                                                                         \
	"CREATE TABLE IF NOT EXISTS reading("                                                                \
	" id INTEGER PRIMARY KEY,"                                                                           \
	" document_id INTEGER NOT NULL REFERENCES document(id) ON DELETE CASCADE,"                           \
	" chunk_id INTEGER REFERENCES chunk(id) ON DELETE CASCADE,"                                          \
	" answer_id INTEGER REFERENCES answer(id) ON DELETE CASCADE,"                                        \
	" kind TEXT NOT NULL CHECK (kind IN ('title', 'abstract', 'answer')),"                               \
	" byte_start INTEGER NOT NULL,"                                                                      \
	" tokens INTEGER NOT NULL,"                                                                          \
	" elsewhere REAL NOT NULL,"                                                                          \
	" lengths TEXT NOT NULL,"                                                                            \
	" part_tokens TEXT NOT NULL,"                                                                        \
	" mass TEXT NOT NULL,"                                                                               \
	" chosen TEXT NOT NULL"                                                                              \
	") STRICT;"                                                                                          \
	"CREATE INDEX IF NOT EXISTS reading_document ON reading(document_id);"                               \
	"CREATE INDEX IF NOT EXISTS reading_chunk ON reading(chunk_id);"                                     \
	"CREATE INDEX IF NOT EXISTS reading_answer ON reading(answer_id);"                                   \
                                                                                                             \
	"CREATE TABLE IF NOT EXISTS dense_due("                                                              \
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"                                                             \
	" document_id INTEGER NOT NULL REFERENCES document(id) ON DELETE CASCADE,"                           \
	" chunk_id INTEGER REFERENCES chunk(id) ON DELETE CASCADE,"                                          \
	" answer_id INTEGER REFERENCES answer(id) ON DELETE CASCADE,"                                        \
	" whole INTEGER NOT NULL CHECK (whole IN (0, 1))"                                                    \
	") STRICT;"                                                                                          \
	"CREATE INDEX IF NOT EXISTS dense_due_document ON dense_due(document_id);"                           \
	"CREATE INDEX IF NOT EXISTS dense_due_chunk ON dense_due(chunk_id);"                                 \
	"CREATE INDEX IF NOT EXISTS dense_due_answer ON dense_due(answer_id);"                               \
                                                                                                             \
	"CREATE TABLE IF NOT EXISTS dense_check("                                                            \
	" id INTEGER PRIMARY KEY,"                                                                           \
	" document_id INTEGER NOT NULL REFERENCES document(id) ON DELETE CASCADE,"                           \
	" chunk_id INTEGER REFERENCES chunk(id) ON DELETE CASCADE,"                                          \
	" answer_id INTEGER REFERENCES answer(id) ON DELETE CASCADE,"                                        \
	" kind TEXT NOT NULL CHECK (kind IN ('title', 'abstract', 'answer')),"                               \
	" whole INTEGER NOT NULL CHECK (whole IN (0, 1)),"                                                   \
	" checked_at TEXT NOT NULL DEFAULT (" NOW "),"                                                       \
	" model TEXT,"                                                                                       \
	" tokens INTEGER NOT NULL,"                                                                          \
	" agrees REAL NOT NULL,"                                                                             \
	" score REAL NOT NULL,"                                                                              \
	" score_delta REAL NOT NULL,"                                                                        \
	" mass_recall REAL NOT NULL,"                                                                        \
	" text_recall REAL NOT NULL,"                                                                        \
	" chance REAL NOT NULL,"                                                                             \
	" skill REAL NOT NULL,"                                                                              \
	" worst_layer INTEGER NOT NULL,"                                                                     \
	" layer_recall TEXT NOT NULL,"                                                                       \
	" warned INTEGER NOT NULL CHECK (warned IN (0, 1)),"                                                 \
	" byte_start INTEGER NOT NULL,"                                                                      \
	" lengths TEXT NOT NULL,"                                                                            \
	" missed TEXT NOT NULL"                                                                              \
	") STRICT;"                                                                                          \
	"CREATE INDEX IF NOT EXISTS dense_check_document ON dense_check(document_id);"                       \
	"CREATE INDEX IF NOT EXISTS dense_check_chunk ON dense_check(chunk_id);"                             \
	"CREATE INDEX IF NOT EXISTS dense_check_answer ON dense_check(answer_id);"                           \
	"CREATE INDEX IF NOT EXISTS dense_check_at ON dense_check(checked_at);"                              \
                                                                                                             \
	"CREATE VIEW v_reading AS"                                                                           \
	" SELECT reading.id AS reading_id, document_id, chunk_id, answer_id, kind, length.key AS part,"      \
	"  byte_start + sum(length.value) OVER (PARTITION BY reading.id ORDER BY length.key) - length.value" \
	"   AS byte_start,"                                                                                  \
	"  byte_start + sum(length.value) OVER (PARTITION BY reading.id ORDER BY length.key) AS byte_end,"   \
	"  json_extract(part_tokens, '$[' || length.key || ']') AS tokens,"                                  \
	"  json_extract(mass, '$[' || length.key || ']') / 1e6 AS mass,"                                     \
	"  json_extract(chosen, '$[' || length.key || ']') / 1e3 AS chosen"                                  \
	" FROM reading, json_each(lengths) AS length;"

/* A text's marks, deflated as it is: pipeline/marks.h knows what they say. truncated: why it is not the whole document.
 * ocr_pages: those whose text was read from a picture.
 *
 * question.ready: its document was read when somebody last looked, so that nobody has to look at all that wait for theirs.
 * question.retry_at: when one that failed is asked again by itself; attempts: such failures in a row.
 * question.state 'answering' is of one moment: a writer that opens the database finds it where the last one crashed.
 * A row of search about an answer has the id -answer.id. inbox_row: the rows of an inbox.db that stand in question, and
 * were not removed from there yet. */
static const char VERSION_3[] =
	"ALTER TABLE document ADD COLUMN truncated TEXT;"
	"ALTER TABLE document ADD COLUMN ocr_pages TEXT;"
	"ALTER TABLE text ADD COLUMN marks_bytes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE text ADD COLUMN marks BLOB;"

	"ALTER TABLE question RENAME TO question_of_version_2;"
	"CREATE TABLE question("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" document_id INTEGER NOT NULL REFERENCES document(id) ON DELETE CASCADE,"
	" text TEXT NOT NULL CHECK (length(CAST(text AS BLOB)) BETWEEN 1 AND 4096),"
	" asked_at TEXT NOT NULL DEFAULT (" NOW "),"
	" source TEXT NOT NULL CHECK (source IN ('inbox', 'control', 'folder', 'file', 'command')),"
	" state TEXT NOT NULL DEFAULT 'asked'"
	"  CHECK (state IN ('asked', 'answering', 'answered', 'failed')),"
	" error TEXT,"
	" crashes INTEGER NOT NULL DEFAULT 0,"
	" attempts INTEGER NOT NULL DEFAULT 0,"
	" retry_at TEXT,"
	" ready INTEGER NOT NULL DEFAULT 0 CHECK (ready IN (0, 1)),"
	" UNIQUE (document_id, text)"
	") STRICT;"
	"INSERT INTO question(id, document_id, text, asked_at, source, ready)"
	" SELECT id, document_id, text, asked_at, source, EXISTS (SELECT 1 FROM document"
	"  WHERE id = document_id AND fingerprint IS NOT NULL) FROM question_of_version_2;"
	"DROP TABLE question_of_version_2;"
	"CREATE INDEX question_asked ON question(document_id) WHERE state = 'asked';"
	"CREATE INDEX question_ready ON question(source = 'folder', id) WHERE state = 'asked' AND ready = 1;"
	"CREATE INDEX question_text ON question(text);"
	"CREATE INDEX question_retry_at ON question(retry_at) WHERE retry_at IS NOT NULL;"

	"CREATE TABLE answer("
	" id INTEGER PRIMARY KEY,"
	" question_id INTEGER NOT NULL UNIQUE REFERENCES question(id) ON DELETE CASCADE,"
	" document_id INTEGER NOT NULL REFERENCES document(id) ON DELETE CASCADE,"
	" text TEXT NOT NULL,"
	" found INTEGER NOT NULL CHECK (found IN (0, 1)),"
	" generated INTEGER NOT NULL CHECK (generated IN (0, 1)),"
	" score REAL,"
	" answered_at TEXT NOT NULL DEFAULT (" NOW "),"
	" model TEXT,"
	" fingerprint TEXT,"
	" prompt_tokens INTEGER NOT NULL DEFAULT 0,"
	" computed_tokens INTEGER NOT NULL DEFAULT 0,"
	" reused_tokens INTEGER NOT NULL DEFAULT 0,"
	" generated_tokens INTEGER NOT NULL DEFAULT 0,"
	" seconds REAL NOT NULL DEFAULT 0"
	") STRICT;"
	"CREATE INDEX answer_document ON answer(document_id);"
	"ALTER TABLE evidence ADD COLUMN answer_id INTEGER REFERENCES answer(id) ON DELETE CASCADE;"
	"CREATE INDEX evidence_answer ON evidence(answer_id);"

	"CREATE TABLE inbox_row("
	" inbox TEXT NOT NULL,"
	" row INTEGER NOT NULL,"
	" PRIMARY KEY (inbox, row)"
	") STRICT, WITHOUT ROWID;"

	"CREATE VIEW v_answers AS"
	" SELECT question.id, name, path, question.text AS question, question.state, question.error,"
	"  answer.text AS answer, found, score, answered_at,"
	"  (SELECT quote FROM evidence WHERE answer_id = answer.id ORDER BY id LIMIT 1) AS quote"
	" FROM question JOIN document ON document.id = question.document_id"
	"  LEFT JOIN answer ON question_id = question.id;" AUDIT_TABLES;

/* What came to version 3 while files of it were in use already. */
static const struct db_column LATE_IN_VERSION_3[] = {
	{ "document", "ocr_pages", "TEXT" },
	{ "question", "attempts", "INTEGER NOT NULL DEFAULT 0" },
	{ "question", "retry_at", "TEXT" },
	{ "reading", "part_tokens", "TEXT NOT NULL DEFAULT ''" },
	{ "dense_due", "answer_id", "INTEGER REFERENCES answer(id) ON DELETE CASCADE" },
	{ "dense_check", "answer_id", "INTEGER REFERENCES answer(id) ON DELETE CASCADE" },
};

/* A reading without part_tokens was weighed in another way: 'skimctl reread' makes one anew. question_count helps to count and
 * nothing else: by an index on the state alone SQLite would look for the questions of one document. ask_file: the file of
 * questions beside a document, as it was when it was taken. */
static const char VERSION_4[] =
	"CREATE INDEX IF NOT EXISTS question_retry_at ON question(retry_at) WHERE retry_at IS NOT NULL;"
	"DROP VIEW IF EXISTS v_reading;" AUDIT_TABLES "DELETE FROM reading WHERE part_tokens = '';"

	"CREATE INDEX question_count ON question(source = 'folder', state, source);"

	"CREATE TABLE ask_file("
	" document_id INTEGER PRIMARY KEY REFERENCES document(id) ON DELETE CASCADE,"
	" device INTEGER NOT NULL,"
	" inode INTEGER NOT NULL,"
	" size INTEGER NOT NULL,"
	" mtime_ns INTEGER NOT NULL,"
	" ctime_ns INTEGER NOT NULL"
	") STRICT;";

static const struct db_step STEPS[] = {
	{ .sql = VERSION_1 },
	{ .sql = VERSION_2 },
	{ .sql = VERSION_3 },
	{ .sql = VERSION_4,
	  .columns = LATE_IN_VERSION_3,
	  .n_columns = sizeof(LATE_IN_VERSION_3) / sizeof(LATE_IN_VERSION_3[0]) },
};

const struct db_schema DOCSTORE_SCHEMA = {
	.what = "skimd database",
	.application_id = 0x736b6d64, /* "skmd" */
	.steps = STEPS,
	.n_steps = sizeof(STEPS) / sizeof(STEPS[0]),
};

#define DOCUMENT_COLUMNS                                                                                     \
	"id, path, name, output, sha256, media_type, charset, language, bytes, pages, tokens, state, "       \
	"stage, "                                                                                            \
	"progress, error, duplicate_of, model, fingerprint, prompt_tokens, computed_tokens, reused_tokens, " \
	"generated_tokens, seconds, added_at, finished_at, published, tokens_done, tokens_total, "           \
	"coalesce(eta_seconds, -1), retry, retry_at, attempts, crashes, truncated, ocr_pages"

#define READING_COLUMNS                                                                            \
	"kind, reading.byte_start, reading.tokens, elsewhere, lengths, part_tokens, mass, chosen," \
	" (SELECT question_id FROM answer WHERE answer.id = reading.answer_id)"

#define SQL_TIME(seconds) "strftime('%Y-%m-%dT%H:%M:%SZ', " seconds ", 'unixepoch')"

/* What a document shows of a reading in work, or of one that did not succeed. */
#define NO_PROGRESS "stage = NULL, progress = 0, tokens_done = NULL, tokens_total = NULL, eta_seconds = NULL"
/* MARK_READING has cleared an earlier failure: one that is there now came meanwhile. */
#define READ_TO_THE_END                                                              \
	"stage = NULL, tokens_done = NULL, tokens_total = NULL, eta_seconds = NULL," \
	" crashes = 0, crashed_in = NULL, crashed_chunks = NULL, reread = 0"
#define NO_FAILURE "error = NULL, retry = NULL, retry_at = NULL"

/* A document that changed or went away while it was read does not become done or failed, but what it is. */
#define STATE_AFTER_READING(state) \
	"CASE WHEN changed THEN 'queued' WHEN state = 'reading' THEN " state " ELSE state END"

#define CHUNK_COLUMNS "id, number, byte_start, byte_end, section, tokens, key"
#define IN_RANGE " WHERE document_id = ?1 AND number BETWEEN ?2 AND ?3"
#define SUMMARY_COLUMNS "id, kind, text, generated, score"
/* Read, and the text is there: also of a file that is gone, but not while a new content is to be read first. */
#define CAN_BE_ASKED "document.state IN ('done', 'gone') AND document.fingerprint IS NOT NULL"

#define QUESTION_COLUMNS                                                                                \
	"question.id, question.document_id, name, path, question.text, source, question.state, "        \
	"question.error, question.retry_at, NOT (" CAN_BE_ASKED                                         \
	"), asked_at, answer.id, answer.text, found, generated, score, answered_at, "                   \
	"answer.model, answer.fingerprint, answer.prompt_tokens, answer.computed_tokens, "              \
	"answer.reused_tokens, answer.generated_tokens, answer.seconds FROM question JOIN document ON " \
	"document.id = question.document_id LEFT JOIN answer ON question_id = question.id"

/* It will not be read before somebody sees to it, and what was read before is not of what is there now. */
#define CANNOT_BE_ASKED                                                                \
	"((document.state IN ('failed', 'ignored') AND document.retry IS NOT 'later')" \
	" OR (document.state = 'gone' AND document.fingerprint IS NULL))"

#define NO_QUESTION_FAILURE "error = NULL, retry_at = NULL, attempts = 0"

/* The first or last time at which anything is to be tried again. */
#define RETRY_AT(which)                                                                     \
	"(SELECT " which "(at) FROM (SELECT " which                                         \
	"(retry_at) AS at FROM document WHERE retry_at IS NOT NULL UNION ALL SELECT " which \
	"(retry_at) FROM question WHERE retry_at IS NOT NULL))"

#define FAIL_QUESTIONS                                                                          \
	"UPDATE question SET state = 'failed', error = 'the document is ' || document.state ||" \
	" coalesce(': ' || document.error, '') FROM document WHERE question.state = 'asked'"    \
	" AND document.id = document_id AND " CANNOT_BE_ASKED

const char *const DOCSTORE_STATEMENTS[N_DOCSTORE_STATEMENTS] = {
	/* ?1 path, ?2 output, ?3 device, ?4 inode, ?5 size, ?6 mtime_ns, ?7 ctime_ns, ?8 folder, ?9 name */
	[FIND_FILE] = "SELECT id, state <> 'gone' AND output IS coalesce(?2, output) AND device = ?3 AND "
		      "inode = ?4 AND size = ?5 AND mtime_ns = ?6"
		      " AND (ctime_ns = ?7 OR (state IN ('failed', 'ignored') AND retry IS 'never')),"
		      " folder <> coalesce(?8, folder) FROM document WHERE path = ?1",
	[WAS_FORGOTTEN] = "SELECT 1 FROM forgotten WHERE device = ?3 AND inode = ?4 AND size = ?5 AND"
			  " mtime_ns = ?6 AND ctime_ns = ?7",
	[NOT_FORGOTTEN] = "DELETE FROM forgotten WHERE device = ?1 AND inode = ?2",
	[ADD_FILE] =
		"INSERT INTO document(path, output, device, inode, size, mtime_ns, ctime_ns, folder, name, "
		"state)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, coalesce(?8, ''), ?9, 'queued')",
	[MOVE_TO_FOLDER] = "UPDATE document SET folder = ?8 WHERE path = ?1",
	[ADD_FOLDER] = "INSERT OR IGNORE INTO folder_turn(folder) VALUES (coalesce(?8, ''))",
	/* What is being read is read to its end, and queued again then (STATE_AFTER_READING). */
	[CHANGE_FILE] = "UPDATE document SET output = coalesce(?2, output), device = ?3, inode = ?4, size = "
			"?5, mtime_ns = ?6,"
			" ctime_ns = ?7, folder = coalesce(?8, folder), " NO_FAILURE ","
			" changed = (state = 'reading'), attempts = 0, crashes = 0, crashed_in = NULL,"
			" stage = iif(state = 'reading', stage, NULL), progress = iif(state = 'reading', "
			"progress, 0),"
			" state = iif(state = 'reading', 'reading', 'queued') WHERE path = ?1",
	/* ?10 reason, ?11 state. A rescan that leaves out the same file again writes nothing. */
	[LEAVE_OUT_FILE] =
		"INSERT INTO document(path, output, device, inode, size, mtime_ns, ctime_ns, folder, name, "
		"state, error, retry, finished_at)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, coalesce(?8, ''), ?9, ?11, ?10, 'changed', " NOW ")"
		" ON CONFLICT (path) DO UPDATE SET output = excluded.output, device = excluded.device,"
		" inode = excluded.inode, size = excluded.size, mtime_ns = excluded.mtime_ns,"
		" ctime_ns = excluded.ctime_ns, state = excluded.state, " NO_PROGRESS
		", error = excluded.error,"
		" retry = 'changed', retry_at = NULL, changed = 0, attempts = 0, crashes = 0, crashed_in = "
		"NULL,"
		" finished_at = excluded.finished_at"
		" WHERE state <> excluded.state OR error IS NOT excluded.error OR output IS NOT "
		"excluded.output"
		" OR (device, inode, size, mtime_ns, ctime_ns) IS NOT (excluded.device, excluded.inode,"
		" excluded.size, excluded.mtime_ns, excluded.ctime_ns)",
	/* One that changed while it was read is looked for again before it is given up. */
	[MARK_GONE] =
		"UPDATE document SET state = iif(changed, 'queued', 'gone'), changed = 0, stage = NULL,"
		" tokens_done = NULL, tokens_total = NULL, eta_seconds = NULL, retry = NULL, retry_at = NULL,"
		" attempts = 0, crashes = 0 WHERE id = ?1",
	[MARK_PUBLISHED] =
		"UPDATE document SET published = 1, attempts = 0, error = iif(state = 'done', NULL, error),"
		" retry = iif(state = 'done', NULL, retry),"
		" retry_at = iif(state = 'done', NULL, retry_at) WHERE id = ?1",
	[MARK_UNPUBLISHED] = "UPDATE document SET error = ?2, retry = ?3, retry_at = " SQL_TIME(
		"?4") ", attempts = ?5 WHERE id = ?1 AND state = 'done'",
	[FORGET_COPIES] = "UPDATE document SET duplicate_of = NULL WHERE duplicate_of = ?1",
	/* ?1 now, ?2 later than anything is put off: the clock was set back since. Only what has failed, or could not be
	 * written out, has a retry_at. Its
	 * place in the queue is by when it failed. */
	[QUEUE_DUE] = "UPDATE document SET state = 'queued', " NO_PROGRESS ", " NO_FAILURE
		      " WHERE retry_at <= " SQL_TIME("?1") " OR retry_at > " SQL_TIME("?2"),
	[NEXT_RETRY] = "SELECT CAST(strftime('%s', " RETRY_AT("min") ") AS INTEGER), " RETRY_AT(
		"max") " > " SQL_TIME("?1"),
	/* One that was read before waits from its end on, so that a file which is always edited starves no other. */
	[NEXT_QUEUED] = "SELECT first, folder FROM (SELECT folder, served, (SELECT id FROM document"
			"  WHERE state = 'queued' AND document.folder = folder_turn.folder"
			"  ORDER BY coalesce(finished_at, added_at), id LIMIT 1) AS first FROM folder_turn)"
			" WHERE first IS NOT NULL ORDER BY served, folder LIMIT 1",
	[MARK_SERVED] = "UPDATE folder_turn SET served = 1 + (SELECT max(served) FROM folder_turn)"
			" WHERE folder = (SELECT folder FROM document WHERE id = ?1)",
	[MARK_READING] = "UPDATE document SET state = 'reading', " NO_PROGRESS ", " NO_FAILURE ", changed = 0"
			 " WHERE id = ?1",
	[PUT_BACK] = "UPDATE document SET state = iif(state = 'reading', 'queued', state), " NO_PROGRESS
		     ", changed = 0 WHERE id = ?1",
	[PUT_BACK_ALL] = "UPDATE document SET state = 'queued', " NO_PROGRESS ", changed = 0"
			 " WHERE state = 'reading'",
	/* The crash is its old content's where the file changed while it was read. One that got further than at its last
	 * crash has come past the place of that: a long document does not fail for two losses of power. */
	[COUNT_CRASHES] =
		"UPDATE document SET crashes = iif(changed, 0, iif(n_chunks > crashed_chunks, 1, crashes + "
		"1)),"
		" crashed_in = iif(changed, NULL, stage), crashed_chunks = n_chunks"
		" FROM (SELECT d.id AS crashed, (SELECT count(*) FROM chunk WHERE document_id = d.id"
		"  AND number >= 0) AS n_chunks FROM document AS d WHERE state = 'reading')"
		" WHERE id = crashed",
	[NEXT_CRASHED] = "SELECT id, stage FROM document WHERE state = 'reading' AND crashes >= ?1 LIMIT 1",
	/* The content of one that ended before its text was out is not known by its sha256. */
	[FIND_QUARANTINED] =
		"SELECT 1 FROM document AS other WHERE id <> ?1 AND crashes >= ?2 AND crashed_in <> 'extract'"
		" AND +state = 'failed' AND sha256 = (SELECT sha256 FROM document WHERE id = ?1)",
	[GET_ATTEMPTS] = "SELECT attempts FROM document WHERE id = ?1",
	/* What is done and could not be written out has failed, too. */
	[GET_OUTCOME] = "SELECT iif(state = 'done' AND NOT published AND error IS NOT NULL, 'failed', state)"
			" FROM document WHERE id = ?1",
	[GET_STATE] = "SELECT state FROM document WHERE id = ?1",
	[FORGET_CRASHES] = "UPDATE document SET crashes = 0, crashed_in = NULL, crashed_chunks = NULL WHERE "
			   "crashes > 0 AND (id = ?1 OR"
			   " sha256 = (SELECT sha256 FROM document WHERE id = ?1))",
	[QUEUE_AGAIN] = "UPDATE document SET state = 'queued', " NO_PROGRESS ", " NO_FAILURE ", attempts = 0"
			" WHERE id = ?1",
	[QUEUE_REREAD] = "UPDATE document SET state = 'queued', " NO_PROGRESS ", " NO_FAILURE ", reread = 1"
			 " WHERE id = ?1",
	/* Under its old key no chunk of it is found any more; those that are read from now on are. */
	[DISOWN_CHUNKS] =
		"UPDATE chunk SET key = 'old ' || key WHERE document_id = ?1 AND key NOT LIKE 'old %'",
	/* One that went away meanwhile is not in work any more, and not missing. */
	[SET_PROGRESS] = "UPDATE document SET stage = iif(state = 'reading', ?2, stage),"
			 " progress = iif(state = 'reading', ?3, progress),"
			 " tokens_done = iif(state = 'reading', ?4, tokens_done),"
			 " tokens_total = iif(state = 'reading', ?5, tokens_total),"
			 " eta_seconds = iif(state = 'reading', ?6, eta_seconds) WHERE id = ?1",
	/* ?2 state, ?3 error, ?4 retry, ?5 retry_at, ?6 attempts */
	[MARK_FAILED] = "UPDATE document SET state = " STATE_AFTER_READING(
		"?2") ", error = iif(changed OR state <> 'reading', error, ?3),"
		      " retry = iif(changed OR state <> 'reading', retry, ?4),"
		      " retry_at = iif(changed OR state <> 'reading', retry_at, " SQL_TIME(
			      "?5") "),"
				    " attempts = iif(changed OR state <> 'reading', 0, ?6),"
				    " progress = iif(changed, 0, progress), stage = NULL, tokens_done = NULL,"
				    " tokens_total = NULL, eta_seconds = NULL, changed = 0, finished_at "
				    "= " NOW " WHERE id = ?1",
	[SET_TEXT_FACTS] =
		"UPDATE document SET sha256 = ?2, media_type = ?3, charset = ?4, language = ?5, bytes = ?6,"
		" pages = ?7, truncated = ?8, ocr_pages = ?9 WHERE id = ?1",
	[FORGET_RESULTS_OF_OLD_TEXT] = "UPDATE document SET model = NULL, fingerprint = NULL, tokens = NULL,"
				       " duplicate_of = NULL WHERE id = ?1",
	[MARK_DONE] = "UPDATE document SET state = " STATE_AFTER_READING(
		"'done'") ", tokens = ?2, model = ?3,"
			  " fingerprint = ?4, prompt_tokens = ?5, computed_tokens = ?6, reused_tokens = ?7,"
			  " generated_tokens = ?8, seconds = ?9, published = 0, duplicate_of = "
			  "NULL, " READ_TO_THE_END ","
			  " progress = iif(changed OR state <> 'reading', 0, 1), changed = 0, finished_at "
			  "= " NOW " WHERE id = ?1",
	[MARK_COPIED] = "UPDATE document SET state = " STATE_AFTER_READING(
		"'done'") ", (sha256, media_type, charset,"
			  " language, bytes, pages, truncated, ocr_pages, tokens, model, fingerprint) = "
			  "(SELECT sha256, "
			  "media_type, charset,"
			  " language, bytes, pages, truncated, ocr_pages, tokens, model, fingerprint FROM "
			  "document WHERE id = ?1),"
			  " prompt_tokens = 0, computed_tokens = 0, reused_tokens = 0, generated_tokens = 0, "
			  "seconds = 0,"
			  " duplicate_of = (SELECT iif(coalesce(duplicate_of, id) = ?2, NULL, "
			  "coalesce(duplicate_of, id))"
			  " FROM document WHERE id = ?1), published = 0, " READ_TO_THE_END ","
			  " progress = iif(changed OR state <> 'reading', 0, 1), "
			  "changed = 0,"
			  " finished_at = " NOW " WHERE id = ?2",
	[GET_DOCUMENT] = "SELECT " DOCUMENT_COLUMNS " FROM document WHERE id = ?1",
	[NEXT_DOCUMENT] = "SELECT " DOCUMENT_COLUMNS " FROM document WHERE id > ?1 ORDER BY id LIMIT 1",
	[HAS_DOCUMENT] = "SELECT id, name FROM document WHERE id = ?1",
	[FIND_PATH] = "SELECT id, name FROM document WHERE path = ?1",
	[FIND_NAME] = "SELECT id, name FROM document WHERE name = ?1 ORDER BY id LIMIT 4",
	[FIND_PART_OF_NAME] = "SELECT id, name FROM document WHERE instr(lower(name), lower(?1)) > 0"
			      " ORDER BY id LIMIT 4",
	/* By +state no index is looked up: SQLite would take all that are done for as few as have the same sha256. */
	[FIND_DONE] = "SELECT id FROM document WHERE sha256 = ?2 AND fingerprint = ?3 AND +state = 'done'"
		      " AND id <> ?1 AND NOT (SELECT reread FROM document WHERE id = ?1)"
		      " AND (media_type, truncated, ocr_pages) IS"
		      " (SELECT media_type, truncated, ocr_pages FROM document WHERE id = ?1)"
		      " ORDER BY id LIMIT 1",
	[COUNT_STATE] = "SELECT count(*) FROM document WHERE state = ?1",
	[WAITING_SINCE] = "SELECT min(max(CAST(strftime('%s', coalesce(finished_at, added_at)) AS INTEGER),"
			  " ctime_ns / 1000000000)) FROM document WHERE state = 'queued'",
	[GET_TEXT] = "SELECT bytes, deflated FROM text WHERE document_id = ?1",
	[PUT_TEXT] = "INSERT OR REPLACE INTO text(document_id, bytes, deflated) VALUES (?1, ?2, ?3)",
	[COPY_TEXT] = "INSERT OR REPLACE INTO text(document_id, bytes, deflated, marks_bytes, marks)"
		      " SELECT ?2, bytes, deflated, marks_bytes, marks FROM text WHERE document_id = ?1",
	[PUT_MARKS] = "UPDATE text SET marks_bytes = ?2, marks = ?3 WHERE document_id = ?1",
	[GET_MARKS] = "SELECT marks_bytes, marks FROM text WHERE document_id = ?1",
	[SET_CHUNKS_ASIDE] =
		"UPDATE chunk SET number = (SELECT min(0, min(number)) FROM chunk WHERE document_id = ?1)"
		" - 1 - number WHERE document_id = ?1 AND number >= 0",
	[DELETE_CHUNKS] = "DELETE FROM chunk" IN_RANGE,
	[UNSEARCH_CHUNKS] = "DELETE FROM search WHERE rowid IN (SELECT 2 * id FROM chunk" IN_RANGE ")",
	[UNSEARCH_CHUNK_SUMMARIES] = "DELETE FROM search WHERE rowid IN (SELECT 2 * id + 1 FROM summary"
				     " WHERE chunk_id IN (SELECT id FROM chunk" IN_RANGE "))",
	[PUT_CHUNK] = "INSERT INTO chunk(document_id, number, byte_start, byte_end, section, tokens, key)"
		      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[PUT_CHUNK_SEARCH] = "INSERT INTO search(rowid, document_id, chunk, kind, body)"
			     " VALUES (2 * ?1, ?2, ?3, 'text', ?4)",
	[GET_CHUNKS] =
		"SELECT " CHUNK_COLUMNS " FROM chunk WHERE document_id = ?1 AND number >= 0 ORDER BY number",
	[FIND_CHUNK] =
		"SELECT " CHUNK_COLUMNS " FROM chunk WHERE key = ?2 AND (document_id = ?1 OR"
		" NOT coalesce((SELECT reread FROM document WHERE id = ?1), 0)) ORDER BY id DESC LIMIT 1",
	[DELETE_SUMMARIES] = "DELETE FROM summary WHERE document_id = ?1 AND chunk_id IS NULL",
	[UNSEARCH_SUMMARIES] = "DELETE FROM search WHERE rowid IN (SELECT 2 * id + 1 FROM summary"
			       " WHERE document_id = ?1 AND chunk_id IS NULL)",
	/* A chunk is stored before its document says which model reads it. */
	[NAME_MODEL_OF_SUMMARIES] = "UPDATE summary SET model = ?2 WHERE document_id = ?1 AND model IS NULL",
	[PUT_SUMMARY] =
		"INSERT INTO summary(document_id, chunk_id, kind, rank, text, generated, score, model)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[PUT_SUMMARY_SEARCH] =
		"INSERT INTO search(rowid, document_id, chunk, kind, body) SELECT 2 * id + 1, document_id,"
		" (SELECT number FROM chunk WHERE id = chunk_id), kind, text FROM summary WHERE id = ?1",
	[GET_SUMMARIES] =
		"SELECT " SUMMARY_COLUMNS " FROM summary WHERE document_id = ?1 AND chunk_id IS NULL"
		" ORDER BY id",
	[GET_CHUNK_SUMMARIES] = "SELECT " SUMMARY_COLUMNS " FROM summary WHERE chunk_id = ?1 ORDER BY id",
	[PUT_EVIDENCE] = "INSERT INTO evidence(document_id, summary_id, answer_id, quote, byte_start, "
			 "byte_end, page, section, score)"
			 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[GET_EVIDENCE] =
		"SELECT quote, byte_start, byte_end, page, section, score FROM evidence WHERE summary_id = ?1"
		" ORDER BY id",
	[PUT_OUTPUT] = "INSERT OR REPLACE INTO output(path, sha256, document_id) VALUES (?1, ?2, ?3)",
	[HAS_OUTPUT] = "SELECT 1 FROM output WHERE path = ?1 AND sha256 = ?2",
	[KEEP_OUTPUT] = "DELETE FROM output WHERE path = ?1 AND sha256 <> ?2",
	[GET_OUTPUTS] = "SELECT path, sha256 FROM output WHERE document_id = ?1 ORDER BY path, sha256",
	[PUT_EVENT] = "INSERT INTO event(level, document_id, message) VALUES (?1, ?2, ?3)",
	[GET_EVENTS] =
		"SELECT id, at, level, document_id, message FROM event WHERE id > ?1 ORDER BY id LIMIT ?2",
	[EVENT_BEFORE] = "SELECT id FROM event ORDER BY id DESC LIMIT 1 OFFSET ?1",
	/* At least as many as there are. */
	[EVENTS_SPAN] = "SELECT coalesce((SELECT max(id) FROM event) - (SELECT min(id) FROM event) + 1, 0)",
	[TRIM_EVENTS] = "DELETE FROM event WHERE id IN (SELECT id FROM event ORDER BY level <> 'info', id"
			" LIMIT max(0, (SELECT count(*) FROM event) - ?1))",
	[SEARCH] = "SELECT document_id, chunk, kind, snippet(search, 3, '[', ']', ' … ', 24), -bm25(search),"
		   " rowid FROM search WHERE search MATCH ?1 ORDER BY rank LIMIT ?2",
	[GET_NAMES] = "SELECT name, path, state FROM document WHERE id = ?1",
	[GET_SECTION] = "SELECT section FROM chunk WHERE document_id = ?1 AND number = ?2",
	[FIND_QUESTION] = "SELECT id FROM question WHERE document_id = ?1 AND text = ?2",
	[PUT_QUESTION] = "INSERT INTO question(document_id, text, source) VALUES (?1, ?2, ?3)",
	[PUT_READING] =
		"INSERT INTO reading(document_id, chunk_id, kind, byte_start, tokens, elsewhere, lengths,"
		" part_tokens, mass, chosen, answer_id)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[GET_CHUNK_READINGS] = "SELECT " READING_COLUMNS " FROM reading WHERE chunk_id = ?1 ORDER BY id",
	[GET_READINGS] = "SELECT " READING_COLUMNS " FROM reading LEFT JOIN chunk ON chunk.id = chunk_id"
			 " WHERE reading.document_id = ?1 AND coalesce(number, 0) >= 0"
			 " ORDER BY kind, reading.byte_start, reading.id",
	[PUT_DUE_CHECK] =
		"INSERT INTO dense_due(document_id, chunk_id, answer_id, whole) VALUES (?1, ?2, ?3, ?4)",
	[NEXT_CHECK] =
		"SELECT dense_due.id, dense_due.document_id, question_id, number, byte_start, byte_end, whole"
		" FROM dense_due CROSS JOIN document ON document.id = dense_due.document_id"
		" LEFT JOIN chunk ON chunk.id = chunk_id LEFT JOIN answer ON answer.id = answer_id"
		" WHERE +state = 'done' AND (number >= 0 AND document.fingerprint = ?1"
		"  OR answer.fingerprint = ?1) ORDER BY dense_due.id LIMIT 1",
	[COUNT_DUE] = "SELECT count(*) FROM dense_due WHERE document_id = ?1",
	[DELETE_OLD_CHECKS] = "DELETE FROM dense_check WHERE id IN (SELECT old.id FROM dense_due"
			      " JOIN dense_check AS old ON old.chunk_id = dense_due.chunk_id"
			      "  OR old.answer_id = dense_due.answer_id"
			      " WHERE dense_due.id = ?1 AND old.whole = dense_due.whole)",
	[PUT_CHECK] =
		"INSERT INTO dense_check(document_id, chunk_id, answer_id, whole, model, kind, tokens, "
		"agrees, score,"
		" score_delta, mass_recall, text_recall, chance, skill, worst_layer, layer_recall, warned,"
		" byte_start, lengths, missed)"
		" SELECT document_id, chunk_id, answer_id, whole, coalesce((SELECT answer.model FROM "
		"answer WHERE answer.id = answer_id), (SELECT model FROM document WHERE id = document_id)),"
		" ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16 FROM dense_due"
		" WHERE id = ?1",
	[CHECK_IS_DONE] = "DELETE FROM dense_due WHERE id = ?1",
	[GET_CHECKS] = "SELECT id, kind, whole, checked_at, tokens, agrees, score, score_delta, mass_recall, "
		       "text_recall,"
		       " chance, skill, worst_layer, layer_recall, warned, byte_start, lengths, missed,"
		       " (SELECT question_id FROM answer WHERE answer.id = answer_id)"
		       " FROM dense_check WHERE document_id = ?1 ORDER BY id",
	[GET_AUDIT_DAYS] =
		"SELECT substr(checked_at, 1, 10) AS day, folder, count(*), sum(warned), avg(agrees),"
		" avg(score_delta), avg(mass_recall), avg(text_recall), min(skill) FROM dense_check"
		" JOIN document ON document.id = document_id GROUP BY day, folder ORDER BY day DESC, folder"
		" LIMIT ?1",
	/* ?2 the model to be asked; NULL: an answer of any will do. ?3: one that has failed is tried again */
	[ASK_AGAIN] = "UPDATE question SET state = 'asked', " NO_QUESTION_FAILURE " WHERE id = ?1"
		      " AND ((state = 'failed' AND ?3) OR (state = 'answered' AND ?2 IS NOT NULL"
		      "  AND (SELECT fingerprint FROM answer WHERE question_id = ?1) IS NOT ?2))",
	/* ?3 a folder, of which also what is not read yet is asked; NULL: all that is read */
	[ASK_ALL] =
		"INSERT OR IGNORE INTO question(document_id, text, source, ready)"
		" SELECT id, ?1, ?2, " CAN_BE_ASKED " FROM document"
		" WHERE iif(?3 IS NULL, " CAN_BE_ASKED ", folder = ?3 AND state NOT IN ('ignored', 'gone'))",
	[ASK_ALL_AGAIN] =
		"UPDATE question SET state = 'asked', " NO_QUESTION_FAILURE
		" WHERE text = ?1 AND (state = 'failed'"
		" OR (state = 'answered' AND (SELECT fingerprint FROM answer WHERE question_id = question.id)"
		"  IS NOT ?2))",
	[COUNT_QUESTIONS] =
		"SELECT count(*) FROM question WHERE (source = 'folder') IN (0, 1) AND state = ?1",
	[COUNT_ASKED_BY_SOMEBODY] =
		"SELECT count(*) FROM question WHERE (source = 'folder') = 0 AND state = 'asked'",
	[HAS_INBOX_ROW] = "SELECT 1 FROM inbox_row WHERE inbox = ?1 AND row = ?2",
	[PUT_INBOX_ROW] = "INSERT INTO inbox_row(inbox, row) VALUES (?1, ?2)",
	[DELETE_INBOX_ROW] = "DELETE FROM inbox_row WHERE inbox = ?1 AND row = ?2",
	[DELETE_OTHER_INBOXES] = "DELETE FROM inbox_row WHERE inbox <> ?1",
	/* ?1 document, ?2 device, ?3 inode, ?4 size, ?5 mtime_ns, ?6 ctime_ns */
	[HAS_ASK_FILE] = "SELECT 1 FROM ask_file WHERE document_id = ?1 AND device = ?2 AND inode = ?3 AND"
			 " size = ?4 AND mtime_ns = ?5 AND ctime_ns = ?6",
	[PUT_ASK_FILE] =
		"INSERT OR REPLACE INTO ask_file(document_id, device, inode, size, mtime_ns, ctime_ns)"
		" SELECT id, ?2, ?3, ?4, ?5, ?6 FROM document WHERE id = ?1",
	[FAIL_OF_DOCUMENT] = FAIL_QUESTIONS " AND document_id = ?1",
	[FAIL_OF_TEXT] = FAIL_QUESTIONS " AND text = ?1",
	[MAKE_READY] = "UPDATE question SET ready = 1 FROM document WHERE document_id = ?1 AND ready = 0"
		       " AND document.id = ?1 AND " CAN_BE_ASKED,
	/* As QUEUE_DUE has it; its document may have changed meanwhile. */
	[ASK_DUE] = "UPDATE question SET state = 'asked', error = NULL, retry_at = NULL WHERE retry_at "
		    "<= " SQL_TIME("?1") " OR retry_at > " SQL_TIME("?2"),
	[FAIL_ALL] = FAIL_QUESTIONS,
	/* What somebody waits for comes before what a folder asks of every document. */
	[NEXT_QUESTION] = "SELECT question.id, source = 'folder' FROM question INDEXED BY question_ready"
			  " CROSS JOIN document ON document.id = document_id"
			  " WHERE question.state = 'asked' AND ready = 1 AND " CAN_BE_ASKED
			  " ORDER BY source = 'folder', question.id LIMIT 1",
	/* ?1 document, ?2 whether a folder asks */
	[NEXT_QUESTION_BESIDE] =
		"SELECT question.id FROM question JOIN document ON document.id = document_id"
		" WHERE document_id = ?1 AND question.state = 'asked' AND ready = 1"
		" AND (source = 'folder') = ?2 AND " CAN_BE_ASKED " ORDER BY question.id LIMIT 1",
	[MARK_ANSWERING] =
		"UPDATE question SET state = 'answering', error = NULL, retry_at = NULL WHERE id = ?1",
	[PUT_BACK_QUESTION] = "UPDATE question SET state = 'asked' WHERE id = ?1 AND state = 'answering'",
	[PUT_BACK_QUESTIONS] = "UPDATE question SET state = 'asked' WHERE state = 'answering'",
	[COUNT_QUESTION_CRASHES] = "UPDATE question SET crashes = crashes + 1 WHERE state = 'answering'",
	[NEXT_QUESTION_CRASHED] = "SELECT id FROM question WHERE state = 'answering' AND"
				  " crashes >= ?1 LIMIT 1",
	/* ?2 error, ?3 retry_at, ?4 attempts */
	[FAIL_QUESTION] = "UPDATE question SET state = 'failed', error = ?2, retry_at = " SQL_TIME(
		"?3") ", attempts = ?4 WHERE id = ?1",
	[PUT_QUESTION_EVENT] = "INSERT INTO event(level, document_id, message) VALUES ('warning',"
			       " (SELECT document_id FROM question WHERE id = ?1), ?2)",
	[GET_QUESTION_ATTEMPTS] = "SELECT attempts FROM question WHERE id = ?1",
	[GET_QUESTION] = "SELECT " QUESTION_COLUMNS " WHERE question.id = ?1",
	[GET_QUESTIONS] = "SELECT " QUESTION_COLUMNS " WHERE question.document_id = ?1 ORDER BY question.id",
	[NEXT_QUESTION_OF_ALL] =
		"SELECT " QUESTION_COLUMNS " WHERE question.id > ?1 ORDER BY question.id LIMIT 1",
	[NEXT_QUESTION_OF_TEXT] =
		"SELECT " QUESTION_COLUMNS
		" WHERE question.id > ?1 AND question.text = ?2 ORDER BY question.id LIMIT 1",
	[NEXT_QUESTION_OF_DOCUMENT] =
		"SELECT " QUESTION_COLUMNS " WHERE question.id > ?1 AND question.document_id = ?2"
		" AND question.text = coalesce(?3, question.text) ORDER BY question.id LIMIT 1",
	[MARK_ANSWERED] =
		"UPDATE question SET state = 'answered', " NO_QUESTION_FAILURE ", crashes = 0 WHERE id = ?1",
	[PUT_ANSWER] = "INSERT INTO answer(question_id, document_id, text, found, generated, score, model, "
		       "fingerprint,"
		       " prompt_tokens, computed_tokens, reused_tokens, generated_tokens, seconds)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
	[PUT_ANSWER_SEARCH] =
		"INSERT INTO search(rowid, document_id, chunk, kind, body) SELECT -id, document_id, NULL,"
		" 'answer', (SELECT text FROM question WHERE id = question_id) || char(10) || text"
		" FROM answer WHERE id = ?1 AND found",
	[GET_ANSWER_EVIDENCE] =
		"SELECT quote, byte_start, byte_end, page, section, score FROM evidence WHERE answer_id = ?1"
		" ORDER BY id",
	[UNSEARCH_ANSWER] =
		"DELETE FROM search WHERE rowid IN (SELECT -id FROM answer WHERE question_id = ?1)",
	[DELETE_ANSWER] = "DELETE FROM answer WHERE question_id = ?1",
	[UNSEARCH_ANSWERS] =
		"DELETE FROM search WHERE rowid IN (SELECT -id FROM answer WHERE document_id = ?1)",
	[DELETE_ANSWERS] = "DELETE FROM answer WHERE document_id = ?1",
	[ASK_ANEW] = "UPDATE question SET state = 'asked', " NO_QUESTION_FAILURE
		     ", crashes = 0 WHERE document_id = ?1",
	/* ?2 the model that has read the document; ?3 crashes that are too many */
	[ASK_AFTER_READING] =
		"UPDATE question SET state = 'asked', " NO_QUESTION_FAILURE " WHERE document_id = ?1"
		" AND ((state = 'failed' AND crashes < ?3) OR (state = 'answered'"
		"  AND (SELECT fingerprint FROM answer WHERE question_id = question.id) IS NOT ?2))",
	[MARK_TO_PUBLISH] = "UPDATE document SET published = 0 WHERE id = ?1 AND state = 'done'",
	/* What stands in an event's words is the document's path, or its name in quotes. */
	[FORGET_EVENTS] =
		"UPDATE event SET message = 'of a document that was forgotten' WHERE document_id = ?1"
		" OR EXISTS (SELECT 1 FROM document WHERE id = ?1 AND (instr(message, path) > 0"
		"  OR instr(message, '''' || name || '''') > 0 OR instr(message, output) > 0))",
	[FORGET_OUTPUTS] = "DELETE FROM output WHERE document_id = ?1",
	[FORGET_FILE] = "INSERT OR REPLACE INTO forgotten SELECT device, inode, size, mtime_ns, ctime_ns "
			"FROM document"
			" WHERE id = ?1 AND state <> 'gone'",
	[DELETE_DOCUMENT] = "DELETE FROM document WHERE id = ?1",
	/* Words of rows that are gone stand in the index until its segments are merged. */
	[MERGE_SEARCH] = "INSERT INTO search(search) VALUES ('optimize')",
	[ADD_CHORE] = "INSERT OR IGNORE INTO chore(name) VALUES (?1)",
	[DELETE_CHORE] = "DELETE FROM chore WHERE name = ?1",
	[HAS_CHORE] = "SELECT 1 FROM chore WHERE name = ?1",
	[LIST_OLD] = "SELECT id FROM document WHERE state IN ('done', 'gone') AND finished_at < " SQL_TIME(
		"?2") " AND folder = coalesce(?1, folder) ORDER BY id",
};
