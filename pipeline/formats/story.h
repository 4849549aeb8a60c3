/* The flow of an office document on its way into a sink: paragraphs that are known for what they are when their first word
 * comes; tables whose cells hold paragraphs; and what stands behind the block that it belongs to, notes and text boxes.
 *
 * Functions return what the sink does. */
#ifndef SKIMD_PIPELINE_FORMATS_STORY_H
#define SKIMD_PIPELINE_FORMATS_STORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "pipeline/formats/sink.h"

struct story {
	struct sink *sink;
	bool aside; /* all that comes is: a running head, what is hidden */
	bool has_text; /* any that is no aside has come */

	enum sink_block block; /* of the paragraph at hand */
	unsigned level;
	bool paragraph_aside;
	bool is_open; /* its first word has come */
	bool in_program; /* it was preformatted and is not ended: one behind it is the next line */

	unsigned n_rows; /* open ones, within each other; the cells of inner ones are mere words */
	bool has_cell; /* the outer row has one already */

	unsigned n_boxes; /* open ones, whose text goes behind the block at hand */
	struct buf behind; /* a line for each paragraph */
};

/* What comes next is a paragraph of this kind; within a row, a box or a box's row it is words. */
int story_paragraph(struct story *story, enum sink_block block, unsigned level, bool aside);
int story_text(struct story *story, const char *text, size_t n);
int story_break(struct story *story);
int story_end_paragraph(struct story *story);

int story_row(struct story *story);
int story_cell(struct story *story);
int story_end_row(struct story *story);

/* Text up to the end of the box stands behind the block at hand, as paragraphs of its own. */
void story_box(struct story *story);
int story_end_box(struct story *story);
/* A whole note, lines for paragraphs, put behind the block at hand. */
int story_note(struct story *story, const char *text);

/* How a parser ends whose reading ended with r and these words, "" if there are none: a document that has text is kept up to
 * where it was damaged or too large, and one without any is an error. */
int story_finish(struct story *story, int r, const struct err *words, struct err *err);
void story_done(struct story *story);

#endif
