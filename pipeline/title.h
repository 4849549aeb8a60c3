/* What a document calls itself, as far as its text shows that; and what a title must not be. */
#ifndef SKIMD_PIPELINE_TITLE_H
#define SKIMD_PIPELINE_TITLE_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/view.h"

/* Bytes of a view's text. */
struct title_place {
	size_t start, end;
};

/* The heading that the text begins with; where that names nothing, as "Preface", the line below it; of a manual page the
 * line below "NAME". */
bool title_of_heading(const struct view *view, struct title_place *ret);

/* The first line, where it is short and alone as a title is: less sure. */
bool title_of_first_line(const struct view *view, struct title_place *ret);

/* Headings that stand over the beginning of any document and name none. */
bool title_says_nothing(const char *title, size_t n);

/* A word that comes again, as when a small model falls into a loop; or a single word that the text does not begin with. */
bool title_is_stray(const char *title, const char *text, size_t n);

#endif
