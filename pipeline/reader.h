/* What we ask of a model: to read a text once and do several tasks behind it. Ours is the engine in this process; its
 * prefix goes to kv.db and is not computed again where it is found there. One thread's. */
#ifndef SKIMD_PIPELINE_READER_H
#define SKIMD_PIPELINE_READER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/engine.h"
#include "model/grounded.h"
#include "pipeline/prompt.h"
#include "store/docstore.h"
#include "store/kvwriter.h"

struct reader;

/* engine and kv (NULL: nothing is kept) are borrowed. -ENOENT: the model's prompts are not known. */
int reader_open(struct engine *engine, struct kvwriter *kv, struct reader **ret, struct err *err);
void reader_close(struct reader *reader);

/* Longest text in bytes that is sure to fit the model's context, whatever its bytes are. */
size_t reader_max_bytes(const struct reader *reader);

/* One task behind a text. With spans the answer can only quote them, whole. */
struct reader_task {
	enum task_kind kind;
	const struct grounded_span *spans;
	size_t n_spans, min_quotes, max_quotes; /* n_spans 0: free text */
	size_t max_tokens; /* of free text */
};

struct reader_quote {
	size_t span; /* index into the task's spans */
	double score; /* mean log-probability of its tokens */
};

/* What came back: quotes, or text. */
struct reader_result {
	struct reader_quote *quotes;
	size_t n_quotes;
	char *text; /* free text as generated, NUL-terminated */
	bool cut; /* it reached max_tokens */
	double score; /* mean log-probability of its tokens */
};
void reader_result_done(struct reader_result *result);

/* Who wants to know how far it is, and may stop it. */
struct reader_hooks {
	void *user;
	void (*tokens)(void *user, size_t n_new); /* prompt tokens done, reused ones counted; may be NULL */
	const atomic_bool *cancel; /* may be NULL */
};

/* Read text[n] and do the tasks, decoded together. results[n_tasks] are the caller's, for reader_result_done(); *usage
 * grows. -ECANCELED: told to stop; what was computed is in kv.db. -EFBIG: longer than the model's context. */
int reader_read(struct reader *reader, const char *text, size_t n, const struct reader_task *tasks,
                size_t n_tasks, struct reader_result *results, struct usage *usage,
                const struct reader_hooks *hooks, struct err *err);

/* The number of tokens of a text. */
int reader_count(struct reader *reader, const char *text, size_t n, size_t *ret, struct err *err);

#endif
