/* What a model may write, made fit to be shown: UTF-8 without control characters, and no white space at its ends. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fuzz/target.h"
#include "pipeline/prose.h"

static void check_clean(const char *text, bool one_line)
{
	size_t n = strlen(text);

	REQUIRE(text_is_utf8(text, n));
	REQUIRE(n == 0 || (strchr(" \n", text[0]) == NULL && strchr(" \n", text[n - 1]) == NULL));
	REQUIRE(!one_line || strchr(text, '\n') == NULL);
	for (size_t i = 0; i < n; i++)
		REQUIRE(text[i] == '\n' || text_control_length(text + i) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct input input = { bytes, n };
	uint8_t flags = input_u8(&input);
	char *text = copy_bytes(input.bytes, input.n), *clean;

	REQUIRE(prose_clean(text, (flags & 1) != 0, (flags & 2) != 0, &clean) == 0);
	check_clean(clean, (flags & 2) != 0);
	free(clean);
	free(text);
	return 0;
}
