#include "pipeline/formats/rtf.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/text.h"
#include "pipeline/formats/codepage.h"
#include "pipeline/formats/rtf_style.h"
#include "pipeline/formats/rtf_word.h"

#define NO_BREAK_SPACE 0xa0
#define NO_BREAK_HYPHEN 0x2011
#define REPLACEMENT 0xfffd
#define N_CODEPAGES 8 /* open at a time */
#define MAX_NOTES_BYTES ((size_t)1 << 20) /* that wait for their paragraph's end */

/* Where the text of a group goes. */
enum destination { BODY, SKIPPED, FONTS, STYLES, NOTE, LIST_TEXT };

/* What a group inherits, and gives back at its end. */
struct group {
	enum destination destination;
	bool hidden, deleted, in_table, is_item, is_header;
	bool starred; /* \* came: a word that is not known makes the group's text none of ours */
	unsigned char level; /* of a heading */
	unsigned item_level;
	int n_fallback; /* characters that follow a \u for readers who do not know it */
	long font, style;
	short codepage;
};

struct rtf {
	struct sink *sink;
	const char *at, *end;
	struct group *groups; /* groups[0, n_groups), the last is the current one */
	size_t n_groups, cap, max_depth;
	struct rtf_styles *styles;
	struct {
		short number;
		struct codepage *codepage;
	} codepages[N_CODEPAGES];
	size_t n_codepages;
	short document_codepage;
	struct buf raw, text; /* bytes in raw_codepage that wait to be decoded; decoded ones */
	short raw_codepage;
	struct buf notes, style_name; /* notes: each ends with a line feed */
	bool open; /* a block of the sink */
	bool too_deep;
	size_t n_cells; /* ends of cells with no text behind them yet */
	int n_skip; /* characters to come that a \u has replaced */
	uint32_t high; /* the first half of a surrogate pair */
	unsigned n_notes, note; /* so far; the number of the one that is read */
	int r;
};

static struct group *current(struct rtf *rtf)
{
	return &rtf->groups[rtf->n_groups - 1];
}

static void keep(struct rtf *rtf, int r)
{
	if (rtf->r == 0)
		rtf->r = r;
}

/* A few are kept open, since fonts of several sets take turns within a sentence; then the oldest gives way. */
static struct codepage *find_codepage(struct rtf *rtf, short number)
{
	char name[16];
	size_t i;

	for (i = 0; i < rtf->n_codepages; i++)
		if (rtf->codepages[i].number == number)
			return rtf->codepages[i].codepage;
	if (rtf->n_codepages == N_CODEPAGES) {
		codepage_close(rtf->codepages[0].codepage);
		memmove(&rtf->codepages[0], &rtf->codepages[1],
		        sizeof(rtf->codepages[0]) * --rtf->n_codepages);
	}
	snprintf(name, sizeof(name), "cp%d", number);
	i = rtf->n_codepages;
	rtf->codepages[i].number = number;
	rtf->codepages[i].codepage = codepage_open(name);
	if (rtf->codepages[i].codepage == NULL)
		keep(rtf, -ENOMEM);
	else
		rtf->n_codepages++;
	return rtf->codepages[i].codepage;
}

static void begin_block(struct rtf *rtf)
{
	const struct group *group = current(rtf);

	if (group->in_table)
		keep(rtf, sink_begin(rtf->sink, SINK_ROW, 0));
	else if (group->level != RTF_NO_LEVEL)
		keep(rtf, sink_begin(rtf->sink, SINK_HEADING, group->level));
	else if (group->is_item)
		keep(rtf, sink_begin(rtf->sink, SINK_ITEM, group->item_level + 1));
	else
		keep(rtf, sink_begin(rtf->sink, SINK_PARAGRAPH, 0));
	if (group->is_header)
		keep(rtf, sink_aside(rtf->sink));
	rtf->open = true;
}

static bool is_blank(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isspace((unsigned char)text[i]))
			return false;
	return true;
}

static void put_body(struct rtf *rtf, const char *text, size_t n)
{
	/* A paragraph is begun by its first word: what it is may be said behind the blanks in front of it. */
	if (!rtf->open && is_blank(text, n))
		return;
	if (!rtf->open)
		begin_block(rtf);
	for (; rtf->n_cells > 0; rtf->n_cells--)
		keep(rtf, sink_cell(rtf->sink));
	keep(rtf, sink_text(rtf->sink, text, n));
}

/* UTF-8 for the group that is open. */
static void put(struct rtf *rtf, const char *text, size_t n)
{
	struct group *group = current(rtf);

	if (group->hidden || group->deleted || n == 0)
		return;
	switch (group->destination) {
	case LIST_TEXT:
		group->is_item = true; /* and what follows the group's end: see close_group() */
		put_body(rtf, text, n);
		break;
	case BODY:
		put_body(rtf, text, n);
		break;
	case NOTE:
		if (rtf->notes.n + n <= MAX_NOTES_BYTES)
			buf_append(&rtf->notes, text, n);
		break;
	case STYLES:
		buf_append(&rtf->style_name, text, n);
		break;
	case SKIPPED:
	case FONTS:
		break;
	}
}

/* Decode what waits. */
static void flush(struct rtf *rtf)
{
	struct codepage *codepage;

	if (rtf->raw.n == 0)
		return;
	codepage = find_codepage(rtf, rtf->raw_codepage);
	rtf->text.n = 0;
	if (codepage != NULL)
		codepage_append(codepage, rtf->raw.data, rtf->raw.n, &rtf->text);
	rtf->raw.n = 0;
	keep(rtf, buf_status(&rtf->text));
	if (rtf->r == 0)
		put(rtf, rtf->text.data, rtf->text.n);
}

/* Bytes of the current font's set. */
static void take_bytes(struct rtf *rtf, const char *bytes, size_t n)
{
	const struct group *group = current(rtf);
	short codepage = group->codepage != 0 ? group->codepage : rtf->document_codepage;

	if (group->destination == SKIPPED || group->destination == FONTS)
		return;
	if (rtf->raw.n > 0 && codepage != rtf->raw_codepage)
		flush(rtf);
	rtf->raw_codepage = codepage;
	buf_append(&rtf->raw, bytes, n);
	keep(rtf, buf_status(&rtf->raw));
}

static void take_character(struct rtf *rtf, uint32_t character)
{
	char utf8[4];
	size_t n = text_encode_utf8(character, utf8);

	flush(rtf);
	put(rtf, utf8, n);
}

/* \u: a number of 16 bits with a sign, and two of them for what lies beyond. */
static void take_unicode(struct rtf *rtf, long number)
{
	uint32_t unit = (uint32_t)number & 0xffff, high = rtf->high;

	rtf->n_skip = current(rtf)->n_fallback;
	rtf->high = 0;
	if (unit >= 0xd800 && unit < 0xdc00)
		rtf->high = unit;
	else if (unit >= 0xdc00 && unit < 0xe000)
		take_character(rtf,
		               high == 0 ? REPLACEMENT : 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
	else
		take_character(rtf, unit);
}

/* The notes of a paragraph stand behind it, as paragraphs of their own. */
static void put_notes(struct rtf *rtf)
{
	const char *note = rtf->notes.data, *end;

	for (size_t n_left = rtf->notes.n; n_left > 0; n_left -= (size_t)(end - note) + 1, note = end + 1) {
		end = memchr(note, '\n', n_left);
		if (end == NULL)
			break;
		keep(rtf, sink_begin(rtf->sink, SINK_PARAGRAPH, 0));
		keep(rtf, sink_text(rtf->sink, note, (size_t)(end - note)));
		keep(rtf, sink_end(rtf->sink));
	}
	rtf->notes.n = 0;
}

static void end_block(struct rtf *rtf)
{
	if (rtf->open)
		keep(rtf, sink_end(rtf->sink));
	rtf->open = false;
	rtf->n_cells = 0;
	put_notes(rtf);
}

static void end_paragraph(struct rtf *rtf)
{
	struct group *group = current(rtf);

	flush(rtf);
	if (group->destination == NOTE)
		put(rtf, " ", 1);
	else if (group->destination == BODY && group->in_table)
		put(rtf, " ", 1); /* of several in one cell */
	else if (group->destination == BODY)
		end_block(rtf);
}

static void end_cell(struct rtf *rtf)
{
	flush(rtf);
	if (current(rtf)->destination != BODY)
		return;
	if (!rtf->open) {
		current(rtf)->in_table = true;
		begin_block(rtf);
	}
	rtf->n_cells++;
}

static void take_break(struct rtf *rtf)
{
	flush(rtf);
	if (current(rtf)->destination == BODY && rtf->open && !current(rtf)->in_table)
		keep(rtf, sink_break(rtf->sink));
	else
		put(rtf, " ", 1);
}

static void take_note_number(struct rtf *rtf)
{
	char words[16];

	if (current(rtf)->destination != NOTE)
		rtf->n_notes++;
	snprintf(words, sizeof(words), "[%u]", current(rtf)->destination == NOTE ? rtf->note : rtf->n_notes);
	flush(rtf);
	put(rtf, words, strlen(words));
}

static void begin_note(struct rtf *rtf)
{
	flush(rtf);
	current(rtf)->destination = NOTE;
	rtf->note = rtf->n_notes;
}

static void begin_header(struct rtf *rtf)
{
	flush(rtf);
	end_block(rtf);
	current(rtf)->is_header = true;
	current(rtf)->in_table = false;
}

static void reset_paragraph(struct group *group)
{
	group->in_table = group->is_item = false;
	group->level = RTF_NO_LEVEL;
	group->item_level = 0;
	group->style = 0;
}

static void set_style(struct rtf *rtf, long number)
{
	struct group *group = current(rtf);

	group->style = number;
	if (group->destination == BODY)
		group->level = rtf_level(rtf->styles, number);
}

static void set_outline(struct rtf *rtf, long number)
{
	struct group *group = current(rtf);
	unsigned char level = number >= 0 && number < 9 ? (unsigned char)(number + 1) : RTF_NO_LEVEL;

	group->level = level;
	if (group->destination == STYLES)
		rtf_set_level(rtf->styles, group->style, level);
}

static void set_font(struct rtf *rtf, long number)
{
	struct group *group = current(rtf);

	group->font = number;
	group->codepage = rtf_font_codepage(rtf->styles, number);
}

/* A group of words that are not the document's, or that stand for themselves. */
static void set_destination(struct rtf *rtf, enum rtf_word word)
{
	struct group *group = current(rtf);

	if (group->destination == SKIPPED && word != RTF_SHAPE_TEXT)
		return;
	switch (word) {
	case RTF_FONTTBL:
		group->destination = FONTS;
		break;
	case RTF_STYLESHEET:
		group->destination = STYLES;
		break;
	case RTF_FOOTNOTE:
		begin_note(rtf);
		break;
	case RTF_HEADER:
		begin_header(rtf);
		break;
	case RTF_LIST_TEXT:
		group->destination = LIST_TEXT;
		break;
	case RTF_SHAPE_TEXT:
		group->destination = BODY;
		end_block(rtf);
		break;
	default:
		group->destination = SKIPPED;
	}
}

static void set_paragraph(struct rtf *rtf, enum rtf_word word, long number)
{
	struct group *group = current(rtf);

	switch (word) {
	case RTF_PARD:
		flush(rtf);
		reset_paragraph(group);
		break;
	case RTF_STYLE:
		set_style(rtf, number);
		break;
	case RTF_OUTLINE:
		set_outline(rtf, number);
		break;
	case RTF_LIST:
		group->is_item = number > 0;
		break;
	case RTF_LIST_LEVEL:
		group->item_level = number > 0 && number < 9 ? (unsigned)number : 0;
		break;
	default:
		group->in_table = true;
	}
}

static void set_characters(struct rtf *rtf, enum rtf_word word, long number, bool has_number)
{
	struct group *group = current(rtf);

	flush(rtf);
	switch (word) {
	case RTF_PLAIN:
		group->hidden = group->deleted = false;
		break;
	case RTF_HIDDEN:
		group->hidden = !has_number || number != 0;
		break;
	case RTF_DELETED:
		group->deleted = !has_number || number != 0;
		break;
	case RTF_FONT:
		set_font(rtf, number);
		break;
	case RTF_CHARSET:
		rtf_set_charset(rtf->styles, group->font, number);
		break;
	case RTF_UC:
		group->n_fallback = number >= 0 && number < 16 ? (int)number : 1;
		break;
	default:
		rtf->document_codepage = word == RTF_MAC                ? 10000
		                         : word == RTF_PC               ? 437
		                         : word == RTF_PCA              ? 850
		                         : number > 0 && number < 32000 ? (short)number
		                                                        : 1252;
	}
}

static void skip_bytes(struct rtf *rtf, long n)
{
	rtf->at += n < 0 ? 0 : n < rtf->end - rtf->at ? n : rtf->end - rtf->at;
}

static void take_known(struct rtf *rtf, const struct rtf_known *known, long number, bool has_number)
{
	if (known->word == RTF_UNKNOWN)
		return;
	if (known->word <= RTF_UC)
		set_characters(rtf, known->word, number, has_number);
	else if (known->word == RTF_UNICODE)
		take_unicode(rtf, number);
	else if (known->word == RTF_BINARY)
		skip_bytes(rtf, number);
	else if (known->word <= RTF_SHAPE_TEXT)
		set_destination(rtf, known->word);
	else if (known->word <= RTF_IN_TABLE)
		set_paragraph(rtf, known->word, number);
	else if (known->word <= RTF_DELETED)
		set_characters(rtf, known->word, number, has_number);
	else if (known->word == RTF_PARAGRAPH)
		end_paragraph(rtf);
	else if (known->word == RTF_CELL)
		end_cell(rtf);
	else if (known->word == RTF_ROW)
		current(rtf)->destination == BODY ? flush(rtf), end_block(rtf) : (void)0;
	else if (known->word == RTF_BREAK)
		take_break(rtf);
	else if (known->word == RTF_SPACE)
		take_character(rtf, ' ');
	else if (known->word == RTF_NOTE_NUMBER)
		take_note_number(rtf);
	else
		take_character(rtf, known->value);
}

/* A letter's word: \name, a number perhaps, and one blank that belongs to it. */
static void take_word(struct rtf *rtf)
{
	const char *name = rtf->at;
	const struct rtf_known *known;
	bool negative, has_number;
	long number = 0;
	size_t n;

	while (rtf->at < rtf->end && isalpha((unsigned char)*rtf->at))
		rtf->at++;
	n = (size_t)(rtf->at - name);
	negative = rtf->at < rtf->end && *rtf->at == '-';
	rtf->at += negative;
	has_number = rtf->at < rtf->end && isdigit((unsigned char)*rtf->at);
	for (; rtf->at < rtf->end && isdigit((unsigned char)*rtf->at); rtf->at++)
		if (number < 100000000)
			number = number * 10 + (*rtf->at - '0');
	if (rtf->at < rtf->end && *rtf->at == ' ')
		rtf->at++;
	known = rtf_word_find(name, n);
	if (rtf->n_skip > 0 && known->word != RTF_UNICODE) {
		rtf->n_skip--;
		if (known->word == RTF_BINARY)
			skip_bytes(rtf, number);
		return;
	}
	if (current(rtf)->starred && known->word == RTF_UNKNOWN && current(rtf)->destination != SKIPPED)
		current(rtf)->destination = SKIPPED;
	current(rtf)->starred = false;
	take_known(rtf, known, negative ? -number : number, has_number);
}

static int hex_digit(char c)
{
	return isdigit((unsigned char)c)    ? c - '0'
	       : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
	                                    : 0;
}

/* \'e9 */
static void take_hex(struct rtf *rtf)
{
	char byte;

	if (rtf->end - rtf->at < 2) {
		rtf->at = rtf->end;
		return;
	}
	byte = (char)(hex_digit(rtf->at[0]) << 4 | hex_digit(rtf->at[1]));
	rtf->at += 2;
	if (rtf->n_skip > 0)
		rtf->n_skip--;
	else
		take_bytes(rtf, &byte, 1);
}

static void take_symbol(struct rtf *rtf, char symbol)
{
	if (symbol == '\'') {
		take_hex(rtf);
		return;
	}
	if (symbol == '*') {
		current(rtf)->starred = true;
		return;
	}
	if (rtf->n_skip > 0) {
		rtf->n_skip--;
		return;
	}
	if (symbol == '~')
		take_character(rtf, NO_BREAK_SPACE);
	else if (symbol == '_')
		take_character(rtf, NO_BREAK_HYPHEN);
	else if (symbol == '\n' || symbol == '\r')
		end_paragraph(rtf);
	else if (strchr("{}\\", symbol) != NULL && symbol != '\0')
		take_bytes(rtf, &symbol, 1);
}

static void take_backslash(struct rtf *rtf)
{
	rtf->at++;
	if (rtf->at == rtf->end)
		return;
	if (isalpha((unsigned char)*rtf->at))
		take_word(rtf);
	else
		take_symbol(rtf, *rtf->at++);
}

static void open_group(struct rtf *rtf)
{
	struct group group = *current(rtf);

	rtf->at++;
	flush(rtf);
	rtf->n_skip = 0;
	if (rtf->n_groups >= rtf->max_depth) {
		rtf->too_deep = true;
		rtf->at = rtf->end;
		return;
	}
	keep(rtf, array_grow(&rtf->groups, sizeof(*rtf->groups), rtf->n_groups, &rtf->cap));
	if (rtf->r == 0)
		rtf->groups[rtf->n_groups++] = group;
}

static void end_style(struct rtf *rtf, const struct group *style)
{
	unsigned char level = rtf_style_level(rtf->style_name.data, rtf->style_name.n);

	if (level != RTF_NO_LEVEL && rtf_level(rtf->styles, style->style) == RTF_NO_LEVEL)
		rtf_set_level(rtf->styles, style->style, level);
	rtf->style_name.n = 0;
}

static void close_group(struct rtf *rtf)
{
	struct group ended = *current(rtf);
	struct group *group;

	rtf->at++;
	flush(rtf);
	rtf->n_skip = 0;
	if (rtf->n_groups == 1)
		return; /* one too many: what is behind it is read all the same */
	rtf->n_groups--;
	group = current(rtf);
	if (ended.destination == STYLES && rtf->style_name.n > 0)
		end_style(rtf, &ended);
	if (ended.destination == NOTE && group->destination != NOTE)
		buf_append(&rtf->notes, "\n", 1);
	if (ended.destination == LIST_TEXT)
		group->is_item = true;
	if ((ended.is_header && !group->is_header) ||
	    (ended.destination == BODY && group->destination == SKIPPED))
		end_block(rtf);
}

static void take_plain(struct rtf *rtf)
{
	const char *start = rtf->at;

	while (rtf->at < rtf->end && strchr("{}\\\r\n", *rtf->at) == NULL && rtf->n_skip == 0)
		rtf->at++;
	if (rtf->at > start) {
		take_bytes(rtf, start, (size_t)(rtf->at - start));
		return;
	}
	if (*rtf->at != '\r' && *rtf->at != '\n' && rtf->n_skip > 0)
		rtf->n_skip--;
	rtf->at++;
}

static void read_all(struct rtf *rtf)
{
	while (rtf->at < rtf->end && rtf->r == 0) {
		if (*rtf->at == '\\')
			take_backslash(rtf);
		else if (*rtf->at == '{')
			open_group(rtf);
		else if (*rtf->at == '}')
			close_group(rtf);
		else
			take_plain(rtf);
	}
	flush(rtf);
	if (rtf->r == 0)
		end_block(rtf);
	keep(rtf, buf_status(&rtf->notes));
	keep(rtf, buf_status(&rtf->style_name));
}

static int rtf_init(struct rtf *rtf, const struct format_input *input, struct sink *sink)
{
	*rtf = (struct rtf){ .sink = sink,
		             .at = input->bytes,
		             .end = input->bytes + input->n,
		             .max_depth = input->max_depth,
		             .document_codepage = 1252 };
	rtf->styles = calloc(1, sizeof(*rtf->styles));
	if (rtf->styles == NULL || array_grow(&rtf->groups, sizeof(*rtf->groups), 0, &rtf->cap) < 0)
		return -ENOMEM;
	rtf->groups[0] = (struct group){ .n_fallback = 1, .font = -1 };
	rtf->n_groups = 1;
	return 0;
}

static void rtf_done(struct rtf *rtf)
{
	for (size_t i = 0; i < rtf->n_codepages; i++)
		codepage_close(rtf->codepages[i].codepage);
	buf_done(&rtf->raw);
	buf_done(&rtf->text);
	buf_done(&rtf->notes);
	buf_done(&rtf->style_name);
	free(rtf->groups);
	free(rtf->styles);
}

static bool rtf_is(const struct format_input *input)
{
	return input->n >= 5 && memcmp(input->bytes, "{\\rtf", 5) == 0;
}

static int rtf_parse(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct rtf rtf;
	int r = rtf_init(&rtf, input, sink);

	if (r == 0) {
		read_all(&rtf);
		r = rtf.r;
		if (rtf.too_deep)
			sink_truncated(sink, "its groups are nested too deeply");
		else if (rtf.n_groups > 1 && r == 0)
			sink_truncated(sink, "the RTF data is cut short");
	}
	rtf_done(&rtf);
	return r == 0 ? 0 : err_set(err, r, "the RTF data could not be read: %s", strerror(-r));
}

const struct format FORMAT_RTF = { "application/rtf", "an RTF document", false, rtf_is, rtf_parse };
