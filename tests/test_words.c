/* Words and what is made of them: stems, pairs, and which sentences are central. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/centrality.h"
#include "pipeline/words.h"

static struct word word_of(const char *text)
{
	struct word word;
	size_t at = 0;

	assert_true(word_next(text, strlen(text), &at, &word));
	assert_int_equal(at, strlen(text));
	return word;
}

static void words_that_mean_the_same_have_one_stem(void **state)
{
	(void)state;
	assert_true(word_of("Document").stem == word_of("documents").stem);
	assert_true(word_of("rivers").stem == word_of("river").stem);
	assert_true(word_of("DAEMON").stem == word_of("daemon").stem);
	assert_false(word_of("daemon").stem == word_of("demons").stem);
	assert_false(word_of("glass").stem == word_of("glas").stem);
}

static void function_words_say_nothing_and_names_and_numbers_do(void **state)
{
	(void)state;
	assert_false(word_of("the").content);
	assert_false(word_of("Which").content);
	assert_true(word_of("flood").content);
	assert_true(word_of("42").content);
	assert_true(word_of("EU").content);
	assert_false(word_of("It").content);
}

static void short_words_may_say_something(void **state)
{
	(void)state;
	assert_true(word_is_function("the", 3));
	assert_true(word_is_function("Of", 2));
	assert_true(word_is_function("which", 5));
	assert_false(word_is_function("red", 3));
	assert_false(word_is_function("May", 3));
	assert_false(word_is_function("no", 2));
	assert_false(word_is_function("harbour", 7));
}

static void words_end_where_letters_and_digits_do(void **state)
{
	static const char TEXT[] = " --caf\u00e9, v2.0;";
	size_t at = 0, n = 0;
	struct word word;

	(void)state;
	while (word_next(TEXT, strlen(TEXT), &at, &word))
		n++;
	assert_int_equal(n, 3);
	at = 0;
	assert_false(word_next(" .;", 3, &at, &word));
}

static void a_text_has_its_words_once_and_its_pairs_in_order(void **state)
{
	static const char TEXT[] = "The river rose. The river fell.";
	uint64_t *stems, river = word_of("river").stem, rose = word_of("rose").stem;
	size_t n;

	(void)state;
	assert_int_equal(words_of(TEXT, strlen(TEXT), false, &stems, &n), 0);
	assert_int_equal(n, 3);
	assert_true(words_have(stems, n, river));
	assert_false(words_have(stems, n, word_pair(river, rose)));
	free(stems);

	assert_int_equal(words_of(TEXT, strlen(TEXT), true, &stems, &n), 0);
	assert_true(words_have(stems, n, word_pair(river, rose)));
	assert_false(words_have(stems, n, word_pair(word_of("fell").stem, rose)));
	assert_true(words_have(stems, n, word_pair(rose, river)));
	free(stems);

	assert_int_equal(words_of("", 0, true, &stems, &n), 0);
	assert_int_equal(n, 0);
	assert_false(words_have(stems, n, river));
	free(stems);
}

static void score(const char *const *texts, size_t n, double *ret)
{
	struct grounded_span spans[16] = { { NULL, 0 } };

	for (size_t i = 0; i < n; i++)
		spans[i] = (struct grounded_span){ texts[i], strlen(texts[i]) };
	assert_int_equal(centrality_score(spans, n, ret), 0);
}

static void sentences_that_share_rare_words_are_central(void **state)
{
	static const char *const TEXTS[] = { "Lunch was served at noon.",
		                             "The reservoir dam cracked in March.",
		                             "Engineers inspected the cracked dam.", "A parade went by.",
		                             "The reservoir was emptied before the dam was mended." };
	double scores[5];

	(void)state;
	score(TEXTS, 5, scores);
	assert_true(scores[0] < scores[4] && scores[3] < scores[4]);
	assert_true(scores[1] > scores[2] && scores[2] > 0);
	assert_float_equal(scores[1], 1, 0);
}

static void sentences_that_share_nothing_are_not_central(void **state)
{
	static const char *const TEXTS[] = { "Alpha beta gamma.", "Delta epsilon zeta.",
		                             "Theta iota kappa." };
	double scores[3] = { 1, 1, 1 };

	(void)state;
	score(TEXTS, 3, scores);
	for (size_t i = 0; i < 3; i++)
		assert_float_equal(scores[i], 0, 0);
	score(TEXTS, 0, scores);
}

static void two_lists_share_what_both_hold(void **state)
{
	static const uint64_t A[] = { 1, 3, 5, 7 }, B[] = { 3, 4, 7 };

	(void)state;
	assert_float_equal(words_overlap(A, 4, B, 3), 4.0 / 7, 1e-12);
	assert_float_equal(words_overlap(A, 4, A, 4), 1, 0);
	assert_float_equal(words_overlap(A, 4, B, 0), 0, 0);
	assert_float_equal(words_overlap(A, 0, B, 0), 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_that_mean_the_same_have_one_stem),
		cmocka_unit_test(function_words_say_nothing_and_names_and_numbers_do),
		cmocka_unit_test(short_words_may_say_something),
		cmocka_unit_test(words_end_where_letters_and_digits_do),
		cmocka_unit_test(a_text_has_its_words_once_and_its_pairs_in_order),
		cmocka_unit_test(sentences_that_share_rare_words_are_central),
		cmocka_unit_test(sentences_that_share_nothing_are_not_central),
		cmocka_unit_test(two_lists_share_what_both_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
