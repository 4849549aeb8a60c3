#include "store/kvwriter.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/log.h"

#define IDLE_SECONDS 60 /* after a document, before the file is made smaller */

/* A put that waits. */
struct item {
	struct item *next;
	uint64_t run;
	int64_t owner;
	struct kv_key key;
	size_t n_token_bytes, n_bytes;
	unsigned char data[]; /* the tokens, then the block */
};

/* Neither lock is taken by who holds the other. */
struct kvwriter {
	pthread_t thread;
	size_t max_queue_bytes;
	int64_t owner; /* the callers' own */

	pthread_mutex_t store_lock;
	struct kvstore *store;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t work; /* the thread waits for it */
	pthread_cond_t done; /* the callers do */
	struct item *first, *last; /* the first one may be in work */
	size_t n_queue_bytes;
	uint64_t run, failed_run; /* from 1 */
	size_t n_kept; /* of the run */
	struct err why; /* failed_run failed */
	bool ending, stop;
	bool tidy; /* or it cannot be helped: nothing is to do when it is quiet for long */
	struct kv_stats stats;
};

static int put(struct kvwriter *writer, const struct item *item, struct kv_stats *ret_stats, struct err *err)
{
	int r;

	pthread_mutex_lock(&writer->store_lock);
	kvstore_set_owner(writer->store, item->owner);
	r = kvstore_put(writer->store, &item->key, item->data, item->n_token_bytes,
	                item->data + item->n_token_bytes, item->n_bytes, err);
	if (r == 0 && (r = kvstore_pin(writer->store, &item->key)) < 0)
		err_set(err, r, "no memory to pin a block");
	kvstore_stats(writer->store, ret_stats);
	pthread_mutex_unlock(&writer->store_lock);
	if (r < 0)
		log_warning("kv store: %s, reading on without keeping this part", err->text);
	return r;
}

/* These three with `lock`, which they give up for their work. */

/* The item stays in the queue meanwhile, as a get must wait for it. */
static void do_first(struct kvwriter *writer)
{
	struct item *item = writer->first;
	bool tried = item->run != writer->failed_run;
	struct kv_stats stats = writer->stats;
	struct err why = { "" };
	int r = 0;

	pthread_mutex_unlock(&writer->lock);
	if (tried)
		r = put(writer, item, &stats, &why);
	pthread_mutex_lock(&writer->lock);
	if (r < 0) {
		writer->failed_run = item->run;
		writer->why = why;
	}
	writer->n_kept += tried && r == 0 && item->run == writer->run;
	writer->stats = stats;
	writer->n_queue_bytes -= item->n_bytes;
	writer->first = item->next;
	if (writer->first == NULL)
		writer->last = NULL;
	free(item);
	pthread_cond_broadcast(&writer->done);
}

static void end_document(struct kvwriter *writer)
{
	struct kv_stats stats;
	struct err why = { "" };
	int r;

	pthread_mutex_unlock(&writer->lock);
	pthread_mutex_lock(&writer->store_lock);
	kvstore_unpin_all(writer->store);
	r = kvstore_flush(writer->store, &why);
	kvstore_stats(writer->store, &stats);
	pthread_mutex_unlock(&writer->store_lock);
	if (r < 0)
		log_warning("kv store: %s", why.text);
	pthread_mutex_lock(&writer->lock);
	writer->stats = stats;
	writer->ending = writer->tidy = false;
	pthread_cond_broadcast(&writer->done);
}

static void be_idle(struct kvwriter *writer)
{
	struct timespec until;
	int r;

	if (writer->tidy) {
		pthread_cond_wait(&writer->work, &writer->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_SECONDS;
	if (pthread_cond_timedwait(&writer->work, &writer->lock, &until) != ETIMEDOUT)
		return;
	do {
		pthread_mutex_unlock(&writer->lock);
		pthread_mutex_lock(&writer->store_lock);
		r = kvstore_tidy(writer->store, NULL);
		pthread_mutex_unlock(&writer->store_lock);
		pthread_mutex_lock(&writer->lock);
	} while (r > 0 && writer->first == NULL && !writer->ending && !writer->stop);
	writer->tidy = r <= 0;
}

static void *writer_main(void *user)
{
	struct kvwriter *writer = user;

	pthread_mutex_lock(&writer->lock);
	for (;;) {
		if (writer->first != NULL)
			do_first(writer);
		else if (writer->ending)
			end_document(writer);
		else if (!writer->stop)
			be_idle(writer);
		else
			break;
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

static void writer_free(struct kvwriter *writer)
{
	pthread_mutex_destroy(&writer->store_lock);
	pthread_mutex_destroy(&writer->lock);
	pthread_cond_destroy(&writer->work);
	pthread_cond_destroy(&writer->done);
	free(writer);
}

int kvwriter_new(struct kvstore *store, size_t max_queue_bytes, struct kvwriter **ret, struct err *err)
{
	struct kvwriter *writer = array_new(struct kvwriter, 1);
	pthread_condattr_t clock;
	int r;

	if (writer == NULL)
		return err_set(err, -ENOMEM, "no memory for a writer");
	writer->store = store;
	writer->max_queue_bytes = max_queue_bytes;
	writer->run = 1;
	writer->tidy = true;
	kvstore_stats(store, &writer->stats);
	pthread_mutex_init(&writer->store_lock, NULL);
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->done, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->work, &clock);
	pthread_condattr_destroy(&clock);
	r = -pthread_create(&writer->thread, NULL, writer_main, writer);
	if (r < 0) {
		writer_free(writer);
		return err_set(err, r, "cannot start the writer: %s", strerror(-r));
	}
	*ret = writer;
	return 0;
}

void kvwriter_free(struct kvwriter *writer)
{
	if (writer == NULL)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->stop = true;
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	writer_free(writer);
}

/* With `lock`: until nothing is to be done. */
static void wait_for_all(struct kvwriter *writer)
{
	while (writer->first != NULL || writer->ending)
		pthread_cond_wait(&writer->done, &writer->lock);
}

void kvwriter_wait(struct kvwriter *writer)
{
	pthread_mutex_lock(&writer->lock);
	wait_for_all(writer);
	pthread_mutex_unlock(&writer->lock);
}

void kvwriter_start(struct kvwriter *writer)
{
	pthread_mutex_lock(&writer->lock);
	writer->run++;
	writer->n_kept = 0;
	pthread_mutex_unlock(&writer->lock);
}

/* What was pinned before must be let go of before anything is pinned anew. */
void kvwriter_begin(struct kvwriter *writer, int64_t owner)
{
	kvwriter_wait(writer);
	writer->owner = owner;
	kvwriter_start(writer);
}

void kvwriter_end(struct kvwriter *writer)
{
	kvwriter_start(writer);
	pthread_mutex_lock(&writer->lock);
	writer->ending = true;
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->lock);
}

static struct item *copy_of(const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                            const void *bytes, size_t n_bytes)
{
	struct item *item = malloc(sizeof(*item) + n_token_bytes + n_bytes);

	if (item == NULL)
		return NULL;
	*item = (struct item){ .key = *key, .n_token_bytes = n_token_bytes, .n_bytes = n_bytes };
	if (n_token_bytes > 0)
		memcpy(item->data, tokens, n_token_bytes);
	if (n_bytes > 0)
		memcpy(item->data + n_token_bytes, bytes, n_bytes);
	return item;
}

/* With `lock`. */
static void append(struct kvwriter *writer, struct item *item)
{
	item->run = writer->run;
	item->owner = writer->owner;
	if (writer->last == NULL)
		writer->first = item;
	else
		writer->last->next = item;
	writer->last = item;
	writer->n_queue_bytes += item->n_bytes;
	pthread_cond_signal(&writer->work);
}

/* With `lock`. An empty queue takes a block of any size. */
static void wait_for_room(struct kvwriter *writer, size_t n_bytes)
{
	while (writer->first != NULL && writer->n_queue_bytes + n_bytes > writer->max_queue_bytes)
		pthread_cond_wait(&writer->done, &writer->lock);
}

int kvwriter_put(struct kvwriter *writer, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                 const void *bytes, size_t n_bytes, struct err *err)
{
	struct item *item = copy_of(key, tokens, n_token_bytes, bytes, n_bytes);
	int r = 0;

	if (item == NULL)
		return err_set(err, -ENOMEM, "no memory for a block to be written");
	pthread_mutex_lock(&writer->lock);
	wait_for_room(writer, n_bytes);
	append(writer, item);
	if (writer->max_queue_bytes == 0)
		wait_for_all(writer);
	if (writer->failed_run == writer->run)
		r = err_set(err, -EIO, "%s", writer->why.text);
	pthread_mutex_unlock(&writer->lock);
	return r;
}

size_t kvwriter_n_kept(struct kvwriter *writer)
{
	size_t n;

	pthread_mutex_lock(&writer->lock);
	n = writer->n_kept;
	pthread_mutex_unlock(&writer->lock);
	return n;
}

static bool is_waiting(const struct kvwriter *writer, const struct kv_key *key)
{
	for (const struct item *item = writer->first; item != NULL; item = item->next) {
		if (memcmp(&item->key, key, sizeof(*key)) == 0)
			return true;
	}
	return false;
}

/* Until the store knows all that was put under the key; it is locked then. */
static void lock_store(struct kvwriter *writer, const struct kv_key *key)
{
	pthread_mutex_lock(&writer->lock);
	while (is_waiting(writer, key))
		pthread_cond_wait(&writer->done, &writer->lock);
	pthread_mutex_unlock(&writer->lock);
	pthread_mutex_lock(&writer->store_lock);
}

/* Let it go, its counts noted for who does not wait for it. */
static void unlock_store(struct kvwriter *writer)
{
	struct kv_stats stats;

	kvstore_stats(writer->store, &stats);
	pthread_mutex_unlock(&writer->store_lock);
	pthread_mutex_lock(&writer->lock);
	writer->stats = stats;
	pthread_mutex_unlock(&writer->lock);
}

int kvwriter_get(struct kvwriter *writer, const struct kv_key *key, const void *tokens, size_t n_token_bytes,
                 void *bytes, size_t n_bytes, struct err *err)
{
	int r;

	lock_store(writer, key);
	kvstore_set_owner(writer->store, writer->owner);
	r = kvstore_get(writer->store, key, tokens, n_token_bytes, bytes, n_bytes, err);
	if (r == 0 && (r = kvstore_pin(writer->store, key)) < 0)
		err_set(err, r, "no memory to pin a block");
	unlock_store(writer);
	return r;
}

int kvwriter_read(struct kvwriter *writer, const struct kv_key *key, size_t offset, void *bytes, size_t n,
                  struct err *err)
{
	int r;

	lock_store(writer, key);
	r = kvstore_read(writer->store, key, offset, bytes, n, err);
	pthread_mutex_unlock(&writer->store_lock);
	return r;
}

static int clear(struct kvstore *store, uint64_t *ret_n_blocks, struct err *err)
{
	struct kv_stats stats;
	int r;

	kvstore_stats(store, &stats);
	r = kvstore_clear(store, err);
	*ret_n_blocks = r < 0 ? 0 : stats.blocks;
	return r;
}

int kvwriter_drop(struct kvwriter *writer, int64_t owner, uint64_t *ret_n_blocks, struct err *err)
{
	int r;

	kvwriter_wait(writer);
	pthread_mutex_lock(&writer->store_lock);
	r = owner == 0 ? clear(writer->store, ret_n_blocks, err)
	               : kvstore_drop(writer->store, owner, ret_n_blocks, err);
	unlock_store(writer);
	return r;
}

void kvwriter_stats(struct kvwriter *writer, struct kv_stats *ret)
{
	pthread_mutex_lock(&writer->lock);
	*ret = writer->stats;
	pthread_mutex_unlock(&writer->lock);
}
