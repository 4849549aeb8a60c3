#include "pipeline/stored_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int stored_text_view(const char *source, size_t n, const char *media_type, const struct marks *marks,
                     struct view *ret, struct err *err)
{
	bool markdown = media_type != NULL && strcmp(media_type, "text/markdown") == 0;

	return marks->n_blocks > 0 ? view_make_marked(source, n, marks, ret, err)
	                           : view_make(source, n, markdown, ret, err);
}

int stored_text_marks(struct docstore *store, int64_t id, const char *source, size_t n_source,
                      struct marks *ret, struct err *err)
{
	char *bytes = NULL;
	size_t n = 0;
	int r = docstore_get_marks(store, id, &bytes, &n, err);

	if (r == 0 && n > 0)
		r = marks_decode(bytes, n, source, n_source, ret, err);
	free(bytes);
	return r;
}

int stored_text_load(struct docstore *store, int64_t id, struct stored_text *ret, struct err *err)
{
	struct document document = { 0 };
	int r = docstore_get(store, id, &document, err);

	*ret = (struct stored_text){ 0 };
	if (r == 0)
		r = docstore_get_text(store, id, &ret->source, &ret->n, err);
	if (r == 0)
		r = stored_text_marks(store, id, ret->source, ret->n, &ret->marks, err);
	if (r == 0)
		r = stored_text_view(ret->source, ret->n, document.media_type, &ret->marks, &ret->view, err);
	document_done(&document);
	return r;
}

void stored_text_done(struct stored_text *stored)
{
	view_done(&stored->view);
	marks_done(&stored->marks);
	free(stored->source);
	*stored = (struct stored_text){ 0 };
}
