#include "daemon/errands.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

struct errand {
	int (*run)(void *user, struct err *err);
	void (*done)(void *user, int r, const struct err *err);
	void *user;
	int r;
	struct err err;
	STAILQ_ENTRY(errand) next;
};

STAILQ_HEAD(errand_list, errand);

struct errands {
	struct loop *loop;
	int done_fd; /* -1: none; wakes the loop */
	bool started;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct errand_list waiting, done;
	bool stop;
};

static struct errand *take(struct errand_list *list)
{
	struct errand *errand = STAILQ_FIRST(list);

	if (errand != NULL)
		STAILQ_REMOVE_HEAD(list, next);
	return errand;
}

/* NULL: stop. */
static struct errand *next_errand(struct errands *errands)
{
	struct errand *errand = NULL;

	pthread_mutex_lock(&errands->lock);
	while (!errands->stop && (errand = take(&errands->waiting)) == NULL)
		pthread_cond_wait(&errands->wake, &errands->lock);
	pthread_mutex_unlock(&errands->lock);
	return errand;
}

static void tell_done(struct errands *errands, struct errand *errand)
{
	pthread_mutex_lock(&errands->lock);
	STAILQ_INSERT_TAIL(&errands->done, errand, next);
	pthread_mutex_unlock(&errands->lock);
	eventfd_write(errands->done_fd, 1);
}

static void *errands_main(void *user)
{
	struct errands *errands = user;
	struct errand *errand;

	while ((errand = next_errand(errands)) != NULL) {
		errand->r = errand->run(errand->user, &errand->err);
		tell_done(errands, errand);
	}
	return NULL;
}

static struct errand *take_done(struct errands *errands)
{
	struct errand *errand;

	pthread_mutex_lock(&errands->lock);
	errand = take(&errands->done);
	pthread_mutex_unlock(&errands->lock);
	return errand;
}

static void some_are_done(void *user, int fd, uint32_t events)
{
	struct errands *errands = user;
	struct errand *errand;
	uint64_t n;

	(void)events;
	if (read(fd, &n, sizeof(n)) < 0)
		return;
	while ((errand = take_done(errands)) != NULL) {
		errand->done(errand->user, errand->r, &errand->err);
		free(errand);
	}
}

static int start(struct errands *errands, struct err *err)
{
	int r;

	errands->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (errands->done_fd < 0)
		return err_set(err, -errno, "cannot make an event: %s", strerror(errno));
	if ((r = loop_add_fd(errands->loop, errands->done_fd, EPOLLIN, some_are_done, errands, err)) < 0)
		return r;
	r = -pthread_create(&errands->thread, NULL, errands_main, errands);
	if (r < 0)
		return err_set(err, r, "cannot start a thread: %s", strerror(-r));
	errands->started = true;
	return 0;
}

int errands_new(struct loop *loop, struct errands **ret, struct err *err)
{
	struct errands *errands = calloc(1, sizeof(*errands));
	int r;

	if (errands == NULL)
		return err_set(err, -ENOMEM, "no memory for errands");
	errands->loop = loop;
	errands->done_fd = -1;
	pthread_mutex_init(&errands->lock, NULL);
	pthread_cond_init(&errands->wake, NULL);
	STAILQ_INIT(&errands->waiting);
	STAILQ_INIT(&errands->done);
	if ((r = start(errands, err)) < 0)
		errands_free(errands);
	else
		*ret = errands;
	return r;
}

static void cancel_all(struct errand_list *list)
{
	struct errand *errand;
	struct err err;

	err_set(&err, -ECANCELED, "the daemon is stopping");
	while ((errand = take(list)) != NULL) {
		errand->done(errand->user, -ECANCELED, &err);
		free(errand);
	}
}

void errands_free(struct errands *errands)
{
	if (errands == NULL)
		return;
	pthread_mutex_lock(&errands->lock);
	errands->stop = true;
	pthread_cond_signal(&errands->wake);
	pthread_mutex_unlock(&errands->lock);
	if (errands->started)
		pthread_join(errands->thread, NULL);
	cancel_all(&errands->waiting);
	cancel_all(&errands->done);
	if (errands->done_fd >= 0) {
		loop_remove_fd(errands->loop, errands->done_fd);
		close(errands->done_fd);
	}
	pthread_mutex_destroy(&errands->lock);
	pthread_cond_destroy(&errands->wake);
	free(errands);
}

int errands_put(struct errands *errands, int (*run)(void *user, struct err *err),
                void (*done)(void *user, int r, const struct err *err), void *user, struct err *err)
{
	struct errand *errand = calloc(1, sizeof(*errand));

	if (errand == NULL)
		return err_set(err, -ENOMEM, "no memory for an errand");
	errand->run = run;
	errand->done = done;
	errand->user = user;
	pthread_mutex_lock(&errands->lock);
	STAILQ_INSERT_TAIL(&errands->waiting, errand, next);
	pthread_cond_signal(&errands->wake);
	pthread_mutex_unlock(&errands->lock);
	return 0;
}
