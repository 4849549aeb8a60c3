#include "daemon/socket_path.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int set_address(const char *path, struct sockaddr_un *ret, struct err *err)
{
	size_t n = strlen(path);

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (n >= sizeof(ret->sun_path))
		return err_set(err, -ENAMETOOLONG,
		               "%s: longer than the %zu bytes that a socket's path may have", path,
		               sizeof(ret->sun_path) - 1);
	memcpy(ret->sun_path, path, n + 1);
	return 0;
}

static int make_socket(const char *path, struct sockaddr_un *address, int *ret_fd, struct err *err)
{
	int r = set_address(path, address, err);

	if (r < 0)
		return r;
	*ret_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return *ret_fd < 0 ? err_set(err, -errno, "%s: cannot make a socket: %s", path, strerror(errno)) : 0;
}

int socket_path_connect(const char *path, int *ret_fd, struct err *err)
{
	struct sockaddr_un address;
	int fd, r = make_socket(path, &address, &fd, err);

	if (r < 0)
		return r;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		r = err_set(err, -errno, "%s: %s", path, strerror(errno));
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int name_listener(const char *path, int fd, struct err *err)
{
	struct ucred who = { 0 };
	socklen_t n_bytes = sizeof(who);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n_bytes);
	close(fd);
	return err_set(err, -EADDRINUSE, "%s: process %d listens there already", path, (int)who.pid);
}

/* What an earlier run left goes; what is in use, or no socket, stays. */
static int make_room(const char *path, struct err *err)
{
	struct stat st;
	int fd, r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "%s: is there and is no socket", path);
	r = socket_path_connect(path, &fd, err);
	if (r == 0)
		return name_listener(path, fd, err);
	if (r == -EAGAIN)
		return err_set(err, -EADDRINUSE, "%s: somebody listens there already", path);
	if (r != -ECONNREFUSED)
		return r;
	return unlink(path) < 0 ? err_set(err, -errno, "%s: cannot be replaced: %s", path, strerror(errno))
	                        : 0;
}

int socket_path_bind(const char *path, int *ret_fd, struct err *err)
{
	struct sockaddr_un address;
	int fd, r;

	if ((r = set_address(path, &address, err)) < 0 || (r = make_room(path, err)) < 0 ||
	    (r = make_socket(path, &address, &fd, err)) < 0)
		return r;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		r = err_set(err, -errno, "%s: cannot make the socket: %s", path, strerror(errno));
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}
