#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "pipeline/formats/sink_collect.h"
#include "pipeline/view.h"

static struct view make(const char *source, bool markdown)
{
	struct err err = { "" };
	struct view view;

	assert_int_equal(view_make(source, strlen(source), markdown, &view, &err), 0);
	return view;
}

static void assert_view(const char *source, bool markdown, const char *expected)
{
	struct view view = make(source, markdown);

	assert_string_equal(view.text, expected);
	assert_int_equal(view.n, strlen(expected));
	view_done(&view);
}

static void assert_left_alone(const char *source)
{
	assert_view(source, false, source);
}

static void assert_heading(const struct view *view, size_t i, unsigned level, const char *title)
{
	const struct heading *heading = &view->headings[i];

	assert_true(i < view->n_headings);
	assert_int_equal(heading->level, level);
	assert_int_equal(heading->end - heading->title, strlen(title));
	assert_memory_equal(view->text + heading->title, title, strlen(title));
	assert_true(heading->start == 0 || view->text[heading->start - 1] == '\n');
}

/* The promise of view.h, for every byte. */
static void assert_maps(const struct view *view, const char *source, size_t n)
{
	size_t last = 0;

	for (size_t i = 0; i < view->n; i++) {
		size_t at = view_source(view, i);

		assert_true(at < n);
		assert_true(i == 0 || at > last);
		if (view->text[i] == ' ' || view->text[i] == '\n')
			assert_non_null(memchr(" \n\r\t\f\v", source[at], 6));
		else
			assert_int_equal(view->text[i], source[at]);
		last = at;
	}
}

static const char MAN_PAGE[] =
	"FROB(1)                     General Commands Manual                    FROB(1)\n"
	"\n"
	"NAME\n"
	"     frob - turn widgets over\n"
	"\n"
	"DESCRIPTION\n"
	"     The  frob  utility turns every widget that it is given over, once, and then\n"
	"     reports what was on the other side.  It never turns a widget that is in use\n"
	"     by somebody else.\n"
	"\n"
	"     The options are as follows:\n"
	"\n"
	"     -a      Turn all widgets over, also those that have been turned over before\n"
	"             by an earlier run.\n"
	"     -q      Say nothing.\n"
	"\n"
	"     --keep-going\n"
	"             Go on with the next widget where one is stuck, and tell at the end\n"
	"             how many there were.\n"
	"\n"
	"EXAMPLES\n"
	"   Turning one\n"
	"     This turns a single widget over and prints what is then found to be on its\n"
	"     other side.\n"
	"\n"
	"           frob widget.w\n";

static void a_man_page_reads_as_paragraphs(void **state)
{
	(void)state;
	assert_view(
		MAN_PAGE, false,
		"FROB(1)                     General Commands Manual                    FROB(1)\n"
		"\n"
		"NAME\n"
		"frob - turn widgets over\n"
		"\n"
		"DESCRIPTION\n"
		"The frob utility turns every widget that it is given over, once, and then reports what was "
		"on "
		"the other side. It never turns a widget that is in use by somebody else.\n"
		"\n"
		"The options are as follows:\n"
		"\n"
		"-a Turn all widgets over, also those that have been turned over before by an earlier run.\n"
		"-q      Say nothing.\n"
		"\n"
		"--keep-going\n"
		"    Go on with the next widget where one is stuck, and tell at the end how many there "
		"were.\n"
		"\n"
		"EXAMPLES\n"
		"Turning one\n"
		"This turns a single widget over and prints what is then found to be on its other side.\n"
		"\n"
		"frob widget.w");
}

static void a_man_page_has_its_sections_as_headings(void **state)
{
	struct view view = make(MAN_PAGE, false);

	(void)state;
	assert_int_equal(view.n_headings, 4);
	assert_heading(&view, 0, 1, "NAME");
	assert_heading(&view, 1, 1, "DESCRIPTION");
	assert_heading(&view, 2, 1, "EXAMPLES");
	assert_heading(&view, 3, 2, "Turning one");
	assert_maps(&view, MAN_PAGE, strlen(MAN_PAGE));
	view_done(&view);
}

static void a_licence_reads_as_paragraphs_and_items(void **state)
{
	const char *source =
		"                    THE WIDGET LICENSE\n"
		"\n"
		"  Everyone is permitted to copy and change this widget, as long as it is said\n"
		"that it was changed, and by whom, and as long as nobody is told otherwise in\n"
		"section\n"
		"7 of what follows.\n"
		"\n"
		"  1. Terms.\n"
		"\n"
		"  You may convey the widget under the terms of this license if you meet all of\n"
		"these conditions:\n"
		"\n"
		"    a) The widget must carry a prominent notice which says that you changed it\n"
		"    and when.\n"
		"    b) The notice must stay where it is for as long as the widget itself stays\n"
		"    in one piece.\n";
	struct view view = make(source, false);

	(void)state;
	assert_string_equal(
		view.text,
		"THE WIDGET LICENSE\n"
		"\n"
		"Everyone is permitted to copy and change this widget, as long as it is said that it was "
		"changed, "
		"and by whom, and as long as nobody is told otherwise in section\n"
		"7 of what follows.\n"
		"\n"
		"1. Terms.\n"
		"\n"
		"You may convey the widget under the terms of this license if you meet all of these "
		"conditions:\n"
		"\n"
		"a) The widget must carry a prominent notice which says that you changed it and when.\n"
		"b) The notice must stay where it is for as long as the widget itself stays in one piece.");
	assert_int_equal(view.n_headings, 2);
	assert_heading(&view, 0, 1, "THE WIDGET LICENSE");
	assert_heading(&view, 1, 1, "1. Terms.");
	view_done(&view);
}

static void a_novel_joins_its_lines_and_keeps_its_paragraphs(void **state)
{
	(void)state;
	assert_view(
		"CHAPTER IV. The Lamp\n"
		"\n"
		"It was late when the keeper climbed the stairs again, and the lamp, which he\n"
		"had left burning low, had gone out.\n"
		"   \"Who is there?\" he called, though he knew well enough that nobody could be\n"
		"there, as the boat had left in the morning with everyone else, and the well-\n"
		"known step on the stairs was his own.\n"
		"   Nobody answered.\n",
		false,
		"CHAPTER IV. The Lamp\n"
		"\n"
		"It was late when the keeper climbed the stairs again, and the lamp, which he had left "
		"burning low, "
		"had gone out.\n"
		"\"Who is there?\" he called, though he knew well enough that nobody could be there, as the "
		"boat had "
		"left in the morning with everyone else, and the well-known step on the stairs was his own.\n"
		"   Nobody answered.");
}

static void what_is_not_prose_keeps_its_lines(void **state)
{
	(void)state;
	assert_left_alone("The rain it falls on hill and tree,\nOn shepherd and on sheep;\n"
	                  "It falls upon the silver sea,\nWhere all the fishes sleep.");
	assert_left_alone("Widget Works Ltd\n12 Harbour Street\nPort Example\nEX1 2MP");
	assert_left_alone("Status      Pending    Awaited   Satisfies   Remedy that is to be taken\n"
	                  "            triggers   triggers  Depends     by the one who installs it");
	assert_left_alone("name        size   colour\nleft           3   red, as long as it is new\n"
	                  "right         12   blue, and in some lights green\nboth           7   none");
	assert_left_alone("2026-11-22 10:00:01 daemon: document 17 queued from the inbox, 1048576 bytes\n"
	                  "2026-11-22 10:00:02 daemon: document 17 is read now, and this takes some time\n"
	                  "2026-11-22 10:00:03 daemon: done");
	assert_left_alone(
		"int main(void)\n{\n\tint long_name = call_of_something(with, many, arguments, in, one);\n"
		"\treturn long_name + another_call_of_something_else(with, more, arguments);\n}");
	assert_left_alone(
		"| a | b |\n|---|---|\n| one that is long | two that is longer still, and goes on and on |\n"
		"| c | d |");
	assert_left_alone(
		"- milk\n- bread and a long list of other things that are needed for the weekend\n- tea");
	assert_left_alone("packed size: what is written in its header and nothing\n"
	                  "unpacked size: what will be written when it is unpacked");
}

static void quotes_at_a_line_start_go_on_with_the_sentence(void **state)
{
	(void)state;
	assert_view("A package which awaits the processing of another one but would otherwise be\n"
	            "\xe2\x80\x98installed\xe2\x80\x99 is kept.",
	            false,
	            "A package which awaits the processing of another one but would otherwise be "
	            "\xe2\x80\x98installed\xe2\x80\x99 is kept.");
}

static void lines_cut_short_after_a_small_word_are_joined(void **state)
{
	(void)state;
	assert_view("The first line of this paragraph is as long as the margin lets it be, and it\n"
	            "goes on, but this one was cut short by hand, before the\n"
	            "Program came, and then the text goes on up to the margin as it did before on\n"
	            "the first line.",
	            false,
	            "The first line of this paragraph is as long as the margin lets it be, and it goes on, "
	            "but this one "
	            "was cut short by hand, before the Program came, and then the text goes on up to the "
	            "margin as it did "
	            "before on the first line.");
}

static void an_item_goes_on_below_its_first_words(void **state)
{
	(void)state;
	assert_view(
		" * The resolve-undo information in the index was not protected against\n"
		"   GC, which has been corrected.\n\n"
		" * A short item\n"
		"   GC, which has been corrected.",
		false,
		"* The resolve-undo information in the index was not protected against GC, which has been "
		"corrected.\n\n"
		"* A short item\n"
		"  GC, which has been corrected.");
}

static void a_command_within_a_paragraph_stands_alone(void **state)
{
	(void)state;
	assert_view("When the shell starts, it looks for a name among its variables, and behaves\n"
	            "as if the following command had been given in the place where it was found\n"
	            "      if test -n \"$NAME\" and it is readable; then read it line by line; fi\n"
	            "but the value of another variable is not used to search for a file of such\n"
	            "a name.",
	            false,
	            "When the shell starts, it looks for a name among its variables, and behaves as if the "
	            "following command "
	            "had been given in the place where it was found\n"
	            "    if test -n \"$NAME\" and it is readable; then read it line by line; fi\n"
	            "but the value of another variable is not used to search for a file of such a name.");
}

static void numbers_at_a_line_start_by_chance_are_joined(void **state)
{
	(void)state;
	assert_view("The notices that are required by the first paragraph and then again by section\n"
	            "7. They may be left out where nobody could read them in the first place anyway,\n"
	            "as on a coin.",
	            false,
	            "The notices that are required by the first paragraph and then again by section 7. They "
	            "may be left out "
	            "where nobody could read them in the first place anyway, as on a coin.");
}

static void white_space_that_says_nothing_is_dropped(void **state)
{
	(void)state;
	assert_view("\xef\xbb\xbf\r\n\r\nOne.  \r\n\r\n\r\n\f\r\n\tTwo.\r\n \r\n", false, "One.\n\nTwo.");
	assert_view("One.\rTwo.\r\rThree.", false, "One.\nTwo.\n\nThree.");
	assert_view("", false, "");
	assert_view(" \n\t\n", false, "");
	assert_view("x", true, "x");
}

static void typesetters_hyphens_are_dropped_and_others_kept(void **state)
{
	(void)state;
	assert_view("This line is long enough to be one that was filled by groff, which incor\xe2\x80\x90\n"
	            "porates hyphens; this other one just ends with a word that has one: self-\n"
	            "contained.",
	            false,
	            "This line is long enough to be one that was filled by groff, which incorporates "
	            "hyphens; this other "
	            "one just ends with a word that has one: self-contained.");
}

static void markdown_is_filled_except_where_it_may_not_be(void **state)
{
	(void)state;
	assert_view(
		"---\ntitle: x\n---\n"
		"# Title #\nShort\nlines\nare one.\n\nHard  \nbreak\\\nhere.\n\n"
		"* item\n  goes on\n* next\n\n  still next\n  and on\n\n"
		"> quoted\n> lines\n\n```c\nint  a;\n\n\n# no heading\n```\n\n    code\n    more\n\n"
		"| a | b |\n|---|---|\n| 1 | 2 |\n\n<div>\nhtml\n</div>\n\n[x]: http://a\n[y]: http://b\n",
		true,
		"---\ntitle: x\n---\n"
		"# Title #\nShort lines are one.\n\nHard\nbreak\\\nhere.\n\n"
		"* item goes on\n* next\n\n  still next and on\n\n"
		"> quoted\n> lines\n\n```c\nint  a;\n\n# no heading\n```\n\n    code\n    more\n\n"
		"| a | b |\n|---|---|\n| 1 | 2 |\n\n<div>\nhtml\n</div>\n\n[x]: http://a\n[y]: http://b");
}

/* Whether the words stand in what is no prose. */
static bool is_code(const struct view *view, const char *words)
{
	const char *at = strstr(view->text, words);

	assert_non_null(at);
	return view_is_code(view, (size_t)(at - view->text));
}

static void program_text_is_told_from_prose(void **state)
{
	static const char PROGRAM[] =
		"#include <stdio.h>\n\nint main(void)\n{\n\tputs(\"a\");\n\treturn 0;\n}\n";
	struct view view =
		make("Before.\n\n```\nint a;\n\nint b;\n```\nBetween.\n\n    code\n\nBehind.\n", true);

	(void)state;
	assert_false(is_code(&view, "Before"));
	assert_true(is_code(&view, "int a"));
	assert_true(is_code(&view, "int b"));
	assert_false(is_code(&view, "Between"));
	assert_true(is_code(&view, "code"));
	assert_false(is_code(&view, "Behind"));
	assert_false(view_is_code(&view, view.n));
	view_done(&view);

	view = make(PROGRAM, false);
	assert_true(is_code(&view, "return 0"));
	view_done(&view);
}

static void markdown_headings_have_levels_and_bare_titles(void **state)
{
	struct view view =
		make("Intro.\n\n# One #\n\ntext\n\n## About C#\nTwo\n---\n\n###\n\nThree\n===\n", true);

	(void)state;
	assert_int_equal(view.n_headings, 4);
	assert_heading(&view, 0, 1, "One");
	assert_heading(&view, 1, 2, "About C#");
	assert_heading(&view, 2, 2, "Two");
	assert_heading(&view, 3, 1, "Three");
	assert_null(view_heading_at(&view, 0));
	assert_null(view_heading_at(&view, view.headings[0].start - 1));
	assert_ptr_equal(view_heading_at(&view, view.headings[0].start), &view.headings[0]);
	assert_ptr_equal(view_heading_at(&view, view.headings[1].start - 1), &view.headings[0]);
	assert_ptr_equal(view_heading_at(&view, view.n - 1), &view.headings[3]);
	view_done(&view);
}

static void plain_headings_are_told_by_their_looks(void **state)
{
	struct view view = make("Title\n=====\n\nSome text.\n\n3.2 Scope\n\nSome text.\n\n4 Terms\n\n"
	                        "The text of the fourth section, which is long enough for prose.\n\n"
	                        "Appendix B: More\n\nEnd.\n",
	                        false);

	(void)state;
	assert_int_equal(view.n_headings, 4);
	assert_heading(&view, 0, 1, "Title");
	assert_heading(&view, 1, 2, "3.2 Scope");
	assert_heading(&view, 2, 1, "4 Terms");
	assert_heading(&view, 3, 2, "Appendix B: More");
	view_done(&view);
}

static void what_only_looks_like_a_heading_is_none(void **state)
{
	static const char *const sources[] = {
		"1. Buy milk\n\n2. Buy bread\n\n3. Go home\n",
		"1. Introduction ........ 3\n\nThe text that follows is long enough to be taken for prose.\n",
		"THIS IS SAID ALOUD, AND THEN\nthe text goes on at the margin as before.\n",
		"For example:\n\n    code\n",
		"THE END\n",
		"# a comment\nkey = value\n",
		"NAME    SIZE\n----    ----\nleft    3\n",
		"Section 3, which comes next, says otherwise?\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		struct view view = make(sources[i], false);

		if (view.n_headings > 0)
			fail_msg("taken for a heading: %s", sources[i]);
		view_done(&view);
	}
}

static void a_span_of_the_view_is_a_span_of_the_source(void **state)
{
	const char *source =
		"     The  first words of a line that is long enough to have been filled by a\r\n"
		"     program, and some more.\r\n";
	struct view view = make(source, false);
	size_t start = (size_t)(strstr(view.text, "by a program") - view.text), source_start, source_end;

	(void)state;
	view_source_range(&view, start, start + strlen("by a program"), &source_start, &source_end);
	assert_int_equal(source_start, strstr(source, "by a\r\n") - source);
	assert_int_equal(source_end, strstr(source, ", and") - source);
	assert_maps(&view, source, strlen(source));
	view_done(&view);
}

/* Any bytes at all, often those that the view looks at. */
static void the_map_holds_for_random_bytes(void **state)
{
	static const char alphabet[] = "aA.1 -  \n\n\n\r\t\f#>|*=`~(),:\xe2\x80\x90\xff<[]";
	const unsigned seed = 20261122;

	(void)state;
	print_message("# seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 3000; round++) {
		char source[400];
		size_t n = (size_t)rand() % sizeof(source);
		struct view view;

		for (size_t i = 0; i < n; i++)
			source[i] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		assert_int_equal(view_make(source, n, round % 2 == 0, &view, NULL), 0);
		assert_maps(&view, source, n);
		for (size_t i = 0; i < view.n_headings; i++) {
			assert_true(view.headings[i].start <= view.headings[i].title);
			assert_true(view.headings[i].title < view.headings[i].end);
			assert_true(view.headings[i].end <= view.n);
			assert_true(i == 0 || view.headings[i - 1].end <= view.headings[i].start);
		}
		view_done(&view);
	}
}

static void one_line_of_a_megabyte_is_itself(void **state)
{
	struct buf source = { 0 };
	clock_t start = clock();
	struct view view;

	(void)state;
	while (source.n < 1 << 20)
		buf_puts(&source, "All in one line, without an end. ");
	source.data[--source.n] = '\0';
	assert_int_equal(view_make(source.data, source.n, false, &view, NULL), 0);
	assert_string_equal(view.text, source.data);
	assert_int_equal(view.n_runs, 1);
	view_done(&view);
	/* 64 blocks without a blank line between them. */
	for (size_t i = 0; i < source.n; i++)
		source.data[i] = i % 4 == 3 ? '\n' : 'x';
	assert_int_equal(view_make(source.data, source.n, false, &view, NULL), 0);
	assert_maps(&view, source.data, source.n);
	assert_true(view.n + 1 >= source.n);
	assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
	view_done(&view);
	buf_done(&source);
}

/* A text with marks, and its view; the sink's result has to outlive that. */
static struct view make_marked(struct sink *sink, struct sink_result *ret)
{
	struct err err = { "" };
	struct view view;

	assert_int_equal(sink_take(sink, ret, &err), 0);
	assert_int_equal(view_make_marked(ret->text, ret->n, &ret->marks, &view, &err), 0);
	assert_maps(&view, ret->text, ret->n);
	sink_free(sink);
	return view;
}

static struct sink *new_sink(void)
{
	struct sink *sink = NULL;

	assert_int_equal(sink_new(1 << 16, &sink, NULL), 0);
	return sink;
}

static void put(struct sink *sink, enum sink_block block, unsigned level, const char *text)
{
	assert_int_equal(sink_begin(sink, block, level), 0);
	for (const char *line = text; line != NULL && *line != '\0';) {
		size_t n = strcspn(line, "\n");

		assert_int_equal(sink_text(sink, line, n), 0);
		line = line[n] == '\n' ? line + n + 1 : NULL;
		if (line != NULL)
			assert_int_equal(sink_break(sink), 0);
	}
}

static void marks_say_what_blocks_are(void **state)
{
	struct sink *sink = new_sink();
	struct sink_result result = { 0 };
	struct view view;

	(void)state;
	put(sink, SINK_HEADING, 2, "1. Rivers");
	put(sink, SINK_WRAPPED, 0,
	    "The river rose in the\nnight and carried the foot-\nbridge, and two mea\xc2\xad\ndows, "
	    "away.");
	put(sink, SINK_PARAGRAPH, 0, "To the harbour master\nAt the quay");
	put(sink, SINK_ITEM, 1, "a lamp");
	put(sink, SINK_ITEM, 2, "oil");
	put(sink, SINK_ROW, 0, "1846\xe2\x80\x93");
	sink_cell(sink);
	sink_text(sink, "47", 2);
	put(sink, SINK_PREFORMATTED, 0, "    if (rain)\n\n\n        rise();");
	view = make_marked(sink, &result);
	assert_string_equal(
		view.text,
		"1. Rivers\n\n"
		"The river rose in the night and carried the foot-bridge, and two meadows, away.\n\n"
		"To the harbour master\nAt the quay\n\n"
		"a lamp\noil\n\n"
		"1846\xe2\x80\x93\t47\n\n"
		"if (rain)\n\n    rise();");
	assert_int_equal(view.n_headings, 1);
	assert_heading(&view, 0, 2, "1. Rivers");
	assert_true(is_code(&view, "rise()"));
	assert_false(is_code(&view, "1846"));
	view_done(&view);
	sink_result_done(&result);
}

static void a_page_may_end_in_the_middle_of_a_sentence(void **state)
{
	struct sink *sink = new_sink();
	struct sink_result result = { 0 };
	struct view view;

	(void)state;
	sink_page(sink, 1);
	put(sink, SINK_WRAPPED, 0, "The river\nrose in the");
	put(sink, SINK_WRAPPED, 0, "12");
	sink_aside(sink);
	sink_page(sink, 2);
	put(sink, SINK_HEADING, 1, "ANNALS");
	sink_aside(sink);
	put(sink, SINK_WRAPPED, 0, "night.");
	sink_page(sink, 3);
	put(sink, SINK_WRAPPED, 0, "then it fell, from bank to");
	put(sink, SINK_WRAPPED, 0, "bank.");
	view = make_marked(sink, &result);
	assert_string_equal(view.text, "The river rose in the night.\n\nthen it fell, from bank to\n\nbank.");
	assert_non_null(strstr(result.text, "12\n\nANNALS"));
	assert_int_equal(view.n_headings, 0);
	assert_int_equal(view_page_at(&view, 0), 1);
	assert_int_equal(view_page_at(&view, 22), 2);
	assert_int_equal(view_page_at(&view, view.n - 1), 3);
	view_done(&view);
	sink_result_done(&result);
}

static void assert_section(const struct view *view, const char *words, const char *section)
{
	const char *at = strstr(view->text, words), *name;
	size_t n;

	assert_non_null(at);
	view_section_at(view, (size_t)(at - view->text), &name, &n);
	if (section == NULL) {
		assert_null(name);
		return;
	}
	assert_int_equal(n, strlen(section));
	assert_memory_equal(name, section, n);
}

static void a_section_is_the_last_heading_or_the_part_of_the_file(void **state)
{
	struct sink *sink = new_sink();
	struct sink_result result = { 0 };
	struct view view;

	(void)state;
	put(sink, SINK_PARAGRAPH, 0, "first");
	sink_section(sink, "Sheet", 5);
	put(sink, SINK_PARAGRAPH, 0, "second");
	sink_page(sink, 2);
	put(sink, SINK_HEADING, 1, "Title");
	sink_page(sink, 3);
	put(sink, SINK_PARAGRAPH, 0, "third");
	sink_section(sink, "Other", 5);
	put(sink, SINK_PARAGRAPH, 0, "fourth");
	sink_section(sink, NULL, 0);
	put(sink, SINK_PARAGRAPH, 0, "fifth");
	view = make_marked(sink, &result);
	assert_section(&view, "first", NULL);
	assert_section(&view, "second", "Sheet");
	assert_section(&view, "Title", "Title");
	assert_section(&view, "third", "Title");
	assert_section(&view, "fourth", "Other");
	assert_section(&view, "fifth", "Title");
	view_done(&view);
	sink_result_done(&result);
}

/* Each of them ends a line, unless a line feed is near. */
static void a_megabyte_of_carriage_returns_is_looked_at_once(void **state)
{
	enum { N_RETURNS = 1 << 20 };
	struct buf text = { 0 };

	(void)state;
	buf_puts(&text, "one\r\r\ntwo\r\rthree");
	for (size_t i = 0; i < N_RETURNS; i++)
		buf_append(&text, "\r", 1);
	buf_puts(&text, "four");
	assert_view(text.data, false, "one\ntwo\n\nthree\n\nfour");
	buf_done(&text);
}

static void a_wrapped_block_of_thousands_of_lines_is_one_line(void **state)
{
	enum { N_LINES = 5000 };
	struct sink *sink = new_sink();
	struct sink_result result;
	struct buf text = { 0 };
	struct view view;

	(void)state;
	for (size_t i = 0; i < N_LINES; i++)
		buf_puts(&text, i % 3 == 0 ? "half-\n" : "a word too\n");
	put(sink, SINK_WRAPPED, 0, text.data);
	view = make_marked(sink, &result);
	assert_true(view.n > N_LINES);
	assert_null(strchr(view.text, '\n'));
	view_done(&view);
	sink_result_done(&result);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrapped_block_of_thousands_of_lines_is_one_line),
		cmocka_unit_test(a_man_page_reads_as_paragraphs),
		cmocka_unit_test(a_man_page_has_its_sections_as_headings),
		cmocka_unit_test(a_licence_reads_as_paragraphs_and_items),
		cmocka_unit_test(a_novel_joins_its_lines_and_keeps_its_paragraphs),
		cmocka_unit_test(what_is_not_prose_keeps_its_lines),
		cmocka_unit_test(quotes_at_a_line_start_go_on_with_the_sentence),
		cmocka_unit_test(lines_cut_short_after_a_small_word_are_joined),
		cmocka_unit_test(an_item_goes_on_below_its_first_words),
		cmocka_unit_test(a_command_within_a_paragraph_stands_alone),
		cmocka_unit_test(numbers_at_a_line_start_by_chance_are_joined),
		cmocka_unit_test(white_space_that_says_nothing_is_dropped),
		cmocka_unit_test(typesetters_hyphens_are_dropped_and_others_kept),
		cmocka_unit_test(markdown_is_filled_except_where_it_may_not_be),
		cmocka_unit_test(program_text_is_told_from_prose),
		cmocka_unit_test(markdown_headings_have_levels_and_bare_titles),
		cmocka_unit_test(plain_headings_are_told_by_their_looks),
		cmocka_unit_test(what_only_looks_like_a_heading_is_none),
		cmocka_unit_test(a_span_of_the_view_is_a_span_of_the_source),
		cmocka_unit_test(the_map_holds_for_random_bytes),
		cmocka_unit_test(one_line_of_a_megabyte_is_itself),
		cmocka_unit_test(a_megabyte_of_carriage_returns_is_looked_at_once),
		cmocka_unit_test(marks_say_what_blocks_are),
		cmocka_unit_test(a_page_may_end_in_the_middle_of_a_sentence),
		cmocka_unit_test(a_section_is_the_last_heading_or_the_part_of_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
