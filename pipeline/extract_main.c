/* skimd-extract: takes the text out of one file. Standard input is the file, standard output a pipe to who started it, who
 * gets frames (extract_frames.h). Not for people, but for --selftest: extract_child.c has its arguments. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "pipeline/extract_child.h"
#include "pipeline/extract_frames.h"
#include "pipeline/extract_selftest.h"
#include "pipeline/extract_walls.h"
#include "pipeline/formats/codepage.h"
#include "pipeline/formats/formats.h"
#include "pipeline/formats/ocr.h"
#include "pipeline/formats/programs.h"

#define PIECE ((size_t)1 << 17) /* of text, on its way while the rest is made */
#define SPARE_BYTES ((uint64_t)512 << 20) /* of memory, beside the file and what is made of its text */

/* The file, and its text several times: unpacked, decoded, with marks, as bytes. */
static struct walls_limits limits_of(const struct extract_task *task)
{
	return (struct walls_limits){ SPARE_BYTES + task->limits.max_file_bytes +
		                              12 * task->limits.max_text_bytes,
		                      task->limits.timeout_s };
}

/* Room at once, instead of doubling; and its pages, as a fault for each takes longer than reading what comes into it. */
static void reserve_pages(struct buf *buf, size_t n)
{
	char *room = buf_reserve(buf, n);
	size_t page = (size_t)sysconf(_SC_PAGESIZE), skipped = -(uintptr_t)room % page;

	if (room != NULL && n > skipped)
		madvise(room + skipped, (n - skipped) / page * page, MADV_POPULATE_WRITE);
}

/* What programs read we need not have, and of a scan not once for each page. */
static int read_input(const struct extract_task *task, struct buf *ret, struct err *err)
{
	char beginning[FORMATS_BEGINNING];
	off_t size = lseek(STDIN_FILENO, 0, SEEK_END);
	ssize_t n = pread(STDIN_FILENO, beginning, sizeof(beginning), 0);

	if (size < 0 || n < 0 || lseek(STDIN_FILENO, 0, SEEK_SET) < 0)
		return err_set(err, -EIO, "cannot be read: %s", strerror(errno));
	if (formats_is_for_programs(beginning, (size_t)n)) {
		buf_append(ret, beginning, (size_t)n);
		return buf_status(ret);
	}
	if ((uint64_t)size <= task->limits.max_file_bytes)
		reserve_pages(ret, (size_t)size + (1 << 17));
	return file_read_fd(STDIN_FILENO, "the file", task->limits.max_file_bytes, ret, err);
}

/* What OCR has read so far: as much as we were told of. */
static int read_texts(const struct extract_task *task, struct buf *ret, struct err *err)
{
	size_t n = task->n_ocr_texts;
	int r = n == 0 ? 0 : file_read_fd(task->ocr_texts, "what OCR has read", n, ret, err);

	return r < 0 || ret->n == n ? r : err_set(err, -EIO, "not all that OCR has read is there");
}

static int extract(const struct extract_task *task, struct programs *programs, struct ocr *ocr,
                   struct frames *frames, struct parsed *ret, struct err *err)
{
	const struct sink_outlet outlet = { frames_write_text, frames, PIECE };
	const struct format_input about = { .name = task->name,
		                            .max_bytes = task->limits.max_text_bytes,
		                            .max_members = FORMATS_MAX_MEMBERS,
		                            .max_pages = task->limits.max_pages,
		                            .max_depth = FORMATS_MAX_DEPTH,
		                            .is_file = true,
		                            .programs = programs,
		                            .ocr = task->limits.ocr_languages[0] == '\0' ? NULL : ocr,
		                            .outlet = &outlet };
	struct buf bytes = { 0 }, texts = { 0 };
	int r = read_texts(task, &texts, err);

	ocr->texts = texts.data;
	ocr->n_texts = texts.n;
	if (r == 0)
		r = read_input(task, &bytes, err);
	if (r == 0)
		r = formats_parse(&bytes, &about, task->limits.max_text_bytes, ret, err);
	buf_done(&bytes);
	buf_done(&texts);
	/* The limit on memory is the document's, and the same each time. */
	if (r == -ENOMEM)
		r = err_set(err, -EFBIG, "takes more than the %llu MiB of memory that one document gets",
		            (unsigned long long)(limits_of(task).memory_bytes >> 20));
	return r;
}

/* Nothing of the file is read before the walls stand. */
static int put_up_walls(const struct extract_task *task, struct programs **ret, struct err *err)
{
	const struct walls_limits limits = limits_of(task);
	int r = walls_limit(&limits, err);

	if (r == 0 && task->n_ocr_texts > 0 && fcntl(task->ocr_texts, F_SETFD, FD_CLOEXEC) < 0)
		r = err_set(err, -errno, "what OCR has read cannot be kept from others: %s", strerror(errno));
	codepage_preload();
	if (r == 0)
		r = task->ocr_page > 0 ? programs_start(ROW_PDF_OCR, 1, ret, err)
		                       : programs_start(ROW_PDF_TEXT, 2, ret, err);
	if (r == 0 && (r = walls_enter_parser().r) < 0)
		err_set(err, r, "its walls cannot be put up: %s", strerror(-r));
	return r == 0 || r == -ENOMEM ? r : -EIO; /* the machine's, whatever it was */
}

static int run(const struct extract_task *task)
{
	struct ocr ocr = { .languages = task->limits.ocr_languages, .page = task->ocr_page };
	struct frames frames = { .fd = STDOUT_FILENO };
	struct programs *programs = NULL;
	struct parsed parsed = { .charset = "" };
	struct err err = { "" };
	int r = put_up_walls(task, &programs, &err);

	if (r == 0)
		r = extract(task, programs, &ocr, &frames, &parsed, &err);
	if (r == 0)
		r = frames_write(&frames, &ocr.missing, &parsed);
	else
		r = frames_write_failure(&frames, &ocr.missing, r, err.text);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int usage(FILE *stream, int status)
{
	fprintf(stream, "usage: skimd-extract --selftest | --help | --version\n");
	return status;
}

int main(int argc, char **argv)
{
	struct extract_task task;

	if (argc == EXTRACT_TASK_ARGUMENTS + 2 && strcmp(argv[1], "--") == 0 &&
	    extract_task_parse(argv + 2, &task) == 0) {
		signal(SIGPIPE, SIG_IGN);
		_exit(run(&task)); /* what the process holds goes with it */
	}
	if (argc == 2 && strcmp(argv[1], "--selftest") == 0)
		return extract_selftest(stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return puts("skimd-extract " PACKAGE_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout, EXIT_SUCCESS);
	return usage(stderr, 2);
}
