/* Any text through the default model's tokenizer: UTF-8 comes back as it was, and nothing else is taken. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "fuzz/target.h"
#include "model/tokenizer.h"

static struct tokenizer *open_tokenizer(void)
{
	struct tokenizer *tokenizer;
	struct err err = { "" };
	char path[PATH_MAX];
	size_t n;
	uint8_t *file = source_file("model/nano/tokenizer.json", &n);

	scratch_write("tokenizer.json", file, n);
	scratch_path("tokenizer.json", path);
	free(file);
	REQUIRE(tokenizer_open(path, &tokenizer, &err) == 0);
	return tokenizer;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct tokenizer *tokenizer;
	struct err err = { "" };
	struct buf back = { 0 };
	uint32_t *ids;
	size_t n_ids;
	int r;

	if (tokenizer == NULL)
		tokenizer = open_tokenizer();
	r = tokenizer_encode(tokenizer, (const char *)bytes, n, &ids, &n_ids, &err);
	REQUIRE(r == -EFBIG || (r == 0) == text_is_utf8((const char *)bytes, n));
	if (r < 0) {
		REQUIRE(err.text[0] != '\0');
		return 0;
	}
	REQUIRE(n_ids <= n);
	REQUIRE(tokenizer_decode(tokenizer, ids, n_ids, &back, &err) == 0);
	REQUIRE(back.n == n && (n == 0 || memcmp(back.data, bytes, n) == 0));
	buf_done(&back);
	free(ids);
	return 0;
}
