#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/control.h"
#include "daemon/errands.h"
#include "daemon/units.h"

#define PING "{\"skimd\":1,\"command\":\"ping\"}\n"
#define PONG "{\"id\":null,\"ok\":true,\"pong\":true}\n"
#define PATIENCE_MS 60000 /* a sanitizer on a busy machine may be slow; what is not so waits for much less */
#define N_BIG 1000 /* bytes of a streamed line, at least */
#define NOBODY 65534

/* A server in a thread of its own, and what its commands did. The test's thread is the clients. */
struct fixture {
	char folder[64], path[96];
	struct control_settings settings;
	struct loop *loop;
	struct control *control;
	struct errands *errands;
	pthread_t thread;
	bool running;
	atomic_bool stop, flag; /* flag: what "until" waits for */
	atomic_int n_made, n_freed,
		n_errands; /* lines of streams, states of streams, errands that are done */
};

static struct fixture *fixture_of(struct call *call)
{
	return call_user(call);
}

static int ping(struct call *call, struct err *err)
{
	(void)err;
	call_reply(call, json_pack("{s:b}", "pong", 1));
	return 0;
}

static int whoami(struct call *call, struct err *err)
{
	(void)err;
	call_reply(call,
	           json_pack("{s:i, s:i}", "uid", (int)call_who(call)->uid, "pid", (int)call_who(call)->pid));
	return 0;
}

static int echo(struct call *call, struct err *err)
{
	if (call_string(call, "text")[0] == '\0')
		return err_set(err, -ENODATA, "nothing to say");
	call_reply(call, json_pack("{s:s, s:I, s:b}", "text", call_string(call, "text"), "number",
	                           call_integer(call, "number", 7), "flag", (int)call_is_set(call, "flag")));
	return 0;
}

struct stream {
	struct fixture *fixture;
	int n, n_all; /* of lines */
};

static void stream_free(void *user)
{
	struct stream *stream = user;

	stream->fixture->n_freed++;
	free(stream);
}

static int next_number(struct call *call, void *user, struct err *err)
{
	struct stream *stream = user;
	char filling[N_BIG + 1];

	memset(filling, 'x', N_BIG);
	filling[N_BIG] = '\0';
	if (stream->n == stream->n_all)
		return err_set(err, -ENOSTR, "no more numbers");
	stream->fixture->n_made++;
	call_more(call, json_pack("{s:i, s:s}", "number", stream->n++, "filling", filling));
	return 1;
}

static int next_until(struct call *call, void *user, struct err *err)
{
	struct stream *stream = user;

	(void)err;
	stream->n++;
	if (stream->fixture->flag)
		call_reply(call, json_pack("{s:i}", "looks", stream->n));
	return 0;
}

/* A line, and no other until the flag is set: it looks through what is none of its matter. */
static int next_match(struct call *call, void *user, struct err *err)
{
	struct stream *stream = user;

	(void)err;
	if (stream->n++ == 0)
		call_more(call, json_pack("{s:b}", "first", 1));
	else if (stream->fixture->flag)
		call_reply(call, json_pack("{s:b}", "second", 1));
	return 1;
}

static int start_stream(struct call *call, int (*next)(struct call *call, void *user, struct err *err))
{
	struct stream *stream = calloc(1, sizeof(*stream));

	*stream = (struct stream){ fixture_of(call), 0, (int)call_integer(call, "number", 0) };
	call_stream(call, next, stream_free, stream);
	return 0;
}

static int count(struct call *call, struct err *err)
{
	(void)err;
	return start_stream(call, next_number);
}

static int until(struct call *call, struct err *err)
{
	(void)err;
	return start_stream(call, next_until);
}

static int search(struct call *call, struct err *err)
{
	(void)err;
	return start_stream(call, next_match);
}

static int carry_out(void *user, struct err *err)
{
	struct fixture *f = fixture_of(user);

	while (!f->flag) /* what takes long */
		usleep(1000);
	return err_set(err, -ENOANO, "carried out");
}

static void carried_out(void *user, int r, const struct err *err)
{
	struct call *call = user;

	fixture_of(call)->n_errands++;
	call_fail(call, r, err);
	call_release(call);
}

static int later(struct call *call, struct err *err)
{
	return errands_put(fixture_of(call)->errands, carry_out, carried_out, call_keep(call), err);
}

static const struct protocol_key NONE[] = { { NULL, JSON_NULL, false } };
static const struct protocol_key ECHO[] = { { "text", JSON_STRING, true },
	                                    { "number", JSON_INTEGER, false },
	                                    { "flag", JSON_TRUE, false },
	                                    { NULL, JSON_NULL, false } };
static const struct protocol_key NUMBER[] = { { "number", JSON_INTEGER, true }, { NULL, JSON_NULL, false } };

static const struct control_command COMMANDS[] = {
	{ "ping", NONE, ping },     { "whoami", NONE, whoami }, { "echo", ECHO, echo },
	{ "count", NUMBER, count }, { "until", NONE, until },   { "later", NONE, later },
	{ "search", NONE, search }, { NULL, NULL, NULL },
};

static void woken(void *user)
{
	struct fixture *f = user;

	control_changed(f->control);
	if (f->stop)
		loop_stop(f->loop);
}

static void *serve(void *user)
{
	struct fixture *f = user;

	assert_int_equal(loop_run(f->loop, NULL), 0);
	return NULL;
}

static void start(struct fixture *f)
{
	struct err err = { "" };

	assert_int_equal(loop_new(&f->loop, &err), 0);
	loop_on_wake(f->loop, woken, f);
	assert_int_equal(control_open(&f->settings, f->loop, &f->control, &err), 0);
	assert_int_equal(errands_new(f->loop, &f->errands, &err), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
	f->running = true;
}

static void stop(struct fixture *f)
{
	if (!f->running)
		return;
	f->running = false;
	f->stop = f->flag = true;
	loop_wake(f->loop);
	pthread_join(f->thread, NULL);
	control_close(f->control);
	errands_free(f->errands);
	loop_free(f->loop);
	f->stop = false;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->folder, sizeof(f->folder), "/tmp/test_control.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/control", f->folder);
	f->settings = (struct control_settings){ .path = f->path, .commands = COMMANDS, .user = f };
	*state = f;
	return 0;
}

static int setup_running(void **state)
{
	setup(state);
	start(*state);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int r;

	stop(f);
	unlink(f->path);
	r = rmdir(f->folder);
	free(f);
	return r;
}

/* --- clients */

static int connect_to(const struct fixture *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	memcpy(address.sun_path, f->path, strlen(f->path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Errors are the server's right: it may have hung up. */
static void say(int fd, const void *bytes, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		bytes = (const char *)bytes + sent;
		n -= (size_t)sent;
	}
}

static void say_text(int fd, const char *text)
{
	say(fd, text, strlen(text));
}

/* One byte, or -1 at the end. */
static int hear_byte(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	unsigned char byte;

	assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS), 1);
	return recv(fd, &byte, 1, 0) == 1 ? byte : -1;
}

/* A line with its newline; "" at the end. */
static const char *hear(int fd)
{
	static char line[8192];
	size_t n = 0;
	int byte;

	while (n + 1 < sizeof(line) && (byte = hear_byte(fd)) >= 0) {
		line[n++] = (char)byte;
		if (byte == '\n')
			break;
	}
	line[n] = '\0';
	return line;
}

static void assert_hears(int fd, const char *expected)
{
	assert_string_equal(hear(fd), expected);
}

static void assert_pings(int fd)
{
	say_text(fd, PING);
	assert_hears(fd, PONG);
}

static void assert_serves(const struct fixture *f)
{
	int fd = connect_to(f);

	assert_pings(fd);
	close(fd);
}

/* A request that is refused with these words, on a connection that goes on. */
static void assert_refused(int fd, const void *request, size_t n, const char *code, const char *words)
{
	const char *line;

	say(fd, request, n);
	line = hear(fd);
	if (strstr(line, "\"ok\":false") == NULL || strstr(line, words) == NULL || strstr(line, code) == NULL)
		fail_msg("expected '%s' and %s in: %s", words, code, line);
	assert_pings(fd);
}

static void assert_refused_text(int fd, const char *request, const char *code, const char *words)
{
	assert_refused(fd, request, strlen(request), code, words);
}

static void await(const atomic_int *count_, int expected)
{
	for (int i = 0; *count_ < expected && i < PATIENCE_MS; i++)
		poll(NULL, 0, 1);
	assert_int_equal(*count_, expected);
}

/* --- requests */

static void a_request_is_answered_with_its_id(void **state)
{
	int fd = connect_to(*state);

	say_text(fd, "{\"skimd\":1,\"id\":\"a \\u00e9\",\"command\":\"ping\"}\n");
	assert_hears(fd, "{\"id\":\"a \xc3\xa9\",\"ok\":true,\"pong\":true}\n");
	say_text(fd, "{\"id\":-12,\"command\":\"ping\",\"skimd\":1}\r\n");
	assert_hears(fd, "{\"id\":-12,\"ok\":true,\"pong\":true}\n");
	assert_pings(fd);
	close(fd);
}

static void keys_are_taken_by_name_and_type(void **state)
{
	int fd = connect_to(*state);

	say_text(fd, "{\"skimd\":1,\"command\":\"echo\",\"text\":\"x\",\"number\":-3,\"flag\":true}\n");
	assert_hears(fd, "{\"id\":null,\"ok\":true,\"text\":\"x\",\"number\":-3,\"flag\":true}\n");
	say_text(fd, "{\"skimd\":1,\"command\":\"echo\",\"text\":\"x\"}\n");
	assert_hears(fd, "{\"id\":null,\"ok\":true,\"text\":\"x\",\"number\":7,\"flag\":false}\n");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"echo\"}\n", "EINVAL", "key 'text': missing");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"echo\",\"text\":1}\n", "EINVAL",
	                    "must be a string");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"echo\",\"text\":null}\n", "EINVAL",
	                    "must be a string");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"echo\",\"text\":\"x\",\"number\":1.5}\n",
	                    "EINVAL", "must be an integer");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"echo\",\"text\":\"x\",\"flag\":1}\n", "EINVAL",
	                    "must be true or false");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"echo\",\"text\":\"x\",\"colour\":1}\n", "EINVAL",
	                    "key 'colour': unknown");
	assert_refused_text(fd, "{\"skimd\":1,\"id\":5,\"command\":\"echo\",\"text\":\"\"}\n", "ENODATA",
	                    "{\"id\":5,\"ok\":false,\"error\":\"nothing to say\"");
	close(fd);
}

static void what_is_no_request_is_refused_and_the_next_is_answered(void **state)
{
	int fd = connect_to(*state);

	assert_refused_text(fd, "\n", "EBADMSG", "not valid JSON");
	assert_refused_text(fd, "hello\n", "EBADMSG", "not valid JSON");
	assert_refused_text(fd, "{}\n", "EINVAL", "key 'skimd'");
	assert_refused_text(fd, "[]\n", "EINVAL", "a request is an object");
	assert_refused_text(fd, "7\n", "E", "ok\":false");
	assert_refused_text(fd, "{\"skimd\":\"1\",\"command\":\"ping\"}\n", "EINVAL", "key 'skimd'");
	assert_refused_text(fd, "{\"skimd\":2,\"command\":\"ping\"}\n", "EPROTO", "version 2");
	assert_refused_text(fd, "{\"skimd\":1}\n", "EINVAL", "key 'command'");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":7}\n", "EINVAL", "key 'command'");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"format\"}\n", "EINVAL",
	                    "'format' is not a command");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"ping\",\"id\":1.5}\n", "EINVAL", "key 'id'");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"ping\",\"id\":{}}\n", "EINVAL", "key 'id'");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"ping\",\"command\":\"ping\"}\n", "EBADMSG",
	                    "duplicate");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"ping\"} {}\n", "EBADMSG", "end of file");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"ping\",\"id\":99999999999999999999}\n", "EBADMSG",
	                    "big");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"ping\",\"id\":1e999}\n", "EBADMSG", "overflow");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"p\\u0000ing\"}\n", "EBADMSG", "u0000");
	assert_refused(fd, "{\"skimd\":1,\"command\":\"p\0ing\"}\n", 30, "EBADMSG", "control character");
	assert_refused(fd, "\0\n", 2, "EBADMSG", "not valid JSON");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"\xff\xfe\"}\n", "EBADMSG",
	                    "unable to decode byte");
	assert_refused_text(fd, "{\"skimd\":1,\"command\":\"\xed\xa0\x80\"}\n", "EBADMSG",
	                    "unable to decode byte");
	close(fd);
}

static void a_long_id_is_refused(void **state)
{
	char request[256], id[66];
	int fd = connect_to(*state);

	memset(id, 'i', 65);
	id[65] = '\0';
	snprintf(request, sizeof(request), "{\"skimd\":1,\"command\":\"ping\",\"id\":\"%s\"}\n", id);
	assert_refused_text(fd, request, "EINVAL", "at most 64 bytes");
	close(fd);
}

/* The parser would recurse. Brackets in a string are text. */
static void deep_nesting_is_refused_before_it_is_parsed(void **state)
{
	static char request[60000];
	int fd = connect_to(*state);

	memset(request, '[', sizeof(request) - 1);
	request[sizeof(request) - 1] = '\n';
	assert_refused(fd, request, sizeof(request), "EBADMSG", "nested too deep");
	say_text(fd, "{\"skimd\":1,\"command\":\"echo\",\"text\":\"\\\"[[[[[[[[{{{{{\"}\n");
	assert_non_null(strstr(hear(fd), "\"ok\":true"));
	close(fd);
}

/* --- lines */

static void a_line_may_come_byte_by_byte(void **state)
{
	int fd = connect_to(*state);

	for (size_t i = 0; i < strlen(PING); i++) {
		say(fd, &PING[i], 1);
		poll(NULL, 0, 1);
	}
	assert_hears(fd, PONG);
	close(fd);
}

static void many_lines_in_one_write_are_answered_in_order(void **state)
{
	static char requests[64 * 2000];
	char expected[64];
	size_t n = 0;
	int fd = connect_to(*state);

	for (int i = 0; i < 2000; i++)
		n += (size_t)snprintf(requests + n, 64, "{\"skimd\":1,\"id\":%d,\"command\":\"ping\"}\n", i);
	/* Nobody reads meanwhile: what the server does not take waits in the socket. */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (size_t i = 0, answered = 0; answered < 2000;) {
		ssize_t sent = i < n ? send(fd, requests + i, n - i, MSG_NOSIGNAL) : 0;

		i += sent > 0 ? (size_t)sent : 0;
		snprintf(expected, sizeof(expected), "{\"id\":%zu,\"ok\":true,\"pong\":true}\n", answered++);
		assert_hears(fd, expected);
	}
	close(fd);
}

/* Of 65536 bytes, with spaces, or one more. */
static void say_long_line(int fd, size_t n)
{
	static char line[PROTOCOL_MAX_LINE + 3];
	size_t n_ping = strlen(PING) - 1;

	memset(line, ' ', n);
	memcpy(line + n - n_ping, PING, n_ping);
	line[n] = '\n';
	say(fd, line, n + 1);
}

static void a_line_may_have_64_KiB_and_no_more(void **state)
{
	struct fixture *f = *state;
	int fd = connect_to(f);

	say_long_line(fd, PROTOCOL_MAX_LINE);
	assert_hears(fd, PONG);
	say_long_line(fd, PROTOCOL_MAX_LINE + 1);
	assert_non_null(strstr(hear(fd), "\"code\":\"EMSGSIZE\""));
	assert_hears(fd, "");
	close(fd);
	assert_serves(f);
}

static void a_line_without_end_is_refused(void **state)
{
	struct fixture *f = *state;
	static char bytes[1 << 20];
	int fd = connect_to(f);

	memset(bytes, '{', sizeof(bytes));
	say(fd, bytes, sizeof(bytes));
	assert_non_null(strstr(hear(fd), "\"code\":\"EMSGSIZE\""));
	close(fd);
	assert_serves(f);
}

static void a_client_may_go_at_every_byte(void **state)
{
	struct fixture *f = *state;
	const char *count_some =
		"{\"skimd\":1,\"command\":\"count\",\"number\":50}\n{\"skimd\":1,\"command\":\"later\"}\n";

	f->flag = true;
	for (size_t i = 0; i <= strlen(count_some); i++) {
		int fd = connect_to(f);

		say(fd, count_some, i);
		close(fd);
	}
	assert_serves(f);
	stop(f);
}

static void who_sends_no_more_still_gets_the_answers(void **state)
{
	struct fixture *f = *state;
	int fd = connect_to(f);

	f->flag = true;
	say_text(fd, PING "{\"skimd\":1,\"command\":\"later\"}\n" PING "{\"skimd\":1,");
	shutdown(fd, SHUT_WR);
	assert_hears(fd, PONG);
	assert_non_null(strstr(hear(fd), "carried out"));
	assert_hears(fd, PONG);
	assert_hears(fd, "");
	close(fd);
}

/* --- answers of many lines, and late ones */

static void lines_stream_and_end_with_the_reason(void **state)
{
	char expected[64];
	int fd = connect_to(*state);

	say_text(fd, "{\"skimd\":1,\"id\":1,\"command\":\"count\",\"number\":500}\n" PING);
	for (int i = 0; i < 500; i++) {
		const char *line = hear(fd);

		snprintf(expected, sizeof(expected), "{\"id\":1,\"ok\":true,\"number\":%d,", i);
		assert_memory_equal(line, expected, strlen(expected));
		assert_non_null(strstr(line, "\"more\":true"));
	}
	assert_hears(fd, "{\"id\":1,\"ok\":false,\"error\":\"no more numbers\",\"code\":\"ENOSTR\"}\n");
	assert_hears(fd, PONG);
	close(fd);
}

static void what_a_client_does_not_read_is_not_made(void **state)
{
	struct fixture *f = *state;
	int fd = connect_to(f), n_made;

	say_text(fd, "{\"skimd\":1,\"command\":\"count\",\"number\":1000000}\n");
	assert_true(hear_byte(fd) == '{');
	do { /* until the socket is full */
		n_made = f->n_made;
		poll(NULL, 0, 50);
		assert_serves(f);
	} while (f->n_made > n_made);
	assert_true(n_made < 2000);
	assert_int_equal(f->n_freed, 0);
	close(fd);
	await(&f->n_freed, 1);
}

static void who_does_not_read_for_long_is_dropped(void **state)
{
	struct fixture *f = *state;
	int fd;

	f->settings.limits.stalled_ns = 100 * NS_PER_MS;
	start(f);
	fd = connect_to(f);
	say_text(fd, "{\"skimd\":1,\"command\":\"count\",\"number\":1000000}\n");
	await(&f->n_freed, 1);
	assert_serves(f);
	while (hear_byte(fd) >= 0)
		;
	close(fd);
}

static void who_stops_amid_a_line_is_dropped_but_not_who_waits(void **state)
{
	struct fixture *f = *state;
	int stalled, silent, waiting;

	f->settings.limits.stalled_ns = 100 * NS_PER_MS;
	f->settings.limits.silent_ns = 1;
	start(f);
	waiting = connect_to(f);
	say_text(waiting, "{\"skimd\":1,\"command\":\"until\"}\n{\"sk");
	silent = connect_to(f);
	stalled = connect_to(f);
	say_text(stalled, PING "{\"skimd\":1");
	assert_hears(stalled, PONG);
	assert_hears(stalled, "");
	assert_pings(silent); /* three are no crowd */
	f->flag = true;
	loop_wake(f->loop);
	assert_non_null(strstr(hear(waiting), "looks"));
	close(stalled);
	close(silent);
	close(waiting);
}

static void a_stream_that_makes_no_line_blocks_nobody_and_is_not_dropped(void **state)
{
	struct fixture *f = *state;
	int fd, stalled;

	f->settings.limits.stalled_ns = 100 * NS_PER_MS;
	start(f);
	fd = connect_to(f);
	say_text(fd, "{\"skimd\":1,\"command\":\"search\"}\n" PING);
	assert_hears(fd, "{\"id\":null,\"ok\":true,\"first\":true,\"more\":true}\n");
	stalled = connect_to(f);
	say_text(stalled, PING "{\"skimd\":1");
	assert_hears(stalled, PONG);
	assert_hears(stalled, ""); /* the time that one has that is stalled is over */
	f->flag = true;
	assert_hears(fd, "{\"id\":null,\"ok\":true,\"second\":true}\n");
	assert_hears(fd, PONG);
	close(fd);
	close(stalled);
}

static void a_stream_may_wait_for_a_change(void **state)
{
	struct fixture *f = *state;
	int fd = connect_to(f);

	say_text(fd, "{\"skimd\":1,\"command\":\"until\"}\n");
	assert_serves(f);
	f->flag = true;
	loop_wake(f->loop);
	assert_hears(fd, "{\"id\":null,\"ok\":true,\"looks\":2}\n");
	close(fd);
}

static void who_waits_and_goes_is_forgotten(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 100; i++) {
		int fd = connect_to(f);

		say_text(fd, "{\"skimd\":1,\"command\":\"until\"}\n");
		close(fd);
	}
	assert_serves(f);
	await(&f->n_freed, 100);
}

static void what_takes_long_blocks_nobody(void **state)
{
	struct fixture *f = *state;
	int fd = connect_to(f), gone = connect_to(f);

	say_text(fd, "{\"skimd\":1,\"command\":\"later\"}\n");
	say_text(gone, "{\"skimd\":1,\"command\":\"later\"}\n");
	assert_serves(f);
	close(gone);
	assert_serves(f);
	assert_int_equal(f->n_errands, 0);
	f->flag = true;
	assert_non_null(strstr(hear(fd), "carried out"));
	await(&f->n_errands, 2);
	close(fd);
}

static void what_waits_when_the_server_ends_is_let_go(void **state)
{
	struct fixture *f = *state;
	int fds[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = connect_to(f);
		say_text(fds[i], "{\"skimd\":1,\"command\":\"later\"}\n" PING);
	}
	assert_serves(f);
	stop(f);
	assert_int_equal(f->n_errands, 3);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

/* --- many clients */

static void as_many_clients_as_may_be_and_no_more(void **state)
{
	struct fixture *f = *state;
	int fds[64], late = -1;
	const char *line;

	for (int i = 0; i < 64; i++) {
		fds[i] = connect_to(f);
		assert_pings(fds[i]);
	}
	late = connect_to(f);
	line = hear(late);
	assert_non_null(strstr(line, "as many clients as may be"));
	assert_non_null(strstr(line, "\"code\":\"EBUSY\""));
	assert_hears(late, "");
	close(late);
	close(fds[63]);
	assert_pings(fds[0]); /* who went is seen no later than this */
	assert_serves(f);
	for (int i = 0; i < 63; i++)
		close(fds[i]);
}

static void who_says_nothing_in_a_crowd_makes_room(void **state)
{
	struct fixture *f = *state;
	int fds[8], fd;

	f->settings.limits = (struct control_limits){ 8, 50 * NS_PER_MS, 200 * NS_PER_MS };
	start(f);
	for (int i = 0; i < 8; i++)
		fds[i] = connect_to(f);
	assert_hears(fds[0], "");
	fd = connect_to(f);
	assert_pings(fd);
	close(fd);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
}

static void a_thousand_clients_come_and_go(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 1000; i++)
		assert_serves(f);
}

static void a_thousand_clients_at_once_are_served_or_refused(void **state)
{
	struct fixture *f = *state;
	struct rlimit limit;
	int *fds = calloc(1000, sizeof(int)), n_served = 0, n = 1000;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < 1200) /* of which the server's side takes some */
		n = (int)limit.rlim_cur / 2 - 50;
	for (int i = 0; i < n; i++) {
		fds[i] = connect_to(f);
		say_text(fds[i], PING);
	}
	for (int i = 0; i < n; i++) {
		const char *line = hear(fds[i]);

		/* Who was refused may have written after that: the answer is then lost to a reset */
		n_served += strcmp(line, PONG) == 0;
		if (strcmp(line, PONG) != 0 && line[0] != '\0')
			assert_non_null(strstr(line, "EBUSY"));
	}
	assert_true(n_served >= 64);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	free(fds);
	assert_serves(f);
}

static void without_descriptors_it_waits_for_some(void **state)
{
	struct fixture *f = *state;
	struct rlimit limit, none;
	int fd = connect_to(f), late = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	assert_pings(fd);
	memcpy(address.sun_path, f->path, strlen(f->path) + 1);
	getrlimit(RLIMIT_NOFILE, &limit);
	none = (struct rlimit){ 3, limit.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	assert_int_equal(connect(late, (struct sockaddr *)&address, sizeof(address)), 0);
	say_text(late, PING);
	assert_pings(fd); /* who is there is served meanwhile */
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_hears(late, PONG);
	close(late);
	close(fd);
}

/* --- who may connect, and where */

static void the_kernel_says_who_asks(void **state)
{
	char expected[96];
	int fd = connect_to(*state);

	say_text(fd, "{\"skimd\":1,\"command\":\"whoami\"}\n");
	snprintf(expected, sizeof(expected), "{\"id\":null,\"ok\":true,\"uid\":%d,\"pid\":%d}\n",
	         (int)getuid(), (int)getpid());
	assert_hears(fd, expected);
	close(fd);
}

/* In a child, as this user and group: the exit status is 0 if it was let in. */
static int try_as(const struct fixture *f, uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int fd;
		bool in;

		if (setgroups(n_groups, groups) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
			_exit(2);
		fd = connect_to(f);
		say_text(fd, PING);
		in = strcmp(hear(fd), PONG) == 0;
		_exit(in ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Behind the mode of the socket, which is in the way of strangers first, stands a second check. */
static void only_members_of_the_group_are_let_in(void **state)
{
	struct fixture *f = *state;
	const struct group *group = getgrgid(getgid());
	const gid_t groups[] = { 7, getgid() };

	if (getuid() != 0 || group == NULL)
		return; /* nobody else's user can be taken on */
	f->settings.group = group->gr_name;
	start(f);
	chmod(f->folder, 0755);
	chmod(f->path, 0666);
	assert_int_equal(try_as(f, 0, NOBODY, NULL, 0), 0);
	assert_int_equal(try_as(f, NOBODY, NOBODY, NULL, 0), 1);
	assert_int_equal(try_as(f, NOBODY, getgid(), NULL, 0), 0);
	assert_int_equal(try_as(f, NOBODY, NOBODY, groups, 2), 0);
	assert_int_equal(try_as(f, NOBODY, NOBODY, groups, 1), 1);
}

static void the_socket_is_the_groups_or_the_users_alone(void **state)
{
	struct fixture *f = *state;
	const struct group *group = getgrgid(getgid());
	struct stat st;

	start(f);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	stop(f);
	if (group == NULL)
		return;
	f->settings.group = group->gr_name;
	start(f);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(st.st_gid, getgid());
}

static int open_another(struct fixture *f, struct err *err)
{
	struct control *control;
	struct loop *loop;
	int r;

	assert_int_equal(loop_new(&loop, NULL), 0);
	r = control_open(&f->settings, loop, &control, err);
	if (r == 0)
		control_close(control);
	loop_free(loop);
	return r;
}

static void a_group_that_is_not_there_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct err err = { "" };

	f->settings.group = "no-such-group";
	assert_int_equal(open_another(f, &err), -ESRCH);
	assert_string_equal(err.text, "there is no group 'no-such-group'");
	assert_int_equal(access(f->path, F_OK), -1);
}

static void a_socket_in_use_is_named_and_left_alone(void **state)
{
	struct fixture *f = *state;
	struct err err = { "" };
	char expected[160];

	assert_int_equal(open_another(f, &err), -EADDRINUSE);
	snprintf(expected, sizeof(expected), "%s: process %d listens there already", f->path, (int)getpid());
	assert_string_equal(err.text, expected);
	assert_serves(f);
}

static void a_socket_that_nobody_listens_on_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, f->path, strlen(f->path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	start(f);
	assert_serves(f);
	stop(f);
	assert_int_equal(access(f->path, F_OK), -1);
}

static void what_is_no_socket_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct err err = { "" };

	close(open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(open_another(f, &err), -EEXIST);
	assert_non_null(strstr(err.text, "is there and is no socket"));
	assert_int_equal(access(f->path, F_OK), 0);
}

static void anothers_socket_is_not_removed_at_the_end(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(unlink(f->path), 0);
	close(open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	stop(f);
	assert_int_equal(access(f->path, F_OK), 0);
}

static void a_path_that_is_too_long_is_an_error(void **state)
{
	struct fixture *f = *state;
	char path[200];
	struct err err = { "" };

	memset(path, 'p', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	f->settings.path = path;
	assert_int_equal(open_another(f, &err), -ENAMETOOLONG);
	f->settings.path = "/nowhere/at/all/control";
	assert_int_equal(open_another(f, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/at/all/control: cannot make the socket"));
}

#define RUNNING(test) cmocka_unit_test_setup_teardown(test, setup_running, teardown)
#define STOPPED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUNNING(a_request_is_answered_with_its_id),
		RUNNING(keys_are_taken_by_name_and_type),
		RUNNING(what_is_no_request_is_refused_and_the_next_is_answered),
		RUNNING(a_long_id_is_refused),
		RUNNING(deep_nesting_is_refused_before_it_is_parsed),
		RUNNING(a_line_may_come_byte_by_byte),
		RUNNING(many_lines_in_one_write_are_answered_in_order),
		RUNNING(a_line_may_have_64_KiB_and_no_more),
		RUNNING(a_line_without_end_is_refused),
		RUNNING(a_client_may_go_at_every_byte),
		RUNNING(who_sends_no_more_still_gets_the_answers),
		RUNNING(lines_stream_and_end_with_the_reason),
		RUNNING(what_a_client_does_not_read_is_not_made),
		STOPPED(who_does_not_read_for_long_is_dropped),
		STOPPED(who_stops_amid_a_line_is_dropped_but_not_who_waits),
		RUNNING(a_stream_may_wait_for_a_change),
		STOPPED(a_stream_that_makes_no_line_blocks_nobody_and_is_not_dropped),
		RUNNING(who_waits_and_goes_is_forgotten),
		RUNNING(what_takes_long_blocks_nobody),
		RUNNING(what_waits_when_the_server_ends_is_let_go),
		RUNNING(as_many_clients_as_may_be_and_no_more),
		STOPPED(who_says_nothing_in_a_crowd_makes_room),
		RUNNING(a_thousand_clients_come_and_go),
		RUNNING(a_thousand_clients_at_once_are_served_or_refused),
		RUNNING(without_descriptors_it_waits_for_some),
		RUNNING(the_kernel_says_who_asks),
		STOPPED(only_members_of_the_group_are_let_in),
		STOPPED(the_socket_is_the_groups_or_the_users_alone),
		STOPPED(a_group_that_is_not_there_is_an_error),
		RUNNING(a_socket_in_use_is_named_and_left_alone),
		STOPPED(a_socket_that_nobody_listens_on_is_replaced),
		STOPPED(what_is_no_socket_is_left_alone),
		RUNNING(anothers_socket_is_not_removed_at_the_end),
		STOPPED(a_path_that_is_too_long_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
