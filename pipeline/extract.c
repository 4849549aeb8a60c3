#include "pipeline/extract.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "pipeline/digest.h"
#include "pipeline/formats/formats.h"

static uint64_t limit_or(uint64_t limit, uint64_t otherwise)
{
	return limit != 0 ? limit : otherwise;
}

static struct extract_limits complete(const struct extract_limits *limits)
{
	const struct extract_limits none = { 0, 0 };

	if (limits == NULL)
		limits = &none;
	return (struct extract_limits){ limit_or(limits->max_file_bytes, EXTRACT_MAX_FILE_BYTES),
		                        limit_or(limits->max_text_bytes, EXTRACT_MAX_TEXT_BYTES) };
}

static int look(int fd, struct stat *ret, struct err *err)
{
	if (fstat(fd, ret) < 0)
		return err_set(err, -errno, "cannot be looked at: %s", strerror(errno));
	if (S_ISDIR(ret->st_mode))
		return err_set(err, -EISDIR, "a folder");
	if (!S_ISREG(ret->st_mode))
		return err_set(err, -EINVAL, "not a regular file");
	return 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The whole file as it was at one time. */
static int read_file(int fd, uint64_t max_bytes, struct buf *ret, struct err *err)
{
	struct stat before, after;
	int r;

	if ((r = look(fd, &before, err)) < 0)
		return r;
	if ((uint64_t)before.st_size > max_bytes)
		return err_set(err, -EFBIG, "%llu bytes, more than the limit of %llu",
		               (unsigned long long)before.st_size, (unsigned long long)max_bytes);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_set(err, -errno, "cannot be read: %s", strerror(errno));
	r = file_read_fd(fd, "the file", max_bytes, ret, err);
	if (r < 0 && r != -EFBIG)
		return r;
	if (fstat(fd, &after) < 0 || !is_same(&before, &after) || r < 0 || ret->n != (size_t)after.st_size)
		return err_set(err, -EAGAIN, "changed while being read");
	return ret->n > 0 ? 0 : err_set(err, -ENODATA, "the file is empty");
}

int extract_file(int fd, const char *path, const struct extract_limits *limits, struct extracted *ret,
                 struct err *err)
{
	const struct extract_limits most = complete(limits);
	const struct format_input about = { .name = path,
		                            .max_bytes = most.max_text_bytes,
		                            .max_members = FORMATS_MAX_MEMBERS,
		                            .max_pages = FORMATS_MAX_PAGES,
		                            .max_depth = FORMATS_MAX_DEPTH };
	struct extracted extracted = { 0 };
	struct parsed parsed = { 0 };
	struct buf bytes = { 0 };
	int r;

	if ((r = read_file(fd, most.max_file_bytes, &bytes, err)) < 0)
		goto done;
	extracted.bytes = bytes.n;
	digest_hex(bytes.data, bytes.n, extracted.sha256);
	if ((r = formats_parse(&bytes, &about, most.max_text_bytes, &parsed, err)) < 0)
		goto done;
	memcpy(extracted.charset, parsed.charset, sizeof(extracted.charset));
	extracted.media_type = parsed.media_type;
	extracted.n = parsed.result.n;
	extracted.text = parsed.result.text;
	parsed.result.text = NULL;
	parsed_done(&parsed);
	*ret = extracted;
done:
	buf_done(&bytes);
	return r;
}

void extracted_done(struct extracted *extracted)
{
	free(extracted->text);
	*extracted = (struct extracted){ 0 };
}
