/* From texts to passages: what a chunk is asked with, what is made of the answers, the reduction of many chunks to one
 * document; with material.c and language.c. The model is tests/data/tiny. */
#include "pipeline/summary.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "pipeline/language.h"
#include "pipeline/material.h"
#include "pipeline/place.h"
#include "tests/reading.h"

static const struct reader_hooks NO_HOOKS = { 0 };
static const struct summary_settings PROSE = { .prose = true };

struct fixture {
	struct engine *engine;
	struct reader *reader;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = { "" };

	assert_non_null(f);
	f->engine = open_tiny(2);
	if (reader_open(f->engine, NULL, &f->reader, &err) < 0)
		fail_msg("%s", err.text);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	reader_close(f->reader);
	engine_close(f->engine);
	free(f);
	return 0;
}

static void sections_are_those_of_the_nearest_heading(void **state)
{
	const char *source = "Before.\n\n# One\n\nFirst words.\n\n## Two\n\nSecond words.\n";
	struct view view;
	char *section;

	(void)state;
	assert_int_equal(view_make(source, strlen(source), true, &view, NULL), 0);
	assert_int_equal(place_section(&view, 0, &section), 0);
	assert_null(section);
	assert_int_equal(place_section(&view, (size_t)(strstr(view.text, "First") - view.text), &section), 0);
	assert_string_equal(section, "One");
	free(section);
	assert_int_equal(place_section(&view, view.n - 1, &section), 0);
	assert_string_equal(section, "Two");
	free(section);
	view_done(&view);
}

/* A passage's evidence is the source's bytes; its words are the same but for white space. */
static void assert_verbatim(const char *source, const struct passage *passage)
{
	const struct evidence *evidence = &passage->evidence[0];
	const char *quote = evidence->quote;

	assert_int_equal(passage->generated, false);
	assert_int_equal(passage->n_evidence, 1);
	assert_int_equal(evidence->byte_end - evidence->byte_start, strlen(quote));
	assert_memory_equal(quote, source + evidence->byte_start, strlen(quote));
	for (const char *at = passage->text; *at != '\0'; at++, quote++) {
		while (*quote != *at && strchr(" \n", *quote) != NULL && *quote != '\0' && *at != ' ')
			quote++;
		assert_true(*at == *quote || (*at == ' ' && *quote == '\n'));
	}
	assert_int_equal(*quote, '\0');
}

static const struct passage *only(const struct passages *passages, enum passage_kind kind)
{
	const struct passage *found = NULL;

	for (size_t i = 0; i < passages->n; i++) {
		if (passages->items[i].kind == kind) {
			assert_null(found);
			found = &passages->items[i];
		}
	}
	return found;
}

static const struct passage *first_key(const struct passages *passages)
{
	for (size_t i = 0; i < passages->n; i++) {
		if (passages->items[i].kind == PASSAGE_KEY)
			return &passages->items[i];
	}
	fail_msg("there is no key passage");
	return NULL;
}

static size_t count_kind(const struct passages *passages, enum passage_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < passages->n; i++)
		n += passages->items[i].kind == kind;
	return n;
}

static void assert_keys_stand_in_the_text(const char *source, const struct passages *passages)
{
	int64_t last = -1;

	for (size_t i = 0; i < passages->n; i++) {
		if (passages->items[i].kind != PASSAGE_KEY)
			continue;
		assert_verbatim(source, &passages->items[i]);
		assert_true(passages->items[i].evidence[0].byte_start > last);
		last = passages->items[i].evidence[0].byte_start;
	}
}

static void read_one_chunk(struct fixture *f, const char *source, bool prose, struct passages *ret)
{
	struct usage usage = { 0 };
	struct chunk chunk = { 0 };
	struct err err = { "" };
	struct view view;

	assert_int_equal(view_make(source, strlen(source), false, &view, NULL), 0);
	chunk.end = view.n;
	if (summary_chunk(f->reader, &(struct summary_text){ source, &view }, &chunk, prose, ret, &usage,
	                  &NO_HOOKS, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(usage.generated_tokens > 0, prose);
	view_done(&view);
}

/* Prose is the model's own, or an extract with the places that it is from. */
static void assert_marked(const char *source, const struct passage *abstract)
{
	assert_non_null(abstract);
	assert_true(abstract->generated || abstract->n_evidence > 0);
	assert_true(abstract->score >= 0);
	for (size_t i = 0; i < abstract->n_evidence; i++)
		assert_memory_equal(abstract->evidence[i].quote, source + abstract->evidence[i].byte_start,
		                    strlen(abstract->evidence[i].quote));
}

static void a_chunk_gives_a_title_a_summary_and_verbatim_key_passages(void **state)
{
	const char *source =
		"Of rivers and stones\n====================\n\nThe river rose in May, and\nthe bridge at the "
		"mill held  "
		"until noon. Nobody was hurt when the\nold warehouse fell.\n\nThe mason counted the "
		"stones of the harbour again.\nHe found all of them but two, and wrote it\ndown in the "
		"ledger.\n";
	struct passages passages = { 0 };
	const struct passage *title;

	read_one_chunk(*state, source, true, &passages);
	title = only(&passages, PASSAGE_TITLE);
	assert_non_null(title);
	if (!title->generated)
		assert_int_equal(title->n_evidence, 0);
	if (!title->generated)
		assert_non_null(strstr(title->text, "Of rivers and stones"));
	assert_marked(source, only(&passages, PASSAGE_ABSTRACT));
	assert_in_range(count_kind(&passages, PASSAGE_KEY), 2, 5);
	assert_keys_stand_in_the_text(source, &passages);
	passages_done(&passages);
}

static void a_chunk_without_sentences_has_no_key_passages(void **state)
{
	struct passages passages = { 0 };

	read_one_chunk(*state, "12 13 14\n15 16 17\n", true, &passages);
	assert_int_equal(count_kind(&passages, PASSAGE_KEY), 0);
	passages_done(&passages);
}

static void a_text_that_the_model_does_not_read_gives_an_extract(void **state)
{
	const char *source =
		"Der Fluss stieg im Mai sehr hoch, und die Brücke an der Mühle hielt bis zum Mittag.\n\n"
		"Niemand wurde verletzt, als am Abend das alte Lagerhaus neben der Brücke fiel.\n";
	struct passages passages = { 0 };
	const struct passage *abstract;

	read_one_chunk(*state, source, false, &passages);
	assert_null(only(&passages, PASSAGE_TITLE));
	abstract = only(&passages, PASSAGE_ABSTRACT);
	assert_non_null(abstract);
	assert_false(abstract->generated);
	assert_marked(source, abstract);
	assert_int_equal(count_kind(&passages, PASSAGE_KEY), 2);
	assert_keys_stand_in_the_text(source, &passages);
	passages_done(&passages);
}

/* The title of the text behind "@", as if it were a part of its own. */
static void assert_part_is_called(struct fixture *f, const char *source, const char *title)
{
	struct usage usage = { 0 };
	struct passages passages = { 0 };
	struct chunk chunk = { 0 };
	struct view view;

	assert_int_equal(view_make(source, strlen(source), true, &view, NULL), 0);
	chunk.start = (size_t)(strchr(view.text, '@') - view.text) + 1;
	chunk.end = view.n;
	assert_int_equal(summary_chunk(f->reader, &(struct summary_text){ source, &view }, &chunk, true,
	                               &passages, &usage, &NO_HOOKS, NULL),
	                 0);
	assert_non_null(only(&passages, PASSAGE_TITLE));
	assert_string_equal(only(&passages, PASSAGE_TITLE)->text, title);
	assert_false(only(&passages, PASSAGE_TITLE)->generated);
	passages_done(&passages);
	view_done(&view);
}

static void a_part_is_called_by_the_section_that_has_most_of_it(void **state)
{
	assert_part_is_called(*state,
	                      "# Mills\n\n## Rivers\n\nThey rise. @They fall.\n\n## Gates\n\nThe gate was "
	                      "opened at noon and closed again at night by the warden.\n\n### Locks\n\n"
	                      "None.\n\n## Ropes\n\nNone.\n",
	                      "Gates");
	assert_part_is_called(*state,
	                      "# Mills\n\nThey grind. @\n\n## Overview\n\nThe gate was opened at noon and "
	                      "closed again at night.\n\n## Ropes\n\nNone.\n",
	                      "Ropes");
	assert_part_is_called(*state, "# Mills\n\n## Rivers\n\nThey rise. @They fall.\n", "Rivers");
}

static void a_table_of_numbers_gives_some_of_its_lines(void **state)
{
	const char *source = "year,level,rain\n1987,12.5,803\n1988,12.7,811\n1989,12.1,790\n";
	struct passages passages = { 0 };

	read_one_chunk(*state, source, false, &passages);
	assert_false(only(&passages, PASSAGE_ABSTRACT)->generated);
	assert_true(count_kind(&passages, PASSAGE_KEY) > 0);
	assert_keys_stand_in_the_text(source, &passages);
	passages_done(&passages);
}

/* Chunks with results as a reading leaves them, of a source that holds one sentence a chunk. */
struct read_chunks {
	struct buf source;
	struct document_chunk *items;
	size_t n;
};

static struct read_chunks make_chunks(size_t n, uint64_t seed)
{
	struct read_chunks ret = { .items = calloc(n + 1, sizeof(*ret.items)), .n = n };

	assert_non_null(ret.items);
	for (size_t i = 0; i < n; i++) {
		struct passage *abstract = passages_add(&ret.items[i].passages, PASSAGE_ABSTRACT);
		struct passage *key = passages_add(&ret.items[i].passages, PASSAGE_KEY);
		struct evidence *evidence = passage_add_evidence(key);
		size_t start = ret.source.n;
		char words[400];

		snprintf(words, sizeof(words), "Part %zu says that the warden of gate %zu was seen %s.", i, i,
		         "again and again and again by many who stood there in the rain");
		abstract->text = strdup(words);
		abstract->generated = true;
		add_sentence(&ret.source, i, &seed);
		key->text = strdup(ret.source.data + start);
		*evidence = (struct evidence){ .quote = strdup(key->text),
			                       .byte_start = (int64_t)start,
			                       .byte_end = (int64_t)ret.source.n,
			                       .section = strdup("A section") };
		buf_puts(&ret.source, "\n");
	}
	return ret;
}

static void chunks_done(struct read_chunks *chunks)
{
	for (size_t i = 0; i < chunks->n; i++)
		document_chunk_done(&chunks->items[i]);
	free(chunks->items);
	buf_done(&chunks->source);
}

static struct passages reduce_by(struct fixture *f, const struct read_chunks *chunks,
                                 const struct summary_settings *settings, struct usage *usage)
{
	struct passages ret = { 0 };
	struct err err = { "" };

	if (summary_reduce(f->reader, chunks->items, chunks->n, settings, &ret, usage, &NO_HOOKS, &err) < 0)
		fail_msg("%s", err.text);
	return ret;
}

static struct passages reduce(struct fixture *f, const struct read_chunks *chunks, struct usage *usage)
{
	return reduce_by(f, chunks, &PROSE, usage);
}

static void no_chunks_reduce_to_nothing(void **state)
{
	struct read_chunks none = make_chunks(0, 1);
	struct usage usage = { 0 };
	struct passages passages = reduce(*state, &none, &usage);

	assert_int_equal(passages.n, 0);
	assert_int_equal(usage.prompt_tokens, 0);
	chunks_done(&none);
}

static void what_one_chunk_gave_is_the_documents(void **state)
{
	struct read_chunks one = make_chunks(1, 1);
	struct usage usage = { 0 };
	struct passages passages = reduce(*state, &one, &usage);
	const struct passage *key = only(&passages, PASSAGE_KEY);

	assert_int_equal(usage.prompt_tokens + usage.generated_tokens, 0);
	assert_int_equal(passages.n, one.items[0].passages.n);
	assert_string_equal(only(&passages, PASSAGE_ABSTRACT)->text, one.items[0].passages.items[0].text);
	assert_true(only(&passages, PASSAGE_ABSTRACT)->generated);
	assert_string_equal(key->evidence[0].section, "A section");
	assert_keys_stand_in_the_text(one.source.data, &passages);
	chunks_done(&one);
	passages_done(&passages);
}

static void two_chunks_are_read_as_one_group(void **state)
{
	struct fixture *f = *state;
	struct read_chunks two = make_chunks(2, 2);
	struct usage usage = { 0 };
	struct passages passages = reduce(f, &two, &usage);
	struct buf group = { 0 };
	size_t n_group, n_tasks = 0;

	for (size_t i = 0; i < two.n; i++)
		buf_printf(&group, "%s\n%s\n", two.items[i].passages.items[0].text,
		           two.items[i].passages.items[1].text);
	assert_int_equal(reader_count(f->reader, group.data, group.n, &n_group, NULL), 0);
	for (int kind = 0; kind < N_TASKS; kind++)
		n_tasks += strlen(prompt_words((enum task_kind)kind)) + 1;
	assert_in_range(usage.prompt_tokens, n_group + 1, n_group + n_tasks);
	assert_int_equal(count_kind(&passages, PASSAGE_KEY), 2);
	assert_string_equal(first_key(&passages)->evidence[0].section, "A section");
	assert_keys_stand_in_the_text(two.source.data, &passages);
	buf_done(&group);
	chunks_done(&two);
	passages_done(&passages);
}

static void many_chunks_are_reduced_in_levels(void **state)
{
	enum { N = 120 };
	struct read_chunks many = make_chunks(N, 3);
	struct usage usage = { 0 }, usage_again = { 0 };
	struct passages passages = reduce(*state, &many, &usage);
	struct passages again = reduce(*state, &many, &usage_again);

	assert_true(many.source.n + N * 100 > CHUNK_MAX_BYTES); /* more than a group holds */
	assert_non_null(only(&passages, PASSAGE_ABSTRACT));
	assert_in_range(count_kind(&passages, PASSAGE_KEY), 2, 10);
	assert_keys_stand_in_the_text(many.source.data, &passages);
	assert_int_equal(passages.n, again.n);
	for (size_t i = 0; i < passages.n; i++)
		assert_string_equal(passages.items[i].text, again.items[i].text);
	passages_done(&again);
	chunks_done(&many);
	passages_done(&passages);
}

static void forty_chunks_give_key_passages_in_the_texts_order(void **state)
{
	struct read_chunks forty = make_chunks(40, 4);
	struct usage usage = { 0 };
	struct passages passages = reduce(*state, &forty, &usage);

	assert_in_range(count_kind(&passages, PASSAGE_KEY), 2, 10);
	assert_keys_stand_in_the_text(forty.source.data, &passages);
	chunks_done(&forty);
	passages_done(&passages);
}

static void what_is_asked_to_be_long_has_more_key_passages(void **state)
{
	static const struct summary_settings SHORT = { SUMMARY_SHORT, true }, LONG = { SUMMARY_LONG, true };
	struct read_chunks many = make_chunks(30, 9);
	struct usage usage = { 0 };
	struct passages few = reduce_by(*state, &many, &SHORT, &usage),
			more = reduce_by(*state, &many, &LONG, &usage);

	assert_int_equal(count_kind(&few, PASSAGE_KEY), 1);
	assert_int_equal(count_kind(&more, PASSAGE_KEY), 4);
	assert_keys_stand_in_the_text(many.source.data, &more);
	passages_done(&few);
	passages_done(&more);
	chunks_done(&many);
}

static void without_prose_chunks_are_reduced_without_a_model(void **state)
{
	static const struct summary_settings EXTRACT = { SUMMARY_AUTO, false };
	struct read_chunks many = make_chunks(5, 10);
	struct usage usage = { 0 };
	struct passages passages;

	for (size_t i = 0; i < many.n; i++)
		many.items[i].passages.items[0].generated = false;
	passages = reduce_by(*state, &many, &EXTRACT, &usage);
	assert_int_equal(usage.prompt_tokens, 0);
	assert_false(only(&passages, PASSAGE_ABSTRACT)->generated);
	assert_int_equal(count_kind(&passages, PASSAGE_KEY), 2);
	assert_keys_stand_in_the_text(many.source.data, &passages);
	passages_done(&passages);
	chunks_done(&many);
}

static void chunks_without_passages_reduce_to_nothing(void **state)
{
	struct read_chunks chunks = make_chunks(3, 5);
	struct usage usage = { 0 };
	struct passages passages;

	for (size_t i = 0; i < chunks.n; i++)
		passages_done(&chunks.items[i].passages);
	passages = reduce(*state, &chunks, &usage);
	assert_int_equal(passages.n, 0);
	assert_int_equal(usage.prompt_tokens, 0);
	passages_done(&passages);
	chunks_done(&chunks);
}

static void a_passage_as_long_as_a_group_is_left_out_and_the_rest_is_read(void **state)
{
	struct read_chunks chunks = make_chunks(3, 6);
	struct usage usage = { 0 };
	struct passages passages;
	char *longest = malloc(CHUNK_MAX_BYTES);

	assert_non_null(longest);
	memset(longest, 'a', CHUNK_MAX_BYTES - 1);
	longest[CHUNK_MAX_BYTES - 1] = '\0';
	free(chunks.items[1].passages.items[0].text);
	chunks.items[1].passages.items[0].text = longest;
	passages = reduce(*state, &chunks, &usage);
	assert_int_equal(count_kind(&passages, PASSAGE_KEY), 2);
	assert_in_range(usage.prompt_tokens, 1, CHUNK_MAX_BYTES / 2);
	passages_done(&passages);
	chunks_done(&chunks);
}

static void a_reduction_can_be_stopped(void **state)
{
	struct fixture *f = *state;
	const atomic_bool cancel = true;
	struct reader_hooks hooks = { .cancel = &cancel };
	struct read_chunks many = make_chunks(120, 7);
	struct passages passages = { 0 };
	struct usage usage = { 0 };

	assert_int_equal(
		summary_reduce(f->reader, many.items, many.n, &PROSE, &passages, &usage, &hooks, NULL),
		-ECANCELED);
	assert_int_equal(passages.n, 0);
	chunks_done(&many);
}

static void material_holds_no_more_than_it_is_allowed(void **state)
{
	struct read_chunks chunks = make_chunks(1, 8);
	const struct passages *passages = &chunks.items[0].passages;
	size_t n_abstract = strlen(passages->items[0].text) + 1, n_key = strlen(passages->items[1].text) + 1;
	struct material material = { 0 };

	(void)state;
	assert_int_equal(material_add_passages(&material, passages, n_abstract + n_key - 1), 0);
	assert_int_equal(material.n_spans, 0);
	assert_int_equal(material.text.n, n_abstract);
	assert_int_equal(material_add_passages(&material, passages, n_abstract + n_key), 0);
	assert_int_equal(material.n_spans, 1);
	assert_int_equal(material.text.n, 2 * n_abstract + n_key);
	assert_string_equal(material.places[0].section, "A section");
	assert_int_equal(material.spans[0].n, n_key - 1);
	material_done(&material);
	chunks_done(&chunks);
}

static void english_is_told_by_its_function_words(void **state)
{
	static const char ENGLISH[] = "It was the best of times, and it was the worst of times for a reader.";
	static const char GERMAN[] = "Als der Fluss stieg, hielt die Bruecke, und niemand wurde verletzt.";
	static const char NUMBERS[] = "1 2 3 4 5 6 7";

	(void)state;
	assert_string_equal(language_of(ENGLISH, sizeof(ENGLISH) - 1), "en");
	assert_string_equal(language_of(GERMAN, sizeof(GERMAN) - 1), "und");
	assert_string_equal(language_of(NUMBERS, sizeof(NUMBERS) - 1), "und");
	assert_string_equal(language_of("", 0), "und");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_are_those_of_the_nearest_heading),
		cmocka_unit_test(material_holds_no_more_than_it_is_allowed),
		cmocka_unit_test(english_is_told_by_its_function_words),
		TEST(a_chunk_gives_a_title_a_summary_and_verbatim_key_passages),
		TEST(a_chunk_without_sentences_has_no_key_passages),
		TEST(a_text_that_the_model_does_not_read_gives_an_extract),
		TEST(a_part_is_called_by_the_section_that_has_most_of_it),
		TEST(a_table_of_numbers_gives_some_of_its_lines),
		TEST(no_chunks_reduce_to_nothing),
		TEST(what_one_chunk_gave_is_the_documents),
		TEST(two_chunks_are_read_as_one_group),
		TEST(forty_chunks_give_key_passages_in_the_texts_order),
		TEST(many_chunks_are_reduced_in_levels),
		TEST(what_is_asked_to_be_long_has_more_key_passages),
		TEST(without_prose_chunks_are_reduced_without_a_model),
		TEST(chunks_without_passages_reduce_to_nothing),
		TEST(a_passage_as_long_as_a_group_is_left_out_and_the_rest_is_read),
		TEST(a_reduction_can_be_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
