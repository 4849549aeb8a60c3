#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/formats/pdf_order.h"

static void assert_mended(const char *laid_out, const char *raw, const char *expected)
{
	struct buf ret = { 0 };

	pdf_order_mend(laid_out, strlen(laid_out), raw, strlen(raw), &ret);
	assert_int_equal(buf_status(&ret), 0);
	assert_string_equal(ret.data == NULL ? "" : ret.data, expected);
	buf_done(&ret);
}

/* As a paper's two columns: side by side, and one behind the other. */
static const char MIXED[] =
	"Head\n\nthe tower stands upon a rock of the\nThe light is seen from far away in the\n\n"
	"sea, and nobody lives there.\n\nnight.\n\f";
static const char RAW[] = "Head\nthe tower stands upon a rock of the\nsea, and nobody lives there.\n"
			  "The light is seen from far away in the\nnight.\n\f";

static void columns_are_read_one_behind_the_other(void **state)
{
	(void)state;
	assert_mended(MIXED, RAW,
	              "\nHead\n\n\nthe tower stands upon a rock of the\n\nsea, and nobody lives there.\n\n"
	              "The light is seen from far away in the\n\n\nnight.\n\n\f");
}

static void words_that_were_joined_are_no_other_letters(void **state)
{
	(void)state;
	assert_mended("the keepers of the lighthouse burned\noil.\n\f",
	              "the keepers of the light-\nhouse burned\noil.\n\f",
	              "\nthe keepers of the light-\nhouse burned\noil.\n\n\f");
}

static void a_page_whose_letters_differ_stays(void **state)
{
	(void)state;
	assert_mended("one\ntwo\n\fthree\n\f", "one\n\fthree\n\f", "one\ntwo\n\f\nthree\n\n\f");
	assert_mended("one\n\ftwo\n\f", "one\n\f", "\none\n\n\ftwo\n\f");
	assert_mended("one\n\f", "", "one\n\f");
	assert_mended("", "one\n\f", "");
	assert_mended("* * *\n\f", "", "* * *\n\f"); /* not even without letters */
}

static void an_order_that_is_none_is_not_taken(void **state)
{
	static const char SOUND[] =
		"a line that goes on and on until its end,\nas the next line does that follows it, and\n"
		"then the one behind that comes to an end.\n\f";
	static const char TORN[] =
		"then the one behind that comes to an end.\nas the next line does that follows it, and\n"
		"a line that goes on and on until its end,\n\f";

	(void)state;
	assert_mended(SOUND, TORN, SOUND);
}

static void narrow_lines_are_doubtful(void **state)
{
	static const char NARROW[] = "words that fill up one line of a column\n";
	static const char WIDE[] =
		"words that go on from one side of the page to the other one without any end\n";
	struct buf text = { 0 };

	(void)state;
	for (int i = 0; i < 7; i++)
		buf_puts(&text, NARROW);
	assert_false(pdf_order_is_doubtful(text.data, text.n)); /* so few say nothing */
	buf_puts(&text, NARROW);
	assert_true(pdf_order_is_doubtful(text.data, text.n));
	buf_puts(&text, WIDE);
	assert_true(pdf_order_is_doubtful(text.data, text.n));
	buf_puts(&text, WIDE);
	assert_false(pdf_order_is_doubtful(text.data, text.n));
	assert_false(pdf_order_is_doubtful("", 0));
	buf_done(&text);
}

static void any_bytes_come_to_an_end(void **state)
{
	static const char PIECES[] = "ab .\n\f\0\xc3-";
	char laid_out[64], raw[64];

	(void)state;
	srand(5);
	for (unsigned trial = 0; trial < 20000; trial++) {
		size_t n = (size_t)rand() % sizeof(laid_out), n_raw = (size_t)rand() % sizeof(raw);
		struct buf ret = { 0 };

		for (size_t i = 0; i < n; i++)
			laid_out[i] = PIECES[(size_t)rand() % (sizeof(PIECES) - 1)];
		for (size_t i = 0; i < n_raw; i++)
			raw[i] = PIECES[(size_t)rand() % (sizeof(PIECES) - 1)];
		pdf_order_mend(laid_out, n, raw, n_raw, &ret);
		assert_int_equal(buf_status(&ret), 0);
		for (size_t i = 0, k = 0; i < n || k < ret.n; i++, k++) { /* as many pages */
			while (i < n && laid_out[i] != '\f')
				i++;
			while (k < ret.n && ret.data[k] != '\f')
				k++;
			assert_int_equal(i < n, k < ret.n);
		}
		buf_done(&ret);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_read_one_behind_the_other),
		cmocka_unit_test(words_that_were_joined_are_no_other_letters),
		cmocka_unit_test(a_page_whose_letters_differ_stays),
		cmocka_unit_test(an_order_that_is_none_is_not_taken),
		cmocka_unit_test(narrow_lines_are_doubtful),
		cmocka_unit_test(any_bytes_come_to_an_end),
	};

	return cmocka_run_group_tests_name("pdf_order", tests, NULL, NULL);
}
