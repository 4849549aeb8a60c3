/* Which sentences stand for a text. */
#include "pipeline/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N_TEXTS 5

static const char *const TEXTS[N_TEXTS] = {
	"Lunch was served at noon in the new hall.",
	"The reservoir dam cracked in March after heavy rain.",
	"After heavy rain in March the reservoir dam cracked.",
	"Engineers emptied the reservoir and mended the dam.",
	"A parade went by the town hall in the afternoon.",
};

static void make_spans(struct grounded_span *spans)
{
	for (size_t i = 0; i < N_TEXTS; i++)
		spans[i] = (struct grounded_span){ TEXTS[i], strlen(TEXTS[i]) };
}

static size_t choose(const struct key_guide *guide, size_t n_most, struct key_sentence *ret)
{
	struct grounded_span spans[N_TEXTS];
	size_t n = 0;

	make_spans(spans);
	assert_int_equal(keys_choose(spans, N_TEXTS, guide, n_most, ret, &n), 0);
	return n;
}

static void the_summarys_words_choose(void **state)
{
	static const struct key_guide PARADE = { .summary = "A parade went by the town hall at noon." },
				      DAM = { .summary =
		                                      "Engineers emptied the reservoir and mended its dam." };
	struct key_sentence keys[N_TEXTS];

	(void)state;
	assert_int_equal(choose(&PARADE, 1, keys), 1);
	assert_int_equal(keys[0].sentence, 4);
	assert_int_equal(choose(&DAM, 1, keys), 1);
	assert_int_equal(keys[0].sentence, 3);
	assert_true(keys[0].score > 0.3 && keys[0].score <= 1);
}

static void without_a_guide_central_sentences_are_chosen(void **state)
{
	static const struct key_guide NOTHING = { NULL, NULL };
	struct key_sentence keys[N_TEXTS];

	(void)state;
	assert_int_equal(choose(&NOTHING, 1, keys), 1);
	assert_in_range(keys[0].sentence, 1, 2);
}

static void nothing_is_said_twice(void **state)
{
	static const struct key_guide DAM = { .summary = "In March the reservoir dam cracked." };
	struct key_sentence keys[N_TEXTS];
	size_t n = choose(&DAM, N_TEXTS, keys);

	(void)state;
	assert_int_equal(n, N_TEXTS - 1);
	assert_int_equal(keys[0].sentence, 2);
	for (size_t i = 1; i < n; i++) {
		assert_int_not_equal(keys[i].sentence, 1);
		assert_true(keys[i].score <= keys[i - 1].score);
	}
}

static size_t best_of(const char *const *texts, size_t n)
{
	struct grounded_span spans[N_TEXTS];
	struct key_sentence key;
	size_t n_keys;

	for (size_t i = 0; i < n; i++)
		spans[i] = (struct grounded_span){ texts[i], strlen(texts[i]) };
	assert_int_equal(keys_choose(spans, n, &(struct key_guide){ NULL, NULL }, 1, &key, &n_keys), 0);
	assert_int_equal(n_keys, 1);
	return key.sentence;
}

static void what_points_back_stands_behind(void **state)
{
	static const char *const LEANING[] = { "It emptied the reservoir and mended the dam.",
		                               "Engineers emptied the reservoir in March." };

	(void)state;
	assert_int_equal(best_of(LEANING, 2), 1);
}

static void among_few_sentences_one_that_says_what_the_text_does_is_ahead(void **state)
{
	static const char *const FEW_TEXTS[] = { "A parade went by the hall.", "Lunch was served at noon.",
		                                 "We describe an old harbour." };

	(void)state;
	assert_int_equal(best_of(FEW_TEXTS, 3), 2);
}

static void of_nothing_nothing_is_chosen(void **state)
{
	static const struct key_guide NOTHING = { NULL, NULL };
	struct key_sentence keys[1];
	size_t n = 1;

	(void)state;
	assert_int_equal(keys_choose(NULL, 0, &NOTHING, 1, keys, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(choose(&NOTHING, 0, keys), 0);
}

static void the_nearest_sentence_shares_most(void **state)
{
	static const char TEXT[] = "The parade passed the town hall.", OTHER[] = "Nothing alike.";
	struct grounded_span spans[N_TEXTS];
	struct key_sentence nearest;

	(void)state;
	make_spans(spans);
	assert_int_equal(keys_nearest(spans, N_TEXTS, TEXT, strlen(TEXT), &nearest), 0);
	assert_int_equal(nearest.sentence, 4);
	assert_true(nearest.score > 0.3 && nearest.score < 1);
	assert_int_equal(keys_nearest(spans, N_TEXTS, OTHER, strlen(OTHER), &nearest), 0);
	assert_float_equal(nearest.score, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_summarys_words_choose),
		cmocka_unit_test(without_a_guide_central_sentences_are_chosen),
		cmocka_unit_test(nothing_is_said_twice),
		cmocka_unit_test(what_points_back_stands_behind),
		cmocka_unit_test(among_few_sentences_one_that_says_what_the_text_does_is_ahead),
		cmocka_unit_test(of_nothing_nothing_is_chosen),
		cmocka_unit_test(the_nearest_sentence_shares_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
