/* A document's way from file to summary. Opens engine and stores and owns them; the only place that sees both. */
#ifndef SKIMD_PIPELINE_PIPELINE_H
#define SKIMD_PIPELINE_PIPELINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/engine.h"
#include "pipeline/answer.h"
#include "pipeline/audit.h"
#include "pipeline/extract.h"
#include "pipeline/summary.h"
#include "store/docstore.h"
#include "store/kvstore.h"

struct pipeline;

struct pipeline_settings {
	const char *model_dir;
	unsigned n_threads; /* 0: from the CPU affinity */
	bool int8_weights; /* NUMERICS_INT8 */
	struct docstore_settings store;
	const char *kv_path; /* NULL: no cache is kept */
	uint64_t kv_budget_bytes;
	uint64_t
		kv_memory_bytes; /* of rows that a long text holds in memory; 0: a quarter of the machine's */
	struct extract_limits extract; /* 0: the defaults */
	enum summary_length summary_length;
	struct audit_settings audit;
};

/* Open stores, then the model. A cache that cannot be opened is logged and done without. Errors as docstore_open()'s
 * and engine_open()'s. */
int pipeline_open(const struct pipeline_settings *settings, struct pipeline **ret, struct err *err);
void pipeline_close(struct pipeline *pipeline); /* NULL is allowed */

struct docstore *pipeline_docstore(struct pipeline *pipeline); /* any thread may use it */

/* Of kv.db since it was opened; without one *ret is all zero. Any thread may ask. */
void pipeline_kv_stats(struct pipeline *pipeline, struct kv_stats *ret);

const char *pipeline_model_name(const struct pipeline *pipeline);
const char *pipeline_fingerprint(const struct pipeline *pipeline); /* 64 hex digits */

/* Drop from the cache what is a document's alone, or all of it (id 0), while no document is in work: from the thread that
 * calls pipeline_process(). Errors as kvstore_drop()'s and kvstore_clear()'s. */
int pipeline_drop_cached(struct pipeline *pipeline, int64_t id, uint64_t *ret_n_blocks, struct err *err);

/* Which files a document gets beside its rows; where, its row says. */
struct pipeline_outputs {
	bool markdown, json, html;
};

/* Who wants to know how far a document is, and may stop it. */
struct pipeline_hooks {
	void *user;
	/* n_done of about n_tokens read; called often. May be NULL. */
	void (*progress)(void *user, const char *stage, uint64_t n_done, uint64_t n_tokens);
	const atomic_bool *cancel; /* may be NULL */
	/* Whether something more urgent waits: asked behind each part that was read, of which none is lost then. May be
	 * NULL. */
	bool (*give_way)(void *user);
};

/* Take one document, which the store has as 'reading', through all its states. 0: it has ended, as done, failed
 * or ignored: its row says which.
 * -ECANCELED: told to stop or to give way, it is queued again with what was done kept. Others: the store itself failed. */
int pipeline_process(struct pipeline *pipeline, int64_t id, const struct pipeline_outputs *outputs,
                     const struct pipeline_hooks *hooks, struct err *err);

/* Write the outputs of a document that is done and lacks one: the program was stopped between rows and files. What cannot be
 * written is noted in its row, and tried again. -ENOENT: there is no such document; others: the store itself failed. */
int pipeline_publish(struct pipeline *pipeline, int64_t id, const struct pipeline_outputs *outputs,
                     struct err *err);

/* Compare one chunk or answer that is due with dense attention, keep what that finds, and tell of it where it is bad. From
 * the thread that calls pipeline_process(). hooks->progress is called with the stage "compare". -ENOENT: none is due;
 * -ECANCELED: told to stop, it stays due. */
int pipeline_compare(struct pipeline *pipeline, const struct pipeline_hooks *hooks, struct err *err);

/* Answer one question, which the store has as 'answering'. 0: it is answered or has failed, its row says which.
 * -ECANCELED: told to stop, it is asked again later. Others: the store itself failed. From the thread that calls
 * pipeline_process(). What is opened for its document serves the next question, until pipeline_end_answers(), which is to
 * come before the document is read again. */
int pipeline_answer_question(struct pipeline *pipeline, int64_t id, const struct pipeline_hooks *hooks,
                             struct err *err);

/* Let go of the document that was asked last, and write its outputs again if it was answered since the last time; outputs
 * NULL: who writes them sees to it at its next start. Nothing if none was asked. On an error, which is the store's, it is
 * to be called again. */
int pipeline_end_answers(struct pipeline *pipeline, const struct pipeline_outputs *outputs, struct err *err);

/* Answer n questions about a document that has its text in the store: ret[n] are the caller's, for answer_done(), all of
 * them or (after a failure) none. From the thread that calls pipeline_process(). *usage grows. hooks->progress is not
 * called. -ENOENT: the document or its text is not there; -ECANCELED: told to stop. */
int pipeline_answer(struct pipeline *pipeline, int64_t id, const char *const *questions, size_t n,
                    struct answer *ret, struct usage *usage, const struct pipeline_hooks *hooks,
                    struct err *err);

#endif
