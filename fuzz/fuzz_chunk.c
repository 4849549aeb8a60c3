/* Any text cut into chunks, its sentences, and what of it may be quoted: chunks cover the view without a gap, within their
 * limits; sentences cover all that is no white space; a quotation is the source's own bytes at its place. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fuzz/target.h"
#include "pipeline/chunk.h"
#include "pipeline/keys.h"
#include "pipeline/material.h"
#include "pipeline/sentence.h"
#include "pipeline/view.h"

#define MAX_KEYS 8
#define CHARACTER_REST 3 /* bytes by which a cut may move to the start of a character */

static bool is_white(char c)
{
	return isspace((unsigned char)c) != 0;
}

static void check_chunks(const struct view *view, const struct chunk *chunks, size_t n,
                         const struct chunk_limits *limits)
{
	bool utf8 = text_is_utf8(view->text, view->n);
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		REQUIRE(chunks[i].start == at && chunks[i].end > at);
		at = chunks[i].end;
		REQUIRE(at - chunks[i].start <= limits->max_bytes);
		REQUIRE(n == 1 || at - chunks[i].start + CHARACTER_REST >= limits->min_bytes);
		REQUIRE(!utf8 || at == view->n || ((unsigned char)view->text[at] & 0xc0) != 0x80);
	}
	REQUIRE(at == view->n);
}

static void check_sentences(const char *text, size_t start, size_t end)
{
	struct sentence *sentences;
	size_t n, at = start;

	REQUIRE(sentence_find(text, start, end, &sentences, &n) == 0);
	for (size_t i = 0; i < n; i++) {
		REQUIRE(sentences[i].start >= at && sentences[i].end > sentences[i].start);
		for (; at < sentences[i].start; at++)
			REQUIRE(is_white(text[at]));
		at = sentences[i].end;
		REQUIRE(at <= end && !is_white(text[sentences[i].start]) && !is_white(text[at - 1]));
		sentence_worth_quoting(text, sentences[i]);
	}
	for (; at < end; at++)
		REQUIRE(is_white(text[at]));
	free(sentences);
}

static void check_quotes(const struct material *material, const char *source, size_t n)
{
	for (size_t i = 0; i < material->n_spans; i++) {
		const struct evidence *place = &material->places[i];
		size_t start = (size_t)place->byte_start, end = (size_t)place->byte_end;

		REQUIRE(start < end && end <= n);
		REQUIRE(strlen(place->quote) == end - start);
		REQUIRE(memcmp(place->quote, source + start, end - start) == 0);
	}
}

static void check_material(const char *source, size_t n, const struct view *view, const struct chunk *chunk)
{
	struct summary_text text = { source, view };
	struct material material = { 0 };

	struct key_sentence keys[MAX_KEYS];
	size_t n_keys;

	REQUIRE(material_from_chunk(&material, &text, chunk, chunk->start % 2 == 0) == 0);
	check_quotes(&material, source, n);
	REQUIRE(keys_choose(material.spans, material.n_spans, &(struct key_guide){ .title = material.title },
	                    MAX_KEYS, keys, &n_keys) == 0);
	REQUIRE(n_keys <= MAX_KEYS && (n_keys > 0 || material.n_spans == 0));
	for (size_t i = 0; i < n_keys; i++)
		REQUIRE(keys[i].sentence < material.n_spans && keys[i].score >= 0);
	material_done(&material);
}

/* A text that extraction has let through holds no NUL. */
static char *text_of(struct input *input)
{
	char *text = copy_bytes(input->bytes, input->n);

	for (size_t i = 0; i < input->n; i++) {
		if (text[i] == '\0')
			text[i] = ' ';
	}
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct input input = { bytes, n };
	bool markdown = input_u8(&input) % 2 == 1;
	struct chunk_limits limits = { .max_bytes = 16 + input_u8(&input) * 4u };
	struct chunk *chunks;
	struct view view;
	size_t n_chunks;
	char *source;

	limits.min_bytes = 1 + input_u8(&input) % (limits.max_bytes / 2);
	source = text_of(&input);
	REQUIRE(view_make(source, input.n, markdown, &view, NULL) == 0);
	REQUIRE(chunk_make(&view, &limits, &chunks, &n_chunks, NULL) == 0);
	check_chunks(&view, chunks, n_chunks, &limits);
	check_sentences(view.text, 0, view.n);
	for (size_t i = 0; i < n_chunks; i++)
		check_material(source, input.n, &view, &chunks[i]);
	free(chunks);
	view_done(&view);
	free(source);
	return 0;
}
