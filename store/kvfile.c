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

#include "store/kvcounts.h"
#include "store/kvschema.h"

/* Attention state is the text in another form: nobody else reads it. */
#define FILE_MODE 0600

#define CACHE_BYTES (8 << 20) /* SQLite's, in memory */
#define MIN_JOURNAL_PAGES 48
#define MAX_JOURNAL_PAGES 2048 /* 32 MiB */
#define JOURNAL_HEADERS (4 * KV_PAGE_BYTES) /* one sector each time that it is synced */
#define JOURNAL_RECORD (KV_PAGE_BYTES + 8) /* page number, page, checksum */
#define COUNTS_PAGES 1 /* that the row of counts journals at the end */
#define BATCH_BYTES CACHE_BYTES /* of new blocks: more would have to be written before the commit */
#define POINTERS_PER_MAP_PAGE (KV_PAGE_BYTES / 5) /* auto_vacuum's map of which page points to which */
#define MAX_PAGES 0x3fffffff
#define TIDY_SHARE 8 /* one page in so many may be free for good */

/* The file's first bytes: SQLite's magic, and the application id in big-endian. */
#define HEADER_BYTES 72
#define ID_OFFSET 68
#define MAX_DAMAGED 100 /* files that were set aside and are not to be replaced */
#define FOREIGN (-EMEDIUMTYPE) /* another program's database: nothing is done to it */

/* The more room, the fewer commits. */
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
	file->budget_bytes = budget_bytes;
	file->journal_pages = (int64_t)journal_pages;
	file->max_pages = max_pages > MAX_PAGES ? MAX_PAGES : (int64_t)max_pages;
}

static int64_t journal_limit(const struct kvfile *file)
{
	return file->journal_pages * JOURNAL_RECORD + JOURNAL_HEADERS;
}

static int64_t size_of(const char *path, const char *suffix)
{
	char name[PATH_MAX + 16];
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

static int open_failed(const struct kvfile *file, int r, struct err *err)
{
	if (r == -EBUSY)
		return err_set(err, r, "%s: in use by another process", file->path);
	/* such as "unsupported file format" */
	return (sqlite3_errcode(file->db->sqlite) & 0xff) == SQLITE_ERROR ? -EBADMSG : r;
}

/* The lock comes first, and what says whose file it is before anything that could change it. Debian's SQLite
 * overwrites what is deleted unless told not to, which doubles the bytes written. */
static int open_ours(struct kvfile *file, struct err *err)
{
	char sql[64];
	int r;

	snprintf(sql, sizeof(sql), "PRAGMA cache_size = -%d", CACHE_BYTES / 1024);
	if ((r = choose_layout(file, err)) < 0 || (r = db_exec(file->db, sql, err)) < 0 ||
	    (r = db_exec(
		     file->db,
		     "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = NORMAL;"
		     "PRAGMA secure_delete = OFF; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
		     "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; BEGIN EXCLUSIVE; COMMIT",
		     err)) < 0)
		return open_failed(file, r, err);
	if (sqlite3_db_readonly(file->db->sqlite, "main") != 0)
		return err_set(err, -EBADMSG, "%s: its header allows nobody to write", file->path);
	if ((r = db_check(file->db, &KV_SCHEMA, err)) < 0 ||
	    (r = db_exec(file->db, "PRAGMA journal_mode = TRUNCATE", err)) < 0)
		return r;
	return db_migrate(file->db, &KV_SCHEMA, err);
}

/* Earlier versions kept the journal between transactions; the end of one that writes empties it. */
static int limit_journal(struct kvfile *file, struct err *err)
{
	char sql[96];

	if (size_of(file->path, "-journal") <= journal_limit(file))
		return 0;
	snprintf(sql, sizeof(sql), "BEGIN; PRAGMA user_version = 0; PRAGMA user_version = %d; COMMIT",
	         KV_SCHEMA.n_steps);
	return db_exec(file->db, sql, err);
}

static bool is_database(const uint8_t *header)
{
	return memcmp(header, "SQLite format 3", 16) == 0;
}

static bool is_kv_store(const uint8_t *header)
{
	uint32_t id;

	memcpy(&id, header + ID_OFFSET, sizeof(id));
	return is_database(header) && be32toh(id) == KV_APPLICATION_ID;
}

/* Before the first statement, as even a lock could change a database that has a journal. Through SQLite's own
 * descriptor: closing another of the same file would drop this process's locks on it. The application id may be what
 * is damaged, so a first page with our table is ours, too. */
static int check_owner(const struct kvfile *file, struct err *err)
{
	uint8_t page[KV_PAGE_BYTES] = { 0 };
	sqlite3_file *handle = NULL;

	if (sqlite3_file_control(file->db->sqlite, "main", SQLITE_FCNTL_FILE_POINTER, &handle) != SQLITE_OK ||
	    handle == NULL || handle->pMethods == NULL)
		return 0;
	handle->pMethods->xRead(handle, page, KV_PAGE_BYTES, 0); /* a short file leaves zeros */
	if (is_database(page) && !is_kv_store(page) &&
	    memmem(page, KV_PAGE_BYTES, KV_DATA_TABLE, strlen(KV_DATA_TABLE)) == NULL)
		return err_set(err, FOREIGN, "%s: not a kv store: left alone", file->path);
	return 0;
}

static int open_db(struct kvfile *file, struct err *err)
{
	struct db_settings settings = { .path = file->path, .sql = KV_STATEMENTS, .n_sql = N_KV_STATEMENTS };
	int r = db_open(&settings, &file->db, err);

	file->in_transaction = false;
	if (r < 0 || (r = check_owner(file, err)) < 0 || (r = open_ours(file, err)) < 0 ||
	    (r = limit_journal(file, err)) < 0) {
		db_close(file->db);
		file->db = NULL;
	}
	return r;
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

/* What belongs to a database, itself last: a journal that stayed behind would be rolled back into the new file. */
static const char *const SUFFIXES[] = { "-journal", "-wal", "-shm", "" };
#define N_SUFFIXES (sizeof(SUFFIXES) / sizeof(SUFFIXES[0]))

static void aside_name(const struct kvfile *file, char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s.damaged", file->path);
}

static void look_aside(struct kvfile *file)
{
	char name[PATH_MAX];

	aside_name(file, name);
	file->aside_bytes = may_replace(name) ? kvfile_bytes(name) : 0;
}

static void remove_aside(struct kvfile *file)
{
	char name[PATH_MAX], path[PATH_MAX + 16];

	aside_name(file, name);
	for (size_t i = 0; may_replace(name) && i < N_SUFFIXES; i++) {
		snprintf(path, sizeof(path), "%s%s", name, SUFFIXES[i]);
		unlink(path);
	}
	file->aside_bytes = 0;
}

/* Whether it would take more than the budget together with a file that grows by n_bytes. */
static bool aside_is_in_the_way(const struct kvfile *file, size_t n_bytes)
{
	return file->aside_bytes > 0 && (uint64_t)size_of(file->path, "") + n_bytes + 2 * KV_PAGE_BYTES +
	                                                (uint64_t)journal_limit(file) + file->aside_bytes >
	                                        file->budget_bytes;
}

int kvfile_open(struct kvfile *file, const char *path, uint64_t budget_bytes, struct kv_stats *stats,
                struct err *ret_replaced, struct err *err)
{
	struct err why = { "" };
	int r;

	*file = (struct kvfile){ .stats = stats };
	split_budget(file, budget_bytes);
	if ((r = db_resolve(path, FILE_MODE, &file->path, err)) < 0)
		return r;
	r = open_db(file, &why);
	if (r == 0) {
		kvcounts_read(file->db, stats);
		file->written = *stats;
	} else if (r == -EBADMSG) {
		*ret_replaced = why;
		kvcounts_peek(file->path, stats, NULL);
		r = kvfile_set_aside(file, &why);
	}
	if (r < 0) {
		kvfile_close(file);
		return err_set(err, r == FOREIGN ? -EBADMSG : r, "%s", why.text);
	}
	look_aside(file);
	return 0;
}

void kvfile_close(struct kvfile *file)
{
	kvfile_rollback(file);
	db_close(file->db);
	free(file->path);
	*file = (struct kvfile){ 0 };
}

/* Pages that the open transaction has journaled: SQLite writes each at once, and the journal was empty before. */
static int64_t n_journaled(const struct kvfile *file)
{
	sqlite3_file *journal = NULL;
	sqlite3_int64 n_bytes = 0;

	if (sqlite3_file_control(file->db->sqlite, "main", SQLITE_FCNTL_JOURNAL_POINTER, &journal) !=
	    SQLITE_OK)
		return file->journal_pages;
	if (journal == NULL || journal->pMethods == NULL)
		return 0;
	if (journal->pMethods->xFileSize(journal, &n_bytes) != SQLITE_OK)
		return file->journal_pages;
	return n_bytes / JOURNAL_RECORD + 1;
}

static bool has_room(const struct kvfile *file, int64_t n_pages, size_t n_new_bytes)
{
	return file->n_new_bytes + n_new_bytes <= BATCH_BYTES &&
	       n_journaled(file) + n_pages + COUNTS_PAGES <= file->journal_pages;
}

int kvfile_step(struct kvfile *file, int64_t n_pages, size_t n_new_bytes, struct err *err)
{
	int r;

	if (file->in_transaction && !has_room(file, n_pages, n_new_bytes) &&
	    (r = kvfile_commit(file, err)) < 0)
		return r;
	if (!file->in_transaction) {
		if ((r = db_exec(file->db, "BEGIN IMMEDIATE", err)) < 0)
			return r;
		file->in_transaction = true;
		file->n_new_bytes = 0;
	}
	if (aside_is_in_the_way(file, n_new_bytes))
		remove_aside(file);
	file->n_new_bytes += n_new_bytes;
	return 0;
}

int kvfile_commit(struct kvfile *file, struct err *err)
{
	int r;

	if (!file->in_transaction)
		return 0;
	kvcounts_write(file->db, file->stats);
	r = db_exec(file->db, "COMMIT", err);
	if (r < 0)
		kvfile_rollback(file);
	else
		file->written = *file->stats;
	file->in_transaction = false;
	return r;
}

void kvfile_count(struct kvfile *file)
{
	if (memcmp(&file->written, file->stats, sizeof(file->written)) == 0)
		return;
	if (kvfile_step(file, 0, 0, NULL) == 0)
		kvfile_commit(file, NULL);
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

/* Trees of three levels. An insert at the end of a table: 3, into an index: 8 (three siblings and their parent, twice), and
 * as much for a row that is replaced; the header, and 2 trunks of the free list. */
int64_t kvfile_put_cost(const struct kvfile *file, size_t n_bytes)
{
	return 3 + 3 + 8 + 8 + 8 + 1 + 2 + n_map_pages(file, n_bytes);
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

int kvfile_tidy(struct kvfile *file, struct err *err)
{
	int64_t n = 0, n_free = 0, n_left = 0;
	int r;

	if ((r = pages(file, KV_PAGE_COUNT, &n, err)) < 0 ||
	    (r = pages(file, KV_FREE_PAGES, &n_free, err)) < 0 || n_free <= n / TIDY_SHARE)
		return r;
	if ((r = vacuum_some(file, err)) < 0 || (r = pages(file, KV_FREE_PAGES, &n_left, err)) < 0)
		return r;
	return n_left < n_free;
}

static int make_anew(struct kvfile *file, struct err *err)
{
	int r = open_db(file, err);

	file->written = (struct kv_stats){ 0 };
	return r < 0 ? r : kvfile_shrink(file, err);
}

/* An empty file in the place of one that was old's: root, who may have found it damaged, must not keep its owner out. */
static int make_file(const struct kvfile *file, const struct stat *old, struct err *err)
{
	char *path = NULL;
	int r = db_resolve(file->path, FILE_MODE, &path, err);

	if (r == 0 && geteuid() == 0 && chown(path, old->st_uid, old->st_gid) < 0)
		r = err_set(err, -errno, "%s: cannot give it its owner back: %s", path, strerror(errno));
	free(path);
	return r;
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

static void close_db(struct kvfile *file)
{
	kvfile_rollback(file);
	db_close(file->db);
	file->db = NULL;
}

int kvfile_set_aside(struct kvfile *file, struct err *err)
{
	char name[PATH_MAX], from[PATH_MAX + 16], to[PATH_MAX + 16];
	struct stat old;
	int r;

	close_db(file);
	if (stat(file->path, &old) < 0)
		old = (struct stat){ .st_uid = geteuid(), .st_gid = getegid() };
	if ((r = choose_name(file, name, err)) < 0)
		return r;
	for (size_t i = 0; i < N_SUFFIXES; i++) {
		snprintf(from, sizeof(from), "%s%s", file->path, SUFFIXES[i]);
		snprintf(to, sizeof(to), "%s%s", name, SUFFIXES[i]);
		if (rename(from, to) == 0 || (errno == ENOENT && (unlink(to) == 0 || errno == ENOENT)))
			continue;
		return err_set(err, -errno, "%s: cannot set aside: %s", from, strerror(errno));
	}
	look_aside(file);
	r = make_file(file, &old, err);
	return r < 0 ? r : make_anew(file, err);
}

bool kvfile_has_moved(const struct kvfile *file)
{
	int moved = 0;

	return sqlite3_file_control(file->db->sqlite, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
	       moved != 0;
}

int kvfile_reopen(struct kvfile *file, struct err *err)
{
	char *path = NULL;
	int r;

	close_db(file);
	file->written = (struct kv_stats){ 0 };
	r = db_resolve(file->path, FILE_MODE, &path, err);
	free(path);
	if (r == 0)
		r = open_db(file, err);
	return r == FOREIGN ? -EIO : r;
}

/* Emptied and not deleted, so that it stays its owner's. */
int kvfile_clear(struct kvfile *file, struct err *err)
{
	char name[PATH_MAX];

	close_db(file);
	snprintf(name, sizeof(name), "%s-journal", file->path);
	unlink(name);
	if (truncate(file->path, 0) < 0)
		return err_set(err, -errno, "%s: cannot empty it: %s", file->path, strerror(errno));
	remove_aside(file);
	return make_anew(file, err);
}

uint64_t kvfile_bytes(const char *path)
{
	return (uint64_t)(size_of(path, "") + size_of(path, "-journal"));
}
