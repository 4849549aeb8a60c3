#include "store/inbox_vfs.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#define JOURNAL_SUFFIX "-journal"

static sqlite3_vfs guarded; /* the usual one, but for the calls below */
static pthread_mutex_t register_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local const char *allowed;

static sqlite3_vfs *usual(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

static const char *skip(const char *name, const char *words)
{
	size_t n = strlen(words);

	return strncmp(name, words, n) == 0 ? name + n : name;
}

static bool is_allowed(const char *name)
{
	const char *rest;

	if (allowed == NULL || name == NULL || (rest = skip(name, allowed)) == name)
		return false;
	return *skip(skip(rest, INBOX_NEW_SUFFIX), JOURNAL_SUFFIX) == '\0';
}

/* A FIFO would be read for ever. What SQLite makes itself is not there yet. */
static bool is_regular(const char *name)
{
	struct stat st;

	return lstat(name, &st) < 0 ? errno == ENOENT : S_ISREG(st.st_mode);
}

static int guarded_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	file->pMethods = NULL;
	if (!is_allowed(name) || !is_regular(name))
		return SQLITE_CANTOPEN;
	return usual(vfs)->xOpen(usual(vfs), name, file, flags, ret_flags);
}

static int guarded_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	return is_allowed(name) ? usual(vfs)->xDelete(usual(vfs), name, sync) : SQLITE_IOERR_DELETE;
}

static int guarded_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
	*ret = 0;
	return is_allowed(name) ? usual(vfs)->xAccess(usual(vfs), name, flags, ret) : SQLITE_OK;
}

static int guarded_full_path(sqlite3_vfs *vfs, const char *name, int n, char *ret)
{
	return usual(vfs)->xFullPathname(usual(vfs), name, n, ret);
}

static void *no_library(sqlite3_vfs *vfs, const char *name)
{
	(void)vfs;
	(void)name;
	return NULL;
}

static int register_once(void)
{
	sqlite3_vfs *base;
	int code;

	if (guarded.zName != NULL)
		return SQLITE_OK;
	base = sqlite3_vfs_find(NULL);
	if (base == NULL)
		return SQLITE_ERROR;
	guarded = *base;
	guarded.pNext = NULL;
	guarded.zName = INBOX_VFS;
	guarded.pAppData = base;
	guarded.xOpen = guarded_open;
	guarded.xDelete = guarded_delete;
	guarded.xAccess = guarded_access;
	guarded.xFullPathname = guarded_full_path;
	guarded.xDlOpen = no_library;
	code = sqlite3_vfs_register(&guarded, 0);
	if (code != SQLITE_OK)
		guarded.zName = NULL;
	return code;
}

int inbox_vfs_register(void)
{
	int code = sqlite3_initialize();

	if (code == SQLITE_OK) {
		pthread_mutex_lock(&register_lock);
		code = register_once();
		pthread_mutex_unlock(&register_lock);
	}
	return code == SQLITE_OK ? 0 : code == SQLITE_NOMEM ? -ENOMEM : -EIO;
}

void inbox_vfs_allow(const char *path)
{
	allowed = path;
}
