#include "pipeline/heading.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define MAX_TITLE_WIDTH 70
#define MAX_TITLE_WORDS 10
#define MAX_MARGIN 4 /* indentation of a line that still stands at the margin */
#define MIN_PROSE_WIDTH 50
#define MIN_CENTRE 28 /* the middle of a centred line, in columns */
#define MAX_CENTRE 46

static struct heading heading_of(const struct line *line, unsigned level)
{
	return (struct heading){ line->begin, line->start, line->end, level };
}

static char last_byte(const char *text, const struct line *line)
{
	return text[line->end - 1];
}

static size_t count_words(const char *text, size_t start, size_t end)
{
	size_t n = 0;

	for (size_t i = start; i < end; i++)
		n += !isspace((unsigned char)text[i]) && (i == start || isspace((unsigned char)text[i - 1]));
	return n;
}

static bool is_long_prose(const struct line *line)
{
	return line != NULL && line->kind == LINE_TEXT && line->width >= MIN_PROSE_WIDTH;
}

/* Short, in one piece, and made of what titles are made of. */
static bool is_title(const char *text, const struct line *line)
{
	size_t n_letters = 0;

	if (line->width > MAX_TITLE_WIDTH || line_has_gap(text, line) ||
	    count_words(text, line->start, line->end) > MAX_TITLE_WORDS ||
	    strchr(".,;:", last_byte(text, line)) != NULL)
		return false;
	for (size_t i = line->start; i < line->end; i++) {
		if (strchr("=<>{}[]|\\$@;*", text[i]) != NULL)
			return false;
		n_letters += isalpha((unsigned char)text[i]) || ((unsigned char)text[i] & 0x80) != 0;
	}
	return n_letters * 10 >= (line->end - line->start) * 6;
}

/* One sign, repeated, about as long as the title. */
static bool is_underline(const char *text, const struct line *line, const struct line *title)
{
	size_t n = line->end - line->start, n_title = title->width - title->indent;

	if (strchr("=-~^\"'`*+#", text[line->start]) == NULL || n < 3 || n + 2 < n_title ||
	    line->indent > title->indent + 2)
		return false;
	for (size_t i = line->start; i < line->end; i++)
		if (text[i] != text[line->start])
			return false;
	return true;
}

static bool is_underlined(const char *text, const struct line *lines, size_t n, size_t i, struct heading *ret)
{
	const struct line *line = &lines[i];
	char sign;

	if (i + 1 == n || (i > 0 && lines[i - 1].kind != LINE_RULE) || line_has_gap(text, line) ||
	    (line->kind != LINE_TEXT && line->kind != LINE_ITEM) || line->width > MAX_TITLE_WIDTH ||
	    !is_underline(text, &lines[i + 1], line))
		return false;
	sign = text[lines[i + 1].start];
	*ret = heading_of(line, sign == '=' ? 1 : sign == '-' ? 2 : 3);
	return true;
}

/* "3", "3.2" or "3.2.1." and how many numbers it has; the bytes taken, 0: none. */
static size_t section_number(const char *text, const struct line *line, unsigned *ret_level)
{
	size_t i = line->start, from;
	unsigned level = 0;

	for (;;) {
		for (from = i; i < line->end && isdigit((unsigned char)text[i]); i++)
			;
		if (i == from || i - from > 3)
			break;
		level++;
		if (i == line->end || text[i] != '.')
			break;
		i++;
	}
	if (level == 0 || i >= line->end || !isspace((unsigned char)text[i]))
		return 0;
	*ret_level = level;
	return i - line->start;
}

static size_t skip_blanks(const char *text, size_t i, size_t end)
{
	while (i < end && isspace((unsigned char)text[i]))
		i++;
	return i;
}

/* "3 Scope" may be an item of a list: there prose must follow, and not the next number. */
static bool is_numbered(const char *text, const struct line *lines, size_t n, const struct line *after,
                        struct heading *ret)
{
	const struct line *line = &lines[0];
	unsigned level = 0, ignored;
	size_t n_number = section_number(text, line, &level), words;

	if (n_number == 0 || n != 1 || line->indent > MAX_MARGIN || line->width > MAX_TITLE_WIDTH)
		return false;
	words = skip_blanks(text, line->start + n_number, line->end);
	if (!isupper((unsigned char)text[words]) || count_words(text, words, line->end) > MAX_TITLE_WORDS ||
	    strchr(",;:?", last_byte(text, line)) != NULL ||
	    memmem(text + words, line->end - words, "...", 3) != NULL)
		return false;
	if (level == 1 && (!is_long_prose(after) || section_number(text, after, &ignored) > 0))
		return false;
	if (level > 1 && last_byte(text, line) == '.' && !is_long_prose(after))
		return false;
	*ret = heading_of(line, level);
	return true;
}

static bool is_chapter(const char *text, const struct line *lines, size_t n, struct heading *ret)
{
	static const struct {
		const char *word;
		unsigned level;
	} names[] = { { "part ", 1 },    { "book ", 1 },    { "volume ", 1 },   { "act ", 1 },
		      { "chapter ", 2 }, { "section ", 2 }, { "appendix ", 2 }, { "letter ", 2 },
		      { "scene ", 2 },   { "article ", 2 } };
	const struct line *line = &lines[0];

	if (n > 2 || !isupper((unsigned char)text[line->start]) || line->width > MAX_TITLE_WIDTH ||
	    strchr(",;?", last_byte(text, line)) != NULL)
		return false;
	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		size_t i = line->start + strlen(names[k].word), from = i;

		if (i >= line->end ||
		    strncasecmp(text + line->start, names[k].word, strlen(names[k].word)) != 0)
			continue;
		while (i < line->end && (isdigit((unsigned char)text[i]) || strchr("IVXLC", text[i]) != NULL))
			i++;
		if (i == from && isupper((unsigned char)text[i]))
			i++;
		if (i == from || (i < line->end && strchr(".:) -", text[i]) == NULL))
			return false;
		*ret = heading_of(line, names[k].level);
		return true;
	}
	return false;
}

static bool is_capitals(const char *text, const struct line *line)
{
	size_t n_upper = 0;

	for (size_t i = line->start; i < line->end; i++) {
		if (islower((unsigned char)text[i]))
			return false;
		n_upper += isupper((unsigned char)text[i]) != 0;
	}
	return n_upper >= 3;
}

static bool all_deeper(const struct line *lines, size_t n, size_t indent)
{
	for (size_t i = 1; i < n; i++)
		if (lines[i].indent < indent + 2)
			return false;
	return true;
}

static bool is_centred(const struct line *line)
{
	size_t centre = (line->indent + line->width) / 2;

	return line->indent >= 8 && centre >= MIN_CENTRE && centre <= MAX_CENTRE;
}

/* A title over what follows, by where the two stand. */
static bool stands_over(const char *text, const struct line *lines, size_t n, const struct line *after,
                        struct heading *ret)
{
	const struct line *line = &lines[0], *below = n > 1 ? &lines[1] : after;

	if (below == NULL || line->kind != LINE_TEXT || !is_title(text, line) ||
	    !isupper((unsigned char)text[line->start]))
		return false;
	if (line->indent == 0 && is_capitals(text, line) && (n == 1 || all_deeper(lines, n, 0))) {
		*ret = heading_of(line, 1);
		return true;
	}
	if (n == 1 && is_centred(line) && below->indent + 5 <= line->indent) {
		*ret = heading_of(line, 1);
		return true;
	}
	if (n > 1 && line->indent <= MAX_MARGIN && all_deeper(lines, n, line->indent) &&
	    !line_is_code(text, line) && is_long_prose(below)) {
		*ret = heading_of(line, 2);
		return true;
	}
	return false;
}

bool heading_plain(const char *text, const struct line *lines, size_t n, size_t i, const struct line *after,
                   struct heading *ret)
{
	if (is_underlined(text, lines, n, i, ret))
		return true;
	return i == 0 && (is_numbered(text, lines, n, after, ret) || is_chapter(text, lines, n, ret) ||
	                  stands_over(text, lines, n, after, ret));
}

static bool is_atx(const char *text, const struct line *line, struct heading *ret)
{
	size_t n_hashes = 0, start, end = line->end;

	while (line->start + n_hashes < line->end && text[line->start + n_hashes] == '#')
		n_hashes++;
	start = skip_blanks(text, line->start + n_hashes, line->end);
	while (end > start && text[end - 1] == '#')
		end--;
	/* "## C#" has a name at its end, not closing marks. */
	if (end > start && end < line->end && !isspace((unsigned char)text[end - 1]))
		end = line->end;
	while (end > start && isspace((unsigned char)text[end - 1]))
		end--;
	*ret = (struct heading){ line->begin, start, end, (unsigned)n_hashes };
	return end > start;
}

bool heading_markdown(const char *text, const struct line *lines, size_t n, size_t i, struct heading *ret)
{
	const struct line *line = &lines[i];

	if (line->kind == LINE_HASH)
		return line->indent < MAX_MARGIN && is_atx(text, line, ret);
	if (line->kind != LINE_TEXT || i + 1 == n || (i > 0 && lines[i - 1].joins) ||
	    strchr("=-", text[lines[i + 1].start]) == NULL || lines[i + 1].kind != LINE_RULE)
		return false;
	*ret = heading_of(line, text[lines[i + 1].start] == '=' ? 1 : 2);
	return true;
}
