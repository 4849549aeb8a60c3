/* Zip files that are damaged, encrypted, or made to do harm, and XML of the same kinds. */
#include "tests/packages.h"

#include "pipeline/formats/package.h"

#define W "xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'"
#define TYPE "wordprocessingml.document.main+xml"
#define DOCX "wordprocessingml.document"
#define PART "word/document.xml"
#define DOCUMENT(text) \
	XML "<w:document " W "><w:body><w:p><w:r><w:t>" text "</w:t></w:r></w:p></w:body></w:document>"

static char *read_made(const struct made *made, size_t n, int *ret_r, struct err *err)
{
	const char *media_type;

	return shown_parse("file", made->bytes.data, n, &media_type, ret_r, err);
}

/* Also one that is cut somewhere in the directory, or in the record behind it. */
static void a_file_that_is_cut_anywhere_says_so(void **state)
{
	struct made made = { 0 };

	(void)state;
	made_add_office(&made, TYPE, PART);
	made_add_packed(&made, PART, DOCUMENT("Words."), strlen(DOCUMENT("Words.")));
	made_end(&made);
	for (size_t n = 4; n < made.bytes.n; n += 10) {
		char *bytes = malloc(n + 1);
		struct err err = { "" };
		const char *media_type;
		char *shown;
		int r = 0;

		memcpy(bytes, made.bytes.data, n);
		bytes[n] = '\0';
		shown = shown_parse("file", bytes, n, &media_type, &r, &err);
		if (shown != NULL)
			fail_msg("read at %zu of %zu bytes: %s", n, made.bytes.n, shown);
		assert_string_equal(err.text, "the zip file is damaged or cut short");
		assert_int_equal(r, -EBADMSG);
		free(bytes);
	}
	made_done(&made);
}

/* Each byte in turn is another one: something is read or a reason given. */
static void a_file_with_any_byte_wrong_ends(void **state)
{
	struct made made = { 0 };

	(void)state;
	made_add_office(&made, TYPE, PART);
	made_add_packed(&made, PART, DOCUMENT("Words."), strlen(DOCUMENT("Words.")));
	made_end(&made);
	for (size_t i = 0; i < made.bytes.n; i++) {
		struct err err = { "" };
		char *shown;
		int r = 0;

		made.bytes.data[i] ^= (char)(i % 2 == 0 ? 0xff : 0x01);
		shown = read_made(&made, made.bytes.n, &r, &err);
		assert_true(shown != NULL || (r < 0 && err.text[0] != '\0'));
		free(shown);
		made.bytes.data[i] ^= (char)(i % 2 == 0 ? 0xff : 0x01);
	}
	made_done(&made);
}

static void add_said(struct made *made, const struct said *said)
{
	static const char text[] = DOCUMENT("Words.");

	made_add_office(made, TYPE, PART);
	made_add_as(made, PART, text, strlen(text), said);
}

static void what_headers_say_is_held_against_what_is_there(void **state)
{
	struct said said = said_of(DOCUMENT("Words."), strlen(DOCUMENT("Words."))), wrong = said;
	struct made made = { 0 };

	(void)state;
	wrong.crc ^= 1;
	add_said(&made, &wrong);
	assert_made_fails(&made, -EBADMSG, "its part 'word/document.xml' is damaged: its checksum is wrong");
	made = (struct made){ 0 };
	wrong = said;
	wrong.n_packed = wrong.n_unpacked = 0x7fffffff;
	add_said(&made, &wrong);
	assert_made_reads(&made, DOCX,
	                  "P|Words.\n... its part 'word/document.xml' is damaged or cut short\n");
	made = (struct made){ 0 };
	wrong = said;
	wrong.method = 97;
	add_said(&made, &wrong);
	assert_made_fails(&made, -ENOTSUP,
	                  "its part 'word/document.xml' is packed in a way that is not known here");
}

static void a_member_that_is_encrypted_says_so(void **state)
{
	struct said said = said_of(DOCUMENT("Words."), strlen(DOCUMENT("Words.")));
	struct made made = { 0 };

	(void)state;
	said.flags = 1;
	add_said(&made, &said);
	assert_made_fails(&made, -EACCES, "its part 'word/document.xml' is encrypted");
}

static void names_are_only_names(void **state)
{
	struct made made = { 0 };

	(void)state;
	made_add(&made, "/etc/passwd", "x");
	made_add(&made, "../../../etc/passwd", "x");
	made_add(&made, "C:\\windows", "x");
	made_add(&made, "a/../b", "x");
	made_add(&made, "", "x");
	made_add_office(&made, TYPE, PART);
	made_add(&made, PART, DOCUMENT("First."));
	made_add(&made, PART, DOCUMENT("Second."));
	assert_made_reads(&made, DOCX, "P|First.\n");
}

static void relations_lead_nowhere_but_into_the_package(void **state)
{
	struct made made = { 0 };

	(void)state;
	made_add_office(&made, TYPE, "../../../../../../etc/hostname");
	assert_made_fails(&made, -EBADMSG, "its part 'etc/hostname' is missing");
	made = (struct made){ 0 };
	made_add_office(&made, TYPE, "a%ff%0ab&#xe9;");
	assert_made_fails(&made, -EBADMSG, "its part 'a\?\?b\?\?' is missing");
}

static void references_are_resolved(void **state)
{
	static const char *const cases[][3] = {
		{ "a/b.xml", "c.xml", "a/c.xml" },
		{ "a/b.xml", "../c.xml", "c.xml" },
		{ "a/b.xml", "/c.xml", "c.xml" },
		{ "b.xml", "c.xml", "c.xml" },
		{ "a/b.xml", "./d/../c%2e", "a/c." },
		{ "a/b", "../../../c", "c" },
		{ "a/b.xml", "c%20d#e%20f", "a/c d" },
		{ "a/b.xml", "%zz%4", "a/%zz%4" },
		{ "a/b/c", "..", "a/b/.." },
		{ "a/b", "", "a/" },
		{ "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *name = package_resolve(cases[i][0], cases[i][1], strlen(cases[i][1]));

		assert_string_equal(name, cases[i][2]);
		free(name);
	}
}

static void packages_of_too_many_members_are_refused(void **state)
{
	struct made made = { 0 };
	char name[16];

	(void)state;
	made_add_office(&made, TYPE, PART);
	made_add(&made, PART, DOCUMENT("Words."));
	for (unsigned i = 0; i < 65000; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		made_add(&made, name, "");
	}
	assert_made_fails(&made, -EFBIG, "a zip file of 65003 members, more than the limit of 10000");
}

/* 64 MB of one letter in 64 kB. */
static void bombs_end_at_the_limit(void **state)
{
	static const char start[] = XML "<w:document " W "><w:body><w:p><w:r><w:t>Words. ";
	struct made made = { 0 };
	struct buf text = { 0 };
	struct err err = { "" };
	char *shown;
	int r;

	(void)state;
	buf_puts(&text, start);
	memset(buf_reserve(&text, 64 << 20), ' ', 64 << 20);
	text.n += 64 << 20;
	made_add_office(&made, TYPE, PART);
	made_add_packed(&made, PART, text.data, text.n);
	buf_done(&text);
	made_end(&made);
	shown = read_made(&made, made.bytes.n, &r, &err);
	assert_string_equal(shown, "P|Words.\n... it unpacks to more than the limit of 16777216 bytes\n");
	free(shown);
	made_done(&made);
}

/* In pieces of 300 bytes: what was read, and what the last call said. */
static size_t read_pieces(const struct made *made, uint64_t max_bytes, ssize_t *ret_last)
{
	const struct format_input input = {
		.bytes = made->bytes.data, .n = made->bytes.n, .max_bytes = max_bytes, .max_members = 1
	};
	struct package *package = NULL;
	struct member *member = NULL;
	char bytes[300];
	size_t n = 0;

	assert_int_equal(package_open(&input, &package, NULL), 0);
	assert_int_equal(member_open(package, "a", &member, NULL), 0);
	while ((*ret_last = member_read(member, bytes, sizeof(bytes), NULL)) > 0)
		n += (size_t)*ret_last;
	member_close(member);
	package_close(package);
	return n;
}

static void what_the_limit_allows_is_read_to_the_last_byte(void **state)
{
	struct made made = { 0 };
	char text[1001];
	ssize_t last;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[1000] = '\0';
	made_add(&made, "a", text);
	made_end(&made);
	assert_int_equal(read_pieces(&made, 1000, &last), 1000);
	assert_int_equal(last, 0);
	assert_int_equal(read_pieces(&made, 999, &last), 999);
	assert_int_equal(last, -EFBIG);
	made_done(&made);
}

/* One member that many names share unpacks to more than there is, again and again: all of it counts. */
static void members_that_overlap_count_each_time(void **state)
{
	struct made made = { 0 };
	struct buf book = { 0 }, page = { 0 };
	struct err err = { "" };
	char *shown;
	int r;

	(void)state;
	buf_puts(&book, XML "<package xmlns='http://www.idpf.org/2007/opf'><manifest><item id='a' "
	                    "href='a'/></manifest><spine>");
	for (unsigned i = 0; i < 4000; i++)
		buf_puts(&book, "<itemref idref='a'/>");
	buf_puts(&book, "</spine></package>");
	buf_puts(&page, "<html>x");
	memset(buf_reserve(&page, 1 << 20), ' ', 1 << 20);
	page.n += 1 << 20;
	made_add(&made, "META-INF/container.xml",
	         "<container xmlns='urn:oasis:names:tc:opendocument:xmlns:container'><rootfile "
	         "full-path='book'/></container>");
	made_add_packed(&made, "book", book.data, book.n);
	made_add_packed(&made, "a", page.data, page.n);
	buf_done(&book);
	buf_done(&page);
	made_end(&made);
	shown = read_made(&made, made.bytes.n, &r, &err);
	assert_non_null(shown);
	assert_non_null(strstr(shown, "\n... it unpacks to more than the limit of 16777216 bytes\n"));
	free(shown);
	made_done(&made);
}

/* The end of the directory says that there are very many. */
static void counts_of_members_are_not_believed(void **state)
{
	struct made made = { 0 };
	struct err err = { "" };
	int r = 0;

	(void)state;
	made_add_office(&made, TYPE, PART);
	made_end(&made);
	memcpy(made.bytes.data + made.bytes.n - 14, "\xfe\xff\xfe\xff", 4);
	assert_null(read_made(&made, made.bytes.n, &r, &err));
	assert_int_equal(r, -EBADMSG);
	made_done(&made);
}

static void assert_document(const char *document, int expected_r, const char *words)
{
	struct made made = { 0 };

	made_add_office(&made, TYPE, PART);
	made_add(&made, PART, document);
	assert_made_fails(&made, expected_r, words);
}

static void entities_are_neither_expanded_nor_loaded(void **state)
{
	(void)state;
	assert_document("<!DOCTYPE d [<!ENTITY a 'lol'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]><d>&b;</d>",
	                -EBADMSG, "'word/document.xml': its XML declares entities");
	assert_document("<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><d>&x;</d>", -EBADMSG,
	                "'word/document.xml': its XML declares entities");
	assert_document("<!DOCTYPE d [<!ENTITY % x SYSTEM 'http://localhost/'> %x;]><d/>", -EBADMSG,
	                "'word/document.xml': its XML declares entities");
	assert_document("<!DOCTYPE d SYSTEM 'file:///etc/passwd'><d>&x;</d>", -ENODATA,
	                "the file holds no text");
}

static void what_is_no_xml_says_so(void **state)
{
	(void)state;
	assert_document("", -EBADMSG, "'word/document.xml': line 1 is no correct XML");
	assert_document("words\n", -EBADMSG, "'word/document.xml': line 1 is no correct XML");
	assert_document(XML "\n<w:document>", -EBADMSG, "'word/document.xml': line 2 is no correct XML");
}

static void elements_lie_only_so_deep(void **state)
{
	struct buf text = { 0 };

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		buf_puts(&text, "<a>");
	assert_document(text.data, -EFBIG, "'word/document.xml': elements nested more than 100 deep");
	buf_done(&text);
}

static void other_archives_and_old_files_say_what_to_do(void **state)
{
	struct made made = { 0 };
	char old[2048] = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

	(void)state;
	made_add(&made, "a.txt", "text");
	assert_made_fails(&made, -ENOTSUP, "a ZIP archive: unpack it, and give what is in it");
	made = (struct made){ 0 };
	assert_made_fails(&made, -ENOTSUP, "a ZIP archive: unpack it, and give what is in it");
	assert_fails(old, sizeof(old), -ENOTSUP,
	             "an old Office document: save it in a format of today, or as a PDF file");
	memcpy(old + 1024 + 128, "W\0o\0r\0d\0D\0o\0c\0u\0m\0e\0n\0t\0\0\0", 26);
	assert_fails(old, sizeof(old), -ENOTSUP, "an old Word document: save it as .docx");
	memcpy(old + 1024, "E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0\0\0", 34);
	assert_fails(old, sizeof(old), -EACCES, "it is encrypted: save it without a password");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_is_cut_anywhere_says_so),
		cmocka_unit_test(a_file_with_any_byte_wrong_ends),
		cmocka_unit_test(what_headers_say_is_held_against_what_is_there),
		cmocka_unit_test(a_member_that_is_encrypted_says_so),
		cmocka_unit_test(names_are_only_names),
		cmocka_unit_test(relations_lead_nowhere_but_into_the_package),
		cmocka_unit_test(references_are_resolved),
		cmocka_unit_test(packages_of_too_many_members_are_refused),
		cmocka_unit_test(bombs_end_at_the_limit),
		cmocka_unit_test(what_the_limit_allows_is_read_to_the_last_byte),
		cmocka_unit_test(members_that_overlap_count_each_time),
		cmocka_unit_test(counts_of_members_are_not_believed),
		cmocka_unit_test(entities_are_neither_expanded_nor_loaded),
		cmocka_unit_test(what_is_no_xml_says_so),
		cmocka_unit_test(elements_lie_only_so_deep),
		cmocka_unit_test(other_archives_and_old_files_say_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
