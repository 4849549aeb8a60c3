/* The backup of docstore.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "store/docstore_internal.h"

#define BACKUP_MODE 0640
#define LEFT_OVER_S 600 /* a copy in work is written to more often */

enum { COPY, N_STATEMENTS };
static const char *const STATEMENTS[N_STATEMENTS] = { [COPY] = "VACUUM INTO ?1" };

static int copy(struct db *db, const char *path, struct err *err)
{
	struct txn txn = txn_within(db, err);

	txn_run(&txn, COPY, db_text(path));
	return txn.ret;
}

/* Through a connection of its own, so that neither worker nor loop waits. It only reads: one that wrote, or moved the
 * WAL into the file, would be the second to do so. */
static int copy_beside_others(struct docstore *store, const char *path, struct err *err)
{
	struct db_settings settings = { .path = store->db->path,
		                        .read_only = true,
		                        .busy_ms = DOCSTORE_BUSY_MS,
		                        .sql = STATEMENTS,
		                        .n_sql = N_STATEMENTS };
	int no_checkpoint = 0, r;
	struct db *db;

	if (strcmp(store->db->path, DB_IN_MEMORY) == 0)
		return err_set(err, -ENOTSUP, "a database in memory is not copied");
	if ((r = db_open(&settings, &db, err)) < 0)
		return r;
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &no_checkpoint);
	r = copy(db, path, err);
	db_close(db);
	return r;
}

/* SQLite's copy is only safe from a loss of power once it is synced. */
static int sync_copy(int fd, const char *path, struct err *err)
{
	if (fchmod(fd, BACKUP_MODE) < 0 || fsync(fd) < 0)
		return err_set(err, -errno, "%s: cannot be written: %s", path, strerror(errno));
	return 0;
}

/* What a copy left that was killed: its writer has been silent for long, and it is a database or nothing yet. */
static bool is_left_over(const char *path)
{
	static const char HEAD[] = "SQLite format 3";
	char head[sizeof(HEAD)] = "";
	struct stat st;
	ssize_t n;
	int fd;

	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || time(NULL) - st.st_mtime < LEFT_OVER_S)
		return false;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, head, sizeof(head));
	close(fd);
	return n == 0 || (n == (ssize_t)sizeof(head) && memcmp(head, HEAD, sizeof(HEAD)) == 0);
}

static void sweep(const char *path)
{
	char copy[PATH_MAX], left[2 * PATH_MAX];
	const struct dirent *entry;
	const char *folder;
	DIR *dir;

	snprintf(copy, sizeof(copy), "%s", path);
	folder = dirname(copy);
	dir = opendir(folder);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(left, sizeof(left), "%s/%s", folder, entry->d_name);
		if (file_is_temporary(entry->d_name) && is_left_over(left))
			unlink(left);
	}
	if (dir != NULL)
		closedir(dir);
}

int docstore_save_old(struct docstore *store, struct err *err)
{
	char old[PATH_MAX], temporary[FILE_TEMPORARY_MAX];
	int fd, r;

	snprintf(old, sizeof(old), "%s" DOCSTORE_OLD_SUFFIX, store->db->path);
	sweep(old);
	if ((r = file_make_temporary(old, temporary, &fd, err)) < 0)
		return r;
	if ((r = copy_beside_others(store, temporary, err)) == 0 && (r = sync_copy(fd, old, err)) == 0 &&
	    rename(temporary, old) < 0)
		r = err_set(err, -errno, "%s: cannot be written: %s", old, strerror(errno));
	if (r == 0 && (r = file_sync_folder_of(old)) < 0)
		err_set(err, r, "%s: cannot sync its folder: %s", old, strerror(-r));
	close(fd);
	if (r < 0)
		unlink(temporary);
	return r;
}

int docstore_backup(struct docstore *store, const char *path, struct err *err)
{
	char temporary[FILE_TEMPORARY_MAX];
	struct stat st;
	int fd, r;

	if (lstat(path, &st) == 0)
		return err_set(err, -EEXIST, "%s: is there already, and a backup replaces nothing", path);
	sweep(path);
	if ((r = file_make_temporary(path, temporary, &fd, err)) < 0)
		return r;
	if ((r = copy_beside_others(store, temporary, err)) == 0 && (r = sync_copy(fd, path, err)) == 0)
		r = file_rename_new(temporary, path, err);
	close(fd);
	if (r < 0)
		unlink(temporary);
	return r;
}
