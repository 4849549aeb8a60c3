#include "daemon/health.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/array.h"
#include "daemon/units.h"

/* Between two messages: many small documents change much, and counting takes time. */
#define TELL_NS (250 * NS_PER_MS)
#define STUCK_NS (10 * NS_PER_MIN) /* a worker without a step for so long has stopped working */
#define REST_S 60 /* until a store without room is tried again */
#define RETRY_MOST_S 600 /* between two looks at what is due: the clock may be set, or the machine sleep */

struct health {
	struct health_settings settings;
	struct loop_timer *watchdog_timer; /* NULL: the manager wants no pings */
	struct loop_timer *retry_timer;
	struct loop_timer *tell_timer; /* for what was not told at once */
	uint64_t told_ns;
	uint64_t n_steps, moved_ns; /* the worker's, and when it was last seen to move */
};

/* While it works, the worker takes what is due by itself. */
static void arm_retry(struct health *health, const struct worker_status *status)
{
	int64_t next, seconds = REST_S;

	if (status->busy)
		return;
	if (!status->resting) {
		if (docstore_next_retry(health->settings.reader, &next, NULL) < 0)
			return;
		seconds = next - (int64_t)time(NULL);
	}
	seconds = seconds < 1 ? 1 : seconds > RETRY_MOST_S ? RETRY_MOST_S : seconds;
	loop_timer_start(health->retry_timer, (uint64_t)seconds * NS_PER_S, 0);
}

static void on_retry(void *user)
{
	struct health *health = user;

	worker_wake(health->settings.worker);
}

static void send_status(struct health *health, const struct worker_status *status)
{
	int64_t n_queued = 0;

	docstore_count(health->settings.reader, DOCUMENT_QUEUED, &n_queued, NULL);
	if (status->paused)
		notify_send(health->settings.notify, "STATUS=paused; %lld queued", (long long)n_queued);
	else if (status->busy && status->question_id != 0)
		notify_send(health->settings.notify, "STATUS=answering a question about '%s'; %lld queued",
		            status->name, (long long)n_queued);
	else if (status->busy && status->n_tokens > 0)
		notify_send(health->settings.notify,
		            "STATUS=reading '%s', stage %s: %llu of %llu tokens; %lld more queued",
		            status->name, status->stage, (unsigned long long)status->n_done,
		            (unsigned long long)status->n_tokens, (long long)n_queued);
	else if (status->busy && status->name[0] != '\0')
		notify_send(health->settings.notify, "STATUS=reading '%s'; %lld more queued", status->name,
		            (long long)n_queued);
	else if (status->resting)
		notify_send(health->settings.notify, "STATUS=waiting for room: %s", status->err.text);
	else
		notify_send(health->settings.notify, "STATUS=idle, %llu documents ended since the start",
		            (unsigned long long)status->n_documents);
}

/* That the loop runs is not enough: the worker must get on, or have nothing to do. */
static void on_watchdog(void *user)
{
	struct health *health = user;
	uint64_t now_ns = loop_now_ns();
	struct worker_status status;

	worker_status(health->settings.worker, &status);
	if (!status.busy || status.n_steps != health->n_steps) {
		health->n_steps = status.n_steps;
		health->moved_ns = now_ns;
	}
	if (now_ns - health->moved_ns < STUCK_NS)
		notify_send(health->settings.notify, "WATCHDOG=1");
}

static void tell(void *user)
{
	struct health *health = user;
	struct worker_status status;

	health->told_ns = loop_now_ns();
	worker_status(health->settings.worker, &status);
	send_status(health, &status);
	arm_retry(health, &status);
}

int health_open(const struct health_settings *settings, struct health **ret, struct err *err)
{
	struct health *health = array_new(struct health, 1);
	uint64_t watchdog_ns = notify_watchdog_ns(settings->notify);
	int r;

	if (health == NULL)
		return err_set(err, -ENOMEM, "no memory for timers");
	health->settings = *settings;
	health->moved_ns = loop_now_ns();
	r = loop_add_timer(settings->loop, on_retry, health, &health->retry_timer, err);
	if (r == 0)
		r = loop_add_timer(settings->loop, tell, health, &health->tell_timer, err);
	if (r == 0 && watchdog_ns > 0 &&
	    (r = loop_add_timer(settings->loop, on_watchdog, health, &health->watchdog_timer, err)) == 0)
		loop_timer_start(health->watchdog_timer, 0, watchdog_ns / 2);
	if (r < 0)
		health_close(health);
	else
		*ret = health;
	return r;
}

void health_close(struct health *health)
{
	if (health == NULL)
		return;
	loop_remove_timer(health->settings.loop, health->watchdog_timer);
	loop_remove_timer(health->settings.loop, health->tell_timer);
	loop_remove_timer(health->settings.loop, health->retry_timer);
	free(health);
}

void health_tell(struct health *health)
{
	uint64_t now_ns = loop_now_ns();

	if (now_ns - health->told_ns >= TELL_NS)
		tell(health);
	else
		loop_timer_start(health->tell_timer, health->told_ns + TELL_NS - now_ns, 0);
}
