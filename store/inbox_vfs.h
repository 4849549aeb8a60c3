/* The files that SQLite may touch for an inbox.db, which others write: that file, the new one that takes its place, and
 * the rollback journal of either. A journal can name any file as its super-journal, which SQLite would delete when it is
 * done with it; and a database can ask for a write-ahead log, whose index is memory shared with whoever wrote it. For
 * connections through this VFS such files are not there. */
#ifndef SKIMD_STORE_INBOX_VFS_H
#define SKIMD_STORE_INBOX_VFS_H

#define INBOX_VFS "skimd-inbox"
#define INBOX_NEW_SUFFIX ".new"

/* Make the VFS known to SQLite, once for the process; more calls do nothing. -ENOMEM, -EIO. */
int inbox_vfs_register(void);

/* The path of the one inbox.db that the calling thread's connections are for: absolute, without links, and borrowed while
 * it has one open. */
void inbox_vfs_allow(const char *path);

#endif
