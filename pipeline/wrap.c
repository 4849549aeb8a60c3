#include "pipeline/wrap.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define MIN_WIDTH 50 /* narrower blocks need more than two lines, and nearly all of them agreeing */
#define NARROW_WIDTH 34
#define USUAL_WIDTH 80 /* where a longer line is one word too long, not the margin */
#define SLACK 6 /* what hand-made and justified lines may leave unused */
#define MAX_FIRST_LINE_INDENT 8
#define MAX_HANGING_INDENT 8
#define MAX_LABEL 24 /* bytes up to and with its colon */

static bool is_word_byte(char c)
{
	return isalnum((unsigned char)c) || ((unsigned char)c & 0x80) != 0;
}

static bool starts_lower(const char *text, const struct line *line)
{
	static const char *const openers[] = { "\"", "'", "(", "`", "[", "‘", "“", "«" };
	size_t i = line->start, n = 1;

	while (n > 0) {
		n = 0;
		for (size_t k = 0; k < sizeof(openers) / sizeof(openers[0]) && n == 0; k++)
			if (line->end - i > strlen(openers[k]) &&
			    memcmp(text + i, openers[k], strlen(openers[k])) == 0)
				n = strlen(openers[k]);
		i += n;
	}
	return islower((unsigned char)text[i]);
}

/* The last word is one that nobody ends a line with by choice. */
static bool ends_in_small_word(const char *text, const struct line *line)
{
	static const char *const words[] = { "a",   "an",   "and", "are",  "as", "at",  "be", "by",
		                             "for", "from", "in",  "is",   "it", "of",  "on", "or",
		                             "our", "that", "the", "this", "to", "with" };
	size_t i = line->end;

	while (i > line->start && is_word_byte(text[i - 1]))
		i--;
	for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++)
		if (line->end - i == strlen(words[k]) && memcmp(text + i, words[k], line->end - i) == 0)
			return true;
	return false;
}

static bool ends_sentence(const char *text, const struct line *line)
{
	size_t i = line->end;

	while (i > line->start + 1 && strchr("\"')]", text[i - 1]) != NULL)
		i--;
	return strchr(".!?", text[i - 1]) != NULL;
}

/* What follows reads like the middle of a sentence, or like the sentence after a full stop. */
static bool reads_on(const char *text, const struct line *line, const struct line *next)
{
	if (starts_lower(text, next) || ends_in_small_word(text, line))
		return true;
	/* Verse is narrower. */
	if (line->width < MIN_WIDTH)
		return false;
	/* The words of an item, below its first ones. */
	if (line->kind == LINE_ITEM && next->kind == LINE_TEXT && next->indent == line->content)
		return true;
	return text[line->end - 1] == ',' ||
	       (ends_sentence(text, line) && isalpha((unsigned char)text[next->start]));
}

/* Both lines have words starting in one column behind a gap: cells of a table, or two tagged items. Gaps of
 * lines that were filled to both margins are narrow, and meet by chance. */
static bool share_column(const char *text, const struct line *line, const struct line *next)
{
	struct line_gap a = { line->start, line->indent, 0 }, b = { next->start, next->indent, 0 };
	size_t by_chance = line->width == next->width ? 3 : 2;
	bool more = line_next_gap(text, line, &a) && line_next_gap(text, next, &b);

	while (more) {
		if (a.column == b.column && (a.width > by_chance || b.width > by_chance))
			return true;
		more = a.column < b.column ? line_next_gap(text, line, &a) : line_next_gap(text, next, &b);
	}
	return false;
}

/* The words of an item or behind a tag ("-a      do all", "--all do all") start in this column. */
static bool hangs_at(const char *text, const struct line *line, size_t column)
{
	struct line_gap gap = { line->start, line->indent, 0 };

	if (line->kind == LINE_ITEM && column <= line->content + 1)
		return true;
	if (column == line->indent + line_first_word(text, line) + 1)
		return true;
	while (line_next_gap(text, line, &gap) && gap.column <= column)
		if (gap.column == column)
			return true;
	return false;
}

/* "size: in bytes" */
static bool has_label(const char *text, const struct line *line)
{
	size_t n = line->end - line->start;
	const char *colon = memchr(text + line->start, ':', n < MAX_LABEL ? n : MAX_LABEL);

	return colon != NULL && colon + 1 < text + line->end && colon[1] == ' ';
}

/* Two records of a log or a list: both have labels, or their first words are numbers of one form. */
static bool same_form(const char *text, const struct line *line, const struct line *next)
{
	size_t i = line->start, k = next->start;

	if (has_label(text, line) && has_label(text, next))
		return true;
	if (!isdigit((unsigned char)text[i]) && text[i] != '[')
		return false;
	for (; i < line->end && k < next->end && text[i] != ' ' && text[k] != ' '; i++, k++)
		if (isdigit((unsigned char)text[i]) != isdigit((unsigned char)text[k]))
			return false;
	return true;
}

/* "as in section" and "7. This requirement": a number that came to stand at the start by chance. */
static bool is_chance_item(const char *text, const struct line *line, const struct line *next)
{
	return next->kind == LINE_ITEM && isdigit((unsigned char)text[next->start]) &&
	       line->kind == LINE_TEXT && line->indent == next->indent && line->width >= MIN_WIDTH &&
	       isalpha((unsigned char)text[line->end - 1]);
}

/* What the lines in front say of a line. */
enum role {
	CONTINUES, /* it goes on with the one above */
	BEGINS, /* it does not, but is no paragraph either: an item, a line of a verse, program text */
	OPENS, /* it is the first of a paragraph, and may be indented for it */
};

static enum role role_of(const char *text, const struct line *lines, size_t i, bool joined)
{
	if (joined)
		return CONTINUES;
	return i == 0 || ends_sentence(text, &lines[i - 1]) ? OPENS : BEGINS;
}

/* The lines' kinds and indentation allow that next goes on with line. */
static bool may_join(const char *text, const struct line *line, const struct line *next, enum role role)
{
	if (is_chance_item(text, line, next))
		return true;
	if ((line->kind != LINE_TEXT && line->kind != LINE_ITEM) || next->kind != LINE_TEXT)
		return false;
	if (next->indent == line->indent)
		return !share_column(text, line, next) && !same_form(text, line, next);
	if (next->indent > line->indent)
		return role != CONTINUES && !share_column(text, line, next) &&
		       (hangs_at(text, line, next->indent) ||
		        (next->indent - line->indent <= MAX_HANGING_INDENT && starts_lower(text, next) &&
		         line->width >= MIN_WIDTH));
	return role == OPENS && line->kind == LINE_TEXT &&
	       line->indent - next->indent <= MAX_FIRST_LINE_INDENT && !line_has_gap(text, line);
}

static bool is_full(const char *text, const struct line *line, const struct line *next, size_t margin)
{
	return line->width + 1 + line_first_word(text, next) + SLACK > margin;
}

struct tally {
	size_t n_pairs; /* of lines that may join */
	size_t n_full, n_reads_on;
};

static struct tally count_pairs(const char *text, const struct line *lines, size_t n, size_t margin)
{
	struct tally tally = { 0 };
	bool may = false;

	for (size_t i = 0; i + 1 < n; i++) {
		may = may_join(text, &lines[i], &lines[i + 1], role_of(text, lines, i, may));
		if (!may)
			continue;
		tally.n_pairs++;
		if (is_full(text, &lines[i], &lines[i + 1], margin)) {
			tally.n_full++;
			tally.n_reads_on += reads_on(text, &lines[i], &lines[i + 1]);
		}
	}
	return tally;
}

/* Enough lines are full, and enough of what follows them reads on. One short line is forgiven. */
static bool was_filled(struct tally tally, size_t margin)
{
	if (tally.n_full == 0 || margin < NARROW_WIDTH)
		return false;
	if (margin < MIN_WIDTH)
		return tally.n_full >= 2 && tally.n_full + 1 >= tally.n_pairs &&
		       tally.n_reads_on * 4 >= tally.n_full * 3;
	return (tally.n_full * 3 >= tally.n_pairs * 2 || tally.n_full + 1 >= tally.n_pairs) &&
	       tally.n_reads_on * 2 >= tally.n_full;
}

static size_t widest(const struct line *lines, size_t n, size_t limit)
{
	size_t width = 0;

	for (size_t i = 0; i < n; i++)
		if (lines[i].width > width && lines[i].width <= limit)
			width = lines[i].width;
	return width;
}

/* The column at which the block was filled; 0: it was not. */
static size_t find_margin(const char *text, const struct line *lines, size_t n)
{
	size_t margin = widest(lines, n, SIZE_MAX);

	if (was_filled(count_pairs(text, lines, n, margin), margin))
		return margin;
	if (margin <= USUAL_WIDTH)
		return 0;
	margin = widest(lines, n, USUAL_WIDTH);
	return was_filled(count_pairs(text, lines, n, margin), margin) ? margin : 0;
}

static bool joins(const char *text, const struct line *line, const struct line *next, size_t margin)
{
	char last = text[line->end - 1];

	if (is_full(text, line, next, margin))
		return reads_on(text, line, next) || strchr(":>|", last) == NULL;
	/* Edited by hand and not filled again. */
	return (starts_lower(text, next) || ends_in_small_word(text, line)) && line->width * 2 >= margin &&
	       !ends_sentence(text, line) && strchr(":;", last) == NULL;
}

static bool is_program(const char *text, const struct line *lines, size_t n)
{
	size_t n_code = 0;

	for (size_t i = 0; i < n; i++)
		n_code += line_is_code(text, &lines[i]);
	return n_code * 2 > n;
}

static void leave_alone(struct line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		lines[i].kind = LINE_CODE;
}

void wrap_plain(const char *text, struct line *lines, size_t n)
{
	size_t margin;

	if (is_program(text, lines, n)) {
		leave_alone(lines, n);
		return;
	}
	margin = find_margin(text, lines, n);
	for (size_t i = 0; margin > 0 && i + 1 < n; i++) {
		enum role role = role_of(text, lines, i, i > 0 && lines[i - 1].joins);

		lines[i].joins = may_join(text, &lines[i], &lines[i + 1], role) &&
		                 joins(text, &lines[i], &lines[i + 1], margin);
	}
}

/* An opening fence, or the closing one that matches it. */
static void pass_fence(struct wrap_markdown *state, const char *text, const struct line *line)
{
	char sign = text[line->start];
	size_t n = 0;

	while (line->start + n < line->end && text[line->start + n] == sign)
		n++;
	if (state->fence == 0) {
		state->fence = sign;
		state->n_fence = n;
	} else if (sign == state->fence && n >= state->n_fence && line->start + n == line->end) {
		state->fence = 0;
	}
}

static bool is_dashes(const char *text, const struct line *line)
{
	return line->indent == 0 && line->end - line->start == 3 && memcmp(text + line->start, "---", 3) == 0;
}

/* In YAML front matter, a fence, or indented so far that it is code; first: the line above is blank. */
static bool is_verbatim(struct wrap_markdown *state, const char *text, const struct line *line, bool first)
{
	bool dashes = is_dashes(text, line), was_in_front = state->front_matter,
	     was_in_fence = state->fence != 0;

	if (!state->started && dashes)
		state->front_matter = true;
	else if (was_in_front && dashes)
		state->front_matter = false;
	state->started = true;
	if (was_in_front || state->front_matter)
		return true;
	if (line->kind == LINE_FENCE)
		pass_fence(state, text, line);
	if (was_in_fence || state->fence != 0)
		return true;
	return first && line->indent >= state->item_content + 4;
}

static bool is_html(const char *text, const struct line *line)
{
	return text[line->start] == '<' && line->end - line->start > 2 &&
	       (isalpha((unsigned char)text[line->start + 1]) ||
	        strchr("/!?", text[line->start + 1]) != NULL) &&
	       memchr(text + line->start, ':', line->end - line->start) == NULL;
}

/* "[name]: where": a link's definition. */
static bool is_definition(const char *text, const struct line *line)
{
	return text[line->start] == '[' &&
	       memmem(text + line->start, line->end - line->start, "]: ", 3) != NULL;
}

static void pass_item(struct wrap_markdown *state, const struct line *line, bool first)
{
	if (line->kind == LINE_ITEM)
		state->item_content = line->content;
	else if (first && line->indent < state->item_content)
		state->item_content = 0;
}

/* Two blanks or a backslash at the end ask for a line break. */
static bool breaks_hard(const char *text, const struct line *line)
{
	return text[line->end - 1] == '\\' || (line->newline >= line->end + 2 && text[line->end + 1] == ' ');
}

static bool fills(const char *text, const struct line *line, const struct line *next)
{
	if ((line->kind != LINE_TEXT && line->kind != LINE_ITEM) || next->kind != LINE_TEXT)
		return false;
	return !breaks_hard(text, line) && !is_definition(text, line) && !is_definition(text, next);
}

void wrap_markdown(struct wrap_markdown *state, const char *text, struct line *lines, size_t n)
{
	bool html = false, code = false;

	for (size_t i = 0; i < n; i++) {
		pass_item(state, &lines[i], i == 0);
		html = html || (i == 0 && is_html(text, &lines[i]));
		code = is_verbatim(state, text, &lines[i], i == 0 || code);
		if (code || html)
			lines[i].kind = LINE_CODE;
		if (i > 0)
			lines[i - 1].joins = fills(text, &lines[i - 1], &lines[i]);
	}
}
