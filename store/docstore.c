#include "store/docstore.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/buf.h"
#include "store/docstore_internal.h"
#include "store/docstore_lock.h"
#include "store/docstore_rows.h"
#include "store/docstore_schema.h"

#define FILE_MODE 0640

/* A persistent WAL lets a user who may only read open the database while nobody has it open for writing. */
static const char PRAGMAS[] = "PRAGMA foreign_keys = ON;"
			      "PRAGMA trusted_schema = OFF;"
			      "PRAGMA temp_store = MEMORY;";
static const char WRITER_PRAGMAS[] = "PRAGMA journal_mode = WAL;"
				     "PRAGMA synchronous = FULL;"
				     "PRAGMA secure_delete = ON;" /* see docstore_scrub() */
				     "PRAGMA journal_size_limit = 16777216;";
/* Debian 12's SQLite can corrupt a WAL when two processes checkpoint: the writer alone does. */
static const char READER_PRAGMAS[] = "PRAGMA query_only = ON;"
				     "PRAGMA wal_autocheckpoint = 0;";

static struct txn begin(struct docstore *store, bool durable, struct err *err)
{
	struct txn txn;
	int r = 0;

	pthread_mutex_lock(&store->lock);
	if (store->durable != durable)
		r = db_exec(store->db, durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
		            NULL);
	if (r == 0)
		store->durable = durable;
	txn = txn_begin(store->db, err);
	if (r < 0)
		txn_fail(&txn, r, "no memory for a transaction");
	return txn;
}

struct txn docstore_begin(struct docstore *store, struct err *err)
{
	return begin(store, true, err);
}

struct txn docstore_begin_passing(struct docstore *store, struct err *err)
{
	return begin(store, false, err);
}

struct txn docstore_begin_read(struct docstore *store, struct err *err)
{
	pthread_mutex_lock(&store->lock);
	return txn_begin_read(store->db, err);
}

int docstore_end(struct docstore *store, struct txn *txn)
{
	int r = txn_end(txn);

	pthread_mutex_unlock(&store->lock);
	return r;
}

int docstore_change(struct docstore *store, int statement, int64_t id, struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	txn_run(&txn, statement, db_int(id));
	docstore_need_row(&txn, id);
	return docstore_end(store, &txn);
}

void docstore_need_row(struct txn *txn, int64_t id)
{
	if (txn->ret == 0 && txn_n_changed(txn) == 0)
		txn_fail(txn, -ENOENT, "there is no document %lld", (long long)id);
}

/* What a step of ours does to rows nobody can take back. */
static int save_old(struct docstore *store, struct err *err)
{
	int64_t version = 0;
	int r = db_int_of(store->db, "PRAGMA user_version", &version, err);

	if (r < 0 || version >= DOCSTORE_SCHEMA.n_steps)
		return r;
	r = docstore_save_old(store, err);
	return r < 0 ? err_prefix(err, r, "cannot be copied before it is brought up to date: ") : 0;
}

static int open_writer(struct docstore *store, bool empty, struct err *err)
{
	int r;

	if ((r = db_exec(store->db, WRITER_PRAGMAS, err)) < 0 || (!empty && (r = save_old(store, err)) < 0))
		return r;
	return db_migrate(store->db, &DOCSTORE_SCHEMA, err);
}

static int open_reader(struct docstore *store, bool empty, struct err *err)
{
	int no_checkpoint = 0;
	int64_t version = 0;
	int r = db_int_of(store->db, "PRAGMA user_version", &version, err);

	if (r < 0)
		return r;
	if (empty)
		return err_set(err, -ENOENT, "%s: empty: no skimd has used it yet", store->db->path);
	if (version < DOCSTORE_SCHEMA.n_steps)
		return err_set(err, -EBADMSG,
		               "%s: made by an older skimd: schema version %lld, this one needs %d; it is"
		               " brought up to date when it is opened for writing",
		               store->db->path, (long long)version, DOCSTORE_SCHEMA.n_steps);
	sqlite3_db_config(store->db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &no_checkpoint);
	return db_exec(store->db, READER_PRAGMAS, err);
}

static int open_db(struct docstore *store, const char *path, struct err *err)
{
	struct db_settings settings = {
		.path = path,
		.read_only = store->read_only,
		.busy_ms = DOCSTORE_BUSY_MS,
		.sql = DOCSTORE_STATEMENTS,
		.n_sql = N_DOCSTORE_STATEMENTS,
	};
	int persist = 1, empty, r;

	if ((r = db_open(&settings, &store->db, err)) < 0)
		return r;
	store->durable = true; /* as PRAGMAS have it */
	sqlite3_file_control(store->db->sqlite, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
	if ((r = db_exec(store->db, PRAGMAS, err)) < 0 ||
	    (r = db_check(store->db, &DOCSTORE_SCHEMA, err)) < 0)
		return r;
	empty = r;
	return store->read_only ? open_reader(store, empty, err) : open_writer(store, empty, err);
}

static int open_file(struct docstore *store, const struct docstore_settings *settings, struct err *err)
{
	char *path = NULL;
	int r = db_resolve(settings->path, store->read_only ? 0 : FILE_MODE, &path, err);

	if (r < 0)
		return r;
	if (!store->read_only)
		r = docstore_lock(path, settings, &store->lock_fd, &store->last_writer, err);
	if (r == 0)
		r = open_db(store, path, err);
	free(path);
	return r;
}

static int64_t system_clock(void)
{
	return (int64_t)time(NULL);
}

int docstore_open(const struct docstore_settings *settings, struct docstore **ret, struct err *err)
{
	struct docstore *store = calloc(1, sizeof(*store));
	int r;

	if (store == NULL)
		return err_set(err, -ENOMEM, "%s: no memory", settings->path);
	pthread_mutex_init(&store->lock, NULL);
	store->lock_fd = -1;
	store->read_only = settings->mode == DOCSTORE_READ;
	store->clock = settings->clock != NULL ? settings->clock : system_clock;
	if (strcmp(settings->path, DB_IN_MEMORY) == 0)
		r = open_db(store, settings->path, err);
	else
		r = open_file(store, settings, err);
	if (r == 0 && !store->read_only)
		r = docstore_recover(store, store->last_writer == 0, err);
	if (r == 0 && !store->read_only)
		docstore_scrub(store, NULL); /* what a reader is in the way of waits for docstore_close() */
	if (r < 0) {
		docstore_close(store);
		return r;
	}
	store->is_open = true;
	*ret = store;
	return 0;
}

/* The lock goes last: by then the database is at rest. One that could not be opened is left to the next, crash and all. */
void docstore_close(struct docstore *store)
{
	if (store == NULL)
		return;
	if (store->is_open && !store->read_only) {
		docstore_scrub(store, NULL);
		db_exec(store->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL);
	}
	db_close(store->db);
	docstore_unlock(store->lock_fd, store->is_open ? 0 : store->last_writer);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

/* Where that is lost, they are written once more. */
int docstore_published(struct docstore *store, int64_t id, struct err *err)
{
	struct txn txn = docstore_begin_passing(store, err);

	txn_run(&txn, MARK_PUBLISHED, db_int(id));
	docstore_need_row(&txn, id);
	return docstore_end(store, &txn);
}

static int end_with_document(struct docstore *store, struct txn *txn, struct document *document,
                             struct document *ret)
{
	int r = docstore_end(store, txn);

	if (r < 0)
		document_done(document);
	else
		*ret = *document;
	return r;
}

int docstore_get(struct docstore *store, int64_t id, struct document *ret, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	sqlite3_stmt *row = txn_rows(&txn, GET_DOCUMENT, db_int(id));
	struct document document = { 0 };

	if (row == NULL)
		txn_fail(&txn, -ENOENT, "there is no document %lld", (long long)id);
	else
		rows_read_document(&txn, row, &document);
	row_done(row);
	return end_with_document(store, &txn, &document, ret);
}

/* 0: none is behind id; 1. */
static int next_document(struct docstore *store, int64_t id, struct document *ret, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	sqlite3_stmt *row = txn_rows(&txn, NEXT_DOCUMENT, db_int(id));
	struct document document = { 0 };
	int r;

	if (row != NULL)
		rows_read_document(&txn, row, &document);
	row_done(row);
	r = end_with_document(store, &txn, &document, ret);
	return r < 0 ? r : row != NULL;
}

int docstore_next(struct docstore *store, int64_t id, struct document *ret, struct err *err)
{
	int r = next_document(store, id, ret, err);

	return r == 0  ? err_set(err, -ENOENT, "there is no document behind %lld", (long long)id)
	       : r < 0 ? r
	               : 0;
}

/* A transaction for each row, so that a slow callback, or one that calls the store, keeps nobody waiting. */
int docstore_each(struct docstore *store, int (*each)(void *user, const struct document *document),
                  void *user, struct err *err)
{
	struct document document = { 0 };
	int64_t id = 0;
	int r;

	while ((r = next_document(store, id, &document, err)) > 0) {
		id = document.id;
		r = each(user, &document);
		document_done(&document);
		if (r != 0)
			return r;
	}
	return r;
}

/* Up to three of the rows, as "1 report.pdf, 7 report.pdf", and whether there are more. */
static void fail_with_several(struct txn *txn, const char *word, sqlite3_stmt *row)
{
	struct buf names = { 0 };
	int n = 0;

	for (; row != NULL; row = txn_next(txn, row), n++) {
		if (n < 3)
			buf_printf(&names, "%s%lld %s", n == 0 ? "" : ", ",
			           (long long)sqlite3_column_int64(row, 0), sqlite3_column_text(row, 1));
	}
	txn_fail(txn, -ENOTUNIQ, "'%s' means several documents: %s%s", word,
	         names.data == NULL ? "" : names.data, n > 3 ? ", and more" : "");
	buf_done(&names);
}

/* The one row of a search; 0: none. */
static int64_t find_one(struct txn *txn, int statement, const char *word)
{
	sqlite3_stmt *row = txn_rows(txn, statement, db_text(word));
	int64_t id = row == NULL ? 0 : sqlite3_column_int64(row, 0);

	if (txn_next(txn, row) == NULL)
		return id;
	row_done(row);
	fail_with_several(txn, word, txn_rows(txn, statement, db_text(word)));
	return 0;
}

static int64_t find_id(struct txn *txn, const char *word)
{
	sqlite3_stmt *row;
	char *end;
	long long id;

	if (!isdigit((unsigned char)word[0]))
		return 0;
	errno = 0;
	id = strtoll(word, &end, 10);
	if (*end != '\0' || errno != 0)
		return 0;
	row = txn_rows(txn, HAS_DOCUMENT, db_int(id));
	row_done(row);
	return row == NULL ? 0 : id;
}

static int resolve(struct docstore *store, const char *word, const int *searches, size_t n_searches,
                   int64_t *ret_id, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	int64_t id = find_id(&txn, word);
	int r;

	for (size_t i = 0; i < n_searches && id == 0 && word[0] != '\0'; i++)
		id = find_one(&txn, searches[i], word);
	if (id == 0)
		txn_fail(&txn, -ENOENT, "no document is named '%s'", word);
	r = docstore_end(store, &txn);
	if (r == 0)
		*ret_id = id;
	return r;
}

int docstore_resolve(struct docstore *store, const char *word, int64_t *ret_id, struct err *err)
{
	static const int SEARCHES[] = { FIND_PATH, FIND_NAME, FIND_PART_OF_NAME };

	return resolve(store, word, SEARCHES, sizeof(SEARCHES) / sizeof(SEARCHES[0]), ret_id, err);
}

int docstore_find_named(struct docstore *store, const char *word, int64_t *ret_id, struct err *err)
{
	static const int SEARCHES[] = { FIND_PATH, FIND_NAME };

	return resolve(store, word, SEARCHES, sizeof(SEARCHES) / sizeof(SEARCHES[0]), ret_id, err);
}

int docstore_count(struct docstore *store, enum document_state state, int64_t *ret_n, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	int64_t n = rows_first_integer(txn_rows(&txn, COUNT_STATE, db_text(document_state_name(state))));
	int r = docstore_end(store, &txn);

	if (r == 0)
		*ret_n = n;
	return r;
}

int docstore_waiting_since(struct docstore *store, int64_t *ret_seconds, struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	sqlite3_stmt *row = txn_rows(&txn, WAITING_SINCE);
	bool none = row == NULL || sqlite3_column_type(row, 0) == SQLITE_NULL;
	int64_t seconds = none ? 0 : sqlite3_column_int64(row, 0);
	int r;

	row_done(row);
	r = docstore_end(store, &txn);
	if (r < 0)
		return r;
	if (none)
		return err_set(err, -ENOENT, "no document is queued");
	*ret_seconds = seconds;
	return 0;
}

int docstore_output_add(struct docstore *store, int64_t id, const char *path, const char *sha256,
                        struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	txn_run(&txn, PUT_OUTPUT, db_text(path), db_text(sha256), db_int_or_null(id));
	return docstore_end(store, &txn);
}

int docstore_output_keep(struct docstore *store, const char *path, const char *sha256, struct err *err)
{
	struct txn txn = docstore_begin(store, err);

	txn_run(&txn, KEEP_OUTPUT, db_text(path), db_text(sha256));
	return docstore_end(store, &txn);
}

int docstore_output_is_ours(struct docstore *store, const char *path, const char *sha256, bool *ret,
                            struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	sqlite3_stmt *row = txn_rows(&txn, HAS_OUTPUT, db_text(path), db_text(sha256));
	int r;

	row_done(row);
	r = docstore_end(store, &txn);
	if (r == 0)
		*ret = row != NULL;
	return r;
}

struct outputs {
	struct output {
		char *path, *sha256;
	} * items;
	size_t n, cap;
};

static void add_output(struct txn *txn, sqlite3_stmt *row, struct outputs *outputs)
{
	struct output *output;

	if (array_grow(&outputs->items, sizeof(*outputs->items), outputs->n, &outputs->cap) < 0) {
		txn_fail(txn, -ENOMEM, "no memory for the outputs");
		return;
	}
	output = &outputs->items[outputs->n++];
	output->path = row_text(txn, row, 0);
	output->sha256 = row_text(txn, row, 1);
}

int docstore_each_output(struct docstore *store, int64_t id,
                         int (*each)(void *user, const char *path, const char *sha256), void *user,
                         struct err *err)
{
	struct txn txn = docstore_begin_read(store, err);
	struct outputs outputs = { 0 };
	sqlite3_stmt *row;
	int r;

	for (row = txn_rows(&txn, GET_OUTPUTS, db_int(id)); row != NULL; row = txn_next(&txn, row))
		add_output(&txn, row, &outputs);
	r = docstore_end(store, &txn);
	for (size_t i = 0; i < outputs.n; i++) {
		if (r == 0)
			r = each(user, outputs.items[i].path, outputs.items[i].sha256);
		free(outputs.items[i].path);
		free(outputs.items[i].sha256);
	}
	free(outputs.items);
	return r;
}
