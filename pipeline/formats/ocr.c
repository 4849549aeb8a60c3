#include "pipeline/formats/ocr.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "pipeline/formats/programs.h"

#define NUMBER_BYTES sizeof(uint32_t)
#define HEADER_BYTES (2 * NUMBER_BYTES) /* page, bytes of its text, as this machine has numbers */

int ocr_pages_add(struct ocr_pages *pages, unsigned number)
{
	if (pages->n == OCR_MAX_LISTED)
		return 0;
	if (array_grow(&pages->numbers, sizeof(*pages->numbers), pages->n, &pages->cap) < 0)
		return -ENOMEM;
	pages->numbers[pages->n++] = number;
	return 0;
}

void ocr_pages_done(struct ocr_pages *pages)
{
	free(pages->numbers);
	*pages = (struct ocr_pages){ 0 };
}

void ocr_add_text(struct buf *texts, unsigned page, const char *text, size_t n)
{
	const uint32_t header[] = { page, (uint32_t)n };

	buf_append(texts, header, sizeof(header));
	buf_append(texts, text, n);
}

struct page_text {
	unsigned page; /* 0: there is no more */
	const char *text;
	size_t n;
};

static struct page_text next_text(const char **at, const char *end)
{
	uint32_t header[2];
	struct page_text ret = { 0 };

	if ((size_t)(end - *at) < HEADER_BYTES)
		return ret;
	memcpy(header, *at, sizeof(header));
	*at += HEADER_BYTES;
	if (header[1] > (size_t)(end - *at))
		return ret;
	ret = (struct page_text){ header[0], *at, header[1] };
	*at += header[1];
	return ret;
}

static bool is_blank(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isspace((unsigned char)text[i]) && text[i] != '\0')
			return false;
	return true;
}

/* As one page, whatever is in it. */
static void put_text(const struct page_text *text, struct buf *ret)
{
	for (size_t i = 0; i < text->n; i++)
		buf_append(ret, text->text[i] == '\f' ? "\n" : &text->text[i], 1);
}

/* The bytes of the page that begins at text, without its form feed. */
static size_t page_length(const char *text, size_t n)
{
	const char *end = n == 0 ? NULL : memchr(text, '\f', n);

	return end == NULL ? n : (size_t)(end - text);
}

void ocr_merge(const char *text, size_t n, const char *texts, size_t n_texts, struct buf *ret)
{
	const char *at = texts, *end = texts + n_texts;
	struct page_text read = next_text(&at, end);
	unsigned page = 1;

	for (size_t i = 0; i < n; page++) {
		size_t length = page_length(text + i, n - i);

		while (read.page > 0 && read.page < page)
			read = next_text(&at, end);
		if (read.page == page && is_blank(text + i, length))
			put_text(&read, ret);
		else
			buf_append(ret, text + i, length);
		i += length;
		if (i < n)
			buf_append(ret, text + i++, 1);
	}
}

int ocr_list_missing(const char *text, size_t n, unsigned max_pages, struct ocr_pages *ret)
{
	unsigned page = 1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n && page <= max_pages; page++) {
		size_t length = page_length(text + i, n - i);

		if (is_blank(text + i, length) && i + length < n) /* behind the last form feed is no page */
			r = ocr_pages_add(ret, page);
		i += length + 1;
	}
	return r;
}

bool ocr_is_language(const char *word, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)word[i]) && word[i] != '_')
			return false;
	return n > 0;
}

static int check_language(const char *word, size_t n, struct err *err)
{
	const char *folder = program_data(PROGRAM_TESSERACT);
	char path[PATH_MAX];

	if (!ocr_is_language(word, n))
		return err_set(err, -EINVAL, "'%.*s' is no language as tesseract has them, such as eng",
		               (int)n, word);
	snprintf(path, sizeof(path), "%s/%.*s.traineddata", folder == NULL ? "" : folder, (int)n, word);
	if (folder == NULL || access(path, R_OK) < 0)
		return err_set(err, -ENOPKG,
		               "needs tesseract's data of the language '%.*s' (package tesseract-ocr-%.*s)",
		               (int)n, word, (int)n, word);
	return 0;
}

int ocr_check(const char *languages, struct err *err)
{
	int r = programs_check(ROW_PDF_OCR, err);

	while (r == 0) {
		size_t n = strcspn(languages, "+");

		r = check_language(languages, n, err);
		if (languages[n] == '\0')
			break;
		languages += n + 1;
	}
	return r;
}
