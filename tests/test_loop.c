#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/loop.h"

#define MS UINT64_C(1000000)

struct fixture {
	struct loop *loop;
	struct loop_timer *timer, *other_timer;
	int pipes[2][2];
	int n_calls[2];
	int n_wakes;
	int last_signal;
	uint64_t fired_ns;
};

static int setup(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){ .n_wakes = 0 };
	for (int i = 0; i < 2; i++)
		assert_int_equal(pipe2(fixture.pipes[i], O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(loop_new(&fixture.loop, NULL), 0);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	loop_free(f->loop);
	for (int i = 0; i < 2; i++) {
		close(f->pipes[i][0]);
		close(f->pipes[i][1]);
	}
	return 0;
}

static void make_readable(struct fixture *f, int i)
{
	assert_int_equal(write(f->pipes[i][1], "x", 1), 1);
}

static void stop_loop(void *user)
{
	struct fixture *f = user;

	f->fired_ns = loop_now_ns();
	loop_stop(f->loop);
}

/* A safety net for tests that would hang if what they test failed. */
static void stop_after(struct fixture *f, uint64_t ns)
{
	struct loop_timer *timer;

	assert_int_equal(loop_add_timer(f->loop, stop_loop, f, &timer, NULL), 0);
	loop_timer_start(timer, ns, 0);
}

static int index_of(const struct fixture *f, int fd)
{
	return fd == f->pipes[0][0] ? 0 : 1;
}

static void read_and_stop(void *user, int fd, uint32_t events)
{
	struct fixture *f = user;
	char c;

	assert_true(events & EPOLLIN);
	assert_int_equal(read(fd, &c, 1), 1);
	f->n_calls[index_of(f, fd)]++;
	loop_stop(f->loop);
}

static void a_readable_descriptor_is_called_back(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_add_fd(f->loop, f->pipes[0][0], EPOLLIN, read_and_stop, f, NULL), 0);
	make_readable(f, 0);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_int_equal(f->n_calls[0], 1);
}

static void a_descriptor_is_watched_once(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(loop_add_fd(f->loop, f->pipes[0][0], EPOLLIN, read_and_stop, f, NULL), 0);
	assert_int_equal(loop_add_fd(f->loop, f->pipes[0][0], EPOLLIN, read_and_stop, f, &err), -EEXIST);
	assert_non_null(strstr(err.text, "cannot watch descriptor"));
}

static void a_regular_file_cannot_be_watched(void **state)
{
	struct fixture *f = *state;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(loop_add_fd(f->loop, fd, EPOLLIN, read_and_stop, f, NULL), -EPERM);
	close(fd);
}

static void remove_both(void *user, int fd, uint32_t events)
{
	struct fixture *f = user;

	(void)events;
	f->n_calls[index_of(f, fd)]++;
	loop_remove_fd(f->loop, f->pipes[0][0]);
	loop_remove_fd(f->loop, f->pipes[1][0]);
}

static void what_a_callback_removes_is_not_called_in_the_same_round(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(loop_add_fd(f->loop, f->pipes[i][0], EPOLLIN, remove_both, f, NULL), 0);
		make_readable(f, i);
	}
	stop_after(f, 20 * MS);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_int_equal(f->n_calls[0] + f->n_calls[1], 1);
}

static void count_and_stop(void *user, int fd, uint32_t events)
{
	struct fixture *f = user;

	(void)fd;
	(void)events;
	f->n_calls[1] += 100;
	loop_stop(f->loop);
}

static void replace_both(void *user, int fd, uint32_t events)
{
	struct fixture *f = user;

	remove_both(user, fd, events);
	assert_int_equal(loop_add_fd(f->loop, f->pipes[0][0], EPOLLIN, count_and_stop, f, NULL), 0);
}

static void a_descriptor_may_be_added_again_while_its_old_event_is_in_hand(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(loop_add_fd(f->loop, f->pipes[i][0], EPOLLIN, replace_both, f, NULL), 0);
		make_readable(f, i);
	}
	stop_after(f, 5000 * MS);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	/* One old callback, whichever came first, and the new one. */
	assert_int_equal(f->n_calls[0] + f->n_calls[1], 101);
}

static void removing_a_descriptor_that_is_not_watched_does_nothing(void **state)
{
	struct fixture *f = *state;

	loop_remove_fd(f->loop, f->pipes[0][0]);
	loop_remove_fd(f->loop, 12345);
	assert_int_equal(loop_add_fd(f->loop, f->pipes[0][0], EPOLLIN, read_and_stop, f, NULL), 0);
}

static void a_one_shot_timer_fires_once_and_not_too_early(void **state)
{
	struct fixture *f = *state;
	uint64_t start = loop_now_ns();

	stop_after(f, 10 * MS);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_true(f->fired_ns - start >= 10 * MS);
}

static void count_ticks(void *user)
{
	struct fixture *f = user;

	if (++f->n_calls[0] == 3)
		loop_stop(f->loop);
}

static void a_repeating_timer_goes_on_until_it_is_stopped(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_add_timer(f->loop, count_ticks, f, &f->timer, NULL), 0);
	loop_timer_start(f->timer, 0, MS);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_int_equal(f->n_calls[0], 3);
	loop_timer_stop(f->timer);
	stop_after(f, 10 * MS);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_int_equal(f->n_calls[0], 3);
}

static void remove_timers(void *user)
{
	struct fixture *f = user;

	f->n_calls[0]++;
	loop_remove_timer(f->loop, f->timer);
	loop_remove_timer(f->loop, f->other_timer);
	f->timer = f->other_timer = NULL;
}

static void a_timer_may_remove_itself_and_another_that_is_due(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_add_timer(f->loop, remove_timers, f, &f->timer, NULL), 0);
	assert_int_equal(loop_add_timer(f->loop, remove_timers, f, &f->other_timer, NULL), 0);
	loop_timer_start(f->timer, 0, MS);
	loop_timer_start(f->other_timer, 0, MS);
	stop_after(f, 20 * MS);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_int_equal(f->n_calls[0], 1);
}

static void count_wake(void *user)
{
	struct fixture *f = user;

	f->n_wakes++;
	loop_stop(f->loop);
}

static void *wake_from_a_thread(void *loop)
{
	loop_wake(loop);
	return NULL;
}

static void another_thread_wakes_the_loop(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	loop_on_wake(f->loop, count_wake, f);
	assert_int_equal(pthread_create(&thread, NULL, wake_from_a_thread, f->loop), 0);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(f->n_wakes, 1);
}

static void a_wake_before_the_run_is_kept_and_several_are_one(void **state)
{
	struct fixture *f = *state;

	loop_on_wake(f->loop, count_wake, f);
	for (int i = 0; i < 5; i++)
		loop_wake(f->loop);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_int_equal(f->n_wakes, 1);
}

static void keep_signal(void *user, int signal_number)
{
	struct fixture *f = user;

	f->last_signal = signal_number;
	loop_stop(f->loop);
}

static void signals_come_as_callbacks(void **state)
{
	static const int SIGNALS[] = { SIGTERM, SIGINT, SIGHUP };
	struct fixture *f = *state;

	assert_int_equal(loop_add_signals(f->loop, keep_signal, f, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(kill(getpid(), SIGNALS[i]), 0);
		assert_int_equal(loop_run(f->loop, NULL), 0);
		assert_int_equal(f->last_signal, SIGNALS[i]);
	}
}

static void freeing_the_loop_restores_the_signal_mask(void **state)
{
	struct fixture *f = *state;
	sigset_t mask;

	assert_int_equal(loop_add_signals(f->loop, keep_signal, f, NULL), 0);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
	assert_int_equal(sigismember(&mask, SIGTERM), 1);
	loop_free(f->loop);
	f->loop = NULL;
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
	assert_int_equal(sigismember(&mask, SIGTERM), 0);
}

static void a_stop_before_the_run_ends_it_at_once(void **state)
{
	struct fixture *f = *state;

	loop_stop(f->loop);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	stop_after(f, 5 * MS);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_true(f->fired_ns > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_readable_descriptor_is_called_back),
		TEST(a_descriptor_is_watched_once),
		TEST(a_regular_file_cannot_be_watched),
		TEST(what_a_callback_removes_is_not_called_in_the_same_round),
		TEST(a_descriptor_may_be_added_again_while_its_old_event_is_in_hand),
		TEST(removing_a_descriptor_that_is_not_watched_does_nothing),
		TEST(a_one_shot_timer_fires_once_and_not_too_early),
		TEST(a_repeating_timer_goes_on_until_it_is_stopped),
		TEST(a_timer_may_remove_itself_and_another_that_is_due),
		TEST(another_thread_wakes_the_loop),
		TEST(a_wake_before_the_run_is_kept_and_several_are_one),
		TEST(signals_come_as_callbacks),
		TEST(freeing_the_loop_restores_the_signal_mask),
		TEST(a_stop_before_the_run_ends_it_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
