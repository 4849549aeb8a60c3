/* Files that are made to do harm, through the extractor: each ends in its stated reason, or gives what can be read, within
 * the time that it is given. Those of packages (zip) are in test_formats_office.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#ifdef HAVE_LZMA
#include <lzma.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif
#ifdef HAVE_BZIP2
#include <bzlib.h>
#endif

#include "base/buf.h"
#include "pipeline/extract.h"

#define MIB ((size_t)1 << 20)
#define TIMEOUT_S 60u

static struct extracted extracted;
static struct err err;

static int clean(void **state)
{
	(void)state;
	extracted_done(&extracted);
	return 0;
}

/* Extract n bytes, and more_bytes zeros behind them that take no room on a disk. The buffer is used up. */
static int extract(const char *name, struct buf *file, off_t more_bytes)
{
	static const struct extract_limits LIMITS = { .timeout_s = TIMEOUT_S };
	int fd = memfd_create("file", MFD_CLOEXEC), r;

	assert_true(fd >= 0);
	assert_int_equal(buf_status(file), 0);
	for (size_t done = 0; done < file->n;) {
		ssize_t n = write(fd, file->data + done, file->n - done);

		assert_true(n > 0);
		done += (size_t)n;
	}
	if (more_bytes > 0)
		assert_int_equal(ftruncate(fd, (off_t)file->n + more_bytes), 0);
	extracted_done(&extracted);
	err.text[0] = '\0';
	r = extract_file(fd, name, &LIMITS, NULL, &extracted, &err);
	close(fd);
	buf_done(file);
	return r;
}

static void assert_fails(const char *name, struct buf *file, int code, const char *words)
{
	int r = extract(name, file, 0);

	if (r != code || strstr(err.text, words) == NULL)
		fail_msg("%s: %d, '%s', not %d, '%s'", name, r, err.text, code, words);
}

/* reason: why it is not all, "" if it is. */
static void assert_gives(const char *name, struct buf *file, const char *text, const char *reason)
{
	int r = extract(name, file, 0);

	if (r < 0)
		fail_msg("%s: %d, '%s'", name, r, err.text);
	if (strstr(extracted.text, text) == NULL)
		fail_msg("%s: no '%s' in its %zu bytes", name, text, extracted.n);
	assert_string_equal(extracted.truncated, reason);
}

/* A string with zeros in it. */
#define APPEND(buf, string) buf_append(buf, string, sizeof(string) - 1)

static void repeat(struct buf *buf, const char *string, size_t n)
{
	size_t length = strlen(string);
	char *room = buf_reserve(buf, length * n);

	assert_non_null(room);
	for (size_t i = 0; i < n; i++)
		memcpy(room + i * length, string, length);
	buf->n += length * n;
}

static void bombs_end_at_the_ratio(void **state)
{
	const size_t n = 64 * MIB;
	char *zeros = calloc(1, n);
	struct buf file = { 0 };
	uLongf n_packed = compressBound(n);
	z_stream stream = { 0 };

	(void)state;
	assert_non_null(zeros);
	memset(zeros, 'a', n);
	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_in = (z_const Bytef *)zeros;
	stream.avail_in = (uInt)n;
	stream.next_out = (Bytef *)buf_reserve(&file, n_packed);
	stream.avail_out = (uInt)n_packed;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	file.n = stream.total_out;
	deflateEnd(&stream);
	assert_fails("a.gz", &file, -EFBIG, "unpacks to more than 100 times its size");
#ifdef HAVE_LZMA
	file.n = 0;
	assert_non_null(buf_reserve(&file, n));
	assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, (uint8_t *)zeros, n,
	                                         (uint8_t *)file.data, &file.n, n),
	                 LZMA_OK);
	assert_fails("a.xz", &file, -EFBIG, "unpacks to more than 100 times its size");
#endif
#ifdef HAVE_ZSTD
	assert_non_null(buf_reserve(&file, ZSTD_compressBound(n)));
	file.n = ZSTD_compress(file.data, ZSTD_compressBound(n), zeros, n, 1);
	assert_fails("a.zst", &file, -EFBIG, "unpacks to more than 100 times its size");
#endif
#ifdef HAVE_BZIP2
	unsigned n_out = (unsigned)n;

	assert_non_null(buf_reserve(&file, n));
	assert_int_equal(BZ2_bzBuffToBuffCompress(file.data, &n_out, zeros, (unsigned)n, 9, 0, 0), BZ_OK);
	file.n = n_out;
	assert_fails("a.bz2", &file, -EFBIG, "unpacks to more than 100 times its size");
#endif
	free(zeros);
}

/* gzip within gzip within gzip, without end: one layer is as far as anybody goes. */
static void a_file_that_holds_itself_is_opened_once(void **state)
{
	struct buf file = { 0 }, packed = { 0 };

	(void)state;
	buf_puts(&file, "words");
	for (int i = 0; i < 3; i++) {
		z_stream stream = { 0 };

		assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
		stream.next_in = (z_const Bytef *)file.data;
		stream.avail_in = (uInt)file.n;
		stream.next_out = (Bytef *)buf_reserve(&packed, 4096);
		stream.avail_out = 4096;
		assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
		packed.n = stream.total_out;
		deflateEnd(&stream);
		buf_done(&file);
		file = packed;
		packed = (struct buf){ 0 };
	}
	assert_fails("a.gz", &file, -ENOTSUP, "a gzip file within a gzip file: only one layer is unpacked");
}

static void a_sparse_file_of_two_gigabytes_is_too_large(void **state)
{
	struct buf file = { 0 };

	(void)state;
	buf_puts(&file, "words");
	assert_int_equal(extract("a.txt", &file, (off_t)2 << 30), -EFBIG);
	assert_non_null(strstr(err.text, "more than the limit of 536870912"));
}

static void groups_a_million_deep_end(void **state)
{
	struct buf file = { 0 };

	(void)state;
	buf_puts(&file, "{\\rtf1 words\\par ");
	repeat(&file, "{", 1000000);
	assert_gives("a.rtf", &file, "words", "its groups are nested too deeply");
	buf_puts(&file, "{\\rtf1 ");
	repeat(&file, "{\\*", 300000);
	assert_fails("a.rtf", &file, -ENODATA, "no text");
	buf_puts(&file, "\\documentclass{a}\\begin{document}words ");
	repeat(&file, "\\footnote{", 100000);
	assert_gives("a.tex", &file, "words", "its groups are nested too deeply");
	buf_puts(&file, "<html><p>words");
	repeat(&file, "<div><b>", 300000);
	assert_int_equal(extract("a.html", &file, 0), 0);
	assert_non_null(strstr(extracted.text, "words"));
}

static void entities_that_multiply_are_not_expanded(void **state)
{
	struct buf file = { 0 };
	int r;

	(void)state;
	buf_puts(&file, "<?xml version=\"1.0\"?><!DOCTYPE d [<!ENTITY a0 \"words \">");
	for (int i = 1; i <= 12; i++) {
		buf_printf(&file, "<!ENTITY a%d \"", i);
		for (int k = 0; k < 10; k++)
			buf_printf(&file, "&a%d;", i - 1);
		buf_puts(&file, "\">");
	}
	buf_puts(&file,
	         "]><office:document xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" "
	         "xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\" "
	         "office:mimetype=\"application/vnd.oasis.opendocument.text\"><office:body><office:text>"
	         "<text:p>&a12;</text:p></office:text></office:body></office:document>");
	r = extract("a.fodt", &file, 0);
	assert_true(r < 0 || extracted.n < MIB);
}

static void one_line_of_a_megabyte_is_read(void **state)
{
	static const char *const NAMES[] = { "a.txt", "a.md", "a.html", "a.csv", "a.eml", "a.tex", "a.1" };
	static const char *const HEADS[] = { "",
		                             "# h\n\n",
		                             "<html><p>",
		                             "a,b\nc,d\n",
		                             "From: a\nTo: b\n\n",
		                             "\\documentclass{a}\n\\begin{document}\n",
		                             ".TH A 1\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		struct buf file = { 0 };

		buf_puts(&file, HEADS[i]);
		repeat(&file, "many words ", MIB / 11);
		assert_gives(NAMES[i], &file, "words many words", "");
		assert_true(extracted.n > MIB * 9 / 10);
	}
}

static void bytes_that_are_no_text_are_refused_or_mended(void **state)
{
	struct buf file = { 0 };

	(void)state;
	APPEND(&file, "words\0and more words");
	assert_fails("a.txt", &file, -ENOTSUP, "not text: holds zero bytes");
	APPEND(&file, "{\\rtf1 wo\0rds\\par}");
	assert_gives("a.rtf", &file, "words", "");
	APPEND(&file, "From: a\nTo: b\nSubject: c\n\nwo\0rds \xff\xfe \xc3(");
	assert_gives("a.eml", &file, "wo rds", "");
	APPEND(&file, "<html><p>words \xff\xc3(\0 more");
	assert_gives("a.html", &file, "words", "");
	repeat(&file, "\xe4\xb8\xad\xe6\x96\x87 ", 1000);
	APPEND(&file, "\xff\xfe");
	assert_gives("a.txt", &file, "\xe4\xb8\xad", "");
}

static void a_text_of_base64_ends_at_the_limit(void **state)
{
	struct buf file = { 0 };

	(void)state;
	buf_puts(&file, "From: a\nTo: b\nSubject: c\nContent-Transfer-Encoding: base64\n\n");
	repeat(&file, "d29yZHMgd29yZHMgd29yZHMgd29yZHMgd29yZHMgd29yZHMgd29yZHMK\n", 96 * MIB / 57);
	assert_gives("a.eml", &file, "words words", "only the first 64 MiB of its text");
}

static void a_hundred_thousand_mails_are_read(void **state)
{
	struct buf file = { 0 };

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_printf(&file, "From a@b Thu Jan  1 00:00:00 2026\nFrom: a\nSubject: mail %d\n\nwords\n\n",
		           i);
	assert_gives("a.mbox", &file, "mail 99999", "");
	assert_int_equal(extracted.marks.n_places, 100000);
}

static void a_row_of_fifty_megabytes_is_read(void **state)
{
	struct buf file = { 0 };

	(void)state;
	buf_puts(&file, "a,b\n");
	repeat(&file, "1,2\n", 10);
	buf_puts(&file, "3,\"");
	repeat(&file, "cell words\n", 50 * MIB / 11);
	buf_puts(&file, "\"\n");
	assert_gives("a.csv", &file, "3\tcell words cell", "");
}

/* Each of these made some reader take a time that grows with the square of the file. */
static void what_invites_to_look_twice_is_looked_at_once(void **state)
{
	static const struct {
		const char *name, *head, *part;
	} FILES[] = {
		{ "a.tex", "\\documentclass{a}\n\\begin{document}\nwords ", "\\( " },
		{ "a.tex", "\\documentclass{a}\n\\begin{document}\nwords ", "\\verb|" },
		{ "a.tex", "\\documentclass{a}\n\\begin{document}\nwords ", "$ a" },
		{ "a.tex", "\\documentclass{a}\n\\begin{document}\nwords ", "\\x[" },
		{ "a.tex", "\\documentclass{a}\n\\begin{document}\nwords ", "\\begin{verbatim}" },
		{ "a.eml", "From: a\nTo: b\nSubject: words ", "=?utf-8?q?x=?=?" },
		{ "a.eml", "From: a\nTo: b\nSubject: words\nContent-Type: text/plain; ", "charset*0*=(x);" },
		{ "a.eml", "From: a\nTo: b\nSubject: words\nContent-Type: multipart/mixed; boundary=b\n\n",
		  "--b\n\n" },
		{ "a.1", ".TH words 1\n", ".if n " },
		{ "a.1", ".TH words 1\n", ".de X\n" },
		{ "a.1", ".TH words 1\n", ".if t \\{\n" },
		{ "a.1", ".TH words 1\n", "\\h'\\*[" },
		{ "a.8", ".Dd x\n.Dt words 1\n.Sh A\n", ".Op Oo Fl Xo Pf\n" },
		{ "a.srt", "1\n00:00:00,000 --> 00:00:01,000\nwords\n", "<v {\\ &" },
		{ "a.csv", "words,b\nc,d\n", "\",\"" },
		{ "a.rtf", "{\\rtf1 words ", "\\u8364\\bin9999 {\\footnote" },
		{ "a.rtf", "{\\rtf1 words ", "\\f1 \\'e4\\f2 " },
		{ "a.txt", "words ", "\r" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
		struct buf file = { 0 };
		int r;

		buf_puts(&file, FILES[i].head);
		repeat(&file, FILES[i].part, 2 * MIB / strlen(FILES[i].part));
		r = extract(FILES[i].name, &file, 0);
		if (r < 0 || strstr(extracted.text, "words") == NULL)
			fail_msg("%s, %s: %d %s", FILES[i].name, FILES[i].part, r, err.text);
	}
}

/* Pages that are their own parents, a table of contents that leads back to itself, streams that say they are longer. */
static void a_pdf_that_leads_in_circles_ends(void **state)
{
	static const char *const FILES[] = {
		"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[2 0 R 2 0 "
		"R]/Count 9>>endobj\n"
		"trailer<</Root 1 0 R/Size 3>>\n%%EOF\n",
		"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 "
		"R]/Count 1>>endobj\n"
		"3 0 obj<</Type/Page/Parent 2 0 R/Contents 4 0 R>>endobj\n4 0 obj 4 0 R endobj\n"
		"xref\n0 1\n0000000000 65535 f \ntrailer<</Root 1 0 R/Size 5/Prev "
		"260>>\nstartxref\n260\n%%EOF\n",
		"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 "
		"R]/Count 1>>endobj\n"
		"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R>>endobj\n"
		"4 0 obj<</Length 999999999>>stream\nBT ET\nendstream endobj\ntrailer<</Root 1 0 R/Size "
		"5>>\n%%EOF\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
		struct buf file = { 0 };
		int r;

		buf_puts(&file, FILES[i]);
		r = extract("a.pdf", &file, 0);
		if (r != -EBADMSG && r != -ENODATA && r != -ENOPKG)
			fail_msg("%zu: %d %s", i, r, err.text);
		assert_true(err.text[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(bombs_end_at_the_ratio, clean),
		cmocka_unit_test_teardown(a_file_that_holds_itself_is_opened_once, clean),
		cmocka_unit_test_teardown(a_sparse_file_of_two_gigabytes_is_too_large, clean),
		cmocka_unit_test_teardown(groups_a_million_deep_end, clean),
		cmocka_unit_test_teardown(entities_that_multiply_are_not_expanded, clean),
		cmocka_unit_test_teardown(one_line_of_a_megabyte_is_read, clean),
		cmocka_unit_test_teardown(bytes_that_are_no_text_are_refused_or_mended, clean),
		cmocka_unit_test_teardown(a_text_of_base64_ends_at_the_limit, clean),
		cmocka_unit_test_teardown(a_hundred_thousand_mails_are_read, clean),
		cmocka_unit_test_teardown(a_row_of_fifty_megabytes_is_read, clean),
		cmocka_unit_test_teardown(what_invites_to_look_twice_is_looked_at_once, clean),
		cmocka_unit_test_teardown(a_pdf_that_leads_in_circles_ends, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
