#include "pipeline/extract.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "pipeline/charset.h"
#include "pipeline/digest.h"
#include "pipeline/gunzip.h"
#include "pipeline/magic.h"
#include "pipeline/markdown.h"

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

static int unpack(struct buf *bytes, uint64_t max_bytes, struct err *err)
{
	struct buf unpacked = { 0 };
	int r = 0;

	if (gunzip_is(bytes->data, bytes->n)) {
		r = gunzip(bytes->data, bytes->n, max_bytes, &unpacked, err);
		if (r == 0 && gunzip_is(unpacked.data, unpacked.n))
			r = err_set(err, -ENOTSUP,
			            "a gzip file within a gzip file: only one layer is unpacked");
		if (r == 0 && unpacked.n == 0)
			r = err_set(err, -ENODATA, "the file holds no text");
		if (r == 0) {
			buf_done(bytes);
			*bytes = unpacked;
			return 0;
		}
		buf_done(&unpacked);
	}
	return r;
}

static int check_format(const struct buf *bytes, struct err *err)
{
	const char *name = magic_name(bytes->data, bytes->n);

	return name == NULL ? 0
	                    : err_set(err, -ENOTSUP, "%s: this version reads plain text and Markdown", name);
}

static int check_words(const struct buf *text, struct err *err)
{
	size_t i = text->n >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	for (; i < text->n; i++)
		if (!isspace((unsigned char)text->data[i]))
			return 0;
	return err_set(err, -ENODATA, "the file holds no text");
}

static bool ends_with(const char *string, size_t n, const char *ending)
{
	return n > strlen(ending) && strncasecmp(string + n - strlen(ending), ending, strlen(ending)) == 0;
}

static bool is_named_markdown(const char *path)
{
	size_t n = strlen(path);

	if (ends_with(path, n, ".gz"))
		n -= 3;
	return ends_with(path, n, ".md") || ends_with(path, n, ".markdown");
}

int extract_file(int fd, const char *path, const struct extract_limits *limits, struct extracted *ret,
                 struct err *err)
{
	const struct extract_limits most = complete(limits);
	struct extracted extracted = { 0 };
	struct buf bytes = { 0 };
	const char *charset;
	int r;

	if ((r = read_file(fd, most.max_file_bytes, &bytes, err)) < 0)
		goto done;
	extracted.bytes = bytes.n;
	digest_hex(bytes.data, bytes.n, extracted.sha256);
	if ((r = unpack(&bytes, most.max_text_bytes, err)) < 0 || (r = check_format(&bytes, err)) < 0 ||
	    (r = charset_decode(&bytes, most.max_text_bytes, &charset, err)) < 0 ||
	    (r = check_words(&bytes, err)) < 0)
		goto done;
	snprintf(extracted.charset, sizeof(extracted.charset), "%s", charset);
	extracted.media_type =
		markdown_is(bytes.data, bytes.n, is_named_markdown(path)) ? "text/markdown" : "text/plain";
	extracted.n = bytes.n;
	extracted.text = buf_take(&bytes);
	if (extracted.text == NULL)
		r = err_set(err, -ENOMEM, "no memory for its text");
	else
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
