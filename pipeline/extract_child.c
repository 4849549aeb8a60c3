#include "pipeline/extract_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sanitized.h"

#define TICK_MS 50 /* between two looks whether to go on */
#define LAST_WORDS_MS 2000 /* from its last word to its end */
#define STEP ((size_t)1 << 17)
#define PIPE_BYTES (1 << 20)

struct child {
	pid_t pid; /* also of its session and process group */
	int output; /* what it says */
	uint64_t deadline_ms;
	size_t max_bytes;
};

static uint64_t now_ms(void)
{
	return clock_ns() / 1000000;
}

static int parse_number(const char *word, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(word, &end, 10);
	return errno != 0 || end == word || *end != '\0' ? -EINVAL : 0;
}

int extract_task_parse(char *const *arguments, struct extract_task *ret)
{
	uint64_t numbers[EXTRACT_TASK_ARGUMENTS - 1];

	for (size_t i = 0; i < EXTRACT_TASK_ARGUMENTS - 1; i++)
		if (parse_number(arguments[i], &numbers[i]) < 0)
			return -EINVAL;
	if (numbers[2] > UINT32_MAX || numbers[3] > UINT32_MAX)
		return -EINVAL;
	*ret = (struct extract_task){
		arguments[4], { numbers[0], numbers[1], (unsigned)numbers[2], (unsigned)numbers[3] }
	};
	return 0;
}

/* None of ours, which may hold secrets; but what a sanitizer is told, and where a tree that is not installed has its
 * programs. */
static void choose_environment(const char **ret, size_t n)
{
	static const char *const KEPT[] = { "SKIMD_PROGRAMS=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
		                            "TSAN_OPTIONS=" };
	size_t n_kept = 0;

	ret[n_kept++] = "LC_ALL=C";
	for (char **word = environ; *word != NULL; word++)
		for (size_t i = 0; i < sizeof(KEPT) / sizeof(KEPT[0]); i++)
			if (strncmp(*word, KEPT[i], strlen(KEPT[i])) == 0 && n_kept + 1 < n)
				ret[n_kept++] = *word;
	ret[n_kept] = NULL;
}

/* 0 is the file, 1 the pipe, 2 nowhere: what it says there may be a document's. */
static int set_files(posix_spawn_file_actions_t *actions, int fd, int output)
{
	int r;

	if ((r = posix_spawn_file_actions_adddup2(actions, fd, STDIN_FILENO)) != 0 ||
	    (r = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO)) != 0)
		return -r;
#ifndef SKIMD_SANITIZED /* whose findings shall be seen */
	if ((r = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)) != 0)
		return -r;
#endif
	return -posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
}

/* The daemon's own blocked and ignored signals are not inherited; a session of its own can be killed as one. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t all, none;
	int r;

	sigfillset(&all);
	sigemptyset(&none);
	if ((r = posix_spawnattr_setsigdefault(attributes, &all)) != 0 ||
	    (r = posix_spawnattr_setsigmask(attributes, &none)) != 0)
		return -r;
	return -posix_spawnattr_setflags(attributes,
	                                 POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

static int spawn(int fd, int output, const struct extract_task *task, pid_t *ret)
{
	const struct extract_limits *limits = &task->limits;
	char numbers[EXTRACT_TASK_ARGUMENTS - 1][24];
	const char *argv[] = { "skimd-extract", "--",       numbers[0], numbers[1],
		               numbers[2],      numbers[3], task->name, NULL };
	const char *environment[8];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	snprintf(numbers[0], sizeof(numbers[0]), "%llu", (unsigned long long)limits->max_file_bytes);
	snprintf(numbers[1], sizeof(numbers[1]), "%llu", (unsigned long long)limits->max_text_bytes);
	snprintf(numbers[2], sizeof(numbers[2]), "%u", limits->max_pages);
	snprintf(numbers[3], sizeof(numbers[3]), "%u", limits->timeout_s);
	choose_environment(environment, sizeof(environment) / sizeof(environment[0]));
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	posix_spawnattr_init(&attributes);
	if ((r = set_files(&actions, fd, output)) == 0 && (r = set_attributes(&attributes)) == 0)
		r = -posix_spawn(ret, extract_program(), &actions, &attributes,
		                 (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

static int start(struct child *child, int fd, const struct extract_task *task, struct err *err)
{
	int pipe[2], output, r;

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return err_set(err, -errno, "no pipe for the extractor: %s", strerror(errno));
	fcntl(pipe[1], F_SETPIPE_SZ, PIPE_BYTES); /* or as much as there is */
	/* Out of the way of the descriptors that the extractor gets, should we have been started without them. */
	output = fcntl(pipe[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	r = output < 0 ? -errno : spawn(fd, output, task, &child->pid);
	if (output >= 0)
		close(output);
	close(pipe[1]);
	child->output = pipe[0];
	child->deadline_ms = now_ms() + (uint64_t)task->limits.timeout_s * 1000;
	if (r == 0)
		return 0;
	close(pipe[0]);
	/* -ENOENT would be the document's. */
	return err_set(err, r == -EAGAIN || r == -ENOMEM ? r : -EIO, "'%s' cannot be started: %s",
	               extract_program(), strerror(-r));
}

/* The next of what it says. 1: more may come; 0: it has closed the pipe. */
static int take_words(struct child *child, struct buf *ret, struct err *err)
{
	char *room = buf_reserve(ret, STEP);
	ssize_t n;

	if (room == NULL)
		return err_set(err, -ENOMEM, "no memory for its text");
	n = read(child->output, room, STEP);
	if (n < 0)
		return errno == EINTR ? 1 : err_set(err, -errno, "the extractor: %s", strerror(errno));
	ret->n += (size_t)n;
	if (ret->n > child->max_bytes)
		return err_set(err, -EPROTO, "the extractor says more than there can be");
	return n > 0;
}

static int check_going_on(const struct child *child, const struct extract_task *task,
                          const struct extract_hooks *hooks, struct err *err)
{
	if (hooks->waiting != NULL)
		hooks->waiting(hooks->user);
	if (hooks->cancel != NULL && *hooks->cancel)
		return err_set(err, -ECANCELED, "told to stop");
	if (now_ms() >= child->deadline_ms)
		return err_set(err, -ETIME, "taking its text out took longer than %u s (extract.timeout)",
		               task->limits.timeout_s);
	return 0;
}

static int listen_to(struct child *child, const struct extract_task *task, const struct extract_hooks *hooks,
                     const struct extract_beside *beside, struct buf *ret, struct err *err)
{
	bool more = true;
	int r = 1;

	while (r > 0) {
		struct pollfd output = { child->output, POLLIN, 0 };
		int n = poll(&output, 1, more ? 0 : TICK_MS);

		if (n < 0 && errno != EINTR)
			return err_set(err, -errno, "the extractor: %s", strerror(errno));
		if (n > 0)
			r = take_words(child, ret, err);
		else if (more)
			more = beside->step(beside->user);
		if (r > 0 && (n = check_going_on(child, task, hooks, err)) < 0)
			r = n;
	}
	while (r == 0 && more) {
		more = beside->step(beside->user);
		r = check_going_on(child, task, hooks, err);
	}
	return r;
}

/* Give it the time to end that it needs, and end what is left. Until it is waited for, its number is nobody else's. */
static int end(struct child *child, bool at_once)
{
	int fd = at_once ? -1 : pidfd_open(child->pid, 0), status = 0;
	struct pollfd ended = { fd, POLLIN, 0 };

	if (fd >= 0) {
		poll(&ended, 1, LAST_WORDS_MS);
		close(fd);
	}
	kill(-child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int judge(int status, const struct extract_task *task, struct err *err)
{
	int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	const char *name = sigabbrev_np(number);

	if (number == 0 && WEXITSTATUS(status) != EXIT_SUCCESS)
		return err_set(err, -EIO, "the extractor could not say what it found");
	if (number == 0)
		return 0;
	if (number == SIGXCPU)
		return err_set(err, -ETIME,
		               "taking its text out took more than %u s of processor time (extract.timeout)",
		               task->limits.timeout_s);
	if (number == SIGKILL)
		return err_set(err, -ENOMEM, "the extractor was killed, as happens where memory is short");
	if (number == SIGSYS)
		return err_set(err, -EPROTO, "the extractor did what it may not, and was ended (SIGSYS)");
	return err_set(err, -EPROTO, "the extractor crashed on it (SIG%s)", name == NULL ? "?" : name);
}

int extract_child_run(int fd, const struct extract_task *task, const struct extract_hooks *hooks,
                      const struct extract_beside *beside, size_t max_bytes, struct buf *ret, struct err *err)
{
	struct child child = { .max_bytes = max_bytes };
	int r = start(&child, fd, task, err), status;

	if (r < 0)
		return r;
	r = listen_to(&child, task, hooks, beside, ret, err);
	close(child.output);
	status = end(&child, r < 0);
	return r < 0 ? r : judge(status, task, err);
}
