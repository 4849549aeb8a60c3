#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/formats/idmap.h"

#define N_MANY 200000

static void add(struct idmap *map, const char *id, const char *text)
{
	assert_int_equal(idmap_add(map, id, strlen(id), text, strlen(text)), 0);
}

static void the_first_text_of_an_id_counts(void **state)
{
	struct idmap map = { 0 };

	(void)state;
	assert_null(idmap_find(&map, "a", 1));
	add(&map, "b", "second");
	add(&map, "a", "first");
	add(&map, "a", "late");
	add(&map, "ab", "longer");
	assert_string_equal(idmap_find(&map, "a", 1), "first");
	assert_string_equal(idmap_find(&map, "ab", 2), "longer");
	assert_string_equal(idmap_find(&map, "b", 1), "second");
	assert_null(idmap_find(&map, "abc", 3));
	assert_null(idmap_find(&map, NULL, 0));
	idmap_done(&map);
}

static void a_text_is_taken_once(void **state)
{
	struct idmap map = { 0 };
	char *text;

	(void)state;
	add(&map, "a", "note");
	text = idmap_take(&map, "a", 1);
	assert_string_equal(text, "note");
	free(text);
	assert_null(idmap_take(&map, "a", 1));
	add(&map, "a", "late");
	assert_null(idmap_find(&map, "a", 1));
	idmap_done(&map);
}

static void an_id_that_is_missing_adds_nothing(void **state)
{
	struct idmap map = { 0 };

	(void)state;
	assert_int_equal(idmap_add(&map, NULL, 0, "text", 4), 0);
	assert_int_equal(idmap_add(&map, "a", 1, NULL, 0), 0);
	assert_null(idmap_find(&map, "a", 1));
	idmap_done(&map);
}

/* Rising ids, each asked for at once: sorted again each time, or unbalanced, this took hours. */
static void many_are_added_and_found_by_turns(void **state)
{
	struct idmap map = { 0 };
	char id[16];

	(void)state;
	for (unsigned i = 0; i < N_MANY; i++) {
		snprintf(id, sizeof(id), "rId%08u", i);
		add(&map, id, id);
		assert_string_equal(idmap_find(&map, id, strlen(id)), id);
	}
	assert_string_equal(idmap_find(&map, "rId00000000", 11), "rId00000000");
	idmap_done(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_text_of_an_id_counts),
		cmocka_unit_test(a_text_is_taken_once),
		cmocka_unit_test(an_id_that_is_missing_adds_nothing),
		cmocka_unit_test(many_are_added_and_found_by_turns),
	};

	return cmocka_run_group_tests_name("idmap", tests, NULL, NULL);
}
