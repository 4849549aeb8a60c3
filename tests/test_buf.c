#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/buf.h"

static void what_is_appended_stands_one_behind_the_other(void **state)
{
	struct buf buf = { 0 };
	char *string;

	(void)state;
	buf_puts(&buf, "a");
	buf_append(&buf, "b\0c", 3);
	buf_printf(&buf, "%d%s", 12, "d");
	assert_int_equal(buf_status(&buf), 0);
	assert_int_equal(buf.n, 7);
	string = buf_take(&buf);
	assert_memory_equal(string, "ab\0c12d", 8);
	free(string);
	assert_null(buf.data);
}

static void an_empty_one_is_an_empty_string(void **state)
{
	struct buf buf = { 0 };
	char *string = buf_take(&buf);

	(void)state;
	assert_string_equal(string, "");
	free(string);
}

static void assert_failed(struct buf *buf)
{
	assert_int_equal(buf_status(buf), -ENOMEM);
	buf_puts(buf, "more");
	assert_int_equal(buf->n, 5);
	assert_null(buf_take(buf));
	assert_int_equal(buf_status(buf), 0);
}

static void a_failure_sticks_until_it_is_taken(void **state)
{
	struct buf buf = { 0 };

	(void)state;
	buf_puts(&buf, "first");
	assert_null(buf_reserve(&buf, SIZE_MAX - 2));
	assert_failed(&buf);
}

/* No locale is set: C has no bytes for that character. */
static void a_format_that_makes_no_string_is_a_failure(void **state)
{
	struct buf buf = { 0 };

	(void)state;
	buf_puts(&buf, "first");
	buf_printf(&buf, "%ls", L"\x6f22");
	assert_failed(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_appended_stands_one_behind_the_other),
		cmocka_unit_test(an_empty_one_is_an_empty_string),
		cmocka_unit_test(a_failure_sticks_until_it_is_taken),
		cmocka_unit_test(a_format_that_makes_no_string_is_a_failure),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
