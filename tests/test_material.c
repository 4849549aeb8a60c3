/* What a document is called, and what of it may be quoted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/material.h"

static const char PAGE[] =
	"NAME\n     pond - keep water where it is needed most\n\nSYNOPSIS\n     pond [-d depth]\n\n"
	"DESCRIPTION\n     The pond program keeps water in the garden all year.  It never asks\n"
	"     for more than the rain has given in the last three months.\n";

static void make_from(struct material *material, const char *source, bool markdown, bool lines,
                      struct view *view)
{
	struct summary_text text = { source, view };
	struct chunk chunk;

	assert_int_equal(view_make(source, strlen(source), markdown, view, NULL), 0);
	chunk = (struct chunk){ 0, view->n };
	assert_int_equal(material_from_chunk(material, &text, &chunk, lines), 0);
}

static void make(struct material *material, const char *source, bool markdown, struct view *view)
{
	make_from(material, source, markdown, false, view);
}

static void a_manual_page_is_called_by_the_line_below_its_name(void **state)
{
	struct material material = { 0 };
	struct view view;

	(void)state;
	make(&material, PAGE, false, &view);
	assert_string_equal(material.title, "pond - keep water where it is needed most");
	assert_true(material_names_a_part(&material, "Synopsis"));
	assert_true(material_names_a_part(&material, "NAME"));
	assert_false(material_names_a_part(&material, "NAM"));
	assert_false(material_names_a_part(&material, "pond - keep water where it is needed most"));
	material_done(&material);
	view_done(&view);
}

static void a_document_is_called_by_its_first_heading(void **state)
{
	struct material material = { 0 };
	struct view view;

	(void)state;
	make(&material,
	     "# The garden pond\n\nWater is kept here all the year round.\n\n## Depth\n\nIt is deep.\n", true,
	     &view);
	assert_string_equal(material.title, "The garden pond");
	assert_true(material_names_a_part(&material, "depth"));
	assert_false(material_names_a_part(&material, "The garden pond"));
	material_done(&material);
	view_done(&view);
}

static void assert_places(const struct material *material, const char *source)
{
	for (size_t i = 0; i < material->n_spans; i++) {
		const struct evidence *place = &material->places[i];

		assert_int_equal(strlen(place->quote), place->byte_end - place->byte_start);
		assert_memory_equal(place->quote, source + place->byte_start, strlen(place->quote));
	}
}

static void sentences_may_be_quoted_and_have_their_places(void **state)
{
	struct material material = { 0 };
	struct view view;

	(void)state;
	make(&material, PAGE, false, &view);
	assert_int_equal(material.n_spans, 2);
	assert_string_equal(material.words[0], "The pond program keeps water in the garden all year.");
	assert_string_equal(material.places[1].section, "DESCRIPTION");
	assert_places(&material, PAGE);
	material_done(&material);
	view_done(&view);
}

static void what_is_set_as_a_program_is_no_sentence(void **state)
{
	static const char README[] = "# pond\n\nThe pond keeps water in the garden all year.\n\n```\n"
				     "pond ask garden.txt 'How deep is it?'\n"
				     "The program then says how deep it is.\n```\n\n"
				     "pond ask says how deep the water is.\n";
	struct material material = { 0 };
	struct view view;

	(void)state;
	make_from(&material, README, true, true, &view);
	assert_int_equal(material.n_spans, 3);
	assert_string_equal(material.words[0], "The pond keeps water in the garden all year.");
	assert_string_equal(material.words[1], "The program then says how deep it is.");
	assert_string_equal(material.words[2], "pond ask says how deep the water is.");
	material_done(&material);
	view_done(&view);
}

static void lines_may_be_quoted_where_no_line_is_a_sentence(void **state)
{
	static const char TABLE[] = "year,level,rain\n1987,12.5,803\n1988,12.7,811\n";
	struct material material = { 0 };
	struct view view;

	(void)state;
	make_from(&material, TABLE, false, false, &view);
	assert_int_equal(material.n_spans, 0);
	material_done(&material);
	view_done(&view);
	make_from(&material, TABLE, false, true, &view);
	assert_int_equal(material.n_spans, 3);
	assert_string_equal(material.words[0], "year,level,rain");
	assert_places(&material, TABLE);
	material_done(&material);
	view_done(&view);
}

static void sentences_are_better_than_lines(void **state)
{
	struct material material = { 0 };
	struct view view;

	(void)state;
	make_from(&material, PAGE, false, true, &view);
	assert_int_equal(material.n_spans, 2);
	material_done(&material);
	view_done(&view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manual_page_is_called_by_the_line_below_its_name),
		cmocka_unit_test(a_document_is_called_by_its_first_heading),
		cmocka_unit_test(sentences_may_be_quoted_and_have_their_places),
		cmocka_unit_test(what_is_set_as_a_program_is_no_sentence),
		cmocka_unit_test(lines_may_be_quoted_where_no_line_is_a_sentence),
		cmocka_unit_test(sentences_are_better_than_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
