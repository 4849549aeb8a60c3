/* What a model wrote: cleaned for people, and held against the text that it is about. */
#include "pipeline/prose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "pipeline/words.h"
#include "tests/fixture.h"

static void assert_cleans(const char *text, bool cut, bool one_line, const char *expected)
{
	char *clean = NULL;

	assert_int_equal(prose_clean(text, cut, one_line, &clean), 0);
	assert_string_equal(clean, expected);
	free(clean);
}

static void free_text_is_trimmed(void **state)
{
	(void)state;
	assert_cleans("", false, false, "");
	assert_cleans("", false, true, "");
	assert_cleans(" \n\t\r ", false, false, "");
	assert_cleans("\n# A title \n", false, true, "A title");
	assert_cleans("\n\x02 A title\n", false, true, "A title");
	assert_cleans("\xc2\x9b# A title\x1b", false, true, "A title");
	assert_cleans("  The river rose. \n", false, false, "The river rose.");
}

static void a_title_is_its_first_line(void **state)
{
	(void)state;
	assert_cleans("The river\nThe bridge", false, true, "The river");
	assert_cleans("The river\r\nThe bridge", true, true, "The river");
}

static void a_summary_is_one_paragraph(void **state)
{
	(void)state;
	assert_cleans("The river rose.\n\nThe bridge held.\nNobody was hurt.", false, false,
	              "The river rose. The bridge held. Nobody was hurt.");
}

static void a_sentence_that_is_repeated_stands_once(void **state)
{
	(void)state;
	assert_cleans("The river rose. The bridge held. The river rose. The river rose.", false, false,
	              "The river rose. The bridge held.");
	assert_cleans("No end\nNo end\nNo end", false, false, "No end");
}

static void a_sentence_that_length_cut_goes_unless_it_is_all(void **state)
{
	(void)state;
	assert_cleans("The river rose. The bridge he", true, false, "The river rose.");
	assert_cleans("The river rose. The bridge he", false, false, "The river rose. The bridge he");
	assert_cleans("The river rose. The bridge held.", true, false, "The river rose. The bridge held.");
	assert_cleans("The river ro", true, false, "The river ro");
}

static void bytes_that_are_no_characters_become_question_marks(void **state)
{
	(void)state;
	assert_cleans("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80.", false, false,
	              "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80.");
	assert_cleans("a\xff"
	              "bc",
	              false, true, "a?bc");
	assert_cleans("a\xe2\x82", false, true, "a??");
	assert_cleans("\xc0\xaf\xed\xa0\x80z", false, true, "?????z");
	assert_cleans("\xf0\x9f\x98", true, false, "???");
}

static void what_a_terminal_would_obey_becomes_blanks(void **state)
{
	(void)state;
	assert_cleans("a\x1b[2Jb\tc\x7f"
	              "d\xc2\x9b"
	              "e\xc2\xa0"
	              "f.",
	              false, false,
	              "a [2Jb c d  e\xc2\xa0"
	              "f.");
	assert_cleans("a\x1b]0;title\x07", true, true, "a ]0;title");
}

static void random_bytes_become_valid_text_without_controls(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		char bytes[40] = "", *clean;

		for (size_t i = 0; i < sizeof(bytes) - 1; i++)
			bytes[i] = (char)(1 + draw(&seed) % 255);
		assert_int_equal(prose_clean(bytes, round % 2 == 0, round % 3 == 0, &clean), 0);
		assert_true(text_is_utf8(clean, strlen(clean)));
		for (const char *at = clean; *at != '\0'; at++)
			assert_true((unsigned char)*at >= ' ' && *at != 0x7f);
		free(clean);
	}
}

/* A source that prose is about. */
struct source {
	uint64_t *stems;
	struct prose_source prose;
};

static struct source source_of(const char *text)
{
	struct source source;

	assert_int_equal(words_of(text, strlen(text), true, &source.stems, &source.prose.n), 0);
	source.prose.stems = source.stems;
	source.prose.text = text;
	source.prose.n_text = strlen(text);
	return source;
}

static const char TEXT[] =
	"The old bridge at the mill held until noon, when the river rose again and carried away "
	"seven barrels of the miller's timber.";

/* The share of the words that TEXT has, in hundredths; below 0 where the sentence is not supported. */
static int support_of(const char *sentence)
{
	struct source source = source_of(TEXT);
	bool supported;
	double share;

	assert_int_equal(prose_is_supported(sentence, strlen(sentence), &source.prose, &supported, &share),
	                 0);
	free(source.stems);
	return supported ? (int)(share * 100) : -1;
}

static void a_sentence_of_the_texts_words_is_supported(void **state)
{
	(void)state;
	assert_in_range(
		support_of("The old bridge held until noon and seven barrels of timber were carried away."),
		75, 100);
	assert_in_range(support_of("Seven barrels of the miller's timber carried away by the old river."), 75,
	                100);
}

static void a_sentence_that_is_made_up_is_not(void **state)
{
	(void)state;
	assert_int_equal(
		support_of(
			"This article describes various important approaches to modern management software."),
		-1);
}

static void words_that_stand_in_another_order_are_not_support(void **state)
{
	(void)state;
	assert_int_equal(
		support_of("Noon carried the timber of the bridge, barrels until mill, seven of the river."),
		-1);
}

static void a_name_or_a_number_that_the_text_has_not_spoils_a_sentence(void **state)
{
	(void)state;
	assert_int_equal(
		support_of("The old bridge at the Milltown held until noon, when the river rose again."), -1);
	assert_int_equal(support_of("The old bridge at the mill held until 12, when the river rose again."),
	                 -1);
	assert_int_equal(
		support_of("7 barrels of the miller's timber were carried away when the river rose again."),
		-1);
	assert_int_equal(support_of("The old bridge at the Mill held until noon, when the river rose again."),
	                 100);
}

static void a_title_needs_words_of_the_text(void **state)
{
	struct source source = source_of(TEXT);
	double share;
	bool supported;

	(void)state;
	assert_int_equal(prose_title_is_supported("Bridge and timber", &source.prose, &supported, &share), 0);
	assert_true(supported);
	assert_float_equal(share, 1, 0);
	assert_int_equal(prose_title_is_supported("Management software", &source.prose, &supported, &share),
	                 0);
	assert_false(supported);
	assert_int_equal(
		prose_title_is_supported("Bridge, Timbers and barrels", &source.prose, &supported, &share),
		0);
	assert_false(supported);
	assert_int_equal(prose_title_is_supported("of the", &source.prose, &supported, &share), 0);
	assert_false(supported);
	free(source.stems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(free_text_is_trimmed),
		cmocka_unit_test(a_title_is_its_first_line),
		cmocka_unit_test(a_summary_is_one_paragraph),
		cmocka_unit_test(a_sentence_that_is_repeated_stands_once),
		cmocka_unit_test(a_sentence_that_length_cut_goes_unless_it_is_all),
		cmocka_unit_test(bytes_that_are_no_characters_become_question_marks),
		cmocka_unit_test(what_a_terminal_would_obey_becomes_blanks),
		cmocka_unit_test(random_bytes_become_valid_text_without_controls),
		cmocka_unit_test(a_sentence_of_the_texts_words_is_supported),
		cmocka_unit_test(a_sentence_that_is_made_up_is_not),
		cmocka_unit_test(a_name_or_a_number_that_the_text_has_not_spoils_a_sentence),
		cmocka_unit_test(words_that_stand_in_another_order_are_not_support),
		cmocka_unit_test(a_title_needs_words_of_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
