#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define N_BYTES 72

static bool is_utf8_by_one(const unsigned char *bytes, size_t n)
{
	uint32_t character;

	for (size_t i = 0, n_taken; i < n; i += n_taken)
		if ((n_taken = text_decode_utf8(bytes + i, n - i, &character)) == 0)
			return false;
	return true;
}

static size_t printable_by_one(const unsigned char *bytes, size_t n)
{
	size_t i = 0;

	while (i < n && bytes[i] >= ' ' && bytes[i] < 0x7f)
		i++;
	return i;
}

/* Mostly letters, with bytes of other kinds at places that move over the borders of sixteen. */
static size_t make_bytes(unsigned char *bytes)
{
	static const unsigned char OTHERS[] = {
		0, 1, 0x1f, ' ', '~', 0x7f, 0x80, 0xc3, 0xa4, 0xed, 0xa0, 0xff
	};
	size_t n = (size_t)rand() % N_BYTES;

	memset(bytes, 'a', N_BYTES);
	for (int i = rand() % 4; i > 0; i--)
		bytes[rand() % N_BYTES] = OTHERS[(size_t)rand() % sizeof(OTHERS)];
	if (rand() % 2 == 0)
		memcpy(bytes + rand() % (N_BYTES - 3), "\xe2\x82\xac", 3);
	return n;
}

static void sixteen_at_a_time_are_what_one_by_one_are(void **state)
{
	unsigned char bytes[N_BYTES];

	(void)state;
	srand(3);
	for (unsigned trial = 0; trial < 200000; trial++) {
		size_t n = make_bytes(bytes);

		assert_int_equal(text_is_utf8((const char *)bytes, n), is_utf8_by_one(bytes, n));
		assert_int_equal(text_printable_length((const char *)bytes, n), printable_by_one(bytes, n));
	}
}

static void every_byte_counts_at_every_place_of_sixteen(void **state)
{
	unsigned char bytes[32];

	(void)state;
	for (unsigned byte = 0; byte < 256; byte++)
		for (size_t at = 0; at < 16; at++) {
			memset(bytes, 'a', sizeof(bytes));
			bytes[at] = (unsigned char)byte;
			assert_int_equal(text_printable_length((const char *)bytes, sizeof(bytes)),
			                 printable_by_one(bytes, sizeof(bytes)));
			assert_int_equal(text_is_utf8((const char *)bytes, sizeof(bytes)), byte < 0x80);
		}
}

static void expect(void (*mend)(char *text), const char *text, const char *expected)
{
	char copy[64];

	snprintf(copy, sizeof(copy), "%s", text);
	mend(copy);
	assert_string_equal(copy, expected);
}

static void a_name_keeps_a_mark_for_each_control_character(void **state)
{
	(void)state;
	expect(text_printable, "a\nb\tc\033[2Jd\177", "a?b?c?[2Jd?");
	expect(text_printable, "a\302\233b\302\240c\303\244\302", "a?b\302\240c\303\244\302");
	expect(text_printable, "\302A", "\302A");
	expect(text_printable, "", "");
}

static void lines_that_people_read_are_joined(void **state)
{
	(void)state;
	expect(text_join_lines, "over the  river\r\n\tand \n\n into the\fwood\n",
	       "over the  river and into the wood ");
	expect(text_join_lines, "red\033[31m\302\205 end", "red?[31m? end");
	expect(text_join_lines, "  two blanks  stay  ", "  two blanks  stay  ");
	expect(text_join_lines, "", "");
}

static void control_characters_are_whole(void **state)
{
	(void)state;
	assert_int_equal(text_control_length("\n"), 1);
	assert_int_equal(text_control_length("\x7f"), 1);
	assert_int_equal(text_control_length("\xc2\x80"), 2);
	assert_int_equal(text_control_length("\xc2\x9f"), 2);
	assert_int_equal(text_control_length(" "), 0);
	assert_int_equal(text_control_length("\xc2\xa0"), 0);
	assert_int_equal(text_control_length("\xc3\x80"), 0);
	assert_int_equal(text_control_length("\xc2" /* and the end */), 0);
	assert_int_equal(text_control_length("\xc2\n"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sixteen_at_a_time_are_what_one_by_one_are),
		cmocka_unit_test(every_byte_counts_at_every_place_of_sixteen),
		cmocka_unit_test(a_name_keeps_a_mark_for_each_control_character),
		cmocka_unit_test(lines_that_people_read_are_joined),
		cmocka_unit_test(control_characters_are_whole),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
