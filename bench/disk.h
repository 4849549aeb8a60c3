/* Files as the kernel has them: what it was given to write, what it holds in its page cache, and how fast a plain file
 * is read. */
#ifndef SKIMD_BENCH_DISK_H
#define SKIMD_BENCH_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Bytes that this process has caused to be written to the disk so far: write_bytes in /proc/self/io. */
int disk_written(uint64_t *ret, struct err *err);

/* Make a plain file of n_bytes that nothing compresses; it is then in the page cache and on the disk. */
int disk_make(const char *path, size_t n_bytes, struct err *err);

/* Take a file out of the page cache. -ENOTSUP: some of it stays, as on a file system that has no disk. No process may
 * have it open with locks that it needs. */
int disk_drop(const char *path, struct err *err);

/* Read a file from end to end, n_piece bytes at a time. */
struct disk_reading {
	double n_bytes, seconds;
};

/* Each piece into memory that it gets, and keeps until all are read; or all into the same. */
enum disk_memory { DISK_NEW_MEMORY, DISK_SAME_MEMORY };

int disk_read(const char *path, size_t n_piece, enum disk_memory memory, struct disk_reading *ret,
              struct err *err);

#endif
