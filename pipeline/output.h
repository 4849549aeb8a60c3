/* What people and programs get to read of a document: Markdown and JSON, made from its rows in skimd.db alone, so that the
 * outbox, `skimctl read` and `skimctl show` say the same. */
#ifndef SKIMD_PIPELINE_OUTPUT_H
#define SKIMD_PIPELINE_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/docstore.h"

#define OUTPUT_MARKDOWN_SUFFIX ".summary.md"
#define OUTPUT_JSON_SUFFIX ".summary.json"
#define OUTPUT_HTML_SUFFIX ".summary.html"

/* Append the reading; -ENOMEM. Everything outside "timings" and "usage" of the JSON is the same bytes each time. */
int output_markdown(const struct reading *reading, struct buf *ret);
int output_json(const struct reading *reading, struct buf *ret);

/* An answer as it stands in the list "answers", of a question that has one. NULL: no memory. */
json_t *output_answer_json(const struct question *question);

/* Write the files that are asked for beside the document's row: its output path and a suffix. A file there that is not
 * as skimd wrote it is never overwritten: -EEXIST. A document without an output path has none to write. */
int output_write(struct docstore *store, int64_t id, bool markdown, bool json, struct err *err);

/* The same for the page of pipeline/report.h. Errors as audit_view_make()'s, too. */
int output_write_page(struct docstore *store, int64_t id, struct err *err);

/* Whether a file stands at path that is as skimd wrote it. A file that is not there is not ours. */
int output_is_ours(struct docstore *store, const char *path, bool *ret, struct err *err);

/* Remove the temporary files that a program which was killed left in an outbox; while nobody else writes there. */
void output_sweep(const char *outbox);

#endif
