/* The whole pipeline on a folder of its own: what a document becomes that is given as a text. */
#ifndef SKIMD_BENCH_DESK_H
#define SKIMD_BENCH_DESK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pipeline/answer.h"
#include "pipeline/pipeline.h"
#include "pipeline/reader.h"
#include "store/docstore.h"

struct desk {
	struct pipeline *pipeline;
	struct engine *engine; /* the bare model, for what is held against the pipeline */
	struct reader *reader;
	char *folder;
	size_t n_texts;
};

/* Make the folder and open the model twice. cache: a kv.db that outlives this run, NULL: none is kept. */
int desk_open(struct desk *ret, const char *model, const char *cache, unsigned n_threads, struct err *err);
void desk_close(struct desk *desk); /* removes the folder */

/* Write a text to a file and read it as any other: *ret is the caller's, for reading_done(). */
int desk_read(struct desk *desk, const char *text, struct reading *ret, struct err *err);

/* The text alone, for questions: *ret_id is its document. */
int desk_put(struct desk *desk, const char *text, int64_t *ret_id, struct err *err);

/* One question; *ret is the caller's, for answer_done(). */
int desk_ask(struct desk *desk, int64_t id, const char *question, struct answer *ret, struct err *err);

/* The best quotation for a question, taken or not, by the model that desk_set_attention() is about: *ret_words are the
 * caller's, for free(). */
int desk_weigh(struct desk *desk, int64_t id, const char *question, struct asked_passage *ret,
               char **ret_words, struct err *err);

/* What the bare model attends to, and desk_weigh(). */
void desk_set_attention(struct desk *desk, enum attention attention);

/* What the bare model says to a question behind a whole text; *ret is the caller's, for free(). */
int desk_ask_bare(struct desk *desk, const char *text, const char *question, char **ret, struct err *err);

/* The number of a text's tokens. */
int desk_count(struct desk *desk, const char *text, size_t *ret, struct err *err);

#endif
