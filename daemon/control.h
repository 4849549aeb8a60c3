/* The control socket: who may connect, what they send, and what they are answered; skimd-control(7). Which commands
 * there are, its user says.
 *
 * All of it runs on the main loop, and nothing of it blocks or grows: lines are short, clients few, each has one command
 * in work, and what a slow one has not taken yet stops what is made for it. */
#ifndef SKIMD_DAEMON_CONTROL_H
#define SKIMD_DAEMON_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "daemon/loop.h"
#include "daemon/protocol.h"

struct control;
struct call; /* a command in work */

struct control_command {
	const char *name; /* NULL ends a list */
	const struct protocol_key *keys;
	/* Answer with one of call_reply(), call_stream() and, later, call_fail(); or return a negative errno, which is
	 * then the answer. The keys have been checked. */
	int (*run)(struct call *call, struct err *err);
};

/* 0: the default. */
struct control_limits {
	unsigned n_clients; /* 64; one more is refused */
	uint64_t
		silent_ns; /* 60 s: a client that says nothing for so long may go when half of them are there */
	uint64_t stalled_ns; /* 30 s: one that is amid a line, or does not take its answer, goes */
};

struct control_settings {
	const char *path; /* of the socket */
	const char *group; /* whose members may connect; NULL: nobody but root and the daemon's user */
	const struct control_command *commands;
	void *user; /* for call_user() */
	struct control_limits limits;
};

/* Listen. A socket on which nobody listens any more is replaced. -EADDRINUSE: somebody does, named in the words; -EEXIST:
 * something else is there; -ESRCH: no such group; -EPERM: the daemon's user is not in it; -ENAMETOOLONG, -EACCES. */
int control_open(const struct control_settings *settings, struct loop *loop, struct control **ret,
                 struct err *err);
void control_close(struct control *control); /* before its loop is freed; NULL is allowed */

/* Something that a stream may wait for has changed: all that wait are asked again, soon. */
void control_changed(struct control *control);

/* A call lives until it is answered or its client is gone, and beyond that as long as somebody keeps it. Answering one
 * whose client is gone does nothing. What is taken over may be NULL, where memory ran out. */
struct call *call_keep(struct call *call);
void call_release(struct call *call);

void *call_user(const struct call *call);
const struct ucred *call_who(const struct call *call);

/* A string or an integer of the request; NULL, or the default, where it has none. */
const char *call_string(const struct call *call, const char *key);
json_int_t call_integer(const struct call *call, const char *key, json_int_t otherwise);
bool call_is_set(const struct call *call, const char *key);

/* The one answer, or the last line of several. fields is taken over. */
void call_reply(struct call *call, json_t *fields);
void call_fail(struct call *call, int r, const struct err *err);

/* Another line of an answer, with "more": true. */
void call_more(struct call *call, json_t *fields);

/* Answer line by line: next() is called whenever there is room for a line. It returns 1: go on; 0: there is nothing now,
 * ask again after control_changed(); a negative errno, which ends the answer; or anything after call_reply(). state is
 * freed by done(), whatever happens. */
void call_stream(struct call *call, int (*next)(struct call *call, void *state, struct err *err),
                 void (*done)(void *state), void *state);

#endif
