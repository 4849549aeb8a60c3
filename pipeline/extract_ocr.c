#include "pipeline/extract_ocr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "pipeline/extract_frames.h"

#define MAX_SLOW 3 /* pages; who has a thousand that take most of the time they may is not waited for */

struct ocr_run {
	int fd;
	const struct extract_task *task;
	const struct extract_hooks *hooks;
	struct buf texts; /* by ocr_add_text() */
	struct buf pages; /* that gave some: "1-3,7" */
	unsigned last_from, last; /* the range at the end of pages; 0: none */
	size_t n_read; /* pages tried */
	unsigned n_failed, n_slow;
	unsigned first_failed; /* page */
	int r; /* of that */
	struct err why;
};

int extract_run(int fd, const struct extract_task *task, const struct extract_hooks *hooks,
                const struct extract_beside *beside, struct parsed *ret, struct ocr_pages *ret_missing,
                struct err *err)
{
	const size_t max_text_bytes = task->limits.max_text_bytes;
	const bool lists = task->limits.ocr_languages[0] != '\0';
	struct buf said = { 0 };
	int r = extract_child_run(fd, task, hooks, beside, frames_max_bytes(max_text_bytes), &said, err);

	if (r == 0)
		return frames_read(&said, max_text_bytes, ret, lists ? ret_missing : NULL, err);
	buf_done(&said);
	return r;
}

static bool nothing_beside(void *user)
{
	(void)user;
	return false;
}

static const struct extract_beside NOTHING = { nothing_beside, NULL };

/* Pages come in rising order: the last range grows, or a new one begins. */
static void note_page(struct ocr_run *run, unsigned page)
{
	if (run->last_from > 0 && page == run->last + 1) {
		if (run->last > run->last_from)
			run->pages.n = (size_t)(strrchr(run->pages.data, '-') - run->pages.data);
		buf_printf(&run->pages, "-%u", page);
	} else {
		buf_printf(&run->pages, "%s%u", run->last_from > 0 ? "," : "", page);
		run->last_from = page;
	}
	run->last = page;
}

/* Whether a page alone has failed with this, and not the machine. */
static bool is_of_page(int r)
{
	return r == -ETIME || r == -EBADMSG || r == -EPROTO || r == -EFBIG;
}

static int fail_page(struct ocr_run *run, unsigned page, int r, const struct err *why, struct err *err)
{
	if (!is_of_page(r))
		return err_set(err, r, "%s", why->text);
	if (run->n_failed++ == 0) {
		run->first_failed = page;
		run->r = r;
		run->why = *why;
	}
	return 0;
}

static int read_page(struct ocr_run *run, unsigned page, struct err *err)
{
	struct extract_task task = *run->task;
	struct parsed parsed = { .charset = "" };
	struct ocr_pages none = { 0 };
	struct err why = { "" };
	double began = clock_seconds();
	int r;

	task.ocr_page = page;
	r = extract_run(run->fd, &task, run->hooks, &NOTHING, &parsed, &none, &why);
	run->n_slow += r == -ETIME || clock_seconds() - began > task.limits.timeout_s / 2.0;
	ocr_pages_done(&none);
	if (r == -ENODATA)
		return 0;
	if (r < 0)
		return fail_page(run, page, r, &why, err);
	ocr_add_text(&run->texts, page, parsed.result.text, parsed.result.n);
	note_page(run, page);
	parsed_done(&parsed);
	return buf_status(&run->texts) < 0 || buf_status(&run->pages) < 0
	               ? err_set(err, -ENOMEM, "no memory for what OCR has read")
	               : 0;
}

static int read_pages(struct ocr_run *run, const struct ocr_pages *missing, struct err *err)
{
	size_t n =
		missing->n < run->task->limits.max_ocr_pages ? missing->n : run->task->limits.max_ocr_pages;
	int r = 0;

	while (r == 0 && run->n_read < n && run->n_slow < MAX_SLOW &&
	       run->texts.n < run->task->limits.max_text_bytes) {
		if (run->hooks->pages != NULL)
			run->hooks->pages(run->hooks->user, (unsigned)run->n_read, (unsigned)n);
		r = read_page(run, missing->numbers[run->n_read++], err);
	}
	return r;
}

/* The document, with what was read of its pages. */
static int read_again(const struct ocr_run *run, struct parsed *ret, struct err *err)
{
	struct extract_task task = *run->task;
	struct ocr_pages missing = { 0 };
	int fd = memfd_create("ocr", MFD_CLOEXEC), r = fd < 0 ? -errno : 0;

	if (r == 0)
		r = file_write_all(fd, run->texts.data, run->texts.n);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	task.ocr_texts = fd;
	task.n_ocr_texts = run->texts.n;
	if (r < 0)
		err_set(err, r, "what OCR has read cannot be kept: %s", strerror(-r));
	else
		r = extract_run(run->fd, &task, run->hooks, &NOTHING, ret, &missing, err);
	ocr_pages_done(&missing);
	if (fd >= 0)
		close(fd);
	return r;
}

/* What is missing in the result. */
static void note_left_out(const struct ocr_run *run, const struct ocr_pages *missing, struct parsed *parsed)
{
	size_t n_left = missing->n - run->n_read + run->n_failed;
	char *reason = parsed->result.truncated;

	if (run->n_failed > 0)
		snprintf(reason, SINK_REASON_MAX,
		         "%zu page%s could not be read by OCR, page %u as the first: %.60s", n_left,
		         n_left == 1 ? "" : "s", run->first_failed, run->why.text);
	else if (run->n_slow == MAX_SLOW && n_left > 0)
		snprintf(reason, SINK_REASON_MAX,
		         "of %zu pages without text OCR read the first %zu, which took too long", missing->n,
		         run->n_read);
	else if (n_left > 0)
		snprintf(reason, SINK_REASON_MAX,
		         "of %zu pages without text OCR read the first %zu (extract.ocr_max_pages)",
		         missing->n, run->n_read);
}

/* No page has given text. */
static int judge_nothing(const struct ocr_run *run, int first, struct err *err)
{
	if (first == 0)
		return 0;
	if (run->n_failed > 0)
		return err_set(err, run->r, "page %u, by OCR: %s", run->first_failed, run->why.text);
	return err_set(err, -ENODATA, "there is no text on its pages, and OCR (%s) found none",
	               run->task->limits.ocr_languages);
}

static int take_texts(struct ocr_run *run, int first, struct parsed *parsed, char **ret_pages,
                      struct err *err)
{
	struct parsed whole = { .charset = "" };
	int r = run->texts.n == 0 ? judge_nothing(run, first, err) : read_again(run, &whole, err);

	if (r < 0 || run->texts.n == 0)
		return r;
	parsed_done(parsed);
	*parsed = whole;
	*ret_pages = buf_take(&run->pages);
	return 0;
}

int extract_ocr(int fd, const struct extract_task *task, const struct extract_hooks *hooks,
                const struct ocr_pages *missing, int first, struct parsed *parsed, char **ret_pages,
                struct err *err)
{
	struct ocr_run run = { .fd = fd, .task = task, .hooks = hooks };
	int r = read_pages(&run, missing, err);

	if (r == 0)
		r = take_texts(&run, first, parsed, ret_pages, err);
	if (r == 0)
		note_left_out(&run, missing, parsed);
	else if (first == 0)
		parsed_done(parsed);
	buf_done(&run.texts);
	buf_done(&run.pages);
	return r;
}
