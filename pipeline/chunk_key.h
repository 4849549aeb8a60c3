/* What names the results of a chunk: equal keys have equal results, in this document, in an older text of it, or in another. */
#ifndef SKIMD_PIPELINE_CHUNK_KEY_H
#define SKIMD_PIPELINE_CHUNK_KEY_H

#include <stdbool.h>

#include "pipeline/chunk.h"
#include "pipeline/marks.h"
#include "pipeline/view.h"
#include "store/docstore.h"

/* The text that a chunk stands in, and who reads it. */
struct chunk_source {
	const char *text; /* as it is stored */
	const struct view *view; /* as the model sees it */
	const struct marks *marks;
	const char *fingerprint; /* the model's */
	bool prose; /* it may use its own words */
};

/* Set result->key of the chunk; its bytes and its section are set already. -ENOMEM. */
int chunk_key_set(const struct chunk_source *source, const struct chunk *chunk,
                  struct document_chunk *result);

#endif
