/* The other side of a sink: who makes one, gives it to a parser, and takes what came of it. In one process, so that tests
 * and fuzzers have no more to do than the extractor. */
#ifndef SKIMD_PIPELINE_FORMATS_SINK_COLLECT_H
#define SKIMD_PIPELINE_FORMATS_SINK_COLLECT_H

#include <stddef.h>

#include "base/err.h"
#include "pipeline/formats/sink.h"
#include "pipeline/marks.h"

struct sink_result {
	char *text; /* n bytes and a NUL, none within; UTF-8 */
	size_t n;
	size_t n_out; /* bytes in front of these that the outlet has; if it is 0 and n is, there was no text */
	struct marks marks; /* of all of it */
	unsigned n_pages; /* the highest that was begun; 0: the format has none */
	char truncated[SINK_REASON_MAX]; /* "": it is all there */
};

/* A sink that keeps at most max_bytes. *ret is the caller's, for sink_free(). -ENOMEM. */
int sink_new(size_t max_bytes, struct sink **ret, struct err *err);
void sink_free(struct sink *sink); /* NULL is allowed */

/* Who gets the beginning of a text before all of it is there: blocks that have ended do not change any more. */
struct sink_outlet {
	void (*take)(void *user, const char *bytes, size_t n);
	void *user;
	size_t n_piece; /* bytes that it gets at a time, or more */
};

/* Borrowed by the sink; NULL: none. What it gets the sink forgets. */
void sink_set_outlet(struct sink *sink, const struct sink_outlet *outlet);

/* End the open block and take what came; the sink is empty then, and good for sink_free() alone. *ret is the caller's, for
 * sink_result_done(). A text that has reached its limit is no error, but truncated. -ENOMEM: a call before had none. */
int sink_take(struct sink *sink, struct sink_result *ret, struct err *err);
void sink_result_done(struct sink_result *result); /* all zero is allowed */

/* Whether the text has reached its limit. */
bool sink_is_full(const struct sink *sink);

#endif
