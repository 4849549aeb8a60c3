#include "pipeline/formats/troff_text.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const struct {
	const char *name, *text;
} CHARACTERS[] = {
	{ "em", "\xe2\x80\x94" },
	{ "en", "\xe2\x80\x93" },
	{ "hy", "-" },
	{ "lq", "\xe2\x80\x9c" },
	{ "rq", "\xe2\x80\x9d" },
	{ "oq", "\xe2\x80\x98" },
	{ "cq", "\xe2\x80\x99" },
	{ "aq", "'" },
	{ "dq", "\"" },
	{ "bu", "\xe2\x80\xa2" },
	{ "co", "\xc2\xa9" },
	{ "rg", "\xc2\xae" },
	{ "tm", "\xe2\x84\xa2" },
	{ "mu", "\xc3\x97" },
	{ "di", "\xc3\xb7" },
	{ "+-", "\xc2\xb1" },
	{ "ti", "~" },
	{ "ha", "^" },
	{ "rs", "\\" },
	{ "ga", "`" },
	{ "aa", "\xc2\xb4" },
	{ "at", "@" },
	{ "sh", "#" },
	{ "Do", "$" },
	{ "->", "\xe2\x86\x92" },
	{ "<-", "\xe2\x86\x90" },
	{ "da", "\xe2\x86\x93" },
	{ "ua", "\xe2\x86\x91" },
	{ "<=", "\xe2\x89\xa4" },
	{ ">=", "\xe2\x89\xa5" },
	{ "!=", "\xe2\x89\xa0" },
	{ "==", "\xe2\x89\xa1" },
	{ "~=", "\xe2\x89\x85" },
	{ "if", "\xe2\x88\x9e" },
	{ "de", "\xc2\xb0" },
	{ "sc", "\xc2\xa7" },
	{ "ps", "\xc2\xb6" },
	{ "dg", "\xe2\x80\xa0" },
	{ "dd", "\xe2\x80\xa1" },
	{ "Eu", "\xe2\x82\xac" },
	{ "Po", "\xc2\xa3" },
	{ "ct", "\xc2\xa2" },
	{ "Ye", "\xc2\xa5" },
	{ "12", "\xc2\xbd" },
	{ "14", "\xc2\xbc" },
	{ "34", "\xc2\xbe" },
	{ "ss", "\xc3\x9f" },
	{ "ae", "\xc3\xa6" },
	{ "AE", "\xc3\x86" },
	{ "oe", "\xc5\x93" },
	{ "OE", "\xc5\x92" },
	{ "/o", "\xc3\xb8" },
	{ "/O", "\xc3\x98" },
	{ "oa", "\xc3\xa5" },
	{ "oA", "\xc3\x85" },
	{ "'e", "\xc3\xa9" },
	{ "'a", "\xc3\xa1" },
	{ "'i", "\xc3\xad" },
	{ "'o", "\xc3\xb3" },
	{ "'u", "\xc3\xba" },
	{ "'E", "\xc3\x89" },
	{ "`a", "\xc3\xa0" },
	{ "`e", "\xc3\xa8" },
	{ "`u", "\xc3\xb9" },
	{ ":a", "\xc3\xa4" },
	{ ":o", "\xc3\xb6" },
	{ ":u", "\xc3\xbc" },
	{ ":e", "\xc3\xab" },
	{ ":i", "\xc3\xaf" },
	{ ":A", "\xc3\x84" },
	{ ":O", "\xc3\x96" },
	{ ":U", "\xc3\x9c" },
	{ "^a", "\xc3\xa2" },
	{ "^e", "\xc3\xaa" },
	{ "^i", "\xc3\xae" },
	{ "^o", "\xc3\xb4" },
	{ "^u", "\xc3\xbb" },
	{ ",c", "\xc3\xa7" },
	{ "~n", "\xc3\xb1" },
	{ "~o", "\xc3\xb5" },
	{ "ba", "|" },
	{ "br", "|" },
	{ "or", "|" },
	{ "ul", "_" },
	{ "sl", "/" },
	{ "lB", "[" },
	{ "rB", "]" },
	{ "lC", "{" },
	{ "rC", "}" },
	{ "la", "\xe2\x9f\xa8" },
	{ "ra", "\xe2\x9f\xa9" },
	{ "Fo", "\xc2\xab" },
	{ "Fc", "\xc2\xbb" },
	{ "fo", "\xe2\x80\xb9" },
	{ "fc", "\xe2\x80\xba" },
	{ "bq", "\xe2\x80\x9a" },
	{ "Bq", "\xe2\x80\x9e" },
	{ "*a", "\xce\xb1" },
	{ "*b", "\xce\xb2" },
	{ "*g", "\xce\xb3" },
	{ "*d", "\xce\xb4" },
	{ "*l", "\xce\xbb" },
	{ "*m", "\xce\xbc" },
	{ "*p", "\xcf\x80" },
	{ "mc", "\xc2\xb5" },
	{ "pl", "+" },
	{ "mi", "-" },
	{ "eq", "=" },
	{ "**", "*" },
	{ "S1", "\xc2\xb9" },
	{ "S2", "\xc2\xb2" },
	{ "S3", "\xc2\xb3" },
	{ "OK", "\xe2\x9c\x93" },
	{ "sq", "\xe2\x96\xa1" },
	{ "ci", "\xe2\x97\x8b" },
};

/* Strings that macro packages define: \*(lq, and those of Perl's manual pages. */
static const struct {
	const char *name, *text;
} STRINGS[] = {
	{ "lq", "\xe2\x80\x9c" },
	{ "rq", "\xe2\x80\x9d" },
	{ "Lq", "\xe2\x80\x9c" },
	{ "Rq", "\xe2\x80\x9d" },
	{ "L\"", "\xe2\x80\x9c" },
	{ "R\"", "\xe2\x80\x9d" },
	{ "C`", "\xe2\x80\x98" },
	{ "C'", "\xe2\x80\x99" },
	{ "--", "\xe2\x80\x94" },
	{ "PI", "\xcf\x80" },
	{ "R", "\xc2\xae" },
	{ "Tm", "\xe2\x84\xa2" },
	{ "q", "\"" },
	{ "Ba", "|" },
	{ "Ge", "\xe2\x89\xa5" },
	{ "Le", "\xe2\x89\xa4" },
	{ "Ne", "\xe2\x89\xa0" },
	{ "Gt", ">" },
	{ "Lt", "<" },
	{ "Am", "&" },
};

bool troff_equals(struct troff_span text, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(text.end - text.at) == n && memcmp(text.at, word, n) == 0;
}

bool troff_next_line(struct troff_span *text, struct troff_span *ret)
{
	const char *end;

	if (text->at == text->end)
		return false;
	end = memchr(text->at, '\n', (size_t)(text->end - text->at));
	*ret = (struct troff_span){ text->at, end == NULL ? text->end : end };
	text->at = end == NULL ? text->end : end + 1;
	if (ret->end > ret->at && ret->end[-1] == '\r')
		ret->end--;
	return true;
}

/* To behind a word that is not quoted; an escaped blank does not end it. */
static const char *find_word_end(struct troff_span line)
{
	const char *at = line.at;

	while (at < line.end && *at != ' ' && *at != '\t')
		at += 1 + (*at == '\\' && at + 1 < line.end);
	return at;
}

static bool is_comment(struct troff_span text)
{
	return text.end - text.at >= 2 && text.at[0] == '\\' && (text.at[1] == '"' || text.at[1] == '#');
}

bool troff_next_word(struct troff_span *line, struct troff_word *ret)
{
	while (line->at < line->end && (*line->at == ' ' || *line->at == '\t'))
		line->at++;
	if (line->at == line->end || is_comment(*line))
		return false;
	ret->quoted = *line->at == '"';
	if (!ret->quoted) {
		ret->text = (struct troff_span){ line->at, find_word_end(*line) };
		line->at = ret->text.end;
		return true;
	}
	ret->text.at = ++line->at;
	while (line->at < line->end && (*line->at != '"' || (line->at + 1 < line->end && line->at[1] == '"')))
		line->at += *line->at == '"' ? 2 : 1;
	ret->text.end = line->at;
	line->at += line->at < line->end;
	return true;
}

/* What stands behind \f, \(, \* and their like: "x", "(xx" or "[name]". at is behind it then. */
static struct troff_span take_name(struct troff_span *text)
{
	struct troff_span name = *text;
	const char *end;

	if (text->at == text->end)
		return name;
	if (*text->at == '[') {
		name.at++;
		end = memchr(name.at, ']', (size_t)(text->end - name.at));
		name.end = end == NULL ? text->end : end;
		text->at = end == NULL ? text->end : end + 1;
	} else if (*text->at == '(') {
		name.at++;
		name.end = text->end - name.at < 2 ? text->end : name.at + 2;
		text->at = name.end;
	} else {
		name.end = text->at = name.at + 1;
	}
	return name;
}

/* 'text' behind \h, \v, \w and their like. */
static struct troff_span take_quoted(struct troff_span *text)
{
	struct troff_span ret = *text;
	const char *end;

	if (text->at == text->end)
		return ret;
	ret.at++;
	end = memchr(ret.at, *text->at, (size_t)(text->end - ret.at));
	ret.end = end == NULL ? text->end : end;
	text->at = end == NULL ? text->end : end + 1;
	return ret;
}

/* \[u2014], and with more behind it, \[u0065_0301]. */
static bool append_code(struct troff_span name, struct buf *ret)
{
	char digits[8] = "", utf8[4];
	size_t n = (size_t)(name.end - name.at);
	const char *mark = n > 0 ? memchr(name.at, '_', n) : NULL;
	unsigned long character;

	n = mark == NULL ? n : (size_t)(mark - name.at);
	if (n < 5 || n > 7 || name.at[0] != 'u' || !isxdigit((unsigned char)name.at[1]))
		return false;
	memcpy(digits, name.at + 1, n - 1);
	character = strtoul(digits, NULL, 16);
	if (character == 0 || character > 0x10ffff || (character >= 0xd800 && character < 0xe000))
		return false;
	buf_append(ret, utf8, text_encode_utf8((uint32_t)character, utf8));
	return true;
}

static void append_character(struct troff_span name, struct buf *ret)
{
	for (size_t i = 0; i < sizeof(CHARACTERS) / sizeof(CHARACTERS[0]); i++) {
		if (troff_equals(name, CHARACTERS[i].name)) {
			buf_puts(ret, CHARACTERS[i].text);
			return;
		}
	}
	if (!append_code(name, ret) && name.end - name.at == 1)
		buf_append(ret, name.at, 1);
}

static void append_string(struct troff_span name, struct buf *ret)
{
	for (size_t i = 0; i < sizeof(STRINGS) / sizeof(STRINGS[0]); i++)
		if (troff_equals(name, STRINGS[i].name))
			buf_puts(ret, STRINGS[i].text);
}

/* \s-2, \s+(10, \s[12], \s'1', \s0 */
static void skip_size(struct troff_span *text)
{
	if (text->at < text->end && (*text->at == '+' || *text->at == '-'))
		text->at++;
	if (text->at < text->end && *text->at == '\'')
		take_quoted(text);
	else
		take_name(text);
}

/* text is behind the backslash and its letter. */
static void append_escape(char letter, struct troff_span *text, struct buf *ret)
{
	switch (letter) {
	case '(':
	case '[':
		text->at--;
		append_character(take_name(text), ret);
		break;
	case 'C':
		append_character(take_quoted(text), ret);
		break;
	case 'f':
	case 'F':
	case 'm':
	case 'M':
	case 'g':
	case 'k':
	case 'n':
	case 'V':
		if (text->at < text->end && (*text->at == '+' || *text->at == '-'))
			text->at++;
		take_name(text);
		break;
	case '*':
		append_string(take_name(text), ret);
		break;
	case 's':
		skip_size(text);
		break;
	case 'h':
	case 'v':
	case 'w':
	case 'l':
	case 'L':
	case 'D':
	case 'b':
	case 'o':
	case 'x':
	case 'X':
	case 'R':
	case 'S':
	case 'H':
	case 'N':
	case 'Z':
	case 'A':
	case 'B':
		take_quoted(text);
		break;
	case 'e':
	case 'E':
		buf_puts(ret, "\\");
		break;
	case ' ':
	case '~':
	case '0':
	case 't':
		buf_puts(ret, " ");
		break;
	case '-':
	case '.':
	case '\'':
	case '`':
	case '\\':
		buf_append(ret, &letter, 1);
		break;
	case '_':
		buf_puts(ret, "_");
		break;
	default: /* \& \| \^ \% \: \/ \, \{ \} \a \d \u \r \p \z */
		break;
	}
}

bool troff_append(struct troff_span text, struct buf *ret)
{
	bool goes_on = false;

	while (text.at < text.end) {
		const char *escape = memchr(text.at, '\\', (size_t)(text.end - text.at));
		struct troff_span rest = { escape, text.end };
		char letter;

		buf_append(ret, text.at, (size_t)((escape == NULL ? text.end : escape) - text.at));
		if (escape == NULL || escape + 1 == text.end || is_comment(rest))
			break;
		letter = escape[1];
		text.at = escape + 2;
		goes_on = letter == 'c';
		if (letter != 'c')
			append_escape(letter, &text, ret);
	}
	return goes_on;
}
