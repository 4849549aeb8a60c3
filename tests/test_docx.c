/* Word documents, made by hand to say what real ones do. */
#include "tests/packages.h"

#define W "xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'"
#define STRICT "xmlns:w='http://purl.oclc.org/ooxml/wordprocessingml/main'"
#define DOCX "wordprocessingml.document"
#define P(text) "<w:p><w:r><w:t>" text "</w:t></w:r></w:p>"
#define STYLED(style, text) \
	"<w:p><w:pPr><w:pStyle w:val='" style "'/></w:pPr><w:r><w:t>" text "</w:t></w:r></w:p>"

static void add_document(struct made *made, const char *space, const char *body)
{
	struct buf text = { 0 };

	made_add_office(made, DOCX ".main+xml", "word/document.xml");
	buf_printf(&text,
	           XML
	           "<w:document %s xmlns:mc='http://schemas.openxmlformats.org/markup-compatibility/2006' "
	           "xmlns:m='http://schemas.openxmlformats.org/officeDocument/2006/math' "
	           "xmlns:x='urn:unknown'><w:body>%s<w:sectPr/></w:body></w:document>",
	           space, body);
	made_add_packed(made, "word/document.xml", text.data, text.n);
	buf_done(&text);
}

static void assert_body(const char *body, const char *expected)
{
	struct made made = { 0 };

	add_document(&made, W, body);
	assert_made_reads(&made, DOCX, expected);
}

static void runs_are_words_and_paragraphs_blocks(void **state)
{
	(void)state;
	assert_body("<w:p><w:r><w:t>Light</w:t></w:r><w:r><w:t>house </w:t></w:r><w:r><w:t "
	            "xml:space='preserve'> &amp; "
	            "sea</w:t></w:r></w:p><w:p/>" P("Second."),
	            "P|Lighthouse & sea\nP|Second.\n");
	assert_body("<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:noBreakHyphen/><w:t>d"
	            "</w:t></w:r></w:p>",
	            "P|a b\nc-d\n");
}

static void the_strict_edition_is_read(void **state)
{
	struct made made = { 0 };

	(void)state;
	add_document(&made, STRICT, P("Strict."));
	assert_made_reads(&made, DOCX, "P|Strict.\n");
}

static const char STYLES[] =
	XML "<w:styles " W ">"
	    "<w:style w:type='paragraph' w:styleId='berschrift1'><w:name w:val='heading 1'/></w:style>"
	    "<w:style w:type='paragraph' w:styleId='Eigene'><w:name w:val='Eigene'/><w:basedOn "
            "w:val='berschrift1'/></w:style>"
	    "<w:style w:type='paragraph' w:styleId='Titel'><w:name w:val='Title'/></w:style>"
	    "<w:style w:type='paragraph' w:styleId='Gliederung'><w:name w:val='Mine'/><w:pPr><w:outlineLvl "
            "w:val='2'/></w:pPr></w:style>"
	    "<w:style w:type='paragraph' w:styleId='Liste'><w:name w:val='List Bullet 2'/></w:style>"
	    "<w:style w:type='paragraph' w:styleId='Verz'><w:name w:val='toc 1'/></w:style>"
	    "<w:style w:type='paragraph' w:styleId='Code'><w:name w:val='HTML Preformatted'/></w:style>"
	    "<w:style w:type='paragraph' w:styleId='a'><w:name w:val='A'/><w:basedOn w:val='b'/></w:style>"
	    "<w:style w:type='paragraph' w:styleId='b'><w:name w:val='B'/><w:basedOn w:val='a'/></w:style>"
	    "<w:style w:type='character' w:styleId='char'><w:name w:val='heading 1'/></w:style>"
	    "</w:styles>";

static void styles_are_known_in_any_language_and_through_their_bases(void **state)
{
	static const char *const relations[] = { "r1", "styles", "styles.xml", NULL };
	struct made made = { 0 };

	(void)state;
	add_document(&made, W,
	             STYLED("Titel", "Report") STYLED("Verz", "Contents 1") STYLED("berschrift1", "One")
	                     STYLED("Eigene", "Two") STYLED("Gliederung", "Three") STYLED("Liste", "item")
	                             STYLED("Code", "int  x;") STYLED("Code", "  y();") STYLED("a", "round")
	                                     STYLED("none", "text"));
	made_add(&made, "word/styles.xml", STYLES);
	made_add_relations(&made, "word/_rels/document.xml.rels", relations);
	assert_made_reads(&made, DOCX,
	                  "H1|Report\nPa|Contents 1\nH1|One\nH1|Two\nH3|Three\nI2|item\nF|int  x;\n  y();\n"
	                  "P|round\nP|text\n");
}

static void outline_levels_and_lists_of_paragraphs_count(void **state)
{
	(void)state;
	assert_body(
		"<w:p><w:pPr><w:outlineLvl w:val='1'/></w:pPr><w:r><w:t>Two</w:t></w:r></w:p>"
		"<w:p><w:pPr><w:numPr><w:ilvl w:val='1'/><w:numId w:val='4'/></w:numPr></w:pPr><w:r><w:t>item"
		"</w:t></w:r></w:p>"
		"<w:p><w:pPr><w:numPr><w:ilvl w:val='0'/><w:numId w:val='0'/></w:numPr></w:pPr><w:r><w:t>text"
		"</w:t></w:r></w:p>",
		"H2|Two\nI2|item\nP|text\n");
}

#define TC(text) "<w:tc>" text "</w:tc>"
#define GRID2 "<w:tblGrid><w:gridCol/><w:gridCol/></w:tblGrid>"

static void tables_are_rows_and_frames_of_one_column_are_not(void **state)
{
	(void)state;
	assert_body("<w:tbl>" GRID2 "<w:tr>" TC(P("a") P("b")) TC(P("c")) "</w:tr><w:tr>" TC("<w:p/>")
	                    TC(P("d")) "</w:tr></w:tbl>" P("end"),
	            "R|a b\tc\nR|\td\nP|end\n");
	assert_body(
		"<w:tbl><w:tblGrid><w:gridCol/></w:tblGrid><w:tr>" TC(P("one") P("two")) "</w:tr></w:tbl>",
		"P|one\nP|two\n");
	assert_body("<w:tbl>" GRID2
	            "<w:tr>" TC("<w:tbl>" GRID2 "<w:tr>" TC(P("in")) TC(P("ner")) "</w:tr></w:tbl>")
	                    TC(P("out")) "</w:tr></w:tbl>",
	            "R|in ner\tout\n");
}

static void what_is_tracked_as_deleted_is_left_out(void **state)
{
	(void)state;
	assert_body(
		"<w:p><w:r><w:t>a</w:t></w:r><w:del><w:r><w:delText>gone</w:delText><w:t>gone</w:t></w:r></"
	        "w:del>"
		"<w:ins><w:r><w:t> "
	        "new</w:t></w:r></w:ins><w:moveFrom><w:r><w:t>old</w:t></w:r></w:moveFrom></w:p>"
		"<w:p><w:pPr><w:outlineLvl w:val='0'/><w:pPrChange><w:pPr><w:outlineLvl w:val='5'/></w:pPr>"
		"</w:pPrChange></w:pPr><w:r><w:t>H</w:t></w:r></w:p>",
		"P|a new\nH1|H\n");
}

static void fields_show_their_results_and_hidden_runs_nothing(void **state)
{
	(void)state;
	assert_body("<w:p><w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:instrText>IF "
	            "</w:instrText><w:t>code</w:t>"
	            "</w:r><w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:fldChar "
	            "w:fldCharType='separate'/></w:r>"
	            "<w:r><w:t>inner</w:t></w:r><w:r><w:fldChar w:fldCharType='end'/></w:r><w:r><w:fldChar "
	            "w:fldCharType='separate'/></w:r><w:r><w:t>result</w:t></w:r><w:r><w:fldChar "
	            "w:fldCharType='end'/></w:r>"
	            "<w:hyperlink><w:r><w:t> "
	            "link</w:t></w:r></w:hyperlink><w:r><w:rPr><w:vanish/></w:rPr><w:t>hid</w:t></w:r>"
	            "<w:r><w:rPr><w:vanish w:val='0'/></w:rPr><w:t> shown</w:t></w:r></w:p>",
	            "P|result link shown\n");
}

static void notes_and_boxes_stand_behind_their_paragraph_once(void **state)
{
	static const char *const relations[] = { "r1", "footnotes", "footnotes.xml",
		                                 "r2", "endnotes",  "/word/endnotes.xml",
		                                 NULL };
	struct made made = { 0 };

	(void)state;
	add_document(
		&made, W,
		"<w:p><w:r><w:t>Word</w:t><w:footnoteReference w:id='2'/><w:t>s go "
	        "on</w:t><w:endnoteReference "
		"w:id='1'/><w:footnoteReference w:id='2'/><w:footnoteReference w:id='77'/></w:r></w:p>"
		"<w:p><w:r><mc:AlternateContent><mc:Choice Requires='wps'><x:box><w:txbxContent>" P("boxed")
			P("twice") "</w:txbxContent></x:box></"
	                           "mc:Choice><mc:Fallback><w:pict><w:txbxContent>" P(
					   "again") "</w:txbxContent></w:pict></mc:Fallback></"
	                                            "mc:AlternateContent><w:t>Text</w:t></w:r></w:p>");
	made_add(&made, "word/footnotes.xml",
	         XML "<w:footnotes " W "><w:footnote w:type='separator' w:id='0'>" P(
			 "line") "</w:footnote>"
	                         "<w:footnote w:id='2'>" P("Note.") P("More.") "</w:footnote></w:footnotes>");
	made_add(&made, "word/endnotes.xml",
	         XML "<w:endnotes " W "><w:endnote w:id='1'>" P("End.") "</w:endnote></w:endnotes>");
	made_add_relations(&made, "word/_rels/document.xml.rels", relations);
	assert_made_reads(&made, DOCX, "P|Words go on\nP|Note.\nP|More.\nP|End.\nP|Text\nP|boxed\nP|twice\n");
}

static void running_heads_are_asides_and_mathematics_words(void **state)
{
	static const char *const relations[] = { "r1",     "header",      "header1.xml", "r2",
		                                 "footer", "footer1.xml", NULL };
	struct made made = { 0 };

	(void)state;
	add_document(&made, W, "<w:p><m:oMath><m:r><m:t>x=1</m:t></m:r></m:oMath></w:p>");
	made_add(&made, "word/header1.xml", XML "<w:hdr " W ">" P("Head") "</w:hdr>");
	made_add(&made, "word/footer1.xml", XML "<w:ftr " W ">" P("Foot") "</w:ftr>");
	made_add_relations(&made, "word/_rels/document.xml.rels", relations);
	assert_made_reads(&made, DOCX, "P|x=1\nPa|Head\nPa|Foot\n");
}

static void a_damaged_document_is_kept_up_to_there(void **state)
{
	struct made made = { 0 };

	(void)state;
	assert_body(P("Good.") "<w:p><w:r><w:t>And the </w:r></w:p>",
	            "P|Good.\nP|And the\n... 'word/document.xml': line 1 is no correct XML\n");
	add_document(&made, W, "<w:p><w:r></w:t>");
	assert_made_fails(&made, -EBADMSG, "'word/document.xml': line 1 is no correct XML");
	made = (struct made){ 0 };
	add_document(&made, W, "<w:p/>");
	assert_made_fails(&made, -ENODATA, "the file holds no text");
}

static void damaged_notes_leave_the_document(void **state)
{
	static const char *const relations[] = { "r1",         "footnotes", "footnotes.xml", "r2", "styles",
		                                 "styles.xml", NULL };
	struct made made = { 0 };

	(void)state;
	add_document(&made, W, P("Text."));
	made_add(&made, "word/footnotes.xml", "<w:footnotes>");
	made_add_relations(&made, "word/_rels/document.xml.rels", relations);
	assert_made_reads(&made, DOCX, "P|Text.\n... 'word/footnotes.xml': line 1 is no correct XML\n");
}

static void a_package_without_its_document_says_so(void **state)
{
	struct made made = { 0 };

	(void)state;
	made_add_office(&made, DOCX ".main+xml", "word/document.xml");
	assert_made_fails(&made, -EBADMSG, "its part 'word/document.xml' is missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_are_words_and_paragraphs_blocks),
		cmocka_unit_test(the_strict_edition_is_read),
		cmocka_unit_test(styles_are_known_in_any_language_and_through_their_bases),
		cmocka_unit_test(outline_levels_and_lists_of_paragraphs_count),
		cmocka_unit_test(tables_are_rows_and_frames_of_one_column_are_not),
		cmocka_unit_test(what_is_tracked_as_deleted_is_left_out),
		cmocka_unit_test(fields_show_their_results_and_hidden_runs_nothing),
		cmocka_unit_test(notes_and_boxes_stand_behind_their_paragraph_once),
		cmocka_unit_test(running_heads_are_asides_and_mathematics_words),
		cmocka_unit_test(a_damaged_document_is_kept_up_to_there),
		cmocka_unit_test(damaged_notes_leave_the_document),
		cmocka_unit_test(a_package_without_its_document_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
