#include "daemon/control_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/json.h"

#define MAX_IN (2 * PROTOCOL_MAX_LINE)
#define READ_BYTES ((size_t)16 << 10)
#define OUT_BYTES ((size_t)8 << 10) /* waiting to be sent: no more is made */
#define MAX_LINES 16 /* of one client at a time */
#define MAX_ASKED 64 /* times that one stream is asked for a line, which it may not have */

struct call {
	unsigned n_owners;
	struct peer *peer; /* NULL: answered, or the client is gone */
	void *user; /* of the settings, which a call may outlive */
	struct ucred who;
	json_t *request;
	int (*next)(struct call *call, void *state, struct err *err); /* NULL: no stream */
	void (*done)(void *state);
	void *state;
	bool asleep; /* until something changes */
};

/* An answer that cannot be sent, or made: the loop tells of the end. */
static void peer_break(struct peer *peer)
{
	peer->broken = true;
	shutdown(peer->fd, SHUT_RDWR);
}

static size_t n_waiting(const struct peer *peer)
{
	return peer->out.n - peer->n_sent;
}

static size_t n_unread(const struct peer *peer)
{
	return peer->in.n - peer->n_taken;
}

struct call *call_keep(struct call *call)
{
	call->n_owners++;
	return call;
}

void call_release(struct call *call)
{
	if (--call->n_owners > 0)
		return;
	if (call->done != NULL)
		call->done(call->state);
	json_decref(call->request);
	free(call);
}

void *call_user(const struct call *call)
{
	return call->user;
}

const struct ucred *call_who(const struct call *call)
{
	return &call->who;
}

const char *call_string(const struct call *call, const char *key)
{
	return json_string_value(json_object_get(call->request, key));
}

json_int_t call_integer(const struct call *call, const char *key, json_int_t otherwise)
{
	const json_t *value = json_object_get(call->request, key);

	return value == NULL ? otherwise : json_integer_value(value);
}

bool call_is_set(const struct call *call, const char *key)
{
	return json_is_true(json_object_get(call->request, key));
}

static void put_line(struct peer *peer, json_t *id, bool ok, json_t *fields)
{
	if (n_waiting(peer) == 0)
		peer->sent_ns = loop_now_ns();
	if (protocol_reply(id, ok, fields, &peer->out) < 0)
		peer_break(peer);
}

static void answer(struct call *call, bool ok, json_t *fields)
{
	if (call->peer == NULL)
		json_decref(fields);
	else
		put_line(call->peer, json_object_get(call->request, "id"), ok, fields);
}

/* The client may have sent its next line already. */
static void end_call(struct call *call)
{
	struct peer *peer = call->peer;

	if (peer == NULL)
		return;
	call->peer = NULL;
	peer->call = NULL;
	peer->heard_ns = loop_now_ns();
	call_release(call);
	peer_serve(peer);
}

void call_reply(struct call *call, json_t *fields)
{
	answer(call, true, fields);
	end_call(call);
}

void call_fail(struct call *call, int r, const struct err *err)
{
	answer(call, false, protocol_error(r, err));
	end_call(call);
}

void call_more(struct call *call, json_t *fields)
{
	json_set(&fields, "more", json_true());
	answer(call, true, fields);
}

void call_stream(struct call *call, int (*next)(struct call *call, void *state, struct err *err),
                 void (*done)(void *state), void *state)
{
	call->next = next;
	call->done = done;
	call->state = state;
	if (call->peer != NULL)
		peer_serve(call->peer);
}

static const struct control_command *find_command(const struct control_settings *settings, const char *name)
{
	const struct control_command *command = settings->commands;

	while (command->name != NULL && strcmp(command->name, name) != 0)
		command++;
	return command->name == NULL ? NULL : command;
}

static int run_command(struct call *call, struct err *err)
{
	const char *name = call_string(call, "command");
	const struct control_command *command = find_command(call->peer->settings, name);
	int r;

	if (command == NULL)
		return err_set(err, -EINVAL, "'%.64s' is not a command", name);
	r = protocol_check(call->request, command->keys, err);
	return r < 0 ? r : command->run(call, err);
}

/* The request is taken over. */
static void start_call(struct peer *peer, json_t *request)
{
	struct call *call = calloc(1, sizeof(*call));
	struct err err = { "" };
	int r;

	if (call == NULL) {
		json_decref(request);
		peer_break(peer);
		return;
	}
	*call = (struct call){ .n_owners = 2,
		               .peer = peer,
		               .user = peer->settings->user,
		               .who = peer->who,
		               .request = request };
	peer->call = call;
	r = run_command(call, &err);
	if (r < 0)
		call_fail(call, r, &err);
	call_release(call); /* the other owner is the peer */
}

static void refuse(struct peer *peer, int r, const struct err *err)
{
	put_line(peer, NULL, false, protocol_error(r, err));
}

static void take_line(struct peer *peer, const char *line, size_t n)
{
	struct err err = { "" };
	json_t *request;
	int r = protocol_parse(line, n, &request, &err);

	if (r < 0)
		refuse(peer, r, &err);
	else
		start_call(peer, request);
}

/* Where the next line begins can only be guessed: the client goes after the answer. */
static void refuse_long_line(struct peer *peer)
{
	struct err err;

	refuse(peer, err_set(&err, -EMSGSIZE, "a line is longer than %zu bytes", PROTOCOL_MAX_LINE), &err);
	peer->closing = true;
}

/* The end of the next line; NULL: there is no whole one, or one that is too long. */
static const char *line_end(const struct peer *peer)
{
	size_t n = n_unread(peer) <= PROTOCOL_MAX_LINE ? n_unread(peer) : PROTOCOL_MAX_LINE + 1;

	return n == 0 ? NULL : memchr(peer->in.data + peer->n_taken, '\n', n);
}

static bool may_take_line(const struct peer *peer)
{
	return peer->call == NULL && !peer->closing && !peer->broken && n_waiting(peer) < OUT_BYTES;
}

static void take_lines(struct peer *peer)
{
	for (int i = 0; i < MAX_LINES && may_take_line(peer); i++) {
		const char *line = peer->in.data + peer->n_taken, *end = line_end(peer);

		if (end == NULL && n_unread(peer) > PROTOCOL_MAX_LINE)
			refuse_long_line(peer);
		if (end == NULL)
			return;
		peer->n_taken += (size_t)(end - line) + 1;
		take_line(peer, line, (size_t)(end - line));
	}
}

static bool may_make_line(const struct peer *peer)
{
	return peer->call != NULL && peer->call->next != NULL && !peer->call->asleep && !peer->broken &&
	       n_waiting(peer) < OUT_BYTES;
}

static void make_answer(struct peer *peer)
{
	for (int i = 0; i < MAX_ASKED && may_make_line(peer); i++) {
		struct call *call = call_keep(peer->call);
		struct err err = { "" };
		int r = call->next(call, call->state, &err);

		if (r < 0)
			call_fail(call, r, &err);
		call->asleep = r == 0;
		call_release(call);
	}
}

static void send_out(struct peer *peer)
{
	while (n_waiting(peer) > 0 && !peer->broken) {
		ssize_t n = send(peer->fd, peer->out.data + peer->n_sent, n_waiting(peer),
		                 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			peer_break(peer);
			return;
		}
		peer->n_sent += (size_t)n;
		peer->sent_ns = loop_now_ns();
	}
	buf_done(&peer->out);
	peer->n_sent = 0;
}

/* What was taken out of `in` goes. */
static void tidy_in(struct peer *peer)
{
	size_t n = n_unread(peer);

	if (n == 0)
		buf_done(&peer->in);
	else if (peer->n_taken > 0)
		memmove(peer->in.data, peer->in.data + peer->n_taken, n);
	peer->in.n = n;
	peer->n_taken = 0;
	if (n == 0 || peer->call != NULL || line_end(peer) != NULL)
		peer->line_ns = 0;
	else if (peer->line_ns == 0)
		peer->line_ns = loop_now_ns();
}

static bool is_over(const struct peer *peer)
{
	if (peer->broken)
		return true;
	return n_waiting(peer) == 0 && peer->call == NULL &&
	       (peer->closing || (peer->ended && line_end(peer) == NULL));
}

static void watch_events(struct peer *peer)
{
	uint32_t events = is_over(peer) ? EPOLLOUT : 0; /* the loop sees to the end */

	if (peer->call == NULL && !peer->ended && !peer->closing && n_unread(peer) <= PROTOCOL_MAX_LINE)
		events |= EPOLLIN;
	/* Lines that wait are taken in the next round, after other clients', and streams go on in it. */
	if (n_waiting(peer) > 0 || (may_take_line(peer) && line_end(peer) != NULL) ||
	    (peer->call != NULL && peer->call->next != NULL && !peer->call->asleep))
		events |= EPOLLOUT;
	if (events != peer->events)
		loop_change_fd(peer->loop, peer->fd, events);
	peer->events = events;
}

void peer_serve(struct peer *peer)
{
	if (peer->serving) /* an answer was given within what is done here */
		return;
	peer->serving = true;
	take_lines(peer);
	if (n_waiting(peer) == 0)
		peer->sent_ns = loop_now_ns(); /* it takes all that is made, which may be nothing for long */
	make_answer(peer);
	send_out(peer);
	tidy_in(peer);
	peer->serving = false;
	watch_events(peer);
}

/* False: the connection is broken, or there is no memory for what it sends. */
static bool receive(struct peer *peer)
{
	char *room = peer->in.n + READ_BYTES <= MAX_IN ? buf_reserve(&peer->in, READ_BYTES) : NULL;
	ssize_t n = room == NULL ? -1 : recv(peer->fd, room, READ_BYTES, MSG_DONTWAIT);

	if (room == NULL)
		return false;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	peer->in.n += (size_t)n;
	peer->ended |= n == 0;
	peer->heard_ns = loop_now_ns();
	return true;
}

bool peer_handle(struct peer *peer, uint32_t events)
{
	if ((events & EPOLLIN) ? !receive(peer) : (events & (EPOLLHUP | EPOLLERR)) != 0)
		return false;
	peer_serve(peer);
	return !is_over(peer);
}

void peer_changed(struct peer *peer)
{
	if (peer->call == NULL || !peer->call->asleep)
		return;
	peer->call->asleep = false;
	peer_serve(peer);
}

/* The kernel may say that there is no room while it would still take some, so what counts is not what waits here. */
uint64_t peer_stalled_since_ns(const struct peer *peer)
{
	return (peer->events & EPOLLOUT) != 0 ? peer->sent_ns : peer->line_ns;
}

uint64_t peer_silent_since_ns(const struct peer *peer)
{
	return peer->call == NULL ? peer->heard_ns : 0;
}

void peer_done(struct peer *peer)
{
	if (peer->call != NULL) {
		peer->call->peer = NULL;
		call_release(peer->call);
	}
	loop_remove_fd(peer->loop, peer->fd);
	close(peer->fd);
	buf_done(&peer->in);
	buf_done(&peer->out);
}
