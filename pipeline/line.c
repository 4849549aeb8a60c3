#include "pipeline/line.h"

#include <ctype.h>
#include <string.h>

#define TAB 8
#define MAX_RETURNS 16

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f' || c == '\v';
}

static size_t column_after(size_t column, char c)
{
	if (c == '\t')
		return column / TAB * TAB + TAB;
	if (c == '\f' || c == '\v')
		return column;
	return ((unsigned char)c & 0xc0) == 0x80 ? column : column + 1;
}

/* Up to MAX_RETURNS '\r' in front of '\n' belong to the line's end; one by itself is an old Macintosh's line end. Without
 * that limit a text of nothing else would be looked at to its end from each of them. */
static void find_end(const char *text, size_t n, struct line *line)
{
	size_t i = line->begin, after;

	while (i < n && text[i] != '\n' && text[i] != '\r')
		i++;
	line->end = i;
	for (after = i; after < n && after - i < MAX_RETURNS && text[after] == '\r'; after++)
		;
	line->newline = after < n && text[after] == '\n' ? after : i;
	line->next = line->newline < n ? line->newline + 1 : n;
}

static size_t n_digits(const char *s, const char *end)
{
	size_t n = 0;

	while (s + n < end && isdigit((unsigned char)s[n]))
		n++;
	return n;
}

static size_t n_roman(const char *s, const char *end)
{
	size_t n = 0;

	while (s + n < end && strchr("ivx", s[n]) != NULL)
		n++;
	return n;
}

/* "12", "iv" or one letter: what numbers a list. */
static size_t n_ordinal(const char *s, const char *end)
{
	size_t n = n_digits(s, end);

	if (n == 0 && (n = n_roman(s, end)) < 2 && s < end)
		n = isalpha((unsigned char)*s) ? 1 : 0;
	return n <= 4 ? n : 0;
}

/* The marker's bytes at the start of a line, without the blanks behind; 0: none. */
static size_t n_marker(const char *s, const char *end)
{
	static const char *const bullets[] = { "-", "*", "+", "•", "·", "‣", "▪", "◦", "–" };
	size_t n;

	for (size_t i = 0; i < sizeof(bullets) / sizeof(bullets[0]); i++) {
		n = strlen(bullets[i]);
		if ((size_t)(end - s) > n && memcmp(s, bullets[i], n) == 0)
			return n;
	}
	if (*s == 'o' && end - s > 3 && s[1] == ' ' && s[2] == ' ')
		return 1;
	if (*s == '(') {
		n = n_ordinal(s + 1, end);
		return n > 0 && s + 1 + n < end && s[1 + n] == ')' ? n + 2 : 0;
	}
	n = n_ordinal(s, end);
	if (n == 0 || s + n >= end)
		return 0;
	/* "J. Smith" is a name. */
	return s[n] == ')' || (s[n] == '.' && !isupper((unsigned char)*s)) ? n + 1 : 0;
}

static bool is_item(const char *text, struct line *line)
{
	size_t n = n_marker(text + line->start, text + line->end), i = line->start + n;

	if (n == 0 || i >= line->end || !is_blank(text[i]))
		return false;
	line->content = line->indent;
	for (size_t k = line->start; k < i; k++)
		line->content = column_after(line->content, text[k]);
	for (; is_blank(text[i]); i++)
		line->content = column_after(line->content, text[i]);
	return true;
}

static bool is_rule(const char *text, const struct line *line)
{
	const char sign = text[line->start];
	size_t n = 0;

	if (strchr("=-_*#+^\"'.:", sign) == NULL)
		return false;
	for (size_t i = line->start; i < line->end; i++) {
		if (text[i] == sign)
			n++;
		else if (text[i] != ' ')
			return false;
	}
	return n >= 3 && (sign != '.' || n > 3);
}

static bool is_table(const char *text, const struct line *line)
{
	size_t n_bars = 0;

	if (text[line->start] == '|' || (text[line->start] == '+' && text[line->end - 1] == '+'))
		return line->end - line->start > 2;
	for (size_t i = line->start + 1; i + 1 < line->end; i++)
		n_bars += text[i] == '|' && is_blank(text[i - 1]) && is_blank(text[i + 1]);
	return n_bars >= 2;
}

static bool is_hash(const char *text, const struct line *line)
{
	size_t n = 0;

	while (line->start + n < line->end && text[line->start + n] == '#')
		n++;
	return n >= 1 && n <= 6 && (line->start + n == line->end || is_blank(text[line->start + n]));
}

static enum line_kind kind_of(const char *text, struct line *line)
{
	const char *s = text + line->start;
	size_t n = line->end - line->start;

	if (n == 0)
		return LINE_BLANK;
	if (is_rule(text, line))
		return LINE_RULE;
	if (n >= 3 && (memcmp(s, "```", 3) == 0 || memcmp(s, "~~~", 3) == 0))
		return LINE_FENCE;
	if (*s == '>' && (n == 1 || s[1] == ' ' || s[1] == '>'))
		return LINE_QUOTE;
	if (is_hash(text, line))
		return LINE_HASH;
	if (is_table(text, line))
		return LINE_TABLE;
	return is_item(text, line) ? LINE_ITEM : LINE_TEXT;
}

void line_read(const char *text, size_t n, size_t at, struct line *ret)
{
	*ret = (struct line){ .begin = at };
	find_end(text, n, ret);
	while (ret->end > at && is_blank(text[ret->end - 1]))
		ret->end--;
	for (ret->start = at; ret->start < ret->end && is_blank(text[ret->start]); ret->start++)
		ret->indent = column_after(ret->indent, text[ret->start]);
	ret->width = ret->indent;
	for (size_t i = ret->start; i < ret->end; i++)
		ret->width = column_after(ret->width, text[i]);
	ret->kind = kind_of(text, ret);
}

bool line_next_gap(const char *text, const struct line *line, struct line_gap *gap)
{
	size_t i = gap->at, column = gap->column;

	while (i < line->end) {
		size_t from = column, n_blanks = 0;
		bool tab = false;

		for (; i < line->end && is_blank(text[i]); i++, n_blanks++) {
			tab = tab || text[i] == '\t';
			column = column_after(column, text[i]);
		}
		if (n_blanks > 1 || tab) {
			*gap = (struct line_gap){ i, column, column - from };
			return true;
		}
		for (; i < line->end && !is_blank(text[i]); i++)
			column = column_after(column, text[i]);
	}
	return false;
}

bool line_has_gap(const char *text, const struct line *line)
{
	struct line_gap gap = { line->start, line->indent, 0 };

	return line_next_gap(text, line, &gap);
}

size_t line_first_word(const char *text, const struct line *line)
{
	size_t n = 0;

	for (size_t i = line->start; i < line->end && !is_blank(text[i]); i++)
		n = column_after(n, text[i]);
	return n;
}

static bool contains(const char *s, size_t n, const char *needle)
{
	return memmem(s, n, needle, strlen(needle)) != NULL;
}

bool line_is_code(const char *text, const struct line *line)
{
	static const char *const starts[] = { "$ ",      "//", "/*", "*/", "#include",
		                              "#define", "#!", "}",  "</", "@" };
	static const char *const inside[] = { " = ",  " == ", " != ", "->",  "::",  "();",
		                              " := ", " += ", "=\"",  " [-", " [ -" };
	const char *s = text + line->start;
	size_t n = line->end - line->start;

	if (n == 0)
		return false;
	if (strchr("{};\\", s[n - 1]) != NULL)
		return true;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (n >= strlen(starts[i]) && memcmp(s, starts[i], strlen(starts[i])) == 0)
			return true;
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		if (contains(s, n, inside[i]))
			return true;
	return false;
}
