#include "fuzz/parser.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "pipeline/formats/sink_collect.h"

#define MAX_TEXT_BYTES ((size_t)256 << 10)
#define MAX_DEPTH 20
#define MAX_MEMBERS 100
#define MAX_PAGES 100

static void check_marks(const struct sink_result *result)
{
	size_t last = 0;

	for (size_t i = 0; i < result->marks.n_blocks; i++) {
		const struct mark *mark = &result->marks.blocks[i];

		REQUIRE(mark->start >= last && mark->start < mark->end && mark->end <= result->n);
		REQUIRE(text_is_utf8(result->text + mark->start, mark->end - mark->start));
		last = mark->end;
	}
	last = 0;
	for (size_t i = 0; i < result->marks.n_places; i++) {
		REQUIRE(result->marks.places[i].start >= last);
		last = result->marks.places[i].start;
	}
}

static void take(void *user, const char *bytes, size_t n)
{
	buf_append(user, bytes, n);
}

/* out: of the sink; NULL: it has no outlet. */
static int parse(const struct format *format, const struct format_input *input, struct buf *out,
                 struct sink_result *ret)
{
	const struct sink_outlet outlet = { take, out, 1 };
	struct sink *sink;
	struct err err = { "" };
	int r;

	REQUIRE(sink_new(MAX_TEXT_BYTES, &sink, &err) == 0);
	sink_set_outlet(sink, out == NULL ? NULL : &outlet);
	r = format->parse(input, sink, &err);
	REQUIRE(r == 0 || err.text[0] != '\0');
	if (r == 0 || sink_is_full(sink))
		REQUIRE(sink_take(sink, ret, &err) == 0);
	sink_free(sink);
	return r;
}

static void check_same(const struct sink_result *a, const struct sink_result *b)
{
	REQUIRE(a->marks.n_blocks == b->marks.n_blocks && a->marks.n_places == b->marks.n_places);
	for (size_t i = 0; i < a->marks.n_blocks; i++)
		REQUIRE(a->marks.blocks[i].start == b->marks.blocks[i].start &&
		        a->marks.blocks[i].end == b->marks.blocks[i].end);
}

void parser_check(const struct format *format, const char *name, const uint8_t *bytes, size_t n)
{
	char *copy = copy_bytes(bytes, n);
	const struct format_input input = { .bytes = copy,
		                            .n = n,
		                            .name = name,
		                            .max_bytes = MAX_TEXT_BYTES,
		                            .max_members = MAX_MEMBERS,
		                            .max_pages = MAX_PAGES,
		                            .max_depth = MAX_DEPTH };
	struct sink_result first = { 0 }, second = { 0 };
	struct buf out = { 0 };

	format->is(&input);
	REQUIRE(parse(format, &input, NULL, &first) == parse(format, &input, &out, &second));
	buf_append(&out, second.text, second.n);
	REQUIRE(first.n <= MAX_TEXT_BYTES);
	if (first.text != NULL) {
		REQUIRE(first.n == out.n && memcmp(first.text, out.data, first.n) == 0);
		REQUIRE(memchr(first.text, '\0', first.n) == NULL && text_is_utf8(first.text, first.n));
		check_same(&first, &second);
	}
	check_marks(&first);
	sink_result_done(&first);
	sink_result_done(&second);
	buf_done(&out);
	free(copy);
}
