#include "bench/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/crew.h"

#define MAX_WORDS 16

static void become(const char *const *words, int fd, pid_t parent)
{
	char *argv[MAX_WORDS + 2] = { (char *)"bench" };

	for (size_t i = 0; i < MAX_WORDS && words[i] != NULL; i++)
		argv[i + 1] = (char *)words[i];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent && dup2(fd, STDOUT_FILENO) >= 0)
		execv("/proc/self/exe", argv);
	perror("exec");
	_exit(127);
}

/* false: fewer bytes than that, or more. */
static bool read_exactly(int fd, char *ret, size_t n_bytes)
{
	size_t n = 0;
	ssize_t more = 1;
	char extra;

	while (n < n_bytes && more > 0) {
		more = read(fd, ret + n, n_bytes - n);
		n += more > 0 ? (size_t)more : 0;
	}
	return n == n_bytes && read(fd, &extra, 1) == 0;
}

int program_run(const char *const *words, void *ret, size_t n_bytes, double *ret_seconds, struct err *err)
{
	double start = crew_clock();
	pid_t parent = getpid(), pid;
	int fds[2], status = 0;
	bool is_whole;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		become(words, fds[1], parent);
	close(fds[1]);
	is_whole = pid > 0 && read_exactly(fds[0], ret, n_bytes);
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	if (ret_seconds != NULL)
		*ret_seconds = crew_clock() - start;
	if (!is_whole || status != 0)
		return err_set(err, -EIO, "the process that was to measure did not");
	return 0;
}

int program_tell(const void *results, size_t n_bytes, struct err *err)
{
	if (write(STDOUT_FILENO, results, n_bytes) != (ssize_t)n_bytes)
		return err_set(err, -EIO, "the results could not be told");
	return 0;
}
