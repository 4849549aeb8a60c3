/* What pdftotext wrote, and what OCR is said to have read of some pages: the pages stay as many as they were, those with
 * words keep them, and those without are the ones that are listed. The first byte is how much of the rest is pages. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/target.h"
#include "pipeline/formats/ocr.h"
#include "pipeline/formats/pdf_text.h"

#define MAX_PAGES 50u

static bool is_listed(const struct ocr_pages *pages, unsigned page)
{
	for (size_t i = 0; i < pages->n; i++)
		if (pages->numbers[i] == page)
			return true;
	return false;
}

/* Each page with words stands in the merged text as it is; the n bytes of either end behind their last page. */
static void check_pages(const char *text, size_t n, const struct buf *merged, const struct ocr_pages *missing)
{
	size_t at = 0;
	unsigned page = 1;

	for (size_t i = 0; i < n; page++) {
		const char *end = memchr(text + i, '\f', n - i);
		const char *merged_end = memchr(merged->data + at, '\f', merged->n - at);
		size_t length = end == NULL ? n - i : (size_t)(end - text) - i;
		size_t merged_length =
			merged_end == NULL ? merged->n - at : (size_t)(merged_end - merged->data) - at;

		REQUIRE((end == NULL) == (merged_end == NULL));
		if (end != NULL && page <= MAX_PAGES && !is_listed(missing, page))
			REQUIRE(length == merged_length && memcmp(text + i, merged->data + at, length) == 0);
		i += length + 1;
		at += merged_length + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct input input = { bytes, n };
	size_t n_text = input_u8(&input) * input.n / 255;
	char *text = copy_bytes(input.bytes, n_text),
	     *texts = copy_bytes(input.bytes + n_text, input.n - n_text);
	struct ocr_pages missing = { 0 };
	struct buf merged = { 0 };

	REQUIRE(ocr_list_missing(text, n_text, MAX_PAGES, &missing) == 0);
	ocr_merge(text, n_text, texts, input.n - n_text, &merged);
	buf_append(&merged, "", 0); /* an empty text is one, too */
	REQUIRE(buf_status(&merged) == 0);
	REQUIRE(pdf_text_pages(text, n_text) == pdf_text_pages(merged.data, merged.n));
	check_pages(text, n_text, &merged, &missing);
	ocr_pages_done(&missing);
	buf_done(&merged);
	free(text);
	free(texts);
	return 0;
}
