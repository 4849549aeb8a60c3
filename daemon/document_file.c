#include "daemon/document_file.h"

#include "daemon/units.h"

/* Only to be compared: those after 2262 begin anew, as any user may date a file. */
static int64_t nanoseconds(struct timespec time)
{
	return (int64_t)((uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec);
}

struct document_file document_file_of(const char *path, const char *folder, const char *output,
                                      const struct stat *st)
{
	return (struct document_file){ .path = path,
		                       .folder = folder,
		                       .output = output,
		                       .device = (int64_t)st->st_dev,
		                       .inode = (int64_t)st->st_ino,
		                       .size = st->st_size,
		                       .mtime_ns = nanoseconds(st->st_mtim),
		                       .ctime_ns = nanoseconds(st->st_ctim) };
}
