/* Web pages as people write them. */
#include "tests/packages.h"

static void assert_page(const char *page, const char *expected)
{
	assert_reads(page, strlen(page), "text/html", expected);
}

static void headings_paragraphs_and_lists_are_blocks(void **state)
{
	(void)state;
	assert_page("<!DOCTYPE html><body><h1>One</h1><p>a "
	            "<b>bo</b>ld<p>b<br>c<h3><div>Three</div></h3>loose<div>d</div>e",
	            "H1|One\nP|a bold\nP|b\nc\nH3|Three\nP|loose\nP|d\nP|e\n");
	assert_page("<html><ul><li>one<li><p>two</p><p>more</p><ol><li>inner</ol></ul><dl><dt>t<dd>d</"
	            "dl><blockquote>q",
	            "I1|one\nI1|two\nP|more\nI2|inner\nP|t\nP|d\nP|q\n");
	assert_page("<html><pre>\nint x;\n\n\ty();\n</pre>text <code>f( )</code>",
	            "F|int x;\n\n\ty();\nP|text f( )\n");
}

static void characters_may_have_names(void **state)
{
	(void)state;
	assert_page("<html><p>&lt;&eacute;&#x20AC;&#8212;&nbsp;x &amp;amp; &nosuch; &",
	            "P|<\u00e9\u20ac\u2014 x &amp; &nosuch; &\n");
}

static void tables_are_rows_unless_they_arrange_the_page(void **state)
{
	(void)state;
	assert_page("<html><table><caption>Cap</caption><thead><tr><th>A<th>B</thead><tr><td><p>x</p><p>y</"
	            "p><td>z"
	            "<tr><td><td>w</table>",
	            "P|Cap\nR|A\tB\nR|x y\tz\nR|\tw\n");
	assert_page("<html><table><tr><td>menu<td><h2>Two</h2>body<table><tr><td>in<td>ner</"
	            "table>after<td>right</table>end",
	            "R|menu\nH2|Two\nP|body\nR|in\tner\nP|after\nP|right\nP|end\n");
}

static void the_title_is_a_heading_unless_the_text_has_one(void **state)
{
	(void)state;
	assert_page("<html><head><title> The\n page </title></head><p>text<h1>later</h1>",
	            "H1|The page\nP|text\nH1|later\n");
	assert_page("<html><title>The page</title><nav>way</nav><h1>Page</h1><p>text",
	            "Pa|way\nH1|Page\nP|text\n");
	assert_page("<html><title>T</title><table><tr><td></td></tr></table><h1>Page</h1>text",
	            "H1|Page\nP|text\n");
}

static void what_stands_beside_the_text_is_an_aside(void **state)
{
	(void)state;
	assert_page("<html><nav><ul><li>a</ul></nav><header>head</header><p>text<aside>side</"
	            "aside><footer>foot</footer>"
	            "<div role=navigation>way</div>"
	            "<aside epub:type='footnote'>note</aside>",
	            "I1a|a\nP|head\nP|text\nPa|side\nPa|foot\nPa|way\nP|note\n");
}

static void what_is_not_shown_is_left_out(void **state)
{
	(void)state;
	assert_page("<html><style>p { }</style><script>if (a<b) "
	            "'<p>no'</script><noscript>no</noscript><template>no</template>"
	            "<p hidden>no</p><p style='color:red; DISPLAY : none'>no</p><img "
	            "alt='no'><del>no</del><select><option>no"
	            "</select><svg><title>no</title></svg><p>yes<!-- no --><a role='doc-noteref'>1</a><input "
	            "hidden>!",
	            "P|yes!\n");
}

static void xhtml_is_html(void **state)
{
	(void)state;
	assert_page(XML
	            "<!-- made by x -->\n<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' 'x.dtd'>\n"
	            "<html xmlns='http://www.w3.org/1999/xhtml'><head><title/><script "
	            "src='x'/></head><body><p>a<br/>b</p>"
	            "<div/><p>c</p></body></html>",
	            "P|a\nb\nP|c\n");
}

static void the_character_set_is_what_the_page_says_or_looks_like(void **state)
{
	static const char utf16[] = "\xff\xfe<\0h\0t\0m\0l\0>\0<\0p\0>\0\xe9\0x\0";

	(void)state;
	assert_page("<html><meta charset=utf-8><p>\u00e9", "P|\u00e9\n");
	assert_page("<html><p>\u00e9 text", "P|\u00e9 text\n");
	assert_page("\xef\xbb\xbf<html><p>\u00e9", "P|\u00e9\n");
	assert_page("<html><meta http-equiv='Content-Type' content='text/html; "
	            "charset=windows-1252'><p>\x93quoted\x94 text",
	            "P|\u201cquoted\u201d text\n");
	assert_page("<html><meta charset=utf-8><p>wrong \xe9 here", "P|wrong \u00e9 here\n");
	assert_page("<html><meta charset=\"windows-1251\"><p>\xcc\xee\xf1\xea\xe2\xe0",
	            "P|\u041c\u043e\u0441\u043a\u0432\u0430\n");
	assert_page(XML "<html><meta charset='x-no-such-set'><p>plain", "P|plain\n");
	assert_reads(utf16, sizeof(utf16) - 1, "text/html", "P|\u00e9x\n");
}

static void bytes_that_no_text_has_become_replacements(void **state)
{
	static const char page[] = "<html><meta charset=utf-8><p>a\0b \xc3( c\xff";

	(void)state;
	assert_reads(page, sizeof(page) - 1, "text/html", "P|a\ufffdb \ufffd( c\ufffd\n");
}

static void a_page_is_known_by_its_start(void **state)
{
	static const char text[] = "The tag <html> begins a page.",
			  none[] = "<html><body><p> &nbsp;<script>x</script>";

	(void)state;
	assert_reads(text, strlen(text), "text/plain", text);
	assert_fails(none, strlen(none), -ENODATA, "the file holds no text");
}

/* What is long, deep or unclosed, each in time that grows with its size alone. */
static void hostile_pages_end(void **state)
{
	static const struct {
		const char *start, *repeated;
		unsigned n;
		const char *expected;
	} pages[] = {
		{ "<html>text", "<div>", 200000, "P|text\n... elements nested more than 400 deep\n" },
		{ "<html>text", "<table><tr><td>", 200000,
		  "P|text\n... elements nested more than 400 deep\n" },
		{ "<html>text", "</p></b></div>", 200000, "P|text\n" },
		{ "<html>text", "<!--", 200000, "P|text\n" },
		{ "<html>text", "<a href=\"", 200000, NULL },
		{ "<html>text<p ", "a=1 b c='' ", 200000, NULL },
		{ "<html>text<p ", "a", 200000, "P|text\n" },
		{ "<html>text<script>", "</scrip", 200000, "P|text\n" },
		{ "<html>text", "<", 200000, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		struct buf page = { 0 };
		const char *media_type;
		struct err err;
		char *shown;
		int r;

		buf_puts(&page, pages[i].start);
		for (unsigned k = 0; k < pages[i].n; k++)
			buf_puts(&page, pages[i].repeated);
		shown = shown_parse("file", page.data, page.n, &media_type, &r, &err);
		assert_non_null(shown);
		if (pages[i].expected != NULL)
			assert_string_equal(shown, pages[i].expected);
		free(shown);
		buf_done(&page);
	}
}

/* Every one a different name: libxml2 compares each with all before it. */
static void a_tag_of_very_many_attributes_is_no_tag(void **state)
{
	struct buf page = { 0 };
	const char *media_type;
	struct err err;
	char *shown;
	int r;

	(void)state;
	buf_puts(&page, "<html>text<p ");
	for (unsigned i = 0; i < 300000; i++)
		buf_printf(&page, "a%u=1 ", i);
	buf_puts(&page, ">end<p>More.");
	shown = shown_parse("file", page.data, page.n, &media_type, &r, &err);
	assert_non_null(shown);
	assert_non_null(strstr(shown, "\nP|More.\n"));
	free(shown);
	buf_done(&page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headings_paragraphs_and_lists_are_blocks),
		cmocka_unit_test(characters_may_have_names),
		cmocka_unit_test(tables_are_rows_unless_they_arrange_the_page),
		cmocka_unit_test(the_title_is_a_heading_unless_the_text_has_one),
		cmocka_unit_test(what_stands_beside_the_text_is_an_aside),
		cmocka_unit_test(what_is_not_shown_is_left_out),
		cmocka_unit_test(xhtml_is_html),
		cmocka_unit_test(the_character_set_is_what_the_page_says_or_looks_like),
		cmocka_unit_test(bytes_that_no_text_has_become_replacements),
		cmocka_unit_test(a_page_is_known_by_its_start),
		cmocka_unit_test(hostile_pages_end),
		cmocka_unit_test(a_tag_of_very_many_attributes_is_no_tag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
