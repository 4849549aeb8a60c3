#include "model/pretokenizer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/buf.h"
#include "base/text.h"

#define MAX_STEPS 32
#define MAX_PATTERN_BYTES 65536

/* A match costs a few steps for each byte of its piece, where the pattern is a sane one. */
#define MATCH_STEPS 20000
#define MATCH_STEPS_PER_BYTE 16
#define MATCH_HEAP_KIB (256 * 1024)

/* Where ByteLevel brings its own pattern, it is GPT-2's. */
static const char GPT2_PATTERN[] =
	"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

struct step {
	pcre2_code *regex; /* NULL: the literal */
	char *literal;
	size_t n_literal;
};

struct pretokenizer {
	struct step steps[MAX_STEPS];
	size_t n_steps;
};

/* Tokenizers mean Unicode's White_Space by \s; PCRE2 means that and U+180E. */
static void rewrite_white_space(const char *pattern, struct buf *ret)
{
	for (const char *at = pattern; *at != '\0'; at++) {
		if (at[0] != '\\' || at[1] == '\0') {
			buf_append(ret, at, 1);
			continue;
		}
		at++;
		if (*at == 's' || *at == 'S')
			buf_puts(ret, *at == 's' ? "\\p{White_Space}" : "\\P{White_Space}");
		else
			buf_printf(ret, "\\%c", *at);
	}
}

static int compile_regex(const char *path, const char *pattern, struct step *step, struct err *err)
{
	struct buf rewritten = { 0 };
	PCRE2_UCHAR why[256];
	size_t where;
	int code, r = 0;

	rewrite_white_space(pattern, &rewritten);
	if (buf_status(&rewritten) < 0) {
		r = err_set(err, -ENOMEM, "%s: no memory for a pattern", path);
		goto done;
	}
	step->regex = pcre2_compile((PCRE2_SPTR)rewritten.data, rewritten.n,
	                            PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &code, &where, NULL);
	if (step->regex == NULL) {
		pcre2_get_error_message(code, why, sizeof(why));
		r = err_set(err, -EBADMSG, "%s: pre_tokenizer: pattern '%.200s': %s", path, pattern,
		            (char *)why);
	}
done:
	buf_done(&rewritten);
	return r;
}

static int add_pattern(struct pretokenizer *pretokenizer, const char *path, const char *pattern,
                       bool is_regex, struct err *err)
{
	struct step *step = &pretokenizer->steps[pretokenizer->n_steps];
	size_t n = strlen(pattern);

	if (pretokenizer->n_steps == MAX_STEPS)
		return err_set(err, -EBADMSG, "%s: pre_tokenizer: more than %d steps", path, MAX_STEPS);
	if (n == 0 || n > MAX_PATTERN_BYTES)
		return err_set(err, -EBADMSG, "%s: pre_tokenizer: a pattern of %zu bytes", path, n);
	pretokenizer->n_steps++;
	if (is_regex)
		return compile_regex(path, pattern, step, err);
	step->literal = strdup(pattern);
	step->n_literal = n;
	return step->literal == NULL ? err_set(err, -ENOMEM, "%s: no memory for a pattern", path) : 0;
}

static int add_split(struct pretokenizer *pretokenizer, const char *path, const json_t *json, struct err *err)
{
	const json_t *pattern = json_object_get(json, "pattern");
	const char *behavior = json_string_value(json_object_get(json, "behavior"));
	const char *regex = json_string_value(json_object_get(pattern, "Regex"));
	const char *literal = json_string_value(json_object_get(pattern, "String"));

	if (behavior == NULL || strcmp(behavior, "Isolated") != 0)
		return err_set(err, -EBADMSG,
		               "%s: pre_tokenizer: Split with behavior '%.40s', only Isolated is known", path,
		               behavior == NULL ? "(none)" : behavior);
	if (!json_is_false(json_object_get(json, "invert")))
		return err_set(err, -EBADMSG, "%s: pre_tokenizer: Split where invert is not false", path);
	if ((regex == NULL) == (literal == NULL))
		return err_set(err, -EBADMSG,
		               "%s: pre_tokenizer: Split without one Regex or String as its pattern", path);
	return add_pattern(pretokenizer, path, regex != NULL ? regex : literal, regex != NULL, err);
}

static int add_byte_level(struct pretokenizer *pretokenizer, const char *path, const json_t *json,
                          struct err *err)
{
	const json_t *use_regex = json_object_get(json, "use_regex");

	if (!json_is_false(json_object_get(json, "add_prefix_space")))
		return err_set(err, -EBADMSG,
		               "%s: pre_tokenizer: ByteLevel where add_prefix_space is not false", path);
	if (use_regex != NULL && !json_is_boolean(use_regex))
		return err_set(err, -EBADMSG, "%s: pre_tokenizer: ByteLevel where use_regex is no boolean",
		               path);
	if (json_is_false(use_regex)) /* absent means true */
		return 0;
	return add_pattern(pretokenizer, path, GPT2_PATTERN, true, err);
}

static bool has_type(const json_t *json, const char *type)
{
	const char *own = json_string_value(json_object_get(json, "type"));

	return own != NULL && strcmp(own, type) == 0;
}

static int add_step(struct pretokenizer *pretokenizer, const char *path, const json_t *json, struct err *err)
{
	const char *type = json_string_value(json_object_get(json, "type"));

	if (has_type(json, "Split"))
		return add_split(pretokenizer, path, json, err);
	if (has_type(json, "ByteLevel"))
		return add_byte_level(pretokenizer, path, json, err);
	return err_set(err, -EBADMSG, "%s: pre_tokenizer: '%.60s' is not supported", path,
	               type == NULL ? "(no type)" : type);
}

static int add_sequence(struct pretokenizer *pretokenizer, const char *path, const json_t *json,
                        struct err *err)
{
	const json_t *steps = json_object_get(json, "pretokenizers"), *step;
	size_t n_steps = json_array_size(steps);
	int r = 0;

	if (!json_is_array(steps))
		return err_set(err, -EBADMSG, "%s: pre_tokenizer: Sequence without a list of pretokenizers",
		               path);
	for (size_t i = 0; r == 0 && i < n_steps; i++) {
		step = json_array_get(steps, i);
		r = has_type(step, "ByteLevel") && i + 1 < n_steps
		            ? err_set(err, -EBADMSG, "%s: pre_tokenizer: steps behind ByteLevel", path)
		            : add_step(pretokenizer, path, step, err);
	}
	return r;
}

int pretokenizer_new(const char *path, const json_t *json, struct pretokenizer **ret, struct err *err)
{
	struct pretokenizer *pretokenizer = calloc(1, sizeof(*pretokenizer));
	int r = 0;

	if (pretokenizer == NULL)
		return err_set(err, -ENOMEM, "%s: no memory for the pre_tokenizer", path);
	if (has_type(json, "Sequence"))
		r = add_sequence(pretokenizer, path, json, err);
	else if (json != NULL && !json_is_null(json))
		r = add_step(pretokenizer, path, json, err);
	if (r < 0) {
		pretokenizer_free(pretokenizer);
		return r;
	}
	*ret = pretokenizer;
	return 0;
}

void pretokenizer_free(struct pretokenizer *pretokenizer)
{
	if (pretokenizer == NULL)
		return;
	for (size_t i = 0; i < pretokenizer->n_steps; i++) {
		pcre2_code_free(pretokenizer->steps[i].regex);
		free(pretokenizer->steps[i].literal);
	}
	free(pretokenizer);
}

static int check_utf8(const char *text, size_t n, struct err *err)
{
	uint32_t character;
	size_t length;

	for (size_t i = 0; i < n; i += length) {
		length = text_decode_utf8((const unsigned char *)text + i, n - i, &character);
		if (length == 0)
			return err_set(err, -EILSEQ, "byte %zu of the text is not UTF-8", i);
	}
	return 0;
}

/* One call of pretokenizer_split. */
struct split {
	const struct pretokenizer *pretokenizer;
	pretokenizer_piece_fn *piece;
	void *user;
	pcre2_match_data *match;
	pcre2_match_context *limits;
	struct err *err;
};

static void set_limits(struct split *split, size_t n)
{
	size_t steps = MATCH_STEPS + (n > UINT32_MAX / 32 ? UINT32_MAX / 32 : n) * MATCH_STEPS_PER_BYTE;

	pcre2_set_match_limit(split->limits, (uint32_t)steps);
	pcre2_set_depth_limit(split->limits, (uint32_t)steps);
	pcre2_set_heap_limit(split->limits, MATCH_HEAP_KIB);
}

/* 1 and where the step's pattern matches in text, from byte from on; 0 where it does not. */
static int find_match(struct split *split, const struct step *step, const char *text, size_t n, size_t from,
                      size_t *ret_start, size_t *ret_end)
{
	const char *found;
	PCRE2_UCHAR why[256];
	PCRE2_SIZE *bounds;
	int code;

	if (step->regex == NULL) {
		found = memmem(text + from, n - from, step->literal, step->n_literal);
		if (found == NULL)
			return 0;
		*ret_start = (size_t)(found - text);
		*ret_end = *ret_start + step->n_literal;
		return 1;
	}
	set_limits(split, n);
	code = pcre2_match(step->regex, (PCRE2_SPTR)text, n, from, PCRE2_NO_UTF_CHECK, split->match,
	                   split->limits);
	if (code == PCRE2_ERROR_NOMATCH)
		return 0;
	if (code < 0) {
		pcre2_get_error_message(code, why, sizeof(why));
		return err_set(split->err, code == PCRE2_ERROR_NOMEMORY ? -ENOMEM : -EFBIG,
		               "a pattern of the tokenizer fails on a piece of %zu bytes: %s", n,
		               (char *)why);
	}
	bounds = pcre2_get_ovector_pointer(split->match);
	*ret_start = bounds[0];
	*ret_end = bounds[1];
	return 1;
}

/* Cut text by the pattern of one step and hand the parts to the next; behind the last step they are pieces. */
static int split_from(struct split *split, size_t i_step, const char *text, size_t n)
{
	const struct step *step = &split->pretokenizer->steps[i_step];
	size_t done = 0, from = 0, start, end;
	uint32_t character;
	int r = 0;

	if (n == 0)
		return 0;
	if (i_step == split->pretokenizer->n_steps)
		return split->piece(split->user, text, n, split->err);
	while (from < n && (r = find_match(split, step, text, n, from, &start, &end)) > 0) {
		if (start < done || end < start) /* a lookaround with \K can do that */
			return err_set(split->err, -EBADMSG, "a pattern of the tokenizer matches backwards");
		r = split_from(split, i_step + 1, text + done, start - done);
		if (r == 0)
			r = split_from(split, i_step + 1, text + start, end - start);
		if (r < 0)
			return r;
		done = end;
		from = end;
		if (start == end && end < n) /* an empty match cuts, and the search goes on behind it */
			from += text_decode_utf8((const unsigned char *)text + end, n - end, &character);
	}
	return r < 0 ? r : split_from(split, i_step + 1, text + done, n - done);
}

int pretokenizer_split(const struct pretokenizer *pretokenizer, const char *text, size_t n,
                       pretokenizer_piece_fn *piece, void *user, struct err *err)
{
	struct split split = { .pretokenizer = pretokenizer, .piece = piece, .user = user, .err = err };
	int r = check_utf8(text, n, err);

	if (r < 0)
		return r;
	split.match = pcre2_match_data_create(1, NULL);
	split.limits = pcre2_match_context_create(NULL);
	if (split.match == NULL || split.limits == NULL)
		r = err_set(err, -ENOMEM, "no memory to split a text into pieces");
	else
		r = split_from(&split, 0, text, n);
	pcre2_match_data_free(split.match);
	pcre2_match_context_free(split.limits);
	return r;
}
