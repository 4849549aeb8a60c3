#include "pipeline/formats/sink.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/text.h"
#include "pipeline/formats/sink_collect.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define MIB ((size_t)1 << 20)

/* White space is not written before a word follows it: what is owed comes in front of that. */
struct sink {
	struct buf text; /* behind what the outlet has; offsets count from the start of all */
	size_t n_out;
	size_t max_bytes;
	struct marks marks;
	size_t cap_blocks, cap_places;
	unsigned page, n_pages;
	char *section; /* NULL: none */
	bool moved; /* to another page or section, since the last place */
	bool open;
	struct mark mark; /* the open block; start is known once it has words */
	bool has_words;
	size_t before; /* where the text ended in front of it */
	bool owes_blank, owes_break;
	size_t owes_cells;
	bool after_return; /* preformatted: a line feed behind it is the same one */
	unsigned char part[4]; /* of a character */
	size_t n_part;
	int r;
	char truncated[SINK_REASON_MAX];
	const struct sink_outlet *outlet; /* NULL: none */
};

static size_t end_of(const struct sink *sink)
{
	return sink->n_out + sink->text.n;
}

static void fail(struct sink *sink, int r)
{
	if (sink->r == 0)
		sink->r = r;
}

void sink_truncated(struct sink *sink, const char *reason)
{
	if (sink->truncated[0] == '\0')
		snprintf(sink->truncated, sizeof(sink->truncated), "%s", reason);
}

static void overflow(struct sink *sink)
{
	char reason[64];

	if (sink->max_bytes >= MIB)
		snprintf(reason, sizeof(reason), "only the first %zu MiB of its text", sink->max_bytes / MIB);
	else
		snprintf(reason, sizeof(reason), "only the first %zu bytes of its text", sink->max_bytes);
	sink_truncated(sink, reason);
	fail(sink, -EFBIG);
}

/* Room is kept for the line feed behind the block. */
static void append(struct sink *sink, const char *bytes, size_t n)
{
	if (sink->r == 0 && end_of(sink) + n + 1 > sink->max_bytes)
		overflow(sink);
	if (sink->r < 0)
		return;
	buf_append(&sink->text, bytes, n);
	if (buf_status(&sink->text) < 0)
		fail(sink, -ENOMEM);
}

static bool is_one_line(const struct sink *sink)
{
	return sink->mark.block == SINK_HEADING || sink->mark.block == SINK_ROW;
}

static void add_place(struct sink *sink)
{
	struct marks *marks = &sink->marks;
	char *section = sink->section == NULL ? NULL : strdup(sink->section);

	sink->moved = false;
	if (marks->n_places == MARKS_MAX_PLACES) {
		free(section);
		overflow(sink);
		return;
	}
	if ((sink->section != NULL && section == NULL) ||
	    array_grow(&marks->places, sizeof(*marks->places), marks->n_places, &sink->cap_places) < 0) {
		free(section);
		fail(sink, -ENOMEM);
		return;
	}
	marks->places[marks->n_places++] =
		(struct mark_place){ .start = end_of(sink), .page = sink->page, .section = section };
}

/* Lines of one list or table. */
static bool follows_closely(const struct sink *sink)
{
	const struct mark *last = &sink->marks.blocks[sink->marks.n_blocks - 1];

	return !sink->moved && last->block == sink->mark.block && last->aside == sink->mark.aside &&
	       (last->block == SINK_ROW || last->block == SINK_ITEM);
}

static void begin_words(struct sink *sink)
{
	sink->before = end_of(sink);
	if (sink->marks.n_blocks > 0 && !follows_closely(sink))
		append(sink, "\n", 1);
	if (sink->moved)
		add_place(sink);
	sink->mark.start = end_of(sink);
	sink->has_words = true;
	for (; sink->owes_cells > 0 && sink->r == 0; sink->owes_cells--)
		append(sink, "\t", 1);
}

static void pay_white(struct sink *sink)
{
	if (!sink->has_words)
		begin_words(sink);
	else if (sink->owes_cells > 0)
		for (; sink->owes_cells > 0 && sink->r == 0; sink->owes_cells--)
			append(sink, "\t", 1);
	else if (sink->owes_break)
		append(sink, "\n", 1);
	else if (sink->owes_blank)
		append(sink, " ", 1);
	sink->owes_blank = sink->owes_break = false;
}

static void put_words(struct sink *sink, const char *bytes, size_t n)
{
	pay_white(sink);
	append(sink, bytes, n);
	sink->after_return = false;
}

static bool is_left_out(uint32_t c)
{
	return c == 0xad || c == 0x200b || c == 0xfeff;
}

static bool is_white(uint32_t c)
{
	return c <= 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
	       c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* White space of program text, which is part of what it says. */
static void put_layout(struct sink *sink, uint32_t c)
{
	bool again = c == '\n' && sink->after_return;

	if (again)
		sink->after_return = false;
	else
		put_words(sink, c == '\n' || c == '\r' ? "\n" : c == '\t' ? "\t" : " ", 1);
	if (c == '\r')
		sink->after_return = true;
}

static void put_character(struct sink *sink, uint32_t c, const char *bytes, size_t n)
{
	/* A typesetter's hyphen at a line's end is the view's to judge. */
	if (is_left_out(c) && !(c == 0xad && sink->mark.block == SINK_WRAPPED))
		return;
	if (!is_white(c))
		put_words(sink, bytes, n);
	else if (sink->mark.block == SINK_PREFORMATTED)
		put_layout(sink, c);
	else
		sink->owes_blank = true;
}

static void drop_part(struct sink *sink)
{
	if (sink->n_part > 0)
		put_words(sink, REPLACEMENT, strlen(REPLACEMENT));
	sink->n_part = 0;
}

/* A byte that is not a character with those behind it: perhaps with what the next call brings. Returns the bytes taken. */
static size_t put_part(struct sink *sink, unsigned char byte)
{
	bool goes_on = (byte & 0xc0) == 0x80;
	size_t n_whole;
	uint32_t c;

	if (sink->n_part > 0 && !goes_on) {
		drop_part(sink);
		return 0;
	}
	sink->part[sink->n_part++] = byte;
	n_whole = sink->part[0] >= 0xf0 ? 4 : sink->part[0] >= 0xe0 ? 3 : sink->part[0] >= 0xc2 ? 2 : 1;
	if (sink->n_part < n_whole)
		return 1;
	if (text_decode_utf8(sink->part, sink->n_part, &c) == sink->n_part) {
		put_character(sink, c, (const char *)sink->part, sink->n_part);
		sink->n_part = 0;
	}
	drop_part(sink);
	return 1;
}

static bool is_plain(char c)
{
	return c > ' ' && c < 0x7f;
}

/* The length of such words from their second character on, in steps of sixteen, but for a blank at their end. */
static size_t count_sixteens(const char *text, size_t n)
{
	size_t i = 1;

	for (; n - i >= sizeof(text_sixteen); i += sizeof(text_sixteen)) {
		text_sixteen now = text_take_sixteen(text + i), before = text_take_sixteen(text + i - 1);
		text_sixteen two_blanks = (text_sixteen)(now == ' ') & (text_sixteen)(before == ' ');

		if (text_is_any(text_not_printable(now) | two_blanks))
			break;
	}
	return text[i - 1] == ' ' ? i - 1 : i;
}

/* Words with one blank between two of them, which any block keeps as they are. */
static size_t count_plain(const char *text, size_t n)
{
	size_t i = n > 0 && is_plain(*text) ? count_sixteens(text, n) : 0;

	while (i < n &&
	       (is_plain(text[i]) || (text[i] == ' ' && i > 0 && i + 1 < n && is_plain(text[i + 1]))))
		i++;
	return i;
}

static size_t put_some(struct sink *sink, const char *text, size_t n)
{
	size_t n_taken = sink->n_part == 0 ? count_plain(text, n) : 0;
	uint32_t c;

	if (n_taken > 0) {
		put_words(sink, text, n_taken);
		return n_taken;
	}
	if (sink->n_part == 0)
		n_taken = text_decode_utf8((const unsigned char *)text, n, &c);
	if (n_taken > 0)
		put_character(sink, c, text, n_taken);
	return n_taken > 0 ? n_taken : put_part(sink, (unsigned char)*text);
}

int sink_text(struct sink *sink, const char *text, size_t n)
{
	if (!sink->open)
		sink_begin(sink, SINK_PARAGRAPH, 0);
	while (n > 0 && sink->r == 0) {
		size_t n_taken = put_some(sink, text, n);

		text += n_taken;
		n -= n_taken;
	}
	return sink->r;
}

static unsigned check_level(enum sink_block block, unsigned level)
{
	if (block != SINK_HEADING && block != SINK_ITEM)
		return 0;
	return level < 1 ? 1 : level > MARKS_MAX_LEVEL ? MARKS_MAX_LEVEL : level;
}

int sink_begin(struct sink *sink, enum sink_block block, unsigned level)
{
	sink_end(sink);
	sink->open = true;
	sink->mark = (struct mark){ .block = block, .level = check_level(block, level) };
	return sink->r;
}

int sink_break(struct sink *sink)
{
	drop_part(sink);
	if (!sink->open)
		return sink->r;
	if (sink->mark.block == SINK_PREFORMATTED)
		put_layout(sink, '\n');
	else if (is_one_line(sink))
		sink->owes_blank = true;
	else
		sink->owes_break = true;
	return sink->r;
}

int sink_cell(struct sink *sink)
{
	drop_part(sink);
	if (!sink->open)
		sink_begin(sink, SINK_ROW, 0);
	sink->owes_cells++;
	return sink->r;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* Where its lines begin and end that are not blank; false: nowhere. */
static bool trim(struct sink *sink)
{
	const char *text = sink->text.data;
	size_t start = sink->mark.start - sink->n_out, end = sink->text.n;

	while (end > start && is_blank(text[end - 1]))
		end--;
	for (size_t i = start; i < end && is_blank(text[i]); i++)
		if (text[i] == '\n')
			start = i + 1;
	sink->text.n = end;
	sink->mark.start = start + sink->n_out;
	sink->mark.end = end_of(sink);
	return end > start;
}

/* Also one that was cut by the limit: its last character is whole. False: there is none to add. */
static bool add_mark(struct sink *sink)
{
	struct marks *marks = &sink->marks;

	if (sink->r == -ENOMEM || !trim(sink))
		return false;
	if (marks->n_blocks == MARKS_MAX_BLOCKS)
		overflow(sink);
	else if (array_grow(&marks->blocks, sizeof(*marks->blocks), marks->n_blocks, &sink->cap_blocks) < 0)
		fail(sink, -ENOMEM);
	else
		marks->blocks[marks->n_blocks++] = sink->mark;
	return marks->n_blocks > 0 && marks->blocks[marks->n_blocks - 1].end == sink->mark.end;
}

/* As if the open block had never begun. */
static void drop_block(struct sink *sink)
{
	struct marks *marks = &sink->marks;

	sink->text.n = sink->before - sink->n_out;
	if (marks->n_places > 0 && marks->places[marks->n_places - 1].start > sink->before)
		marks->places[marks->n_places - 1].start = sink->before;
}

static void let_out(struct sink *sink)
{
	if (sink->outlet == NULL || sink->r < 0 || sink->text.n < sink->outlet->n_piece)
		return;
	sink->outlet->take(sink->outlet->user, sink->text.data, sink->text.n);
	sink->n_out += sink->text.n;
	sink->text.n = 0;
}

int sink_end(struct sink *sink)
{
	drop_part(sink);
	if (sink->has_words && add_mark(sink)) {
		buf_append(&sink->text, "\n", 1);
		if (buf_status(&sink->text) < 0)
			fail(sink, -ENOMEM);
	} else if (sink->has_words) {
		drop_block(sink);
	}
	sink->open = sink->has_words = sink->owes_blank = sink->owes_break = sink->after_return = false;
	sink->owes_cells = 0;
	let_out(sink);
	return sink->r;
}

int sink_page(struct sink *sink, unsigned number)
{
	sink_end(sink);
	sink->page = number > INT32_MAX ? INT32_MAX : number;
	if (sink->page > sink->n_pages)
		sink->n_pages = sink->page;
	sink->moved = true;
	return sink->r;
}

/* As the text of a heading is cleaned, in a sink of its own; of a long one the beginning. */
static int clean_name(const char *name, size_t n, char **ret)
{
	struct sink_result result = { 0 };
	struct sink *sink = NULL;
	int r = sink_new(MARKS_MAX_SECTION, &sink, NULL);

	*ret = NULL;
	if (r < 0)
		return r;
	if (n > MARKS_MAX_SECTION - 2)
		for (n = MARKS_MAX_SECTION - 2; n > 0 && ((unsigned char)name[n] & 0xc0) == 0x80; n--)
			;
	sink_begin(sink, SINK_HEADING, 1);
	sink_text(sink, name, n);
	r = sink_take(sink, &result, NULL);
	if (r == 0 && result.n > 0)
		*ret = strndup(result.text, result.n - 1);
	if (r == 0 && result.n > 0 && *ret == NULL)
		r = -ENOMEM;
	sink_result_done(&result);
	sink_free(sink);
	return r;
}

int sink_section(struct sink *sink, const char *name, size_t n)
{
	char *section;

	sink_end(sink);
	if (clean_name(name, n, &section) < 0)
		fail(sink, -ENOMEM);
	free(sink->section);
	sink->section = section;
	sink->moved = true;
	return sink->r;
}

int sink_aside(struct sink *sink)
{
	if (sink->open)
		sink->mark.aside = true;
	return sink->r;
}

int sink_new(size_t max_bytes, struct sink **ret, struct err *err)
{
	struct sink *sink = array_new(struct sink, 1);

	if (sink == NULL)
		return err_set(err, -ENOMEM, "no memory for its text");
	sink->max_bytes = max_bytes;
	*ret = sink;
	return 0;
}

void sink_free(struct sink *sink)
{
	if (sink == NULL)
		return;
	buf_done(&sink->text);
	marks_done(&sink->marks);
	free(sink->section);
	free(sink);
}

void sink_set_outlet(struct sink *sink, const struct sink_outlet *outlet)
{
	sink->outlet = outlet;
}

bool sink_is_full(const struct sink *sink)
{
	return sink->r == -EFBIG;
}

int sink_take(struct sink *sink, struct sink_result *ret, struct err *err)
{
	struct sink_result result = { 0 };

	sink_end(sink);
	result.n = sink->text.n;
	result.n_out = sink->n_out;
	result.text = sink->r == -ENOMEM ? NULL : buf_take(&sink->text);
	if (result.text == NULL)
		return err_set(err, -ENOMEM, "no memory for its text");
	result.text[result.n] = '\0';
	result.marks = sink->marks;
	result.n_pages = sink->n_pages;
	memcpy(result.truncated, sink->truncated, sizeof(result.truncated));
	sink->marks = (struct marks){ 0 };
	marks_join_sections(&result.marks);
	*ret = result;
	return 0;
}

void sink_result_done(struct sink_result *result)
{
	free(result->text);
	marks_done(&result->marks);
	*result = (struct sink_result){ 0 };
}
