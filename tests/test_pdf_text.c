#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "pipeline/formats/pdf_text.h"
#include "pipeline/formats/sink_collect.h"

/* Each block as a line: its kind, "-" for an aside, its words with "/" for line feeds. */
static char *blocks_of(const char *text, size_t n, unsigned max_pages, char *ret_truncated)
{
	static const char KINDS[] = "PWHIRp";
	struct sink_result result = { 0 };
	struct sink *sink = NULL;
	struct buf lines = { 0 };

	assert_int_equal(sink_new(1 << 20, &sink, NULL), 0);
	assert_int_equal(pdf_text_parse(text, n, max_pages, sink, NULL), 0);
	assert_int_equal(sink_take(sink, &result, NULL), 0);
	sink_free(sink);
	for (size_t i = 0; i < result.marks.n_blocks; i++) {
		const struct mark *mark = &result.marks.blocks[i];

		buf_printf(&lines, "%u%c%s ", marks_place_at(&result.marks, mark->start)->page,
		           KINDS[mark->block], mark->aside ? "-" : "");
		for (size_t k = mark->start; k < mark->end; k++)
			buf_append(&lines, result.text[k] == '\n' ? "/" : &result.text[k], 1);
		buf_puts(&lines, "\n");
	}
	memcpy(ret_truncated, result.truncated, SINK_REASON_MAX);
	sink_result_done(&result);
	return buf_take(&lines);
}

static void assert_blocks(const char *text, const char *expected)
{
	char truncated[SINK_REASON_MAX], *lines = blocks_of(text, strlen(text), 100, truncated);

	assert_string_equal(lines, expected);
	assert_string_equal(truncated, "");
	free(lines);
}

#define FULL_1 "The keeper of the northern light wrote down the weather every evening, whatever"
#define FULL_2 "the sea was doing, and in the spring of the fourth year he noticed that the lamp"

static void lines_that_were_filled_up_are_one_paragraph(void **state)
{
	(void)state;
	assert_blocks(FULL_1 "\n" FULL_2
	                     "\nburned more oil.\nThe harbour sent a man.\nhe found it was\nso.\n\f",
	              "1W " FULL_1 "/" FULL_2 "/burned more oil.\n"
	              "1W The harbour sent a man.\n"
	              "1W he found it was/so.\n");
}

static void short_lines_stand_by_themselves(void **state)
{
	(void)state;
	assert_blocks("The Harbour Office\nQuay 3\nNorthport\n\n" FULL_1 "\n" FULL_2 "\n" FULL_2 "\noil.\n\f",
	              "1W The Harbour Office\n1W Quay 3\n1W Northport\n"
	              "1W " FULL_1 "/" FULL_2 "/" FULL_2 "/oil.\n");
}

static void items_and_headings_are_told_by_their_looks(void **state)
{
	(void)state;
	assert_blocks("2.1 The Wire\n\n" FULL_1 "\n" FULL_2
	              "\nburned.\n\xe2\x80\xa2 a lamp\n\xe2\x80\xa2 oil\n\n"
	              "APPENDIX\n" FULL_1 "\n" FULL_2 "\n\f",
	              "1H 2.1 The Wire\n1W " FULL_1 "/" FULL_2
	              "/burned.\n1I \xe2\x80\xa2 a lamp\n1I \xe2\x80\xa2 oil\n"
	              "1H APPENDIX\n1W " FULL_1 "/" FULL_2 "\n");
}

static void a_table_of_contents_keeps_its_lines(void **state)
{
	(void)state;
	assert_blocks("The lamp . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . 3\n"
	              "The wire ............................................................ 17\n\f",
	              "1W The lamp . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . 3\n"
	              "1W The wire ............................................................ 17\n");
}

static void what_repeats_at_the_edges_of_pages_is_aside(void **state)
{
	(void)state;
	assert_blocks("Annals 1846\n\none\n\n- i -\n\fAnnals 1847\n\ntwo\n\n- ii -\n\f"
	              "Annals 1848\n\nthree\n\n- iii -\n\fThe end\n\n- iv -\n\f",
	              "1W- Annals 1846\n1W one\n1W- - i -\n2W- Annals 1847\n2W two\n2W- - ii -\n"
	              "3W- Annals 1848\n3W three\n3W- - iii -\n4W The end\n4W- - iv -\n");
}

static void left_and_right_pages_have_heads_of_their_own(void **state)
{
	struct buf text = { 0 };
	char truncated[SINK_REASON_MAX], *lines;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		buf_printf(&text, "%s\n\npage %c\n\f", i % 2 == 0 ? "Left" : "Right", 'a' + (int)i);
	lines = blocks_of(text.data, text.n, 100, truncated);
	assert_non_null(strstr(lines, "1W- Left\n1W page a\n2W- Right\n2W page b\n"));
	assert_non_null(strstr(lines, "8W- Right\n8W page h\n"));
	free(lines);
	buf_done(&text);
}

static void numbers_that_do_not_count_pages_stay(void **state)
{
	(void)state;
	assert_blocks("12\n\none\n\f17\n\ntwo\n\f3\n\nthree\n\f",
	              "1W 12\n1W one\n2W 17\n2W two\n3W 3\n3W three\n");
	assert_blocks("one\n\nPage 1 of 2\n\f", "1W one\n1W- Page 1 of 2\n");
	assert_blocks("one\n\nPage 1 is blank\n\f", "1W one\n1W Page 1 is blank\n");
}

static void a_paragraph_that_is_repeated_is_no_head(void **state)
{
	(void)state;
	assert_blocks(FULL_1 "\n" FULL_2 "\n\f" FULL_1 "\n" FULL_2 "\n\f" FULL_1 "\n" FULL_2 "\n\f",
	              "1W " FULL_1 "/" FULL_2 "\n2W " FULL_1 "/" FULL_2 "\n3W " FULL_1 "/" FULL_2 "\n");
}

static void pages_beyond_the_limit_are_left_out_and_that_is_said(void **state)
{
	char truncated[SINK_REASON_MAX], *lines = blocks_of("a\n\f\f\nb\n\fc\n\f", 11, 3, truncated);

	(void)state;
	assert_string_equal(lines, "1W a\n3W b\n");
	assert_string_equal(truncated, "only the first 3 pages (extract.max_pages)");
	free(lines);
}

static void any_bytes_come_to_an_end(void **state)
{
	char truncated[SINK_REASON_MAX],
		*lines = blocks_of("a\0b\n\0\0\n\n\f\f\0\n\f\xff\n", 15, 100, truncated);

	(void)state;
	assert_string_equal(lines, "1W a b\n4W \xef\xbf\xbd\n");
	free(lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_that_were_filled_up_are_one_paragraph),
		cmocka_unit_test(short_lines_stand_by_themselves),
		cmocka_unit_test(items_and_headings_are_told_by_their_looks),
		cmocka_unit_test(a_table_of_contents_keeps_its_lines),
		cmocka_unit_test(what_repeats_at_the_edges_of_pages_is_aside),
		cmocka_unit_test(left_and_right_pages_have_heads_of_their_own),
		cmocka_unit_test(numbers_that_do_not_count_pages_stay),
		cmocka_unit_test(a_paragraph_that_is_repeated_is_no_head),
		cmocka_unit_test(pages_beyond_the_limit_are_left_out_and_that_is_said),
		cmocka_unit_test(any_bytes_come_to_an_end),
	};

	return cmocka_run_group_tests_name("pdf_text", tests, NULL, NULL);
}
