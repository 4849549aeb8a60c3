#include "daemon/file_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define COPY_MODE 0640
#define MAX_NUMBER 10000
#define PIECE_BYTES ((size_t)1 << 20)

static int open_source(const char *path, struct err *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, -EINVAL, "%s: is not a regular file", path);
	}
	return fd;
}

/* The kernel copies, or shares the blocks; between some file systems it cannot. */
static int copy_bytes(int from, int to)
{
	char bytes[16384];
	ssize_t n;
	int r;

	while ((n = copy_file_range(from, NULL, to, NULL, PIECE_BYTES, 0)) > 0)
		;
	if (n < 0 && errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
		return -errno;
	while ((n = read(from, bytes, sizeof(bytes))) > 0) {
		if ((r = file_write_all(to, bytes, (size_t)n)) < 0)
			return r;
	}
	return n < 0 ? -errno : 0;
}

/* The n-th name to try: "report.txt", then "report-2.txt". */
static int name_copy(const char *folder, const char *name, int n, char *ret)
{
	const char *dot = strrchr(name, '.');
	int stem = dot == NULL || dot == name ? (int)strlen(name) : (int)(dot - name);
	int length = n == 1 ? snprintf(ret, PATH_MAX, "%s/%s", folder, name)
	                    : snprintf(ret, PATH_MAX, "%s/%.*s-%d%s", folder, stem, name, n, name + stem);

	return length < 0 || length >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int put_in_place(const char *temporary, const char *folder, const char *name, char *ret,
                        struct err *err)
{
	int r = -EEXIST;

	for (int n = 1; n <= MAX_NUMBER && r == -EEXIST; n++) {
		if ((r = name_copy(folder, name, n, ret)) < 0)
			return err_set(err, r, "%s: the name is too long", folder);
		r = file_rename_new(temporary, ret, err);
	}
	return r;
}

static int fill(int from, int to, const char *path, const char *temporary, struct err *err)
{
	int r = copy_bytes(from, to);

	if (r == 0 && (fchmod(to, COPY_MODE) < 0 || fsync(to) < 0))
		r = -errno;
	return r < 0 ? err_set(err, r, "%s: cannot copy '%s' there: %s", temporary, path, strerror(-r)) : 0;
}

static int copy_open(int from, const char *path, const char *folder, const char *name, char *ret,
                     struct err *err)
{
	char temporary[FILE_TEMPORARY_MAX];
	int to, r = name_copy(folder, name, 1, ret);

	if (r < 0)
		return err_set(err, r, "%s: the name is too long", folder);
	if ((r = file_make_temporary(ret, temporary, &to, err)) < 0)
		return r;
	if ((r = fill(from, to, path, temporary, err)) == 0)
		r = put_in_place(temporary, folder, name, ret, err);
	close(to);
	if (r < 0)
		unlink(temporary);
	return r;
}

int file_copy_into(const char *path, const char *folder, const char *name, char *ret, struct err *err)
{
	int from = open_source(path, err), r;

	if (from < 0)
		return from;
	r = copy_open(from, path, folder, name, ret, err);
	close(from);
	return r;
}
