#include "pipeline/extract.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "pipeline/extract_child.h"
#include "pipeline/extract_ocr.h"

#define STEP ((size_t)1 << 18)

const char *extract_program(void)
{
	const char *path = secure_getenv("SKIMD_EXTRACT");

	return path != NULL ? path : PKGLIBEXECDIR "/skimd-extract";
}

int extract_check(struct err *err)
{
	const char *path = extract_program();

	if (access(path, X_OK) == 0)
		return 0;
	return err_set(
		err, -errno,
		"the extractor '%s' cannot be started: %s; for a tree that is not installed SKIMD_EXTRACT "
		"says where it is",
		path, strerror(errno));
}

static uint64_t limit_or(uint64_t limit, uint64_t otherwise)
{
	return limit != 0 ? limit : otherwise;
}

static struct extract_limits complete(const struct extract_limits *limits)
{
	struct extract_limits ret = { .max_file_bytes = 0 };

	if (limits != NULL)
		ret = *limits;
	ret.max_file_bytes = limit_or(ret.max_file_bytes, EXTRACT_MAX_FILE_BYTES);
	ret.max_text_bytes = limit_or(ret.max_text_bytes, EXTRACT_MAX_TEXT_BYTES);
	ret.max_pages = (unsigned)limit_or(ret.max_pages, FORMATS_MAX_PAGES);
	ret.timeout_s = (unsigned)limit_or(ret.timeout_s, EXTRACT_TIMEOUT_S);
	ret.max_ocr_pages = (unsigned)limit_or(ret.max_ocr_pages, EXTRACT_MAX_OCR_PAGES);
	return ret;
}

static int look(int fd, uint64_t max_bytes, struct stat *ret, struct err *err)
{
	if (fstat(fd, ret) < 0)
		return err_set(err, -errno, "cannot be looked at: %s", strerror(errno));
	if (S_ISDIR(ret->st_mode))
		return err_set(err, -EISDIR, "a folder");
	if (!S_ISREG(ret->st_mode))
		return err_set(err, -EINVAL, "not a regular file");
	if ((uint64_t)ret->st_size > max_bytes)
		return err_set(err, -EFBIG, "%llu bytes, more than the limit of %llu",
		               (unsigned long long)ret->st_size, (unsigned long long)max_bytes);
	return ret->st_size > 0 ? 0 : err_set(err, -ENODATA, "the file is empty");
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The file's checksum, which is ours to say and not the extractor's, a piece at a time. */
struct checksum {
	int fd;
	struct sha256_ctx hash;
	uint64_t n;
	int r;
	unsigned char piece[STEP];
};

static bool add_piece(void *user)
{
	struct checksum *sum = user;
	ssize_t n = pread(sum->fd, sum->piece, sizeof(sum->piece), (off_t)sum->n);

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0) {
		sum->r = n < 0 ? -errno : 0;
		return false;
	}
	sha256_update(&sum->hash, (size_t)n, sum->piece);
	sum->n += (uint64_t)n;
	return true;
}

/* What the extractor saw is what was hashed, and what it found wrong is a finding, if the file was the same before and
 * after. */
static int check_unchanged(const struct checksum *sum, const struct stat *before, bool read_all,
                           struct err *err)
{
	struct stat after;

	if (sum->r < 0)
		return err_set(err, sum->r, "cannot be read: %s", strerror(-sum->r));
	if (fstat(sum->fd, &after) < 0 || !is_same(before, &after) ||
	    (read_all && sum->n != (uint64_t)after.st_size))
		return err_set(err, -EAGAIN, "changed while being read");
	return 0;
}

static void take(struct extracted *ret, struct parsed *parsed, char *ocr_pages, struct checksum *sum)
{
	uint8_t digest[SHA256_DIGEST_SIZE];

	*ret = (struct extracted){ .text = parsed->result.text,
		                   .n = parsed->result.n,
		                   .marks = parsed->result.marks,
		                   .n_pages = parsed->result.n_pages,
		                   .ocr_pages = ocr_pages,
		                   .media_type = parsed->media_type,
		                   .bytes = sum->n };
	memcpy(ret->truncated, parsed->result.truncated, sizeof(ret->truncated));
	memcpy(ret->charset, parsed->charset, sizeof(ret->charset));
	sha256_digest(&sum->hash, sizeof(digest), digest);
	hex_encode(digest, sizeof(digest), ret->sha256);
}

/* The document, and then its pages without text. */
static int read_document(int fd, const struct extract_task *task, const struct extract_hooks *hooks,
                         struct checksum *sum, struct parsed *ret, char **ret_ocr_pages, struct err *err)
{
	const struct extract_beside beside = { add_piece, sum };
	struct ocr_pages missing = { 0 };
	int r = extract_run(fd, task, hooks, &beside, ret, &missing, err);

	if (missing.n > 0 && (r == 0 || r == -ENODATA))
		r = extract_ocr(fd, task, hooks, &missing, r, ret, ret_ocr_pages, err);
	ocr_pages_done(&missing);
	return r;
}

static int extract(int fd, const struct extract_task *task, const struct extract_hooks *hooks,
                   struct checksum *sum, struct parsed *ret, char **ret_ocr_pages, struct err *err)
{
	struct stat before;
	struct err why = { "" };
	int r = look(fd, task->limits.max_file_bytes, &before, err), changed;

	if (r < 0)
		return r;
	sum->fd = fd;
	sha256_init(&sum->hash);
	r = read_document(fd, task, hooks, sum, ret, ret_ocr_pages, &why);
	changed = r == -ECANCELED ? 0 : check_unchanged(sum, &before, r == 0, err);
	if (changed < 0 && r == 0) {
		parsed_done(ret);
		free(*ret_ocr_pages);
	}
	return changed < 0 || r == 0 ? changed : err_set(err, r, "%s", why.text);
}

int extract_file(int fd, const char *path, const struct extract_limits *limits,
                 const struct extract_hooks *hooks, struct extracted *ret, struct err *err)
{
	const struct extract_hooks nobody = { NULL, NULL, NULL, NULL };
	const struct extract_task task = { .name = path, .limits = complete(limits) };
	struct checksum *sum = calloc(1, sizeof(*sum));
	struct parsed parsed = { .charset = "" };
	char *ocr_pages = NULL;
	int r;

	if (sum == NULL)
		return err_set(err, -ENOMEM, "no memory to read it");
	r = extract(fd, &task, hooks == NULL ? &nobody : hooks, sum, &parsed, &ocr_pages, err);
	if (r == 0)
		take(ret, &parsed, ocr_pages, sum);
	free(sum);
	return r;
}

void extracted_done(struct extracted *extracted)
{
	free(extracted->text);
	free(extracted->ocr_pages);
	marks_done(&extracted->marks);
	*extracted = (struct extracted){ 0 };
}
