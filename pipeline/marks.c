#include "pipeline/marks.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"

/* The bytes: the format's number; the places, then the blocks, each with their count in front. Numbers are in parts of seven
 * bits, the lowest first; offsets count from the end of what came before. */
#define MARKS_VERSION 1
#define ASIDE_BIT 8u
#define LEVEL_SHIFT 4

void marks_done(struct marks *marks)
{
	for (size_t i = 0; i < marks->n_places; i++)
		free(marks->places[i].section);
	free(marks->places);
	free(marks->blocks);
	*marks = (struct marks){ 0 };
}

static bool is_same_section(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

void marks_join_sections(struct marks *marks)
{
	for (size_t i = 0; i < marks->n_places; i++) {
		struct mark_place *place = &marks->places[i];
		bool goes_on = i > 0 && is_same_section(place->section, place[-1].section);

		place->section_start = goes_on ? place[-1].section_start : place->start;
	}
}

const struct mark_place *marks_place_at(const struct marks *marks, size_t offset)
{
	size_t low = 0, high = marks->n_places;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (marks->places[middle].start <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? &marks->places[low - 1] : NULL;
}

static void put_number(struct buf *ret, uint64_t number)
{
	unsigned char bytes[10];
	size_t n = 0;

	do {
		bytes[n++] = (unsigned char)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
		number >>= 7;
	} while (number > 0);
	buf_append(ret, bytes, n);
}

static void put_places(const struct marks *marks, struct buf *ret)
{
	size_t at = 0;

	put_number(ret, marks->n_places);
	for (size_t i = 0; i < marks->n_places; i++) {
		const struct mark_place *place = &marks->places[i];
		size_t n = place->section == NULL ? 0 : strlen(place->section);

		put_number(ret, place->start - at);
		put_number(ret, place->page);
		put_number(ret, n);
		buf_append(ret, place->section, n);
		at = place->start;
	}
}

void marks_encode(const struct marks *marks, struct buf *ret)
{
	size_t at = 0;

	if (marks->n_blocks == 0)
		return;
	put_number(ret, MARKS_VERSION);
	put_places(marks, ret);
	put_number(ret, marks->n_blocks);
	for (size_t i = 0; i < marks->n_blocks; i++) {
		const struct mark *mark = &marks->blocks[i];

		put_number(ret, mark->start - at);
		put_number(ret, mark->end - mark->start);
		put_number(ret, (unsigned)mark->block | (mark->aside ? ASIDE_BIT : 0) |
		                        mark->level << LEVEL_SHIFT);
		at = mark->end;
	}
}

/* What is read from. The first thing that is wrong sticks. */
struct source {
	const char *bytes;
	size_t n, at;
	const char *text;
	size_t n_text;
	const char *wrong; /* NULL: nothing yet */
	int r; /* what goes with it */
};

static void stop(struct source *source, int r, const char *what)
{
	if (source->wrong != NULL)
		return;
	source->wrong = what;
	source->r = r;
}

static void find_wrong(struct source *source, const char *what)
{
	stop(source, -EBADMSG, what);
}

static void lack_memory(struct source *source)
{
	stop(source, -ENOMEM, "no memory for them");
}

static size_t take_number(struct source *source, size_t most)
{
	uint64_t number = 0;

	for (unsigned shift = 0; shift < 63; shift += 7) {
		unsigned char byte;

		if (source->at == source->n)
			break;
		byte = (unsigned char)source->bytes[source->at++];
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte > 0x7f)
			continue;
		if (number > most)
			break;
		return (size_t)number;
	}
	find_wrong(source, "a number that cannot be");
	return 0;
}

/* An offset into the text at or behind `from`, between two characters. */
static size_t take_offset(struct source *source, size_t from)
{
	size_t at = from + take_number(source, source->n_text - from);

	if (at < source->n_text && ((unsigned char)source->text[at] & 0xc0) == 0x80)
		find_wrong(source, "an offset into a character");
	return at;
}

static char *take_section(struct source *source)
{
	size_t n = take_number(source, MARKS_MAX_SECTION);
	const char *name = source->bytes + source->at;
	char *copy;

	if (n == 0)
		return NULL;
	if (n > source->n - source->at || !text_is_utf8(name, n)) {
		find_wrong(source, "a section's name that is no text");
		return NULL;
	}
	source->at += n;
	copy = strndup(name, n);
	for (char *c = copy; c != NULL && *c != '\0'; c++)
		if (text_control_length(c) > 0)
			find_wrong(source, "a control character in a section's name");
	if (copy == NULL)
		lack_memory(source);
	return copy;
}

static void take_places(struct source *source, struct marks *ret)
{
	size_t n = take_number(source, MARKS_MAX_PLACES), at = 0;

	/* Three bytes is the least that one takes. */
	if (n > (source->n - source->at) / 3)
		find_wrong(source, "a count that cannot be");
	if (source->wrong != NULL || n == 0)
		return;
	ret->places = array_new(struct mark_place, n);
	if (ret->places == NULL)
		lack_memory(source);
	while (source->wrong == NULL && ret->n_places < n) {
		struct mark_place *place = &ret->places[ret->n_places++];

		place->start = at = take_offset(source, at);
		place->page = (unsigned)take_number(source, INT32_MAX);
		place->section = take_section(source);
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* Sinks write none but these. */
static bool has_control(const char *text, size_t n)
{
	for (size_t i = text_printable_length(text, n); i < n;
	     i += 1 + text_printable_length(text + i + 1, n - i - 1))
		if (((unsigned char)text[i] < ' ' && !is_blank(text[i])) || text[i] == 0x7f)
			return true;
	return false;
}

/* A line feed follows each block, a blank ends none, and what is one line is. */
static bool is_block(const struct source *source, const struct mark *mark)
{
	const char *text = source->text;
	bool is_line = mark->block == SINK_HEADING || mark->block == SINK_ROW;

	if (mark->end == mark->start || mark->block > SINK_PREFORMATTED || mark->level > MARKS_MAX_LEVEL ||
	    is_blank(text[mark->end - 1]) || has_control(text + mark->start, mark->end - mark->start) ||
	    (mark->end < source->n_text && text[mark->end] != '\n'))
		return false;
	return !is_line || memchr(text + mark->start, '\n', mark->end - mark->start) == NULL;
}

static struct mark take_mark(struct source *source, size_t at)
{
	struct mark mark = { .start = take_offset(source, at) };
	size_t kind;

	mark.end = take_offset(source, mark.start);
	kind = take_number(source, 0xff);
	mark.block = (enum sink_block)(kind & 7);
	mark.aside = (kind & ASIDE_BIT) != 0;
	mark.level = (unsigned)(kind >> LEVEL_SHIFT);
	if (source->wrong == NULL && !is_block(source, &mark))
		find_wrong(source, "a block that cannot be");
	return mark;
}

/* All words of the text stand in a block: what does not would be lost to the model. */
static void check_between(struct source *source, size_t start, size_t end)
{
	for (size_t i = start; i < end; i++)
		if (!is_blank(source->text[i]))
			find_wrong(source, "words between two blocks");
}

static void take_blocks(struct source *source, struct marks *ret)
{
	size_t n = source->wrong == NULL ? take_number(source, MARKS_MAX_BLOCKS) : 0, at = 0;

	if (n > (source->n - source->at) / 3)
		find_wrong(source, "a count that cannot be");
	if (source->wrong != NULL || n == 0)
		return;
	ret->blocks = array_new(struct mark, n);
	if (ret->blocks == NULL)
		lack_memory(source);
	while (source->wrong == NULL && ret->n_blocks < n) {
		struct mark mark = take_mark(source, at);

		check_between(source, at, mark.start);
		at = mark.end;
		ret->blocks[ret->n_blocks++] = mark;
	}
	check_between(source, at, source->n_text);
}

int marks_decode(const char *bytes, size_t n, const char *text, size_t n_text, struct marks *ret,
                 struct err *err)
{
	struct source source = { .bytes = bytes, .n = n, .text = text, .n_text = n_text };
	struct marks marks = { 0 };

	if (n > 0) {
		if (take_number(&source, MARKS_VERSION) != MARKS_VERSION)
			find_wrong(&source, "made by another version");
		take_places(&source, &marks);
		take_blocks(&source, &marks);
		if (source.at < n)
			find_wrong(&source, "bytes behind their end");
	}
	if (source.wrong != NULL) {
		marks_done(&marks);
		return err_set(err, source.r, "marks: %s", source.wrong);
	}
	marks_join_sections(&marks);
	*ret = marks;
	return 0;
}
