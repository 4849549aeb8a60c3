#include "base/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"

#define SOCKET "/run/systemd/journal/socket"

bool journal_has_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;

	return stream != NULL && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

int journal_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, r;

	if (path == NULL)
		path = SOCKET;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

/* NAME=value and a newline; a value that has one itself goes behind its length in eight bytes, lowest first. */
static void add_field(struct buf *entry, const char *name, const char *value)
{
	size_t n = strlen(value);
	char length[8];

	if (strchr(value, '\n') == NULL) {
		buf_printf(entry, "%s=%s\n", name, value);
		return;
	}
	for (size_t i = 0; i < sizeof(length); i++)
		length[i] = (char)((uint64_t)n >> (8 * i) & 0xff);
	buf_printf(entry, "%s\n", name);
	buf_append(entry, length, sizeof(length));
	buf_append(entry, value, n);
	buf_puts(entry, "\n");
}

int journal_send(int fd, int priority, const char *message, const struct log_field *fields)
{
	struct buf entry = { 0 };
	ssize_t sent = -1;
	int r;

	buf_printf(&entry, "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\n", priority, program_invocation_short_name);
	add_field(&entry, "MESSAGE", message);
	for (; fields->name != NULL; fields++) {
		if (fields->value != NULL)
			add_field(&entry, fields->name, fields->value);
	}
	r = buf_status(&entry);
	if (r == 0) {
		do
			sent = send(fd, entry.data, entry.n, MSG_NOSIGNAL);
		while (sent < 0 && errno == EINTR);
		r = sent < 0 ? -errno : 0;
	}
	buf_done(&entry);
	return r;
}
