/* Grounded decoding over any spans with any choices: the answer is words of a span, and the tokens that were accepted spell
 * it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "fuzz/target.h"
#include "model/grounded.h"
#include "model/token_trie.h"
#include "model/tokenizer.h"

#define MAX_SPANS 32
#define MAX_TOKENS 4096

static struct {
	struct tokenizer *tokenizer;
	struct token_trie *trie;
	uint32_t eos;
} vocabulary;

static void open_vocabulary(void)
{
	struct err err = { "" };
	char path[PATH_MAX];
	size_t n;
	uint8_t *file = source_file("tests/data/tiny/tokenizer.json", &n);

	scratch_write("tokenizer.json", file, n);
	scratch_path("tokenizer.json", path);
	free(file);
	REQUIRE(tokenizer_open(path, &vocabulary.tokenizer, &err) == 0);
	REQUIRE(token_trie_new(vocabulary.tokenizer, &vocabulary.trie, &err) == 0);
	REQUIRE(tokenizer_special(vocabulary.tokenizer, "<｜end▁of▁sentence｜>", &vocabulary.eos) == 0);
}

/* Spans are what stands between NULs. */
static size_t make_spans(const char *text, size_t n, struct grounded_span *ret)
{
	size_t n_spans = 0, at = 0;

	while (at < n && n_spans < MAX_SPANS) {
		size_t length = strnlen(text + at, n - at);

		ret[n_spans++] = (struct grounded_span){ text + at, length };
		at += length + 1;
	}
	return n_spans;
}

static void append_bytes(struct buf *answer, uint32_t id)
{
	size_t n = 0;
	const char *bytes = tokenizer_bytes(vocabulary.tokenizer, id, &n);

	if (bytes != NULL)
		buf_append(answer, bytes, n);
}

static void decode(struct grounded *grounded, uint64_t choices, struct buf *answer)
{
	for (size_t i = 0; !grounded_done(grounded); i++) {
		const uint32_t *ids;
		size_t n;
		uint32_t id;

		grounded_allowed(grounded, &ids, &n);
		REQUIRE(n > 0 && i < MAX_TOKENS * MAX_SPANS);
		for (size_t j = 1; j < n; j++)
			REQUIRE(ids[j] > ids[j - 1]);
		choices = choices * 6364136223846793005u + 1442695040888963407u;
		id = ids[(choices >> 33) % n];
		REQUIRE(grounded_accept(grounded, id, -0.5) == 0);
		append_bytes(answer, id);
	}
}

static void check_answer(const struct grounded *grounded, const struct grounded_span *spans, size_t n_spans,
                         const struct buf *answer)
{
	struct grounded_result result;

	REQUIRE(grounded_result(grounded, &result));
	REQUIRE(result.span < n_spans && result.n_tokens > 0 && result.n > 0);
	REQUIRE(result.start <= spans[result.span].n && result.n <= spans[result.span].n - result.start);
	REQUIRE(answer->n == result.n &&
	        memcmp(answer->data, spans[result.span].bytes + result.start, result.n) == 0);
	REQUIRE(strchr(" \t\n\v\f\r", answer->data[0]) == NULL);
	REQUIRE(strchr(" \t\n\v\f\r", answer->data[answer->n - 1]) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct input input = { bytes, n };
	uint64_t choices = input_u32(&input);
	struct grounded_span spans[MAX_SPANS];
	struct buf answer = { 0 };
	struct grounded *grounded;
	size_t n_spans;
	char *text;
	int r;

	if (vocabulary.tokenizer == NULL)
		open_vocabulary();
	if (input.n > MAX_TOKENS)
		input.n = MAX_TOKENS;
	text = copy_bytes(input.bytes, input.n);
	n_spans = make_spans(text, input.n, spans);
	r = grounded_new(vocabulary.trie, spans, n_spans, vocabulary.eos, &grounded, NULL);
	REQUIRE(r == 0 || r == -ENOENT);
	if (r == 0) {
		decode(grounded, choices, &answer);
		check_answer(grounded, spans, n_spans, &answer);
		grounded_free(grounded);
	}
	buf_done(&answer);
	free(text);
	return 0;
}
