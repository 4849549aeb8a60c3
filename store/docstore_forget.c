/* The calls of docstore.h by which a document leaves the database, so that no word of it can be found in the file.
 *
 * Deleting is not enough. The full-text index keeps words in segments that are merged some time; SQLite overwrites what
 * it deletes (secure_delete), but not the copies that remain in a page's free room when rows move to another page; and
 * the WAL has old pages. So: merge the index, rewrite the file, empty the WAL. What is left to do is a row of the table
 * chore, written with the deletion, so that a crash or a reader in the way only puts it off. */
#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "store/docstore_internal.h"
#include "store/docstore_rows.h"
#include "store/docstore_schema.h"

#define REWRITE "rewrite" /* the file has bytes of rows that are gone */
#define EMPTY_WAL "empty wal" /* the WAL has, and by it the file */
#define READERS_MS 500 /* that readers get to end what they are doing */

static void need_rest(struct txn *txn, int64_t id)
{
	sqlite3_stmt *row = txn_rows(txn, GET_STATE, db_int(id));
	enum document_state state = row == NULL ? DOCUMENT_GONE : rows_read_state(txn, row, 0);

	row_done(row);
	if (row == NULL)
		txn_fail(txn, -ENOENT, "there is no document %lld", (long long)id);
	else if (state == DOCUMENT_READING)
		txn_fail(txn, -EAGAIN,
		         "document %lld is being read, and cannot be forgotten before that ends",
		         (long long)id);
}

int docstore_forget_rows(struct docstore *store, int64_t id, struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	need_rest(&txn, id);
	txn_run(&txn, FORGET_EVENTS, db_int(id));
	txn_run(&txn, FORGET_OUTPUTS, db_int(id));
	txn_run(&txn, FORGET_FILE, db_int(id));
	rows_delete_summaries(&txn, id);
	rows_delete_answers(&txn, id);
	rows_delete_chunks(&txn, id, INT64_MIN, INT64_MAX);
	txn_run(&txn, DELETE_DOCUMENT, db_int(id));
	txn_run(&txn, ADD_CHORE, db_text(REWRITE));
	return docstore_end(store, &txn);
}

static bool has_chore(struct txn *txn, const char *name)
{
	sqlite3_stmt *row = txn_rows(txn, HAS_CHORE, db_text(name));

	row_done(row);
	return row != NULL;
}

static int merge_search(struct db *db, struct err *err)
{
	struct txn txn = txn_begin(db, err);

	txn_run(&txn, MERGE_SEARCH);
	return txn_end(&txn);
}

/* Done by the time that its chore goes: before, a crash has it done again. */
static int rewrite_file(struct db *db, struct err *err)
{
	struct txn txn;
	int r;

	if ((r = merge_search(db, err)) < 0 || (r = db_exec(db, "VACUUM", err)) < 0)
		return r;
	txn = txn_begin(db, err);
	txn_run(&txn, ADD_CHORE, db_text(EMPTY_WAL));
	txn_run(&txn, DELETE_CHORE, db_text(REWRITE));
	return txn_end(&txn);
}

/* The WAL's pages move into the file, and it is cut to nothing, unless a reader still needs what stands there. */
static int empty_wal(struct db *db, struct err *err)
{
	struct txn txn;
	int64_t busy = 0;
	int r;

	sqlite3_busy_timeout(db->sqlite, READERS_MS);
	r = db_int_of(db, "PRAGMA wal_checkpoint(TRUNCATE)", &busy, err);
	sqlite3_busy_timeout(db->sqlite, DOCSTORE_BUSY_MS);
	if (r < 0)
		return r;
	if (busy != 0)
		return err_set(
			err, -EBUSY,
			"%s: the rows are removed, but a reader holds an old state of the database: their "
			"bytes stay in the file until it ends; skimd removes them then",
			db->path);
	txn = txn_begin(db, err);
	txn_run(&txn, DELETE_CHORE, db_text(EMPTY_WAL));
	return txn_end(&txn);
}

static int scrub(struct db *db, struct err *err)
{
	struct txn txn = txn_begin_read(db, err);
	bool must_rewrite = has_chore(&txn, REWRITE);
	bool must_empty = must_rewrite || has_chore(&txn, EMPTY_WAL);
	int r = txn_end(&txn);

	if (r == 0 && must_rewrite)
		r = rewrite_file(db, err);
	return r == 0 && must_empty ? empty_wal(db, err) : r;
}

int docstore_scrub(struct docstore *store, struct err *err)
{
	int r;

	pthread_mutex_lock(&store->lock);
	r = scrub(store->db, err);
	pthread_mutex_unlock(&store->lock);
	return r;
}

int docstore_forget(struct docstore *store, int64_t id, struct err *err)
{
	int r = docstore_forget_rows(store, id, err);

	return r < 0 ? r : docstore_scrub(store, err);
}

int docstore_list_old(struct docstore *store, const char *folder, int64_t seconds, int64_t **ret_ids,
                      size_t *ret_n, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	int64_t before = store->clock() - seconds, *ids = NULL;
	size_t n = 0, cap = 0;
	sqlite3_stmt *row;
	int r;

	for (row = txn_rows(&txn, LIST_OLD, db_text(folder), db_int(before)); row != NULL;
	     row = txn_next(&txn, row)) {
		if (array_grow(&ids, sizeof(*ids), n, &cap) < 0)
			txn_fail(&txn, -ENOMEM, "no memory for a list of documents");
		else
			ids[n++] = sqlite3_column_int64(row, 0);
	}
	r = docstore_end(store, &txn);
	if (r < 0) {
		free(ids);
		return r;
	}
	*ret_ids = ids;
	*ret_n = n;
	return 0;
}
