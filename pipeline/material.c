#include "pipeline/material.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "pipeline/sentence.h"

void material_done(struct material *material)
{
	for (size_t i = 0; i < material->n_spans; i++) {
		free(material->places[i].quote);
		free(material->places[i].section);
		free(material->words[i]);
	}
	free(material->spans);
	free(material->places);
	free(material->words);
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
	struct evidence place = { .section = summary_section(text->view, sentence.start) };
	size_t start, end;

	view_source_range(text->view, sentence.start, sentence.end, &start, &end);
	place.quote = strndup(text->source + start, end - start);
	place.byte_start = (int64_t)start;
	place.byte_end = (int64_t)end;
	return add_span(material, text->view->text + sentence.start, sentence.end - sentence.start, &place);
}

int material_from_chunk(struct material *material, const struct summary_text *text, const struct chunk *chunk)
{
	struct sentence *sentences;
	size_t n;
	int r = sentence_find(text->view->text, chunk->start, chunk->end, &sentences, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (sentence_worth_quoting(text->view->text, sentences[i]))
			r = add_sentence(material, text, sentences[i]);
	}
	free(sentences);
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

int material_add_passages(struct material *material, const struct passages *passages, size_t max_bytes)
{
	static const enum passage_kind ORDER[] = { PASSAGE_ABSTRACT, PASSAGE_KEY };
	int r = 0;

	for (size_t k = 0; k < sizeof(ORDER) / sizeof(ORDER[0]); k++) {
		for (size_t i = 0; r == 0 && i < passages->n; i++) {
			const struct passage *passage = &passages->items[i];
			size_t n = strlen(passage->text) + 1;

			if (passage->kind != ORDER[k] || n > max_bytes)
				continue;
			max_bytes -= n;
			buf_puts(&material->text, passage->text);
			buf_puts(&material->text, "\n");
			if (passage->kind == PASSAGE_KEY && passage->n_evidence > 0)
				r = add_quote(material, passage);
		}
	}
	return r < 0 ? r : buf_status(&material->text);
}
