/* What a document is called, and what stands in for a summary. */
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

static void make(struct material *material, const char *source, bool markdown, struct view *view)
{
	struct summary_text text = { source, view };
	struct chunk chunk;

	assert_int_equal(view_make(source, strlen(source), markdown, view, NULL), 0);
	chunk = (struct chunk){ 0, view->n };
	assert_int_equal(material_from_chunk(material, &text, &chunk), 0);
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

static void the_first_sentences_stand_in_with_their_places(void **state)
{
	struct material material = { 0 };
	const struct passage *lead;
	struct view view;

	(void)state;
	make(&material, PAGE, false, &view);
	assert_int_equal(material.stand_in.n, 1);
	lead = &material.stand_in.items[0];
	assert_false(lead->generated);
	assert_string_equal(lead->text,
	                    "The pond program keeps water in the garden all year. It never asks for more than"
	                    " the rain has given in the last three months.");
	assert_int_equal(lead->n_evidence, 2);
	for (size_t i = 0; i < lead->n_evidence; i++) {
		const struct evidence *evidence = &lead->evidence[i];

		assert_int_equal(strlen(evidence->quote), evidence->byte_end - evidence->byte_start);
		assert_memory_equal(evidence->quote, PAGE + evidence->byte_start, strlen(evidence->quote));
		assert_string_equal(evidence->section, "DESCRIPTION");
	}
	material_done(&material);
	view_done(&view);
}

static void the_shortlist_keeps_the_places_of_what_it_keeps(void **state)
{
	struct material material = { 0 };
	struct view view;

	(void)state;
	make(&material, PAGE, false, &view);
	assert_int_equal(material.n_spans, 2);
	assert_int_equal(material_shortlist(&material, 1), 0);
	assert_int_equal(material.n_spans, 1);
	assert_memory_equal(material.places[0].quote, PAGE + material.places[0].byte_start,
	                    strlen(material.places[0].quote));
	material_done(&material);
	view_done(&view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manual_page_is_called_by_the_line_below_its_name),
		cmocka_unit_test(a_document_is_called_by_its_first_heading),
		cmocka_unit_test(the_first_sentences_stand_in_with_their_places),
		cmocka_unit_test(the_shortlist_keeps_the_places_of_what_it_keeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
