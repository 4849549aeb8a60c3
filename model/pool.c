#include "model/pool.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"

#define MAX_THREADS 256
#define CLOSED 0x80000000u /* of the gate: no worker may enter the run any more */
#define N_SPINS 4000 /* some tens of microseconds: longer than the gap between two pieces of one layer */

struct worker {
	struct pool *pool;
	pthread_t thread;
	unsigned number; /* from 1; the caller is 0 */
};

struct pool {
	unsigned n_threads;
	struct worker *workers; /* n_threads - 1 */
	unsigned n_started;

	/* Of the run under way: written before `round` moves on, read after. */
	void (*work)(void *user, size_t item, unsigned thread);
	void *user;
	size_t n_items;
	_Atomic bool stop;

	_Alignas(64) _Atomic uint32_t round; /* moves on with each run: idle workers' futex */
	_Alignas(64) _Atomic size_t next; /* item to be taken */
	_Alignas(64) _Atomic uint32_t gate; /* workers inside the run, and CLOSED: the caller's futex */
	_Atomic uint32_t sleepers;
};

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake_all(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/* Until *word is not value. */
static void wait_while(struct pool *pool, _Atomic uint32_t *word, uint32_t value)
{
	for (unsigned i = 0; i < N_SPINS; i++) {
		if (atomic_load_explicit(word, memory_order_acquire) != value)
			return;
		relax();
	}
	atomic_fetch_add(&pool->sleepers, 1);
	while (atomic_load(word) == value)
		futex_wait(word, value);
	atomic_fetch_sub(&pool->sleepers, 1);
}

static void take_items(struct pool *pool, unsigned thread)
{
	for (;;) {
		size_t item = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);

		if (item >= pool->n_items)
			return;
		pool->work(pool->user, item, thread);
	}
}

/* A worker that comes late, because it slept or the machine is busy, finds the gate closed: nobody waits for it. */
static bool enter_run(struct pool *pool)
{
	uint32_t gate = atomic_load(&pool->gate);

	while ((gate & CLOSED) == 0) {
		if (atomic_compare_exchange_weak(&pool->gate, &gate, gate + 1))
			return true;
	}
	return false;
}

static void leave_run(struct pool *pool)
{
	if (atomic_fetch_sub(&pool->gate, 1) == (CLOSED | 1) && atomic_load(&pool->sleepers) > 0)
		futex_wake_all(&pool->gate);
}

static void *worker_main(void *user)
{
	struct worker *worker = user;
	struct pool *pool = worker->pool;

	for (uint32_t round = 0;;) {
		wait_while(pool, &pool->round, round);
		round = atomic_load(&pool->round);
		if (pool->stop)
			return NULL;
		if (!enter_run(pool))
			continue;
		take_items(pool, worker->number);
		leave_run(pool);
	}
}

static void start_round(struct pool *pool)
{
	atomic_fetch_add(&pool->round, 1);
	if (atomic_load(&pool->sleepers) > 0)
		futex_wake_all(&pool->round);
}

static unsigned allowed_cpus(void)
{
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return 1;
	return (unsigned)CPU_COUNT(&cpus);
}

/* Signals are for the thread that asked for them. */
static int start_workers(struct pool *pool)
{
	sigset_t all, old;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (unsigned i = 0; i + 1 < pool->n_threads && r == 0; i++) {
		pool->workers[i] = (struct worker){ .pool = pool, .number = i + 1 };
		r = pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]);
		if (r == 0)
			pool->n_started++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

int pool_new(unsigned n_threads, struct pool **ret, struct err *err)
{
	struct pool *pool = array_new(struct pool, 1);
	int r;

	if (n_threads == 0)
		n_threads = allowed_cpus();
	if (n_threads > MAX_THREADS)
		n_threads = MAX_THREADS;
	if (pool != NULL)
		atomic_init(&pool->gate, CLOSED);
	if (pool == NULL || (pool->workers = array_new(struct worker, n_threads)) == NULL) {
		free(pool);
		return err_set(err, -ENOMEM, "no memory for %u threads", n_threads);
	}
	pool->n_threads = n_threads;
	if ((r = start_workers(pool)) < 0) {
		pool_free(pool);
		return err_set(err, r, "cannot start %u threads: %s", n_threads, strerror(-r));
	}
	*ret = pool;
	return 0;
}

void pool_free(struct pool *pool)
{
	if (pool == NULL)
		return;
	pool->stop = true;
	start_round(pool);
	for (unsigned i = 0; i < pool->n_started; i++)
		pthread_join(pool->workers[i].thread, NULL);
	free(pool->workers);
	free(pool);
}

unsigned pool_n_threads(const struct pool *pool)
{
	return pool->n_threads;
}

void pool_run(struct pool *pool, size_t n_items, void (*work)(void *user, size_t item, unsigned thread),
              void *user)
{
	uint32_t gate;

	if (n_items <= 1 || pool->n_threads == 1) {
		for (size_t i = 0; i < n_items; i++)
			work(user, i, 0);
		return;
	}
	pool->work = work;
	pool->user = user;
	pool->n_items = n_items;
	atomic_store(&pool->next, 0);
	atomic_store(&pool->gate, 0);
	start_round(pool);
	take_items(pool, 0);
	gate = atomic_fetch_or(&pool->gate, CLOSED) | CLOSED;
	while (gate != CLOSED) {
		wait_while(pool, &pool->gate, gate);
		gate = atomic_load_explicit(&pool->gate, memory_order_acquire);
	}
}
