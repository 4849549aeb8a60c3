#include "pipeline/formats/pdf_scan.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "pipeline/formats/ocr.h"
#include "pipeline/formats/programs.h"

#define DPI "300" /* what tesseract's models were made with */
#define LAYOUT "1" /* columns, and pages that lie on their side, are found */
#define MAX_TEXT_BYTES ((size_t)1 << 20) /* of a page: a newspaper's has a twentieth of it */

static int judge_one(enum program program, int status, const char *what, struct err *err)
{
	int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	const char *name = program_name(program);

	if (number == SIGXCPU)
		return err_set(err, -ETIME, "%s took too much processor time for it", name);
	if (number == SIGKILL)
		return err_set(err, -EFBIG, "%s was killed on it, as happens where memory is short", name);
	if (number != 0)
		return err_set(err, -EBADMSG, "%s crashed on it (SIG%s)", name, sigabbrev_np(number));
	return WEXITSTATUS(status) == 0 ? 0 : err_set(err, -EBADMSG, "%s cannot %s it", name, what);
}

/* Where the second gives up, the first one is ended by that. */
static int judge(const struct program_output *output, struct err *err)
{
	bool left_alone = WIFSIGNALED(output->status[0]) && WTERMSIG(output->status[0]) == SIGPIPE;
	int r = left_alone ? 0 : judge_one(PROGRAM_PDFTOPPM, output->status[0], "draw", err);

	return r < 0 ? r : judge_one(PROGRAM_TESSERACT, output->status[1], "read", err);
}

/* pdftoppm draws a single dot, and is content, where it has no memory for a page. */
static int check_drawn(const struct program_output *output, struct err *err)
{
	if (output->bytes.n > 0 || strstr(output->words, "Bogus memory allocation") == NULL)
		return 0;
	return err_set(err, -EFBIG, "the page is too large to be drawn");
}

int pdf_scan_read(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct program_output output = { .cut = false };
	char page[16];
	const struct program_call call = {
		.row = ROW_PDF_OCR,
		.arguments = { { "-gray", "-r", DPI, "-f", page, "-l", page, "-" },
		               { "stdin", "stdout", "--tessdata-dir", program_data(PROGRAM_TESSERACT), "-l",
		                 input->ocr->languages, "--dpi", DPI, "--psm", LAYOUT } },
		.bytes = input->is_file ? NULL : input->bytes,
		.n = input->is_file ? 0 : input->n,
		.max_bytes = MAX_TEXT_BYTES,
	};
	int r;

	snprintf(page, sizeof(page), "%u", input->ocr->page);
	r = programs_run(input->programs, &call, &output, err);
	if (r == 0)
		r = output.cut ? err_set(err, -EFBIG, "tesseract writes more than a page can hold")
		               : judge(&output, err);
	if (r == 0)
		r = check_drawn(&output, err);
	if (r == 0 && output.bytes.n > 0) {
		const char *text = output.bytes.data, *end = memchr(text, '\f', output.bytes.n);

		sink_begin(sink, SINK_PREFORMATTED, 0);
		r = sink_text(sink, text, end == NULL ? output.bytes.n : (size_t)(end - text));
	}
	program_output_done(&output);
	return r;
}
