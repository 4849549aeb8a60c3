/* One SQLite connection: files made with a mode, statements by number, transactions, migrations, and failures as
 * a negative errno with words that name the file.
 *
 * -ENOSPC: disk or page limit full; -EBADMSG: damaged, not a database, foreign, of another version; -EBUSY: locked
 * by another; -ENOMEM; -EACCES: no permission; -EINVAL: a CHECK or another constraint of the schema; -EFBIG: a
 * value too large for SQLite; -EIO: all else. One thread at a time; the owner of a db sees to that. */
#ifndef SKIMD_STORE_DB_H
#define SKIMD_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DB_IN_MEMORY ":memory:"

struct db {
	sqlite3 *sqlite;
	char *path; /* absolute, links followed */
	const char *const *sql; /* statements by number, prepared at first use */
	sqlite3_stmt **statements;
	size_t n_statements;
};

struct db_settings {
	const char *path; /* absolute (see db_resolve()), or DB_IN_MEMORY */
	bool read_only;
	bool unlocked; /* read-only, and past all locks and journals: whoever writes is not seen and not disturbed */
	const char *vfs; /* of SQLite; NULL: its usual one */
	bool no_links; /* a symbolic link on the way to it is an error */
	int busy_ms; /* how long to wait for another process's lock */
	const char *const *sql; /* n_sql statements, for as long as the db is open */
	size_t n_sql;
};

/* A column that some tables of a version have, and some have not. */
struct db_column {
	const char *table, *name, *declaration;
};

/* First the columns that are missing are added, of tables that are there; then the SQL is run. */
struct db_step {
	const char *sql;
	const struct db_column *columns;
	size_t n_columns;
};

/* steps[i] leads from user_version i to i + 1. */
struct db_schema {
	const char *what; /* "skimd database", for the words */
	uint32_t application_id;
	const struct db_step *steps;
	int n_steps;
};

/* The absolute path without links that path means; with make_mode not 0 the file is made, empty and with exactly
 * this mode, if it is missing. *ret is the caller's. -ENOENT, -EACCES, and other errors of open(2). */
int db_resolve(const char *path, unsigned make_mode, char **ret, struct err *err);

/* Nothing is read yet: a file that is no database is found out by the first statement. */
int db_open(const struct db_settings *settings, struct db **ret, struct err *err);
void db_close(struct db *db); /* NULL is allowed */

/* Run SQL text without values: pragmas, schema. Rows are thrown away. */
int db_exec(struct db *db, const char *sql, struct err *err);

/* One integer, such as a pragma's. */
int db_int_of(struct db *db, const char *sql, int64_t *ret, struct err *err);

/* 0: the schema's, of a version it knows; 1: an empty file; -EBADMSG. */
int db_check(struct db *db, const struct db_schema *schema, struct err *err);

/* Bring an empty or older database up to the newest version, in one transaction. */
int db_migrate(struct db *db, const struct db_schema *schema, struct err *err);

/* SQLite's last failure on this connection as an errno and words. */
int db_failed(struct db *db, struct err *err);

/* A value for a statement's parameter. Bytes are borrowed until the statement has run. */
struct db_value {
	int type; /* SQLITE_INTEGER, SQLITE_FLOAT, … */
	int64_t integer;
	double real;
	const void *bytes;
	size_t n;
};

struct db_value db_null(void);
struct db_value db_int(int64_t integer);
struct db_value db_int_or_null(int64_t integer); /* 0 is NULL */
struct db_value db_real(double real);
struct db_value db_text(const char *text); /* NULL is NULL */
struct db_value db_text_n(const char *text, size_t n);
struct db_value db_blob(const void *bytes, size_t n);

#define DB_VALUES(...)                            \
	(const struct db_value[]){ __VA_ARGS__ }, \
		sizeof((const struct db_value[]){ __VA_ARGS__ }) / sizeof(struct db_value)

/* Steps that succeed or fail together. The first failure sticks, and the steps after it do nothing. */
struct txn {
	struct db *db;
	struct err *err;
	int ret;
};

struct txn txn_begin(struct db *db, struct err *err); /* for writing */
struct txn txn_begin_read(struct db *db, struct err *err); /* one view of the database for several queries */
struct txn txn_within(struct db *db, struct err *err); /* steps of a transaction that is ended elsewhere */
int txn_end(struct txn *txn); /* commit, or roll back and return the first failure */

/* The statement's number, then its values. */
#define txn_run(txn, ...) TXN_RUN_(txn, __VA_ARGS__)
#define TXN_RUN_(txn, statement, ...) txn_run_values(txn, statement, DB_VALUES(__VA_ARGS__))
void txn_run_values(struct txn *txn, int statement, const struct db_value *values, size_t n_values);

/* Rows that the last txn_run() changed, its id, after txn_run() of an INSERT. */
int64_t txn_n_changed(struct txn *txn);
int64_t txn_last_id(struct txn *txn);

/* for (row = txn_rows(&txn, STATEMENT, values…); row != NULL; row = txn_next(&txn, row)): a failure ends the
 * loop, and a loop that is left early calls row_done(). A statement is one loop at a time. */
#define txn_rows(txn, ...) TXN_ROWS_(txn, __VA_ARGS__)
#define TXN_ROWS_(txn, statement, ...) txn_rows_values(txn, statement, DB_VALUES(__VA_ARGS__))
sqlite3_stmt *txn_rows_values(struct txn *txn, int statement, const struct db_value *values, size_t n_values);
sqlite3_stmt *txn_next(struct txn *txn, sqlite3_stmt *row);
void row_done(sqlite3_stmt *row); /* NULL is allowed */

/* A failure that is not SQLite's. Does nothing after the first. */
void txn_fail(struct txn *txn, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A column as a string of the caller's; NULL for NULL, and when there is no memory, which fails the txn. */
char *row_text(struct txn *txn, sqlite3_stmt *row, int column);

#endif
