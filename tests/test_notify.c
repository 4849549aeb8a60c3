#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/notify.h"

struct fixture {
	char folder[64], path[96];
	int manager_fd; /* where the service manager would listen */
	struct notify *notify;
};

static int setup(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){ .folder = "/tmp/test_notify.XXXXXX", .manager_fd = -1 };
	assert_non_null(mkdtemp(fixture.folder));
	snprintf(fixture.path, sizeof(fixture.path), "%s/notify", fixture.folder);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	notify_close(f->notify);
	if (f->manager_fd >= 0)
		close(f->manager_fd);
	unlink(f->path);
	return rmdir(f->folder);
}

/* Listen as a service manager; a name that starts with '@' is abstract. */
static void listen_at(struct fixture *f, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t n = strlen(name);

	memcpy(address.sun_path, name, n);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	f->manager_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(f->manager_fd >= 0);
	assert_int_equal(bind(f->manager_fd, (struct sockaddr *)&address,
	                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
	                 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static void assert_received(const struct fixture *f, const char *expected)
{
	char message[8192];
	ssize_t n = recv(f->manager_fd, message, sizeof(message) - 1, 0);

	assert_true(n >= 0);
	message[n] = '\0';
	assert_string_equal(message, expected);
}

static void a_message_reaches_a_socket_with_a_path(void **state)
{
	struct fixture *f = *state;

	listen_at(f, f->path);
	assert_int_equal(notify_open(&f->notify, NULL), 0);
	assert_int_equal(notify_send(f->notify, "READY=1\nSTATUS=%d of %s", 3, "7"), 0);
	assert_received(f, "READY=1\nSTATUS=3 of 7");
}

static void a_message_reaches_an_abstract_socket(void **state)
{
	struct fixture *f = *state;
	char name[64];

	snprintf(name, sizeof(name), "@skimd-test-notify-%ld", (long)getpid());
	listen_at(f, name);
	assert_int_equal(notify_open(&f->notify, NULL), 0);
	assert_int_equal(notify_send(f->notify, "STOPPING=1"), 0);
	assert_received(f, "STOPPING=1");
}

static void a_long_message_is_not_cut(void **state)
{
	struct fixture *f = *state;
	char name[4096], expected[5000];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(expected, sizeof(expected), "STATUS=reading %s", name);
	listen_at(f, f->path);
	assert_int_equal(notify_open(&f->notify, NULL), 0);
	assert_int_equal(notify_send(f->notify, "STATUS=reading %s", name), 0);
	assert_received(f, expected);
}

static void without_a_socket_sending_does_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(notify_open(&f->notify, NULL), 0);
	assert_int_equal(notify_send(f->notify, "READY=1"), 0);
	assert_int_equal(notify_watchdog_ns(f->notify), 0);
}

static void an_empty_name_is_no_socket(void **state)
{
	struct fixture *f = *state;

	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(notify_open(&f->notify, NULL), 0);
	assert_int_equal(notify_send(f->notify, "READY=1"), 0);
}

static void a_manager_that_went_away_is_an_error_and_no_signal(void **state)
{
	struct fixture *f = *state;

	listen_at(f, f->path);
	assert_int_equal(notify_open(&f->notify, NULL), 0);
	close(f->manager_fd);
	f->manager_fd = -1;
	assert_int_equal(notify_send(f->notify, "READY=1"), -ECONNREFUSED);
}

static void a_relative_name_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err err;

	setenv("NOTIFY_SOCKET", "run/notify", 1);
	assert_int_equal(notify_open(&f->notify, &err), -EINVAL);
	assert_string_equal(err.text, "NOTIFY_SOCKET 'run/notify': neither a path nor '@' and a name");
}

static void a_name_too_long_for_a_socket_is_refused(void **state)
{
	struct fixture *f = *state;
	char name[200] = "/";

	memset(name + 1, 'n', sizeof(name) - 2);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_open(&f->notify, NULL), -ENAMETOOLONG);
}

static void children_do_not_inherit_the_socket(void **state)
{
	struct fixture *f = *state;

	listen_at(f, f->path);
	setenv("WATCHDOG_USEC", "1000", 1);
	assert_int_equal(notify_open(&f->notify, NULL), 0);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));
}

static void the_watchdog_interval_is_ours_by_pid(void **state)
{
	struct fixture *f = *state;
	char pid[32];

	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	setenv("WATCHDOG_USEC", "180000000", 1);
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(notify_open(&f->notify, NULL), 0);
	assert_int_equal(notify_watchdog_ns(f->notify), UINT64_C(180000000000));
}

static void the_watchdog_of_another_process_is_not_ours(void **state)
{
	struct fixture *f = *state;

	setenv("WATCHDOG_USEC", "180000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_open(&f->notify, NULL), 0);
	assert_int_equal(notify_watchdog_ns(f->notify), 0);
}

static void a_watchdog_interval_that_is_no_number_counts_as_none(void **state)
{
	static const char *const VALUES[] = { "", "-5", "10s", "99999999999999999999999",
		                              "18446744073709551615" };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++) {
		setenv("WATCHDOG_USEC", VALUES[i], 1);
		assert_int_equal(notify_open(&f->notify, NULL), 0);
		assert_int_equal(notify_watchdog_ns(f->notify), 0);
		notify_close(f->notify);
		f->notify = NULL;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_reaches_a_socket_with_a_path),
		TEST(a_message_reaches_an_abstract_socket),
		TEST(a_long_message_is_not_cut),
		TEST(without_a_socket_sending_does_nothing),
		TEST(an_empty_name_is_no_socket),
		TEST(a_manager_that_went_away_is_an_error_and_no_signal),
		TEST(a_relative_name_is_refused),
		TEST(a_name_too_long_for_a_socket_is_refused),
		TEST(children_do_not_inherit_the_socket),
		TEST(the_watchdog_interval_is_ours_by_pid),
		TEST(the_watchdog_of_another_process_is_not_ours),
		TEST(a_watchdog_interval_that_is_no_number_counts_as_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
