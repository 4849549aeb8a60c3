/* The outputs of a document, as its row wants them. */
#ifndef SKIMD_PIPELINE_PUBLISH_H
#define SKIMD_PIPELINE_PUBLISH_H

#include "base/err.h"
#include "pipeline/pipeline.h"
#include "store/docstore.h"

/* Write them, and note that in the row; or why they could not be written, which is logged, and when that is tried again:
 * the results stand whatever becomes of the files. Errors are the store's own. */
int publish_outputs(struct docstore *store, const struct document *document,
                    const struct pipeline_outputs *outputs, struct err *err);

#endif
