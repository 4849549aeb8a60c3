/* A packed file, and its name: one layer is taken off, within the limits, and what is in it read. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fuzz/target.h"
#include "pipeline/formats/formats.h"

#define MAX_TEXT_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const struct format_input about = { .name = "a.txt.xz",
		                            .max_bytes = MAX_TEXT_BYTES,
		                            .max_members = 10,
		                            .max_pages = 10,
		                            .max_depth = 10 };
	struct parsed parsed = { .charset = "" };
	struct buf file = { 0 };
	struct err err = { "" };

	buf_append(&file, bytes, n);
	if (formats_parse(&file, &about, MAX_TEXT_BYTES, &parsed, &err) == 0)
		REQUIRE(parsed.result.n <= MAX_TEXT_BYTES &&
		        text_is_utf8(parsed.result.text, parsed.result.n));
	else
		REQUIRE(err.text[0] != '\0');
	parsed_done(&parsed);
	return 0;
}
