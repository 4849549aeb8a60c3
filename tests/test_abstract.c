/* What becomes of the model's words for a text: what holds, what is quoted in their place, and what stands in. */
#include "pipeline/abstract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/words.h"

static const char TEXT[] = "It is about the clear rain water of the garden, and what became of it.\n\n"
			   "The pond keeps rain water in the garden of the mill until the end of August. The "
			   "warden of the mill opens the "
			   "lower gate when the water has risen above the red mark.\n\n"
			   "In May 1843 seven barrels of timber were carried away by the river. They have "
			   "never been seen again at the "
			   "mill or on the river. The miller asked the harbour master to look for them at "
			   "the coast. The harbour master "
			   "wrote a letter to the mill that same evening. The letter of the harbour master "
			   "has been lost in the meantime. "
			   "Nobody at the coast knew of any barrels. A fisherman sold some planks to a "
			   "joiner. "
			   "The garden of the mill was sold with its pond in the following year.\n";

struct fixture {
	struct view view;
	struct material material;
	struct prose_source source;
	uint64_t *stems;
	struct passages passages;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct summary_text text = { TEXT, NULL };
	struct chunk chunk = { 0 };

	assert_non_null(f);
	assert_int_equal(view_make(TEXT, strlen(TEXT), false, &f->view, NULL), 0);
	text.view = &f->view;
	chunk.end = f->view.n;
	assert_int_equal(material_from_chunk(&f->material, &text, &chunk, false), 0);
	assert_int_equal(words_of(f->view.text, f->view.n, true, &f->stems, &f->source.n), 0);
	f->source.stems = f->stems;
	f->source.text = f->view.text;
	f->source.n_text = f->view.n;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	passages_done(&f->passages);
	material_done(&f->material);
	view_done(&f->view);
	free(f->stems);
	free(f);
	return 0;
}

static void add(struct fixture *f, const char *summary)
{
	assert_int_equal(abstract_add(&f->passages, &f->material, &f->source, summary), 0);
	for (size_t i = 0; i < f->passages.n; i++) {
		const struct passage *passage = &f->passages.items[i];

		assert_int_equal(passage->kind, PASSAGE_ABSTRACT);
		assert_true(passage->score > 0 && passage->score <= 1);
		for (size_t j = 0; j < passage->n_evidence; j++)
			assert_memory_equal(TEXT + passage->evidence[j].byte_start,
			                    passage->evidence[j].quote, strlen(passage->evidence[j].quote));
		assert_true(passage->generated || strcmp(passage->text, passage->evidence[0].quote) == 0);
	}
}

static void assert_says(const struct fixture *f, size_t i, bool generated, const char *text)
{
	assert_true(i < f->passages.n);
	assert_int_equal(f->passages.items[i].generated, generated);
	assert_string_equal(f->passages.items[i].text, text);
}

static void what_the_text_says_in_nearly_the_same_words_is_quoted(void **state)
{
	struct fixture *f = *state;

	add(f, "The pond keeps rain water in the mill's garden until the end of August.");
	assert_int_equal(f->passages.n, 1);
	assert_says(f, 0, false,
	            "The pond keeps rain water in the garden of the mill until the end of August.");
}

static void what_it_says_in_other_words_is_the_models_with_a_place(void **state)
{
	static const char SUMMARY[] =
		"The pond keeps rain water in the garden, and the warden opens the lower gate.";
	struct fixture *f = *state;

	add(f, SUMMARY);
	assert_int_equal(f->passages.n, 1);
	assert_says(f, 0, true, SUMMARY);
	assert_int_equal(f->passages.items[0].n_evidence, 1);
}

static void what_is_pieced_together_is_left_out(void **state)
{
	struct fixture *f = *state;

	add(f, "The pond keeps rain water, and the warden opens the lower gate for seven barrels of timber.");
	assert_int_equal(f->passages.n, 0);
}

static void what_it_does_not_say_is_left_out(void **state)
{
	struct fixture *f = *state;

	add(f, "This article describes modern approaches to management software. In May 1853 seven barrels "
	       "of timber "
	       "were carried away by the river.");
	assert_int_equal(f->passages.n, 0);
	add(f, "");
	assert_int_equal(f->passages.n, 0);
}

static void what_points_back_is_quoted_with_what_it_points_to(void **state)
{
	struct fixture *f = *state;

	add(f, "The barrels have never been seen again at the mill or on the river.");
	assert_int_equal(f->passages.n, 2);
	assert_says(f, 0, false, "In May 1843 seven barrels of timber were carried away by the river.");
	assert_says(f, 1, false, "They have never been seen again at the mill or on the river.");
}

static void what_points_to_nothing_is_said_in_the_models_words(void **state)
{
	struct fixture *f = *state;

	add(f, "This is about the clear rain water of the garden, and what became of it.");
	assert_int_equal(f->passages.n, 1);
	assert_says(f, 0, true, "This is about the clear rain water of the garden, and what became of it.");
}

static void nothing_is_said_twice(void **state)
{
	struct fixture *f = *state;

	add(f, "The pond keeps rain water in the garden until the end of August. The pond keeps rain water "
	       "in the mill's "
	       "garden until the end of August. In May 1843 seven barrels of timber were carried away.");
	assert_int_equal(f->passages.n, 2);
	assert_says(f, 1, false, "In May 1843 seven barrels of timber were carried away by the river.");
	add(f, "In May 1843 seven barrels of timber were carried away.");
	assert_int_equal(f->passages.n, 2);
}

static const char *extract_by(struct fixture *f, const char *summary)
{
	const struct key_guide guide = { summary, NULL };

	assert_int_equal(abstract_add_extract(&f->passages, &f->material, &guide), 0);
	assert_false(f->passages.items[0].generated);
	assert_int_equal(f->passages.items[0].n_evidence, 1);
	return f->passages.items[0].text;
}

static void of_a_documents_beginning_one_of_the_first_sentences_stands_in(void **state)
{
	/* The last sentence has most of these words. */
	assert_string_equal(extract_by(*state, "The garden was sold with its pond in the following year."),
	                    "The pond keeps rain water in the garden of the mill until the end of August.");
}

static void of_another_part_any_sentence_may(void **state)
{
	struct fixture *f = *state;

	f->material.begins = false;
	assert_string_equal(extract_by(f, "The garden was sold with its pond in the following year."),
	                    "The garden of the mill was sold with its pond in the following year.");
}

static void a_sentence_that_points_back_stands_in_for_nothing_better_only(void **state)
{
	static const char FIRST[] = "It is about the clear rain water of the garden, and what became of it.";
	struct fixture *f = *state;
	size_t n = f->material.n_spans;

	assert_string_not_equal(extract_by(f, FIRST), FIRST);
	passages_done(&f->passages);
	f->material.n_spans = 1;
	assert_string_equal(extract_by(f, NULL), FIRST);
	passages_done(&f->passages);
	f->material.n_spans = 0;
	assert_int_equal(abstract_add_extract(&f->passages, &f->material, &(struct key_guide){ NULL, NULL }),
	                 0);
	assert_int_equal(f->passages.n, 0);
	f->material.n_spans = n; /* for material_done() */
}

static void what_says_what_the_thing_is_stands_in_front(void **state)
{
	static const char README[] =
		"# Ponder - a pond keeper\n\nPlease dig a hole before you read this text.\n\n"
		"Ponder is a program that keeps water in a garden.\n";
	struct material material = { 0 }, part = { 0 };
	struct passages passages = { 0 };
	struct view view;
	struct summary_text text = { README, &view };
	struct chunk chunk = { 0 };

	(void)state;
	assert_int_equal(view_make(README, strlen(README), true, &view, NULL), 0);
	chunk.end = view.n;
	assert_int_equal(material_from_chunk(&material, &text, &chunk, false), 0);
	assert_int_equal(abstract_add_definition(&passages, &material), 0);
	assert_int_equal(passages.n, 1);
	assert_string_equal(passages.items[0].text, "Ponder is a program that keeps water in a garden.");
	assert_false(passages.items[0].generated);

	assert_int_equal(abstract_add_definition(&passages, &material), 0); /* said already */
	chunk.start = 1; /* not the beginning of a document */
	assert_int_equal(material_from_chunk(&part, &text, &chunk, false), 0);
	assert_int_equal(abstract_add_definition(&passages, &part), 0);
	assert_int_equal(passages.n, 1);
	passages_done(&passages);
	material_done(&material);
	material_done(&part);
	view_done(&view);
}

static void a_quotation_goes_on_with_the_sentence_behind_it(void **state)
{
	struct fixture *f = *state;

	add(f, "In May 1843 seven barrels of timber were carried away by the river.");
	assert_int_equal(abstract_add_next(&f->passages, &f->material), 0);
	assert_int_equal(f->passages.n, 2);
	assert_says(f, 1, false, "They have never been seen again at the mill or on the river.");
}

static void not_behind_the_last_sentence_nor_behind_the_models_words(void **state)
{
	struct fixture *f = *state;

	add(f, "The garden of the mill was sold with its pond in the following year.");
	assert_int_equal(abstract_add_next(&f->passages, &f->material), 0);
	assert_int_equal(f->passages.n, 1);
	add(f, "The pond keeps rain water in the garden, and the warden opens the lower gate.");
	assert_true(f->passages.items[1].generated);
	assert_int_equal(abstract_add_next(&f->passages, &f->material), 0);
	assert_int_equal(f->passages.n, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_the_text_says_in_nearly_the_same_words_is_quoted),
		TEST(what_it_says_in_other_words_is_the_models_with_a_place),
		TEST(what_is_pieced_together_is_left_out),
		TEST(what_it_does_not_say_is_left_out),
		TEST(what_points_back_is_quoted_with_what_it_points_to),
		TEST(what_points_to_nothing_is_said_in_the_models_words),
		TEST(nothing_is_said_twice),
		TEST(of_a_documents_beginning_one_of_the_first_sentences_stands_in),
		TEST(of_another_part_any_sentence_may),
		TEST(a_sentence_that_points_back_stands_in_for_nothing_better_only),
		cmocka_unit_test(what_says_what_the_thing_is_stands_in_front),
		TEST(a_quotation_goes_on_with_the_sentence_behind_it),
		TEST(not_behind_the_last_sentence_nor_behind_the_models_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
