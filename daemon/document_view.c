#include "daemon/document_view.h"

#include <errno.h>

#include "base/json.h"
#include "base/text.h"
#include "pipeline/output.h"

json_t *document_view_json(const struct document *document)
{
	return json_pack("{s:I, s:o, s:o, s:s, s:s?, s:f, s:o, s:o, s:s?, s:s?, s:I, s:I, s:I, s:I, s:o, "
	                 "s:s?, s:s?, s:s?}",
	                 "id", (json_int_t)document->id, "name", json_of_bytes(document->name), "path",
	                 json_of_bytes(document->path), "state", document_state_name(document->state),
	                 "stage", document->stage, "progress", document->progress, "error",
	                 json_or_null(document->error), "eta_seconds",
	                 document->eta_seconds < 0 ? json_null() : json_integer(document->eta_seconds),
	                 "retry", document_retry_name(document->retry), "retry_at", document->retry_at,
	                 "attempts", (json_int_t)document->attempts, "bytes", (json_int_t)document->bytes,
	                 "tokens", (json_int_t)document->tokens, "pages", (json_int_t)document->pages,
	                 "truncated", json_or_null(document->truncated), "ocr_pages", document->ocr_pages,
	                 "added_at", document->added_at, "finished_at", document->finished_at);
}

json_t *document_view_event(const struct document_event *event)
{
	return json_pack("{s:I, s:s, s:s, s:o, s:o}", "id", (json_int_t)event->id, "at", event->at, "level",
	                 event->level, "document",
	                 event->document_id == 0 ? json_null() : json_integer(event->document_id), "message",
	                 json_of_bytes(event->message));
}

json_t *document_view_hit(const struct search_hit *hit)
{
	return json_pack("{s:I, s:o, s:o, s:s, s:o, s:s, s:o, s:o, s:f}", "document",
	                 (json_int_t)hit->document_id, "name", json_of_bytes(hit->name), "path",
	                 json_of_bytes(hit->path), "state", document_state_name(hit->state), "chunk",
	                 hit->chunk < 0 ? json_null() : json_integer(hit->chunk), "kind", hit->kind,
	                 "section", json_or_null(hit->section), "snippet", json_of_bytes(hit->snippet),
	                 "score", hit->score);
}

bool document_view_is_open(const struct document *document)
{
	if (document->state == DOCUMENT_DONE)
		return document->output != NULL && !document->published && document->error == NULL;
	return document->state == DOCUMENT_QUEUED || document->state == DOCUMENT_READING;
}

/* "'name' is failed: reason" and more. */
static void describe_state(const struct document *document, const char *more, struct err *ret)
{
	err_set(ret, 0, "'%s' is %s%s%s%s", document->name, document_state_name(document->state),
	        document->error == NULL ? "" : ": ", document->error == NULL ? "" : document->error, more);
	text_printable(ret->text);
}

static int write_reading(const struct reading *reading, bool json, struct buf *ret, struct err *ret_note,
                         struct err *err)
{
	int r;

	if (reading->document.fingerprint == NULL) {
		describe_state(&reading->document, "; there are no results of it", err);
		return -EAGAIN;
	}
	if ((r = json ? output_json(reading, ret) : output_markdown(reading, ret)) < 0)
		return err_set(err, r, "no memory for the output");
	if (reading->document.state != DOCUMENT_DONE)
		describe_state(&reading->document, "; this was read before", ret_note);
	return 0;
}

int document_view_text(struct docstore *store, int64_t id, bool json, struct buf *ret, struct err *ret_note,
                       struct err *err)
{
	struct reading reading = { 0 };
	int r = docstore_load(store, id, &reading, err);

	if (r < 0)
		return r;
	ret_note->text[0] = '\0';
	r = write_reading(&reading, json, ret, ret_note, err);
	reading_done(&reading);
	return r;
}
