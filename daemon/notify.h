/* Messages to the service manager: sd_notify(3)'s protocol, without its library. */
#ifndef SKIMD_DAEMON_NOTIFY_H
#define SKIMD_DAEMON_NOTIFY_H

#include <stdint.h>

#include "base/err.h"

struct notify;

/* Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and take them out of the environment so that children do
 * not speak for the daemon: call once, before threads start. Without NOTIFY_SOCKET *ret does nothing.
 * -EINVAL: neither a path nor '@' and a name; -ENAMETOOLONG; -EMFILE, -ENOMEM. */
int notify_open(struct notify **ret, struct err *err);
void notify_close(struct notify *notify); /* NULL is allowed */

/* Send one message of lines such as "READY=1\nSTATUS=%s". 0, also when nobody listens for messages; else the
 * negative errno of sendto, which is for a log line at most: the service goes on. */
int notify_send(struct notify *notify, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A new configuration is read from here on; "READY=1" ends that, whatever came of it. */
void notify_reloading(struct notify *notify);

/* "WATCHDOG=1" must come at least this often, so send it in half the time; 0: nobody waits for it. */
uint64_t notify_watchdog_ns(const struct notify *notify);

#endif
