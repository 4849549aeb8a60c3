/* What the commands share, by what they are about. */
#ifndef SKIMD_DAEMON_COMMANDS_INTERNAL_H
#define SKIMD_DAEMON_COMMANDS_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "daemon/commands.h"
#include "daemon/control.h"
#include "daemon/errands.h"
#include "store/docstore.h"

#define MAX_HELD_BYTES \
	((size_t)32 << 20) /* of answers that were made at once and are not sent yet, of all clients */

/* Commands that wait to be carried out. As many as there are clients: only those of clients that are gone can be more. */
#define MAX_DEFERRED 64

struct commands {
	struct commands_settings settings;
	struct control *control;
	struct errands *errands;
	struct loop_timer *rescan_timer;
	uint64_t started_ns, scanned_ns;
	size_t n_held_bytes;
	unsigned n_deferred;
};

/* A command that takes a while: its thread's part makes lines and fields of the answer. */
struct deferred {
	struct commands *commands;
	struct call *call;
	int (*run)(struct deferred *deferred, struct err *err); /* in the errands' thread */
	bool wakes; /* the worker, if it goes well: something may be queued now */
	json_t *lines; /* an array of the fields of lines before the last */
	json_t *fields; /* of the last line; run() may add to both */
	size_t n_bytes; /* of the lines, about */
};

/* Have run() called. -ENOMEM; -EBUSY: too many wait. */
int commands_defer(struct call *call, int (*run)(struct deferred *deferred, struct err *err), bool wakes,
                   struct err *err);

/* The document that a request names under key. -ENOENT, -ENOTUNIQ. */
int commands_find(struct docstore *store, const struct call *call, const char *key, int64_t *ret_id,
                  struct err *err);

/* skimd.db, each on a connection of its own: a long text keeps nobody waiting. And the text as lines of the answer. */
int commands_open_reader(const struct commands *commands, struct docstore **ret, struct err *err);
int commands_add_text(struct deferred *deferred, struct buf *text, struct err *err);

/* Who asked for what, where that changes something. */
void commands_log(const struct call *call, const char *what);

extern const struct protocol_key NO_KEYS[], DOCUMENT_KEYS[];

/* command_documents.c: what is there */
extern const struct protocol_key LIST_KEYS[], SHOW_KEYS[], WAIT_KEYS[], EVENTS_KEYS[], SEARCH_KEYS[];
int command_list(struct call *call, struct err *err);
int command_show(struct call *call, struct err *err);
int command_wait(struct call *call, struct err *err);
int command_events(struct call *call, struct err *err);
int command_search(struct call *call, struct err *err);

/* command_audit.c: what was looked at */
extern const struct protocol_key AUDIT_KEYS[];
int command_audit(struct call *call, struct err *err);
int command_report(struct call *call, struct err *err);

/* command_questions.c: what is asked of documents */
extern const struct protocol_key ASK_KEYS[], ANSWER_KEYS[], QUESTIONS_KEYS[];
int command_ask(struct call *call, struct err *err);
int command_answer(struct call *call, struct err *err);
int command_questions(struct call *call, struct err *err);

/* command_status.c: how the daemon is, and what it shall do */
int command_ping(struct call *call, struct err *err);
int command_status(struct call *call, struct err *err);
int command_pause(struct call *call, struct err *err);
int command_resume(struct call *call, struct err *err);
int command_rescan(struct call *call, struct err *err);

/* command_changes.c: what changes documents and what is kept of them */
extern const struct protocol_key ADD_KEYS[], CACHE_KEYS[];
int command_add(struct call *call, struct err *err);
int command_cache(struct call *call, struct err *err);
int command_retry(struct call *call, struct err *err);
int command_reread(struct call *call, struct err *err);
int command_forget(struct call *call, struct err *err);

#endif
