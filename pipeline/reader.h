/* What we ask of a model: to read a text once and do several tasks behind it. Ours is the engine in this process; its
 * prefix goes to kv.db and is not computed again where it is found there. One thread's. */
#ifndef SKIMD_PIPELINE_READER_H
#define SKIMD_PIPELINE_READER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/context.h"
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

/* One task behind a text. With spans the answer can only quote: words from within one of them. */
struct reader_task {
	enum task_kind kind;
	const char *question; /* of a TASK_QUESTION, else NULL */
	const struct grounded_span *spans;
	size_t n_spans; /* 0: free text */
	size_t max_tokens; /* a quote that is not at its end then is none */
	const char *given; /* no answer is decoded, only this one scored; without spans. NULL: none */
	bool look; /* an audit sees what these given words look at; what is generated it always sees */
};
#define READER_MAX_TASKS 32

struct reader_quote {
	size_t span; /* index into the task's spans */
	size_t start, n; /* the bytes of it that were quoted */
	double score; /* mean log-probability of its tokens */
};

/* What came back: a quote, or text. */
struct reader_result {
	bool quoted; /* there is a quote */
	struct reader_quote quote;
	char *text; /* free text as generated, NUL-terminated */
	bool cut; /* it reached max_tokens */
	double score; /* mean log-probability of its tokens */
	double log_probability; /* of all of them, its end among them */
};
void reader_result_done(struct reader_result *result);

/* Who wants to know how far it is, and may stop it. */
struct reader_hooks {
	void *user;
	void (*tokens)(void *user, size_t n_new); /* prompt tokens done, reused ones counted; may be NULL */
	const atomic_bool *cancel; /* may be NULL */
};

/* Read text[n] and do at most READER_MAX_TASKS tasks, decoded together. results[n_tasks] are the caller's, for
 * reader_result_done(); *usage grows. -ECANCELED: told to stop; what was computed is in kv.db. -EFBIG: longer than the
 * model's context. */
int reader_read(struct reader *reader, const char *text, size_t n, const struct reader_task *tasks,
                size_t n_tasks, struct reader_result *results, struct usage *usage,
                const struct reader_hooks *hooks, struct err *err);

struct sight;

enum reader_check {
	READER_CHECK_NONE,
	READER_CHECK_ANSWER, /* what was generated, once more with dense attention behind the same cached text */
	READER_CHECK_WHOLE, /* and the text itself as well */
};

/* Who looks on while texts are read. see() is called for each task of a reading that went well, with the text as it was
 * given to reader_read(); the sight (pipeline/sight.h) is lent. What it returns below 0, with words, fails the reading. */
struct reader_audit {
	void *user;
	enum reader_check check;
	int (*see)(void *user, const char *text, const struct reader_task *task, const struct sight *sight,
	           struct err *err);
};

/* From the next reading on; borrowed until then. NULL: nobody looks on. Results do not depend on it. */
void reader_set_audit(struct reader *reader, const struct reader_audit *audit);

/* What texts and tasks to come attend to: sparse at first, dense for comparisons, by a reader without kv. */
void reader_set_attention(struct reader *reader, enum attention attention);

/* The number of tokens of a text. */
int reader_count(struct reader *reader, const char *text, size_t n, size_t *ret, struct err *err);

#endif
