/* An audit in words that people understand, and as JSON. */
#ifndef SKIMD_PIPELINE_AUDIT_OUTPUT_H
#define SKIMD_PIPELINE_AUDIT_OUTPUT_H

#include "base/buf.h"
#include "pipeline/audit_view.h"

/* Append; -ENOMEM. The words are fit for a terminal, whatever the document holds. The JSON is one object, the same bytes each
 * time. */
int audit_output_words(const struct audit_view *view, struct buf *ret);
int audit_output_json(const struct audit_view *view, struct buf *ret);

#endif
