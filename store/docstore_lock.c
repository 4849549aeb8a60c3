#include "store/docstore_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_MODE 0640
#define DEAD_PAUSE_NS 10000000
#define DEAD_PAUSES 200

/* The mode of a new file does not depend on the umask: the service's group reads what the service makes. */
static int open_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, LOCK_MODE);

	if (fd >= 0) {
		if (fchmod(fd, LOCK_MODE) == 0)
			return fd;
		close(fd);
		return -1;
	}
	return errno == EEXIST ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LOCK_MODE) : -1;
}

/* 0: there is none, or it has not written it yet. */
static long read_holder(int fd)
{
	char digits[24] = "";
	ssize_t n = pread(fd, digits, sizeof(digits) - 1, 0);

	return n > 0 ? strtol(digits, NULL, 10) : 0;
}

/* Always as many bytes, in place: a disk that is full has room for them, once the file was written. */
static int write_holder(int fd, long holder)
{
	char line[24];
	int n = snprintf(line, sizeof(line), "%-20ld\n", holder);

	if (pwrite(fd, line, (size_t)n, 0) != n)
		return errno != 0 ? -errno : -EIO;
	return ftruncate(fd, n) < 0 ? -errno : 0;
}

static int busy(int fd, const char *path, struct err *err)
{
	long holder = read_holder(fd);

	if (holder == 0)
		return err_set(err, -EBUSY, "%s: in use by another process", path);
	return err_set(err, -EBUSY, "%s: in use by process %ld", path, holder);
}

/* One that was killed while it started a program holds its locks until that program is another one: for a moment. */
static bool holder_is_gone(int fd)
{
	long holder = read_holder(fd);
	bool gone = holder > 0 && kill((pid_t)holder, 0) < 0 && errno == ESRCH;

	errno = EWOULDBLOCK; /* as flock() left it */
	return gone;
}

static int lock_behind_the_dead(int fd)
{
	const struct timespec pause = { .tv_nsec = DEAD_PAUSE_NS };
	int r = flock(fd, LOCK_EX | LOCK_NB);

	for (int i = 0; r < 0 && errno == EWOULDBLOCK && i < DEAD_PAUSES && holder_is_gone(fd); i++) {
		nanosleep(&pause, NULL);
		r = flock(fd, LOCK_EX | LOCK_NB);
	}
	return r;
}

static int lock(int fd, const struct docstore_settings *settings, struct err *err)
{
	if (lock_behind_the_dead(fd) == 0)
		return 0;
	if (errno == EWOULDBLOCK && settings->mode != DOCSTORE_WRITE_WAIT)
		return busy(fd, settings->path, err);
	if (errno == EWOULDBLOCK) {
		if (settings->waiting != NULL)
			settings->waiting(read_holder(fd), settings->user);
		if (flock(fd, LOCK_EX) == 0)
			return 0;
	}
	return err_set(err, -errno, "%s: cannot lock: %s", settings->path, strerror(errno));
}

int docstore_lock(const char *path, const struct docstore_settings *settings, int *ret_fd, long *ret_last,
                  struct err *err)
{
	char name[PATH_MAX];
	long last;
	int fd, r;

	if ((size_t)snprintf(name, sizeof(name), "%s-lock", path) >= sizeof(name))
		return err_set(err, -ENAMETOOLONG, "%s: the name is too long", path);
	fd = open_lock(name);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot open: %s", name, strerror(errno));
	r = lock(fd, settings, err);
	last = r == 0 ? read_holder(fd) : 0;
	if (r == 0 && (r = write_holder(fd, (long)getpid())) < 0)
		err_set(err, r, "%s: cannot write: %s", name, strerror(-r));
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	*ret_last = last;
	return 0;
}

/* Who finds another holder's number than 0, and the lock free, knows that the holder did not come here. */
void docstore_unlock(int fd, long last)
{
	if (fd < 0)
		return;
	write_holder(fd, last);
	close(fd);
}
