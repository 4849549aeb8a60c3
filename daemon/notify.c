#include "daemon/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#define NS_PER_US UINT64_C(1000)

struct notify {
	int fd; /* -1: nobody listens */
	struct sockaddr_un address;
	socklen_t n_address;
	uint64_t watchdog_ns;
};

/* 0 for text that is no number, as well as for none at all. */
static uint64_t number_of(const char *text)
{
	unsigned long long value;
	char *end;

	if (text == NULL || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	return errno != 0 || *end != '\0' ? 0 : value;
}

static uint64_t watchdog_from_environment(void)
{
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t usec = number_of(getenv("WATCHDOG_USEC")), ns;

	if (pid != NULL && number_of(pid) != (uint64_t)getpid())
		return 0;
	return __builtin_mul_overflow(usec, NS_PER_US, &ns) ? 0 : ns;
}

static int set_address(struct notify *notify, const char *name, struct err *err)
{
	size_t n = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || n < 2)
		return err_set(err, -EINVAL, "NOTIFY_SOCKET '%s': neither a path nor '@' and a name", name);
	if (n >= sizeof(notify->address.sun_path))
		return err_set(err, -ENAMETOOLONG, "NOTIFY_SOCKET '%s': the name is too long", name);
	notify->address.sun_family = AF_UNIX;
	memcpy(notify->address.sun_path, name, n);
	/* An abstract name starts with NUL and ends where the length says, not at a NUL. */
	if (name[0] == '@')
		notify->address.sun_path[0] = '\0';
	notify->n_address = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (name[0] == '/'));
	return 0;
}

static int open_socket(struct notify *notify, const char *name, struct err *err)
{
	int r = set_address(notify, name, err);

	if (r < 0)
		return r;
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify->fd < 0)
		return err_set(err, -errno, "cannot make a socket for NOTIFY_SOCKET: %s", strerror(errno));
	return 0;
}

int notify_open(struct notify **ret, struct err *err)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct notify *notify = calloc(1, sizeof(*notify));
	int r;

	if (notify == NULL)
		return err_set(err, -ENOMEM, "no memory to notify the service manager");
	notify->fd = -1;
	notify->watchdog_ns = watchdog_from_environment();
	if (name != NULL && name[0] != '\0' && (r = open_socket(notify, name, err)) < 0) {
		notify_close(notify);
		return r;
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	*ret = notify;
	return 0;
}

void notify_close(struct notify *notify)
{
	if (notify == NULL)
		return;
	if (notify->fd >= 0)
		close(notify->fd);
	free(notify);
}

int notify_send(struct notify *notify, const char *format, ...)
{
	char *message;
	va_list args;
	ssize_t sent;
	int n, r = 0;

	if (notify->fd < 0)
		return 0;
	va_start(args, format);
	n = vasprintf(&message, format, args);
	va_end(args);
	if (n < 0)
		return -ENOMEM;
	do
		sent = sendto(notify->fd, message, (size_t)n, MSG_NOSIGNAL,
		              (const struct sockaddr *)&notify->address, notify->n_address);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		r = -errno;
	free(message);
	return r;
}

/* The time is what tells the service manager this reload from an earlier one. */
void notify_reloading(struct notify *notify)
{
	notify_send(notify, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_ns() / 1000);
}

uint64_t notify_watchdog_ns(const struct notify *notify)
{
	return notify->watchdog_ns;
}
