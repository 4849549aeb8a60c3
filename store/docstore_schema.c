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

static const char *const STEPS[] = { VERSION_1 };

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
	"generated_tokens, seconds, added_at, finished_at, published"

/* A document that changed or went away while it was read does not become done or failed, but what it is. */
#define STATE_AFTER_READING(state) \
	"CASE WHEN changed THEN 'queued' WHEN state = 'reading' THEN " state " ELSE state END"

#define CHUNK_COLUMNS "id, number, byte_start, byte_end, section, tokens, key"
#define IN_RANGE " WHERE document_id = ?1 AND number BETWEEN ?2 AND ?3"
#define SUMMARY_COLUMNS "id, kind, text, generated, score"

const char *const DOCSTORE_STATEMENTS[N_DOCSTORE_STATEMENTS] = {
	/* ?1 path, ?2 output, ?3 device, ?4 inode, ?5 size, ?6 mtime_ns, ?7 ctime_ns */
	[FIND_FILE] = "SELECT id, state <> 'gone' AND output IS coalesce(?2, output) AND device = ?3 AND "
		      "inode = ?4 AND size = ?5"
		      " AND mtime_ns = ?6 AND ctime_ns = ?7 FROM document WHERE path = ?1",
	[ADD_FILE] =
		"INSERT INTO document(path, output, device, inode, size, mtime_ns, ctime_ns, name, state)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'queued')",
	/* What is being read is read to its end, and queued again then (STATE_AFTER_READING). */
	[CHANGE_FILE] = "UPDATE document SET output = coalesce(?2, output), device = ?3, inode = ?4, size = "
			"?5, mtime_ns = ?6,"
			" ctime_ns = ?7, error = NULL, changed = (state = 'reading'),"
			" stage = iif(state = 'reading', stage, NULL), progress = iif(state = 'reading', "
			"progress, 0),"
			" state = iif(state = 'reading', 'reading', 'queued') WHERE path = ?1",
	/* A rescan that ignores the same file again writes nothing. */
	[IGNORE_FILE] =
		"INSERT INTO document(path, output, device, inode, size, mtime_ns, ctime_ns, name, state, "
		"error,"
		" finished_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'ignored', ?9, " NOW ")"
		" ON CONFLICT (path) DO UPDATE SET output = excluded.output, device = excluded.device,"
		" inode = excluded.inode, size = excluded.size, mtime_ns = excluded.mtime_ns,"
		" ctime_ns = excluded.ctime_ns, state = 'ignored', error = excluded.error, stage = NULL,"
		" changed = 0, finished_at = excluded.finished_at"
		" WHERE state <> 'ignored' OR error IS NOT excluded.error OR output IS NOT excluded.output"
		" OR (device, inode, size, mtime_ns, ctime_ns) IS NOT (excluded.device, excluded.inode,"
		" excluded.size, excluded.mtime_ns, excluded.ctime_ns)",
	/* One that changed while it was read is looked for again before it is given up. */
	[MARK_GONE] = "UPDATE document SET state = iif(changed, 'queued', 'gone'), changed = 0, stage = NULL"
		      " WHERE id = ?1",
	[MARK_PUBLISHED] = "UPDATE document SET published = 1, error = iif(state = 'done', NULL, error)"
			   " WHERE id = ?1",
	[MARK_UNPUBLISHED] = "UPDATE document SET error = ?2 WHERE id = ?1 AND state = 'done'",
	[FORGET_COPIES] = "UPDATE document SET duplicate_of = NULL WHERE duplicate_of = ?1",
	/* One that was read before waits from its end on, so that a file which is always edited starves no other. */
	[NEXT_QUEUED] = "SELECT id FROM document WHERE state = 'queued'"
			" ORDER BY coalesce(finished_at, added_at), id LIMIT 1",
	[MARK_READING] =
		"UPDATE document SET state = 'reading', stage = NULL, progress = 0, error = NULL, changed = 0"
		" WHERE id = ?1",
	[PUT_BACK] = "UPDATE document SET state = iif(state = 'reading', 'queued', state), stage = NULL, "
		     "progress = 0,"
		     " error = NULL, changed = 0 WHERE id = ?1",
	[PUT_BACK_ALL] = "UPDATE document SET state = 'queued', stage = NULL, progress = 0, changed = 0"
			 " WHERE state = 'reading'",
	[SET_PROGRESS] = "UPDATE document SET stage = iif(state = 'reading', ?2, stage),"
			 " progress = iif(state = 'reading', ?3, progress) WHERE id = ?1",
	[MARK_FAILED] = "UPDATE document SET state = " STATE_AFTER_READING(
		"?2") ", error = iif(changed OR state <> 'reading', error, ?3),"
		      " progress = iif(changed, 0, progress), stage = NULL, changed = 0, finished_at = " NOW
		      " WHERE id = ?1",
	[SET_TEXT_FACTS] =
		"UPDATE document SET sha256 = ?2, media_type = ?3, charset = ?4, language = ?5, bytes = ?6,"
		" pages = ?7 WHERE id = ?1",
	[FORGET_RESULTS_OF_OLD_TEXT] = "UPDATE document SET model = NULL, fingerprint = NULL, tokens = NULL,"
				       " duplicate_of = NULL WHERE id = ?1",
	[MARK_DONE] = "UPDATE document SET state = " STATE_AFTER_READING(
		"'done'") ", tokens = ?2, model = ?3,"
			  " fingerprint = ?4, prompt_tokens = ?5, computed_tokens = ?6, reused_tokens = ?7,"
			  " generated_tokens = ?8, seconds = ?9, published = 0, duplicate_of = NULL, error = "
			  "NULL, stage = "
			  "NULL,"
			  " progress = iif(changed OR state <> 'reading', 0, 1), changed = 0, finished_at "
			  "= " NOW " WHERE id = ?1",
	[MARK_COPIED] = "UPDATE document SET state = " STATE_AFTER_READING(
		"'done'") ", (sha256, media_type, charset,"
			  " language, bytes, pages, tokens, model, fingerprint) = (SELECT sha256, "
			  "media_type, charset,"
			  " language, bytes, pages, tokens, model, fingerprint FROM document WHERE id = ?1),"
			  " prompt_tokens = 0, computed_tokens = 0, reused_tokens = 0, generated_tokens = 0, "
			  "seconds = 0,"
			  " duplicate_of = (SELECT iif(coalesce(duplicate_of, id) = ?2, NULL, "
			  "coalesce(duplicate_of, id))"
			  " FROM document WHERE id = ?1), published = 0, error = NULL, stage = NULL,"
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
	[FIND_DONE] = "SELECT id FROM document WHERE sha256 = ?2 AND fingerprint = ?3 AND state = 'done'"
		      " AND id <> ?1 AND media_type IS (SELECT media_type FROM document WHERE id = ?1)"
		      " ORDER BY id LIMIT 1",
	[COUNT_STATE] = "SELECT count(*) FROM document WHERE state = ?1",
	[WAITING_SINCE] = "SELECT min(max(CAST(strftime('%s', coalesce(finished_at, added_at)) AS INTEGER),"
			  " ctime_ns / 1000000000)) FROM document WHERE state = 'queued'",
	[GET_TEXT] = "SELECT bytes, deflated FROM text WHERE document_id = ?1",
	[PUT_TEXT] = "INSERT OR REPLACE INTO text(document_id, bytes, deflated) VALUES (?1, ?2, ?3)",
	[COPY_TEXT] = "INSERT OR REPLACE INTO text(document_id, bytes, deflated)"
		      " SELECT ?2, bytes, deflated FROM text WHERE document_id = ?1",
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
	[FIND_CHUNK] = "SELECT " CHUNK_COLUMNS " FROM chunk WHERE key = ?1 ORDER BY id DESC LIMIT 1",
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
	[PUT_EVIDENCE] = "INSERT INTO evidence(document_id, summary_id, quote, byte_start, byte_end, page, "
			 "section, score)"
			 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[GET_EVIDENCE] =
		"SELECT quote, byte_start, byte_end, page, section, score FROM evidence WHERE summary_id = ?1"
		" ORDER BY id",
	[PUT_OUTPUT] = "INSERT OR REPLACE INTO output(path, sha256, document_id) VALUES (?1, ?2, ?3)",
	[HAS_OUTPUT] = "SELECT 1 FROM output WHERE path = ?1 AND sha256 = ?2",
	[KEEP_OUTPUT] = "DELETE FROM output WHERE path = ?1 AND sha256 <> ?2",
	[PUT_EVENT] = "INSERT INTO event(level, document_id, message) VALUES (?1, ?2, ?3)",
};
