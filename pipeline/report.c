#include "pipeline/report.h"

#include <errno.h>
#include <inttypes.h>
#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "pipeline/language.h"
#include "pipeline/report_style.h"

#define STRIP_CELLS 240 /* at most: each stands for one part or more */

/* Text of a document between tags: it stays text. What is no character becomes U+FFFD, controls but for line breaks and tabs
 * become blanks. */
static void put_text(struct buf *buf, const char *text, size_t n)
{
	const unsigned char *bytes = (const unsigned char *)text;

	for (size_t i = 0; i < n;) {
		uint32_t c;
		size_t length = text_decode_utf8(bytes + i, n - i, &c);

		if (length == 0)
			buf_puts(buf, "\xef\xbf\xbd");
		else if (c == '&')
			buf_puts(buf, "&amp;");
		else if (c == '<')
			buf_puts(buf, "&lt;");
		else if (c == '>')
			buf_puts(buf, "&gt;");
		else if (c == '"')
			buf_puts(buf, "&quot;");
		else if (c == '\'')
			buf_puts(buf, "&#39;");
		else if ((c < ' ' && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0))
			buf_puts(buf, " ");
		else
			buf_append(buf, text + i, length);
		i += length == 0 ? 1 : length;
	}
}

static void put_string(struct buf *buf, const char *text)
{
	put_text(buf, text, strlen(text));
}

static const struct passage *first_of(const struct passages *passages, enum passage_kind kind)
{
	for (size_t i = 0; i < passages->n; i++) {
		if (passages->items[i].kind == kind)
			return &passages->items[i];
	}
	return NULL;
}

/* 'sha256-…' of the style, as the policy names it. */
static void put_style_hash(struct buf *buf)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	char encoded[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE) + 1] = "";
	struct sha256_ctx hash;

	sha256_init(&hash);
	sha256_update(&hash, strlen(REPORT_STYLE), (const uint8_t *)REPORT_STYLE);
	sha256_digest(&hash, sizeof(digest), digest);
	base64_encode_raw(encoded, sizeof(digest), digest);
	buf_printf(buf, "'sha256-%s'", encoded);
}

static void put_title(struct buf *buf, const struct audit_view *view)
{
	const struct passage *title = first_of(&view->reading.passages, PASSAGE_TITLE);

	put_string(buf, title != NULL ? title->text : view->reading.document.name);
}

/* As the Markdown output says it. */
static void put_how_read(struct buf *buf, const struct reading *reading)
{
	const struct document *document = &reading->document;
	bool prose = language_is_read(document->language);

	buf_printf(buf, "</bdi>: %" PRId64 " bytes, %" PRId64 " tokens, %s in %zu part%s", document->bytes,
	           document->tokens, document->truncated == NULL ? "read whole" : "read", reading->n_chunks,
	           reading->n_chunks == 1 ? "" : "s");
	if (prose) {
		buf_puts(buf, " by ");
		put_string(buf, document->model == NULL ? "?" : document->model);
	}
	buf_puts(buf, ".");
	if (document->truncated != NULL) {
		buf_puts(buf, " <strong>Not all of it: ");
		put_string(buf, document->truncated);
		buf_puts(buf, ".</strong>");
	}
	if (document->ocr_pages != NULL) {
		buf_printf(buf, " <strong>By OCR: page%s ",
		           strpbrk(document->ocr_pages, "-,") == NULL ? "" : "s");
		put_string(buf, document->ocr_pages);
		buf_puts(buf, "; quotations of it are what a program saw in a picture.</strong>");
	}
	buf_puts(buf, prose ? " What ends in \xc2\xb0 was written by the model; all else is quoted."
	                    : " It is no English prose, so the model wrote nothing, and all is quoted.");
}

static void put_head(struct buf *buf, const struct audit_view *view)
{
	const struct document *document = &view->reading.document;
	const struct passage *title = first_of(&view->reading.passages, PASSAGE_TITLE);

	buf_puts(buf, "<!DOCTYPE html>\n<html lang=\"");
	put_string(buf, document->language == NULL ? "en" : document->language);
	buf_puts(buf,
	         "\">\n<head>\n<meta charset=\"utf-8\">\n"
	         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src ");
	put_style_hash(buf);
	buf_puts(buf, "; base-uri 'none'; form-action 'none'\">\n"
	              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	              "<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
	put_title(buf, view);
	buf_puts(buf, "</title>\n<style>");
	buf_puts(buf, REPORT_STYLE);
	buf_puts(
		buf,
		"</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#text\">To the text</a>\n<header>\n<h1");
	buf_puts(buf, title != NULL && title->generated ? " class=\"generated\">" : ">");
	put_title(buf, view);
	buf_puts(buf, "</h1>\n<p class=\"soft\"><bdi>");
	put_string(buf, document->name);
	put_how_read(buf, &view->reading);
	buf_puts(buf, "</p>\n</header>\n<main>\n");
}

/* All places that the page links to: evidence, in the order in which it is shown. */
struct place {
	size_t start, end;
};

struct places {
	struct place *items;
	size_t n, cap;
	size_t n_text;
	int r;
};

/* A new place's number, 0 where it is not in the text. */
static size_t add_place(struct places *places, const struct evidence *evidence)
{
	if (evidence->byte_start < 0 || evidence->byte_end <= evidence->byte_start ||
	    (uint64_t)evidence->byte_end > places->n_text)
		return 0;
	if (array_grow(&places->items, sizeof(*places->items), places->n, &places->cap) < 0) {
		places->r = -ENOMEM;
		return 0;
	}
	places->items[places->n++] =
		(struct place){ (size_t)evidence->byte_start, (size_t)evidence->byte_end };
	return places->n;
}

/* A quotation that leads to where it stands. */
static void put_quote(struct buf *buf, const struct evidence *evidence, struct places *places)
{
	size_t place = add_place(places, evidence);

	if (place > 0)
		buf_printf(buf, "<a href=\"#e%zu\">", place);
	put_string(buf, evidence->quote);
	buf_puts(buf, place > 0 ? "</a>" : "");
	if (evidence->section != NULL || evidence->page > 0) {
		buf_puts(buf, " <span class=\"soft\">");
		if (evidence->section != NULL) {
			buf_puts(buf, "\xc2\xa7 <bdi>");
			put_string(buf, evidence->section);
			buf_puts(buf, "</bdi>");
		}
		if (evidence->page > 0)
			buf_printf(buf, "%spage %" PRId64, evidence->section != NULL ? ", " : "",
			           evidence->page);
		buf_puts(buf, "</span>");
	}
}

static void put_evidence(struct buf *buf, const struct passage *passage, struct places *places)
{
	for (size_t i = 0; i < passage->n_evidence; i++) {
		buf_puts(buf, "<li>");
		put_quote(buf, &passage->evidence[i], places);
		buf_puts(buf, "</li>\n");
	}
}

static void put_summary_sentence(struct buf *buf, const struct passage *sentence)
{
	buf_puts(buf, sentence->generated ? "<span class=\"generated\">" : "<span>");
	put_string(buf, sentence->text);
	buf_puts(buf, "</span> ");
}

static void put_summary(struct buf *buf, const struct audit_view *view, struct places *places)
{
	const struct passages *passages = &view->reading.passages;

	if (first_of(passages, PASSAGE_ABSTRACT) == NULL)
		return;
	buf_puts(buf, "<section aria-labelledby=\"h-summary\">\n<h2 id=\"h-summary\">Summary</h2>\n<p>");
	for (size_t i = 0; i < passages->n; i++) {
		if (passages->items[i].kind == PASSAGE_ABSTRACT)
			put_summary_sentence(buf, &passages->items[i]);
	}
	buf_puts(buf, "</p>\n<details><summary>Where this stands</summary>\n<ul>\n");
	for (size_t i = 0; i < passages->n; i++) {
		if (passages->items[i].kind == PASSAGE_ABSTRACT)
			put_evidence(buf, &passages->items[i], places);
	}
	buf_puts(buf, "</ul>\n</details>\n</section>\n");
}

static void put_key_passages(struct buf *buf, const struct audit_view *view, struct places *places)
{
	const struct passages *passages = &view->reading.passages;

	if (first_of(passages, PASSAGE_KEY) == NULL)
		return;
	buf_puts(buf, "<section aria-labelledby=\"h-key\">\n<h2 id=\"h-key\">Key passages</h2>\n<ul>\n");
	for (size_t i = 0; i < passages->n; i++) {
		if (passages->items[i].kind == PASSAGE_KEY)
			put_evidence(buf, &passages->items[i], places);
	}
	buf_puts(buf, "</ul>\n</section>\n");
}

static void put_answer(struct buf *buf, const struct question *question, struct places *places)
{
	buf_puts(buf, "<li>\n<h3><bdi>");
	put_string(buf, question->text);
	buf_puts(buf, "</bdi></h3>\n<p");
	buf_puts(buf, question->answer.generated ? " class=\"generated\">" : ">");
	put_string(buf, question->answer.text);
	buf_puts(buf, "</p>\n<ul>\n");
	put_evidence(buf, &question->answer, places);
	buf_puts(buf, "</ul>\n</li>\n");
}

static void put_answers(struct buf *buf, const struct audit_view *view, struct places *places)
{
	const struct questions *questions = &view->reading.questions;
	bool any = false;

	for (size_t i = 0; i < questions->n; i++) {
		if (questions->items[i].answer.text == NULL)
			continue;
		if (!any)
			buf_puts(buf, "<section aria-labelledby=\"h-questions\">\n"
			              "<h2 id=\"h-questions\">Questions</h2>\n<ol>\n");
		any = true;
		put_answer(buf, &questions->items[i], places);
	}
	if (any)
		buf_puts(buf, "</ol>\n</section>\n");
}

static int level_of(const struct track_part *part)
{
	static const double STEPS[] = { 0.25, 0.5, 0.8, 1.25, 2, 4 };
	int level = 1;

	if (part->chosen <= 0 || part->heat <= 0)
		return 0;
	while (level < REPORT_LEVELS - 1 && part->heat >= STEPS[level - 1])
		level++;
	return level;
}

/* The part of a track that holds a byte; NULL: none. */
static const struct track_part *part_at(const struct track *track, size_t at)
{
	size_t low = 0, high = track->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if ((size_t)track->parts[middle].end <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low < track->n && (size_t)track->parts[low].start <= at ? &track->parts[low] : NULL;
}

/* The classes of what stands at a byte, by all tracks that looked there. */
static void put_classes(struct buf *buf, const struct audit_view *view, size_t at)
{
	const char *blank = "";

	buf_puts(buf, "class=\"");
	for (int i = 0; i < N_TRACKS; i++) {
		const struct track_part *part = part_at(&view->tracks[i], at);

		if (part == NULL)
			continue;
		buf_printf(buf, "%s%c%d", blank, REPORT_TRACKS[i], level_of(part));
		blank = " ";
	}
	buf_puts(buf, "\"");
}

static void put_switches(struct buf *buf, const struct audit_view *view)
{
	buf_puts(buf, "<fieldset>\n<legend>Shade the text by what was looked at for</legend>\n");
	for (int i = 0; i < N_TRACKS; i++) {
		if (view->tracks[i].n == 0)
			continue;
		buf_printf(buf, "<label><input type=\"radio\" name=\"track\" id=\"on-%c\"%s> <bdi>",
		           REPORT_TRACKS[i], i == TRACK_ALL ? " checked" : "");
		buf_puts(buf, i < N_KIND_TRACKS ? "" : "\xe2\x80\x9c"); /* a question may be "title" */
		put_string(buf, view->tracks[i].name);
		buf_puts(buf, i < N_KIND_TRACKS ? "</bdi></label>\n" : "\xe2\x80\x9d</bdi></label>\n");
	}
	buf_puts(
		buf,
		"<label><input type=\"radio\" name=\"track\" id=\"on-none\"> nothing</label>\n</fieldset>\n");
}

/* What the shades mean: in that of whatever track is switched on. */
static void put_key(struct buf *buf)
{
	static const struct {
		int level;
		const char *words;
	} KEY[] = { { 0, "never chosen" },
		    { 2, "less than its words would get" },
		    { 4, "as much" },
		    { 6, "twice and more" },
		    { 7, "four times and more" } };

	buf_puts(buf, "<ul class=\"key soft\">\n");
	for (size_t i = 0; i < sizeof(KEY) / sizeof(KEY[0]); i++) {
		buf_puts(buf, "<li><span class=\"");
		for (int track = 0; track < N_TRACKS; track++)
			buf_printf(buf, "%s%c%d", track == 0 ? "" : " ", REPORT_TRACKS[track], KEY[i].level);
		buf_printf(buf, "\"></span> %s</li>\n", KEY[i].words);
	}
	buf_puts(buf, "</ul>\n");
}

/* For the mouse alone: by keyboard and for ears there is the table of sections below. */
static void put_strip(struct buf *buf, const struct audit_view *view)
{
	const struct track *all = &view->tracks[TRACK_ALL];
	size_t n = all->n < STRIP_CELLS ? all->n : STRIP_CELLS;

	buf_puts(buf, "<div class=\"strip\" aria-hidden=\"true\">");
	for (size_t i = 0; i < n; i++) {
		size_t part = all->n * i / n, end = all->n * (i + 1) / n, hottest = part;

		for (size_t j = part; j < end; j++)
			hottest = all->parts[j].heat > all->parts[hottest].heat ? j : hottest;
		buf_printf(buf, "<a href=\"#p%zu\" tabindex=\"-1\" ", hottest);
		put_classes(buf, view, (size_t)all->parts[hottest].start);
		buf_puts(buf, "></a>");
	}
	buf_puts(buf, "</div>\n");
}

static void put_share(struct buf *buf, double share, const char *class)
{
	buf_printf(buf, "<td%s>%.1f %%</td>", class, 100 * share);
}

static void put_section_row(struct buf *buf, const struct audit_view *view, size_t i)
{
	const struct audit_section *section = &view->sections[i];

	buf_puts(buf, "<tr><td><bdi>");
	if (section->title == NULL) {
		buf_puts(buf, "<a href=\"#text\">(before the first heading)</a>");
	} else {
		buf_printf(buf, "<a href=\"#s%zu\">", i);
		put_text(buf, section->title, section->n_title);
		buf_puts(buf, "</a>");
	}
	buf_puts(buf, "</bdi></td>");
	put_share(buf, section->text, "");
	put_share(buf, section->attention, "");
	put_share(buf, section->chosen, " class=\"wide\"");
	put_share(buf, section->covered, " class=\"wide\"");
	if (view->tracks[TRACK_ANSWER].n > 0)
		put_share(buf, section->reached, "");
	buf_puts(buf, "</tr>\n");
}

static void put_sections(struct buf *buf, const struct audit_view *view)
{
	buf_puts(buf, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	              "aria-labelledby=\"h-looked\">\n<table>\n"
	              "<thead><tr><th scope=\"col\">Section</th><th scope=\"col\">of the text</th>"
	              "<th scope=\"col\">of the attention</th><th scope=\"col\" class=\"wide\">chosen</th>"
	              "<th scope=\"col\" class=\"wide\">ever chosen</th>");
	if (view->tracks[TRACK_ANSWER].n > 0)
		buf_puts(buf, "<th scope=\"col\">asked</th>");
	buf_puts(buf, "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < view->n_sections; i++) {
		if (view->sections[i].text > 0)
			put_section_row(buf, view, i);
	}
	buf_puts(buf, "</tbody>\n</table>\n</div>\n");
}

static void put_checks(struct buf *buf, const struct dense_sums *sums, const char *what)
{
	if (sums->n == 0)
		return;
	buf_printf(
		buf,
		"<p%s>Compared with dense attention, which leaves nothing out, %s: %zu time%s. It would have "
		"chosen the same for %.1f&nbsp;%% of %" PRId64
		" tokens; what was chosen to be looked at holds "
		"%.1f&nbsp;%% of its attention, where as much drawn by lot would hold %.1f&nbsp;%%.",
		sums->n_warned > 0 ? " class=\"warning\"" : "", what, sums->n, sums->n == 1 ? "" : "s",
		100 * sums->agrees, sums->tokens, 100 * sums->mass_recall, 100 * sums->chance);
	if (sums->n_warned > 0)
		buf_printf(buf, " <strong>%zu of these are worse than a sound indexer's.</strong>",
		           sums->n_warned);
	buf_puts(buf, "</p>\n");
}

static void put_looked(struct buf *buf, const struct audit_view *view)
{
	buf_puts(buf,
	         "<section aria-labelledby=\"h-looked\">\n<h2 id=\"h-looked\">What was looked at</h2>\n");
	if (view->tracks[TRACK_ALL].n == 0) {
		buf_puts(buf, "<p>Nothing was noted of this reading.</p>\n</section>\n");
		return;
	}
	buf_printf(buf,
	           "<p>Something was chosen at least once from %.1f&nbsp;%% of the text. %.0f&nbsp;%% of the "
	           "attention fell on the text, the rest on the task and the words already written.</p>\n",
	           100 * view->covered, 100 * (1 - view->elsewhere));
	put_sections(buf, view);
	put_checks(buf, &view->checks, "behind the text as it was read");
	put_checks(buf, &view->answer_checks, "in the words of answers, behind the part that they stand in");
	put_checks(buf, &view->whole_checks, "with the text read densely as well");
	buf_puts(buf, "</section>\n");
}

static int by_offset(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

/* Places in order of their starts, for the walk over the text. */
struct cover {
	size_t start, end, number;
};

static int by_start(const void *a, const void *b)
{
	const struct cover *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end != y->end ? (x->end > y->end ? -1 : 1)
	                        : (x->number > y->number) - (x->number < y->number);
}

/* The walk: segments between cuts, each within what covers it. */
struct walk {
	const struct audit_view *view;
	size_t *cuts; /* [n_cuts] where something begins or ends in the text */
	size_t n_cuts;
	struct cover *marks; /* [n_marks] by_start() */
	size_t n_marks, first_mark; /* marks before it have ended */
	size_t part, heading; /* that come next */
};

static void add_cut(struct walk *walk, size_t at)
{
	if (at <= walk->view->stored.n)
		walk->cuts[walk->n_cuts++] = at;
}

static int walk_init(struct walk *walk, const struct audit_view *view, const struct places *places)
{
	const struct track *all = &view->tracks[TRACK_ALL];

	*walk = (struct walk){ .view = view, .n_marks = places->n };
	walk->cuts = array_new(size_t, 2 * (all->n + places->n + view->stored.view.n_headings) + 2);
	walk->marks = array_new(struct cover, places->n);
	if (walk->cuts == NULL || walk->marks == NULL)
		return -ENOMEM;
	add_cut(walk, 0);
	add_cut(walk, view->stored.n);
	for (size_t i = 0; i < all->n; i++) {
		add_cut(walk, (size_t)all->parts[i].start);
		add_cut(walk, (size_t)all->parts[i].end);
	}
	for (size_t i = 0; i < places->n; i++) {
		walk->marks[i] = (struct cover){ places->items[i].start, places->items[i].end, i + 1 };
		add_cut(walk, places->items[i].start);
		add_cut(walk, places->items[i].end);
	}
	for (size_t i = 1; i < view->n_sections; i++) {
		const struct heading *heading = &view->stored.view.headings[i - 1];

		add_cut(walk, (size_t)view->sections[i].start);
		add_cut(walk, view_source(&view->stored.view, heading->end - 1) + 1);
	}
	qsort(walk->cuts, walk->n_cuts, sizeof(*walk->cuts), by_offset);
	qsort(walk->marks, walk->n_marks, sizeof(*walk->marks), by_start);
	return 0;
}

/* Whether a heading's line holds the segment; opens it where it does. */
static bool open_heading(struct buf *buf, struct walk *walk, size_t start)
{
	const struct audit_view *view = walk->view;
	size_t i;

	while (walk->heading + 1 < view->n_sections &&
	       (size_t)view->sections[walk->heading + 1].start <= start)
		walk->heading++;
	i = walk->heading;
	if (i == 0 || start > view_source(&view->stored.view, view->stored.view.headings[i - 1].end - 1))
		return false;
	if ((size_t)view->sections[i].start == start)
		buf_printf(buf, "<b id=\"s%zu\" role=\"heading\" aria-level=\"%u\">", i,
		           view->sections[i].level + 2 < 6 ? view->sections[i].level + 2 : 6);
	else
		buf_puts(buf, "<b>");
	return true;
}

static size_t open_marks(struct buf *buf, struct walk *walk, size_t start)
{
	size_t n = 0;

	while (walk->first_mark < walk->n_marks && walk->marks[walk->first_mark].end <= start)
		walk->first_mark++;
	for (size_t i = walk->first_mark; i < walk->n_marks && walk->marks[i].start <= start; i++) {
		if (walk->marks[i].end <= start)
			continue;
		if (walk->marks[i].start == start)
			buf_printf(buf, "<mark id=\"e%zu\" tabindex=\"-1\">", walk->marks[i].number);
		else
			buf_puts(buf, "<mark>");
		n++;
	}
	return n;
}

static void open_part(struct buf *buf, struct walk *walk, size_t start)
{
	const struct track *all = &walk->view->tracks[TRACK_ALL];

	while (walk->part < all->n && (size_t)all->parts[walk->part].end <= start)
		walk->part++;
	buf_puts(buf, "<span ");
	if (walk->part < all->n && (size_t)all->parts[walk->part].start == start)
		buf_printf(buf, "id=\"p%zu\" ", walk->part);
	put_classes(buf, walk->view, start);
	buf_puts(buf, ">");
}

static void put_segment(struct buf *buf, struct walk *walk, size_t start, size_t end)
{
	bool in_heading = open_heading(buf, walk, start);
	size_t n_marks;

	open_part(buf, walk, start);
	n_marks = open_marks(buf, walk, start);
	put_text(buf, walk->view->stored.source + start, end - start);
	while (n_marks-- > 0)
		buf_puts(buf, "</mark>");
	buf_puts(buf, in_heading ? "</span></b>" : "</span>");
}

static int put_document_text(struct buf *buf, const struct audit_view *view, const struct places *places)
{
	struct walk walk;
	int r = walk_init(&walk, view, places);

	buf_puts(buf, "<section aria-labelledby=\"h-text\">\n<h2 id=\"h-text\">The text</h2>\n");
	if (view->tracks[TRACK_ALL].n > 0) {
		put_switches(buf, view);
		put_key(buf);
		put_strip(buf, view);
	}
	buf_puts(buf, "<div class=\"text\" id=\"text\" dir=\"auto\">");
	for (size_t i = 0; r == 0 && i + 1 < walk.n_cuts; i++) {
		if (walk.cuts[i] < walk.cuts[i + 1])
			put_segment(buf, &walk, walk.cuts[i], walk.cuts[i + 1]);
	}
	buf_puts(buf, "</div>\n</section>\n");
	free(walk.cuts);
	free(walk.marks);
	return r;
}

int report_html(const struct audit_view *view, struct buf *ret)
{
	struct places places = { .n_text = view->stored.n };
	int r;

	put_head(ret, view);
	put_summary(ret, view, &places);
	put_key_passages(ret, view, &places);
	put_answers(ret, view, &places);
	put_looked(ret, view);
	r = put_document_text(ret, view, &places);
	buf_puts(
		ret,
		"</main>\n<footer class=\"soft\"><p>Made by skimd. What the figures mean: skimd-audit(7).</p>"
		"</footer>\n</body>\n</html>\n");
	free(places.items);
	return r < 0 || places.r < 0 ? -ENOMEM : buf_status(ret);
}
