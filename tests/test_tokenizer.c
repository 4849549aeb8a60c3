/* The tokenizer against the default model's reference ids, a plain second implementation, and hostile files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "model/pretokenizer.h"
#include "model/tokenizer.h"

#define USER "<\uff5cUser\uff5c>"
#define MEGABYTE ((size_t)1000000)

struct fixture {
	struct tokenizer *nano;
	json_t *golden, *pre_tokenizer;
	char folder[32], path[64];
};

static uint64_t draw(uint64_t *state)
{
	*state = *state * 6364136223846793005 + 1442695040888963407;
	return *state >> 33;
}

static json_t *read_nano(const char *name)
{
	const char *srcdir = getenv("srcdir");
	struct buf path = { 0 };
	json_t *json = NULL;
	struct err err;

	buf_printf(&path, "%s/model/nano/%s", srcdir == NULL ? "." : srcdir, name);
	if (json_read_file(path.data, (size_t)16 << 20, &json, &err) < 0)
		fail_msg("%s", err.text);
	buf_done(&path);
	return json;
}

static int setup(void **state)
{
	static struct fixture fixture;
	const char *srcdir = getenv("srcdir");
	struct buf path = { 0 };
	json_t *file = read_nano("tokenizer.json");
	struct err err;

	buf_printf(&path, "%s/model/nano/tokenizer.json", srcdir == NULL ? "." : srcdir);
	if (tokenizer_open(path.data, &fixture.nano, &err) < 0)
		fail_msg("%s", err.text);
	fixture.golden = read_nano("golden.json");
	fixture.pre_tokenizer = json_incref(json_object_get(file, "pre_tokenizer"));
	strncpy(fixture.folder, "/tmp/test_tokenizer.XXXXXX", sizeof(fixture.folder));
	assert_non_null(mkdtemp(fixture.folder));
	snprintf(fixture.path, sizeof(fixture.path), "%s/tokenizer.json", fixture.folder);
	json_decref(file);
	buf_done(&path);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	tokenizer_close(fixture->nano);
	json_decref(fixture->golden);
	json_decref(fixture->pre_tokenizer);
	unlink(fixture->path);
	return rmdir(fixture->folder);
}

static int open_text(const struct fixture *fixture, const char *text, size_t n, struct tokenizer **ret,
                     struct err *err)
{
	FILE *file;

	unlink(fixture->path); /* some file systems flush what is overwritten, which is slow */
	file = fopen(fixture->path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
	return tokenizer_open(fixture->path, ret, err);
}

/* The parts of a small tokenizer.json; NULL stands for the default. */
struct parts {
	const char *model, *vocab, *merges, *added_tokens, *normalizer, *pre_tokenizer, *decoder;
};

#define BYTE_LEVEL "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}"
#define SPLIT(pattern) \
	"{\"type\":\"Split\",\"pattern\":" pattern ",\"behavior\":\"Isolated\",\"invert\":false}"
#define REGEX(regex) SPLIT("{\"Regex\":\"" regex "\"}")
#define SEQUENCE(steps) "{\"type\":\"Sequence\",\"pretokenizers\":[" steps "]}"

static const char *or_default(const char *part, const char *other)
{
	return part == NULL ? other : part;
}

static char *write_file(const struct parts *parts)
{
	struct buf text = { 0 };
	char *string;

	buf_printf(&text, "{\"added_tokens\":%s,\"normalizer\":%s,\"pre_tokenizer\":%s,\"decoder\":%s,",
	           or_default(parts->added_tokens, "[{\"id\":9,\"content\":\"<end>\"}]"),
	           or_default(parts->normalizer, "null"), or_default(parts->pre_tokenizer, BYTE_LEVEL),
	           or_default(parts->decoder, "null"));
	buf_printf(
		&text, "\"model\":{%s,\"vocab\":%s,\"merges\":%s}}",
		or_default(parts->model, "\"type\":\"BPE\""),
		or_default(
			parts->vocab,
			"{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"abc\":4,\"\u0120\":5,\"\u0120a\":6,\"bc\":7}"),
		or_default(parts->merges, "[[\"a\",\"b\"],[\"\u0120\",\"a\"],\"b c\",[\"ab\",\"c\"]]"));
	string = buf_take(&text);
	assert_non_null(string);
	return string;
}

static int open_parts(const struct fixture *fixture, const struct parts *parts, struct tokenizer **ret,
                      struct err *err)
{
	char *text = write_file(parts);
	int r = open_text(fixture, text, strlen(text), ret, err);

	free(text);
	return r;
}

static struct tokenizer *must_open(const struct fixture *fixture, const struct parts *parts)
{
	struct tokenizer *tokenizer = NULL;
	struct err err;

	if (open_parts(fixture, parts, &tokenizer, &err) < 0)
		fail_msg("%s", err.text);
	return tokenizer;
}

/* The ids of a text as words, "3 2", in a buffer that the next call uses again. */
static const char *ids_of(const struct tokenizer *tokenizer, const char *text)
{
	static struct buf words;
	uint32_t *ids;
	size_t n;
	struct err err;

	buf_done(&words);
	if (tokenizer_encode(tokenizer, text, strlen(text), &ids, &n, &err) < 0)
		fail_msg("%s", err.text);
	buf_puts(&words, "");
	for (size_t i = 0; i < n; i++)
		buf_printf(&words, i == 0 ? "%u" : " %u", ids[i]);
	free(ids);
	return words.data;
}

static void assert_comes_back(const struct tokenizer *tokenizer, const char *text, size_t n)
{
	struct buf back = { 0 };
	uint32_t *ids;
	size_t n_ids;
	struct err err;

	if (tokenizer_encode(tokenizer, text, n, &ids, &n_ids, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(tokenizer_decode(tokenizer, ids, n_ids, &back, &err), 0);
	assert_int_equal(back.n, n);
	if (n > 0)
		assert_memory_equal(back.data, text, n);
	buf_done(&back);
	free(ids);
}

static void every_reference_text_has_its_ids(void **state)
{
	const struct fixture *fixture = *state;
	const json_t *cases = json_object_get(fixture->golden, "tokenizer");
	uint32_t *ids;
	size_t n;

	assert_in_range(json_array_size(cases), 20, 1000);
	for (size_t i = 0; i < json_array_size(cases); i++) {
		const json_t *text = json_object_get(json_array_get(cases, i), "text");
		const json_t *expected = json_object_get(json_array_get(cases, i), "ids");

		assert_int_equal(tokenizer_encode(fixture->nano, json_string_value(text),
		                                  json_string_length(text), &ids, &n, NULL),
		                 0);
		assert_int_equal(n, json_array_size(expected));
		for (size_t j = 0; j < n; j++)
			assert_int_equal(ids[j], json_integer_value(json_array_get(expected, j)));
		free(ids);
		assert_comes_back(fixture->nano, json_string_value(text), json_string_length(text));
	}
}

static void special_tokens_are_found_by_content_and_stand_for_no_bytes(void **state)
{
	static const char *const CONTENTS[] = { "<\uff5cbegin\u2581of\u2581sentence\uff5c>",
		                                "<\uff5cend\u2581of\u2581sentence\uff5c>",
		                                "<\uff5c\u2581pad\u2581\uff5c>", USER,
		                                "<\uff5cAssistant\uff5c>" };
	const struct fixture *fixture = *state;
	struct buf text = { 0 };
	uint32_t id;
	size_t n;

	assert_int_equal(tokenizer_n_vocab(fixture->nano), 12288);
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(tokenizer_special(fixture->nano, CONTENTS[i], &id), 0);
		assert_int_equal(id, i);
		assert_null(tokenizer_bytes(fixture->nano, i, &n));
	}
	assert_int_equal(tokenizer_special(fixture->nano, "<think>", &id), -ENOENT);
	assert_null(tokenizer_bytes(fixture->nano, 12288, &n));
	assert_memory_equal(tokenizer_bytes(fixture->nano, 5, &n), "!", 1);
	assert_int_equal(n, 1);
	assert_int_equal(tokenizer_decode(fixture->nano, (uint32_t[]){ 0, 3, 5, 1 }, 4, &text, NULL), 0);
	assert_string_equal(text.data, "!");
	buf_done(&text);
}

static void decoding_refuses_an_id_outside_the_vocabulary(void **state)
{
	const struct fixture *fixture = *state;
	struct buf text = { 0 };
	struct err err;

	assert_int_equal(tokenizer_decode(fixture->nano, &(uint32_t){ 12288 }, 1, &text, &err), -EINVAL);
	assert_string_equal(err.text, "token 12288 is not in the vocabulary of 12288");
	buf_done(&text);
}

static void no_text_spells_a_special_token(void **state)
{
	const struct fixture *fixture = *state;
	struct tokenizer *tokenizer;
	uint32_t *ids;
	size_t n;

	assert_int_equal(tokenizer_encode(fixture->nano, "a" USER "b", strlen("a" USER "b"), &ids, &n, NULL),
	                 0);
	for (size_t i = 0; i < n; i++)
		assert_in_range(ids[i], 5, 12287);
	free(ids);

	/* not even where it is written in the byte alphabet and whole pieces are looked up */
	tokenizer = must_open(fixture, &(struct parts){ .model = "\"type\":\"BPE\",\"ignore_merges\":true",
	                                                .vocab = "{\"a\":0,\"b\":1,\"aba\":2}",
	                                                .merges = "[]",
	                                                .added_tokens = "[{\"id\":2,\"content\":\"aba\"}]" });
	assert_string_equal(ids_of(tokenizer, "aba"), "0 1 0");
	tokenizer_close(tokenizer);
}

/* The pieces that were handed out, each behind a '|'. */
static int note_piece(void *user, const char *text, size_t n, struct err *err)
{
	(void)err;
	buf_puts(user, "|");
	buf_append(user, text, n);
	return 0;
}

static void tricky_text_is_cut_where_deepseeks_patterns_cut_it(void **state)
{
	static const char *const PIECES[] = {
		"|123|456|7",
		"|a|1|b|22",
		"|12|.|5|%",
		"| x| | y|  | z",
		"|tab|\there",
		"|a| |\u00a0b",
		"|a|\u3000|\u3000b",
		"|a|\u180eb| c",
		"|x| |\u180e\u180e| y",
		"|a|\u200bb",
		"|a|\u2028b|\302\205c",
		"|  \n| | x",
		"| \r\n\r\n|x",
		"|end|.| \n",
		"|don|'t",
		"|(x|)y",
		"|#tag",
		"|...\n\n|A",
		"|e\u0301te\u0301",
		"|\u0301a",
		"|x|\u00b2\u00bd",
		"|\U0001f469|\u200d|\U0001f469|\u200d|\U0001f467!",
		"|\u6f22\u5b57\u3068\u30ab\u30ca|abc",
		"|\u0663\u0664\u0665|\u0666",
		"|\ufeffa",
		"|a|\u00adb",
		"|snake|_case",
		"|x|  ",
		"|\u0e01\u0e33| \u0e01",
	};
	const struct fixture *fixture = *state;
	struct pretokenizer *pretokenizer;

	assert_int_equal(pretokenizer_new("nano", fixture->pre_tokenizer, &pretokenizer, NULL), 0);
	for (size_t i = 0; i < sizeof(PIECES) / sizeof(PIECES[0]); i++) {
		struct buf text = { 0 }, pieces = { 0 };

		for (const char *at = PIECES[i]; *at != '\0'; at++)
			buf_append(&text, at, *at != '|');
		assert_int_equal(
			pretokenizer_split(pretokenizer, text.data, text.n, note_piece, &pieces, NULL), 0);
		assert_string_equal(pieces.data, PIECES[i]);
		buf_done(&text);
		buf_done(&pieces);
	}
	pretokenizer_free(pretokenizer);
}

static void each_kind_of_split_cuts_as_it_says(void **state)
{
	static const struct {
		const char *json, *pieces;
	} CASES[] = {
		{ "null", "|aa 12  \u00e9" },
		{ BYTE_LEVEL, "|aa 12  \u00e9" },
		{ "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}", "|aa| 12| | \u00e9" },
		{ SPLIT("{\"String\":\" \"}"), "|aa| |12| | |\u00e9" },
		{ SPLIT("{\"String\":\"a\"}"), "|a|a| 12  \u00e9" },
		{ REGEX("[0-9]"), "|aa |1|2|  \u00e9" },
		{ REGEX("(?=[a-z])"), "|a|a 12  \u00e9" },
		{ REGEX("\\\\w+"), "|aa| |12|  |\u00e9" },
		{ REGEX("x*"), "|a|a| |1|2| | |\u00e9" },
		{ SEQUENCE(REGEX("[0-9]+") "," REGEX(" (?!\\\\S)") "," BYTE_LEVEL), "|aa| |12| | \u00e9" },
		{ SEQUENCE(""), "|aa 12  \u00e9" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct pretokenizer *pretokenizer;
		struct buf pieces = { 0 };
		json_t *json = json_loads(CASES[i].json, JSON_DECODE_ANY, NULL);

		assert_int_equal(pretokenizer_new("case", json, &pretokenizer, NULL), 0);
		assert_int_equal(
			pretokenizer_split(pretokenizer, "aa 12  \u00e9", 9, note_piece, &pieces, NULL), 0);
		assert_string_equal(pieces.data, CASES[i].pieces);
		buf_done(&pieces);
		pretokenizer_free(pretokenizer);
		json_decref(json);
	}
}

static void text_that_is_not_utf8_is_refused(void **state)
{
	static const struct {
		const char *text;
		unsigned bad;
	} CASES[] = {
		{ "a\xff", 1 },
		{ "\x80", 0 },
		{ "ab\xc3", 2 },
		{ "\xc0\x80", 0 },
		{ "\xe0\x80\x80", 0 },
		{ "x\xed\xa0\x80", 1 },
		{ "\xf0\x80\x80\x80", 0 },
		{ "\xf4\x90\x80\x80", 0 },
		{ "\xf5\x80\x80\x80", 0 },
		{ "\xe2\x82", 0 },
		{ "\xc3(", 0 },
	};
	const struct fixture *fixture = *state;
	char words[64];

	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct err err;
		uint32_t *ids;
		size_t n;

		assert_int_equal(
			tokenizer_encode(fixture->nano, CASES[i].text, strlen(CASES[i].text), &ids, &n, &err),
			-EILSEQ);
		snprintf(words, sizeof(words), "byte %u of the text is not UTF-8", CASES[i].bad);
		assert_string_equal(err.text, words);
	}
}

static void random_bytes_are_refused_or_come_back(void **state)
{
	const struct fixture *fixture = *state;
	uint64_t seed = 7;
	char bytes[16];
	unsigned n_encoded = 0;

	for (unsigned i = 0; i < 20000; i++) {
		size_t n = draw(&seed) % sizeof(bytes), n_ids;
		uint32_t *ids;
		int r;

		for (size_t j = 0; j < n; j++)
			bytes[j] = (char)(draw(&seed) % 4 == 0 ? draw(&seed) % 256
			                                       : draw(&seed) % 64 + 0x80 * (j % 2));
		r = tokenizer_encode(fixture->nano, bytes, n, &ids, &n_ids, NULL);
		assert_true(r == 0 || r == -EILSEQ);
		if (r < 0)
			continue;
		free(ids);
		assert_comes_back(fixture->nano, bytes, n);
		n_encoded++;
	}
	assert_in_range(n_encoded, 1000, 19000);
}

static void random_characters_come_back(void **state)
{
	const struct fixture *fixture = *state;
	static const char *const CHARACTERS[] = { "a",          "B",      " ",      "  ",     "\n",
		                                  "\r\n",       "\t",     ".",      "'s",     "9",
		                                  "\u0301",     "\u00a0", "\u200d", "\u3000", "\u6f22",
		                                  "\U0001f469", "\u0661", "~",      "\u2028", "\xc2\x85" };
	uint64_t seed = 11;

	for (unsigned i = 0; i < 2000; i++) {
		struct buf text = { 0 };

		for (size_t n = 1 + draw(&seed) % 60; n > 0; n--)
			buf_puts(&text,
			         CHARACTERS[draw(&seed) % (sizeof(CHARACTERS) / sizeof(CHARACTERS[0]))]);
		assert_comes_back(fixture->nano, text.data, text.n);
		buf_done(&text);
	}
}

/* Where merging were quadratic, this would not end within the day. */
static void a_megabyte_without_a_cut_is_encoded(void **state)
{
	const struct fixture *fixture = *state;
	char *text = malloc(MEGABYTE);
	uint64_t seed = 3;
	uint32_t *ids;
	size_t n;

	assert_non_null(text);
	for (const char *letter = "x \n.7"; *letter != '\0'; letter++) {
		memset(text, *letter, MEGABYTE);
		assert_comes_back(fixture->nano, text, MEGABYTE);
	}
	memset(text, 'x', MEGABYTE);
	assert_int_equal(tokenizer_encode(fixture->nano, text, MEGABYTE, &ids, &n, NULL), 0);
	assert_int_equal(n, MEGABYTE / 4); /* the reference has 10 tokens for 40 of them */
	free(ids);
	for (size_t i = 0; i < MEGABYTE; i++)
		text[i] = (char)('a' + draw(&seed) % 26);
	assert_comes_back(fixture->nano, text, MEGABYTE);
	free(text);
}

/* A made vocabulary over the letters a to c, and its encoding by the words of the definition. */
struct small_bpe {
	char tokens[64][16];
	size_t n_tokens;
	unsigned merges[64][2], results[64];
	size_t n_merges;
};

static unsigned find_token(const struct small_bpe *bpe, const char *token)
{
	unsigned id = 0;

	while (id < bpe->n_tokens && strcmp(bpe->tokens[id], token) != 0)
		id++;
	return id;
}

static bool has_merge(const struct small_bpe *bpe, unsigned left, unsigned right)
{
	for (size_t i = 0; i < bpe->n_merges; i++) {
		if (bpe->merges[i][0] == left && bpe->merges[i][1] == right)
			return true;
	}
	return false;
}

static void make_small_bpe(struct small_bpe *bpe, uint64_t *seed)
{
	*bpe = (struct small_bpe){ .tokens = { "a", "b", "c" }, .n_tokens = 3 };
	while (bpe->n_merges < 20) {
		unsigned left = (unsigned)(draw(seed) % bpe->n_tokens),
			 right = (unsigned)(draw(seed) % bpe->n_tokens);
		char both[32];

		snprintf(both, sizeof(both), "%s%s", bpe->tokens[left], bpe->tokens[right]);
		if (strlen(both) > 9 || has_merge(bpe, left, right))
			continue;
		if (find_token(bpe, both) == bpe->n_tokens)
			memcpy(bpe->tokens[bpe->n_tokens++], both, strlen(both) + 1);
		bpe->merges[bpe->n_merges][0] = left;
		bpe->merges[bpe->n_merges][1] = right;
		bpe->results[bpe->n_merges++] = find_token(bpe, both);
	}
}

static struct tokenizer *open_small_bpe(const struct fixture *fixture, const struct small_bpe *bpe,
                                        bool as_strings)
{
	struct buf vocab = { 0 }, merges = { 0 };
	struct tokenizer *tokenizer;

	for (size_t i = 0; i < bpe->n_tokens; i++)
		buf_printf(&vocab, "%s\"%s\":%zu", i == 0 ? "{" : ",", bpe->tokens[i], i);
	for (size_t i = 0; i < bpe->n_merges; i++)
		buf_printf(&merges, "%s%s\"%s%s%s\"%s", i == 0 ? "[" : ",", as_strings ? "" : "[",
		           bpe->tokens[bpe->merges[i][0]], as_strings ? " " : "\",\"",
		           bpe->tokens[bpe->merges[i][1]], as_strings ? "" : "]");
	buf_puts(&vocab, "}");
	buf_puts(&merges, "]");
	tokenizer = must_open(
		fixture, &(struct parts){ .vocab = vocab.data, .merges = merges.data, .added_tokens = "[]" });
	buf_done(&vocab);
	buf_done(&merges);
	return tokenizer;
}

static const char *encode_plainly(const struct small_bpe *bpe, const char *text)
{
	static struct buf words;
	unsigned ids[64];
	size_t n = 0, merge = 0, at;

	for (; text[n] != '\0'; n++)
		ids[n] = (unsigned)(text[n] - 'a');
	while (merge < bpe->n_merges) {
		for (at = 0; at + 1 < n; at++) {
			if (ids[at] == bpe->merges[merge][0] && ids[at + 1] == bpe->merges[merge][1])
				break;
		}
		if (at + 1 >= n) {
			merge++;
			continue;
		}
		ids[at] = bpe->results[merge];
		memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof(*ids));
		n--;
		merge = 0;
	}
	buf_done(&words);
	buf_puts(&words, "");
	for (size_t i = 0; i < n; i++)
		buf_printf(&words, i == 0 ? "%u" : " %u", ids[i]);
	return words.data;
}

static void merges_are_done_by_rank_and_from_the_left(void **state)
{
	const struct fixture *fixture = *state;
	struct small_bpe bpe;
	uint64_t seed = 5;
	char text[50];

	for (unsigned i = 0; i < 40; i++) {
		struct tokenizer *tokenizer;

		make_small_bpe(&bpe, &seed);
		tokenizer = open_small_bpe(fixture, &bpe, i % 2 == 0);
		for (unsigned j = 0; j < 200; j++) {
			size_t n = draw(&seed) % sizeof(text);

			for (size_t k = 0; k < n; k++)
				text[k] = (char)('a' + draw(&seed) % 3);
			text[n] = '\0';
			assert_string_equal(ids_of(tokenizer, text), encode_plainly(&bpe, text));
		}
		tokenizer_close(tokenizer);
	}
}

static void ignore_merges_takes_a_whole_piece_as_it_is(void **state)
{
	const struct parts merging = { .vocab = "{\"a\":0,\"b\":1,\"aba\":2,\"ab\":3}",
		                       .merges = "[\"a b\"]" };
	struct parts ignoring = merging;
	struct tokenizer *tokenizer = must_open(*state, &merging);

	assert_string_equal(ids_of(tokenizer, "aba"), "3 0");
	tokenizer_close(tokenizer);
	ignoring.model = "\"type\":\"BPE\",\"ignore_merges\":true";
	tokenizer = must_open(*state, &ignoring);
	assert_string_equal(ids_of(tokenizer, "aba"), "2");
	assert_string_equal(ids_of(tokenizer, "abab"), "3 3");
	tokenizer_close(tokenizer);
}

static void a_byte_without_a_token_is_an_error_of_its_text_only(void **state)
{
	struct tokenizer *tokenizer = must_open(*state, &(struct parts){ 0 });
	struct err err;
	uint32_t *ids;
	size_t n;

	assert_int_equal(tokenizer_encode(tokenizer, "abx", 3, &ids, &n, &err), -ENOENT);
	assert_string_equal(err.text, "no token stands for byte 0x78");
	assert_string_equal(ids_of(tokenizer, "abc a"), "4 6");
	assert_string_equal(ids_of(tokenizer, ""), "");
	tokenizer_close(tokenizer);
}

static void ids_may_have_gaps_and_added_tokens_may_lie_behind_them(void **state)
{
	struct tokenizer *tokenizer = must_open(*state, &(struct parts){ 0 });
	uint32_t id;
	size_t n;

	assert_int_equal(tokenizer_n_vocab(tokenizer), 10);
	assert_null(tokenizer_bytes(tokenizer, 8, &n));
	assert_null(tokenizer_bytes(tokenizer, 9, &n));
	assert_int_equal(tokenizer_special(tokenizer, "<end>", &id), 0);
	assert_int_equal(id, 9);
	tokenizer_close(tokenizer);
}

static void a_pattern_without_end_fails_instead_of_hanging(void **state)
{
	struct tokenizer *tokenizer =
		must_open(*state, &(struct parts){ .pre_tokenizer = REGEX("(a|aa|a?)+$") });
	char text[201];
	struct err err;
	uint32_t *ids;
	size_t n;

	memset(text, 'a', 199);
	text[199] = 'b';
	text[200] = '\0';
	assert_int_equal(tokenizer_encode(tokenizer, text, 200, &ids, &n, &err), -EFBIG);
	assert_non_null(strstr(err.text, "a pattern of the tokenizer fails on a piece of 200 bytes: "));
	tokenizer_close(tokenizer);
}

static void files_of_another_kind_are_refused_in_words(void **state)
{
	static const struct {
		struct parts parts;
		const char *words;
	} CASES[] = {
		{ { .normalizer = "{\"type\":\"NFC\"}" }, "normalizer: 'NFC' is not supported" },
		{ { .normalizer = "[]" }, "normalizer: '(no type)' is not supported" },
		{ { .decoder = "{\"type\":\"WordPiece\"}" }, "decoder: 'WordPiece' is not supported" },
		{ { .model = "\"type\":\"Unigram\"" }, "model: type 'Unigram', only BPE is supported" },
		{ { .model = "\"no\":1" }, "model: type '(no type)', only BPE is supported" },
		{ { .model = "\"type\":\"BPE\",\"dropout\":0.1" }, "model: dropout is not supported" },
		{ { .model = "\"type\":\"BPE\",\"unk_token\":\"a\"" }, "model: unk_token is not supported" },
		{ { .model = "\"type\":\"BPE\",\"continuing_subword_prefix\":\"##\"" },
		  "model: continuing_subword_prefix is not supported" },
		{ { .model = "\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\"" },
		  "model: end_of_word_suffix is not supported" },
		{ { .model = "\"type\":\"BPE\",\"byte_fallback\":true" },
		  "model: byte_fallback is not supported" },
		{ { .model = "\"type\":\"BPE\",\"ignore_merges\":1" }, "model: ignore_merges is no boolean" },
		{ { .pre_tokenizer = "{\"type\":\"Metaspace\"}" },
		  "pre_tokenizer: 'Metaspace' is not supported" },
		{ { .pre_tokenizer = "7" }, "pre_tokenizer: '(no type)' is not supported" },
		{ { .pre_tokenizer = SEQUENCE(SEQUENCE("")) }, "pre_tokenizer: 'Sequence' is not supported" },
		{ { .pre_tokenizer = "{\"type\":\"Sequence\"}" },
		  "pre_tokenizer: Sequence without a list of pretokenizers" },
		{ { .pre_tokenizer = SEQUENCE(BYTE_LEVEL "," REGEX("a")) },
		  "pre_tokenizer: steps behind ByteLevel" },
		{ { .pre_tokenizer = "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}" },
		  "pre_tokenizer: ByteLevel where add_prefix_space is not false" },
		{ { .pre_tokenizer =
		            "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Removed\"}" },
		  "pre_tokenizer: Split with behavior 'Removed', only Isolated is known" },
		{ { .pre_tokenizer = "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"invert\":true}" },
		  "pre_tokenizer: Split where invert is not false" },
		{ { .pre_tokenizer = SPLIT("{}") },
		  "pre_tokenizer: Split without one Regex or String as its pattern" },
		{ { .pre_tokenizer = REGEX("") }, "pre_tokenizer: a pattern of 0 bytes" },
		{ { .pre_tokenizer = REGEX("a(") },
		  "pre_tokenizer: pattern 'a(': missing closing parenthesis" },
		{ { .vocab = "[]" }, "model: no vocab" },
		{ { .vocab = "{}", .added_tokens = "[]" }, "model: vocab is empty" },
		{ { .vocab = "{\"a\":-1}" }, "token 'a': its id is no integer below 4194304" },
		{ { .vocab = "{\"a\":4194304}" }, "token 'a': its id is no integer below 4194304" },
		{ { .vocab = "{\"a\":\"0\"}" }, "token 'a': its id is no integer below 4194304" },
		{ { .vocab = "{\"a\":0,\"b\":0}" }, "token 'b': id 0 is another token's" },
		{ { .vocab = "{\"a\":9}" }, "token 'a': id 9 is another token's" },
		{ { .vocab = "{\"a\":0,\"<end>\":1}" },
		  "added token '<end>' has id 9, and another in vocab" },
		{ { .vocab = "{\"a b\":0}" }, "token 'a b' is not written in the byte alphabet" },
		{ { .vocab = "{\"\u6f22\":0}" }, "token '\u6f22' is not written in the byte alphabet" },
		{ { .vocab = "{\"\u0144\":0}" }, "token '\u0144' is not written in the byte alphabet" },
		{ { .vocab = "{\"\":0}" }, "token '' is not written in the byte alphabet" },
		{ { .merges = "{}" }, "model: merges are not a list of at most 8388608" },
		{ { .merges = "[[\"a\"]]" }, "model: merge 0 is not a pair of strings" },
		{ { .merges = "[\"ab\"]" }, "model: merge 0 is not a pair of strings" },
		{ { .merges = "[[\"a\",\"b\",\"c\"]]" }, "model: merge 0 is not a pair of strings" },
		{ { .merges = "[\"a b\",\"d a\"]" },
		  "model: merge 1, 'd' and 'a': the first part is not in the vocabulary" },
		{ { .merges = "[[\"\",\"\"]]" },
		  "model: merge 0, '' and '': the first part is not in the vocabulary" },
		{ { .merges = "[[\"a\",\"\"]]" },
		  "model: merge 0, 'a' and '': the second part is not in the vocabulary" },
		{ { .merges = "[\"a d\"]" },
		  "model: merge 0, 'a' and 'd': the second part is not in the vocabulary" },
		{ { .merges = "[\"a c\"]" },
		  "model: merge 0, 'a' and 'c': the result is not in the vocabulary" },
		{ { .merges = "[\"a b\",[\"a\",\"b\"]]" }, "model: merges 0 and 1 are the same" },
		{ { .added_tokens = "{}" }, "added_tokens: not a list of at most 4194304" },
		{ { .added_tokens = "[{\"id\":1}]" }, "added_tokens: 0 has no content" },
		{ { .added_tokens = "[{\"content\":\"x\"}]" },
		  "token 'x': its id is no integer below 4194304" },
		{ { .added_tokens = "[{\"id\":8,\"content\":\"x\"},{\"id\":9,\"content\":\"x\"}]" },
		  "added_tokens: 'x' comes twice" },
		{ { .added_tokens = "[{\"id\":8,\"content\":\"x\"},{\"id\":8,\"content\":\"y\"}]" },
		  "added_tokens: id 8 comes twice" },
		{ { .added_tokens = "[{\"id\":3,\"content\":\"ab\"}]" },
		  "model: merge 0, 'a' and 'b': the result is not in the vocabulary" },
	};
	const struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct tokenizer *tokenizer;
		struct err err = { "" };

		assert_int_equal(open_parts(fixture, &CASES[i].parts, &tokenizer, &err), -EBADMSG);
		assert_memory_equal(err.text, fixture->path, strlen(fixture->path));
		assert_string_equal(err.text + strlen(fixture->path) + 2, CASES[i].words);
	}
}

static void deepseeks_empty_normalizer_is_none(void **state)
{
	tokenizer_close(
		must_open(*state, &(struct parts){ .normalizer = "{\"type\":\"Sequence\",\"normalizers\":[]}",
	                                           .decoder = "{\"type\":\"ByteLevel\"}" }));
}

static void a_missing_file_is_not_found(void **state)
{
	struct tokenizer *tokenizer;

	(void)state;
	assert_int_equal(tokenizer_open("/nonexistent/tokenizer.json", &tokenizer, NULL), -ENOENT);
}

static void a_file_that_is_cut_off_anywhere_is_refused(void **state)
{
	char *text = write_file(&(struct parts){ .pre_tokenizer = SEQUENCE(REGEX("[a-c]+") "," BYTE_LEVEL) });

	for (size_t n = 0; n < strlen(text); n++) {
		struct tokenizer *tokenizer;

		assert_int_equal(open_text(*state, text, n, &tokenizer, NULL), -EBADMSG);
	}
	free(text);
}

static void a_damaged_file_opens_or_is_refused(void **state)
{
	char *text = write_file(&(struct parts){ .pre_tokenizer = SEQUENCE(REGEX("[a-c]+") "," BYTE_LEVEL) });
	size_t n = strlen(text);
	uint64_t seed = 23;

	for (unsigned i = 0; i < 3000; i++) {
		size_t at = draw(&seed) % n;
		struct tokenizer *tokenizer;
		char was = text[at];
		uint32_t *ids;
		size_t n_ids;
		int r;

		text[at] = (char)(draw(&seed) % 2 == 0 ? draw(&seed) % 256
		                                       : (unsigned char)"\"[]{},:09ab\\"[draw(&seed) % 12]);
		r = open_text(*state, text, n, &tokenizer, NULL);
		assert_true(r == 0 || r == -EBADMSG);
		if (r == 0 && tokenizer_encode(tokenizer, "abc ab", 6, &ids, &n_ids, NULL) == 0)
			free(ids);
		if (r == 0)
			tokenizer_close(tokenizer);
		text[at] = was;
	}
	free(text);
}

static void *encode_in_thread(void *user)
{
	const struct fixture *fixture = user;
	const json_t *cases = json_object_get(fixture->golden, "tokenizer");
	intptr_t n_wrong = 0;

	for (size_t i = 0; i < 20 * json_array_size(cases); i++) {
		const json_t *entry = json_array_get(cases, i % json_array_size(cases));
		const json_t *text = json_object_get(entry, "text");
		uint32_t *ids = NULL;
		size_t n = 0;

		if (tokenizer_encode(fixture->nano, json_string_value(text), json_string_length(text), &ids,
		                     &n, NULL) < 0 ||
		    n != json_array_size(json_object_get(entry, "ids")))
			n_wrong++;
		free(ids);
	}
	return (void *)n_wrong;
}

static void threads_share_a_tokenizer(void **state)
{
	pthread_t threads[3];
	void *n_wrong;

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, encode_in_thread, *state), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(threads[i], &n_wrong), 0);
		assert_null(n_wrong);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reference_text_has_its_ids),
		cmocka_unit_test(special_tokens_are_found_by_content_and_stand_for_no_bytes),
		cmocka_unit_test(decoding_refuses_an_id_outside_the_vocabulary),
		cmocka_unit_test(no_text_spells_a_special_token),
		cmocka_unit_test(tricky_text_is_cut_where_deepseeks_patterns_cut_it),
		cmocka_unit_test(each_kind_of_split_cuts_as_it_says),
		cmocka_unit_test(text_that_is_not_utf8_is_refused),
		cmocka_unit_test(random_bytes_are_refused_or_come_back),
		cmocka_unit_test(random_characters_come_back),
		cmocka_unit_test(a_megabyte_without_a_cut_is_encoded),
		cmocka_unit_test(merges_are_done_by_rank_and_from_the_left),
		cmocka_unit_test(ignore_merges_takes_a_whole_piece_as_it_is),
		cmocka_unit_test(a_byte_without_a_token_is_an_error_of_its_text_only),
		cmocka_unit_test(ids_may_have_gaps_and_added_tokens_may_lie_behind_them),
		cmocka_unit_test(a_pattern_without_end_fails_instead_of_hanging),
		cmocka_unit_test(files_of_another_kind_are_refused_in_words),
		cmocka_unit_test(deepseeks_empty_normalizer_is_none),
		cmocka_unit_test(a_missing_file_is_not_found),
		cmocka_unit_test(a_file_that_is_cut_off_anywhere_is_refused),
		cmocka_unit_test(a_damaged_file_opens_or_is_refused),
		cmocka_unit_test(threads_share_a_tokenizer),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
