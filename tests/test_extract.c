#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/text.h"
#include "pipeline/extract.h"

struct fixture {
	char folder[32];
	struct extracted extracted;
	struct err err;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/test_extract.XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	extracted_done(&fixture->extracted);
	rmdir(fixture->folder);
	free(fixture);
	return 0;
}

/* Write a file, read it, remove it. */
static int extract_within(struct fixture *fixture, const char *name, const void *bytes, size_t n,
                          const struct extract_limits *limits)
{
	char path[64];
	int fd, r;

	extracted_done(&fixture->extracted);
	snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	r = extract_file(fd, path, limits, NULL, &fixture->extracted, &fixture->err);
	close(fd);
	unlink(path);
	return r;
}

static int extract(struct fixture *fixture, const char *name, const void *bytes, size_t n)
{
	return extract_within(fixture, name, bytes, n, NULL);
}

static void assert_refused(struct fixture *fixture, const void *bytes, size_t n, int code, const char *words)
{
	assert_int_equal(extract(fixture, "file", bytes, n), code);
	assert_string_equal(fixture->err.text, words);
}

static void assert_text(struct fixture *fixture, const void *bytes, size_t n, const char *charset,
                        const char *text)
{
	assert_int_equal(extract(fixture, "file", bytes, n), 0);
	assert_string_equal(fixture->extracted.charset, charset);
	assert_string_equal(fixture->extracted.text, text);
	assert_int_equal(fixture->extracted.n, strlen(text));
}

/* Append a gzip member. */
static void pack(struct buf *buf, const void *bytes, size_t n)
{
	z_stream stream = { 0 };
	char *room;

	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.avail_out = (uInt)deflateBound(&stream, n);
	room = buf_reserve(buf, stream.avail_out);
	assert_non_null(room);
	stream.next_in = (z_const Bytef *)bytes;
	stream.avail_in = (uInt)n;
	stream.next_out = (Bytef *)room;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	buf->n += stream.total_out;
	deflateEnd(&stream);
}

static void a_utf8_file_is_taken_as_it_is(void **state)
{
	static const char bytes[] = "\xef\xbb\xbfOne line,\r\nna\xc3\xafve \xf0\x9f\x92\xa1.\t\f\r\n";
	struct fixture *fixture = *state;

	assert_text(fixture, bytes, sizeof(bytes) - 1, "utf-8", bytes);
	assert_string_equal(fixture->extracted.media_type, "text/plain");
	assert_int_equal(fixture->extracted.bytes, sizeof(bytes) - 1);
	assert_int_equal(extract(fixture, "file", "abc", 3), 0);
	assert_string_equal(fixture->extracted.sha256,
	                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void other_character_sets_become_utf8(void **state)
{
	struct fixture *fixture = *state;

	assert_text(fixture,
	            "\xff\xfe"
	            "a\0\xe4\0\x3d\xd8\xa1\xdc",
	            10, "utf-16le", "a\xc3\xa4\xf0\x9f\x92\xa1");
	assert_text(fixture, "\xfe\xff\0a\0\xe4\xd8\x3d\xdc\xa1", 10, "utf-16be",
	            "a\xc3\xa4\xf0\x9f\x92\xa1");
	assert_text(fixture, "\xff\xfe\0\0a\0\0\0\xa1\xf4\1\0", 12, "utf-32le", "a\xf0\x9f\x92\xa1");
	assert_text(fixture, "\0\0\xfe\xff\0\0\0a", 8, "utf-32be", "a");
	assert_text(fixture, "N\0o\0 \0m\0a\0r\0k\0.\0", 16, "utf-16le", "No mark.");
	assert_text(fixture, "\0N\0o\0 \0m\0a\0r\0k\0.", 16, "utf-16be", "No mark.");
	assert_text(fixture, "A na\xefve caf\xe9.", 13, "iso-8859-1", "A na\xc3\xafve caf\xc3\xa9.");
	assert_text(fixture, "It costs \x80 5 \x97 or so", 20, "windows-1252",
	            "It costs \xe2\x82\xac 5 \xe2\x80\x94 or so");
	assert_text(fixture, "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 cut: \xc3", 23,
	            "utf-8-damaged",
	            "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 cut: \xef\xbf\xbd");
}

static void utf8_is_checked_strictly(void **state)
{
	static const char *const wrong[] = { "\xc0\x80",
		                             "\xc1\xbf",
		                             "\xe0\x80\x80",
		                             "\xe0\x9f\xbf",
		                             "\xed\xa0\x80",
		                             "\xed\xbf\xbf",
		                             "\xf0\x8f\xbf\xbf",
		                             "\xf4\x90\x80\x80",
		                             "\xf5\x80\x80\x80",
		                             "\x80",
		                             "\xff",
		                             "\xc3",
		                             "\xe2\x82",
		                             "\xf0\x9f\x92" };
	static const char *const right[] = { "",
		                             "\x7f",
		                             "\xc2\x80",
		                             "\xdf\xbf",
		                             "\xe0\xa0\x80",
		                             "\xed\x9f\xbf",
		                             "\xee\x80\x80",
		                             "\xef\xbf\xbf",
		                             "\xf0\x90\x80\x80",
		                             "\xf4\x8f\xbf\xbf" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(text_is_utf8(wrong[i], strlen(wrong[i])));
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		assert_true(text_is_utf8(right[i], strlen(right[i])));
}

static void what_is_not_text_is_refused_by_its_name(void **state)
{
	struct fixture *fixture = *state;
	char tar[512] = "file";

	assert_refused(fixture, "AT&TFORM", 8, -ENOTSUP, "a DjVu document, which this version does not read");
	assert_refused(fixture,
	               "\x7f"
	               "ELF\2",
	               5, -ENOTSUP, "a program (ELF), which this version does not read");
	memcpy(tar + 257, "ustar", 6);
	assert_refused(fixture, tar, sizeof(tar), -ENOTSUP,
	               "a tar archive, which this version does not read");
	assert_refused(fixture, "text\0text", 9, -ENOTSUP, "not text: holds zero bytes");
	assert_refused(fixture, "a\1b\2c", 5, -ENOTSUP, "not text: 2 of its 5 bytes are control characters");
	assert_refused(fixture, "\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0", 11, -ENOTSUP,
	               "its text is in an unknown character set: neither Unicode nor Latin");
	assert_refused(fixture,
	               "\xff\xfe"
	               "a\0\0\0",
	               6, -ENOTSUP, "not text: starts like utf-16le, but byte 4 is wrong");
	assert_refused(fixture,
	               "\xff\xfe"
	               "a\0\x3d\xd8"
	               "b\0",
	               8, -ENOTSUP, "not text: starts like utf-16le, but byte 4 is wrong");
}

static void words_that_are_magic_elsewhere_are_text(void **state)
{
	struct fixture *fixture = *state;

	assert_text(fixture, "BZhang wrote it", 15, "utf-8", "BZhang wrote it");
	assert_text(fixture, "ID3 is a tag", 12, "utf-8", "ID3 is a tag");
	assert_text(fixture, "the ftypes", 10, "utf-8", "the ftypes");
	assert_text(fixture, "A HEAT. WAVE", 12, "utf-8", "A HEAT. WAVE");
}

static void a_file_without_words_is_refused(void **state)
{
	struct fixture *fixture = *state;

	assert_refused(fixture, "", 0, -ENODATA, "the file is empty");
	assert_refused(fixture, " \n\t\r\n", 5, -ENODATA, "the file holds no text");
	assert_refused(fixture, "\xef\xbb\xbf\n", 4, -ENODATA, "the file holds no text");
	assert_refused(fixture, "\xff\xfe", 2, -ENODATA, "the file holds no text");
}

static void gzip_members_are_unpacked_one_after_the_other(void **state)
{
	struct fixture *fixture = *state;
	struct buf packed = { 0 };

	pack(&packed, "First, ", 7);
	pack(&packed, "then.", 5);
	assert_text(fixture, packed.data, packed.n, "utf-8", "First, then.");
	assert_int_equal(fixture->extracted.bytes, packed.n);
	buf_done(&packed);
}

static void damaged_gzip_files_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct buf packed = { 0 }, twice = { 0 }, empty = { 0 };

	pack(&packed, "Words that are packed.", 22);
	assert_refused(fixture, packed.data, packed.n - 1, -EBADMSG, "the gzip data is cut short");
	assert_refused(fixture, packed.data, 2, -EBADMSG, "the gzip data is cut short");
	pack(&twice, packed.data, packed.n);
	assert_refused(fixture, twice.data, twice.n, -ENOTSUP,
	               "a gzip file within a gzip file: only one layer is unpacked");
	buf_append(&packed, "xyz", 3);
	assert_refused(fixture, packed.data, packed.n, -EBADMSG,
	               "3 bytes that are not gzip follow the gzip data");
	packed.data[12] ^= 0x55;
	assert_refused(fixture, packed.data, packed.n - 3, -EBADMSG, "the gzip data is damaged");
	pack(&empty, "", 0);
	assert_refused(fixture, empty.data, empty.n, -ENODATA, "the file holds no text");
	buf_done(&packed);
	buf_done(&twice);
	buf_done(&empty);
}

static void bombs_do_not_go_off(void **state)
{
	const size_t n = 4 << 20;
	const struct extract_limits limits = { .max_text_bytes = 1000 };
	struct fixture *fixture = *state;
	char *bytes = malloc(n);
	struct buf packed = { 0 };

	assert_non_null(bytes);
	memset(bytes, 'a', n);
	pack(&packed, bytes, n);
	assert_refused(fixture, packed.data, packed.n, -EFBIG, "unpacks to more than 100 times its size");
	packed.n = 0;
	pack(&packed, bytes, 500000);
	assert_int_equal(extract(fixture, "file", packed.data, packed.n), 0);
	assert_int_equal(fixture->extracted.n, 500000);
	assert_int_equal(extract_within(fixture, "file", packed.data, packed.n, &limits), -EFBIG);
	assert_string_equal(fixture->err.text, "unpacks to more than the limit of 1000 bytes");
	packed.n = 0;
	for (int i = 0; i < 3; i++)
		pack(&packed, bytes, 500000);
	assert_refused(fixture, packed.data, packed.n, -EFBIG, "unpacks to more than 100 times its size");
	buf_done(&packed);
	free(bytes);
}

static void files_over_the_limits_are_refused(void **state)
{
	const struct extract_limits file = { .max_file_bytes = 4 }, text = { .max_text_bytes = 4 };
	struct fixture *fixture = *state;

	assert_int_equal(extract_within(fixture, "file", "12345", 5, &file), -EFBIG);
	assert_string_equal(fixture->err.text, "5 bytes, more than the limit of 4");
	assert_int_equal(extract_within(fixture, "file", "12345", 5, &text), -EFBIG);
	assert_string_equal(fixture->err.text, "its text is larger than the limit of 4 bytes");
	/* Latin letters take two bytes in UTF-8. */
	assert_int_equal(extract_within(fixture, "file", "abc\xe4", 4, &text), -EFBIG);
	assert_int_equal(extract_within(fixture, "file", "1234", 4, &file), 0);
}

static void what_is_no_file_is_refused(void **state)
{
	struct fixture *fixture = *state;
	int fd = open(fixture->folder, O_RDONLY | O_CLOEXEC), ends[2];

	assert_int_equal(extract_file(fd, fixture->folder, NULL, NULL, &fixture->extracted, &fixture->err),
	                 -EISDIR);
	assert_string_equal(fixture->err.text, "a folder");
	close(fd);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(extract_file(ends[0], "pipe", NULL, NULL, &fixture->extracted, &fixture->err),
	                 -EINVAL);
	assert_string_equal(fixture->err.text, "not a regular file");
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(extract_file(-1, "none", NULL, NULL, &fixture->extracted, NULL), -EBADF);
}

static void assert_type(struct fixture *fixture, const char *name, const char *text, const char *type)
{
	assert_int_equal(extract(fixture, name, text, strlen(text)), 0);
	if (strcmp(fixture->extracted.media_type, type) != 0)
		fail_msg("%s, expected %s: %s: %s", fixture->extracted.media_type, type, name, text);
}

static void markdown_is_told_by_its_marks(void **state)
{
	struct fixture *fixture = *state;

	assert_type(fixture, "a", "# Widgets\n\nSee [the list](list.md) of them.\n", "text/markdown");
	assert_type(fixture, "a", "# Widgets\n\n- one\n- two\n", "text/markdown");
	assert_type(fixture, "a", "Widgets\n=======\n\n```\nwidget x\n```\n", "text/markdown");
	assert_type(fixture, "a", "| a | b |\n|---|---|\n| `x` | `y` |\n| `z` | z |\n", "text/markdown");
	assert_type(fixture, "a.md", "Words and **more** words,\nand **still** more.\n", "text/markdown");
	assert_type(fixture, "a.md", "Words and more words.\n", "text/plain");
}

static void comments_and_lists_are_not_markdown(void **state)
{
	struct fixture *fixture = *state;

	assert_type(fixture, "a", "#!/bin/sh\n\n# Say it\n\n- x\n- y\n", "text/x-shellscript");
	assert_type(fixture, "a", "# The paths\npath: x\nlist:\n- a\n- b\n\n# The names\nname: y\n",
	            "text/plain");
	assert_type(fixture, "a", "# one comment\n# and another\nkey = value\n- x\n- y\n", "text/plain");
	assert_type(fixture, "a", "To buy:\n\n- milk\n- bread\n", "text/plain");
	assert_type(fixture, "a", "/* A list of `words` and `more`. */\nint a[] = { f(x)[1](y) };\n",
	            "text/plain");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_utf8_file_is_taken_as_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(other_character_sets_become_utf8, setup, teardown),
		cmocka_unit_test(utf8_is_checked_strictly),
		cmocka_unit_test_setup_teardown(what_is_not_text_is_refused_by_its_name, setup, teardown),
		cmocka_unit_test_setup_teardown(words_that_are_magic_elsewhere_are_text, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_without_words_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(gzip_members_are_unpacked_one_after_the_other, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(damaged_gzip_files_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(bombs_do_not_go_off, setup, teardown),
		cmocka_unit_test_setup_teardown(files_over_the_limits_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(markdown_is_told_by_its_marks, setup, teardown),
		cmocka_unit_test_setup_teardown(comments_and_lists_are_not_markdown, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
