/* What is noted of a reading covers the text, adds up and changes nothing; comparisons with dense attention come out the same
 * each time; and their rows go where the document's go. With tests/data/tiny, whose index_topk is 16. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <nettle/sha2.h>

#include "base/hex.h"
#include "pipeline/audit.h"
#include "pipeline/audit_view.h"
#include "pipeline/job.h"
#include "pipeline/parts.h"
#include "pipeline/pipeline.h"
#include "pipeline/sight.h"
#include "store/docstore_audit.h"
#include "tests/reading.h"

static const struct reader_task TASKS[] = { { .kind = TASK_SUMMARY, .max_tokens = 20 },
	                                    { .kind = TASK_TITLE, .max_tokens = 9 } };

/* All numbers of what was seen, one behind the other. */
struct seen {
	double numbers[4096];
	size_t n, n_sights;
};

static void keep(struct seen *seen, const double *numbers, size_t n)
{
	assert_true(seen->n + n <= COUNT(seen->numbers));
	if (n > 0)
		memcpy(seen->numbers + seen->n, numbers, n * sizeof(*numbers));
	seen->n += n;
}

static int see(void *user, const char *text, const struct reader_task *task, const struct sight *sight,
               struct err *err)
{
	const struct dense_view *dense = &sight->dense;
	struct seen *seen = user;
	double sum = sight->elsewhere;

	(void)text;
	(void)task;
	(void)err;
	for (size_t i = 0; i < sight->parts->n; i++) {
		sum += sight->mass[i];
		assert_true(sight->chosen[i] >= 0 && sight->chosen[i] <= 1);
	}
	assert_true(fabs(sum - 1) < 1e-5);
	keep(seen, sight->mass, sight->parts->n);
	keep(seen, sight->chosen, sight->parts->n);
	keep(seen, &sight->score, 1);
	if (dense->n_tokens > 0) {
		assert_int_equal(dense->n_tokens, sight->n_generated);
		assert_true(dense->n_agree <= dense->n_tokens);
		keep(seen, dense->recall, dense->n_layers);
		keep(seen, dense->missed, sight->parts->n);
		keep(seen, &dense->score, 1);
	}
	seen->n_sights++;
	return 0;
}

/* Read a text; what came out as one string, the caller's. */
static char *read_text(struct reader *reader, const struct buf *text, enum reader_check check,
                       struct seen *seen)
{
	const struct reader_audit audit = { seen, check, see };
	const struct reader_hooks hooks = { 0 };
	struct reader_result results[COUNT(TASKS)];
	struct usage usage = { 0 };
	struct buf ret = { 0 };
	struct err err = { "" };

	reader_set_audit(reader, seen == NULL ? NULL : &audit);
	if (reader_read(reader, text->data, text->n, TASKS, COUNT(TASKS), results, &usage, &hooks, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < COUNT(TASKS); i++) {
		buf_printf(&ret, "%s|%.17g|", results[i].text, results[i].score);
		reader_result_done(&results[i]);
	}
	reader_set_audit(reader, NULL);
	return buf_take(&ret);
}

static struct reader *open_reader(struct engine *engine, struct kvwriter *kv)
{
	struct reader *ret = NULL;
	struct err err = { "" };

	if (reader_open(engine, kv, &ret, &err) < 0)
		fail_msg("%s", err.text);
	return ret;
}

static void assert_same(const struct seen *a, const struct seen *b)
{
	assert_int_equal(a->n, b->n);
	assert_memory_equal(a->numbers, b->numbers, a->n * sizeof(*a->numbers));
}

static void looking_on_changes_no_result(void **state)
{
	struct engine *engine = open_tiny(2);
	struct reader *reader = open_reader(engine, NULL);
	struct buf text = make_text(3000, 1);
	char *without = read_text(reader, &text, READER_CHECK_NONE, NULL);

	(void)state;
	for (enum reader_check check = READER_CHECK_NONE; check <= READER_CHECK_WHOLE; check++) {
		struct seen seen = { .n = 0 };
		char *with = read_text(reader, &text, check, &seen);

		assert_string_equal(with, without);
		assert_int_equal(seen.n_sights, COUNT(TASKS));
		free(with);
	}
	free(without);
	buf_done(&text);
	reader_close(reader);
	engine_close(engine);
}

static void what_is_seen_depends_on_neither_threads_nor_the_store(void **state)
{
	struct path folder = folder_make();
	struct kvstore *kv = open_kv(&folder, KV_BUDGET);
	struct kvwriter *writer = open_writer(kv, KV_QUEUE_BYTES);
	struct buf text = make_text(4000, 2);
	struct seen expected = { .n = 0 };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct engine *engine = open_tiny(1 + i % 3);
		struct reader *reader = open_reader(engine, i == 0 ? NULL : writer);
		struct seen seen = { .n = 0 };

		kvwriter_begin(writer, 1);
		free(read_text(reader, &text, READER_CHECK_ANSWER, &seen));
		kvwriter_end(writer);
		if (i == 0)
			expected = seen;
		assert_same(&seen, &expected);
		reader_close(reader);
		engine_close(engine);
	}
	kvwriter_free(writer);
	kvstore_close(kv);
	folder_remove(&folder);
	buf_done(&text);
}

/* Words that are scored, one of them to be looked at as well. */
static const struct reader_task GIVEN[] = {
	{ .kind = TASK_QUESTION, .question = "Who?", .given = "the harbour warden", .look = true },
	{ .kind = TASK_QUESTION, .question = "Who?", .given = "the harbour warden" },
	{ .kind = TASK_SUMMARY, .max_tokens = 20 },
};

static int see_equal(void *user, const char *text, const struct reader_task *task, const struct sight *sight,
                     struct err *err)
{
	(void)text;
	(void)task;
	(void)err;
	assert_int_equal(sight->dense.n_agree, sight->dense.n_tokens);
	assert_true(sight->dense.score == sight->score);
	assert_true(sight->dense.chance == 1 && sight->dense.text_recall == 1);
	(*(size_t *)user)++;
	return 0;
}

static void where_everything_is_chosen_dense_attention_agrees_to_the_bit(void **state)
{
	struct path dir = fixture_copy("tiny");
	struct engine_settings settings = { .dir = dir.text, .n_threads = 2 };
	struct buf text = make_text(1000, 3);
	size_t n_seen = 0;
	const struct reader_audit audit = { &n_seen, READER_CHECK_ANSWER, see_equal };
	const struct reader_hooks hooks = { 0 };
	struct reader_result results[COUNT(GIVEN)];
	struct usage usage = { 0 };
	struct engine *engine;
	struct reader *reader;
	struct err err = { "" };

	(void)state;
	change_config(&dir, "index_topk", "4096");
	assert_int_equal(engine_open(&settings, &engine, &err), 0);
	reader = open_reader(engine, NULL);
	reader_set_audit(reader, &audit);
	assert_int_equal(
		reader_read(reader, text.data, text.n, GIVEN, COUNT(GIVEN), results, &usage, &hooks, &err),
		0);
	assert_int_equal(n_seen, COUNT(GIVEN) - 1);
	assert_true(results[0].score == results[1].score);
	for (size_t i = 0; i < COUNT(GIVEN); i++)
		reader_result_done(&results[i]);
	reader_close(reader);
	engine_close(engine);
	folder_remove(&dir);
	buf_done(&text);
}

static void parts_are_the_text_in_whole_characters(void **state)
{
	static const char ODD[] =
		"Ein Satz mit \xc3\xa4 und \xe2\x80\x9eZeichen\xe2\x80\x9c.\n\n\n\xf0\x9f\x98\x80";
	struct engine *engine = open_tiny(1);
	const struct tokenizer *tokenizer = engine_tokenizer(engine);
	struct buf text = make_text(5000, 4);
	struct parts parts = { 0 };
	uint32_t *tokens;
	size_t n, sum = 0;
	struct err err = { "" };

	(void)state;
	buf_append(&text, ODD, sizeof(ODD) - 1);
	assert_int_equal(tokenizer_encode(tokenizer, text.data, text.n, &tokens, &n, &err), 0);
	assert_int_equal(parts_make(tokenizer, text.data, text.n, tokens, n, &parts, &err), 0);
	assert_int_equal(parts.ends[parts.n - 1], text.n);
	for (size_t i = 0; i < parts.n; i++) {
		assert_true(parts.ends[i] > (i == 0 ? 0 : parts.ends[i - 1]));
		assert_true(i + 1 == parts.n || (text.data[parts.ends[i]] & 0xc0) != 0x80);
		assert_true(parts.n_tokens[i] >= 24 && parts.n_tokens[i] <= 200);
		for (size_t j = 0; j < parts.n_tokens[i]; j++)
			assert_int_equal(parts.of_token[sum + j], i);
		sum += parts.n_tokens[i];
	}
	assert_int_equal(sum, n);
	parts_done(&parts);
	text.data[100] ^= 1;
	assert_int_equal(parts_make(tokenizer, text.data, text.n, tokens, n, &parts, &err), -EBADMSG);
	free(tokens);
	buf_done(&text);
	engine_close(engine);
}

static void a_share_of_the_keys_is_due_always_the_same_ones(void **state)
{
	size_t n_due = 0, n_whole = 0;

	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		uint8_t digest[SHA256_DIGEST_SIZE];
		char key[2 * sizeof(digest) + 1];
		struct sha256_ctx hash;
		enum check_due due;

		sha256_init(&hash);
		sha256_update(&hash, sizeof(i), (const uint8_t *)&i);
		sha256_digest(&hash, sizeof(digest), digest);
		hex_encode(digest, sizeof(digest), key);
		due = audit_due(key, 0.05);
		assert_int_equal(due, audit_due(key, 0.05));
		assert_int_equal(audit_due(key, 0), CHECK_NOT_DUE);
		assert_true(audit_due(key, 1) != CHECK_NOT_DUE);
		assert_true(due == CHECK_NOT_DUE || audit_due(key, 0.06) != CHECK_NOT_DUE);
		n_due += due != CHECK_NOT_DUE;
		n_whole += due == CHECK_WHOLE_DUE;
	}
	assert_in_range(n_due, 900, 1100);
	assert_in_range(n_whole, 60, 140);
}

static void bad_comparisons_are_warned_of_in_words(void **state)
{
	double recall[] = { 0.9, 0.2 };
	struct dense_check check = { .skill = 0.8,
		                     .agrees = 1,
		                     .tokens = 9,
		                     .chance = 0.1,
		                     .worst_layer = 1,
		                     .layer_recall = recall,
		                     .n_layers = 2 };
	struct err words = { "" };

	(void)state;
	assert_false(audit_warning(&check, &words));
	check.skill = 0.11;
	assert_true(audit_warning(&check, &words));
	assert_string_equal(words.text,
	                    "layer 1 chose positions that hold 20 % of what dense attention looks at; "
	                    "positions drawn by lot would hold 10 %");
	check.skill = 0.8;
	check.agrees = 0.25;
	assert_true(audit_warning(&check, &words));
	assert_string_equal(words.text, "dense attention would have chosen other words for 75 % of 9 tokens");
	check.tokens = 4;
	assert_false(audit_warning(&check, &words));
}

/* A pipeline over a folder of its own. */
struct fixture {
	struct path folder;
	struct pipeline *pipeline;
	struct docstore *store;
};

static void open_pipeline(struct fixture *f, double dense_share)
{
	struct path model = fixture_path("tiny"), store = path_of(&f->folder, "skimd.db");
	struct pipeline_settings settings = { .model_dir = model.text,
		                              .n_threads = 2,
		                              .store = { .path = store.text, .mode = DOCSTORE_WRITE },
		                              .audit = { true, dense_share } };
	struct err err = { "" };

	if (pipeline_open(&settings, &f->pipeline, &err) < 0)
		fail_msg("%s", err.text);
	f->store = pipeline_docstore(f->pipeline);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->folder = folder_make();
	open_pipeline(f, 1);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	pipeline_close(f->pipeline);
	folder_remove(&f->folder);
	free(f);
	return 0;
}

static int64_t read_file(struct fixture *f, const char *name, const struct buf *text)
{
	static const struct pipeline_outputs NONE = { 0 };
	static const struct pipeline_hooks QUIET = { 0 };
	struct path path = path_of(&f->folder, name);
	struct document_file file = { .path = path.text,
		                      .inode = (int64_t)text->n,
		                      .size = (int64_t)text->n };
	struct document document = { 0 };
	struct err err = { "" };
	int64_t id = 0;

	folder_write(&f->folder, name, text->data, text->n);
	assert_int_equal(docstore_add(f->store, &file, &id, NULL, &err), 0);
	assert_int_equal(docstore_start(f->store, id, &err), 0);
	if (pipeline_process(f->pipeline, id, &NONE, &QUIET, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(docstore_get(f->store, id, &document, &err), 0);
	assert_int_equal(document.state, DOCUMENT_DONE);
	document_done(&document);
	return id;
}

static struct audit load_audit(struct fixture *f, int64_t id)
{
	struct audit ret = { 0 };
	struct err err = { "" };

	if (docstore_load_audit(f->store, id, &ret, &err) < 0)
		fail_msg("%s", err.text);
	return ret;
}

static int compare(struct fixture *f, struct err *err)
{
	static const struct pipeline_hooks QUIET = { 0 };

	return pipeline_compare(f->pipeline, &QUIET, err);
}

static struct reading load(struct fixture *f, int64_t id)
{
	struct reading ret = { 0 };
	struct err err = { "" };

	if (docstore_load(f->store, id, &ret, &err) < 0)
		fail_msg("%s", err.text);
	return ret;
}

/* Looks of a kind cover the chunks, each from its first to its last byte that is no white space. */
static void assert_covers(const struct audit *audit, enum look_kind kind, const struct reading *reading)
{
	size_t n = 0;

	for (size_t i = 0; i < audit->looks.n; i++) {
		const struct look *look = &audit->looks.items[i];
		int64_t mass = 0;

		if (look->kind != kind)
			continue;
		assert_int_equal(look->byte_start, reading->chunks[n].byte_start);
		assert_true(look_end(look) <= reading->chunks[n].byte_end);
		assert_true(look_end(look) >= reading->chunks[n].byte_end - 3);
		for (size_t j = 0; j < look->n_parts; j++) {
			assert_true(look->parts[j].length > 0);
			assert_in_range(look->parts[j].chosen, 0, LOOK_CHOSEN);
			mass += look->parts[j].mass;
		}
		assert_true(fabs((double)mass / LOOK_MASS + look->elsewhere - 1) < 1e-3);
		n++;
	}
	assert_int_equal(n, reading->n_chunks);
}

static void a_documents_looks_cover_its_parts(void **state)
{
	struct fixture *f = *state;
	struct buf text = make_text(25000, 5);
	int64_t id = read_file(f, "long.txt", &text);
	struct reading reading = load(f, id);
	struct audit audit = load_audit(f, id);

	assert_true(reading.n_chunks > 1);
	assert_covers(&audit, LOOK_TITLE, &reading);
	assert_covers(&audit, LOOK_ABSTRACT, &reading);
	assert_int_equal(audit.n_due, reading.n_chunks);
	audit_done(&audit);
	reading_done(&reading);
	buf_done(&text);
}

static void looks_go_with_the_results_of_duplicates_and_of_moved_chunks(void **state)
{
	struct fixture *f = *state;
	struct buf text = make_text(25000, 6), longer = { 0 };
	int64_t first = read_file(f, "a.txt", &text), twin = read_file(f, "b.txt", &text), moved;
	struct audit a = load_audit(f, first), b = load_audit(f, twin), c;

	assert_int_equal(a.looks.n, b.looks.n);
	assert_int_equal(b.n_due, 0); /* the results are the other's */
	for (size_t i = 0; i < a.looks.n; i++)
		assert_memory_equal(a.looks.items[i].parts, b.looks.items[i].parts,
		                    a.looks.items[i].n_parts * sizeof(struct look_part));
	buf_puts(&longer, "A new first line.\n\n");
	buf_append(&longer, text.data, text.n);
	moved = read_file(f, "c.txt", &longer);
	c = load_audit(f, moved);
	assert_int_equal(c.looks.n, a.looks.n);
	assert_int_equal(c.looks.items[c.looks.n - 1].byte_start,
	                 a.looks.items[a.looks.n - 1].byte_start + (int64_t)strlen("A new first line.\n\n"));
	audit_done(&a);
	audit_done(&b);
	audit_done(&c);
	buf_done(&text);
	buf_done(&longer);
}

static void what_is_due_is_compared_once_and_each_time_the_same(void **state)
{
	struct fixture *f = *state;
	struct buf text = make_text(12000, 7);
	int64_t id = read_file(f, "doc.txt", &text);
	struct audit first, second;
	struct err err = { "" };
	size_t n = 0;

	while (compare(f, &err) == 0)
		n++;
	assert_int_equal(compare(f, &err), -ENOENT);
	first = load_audit(f, id);
	assert_int_equal(first.n_due, 0);
	assert_int_equal(first.checks.n, 2 * n); /* title and summary */
	assert_int_equal(docstore_reread(f->store, id, &err), 0);
	assert_int_equal(read_file(f, "doc.txt", &text), id);
	while (compare(f, &err) == 0)
		n--;
	assert_int_equal(n, 0);
	second = load_audit(f, id);
	assert_int_equal(second.checks.n, first.checks.n);
	for (size_t i = 0; i < first.checks.n; i++) {
		const struct dense_check *a = &first.checks.items[i], *b = &second.checks.items[i];

		assert_true(a->skill == b->skill && a->agrees == b->agrees &&
		            a->score_delta == b->score_delta && a->mass_recall == b->mass_recall);
		assert_true(a->mass_recall > 0 && a->mass_recall < 1 && a->chance > 0 && a->chance < 0.1);
		assert_memory_equal(a->missed, b->missed, a->n_missed * sizeof(*a->missed));
	}
	audit_done(&first);
	audit_done(&second);
	buf_done(&text);
}

static void told_to_stop_a_comparison_stays_due(void **state)
{
	struct fixture *f = *state;
	atomic_bool cancel = true;
	const struct pipeline_hooks hooks = { .cancel = &cancel };
	struct buf text = make_text(4000, 8);
	int64_t id = read_file(f, "doc.txt", &text);
	struct audit audit;
	struct err err = { "" };

	assert_int_equal(pipeline_compare(f->pipeline, &hooks, &err), -ECANCELED);
	audit = load_audit(f, id);
	assert_int_equal(audit.n_due, 1);
	assert_int_equal(audit.checks.n, 0);
	audit_done(&audit);
	assert_int_equal(compare(f, &err), 0);
	buf_done(&text);
}

static void a_document_that_is_forgotten_leaves_no_looks(void **state)
{
	struct fixture *f = *state;
	struct buf text = make_text(4000, 9);
	int64_t id = read_file(f, "doc.txt", &text);
	struct audit audit;
	struct err err = { "" };

	assert_int_equal(docstore_forget_rows(f->store, id, &err), 0);
	audit = load_audit(f, id);
	assert_int_equal(audit.looks.n, 0);
	assert_int_equal(audit.n_due, 0);
	assert_int_equal(compare(f, &err), -ENOENT);
	audit_done(&audit);
	buf_done(&text);
}

static void where_reading_is_off_nothing_is_kept_and_results_are_the_same(void **state)
{
	struct fixture *f = *state, off = { .folder = folder_make() };
	struct path model = fixture_path("tiny"), store = path_of(&off.folder, "skimd.db");
	struct pipeline_settings settings = { .model_dir = model.text,
		                              .n_threads = 1,
		                              .store = { .path = store.text, .mode = DOCSTORE_WRITE } };
	struct buf text = make_text(12000, 10);
	struct reading a = load(f, read_file(f, "doc.txt", &text)), b;
	struct audit audit;
	struct err err = { "" };

	assert_int_equal(pipeline_open(&settings, &off.pipeline, &err), 0);
	off.store = pipeline_docstore(off.pipeline);
	b = load(&off, read_file(&off, "doc.txt", &text));
	audit = load_audit(&off, b.document.id);
	assert_int_equal(audit.looks.n, 0);
	assert_int_equal(audit.n_due, 0);
	assert_int_equal(a.passages.n, b.passages.n);
	for (size_t i = 0; i < a.passages.n; i++) {
		assert_string_equal(a.passages.items[i].text, b.passages.items[i].text);
		assert_true(a.passages.items[i].score == b.passages.items[i].score);
	}
	audit_done(&audit);
	reading_done(&a);
	reading_done(&b);
	pipeline_close(off.pipeline);
	folder_remove(&off.folder);
	buf_done(&text);
}

/* Sums of an audit, over the sections and the tracks. */
static void a_view_adds_up(void **state)
{
	struct fixture *f = *state;
	struct buf text = { 0 };
	struct audit_view view;
	double of_text = 0, attention = 0;
	struct err err = { "" };
	int64_t id;

	for (uint64_t i = 0; i < 12; i++) {
		struct buf section = make_text(1800, 20 + i);

		buf_printf(&text, "# Section %u\n\n%s\n", (unsigned)i, section.data);
		buf_done(&section);
	}
	id = read_file(f, "doc.md", &text);
	if (audit_view_make(f->store, id, &view, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(view.n_sections, 13);
	for (size_t i = 0; i < view.n_sections; i++) {
		of_text += view.sections[i].text;
		attention += view.sections[i].attention;
	}
	assert_true(fabs(of_text - 1) < 1e-9 && fabs(attention - 1) < 1e-9);
	assert_true(view.covered > 0 && view.covered <= 1 && view.reached == 0);
	for (size_t i = 0; i + 1 < view.tracks[TRACK_ALL].n; i++) {
		const struct track_part *parts = view.tracks[TRACK_ALL].parts;

		assert_true(parts[i].end <= parts[i + 1].start);
		assert_true(parts[view.by_heat[i]].heat >= parts[view.by_heat[i + 1]].heat);
	}
	audit_view_done(&view);
	buf_done(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_the_text_in_whole_characters),
		cmocka_unit_test(looking_on_changes_no_result),
		cmocka_unit_test(what_is_seen_depends_on_neither_threads_nor_the_store),
		cmocka_unit_test(where_everything_is_chosen_dense_attention_agrees_to_the_bit),
		cmocka_unit_test(a_share_of_the_keys_is_due_always_the_same_ones),
		cmocka_unit_test(bad_comparisons_are_warned_of_in_words),
		TEST(a_documents_looks_cover_its_parts),
		TEST(looks_go_with_the_results_of_duplicates_and_of_moved_chunks),
		TEST(what_is_due_is_compared_once_and_each_time_the_same),
		TEST(told_to_stop_a_comparison_stays_due),
		TEST(a_document_that_is_forgotten_leaves_no_looks),
		TEST(where_reading_is_off_nothing_is_kept_and_results_are_the_same),
		TEST(a_view_adds_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
