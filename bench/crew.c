#include "bench/crew.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"

enum signal { WAIT, GO, LEAVE };

struct crew {
	cpu_set_t cpus; /* that we may run on */
	bool pinned; /* each member has one of them */
	void (*work)(void *user, unsigned thread);
	void *user;
	_Atomic unsigned n_ready;
	_Atomic int signal;
};

struct member {
	struct crew *crew;
	unsigned number;
	pthread_t thread;
	double start, end;
};

double crew_clock(void)
{
	return clock_seconds();
}

/* The CPU at place i among those that we may run on. */
static size_t cpu_at(const cpu_set_t *cpus, unsigned i)
{
	size_t cpu = 0;

	for (; cpu < CPU_SETSIZE - 1; cpu++) {
		if (CPU_ISSET(cpu, cpus) && i-- == 0)
			break;
	}
	return cpu;
}

/* Threads that live for milliseconds are over before the scheduler has spread them, so where there is one for each CPU,
 * each goes to its own. Where there are fewer, it knows better than we which CPUs share a core. */
static void take_place(const struct member *member)
{
	cpu_set_t own;

	CPU_ZERO(&own);
	CPU_SET(cpu_at(&member->crew->cpus, member->number), &own);
	if (member->crew->pinned)
		sched_setaffinity(0, sizeof(own), &own);
}

static void take_part(struct member *member)
{
	member->start = crew_clock();
	member->crew->work(member->crew->user, member->number);
	member->end = crew_clock();
}

/* Waits awake: a thread that has to be woken would start late. */
static void *run_member(void *user)
{
	struct member *member = user;
	struct crew *crew = member->crew;

	take_place(member);
	atomic_fetch_add(&crew->n_ready, 1);
	while (atomic_load(&crew->signal) == WAIT)
		sched_yield();
	if (atomic_load(&crew->signal) == GO)
		take_part(member);
	return NULL;
}

static double seconds_of(const struct member *members, unsigned n)
{
	double start = members[0].start, end = members[0].end;

	for (unsigned i = 1; i < n; i++) {
		start = members[i].start < start ? members[i].start : start;
		end = members[i].end > end ? members[i].end : end;
	}
	return end - start;
}

int crew_run(unsigned n_threads, void (*work)(void *user, unsigned thread), void *user, double *ret_seconds,
             struct err *err)
{
	struct crew crew = { .work = work, .user = user };
	struct member members[CREW_MAX] = { { &crew, 0, pthread_self(), 0, 0 } };
	unsigned n = 1;
	int r = 0;

	crew.pinned = sched_getaffinity(0, sizeof(crew.cpus), &crew.cpus) == 0 &&
	              (unsigned)CPU_COUNT(&crew.cpus) == n_threads;
	take_place(&members[0]);
	for (; r == 0 && n < n_threads; n += r == 0) {
		members[n] = (struct member){ .crew = &crew, .number = n };
		r = pthread_create(&members[n].thread, NULL, run_member, &members[n]);
	}
	while (r == 0 && atomic_load(&crew.n_ready) < n - 1)
		sched_yield();
	atomic_store(&crew.signal, r == 0 ? GO : LEAVE);
	if (r == 0)
		take_part(&members[0]);
	for (unsigned i = 1; i < n; i++)
		pthread_join(members[i].thread, NULL);
	if (crew.pinned)
		sched_setaffinity(0, sizeof(crew.cpus), &crew.cpus);
	if (r != 0)
		return err_set(err, -r, "thread %u of %u: %s", n, n_threads, strerror(r));
	*ret_seconds = seconds_of(members, n);
	return 0;
}
