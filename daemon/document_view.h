/* What is told of documents, the same on the control socket and by skimctl without it. */
#ifndef SKIMD_DAEMON_DOCUMENT_VIEW_H
#define SKIMD_DAEMON_DOCUMENT_VIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/docstore.h"

/* A row as an object. NULL: no memory. */
json_t *document_view_json(const struct document *document);

/* The same of a line of the event log, and of a place where words were found. */
json_t *document_view_event(const struct document_event *event);
json_t *document_view_hit(const struct search_hit *hit);

/* Still to be read, or done and its files still to be written. */
bool document_view_is_open(const struct document *document);

/* Append what was read of a document, as JSON or as Markdown. ret_note says of results that are not the latest why not;
 * otherwise it is empty. -EAGAIN: there are none, with the state in words; -ENOENT; -ENOMEM. */
int document_view_text(struct docstore *store, int64_t id, bool json, struct buf *ret, struct err *ret_note,
                       struct err *err);

#endif
