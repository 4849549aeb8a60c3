/* Grounded decoding over made vocabularies: whatever the model prefers, the answer is whole spans of the source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
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

static uint32_t token_of(const struct vocabulary *vocabulary, const char *bytes)
{
	for (uint32_t id = 0; id < vocabulary->eos; id++) {
		size_t n = 0;
		const char *own = tokenizer_bytes(vocabulary->tokenizer, id, &n);

		if (n == strlen(bytes) && memcmp(own, bytes, n) == 0)
			return id;
	}
	fail_msg("no token '%s'", bytes);
	return 0;
}

#define MAX_SPANS 16

static size_t make_spans(const char *const *texts, struct grounded_span *ret)
{
	size_t n = 0;

	for (; texts[n] != NULL; n++)
		ret[n] = (struct grounded_span){ texts[n], strlen(texts[n]) };
	return n;
}

static struct grounded *start_with(const struct vocabulary *vocabulary, const char *const *texts,
                                   size_t max_spans, size_t min_spans)
{
	const struct grounded_settings settings = { .eos = vocabulary->eos,
		                                    .max_spans = max_spans,
		                                    .min_spans = min_spans };
	struct grounded_span spans[MAX_SPANS];
	size_t n = make_spans(texts, spans);
	struct grounded *grounded = NULL;
	struct err err;

	if (grounded_new(vocabulary->trie, spans, n, &settings, &grounded, &err) < 0)
		fail_msg("%s", err.text);
	return grounded;
}

static struct grounded *start(const struct vocabulary *vocabulary, const char *const *texts, size_t max_spans)
{
	return start_with(vocabulary, texts, max_spans, 0);
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

static void assert_answer(const struct grounded *grounded, const size_t *spans, size_t n)
{
	const struct grounded_result *results;
	size_t n_results;

	assert_true(grounded_done(grounded));
	grounded_results(grounded, &results, &n_results);
	assert_int_equal(n_results, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(results[i].span, spans[i]);
}

/* The source of the random walks: prefixes of one another, equals, characters of several bytes, repetitions. */
static const char *const SOURCE[] = {
	"He left.",
	"He left. Then he came back.",
	"The man saw caf\u00e9 and so on",
	"He left.",
	"",
	"\u6f22\u5b57\u6f22.",
	"\U0001f600\U0001f601",
	"aaaa",
	"aaaaaaaa",
	"He left. Then he ca",
	"two\nlines",
	"b.b.b. b.",
	"caf\u00e9",
	NULL,
};
static const size_t N_USABLE = 10;

/* Whether text is how an answer may begin, by its definition: whole spans, each once, and the start of another. */
static bool may_begin(const char *text, size_t n, size_t max_spans)
{
	bool used[MAX_SPANS] = { false };
	size_t n_lines = 0, n_line, i;

	for (const char *line = text, *end = text + n; n_lines < max_spans; line += n_line + 1, n_lines++) {
		const char *feed = memchr(line, '\n', (size_t)(end - line));

		n_line = (size_t)((feed == NULL ? end : feed) - line);
		for (i = 0; SOURCE[i] != NULL; i++) {
			bool usable =
				!used[i] && i != 3 && *SOURCE[i] != '\0' && strchr(SOURCE[i], '\n') == NULL;

			if (usable && n_line <= strlen(SOURCE[i]) && memcmp(SOURCE[i], line, n_line) == 0 &&
			    (feed == NULL || n_line == strlen(SOURCE[i])))
				break;
		}
		if (SOURCE[i] == NULL || feed == NULL)
			return SOURCE[i] != NULL;
		used[i] = true;
	}
	return false;
}

/* Every token of the vocabulary is held against the definition. */
static void assert_allowed_by_definition(const struct grounded *grounded, const struct vocabulary *vocabulary,
                                         const struct buf *text, size_t max_spans)
{
	const uint32_t *ids;
	size_t n_ids, n, n_expected = 0;

	grounded_allowed(grounded, &ids, &n_ids);
	for (uint32_t id = 0; id < vocabulary->eos; id++) {
		const char *bytes = tokenizer_bytes(vocabulary->tokenizer, id, &n),
			   *feed = memchr(bytes, '\n', n);
		struct buf longer = { 0 };

		buf_append(&longer, text->data, text->n);
		buf_append(&longer, bytes, n);
		if (may_begin(longer.data, longer.n, max_spans) && (feed == NULL || feed == bytes + n - 1)) {
			assert_in_range(n_expected, 0, n_ids - 1);
			assert_int_equal(ids[n_expected++], id);
		}
		buf_done(&longer);
	}
	if (n_expected < n_ids)
		assert_int_equal(ids[n_expected++], vocabulary->eos);
	assert_int_equal(n_expected, n_ids);
}

static void assert_text_is_the_answer(const struct grounded *grounded, const char *const *texts,
                                      const struct buf *text, size_t max_spans, size_t n_tokens,
                                      double log_probability)
{
	const struct grounded_result *results;
	bool used[MAX_SPANS] = { false };
	struct buf expected = { 0 };
	size_t n;

	grounded_results(grounded, &results, &n);
	assert_in_range(n, 1, max_spans);
	for (size_t i = 0; i < n; i++) {
		assert_false(used[results[i].span]);
		used[results[i].span] = true;
		buf_printf(&expected, i == 0 ? "%s" : "\n%s", texts[results[i].span]);
		n_tokens -= results[i].n_tokens;
		log_probability -= results[i].log_probability;
	}
	assert_int_equal(text->n, expected.n);
	assert_memory_equal(text->data, expected.data, expected.n);
	assert_int_equal(n_tokens, 0);
	assert_true(fabs(log_probability) < 1e-6);
	buf_done(&expected);
}

/* Answer by random logits, check_all: each step against the definition; returns how many spans the answer has. */
static size_t walk(const struct vocabulary *vocabulary, const char *const *texts, size_t max_spans,
                   bool check_all, uint64_t *seed)
{
	struct grounded *grounded = start(vocabulary, texts, max_spans);
	const struct grounded_result *results;
	float logits[MAX_TOKENS];
	struct buf text = { 0 };
	double sum = 0;
	size_t n_tokens = 0, n_results;

	while (!grounded_done(grounded)) {
		const uint32_t *ids;
		size_t n_ids;
		uint32_t id;

		if (check_all)
			assert_allowed_by_definition(grounded, vocabulary, &text, max_spans);
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
	assert_text_is_the_answer(grounded, texts, &text, max_spans, n_tokens, sum);
	grounded_results(grounded, &results, &n_results);
	buf_done(&text);
	grounded_free(grounded);
	return n_results;
}

static void any_logits_give_whole_spans_each_once(void **state)
{
	const struct fixture *fixture = *state;
	size_t n_seen[MAX_SPANS + 1] = { 0 };
	uint64_t seed = 1;

	for (unsigned i = 0; i < 1000; i++)
		n_seen[walk(&fixture->bytes, SOURCE, 1 + i % 12, i % 16 == 0, &seed)]++;
	for (size_t n = 1; n <= N_USABLE; n++)
		assert_in_range(n_seen[n], 1, 1000);
}

static void a_sparse_vocabulary_leads_into_no_dead_end(void **state)
{
	static const char *const TEXTS[] = {
		"abc", "aab", "abcca", "abccd", "abd", "acab", "aabcc", "x", NULL
	};
	const struct fixture *fixture = *state;
	uint64_t seed = 2;

	for (unsigned i = 0; i < 1000; i++)
		walk(&fixture->sparse, TEXTS, 1 + i % 5, false, &seed);
}

static void tokens_after_which_a_span_cannot_be_spelled_are_not_allowed(void **state)
{
	const struct vocabulary *sparse = &((const struct fixture *)*state)->sparse;
	struct grounded *grounded = start(sparse, (const char *const[]){ "abc", "abd", "acd", NULL }, 2);

	ALLOWS_ONLY(grounded, sparse, false, "ab"); /* "a" would leave "bc", and d ends no span by itself */
	WRITE(grounded, sparse, "ab", "c");
	ALLOWS_ONLY(grounded, sparse, true, NULL); /* neither of the others can be spelled */
	grounded_free(grounded);
}

static void a_span_may_be_the_start_of_another(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	static const char *const TEXTS[] = { "He left. Then he ran", "He left.", "He left. Then", NULL };
	struct grounded *grounded = start(bytes, TEXTS, 3);

	WRITE(grounded, bytes, "He", " left.");
	ALLOWS_ONLY(grounded, bytes, true, "\n", " ", " Then", " Then he");
	WRITE(grounded, bytes, " Then", "\n", "He");
	ALLOWS_ONLY(grounded, bytes, false, " ", " left", " left.", " left.\n");
	WRITE(grounded, bytes, " left.\n", "He ");
	WRITE(grounded, bytes, "l", "e", "f", "t", ".", " Then he", " ", "r", "a", "n");
	ALLOWS_ONLY(grounded, bytes, true, NULL);
	assert_int_equal(grounded_accept(grounded, bytes->eos, -1), 0);
	assert_answer(grounded, (const size_t[]){ 2, 1, 0 }, 3);
	grounded_free(grounded);
}

static void equal_spans_are_the_first_of_them(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	struct grounded *grounded = start(bytes, (const char *const[]){ "b.", "w", "w", "b.", NULL }, 4);

	WRITE(grounded, bytes, "w", "\n");
	ALLOWS_ONLY(grounded, bytes, false, "b", "b.");
	WRITE(grounded, bytes, "b.");
	ALLOWS_ONLY(grounded, bytes, true, NULL);
	assert_int_equal(grounded_accept(grounded, bytes->eos, -1), 0);
	assert_answer(grounded, (const size_t[]){ 1, 0 }, 2);
	grounded_free(grounded);
}

static void the_last_span_allows_no_line_feed(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	static const char *const TEXTS[] = { "He left.", "aa", NULL };
	struct grounded *grounded = start(bytes, TEXTS, 1);

	WRITE(grounded, bytes, "He");
	ALLOWS_ONLY(grounded, bytes, false, " ", " left", " left.");
	grounded_free(grounded);

	grounded = start(bytes, TEXTS, 9);
	WRITE(grounded, bytes, "aa\n", "He");
	ALLOWS_ONLY(grounded, bytes, false, " ", " left", " left.");
	grounded_free(grounded);
}

static void an_answer_cannot_end_before_its_least_spans_unless_they_run_out(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	struct grounded *grounded = start_with(bytes, (const char *const[]){ "w", "b.", "aa", NULL }, 3, 2);

	WRITE(grounded, bytes, "w");
	ALLOWS_ONLY(grounded, bytes, false, "\n");
	WRITE(grounded, bytes, "\n", "b.");
	ALLOWS_ONLY(grounded, bytes, true, "\n");
	grounded_free(grounded);

	grounded = start_with(bytes, (const char *const[]){ "w", NULL }, 3, 2);
	WRITE(grounded, bytes, "w");
	ALLOWS_ONLY(grounded, bytes, true, NULL);
	grounded_free(grounded);
}

static void behind_a_line_feed_a_span_must_begin(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	struct grounded *grounded = start(bytes, (const char *const[]){ "w", "b.", NULL }, 2);

	ALLOWS_ONLY(grounded, bytes, false, "b", "b.", "w");
	WRITE(grounded, bytes, "w", "\n");
	ALLOWS_ONLY(grounded, bytes, false, "b", "b.");
	grounded_free(grounded);
}

static void characters_may_be_split_over_tokens(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	static const char *const TEXTS[] = { "caf\u00e9 and", "caf\u00e8", "\u6f22.", NULL };
	struct grounded *grounded = start(bytes, TEXTS, 3);

	WRITE(grounded, bytes, "caf\xc3");
	ALLOWS_ONLY(grounded, bytes, false, "\xa8", "\xa9", "\xa9 ");
	WRITE(grounded, bytes, "\xa9 ", "a", "n", "d", "\n", "\xe6\xbc");
	ALLOWS_ONLY(grounded, bytes, false, "\xa2", "\xa2.");
	WRITE(grounded, bytes, "\xa2.", "\n", "caf\xc3", "\xa8");
	assert_int_equal(grounded_accept(grounded, bytes->eos, -1), 0);
	assert_answer(grounded, (const size_t[]){ 0, 2, 1 }, 3);
	grounded_free(grounded);
}

static void every_token_counts_for_the_span_that_it_writes_or_ends(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	struct grounded *grounded = start(bytes, (const char *const[]){ "He left.", "w", "aa", NULL }, 3);
	static const struct {
		const char *token;
		double log_probability;
	} STEPS[] = { { "He", -1 }, { " left.\n", -2 }, { "w", -4 }, { "\n", -8 }, { "aa", -16 } };
	const struct grounded_result *results;
	size_t n;

	for (size_t i = 0; i < 5; i++)
		assert_int_equal(
			grounded_accept(grounded, token_of(bytes, STEPS[i].token), STEPS[i].log_probability),
			0);
	grounded_results(grounded, &results, &n);
	assert_int_equal(n, 2);
	assert_int_equal(grounded_accept(grounded, bytes->eos, -32), 0);
	assert_answer(grounded, (const size_t[]){ 0, 1, 2 }, 3);
	grounded_results(grounded, &results, &n);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(results[i].n_tokens, 2);
		assert_true(results[i].log_probability == -3.0 * (double)(1U << 2 * i));
	}
	grounded_free(grounded);
}

static void a_token_that_is_not_allowed_changes_nothing(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	struct grounded *grounded = start(bytes, (const char *const[]){ "He left.", "w", NULL }, 2);
	const uint32_t *ids;
	size_t n;

	assert_int_equal(grounded_accept(grounded, bytes->eos, 0), -EINVAL);
	assert_int_equal(grounded_accept(grounded, token_of(bytes, "The"), 0), -EINVAL);
	assert_int_equal(grounded_accept(grounded, UINT32_MAX, 0), -EINVAL);
	ALLOWS_ONLY(grounded, bytes, false, "H", "He", "He ", "w");
	WRITE(grounded, bytes, "w");
	assert_int_equal(grounded_accept(grounded, bytes->eos, 0), 0);
	grounded_allowed(grounded, &ids, &n);
	assert_int_equal(n, 0);
	assert_int_equal(grounded_accept(grounded, bytes->eos, 0), -EINVAL);
	assert_answer(grounded, (const size_t[]){ 1 }, 1);
	grounded_free(grounded);
}

static void spans_that_cannot_be_quoted_are_an_error_if_there_are_no_others(void **state)
{
	const struct fixture *fixture = *state;
	static const struct grounded_span SPANS[] = { { "", 0 }, { "two\nlines", 9 }, { "x", 1 } };
	struct grounded_settings settings = { .eos = fixture->sparse.eos, .max_spans = 1 };
	struct grounded *grounded;
	struct err err;

	assert_int_equal(grounded_new(fixture->sparse.trie, SPANS, 3, &settings, &grounded, &err), -ENOENT);
	assert_string_equal(err.text, "none of 3 spans can be quoted");
	assert_int_equal(grounded_new(fixture->sparse.trie, SPANS, 0, &settings, &grounded, &err), -ENOENT);
	settings.max_spans = 0;
	assert_int_equal(grounded_new(fixture->sparse.trie, SPANS, 3, &settings, &grounded, &err), -EINVAL);
	assert_string_equal(err.text, "an answer of 0 spans");
	settings = (struct grounded_settings){ .max_spans = 1 };
	assert_int_equal(grounded_new(fixture->sparse.trie, SPANS, 3, &settings, &grounded, &err), -EINVAL);
	assert_string_equal(err.text, "token 0 cannot end an answer");
	grounded_free(NULL);
}

static void put_prefix(void *user, uint32_t id, size_t n_bytes)
{
	buf_printf(user, "%u:%zu ", id, n_bytes);
}

static void the_trie_names_every_token_that_begins_a_text(void **state)
{
	const struct vocabulary *bytes = &((const struct fixture *)*state)->bytes;
	static const char TEXT[] = "He left.\n aaaa caf\u00e9 and so on \u6f22.";

	for (size_t from = 0; from < sizeof(TEXT) - 1; from++) {
		struct buf found = { 0 }, expected = { 0 };
		size_t n_text = sizeof(TEXT) - 1 - from, n_token;

		for (size_t n = 1; n <= n_text; n++) {
			for (uint32_t id = 0; id < bytes->eos; id++) {
				const char *token = tokenizer_bytes(bytes->tokenizer, id, &n_token);

				if (n_token == n && memcmp(token, TEXT + from, n) == 0)
					put_prefix(&expected, id, n);
			}
		}
		token_trie_prefixes(bytes->trie, TEXT + from, n_text, put_prefix, &found);
		assert_string_equal(found.data, expected.data);
		buf_done(&found);
		buf_done(&expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_trie_names_every_token_that_begins_a_text),
		cmocka_unit_test(any_logits_give_whole_spans_each_once),
		cmocka_unit_test(a_sparse_vocabulary_leads_into_no_dead_end),
		cmocka_unit_test(tokens_after_which_a_span_cannot_be_spelled_are_not_allowed),
		cmocka_unit_test(a_span_may_be_the_start_of_another),
		cmocka_unit_test(equal_spans_are_the_first_of_them),
		cmocka_unit_test(the_last_span_allows_no_line_feed),
		cmocka_unit_test(an_answer_cannot_end_before_its_least_spans_unless_they_run_out),
		cmocka_unit_test(behind_a_line_feed_a_span_must_begin),
		cmocka_unit_test(characters_may_be_split_over_tokens),
		cmocka_unit_test(every_token_counts_for_the_span_that_it_writes_or_ends),
		cmocka_unit_test(a_token_that_is_not_allowed_changes_nothing),
		cmocka_unit_test(spans_that_cannot_be_quoted_are_an_error_if_there_are_no_others),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
