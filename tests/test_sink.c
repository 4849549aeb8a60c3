#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "pipeline/formats/sink_collect.h"

struct fixture {
	struct sink *sink;
	struct sink_result result;
};

static void begin(struct fixture *fixture, size_t max_bytes)
{
	sink_free(fixture->sink);
	sink_result_done(&fixture->result);
	assert_int_equal(sink_new(max_bytes, &fixture->sink, NULL), 0);
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	begin(fixture, 1 << 20);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	sink_free(fixture->sink);
	sink_result_done(&fixture->result);
	free(fixture);
	return 0;
}

static void put(struct fixture *fixture, const char *text)
{
	sink_text(fixture->sink, text, strlen(text));
}

static void put_block(struct fixture *fixture, enum sink_block block, unsigned level, const char *text)
{
	sink_begin(fixture->sink, block, level);
	put(fixture, text);
}

/* What marks promise, whatever came; and that they come back from bytes as they were. */
static void check_marks(const struct sink_result *result)
{
	struct buf bytes = { 0 };
	struct marks again;
	struct err err = { "" };

	assert_true(text_is_utf8(result->text, result->n));
	assert_int_equal(strlen(result->text), result->n);
	marks_encode(&result->marks, &bytes);
	if (marks_decode(bytes.data, bytes.n, result->text, result->n, &again, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(again.n_blocks, result->marks.n_blocks);
	assert_int_equal(again.n_places, result->marks.n_places);
	for (size_t i = 0; i < again.n_blocks; i++) {
		assert_int_equal(again.blocks[i].start, result->marks.blocks[i].start);
		assert_int_equal(again.blocks[i].end, result->marks.blocks[i].end);
		assert_int_equal(again.blocks[i].block, result->marks.blocks[i].block);
		assert_int_equal(again.blocks[i].level, result->marks.blocks[i].level);
		assert_int_equal(again.blocks[i].aside, result->marks.blocks[i].aside);
	}
	marks_done(&again);
	buf_done(&bytes);
}

static void assert_text(struct fixture *fixture, const char *expected)
{
	assert_int_equal(sink_take(fixture->sink, &fixture->result, NULL), 0);
	assert_string_equal(fixture->result.text, expected);
	check_marks(&fixture->result);
}

static void assert_block(struct fixture *fixture, size_t i, enum sink_block block, unsigned level,
                         const char *words)
{
	const struct mark *mark = &fixture->result.marks.blocks[i];

	assert_true(i < fixture->result.marks.n_blocks);
	assert_int_equal(mark->block, block);
	assert_int_equal(mark->level, level);
	assert_int_equal(mark->end - mark->start, strlen(words));
	assert_memory_equal(fixture->result.text + mark->start, words, strlen(words));
}

static void blocks_stand_apart_and_lines_of_a_list_or_table_together(void **state)
{
	struct fixture *fixture = *state;

	put_block(fixture, SINK_HEADING, 1, "Lights");
	put(fixture, "house");
	put_block(fixture, SINK_PARAGRAPH, 4, "Text.");
	put_block(fixture, SINK_ITEM, 1, "one");
	put_block(fixture, SINK_ITEM, 2, "two");
	put_block(fixture, SINK_ROW, 0, "a");
	sink_cell(fixture->sink);
	sink_cell(fixture->sink);
	put(fixture, "c");
	sink_cell(fixture->sink);
	put_block(fixture, SINK_ROW, 0, "d");
	assert_text(fixture, "Lightshouse\n\nText.\n\none\ntwo\n\na\t\tc\nd\n");
	assert_int_equal(fixture->result.marks.n_blocks, 6);
	assert_block(fixture, 0, SINK_HEADING, 1, "Lightshouse");
	assert_block(fixture, 1, SINK_PARAGRAPH, 0, "Text.");
	assert_block(fixture, 3, SINK_ITEM, 2, "two");
	assert_block(fixture, 4, SINK_ROW, 0, "a\t\tc");
	assert_int_equal(fixture->result.n_pages, 0);
	assert_string_equal(fixture->result.truncated, "");
}

static void white_space_is_one_blank_and_stands_at_no_end(void **state)
{
	struct fixture *fixture = *state;

	put(fixture, " \n\t a \r\n ");
	put(fixture, " b\xc2\xa0\xe2\x80\x89\x01\x7f\xc2\x85");
	put(fixture, "c\xc2\xad"
	             "d\xe2\x80\x8b\xef\xbb\xbf ");
	sink_break(fixture->sink);
	sink_break(fixture->sink);
	put(fixture, " e ");
	sink_break(fixture->sink);
	put_block(fixture, SINK_HEADING, 99, "one");
	sink_break(fixture->sink);
	put(fixture, "line");
	put_block(fixture, SINK_PARAGRAPH, 0, " \n ");
	sink_begin(fixture->sink, SINK_ROW, 0);
	sink_cell(fixture->sink);
	assert_text(fixture, "a b cd\ne\n\none line\n");
	assert_int_equal(fixture->result.marks.n_blocks, 2);
	assert_block(fixture, 1, SINK_HEADING, 9, "one line");
}

static void preformatted_text_keeps_its_white_space(void **state)
{
	struct fixture *fixture = *state;

	put_block(fixture, SINK_PREFORMATTED, 0, "\n  \n  if (a)\r");
	put(fixture, "\n\tb();\r\n\n\nend  \n\n");
	put_block(fixture, SINK_PREFORMATTED, 0, " \n\t\n");
	put(fixture, "  ");
	put_block(fixture, SINK_PARAGRAPH, 0, "after");
	assert_text(fixture, "\n  \n  if (a)\n\tb();\n\n\nend\n\nafter\n");
	assert_int_equal(fixture->result.marks.n_blocks, 2);
	assert_block(fixture, 0, SINK_PREFORMATTED, 0, "  if (a)\n\tb();\n\n\nend");
}

static void characters_may_come_in_parts_and_what_is_none_is_replaced(void **state)
{
	struct fixture *fixture = *state;
	const char *text = "\xe2\x82\xac\xf0\x9f\x98\x80";

	for (size_t i = 0; i < strlen(text); i++)
		sink_text(fixture->sink, text + i, 1);
	put(fixture, "\xff|\xe2\x82|\xc0\x80|\xed\xa0\x80|");
	sink_text(fixture->sink, "a\0b", 3);
	put(fixture, "\xf0\x9f");
	assert_text(fixture, "\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|"
	                     "\xef\xbf\xbd|a b\xef\xbf\xbd\n");
}

/* A byte at a time, no two are looked at together. */
static void parts_of_a_text_make_the_same_whole(void **state)
{
	static const char *const PIECES[] = { "word", "a",        " ",        " ",       "  ", "\n",
		                              "\t",   "\xc3\xa4", "\xc2\xa0", "\xff",    "~",  "!",
		                              "\x7f", "eightlet", "\x1f",     "\xe2\x82" };
	struct fixture *fixture = *state;

	srand(7);
	for (unsigned trial = 0; trial < 3000; trial++) {
		enum sink_block block = (enum sink_block)(trial % (SINK_PREFORMATTED + 1));
		struct buf text = { 0 }, whole = { 0 };

		for (int n = rand() % 40; n >= 0; n--)
			buf_puts(&text, PIECES[(unsigned)rand() % (sizeof(PIECES) / sizeof(PIECES[0]))]);
		begin(fixture, 1 << 20);
		put_block(fixture, block, 0, text.data);
		assert_int_equal(sink_take(fixture->sink, &fixture->result, NULL), 0);
		buf_append(&whole, fixture->result.text, fixture->result.n);
		begin(fixture, 1 << 20);
		sink_begin(fixture->sink, block, 0);
		for (size_t i = 0; i < text.n; i++)
			sink_text(fixture->sink, text.data + i, 1);
		assert_int_equal(sink_take(fixture->sink, &fixture->result, NULL), 0);
		if (whole.n != fixture->result.n || memcmp(whole.data, fixture->result.text, whole.n) != 0)
			fail_msg("trial %u: '%s' is '%s', and in parts '%s'", trial, text.data, whole.data,
			         fixture->result.text);
		buf_done(&text);
		buf_done(&whole);
	}
}

static void a_long_name_of_a_section_is_cut(void **state)
{
	struct fixture *fixture = *state;
	char name[3 * MARKS_MAX_SECTION];
	const char *section;

	for (size_t i = 0; i < sizeof(name); i += 2)
		memcpy(name + i, "\xc3\xa4", 2);
	sink_section(fixture->sink, name, sizeof(name));
	put(fixture, "text");
	assert_text(fixture, "text\n");
	section = marks_place_at(&fixture->result.marks, 0)->section;
	assert_non_null(section);
	assert_true(strlen(section) % 2 == 0 && strlen(section) + 4 >= MARKS_MAX_SECTION);
	assert_memory_equal(section, name, strlen(section));
}

static void pages_and_sections_are_known_from_their_first_words_on(void **state)
{
	struct fixture *fixture = *state;
	const struct mark_place *place;

	put(fixture, "title");
	sink_page(fixture->sink, 1);
	put(fixture, "first");
	sink_page(fixture->sink, 2);
	sink_page(fixture->sink, 3);
	sink_section(fixture->sink, " Sheet\n1 ", 9);
	put(fixture, "third");
	sink_aside(fixture->sink);
	sink_section(fixture->sink, " ", 1);
	put(fixture, "end");
	sink_page(fixture->sink, 4);
	assert_text(fixture, "title\n\nfirst\n\nthird\n\nend\n");
	assert_int_equal(fixture->result.n_pages, 4);
	assert_int_equal(fixture->result.marks.n_places, 3);
	assert_null(marks_place_at(&fixture->result.marks, 4));
	place = marks_place_at(&fixture->result.marks, 7);
	assert_true(place->page == 1 && place->section == NULL);
	place = marks_place_at(&fixture->result.marks, 15);
	assert_int_equal(place->page, 3);
	assert_string_equal(place->section, "Sheet 1");
	assert_null(marks_place_at(&fixture->result.marks, 21)->section);
	assert_true(fixture->result.marks.blocks[2].aside);
	assert_false(fixture->result.marks.blocks[3].aside);
}

static void a_full_sink_keeps_what_came_and_says_so(void **state)
{
	struct fixture *fixture = *state;

	for (size_t most = 1; most < 40; most++) {
		begin(fixture, most);
		put_block(fixture, SINK_HEADING, 1, "Eins \xc3\xbc");
		put_block(fixture, SINK_ITEM, 1, "zwei drei");
		sink_page(fixture->sink, 2);
		put_block(fixture, SINK_PREFORMATTED, 0, " vier\n\nf\xc3\xbcnf\n");
		assert_int_equal(sink_is_full(fixture->sink), most < 34);
		assert_int_equal(sink_text(fixture->sink, "", 0), most < 34 ? -EFBIG : 0);
		assert_int_equal(sink_take(fixture->sink, &fixture->result, NULL), 0);
		assert_true(fixture->result.n <= most);
		check_marks(&fixture->result);
		assert_int_equal(fixture->result.truncated[0] != '\0', most < 34);
	}
	begin(fixture, 5);
	put(fixture, "123456");
	put(fixture, "12");
	assert_text(fixture, "");
	assert_string_equal(fixture->result.truncated, "only the first 5 bytes of its text");
}

static void the_first_reason_for_a_part_stays(void **state)
{
	struct fixture *fixture = *state;
	char longest[300];

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	sink_truncated(fixture->sink, longest);
	sink_truncated(fixture->sink, "only the first 2 pages");
	put(fixture, "text");
	assert_text(fixture, "text\n");
	assert_int_equal(strlen(fixture->result.truncated), SINK_REASON_MAX - 1);
}

static void foreign_marks_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *words;
	} CASES[] = {
		{ "\2\0\1\0\2\0", 6, "marks: a number that cannot be" },
		{ "\0\0\1\0\2\0", 6, "marks: made by another version" },
		{ "\1\0\1\0\3\0", 6, "marks: an offset into a character" },
		{ "\1\0\1\0\2\0", 6, "marks: a block that cannot be" },
		{ "\1\0\1\1\3\0", 6, "marks: words between two blocks" },
		{ "\1\0\1\0\5\0", 6, "marks: a number that cannot be" },
		{ "\1\0\1\0\0\0", 6, "marks: a block that cannot be" },
		{ "\1\0\1\0\4\7", 6, "marks: a block that cannot be" },
		{ "\1\0\1\0\4\0\0", 7, "marks: bytes behind their end" },
		{ "\1\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 12, "marks: a number that cannot be" },
		{ "\1\0\xff\x7f", 4, "marks: a count that cannot be" },
		{ "\1\1\0\1\2\xff\xff\1\0\4\0", 11, "marks: a section's name that is no text" },
		{ "\1\1\0\1\2\na\1\0\4\0", 11, "marks: a control character in a section's name" },
		{ "\1", 1, "marks: a number that cannot be" },
	};
	struct marks marks = { 0 };
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		assert_int_equal(marks_decode(CASES[i].bytes, CASES[i].n, "ab\xc3\xbc", 4, &marks, &err),
		                 -EBADMSG);
		assert_string_equal(err.text, CASES[i].words);
	}
	assert_int_equal(marks_decode("\1\1\0\1\2aa\1\0\4\0", 11, "ab\xc3\xbc", 4, &marks, &err), 0);
	assert_string_equal(marks.places[0].section, "aa");
	marks_done(&marks);
	assert_int_equal(marks_decode("", 0, "ab", 2, &marks, &err), 0);
	assert_int_equal(marks.n_blocks, 0);
}

static void take(void *user, const char *bytes, size_t n)
{
	buf_append(user, bytes, n);
}

/* Block by block; what is open, or was empty, is not let out. */
static void an_outlet_gets_what_does_not_change_any_more(void **state)
{
	struct fixture *fixture = *state;
	struct buf out = { 0 };
	const struct sink_outlet outlet = { take, &out, 10 };

	sink_set_outlet(fixture->sink, &outlet);
	put_block(fixture, SINK_HEADING, 1, "Short");
	put_block(fixture, SINK_PARAGRAPH, 0, "and more than that ");
	assert_int_equal(out.n, 0);
	put_block(fixture, SINK_PREFORMATTED, 0, " \n\n  ");
	assert_string_equal(out.data, "Short\n\nand more than that\n");
	sink_end(fixture->sink);
	put_block(fixture, SINK_ITEM, 1, "one");
	put_block(fixture, SINK_ITEM, 1, "two");
	sink_end(fixture->sink);
	assert_string_equal(out.data, "Short\n\nand more than that\n");
	put_block(fixture, SINK_ITEM, 1, "three");
	sink_section(fixture->sink, "End", 3);
	put(fixture, "all");
	assert_int_equal(sink_take(fixture->sink, &fixture->result, NULL), 0);
	assert_string_equal(out.data, "Short\n\nand more than that\n\none\ntwo\nthree\n");
	assert_string_equal(fixture->result.text, "\nall\n");
	assert_int_equal(fixture->result.n_out, out.n);
	buf_append(&out, fixture->result.text, fixture->result.n);
	free(fixture->result.text);
	fixture->result.n = out.n;
	fixture->result.text = buf_take(&out);
	check_marks(&fixture->result);
	assert_int_equal(fixture->result.marks.n_blocks, 6);
	assert_block(fixture, 1, SINK_PARAGRAPH, 0, "and more than that");
	assert_block(fixture, 4, SINK_ITEM, 1, "three");
	assert_block(fixture, 5, SINK_PARAGRAPH, 0, "all");
	assert_int_equal(fixture->result.marks.places[0].start,
	                 strlen(fixture->result.text) - strlen("all\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(blocks_stand_apart_and_lines_of_a_list_or_table_together,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(white_space_is_one_blank_and_stands_at_no_end, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(preformatted_text_keeps_its_white_space, setup, teardown),
		cmocka_unit_test_setup_teardown(characters_may_come_in_parts_and_what_is_none_is_replaced,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(parts_of_a_text_make_the_same_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(a_long_name_of_a_section_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_and_sections_are_known_from_their_first_words_on, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_full_sink_keeps_what_came_and_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_reason_for_a_part_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(an_outlet_gets_what_does_not_change_any_more, setup,
		                                teardown),
		cmocka_unit_test(foreign_marks_are_refused),
	};

	return cmocka_run_group_tests_name("sink", tests, NULL, NULL);
}
