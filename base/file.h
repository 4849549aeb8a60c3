/* Whole files in and out. */
#ifndef SKIMD_BASE_FILE_H
#define SKIMD_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Append a file's bytes to ret. -EFBIG: more than max_bytes; -EISDIR; else open's or read's error. */
int file_read(const char *path, size_t max_bytes, struct buf *ret, struct err *err);

/* The same from an open descriptor, from where it stands; path is for the words. */
int file_read_fd(int fd, const char *path, size_t max_bytes, struct buf *ret, struct err *err);

/* Make the folder and those above it that are missing, with mode. */
int file_make_folders(const char *path, unsigned mode, struct err *err);

/* The same for the folder that a file stands in. */
int file_make_folder_of(const char *path, unsigned mode, struct err *err);

/* fsync the folder that a file stands in: its name is there to stay. */
int file_sync_folder_of(const char *path);

/* Make an empty temporary file in the folder that path stands in. *ret_fd is the caller's, and so is the file: ret,
 * room for FILE_TEMPORARY_MAX, is its name. */
#define FILE_TEMPORARY_MAX (2 * 4096)
int file_make_temporary(const char *path, char *ret, int *ret_fd, struct err *err);

/* Rename a file, never over one that is there (-EEXIST), and fsync the folder. */
int file_rename_new(const char *from, const char *to, struct err *err);

/* Whether a name is of a temporary file that may have been left behind by a kill. */
bool file_is_temporary(const char *name);

/* Replace path by n bytes so that a crash leaves the old file or the new one, whole: a temporary file in the
 * same folder, fsync, rename, fsync of the folder. */
int file_replace(const char *path, const void *bytes, size_t n, unsigned mode, struct err *err);

/* Write n bytes, however many write(2) takes at a time. Errors of write(2). */
int file_write_all(int fd, const char *bytes, size_t n);

#endif
