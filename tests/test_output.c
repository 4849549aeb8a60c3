/* What people and programs get to read: Markdown that hostile text cannot break out of, JSON that is complete and the same
 * bytes each time, and files that replace none but our own. */
#include "pipeline/output.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/err.h"
#include "tests/fixture.h"

#define TEXT "The river rose.\nThe bridge held."
#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct fixture {
	struct path folder, inbox, outbox, output; /* of the document: a file, and where its outputs go */
	struct docstore *store;
	int64_t id;
};

static char *copy(const char *text)
{
	char *ret = strdup(text);

	assert_non_null(ret);
	return ret;
}

static struct passage *add_passage(struct passages *passages, enum passage_kind kind, const char *text,
                                   bool generated)
{
	struct passage *passage = passages_add(passages, kind);

	assert_non_null(passage);
	passage->text = copy(text);
	passage->generated = generated;
	passage->score = -0.123456;
	return passage;
}

static void add_key(struct passages *passages, const char *text, int64_t start, const char *section)
{
	struct evidence *evidence = passage_add_evidence(add_passage(passages, PASSAGE_KEY, text, false));

	assert_non_null(evidence);
	*evidence = (struct evidence){ .quote = copy(text),
		                       .byte_start = start,
		                       .byte_end = start + (int64_t)strlen(text),
		                       .section = section == NULL ? NULL : copy(section),
		                       .score = -0.5 };
}

static void add_all(struct passages *passages, const char *title, const char *abstract, const char *key)
{
	add_passage(passages, PASSAGE_TITLE, title, true);
	add_passage(passages, PASSAGE_ABSTRACT, abstract, true);
	add_key(passages, key, 0, "A section");
}

/* A document of two chunks, with the same words everywhere. */
static struct reading make_reading(const char *words)
{
	struct reading ret = { .document = { .id = 7,
		                             .path = copy("/inbox/flood.txt"),
		                             .name = copy("flood.txt"),
		                             .sha256 = copy(SHA256),
		                             .media_type = copy("text/plain"),
		                             .language = copy("en"),
		                             .model = copy("tiny"),
		                             .fingerprint = copy(SHA256),
		                             .bytes = sizeof(TEXT) - 1,
		                             .tokens = 9,
		                             .usage = { 30, 20, 10, 5 },
		                             .seconds = 1.23456,
		                             .state = DOCUMENT_DONE },
		               .n_chunks = 2 };

	add_all(&ret.passages, words, words, words);
	ret.chunks = calloc(2, sizeof(*ret.chunks));
	assert_non_null(ret.chunks);
	for (int i = 0; i < 2; i++) {
		ret.chunks[i] = (struct document_chunk){ .number = i,
			                                 .byte_start = 16 * i,
			                                 .byte_end = 16 * (i + 1),
			                                 .tokens = 4 + i,
			                                 .section = i == 0 ? NULL : copy(words) };
		add_all(&ret.chunks[i].passages, words, words, words);
	}
	return ret;
}

static struct buf markdown_of(const struct reading *reading)
{
	struct buf ret = { 0 };

	assert_int_equal(output_markdown(reading, &ret), 0);
	return ret;
}

static json_t *json_of(const struct reading *reading)
{
	struct buf text = { 0 };
	json_t *ret;

	assert_int_equal(output_json(reading, &text), 0);
	assert_int_equal(text.data[text.n - 1], '\n');
	ret = json_loadb(text.data, text.n, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(ret);
	buf_done(&text);
	return ret;
}

static void markdown_has_title_summary_key_passages_and_parts(void **state)
{
	struct reading reading = make_reading("The river rose.");
	struct buf text = markdown_of(&reading);

	(void)state;
	assert_string_equal(
		text.data,
		"# The river rose. °\n\n"
		"The river rose. °\n\n"
		"*flood.txt: 32 bytes, 9 tokens, read whole in 2 parts by tiny."
		" What ends in ° was written by the model; all else is quoted.*\n\n"
		"## Key passages\n\n"
		"> The river rose.\n>\n> — § A section, bytes 0–15\n\n"
		"## Part by part\n\n"
		"### 1. The river rose. °\n\nThe river rose. °\n\n— bytes 0–16\n\n"
		"### 2. The river rose. °\n\nThe river rose. °\n\n— § The river rose., bytes 16–32\n\n");
	buf_done(&text);
	reading_done(&reading);
}

static void markdown_without_passages_is_still_a_page(void **state)
{
	struct reading reading = make_reading("The river rose.");
	struct buf text;

	(void)state;
	passages_done(&reading.passages);
	for (size_t i = 0; i < 2; i++)
		passages_done(&reading.chunks[i].passages);
	text = markdown_of(&reading);
	assert_int_equal(strncmp(text.data, "# flood.txt\n\n*flood.txt:", 24), 0);
	assert_null(strstr(text.data, "## Key passages"));
	assert_non_null(strstr(text.data, "### 1. (no title)\n"));
	assert_non_null(strstr(text.data, "### 2. The river rose.\n"));
	buf_done(&text);
	reading_done(&reading);
}

/* The text with its escapes taken away again is the words. */
static void assert_escaped(const char *text, const char *words)
{
	while (*words != '\0') {
		if (strchr("`*_[]<>#|&~\\", *words) != NULL)
			assert_int_equal(*text++, '\\');
		assert_int_equal(*text++, *words++);
	}
}

static void hostile_text_stays_text_in_markdown(void **state)
{
	static const char HOSTILE[] =
		"<script>alert(1)</script> | a | `b` ``` *c* _d_ ~~e~~ [f](javascript:g) "
		"![h](i) \\ &lt;b&gt; <!-- # j";
	struct reading reading = make_reading(HOSTILE);
	struct buf text;

	(void)state;
	free(reading.document.name);
	free(reading.document.model);
	reading.document.name = copy(HOSTILE);
	reading.document.model = copy(HOSTILE);
	text = markdown_of(&reading);
	assert_escaped(text.data + strlen("# "), HOSTILE);
	assert_escaped(strstr(text.data, "\n> ") + strlen("\n> "), HOSTILE);
	assert_escaped(strstr(text.data, "\n### 1. ") + strlen("\n### 1. "), HOSTILE);
	assert_escaped(strstr(text.data, " parts by ") + strlen(" parts by "), HOSTILE);
	assert_null(strstr(text.data, " <script"));
	assert_null(strstr(text.data, " |"));
	buf_done(&text);
	reading_done(&reading);
}

static void what_begins_a_passage_begins_no_list_or_rule(void **state)
{
	static const char *const BEGINNINGS[][2] = {
		{ "-----", "\n> \\-----" },     { "- one", "\n> \\- one" },
		{ "+ two", "\n> \\+ two" },     { "12. three", "\n> 12\\. three" },
		{ "3) four", "\n> 3\\) four" }, { "1984 was a year.", "\n> 1984 was a year." },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(BEGINNINGS) / sizeof(BEGINNINGS[0]); i++) {
		struct reading reading = make_reading(BEGINNINGS[i][0]);
		struct buf text = markdown_of(&reading);

		assert_non_null(strstr(text.data, BEGINNINGS[i][1]));
		buf_done(&text);
		reading_done(&reading);
	}
}

static void line_breaks_and_controls_are_blanks_in_markdown(void **state)
{
	struct reading reading = make_reading("one\n# two\r\n\n> three\x1b[2J\x7f"
	                                      "four\xc2\x9b"
	                                      "five\xc2\xa7");
	struct buf text = markdown_of(&reading);

	(void)state;
	assert_int_equal(strncmp(text.data, "# one \\# two   \\> three \\[2J four five\xc2\xa7", 40), 0);
	for (size_t i = 0; i < text.n; i++)
		assert_true((unsigned char)text.data[i] >= ' ' || text.data[i] == '\n');
	assert_null(strstr(text.data, "\n# two"));
	buf_done(&text);
	reading_done(&reading);
}

static void assert_keys(const json_t *object, const char *const *keys, size_t n)
{
	assert_int_equal(json_object_size(object), n);
	for (size_t i = 0; i < n; i++) {
		if (json_object_get(object, keys[i]) == NULL)
			fail_msg("there is no '%s'", keys[i]);
	}
}

static void assert_passage_is_complete(const json_t *list)
{
	static const char *const PASSAGE[] = { "text", "generated", "score", "evidence" };
	static const char *const EVIDENCE[] = {
		"quote", "byte_start", "byte_end", "page", "section", "score"
	};
	const json_t *passage = json_array_get(list, 0), *evidence = json_object_get(passage, "evidence");

	assert_true(json_array_size(list) > 0);
	assert_keys(passage, PASSAGE, COUNT(PASSAGE));
	assert_true(json_is_boolean(json_object_get(passage, "generated")));
	assert_true(json_is_array(evidence));
	for (size_t i = 0; i < json_array_size(evidence); i++)
		assert_keys(json_array_get(evidence, i), EVIDENCE, COUNT(EVIDENCE));
}

static void pages_read_by_ocr_are_told(void **state)
{
	struct reading reading = make_reading("The river rose.");
	struct buf markdown = markdown_of(&reading);
	json_t *json;

	(void)state;
	assert_null(strstr(markdown.data, "OCR"));
	buf_done(&markdown);
	reading.document.ocr_pages = copy("1-3,7");
	markdown = markdown_of(&reading);
	assert_non_null(strstr(markdown.data, "**By OCR: pages 1-3,7;"));
	json = json_of(&reading);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(json, "document"), "ocr_pages")), "1-3,7");
	json_decref(json);
	buf_done(&markdown);
	reading_done(&reading);
}

static void json_has_every_field(void **state)
{
	static const char *const TOP[] = { "document", "model",  "title", "summary", "key",
		                           "answers",  "chunks", "usage", "timings" };
	static const char *const DOCUMENT[] = { "name",  "path",      "sha256",    "media_type", "bytes",
		                                "pages", "truncated", "ocr_pages", "tokens",     "language" };
	static const char *const MODEL[] = { "name", "fingerprint" };
	static const char *const USAGE[] = { "prompt_tokens", "computed_tokens", "reused_tokens",
		                             "generated_tokens" };
	static const char *const CHUNK[] = { "number", "byte_start", "byte_end", "section",
		                             "tokens", "title",      "summary",  "key" };
	static const char *const LISTS[] = { "title", "summary", "key" };
	struct reading reading = make_reading("The river rose.");
	json_t *json = json_of(&reading);
	const json_t *chunks = json_object_get(json, "chunks");

	(void)state;
	assert_keys(json, TOP, COUNT(TOP));
	assert_keys(json_object_get(json, "document"), DOCUMENT, COUNT(DOCUMENT));
	assert_keys(json_object_get(json, "model"), MODEL, COUNT(MODEL));
	assert_keys(json_object_get(json, "usage"), USAGE, COUNT(USAGE));
	assert_int_equal(json_array_size(chunks), 2);
	assert_keys(json_array_get(chunks, 1), CHUNK, COUNT(CHUNK));
	for (size_t i = 0; i < COUNT(LISTS); i++) {
		assert_passage_is_complete(json_object_get(json, LISTS[i]));
		assert_passage_is_complete(json_object_get(json_array_get(chunks, 1), LISTS[i]));
	}
	json_decref(json);
	reading_done(&reading);
}

static void json_says_what_is_unknown_by_null(void **state)
{
	struct reading reading = make_reading("The river rose.");
	json_t *json;

	(void)state;
	free(reading.document.language);
	reading.document.language = NULL;
	json = json_of(&reading);
	assert_true(json_is_null(json_object_get(json_object_get(json, "document"), "pages")));
	assert_true(json_is_null(json_object_get(json_object_get(json, "document"), "language")));
	assert_true(
		json_is_null(json_object_get(json_array_get(json_object_get(json, "chunks"), 0), "section")));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "usage"), "reused_tokens")),
	                 10);
	json_decref(json);
	reading_done(&reading);
}

static void hostile_text_comes_back_from_json_as_it_was(void **state)
{
	static const char HOSTILE[] = "\"},{\\ </script> \n\t\x01 \xf0\x9f\x98\x80 \xe2\x80\xa8";
	struct reading reading = make_reading(HOSTILE);
	json_t *json = json_of(&reading);

	(void)state;
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(json_object_get(json, "key"), 0), "text")),
		HOSTILE);
	json_decref(json);
	reading_done(&reading);
}

/* Linux lets a name be any bytes. */
static void a_name_that_is_not_utf8_is_still_written(void **state)
{
	struct reading reading = make_reading("The river rose.");
	struct buf text;
	json_t *json;

	(void)state;
	free(reading.document.name);
	free(reading.document.path);
	reading.document.name = copy("r\xe9sum\xe9.txt");
	reading.document.path = copy("/inbox/r\xe9sum\xe9.txt");
	json = json_of(&reading);
	assert_non_null(json_object_get(json_object_get(json, "document"), "name"));
	json_decref(json);
	text = markdown_of(&reading);
	assert_non_null(strstr(text.data, ".txt: 32 bytes"));
	buf_done(&text);
	reading_done(&reading);
}

static unsigned n_allocations, failing;

static void *allocate(size_t n)
{
	return n_allocations++ == failing ? NULL : malloc(n);
}

/* Not a list that lacks what there was no memory for: each allocation fails once. */
static void json_is_whole_or_none_where_memory_is_short(void **state)
{
	struct reading reading = make_reading("The river rose.");
	struct buf whole = { 0 };
	int r;

	(void)state;
	assert_int_equal(output_json(&reading, &whole), 0);
	failing = 0;
	do {
		struct buf text = { 0 };

		n_allocations = 0;
		json_set_alloc_funcs(allocate, free);
		r = output_json(&reading, &text);
		json_set_alloc_funcs(malloc, free);
		if (r == 0)
			assert_string_equal(text.data, whole.data);
		else
			assert_int_equal(r, -ENOMEM);
		buf_done(&text);
	} while (n_allocations > failing++);
	assert_int_equal(r, 0);
	assert_true(failing > 100);
	buf_done(&whole);
	reading_done(&reading);
}

static void outputs_are_the_same_bytes_twice(void **state)
{
	struct reading reading = make_reading("The river rose."), again = make_reading("The river rose.");
	struct buf first = { 0 }, second = { 0 };

	(void)state;
	assert_int_equal(output_json(&reading, &first), 0);
	assert_int_equal(output_json(&again, &second), 0);
	assert_string_equal(first.data, second.data);
	buf_done(&first);
	buf_done(&second);
	first = markdown_of(&reading);
	second = markdown_of(&again);
	assert_string_equal(first.data, second.data);
	buf_done(&first);
	buf_done(&second);
	reading_done(&reading);
	reading_done(&again);
}

/* A document that is done, with an outbox that is not there yet. */
static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct docstore_settings settings = { .path = ":memory:", .mode = DOCSTORE_WRITE };
	struct document document = { .sha256 = (char *)(uintptr_t)SHA256,
		                     .model = (char *)(uintptr_t) "tiny" };
	struct passages passages = { 0 };
	struct document_file file = { 0 };

	assert_non_null(f);
	f->folder = folder_make();
	f->inbox = path_of(&f->folder, "flood.txt");
	f->outbox = path_of(&f->folder, "outbox");
	file.path = f->inbox.text;
	f->output = path_of(&f->outbox, "flood.txt");
	file.output = f->output.text;
	assert_int_equal(docstore_open(&settings, &f->store, NULL), 0);
	assert_int_equal(docstore_add(f->store, &file, &f->id, NULL, NULL), 0);
	assert_int_equal(docstore_put_text(f->store, f->id, &document, TEXT, sizeof(TEXT) - 1, NULL), 0);
	add_all(&passages, "A title", "A summary.", "The river rose.");
	assert_int_equal(docstore_finish(f->store, f->id, &document, &passages, 0, NULL), 0);
	passages_done(&passages);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	docstore_close(f->store);
	if (stat(f->outbox.text, &st) == 0)
		folder_remove(&f->outbox);
	folder_remove(&f->folder);
	free(f);
	return 0;
}

static void count_file(const struct path *folder, const char *name, void *user)
{
	size_t *n = user;

	(void)folder;
	(void)name;
	(*n)++;
}

static size_t count_files(const struct path *folder)
{
	size_t n = 0;

	each_file(folder, count_file, &n);
	return n;
}

static void outputs_are_written_beside_the_documents_output_path(void **state)
{
	struct fixture *f = *state;
	struct buf markdown, json;
	struct stat st;

	assert_int_equal(output_write(f->store, f->id, true, true, NULL), 0);
	assert_int_equal(count_files(&f->outbox), 2);
	markdown = folder_read(&f->outbox, "flood.txt.summary.md");
	json = folder_read(&f->outbox, "flood.txt.summary.json");
	assert_int_equal(strncmp(markdown.data, "# A title", 9), 0);
	assert_int_equal(json.data[0], '{');
	assert_int_equal(stat(path_of(&f->outbox, "flood.txt.summary.md").text, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	buf_done(&markdown);
	buf_done(&json);
}

static void only_what_is_asked_for_is_written(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(output_write(f->store, f->id, false, false, NULL), 0);
	assert_int_not_equal(access(f->outbox.text, F_OK), 0);
	assert_int_equal(output_write(f->store, f->id, false, true, NULL), 0);
	assert_int_equal(count_files(&f->outbox), 1);
}

static void an_output_of_ours_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct stat before, after;
	struct buf text;

	assert_int_equal(output_write(f->store, f->id, true, false, NULL), 0);
	assert_int_equal(stat(path_of(&f->outbox, "flood.txt.summary.md").text, &before), 0);
	assert_int_equal(output_write(f->store, f->id, true, false, NULL), 0);
	assert_int_equal(stat(path_of(&f->outbox, "flood.txt.summary.md").text, &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	text = folder_read(&f->outbox, "flood.txt.summary.md");
	assert_int_equal(strncmp(text.data, "# A title", 9), 0);
	assert_int_equal(count_files(&f->outbox), 1);
	buf_done(&text);
}

static void a_file_that_is_not_ours_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct err err = { "" };
	struct buf text;

	assert_int_equal(mkdir(f->outbox.text, 0700), 0);
	folder_write(&f->outbox, "flood.txt.summary.md", "mine", 4);
	assert_int_equal(output_write(f->store, f->id, true, true, &err), -EEXIST);
	assert_non_null(strstr(err.text, "flood.txt.summary.md': is there and was not written by skimd"));
	text = folder_read(&f->outbox, "flood.txt.summary.md");
	assert_int_equal(text.n, 4);
	assert_memory_equal(text.data, "mine", 4);
	buf_done(&text);
}

static void a_file_of_ours_that_somebody_changed_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct buf text;

	assert_int_equal(output_write(f->store, f->id, true, false, NULL), 0);
	assert_int_equal(output_write(f->store, f->id, true, false, NULL), 0);
	folder_write(&f->outbox, "flood.txt.summary.md", "my notes", 8);
	assert_int_equal(output_write(f->store, f->id, true, false, NULL), -EEXIST);
	text = folder_read(&f->outbox, "flood.txt.summary.md");
	assert_memory_equal(text.data, "my notes", 8);
	buf_done(&text);
}

/* No text becomes an output of a gigabyte: such a file is not even read. */
static void a_file_that_is_larger_than_any_output_is_left_alone(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(output_write(f->store, f->id, true, false, NULL), 0);
	assert_int_equal(truncate(path_of(&f->outbox, "flood.txt.summary.md").text, (off_t)2 << 30), 0);
	assert_int_equal(output_write(f->store, f->id, true, false, NULL), -EEXIST);
}

static void a_link_that_is_not_ours_is_left_alone_even_if_it_leads_nowhere(void **state)
{
	struct fixture *f = *state;
	char target[16] = "";

	assert_int_equal(mkdir(f->outbox.text, 0700), 0);
	assert_int_equal(symlink("nowhere", path_of(&f->outbox, "flood.txt.summary.md").text), 0);
	assert_int_equal(output_write(f->store, f->id, true, false, NULL), -EEXIST);
	assert_int_equal(
		readlink(path_of(&f->outbox, "flood.txt.summary.md").text, target, sizeof(target) - 1), 7);
	assert_string_equal(target, "nowhere");
}

static void a_document_without_an_output_path_has_none_to_write(void **state)
{
	struct fixture *f = *state;
	struct path other = path_of(&f->folder, "other.txt");
	struct document_file file = { .path = other.text };
	int64_t id;

	assert_int_equal(docstore_add(f->store, &file, &id, NULL, NULL), 0);
	assert_int_equal(output_write(f->store, id, true, true, NULL), 0);
	assert_int_not_equal(access(f->outbox.text, F_OK), 0);
}

/* What file_replace() leaves when it is killed, and what only looks like it. */
static void temporary_files_are_swept_out_and_no_others(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(output_write(f->store, f->id, true, false, NULL), 0);
	folder_write(&f->outbox, ".skimd.aB3xY9", "half", 4);
	folder_write(&f->outbox, "skimd.aB3xY9", "whole", 5);
	folder_write(&f->outbox, "flood.txt.skimd.aB3xY9", "whole", 5);
	output_sweep(f->outbox.text);
	assert_int_not_equal(access(path_of(&f->outbox, ".skimd.aB3xY9").text, F_OK), 0);
	assert_int_equal(count_files(&f->outbox), 3);
	output_sweep(path_of(&f->folder, "nowhere").text);
}

static void an_outbox_that_cannot_be_written_is_told_by_its_path(void **state)
{
	struct fixture *f = *state;
	struct err err = { "" };

	folder_write(&f->folder, "outbox", "a file", 6);
	assert_true(output_write(f->store, f->id, true, false, &err) < 0);
	assert_non_null(strstr(err.text, f->outbox.text));
	assert_int_equal(unlink(f->outbox.text), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(markdown_has_title_summary_key_passages_and_parts),
		cmocka_unit_test(markdown_without_passages_is_still_a_page),
		cmocka_unit_test(hostile_text_stays_text_in_markdown),
		cmocka_unit_test(what_begins_a_passage_begins_no_list_or_rule),
		cmocka_unit_test(line_breaks_and_controls_are_blanks_in_markdown),
		cmocka_unit_test(pages_read_by_ocr_are_told),
		cmocka_unit_test(json_has_every_field),
		cmocka_unit_test(json_says_what_is_unknown_by_null),
		cmocka_unit_test(hostile_text_comes_back_from_json_as_it_was),
		cmocka_unit_test(a_name_that_is_not_utf8_is_still_written),
		cmocka_unit_test(json_is_whole_or_none_where_memory_is_short),
		cmocka_unit_test(outputs_are_the_same_bytes_twice),
		TEST(outputs_are_written_beside_the_documents_output_path),
		TEST(only_what_is_asked_for_is_written),
		TEST(an_output_of_ours_is_replaced),
		TEST(a_file_that_is_not_ours_is_left_alone),
		TEST(a_file_of_ours_that_somebody_changed_is_left_alone),
		TEST(a_file_that_is_larger_than_any_output_is_left_alone),
		TEST(a_link_that_is_not_ours_is_left_alone_even_if_it_leads_nowhere),
		TEST(a_document_without_an_output_path_has_none_to_write),
		TEST(temporary_files_are_swept_out_and_no_others),
		TEST(an_outbox_that_cannot_be_written_is_told_by_its_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
