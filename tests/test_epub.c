/* E-books, made by hand. */
#include "tests/packages.h"

#define PAGE(title, body) "<html><head><title>" title "</title></head><body>" body "</body></html>"

static void add_container(struct made *made)
{
	made_add(made, "mimetype", "application/epub+zip");
	made_add(made, "META-INF/container.xml",
	         XML "<container xmlns='urn:oasis:names:tc:opendocument:xmlns:container'><rootfiles>"
	             "<rootfile full-path='OEBPS/book.opf'/><rootfile "
	             "full-path='other.opf'/></rootfiles></container>");
}

static void add_book(struct made *made)
{
	add_container(made);
	made_add(made, "OEBPS/book.opf",
	         XML "<package xmlns='http://www.idpf.org/2007/opf'><manifest><item id='b' "
	             "href='text/b%20two.xhtml'/>"
	             "<item id='a' href='./text/../text/a.xhtml#start'/><item id='c' "
	             "href='../c.xhtml'/></manifest>"
	             "<spine><itemref idref='a'/><itemref idref='none'/><itemref idref='b'/><itemref "
	             "idref='c'/></spine></package>");
}

static void chapters_stand_in_the_order_of_the_spine(void **state)
{
	struct made made = { 0 };

	(void)state;
	add_book(&made);
	made_add(&made, "c.xhtml", PAGE("Thanks", "<p>three"));
	made_add(&made, "OEBPS/text/b two.xhtml",
	         PAGE("The book", "<nav>way</nav><h2>Of <i>fog</i></h2><p>two<h2>Rain</h2>"));
	made_add(&made, "OEBPS/text/a.xhtml", PAGE("a.xhtml", "<p>one"));
	assert_made_reads(
		&made, "epub+zip",
		"[page 0]P|one\n[The book]Pa|way\n[Of fog]H2|Of fog\nP|two\nH2|Rain\n[Thanks]P|three\n");
}

static void a_chapter_that_is_missing_leaves_the_others(void **state)
{
	struct made made = { 0 };

	(void)state;
	add_book(&made);
	made_add(&made, "OEBPS/text/a.xhtml", PAGE("", "<h1>One</h1>"));
	made_add(&made, "c.xhtml", PAGE("", "three"));
	assert_made_reads(&made, "epub+zip",
	                  "[One]H1|One\n[page 0]P|three\n... its part 'OEBPS/text/b two.xhtml' is missing\n");
}

#define ENCRYPTION(algorithm)                                                                           \
	"<encryption xmlns:e='http://www.w3.org/2001/04/xmlenc#'><e:EncryptedData><e:EncryptionMethod " \
	"Algorithm='" algorithm "'/></e:EncryptedData></encryption>"

static void protected_books_say_so_and_scrambled_fonts_do_not_matter(void **state)
{
	struct made made = { 0 };

	(void)state;
	add_book(&made);
	made_add(&made, "OEBPS/text/a.xhtml", "\x12\x34");
	made_add(&made, "META-INF/encryption.xml", ENCRYPTION("http://www.w3.org/2001/04/xmlenc#aes128-cbc"));
	assert_made_fails(&made, -EACCES, "the book is encrypted (digital rights management)");
	made = (struct made){ 0 };
	add_book(&made);
	made_add(&made, "OEBPS/text/a.xhtml", PAGE("", "one"));
	made_add(&made, "OEBPS/text/b two.xhtml", "two");
	made_add(&made, "c.xhtml", "three");
	made_add(&made, "META-INF/encryption.xml", ENCRYPTION("http://www.idpf.org/2008/embedding"));
	assert_made_reads(&made, "epub+zip", "[page 0]P|one\n[page 0]P|two\n[page 0]P|three\n");
}

static void a_book_without_chapters_says_why(void **state)
{
	struct made made = { 0 };

	(void)state;
	made_add(&made, "mimetype", "application/epub+zip");
	assert_made_fails(&made, -EBADMSG, "it does not say where its chapters are listed");
	made = (struct made){ 0 };
	add_container(&made);
	assert_made_fails(&made, -EBADMSG, "its part 'OEBPS/book.opf' is missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chapters_stand_in_the_order_of_the_spine),
		cmocka_unit_test(a_chapter_that_is_missing_leaves_the_others),
		cmocka_unit_test(protected_books_say_so_and_scrambled_fonts_do_not_matter),
		cmocka_unit_test(a_book_without_chapters_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
