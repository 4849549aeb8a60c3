/* PowerPoint presentations, made by hand. */
#include "tests/packages.h"

#define PPTX "presentationml.presentation"
#define SPACES                                                                  \
	"xmlns:p='http://schemas.openxmlformats.org/presentationml/2006/main' " \
	"xmlns:a='http://schemas.openxmlformats.org/drawingml/2006/main' "      \
	"xmlns:r='http://schemas.openxmlformats.org/officeDocument/2006/relationships'"
#define SHAPE(place, text) \
	"<p:sp><p:nvSpPr><p:nvPr>" place "</p:nvPr></p:nvSpPr><p:txBody>" text "</p:txBody></p:sp>"
#define P(text) "<a:p><a:r><a:t>" text "</a:t></a:r></a:p>"
#define LEVEL(level, rest, text) \
	"<a:p><a:pPr lvl='" level "'>" rest "</a:pPr><a:r><a:t>" text "</a:t></a:r></a:p>"
#define SLIDE(attributes, shapes) \
	XML "<p:sld " SPACES " " attributes "><p:cSld><p:spTree>" shapes "</p:spTree></p:cSld></p:sld>"

/* Slides 2 and 1, in this order, as the presentation shows them. */
static void add_presentation(struct made *made)
{
	static const char *const relations[] = { "r1", "slide", "slides/slide1.xml",
		                                 "r2", "slide", "slides/slide2.xml",
		                                 NULL };

	made_add_office(made, PPTX ".main+xml", "ppt/presentation.xml");
	made_add(made, "ppt/presentation.xml",
	         XML "<p:presentation " SPACES
	             "><p:sldIdLst><p:sldId id='256' r:id='r2'/><p:sldId id='257' r:id='r1'/>"
	             "<p:sldId id='258' r:id='none'/></p:sldIdLst></p:presentation>");
	made_add_relations(made, "ppt/_rels/presentation.xml.rels", relations);
}

static void slides_stand_in_the_order_in_which_they_are_shown(void **state)
{
	struct made made = { 0 };

	(void)state;
	add_presentation(&made);
	made_add(&made, "ppt/slides/slide1.xml", SLIDE("", SHAPE("", P("one"))));
	made_add(&made, "ppt/slides/slide2.xml", SLIDE("", SHAPE("", P("two"))));
	assert_made_reads(&made, PPTX, "[Slide 1]P|two\n[Slide 2]P|one\n");
}

static void shapes_are_what_their_places_are_for(void **state)
{
	struct made made = { 0 };

	(void)state;
	add_presentation(&made);
	made_add(&made, "ppt/slides/slide2.xml",
	         SLIDE("",
	               SHAPE("<p:ph type='title'/>", P("Title")) SHAPE("<p:ph type='subTitle'/>", P("sub"))
	                       SHAPE("<p:ph idx='1'/>",
	                             P("point") LEVEL("1", "", "inner") LEVEL("0", "<a:buNone/>", "plain"))
	                               SHAPE("", LEVEL("0", "<a:buChar char='-'/>",
	                                               "item") "<a:p><a:r><a:t>a</a:t></a:r><a:br/>"
	                                                       "<a:fld type='slidenum'><a:t>9</a:t></a:fld>"
	                                                       "<a:r><a:t>b</a:t></a:r></a:p>")
	                                       SHAPE("<p:ph type='sldNum'/>", P("3"))
	                                               SHAPE("<p:ph type='ftr'/>", P("foot"))));
	made_add(&made, "ppt/slides/slide1.xml",
	         SLIDE("show='0'", "<p:graphicFrame><a:tbl><a:tr><a:tc>" P("c") "</a:tc><a:tc>" P(
					   "d") "</a:tc></a:tr></a:tbl></p:graphicFrame>"));
	assert_made_reads(
		&made, PPTX,
		"[Slide 1]H1|Title\nP|sub\nI1|point\nI2|inner\nP|plain\nI1|item\nP|a\nb\n[Slide 2]Ra|c\td\n");
}

static void notes_stand_behind_their_slide(void **state)
{
	static const char *const relations[] = { "r1", "notesSlide", "../notesSlides/notesSlide1.xml", NULL };
	struct made made = { 0 };

	(void)state;
	add_presentation(&made);
	made_add(&made, "ppt/slides/slide2.xml", SLIDE("", SHAPE("", P("two"))));
	made_add(&made, "ppt/slides/slide1.xml", SLIDE("", SHAPE("", P("one"))));
	made_add_relations(&made, "ppt/slides/_rels/slide2.xml.rels", relations);
	made_add(&made, "ppt/notesSlides/notesSlide1.xml",
	         XML "<p:notes " SPACES ">" SHAPE("<p:ph type='sldImg'/>", P("picture"))
	                 SHAPE("<p:ph type='body'/>", P("Say it."))
	                         SHAPE("<p:ph type='sldNum'/>", P("1")) "</p:notes>");
	assert_made_reads(&made, PPTX, "[Slide 1]P|two\nP|Say it.\n[Slide 2]P|one\n");
}

static void a_slide_that_is_missing_leaves_the_others(void **state)
{
	struct made made = { 0 };

	(void)state;
	add_presentation(&made);
	made_add(&made, "ppt/slides/slide1.xml", SLIDE("", SHAPE("", P("one"))));
	assert_made_reads(&made, PPTX, "[Slide 2]P|one\n... its part 'ppt/slides/slide2.xml' is missing\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slides_stand_in_the_order_in_which_they_are_shown),
		cmocka_unit_test(shapes_are_what_their_places_are_for),
		cmocka_unit_test(notes_stand_behind_their_slide),
		cmocka_unit_test(a_slide_that_is_missing_leaves_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
