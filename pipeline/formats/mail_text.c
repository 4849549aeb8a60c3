#include "pipeline/formats/mail_text.h"

#include <ctype.h>
#include <string.h>

#define MIN_WIDTH 50 /* of the widest line of a paragraph that was wrapped */
#define SLACK 6 /* columns that a wrapped line may lack although the next word would have fitted */
#define MIN_INDENT 4 /* of program text */

struct line {
	struct mime_span text; /* without the marks of quotations */
	size_t depth; /* of quotations */
};

/* Lines that follow each other without a blank one. A block's lines are looked at twice, so they are kept as a span. */
struct block {
	struct mime_span lines;
	size_t depth;
};

static struct line look(struct mime_span text)
{
	struct line line = { text, 0 };
	size_t i = 0;

	while (i < text.n && text.bytes[i] == '>') {
		line.depth++;
		i++;
		if (i + 1 < text.n && text.bytes[i] == ' ' && text.bytes[i + 1] == '>')
			i++;
	}
	i += line.depth > 0 && i < text.n && text.bytes[i] == ' ';
	line.text = (struct mime_span){ text.bytes + i, text.n - i };
	while (line.text.n > 0 && isspace((unsigned char)line.text.bytes[line.text.n - 1]))
		line.text.n--;
	return line;
}

static bool is_signature(struct mime_span line)
{
	return line.n >= 2 && line.n <= 3 && memcmp(line.bytes, "--", 2) == 0 &&
	       (line.n == 2 || line.bytes[2] == ' ');
}

/* "- ", "* ", "12. ", "3) ". */
static bool is_item(struct mime_span line)
{
	size_t i = 0, n_digits = 0;

	while (i < line.n && i < MIN_INDENT && line.bytes[i] == ' ')
		i++;
	while (i + n_digits < line.n && isdigit((unsigned char)line.bytes[i + n_digits]))
		n_digits++;
	if (i + n_digits + 2 >= line.n || n_digits > 3)
		return false;
	i += n_digits;
	return line.bytes[i + 1] == ' ' && strchr(n_digits > 0 ? ".)" : "-*+", line.bytes[i]) != NULL &&
	       line.bytes[i] != '\0';
}

static size_t first_word(struct mime_span line)
{
	size_t n = 0;

	while (n < line.n && !isspace((unsigned char)line.bytes[n]))
		n++;
	return n;
}

static bool is_indented(struct mime_span line)
{
	size_t n = 0;

	while (n < line.n && line.bytes[n] == ' ')
		n++;
	return n < line.n && (n >= MIN_INDENT || line.bytes[n] == '\t');
}

struct looks {
	size_t n_lines, n_indented, widest;
};

static struct looks count(struct mime_span lines)
{
	struct looks looks = { 0, 0, 0 };
	struct mime_span raw;

	while (mime_next_line(&lines, &raw)) {
		struct mime_span text = look(raw).text;

		looks.n_lines++;
		looks.n_indented += is_indented(text);
		looks.widest = text.n > looks.widest ? text.n : looks.widest;
	}
	return looks;
}

/* A program breaks a line where the next word does not fit; an author does so where it would have. */
static bool is_wrapped(struct mime_span lines, size_t widest)
{
	struct mime_span raw, last = { NULL, 0 };

	if (widest < MIN_WIDTH)
		return false;
	while (mime_next_line(&lines, &raw)) {
		struct mime_span text = look(raw).text;

		if (last.bytes != NULL && last.n + 1 + first_word(text) + SLACK <= widest)
			return false;
		last = text;
	}
	return true;
}

static enum sink_block block_kind(struct mime_span lines)
{
	struct looks looks = count(lines);
	struct mime_span rest = lines, first;

	if (mime_next_line(&rest, &first) && is_item(look(first).text))
		return SINK_ITEM;
	if (looks.n_indented == looks.n_lines)
		return SINK_PREFORMATTED;
	return looks.n_lines > 1 && is_wrapped(lines, looks.widest) ? SINK_WRAPPED : SINK_PARAGRAPH;
}

static void put_block(struct sink *sink, const struct block *block, bool is_aside)
{
	enum sink_block kind = block_kind(block->lines);
	struct mime_span lines = block->lines, raw;
	bool first = true;

	sink_begin(sink, kind, kind == SINK_ITEM ? 1 : 0);
	if (is_aside)
		sink_aside(sink);
	while (mime_next_line(&lines, &raw)) {
		struct mime_span text = look(raw).text;

		if (!first && kind == SINK_ITEM)
			sink_text(sink, " ", 1);
		else if (!first)
			sink_break(sink);
		for (size_t i = 0; first && i < block->depth; i++)
			sink_text(sink, i + 1 < block->depth ? ">" : "> ", i + 1 < block->depth ? 1 : 2);
		sink_text(sink, text.bytes, text.n);
		first = false;
	}
	sink_end(sink);
}

/* The lines from the start of rest that make one block; rest is behind them then. */
static struct block take_block(struct mime_span *rest)
{
	struct block block = { { rest->bytes, 0 }, 0 };
	struct mime_span after = *rest, raw;

	while (mime_next_line(&after, &raw)) {
		struct line line = look(raw);
		bool first = block.lines.n == 0;

		if (!first && (line.text.n == 0 || line.depth != block.depth || is_item(line.text) ||
		               is_signature(line.text)))
			break;
		if (first)
			block.depth = line.depth;
		*rest = after;
		block.lines.n = (size_t)(after.bytes - block.lines.bytes);
	}
	return block;
}

int mail_text_put(struct sink *sink, struct mime_span text)
{
	struct mime_span after = text, raw;
	bool in_signature = false;
	struct block block;

	while (mime_next_line(&after, &raw)) {
		struct line line = look(raw);

		if (line.text.n == 0) {
			text = after;
			continue;
		}
		in_signature |= is_signature(raw);
		if (is_signature(line.text)) {
			text = after;
			continue;
		}
		block = take_block(&text);
		put_block(sink, &block, in_signature);
		after = text;
	}
	return sink_end(sink);
}
