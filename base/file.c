#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY ".skimd." /* in front of six random letters */
#define READ_STEP ((size_t)1 << 16)

int file_read_fd(int fd, const char *path, size_t max_bytes, struct buf *ret, struct err *err)
{
	size_t n_total = 0;

	for (;;) {
		char *room = buf_reserve(ret, READ_STEP);
		ssize_t n;

		if (room == NULL)
			return err_set(err, -ENOMEM, "%s: no memory for its %zu bytes", path, n_total);
		n = read(fd, room, READ_STEP);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, -errno, "%s: cannot read: %s", path, strerror(errno));
		room[n] = '\0';
		if (n == 0)
			return 0;
		n_total += (size_t)n;
		if (n_total > max_bytes)
			return err_set(err, -EFBIG, "%s: larger than the limit of %zu bytes", path,
			               max_bytes);
		ret->n += (size_t)n;
	}
}

int file_read(const char *path, size_t max_bytes, struct buf *ret, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0)
		return err_set(err, -errno, "%s: cannot open: %s", path, strerror(errno));
	r = file_read_fd(fd, path, max_bytes, ret, err);
	close(fd);
	return r;
}

/* errno says why not. */
static bool is_folder(const char *path)
{
	int reason = errno;
	struct stat st;

	if (stat(path, &st) < 0) {
		errno = reason;
		return false;
	}
	errno = ENOTDIR;
	return S_ISDIR(st.st_mode);
}

int file_make_folders(const char *path, unsigned mode, struct err *err)
{
	char part[PATH_MAX];
	size_t n = strlen(path);

	if (n >= sizeof(part))
		return err_set(err, -ENAMETOOLONG, "%s: the name is too long", path);
	memcpy(part, path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		part[i] = '\0';
		if (mkdir(part, mode) < 0 && !is_folder(part))
			return err_set(err, -errno, "%s: cannot make the folder: %s", part, strerror(errno));
		part[i] = path[i];
	}
	return 0;
}

static int folder_of(const char *path, char *ret, struct err *err)
{
	char copy[PATH_MAX];

	if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy))
		return err_set(err, -ENAMETOOLONG, "%s: the name is too long", path);
	snprintf(ret, PATH_MAX, "%s", dirname(copy));
	return 0;
}

int file_make_folder_of(const char *path, unsigned mode, struct err *err)
{
	char folder[PATH_MAX];
	int r = folder_of(path, folder, err);

	return r < 0 ? r : file_make_folders(folder, mode, err);
}

int file_write_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t written = write(fd, bytes, n);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		n -= (size_t)written;
	}
	return 0;
}

int file_sync_folder_of(const char *path)
{
	char folder[PATH_MAX];
	int fd, r = folder_of(path, folder, NULL);

	if (r < 0)
		return r;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		r = -errno;
	close(fd);
	return r;
}

bool file_is_temporary(const char *name)
{
	return strncmp(name, TEMPORARY, strlen(TEMPORARY)) == 0 &&
	       strlen(name) == strlen(TEMPORARY) + strlen("XXXXXX");
}

int file_make_temporary(const char *path, char *ret, int *ret_fd, struct err *err)
{
	char folder[PATH_MAX];
	int r = folder_of(path, folder, err);

	if (r < 0)
		return r;
	snprintf(ret, FILE_TEMPORARY_MAX, "%s/" TEMPORARY "XXXXXX", folder);
	*ret_fd = mkostemp(ret, O_CLOEXEC);
	if (*ret_fd < 0)
		return err_set(err, -errno, "%s: cannot make a temporary file: %s", ret, strerror(errno));
	return 0;
}

static int sync_name(const char *path, struct err *err)
{
	int r = file_sync_folder_of(path);

	return r < 0 ? err_set(err, r, "%s: cannot sync its folder: %s", path, strerror(-r)) : 0;
}

/* A file system that cannot refuse by itself, such as NFS, has links: two names of one file, for a moment. */
int file_rename_new(const char *from, const char *to, struct err *err)
{
	int r = 0;

	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r == -EINVAL || r == -ENOSYS) {
		r = link(from, to) < 0 ? -errno : 0;
		if (r == 0)
			unlink(from);
	}
	return r < 0 ? err_set(err, r, "%s: cannot be written: %s", to, strerror(-r)) : sync_name(to, err);
}

int file_replace(const char *path, const void *bytes, size_t n, unsigned mode, struct err *err)
{
	char temporary[FILE_TEMPORARY_MAX];
	int fd, r = file_make_temporary(path, temporary, &fd, err);

	if (r < 0)
		return r;
	if ((r = file_write_all(fd, bytes, n)) == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(temporary);
		return err_set(err, r, "%s: cannot write: %s", path, strerror(-r));
	}
	return sync_name(path, err);
}
