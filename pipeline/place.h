/* Where something stands: a span of the view as a place in the stored text. */
#ifndef SKIMD_PIPELINE_PLACE_H
#define SKIMD_PIPELINE_PLACE_H

#include <stddef.h>

#include "pipeline/view.h"
#include "store/docstore.h"

/* The evidence for bytes [start, end) of the view, start < end: the stored bytes that they stand for, page and section.
 * source is the text that the view was made of; the strings are the caller's. -ENOMEM. */
int place_find(const char *source, const struct view *view, size_t start, size_t end, struct evidence *ret);

/* The words of the section that an offset of the view stands in; the caller's, for free(). NULL: none. -ENOMEM. */
int place_section(const struct view *view, size_t offset, char **ret);

#endif
