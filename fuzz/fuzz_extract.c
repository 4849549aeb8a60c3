/* A file as anybody may drop it: what comes out is UTF-8 without NUL, within its limit, and of a plain UTF-8 file its own
 * bytes. The first byte chooses the file's name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "fuzz/target.h"
#include "pipeline/digest.h"
#include "pipeline/extract.h"

#define MAX_TEXT_BYTES ((uint64_t)1 << 20)

static const char *const NAMES[] = { "a.txt", "a.md", "a.md.gz", "a" };

static void check_text(const struct extracted *extracted, const struct input *file)
{
	char sha256[DIGEST_HEX];

	REQUIRE(extracted->n > 0 && extracted->n <= MAX_TEXT_BYTES);
	REQUIRE(strlen(extracted->text) == extracted->n);
	REQUIRE(text_is_utf8(extracted->text, extracted->n));
	REQUIRE(extracted->bytes == file->n);
	digest_hex(file->bytes, file->n, sha256);
	REQUIRE(strcmp(sha256, extracted->sha256) == 0);
	if (strcmp(extracted->charset, "utf-8") == 0 && file->bytes[0] != 0x1f)
		REQUIRE(extracted->n == file->n && memcmp(extracted->text, file->bytes, file->n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct extract_limits LIMITS = { .max_text_bytes = MAX_TEXT_BYTES };
	struct input input = { bytes, n };
	const char *name = NAMES[input_u8(&input) % 4];
	int fd = memfd_create("file", MFD_CLOEXEC);
	struct extracted extracted = { 0 };
	struct err err = { "" };

	REQUIRE(fd >= 0 && write(fd, input.bytes, input.n) == (ssize_t)input.n);
	if (extract_file(fd, name, &LIMITS, &extracted, &err) == 0)
		check_text(&extracted, &input);
	else
		REQUIRE(err.text[0] != '\0' && extracted.text == NULL);
	extracted_done(&extracted);
	close(fd);
	return 0;
}
