/* What one reading is given: a text, and the sentences of it that may be quoted, each with its place in the document. */
#ifndef SKIMD_PIPELINE_MATERIAL_H
#define SKIMD_PIPELINE_MATERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/grounded.h"
#include "pipeline/chunk.h"
#include "pipeline/summary.h"
#include "store/docstore.h"

struct material {
	struct buf text;
	struct grounded_span *spans; /* [n_spans] their bytes stand in words */
	struct evidence *places; /* [n_spans] quote and section are the material's own */
	char **words; /* [n_spans] */
	size_t n_spans, cap_spans, cap_places, cap_words;
	char *title; /* what to call it where the model has no name; NULL: nothing */
	bool title_generated; /* the model wrote that, of the first part */
	double title_score; /* that of the first part's */
	bool title_own; /* no other title is better: the document, or the part, is called so */
	bool begins; /* a document */
	size_t n_parts; /* whose passages it is made of; 0: a chunk */
	struct passages opening; /* of passages: the summary of the first part */
	struct buf parts; /* "\nA\nB\n": headings that name a part of this and so not the whole */
};

/* A chunk's text with its sentences that are worth quoting; where there are none and lines are as good, with its lines.
 * -ENOMEM. */
int material_from_chunk(struct material *material, const struct summary_text *text, const struct chunk *chunk,
                        bool lines);

/* Append the passages of one part: its summary, then its key passages, which may be quoted again, where the summary has
 * them not already, one a line; no more than max_bytes of them. -ENOMEM. */
int material_add_passages(struct material *material, const struct passages *passages, size_t max_bytes);

/* Whether a title is one of its parts' headings. */
bool material_names_a_part(const struct material *material, const char *title);

void material_done(struct material *material);

#endif
