#include "store/kvschema.h"

/* Lookup, eviction and checks of keys never read the bytes' overflow pages: those are in a table of their own. */
static const char VERSION_1[] = "CREATE TABLE block("
				" id INTEGER PRIMARY KEY,"
				" key BLOB NOT NULL UNIQUE,"
				" tokens BLOB NOT NULL,"
				" checksum INTEGER NOT NULL,"
				" used INTEGER NOT NULL,"
				" n_bytes INTEGER NOT NULL"
				") STRICT;"
				"CREATE INDEX block_used ON block(used);" KV_DATA_TABLE ";";

/* Keys are in no order, so that each put changes another page of their index: the first bytes do, and make it a third
 * as large. owners: numbers of documents, 8 bytes each, that the block was put or found for; NULL: none. parts: the
 * checksums of each KV_PART_BYTES of the bytes, for reading some of them; NULL in a block of version 1. */
static const char VERSION_2[] =
	"ALTER TABLE block RENAME TO block_1;"
	"CREATE TABLE block("
	" id INTEGER PRIMARY KEY,"
	" key BLOB NOT NULL,"
	" tokens BLOB NOT NULL,"
	" checksum INTEGER NOT NULL,"
	" used INTEGER NOT NULL,"
	" n_bytes INTEGER NOT NULL,"
	" owners BLOB,"
	" parts BLOB"
	") STRICT;"
	"INSERT INTO block SELECT id, key, tokens, checksum, used, n_bytes, NULL, NULL FROM block_1;"
	"DROP TABLE block_1;"
	"CREATE INDEX block_key ON block(substr(key, 1, 4));"
	"CREATE INDEX block_used ON block(used);"
	"CREATE TABLE counts("
	" id INTEGER PRIMARY KEY CHECK (id = 1),"
	" blocks INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL,"
	" hits INTEGER NOT NULL,"
	" misses INTEGER NOT NULL,"
	" damaged INTEGER NOT NULL,"
	" set_aside INTEGER NOT NULL,"
	" stored INTEGER NOT NULL,"
	" bytes_stored INTEGER NOT NULL,"
	" token_bytes_stored INTEGER NOT NULL,"
	" evicted INTEGER NOT NULL,"
	" checksum INTEGER NOT NULL"
	") STRICT;";

static const struct db_step STEPS[] = { { .sql = VERSION_1 }, { .sql = VERSION_2 } };

const struct db_schema KV_SCHEMA = {
	.what = "kv store",
	.application_id = KV_APPLICATION_ID,
	.steps = STEPS,
	.n_steps = sizeof(STEPS) / sizeof(STEPS[0]),
};

const char *const KV_STATEMENTS[N_KV_STATEMENTS] = {
	[KV_FIND] = "SELECT id, tokens, checksum, n_bytes, owners FROM block"
		    " WHERE substr(key, 1, 4) = substr(?1, 1, 4) AND key = ?1",
	[KV_FIND_PARTS] = "SELECT id, n_bytes, parts FROM block"
			  " WHERE substr(key, 1, 4) = substr(?1, 1, 4) AND key = ?1",
	[KV_PUT_BLOCK] =
		"INSERT OR REPLACE INTO block(id, key, tokens, checksum, used, n_bytes, owners, parts)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[KV_PUT_DATA] = "INSERT OR REPLACE INTO data(id, bytes) VALUES (?1, ?2)",
	[KV_DELETE_BLOCK] = "DELETE FROM block WHERE id = ?1",
	[KV_DELETE_DATA] = "DELETE FROM data WHERE id = ?1",
	[KV_TOUCH] = "UPDATE block SET used = ?2 WHERE id = ?1",
	[KV_OWN] = "UPDATE block SET owners = ?2 WHERE id = ?1",
	[KV_OWNED] = "SELECT id, n_bytes, owners FROM block WHERE owners IS NOT NULL",
	[KV_OLDEST] = "SELECT id, key, n_bytes FROM block ORDER BY used",
	[KV_TOTALS] = "SELECT count(*), CAST(total(n_bytes) AS INTEGER), max(used), max(id),"
		      " (SELECT max(id) FROM data) FROM block",
	[KV_COUNTS] = "SELECT blocks, bytes, hits, misses, damaged, set_aside, stored, bytes_stored,"
		      " token_bytes_stored, evicted, checksum FROM counts WHERE id = ?1",
	[KV_COUNT] =
		"INSERT OR REPLACE INTO counts(id, blocks, bytes, hits, misses, damaged, set_aside, stored,"
		" bytes_stored, token_bytes_stored, evicted, checksum)"
		" VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[KV_PAGE_COUNT] = "PRAGMA page_count",
	[KV_FREE_PAGES] = "PRAGMA freelist_count",
};
