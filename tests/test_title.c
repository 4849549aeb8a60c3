/* What documents call themselves. */
#include "pipeline/title.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef bool find_title(const struct view *view, struct title_place *ret);

/* expected NULL: it has none */
static void assert_found(find_title *find, const char *source, bool markdown, const char *expected)
{
	struct title_place place = { 0 };
	struct view view;
	bool found;

	assert_int_equal(view_make(source, strlen(source), markdown, &view, NULL), 0);
	found = find(&view, &place);
	assert_int_equal(found, expected != NULL);
	if (found) {
		assert_int_equal(place.end - place.start, strlen(expected));
		assert_memory_equal(view.text + place.start, expected, strlen(expected));
	}
	view_done(&view);
}

static void the_heading_at_the_head_is_the_title(void **state)
{
	(void)state;
	assert_found(title_of_heading, "# The garden pond\n\nWater is kept here.\n\n## Depth\n\nDeep.\n",
	             true, "The garden pond");
	assert_found(title_of_heading, "\n\nThe garden pond\n===============\n\nWater is kept here.\n", false,
	             "The garden pond");
}

static void pictures_and_front_matter_stand_before_no_title(void **state)
{
	(void)state;
	assert_found(title_of_heading,
	             "[![Build](a.svg)](b)\n![Licence](c.svg)\n\n# The garden pond\n\nWater is kept here.\n",
	             true, "The garden pond");
	assert_found(title_of_heading, "---\nlayout: page\n---\n\n# The garden pond\n\nWater.\n", true,
	             "The garden pond");
	assert_found(title_of_heading,
	             "<p align=\"center\">\n<img src=\"a.svg\">\n</p>\n\n# The garden pond\n", true,
	             "The garden pond");
	assert_found(title_of_heading, "![A pond](a.svg) is kept here.\n\n# Installation\n", true, NULL);
	assert_found(title_of_heading, "[![Build](a.svg)](b)\n", true, NULL);
}

static void the_heading_of_a_part_is_none(void **state)
{
	(void)state;
	assert_found(title_of_heading, "Water is kept here.\n\n## Installation\n\nDig a hole.\n", true, NULL);
	assert_found(title_of_heading, "Water is kept here all year.\n", true, NULL);
	assert_found(title_of_heading, "", true, NULL);
}

static void a_heading_that_names_nothing_leaves_it_to_the_line_below(void **state)
{
	(void)state;
	assert_found(title_of_heading, "# 1. Introduction\n\nHow to keep a pond\n\nWater is kept here.\n",
	             true, "How to keep a pond");
	assert_found(title_of_heading, "# Contents\n", true, NULL);
	assert_found(title_of_heading, "# Overview\n\n## Getting started\n\nDig a hole.\n", true, NULL);
	assert_found(title_of_heading, "# Introduction\n\n[![Build](a.svg)](b)\n", true, NULL);
	assert_found(title_of_heading, "# Abstract\n\nWe show what a pond is.\n", true, NULL);
}

static void a_name_that_is_far_below_is_somebody_elses(void **state)
{
	(void)state;
	assert_found(title_of_heading, "# Ponds (beta)\n\nWater is kept here.\n\n## Name\n\nJohn Miller\n",
	             true, "Ponds (beta)");
}

static void a_manual_page_is_called_by_the_line_below_its_name(void **state)
{
	static const char PAGE[] = "POND(1)\n\nNAME\n     pond - keep water where it is needed\n\n"
				   "SYNOPSIS\n     pond [-d depth]\n";

	(void)state;
	assert_found(title_of_heading, PAGE, false, "pond - keep water where it is needed");
	assert_found(title_of_heading, strstr(PAGE, "NAME"), false, "pond - keep water where it is needed");
}

static void a_field_for_a_name_makes_no_manual_page(void **state)
{
	(void)state;
	assert_found(title_of_heading, "# Application for a pond\n\n## Name\n\nJohn Miller\n", true,
	             "Application for a pond");
}

static void a_short_first_line_may_be_one(void **state)
{
	(void)state;
	assert_found(title_of_first_line, "On the Stability of Old Towers\n\nA. Lindqvist\n\nTowers stand.\n",
	             true, "On the Stability of Old Towers");
	assert_found(title_of_first_line, "Dear Sir,\n\nthank you for the drawings.\n", true, NULL);
	assert_found(title_of_first_line, "The river rose in May.\n\nThe bridge held.\n", true, NULL);
	assert_found(title_of_first_line, "From: Astrid Lindqvist\n\nTowers stand.\n", true, NULL);
	assert_found(title_of_first_line, "12 13 14\n15 16 17\n", true, NULL);
	assert_found(title_of_first_line, "lower case words\n\nTowers stand.\n", true, NULL);
	assert_found(title_of_first_line, "One line alone", true, NULL);
	assert_found(title_of_first_line, "", true, NULL);
}

static void loops_and_stray_words_are_no_titles(void **state)
{
	static const char TEXT[] = "The pond keeps water in the garden all year.";

	(void)state;
	assert_true(title_is_stray("Eastern, Eastern, E. Lindqvist", TEXT, strlen(TEXT)));
	assert_true(title_is_stray("Harbour", TEXT, strlen(TEXT)));
	assert_true(title_is_stray("Year", TEXT, strlen("The pond")));
	assert_false(title_is_stray("Pond", TEXT, strlen(TEXT)));
	assert_false(title_is_stray("Water in the garden", TEXT, strlen(TEXT)));
	assert_false(title_is_stray("The water of the garden and the pond", TEXT, strlen(TEXT)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_heading_at_the_head_is_the_title),
		cmocka_unit_test(pictures_and_front_matter_stand_before_no_title),
		cmocka_unit_test(the_heading_of_a_part_is_none),
		cmocka_unit_test(a_heading_that_names_nothing_leaves_it_to_the_line_below),
		cmocka_unit_test(a_name_that_is_far_below_is_somebody_elses),
		cmocka_unit_test(a_manual_page_is_called_by_the_line_below_its_name),
		cmocka_unit_test(a_field_for_a_name_makes_no_manual_page),
		cmocka_unit_test(a_short_first_line_may_be_one),
		cmocka_unit_test(loops_and_stray_words_are_no_titles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
