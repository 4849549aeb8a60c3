#include "daemon/control_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "daemon/loop.h"
#include "daemon/protocol.h"
#include "daemon/socket_path.h"
#include "daemon/units.h"

#define MAX_REPLY_BYTES ((size_t)16 << 20)
#define READ_BYTES ((size_t)64 << 10)
#define ANSWER_NS (30 * NS_PER_S) /* a daemon that takes nothing for so long is stuck */

struct control_client {
	int fd;
	struct buf in;
	size_t n_taken;
};

int control_client_open(const char *path, struct control_client **ret, struct err *err)
{
	struct control_client *client = calloc(1, sizeof(*client));
	int r;

	if (client == NULL)
		return err_set(err, -ENOMEM, "no memory for a connection");
	client->fd = -1;
	if ((r = socket_path_connect(path, &client->fd, err)) < 0)
		control_client_close(client);
	else
		*ret = client;
	return r;
}

void control_client_close(struct control_client *client)
{
	if (client == NULL)
		return;
	if (client->fd >= 0)
		close(client->fd);
	buf_done(&client->in);
	free(client);
}

/* 0, or -ETIMEDOUT, or -EINTR. */
static int await(const struct control_client *client, short events, uint64_t until_ns)
{
	struct pollfd poll_fd = { .fd = client->fd, .events = events };
	uint64_t now_ns = loop_now_ns();
	int timeout_ms = -1, n;

	if (until_ns != UINT64_MAX && now_ns >= until_ns)
		return -ETIMEDOUT;
	if (until_ns != UINT64_MAX) /* rounded up, and no longer than an int has room for */
		timeout_ms =
			until_ns - now_ns > NS_PER_H ? 3600000 : (int)((until_ns - now_ns) / NS_PER_MS) + 1;
	n = poll(&poll_fd, 1, timeout_ms);
	return n < 0 && errno != EINTR ? -errno : 0;
}

static int send_all(const struct control_client *client, const char *bytes, size_t n, struct err *err)
{
	uint64_t until_ns = loop_now_ns() + ANSWER_NS;
	int r;

	while (n > 0) {
		ssize_t sent = send(client->fd, bytes, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN && (r = await(client, POLLOUT, until_ns)) < 0)
			return err_set(err, r, "the daemon takes no request");
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return err_set(err, -EPIPE, "the daemon has closed the connection");
		if (sent > 0) {
			bytes += sent;
			n -= (size_t)sent;
		}
	}
	return 0;
}

int control_client_ask(struct control_client *client, const char *command, json_t *args, struct err *err)
{
	json_t *request = json_pack("{s:i, s:s}", "skimd", PROTOCOL_VERSION, "command", command);
	struct buf line = { 0 };
	int r;

	if (request != NULL && args != NULL && json_object_update(request, args) < 0) {
		json_decref(request);
		request = NULL;
	}
	if (json_put(request, JSON_COMPACT, &line) < 0)
		r = err_set(err, -ENOMEM, "no memory for a request");
	else if (line.n > PROTOCOL_MAX_LINE + 1)
		r = err_set(err, -EMSGSIZE, "a request of more than %zu bytes", PROTOCOL_MAX_LINE);
	else
		r = send_all(client, line.data, line.n, err);
	buf_done(&line);
	json_decref(args);
	return r;
}

static char *line_end(const struct control_client *client)
{
	size_t n = client->in.n - client->n_taken;

	return n == 0 ? NULL : memchr(client->in.data + client->n_taken, '\n', n);
}

static int receive_some(struct control_client *client, struct err *err)
{
	char *room = client->in.n > MAX_REPLY_BYTES ? NULL : buf_reserve(&client->in, READ_BYTES);
	ssize_t n = room == NULL ? -1 : recv(client->fd, room, READ_BYTES, 0);

	if (room == NULL)
		return err_set(err, -EBADMSG, "a line of the answer is too long");
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return err_set(err, -EPIPE, "the daemon has closed the connection");
	client->in.n += (size_t)n;
	return 0;
}

static void drop_taken(struct control_client *client)
{
	size_t n = client->in.n - client->n_taken;

	if (client->n_taken > 0)
		memmove(client->in.data, client->in.data + client->n_taken, n);
	client->in.n = n;
	client->n_taken = 0;
}

static int await_line(struct control_client *client, uint64_t until_ns, struct err *err)
{
	int r = 0;

	while (r == 0 && line_end(client) == NULL) {
		drop_taken(client);
		r = await(client, POLLIN, until_ns);
		if (r < 0)
			err_set(err, r, "the daemon has not answered in time");
		else
			r = receive_some(client, err);
	}
	return r;
}

int control_client_receive(struct control_client *client, uint64_t timeout_ns, json_t **ret, struct err *err)
{
	uint64_t now_ns = loop_now_ns();
	uint64_t until_ns = timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns;
	const char *line, *end;
	json_t *reply;
	int r = await_line(client, until_ns, err);

	if (r < 0)
		return r;
	line = client->in.data + client->n_taken;
	end = line_end(client);
	client->n_taken += (size_t)(end - line) + 1;
	if ((r = json_parse("answer", line, (size_t)(end - line), &reply, err)) < 0)
		return r;
	if ((r = protocol_result(reply, err)) < 0) {
		json_decref(reply);
		return r;
	}
	*ret = reply;
	return json_is_true(json_object_get(reply, "more"));
}
