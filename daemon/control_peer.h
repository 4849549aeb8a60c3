/* One client of the control socket: its lines in, its command in work, its answers out. For control.c. */
#ifndef SKIMD_DAEMON_CONTROL_PEER_H
#define SKIMD_DAEMON_CONTROL_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "daemon/control.h"

struct peer {
	/* set by control.c */
	struct loop *loop;
	const struct control_settings *settings;
	int fd;
	struct ucred who;
	TAILQ_ENTRY(peer) all;

	/* the peer's own */
	struct buf in, out;
	size_t n_taken, n_sent; /* of in and out */
	struct call *call; /* NULL: none is in work */
	uint32_t events; /* that the loop looks for */
	bool serving, ended, closing, broken; /* ended: it sends no more; closing: after this answer */
	uint64_t heard_ns, line_ns,
		sent_ns; /* last heard; its half line began; the answer last moved. 0: no such */
};

/* Do what can be done without waiting: take lines, make answers, send them. */
void peer_serve(struct peer *peer);

/* What the loop says of its descriptor. False: it is over, free it. */
bool peer_handle(struct peer *peer, uint32_t events);

/* What it waits for may have come. */
void peer_changed(struct peer *peer);

/* Since when it is amid a line, or has not taken an answer; since when it has nothing to say. 0: it is not so. */
uint64_t peer_stalled_since_ns(const struct peer *peer);
uint64_t peer_silent_since_ns(const struct peer *peer);

/* Frees what is in it and closes its descriptor; the call in work goes on without an answer. */
void peer_done(struct peer *peer);

#endif
