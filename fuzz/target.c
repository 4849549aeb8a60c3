#include "fuzz/target.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

#define MAX_SOURCE_BYTES ((size_t)64 << 20)
#define MAX_EDIT_BYTES 64

static char folder[64];

_Noreturn void require_failed(const char *file, int line, const char *words)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, words);
	abort();
}

uint8_t input_u8(struct input *input)
{
	if (input->n == 0)
		return 0;
	input->n--;
	return *input->bytes++;
}

uint32_t input_u32(struct input *input)
{
	uint32_t ret = 0;

	for (int i = 0; i < 4; i++)
		ret |= (uint32_t)input_u8(input) << 8 * i;
	return ret;
}

char *copy_bytes(const void *bytes, size_t n)
{
	char *ret = malloc(n + 1);

	REQUIRE(ret != NULL);
	if (n > 0)
		memcpy(ret, bytes, n);
	ret[n] = '\0';
	return ret;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	(void)st;
	(void)type;
	(void)place;
	return remove(path);
}

static void remove_folder(void)
{
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_folder(void)
{
	snprintf(folder, sizeof(folder), "/dev/shm/skimd_fuzz.XXXXXX");
	if (mkdtemp(folder) == NULL) {
		snprintf(folder, sizeof(folder), "/tmp/skimd_fuzz.XXXXXX");
		REQUIRE(mkdtemp(folder) != NULL);
	}
	atexit(remove_folder);
}

void scratch_path(const char *name, char *ret)
{
	if (folder[0] == '\0')
		make_folder();
	snprintf(ret, PATH_MAX, "%s%s%s", folder, *name == '\0' ? "" : "/", name);
}

void scratch_write(const char *name, const void *bytes, size_t n)
{
	char path[PATH_MAX];
	int fd;

	scratch_remove(name);
	scratch_path(name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0);
	REQUIRE(n == 0 || write(fd, bytes, n) == (ssize_t)n);
	close(fd);
}

void scratch_remove(const char *name)
{
	char path[PATH_MAX];

	scratch_path(name, path);
	unlink(path);
}

static uint8_t *read_whole(const char *path, size_t *ret_n)
{
	struct buf bytes = { 0 };
	struct err err;

	if (file_read(path, MAX_SOURCE_BYTES, &bytes, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	*ret_n = bytes.n;
	return (uint8_t *)buf_take(&bytes);
}

uint8_t *source_file(const char *name, size_t *ret_n)
{
	const char *top = getenv("abs_top_srcdir");
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", top == NULL ? "." : top, name);
	return read_whole(path, ret_n);
}

struct image image_load(const char *scratch_name)
{
	char path[PATH_MAX];
	struct image image;

	scratch_path(scratch_name, path);
	image.bytes = read_whole(path, &image.n);
	REQUIRE(image.n > 0);
	return image;
}

static void damage(struct image *image, struct input *input)
{
	while (input->n > 0) {
		size_t at = input_u32(input) % image->n, n = input_u8(input) % MAX_EDIT_BYTES + 1;

		for (size_t i = at; i < at + n && i < image->n && input->n > 0; i++)
			image->bytes[i] = input_u8(input);
	}
}

void image_write_damaged(const struct image *image, struct input input, const char *scratch_name)
{
	struct image copy = { NULL, image->n };
	uint8_t kind = input_u8(&input);

	if (kind % 2 == 1) {
		scratch_write(scratch_name, input.bytes, input.n);
		return;
	}
	if (kind % 4 == 2)
		copy.n = 1 + input_u32(&input) % image->n;
	copy.bytes = (uint8_t *)copy_bytes(image->bytes, copy.n);
	damage(&copy, &input);
	scratch_write(scratch_name, copy.bytes, copy.n);
	free(copy.bytes);
}
