/* A document's text as the store has it, with its marks, and the view that the model was shown of it. */
#ifndef SKIMD_PIPELINE_STORED_TEXT_H
#define SKIMD_PIPELINE_STORED_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pipeline/marks.h"
#include "pipeline/view.h"
#include "store/docstore.h"

/* Stays where it is while the view is used. All zero is empty. */
struct stored_text {
	char *source; /* n bytes and a NUL */
	size_t n;
	struct marks marks;
	struct view view;
};

/* The view of a text: by its marks where it has some, else as Markdown or plain text. marks have to outlive it. */
int stored_text_view(const char *source, size_t n, const char *media_type, const struct marks *marks,
                     struct view *ret, struct err *err);

/* A stored text's marks; *ret, all zero before, is the caller's, for marks_done(). -EBADMSG: marks of another text; -ENOMEM. */
int stored_text_marks(struct docstore *store, int64_t id, const char *source, size_t n_source,
                      struct marks *ret, struct err *err);

/* Errors as docstore_get()'s and docstore_get_text()'s; -EBADMSG: marks of another text; -ENOMEM. *ret is the caller's, for
 * stored_text_done(), also after an error. */
int stored_text_load(struct docstore *store, int64_t id, struct stored_text *ret, struct err *err);
void stored_text_done(struct stored_text *stored);

#endif
