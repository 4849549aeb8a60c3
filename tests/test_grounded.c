/* Grounded decoding over made vocabularies: whatever the model prefers, the answer is words of the source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "model/grounded.h"
#include "model/sampler.h"
#include "model/token_trie.h"
#include "model/tokenizer.h"

#define MAX_TOKENS 320

struct vocabulary {
	struct tokenizer *tokenizer;
	struct token_trie *trie;
	uint32_t eos;
};

struct fixture {
	struct vocabulary bytes; /* every byte, and longer tokens that lie across all sorts of places */
	struct vocabulary
		sparse; /* a, ab, c, b + line feed, d + line feed: some ways through a span are dead ends */
};

static const char *const LONG_TOKENS[] = {
	"He",       "He ",   " left",   " left.",     ".\n",      " left.\n", "\n\n",
	"\nThe",    "\nH",   "The",     " Then",      " Then he", "e",        "x\ny",
	"\xc3",     "\xa9 ", "caf\xc3", "\xe6\xbc",   "\xa2.",    "\xb0\x9f", "caf\u00e9",
	"\u00e9\n", " and",  " and ",   "and so on",  "aa",       "aaa",      "aaaa",
	"aa\n",     "b.",    ". ",      "The man sa", "w",
};

static const char *const SPARSE_TOKENS[] = { "a", "ab", "c", "b\n", "d\n", "bcc" };

/* GPT-2's alphabet, written down once more. */
static void put_byte(struct buf *json, unsigned byte)
{
	unsigned letter = byte, n_before = 0;

	if (byte < 0x21 || (byte > 0x7e && byte < 0xa1) || byte == 0xad) {
		n_before = byte < 0x21 ? byte : byte < 0xa1 ? byte - 0x7f + 0x21 : 0x43;
		letter = 0x100 + n_before;
	}
	buf_printf(json, "\\u%04x", letter);
}

static void put_token(struct buf *json, const char *bytes, size_t n, uint32_t id)
{
	buf_puts(json, id == 0 ? "\"" : ",\"");
	for (size_t i = 0; i < n; i++)
		put_byte(json, (unsigned char)bytes[i]);
	buf_printf(json, "\":%u", id);
}

static void open_vocabulary(struct vocabulary *vocabulary, unsigned n_bytes, const char *const *tokens,
                            size_t n_tokens)
{
	char folder[] = "/tmp/test_grounded.XXXXXX", path[64];
	struct buf json = { 0 };
	struct err err;
	uint32_t id = 0;

	buf_puts(&json, "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{");
	for (unsigned byte = 0; byte < n_bytes; byte++)
		put_token(&json, &(char){ (char)byte }, 1, id++);
	for (size_t i = 0; i < n_tokens; i++) {
		if (n_bytes == 0 || strlen(tokens[i]) > 1)
			put_token(&json, tokens[i], strlen(tokens[i]), id++);
	}
	buf_printf(&json, "}},\"added_tokens\":[{\"id\":%u,\"content\":\"<end>\"}]}", id);
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/tokenizer.json", folder);
	assert_int_equal(file_replace(path, json.data, json.n, 0600, NULL), 0);
	if (tokenizer_open(path, &vocabulary->tokenizer, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(token_trie_new(vocabulary->tokenizer, &vocabulary->trie, NULL), 0);
	vocabulary->eos = id;
	buf_done(&json);
}

static int setup(void **state)
{
	static struct fixture fixture;

	open_vocabulary(&fixture.bytes, 256, LONG_TOKENS, sizeof(LONG_TOKENS) / sizeof(LONG_TOKENS[0]));
	open_vocabulary(&fixture.sparse, 0, SPARSE_TOKENS, sizeof(SPARSE_TOKENS) / sizeof(SPARSE_TOKENS[0]));
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	token_trie_free(fixture->bytes.trie);
	token_trie_free(fixture->sparse.trie);
	tokenizer_close(fixture->bytes.tokenizer);
	tokenizer_close(fixture->sparse.tokenizer);
	return 0;
}

static uint64_t draw(uint64_t *state)
{
	*state = *state * 6364136223846793005 + 1442695040888963407;
	return *state >> 33;
}

/* TOKEN_TRIE_NONE: no token is exactly these bytes. */
static uint32_t find_token(const struct vocabulary *vocabulary, const char *bytes, size_t n)
{
	for (uint32_t id = 0; id < vocabulary->eos; id++) {
		size_t n_own = 0;
		const char *own = tokenizer_bytes(vocabulary->tokenizer, id, &n_own);

		if (n_own == n && memcmp(own, bytes, n) == 0)
			return id;
	}
	return TOKEN_TRIE_NONE;
}

static uint32_t token_of(const struct vocabulary *vocabulary, const char *bytes)
{
	uint32_t id = find_token(vocabulary, bytes, strlen(bytes));

	assert_true(id != TOKEN_TRIE_NONE);
	return id;
}

#define MAX_SPANS 16

static size_t make_spans(const char *const *texts, struct grounded_span *ret)
{
	size_t n = 0;

	for (; texts[n] != NULL; n++)
		ret[n] = (struct grounded_span){ texts[n], strlen(texts[n]) };
	return n;
}

static struct grounded *start(const struct vocabulary *vocabulary, const char *const *texts)
{
	struct grounded_span spans[MAX_SPANS];
	size_t n = make_spans(texts, spans);
	struct grounded *grounded = NULL;
	struct err err;

	if (grounded_new(vocabulary->trie, spans, n, vocabulary->eos, &grounded, &err) < 0)
		fail_msg("%s", err.text);
	return grounded;
}

static bool allows(const struct grounded *grounded, uint32_t id)
{
	const uint32_t *ids;
	size_t n;

	grounded_allowed(grounded, &ids, &n);
	for (size_t i = 0; i < n; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

static void assert_allows_only(const struct grounded *grounded, const struct vocabulary *vocabulary,
                               const char *const *tokens, bool eos)
{
	const uint32_t *ids;
	size_t n, n_expected = eos;

	for (; *tokens != NULL; tokens++, n_expected++)
		assert_true(allows(grounded, token_of(vocabulary, *tokens)));
	assert_int_equal(allows(grounded, vocabulary->eos), eos);
	grounded_allowed(grounded, &ids, &n);
	assert_int_equal(n, n_expected);
}

#define ALLOWS_ONLY(grounded, vocabulary, eos, ...) \
	assert_allows_only(grounded, vocabulary, (const char *const[]){ __VA_ARGS__, NULL }, eos)

static void write_tokens(struct grounded *grounded, const struct vocabulary *vocabulary,
                         const char *const *tokens)
{
	for (; *tokens != NULL; tokens++)
		assert_int_equal(grounded_accept(grounded, token_of(vocabulary, *tokens), -1), 0);
}

#define WRITE(grounded, vocabulary, ...) \
	write_tokens(grounded, vocabulary, (const char *const[]){ __VA_ARGS__, NULL })

static void end_at(struct grounded *grounded, const struct vocabulary *vocabulary, size_t span,
                   size_t start_at, size_t n)
{
	struct grounded_result result;

	assert_false(grounded_result(grounded, &result));
	assert_int_equal(grounded_accept(grounded, vocabulary->eos, -1), 0);
	assert_true(grounded_done(grounded));
	assert_true(grounded_result(grounded, &result));
	assert_int_equal(result.span, span);
	assert_int_equal(result.start, start_at);
	assert_int_equal(result.n, n);
}

/* The source of the random walks: prefixes of one another, equals, characters of several bytes, repetitions, signs, and
 * blanks where none may end. */
static const char *const SOURCE[] = {
	"He left.",
	"He left. Then he came back.",
	"The man saw caf\u00e9 and so on",
	"He left.",
	"",
	"\u6f22\u5b57\u6f22.",
	"\U0001f600\U0001f601 ",
	"aaaa (aaa) aa",
	"He left. ... Then he said $5 ",
	"  ",
	"two\nlines",
	"b.b.b. b.",
	NULL,
};

static bool is_letter(char byte)
{
	return isalnum((unsigned char)byte) || (byte & 0x80) != 0;
}

static bool is_blank(const char *at)
{
	return *at == ' ' || *at == '\n';
}

/* Whether words may end in front of a byte of a text, by the definition. */
static bool ends_at(const char *text, const char *at)
{
	return at > text && !is_blank(at - 1) && (*at == '\0' || !is_letter(at[-1]) || !is_letter(*at));
}

/* Whether words may begin there: at a word, or at the first of signs. */
static bool begins_at(const char *text, const char *at)
{
	bool first = at == text || is_blank(at - 1);

	return *at != '\0' && !is_blank(at) && (first || (is_letter(*at) && !is_letter(at[-1])));
}

/* Whether text[n] is how an answer may begin: it stands where words begin, and they end with it or later. */
static bool may_begin(const char *text, size_t n, bool whole)
{
	for (size_t i = 0; SOURCE[i] != NULL; i++) {
		for (const char *at = SOURCE[i]; *at != '\0'; at++) {
			const char *end = at + n;

			if (!begins_at(SOURCE[i], at) || strncmp(at, text, n) != 0)
				continue;
			while (!whole && *end != '\0' && !(end > at && ends_at(at, end)))
				end++;
			if (ends_at(at, end))
				return true;
		}
	}
	return false;
}

/* Every token of the vocabulary is held against the definition. */
static void assert_allowed_by_definition(const struct grounded *grounded, const struct vocabulary *vocabulary,
                                         const struct buf *text)
{
	const uint32_t *ids;
	size_t n_ids, n, n_expected = 0;

	grounded_allowed(grounded, &ids, &n_ids);
	for (uint32_t id = 0; id < vocabulary->eos; id++) {
		const char *bytes = tokenizer_bytes(vocabulary->tokenizer, id, &n);
		struct buf longer = { 0 };

		buf_append(&longer, text->data, text->n);
		buf_append(&longer, bytes, n);
		if (memchr(bytes, '\0', n) == NULL && may_begin(longer.data, longer.n, false)) {
			assert_in_range(n_expected, 0, n_ids - 1);
			assert_int_equal(ids[n_expected++], id);
		}
		buf_done(&longer);
	}
	if (text->n > 0 && may_begin(text->data, text->n, true)) {
		assert_in_range(n_expected, 0, n_ids - 1);
		assert_int_equal(ids[n_expected++], vocabulary->eos);
	}
	assert_int_equal(n_expected, n_ids);
}

static void assert_text_is_the_answer(const struct grounded *grounded, const char *const *texts,
                                      const struct buf *text, size_t n_tokens, double log_probability)
{
	struct grounded_result result;

	assert_true(grounded_result(grounded, &result));
	assert_int_equal(result.n, text->n);
	assert_in_range(result.start + result.n, 1, strlen(texts[result.span]));
	assert_memory_equal(texts[result.span] + result.start, text->data, text->n);
	assert_int_equal(result.n_tokens, n_tokens);
	assert_true(fabs(result.log_probability - log_probability) < 1e-6);
}

/* Answer by random logits, check_all: each step against the definition; returns how long the answer is. */
static size_t walk(const struct vocabulary *vocabulary, const char *const *texts, bool check_all,
                   uint64_t *seed)
{
	struct grounded *grounded = start(vocabulary, texts);
	float logits[MAX_TOKENS];
	struct buf text = { 0 };
	double sum = 0;
	size_t n_tokens = 0, n_text;

	while (!grounded_done(grounded)) {
		const uint32_t *ids;
		size_t n_ids;
		uint32_t id;

		if (check_all)
			assert_allowed_by_definition(grounded, vocabulary, &text);
		grounded_allowed(grounded, &ids, &n_ids);
		assert_in_range(n_ids, 1, vocabulary->eos + 1);
		for (uint32_t i = 0; i <= vocabulary->eos; i++)
			logits[i] = (float)(draw(seed) % 1000) / 100 - (i == vocabulary->eos ? 9 : 0);
		id = sampler_greedy_among(logits, ids, n_ids);
		sum += (double)logits[id];
		n_tokens++;
		tokenizer_decode(vocabulary->tokenizer, &id, 1, &text, NULL);
		assert_int_equal(grounded_accept(grounded, id, (double)logits[id]), 0);
		assert_in_range(n_tokens, 0, 1000);
	}
	assert_text_is_the_answer(grounded, texts, &text, n_tokens, sum);
	n_text = text.n;
	buf_done(&text);
	grounded_free(grounded);
	return n_text;
}

static void any_logits_give_words_of_the_source(void **state)
{
	const struct fixture *fixture = *state;
	size_t longest = 0;
	uint64_t seed = 1;

	for (unsigned i = 0; i < 1000; i++) {
		size_t n = walk(&fixture->bytes, SOURCE, i % 16 == 0, &seed);

		longest = n > longest ? n : longest;
	}
	assert_in_range(longest, 20, 40);
}

static void a_sparse_vocabulary_leads_into_no_dead_end(void **state)
{
	static const char *const TEXTS[] = {
		"abc", "aab", "abcca", "abccd", "abd", "acab", "aabcc", "x", NULL
	};
	const struct fixture *fixture = *state;
	uint64_t seed = 2;

	for (unsigned i = 0; i < 1000; i++)
		walk(&fixture->sparse, TEXTS, false, &seed);
}

static void tokens_after_which_words_cannot_be_spelled_are_not_allowed(void **state)
{
	const struct vocabulary *sparse = &((const struct fixture *)*state)->sparse;
	struct grounded *grounded = start(sparse, (const char *const[]){ "abc", "abd", "acd", NULL });

	ALLOWS_ONLY(grounded, sparse, false, "ab"); /* "a" would leave "bc", and there is no d */
	WRITE(grounded, sparse, "ab", "c");
	ALLOWS_ONLY(grounded, sparse, true, NULL);
	grounded_free(grounded);
}

static void the_first_of_equal_words_is_quoted(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	struct grounded *grounded =
		start(bytes, (const char *const[]){ "He left. Then", "He left.", "He left. Then", NULL });

	WRITE(grounded, bytes, "He", " left.", " Then");
	ALLOWS_ONLY(grounded, bytes, true, NULL);
	end_at(grounded, bytes, 0, 0, 13);
	grounded_free(grounded);
}

static void characters_may_be_split_over_tokens(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	static const char *const TEXTS[] = { "caf\u00e9 and", "caf\u00e8", "\u6f22.", NULL };
	struct grounded *grounded = start(bytes, TEXTS);

	WRITE(grounded, bytes, "caf\xc3");
	ALLOWS_ONLY(grounded, bytes, false, "\xa8", "\xa9", "\xa9 ");
	WRITE(grounded, bytes, "\xa9 ", "a", "n", "d");
	end_at(grounded, bytes, 0, 0, 9);
	grounded_free(grounded);

	grounded = start(bytes, TEXTS);
	WRITE(grounded, bytes, "\xe6\xbc");
	ALLOWS_ONLY(grounded, bytes, false, "\xa2", "\xa2.");
	WRITE(grounded, bytes, "\xa2");
	ALLOWS_ONLY(grounded, bytes, true, ".");
	grounded_free(grounded);
}

static void every_token_counts(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	struct grounded *grounded = start(bytes, (const char *const[]){ "He left.", NULL });
	struct grounded_result result;

	assert_int_equal(grounded_accept(grounded, token_of(bytes, "He"), -1), 0);
	assert_int_equal(grounded_accept(grounded, token_of(bytes, " left."), -2), 0);
	assert_int_equal(grounded_accept(grounded, bytes->eos, -4), 0);
	assert_true(grounded_result(grounded, &result));
	assert_int_equal(result.n_tokens, 3);
	assert_true(result.log_probability == -7.0);
	grounded_free(grounded);
}

static void a_token_that_is_not_allowed_changes_nothing(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	struct grounded *grounded = start(bytes, (const char *const[]){ "He left.", "w", NULL });
	const uint32_t *ids;
	size_t n;

	assert_int_equal(grounded_accept(grounded, bytes->eos, 0), -EINVAL);
	assert_int_equal(grounded_accept(grounded, token_of(bytes, "The"), 0), -EINVAL);
	assert_int_equal(grounded_accept(grounded, UINT32_MAX, 0), -EINVAL);
	ALLOWS_ONLY(grounded, bytes, false, "H", "He", "He ", "l", "w");
	WRITE(grounded, bytes, "w");
	end_at(grounded, bytes, 1, 0, 1);
	grounded_allowed(grounded, &ids, &n);
	assert_int_equal(n, 0);
	assert_int_equal(grounded_accept(grounded, bytes->eos, 0), -EINVAL);
	grounded_free(grounded);
}

static void what_cannot_be_quoted_is_an_error_if_there_is_nothing_else(void **state)
{
	const struct fixture *fixture = *state;
	static const struct grounded_span SPANS[] = { { "", 0 }, { "  \n ", 4 }, { "xy (zz", 6 } };
	const struct vocabulary *sparse = &fixture->sparse;
	struct grounded *grounded;
	struct err err;

	assert_int_equal(grounded_new(sparse->trie, SPANS, 3, sparse->eos, &grounded, &err), -ENOENT);
	assert_string_equal(err.text, "none of 3 spans can be quoted");
	assert_int_equal(grounded_new(sparse->trie, SPANS, 0, sparse->eos, &grounded, &err), -ENOENT);
	assert_int_equal(grounded_new(sparse->trie, SPANS, 3, 0, &grounded, &err), -EINVAL);
	assert_string_equal(err.text, "token 0 cannot end an answer");
	assert_int_equal(grounded_new(sparse->trie, SPANS, 3, UINT32_MAX, &grounded, &err), -EINVAL);
	grounded_free(NULL);
}

static void an_answer_begins_and_ends_with_a_word(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	struct grounded *grounded = start(bytes, (const char *const[]){ "He left.", NULL });

	ALLOWS_ONLY(grounded, bytes, false, "H", "He", "He ", "l");
	WRITE(grounded, bytes, "He");
	ALLOWS_ONLY(grounded, bytes, true, " ", " left", " left.");
	WRITE(grounded, bytes, " ");
	ALLOWS_ONLY(grounded, bytes, false, "l");
	WRITE(grounded, bytes, "l", "e");
	ALLOWS_ONLY(grounded, bytes, false, "f");
	WRITE(grounded, bytes, "f", "t");
	ALLOWS_ONLY(grounded, bytes, true, ".");
	end_at(grounded, bytes, 0, 0, 7);
	grounded_free(grounded);
}

static void an_answer_may_stand_in_the_middle_and_in_any_span(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	struct grounded *grounded =
		start(bytes, (const char *const[]){ "He left.", "Then he left and so on.", NULL });

	WRITE(grounded, bytes, "l", "e", "f", "t", " and ");
	ALLOWS_ONLY(grounded, bytes, false, "s");
	WRITE(grounded, bytes, "s", "o");
	end_at(grounded, bytes, 1, 8, 11);
	grounded_free(grounded);
}

static void blanks_at_the_end_of_a_span_lead_nowhere(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	struct grounded *grounded = start(bytes, (const char *const[]){ "a He ", NULL });

	WRITE(grounded, bytes, "He");
	ALLOWS_ONLY(grounded, bytes, true, NULL);
	grounded_free(grounded);
}

static void words_that_cannot_be_spelled_are_left_out(void **state)
{
	const struct vocabulary *sparse = &((const struct fixture *)*state)->sparse;
	struct grounded *grounded = start(sparse, (const char *const[]){ "xc ab", "(xc", NULL });

	ALLOWS_ONLY(grounded, sparse, false, "ab");
	grounded_free(grounded);
}

static void the_trie_names_every_token_that_begins_a_text(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	static const char TEXT[] = "He left.\n aaaa caf\u00e9 and so on \u6f22.";

	for (size_t from = 0; from < sizeof(TEXT) - 1; from++) {
		uint32_t node = TOKEN_TRIE_ROOT;

		for (size_t n = 1; from + n < sizeof(TEXT); n++) {
			if (node != TOKEN_TRIE_NONE)
				node = token_trie_step(bytes->trie, node, TEXT[from + n - 1]);
			assert_int_equal(node == TOKEN_TRIE_NONE ? TOKEN_TRIE_NONE
			                                         : token_trie_token(bytes->trie, node),
			                 find_token(bytes, TEXT + from, n));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_trie_names_every_token_that_begins_a_text),
		cmocka_unit_test(any_logits_give_words_of_the_source),
		cmocka_unit_test(a_sparse_vocabulary_leads_into_no_dead_end),
		cmocka_unit_test(tokens_after_which_words_cannot_be_spelled_are_not_allowed),
		cmocka_unit_test(the_first_of_equal_words_is_quoted),
		cmocka_unit_test(characters_may_be_split_over_tokens),
		cmocka_unit_test(every_token_counts),
		cmocka_unit_test(a_token_that_is_not_allowed_changes_nothing),
		cmocka_unit_test(what_cannot_be_quoted_is_an_error_if_there_is_nothing_else),
		cmocka_unit_test(an_answer_begins_and_ends_with_a_word),
		cmocka_unit_test(an_answer_may_stand_in_the_middle_and_in_any_span),
		cmocka_unit_test(blanks_at_the_end_of_a_span_lead_nowhere),
		cmocka_unit_test(words_that_cannot_be_spelled_are_left_out),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
