/* The calls of docstore.h about the WAL: what was written goes there first, and stays for as long as a reader may need the
 * file as it was. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "store/docstore_internal.h"

int64_t docstore_wal_bytes(const struct docstore *store)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s-wal", store->db->path);
	return stat(path, &st) == 0 ? st.st_size : 0;
}

int docstore_is_held(struct docstore *store, bool *ret, struct err *err)
{
	int n_frames = 0, n_moved = 0, code, r = 0;

	pthread_mutex_lock(&store->lock);
	code = sqlite3_wal_checkpoint_v2(store->db->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, &n_frames,
	                                 &n_moved);
	if (code != SQLITE_OK && code != SQLITE_BUSY)
		r = db_failed(store->db, err);
	pthread_mutex_unlock(&store->lock);
	if (r == 0)
		*ret = n_moved < n_frames;
	return r;
}
