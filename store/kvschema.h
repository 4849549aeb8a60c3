/* kv.db's tables, and the statements on them. */
#ifndef SKIMD_STORE_KVSCHEMA_H
#define SKIMD_STORE_KVSCHEMA_H

#include "store/db.h"

#define KV_APPLICATION_ID 0x736b6d6b /* "skmk" */
#define KV_DATA_TABLE "CREATE TABLE data(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT"

enum kv_statement {
	KV_FIND,
	KV_FIND_PARTS,
	KV_PUT_BLOCK,
	KV_PUT_DATA,
	KV_DELETE_BLOCK,
	KV_DELETE_DATA,
	KV_TOUCH,
	KV_OWN,
	KV_OWNED,
	KV_OLDEST,
	KV_TOTALS,
	KV_COUNTS,
	KV_COUNT,
	KV_PAGE_COUNT,
	KV_FREE_PAGES,
	N_KV_STATEMENTS
};

extern const char *const KV_STATEMENTS[N_KV_STATEMENTS];
extern const struct db_schema KV_SCHEMA;

#endif
