#include "pipeline/material.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "pipeline/place.h"
#include "pipeline/sentence.h"

#define MAX_TITLE_BYTES 100
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
	free(material->opening);
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

/* Headings that stand over the beginning of any document and name none. */
static bool says_nothing(const char *title, size_t n)
{
	static const char *const WORDS[] = { "abstract", "contents", "description",      "introduction",
		                             "name",     "overview", "preamble",         "preface",
		                             "summary",  "synopsis", "table of contents" };

	for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
		if (strlen(WORDS[i]) == n && strncasecmp(title, WORDS[i], n) == 0)
			return true;
	}
	return false;
}

static void add_part(struct material *material, const char *title, size_t n)
{
	if (material->parts.n == 0)
		buf_puts(&material->parts, "\n");
	buf_append(&material->parts, title, n);
	buf_puts(&material->parts, "\n");
}

/* Bytes [start, *end) of the line that follows a heading, if it is short enough to be a title. */
static bool find_line_below(const struct view *view, const struct heading *heading, size_t *start,
                            size_t *end)
{
	*start = heading->end + strspn(view->text + heading->end, " \n");
	*end = *start + strcspn(view->text + *start, "\n");
	return *end > *start && *end - *start <= MAX_TITLE_BYTES;
}

/* The first heading in a chunk. Those of its other sections go to parts, if it begins the document. */
static const struct heading *first_heading(struct material *material, const struct view *view,
                                           const struct chunk *chunk)
{
	const struct heading *found = NULL;

	for (size_t i = 0; i < view->n_headings && view->headings[i].start < chunk->end; i++) {
		const struct heading *heading = &view->headings[i];

		if (heading->start < chunk->start)
			continue;
		if (found == NULL)
			found = heading;
		else if (chunk->start == 0)
			add_part(material, view->text + heading->title, heading->end - heading->title);
	}
	return found;
}

static int take_name(struct material *material, const char *name, size_t n)
{
	material->title = strndup(name, n);
	return material->title == NULL ? -ENOMEM : buf_status(&material->parts);
}

/* The beginning of a document is called by its first heading, or by the line below where that names nothing ("NAME" of a
 * manual page); another part by the section that it begins in, or else the first heading in it. */
static int set_title(struct material *material, const struct view *view, const struct chunk *chunk)
{
	const struct heading *heading = first_heading(material, view, chunk);
	const char *section = NULL;
	size_t start, end, n = 0;

	if (chunk->start > 0)
		view_section_at(view, chunk->start, &section, &n);
	if (section != NULL)
		return take_name(material, section, n);
	if (heading == NULL)
		return buf_status(&material->parts);
	start = heading->title;
	end = heading->end;
	if (chunk->start == 0 && says_nothing(view->text + start, end - start)) {
		add_part(material, view->text + start, end - start);
		if (!find_line_below(view, heading, &start, &end))
			return buf_status(&material->parts);
	}
	return take_name(material, view->text + start, end - start);
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

static int add_sentences(struct material *material, const struct summary_text *text,
                         const struct chunk *chunk, bool lines)
{
	struct sentence *sentences;
	size_t n;
	int r = sentence_find(text->view->text, chunk->start, chunk->end, &sentences, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (sentence_worth_quoting(text->view->text, sentences[i]) ||
		    (lines && is_line(sentences[i])))
			r = add_sentence(material, text, sentences[i]);
	}
	free(sentences);
	return r;
}

int material_from_chunk(struct material *material, const struct summary_text *text, const struct chunk *chunk,
                        bool lines)
{
	int r = set_title(material, text->view, chunk);

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

	if (place->section != NULL)
		copy.section = strdup(place->section);
	return add_span(material, passage->text, strlen(passage->text), &copy);
}

static bool is_taken(const struct passage *passage, enum passage_kind kind, size_t room)
{
	/* A summary that is an extract is its own key passages over again. */
	bool new_words = kind != PASSAGE_ABSTRACT || passage->generated;

	return passage->kind == kind && new_words && strlen(passage->text) + 1 <= room;
}

static int add_lines(struct material *material, const struct passages *passages, enum passage_kind kind,
                     size_t *room)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < passages->n; i++) {
		const struct passage *passage = &passages->items[i];

		if (!is_taken(passage, kind, *room))
			continue;
		*room -= strlen(passage->text) + 1;
		buf_puts(&material->text, passage->text);
		buf_puts(&material->text, "\n");
		if (kind == PASSAGE_KEY && passage->n_evidence > 0)
			r = add_quote(material, passage);
	}
	return r < 0 ? r : buf_status(&material->text);
}

/* The first part's title is the whole's where the model has no better. */
static int take_title(struct material *material, const struct passages *passages)
{
	for (size_t i = 0; i < passages->n; i++) {
		const struct passage *passage = &passages->items[i];

		if (passage->kind != PASSAGE_TITLE)
			continue;
		if (material->title != NULL)
			add_part(material, passage->text, strlen(passage->text));
		else if ((material->title = strdup(passage->text)) == NULL)
			return -ENOMEM;
		else
			material->title_generated = passage->generated;
	}
	return buf_status(&material->parts);
}

/* Of the first part alone: its places are the first ones. */
static int take_opening(struct material *material, const struct passages *passages)
{
	for (size_t i = 0; material->text.n == 0 && i < passages->n; i++) {
		const struct passage *passage = &passages->items[i];

		if (passage->kind == PASSAGE_ABSTRACT && passage->generated && material->opening == NULL &&
		    (material->opening = strdup(passage->text)) == NULL)
			return -ENOMEM;
	}
	return 0;
}

int material_add_passages(struct material *material, const struct passages *passages, size_t max_bytes)
{
	int r = take_opening(material, passages);

	if (r == 0)
		r = add_lines(material, passages, PASSAGE_ABSTRACT, &max_bytes);
	if (r == 0)
		r = add_lines(material, passages, PASSAGE_KEY, &max_bytes);
	return r < 0 ? r : take_title(material, passages);
}
