#include "pipeline/material.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "pipeline/place.h"
#include "pipeline/sentence.h"
#include "pipeline/title.h"

#define MAX_LINE_BYTES 800

void material_done(struct material *material)
{
	for (size_t i = 0; i < material->n_spans; i++) {
		evidence_done(&material->places[i]);
		free(material->words[i]);
	}
	free(material->spans);
	free(material->places);
	free(material->words);
	free(material->title);
	passages_done(&material->opening);
	buf_done(&material->parts);
	buf_done(&material->text);
	*material = (struct material){ 0 };
}

/* Takes the place's strings over, and copies the words; an already quotable sentence may come again. */
static int add_span(struct material *material, const char *words, size_t n, struct evidence *place)
{
	size_t i = material->n_spans;
	char *copy = strndup(words, n);

	if (copy == NULL || place->quote == NULL ||
	    array_grow(&material->spans, sizeof(*material->spans), i, &material->cap_spans) < 0 ||
	    array_grow(&material->places, sizeof(*material->places), i, &material->cap_places) < 0 ||
	    array_grow(&material->words, sizeof(*material->words), i, &material->cap_words) < 0) {
		free(copy);
		evidence_done(place);
		return -ENOMEM;
	}
	material->spans[i] = (struct grounded_span){ copy, n };
	material->places[i] = *place;
	material->words[i] = copy;
	material->n_spans++;
	return 0;
}

static int add_sentence(struct material *material, const struct summary_text *text, struct sentence sentence)
{
	struct evidence place;
	int r = place_find(text->source, text->view, sentence.start, sentence.end, &place);

	if (r < 0)
		return r;
	return add_span(material, text->view->text + sentence.start, sentence.end - sentence.start, &place);
}

static void add_part(struct material *material, const char *title, size_t n)
{
	if (material->parts.n == 0)
		buf_puts(&material->parts, "\n");
	buf_append(&material->parts, title, n);
	buf_puts(&material->parts, "\n");
}

/* A section ends where one begins that is as strong. */
static size_t section_end(const struct view *view, size_t heading)
{
	size_t i = heading + 1;

	while (i < view->n_headings && view->headings[i].level > view->headings[heading].level)
		i++;
	return i < view->n_headings ? view->headings[i].start : view->n;
}

/* The heading of the section that has most of a chunk, among the strongest; one that goes beyond the chunk at both ends
 * stands over other chunks as well, and counts where there is no other. NULL: there is none. */
static const struct heading *main_heading(const struct view *view, const struct chunk *chunk)
{
	const struct heading *best = NULL, *around = NULL;
	size_t most = 0;

	for (size_t i = 0; i < view->n_headings && view->headings[i].start < chunk->end; i++) {
		const struct heading *heading = &view->headings[i];
		size_t start = heading->start > chunk->start ? heading->start : chunk->start;
		size_t end = section_end(view, i);

		end = end < chunk->end ? end : chunk->end;
		if (end <= start ||
		    title_says_nothing(view->text + heading->title, heading->end - heading->title))
			continue;
		if (start == chunk->start && end == chunk->end) {
			around = heading;
		} else if (best == NULL || heading->level < best->level ||
		           (heading->level == best->level && end - start > most)) {
			best = heading;
			most = end - start;
		}
	}
	return best != NULL ? best : around;
}

static int take_name(struct material *material, const char *name, size_t n)
{
	material->title = strndup(name, n);
	return material->title == NULL ? -ENOMEM : 0;
}

/* The beginning of a document is called as that calls itself. Its other headings name parts. */
static int set_own_title(struct material *material, const struct view *view, const struct chunk *chunk)
{
	struct title_place place = { 0 };

	material->begins = true;
	material->title_own = title_of_heading(view, &place);
	for (size_t i = 0; i < view->n_headings && view->headings[i].start < chunk->end; i++) {
		const struct heading *heading = &view->headings[i];

		if (heading->title != place.start || !material->title_own)
			add_part(material, view->text + heading->title, heading->end - heading->title);
	}
	if (!material->title_own && !title_of_first_line(view, &place))
		return buf_status(&material->parts);
	if (buf_status(&material->parts) < 0)
		return -ENOMEM;
	return take_name(material, view->text + place.start, place.end - place.start);
}

/* Another part is called by a section of its own; the model's titles of parts are no better. */
static int set_part_title(struct material *material, const struct view *view, const struct chunk *chunk)
{
	const struct heading *heading = main_heading(view, chunk);

	material->title_own = heading != NULL;
	return heading == NULL
	               ? 0
	               : take_name(material, view->text + heading->title, heading->end - heading->title);
}

bool material_names_a_part(const struct material *material, const char *title)
{
	const char *line = material->parts.data;
	size_t n = strlen(title);

	while (line != NULL && line[1] != '\0') {
		if (strncasecmp(line + 1, title, n) == 0 && line[1 + n] == '\n')
			return true;
		line += 1 + strcspn(line + 1, "\n");
	}
	return false;
}

/* One that can be shown by itself where no sentence can: a line of a table or a log, say. */
static bool is_line(struct sentence sentence)
{
	return sentence.end - sentence.start <= MAX_LINE_BYTES;
}

/* A command, or a line of a program, may look like a sentence: skimctl ask letter.txt 'Who wrote it?' */
static bool is_prose(const struct view *view, struct sentence sentence)
{
	return sentence_worth_quoting(view->text, sentence) &&
	       (!view_is_code(view, sentence.start) || sentence_starts_large(view->text, sentence));
}

static int add_sentences(struct material *material, const struct summary_text *text,
                         const struct chunk *chunk, bool lines)
{
	struct sentence *sentences;
	size_t n;
	int r = sentence_find(text->view->text, chunk->start, chunk->end, &sentences, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (is_prose(text->view, sentences[i]) || (lines && is_line(sentences[i])))
			r = add_sentence(material, text, sentences[i]);
	}
	free(sentences);
	return r;
}

int material_from_chunk(struct material *material, const struct summary_text *text, const struct chunk *chunk,
                        bool lines)
{
	int r = chunk->start == 0 ? set_own_title(material, text->view, chunk)
	                          : set_part_title(material, text->view, chunk);

	if (r == 0)
		r = add_sentences(material, text, chunk, false);
	if (r == 0 && material->n_spans == 0 && lines)
		r = add_sentences(material, text, chunk, true);
	buf_append(&material->text, text->view->text + chunk->start, chunk->end - chunk->start);
	return r < 0 ? r : buf_status(&material->text);
}

static int add_quote(struct material *material, const struct passage *passage)
{
	const struct evidence *place = &passage->evidence[0];
	struct evidence copy = { .quote = strdup(place->quote),
		                 .byte_start = place->byte_start,
		                 .byte_end = place->byte_end,
		                 .page = place->page };

	if (place->section != NULL && (copy.section = strdup(place->section)) == NULL) {
		evidence_done(&copy);
		return -ENOMEM;
	}
	return add_span(material, passage->text, strlen(passage->text), &copy);
}

/* Whether a summary has it already. */
static bool is_in_summary(const struct passages *passages, const char *text)
{
	for (size_t i = 0; i < passages->n; i++) {
		if (passages->items[i].kind == PASSAGE_ABSTRACT && strcmp(passages->items[i].text, text) == 0)
			return true;
	}
	return false;
}

static int add_lines(struct material *material, const struct passages *passages, enum passage_kind kind,
                     size_t *room)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < passages->n; i++) {
		const struct passage *passage = &passages->items[i];
		bool key = kind == PASSAGE_KEY;

		if (passage->kind != kind || strlen(passage->text) + 1 > *room)
			continue;
		if (!key || !is_in_summary(passages, passage->text)) {
			*room -= strlen(passage->text) + 1;
			buf_printf(&material->text, "%s\n", passage->text);
		}
		if (key && passage->n_evidence > 0)
			r = add_quote(material, passage);
	}
	return r < 0 ? r : buf_status(&material->text);
}

/* The first part's title is the whole's. */
static int take_title(struct material *material, const struct passage *title)
{
	if (material->n_parts > 0 || material->title != NULL) {
		add_part(material, title->text, strlen(title->text));
		return buf_status(&material->parts);
	}
	material->title_generated = title->generated;
	material->title_score = title->score;
	material->title_own = true;
	return take_name(material, title->text, strlen(title->text));
}

static int take_titles(struct material *material, const struct passages *passages)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < passages->n; i++) {
		if (passages->items[i].kind == PASSAGE_TITLE)
			r = take_title(material, &passages->items[i]);
	}
	return r;
}

/* Of the first part alone: it says what the document is. */
static int take_opening(struct material *material, const struct passages *passages)
{
	int r = 0;

	for (size_t i = 0; r == 0 && material->n_parts == 0 && i < passages->n; i++) {
		if (passages->items[i].kind == PASSAGE_ABSTRACT)
			r = passages_append(&material->opening,
			                    &(struct passages){ .items = &passages->items[i], .n = 1 });
	}
	return r;
}

int material_add_passages(struct material *material, const struct passages *passages, size_t max_bytes)
{
	int r = take_opening(material, passages);

	if (r == 0)
		r = take_titles(material, passages);
	if (r == 0)
		r = add_lines(material, passages, PASSAGE_ABSTRACT, &max_bytes);
	if (r == 0)
		r = add_lines(material, passages, PASSAGE_KEY, &max_bytes);
	material->n_parts++;
	return r;
}
