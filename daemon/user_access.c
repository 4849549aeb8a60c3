#include "daemon/user_access.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum answer { ANSWER_YES = 0, ANSWER_NO = 1, ANSWER_NONE = 2 };

static int become(const struct passwd *user)
{
	if (geteuid() == user->pw_uid)
		return 0;
	return initgroups(user->pw_name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
	                       setuid(user->pw_uid) < 0
	               ? -errno
	               : 0;
}

/* The folders above must let pass; the first that does not goes to fd. */
static enum answer try_above(char *path, int fd)
{
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = '\0';
		r = access(path, X_OK);
		if (r < 0)
			return write(fd, path, strlen(path)) > 0 ? ANSWER_NO : ANSWER_NONE;
		*slash = '/';
	}
	return ANSWER_YES;
}

/* In a process of its own, which is the user from then on. The folder is opened before, past those above it. */
static enum answer ask(const struct passwd *user, const char *folder, int mode, bool alone, int fd)
{
	int folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[PATH_MAX];
	enum answer answer = ANSWER_YES;

	if (folder_fd < 0 || become(user) < 0)
		return ANSWER_NONE;
	snprintf(path, sizeof(path), "%s", folder);
	if (!alone)
		answer = try_above(path, fd);
	if (answer == ANSWER_YES && faccessat(folder_fd, ".", mode, 0) < 0)
		answer = write(fd, folder, strlen(folder)) > 0 ? ANSWER_NO : ANSWER_NONE;
	return answer;
}

/* NULL, with *ret as the reason: there is none, or none that we may speak for. */
static const struct passwd *find_user(const char *name, int *ret, struct err *err)
{
	const struct passwd *user = getpwnam(name);

	if (user == NULL) {
		*ret = err_set(err, -ENOENT, "there is no user '%s'", name);
	} else if (geteuid() != 0 && geteuid() != user->pw_uid) {
		*ret = err_set(err, -EPERM, "what the user '%s' may read can only be found out by root", name);
		user = NULL;
	}
	return user;
}

static int answer_of(pid_t pid, int fd, char *ret_culprit)
{
	ssize_t n = read(fd, ret_culprit, PATH_MAX - 1);
	int status;

	ret_culprit[n > 0 ? n : 0] = '\0';
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -EIO;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) >= ANSWER_NONE)
		return -EIO;
	return WEXITSTATUS(status) == ANSWER_YES;
}

int user_access(const char *name, const char *folder, bool write, bool alone, char *ret_culprit,
                struct err *err)
{
	int ends[2], r = 0;
	const struct passwd *user = find_user(name, &r, err);
	pid_t pid;

	if (user == NULL)
		return r;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot ask for '%s': %s", name, strerror(errno));
	pid = fork();
	if (pid == 0)
		_exit((int)ask(user, folder, R_OK | X_OK | (write ? W_OK : 0), alone, ends[1]));
	r = pid < 0 ? -errno : 0;
	close(ends[1]);
	if (r == 0)
		r = answer_of(pid, ends[0], ret_culprit);
	close(ends[0]);
	return r < 0 ? err_set(err, r, "cannot ask for '%s': %s", name, strerror(-r)) : r;
}
