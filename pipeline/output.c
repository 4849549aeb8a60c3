#include "pipeline/output.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "pipeline/audit_view.h"
#include "pipeline/digest.h"
#include "pipeline/language.h"
#include "pipeline/report.h"

#define OUTPUT_MODE 0640
#define MAX_OUTPUT_BYTES ((size_t)1 << 30)
#define MAX_OPEN_FOLDERS 16
#define GENERATED_MARK " °"

static const struct passage *first_of(const struct passages *passages, enum passage_kind kind)
{
	for (size_t i = 0; i < passages->n; i++) {
		if (passages->items[i].kind == kind)
			return &passages->items[i];
	}
	return NULL;
}

/* Text inside Markdown: what would be taken for marks is escaped; line breaks, and controls that a terminal would obey,
 * become blanks. */
static void put_escaped(struct buf *buf, const char *text)
{
	while (*text != '\0') {
		size_t n_control = text_control_length(text);

		if (n_control == 0 && strchr("\\`*_[]<>#|&~", *text) != NULL)
			buf_append(buf, "\\", 1);
		buf_append(buf, n_control > 0 ? " " : text, 1);
		text += n_control > 0 ? n_control : 1;
	}
}

/* The same at the beginning of a line, where it could begin a list or be a rule as well. */
static void put_paragraph(struct buf *buf, const char *text)
{
	size_t n_digits = strspn(text, "0123456789");

	if (n_digits > 0 && (text[n_digits] == '.' || text[n_digits] == ')')) {
		buf_append(buf, text, n_digits);
		text += n_digits;
	}
	if (*text == '-' || *text == '+' || *text == '=' || *text == '.' || *text == ')')
		buf_append(buf, "\\", 1);
	put_escaped(buf, text);
}

/* A passage's text; what the model wrote itself carries the mark that put_source() explains. */
static void put_passage(struct buf *buf, const struct passage *passage)
{
	put_paragraph(buf, passage->text);
	if (passage->generated)
		buf_puts(buf, GENERATED_MARK);
}

static void put_place(struct buf *buf, const char *section, int64_t page, int64_t byte_start,
                      int64_t byte_end)
{
	if (section != NULL && *section != '\0') {
		buf_puts(buf, "§ ");
		put_escaped(buf, section);
		buf_puts(buf, ", ");
	}
	if (page > 0)
		buf_printf(buf, "page %" PRId64 ", ", page);
	buf_printf(buf, "bytes %" PRId64 "–%" PRId64, byte_start, byte_end);
}

static void put_quotes(struct buf *buf, const struct passages *passages)
{
	for (size_t i = 0; i < passages->n; i++) {
		const struct passage *passage = &passages->items[i];

		if (passage->kind != PASSAGE_KEY || passage->n_evidence == 0)
			continue;
		buf_puts(buf, "> ");
		put_paragraph(buf, passage->text);
		buf_puts(buf, "\n>\n> — ");
		put_place(buf, passage->evidence[0].section, passage->evidence[0].page,
		          passage->evidence[0].byte_start, passage->evidence[0].byte_end);
		buf_puts(buf, "\n\n");
	}
}

/* The answer, and the sentence that it stands in. */
static void put_answer(struct buf *buf, const struct question *question)
{
	const struct passage *answer = &question->answer;

	buf_puts(buf, "### ");
	put_escaped(buf, question->text);
	buf_puts(buf, "\n\n");
	put_passage(buf, answer);
	buf_puts(buf, "\n\n");
	if (answer->n_evidence == 0)
		return;
	buf_puts(buf, "> ");
	put_paragraph(buf, answer->evidence[0].quote);
	buf_puts(buf, "\n>\n> — ");
	put_place(buf, answer->evidence[0].section, answer->evidence[0].page, answer->evidence[0].byte_start,
	          answer->evidence[0].byte_end);
	buf_puts(buf, "\n\n");
}

static void put_answers(struct buf *buf, const struct questions *questions)
{
	bool any = false;

	for (size_t i = 0; i < questions->n; i++) {
		if (questions->items[i].answer.text == NULL)
			continue;
		if (!any)
			buf_puts(buf, "## Answers\n\n");
		any = true;
		put_answer(buf, &questions->items[i]);
	}
}

static void put_title(struct buf *buf, const struct reading *reading)
{
	const struct passage *title = first_of(&reading->passages, PASSAGE_TITLE);

	buf_puts(buf, "# ");
	if (title != NULL)
		put_passage(buf, title);
	else
		put_escaped(buf, reading->document.name);
	buf_puts(buf, "\n\n");
}

static void put_source(struct buf *buf, const struct reading *reading)
{
	const struct document *document = &reading->document;
	bool prose = language_is_read(document->language);

	buf_puts(buf, "*");
	put_escaped(buf, document->name);
	buf_printf(buf, ": %" PRId64 " bytes, ", document->bytes);
	if (document->pages > 0)
		buf_printf(buf, "%" PRId64 " page%s, ", document->pages, document->pages == 1 ? "" : "s");
	buf_printf(buf, "%" PRId64 " tokens, %s in %zu part%s", document->tokens,
	           document->truncated == NULL ? "read whole" : "read", reading->n_chunks,
	           reading->n_chunks == 1 ? "" : "s");
	if (prose) {
		buf_puts(buf, " by ");
		put_escaped(buf, document->model == NULL ? "?" : document->model);
	}
	buf_puts(buf, ".");
	if (document->truncated != NULL) {
		buf_puts(buf, " **Not all of it: ");
		put_escaped(buf, document->truncated);
		buf_puts(buf, ".**");
	}
	if (document->ocr_pages != NULL) {
		buf_printf(buf, " **By OCR: page%s ", strpbrk(document->ocr_pages, "-,") == NULL ? "" : "s");
		put_escaped(buf, document->ocr_pages);
		buf_puts(buf, "; quotations of it are what a program saw in a picture.**");
	}
	if (prose)
		buf_puts(buf, " What ends in" GENERATED_MARK
		              " was written by the model; all else is quoted.*\n\n");
	else
		buf_puts(buf, " It is no English prose, so the model wrote nothing, and all is quoted.*\n\n");
}

/* A paragraph, sentence by sentence. */
static void put_summary(struct buf *buf, const struct passages *passages)
{
	const char *between = "";

	for (size_t i = 0; i < passages->n; i++) {
		if (passages->items[i].kind != PASSAGE_ABSTRACT)
			continue;
		buf_puts(buf, between);
		put_passage(buf, &passages->items[i]);
		between = " ";
	}
	buf_puts(buf, *between == '\0' ? "" : "\n\n");
}

static void put_part(struct buf *buf, const struct document_chunk *chunk)
{
	const struct passage *title = first_of(&chunk->passages, PASSAGE_TITLE);

	buf_printf(buf, "### %" PRId64 ". ", chunk->number + 1);
	if (title != NULL)
		put_passage(buf, title);
	else
		put_escaped(buf, chunk->section != NULL ? chunk->section : "(no title)");
	buf_puts(buf, "\n\n");
	put_summary(buf, &chunk->passages);
	buf_puts(buf, "— ");
	put_place(buf, chunk->section, 0, chunk->byte_start, chunk->byte_end);
	buf_puts(buf, "\n\n");
}

int output_markdown(const struct reading *reading, struct buf *ret)
{
	put_title(ret, reading);
	put_summary(ret, &reading->passages);
	put_source(ret, reading);
	if (first_of(&reading->passages, PASSAGE_KEY) != NULL) {
		buf_puts(ret, "## Key passages\n\n");
		put_quotes(ret, &reading->passages);
	}
	put_answers(ret, &reading->questions);
	if (reading->n_chunks > 1) {
		buf_puts(ret, "## Part by part\n\n");
		for (size_t i = 0; i < reading->n_chunks; i++)
			put_part(ret, &reading->chunks[i]);
	}
	return buf_status(ret);
}

static json_t *string_or_null(const char *string)
{
	return string == NULL ? json_null() : json_of_bytes(string);
}

static json_t *count_or_null(int64_t n)
{
	return n == 0 ? json_null() : json_integer(n);
}

/* Four digits say all that a log-probability can. */
static json_t *score(double value)
{
	return json_real(round(value * 1e4) / 1e4);
}

static json_t *evidence_json(const struct evidence *evidence)
{
	return json_pack("{s:o, s:I, s:I, s:o, s:o, s:o}", "quote", string_or_null(evidence->quote),
	                 "byte_start", (json_int_t)evidence->byte_start, "byte_end",
	                 (json_int_t)evidence->byte_end, "page", count_or_null(evidence->page), "section",
	                 string_or_null(evidence->section), "score", score(evidence->score));
}

static json_t *evidence_list(const struct passage *passage)
{
	json_t *list = json_array();

	for (size_t i = 0; i < passage->n_evidence; i++)
		json_append(&list, evidence_json(&passage->evidence[i]));
	return list;
}

json_t *output_answer_json(const struct question *question)
{
	const struct passage *answer = &question->answer;

	return json_pack("{s:s, s:b, s:o, s:b, s:o, s:o}", "question", question->text, "found",
	                 (int)question->found, "text", json_of_bytes(answer->text), "generated",
	                 (int)answer->generated, "score", score(answer->score), "evidence",
	                 evidence_list(answer));
}

static json_t *answers_json(const struct questions *questions)
{
	json_t *list = json_array();

	for (size_t i = 0; i < questions->n; i++) {
		if (questions->items[i].answer.text != NULL)
			json_append(&list, output_answer_json(&questions->items[i]));
	}
	return list;
}

static json_t *passages_json(const struct passages *passages, enum passage_kind kind)
{
	json_t *list = json_array();

	for (size_t i = 0; i < passages->n; i++) {
		const struct passage *passage = &passages->items[i];

		if (passage->kind != kind)
			continue;
		json_append(&list, json_pack("{s:o, s:b, s:o, s:o}", "text", json_of_bytes(passage->text),
		                             "generated", (int)passage->generated, "score",
		                             score(passage->score), "evidence", evidence_list(passage)));
	}
	return list;
}

static json_t *chunk_json(const struct document_chunk *chunk)
{
	return json_pack("{s:I, s:I, s:I, s:o, s:I, s:o, s:o, s:o}", "number", (json_int_t)chunk->number,
	                 "byte_start", (json_int_t)chunk->byte_start, "byte_end", (json_int_t)chunk->byte_end,
	                 "section", string_or_null(chunk->section), "tokens", (json_int_t)chunk->tokens,
	                 "title", passages_json(&chunk->passages, PASSAGE_TITLE), "summary",
	                 passages_json(&chunk->passages, PASSAGE_ABSTRACT), "key",
	                 passages_json(&chunk->passages, PASSAGE_KEY));
}

static json_t *document_json(const struct document *document)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:I, s:o}", "name",
	                 json_of_bytes(document->name), "path", json_of_bytes(document->path), "sha256",
	                 string_or_null(document->sha256), "media_type", string_or_null(document->media_type),
	                 "bytes", (json_int_t)document->bytes, "pages", count_or_null(document->pages),
	                 "truncated", string_or_null(document->truncated), "ocr_pages",
	                 string_or_null(document->ocr_pages), "tokens", (json_int_t)document->tokens,
	                 "language", string_or_null(document->language));
}

static json_t *usage_json(const struct usage *usage)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "prompt_tokens", (json_int_t)usage->prompt_tokens,
	                 "computed_tokens", (json_int_t)usage->computed_tokens, "reused_tokens",
	                 (json_int_t)usage->reused_tokens, "generated_tokens",
	                 (json_int_t)usage->generated_tokens);
}

static json_t *reading_json(const struct reading *reading)
{
	const struct document *document = &reading->document;
	json_t *chunks = json_array();

	for (size_t i = 0; i < reading->n_chunks; i++)
		json_append(&chunks, chunk_json(&reading->chunks[i]));
	return json_pack("{s:o, s:{s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:f}}", "document",
	                 document_json(document), "model", "name", string_or_null(document->model),
	                 "fingerprint", string_or_null(document->fingerprint), "title",
	                 passages_json(&reading->passages, PASSAGE_TITLE), "summary",
	                 passages_json(&reading->passages, PASSAGE_ABSTRACT), "key",
	                 passages_json(&reading->passages, PASSAGE_KEY), "answers",
	                 answers_json(&reading->questions), "chunks", chunks, "usage",
	                 usage_json(&document->usage), "timings", "seconds",
	                 round(document->seconds * 1e3) / 1e3);
}

int output_json(const struct reading *reading, struct buf *ret)
{
	return json_put(reading_json(reading), JSON_INDENT(1) | JSON_REAL_PRECISION(12), ret);
}

int output_is_ours(struct docstore *store, const char *path, bool *ret, struct err *err)
{
	char sha256[DIGEST_HEX];
	struct buf bytes = { 0 };
	bool ours = false;
	struct stat st;
	int r = 0;

	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= (off_t)MAX_OUTPUT_BYTES &&
	    (r = file_read(path, MAX_OUTPUT_BYTES, &bytes, err)) == 0) {
		digest_hex(bytes.data, bytes.n, sha256);
		r = docstore_output_is_ours(store, path, sha256, &ours, err);
	}
	buf_done(&bytes);
	if (r == 0)
		*ret = ours;
	return r;
}

/* Whether what stands at path, if anything, may be replaced. */
static int check_ours(struct docstore *store, const char *path, struct err *err)
{
	bool ours = false;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return 0;
	r = output_is_ours(store, path, &ours, err);
	if (r < 0 || ours)
		return r;
	return err_set(err, -EEXIST, "output '%s': is there and was not written by skimd: left alone", path);
}

/* Noted as ours first: a crash in between leaves a note without a file, never a file that nobody knows. */
static int replace_output(struct docstore *store, int64_t id, const char *path, const struct buf *text,
                          struct err *err)
{
	char sha256[DIGEST_HEX];
	int r;

	digest_hex(text->data, text->n, sha256);
	if ((r = docstore_output_add(store, id, path, sha256, err)) < 0 ||
	    (r = file_replace(path, text->data, text->n, OUTPUT_MODE, err)) < 0)
		return r;
	return docstore_output_keep(store, path, sha256, err);
}

static int write_text(struct docstore *store, const struct document *document, const char *suffix,
                      const struct buf *text, struct err *err)
{
	char path[PATH_MAX];
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s%s", document->output, suffix) >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "output '%s': the name is too long", document->output);
	if ((r = check_ours(store, path, err)) < 0 || (r = file_make_folder_of(path, 0750, err)) < 0)
		return r;
	return replace_output(store, document->id, path, text, err);
}

static int write_one(struct docstore *store, const struct reading *reading, const char *suffix,
                     int (*make)(const struct reading *reading, struct buf *ret), struct err *err)
{
	struct buf text = { 0 };
	int r = make(reading, &text) < 0
	                ? err_set(err, -ENOMEM, "output '%s': no memory", reading->document.output)
	                : write_text(store, &reading->document, suffix, &text, err);

	buf_done(&text);
	return r;
}

int output_write_page(struct docstore *store, int64_t id, struct err *err)
{
	struct buf text = { 0 };
	struct audit_view view;
	int r = audit_view_make(store, id, &view, err);

	if (r < 0)
		return r;
	if (view.reading.document.output != NULL) {
		r = report_html(&view, &text);
		r = r < 0 ? err_set(err, r, "output '%s': no memory", view.reading.document.output)
		          : write_text(store, &view.reading.document, OUTPUT_HTML_SUFFIX, &text, err);
	}
	buf_done(&text);
	audit_view_done(&view);
	return r;
}

int output_write(struct docstore *store, int64_t id, bool markdown, bool json, struct err *err)
{
	struct reading reading = { 0 };
	int r = docstore_load(store, id, &reading, err);

	if (r < 0)
		return r;
	if (reading.document.output != NULL && markdown)
		r = write_one(store, &reading, OUTPUT_MARKDOWN_SUFFIX, output_markdown, err);
	if (r == 0 && reading.document.output != NULL && json)
		r = write_one(store, &reading, OUTPUT_JSON_SUFFIX, output_json, err);
	reading_done(&reading);
	return r;
}

static int sweep_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	(void)st;
	if (type == FTW_F && file_is_temporary(path + place->base))
		unlink(path);
	return 0;
}

void output_sweep(const char *outbox)
{
	nftw(outbox, sweep_one, MAX_OPEN_FOLDERS, FTW_PHYS);
}
