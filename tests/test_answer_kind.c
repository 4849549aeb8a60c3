/* Whether words may be an answer at all. */
#include "pipeline/answer_kind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool fits(const char *question, const char *words)
{
	return answer_kind_fits(question, words, strlen(words));
}

static void a_question_for_a_number_needs_one(void **state)
{
	(void)state;
	assert_true(fits("How many barrels were lost?", "seven barrels of timber"));
	assert_true(fits("how far is the harbour", "11 miles"));
	assert_true(
		fits("Since the flood, how many barrels are there?", "of the mill")); /* a clause: anything */
	assert_false(fits("And how many barrels were lost?", "barrels of timber"));
	assert_false(fits("How far is the nearest harbour?", "light"));
	assert_true(fits("How did they come?", "by boat"));
}

static void a_question_for_a_time_needs_one(void **state)
{
	(void)state;
	assert_true(fits("When was the bridge built?", "1843"));
	assert_true(fits("When was the bridge built?", "in May"));
	assert_true(fits("When is it cleaned?", "after every storm"));
	assert_false(fits("When was this license published?", "Free Software"));
	assert_false(fits("In which year did it fall?", "the bridge"));
	assert_true(fits("Which bridge fell?", "the old bridge"));
	assert_true(fits("When the bridge fell, who was there?", "the miller"));
}

static void words_that_say_nothing_answer_nothing(void **state)
{
	(void)state;
	assert_false(fits("Is there a warranty?", "OR"));
	assert_false(fits("Who holds the copyright?", "the"));
	assert_false(fits("Who holds the copyright?", "of which"));
	assert_false(fits("Who holds the copyright?", "..."));
	assert_false(fits("", ""));
	assert_true(fits("Which colour is it?", "red"));
	assert_true(fits("Does it need a GPU?", "No"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_for_a_number_needs_one),
		cmocka_unit_test(a_question_for_a_time_needs_one),
		cmocka_unit_test(words_that_say_nothing_answer_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
