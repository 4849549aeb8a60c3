/* Passages found by a question's words. */
#include "pipeline/retrieval.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const TEXTS[] = {
	"The bridge was built of stone. It has seven arches, and the bridge keeper lives beside it.",
	"In winter the harbour is closed, as ice covers the bay.",
	"The harbour master counts the ships that come in, in winter and in summer.",
	"Nothing else is known.",
};

static struct retrieval *index_texts(const char *const *texts, size_t n)
{
	struct grounded_span spans[8] = { { NULL, 0 } };
	struct retrieval *retrieval = NULL;

	for (size_t i = 0; i < n; i++)
		spans[i] = (struct grounded_span){ texts[i], strlen(texts[i]) };
	assert_int_equal(retrieval_new(spans, n, &retrieval), 0);
	return retrieval;
}

static size_t rank(const struct retrieval *retrieval, const char *query, size_t n_most, struct retrieved *ret)
{
	size_t n = SIZE_MAX;

	assert_int_equal(retrieval_rank(retrieval, query, strlen(query), n_most, ret, &n), 0);
	return n;
}

static void the_passage_with_the_words_comes_first(void **state)
{
	struct retrieval *retrieval = index_texts(TEXTS, COUNT(TEXTS));
	struct retrieved found[COUNT(TEXTS)];

	(void)state;
	assert_int_equal(rank(retrieval, "How many arches has the BRIDGE?", COUNT(TEXTS), found),
	                 COUNT(TEXTS));
	assert_int_equal(found[0].passage, 0);
	assert_int_equal(rank(retrieval, "Who counts ships in the harbour?", 2, found), 2);
	assert_int_equal(found[0].passage, 2);
	assert_int_equal(found[1].passage, 1);
	assert_true(found[0].score > found[1].score && found[1].score > 0);
	retrieval_free(retrieval);
}

static void scores_lie_between_none_and_all_of_the_words(void **state)
{
	struct retrieval *retrieval = index_texts(TEXTS, COUNT(TEXTS));
	struct retrieved found[COUNT(TEXTS)];

	(void)state;
	assert_int_equal(rank(retrieval, "zebra", COUNT(TEXTS), found), COUNT(TEXTS));
	for (size_t i = 0; i < COUNT(TEXTS); i++) {
		assert_float_equal(found[i].score, 0, 0);
		assert_int_equal(found[i].passage, i); /* equal ones in their order */
	}
	rank(retrieval, "nothing nothing nothing", 1, found);
	assert_int_equal(found[0].passage, 3);
	assert_true(found[0].score > 0.4 && found[0].score <= 1);
	rank(retrieval, "?!", 1, found);
	assert_float_equal(found[0].score, 0, 0);
	retrieval_free(retrieval);
}

static void a_rare_word_counts_more_than_a_common_one(void **state)
{
	static const char *const MANY[] = { "the gate of the north", "the gate of the south",
		                            "the gate of brass", "the wall of brass and the",
		                            "the gate and the gate" };
	struct retrieval *retrieval = index_texts(MANY, COUNT(MANY));
	struct retrieved found[1];

	(void)state;
	rank(retrieval, "the gate south", 1, found);
	assert_int_equal(found[0].passage, 1);
	rank(retrieval, "the brass wall", 1, found);
	assert_int_equal(found[0].passage, 3);
	retrieval_free(retrieval);
}

static void words_that_only_ask_do_not_count(void **state)
{
	static const char *const ASKING[] = { "Who is who, and what is what, and which is which of them?",
		                              "The harbour master counts the ships." };
	struct retrieval *retrieval = index_texts(ASKING, COUNT(ASKING));
	struct retrieved found[COUNT(ASKING)];

	(void)state;
	rank(retrieval, "Who is who of the ships, and which is it?", COUNT(ASKING), found);
	assert_int_equal(found[0].passage, 1);
	assert_float_equal(found[1].score, 0, 0);
	rank(retrieval, "what is which", COUNT(ASKING), found); /* where there is nothing else they do */
	assert_int_equal(found[0].passage, 0);
	assert_true(found[0].score > 0);
	retrieval_free(retrieval);
}

static void of_no_passages_none_is_found(void **state)
{
	static const char *const EMPTY[] = { "", " ,;- " };
	struct retrieval *retrieval = index_texts(NULL, 0);
	struct retrieved found[2];

	(void)state;
	assert_int_equal(rank(retrieval, "harbour", 2, found), 0);
	retrieval_free(retrieval);
	retrieval = index_texts(EMPTY, COUNT(EMPTY));
	assert_int_equal(rank(retrieval, "harbour", 2, found), 2);
	assert_float_equal(found[0].score, 0, 0);
	retrieval_free(retrieval);
	retrieval_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_passage_with_the_words_comes_first),
		cmocka_unit_test(scores_lie_between_none_and_all_of_the_words),
		cmocka_unit_test(a_rare_word_counts_more_than_a_common_one),
		cmocka_unit_test(words_that_only_ask_do_not_count),
		cmocka_unit_test(of_no_passages_none_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
