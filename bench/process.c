#include "bench/process.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Keep to the first CPU of those that we may use. */
static void stay_on_first_cpu(void)
{
	cpu_set_t cpus, first;
	size_t cpu = 0;

	CPU_ZERO(&first);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0) {
		while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &cpus))
			cpu++;
	}
	CPU_SET(cpu, &first);
	sched_setaffinity(0, sizeof(first), &first);
}

static void be_busy(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	stay_on_first_cpu();
	for (volatile unsigned i = 0; getppid() == parent;) {
		for (unsigned j = 0; j < 1000000; j++)
			i = i + 1;
	}
	_exit(0);
}

int process_start_busy(pid_t *ret, struct err *err)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return err_set(err, -errno, "fork: %s", strerror(errno));
	if (pid == 0)
		be_busy(parent);
	*ret = pid;
	return 0;
}

void process_stop_busy(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

size_t process_status_bytes(const char *key)
{
	FILE *status = fopen("/proc/self/status", "re");
	size_t n_key = strlen(key), ret = 0;
	char line[256];

	while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
		if (strncmp(line, key, n_key) == 0 && line[n_key] == ':')
			ret = strtoul(line + n_key + 1, NULL, 10) * 1024;
	}
	if (status != NULL)
		fclose(status);
	return ret;
}

static void work_in_child(int (*work)(void *user, double *ret, struct err *err), void *user, double *ret,
                          size_t n, int fd)
{
	struct err err = { "" };
	int r = work(user, ret, &err);

	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	if (r < 0 || write(fd, ret, n * sizeof(*ret)) != (ssize_t)(n * sizeof(*ret)))
		_exit(1);
	_exit(0);
}

int process_measure(int (*work)(void *user, double *ret, struct err *err), void *user, double *ret, size_t n,
                    struct err *err)
{
	int fds[2];
	ssize_t n_read;
	pid_t pid;

	if (pipe(fds) < 0)
		return err_set(err, -errno, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		work_in_child(work, user, ret, n, fds[1]);
	close(fds[1]);
	n_read = pid < 0 ? -1 : read(fds[0], ret, n * sizeof(*ret));
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (n_read != (ssize_t)(n * sizeof(*ret)))
		return err_set(err, -EIO, "the process that was to measure did not");
	return 0;
}
