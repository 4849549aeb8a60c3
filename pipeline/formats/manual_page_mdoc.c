/* The macros of mdoc(7). Those that may stand within a line are called in turn by the words of the line. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/formats/manual_page_internal.h"

#define MAX_WORDS 256
#define MAX_DEPTH 32 /* of brackets that a line opens */

/* The words of a line. */
struct words {
	const struct troff_word *at, *end;
};

enum kind {
	PLAIN, /* the words that follow, as they are */
	FLAG, /* a dash in front of each */
	ARGUMENT, /* "file ..." if there is no word */
	NAME, /* the page's, if there is no word */
	REFERENCE, /* name(section) */
	ENCLOSED, /* the rest of the line between two marks */
	OPENING,
	CLOSING, /* the same over lines */
	FUNCTION, /* name(argument, argument) */
	JOINED, /* the next word without a blank: Ns */
	PREFIX, /* and the next but one: Pf */
	SPACING,
	CELL,
	STANDS, /* for a text */
	DASH, /* Nd */
};

struct macro {
	const char *name;
	enum kind kind;
	const char *opening, *closing;
};

#define LDQUO "\xe2\x80\x9c"
#define RDQUO "\xe2\x80\x9d"
#define LSQUO "\xe2\x80\x98"
#define RSQUO "\xe2\x80\x99"

static const struct macro MACROS[] = {
	{ "Ad", PLAIN, NULL, NULL },         { "An", PLAIN, NULL, NULL },
	{ "Ar", ARGUMENT, NULL, NULL },      { "Cd", PLAIN, NULL, NULL },
	{ "Cm", PLAIN, NULL, NULL },         { "Dv", PLAIN, NULL, NULL },
	{ "Em", PLAIN, NULL, NULL },         { "Er", PLAIN, NULL, NULL },
	{ "Ev", PLAIN, NULL, NULL },         { "Fa", PLAIN, NULL, NULL },
	{ "Fd", PLAIN, NULL, NULL },         { "Fl", FLAG, NULL, NULL },
	{ "Fn", FUNCTION, NULL, NULL },      { "Ft", PLAIN, NULL, NULL },
	{ "Ic", PLAIN, NULL, NULL },         { "Li", PLAIN, NULL, NULL },
	{ "Lk", PLAIN, NULL, NULL },         { "Ms", PLAIN, NULL, NULL },
	{ "Mt", PLAIN, NULL, NULL },         { "Nm", NAME, NULL, NULL },
	{ "No", PLAIN, NULL, NULL },         { "Ns", JOINED, NULL, NULL },
	{ "Pa", PLAIN, NULL, NULL },         { "Pf", PREFIX, NULL, NULL },
	{ "St", PLAIN, NULL, NULL },         { "Sx", PLAIN, NULL, NULL },
	{ "Sy", PLAIN, NULL, NULL },         { "Tn", PLAIN, NULL, NULL },
	{ "Va", PLAIN, NULL, NULL },         { "Vt", PLAIN, NULL, NULL },
	{ "Xr", REFERENCE, NULL, NULL },     { "Lb", PLAIN, NULL, NULL },
	{ "Sm", SPACING, NULL, NULL },       { "Ta", CELL, NULL, NULL },
	{ "Nd", DASH, NULL, NULL },          { "Ap", STANDS, "'", NULL },
	{ "In", ENCLOSED, "<", ">" },        { "Op", ENCLOSED, "[", "]" },
	{ "Aq", ENCLOSED, "<", ">" },        { "Bq", ENCLOSED, "[", "]" },
	{ "Brq", ENCLOSED, "{", "}" },       { "Dq", ENCLOSED, LDQUO, RDQUO },
	{ "Pq", ENCLOSED, "(", ")" },        { "Ql", ENCLOSED, LSQUO, RSQUO },
	{ "Qq", ENCLOSED, "\"", "\"" },      { "Sq", ENCLOSED, LSQUO, RSQUO },
	{ "Oo", OPENING, "[", NULL },        { "Oc", CLOSING, NULL, "]" },
	{ "Ao", OPENING, "<", NULL },        { "Ac", CLOSING, NULL, ">" },
	{ "Bo", OPENING, "[", NULL },        { "Bc", CLOSING, NULL, "]" },
	{ "Bro", OPENING, "{", NULL },       { "Brc", CLOSING, NULL, "}" },
	{ "Do", OPENING, LDQUO, NULL },      { "Dc", CLOSING, NULL, RDQUO },
	{ "Po", OPENING, "(", NULL },        { "Pc", CLOSING, NULL, ")" },
	{ "Qo", OPENING, "\"", NULL },       { "Qc", CLOSING, NULL, "\"" },
	{ "So", OPENING, LSQUO, NULL },      { "Sc", CLOSING, NULL, RSQUO },
	{ "Xo", OPENING, "", NULL },         { "Xc", CLOSING, NULL, "" },
	{ "At", STANDS, "AT&T UNIX", NULL }, { "Bx", STANDS, "BSD", NULL },
	{ "Bsx", STANDS, "BSD/OS", NULL },   { "Dx", STANDS, "DragonFly", NULL },
	{ "Fx", STANDS, "FreeBSD", NULL },   { "Nx", STANDS, "NetBSD", NULL },
	{ "Ox", STANDS, "OpenBSD", NULL },   { "Ux", STANDS, "UNIX", NULL },
};

static void read_words(struct manual_page *page, struct words words, unsigned depth);

static const struct macro *find_macro(const struct troff_word *word)
{
	for (size_t i = 0; !word->quoted && i < sizeof(MACROS) / sizeof(MACROS[0]); i++)
		if (troff_equals(word->text, MACROS[i].name))
			return &MACROS[i];
	return NULL;
}

static bool is_one_of(const struct troff_word *word, const char *marks)
{
	return word->text.end - word->text.at == 1 && *word->text.at != '\0' &&
	       strchr(marks, *word->text.at) != NULL;
}

static bool is_closing(const struct troff_word *word)
{
	return is_one_of(word, ".,:;)]?!");
}

/* The mark between what may be chosen from. */
static bool is_bar(const struct troff_word *word)
{
	return is_one_of(word, "|");
}

static void put_word(struct manual_page *page, const struct troff_word *word)
{
	page->joins |= is_closing(word);
	manual_put_text(page, word->text);
	page->joins |= is_one_of(word, "([");
}

static void put_string(struct manual_page *page, const char *text)
{
	manual_put_text(page, (struct troff_span){ text, text + strlen(text) });
}

/* Where the next macro begins. */
static struct words plain_words(struct words words)
{
	const struct troff_word *end = words.at;

	while (end < words.end && find_macro(end) == NULL)
		end++;
	return (struct words){ words.at, end };
}

static void put_plain(struct manual_page *page, struct words words)
{
	for (; words.at < words.end; words.at++)
		put_word(page, words.at);
}

/* A dash alone joins what follows: "Fl Fl long". */
static void put_flags(struct manual_page *page, struct words words)
{
	if (words.at == words.end || is_closing(words.at)) {
		put_string(page, "-");
		page->joins = words.at == words.end;
	}
	for (; words.at < words.end; words.at++) {
		if (!is_closing(words.at) && !is_bar(words.at)) {
			put_string(page, "-");
			page->joins = true;
		}
		put_word(page, words.at);
	}
}

static void put_or(struct manual_page *page, struct words words, const char *otherwise)
{
	if (words.at == words.end || is_closing(words.at))
		put_string(page, otherwise);
	put_plain(page, words);
}

static void put_name(struct manual_page *page, struct words words)
{
	if (page->name.n == 0 && words.at < words.end) {
		troff_append(words.at->text, &page->name);
		buf_append(&page->name, "", 1);
	}
	put_or(page, words, page->name.n > 0 && buf_status(&page->name) == 0 ? page->name.data : "");
}

static void put_reference(struct manual_page *page, struct words words)
{
	if (words.at == words.end)
		return;
	put_word(page, words.at++);
	if (words.at < words.end && !is_closing(words.at)) {
		manual_put(page, "(");
		page->joins = true;
		put_word(page, words.at++);
		manual_put(page, ")");
	}
	put_plain(page, words);
}

static void put_function(struct manual_page *page, struct words words)
{
	if (words.at == words.end)
		return;
	put_word(page, words.at++);
	manual_put(page, "(");
	page->joins = true;
	for (bool first = true; words.at < words.end && !is_closing(words.at); first = false) {
		if (!first)
			manual_put(page, ",");
		put_word(page, words.at++);
	}
	manual_put(page, ")");
	put_plain(page, words);
}

/* Returns the words that are left: those behind the closing mark, which are punctuation. */
static struct words put_enclosed(struct manual_page *page, const struct macro *macro, struct words words,
                                 unsigned depth)
{
	struct words within = words;

	while (within.end > within.at && is_closing(within.end - 1))
		within.end--;
	put_string(page, macro->opening);
	page->joins = true;
	read_words(page, within, depth + 1);
	page->joins = true;
	manual_put(page, macro->closing);
	page->joins = false;
	return (struct words){ within.end, words.end };
}

static struct words put_prefix(struct manual_page *page, struct words words)
{
	if (words.at < words.end)
		put_word(page, words.at++);
	page->joins = true;
	return words;
}

static struct words read_macro(struct manual_page *page, const struct macro *macro, struct words words,
                               unsigned depth)
{
	struct words plain = plain_words(words);

	switch (macro->kind) {
	case ENCLOSED:
		return put_enclosed(page, macro, words, depth);
	case PREFIX:
		return put_prefix(page, words);
	case OPENING:
		put_string(page, macro->opening);
		page->joins = true;
		return words;
	case CLOSING:
		page->joins = true;
		put_string(page, macro->closing);
		return words;
	case JOINED:
		page->joins = true;
		return words;
	case CELL:
		page->r = page->r < 0 ? page->r : sink_cell(page->sink);
		page->joins = true;
		return words;
	case DASH:
		put_string(page, "\xe2\x80\x93");
		return words;
	case SPACING:
		page->no_spaces = plain.at < plain.end && troff_equals(plain.at->text, "off");
		break;
	case FLAG:
		put_flags(page, plain);
		break;
	case ARGUMENT:
		put_or(page, plain, "file ...");
		break;
	case NAME:
		put_name(page, plain);
		break;
	case REFERENCE:
		put_reference(page, plain);
		break;
	case FUNCTION:
		put_function(page, plain);
		break;
	case STANDS:
		page->joins |= *macro->opening == '\'';
		put_string(page, macro->opening);
		page->joins |= *macro->opening == '\'';
		put_plain(page, plain);
		break;
	case PLAIN:
		put_plain(page, plain);
	}
	return (struct words){ plain.end, words.end };
}

static void read_words(struct manual_page *page, struct words words, unsigned depth)
{
	while (words.at < words.end && page->r == 0) {
		const struct macro *macro = depth < MAX_DEPTH ? find_macro(words.at) : NULL;

		if (macro == NULL) {
			put_word(page, words.at++);
			continue;
		}
		words.at++;
		words = read_macro(page, macro, words, depth);
	}
}

static size_t split(struct troff_span line, struct troff_word *ret)
{
	size_t n = 0;

	while (n < MAX_WORDS && troff_next_word(&line, &ret[n]))
		n++;
	return n;
}

static void read_rest(struct manual_page *page, struct troff_span line)
{
	struct troff_word words[MAX_WORDS];

	read_words(page, (struct words){ words, words + split(line, words) }, 0);
}

static bool has_word(struct troff_span line, const char *wanted)
{
	struct troff_word word;

	while (troff_next_word(&line, &word))
		if (troff_equals(word.text, wanted))
			return true;
	return false;
}

static void begin_list(struct manual_page *page, struct troff_span line)
{
	enum manual_list kind = has_word(line, "-column") ? MANUAL_ROWS
	                        : has_word(line, "-enum") ? MANUAL_NUMBERS
	                        : has_word(line, "-bullet") || has_word(line, "-dash") ||
	                                        has_word(line, "-hyphen") || has_word(line, "-item")
	                                ? MANUAL_ITEMS
	                                : MANUAL_TAGS;

	manual_end(page);
	if (page->n_lists++ < MANUAL_MAX_LISTS) {
		page->lists[page->n_lists].kind = kind;
		page->lists[page->n_lists].n_items = 0;
	}
}

static void end_list(struct manual_page *page, struct troff_span line)
{
	(void)line;
	manual_end(page);
	page->n_lists -= page->n_lists > 0;
}

static void read_item(struct manual_page *page, struct troff_span line)
{
	unsigned level = page->n_lists < 1                  ? 1
	                 : page->n_lists > MANUAL_MAX_LISTS ? MANUAL_MAX_LISTS
	                                                    : page->n_lists;
	char number[16];

	if (page->lists[level].kind == MANUAL_ROWS)
		manual_begin(page, SINK_ROW, 0);
	else
		manual_begin(page, SINK_ITEM, level);
	if (page->lists[level].kind == MANUAL_NUMBERS) {
		snprintf(number, sizeof(number), "%u. ", ++page->lists[level].n_items);
		manual_put(page, number);
	}
	read_rest(page, line);
	if (page->lists[level].kind == MANUAL_TAGS)
		manual_break(page);
}

static void title(struct manual_page *page, struct troff_span line)
{
	manual_title(page, line);
}

static void section(struct manual_page *page, struct troff_span line)
{
	page->n_lists = 0;
	page->in_synopsis = has_word(line, "SYNOPSIS");
	manual_heading(page, MANUAL_SECTION, line);
}

static void subsection(struct manual_page *page, struct troff_span line)
{
	manual_heading(page, MANUAL_SUBSECTION, line);
}

static void paragraph(struct manual_page *page, struct troff_span line)
{
	(void)line;
	manual_end(page);
}

static void begin_display(struct manual_page *page, struct troff_span line)
{
	if (has_word(line, "-literal") || has_word(line, "-unfilled"))
		manual_preformatted(page, true);
	else
		manual_end(page);
}

static void end_display(struct manual_page *page, struct troff_span line)
{
	(void)line;
	manual_preformatted(page, false);
}

static void one_line_display(struct manual_page *page, struct troff_span line)
{
	manual_begin(page, SINK_PREFORMATTED, 0);
	read_rest(page, line);
	manual_end(page);
}

static void function_block(struct manual_page *page, struct troff_span line)
{
	read_rest(page, line);
	manual_put(page, "(");
	page->joins = true;
}

static void end_function(struct manual_page *page, struct troff_span line)
{
	page->joins = true;
	put_string(page, ")");
	read_rest(page, line);
}

static void exit_status(struct manual_page *page, struct troff_span line)
{
	(void)line;
	put_string(page, "The");
	put_name(page, (struct words){ NULL, NULL });
	put_string(page, "utility exits 0 on success, and >0 if an error occurs.");
}

static void nothing(struct manual_page *page, struct troff_span line)
{
	(void)page;
	(void)line;
}

static const struct {
	const char *name;
	void (*read)(struct manual_page *page, struct troff_span line);
} BLOCKS[] = {
	{ "Dd", nothing },          { "Dt", title },
	{ "Os", nothing },          { "Sh", section },
	{ "Ss", subsection },       { "Pp", paragraph },
	{ "Lp", paragraph },        { "Bl", begin_list },
	{ "It", read_item },        { "El", end_list },
	{ "Bd", begin_display },    { "Ed", end_display },
	{ "D1", one_line_display }, { "Dl", one_line_display },
	{ "Fo", function_block },   { "Fc", end_function },
	{ "Ex", exit_status },      { "Rs", paragraph },
	{ "Re", paragraph },
};

bool manual_mdoc_macro(struct manual_page *page, struct troff_span name, struct troff_span line)
{
	struct troff_word word = { name, false };

	for (size_t i = 0; i < sizeof(BLOCKS) / sizeof(BLOCKS[0]); i++) {
		if (troff_equals(name, BLOCKS[i].name)) {
			BLOCKS[i].read(page, line);
			return true;
		}
	}
	if (*name.at == '%') { /* of a reference to a book: .%A its author */
		read_rest(page, line);
	} else if (find_macro(&word) != NULL) {
		line.at = name.at;
		if (page->in_synopsis && troff_equals(name, "Nm")) /* each way to call it has a line */
			manual_break(page);
		read_rest(page, line);
		if (page->preformatted)
			manual_break(page);
	} else {
		return false;
	}
	return true;
}
