#include "store/inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"
#include "store/db.h"
#include "store/inbox_vfs.h"

#define APPLICATION_ID 0x736b6d71 /* "skmq" */
#define MAX_FILE_BYTES ((off_t)64 << 20)
#define N_BATCH 256 /* rows that are in memory at a time */
#define BUSY_MS 100
#define MAX_VALUE_BYTES 65536
#define OPS_BETWEEN_LOOKS 1000 /* of SQLite's machine */
#define MAX_LOOKS 100000 /* a damaged tree can be read for ever */

#define AS_TEXT(number) AS_TEXT_(number)
#define AS_TEXT_(number) #number
#define NOW "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')"
#define REFUSE(condition, words) "SELECT RAISE(ABORT, '" words "') WHERE " condition ";"
#define BYTES_OF(column) "length(CAST(NEW." column " AS BLOB))"

/* As SQLite keeps them in sqlite_schema. */
static const char TABLE[] = "CREATE TABLE question("
			    "id INTEGER PRIMARY KEY AUTOINCREMENT"
			    " CONSTRAINT id_is_given_by_the_inbox CHECK (id BETWEEN 1 AND 1000000000000000), "
			    "document TEXT NOT NULL, "
			    "text TEXT NOT NULL, "
			    "asked_at TEXT NOT NULL DEFAULT (" NOW "), "
			    "error TEXT) STRICT";
static const char SEQUENCE[] = "CREATE TABLE sqlite_sequence(name,seq)";
static const char ON_INSERT[] = "CREATE TRIGGER question_is_sound BEFORE INSERT ON question BEGIN " REFUSE(
	"NEW.document IS NULL OR NEW.document = ''",
	"document: say which one: its name, its path or its number in skimd.db")
	REFUSE(BYTES_OF("document") " > " AS_TEXT(INBOX_MAX_TEXT),
               "document: has more than " AS_TEXT(INBOX_MAX_TEXT) " bytes")
		REFUSE("NEW.text IS NULL OR trim(NEW.text) = ''", "text: the question is empty") REFUSE(
			"typeof(NEW.text) <> 'text' OR typeof(NEW.document) <> 'text'",
			"document and text: "
			"must be text") REFUSE(BYTES_OF("text") " > " AS_TEXT(INBOX_MAX_TEXT),
                                               "text: the question has more than " AS_TEXT(
						       INBOX_MAX_TEXT) " bytes")
			REFUSE("instr(CAST(NEW.text AS BLOB), x'00') OR instr(CAST(NEW.document AS BLOB), "
                               "x'00')"
                               " OR NEW.text GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'",
                               "text: has a line break or another control character")
				REFUSE("NEW.error IS NOT NULL OR NEW.asked_at IS NOT " NOW,
                                       "asked_at and error are for skimd to set: give document and text")
					REFUSE("(SELECT count(*) FROM question) >= " AS_TEXT(INBOX_MAX_ROWS),
                                               "the inbox is full: " AS_TEXT(
						       INBOX_MAX_ROWS) " questions wait") "END";
static const char ON_UPDATE[] = "CREATE TRIGGER question_stays BEFORE UPDATE ON question BEGIN " REFUSE(
	"1", "a question cannot be changed: delete it, and ask another") "END";

enum inbox_statement { GET_SCHEMA, GET_ROWS, DELETE_ROW, SET_ERROR, N_STATEMENTS };

static const char *const STATEMENTS[N_STATEMENTS] = {
	[GET_SCHEMA] = "SELECT sql FROM sqlite_schema ORDER BY rowid LIMIT 8",
	/* ?2 now; ?3 for how long rows are kept, also where their time is nonsense */
	[GET_ROWS] = "SELECT id, document, text, error, coalesce(strftime('%s', asked_at) + ?3 < ?2, 1)"
		     " FROM question WHERE id > ?1 ORDER BY id LIMIT " AS_TEXT(N_BATCH),
	[DELETE_ROW] = "DELETE FROM question WHERE id = ?1",
	[SET_ERROR] = "UPDATE question SET error = ?2 WHERE id = ?1",
};

struct inbox {
	struct inbox_settings settings;
	char *path; /* without links */
	char name[16]; /* of the inbox.db that is open, from its user_version */
	int n_looks; /* of watch_machine(), since it was opened */
	bool at_fault; /* what failed is the file, and not who takes its rows */
	atomic_bool cancelled;
};

/* A row in memory, and what becomes of it. */
struct row {
	int64_t id;
	char *document, *text, *error;
	bool is_old, is_sound;
	bool remove;
	char *new_error; /* NULL: as it is */
};

struct rows {
	struct row *items;
	size_t n, cap;
};

static void rows_done(struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		free(rows->items[i].document);
		free(rows->items[i].text);
		free(rows->items[i].error);
		free(rows->items[i].new_error);
	}
	free(rows->items);
	*rows = (struct rows){ 0 };
}

static int64_t system_clock(void)
{
	return (int64_t)time(NULL);
}

int inbox_new(const struct inbox_settings *settings, struct inbox **ret, struct err *err)
{
	struct inbox *inbox = calloc(1, sizeof(*inbox));
	char folder[PATH_MAX], copy[PATH_MAX];
	int r = inbox_vfs_register();

	if (inbox == NULL || r < 0) {
		free(inbox);
		return err_set(err, r < 0 ? r : -ENOMEM, "%s: SQLite does not start", settings->path);
	}
	inbox->settings = *settings;
	if (settings->clock == NULL)
		inbox->settings.clock = system_clock;
	snprintf(copy, sizeof(copy), "%s", settings->path);
	if (realpath(dirname(copy), folder) == NULL) {
		r = err_set(err, -errno, "%s: %s", settings->path, strerror(errno));
		free(inbox);
		return r;
	}
	if (asprintf(&inbox->path, "%s/%s", folder, strrchr(settings->path, '/') + 1) < 0) {
		free(inbox);
		return err_set(err, -ENOMEM, "%s: no memory", settings->path);
	}
	*ret = inbox;
	return 0;
}

void inbox_free(struct inbox *inbox)
{
	if (inbox == NULL)
		return;
	free(inbox->path);
	free(inbox);
}

void inbox_cancel(struct inbox *inbox)
{
	atomic_store(&inbox->cancelled, true);
}

/* Non-zero ends what SQLite is doing. */
static int watch_machine(void *user)
{
	struct inbox *inbox = user;

	return atomic_load(&inbox->cancelled) || ++inbox->n_looks > MAX_LOOKS;
}

static void harden(struct inbox *inbox, struct db *db)
{
	static const struct {
		int what, most;
	} LIMITS[] = { { SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES },
		       { SQLITE_LIMIT_SQL_LENGTH, MAX_VALUE_BYTES },
		       { SQLITE_LIMIT_ATTACHED, 1 }, /* of VACUUM */
		       { SQLITE_LIMIT_TRIGGER_DEPTH, 1 } };
	static const struct {
		int what, value;
	} SWITCHES[] = { { SQLITE_DBCONFIG_DEFENSIVE, 1 },
		         { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		         { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
		         { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
		         { SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 } };

	for (size_t i = 0; i < sizeof(LIMITS) / sizeof(LIMITS[0]); i++)
		sqlite3_limit(db->sqlite, LIMITS[i].what, LIMITS[i].most);
	for (size_t i = 0; i < sizeof(SWITCHES) / sizeof(SWITCHES[0]); i++)
		sqlite3_db_config(db->sqlite, SWITCHES[i].what, SWITCHES[i].value, NULL);
	inbox->n_looks = 0;
	sqlite3_progress_handler(db->sqlite, OPS_BETWEEN_LOOKS, watch_machine, inbox);
}

static int open_db(struct inbox *inbox, const char *path, bool read_only, struct db **ret, struct err *err)
{
	struct db_settings settings = { .path = path,
		                        .read_only = read_only,
		                        .vfs = INBOX_VFS,
		                        .no_links = true,
		                        .busy_ms = BUSY_MS,
		                        .sql = STATEMENTS,
		                        .n_sql = N_STATEMENTS };
	int r;

	inbox_vfs_allow(inbox->path);
	if ((r = db_open(&settings, ret, err)) < 0)
		return r;
	harden(inbox, *ret);
	r = db_exec(*ret,
	            "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
	            "PRAGMA secure_delete = ON;",
	            err);
	if (r < 0)
		db_close(*ret);
	return r;
}

/* Whether the schema is ours to the letter: only then no statement of ours can set off something else. */
static int check_schema(struct db *db, struct err *err)
{
	static const char *const OURS[] = { TABLE, SEQUENCE, ON_INSERT, ON_UPDATE };
	struct txn txn = txn_within(db, err);
	bool same = true;
	sqlite3_stmt *row;
	size_t n = 0;

	for (row = txn_rows(&txn, GET_SCHEMA); row != NULL; row = txn_next(&txn, row), n++) {
		const char *sql = (const char *)sqlite3_column_text(row, 0);

		same = same && n < sizeof(OURS) / sizeof(OURS[0]) && sql != NULL && strcmp(sql, OURS[n]) == 0;
	}
	if (txn.ret == 0 && (!same || n != sizeof(OURS) / sizeof(OURS[0])))
		txn_fail(&txn, -EBADMSG, "its tables and triggers are not those of an inbox");
	return txn.ret;
}

static int check_db(struct inbox *inbox, struct db *db, struct err *err)
{
	int64_t application_id = 0, name = 0;
	int r;

	if ((r = db_int_of(db, "PRAGMA application_id", &application_id, err)) < 0 ||
	    (r = db_int_of(db, "PRAGMA user_version", &name, err)) < 0)
		return r;
	if (application_id != APPLICATION_ID)
		return err_set(err, -EBADMSG, "%s: is not an inbox", db->path);
	snprintf(inbox->name, sizeof(inbox->name), "%lld", (long long)name);
	return check_schema(db, err);
}

static int open_checked(struct inbox *inbox, bool read_only, struct db **ret, struct err *err)
{
	int r = open_db(inbox, inbox->path, read_only, ret, err);

	if (r == 0 && (r = check_db(inbox, *ret, err)) < 0)
		db_close(*ret);
	return r;
}

/* A name for this file among all: rows of one that came before are not taken for those of this. */
static int set_versions(struct db *db, struct err *err)
{
	uint32_t number;
	char sql[96];

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return err_set(err, -EIO, "%s: no random numbers", db->path);
	snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
	         (int)(number >> 1));
	return db_exec(db, sql, err);
}

static int make_tables(struct inbox *inbox, const char *path, struct err *err)
{
	static const char *const CREATE[] = { TABLE, ON_INSERT, ON_UPDATE };
	struct db *db;
	int r = open_db(inbox, path, false, &db, err);

	if (r < 0)
		return r;
	r = db_exec(db, "PRAGMA journal_mode = OFF", err);
	for (size_t i = 0; r == 0 && i < sizeof(CREATE) / sizeof(CREATE[0]); i++)
		r = db_exec(db, CREATE[i], err);
	if (r == 0)
		r = set_versions(db, err);
	db_close(db);
	return r;
}

/* Empty, ours alone; whoever may write in the folder can put another in its place, which then is none of ours. */
static int make_file(const char *path, struct err *err)
{
	int fd;

	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot be made: %s", path, strerror(errno));
	close(fd);
	return 0;
}

static int open_to_group(const struct inbox *inbox, const char *path, struct err *err)
{
	int fd, r = 0;

	if (inbox->settings.group == (gid_t)-1)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fchown(fd, (uid_t)-1, inbox->settings.group) < 0 || fchmod(fd, 0660) < 0)
		r = err_set(err, -errno, "%s: cannot be given to its group: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return r;
}

/* Whole under another name first: no client sees one without its triggers. */
static int make(struct inbox *inbox, struct err *err)
{
	char path[PATH_MAX];
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s" INBOX_NEW_SUFFIX, inbox->path) >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "%s: the name is too long", inbox->path);
	if ((r = make_file(path, err)) < 0)
		return r;
	if ((r = make_tables(inbox, path, err)) == 0 && (r = open_to_group(inbox, path, err)) == 0)
		r = file_rename_new(path, inbox->path, err);
	if (r < 0)
		unlink(path);
	return r == -EEXIST ? 0 : r; /* what is there now is looked at next */
}

/* A link, a FIFO or a socket has nothing in it to be kept, and walls may not let us make another. */
static int move_away(const char *from, const char *to)
{
	struct stat st;

	if (lstat(from, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return unlink(from) < 0 ? -errno : 0;
	remove(to); /* an empty folder as well */
	return rename(from, to) < 0 ? -errno : 0;
}

/* What it was, with its journal, is kept for somebody to look at; one of them, so that nobody fills the disk with them. */
static int set_aside(const struct inbox *inbox, const struct err *why, struct err *err)
{
	static const char *const PARTS[] = { "-journal", "-wal", "-shm", "" };
	char from[PATH_MAX], to[PATH_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(PARTS) / sizeof(PARTS[0]); i++) {
		if ((size_t)snprintf(to, sizeof(to), "%s.damaged%s", inbox->path, PARTS[i]) >= sizeof(to))
			return err_set(err, -ENAMETOOLONG, "%s: the name is too long", inbox->path);
		snprintf(from, sizeof(from), "%s%s", inbox->path, PARTS[i]);
		r = move_away(from, to);
	}
	return r < 0 ? err_set(err, r, "%s, and %s cannot be set aside: %s", why->text, from, strerror(-r))
	             : 0;
}

/* -ENOENT; -EBADMSG: something that SQLite shall not see at all. */
static int check_file(const struct inbox *inbox, struct err *err)
{
	char log[PATH_MAX];
	struct stat st;

	if (lstat(inbox->path, &st) < 0)
		return err_set(err, -errno, "%s: %s", inbox->path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EBADMSG, "%s: is not a regular file", inbox->path);
	if (st.st_size > MAX_FILE_BYTES)
		return err_set(err, -EBADMSG, "%s: has %lld bytes, more than any inbox needs", inbox->path,
		               (long long)st.st_size);
	snprintf(log, sizeof(log), "%s-wal", inbox->path);
	if (lstat(log, &st) == 0) /* clients would write there, where nobody looks */
		return err_set(err, -EBADMSG, "%s: has a write-ahead log", inbox->path);
	return 0;
}

static char *copy_text(struct txn *txn, sqlite3_stmt *row, int column, bool *is_sound)
{
	const char *text = (const char *)sqlite3_column_text(row, column);
	int n = sqlite3_column_bytes(row, column);

	if (sqlite3_column_type(row, column) != SQLITE_TEXT || n > INBOX_MAX_TEXT ||
	    strlen(text) != (size_t)n)
		*is_sound = false;
	return *is_sound ? row_text(txn, row, column) : NULL;
}

static void keep_row(struct txn *txn, sqlite3_stmt *from, struct rows *rows)
{
	struct row *row;

	if (array_grow(&rows->items, sizeof(*rows->items), rows->n, &rows->cap) < 0) {
		txn_fail(txn, -ENOMEM, "no memory for the questions");
		return;
	}
	row = &rows->items[rows->n++];
	*row = (struct row){ .id = sqlite3_column_int64(from, 0), .is_sound = true };
	row->document = copy_text(txn, from, 1, &row->is_sound);
	row->text = copy_text(txn, from, 2, &row->is_sound);
	if (sqlite3_column_type(from, 3) != SQLITE_NULL)
		row->error = row_text(txn, from, 3);
	row->is_old = sqlite3_column_int(from, 4) != 0;
}

static int read_rows(struct inbox *inbox, struct db *db, int64_t after, struct rows *ret, struct err *err)
{
	struct txn txn = txn_within(db, err);
	sqlite3_stmt *row;

	for (row = txn_rows(&txn, GET_ROWS, db_int(after), db_int(inbox->settings.clock()),
	                    db_int(INBOX_KEEP_S));
	     row != NULL; row = txn_next(&txn, row))
		keep_row(&txn, row, ret);
	return txn.ret;
}

/* The next rows, without holding a lock when this returns. A journal that a client left behind can only be rolled back by
 * who may write. */
static int load_rows(struct inbox *inbox, int64_t after, struct rows *ret, struct err *err)
{
	struct db *db;
	int r;

	if ((r = check_file(inbox, err)) < 0)
		return r;
	r = open_checked(inbox, true, &db, err);
	if (r == -EACCES || r == -EIO)
		r = open_checked(inbox, false, &db, err);
	if (r < 0)
		return r;
	r = read_rows(inbox, db, after, ret, err);
	db_close(db);
	return r;
}

static int set_error(struct row *row, const char *words)
{
	if (row->error != NULL && strcmp(row->error, words) == 0)
		return 0;
	row->new_error = strdup(words);
	return row->new_error == NULL ? -ENOMEM : 0;
}

static int judge(struct inbox *inbox, struct row *row, struct inbox_counts *counts, struct err *err)
{
	struct inbox_row offered = { row->id, row->document, row->text };
	struct err why = { "" };
	int r;

	if (!row->is_sound) { /* only past the triggers */
		row->remove = true;
		return 0;
	}
	r = inbox->settings.take(inbox->settings.user, inbox->name, &offered, &why, err);
	if (r < 0)
		return r;
	row->remove = r == INBOX_TAKEN || row->is_old;
	counts->n_taken += r == INBOX_TAKEN;
	counts->n_waiting += !row->remove;
	return row->remove ? 0 : set_error(row, why.text);
}

static bool is_changed(const struct row *row)
{
	return row->remove || row->new_error != NULL;
}

static int write_rows(struct db *db, const struct rows *rows, struct err *err)
{
	struct txn txn = txn_begin(db, err);

	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->items[i];

		if (row->remove)
			txn_run(&txn, DELETE_ROW, db_int(row->id));
		else if (row->new_error != NULL)
			txn_run(&txn, SET_ERROR, db_int(row->id), db_text(row->new_error));
	}
	return txn_end(&txn);
}

/* What was deleted is overwritten, but not what remains of it where pages were filled anew. */
static int forget_words(struct db *db, struct err *err)
{
	int64_t n = 0;
	int r = db_int_of(db, "SELECT count(*) FROM question", &n, err);

	return r == 0 && n == 0 ? db_exec(db, "VACUUM", err) : r;
}

/* The file may be another one since the rows were read: its name is compared. */
static int write_changes(struct inbox *inbox, const char *name, const struct rows *rows, struct err *err)
{
	struct db *db;
	int r;

	if ((r = open_checked(inbox, false, &db, err)) < 0)
		return r;
	r = strcmp(name, inbox->name) == 0
	            ? write_rows(db, rows, err)
	            : err_set(err, -EBUSY, "%s: is another file than a moment ago", inbox->path);
	if (r == 0)
		r = forget_words(db, err);
	db_close(db);
	return r;
}

static int clean(struct inbox *inbox, const struct rows *rows, struct err *err)
{
	char name[sizeof(inbox->name)];
	int r;

	memcpy(name, inbox->name, sizeof(name));
	r = write_changes(inbox, name, rows, err);
	inbox->at_fault = r < 0;
	for (size_t i = 0; r == 0 && i < rows->n; i++) {
		if (rows->items[i].remove)
			r = inbox->settings.removed(inbox->settings.user, name, rows->items[i].id, err);
	}
	return r;
}

static int handle_rows(struct inbox *inbox, bool may_clean, struct rows *rows, struct inbox_counts *counts,
                       struct err *err)
{
	size_t n_changed = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < rows->n; i++) {
		r = atomic_load(&inbox->cancelled) ? err_set(err, -ECANCELED, "told to stop")
		                                   : judge(inbox, &rows->items[i], counts, err);
		n_changed += r == 0 && is_changed(&rows->items[i]);
	}
	if (r < 0 || n_changed == 0)
		return r;
	counts->to_clean = true;
	if (!may_clean)
		return 0;
	r = clean(inbox, rows, err);
	counts->to_clean = r < 0;
	return r;
}

static int look(struct inbox *inbox, bool may_clean, struct inbox_counts *counts, struct err *err)
{
	int64_t after = 0;
	size_t n = N_BATCH;
	int r = 0;

	while (r == 0 && n == N_BATCH) {
		struct rows rows = { 0 };

		r = load_rows(inbox, after, &rows, err);
		inbox->at_fault = r < 0;
		n = rows.n;
		if (r == 0 && n > 0) {
			after = rows.items[n - 1].id;
			r = handle_rows(inbox, may_clean, &rows, counts, err);
		}
		rows_done(&rows);
	}
	return r;
}

/* Not the file's fault. */
static bool passes(int r)
{
	return r == -EBUSY || r == -ENOMEM || r == -ENOSPC || r == -EMFILE || r == -ENFILE || r == -ECANCELED;
}

int inbox_look(struct inbox *inbox, bool may_clean, struct inbox_counts *ret, struct err *ret_aside,
               struct err *err)
{
	int r;

	*ret = (struct inbox_counts){ 0 };
	ret_aside->text[0] = '\0';
	inbox->at_fault = false;
	r = look(inbox, may_clean, ret, err);
	if (r < 0 && atomic_load(&inbox->cancelled))
		return err_set(err, -ECANCELED, "told to stop");
	if (r == 0 || !inbox->at_fault || passes(r))
		return r;
	if (r != -ENOENT) {
		struct err why = *err;

		if ((r = set_aside(inbox, &why, err)) < 0)
			return r;
		*ret_aside = why;
	}
	return make(inbox, err);
}
