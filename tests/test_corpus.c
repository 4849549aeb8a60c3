/* The documents of data/formats/corpus, made by the programs that people use (corpus/make), through the extractor: what is
 * read of each is held against the text that went in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "pipeline/extract.h"
#include "pipeline/formats/formats.h"

#define MAX_WORDS 4000
#define MIN_RECALL_PERCENT 99
#define MIN_PRECISION_PERCENT 85

/* One line of MANIFEST. */
struct document {
	char name[64], text[32], flags[160];
};

/* The words of a text, in lower case, each with a NUL. */
struct words {
	char *bytes;
	const char *at[MAX_WORDS];
	size_t n;
};

static struct document *documents;
static size_t n_documents;

static void path_of(const char *name, const char *ending, char *ret)
{
	const char *top = getenv("abs_top_srcdir");

	snprintf(ret, PATH_MAX, "%s/tests/data/formats/corpus/%s%s", top == NULL ? "." : top, name, ending);
}

static char *read_data(const char *name, const char *ending)
{
	char path[PATH_MAX];
	struct buf bytes = { 0 };
	struct err err = { "" };

	path_of(name, ending, path);
	if (file_read(path, 1 << 20, &bytes, &err) < 0)
		fail_msg("%s", err.text);
	return buf_take(&bytes);
}

/* A word of letters and digits in any script; signs of other kinds part words. */
static bool is_in_word(uint32_t c)
{
	return c < 0x80 ? isalnum((int)c)
	                : c != 0xd7 && c >= 0xc0 && (c < 0x2000 || c > 0x2bff) && c != 0xfffd;
}

/* A line's end behind a hyphen is a typesetter's. */
static size_t skip_hyphen(const char *text)
{
	size_t n = strncmp(text, "-\n", 2) == 0 ? 2 : strncmp(text, "\xc2\xad\n", 3) == 0 ? 3 : 0;

	return n > 0 && islower((unsigned char)text[n]) ? n : 0;
}

static void split(const char *text, struct words *ret)
{
	size_t n_all = strlen(text), n = 0;
	bool in_word = false;

	ret->bytes = malloc(2 * n_all + 2);
	ret->n = 0;
	assert_non_null(ret->bytes);
	for (const char *at = text, *end = text + n_all; at < end;) {
		uint32_t c;
		size_t n_taken = skip_hyphen(at);

		if (n_taken > 0 && in_word) {
			at += n_taken;
			continue;
		}
		n_taken = text_decode_utf8((const unsigned char *)at, (size_t)(end - at), &c);
		assert_true(n_taken > 0);
		if (is_in_word(c) && !in_word) {
			assert_true(ret->n < MAX_WORDS);
			ret->at[ret->n++] = ret->bytes + n;
		}
		if (is_in_word(c))
			for (size_t i = 0; i < n_taken; i++)
				ret->bytes[n++] = n_taken == 1 ? (char)tolower((unsigned char)at[i]) : at[i];
		else if (in_word)
			ret->bytes[n++] = '\0';
		in_word = is_in_word(c);
		at += n_taken;
	}
	ret->bytes[n] = '\0';
}

/* The longest row of words that both texts have in this order. */
static size_t count_common(const struct words *a, const struct words *b)
{
	size_t *row = array_new(size_t, b->n + 1), ret;

	assert_non_null(row);
	for (size_t i = 0; i < a->n; i++) {
		size_t diagonal = 0;

		for (size_t k = 0; k < b->n; k++) {
			size_t above = row[k + 1];

			row[k + 1] = strcmp(a->at[i], b->at[k]) == 0 ? diagonal + 1
			             : above > row[k]                ? above
			                                             : row[k];
			diagonal = above;
		}
	}
	ret = row[b->n];
	free(row);
	return ret;
}

/* The lines that begin with a mark, behind it, and the others. */
static char *take_lines(const char *text, const char *mark, bool with)
{
	struct buf ret = { 0 };

	while (*text != '\0') {
		size_t n = strcspn(text, "\n");
		bool marked = strncmp(text, mark, strlen(mark)) == 0;

		if (marked == with)
			buf_append(&ret, text + (marked ? strlen(mark) : 0), n - (marked ? strlen(mark) : 0));
		if (marked == with)
			buf_append(&ret, "\n", 1);
		text += n + (text[n] == '\n');
	}
	buf_append(&ret, "", 0);
	return buf_take(&ret);
}

static const char *flag(const struct document *document, const char *name)
{
	const char *found = strstr(document->flags, name);

	return found == NULL ? NULL : found + strlen(name);
}

static int extract(const struct document *document, struct extracted *ret, struct err *err)
{
	const struct extract_limits with_ocr = { .ocr_languages = "eng" };
	char path[PATH_MAX];
	int fd, r;

	path_of(document->name, "", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	r = extract_file(fd, path, flag(document, "ocr=") == NULL ? NULL : &with_ocr, NULL, ret, err);
	close(fd);
	return r;
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* How many words both texts have, in whatever order. Sorts them. */
static size_t count_anywhere(struct words *a, struct words *b)
{
	size_t ret = 0;

	qsort(a->at, a->n, sizeof(a->at[0]), compare_words);
	qsort(b->at, b->n, sizeof(b->at[0]), compare_words);
	for (size_t i = 0, k = 0; i < a->n && k < b->n;) {
		int order = strcmp(a->at[i], b->at[k]);

		ret += order == 0;
		i += order <= 0;
		k += order >= 0;
	}
	return ret;
}

/* All of them, in order (order=90: so many of a hundred, where a page's lay-out decides) and not much else. */
static void check_words(const struct document *document, const char *text, const char *expected)
{
	const char *order = flag(document, "order=");
	const size_t min_order = order == NULL ? MIN_RECALL_PERCENT : strtoul(order, NULL, 10);
	struct words got, want;
	size_t n_common;

	split(text, &got);
	split(expected, &want);
	n_common = count_common(&want, &got);
	if (n_common * 100 < want.n * min_order)
		fail_msg("%s: %zu of %zu words in order", document->name, n_common, want.n);
	n_common = count_anywhere(&want, &got);
	if (n_common * 100 < want.n * MIN_RECALL_PERCENT)
		fail_msg("%s: %zu of %zu words", document->name, n_common, want.n);
	if (n_common * 100 < got.n * MIN_PRECISION_PERCENT)
		fail_msg("%s: %zu words, of which %zu went in", document->name, got.n, n_common);
	free(got.bytes);
	free(want.bytes);
}

static bool same_words(const char *a, const char *b)
{
	struct words left, right;
	bool same;

	split(a, &left);
	split(b, &right);
	same = left.n == right.n && count_common(&left, &right) == left.n;
	free(left.bytes);
	free(right.bytes);
	return same;
}

static bool is_heading(const struct extracted *extracted, const struct mark *mark, const char *words)
{
	char *text = strndup(extracted->text + mark->start, mark->end - mark->start);
	bool ret = mark->block == SINK_HEADING && same_words(text, words);

	free(text);
	return ret;
}

/* Each, in order. */
static void check_headings(const struct document *document, const struct extracted *extracted, char *headings)
{
	size_t i = 0;

	for (char *save, *line = strtok_r(headings, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		while (i < extracted->marks.n_blocks &&
		       !is_heading(extracted, &extracted->marks.blocks[i], line))
			i++;
		if (i == extracted->marks.n_blocks)
			fail_msg("%s: '%s' is no heading in its place", document->name, line);
		i++;
	}
}

/* The place behind *at where the words begin, which may be parted by other white space. */
static const char *find_words(const char *at, const char *words)
{
	for (; *at != '\0'; at++) {
		const char *a = at, *b = words;

		while (*b != '\0' && (tolower((unsigned char)*a) == tolower((unsigned char)*b) ||
		                      (*b == ' ' && isspace((unsigned char)*a)))) {
			a++;
			b++;
		}
		if (*b == '\0' && (at[-1] == '\n' || at[-1] == ' '))
			return at;
	}
	return NULL;
}

static void check_pages(const struct document *document, const struct extracted *extracted, char *headings,
                        const char *pages)
{
	const char *at = extracted->text;

	assert_true(extracted->n_pages > 0);
	for (char *save, *line = strtok_r(headings, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		const char *found = strncasecmp(at, line, strlen(line)) == 0 ? at : find_words(at + 1, line);
		const struct mark_place *place;
		unsigned page = (unsigned)strtoul(pages, NULL, 10);

		if (found == NULL)
			fail_msg("%s: no '%s'", document->name, line);
		place = marks_place_at(&extracted->marks, (size_t)(found - extracted->text));
		if (place == NULL || place->page != page)
			fail_msg("%s: '%s' stands on page %u, not %u", document->name, line,
			         place == NULL ? 0 : place->page, page);
		at = found;
		pages += strcspn(pages, ",");
		pages += *pages == ',';
	}
}

/* "~ " lines: notes stand where the format puts them. */
static void check_anywhere(const struct document *document, const char *text, char *lines)
{
	struct words got, want;

	split(text, &got);
	for (char *save, *line = strtok_r(lines, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		split(line, &want);
		if (count_common(&want, &got) < want.n)
			fail_msg("%s: not all of '%s'", document->name, line);
		free(want.bytes);
	}
	free(got.bytes);
}

static void check_ocr_pages(const struct document *document, const struct extracted *extracted,
                            const char *expected)
{
	size_t n = strcspn(expected, "\t");

	if (extracted->ocr_pages == NULL || strlen(extracted->ocr_pages) != n ||
	    strncmp(extracted->ocr_pages, expected, n) != 0)
		fail_msg("%s: OCR of %s, not %.*s", document->name,
		         extracted->ocr_pages == NULL ? "no page" : extracted->ocr_pages, (int)n, expected);
}

static void check_document(const struct document *document, const struct extracted *extracted)
{
	char *all = read_data(document->text, ".expected");
	char *notes = take_lines(all, "~ ", true), *rest = take_lines(all, "~ ", false);
	char *headings = take_lines(rest, "# ", true), *again = strdup(headings);

	if (extracted->truncated[0] != '\0')
		fail_msg("%s: truncated: %s", document->name, extracted->truncated);
	check_words(document, extracted->text, rest);
	check_anywhere(document, extracted->text, notes);
	if (flag(document, "headings") != NULL)
		check_headings(document, extracted, headings);
	if (flag(document, "pages=") != NULL)
		check_pages(document, extracted, again, flag(document, "pages="));
	if (flag(document, "sections") != NULL)
		assert_true(extracted->marks.n_places > 1);
	if (flag(document, "ocr=") != NULL)
		check_ocr_pages(document, extracted, flag(document, "ocr="));
	else
		assert_null(extracted->ocr_pages);
	free(all);
	free(notes);
	free(rest);
	free(headings);
	free(again);
}

static void it_gives_what_went_in(void **state)
{
	const struct document *document = *state;
	const char *words = flag(document, "fails=");
	struct extracted extracted = { 0 };
	struct err err = { "" };
	int r;

	if (flag(document, "ocr=") != NULL && ocr_check("eng", &err) < 0) {
		print_message("# %s is not tried: OCR %s\n", document->name, err.text);
		return;
	}
	r = extract(document, &extracted, &err);
	if (words != NULL && (r == 0 || strstr(err.text, words) == NULL))
		fail_msg("%s: %d, '%s', not '%s'", document->name, r, err.text, words);
	if (words == NULL && r < 0)
		fail_msg("%s: %s", document->name, err.text);
	if (words == NULL)
		check_document(document, &extracted);
	extracted_done(&extracted);
}

/* What needs no program gives the same bytes in one process, without walls. */
static void one_process_gives_the_same(void **state)
{
	struct format_input about = { .max_bytes = EXTRACT_MAX_TEXT_BYTES,
		                      .max_members = FORMATS_MAX_MEMBERS,
		                      .max_depth = FORMATS_MAX_DEPTH,
		                      .max_pages = FORMATS_MAX_PAGES };

	(void)state;
	for (size_t i = 0; i < n_documents; i++) {
		struct extracted extracted = { 0 };
		struct parsed parsed = { .charset = "" };
		struct buf bytes = { 0 };
		struct err err;
		char path[PATH_MAX];
		int r;

		if (strstr(documents[i].name, ".pdf") != NULL)
			continue;
		about.name = documents[i].name;
		path_of(documents[i].name, "", path);
		assert_int_equal(file_read(path, 1 << 20, &bytes, &err), 0);
		r = formats_parse(&bytes, &about, EXTRACT_MAX_TEXT_BYTES, &parsed, &err);
		assert_int_equal(r, extract(&documents[i], &extracted, &err));
		if (r == 0) {
			assert_int_equal(extracted.n, parsed.result.n);
			assert_memory_equal(extracted.text, parsed.result.text, parsed.result.n);
			assert_int_equal(extracted.marks.n_blocks, parsed.result.marks.n_blocks);
			assert_string_equal(extracted.media_type, parsed.media_type);
		}
		extracted_done(&extracted);
		parsed_done(&parsed);
	}
}

static void there_are_enough_of_them(void **state)
{
	(void)state;
	assert_true(n_documents >= 80);
}

static void read_manifest(void)
{
	char *manifest = read_data("MANIFEST", "");
	size_t cap = 0;

	for (char *save, *line = strtok_r(manifest, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		struct document document = { "", "", "" };

		if (sscanf(line, "%63[^\t]\t%31[^\t]\t%159[^\n]", document.name, document.text,
		           document.flags) < 2 ||
		    array_grow(&documents, sizeof(*documents), n_documents, &cap) < 0)
			exit(2);
		documents[n_documents++] = document;
	}
	free(manifest);
}

int main(void)
{
	static const struct CMUnitTest MORE[] = {
		cmocka_unit_test(one_process_gives_the_same),
		cmocka_unit_test(there_are_enough_of_them),
	};
	struct CMUnitTest *tests;
	int r;

	read_manifest();
	tests = array_new(struct CMUnitTest, n_documents + 2);
	for (size_t i = 0; i < n_documents; i++) {
		tests[i] = (struct CMUnitTest)cmocka_unit_test(it_gives_what_went_in);
		tests[i].name = documents[i].name;
		tests[i].initial_state = &documents[i];
	}
	memcpy(&tests[n_documents], MORE, sizeof(MORE));
	r = _cmocka_run_group_tests("corpus", tests, n_documents + 2, NULL, NULL);
	free(tests);
	free(documents);
	return r;
}
