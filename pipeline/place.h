/* Where something stands: a span of the view as a place in the stored text. */
#ifndef SKIMD_PIPELINE_PLACE_H
#define SKIMD_PIPELINE_PLACE_H

#include <stddef.h>

#include "pipeline/view.h"
#include "store/docstore.h"

/* The evidence for bytes [start, end) of the view, start < end: the stored bytes that they stand for, and the section.
 * source is the text that the view was made of; the strings are the caller's. -ENOMEM. */
int place_find(const char *source, const struct view *view, size_t start, size_t end, struct evidence *ret);

/* The words of the nearest heading at or before an offset of the view; the caller's, for free(). NULL: none, or no
 * memory. */
char *place_section(const struct view *view, size_t offset);

#endif
