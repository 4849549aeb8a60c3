/* How the worker is, for the service manager: its status in words, the watchdog's pings while there is progress, and the time
 * when it is to look again for what may be tried again. In the loop's thread. */
#ifndef SKIMD_DAEMON_HEALTH_H
#define SKIMD_DAEMON_HEALTH_H

#include "base/err.h"
#include "daemon/loop.h"
#include "daemon/notify.h"
#include "daemon/worker.h"
#include "store/docstore.h"

struct health;

/* All borrowed. */
struct health_settings {
	struct notify *notify;
	struct loop *loop;
	struct docstore *reader;
	struct worker *worker;
};

int health_open(const struct health_settings *settings, struct health **ret, struct err *err);
void health_close(struct health *health); /* before the loop is freed; NULL is allowed */

/* Something has changed: tell the manager, now or in a moment, and set the time to look again. */
void health_tell(struct health *health);

#endif
