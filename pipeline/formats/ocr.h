/* Pages that hold a picture of their text, as scans do: what a format's parser and who has them read by OCR say to each
 * other.
 *
 * The parser lists the pages that have no text. Each is then read by itself, in an extractor of its own, as plain text. At
 * last the parser reads the file once more, and takes what was read as the text of these pages. */
#ifndef SKIMD_PIPELINE_FORMATS_OCR_H
#define SKIMD_PIPELINE_FORMATS_OCR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define OCR_MAX_LANGUAGES 64 /* bytes of them, "eng+deu", with the NUL */
#define OCR_MAX_LISTED ((size_t)1 << 16)

struct ocr_pages { /* all zero: none */
	unsigned *numbers; /* from 1, rising */
	size_t n, cap;
};

struct ocr {
	const char *languages; /* as tesseract has them: "eng", "eng+deu" */
	unsigned page; /* to be read, and nothing else; 0: all of the document but what is a picture */
	const char *texts; /* n_texts bytes by ocr_add_text(): what was read of pages */
	size_t n_texts;
	struct ocr_pages missing; /* the parser's list, also where it then fails; for ocr_pages_done() */
};

/* Append one behind all others; no more than OCR_MAX_LISTED are kept. -ENOMEM. */
int ocr_pages_add(struct ocr_pages *pages, unsigned number);
void ocr_pages_done(struct ocr_pages *pages); /* all zero is allowed */

/* Append what was read of a page to texts. Errors stick in ret. */
void ocr_add_text(struct buf *texts, unsigned page, const char *text, size_t n);

/* Append text, whose pages end with form feeds, to ret with texts in the place of pages that have none; others stay as they
 * are. texts may be any bytes: what does not hold is left out. Errors stick in ret. */
void ocr_merge(const char *text, size_t n, const char *texts, size_t n_texts, struct buf *ret);

/* List the pages of such a text, up to max_pages, that hold nothing but white space. -ENOMEM. */
int ocr_list_missing(const char *text, size_t n, unsigned max_pages, struct ocr_pages *ret);

/* Whether it can be the name of a language: letters, digits and '_'. */
bool ocr_is_language(const char *word, size_t n);

/* Whether these languages, parted by '+', can be read on this machine. -EINVAL: they are no such list; -ENOPKG: a program
 * or the data of a language is not installed. */
int ocr_check(const char *languages, struct err *err);

#endif
