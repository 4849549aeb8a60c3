#include "pipeline/parts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define PARAGRAPH_TOKENS 24
#define SENTENCE_TOKENS 48
#define WORD_TOKENS 96
#define MOST_TOKENS 160

void parts_done(struct parts *parts)
{
	free(parts->ends);
	free(parts->n_tokens);
	free(parts->of_token);
	*parts = (struct parts){ 0 };
}

/* The text up to `end` closes a paragraph: an empty line is next, or was just passed. */
static bool ends_paragraph(const char *text, size_t end, size_t n)
{
	if (end == n)
		return true;
	return text[end] == '\n' && (end + 1 == n || text[end + 1] == '\n' || text[end - 1] == '\n');
}

static bool ends_sentence(const char *text, size_t end)
{
	return text[end] == '\n' || (text[end] == ' ' && strchr(".!?:;\"')", text[end - 1]) != NULL);
}

/* Whether a part of so many tokens ends here. */
static bool is_end(const char *text, size_t end, size_t n, size_t n_tokens)
{
	if (end < n && (text[end] & 0xc0) == 0x80) /* tokens may end within a character, parts do not */
		return false;
	if (n_tokens >= MOST_TOKENS)
		return true;
	if (n_tokens >= WORD_TOKENS && (text[end] == ' ' || text[end] == '\n'))
		return true;
	if (n_tokens >= SENTENCE_TOKENS && ends_sentence(text, end))
		return true;
	return n_tokens >= PARAGRAPH_TOKENS && ends_paragraph(text, end, n);
}

/* Where a token that begins at `at` ends; 0: it is not what stands there. */
static size_t end_of_token(const struct tokenizer *tokenizer, uint32_t token, const char *text, size_t at,
                           size_t n)
{
	size_t length;
	const char *bytes = tokenizer_bytes(tokenizer, token, &length);

	if (bytes == NULL || length == 0 || length > n - at || memcmp(text + at, bytes, length) != 0)
		return 0;
	return at + length;
}

/* A rest that is too small to say anything of goes to the part before it. */
static void join_rest(struct parts *parts, size_t n_tokens)
{
	size_t last = parts->n - 1;

	if (parts->n < 2 || parts->n_tokens[last] >= PARAGRAPH_TOKENS)
		return;
	for (size_t i = n_tokens - parts->n_tokens[last]; i < n_tokens; i++)
		parts->of_token[i] = (uint32_t)(last - 1);
	parts->n_tokens[last - 1] += parts->n_tokens[last];
	parts->ends[last - 1] = parts->ends[last];
	parts->n--;
}

int parts_make(const struct tokenizer *tokenizer, const char *text, size_t n_bytes, const uint32_t *tokens,
               size_t n_tokens, struct parts *ret, struct err *err)
{
	struct parts parts = { .ends = array_new(size_t, n_tokens),
		               .n_tokens = array_new(size_t, n_tokens),
		               .of_token = array_new(uint32_t, n_tokens) };
	size_t at = 0;

	if (parts.ends == NULL || parts.n_tokens == NULL || parts.of_token == NULL) {
		parts_done(&parts);
		return err_set(err, -ENOMEM, "no memory for the parts of %zu tokens", n_tokens);
	}
	for (size_t i = 0; i < n_tokens; i++) {
		at = end_of_token(tokenizer, tokens[i], text, at, n_bytes);
		if (at == 0) {
			parts_done(&parts);
			return err_set(err, -EBADMSG, "token %zu is not what stands in the text", i);
		}
		parts.of_token[i] = (uint32_t)parts.n;
		parts.n_tokens[parts.n]++;
		parts.ends[parts.n] = at;
		if (i + 1 == n_tokens || is_end(text, at, n_bytes, parts.n_tokens[parts.n]))
			parts.n++;
	}
	if (n_tokens > 0)
		join_rest(&parts, n_tokens);
	*ret = parts;
	return 0;
}
