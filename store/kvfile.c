#include "store/kvfile.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Attention state is the text in another form: nobody else reads it. */
#define FILE_MODE 0600

#define MIN_JOURNAL_PAGES 48
#define MAX_JOURNAL_PAGES 2048 /* 32 MiB */
#define JOURNAL_HEADERS (4 * KV_PAGE_BYTES) /* one sector each time that it is synced */
#define JOURNAL_RECORD (KV_PAGE_BYTES + 8) /* page number, page, checksum */
#define POINTERS_PER_MAP_PAGE (KV_PAGE_BYTES / 5) /* auto_vacuum's map of which page points to which */
#define MAX_PAGES 0x3fffffff

/* The file's first bytes: SQLite's magic, and the application id in big-endian. */
#define HEADER_BYTES 72
#define ID_OFFSET 68
#define APPLICATION_ID 0x736b6d6b /* "skmk" */
#define MAX_DAMAGED 100 /* files that were set aside and are not to be replaced */
#define FOREIGN (-EMEDIUMTYPE) /* another program's database: nothing is done to it */

/* Lookup, eviction and checks of keys never read the bytes' overflow pages: those are in a table of their own. */
static const char VERSION_1[] = "CREATE TABLE block("
				" id INTEGER PRIMARY KEY,"
				" key BLOB NOT NULL UNIQUE,"
				" tokens BLOB NOT NULL,"
				" checksum INTEGER NOT NULL,"
				" used INTEGER NOT NULL,"
				" n_bytes INTEGER NOT NULL"
				") STRICT;"
				"CREATE INDEX block_used ON block(used);"
				"CREATE TABLE data(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;";

static const char *const STEPS[] = { VERSION_1 };

static const struct db_schema SCHEMA = {
	.what = "kv store",
	.application_id = APPLICATION_ID,
	.steps = STEPS,
	.n_steps = 1,
};

static const char *const STATEMENTS[N_KV_STATEMENTS] = {
	[KV_FIND] = "SELECT id, tokens, checksum, n_bytes FROM block WHERE key = ?1",
	[KV_PUT_BLOCK] =
		"INSERT INTO block(id, key, tokens, checksum, used, n_bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[KV_PUT_DATA] = "INSERT INTO data(bytes) VALUES (?1)",
	[KV_DELETE_BLOCK] = "DELETE FROM block WHERE id = ?1",
	[KV_DELETE_DATA] = "DELETE FROM data WHERE id = ?1",
	[KV_TOUCH] = "UPDATE block SET used = ?2 WHERE id = ?1",
	[KV_OLDEST] = "SELECT id, key, n_bytes FROM block ORDER BY used",
	[KV_TOTALS] = "SELECT count(*), coalesce(sum(n_bytes), 0), coalesce(max(used), 0) FROM block",
	[KV_PAGE_COUNT] = "PRAGMA page_count",
	[KV_FREE_PAGES] = "PRAGMA freelist_count",
};

/* The more room, the fewer commits; what is reckoned for is several times what is used. */
static uint64_t journal_pages_of(uint64_t budget_bytes)
{
	uint64_t n_pages = budget_bytes / 16 / KV_PAGE_BYTES;

	if (n_pages < MIN_JOURNAL_PAGES)
		return MIN_JOURNAL_PAGES;
	return n_pages > MAX_JOURNAL_PAGES ? MAX_JOURNAL_PAGES : n_pages;
}

static void split_budget(struct kvfile *file, uint64_t budget_bytes)
{
	uint64_t journal_pages = journal_pages_of(budget_bytes), max_pages;

	max_pages = (budget_bytes - journal_pages * JOURNAL_RECORD - JOURNAL_HEADERS) / KV_PAGE_BYTES;
	file->journal_pages = (int64_t)journal_pages;
	file->max_pages = max_pages > MAX_PAGES ? MAX_PAGES : (int64_t)max_pages;
}

static int64_t journal_limit(const struct kvfile *file)
{
	return file->journal_pages * JOURNAL_RECORD + JOURNAL_HEADERS;
}

static int64_t size_of(const char *path, const char *suffix)
{
	char name[PATH_MAX];
	struct stat status;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return stat(name, &status) < 0 ? 0 : status.st_size;
}

/* Page size and pointer map are chosen before anything is read; a file that has content keeps its own. */
static int choose_layout(struct kvfile *file, struct err *err)
{
	if (size_of(file->path, "") > 0)
		return 0;
	return db_exec(file->db, "PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL", err);
}

/* The lock comes first, and what says whose file it is before anything that could change it. Debian's SQLite
 * overwrites what is deleted unless told not to, which doubles the bytes written. */
static int open_ours(struct kvfile *file, struct err *err)
{
	int r;

	if ((r = choose_layout(file, err)) < 0 ||
	    (r = db_exec(
		     file->db,
		     "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = NORMAL;"
		     "PRAGMA secure_delete = OFF; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
		     "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;"
		     "BEGIN EXCLUSIVE; COMMIT",
		     err)) < 0)
		return r == -EBUSY ? err_set(err, r, "%s: in use by another process", file->path) : r;
	if ((r = db_check(file->db, &SCHEMA, err)) < 0 ||
	    (r = db_exec(file->db, "PRAGMA journal_mode = PERSIST", err)) < 0)
		return r;
	return db_migrate(file->db, &SCHEMA, err);
}

/* A larger budget may have left a larger journal; the end of a transaction that writes cuts it. */
static int limit_journal(struct kvfile *file, struct err *err)
{
	char sql[80];
	int r;

	snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit = %lld", (long long)journal_limit(file));
	if ((r = db_exec(file->db, sql, err)) < 0 || size_of(file->path, "-journal") <= journal_limit(file))
		return r;
	return db_exec(file->db, "BEGIN; PRAGMA user_version = 0; PRAGMA user_version = 1; COMMIT", err);
}

static bool is_database(const uint8_t header[HEADER_BYTES])
{
	return memcmp(header, "SQLite format 3", 16) == 0;
}

static bool is_kv_store(const uint8_t header[HEADER_BYTES])
{
	uint32_t id;

	memcpy(&id, header + ID_OFFSET, sizeof(id));
	return is_database(header) && be32toh(id) == APPLICATION_ID;
}

/* Before the first statement, as even a lock could change a database that has a journal. Through SQLite's own
 * descriptor: closing another of the same file would drop this process's locks on it. */
static int check_owner(const struct kvfile *file, struct err *err)
{
	uint8_t header[HEADER_BYTES] = { 0 };
	sqlite3_file *handle = NULL;

	if (sqlite3_file_control(file->db->sqlite, "main", SQLITE_FCNTL_FILE_POINTER, &handle) != SQLITE_OK ||
	    handle == NULL || handle->pMethods == NULL ||
	    handle->pMethods->xRead(handle, header, HEADER_BYTES, 0) != SQLITE_OK)
		return 0; /* shorter than any database, or not to be read: the next statement finds out */
	if (is_database(header) && !is_kv_store(header))
		return err_set(err, FOREIGN, "%s: not a kv store: left alone", file->path);
	return 0;
}

static int open_db(struct kvfile *file, struct err *err)
{
	struct db_settings settings = { .path = file->path, .sql = STATEMENTS, .n_sql = N_KV_STATEMENTS };
	int r = db_open(&settings, &file->db, err);

	file->in_transaction = false;
	file->n_journaled = 0;
	if (r < 0 || (r = check_owner(file, err)) < 0 || (r = open_ours(file, err)) < 0 ||
	    (r = limit_journal(file, err)) < 0) {
		db_close(file->db);
		file->db = NULL;
	}
	return r;
}

int kvfile_open(struct kvfile *file, const char *path, uint64_t budget_bytes, struct err *ret_replaced,
                struct err *err)
{
	struct err why = { "" };
	int r;

	*file = (struct kvfile){ 0 };
	split_budget(file, budget_bytes);
	if ((r = db_resolve(path, FILE_MODE, &file->path, err)) < 0)
		return r;
	r = open_db(file, &why);
	if (r == -EBADMSG) {
		if (ret_replaced != NULL)
			*ret_replaced = why;
		r = kvfile_set_aside(file, &why);
	} else if (ret_replaced != NULL) {
		ret_replaced->text[0] = '\0';
	}
	if (r < 0) {
		kvfile_close(file);
		return err_set(err, r == FOREIGN ? -EBADMSG : r, "%s", why.text);
	}
	return 0;
}

void kvfile_close(struct kvfile *file)
{
	kvfile_rollback(file);
	db_close(file->db);
	free(file->path);
	*file = (struct kvfile){ 0 };
}

int kvfile_step(struct kvfile *file, int64_t n_pages, struct err *err)
{
	int r;

	if (file->in_transaction && file->n_journaled + n_pages > file->journal_pages &&
	    (r = kvfile_commit(file, err)) < 0)
		return r;
	if (!file->in_transaction) {
		if ((r = db_exec(file->db, "BEGIN IMMEDIATE", err)) < 0)
			return r;
		file->in_transaction = true;
		file->n_journaled = 0;
	}
	file->n_journaled += n_pages;
	return 0;
}

int kvfile_commit(struct kvfile *file, struct err *err)
{
	int r;

	if (!file->in_transaction)
		return 0;
	r = db_exec(file->db, "COMMIT", err);
	if (r < 0)
		kvfile_rollback(file);
	file->in_transaction = false;
	return r;
}

void kvfile_rollback(struct kvfile *file)
{
	if (file->in_transaction && !sqlite3_get_autocommit(file->db->sqlite))
		db_exec(file->db, "ROLLBACK", NULL);
	file->in_transaction = false;
}

/* Pages of the pointer map that change with a block: those of its own pages, and of up to 24 neighbours' first
 * overflow pages, whose cells move when leaves are balanced; never more than there are. */
static int64_t n_map_pages(const struct kvfile *file, size_t n_bytes)
{
	int64_t n_all = file->max_pages / POINTERS_PER_MAP_PAGE + 1;
	int64_t n_touched = (int64_t)(n_bytes / KV_PAGE_BYTES) + 2 + 24;

	return n_touched < n_all ? n_touched : n_all;
}

/* Trees of three levels. Each insert at the end: 3, 8 into an index; in the middle: 8 (three siblings and their
 * parent, twice); the header, and 2 trunks of the free list. */
int64_t kvfile_put_cost(const struct kvfile *file, size_t n_bytes)
{
	return 3 + 3 + 3 + 8 + 8 + 1 + n_map_pages(file, n_bytes);
}

/* 8 for each of four trees, 2 for a cell that moves up from a leaf, the header, 3 trunks. */
int64_t kvfile_delete_cost(const struct kvfile *file, size_t n_bytes)
{
	return 4 * 8 + 2 + 1 + 3 + n_map_pages(file, n_bytes);
}

/* used has one width, so the row stays where it is; its index entry goes from one end to the other. */
int64_t kvfile_touch_cost(void)
{
	return 1 + 2 * 8 + 2 + 1;
}

static int pages(struct kvfile *file, int statement, int64_t *ret, struct err *err)
{
	struct txn txn = txn_within(file->db, err);
	sqlite3_stmt *row = txn_rows(&txn, statement);

	if (row != NULL)
		*ret = sqlite3_column_int64(row, 0);
	row_done(row);
	return txn.ret;
}

int kvfile_room(struct kvfile *file, int64_t *ret_pages, struct err *err)
{
	int64_t n = 0, n_free = 0;
	int r;

	if ((r = pages(file, KV_PAGE_COUNT, &n, err)) < 0 ||
	    (r = pages(file, KV_FREE_PAGES, &n_free, err)) < 0)
		return r;
	*ret_pages = file->max_pages - n + n_free;
	return 0;
}

/* Each page that moves takes the page before it in its chain, its own, and parts of the maps into the journal. */
static int vacuum_some(struct kvfile *file, struct err *err)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%lld)", (long long)(file->journal_pages / 8));
	return db_exec(file->db, sql, err);
}

int kvfile_shrink(struct kvfile *file, struct err *err)
{
	int64_t n = 0, n_before = INT64_MAX;
	char sql[64];
	int r;

	while ((r = pages(file, KV_PAGE_COUNT, &n, err)) == 0 && n > file->max_pages && n < n_before) {
		n_before = n;
		if ((r = vacuum_some(file, err)) < 0)
			return r;
	}
	if (r < 0)
		return r;
	if (n > file->max_pages)
		return err_set(err, -EIO, "%s: %lld pages cannot be brought down to %lld", file->path,
		               (long long)n, (long long)file->max_pages);
	snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %lld", (long long)file->max_pages);
	return db_exec(file->db, sql, err);
}

static int make_anew(struct kvfile *file, struct err *err)
{
	char *path = NULL;
	int r = db_resolve(file->path, FILE_MODE, &path, err);

	free(path);
	if (r < 0 || (r = open_db(file, err)) < 0)
		return r;
	return kvfile_shrink(file, err);
}

/* Whether nothing is lost when a file takes this name. */
static bool may_replace(const char *path)
{
	uint8_t header[HEADER_BYTES];
	struct stat status;
	bool may;
	int fd;

	if (lstat(path, &status) < 0)
		return errno == ENOENT;
	if (!S_ISREG(status.st_mode) || (fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return false;
	may = read(fd, header, sizeof(header)) == HEADER_BYTES && is_kv_store(header);
	close(fd);
	return may;
}

/* A name for the damaged file, short enough for a suffix behind it; ret is room for PATH_MAX. */
static int choose_name(const struct kvfile *file, char *ret, struct err *err)
{
	size_t n = (size_t)snprintf(ret, PATH_MAX, "%s.damaged", file->path);

	for (int i = 1; n + strlen(".99-journal") < PATH_MAX && i <= MAX_DAMAGED; i++) {
		if (may_replace(ret))
			return 0;
		snprintf(ret, PATH_MAX, "%s.damaged.%d", file->path, i);
	}
	return err_set(err, -EEXIST, "%s: no name to set it aside under", file->path);
}

/* A journal that stayed behind would be rolled back into the new file. */
int kvfile_set_aside(struct kvfile *file, struct err *err)
{
	static const char *const SUFFIXES[] = { "-journal", "-wal", "-shm", "" };
	char name[PATH_MAX], from[PATH_MAX + 16], to[PATH_MAX + 16];
	int r;

	kvfile_rollback(file);
	db_close(file->db);
	file->db = NULL;
	if ((r = choose_name(file, name, err)) < 0)
		return r;
	for (size_t i = 0; i < sizeof(SUFFIXES) / sizeof(SUFFIXES[0]); i++) {
		snprintf(from, sizeof(from), "%s%s", file->path, SUFFIXES[i]);
		snprintf(to, sizeof(to), "%s%s", name, SUFFIXES[i]);
		if (rename(from, to) == 0 || (errno == ENOENT && (unlink(to) == 0 || errno == ENOENT)))
			continue;
		return err_set(err, -errno, "%s: cannot set aside: %s", from, strerror(errno));
	}
	return make_anew(file, err);
}

uint64_t kvfile_bytes(const struct kvfile *file)
{
	return (uint64_t)(size_of(file->path, "") + size_of(file->path, "-journal"));
}
