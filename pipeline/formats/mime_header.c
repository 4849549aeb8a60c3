#include "pipeline/formats/mime_header.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "pipeline/formats/codepage.h"
#include "pipeline/formats/mime_body.h"

#define MAX_FIELD_BYTES ((size_t)1 << 16)
#define MAX_CHARSET 40
#define MAX_WORD 1000 /* bytes of an encoded word; the standard allows 75 */
#define MAX_CONTINUATIONS 32

bool mime_next_line(struct mime_span *text, struct mime_span *ret)
{
	const char *end;

	if (text->n == 0)
		return false;
	end = memchr(text->bytes, '\n', text->n);
	*ret = (struct mime_span){ text->bytes, end == NULL ? text->n : (size_t)(end - text->bytes) };
	text->n -= ret->n + (end != NULL);
	text->bytes += ret->n + (end != NULL);
	if (ret->n > 0 && ret->bytes[ret->n - 1] == '\r')
		ret->n--;
	return true;
}

void mime_split(struct mime_span whole, struct mime_span *ret_header, struct mime_span *ret_body)
{
	struct mime_span rest = whole, line;

	*ret_header = whole;
	*ret_body = (struct mime_span){ whole.bytes + whole.n, 0 };
	while (mime_next_line(&rest, &line)) {
		if (line.n > 0)
			continue;
		ret_header->n = (size_t)(line.bytes - whole.bytes);
		*ret_body = rest;
		return;
	}
}

size_t mime_field_name(struct mime_span line)
{
	size_t n = 0, end;

	while (n < line.n && line.bytes[n] > ' ' && line.bytes[n] < 0x7f && line.bytes[n] != ':')
		n++;
	for (end = n; end < line.n && (line.bytes[end] == ' ' || line.bytes[end] == '\t');)
		end++;
	return end < line.n && line.bytes[end] == ':' ? n : 0;
}

static bool is_continuation(struct mime_span line)
{
	return line.n > 0 && (line.bytes[0] == ' ' || line.bytes[0] == '\t');
}

static void append_value(struct buf *ret, const char *bytes, size_t n)
{
	size_t n_room = ret->n < MAX_FIELD_BYTES ? MAX_FIELD_BYTES - ret->n : 0;

	n = n < n_room ? n : n_room;
	for (size_t i = 0; i < n; i++)
		buf_append(ret, bytes[i] == '\0' ? " " : &bytes[i], 1);
}

bool mime_field(struct mime_span header, const char *name, struct buf *ret)
{
	struct mime_span line;
	bool found = false;

	while (mime_next_line(&header, &line)) {
		if (found && !is_continuation(line))
			break;
		if (found) {
			append_value(ret, line.bytes, line.n);
		} else if (mime_field_name(line) == strlen(name) &&
		           strncasecmp(line.bytes, name, strlen(name)) == 0) {
			const char *colon = memchr(line.bytes, ':', line.n);

			append_value(ret, colon + 1, line.n - (size_t)(colon + 1 - line.bytes));
			found = true;
		}
	}
	if (found)
		buf_append(ret, "", 1);
	return found && buf_status(ret) == 0;
}

/* Behind blanks and comments, which may be nested: " (plain (text)) " */
static const char *skip_blanks(const char *at)
{
	size_t depth = 0;

	for (; *at != '\0' && (depth > 0 || *at == '(' || isspace((unsigned char)*at)); at++) {
		if (*at == '\\' && at[1] != '\0')
			at++;
		else if (*at == '(')
			depth++;
		else if (*at == ')')
			depth--;
	}
	return at;
}

static bool ends_value(char c)
{
	return c == '\0' || c == ';' || c == '(' || isspace((unsigned char)c);
}

void mime_value(const char *field, char *ret, size_t size)
{
	size_t n = 0;

	for (field = skip_blanks(field); !ends_value(*field); field++)
		if (n + 1 < size)
			ret[n++] = (char)tolower((unsigned char)*field);
	ret[n] = '\0';
}

/* A token or a quoted string. Returns where it ends. */
static const char *take_param_value(const char *at, struct buf *ret)
{
	if (*at != '"') {
		for (; !ends_value(*at); at++)
			buf_append(ret, at, 1);
		return at;
	}
	for (at++; *at != '\0' && *at != '"'; at++) {
		if (*at == '\\' && at[1] != '\0')
			at++;
		buf_append(ret, at, 1);
	}
	return *at == '"' ? at + 1 : at;
}

/* The parameter that is named exactly so, asterisks included. */
static bool find_param(const char *field, const char *name, struct buf *ret)
{
	struct buf ignored = { 0 };
	bool found = false;

	field = skip_blanks(field);
	while (!ends_value(*field))
		field++;
	while (!found && *(field = skip_blanks(field)) != '\0') {
		const char *start = field = skip_blanks(field + (*field == ';'));

		while (*field != '=' && !ends_value(*field))
			field++;
		found = (size_t)(field - start) == strlen(name) &&
		        strncasecmp(start, name, strlen(name)) == 0;
		field = skip_blanks(field);
		if (*field == '=')
			field = take_param_value(skip_blanks(field + 1), found ? ret : &ignored);
		else if (*field != ';' && *field != '\0')
			field++;
		ignored.n = 0;
	}
	buf_done(&ignored);
	return found;
}

/* charset'language'per%20cent */
static void decode_extended(struct buf *value, struct buf *ret)
{
	struct buf bytes = { 0 };
	struct codepage *codepage;
	char *charset, *text;

	buf_append(value, "", 1);
	if (buf_status(value) < 0)
		return;
	charset = value->data;
	text = strchr(charset, '\'');
	if (text != NULL)
		*text++ = '\0';
	text = text != NULL && strchr(text, '\'') != NULL ? strchr(text, '\'') + 1 : value->data;
	mime_decode_percent(text, &bytes);
	codepage = codepage_open(charset);
	if (codepage != NULL && bytes.n > 0)
		codepage_append(codepage, bytes.data, bytes.n, ret);
	codepage_close(codepage);
	buf_done(&bytes);
}

static bool find_continued(const char *field, const char *name, struct buf *value, bool *ret_extended)
{
	char numbered[64];
	int i;

	*ret_extended = false;
	for (i = 0; i < MAX_CONTINUATIONS; i++) {
		snprintf(numbered, sizeof(numbered), "%s*%d", name, i);
		if (find_param(field, numbered, value))
			continue;
		snprintf(numbered, sizeof(numbered), "%s*%d*", name, i);
		if (!find_param(field, numbered, value))
			break;
		*ret_extended = true;
	}
	return i > 0;
}

bool mime_param(const char *field, const char *name, struct buf *ret)
{
	struct buf value = { 0 };
	char extended[64];
	bool found, is_extended = false;

	snprintf(extended, sizeof(extended), "%s*", name);
	found = find_param(field, extended, &value);
	if (found)
		is_extended = true;
	else
		found = find_continued(field, name, &value, &is_extended);
	if (found && is_extended)
		decode_extended(&value, ret);
	else if (found && value.n > 0)
		buf_append(ret, value.data, value.n);
	else if (!found && (found = find_param(field, name, &value)) && value.n > 0)
		buf_append(ret, value.data, value.n);
	buf_done(&value);
	return found;
}

struct word {
	char charset[MAX_CHARSET];
	char encoding;
	const char *text, *end; /* end: behind the closing "?=" */
	size_t n;
};

/* =?charset?q?text?= */
static bool find_word(const char *at, struct word *ret)
{
	const char *mark, *end;
	size_t n;

	if (strncmp(at, "=?", 2) != 0 || (mark = strchr(at + 2, '?')) == NULL)
		return false;
	n = strcspn(at + 2, "*? \t");
	ret->encoding = mark[1] != '\0' ? (char)tolower((unsigned char)mark[1]) : '\0';
	if (n == 0 || n >= MAX_CHARSET || (ret->encoding != 'q' && ret->encoding != 'b') || mark[2] != '?')
		return false;
	memcpy(ret->charset, at + 2, n);
	ret->charset[n] = '\0';
	ret->text = mark + 3;
	end = ret->text + strcspn(ret->text, "? \t");
	if (ret->encoding == 'q') /* some write blanks within */
		end = memmem(ret->text, strnlen(ret->text, MAX_WORD), "?=", 2);
	if (end == NULL || end[0] != '?' || end[1] != '=')
		return false;
	ret->n = (size_t)(end - ret->text);
	ret->end = end + 2;
	return true;
}

static void decode_word(const struct word *word, struct buf *bytes)
{
	const struct mime_span text = { word->text, word->n };

	if (word->encoding == 'b')
		mime_decode_base64(text, bytes);
	else
		mime_decode_q(text, bytes);
}

/* A character may be spread over words of one set, so their bytes are put together before they are decoded. */
static const char *decode_run(struct word *word, struct buf *ret)
{
	struct codepage *codepage = codepage_open(word->charset);
	struct buf bytes = { 0 };
	struct word next = *word;
	const char *end;

	do {
		decode_word(&next, &bytes);
		end = next.end;
	} while (find_word(end + strspn(end, " \t"), &next) && strcasecmp(next.charset, word->charset) == 0);
	if (codepage != NULL && bytes.n > 0)
		codepage_append(codepage, bytes.data, bytes.n, ret);
	codepage_close(codepage);
	buf_done(&bytes);
	return end;
}

void mime_decode_words(const char *field, struct buf *ret)
{
	struct word word;
	bool after_word = false;

	while (*field != '\0') {
		size_t n_blanks = strspn(field, " \t");

		if (find_word(field + n_blanks, &word)) {
			if (n_blanks > 0 && !after_word && ret->n > 0)
				buf_append(ret, " ", 1);
			field = decode_run(&word, ret);
			after_word = true;
			continue;
		}
		n_blanks += n_blanks == 0 && *field != '\0' && strncmp(field, "=?", 2) == 0 ? 1 : 0;
		n_blanks += strcspn(field + n_blanks, " \t=");
		n_blanks += n_blanks == 0;
		buf_append(ret, field, n_blanks);
		field += n_blanks;
		after_word = false;
	}
}
