/* The other end of the control socket: requests out, replies in. Blocks; for skimctl and tests. */
#ifndef SKIMD_DAEMON_CONTROL_CLIENT_H
#define SKIMD_DAEMON_CONTROL_CLIENT_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"

struct control_client;

/* -ENOENT, -ECONNREFUSED: no daemon listens there; -EACCES; errors as socket_path_connect()'s. */
int control_client_open(const char *path, struct control_client **ret, struct err *err);
void control_client_close(struct control_client *client); /* NULL is allowed */

/* Send one request; args (NULL: none) are its keys besides the command, and taken over. -EPIPE: the daemon is gone. */
int control_client_ask(struct control_client *client, const char *command, json_t *args, struct err *err);

/* The next line of the answer; *ret is the caller's. 1: more lines follow; 0: it was the last. timeout_ns of UINT64_MAX:
 * for ever. -ETIMEDOUT; -EPIPE: the daemon has gone; -EBADMSG: that is no skimd; else what the daemon answered with. */
int control_client_receive(struct control_client *client, uint64_t timeout_ns, json_t **ret, struct err *err);

#endif
