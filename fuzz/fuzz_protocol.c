/* What a client of the control socket may send: each line gets one answer, which a client of ours understands, and then
 * the connection ends. The server is the daemon's, with commands that answer from what they are given. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "daemon/control.h"
#include "daemon/socket_path.h"
#include "fuzz/target.h"

#define MAX_LINES 8 /* of a stream */

static const struct protocol_key KEYS[] = { { "text", JSON_STRING, true },
	                                    { "n", JSON_INTEGER, false },
	                                    { "flag", JSON_TRUE, false },
	                                    { NULL, JSON_NULL, false } };

static struct loop *loop;
static struct buf answers;

static int run_echo(struct call *call, struct err *err)
{
	const char *text = call_string(call, "text");

	REQUIRE(text != NULL);
	if (call_is_set(call, "flag"))
		return err_set(err, -ENOTUNIQ, "'%s' means several", text);
	call_reply(call,
	           json_pack("{s:o, s:I}", "text", json_of_bytes(text), "n", call_integer(call, "n", -1)));
	return 0;
}

static int next_line(struct call *call, void *user, struct err *err)
{
	json_int_t *n_left = user;

	(void)err;
	if (*n_left <= 0)
		call_reply(call, json_object());
	else
		call_more(call, json_pack("{s:I}", "left", *n_left));
	(*n_left)--;
	return 1;
}

static int run_count(struct call *call, struct err *err)
{
	json_int_t *n_left = malloc(sizeof(*n_left));

	(void)err;
	REQUIRE(n_left != NULL);
	*n_left = call_integer(call, "n", 0);
	*n_left = *n_left > MAX_LINES ? MAX_LINES : *n_left;
	call_stream(call, next_line, free, n_left);
	return 0;
}

static const struct control_command COMMANDS[] = { { "echo", KEYS, run_echo },
	                                           { "count", KEYS, run_count },
	                                           { NULL, NULL, NULL } };

static void open_server(char *path)
{
	static struct control *control;
	struct control_settings settings = { .path = path, .commands = COMMANDS };

	scratch_path("control", path);
	if (control != NULL)
		return;
	REQUIRE(loop_new(&loop, NULL) == 0);
	REQUIRE(control_open(&settings, loop, &control, NULL) == 0);
}

/* Until the server has said all and closed. */
static void hear(void *user, int fd, uint32_t events)
{
	char *room = buf_reserve(&answers, 1 << 16);
	ssize_t n;

	(void)user;
	(void)events;
	REQUIRE(room != NULL);
	n = read(fd, room, 1 << 16);
	if (n > 0)
		answers.n += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		loop_stop(loop);
}

struct sender {
	const uint8_t *bytes;
	size_t n;
	int fd;
};

static void say(struct sender *sender)
{
	while (sender->n > 0) {
		ssize_t n = send(sender->fd, sender->bytes, sender->n, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) /* it has heard enough */
			n = (ssize_t)sender->n;
		sender->bytes += n;
		sender->n -= (size_t)n;
	}
	shutdown(sender->fd, SHUT_WR);
}

static void on_client(void *user, int fd, uint32_t events)
{
	struct sender *sender = user;

	if ((events & EPOLLOUT) != 0 && sender->n > 0)
		say(sender);
	if (sender->n == 0)
		loop_change_fd(loop, fd, EPOLLIN);
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		hear(user, fd, events);
}

static void talk(const char *path, const uint8_t *bytes, size_t n)
{
	struct sender sender = { .bytes = bytes, .n = n };

	REQUIRE(socket_path_connect(path, &sender.fd, NULL) == 0);
	say(&sender);
	REQUIRE(loop_add_fd(loop, sender.fd, EPOLLIN | EPOLLOUT, on_client, &sender, NULL) == 0);
	REQUIRE(loop_run(loop, NULL) == 0);
	loop_remove_fd(loop, sender.fd);
	close(sender.fd);
}

/* How many lines end an answer. */
static size_t check_answers(void)
{
	size_t n_ends = 0;

	for (size_t at = 0, n; at < answers.n; at += n + 1) {
		const char *end = memchr(answers.data + at, '\n', answers.n - at);
		struct err err = { "" };
		json_t *answer;
		int r;

		REQUIRE(end != NULL);
		n = (size_t)(end - (answers.data + at));
		REQUIRE(json_parse("answer", answers.data + at, n, &answer, NULL) == 0);
		r = protocol_result(answer, &err);
		REQUIRE(r != -EBADMSG || err.text[0] != '\0');
		REQUIRE(json_is_boolean(json_object_get(answer, "ok")));
		n_ends += !json_is_true(json_object_get(answer, "more"));
		json_decref(answer);
	}
	return n_ends;
}

static size_t count_lines(const uint8_t *bytes, size_t n)
{
	size_t n_lines = 0;

	for (size_t i = 0; i < n; i++)
		n_lines += bytes[i] == '\n';
	return n_lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char path[PATH_MAX];

	open_server(path);
	answers.n = 0;
	talk(path, bytes, n);
	REQUIRE(check_answers() <= count_lines(bytes, n) + 1);
	return 0;
}
