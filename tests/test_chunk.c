#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/buf.h"
#include "pipeline/chunk.h"

#define SEED 20261122u
#define N_EDITS 200

struct chunks {
	struct view view;
	struct chunk *items;
	size_t n;
};

static struct chunks cut(const char *source, size_t n, bool markdown, const struct chunk_limits *limits)
{
	struct chunks chunks;
	struct err err = { "" };

	assert_int_equal(view_make(source, n, markdown, &chunks.view, &err), 0);
	assert_int_equal(chunk_make(&chunks.view, limits, &chunks.items, &chunks.n, &err), 0);
	return chunks;
}

static void chunks_done(struct chunks *chunks)
{
	free(chunks->items);
	view_done(&chunks->view);
}

static void assert_covers(const struct chunks *chunks, size_t min_bytes, size_t max_bytes)
{
	size_t at = 0;

	for (size_t i = 0; i < chunks->n; i++) {
		const struct chunk *chunk = &chunks->items[i];

		assert_int_equal(chunk->start, at);
		assert_true(chunk->end > chunk->start);
		assert_true(chunk->end - chunk->start <= max_bytes);
		assert_true(chunks->n == 1 || chunk->end - chunk->start >= min_bytes);
		assert_true(((unsigned char)chunks->view.text[chunk->start] & 0xc0) != 0x80);
		at = chunk->end;
	}
	assert_int_equal(at, chunks->view.n);
}

static unsigned next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(*state >> 40);
}

static void append_sentence(struct buf *buf, uint64_t *random)
{
	static const char *const words[] = { "the",    "keeper", "lamp",  "of",     "a",     "stair",
		                             "turned", "and",    "went",  "slowly", "under", "high",
		                             "water",  "boat",   "night", "was" };
	unsigned n = 6 + next_random(random) % 16;

	for (unsigned i = 0; i < n; i++)
		buf_printf(buf, i == 0 ? "It %s" : " %s", words[next_random(random) % 16]);
	buf_printf(buf, " %u. ", next_random(random) % 1000);
}

static void append_paragraph(struct buf *buf, uint64_t *random)
{
	for (unsigned n = 2 + next_random(random) % 7; n > 0; n--)
		append_sentence(buf, random);
	buf_puts(buf, "\n\n");
}

/* Markdown with a heading now and then. */
static void append_text(struct buf *buf, size_t n, uint64_t *random)
{
	while (buf->n < n) {
		unsigned level = 1 + next_random(random) % 3;

		if (next_random(random) % 25 == 0)
			buf_printf(buf, "%.*s Part %u\n\n", (int)level, "###", next_random(random) % 1000);
		append_paragraph(buf, random);
	}
	assert_int_equal(buf_status(buf), 0);
}

static void chunks_cover_the_text_within_the_limits(void **state)
{
	static const struct chunk_limits all[] = { { 0, 0 },    { 10240, 4096 }, { 8000, 4000 },
		                                   { 1000, 1 }, { 300, 100 },    { 16, 8 } };
	struct buf source = { 0 };
	uint64_t random = SEED;

	(void)state;
	append_text(&source, 60000, &random);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct chunks chunks = cut(source.data, source.n, true, &all[i]);

		assert_covers(&chunks, all[i].max_bytes == 0 ? CHUNK_MIN_BYTES : all[i].min_bytes,
		              all[i].max_bytes == 0 ? CHUNK_MAX_BYTES : all[i].max_bytes);
		assert_true(chunks.n > 5);
		chunks_done(&chunks);
	}
	buf_done(&source);
}

static void a_short_text_is_one_chunk(void **state)
{
	struct chunks chunks = cut("a", 1, false, NULL);

	(void)state;
	assert_int_equal(chunks.n, 1);
	assert_covers(&chunks, 1, 1);
	chunks_done(&chunks);
	chunks = cut("  \n", 3, false, NULL);
	assert_int_equal(chunks.n, 0);
	chunks_done(&chunks);
}

static void limits_that_cannot_be_met_are_refused(void **state)
{
	const struct chunk_limits limits = { 100, 51 };
	struct view view = { 0 };
	struct chunk *items;
	struct err err = { "" };
	size_t n;

	(void)state;
	assert_int_equal(chunk_make(&view, &limits, &items, &n, &err), -EINVAL);
	assert_string_equal(err.text, "chunks of 51 to 100 bytes cannot be cut");
}

/* Each text has a strong boundary at a known place, and weaker ones everywhere. */
static void cuts_stand_at_the_strongest_boundary(void **state)
{
	static const struct {
		const char *text, *second;
	} cases[] = {
		{ "one two three\n\nfour five six\n\n## Seven\n\neight nine ten\n\neleven twelve\n\nthirteen",
		  "## Seven" },
		{ "one two three\n\nfour five\n\n## Six\n\nseven eight\n\n# Nine\n\nten eleven\n\ntwelve "
		  "thirteen",
		  "# Nine" },
		{ "- one two three\n- four five six\n- seven\n\neight nine ten eleven. Twelve thirteen "
		  "fourteen.",
		  "eight" },
		{ "one two three four five six seven eight. Nine ten eleven twelve thirteen fourteen fifteen",
		  "Nine" },
	};
	const struct chunk_limits limits = { 64, 20 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct chunks chunks = cut(cases[i].text, strlen(cases[i].text), true, &limits);

		assert_int_equal(chunks.n, 2);
		assert_memory_equal(chunks.view.text + chunks.items[1].start, cases[i].second,
		                    strlen(cases[i].second));
		chunks_done(&chunks);
	}
}

static void a_heading_stays_with_its_text(void **state)
{
	struct buf source = { 0 };
	uint64_t random = SEED;
	struct chunks chunks;

	(void)state;
	append_text(&source, 200000, &random);
	chunks = cut(source.data, source.n, true, NULL);
	for (size_t i = 0; i + 1 < chunks.n; i++) {
		const struct heading *heading = view_heading_at(&chunks.view, chunks.items[i].end - 1);

		assert_true(heading == NULL || heading->end + 2 < chunks.items[i].end);
	}
	chunks_done(&chunks);
	buf_done(&source);
}

static size_t count_new(const struct chunks *before, const struct chunks *after)
{
	size_t n_new = 0;

	for (size_t i = 0; i < after->n; i++) {
		size_t n = after->items[i].end - after->items[i].start, k;

		for (k = 0; k < before->n; k++)
			if (before->items[k].end - before->items[k].start == n &&
			    memcmp(before->view.text + before->items[k].start,
			           after->view.text + after->items[i].start, n) == 0)
				break;
		n_new += k == before->n;
	}
	return n_new;
}

/* Insert, delete or replace a piece that ends at a sentence or anywhere. */
static void edit(const struct buf *source, uint64_t *random, struct buf *ret)
{
	size_t at = next_random(random) % source->n, n_out = next_random(random) % 300;

	if (next_random(random) % 3 == 0)
		n_out = 0;
	if (at + n_out > source->n)
		n_out = source->n - at;
	buf_append(ret, source->data, at);
	if (n_out == 0 || next_random(random) % 2 == 0)
		append_sentence(ret, random);
	if (next_random(random) % 4 == 0)
		append_paragraph(ret, random);
	buf_append(ret, source->data + at + n_out, source->n - at - n_out);
	assert_int_equal(buf_status(ret), 0);
}

static void an_edit_changes_the_chunks_around_it_and_no_others(void **state)
{
	struct buf source = { 0 };
	uint64_t random = SEED;
	size_t histogram[4] = { 0 };
	struct chunks before;

	(void)state;
	append_text(&source, 300000, &random);
	before = cut(source.data, source.n, true, NULL);
	assert_true(before.n > 40);
	for (int i = 0; i < N_EDITS; i++) {
		struct buf edited = { 0 };
		struct chunks after;
		size_t n_new;

		edit(&source, &random, &edited);
		after = cut(edited.data, edited.n, true, NULL);
		n_new = count_new(&before, &after);
		assert_in_range(n_new, 0, 3);
		histogram[n_new]++;
		chunks_done(&after);
		buf_done(&edited);
	}
	print_message("# seed %u: edits that changed 0, 1, 2 and 3 chunks: %zu, %zu, %zu and %zu\n", SEED,
	              histogram[0], histogram[1], histogram[2], histogram[3]);
	assert_true(histogram[3] * 20 <= N_EDITS);
	assert_true(histogram[1] * 10 >= N_EDITS * 8);
	chunks_done(&before);
	buf_done(&source);
}

static void assert_cut_soon(const char *source, size_t n, bool markdown)
{
	clock_t start = clock();
	struct chunks chunks = cut(source, n, markdown, NULL);

	/* A tenth of that is usual; machines that run sanitizers are slow. */
	assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
	assert_covers(&chunks, CHUNK_MIN_BYTES - 3, CHUNK_MAX_BYTES);
	chunks_done(&chunks);
}

static void a_megabyte_without_structure_is_cut_as_well(void **state)
{
	const size_t n = 1 << 20;
	char *text = array_new(char, n);
	uint64_t random = SEED;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		text[i] = i % 6 == 5 ? ' ' : (char)('a' + next_random(&random) % 26);
	assert_cut_soon(text, n, false);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + next_random(&random) % 26);
	assert_cut_soon(text, n, false);
	memset(text, 'x', n);
	assert_cut_soon(text, n, false);
	for (size_t i = 0; i < n; i++)
		text[i] = "\xe2\x82\xac"[i % 3];
	assert_cut_soon(text, n - n % 3, false);
	free(text);
}

/* Equal ranks everywhere make the splits as lopsided as they can be. */
static void a_megabyte_of_equal_lines_is_cut_soon(void **state)
{
	const size_t n = 1 << 20;
	char *text = array_new(char, n);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		text[i] = "# heading\n"[i % 10];
	assert_cut_soon(text, n, true);
	for (size_t i = 0; i < n; i++)
		text[i] = "a line\n\n"[i % 8];
	assert_cut_soon(text, n, true);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_cover_the_text_within_the_limits),
		cmocka_unit_test(a_short_text_is_one_chunk),
		cmocka_unit_test(limits_that_cannot_be_met_are_refused),
		cmocka_unit_test(cuts_stand_at_the_strongest_boundary),
		cmocka_unit_test(a_heading_stays_with_its_text),
		cmocka_unit_test(an_edit_changes_the_chunks_around_it_and_no_others),
		cmocka_unit_test(a_megabyte_without_structure_is_cut_as_well),
		cmocka_unit_test(a_megabyte_of_equal_lines_is_cut_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
