#include "pipeline/formats/pdf.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "pipeline/formats/ocr.h"
#include "pipeline/formats/pdf_order.h"
#include "pipeline/formats/pdf_scan.h"
#include "pipeline/formats/pdf_text.h"
#include "pipeline/formats/programs.h"

#define MAX_MENDED ((size_t)1 << 20) /* bytes of text: both runs of pdftotext have one time limit */
#define MAGIC "%PDF-"
#define TEXT_SPARE ((size_t)1 << 20) /* of what pdftotext writes beyond the text itself */

static bool is_pdf(const struct format_input *input)
{
	return input->n > strlen(MAGIC) && memcmp(input->bytes, MAGIC, strlen(MAGIC)) == 0;
}

/* What pdftotext ended with, in our words. 1: not open; 3: forbidden; 0, or a signal when nobody read on: as far as it
 * came. */
static int judge(const struct program_output *output, struct err *err)
{
	int status = output->status[0];

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return err_set(err, -ETIME, "pdftotext took too much processor time for it");
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return err_set(err, -EIO, "pdftotext was killed, as happens where memory is short");
	if (WIFSIGNALED(status) && !output->cut)
		return err_set(err, -EBADMSG, "pdftotext crashed on it (SIG%s)",
		               sigabbrev_np(WTERMSIG(status)));
	if (WIFSIGNALED(status) || WEXITSTATUS(status) == 0)
		return 0;
	if (strstr(output->words, "Incorrect password") != NULL)
		return err_set(err, -EACCES, "is encrypted: it opens with a password only");
	if (WEXITSTATUS(status) == 3)
		return err_set(err, -EACCES, "its author does not allow its text to be taken out");
	if (strstr(output->words, "Unsupported") != NULL || strstr(output->words, "Unknown security") != NULL)
		return err_set(err, -ENOTSUP, "is encrypted in a way that pdftotext does not know");
	return err_set(err, -EBADMSG, "the PDF file is damaged: pdftotext cannot open it");
}

static int check_text(const struct buf *text, const struct format_input *input, struct err *err)
{
	unsigned n_pages = pdf_text_pages(text->data, text->n);

	if (strspn(text->data == NULL ? "" : text->data, " \t\n\r\f") < text->n)
		return 0;
	if (n_pages == 0)
		return err_set(err, -ENODATA, "the PDF file has no pages");
	return err_set(err, -ENODATA, "there is no text on its %u page%s, as with scans%s", n_pages,
	               n_pages == 1 ? "" : "s", input->ocr == NULL ? " (extract.ocr reads these)" : "");
}

/* Pages without text get what was read of them; those that still have none are listed. */
static int take_scans(const struct format_input *input, struct buf *text, struct err *err)
{
	struct buf merged = { 0 };

	if (input->ocr == NULL)
		return 0;
	if (input->ocr->n_texts > 0) {
		ocr_merge(text->data, text->n, input->ocr->texts, input->ocr->n_texts, &merged);
		buf_done(text);
		*text = merged;
	}
	if (buf_status(text) < 0 ||
	    ocr_list_missing(text->data, text->n, input->max_pages, &input->ocr->missing) < 0)
		return err_set(err, -ENOMEM, "no memory for its pages");
	return 0;
}

/* One page more than is wanted, to see that there is one. */
static int run_pdftotext(const struct format_input *input, bool raw, struct program_output *ret,
                         struct err *err)
{
	char last[16];
	const struct program_call call = {
		.row = ROW_PDF_TEXT,
		.arguments = { { "-enc", "UTF-8", "-eol", "unix", "-l", last, raw ? "-raw" : "-", "-",
		                 raw ? "-" : NULL } },
		.bytes = input->is_file ? NULL : input->bytes,
		.n = input->is_file ? 0 : input->n,
		.max_bytes = input->max_bytes + TEXT_SPARE,
	};

	snprintf(last, sizeof(last), "%u", input->max_pages + 1);
	return programs_run(input->programs, &call, ret, err);
}

/* Columns may be mixed: pages are also read in the order of the file. Where that fails for the file's sake, they stay. */
static int mend_order(const struct format_input *input, struct buf *text, struct err *err)
{
	struct program_output raw = { .cut = false };
	struct buf mended = { 0 };
	int r = run_pdftotext(input, true, &raw, err);

	if (r == 0)
		r = judge(&raw, err);
	if (r == 0 && !raw.cut) {
		pdf_order_mend(text->data, text->n, raw.bytes.data, raw.bytes.n, &mended);
		buf_done(text);
		*text = mended;
		r = buf_status(text) < 0 ? err_set(err, -ENOMEM, "no memory for its pages") : 0;
	}
	program_output_done(&raw);
	return r == -ETIME || r == -EBADMSG || r == -EACCES || r == -ENOTSUP ? 0 : r;
}

static int parse_pdf(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct program_output output = { .cut = false };
	int r;

	if (input->ocr != NULL && input->ocr->page > 0)
		return pdf_scan_read(input, sink, err);
	r = run_pdftotext(input, false, &output, err);
	if (r == 0)
		r = judge(&output, err);
	if (r == 0 && !output.cut && output.bytes.n <= MAX_MENDED &&
	    pdf_order_is_doubtful(output.bytes.data, output.bytes.n))
		r = mend_order(input, &output.bytes, err);
	if (r == 0)
		r = take_scans(input, &output.bytes, err);
	if (r == 0)
		r = check_text(&output.bytes, input, err);
	if (r == 0)
		r = pdf_text_parse(output.bytes.data, output.bytes.n, input->max_pages, sink, err);
	if (r == 0 && output.cut)
		sink_truncated(sink, "only the beginning of its text");
	program_output_done(&output);
	return r;
}

const struct format FORMAT_PDF = {
	.media_type = "application/pdf",
	.name = "a PDF file",
	.is = is_pdf,
	.parse = parse_pdf,
};
