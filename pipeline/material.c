#include "pipeline/material.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "pipeline/centrality.h"
#include "pipeline/place.h"
#include "pipeline/sentence.h"

#define LEAD_SENTENCES 2
#define MAX_TITLE_BYTES 100

static void forget_span(struct material *material, size_t i)
{
	free(material->places[i].quote);
	free(material->places[i].section);
	free(material->words[i]);
}

void material_done(struct material *material)
{
	for (size_t i = 0; i < material->n_spans; i++)
		forget_span(material, i);
	free(material->spans);
	free(material->places);
	free(material->words);
	free(material->title);
	free(material->stems);
	passages_done(&material->stand_in);
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
		free(place->quote);
		free(place->section);
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

/* The heading that a chunk is called by. Those of its other sections go to parts, if it begins the document. */
static const struct heading *name_chunk(struct material *material, const struct view *view,
                                        const struct chunk *chunk)
{
	const struct heading *found = chunk->start == 0 ? NULL : view_heading_at(view, chunk->start);

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

/* The beginning of a document is called by its first heading, or by the line below where that names nothing ("NAME" of a
 * manual page); another part by the heading that it begins under, or else the first one in it. */
static int set_title(struct material *material, const struct view *view, const struct chunk *chunk)
{
	const struct heading *heading = name_chunk(material, view, chunk);
	size_t start, end;

	if (heading == NULL)
		return buf_status(&material->parts);
	start = heading->title;
	end = heading->end;
	if (chunk->start == 0 && says_nothing(view->text + start, end - start)) {
		add_part(material, view->text + start, end - start);
		if (!find_line_below(view, heading, &start, &end))
			return buf_status(&material->parts);
	}
	material->title = strndup(view->text + start, end - start);
	return material->title == NULL ? -ENOMEM : buf_status(&material->parts);
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

/* The first sentences, verbatim: hard to beat where nothing better is known. */
static int set_stand_in(struct material *material)
{
	struct passage *lead;
	struct buf text = { 0 };
	int r = 0;

	if (material->n_spans == 0)
		return 0;
	lead = passages_add(&material->stand_in, PASSAGE_ABSTRACT);
	if (lead == NULL)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < material->n_spans && i < LEAD_SENTENCES; i++) {
		if (i > 0)
			buf_puts(&text, " ");
		buf_append(&text, material->words[i], material->spans[i].n);
		r = passage_copy_evidence(lead, &material->places[i]);
	}
	lead->text = buf_take(&text);
	return lead->text == NULL ? -ENOMEM : r;
}

int material_from_chunk(struct material *material, const struct summary_text *text, const struct chunk *chunk)
{
	struct sentence *sentences;
	size_t n;
	int r = set_title(material, text->view, chunk);

	if (r == 0)
		r = sentence_find(text->view->text, chunk->start, chunk->end, &sentences, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (sentence_worth_quoting(text->view->text, sentences[i]))
			r = add_sentence(material, text, sentences[i]);
	}
	free(sentences);
	if (r == 0)
		r = set_stand_in(material);
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

/* The first part's title and summary are the whole's where the model has no better. */
static int take_first(struct material *material, const struct passages *passages)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < passages->n; i++) {
		const struct passages one = { .items = &passages->items[i], .n = 1 };

		if (one.items->kind == PASSAGE_ABSTRACT && material->stand_in.n == 0)
			r = passages_append(&material->stand_in, &one);
		if (one.items->kind != PASSAGE_TITLE)
			continue;
		if (material->title != NULL)
			add_part(material, one.items->text, strlen(one.items->text));
		else if ((material->title = strdup(one.items->text)) == NULL)
			r = -ENOMEM;
	}
	return r < 0 ? r : buf_status(&material->parts);
}

int material_add_passages(struct material *material, const struct passages *passages, size_t max_bytes)
{
	int r = add_lines(material, passages, PASSAGE_ABSTRACT, &max_bytes);

	if (r == 0)
		r = add_lines(material, passages, PASSAGE_KEY, &max_bytes);
	return r < 0 ? r : take_first(material, passages);
}

int material_shortlist(struct material *material, size_t n)
{
	size_t *kept = array_new(size_t, n), n_kept, at = 0;
	int r = kept == NULL ? -ENOMEM
	                     : centrality_shortlist(material->spans, material->n_spans, n, kept, &n_kept);

	for (size_t i = 0; r == 0 && i < material->n_spans; i++) {
		if (at == n_kept || kept[at] != i) {
			forget_span(material, i);
			continue;
		}
		material->spans[at] = material->spans[i];
		material->places[at] = material->places[i];
		material->words[at++] = material->words[i];
	}
	if (r == 0)
		material->n_spans = at;
	free(kept);
	return r;
}
