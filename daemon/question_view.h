/* What is told of questions and their answers, the same on the control socket and by skimctl without it. */
#ifndef SKIMD_DAEMON_QUESTION_VIEW_H
#define SKIMD_DAEMON_QUESTION_VIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "store/docstore.h"

/* A row as an object, with "answer" as in the outputs, or null. NULL: no memory. */
json_t *question_view_json(const struct question *question);

/* Neither answered nor failed. */
bool question_view_is_open(const struct question *question);

/* How many documents are still to be read, which a question about all of them leaves out. Errors as docstore_count()'s. */
int question_view_count_unread(struct docstore *store, int64_t *ret, struct err *err);

#endif
