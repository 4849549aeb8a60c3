#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "pipeline/sentence.h"

/* The sentences of text are those that stand between the bars of expected. */
static void assert_sentences(const char *text, const char *expected)
{
	struct buf found = { 0 };
	struct sentence *sentences;
	size_t n;

	assert_int_equal(sentence_find(text, 0, strlen(text), &sentences, &n), 0);
	for (size_t i = 0; i < n; i++) {
		buf_puts(&found, i > 0 ? "|" : "");
		buf_append(&found, text + sentences[i].start, sentences[i].end - sentences[i].start);
	}
	assert_int_equal(buf_status(&found), 0);
	assert_string_equal(n > 0 ? found.data : "", expected);
	buf_done(&found);
	free(sentences);
}

static void assert_one(const char *text)
{
	assert_sentences(text, text);
}

static void sentences_end_at_their_marks(void **state)
{
	(void)state;
	assert_sentences("One here. Two there! Three? Four", "One here.|Two there!|Three?|Four");
	assert_sentences("  Spaces.   \t More. ", "Spaces.|More.");
	assert_sentences("What?! No. \xe2\x80\x9cYes.\xe2\x80\x9d He left.",
	                 "What?!|No.|\xe2\x80\x9cYes.\xe2\x80\x9d|He left.");
	assert_sentences("He said \"stop.\" Then (all at once.) It fell.",
	                 "He said \"stop.\"|Then (all at once.)|It fell.");
	assert_sentences("It has 3. 4 are gone. [5] is here.", "It has 3.|4 are gone.|[5] is here.");
	assert_sentences("", "");
	assert_sentences(" \n ", "");
}

static void sentences_end_at_line_breaks(void **state)
{
	(void)state;
	assert_sentences("A title\n\nThe text. It goes\non.", "A title|The text.|It goes|on.");
	assert_sentences("Read e.g.\nthis.", "Read e.g.|this.");
}

static void abbreviations_end_no_sentence(void **state)
{
	(void)state;
	assert_one("See e.g. Section 3 and i.e. Table 2 by Dr. Smith and Mr. Jones vs. Brown et al. 1990.");
	assert_one("As J. R. Smith wrote in No. 7, Fig. 3, pp. 12, Vol. IV of it.");
	assert_one("Pens, paper, etc. were sold by Acme Inc. in the U.S. market.");
	assert_sentences("Pens, paper, etc. They were sold by Acme Inc. The rest was not.",
	                 "Pens, paper, etc.|They were sold by Acme Inc.|The rest was not.");
	assert_sentences("There is no. There was one.", "There is no.|There was one.");
}

static void dots_inside_words_end_no_sentence(void **state)
{
	(void)state;
	assert_one("It is 3.14 in v1.2 of skimd.yaml at https://example.org/a.b?c=d. or so.");
	assert_one("Wait ... What is this?");
	assert_one("Wait... is it so?");
	assert_sentences("Wait\xe2\x80\xa6 What? Well... Yes.", "Wait\xe2\x80\xa6|What?|Well...|Yes.");
	assert_one("1. Do this first");
	assert_one("It runs on .NET as well.");
}

static void a_range_is_looked_at_and_nothing_else(void **state)
{
	const char *text = "One. Two. Three.";
	struct sentence *sentences;
	size_t n;

	(void)state;
	assert_int_equal(sentence_find(text, 2, 8, &sentences, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(sentences[0].start, 2);
	assert_int_equal(sentences[0].end, 4);
	assert_int_equal(sentences[1].start, 5);
	assert_int_equal(sentences[1].end, 8);
	free(sentences);
}

static bool is_worth(const char *text)
{
	return sentence_worth_quoting(text, (struct sentence){ 0, strlen(text) });
}

static void whole_sentences_are_worth_quoting(void **state)
{
	(void)state;
	assert_true(is_worth("The lamp had gone out."));
	assert_true(is_worth("\"Who is there now?\" he called."));
	assert_true(is_worth("He said (and meant it.)"));
	assert_true(is_worth("\xe2\x80\x9cNobody is there at all.\xe2\x80\x9d"));
	assert_true(is_worth("3 of them are still there."));
}

static void fragments_are_not_worth_quoting(void **state)
{
	char many[400] = "";

	(void)state;
	for (int i = 0; i < 61; i++)
		memcpy(many + 5 * i, "word ", 6);
	memcpy(many + 5 * 61 - 1, ".", 2);
	assert_false(is_worth(many));
	assert_true(is_worth(many + 5));
	assert_false(is_worth("Too short a one."));
	assert_false(is_worth("The lamp had gone out"));
	assert_false(is_worth("The lamp had gone out:"));
	assert_false(is_worth("- the lamp had gone out."));
	assert_false(is_worth("The lamp\nhad gone out."));
	assert_false(is_worth("a = 1 + 2 * (3 - 4) / 5."));
	assert_false(sentence_worth_quoting("", (struct sentence){ 0, 0 }));
}

static bool is_alone(const char *sentence)
{
	return sentence_stands_alone(sentence, strlen(sentence));
}

static void what_points_back_does_not_stand_alone(void **state)
{
	(void)state;
	assert_true(is_alone("The lamp had gone out."));
	assert_true(is_alone("\"A file\" is what the keeper calls it."));
	assert_false(is_alone("Such a file is no document itself."));
	assert_false(is_alone("They have never been seen again."));
	assert_false(is_alone("It says nothing of the lamp."));
	assert_false(is_alone("This has the keeper's word for it."));
	assert_false(is_alone("\"That,\" said the keeper, \"is the lamp.\""));
	assert_false(is_alone("However, the lamp had gone out."));
	assert_false(is_alone("For example, the lamp may be lit at four."));
	assert_true(is_alone("For winter the keeper has another lamp."));
	assert_false(is_alone("of a lamp, which is lit at four."));
	assert_true(is_alone("lampd lights the lamp at four."));
	assert_false(is_alone("\"SELECT lamp FROM lamps WHERE lit\""));
	assert_false(is_alone("3 lamps are kept for the winter."));
	assert_false(is_alone("..."));
}

static void a_text_may_point_at_itself(void **state)
{
	(void)state;
	assert_true(is_alone("This manual describes the lamp."));
	assert_false(is_alone("Such manuals describe the lamp."));
	assert_false(is_alone("This"));
}

static bool announces(const char *sentence)
{
	return sentence_announces(sentence, strlen(sentence));
}

static void what_a_text_does_is_announced(void **state)
{
	(void)state;
	assert_true(announces("We show that lamps burn longer in winter."));
	assert_true(announces("To this end we then introduce a lamp."));
	assert_true(announces("Here I carefully describe the lamp."));
	assert_true(announces("All of this guide is about lamps."));
	assert_false(announces("We then carefully describe the lamp.")); /* one adverb is enough */
	assert_false(announces("The guide shows a lamp."));
	assert_false(announces("We showed that lamps burn, and were lit at four."));
	assert_false(announces("We"));
	assert_false(announces(""));
}

static bool defines(const char *sentence, const char *title)
{
	return sentence_defines(sentence, strlen(sentence), title);
}

static void what_the_titles_thing_is_is_a_definition(void **state)
{
	(void)state;
	assert_true(
		defines("Git is a fast, distributed revision control system.", "Git - fast and distributed"));
	assert_true(defines("The GNU C Library is the library of most systems.", "GNU C Library"));
	assert_true(defines("Ponds are an old way to keep water.", "The ponds of the mill"));
	assert_true(defines("skimd is a daemon that reads.", "skimd"));
	assert_false(defines("Gitk is a browser.", "Git"));
	assert_false(defines("Git has been a revision control system for years.", "Git"));
	assert_false(defines("Git is installed by the package manager.", "Git"));
	assert_false(defines("Git keeps what somebody says it is a copy of.", "Git"));
	assert_false(defines("It is a revision control system.", "Git"));
	assert_false(defines("Git", "Git"));
	assert_false(defines("Git is a tool.", "The"));
	assert_true(defines("A pond is a hole with water.", "The Pond"));
	assert_false(defines("A user is a person.", "A Guide to Ponds"));
	assert_false(defines("What is a pond is a question.", "What Is a Pond"));
	assert_false(defines("", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sentences_end_at_their_marks),
		cmocka_unit_test(sentences_end_at_line_breaks),
		cmocka_unit_test(abbreviations_end_no_sentence),
		cmocka_unit_test(dots_inside_words_end_no_sentence),
		cmocka_unit_test(a_range_is_looked_at_and_nothing_else),
		cmocka_unit_test(whole_sentences_are_worth_quoting),
		cmocka_unit_test(fragments_are_not_worth_quoting),
		cmocka_unit_test(what_points_back_does_not_stand_alone),
		cmocka_unit_test(a_text_may_point_at_itself),
		cmocka_unit_test(what_a_text_does_is_announced),
		cmocka_unit_test(what_the_titles_thing_is_is_a_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
