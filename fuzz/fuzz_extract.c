/* A file as anybody may drop it, in this process and without the walls: what comes out is UTF-8 without NUL, within its
 * limit, with marks of this very text, and of a plain UTF-8 file its own bytes. The first byte chooses the file's name. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fuzz/target.h"
#include "pipeline/formats/formats.h"

#define MAX_TEXT_BYTES ((size_t)1 << 20)

static const char *const NAMES[] = { "a.txt", "a.md", "a.md.gz", "a" };

static void check_marks(const struct sink_result *result)
{
	struct buf bytes = { 0 };
	struct marks again = { 0 };

	marks_encode(&result->marks, &bytes);
	REQUIRE(marks_decode(bytes.data, bytes.n, result->text, result->n, &again, NULL) == 0);
	REQUIRE(again.n_blocks == result->marks.n_blocks);
	marks_done(&again);
	buf_done(&bytes);
}

static void check_text(const struct parsed *parsed, const struct input *file)
{
	const struct sink_result *result = &parsed->result;

	REQUIRE(result->n > 0 && result->n <= MAX_TEXT_BYTES);
	REQUIRE(strlen(result->text) == result->n);
	REQUIRE(text_is_utf8(result->text, result->n));
	REQUIRE(formats_media_type(parsed->media_type) == parsed->media_type);
	if (result->marks.n_blocks > 0)
		check_marks(result);
	else if (strcmp(parsed->charset, "utf-8") == 0 && file->bytes[0] != 0x1f)
		REQUIRE(result->n == file->n && memcmp(result->text, file->bytes, file->n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct input input = { bytes, n };
	const struct format_input about = { .name = NAMES[input_u8(&input) % 4],
		                            .max_bytes = MAX_TEXT_BYTES,
		                            .max_members = FORMATS_MAX_MEMBERS,
		                            .max_pages = 10,
		                            .max_depth = FORMATS_MAX_DEPTH };
	struct parsed parsed = { .charset = "" };
	struct buf file = { 0 };
	struct err err = { "" };

	buf_append(&file, input.bytes, input.n);
	if (formats_parse(&file, &about, MAX_TEXT_BYTES, &parsed, &err) == 0)
		check_text(&parsed, &input);
	else
		REQUIRE(err.text[0] != '\0' && parsed.result.text == NULL);
	parsed_done(&parsed);
	return 0;
}
