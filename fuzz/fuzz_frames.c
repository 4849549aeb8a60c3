/* What an extractor says that a document has taken over: a result is what a parser could have given, down to its marks, and
 * its view holds; a failure has words, and is none that speaks for the file or the daemon. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "fuzz/target.h"
#include "pipeline/extract_frames.h"
#include "pipeline/view.h"

#define MAX_TEXT_BYTES ((size_t)4096)

static bool is_white(char c)
{
	return c != '\0' && strchr(" \t\n\v\f\r", c) != NULL;
}

static void check_view(const struct sink_result *result)
{
	size_t last = 0;
	struct view view;

	REQUIRE(view_make_marked(result->text, result->n, &result->marks, &view, NULL) == 0);
	for (size_t i = 0; i < view.n; i++) {
		size_t at = view_source(&view, i), n;
		const char *section;

		REQUIRE(at < result->n && (i == 0 || at > last));
		REQUIRE(view.text[i] == result->text[at] ||
		        (is_white(view.text[i]) && is_white(result->text[at])));
		view_section_at(&view, i, &section, &n);
		REQUIRE(section == NULL || text_is_utf8(section, n));
		last = at;
	}
	REQUIRE(text_is_utf8(view.text, view.n));
	for (size_t i = 0; i < view.n_headings; i++)
		REQUIRE(view.headings[i].title < view.headings[i].end && view.headings[i].end <= view.n);
	view_done(&view);
}

static void check_result(const struct parsed *parsed)
{
	const struct sink_result *result = &parsed->result;

	REQUIRE(result->n > 0 && result->n <= MAX_TEXT_BYTES && strlen(result->text) == result->n);
	REQUIRE(text_is_utf8(result->text, result->n));
	REQUIRE(formats_media_type(parsed->media_type) == parsed->media_type);
	if (result->marks.n_blocks > 0)
		check_view(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct parsed parsed = { .charset = "" };
	struct ocr_pages missing = { 0 };
	struct err err = { "" };
	struct buf said = { 0 };
	int r;

	buf_append(&said, bytes, n);
	r = frames_read(&said, MAX_TEXT_BYTES, &parsed, &missing, &err);

	if (r == 0)
		check_result(&parsed);
	else
		REQUIRE(r != -ENOENT && r != -ECANCELED && r != -EAGAIN && err.text[0] != '\0');
	for (size_t i = 0; i < missing.n; i++)
		REQUIRE(missing.numbers[i] > (i == 0 ? 0 : missing.numbers[i - 1]));
	parsed_done(&parsed);
	ocr_pages_done(&missing);
	return 0;
}
