/* What pdftotext may make of a PDF that wants it so: each word of it comes out, marked, within the limits. The first byte is
 * how many pages are wanted. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/target.h"
#include "pipeline/formats/pdf_text.h"
#include "pipeline/formats/sink_collect.h"

#define MAX_TEXT_BYTES ((size_t)1 << 16)

static size_t count_letters(const char *text, size_t n)
{
	size_t n_letters = 0;

	for (size_t i = 0; i < n; i++)
		n_letters += (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9');
	return n_letters;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct input input = { bytes, n };
	unsigned max_pages = 1 + input_u8(&input);
	char *text = copy_bytes(input.bytes, input.n);
	struct sink_result result = { 0 };
	struct sink *sink = NULL;

	REQUIRE(sink_new(MAX_TEXT_BYTES, &sink, NULL) == 0);
	pdf_text_parse(text, input.n, max_pages, sink, NULL);
	REQUIRE(sink_take(sink, &result, NULL) == 0);
	REQUIRE(result.n_pages <= max_pages);
	if (result.truncated[0] == '\0')
		REQUIRE(count_letters(result.text, result.n) == count_letters(text, input.n));
	sink_result_done(&result);
	sink_free(sink);
	free(text);
	return 0;
}
