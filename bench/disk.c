#include "bench/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "bench/crew.h"

#define WRITE_BYTES ((size_t)1 << 20)

int disk_written(uint64_t *ret, struct err *err)
{
	FILE *io = fopen("/proc/self/io", "re");
	bool is_there = false;
	char line[128];

	while (io != NULL && fgets(line, sizeof(line), io) != NULL) {
		unsigned long long n;

		if (sscanf(line, "write_bytes: %llu", &n) == 1) {
			*ret = n;
			is_there = true;
		}
	}
	if (io != NULL)
		fclose(io);
	return is_there ? 0 : err_set(err, -ENOTSUP, "/proc/self/io does not tell what was written");
}

static int failed(const char *path, struct err *err)
{
	return err_set(err, -errno, "'%s': %s", path, strerror(errno));
}

static void fill(uint64_t *words, size_t n, uint64_t *state)
{
	for (size_t i = 0; i < n; i++) {
		*state ^= *state << 13;
		*state ^= *state >> 7;
		*state ^= *state << 17;
		words[i] = *state;
	}
}

static int write_file(int fd, const char *path, uint64_t *piece, size_t n_bytes, struct err *err)
{
	uint64_t state = 1;

	while (n_bytes > 0) {
		size_t n = n_bytes < WRITE_BYTES ? n_bytes : WRITE_BYTES;

		fill(piece, WRITE_BYTES / sizeof(*piece), &state);
		if (write(fd, piece, n) != (ssize_t)n)
			return failed(path, err);
		n_bytes -= n;
	}
	return fsync(fd) < 0 ? failed(path, err) : 0;
}

int disk_make(const char *path, size_t n_bytes, struct err *err)
{
	uint64_t *piece = array_new(uint64_t, WRITE_BYTES / sizeof(uint64_t));
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), r;

	if (piece == NULL)
		r = err_set(err, -ENOMEM, "no memory for a file's bytes");
	else
		r = fd < 0 ? failed(path, err) : write_file(fd, path, piece, n_bytes, err);
	if (fd >= 0)
		close(fd);
	free(piece);
	return r;
}

/* Pages of an open file that are in the page cache; -errno. */
static ssize_t n_cached(int fd, size_t n_bytes)
{
	size_t n_pages = (n_bytes + 4095) / 4096;
	unsigned char *is_there = array_new(unsigned char, n_pages);
	void *map = mmap(NULL, n_bytes, PROT_READ, MAP_SHARED, fd, 0);
	ssize_t n = -ENOMEM;

	if (is_there != NULL && map != MAP_FAILED && mincore(map, n_bytes, is_there) == 0) {
		n = 0;
		for (size_t i = 0; i < n_pages; i++)
			n += is_there[i] & 1;
	}
	if (map != MAP_FAILED)
		munmap(map, n_bytes);
	free(is_there);
	return n;
}

int disk_drop(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	struct stat status = { 0 };

	if (fd < 0)
		return failed(path, err);
	if (fstat(fd, &status) < 0 || fsync(fd) < 0)
		r = failed(path, err);
	else if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0 ||
	         n_cached(fd, (size_t)status.st_size) != 0)
		r = err_set(err, -ENOTSUP, "'%s' does not leave the page cache", path);
	close(fd);
	return r;
}

static ssize_t read_piece(int fd, char *piece, size_t n_piece)
{
	size_t n = 0;
	ssize_t more = 1;

	while (n < n_piece && (more = read(fd, piece + n, n_piece - n)) > 0)
		n += (size_t)more;
	return more < 0 ? -errno : (ssize_t)n;
}

/* Pieces that are kept are a list: each begins with the pointer to the one before, which no file's byte takes. */
struct piece {
	struct piece *before;
	char bytes[];
};

static int read_pieces(int fd, const char *path, size_t n_piece, enum disk_memory memory, struct piece **last,
                       double *ret_n_bytes, struct err *err)
{
	ssize_t n = 1;

	*ret_n_bytes = 0;
	while (n > 0) {
		if (*last == NULL || memory == DISK_NEW_MEMORY) {
			struct piece *piece = malloc(sizeof(*piece) + n_piece);

			if (piece == NULL)
				return err_set(err, -ENOMEM, "no memory for '%s'", path);
			piece->before = *last;
			*last = piece;
		}
		if ((n = read_piece(fd, (*last)->bytes, n_piece)) < 0)
			return err_set(err, (int)n, "'%s': %s", path, strerror((int)-n));
		*ret_n_bytes += (double)n;
	}
	return 0;
}

int disk_read(const char *path, size_t n_piece, enum disk_memory memory, struct disk_reading *ret,
              struct err *err)
{
	double start = crew_clock();
	struct piece *last = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return failed(path, err);
	r = read_pieces(fd, path, n_piece, memory, &last, &ret->n_bytes, err);
	ret->seconds = crew_clock() - start;
	close(fd);
	while (last != NULL) {
		struct piece *before = last->before;

		free(last);
		last = before;
	}
	return r;
}
