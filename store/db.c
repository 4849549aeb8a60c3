#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/file.h"

/* An existing file is never opened and closed here: closing any descriptor of a file drops this process's POSIX
 * locks on it, and with them those of a connection that is open on it. */
static int make_file(const char *path, unsigned mode)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	int r;

	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	r = fchmod(fd, mode) < 0 ? -errno : 0;
	close(fd);
	/* A new database whose name is lost with the power would take durable rows with it. */
	return r < 0 ? r : file_sync_folder_of(path);
}

int db_resolve(const char *path, unsigned make_mode, char **ret, struct err *err)
{
	int access_mode = make_mode != 0 ? R_OK | W_OK : R_OK;
	char *resolved = realpath(path, NULL);
	int r = 0;

	if (resolved == NULL && errno == ENOENT && make_mode != 0) {
		r = make_file(path, make_mode);
		if (r == 0)
			resolved = realpath(path, NULL);
	}
	if (resolved == NULL) {
		r = r < 0 ? r : -errno;
		return err_set(err, r, "%s: cannot open: %s", path, strerror(-r));
	}
	if (faccessat(AT_FDCWD, resolved, access_mode, AT_EACCESS) < 0) {
		r = -errno;
		free(resolved);
		return err_set(err, r, "%s: cannot open for %s: %s", path,
		               make_mode != 0 ? "writing" : "reading", strerror(-r));
	}
	*ret = resolved;
	return 0;
}

/* What a restart, or somebody who grants it, mends is told apart from a broken disk. */
static int errno_of_opening(int system_errno)
{
	return system_errno == EACCES || system_errno == EMFILE || system_errno == ENFILE ? -system_errno
	                                                                                  : -EIO;
}

static int errno_of(sqlite3 *sqlite)
{
	switch (sqlite3_errcode(sqlite) & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CONSTRAINT:
		return -EINVAL;
	case SQLITE_TOOBIG:
		return -EFBIG;
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return errno_of_opening(sqlite3_system_errno(sqlite));
	case SQLITE_IOERR:
		return sqlite3_system_errno(sqlite) == ENOSPC || sqlite3_system_errno(sqlite) == EDQUOT
		               ? -ENOSPC
		               : -EIO;
	default:
		return -EIO;
	}
}

int db_failed(struct db *db, struct err *err)
{
	int code = sqlite3_errcode(db->sqlite) & 0xff;
	int system_errno = sqlite3_system_errno(db->sqlite);

	if (system_errno != 0 && (code == SQLITE_IOERR || code == SQLITE_CANTOPEN))
		return err_set(err, errno_of(db->sqlite), "%s: %s: %s", db->path, sqlite3_errmsg(db->sqlite),
		               strerror(system_errno));
	return err_set(err, errno_of(db->sqlite), "%s: %s", db->path, sqlite3_errmsg(db->sqlite));
}

/* As a URI, with all of the path encoded that could mean something there. The caller's; NULL: no memory. */
static char *unlocked_uri(const char *path)
{
	static const char PLAIN[] = "/._-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	struct buf uri = { 0 };

	buf_puts(&uri, "file:");
	for (const char *c = path; *c != '\0'; c++) {
		if (strchr(PLAIN, *c) != NULL)
			buf_append(&uri, c, 1);
		else
			buf_printf(&uri, "%%%02X", (unsigned char)*c);
	}
	buf_puts(&uri, "?immutable=1");
	return buf_take(&uri);
}

static int open_sqlite(struct db *db, const struct db_settings *settings)
{
	int flags = settings->unlocked    ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
	            : settings->read_only ? SQLITE_OPEN_READONLY
	                                  : SQLITE_OPEN_READWRITE;
	int no_links = settings->no_links ? SQLITE_OPEN_NOFOLLOW : 0;
	char *name = settings->unlocked ? unlocked_uri(db->path) : strdup(db->path);
	int code;

	if (name == NULL)
		return SQLITE_NOMEM;
	code = sqlite3_open_v2(name, &db->sqlite,
	                       flags | no_links | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, settings->vfs);
	free(name);
	return code;
}

int db_open(const struct db_settings *settings, struct db **ret, struct err *err)
{
	struct db *db = calloc(1, sizeof(*db));
	int r;

	if (db == NULL)
		return err_set(err, -ENOMEM, "%s: no memory", settings->path);
	db->sql = settings->sql;
	db->n_statements = settings->n_sql;
	db->statements = array_new(sqlite3_stmt *, settings->n_sql + 1);
	db->path = strdup(settings->path);
	if (db->statements == NULL || db->path == NULL) {
		db_close(db);
		return err_set(err, -ENOMEM, "%s: no memory", settings->path);
	}
	if (open_sqlite(db, settings) != SQLITE_OK) {
		r = db->sqlite == NULL ? err_set(err, -ENOMEM, "%s: no memory", db->path)
		                       : db_failed(db, err);
		db_close(db);
		return r;
	}
	sqlite3_busy_timeout(db->sqlite, settings->busy_ms);
	*ret = db;
	return 0;
}

void db_close(struct db *db)
{
	if (db == NULL)
		return;
	for (size_t i = 0; i < db->n_statements && db->statements != NULL; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close(db->sqlite);
	free(db->statements);
	free(db->path);
	free(db);
}

int db_exec(struct db *db, const char *sql, struct err *err)
{
	return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_failed(db, err);
}

/* A statement of ours that SQLite cannot make sense of stands before a schema that is not ours any more. */
static int prepare_failed(struct db *db, struct err *err)
{
	int r = db_failed(db, err);

	return (sqlite3_errcode(db->sqlite) & 0xff) == SQLITE_ERROR ? -EBADMSG : r;
}

int db_int_of(struct db *db, const char *sql, int64_t *ret, struct err *err)
{
	sqlite3_stmt *statement = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL) != SQLITE_OK)
		return prepare_failed(db, err);
	if (sqlite3_step(statement) == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	else
		r = db_failed(db, err);
	sqlite3_finalize(statement);
	return r;
}

static int check_versions(struct db *db, const struct db_schema *schema, int64_t *ret_version,
                          bool *ret_empty, struct err *err)
{
	int64_t application_id = 0, version = 0, n_objects = 0;
	int r;

	if ((r = db_int_of(db, "SELECT count(*) FROM sqlite_schema", &n_objects, err)) < 0 ||
	    (r = db_int_of(db, "PRAGMA application_id", &application_id, err)) < 0 ||
	    (r = db_int_of(db, "PRAGMA user_version", &version, err)) < 0)
		return r;
	*ret_version = version;
	*ret_empty = application_id == 0 && version == 0 && n_objects == 0;
	if (*ret_empty)
		return 0;
	if ((uint32_t)application_id != schema->application_id)
		return err_set(err, -EBADMSG, "%s: not a %s (its application id is 0x%08x)", db->path,
		               schema->what, (unsigned)(uint32_t)application_id);
	if (version > schema->n_steps)
		return err_set(err, -EBADMSG,
		               "%s: made by a newer skimd: schema version %lld, this one knows up to %d",
		               db->path, (long long)version, schema->n_steps);
	if (version < 1)
		return err_set(err, -EBADMSG, "%s: not a %s (its schema version is %lld)", db->path,
		               schema->what, (long long)version);
	return 0;
}

int db_check(struct db *db, const struct db_schema *schema, struct err *err)
{
	int64_t version = 0;
	bool empty = false;
	int r = check_versions(db, schema, &version, &empty, err);

	return r < 0 ? r : empty;
}

/* Pragmas take no parameters; the numbers are the schema's own. */
static int set_versions(struct db *db, const struct db_schema *schema, struct err *err)
{
	char sql[96];

	snprintf(sql, sizeof(sql), "PRAGMA application_id = %ld; PRAGMA user_version = %d",
	         (long)(int32_t)schema->application_id, schema->n_steps);
	return db_exec(db, sql, err);
}

/* The names are the schema's own. */
static int add_missing(struct db *db, const struct db_column *column, struct err *err)
{
	char sql[512];
	int64_t is_missing = 0;
	int r;

	snprintf(sql, sizeof(sql),
	         "SELECT EXISTS (SELECT 1 FROM pragma_table_info('%s'))"
	         " AND NOT EXISTS (SELECT 1 FROM pragma_table_info('%s') WHERE name = '%s')",
	         column->table, column->table, column->name);
	if ((r = db_int_of(db, sql, &is_missing, err)) < 0 || is_missing == 0)
		return r;
	snprintf(sql, sizeof(sql), "ALTER TABLE %s ADD COLUMN %s %s", column->table, column->name,
	         column->declaration);
	return db_exec(db, sql, err);
}

static int take_step(struct db *db, const struct db_step *step, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < step->n_columns && r == 0; i++)
		r = add_missing(db, &step->columns[i], err);
	return r < 0 ? r : db_exec(db, step->sql, err);
}

int db_migrate(struct db *db, const struct db_schema *schema, struct err *err)
{
	struct txn txn = txn_begin(db, err);
	int64_t version = 0;
	bool empty = false;

	if (txn.ret == 0)
		txn.ret = check_versions(db, schema, &version, &empty, err);
	if (txn.ret == 0 && version < schema->n_steps) {
		for (int64_t i = version; i < schema->n_steps && txn.ret == 0; i++)
			txn.ret = take_step(db, &schema->steps[i], err);
		if (txn.ret == 0)
			txn.ret = set_versions(db, schema, err);
	}
	return txn_end(&txn);
}

struct db_value db_null(void)
{
	return (struct db_value){ .type = SQLITE_NULL };
}

struct db_value db_int(int64_t integer)
{
	return (struct db_value){ .type = SQLITE_INTEGER, .integer = integer };
}

struct db_value db_int_or_null(int64_t integer)
{
	return integer == 0 ? db_null() : db_int(integer);
}

struct db_value db_real(double real)
{
	return (struct db_value){ .type = SQLITE_FLOAT, .real = real };
}

struct db_value db_text(const char *text)
{
	return text == NULL ? db_null() : db_text_n(text, strlen(text));
}

struct db_value db_text_n(const char *text, size_t n)
{
	return (struct db_value){ .type = SQLITE_TEXT, .bytes = text, .n = n };
}

struct db_value db_blob(const void *bytes, size_t n)
{
	return (struct db_value){ .type = SQLITE_BLOB, .bytes = bytes, .n = n };
}

static int bind(sqlite3_stmt *statement, int parameter, const struct db_value *value)
{
	/* SQLite takes a NULL pointer for NULL, and we mean zero bytes. */
	const void *bytes = value->bytes == NULL ? "" : value->bytes;

	switch (value->type) {
	case SQLITE_INTEGER:
		return sqlite3_bind_int64(statement, parameter, value->integer);
	case SQLITE_FLOAT:
		return sqlite3_bind_double(statement, parameter, value->real);
	case SQLITE_TEXT:
		return sqlite3_bind_text64(statement, parameter, bytes, value->n, SQLITE_STATIC, SQLITE_UTF8);
	case SQLITE_BLOB:
		return sqlite3_bind_blob64(statement, parameter, bytes, value->n, SQLITE_STATIC);
	default:
		return sqlite3_bind_null(statement, parameter);
	}
}

static sqlite3_stmt *statement_with(struct txn *txn, int number, const struct db_value *values,
                                    size_t n_values)
{
	struct db *db = txn->db;
	sqlite3_stmt **statement = &db->statements[number];

	if (txn->ret < 0)
		return NULL;
	if (*statement == NULL &&
	    sqlite3_prepare_v3(db->sqlite, db->sql[number], -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) !=
	            SQLITE_OK) {
		txn->ret = prepare_failed(db, txn->err);
		return NULL;
	}
	for (size_t i = 0; i < n_values; i++) {
		if (bind(*statement, (int)i + 1, &values[i]) != SQLITE_OK) {
			txn->ret = db_failed(db, txn->err);
			row_done(*statement);
			return NULL;
		}
	}
	return *statement;
}

static struct txn begin(struct db *db, const char *sql, struct err *err)
{
	struct txn txn = txn_within(db, err);

	txn.ret = db_exec(db, sql, err);
	return txn;
}

struct txn txn_begin(struct db *db, struct err *err)
{
	return begin(db, "BEGIN IMMEDIATE", err);
}

struct txn txn_begin_read(struct db *db, struct err *err)
{
	return begin(db, "BEGIN", err);
}

struct txn txn_within(struct db *db, struct err *err)
{
	return (struct txn){ .db = db, .err = err };
}

int txn_end(struct txn *txn)
{
	if (txn->ret == 0)
		txn->ret = db_exec(txn->db, "COMMIT", txn->err);
	/* Some failures have rolled back by themselves. */
	if (txn->ret < 0 && !sqlite3_get_autocommit(txn->db->sqlite))
		db_exec(txn->db, "ROLLBACK", NULL);
	return txn->ret;
}

void txn_run_values(struct txn *txn, int statement, const struct db_value *values, size_t n_values)
{
	sqlite3_stmt *row = txn_rows_values(txn, statement, values, n_values);

	while (row != NULL)
		row = txn_next(txn, row);
}

int64_t txn_n_changed(struct txn *txn)
{
	return sqlite3_changes64(txn->db->sqlite);
}

int64_t txn_last_id(struct txn *txn)
{
	return sqlite3_last_insert_rowid(txn->db->sqlite);
}

sqlite3_stmt *txn_rows_values(struct txn *txn, int statement, const struct db_value *values, size_t n_values)
{
	return txn_next(txn, statement_with(txn, statement, values, n_values));
}

sqlite3_stmt *txn_next(struct txn *txn, sqlite3_stmt *row)
{
	int code;

	if (row == NULL)
		return NULL;
	code = txn->ret < 0 ? SQLITE_DONE : sqlite3_step(row);
	if (code == SQLITE_ROW)
		return row;
	if (code != SQLITE_DONE)
		txn->ret = db_failed(txn->db, txn->err);
	row_done(row);
	return NULL;
}

void row_done(sqlite3_stmt *row)
{
	sqlite3_reset(row);
	if (row != NULL)
		sqlite3_clear_bindings(row);
}

void txn_fail(struct txn *txn, int code, const char *format, ...)
{
	char words[sizeof(txn->err->text)];
	va_list args;

	if (txn->ret < 0)
		return;
	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	txn->ret = err_set(txn->err, code, "%s: %s", txn->db->path, words);
}

char *row_text(struct txn *txn, sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);
	char *copy = text == NULL ? NULL : strdup(text);

	if (copy == NULL && sqlite3_column_type(row, column) != SQLITE_NULL)
		txn_fail(txn, -ENOMEM, "no memory for a row");
	return copy;
}
