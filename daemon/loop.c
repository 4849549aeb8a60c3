#include "daemon/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/units.h"

#define N_EVENTS 32

/* A watched descriptor. One that is removed while events are dispatched waits in the graveyard, as the events
 * in hand may still point to it. */
struct source {
	int fd;
	loop_fd_callback callback; /* NULL: removed */
	void *user;
	struct source *next;
};

struct loop_timer {
	struct loop *loop;
	int fd;
	loop_timer_callback callback;
	void *user;
	struct loop_timer *next;
};

struct loop {
	int epoll_fd, wake_fd, signal_fd;
	bool stop, dispatching;
	struct source *sources, *graveyard;
	struct loop_timer *timers;
	loop_wake_callback on_wake;
	void *wake_user;
	loop_signal_callback on_signal;
	void *signal_user;
	sigset_t old_mask;
};

uint64_t loop_now_ns(void)
{
	return clock_ns();
}

static void free_sources(struct source **list)
{
	while (*list != NULL) {
		struct source *source = *list;

		*list = source->next;
		free(source);
	}
}

int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_callback callback, void *user,
                struct err *err)
{
	struct epoll_event event = { .events = events };
	struct source *source = calloc(1, sizeof(*source));

	if (source == NULL)
		return err_set(err, -ENOMEM, "no memory to watch a descriptor");
	*source = (struct source){ .fd = fd, .callback = callback, .user = user, .next = loop->sources };
	event.data.ptr = source;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		int r = -errno;

		free(source);
		return err_set(err, r, "cannot watch descriptor %d: %s", fd, strerror(-r));
	}
	loop->sources = source;
	return 0;
}

void loop_change_fd(struct loop *loop, int fd, uint32_t events)
{
	struct source *source = loop->sources;

	while (source != NULL && source->fd != fd)
		source = source->next;
	if (source != NULL)
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd,
		          &(struct epoll_event){ .events = events, .data.ptr = source });
}

void loop_remove_fd(struct loop *loop, int fd)
{
	struct source **link = &loop->sources, *source;

	while (*link != NULL && (*link)->fd != fd)
		link = &(*link)->next;
	source = *link;
	if (source == NULL)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	*link = source->next;
	source->callback = NULL;
	source->next = loop->graveyard;
	loop->graveyard = source;
	if (!loop->dispatching)
		free_sources(&loop->graveyard);
}

static void timer_fires(void *user, int fd, uint32_t events)
{
	struct loop_timer *timer = user;
	uint64_t n_expirations;

	(void)events;
	/* EAGAIN: an earlier callback of this round has set the timer anew. */
	if (read(fd, &n_expirations, sizeof(n_expirations)) == sizeof(n_expirations))
		timer->callback(timer->user);
}

int loop_add_timer(struct loop *loop, loop_timer_callback callback, void *user, struct loop_timer **ret,
                   struct err *err)
{
	struct loop_timer *timer = calloc(1, sizeof(*timer));
	int r;

	if (timer == NULL)
		return err_set(err, -ENOMEM, "no memory for a timer");
	*timer = (struct loop_timer){ .loop = loop, .callback = callback, .user = user };
	timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (timer->fd < 0) {
		r = err_set(err, -errno, "cannot make a timer: %s", strerror(errno));
		goto fail;
	}
	if ((r = loop_add_fd(loop, timer->fd, EPOLLIN, timer_fires, timer, err)) < 0)
		goto fail;
	timer->next = loop->timers;
	loop->timers = timer;
	*ret = timer;
	return 0;
fail:
	if (timer->fd >= 0)
		close(timer->fd);
	free(timer);
	return r;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
}

void loop_timer_start(struct loop_timer *timer, uint64_t after_ns, uint64_t every_ns)
{
	/* Zero would stop a timerfd. */
	struct itimerspec spec = { .it_value = timespec_of(after_ns == 0 ? 1 : after_ns),
		                   .it_interval = timespec_of(every_ns) };

	timerfd_settime(timer->fd, 0, &spec, NULL);
}

void loop_timer_stop(struct loop_timer *timer)
{
	static const struct itimerspec OFF;

	timerfd_settime(timer->fd, 0, &OFF, NULL);
}

void loop_remove_timer(struct loop *loop, struct loop_timer *timer)
{
	struct loop_timer **link = &loop->timers;

	if (timer == NULL)
		return;
	while (*link != timer)
		link = &(*link)->next;
	*link = timer->next;
	loop_remove_fd(loop, timer->fd);
	close(timer->fd);
	free(timer);
}

static void signal_arrives(void *user, int fd, uint32_t events)
{
	struct loop *loop = user;
	struct signalfd_siginfo info;

	(void)events;
	if (read(fd, &info, sizeof(info)) == sizeof(info))
		loop->on_signal(loop->signal_user, (int)info.ssi_signo);
}

int loop_add_signals(struct loop *loop, loop_signal_callback callback, void *user, struct err *err)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	loop->on_signal = callback;
	loop->signal_user = user;
	r = pthread_sigmask(SIG_BLOCK, &mask, &loop->old_mask);
	if (r != 0)
		return err_set(err, -r, "cannot block signals: %s", strerror(r));
	loop->signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	if (loop->signal_fd < 0) {
		r = err_set(err, -errno, "cannot receive signals: %s", strerror(errno));
		pthread_sigmask(SIG_SETMASK, &loop->old_mask, NULL);
		return r;
	}
	return loop_add_fd(loop, loop->signal_fd, EPOLLIN, signal_arrives, loop, err);
}

static void woken(void *user, int fd, uint32_t events)
{
	struct loop *loop = user;
	uint64_t n_wakes;

	(void)events;
	if (read(fd, &n_wakes, sizeof(n_wakes)) == sizeof(n_wakes) && loop->on_wake != NULL)
		loop->on_wake(loop->wake_user);
}

void loop_on_wake(struct loop *loop, loop_wake_callback callback, void *user)
{
	loop->on_wake = callback;
	loop->wake_user = user;
}

void loop_wake(struct loop *loop)
{
	/* It does not wait. EAGAIN means that 2^64 - 2 wakes wait already: the loop will run the callback all the same. */
	eventfd_write(loop->wake_fd, 1);
}

int loop_new(struct loop **ret, struct err *err)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (loop == NULL)
		return err_set(err, -ENOMEM, "no memory for an event loop");
	loop->signal_fd = -1;
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->wake_fd < 0 || loop->epoll_fd < 0) {
		r = err_set(err, -errno, "cannot make an event loop: %s", strerror(errno));
		goto fail;
	}
	if ((r = loop_add_fd(loop, loop->wake_fd, EPOLLIN, woken, loop, err)) < 0)
		goto fail;
	*ret = loop;
	return 0;
fail:
	loop_free(loop);
	return r;
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	while (loop->timers != NULL)
		loop_remove_timer(loop, loop->timers);
	if (loop->signal_fd >= 0) {
		close(loop->signal_fd);
		pthread_sigmask(SIG_SETMASK, &loop->old_mask, NULL);
	}
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	free_sources(&loop->sources);
	free_sources(&loop->graveyard);
	free(loop);
}

static void dispatch(struct loop *loop, const struct epoll_event *events, int n_events)
{
	loop->dispatching = true;
	for (int i = 0; i < n_events; i++) {
		struct source *source = events[i].data.ptr;

		if (source->callback != NULL)
			source->callback(source->user, source->fd, events[i].events);
	}
	loop->dispatching = false;
	free_sources(&loop->graveyard);
}

int loop_run(struct loop *loop, struct err *err)
{
	while (!loop->stop) {
		struct epoll_event events[N_EVENTS];
		int n_events = epoll_wait(loop->epoll_fd, events, N_EVENTS, -1);

		if (n_events < 0 && errno != EINTR)
			return err_set(err, -errno, "cannot wait for events: %s", strerror(errno));
		if (n_events > 0)
			dispatch(loop, events, n_events);
	}
	loop->stop = false;
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}
