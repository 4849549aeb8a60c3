/* Questions about a document: what is answered stands in the text, byte by byte, and is the same each time. The model is
 * tests/data/tiny, whose weights are random, so that what it answers means nothing, but for one page. With asking.c. */
#include "pipeline/answer.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/ask_passage.h"
#include "pipeline/pipeline.h"
#include "tests/reading.h"

#define N_BYTES 9000
#define N_ASKED 8

static const struct pipeline_hooks NO_HOOKS = { 0 };
static const struct reader_hooks NO_READER_HOOKS = { 0 };
static const char *const QUESTIONS[] = { "Who painted the gate of the harbour?",
	                                 "What did the miller number 100003 find?",
	                                 "When were the lamps of the bridge counted?",
	                                 "Is there a zebra?",
	                                 "",
	                                 "<｜Assistant｜>?\t\xf0\x9f\x8c\x8a" };

struct fixture {
	struct path folder;
	struct pipeline *pipeline;
	struct buf text;
	int64_t id;
};

static void open_model(struct fixture *f, const char *name, const char *store, const char *kv,
                       unsigned n_threads)
{
	struct path model = fixture_path(name), store_path = path_of(&f->folder, store);
	struct path kv_path = path_of(&f->folder, kv == NULL ? "none" : kv);
	struct pipeline_settings settings = { .model_dir = model.text,
		                              .n_threads = n_threads,
		                              .store = { .path = store_path.text, .mode = DOCSTORE_WRITE },
		                              .kv_path = kv == NULL ? NULL : kv_path.text,
		                              .kv_budget_bytes = KV_BUDGET };
	struct err err = { "" };

	if (pipeline_open(&settings, &f->pipeline, &err) < 0)
		fail_msg("%s", err.text);
}

static void open_pipeline(struct fixture *f, const char *store, const char *kv, unsigned n_threads)
{
	open_model(f, "tiny", store, kv, n_threads);
}

/* A document that has its text, as a reading leaves it. */
static int64_t put_text(struct fixture *f, const char *path, const struct buf *text)
{
	static char sha256[65], type[] = "text/plain", charset[] = "utf-8", language[] = "en";
	const struct document_file file = { .path = path, .inode = 1, .size = (int64_t)text->n };
	const struct document found = { .sha256 = sha256,
		                        .media_type = type,
		                        .charset = charset,
		                        .language = language,
		                        .bytes = (int64_t)text->n };
	struct docstore *store = pipeline_docstore(f->pipeline);
	int64_t id = 0;

	memset(sha256, 'a', sizeof(sha256) - 1);
	assert_int_equal(docstore_add(store, &file, &id, NULL, NULL), 0);
	assert_int_equal(docstore_start(store, id, NULL), 0);
	assert_int_equal(docstore_put_text(store, id, &found, text->data, text->n, NULL), 0);
	return id;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->folder = folder_make();
	open_pipeline(f, "skimd.db", "kv.db", 2);
	f->text = make_text(N_BYTES, 1);
	f->id = put_text(f, "/document", &f->text);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	pipeline_close(f->pipeline);
	folder_remove(&f->folder);
	buf_done(&f->text);
	free(f);
	return 0;
}

static struct usage ask(struct fixture *f, int64_t id, const char *const *questions, size_t n,
                        struct answer *ret)
{
	struct usage usage = { 0 };
	struct err err = { "" };

	if (pipeline_answer(f->pipeline, id, questions, n, ret, &usage, &NO_HOOKS, &err) < 0)
		fail_msg("%s", err.text);
	return usage;
}

static void answers_done(struct answer *answers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		answer_done(&answers[i]);
}

static void assert_same(const struct answer *a, const struct answer *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(a[i].text, b[i].text);
		assert_memory_equal(&a[i].score, &b[i].score, sizeof(a[i].score));
		assert_int_equal(a[i].n_evidence, b[i].n_evidence);
		for (size_t j = 0; j < a[i].n_evidence; j++) {
			assert_string_equal(a[i].evidence[j].quote, b[i].evidence[j].quote);
			assert_int_equal(a[i].evidence[j].byte_start, b[i].evidence[j].byte_start);
		}
	}
}

/* Either a quotation that stands where it says, or nothing and no evidence. */
static void assert_grounded(const struct answer *answer, const struct buf *text)
{
	const struct evidence *evidence = answer->evidence;

	assert_in_range(answer->score * 1000, 0, 1000);
	assert_false(answer->generated);
	if (!answer->found) {
		assert_string_equal(answer->text, PROMPT_NOT_STATED);
		assert_int_equal(answer->n_evidence, 0);
		return;
	}
	assert_int_equal(answer->n_evidence, 1);
	assert_in_range(evidence->byte_end, evidence->byte_start + 1, text->n);
	assert_int_equal(evidence->byte_end - evidence->byte_start, strlen(evidence->quote));
	assert_memory_equal(text->data + evidence->byte_start, evidence->quote, strlen(evidence->quote));
	assert_true(answer->text[0] != '\0');
	assert_true(strlen(answer->text) <= strlen(evidence->quote));
}

static void answers_stand_in_the_text(void **state)
{
	struct fixture *f = *state;
	struct answer answers[COUNT(QUESTIONS)];

	ask(f, f->id, QUESTIONS, COUNT(QUESTIONS), answers);
	for (size_t i = 0; i < COUNT(QUESTIONS); i++)
		assert_grounded(&answers[i], &f->text);
	answers_done(answers, COUNT(QUESTIONS));
}

static void answers_are_the_same_whatever_the_threads_and_with_no_cache(void **state)
{
	struct fixture *f = *state;
	struct answer first[COUNT(QUESTIONS)], again[COUNT(QUESTIONS)];

	ask(f, f->id, QUESTIONS, COUNT(QUESTIONS), first);
	pipeline_close(f->pipeline);
	open_pipeline(f, "skimd.db", NULL, 1);
	ask(f, f->id, QUESTIONS, COUNT(QUESTIONS), again);
	assert_same(first, again, COUNT(QUESTIONS));
	answers_done(first, COUNT(QUESTIONS));
	answers_done(again, COUNT(QUESTIONS));
}

static void what_was_read_for_a_question_is_not_read_again(void **state)
{
	struct fixture *f = *state;
	struct answer first[1], again[1];
	struct usage cold = ask(f, f->id, QUESTIONS, 1, first), warm;

	pipeline_close(f->pipeline);
	open_pipeline(f, "skimd.db", "kv.db", 2);
	warm = ask(f, f->id, QUESTIONS, 1, again);
	assert_int_equal(cold.reused_tokens, 0);
	assert_true(warm.reused_tokens > 0);
	assert_true(warm.computed_tokens < cold.computed_tokens);
	assert_int_equal(warm.prompt_tokens, cold.prompt_tokens);
	assert_same(first, again, 1);
	answers_done(first, 1);
	answers_done(again, 1);
}

static void one_question_does_not_change_the_next(void **state)
{
	struct fixture *f = *state;
	struct answer together[COUNT(QUESTIONS)], alone;

	ask(f, f->id, QUESTIONS, COUNT(QUESTIONS), together);
	for (size_t i = COUNT(QUESTIONS); i-- > 0;) {
		ask(f, f->id, &QUESTIONS[i], 1, &alone);
		assert_same(&together[i], &alone, 1);
		answer_done(&alone);
	}
	answers_done(together, COUNT(QUESTIONS));
}

static void a_text_without_words_answers_nothing(void **state)
{
	struct fixture *f = *state;
	static const char *const TEXTS[] = { "", " \n\n ", "?", "\n...\n" };

	for (size_t i = 0; i < COUNT(TEXTS); i++) {
		struct buf text = { 0 };
		struct answer answer;
		char path[16];

		snprintf(path, sizeof(path), "/text%zu", i);
		buf_puts(&text, TEXTS[i]);
		ask(f, put_text(f, path, &text), QUESTIONS, 1, &answer);
		assert_grounded(&answer, &text);
		answer_done(&answer);
		buf_done(&text);
	}
}

static void a_document_without_a_text_cannot_be_asked(void **state)
{
	struct fixture *f = *state;
	struct usage usage = { 0 };
	struct answer answer;
	struct err err;

	assert_int_equal(pipeline_answer(f->pipeline, 4711, QUESTIONS, 1, &answer, &usage, &NO_HOOKS, &err),
	                 -ENOENT);
}

static void a_question_can_be_stopped(void **state)
{
	struct fixture *f = *state;
	const atomic_bool cancel = true;
	const struct pipeline_hooks hooks = { .cancel = &cancel };
	struct answer answers[2] = { { .text = NULL } };
	struct usage usage = { 0 };

	assert_int_equal(pipeline_answer(f->pipeline, f->id, QUESTIONS, 2, answers, &usage, &hooks, NULL),
	                 -ECANCELED);
	assert_null(answers[0].text);
	assert_null(answers[1].text);
}

/* What is read for a question. */
struct seen {
	const char *beginning; /* of the text */
	size_t n_beginning, n; /* readings of it, and of all */
};

static int see(void *user, const char *text, const struct reader_task *task, const struct sight *sight,
               struct err *err)
{
	struct seen *seen = user;

	(void)task;
	(void)sight;
	(void)err;
	seen->n++;
	seen->n_beginning += text == seen->beginning;
	return 0;
}

static void the_beginning_of_a_text_is_read_for_every_question(void **state)
{
	struct fixture *f = *state;
	struct engine *engine = open_tiny(2);
	struct seen seen = { .n = 0 };
	const struct reader_audit audit = { &seen, READER_CHECK_NONE, see };
	struct answerer *answerer = NULL;
	struct reader *reader = NULL;

	assert_int_equal(reader_open(engine, NULL, &reader, NULL), 0);
	assert_int_equal(answerer_open(reader, pipeline_docstore(f->pipeline), f->id, &answerer, NULL), 0);
	reader_set_audit(reader, &audit);
	seen.beginning = answerer_view(answerer)->text;
	for (size_t i = 0; i < COUNT(QUESTIONS); i++) {
		size_t n = seen.n, n_beginning = seen.n_beginning;
		struct usage usage = { 0 };
		struct asked_passage asked;

		assert_int_equal(answer_weigh(answerer, QUESTIONS[i], &asked, &usage, &NO_READER_HOOKS, NULL),
		                 0);
		assert_true(seen.n_beginning > n_beginning);
		assert_true(seen.n - n > seen.n_beginning - n_beginning);
	}
	answerer_close(answerer);
	reader_close(reader);
	engine_close(engine);
}

/* The model that is installed, on a page that it cannot know. */
static void what_a_page_states_is_found_over_joined_lines_and_nothing_else_is(void **state)
{
	static const char PAGE[] =
		"The lighthouse at Verrin Point was built in 1843 by the engineer Marta Olden, who also\n"
		"drew the plans of the harbour and of the two bridges that lead to the town behind it.\n\n"
		"Its lamp burned whale oil until electric light came to the coast. The keeper counted\n"
		"the ships each evening, and wrote their names into a ledger with a blue cover.\n";
	static const char *const ASKED[] = { "When was the lighthouse built?",
		                             "What is the capital of the Roman province of Gaul?" };
	struct fixture *f = *state;
	struct buf text = { 0 };
	struct answer answers[2];

	pipeline_close(f->pipeline);
	open_model(f, "nano", "skimd.db", NULL, 2);
	buf_puts(&text, PAGE);
	ask(f, put_text(f, "/page", &text), ASKED, 2, answers);
	assert_grounded(&answers[0], &text);
	assert_grounded(&answers[1], &text);
	assert_true(answers[0].found);
	assert_non_null(strstr(answers[0].evidence[0].quote, "who also\ndrew the plans"));
	assert_false(answers[1].found);
	assert_true(answers[0].score > answers[1].score);
	answers_done(answers, 2);
	buf_done(&text);
}

static bool is_in_word(char byte)
{
	return isalnum((unsigned char)byte) != 0 || (unsigned char)byte >= 0x80;
}

static void assert_whole_words(const struct view *view, const struct asked_passage *asked)
{
	assert_in_range(asked->end, asked->start + 1, asked->sentence_end);
	assert_true(asked->start >= asked->sentence_start);
	if (asked->start > asked->sentence_start)
		assert_false(is_in_word(view->text[asked->start - 1]) &&
		             is_in_word(view->text[asked->start]));
	if (asked->end < asked->sentence_end)
		assert_false(is_in_word(view->text[asked->end - 1]) && is_in_word(view->text[asked->end]));
	assert_null(memchr(view->text + asked->start, '\n', asked->end - asked->start));
}

static void a_passage_answers_with_whole_words_of_one_sentence(void **state)
{
	struct fixture *f = *state;
	struct engine *engine = open_tiny(2);
	struct reader *reader = NULL;
	struct chunk *passages = NULL;
	struct view view;
	size_t n, n_answered = 0;

	assert_int_equal(reader_open(engine, NULL, &reader, NULL), 0);
	assert_int_equal(view_make(f->text.data, f->text.n, false, &view, NULL), 0);
	assert_int_equal(chunk_make(&view, &(struct chunk_limits){ .max_bytes = 300 }, &passages, &n, NULL),
	                 0);
	for (size_t i = 0; i < n && i < N_ASKED; i++) {
		struct usage usage = { 0 };
		struct asked_passage asked;

		assert_int_equal(ask_passage(reader, &view, &passages[i], QUESTIONS[i % 3], &asked, &usage,
		                             &NO_READER_HOOKS, NULL),
		                 0);
		assert_true(asked.not_stated < 0);
		if (asked.end == 0)
			continue;
		n_answered++;
		assert_true(asked.mean < 0);
		assert_true(asked.sentence_start >= passages[i].start &&
		            asked.sentence_end <= passages[i].end);
		assert_whole_words(&view, &asked);
	}
	assert_true(n_answered > 0);
	free(passages);
	view_done(&view);
	reader_close(reader);
	engine_close(engine);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(answers_stand_in_the_text),
		TEST(answers_are_the_same_whatever_the_threads_and_with_no_cache),
		TEST(what_was_read_for_a_question_is_not_read_again),
		TEST(one_question_does_not_change_the_next),
		TEST(a_text_without_words_answers_nothing),
		TEST(a_document_without_a_text_cannot_be_asked),
		TEST(a_question_can_be_stopped),
		TEST(a_passage_answers_with_whole_words_of_one_sentence),
		TEST(the_beginning_of_a_text_is_read_for_every_question),
		TEST(what_a_page_states_is_found_over_joined_lines_and_nothing_else_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
