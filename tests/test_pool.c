/* Every item once, on a thread whose number is its own, round after round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "model/pool.h"

#define MAX_ITEMS 3000
#define MAX_THREADS 64

struct tally {
	unsigned n_threads;
	_Atomic unsigned seen[MAX_ITEMS];
	_Atomic unsigned inside[MAX_THREADS]; /* calls under way by thread number */
	_Atomic unsigned n_wrong;
};

static void count_item(void *user, size_t item, unsigned thread)
{
	struct tally *tally = user;

	if (thread >= tally->n_threads || atomic_fetch_add(&tally->inside[thread % MAX_THREADS], 1) != 0)
		atomic_fetch_add(&tally->n_wrong, 1);
	atomic_fetch_add(&tally->seen[item], 1);
	atomic_fetch_sub(&tally->inside[thread % MAX_THREADS], 1);
}

static void check_run(struct pool *pool, struct tally *tally, size_t n_items)
{
	memset(tally, 0, sizeof(*tally));
	tally->n_threads = pool_n_threads(pool);
	pool_run(pool, n_items, count_item, tally);
	assert_int_equal(tally->n_wrong, 0);
	for (size_t i = 0; i < MAX_ITEMS; i++)
		assert_int_equal(tally->seen[i], i < n_items);
}

static struct pool *new_pool(unsigned n_threads)
{
	struct pool *pool;
	struct err err;

	if (pool_new(n_threads, &pool, &err) < 0)
		fail_msg("%s", err.text);
	return pool;
}

static void every_item_is_done_once_by_one_thread(void **state)
{
	static struct tally tally;

	(void)state;
	for (unsigned n_threads = 1; n_threads <= 5; n_threads++) {
		struct pool *pool = new_pool(n_threads);

		assert_int_equal(pool_n_threads(pool), n_threads);
		check_run(pool, &tally, MAX_ITEMS);
		check_run(pool, &tally, 1);
		check_run(pool, &tally, 0);
		check_run(pool, &tally, 2);
		pool_free(pool);
	}
}

static void threads_may_outnumber_the_items(void **state)
{
	static struct tally tally;
	struct pool *pool = new_pool(16);

	(void)state;
	for (size_t n = 0; n < 40; n++)
		check_run(pool, &tally, n);
	pool_free(pool);
}

/* Plain, not atomic: what one run wrote the next one reads, in whichever thread. */
static void add_neighbour(void *user, size_t item, unsigned thread)
{
	uint32_t(*rows)[64] = user;

	(void)thread;
	rows[1][item] = rows[0][item] + rows[0][(item + 1) % 64];
}

static void copy_back(void *user, size_t item, unsigned thread)
{
	uint32_t(*rows)[64] = user;

	(void)thread;
	rows[0][item] = rows[1][item];
}

static void a_run_sees_all_that_the_run_before_it_wrote(void **state)
{
	uint32_t rows[2][64], expected[2][64];
	struct pool *pool = new_pool(3);

	(void)state;
	for (uint32_t i = 0; i < 64; i++)
		rows[0][i] = expected[0][i] = i * i;
	for (unsigned round = 0; round < 3000; round++) {
		pool_run(pool, 64, add_neighbour, rows);
		pool_run(pool, 64, copy_back, rows);
		for (size_t i = 0; i < 64; i++)
			expected[1][i] = expected[0][i] + expected[0][(i + 1) % 64];
		memcpy(expected[0], expected[1], sizeof(expected[0]));
	}
	assert_memory_equal(rows[0], expected[0], sizeof(rows[0]));
	pool_free(pool);
}

static void pools_come_and_go_without_having_run(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 50; i++)
		pool_free(new_pool(1 + i % 4));
	pool_free(NULL);
}

static void no_number_of_threads_means_those_of_the_affinity(void **state)
{
	struct pool *pool = new_pool(0);

	(void)state;
	assert_true(pool_n_threads(pool) >= 1);
	pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_item_is_done_once_by_one_thread),
		cmocka_unit_test(threads_may_outnumber_the_items),
		cmocka_unit_test(a_run_sees_all_that_the_run_before_it_wrote),
		cmocka_unit_test(pools_come_and_go_without_having_run),
		cmocka_unit_test(no_number_of_threads_means_those_of_the_affinity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
