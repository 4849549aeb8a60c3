#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/json.h"

#define NONE "\xef\xbf\xbd" /* U+FFFD */

static void assert_becomes(const char *bytes, const char *expected)
{
	json_t *json = json_of_bytes(bytes);

	assert_string_equal(json_string_value(json), expected);
	json_decref(json);
}

static void what_is_text_stays_as_it_is(void **state)
{
	(void)state;
	assert_becomes("", "");
	assert_becomes("caf\u00e9 \u6f22 \U0001f600", "caf\u00e9 \u6f22 \U0001f600");
}

static void each_byte_of_what_is_no_text_is_replaced(void **state)
{
	(void)state;
	assert_becomes("a\xffz", "a" NONE "z");
	assert_becomes("\u6f22\xe6\xbc", "\u6f22" NONE NONE); /* cut short */
	assert_becomes("\xc0\xaf\u00e9", NONE NONE "\u00e9"); /* overlong */
	assert_becomes("\xed\xa0\x80", NONE NONE NONE); /* a surrogate */
}

static void what_is_no_json_is_told_with_its_place(void **state)
{
	struct err err = { "" };
	json_t *json;

	(void)state;
	assert_int_equal(json_parse("a.json", "{\"k\": 1,\n \"k\": 2}", 18, &json, &err), -EBADMSG);
	assert_memory_equal(err.text, "a.json:2:", 9);
}

static void what_lacks_a_part_is_nothing(void **state)
{
	json_t *list = json_array(), *object = json_object();

	(void)state;
	json_append(&list, json_true());
	json_set(&object, "key", json_or_null(NULL));
	assert_int_equal(json_array_size(list), 1);
	assert_true(json_is_null(json_object_get(object, "key")));

	json_append(&list, NULL);
	json_set(&object, "other", NULL);
	assert_null(list);
	assert_null(object);
	json_append(&list, json_true());
	json_set(&object, "key", json_true());
	assert_null(list);
	assert_null(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_text_stays_as_it_is),
		cmocka_unit_test(each_byte_of_what_is_no_text_is_replaced),
		cmocka_unit_test(what_is_no_json_is_told_with_its_place),
		cmocka_unit_test(what_lacks_a_part_is_nothing),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
