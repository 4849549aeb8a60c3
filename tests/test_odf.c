/* OpenDocument texts, presentations and spreadsheets, packed and flat, made by hand. */
#include "tests/packages.h"

#define SPACES                                                                  \
	"xmlns:office='urn:oasis:names:tc:opendocument:xmlns:office:1.0' "      \
	"xmlns:text='urn:oasis:names:tc:opendocument:xmlns:text:1.0' "          \
	"xmlns:table='urn:oasis:names:tc:opendocument:xmlns:table:1.0' "        \
	"xmlns:style='urn:oasis:names:tc:opendocument:xmlns:style:1.0' "        \
	"xmlns:draw='urn:oasis:names:tc:opendocument:xmlns:drawing:1.0' "       \
	"xmlns:svg='urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0' " \
	"xmlns:presentation='urn:oasis:names:tc:opendocument:xmlns:presentation:1.0'"
#define TYPE "application/vnd.oasis.opendocument."
#define STYLE(name, rest) "<style:style style:family='x' style:name='" name "' " rest "</style:style>"

static void add_content(struct made *made, const char *kind, const char *styles, const char *body)
{
	struct buf text = { 0 };

	buf_printf(&text, "%s%s", TYPE, kind);
	made_add(made, "mimetype", text.data);
	text.n = 0;
	buf_printf(&text,
	           XML "<office:document-content " SPACES
	               "><office:automatic-styles>%s</office:automatic-styles>"
	               "<office:body>%s</office:body></office:document-content>",
	           styles, body);
	made_add_packed(made, "content.xml", text.data, text.n);
	buf_done(&text);
}

static void assert_content(const char *kind, const char *styles, const char *body, const char *expected)
{
	struct made made = { 0 };

	add_content(&made, kind, styles, body);
	assert_made_reads(&made, kind, expected);
}

static void texts_have_headings_lists_and_white_space(void **state)
{
	(void)state;
	assert_content("text",
	               STYLE("P1", "style:parent-style-name='Title'>")
	                       STYLE("P2", "style:parent-style-name='Preformatted_20_Text'>"),
	               "<office:text><text:p text:style-name='P1'>Report</text:p>"
	               "<text:h text:outline-level='2'>Two <text:span>words</text:span></text:h>"
	               "<text:list><text:list-item><text:p>item</"
	               "text:p><text:list><text:list-item><text:p>inner</text:p>"
	               "</text:list-item></text:list></text:list-item></text:list>"
	               "<text:p text:style-name='P2'>if<text:s text:c='3'/>x</text:p><text:p "
	               "text:style-name='P2'>end</text:p>"
	               "<text:p>a<text:tab/>b<text:line-break/>c "
	               "<text:a>link</text:a><text:date>today</text:date></text:p>"
	               "</office:text>",
	               "H1|Report\nH2|Two words\nI1|item\nI2|inner\nF|if   x\nend\nP|a b\nc linktoday\n");
}

static void deletions_and_remarks_are_left_out_and_notes_stand_behind(void **state)
{
	(void)state;
	assert_content("text", "",
	               "<office:text><text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
	               "<text:p>Wo<text:note><text:note-citation>1</"
	               "text:note-citation><text:note-body><text:p>Note.</text:p>"
	               "</text:note-body></text:note>rd<office:annotation><text:p>remark</text:p></"
	               "office:annotation>s"
	               "<draw:frame><svg:title>picture</svg:title><draw:text-box><text:p>boxed</text:p></"
	               "draw:text-box></draw:frame>.</text:p>"
	               "<text:table-of-content><text:table-of-content-source>x</text:table-of-content-source>"
	               "<text:index-body><text:p>One 1</text:p></text:index-body></text:table-of-content>"
	               "<text:p>End.</text:p></office:text>",
	               "P|Words.\nP|Note.\nP|boxed\nPa|One 1\nP|End.\n");
}

static void tables_of_texts_are_rows(void **state)
{
	(void)state;
	assert_content(
		"text", "",
		"<office:text><table:table><table:table-row><table:table-cell><text:p>a</text:p><text:p>b</"
		"text:p>"
		"</table:table-cell><table:table-cell table:number-columns-repeated='2'/><table:table-cell>"
		"<text:p>c</text:p></table:table-cell></table:table-row></table:table></office:text>",
		"R|a b\t\t\tc\n");
}

static void running_heads_are_asides(void **state)
{
	struct made made = { 0 };

	(void)state;
	add_content(&made, "text", "", "<office:text><text:p>Text.</text:p></office:text>");
	made_add(&made, "styles.xml",
	         XML "<office:document-styles " SPACES
	             "><office:master-styles><style:master-page><style:header><text:p>Head"
	             "</text:p></style:header></style:master-page></office:master-styles></"
	             "office:document-styles>");
	assert_made_reads(&made, "text", "P|Text.\nPa|Head\n");
}

static void a_flat_text_is_one_file(void **state)
{
	static const char flat[] =
		XML "<office:document " SPACES " office:mimetype='" TYPE
		    "text'><office:body><office:text><text:p>Flat.</text:p></office:text></office:body>"
		    "</office:document>";

	(void)state;
	assert_reads(flat, strlen(flat), "opendocument.text", "P|Flat.\n");
}

static void slides_have_titles_outlines_and_notes(void **state)
{
	(void)state;
	assert_content("presentation",
	               STYLE("dp2", "><style:drawing-page-properties presentation:visibility='hidden'/>"),
	               "<office:presentation><draw:page draw:style-name='dp1'><draw:frame "
	               "presentation:class='title'><draw:text-box>"
	               "<text:p>Title</text:p></draw:text-box></draw:frame><draw:frame "
	               "presentation:class='outline'><draw:text-box>"
	               "<text:list><text:list-item><text:p>point</text:p></text:list-item></text:list></"
	               "draw:text-box></draw:frame>"
	               "<draw:frame "
	               "presentation:class='page-number'><draw:text-box><text:p>7</text:p></draw:text-box></"
	               "draw:frame>"
	               "<draw:custom-shape><text:p>shape</text:p></draw:custom-shape>"
	               "<presentation:notes><draw:frame "
	               "presentation:class='notes'><draw:text-box><text:p>Say it.</text:p>"
	               "</draw:text-box></draw:frame></presentation:notes></draw:page>"
	               "<draw:page "
	               "draw:style-name='dp2'><draw:custom-shape><text:p>hidden</text:p></"
	               "draw:custom-shape></draw:page>"
	               "</office:presentation>",
	               "[Slide 1]H1|Title\nI1|point\nP|shape\nP|Say it.\n[Slide 2]Pa|hidden\n");
}

#define CELL(attributes, text) "<table:table-cell " attributes "><text:p>" text "</text:p></table:table-cell>"

static void sheets_have_rows_as_they_are_shown(void **state)
{
	(void)state;
	assert_content(
		"spreadsheet", STYLE("ta2", "><style:table-properties table:display='false'/>"),
		"<office:spreadsheet><table:table table:name='Ships'><table:table-row>" CELL("", "Ship")
			CELL("", "Tons") "</table:table-row><table:table-row "
					 "table:number-rows-repeated='2'>" CELL(
						 "table:number-columns-repeated='2'",
						 "x") "<table:table-cell "
						      "table:number-columns-repeated='1000000'/></"
						      "table:table-row>"
						      "<table:table-row "
						      "table:number-rows-repeated='1048000'><table:table-"
						      "cell "
						      "table:number-columns-repeated='1024'/></"
						      "table:table-row>"
						      "<table:table-row><table:table-cell "
						      "table:number-columns-repeated='2'/><table:table-cell "
						      "office:value-type='float' "
						      "office:value='2.5'/"
						      "><table:table-cell><office:annotation><text:p>remark</"
						      "text:p>"
						      "</office:annotation><text:p>a<text:s/>b</"
						      "text:p><text:p>c</text:p></table:table-cell></"
						      "table:table-row>"
						      "</table:table><table:table table:name='Lists' "
						      "table:style-name='ta2'><table:table-row>" CELL(
							      "", "hid") "</table:table-row></table:table></"
									 "office:spreadsheet>",
		"[Ships]R|Ship\tTons\nR|x\tx\nR|x\tx\nR|\t\t2.5\ta b c\n[Lists]Ra|hid\n");
}

static void rows_that_are_repeated_without_end_are_cut(void **state)
{
	struct made made = { 0 };
	const char *media_type;
	struct err err;
	char *text;
	int r;

	(void)state;
	add_content(&made, "spreadsheet", "",
	            "<office:spreadsheet><table:table><table:table-row "
	            "table:number-rows-repeated='4000000000'>" CELL(
			    "table:number-columns-repeated='4000000000'",
			    "x") "</table:table-row></table:table></office:spreadsheet>");
	made_end(&made);
	text = shown_parse("file", made.bytes.data, made.bytes.n, &media_type, &r, &err);
	assert_non_null(text);
	assert_non_null(strstr(text, "... only the first ten thousand of many equal rows"));
	free(text);
	made_done(&made);
}

static void encrypted_ones_say_so(void **state)
{
	struct made made = { 0 };

	(void)state;
	add_content(&made, "text", "", "garbage");
	made_add(&made, "META-INF/manifest.xml", "<manifest:encryption-data/>");
	assert_made_fails(&made, -EACCES, "it is encrypted: save it without a password");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_have_headings_lists_and_white_space),
		cmocka_unit_test(deletions_and_remarks_are_left_out_and_notes_stand_behind),
		cmocka_unit_test(tables_of_texts_are_rows),
		cmocka_unit_test(running_heads_are_asides),
		cmocka_unit_test(a_flat_text_is_one_file),
		cmocka_unit_test(slides_have_titles_outlines_and_notes),
		cmocka_unit_test(sheets_have_rows_as_they_are_shown),
		cmocka_unit_test(rows_that_are_repeated_without_end_are_cut),
		cmocka_unit_test(encrypted_ones_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
