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
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sanitized.h"

#define TICK_MS 50 /* between two looks whether to go on */
#define LAST_WORDS_MS 2000 /* from its last word to its end */
#define STEP ((size_t)1 << 17)
#define PIPE_BYTES (1 << 20)

#define N_NUMBERS (EXTRACT_TASK_ARGUMENTS - 2)

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
	const char *languages = arguments[N_NUMBERS];
	uint64_t numbers[N_NUMBERS];

	for (size_t i = 0; i < N_NUMBERS; i++)
		if (parse_number(arguments[i], &numbers[i]) < 0 || (i >= 2 && numbers[i] > UINT32_MAX))
			return -EINVAL;
	if (strlen(languages) >= sizeof(ret->limits.ocr_languages))
		return -EINVAL;
	*ret = (struct extract_task){
		.name = arguments[N_NUMBERS + 1],
		.limits = { .max_file_bytes = numbers[0],
		            .max_text_bytes = numbers[1],
		            .max_pages = (unsigned)numbers[2],
		            .timeout_s = (unsigned)numbers[3] },
		.ocr_page = (unsigned)numbers[4],
		.ocr_texts = EXTRACT_OCR_TEXTS,
		.n_ocr_texts = numbers[5],
	};
	memcpy(ret->limits.ocr_languages, languages, strlen(languages) + 1);
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

/* 0 is the file, 1 the pipe, 2 nowhere: what it says there may be a document's; 3 what OCR has read, if anything. */
static int set_files(posix_spawn_file_actions_t *actions, int fd, int output, int texts)
{
	int r, n_kept = STDERR_FILENO + 1;

	if ((r = posix_spawn_file_actions_adddup2(actions, fd, STDIN_FILENO)) != 0 ||
	    (r = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO)) != 0)
		return -r;
#ifndef SKIMD_SANITIZED /* whose findings shall be seen */
	if ((r = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)) != 0)
		return -r;
#endif
	if (texts >= 0 && (r = posix_spawn_file_actions_adddup2(actions, texts, n_kept++)) != 0)
		return -r;
	return -posix_spawn_file_actions_addclosefrom_np(actions, n_kept);
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

static void choose_numbers(const struct extract_task *task, char ret[N_NUMBERS][24])
{
	const struct extract_limits *limits = &task->limits;
	const uint64_t numbers[N_NUMBERS] = { limits->max_file_bytes, limits->max_text_bytes,
		                              limits->max_pages,      limits->timeout_s,
		                              task->ocr_page,         task->n_ocr_texts };

	for (size_t i = 0; i < N_NUMBERS; i++)
		snprintf(ret[i], 24, "%llu", (unsigned long long)numbers[i]);
}

static int spawn(int fd, int output, int texts, const struct extract_task *task, pid_t *ret)
{
	char numbers[N_NUMBERS][24];
	const char *argv[EXTRACT_TASK_ARGUMENTS + 3] = { "skimd-extract", "--" }, *environment[8];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	choose_numbers(task, numbers);
	for (size_t i = 0; i < N_NUMBERS; i++)
		argv[2 + i] = numbers[i];
	argv[2 + N_NUMBERS] = task->limits.ocr_languages;
	argv[3 + N_NUMBERS] = task->name;
	choose_environment(environment, sizeof(environment) / sizeof(environment[0]));
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	posix_spawnattr_init(&attributes);
	if ((r = set_files(&actions, fd, output, texts)) == 0 && (r = set_attributes(&attributes)) == 0)
		r = -posix_spawn(ret, extract_program(), &actions, &attributes,
		                 (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* Descriptors out of the way of those that the extractor gets, should we have been started without them. */
static int spawn_apart(int fd, int output, const struct extract_task *task, pid_t *ret)
{
	int apart = fcntl(output, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), texts = -1, r = 0;

	if (apart >= 0 && task->n_ocr_texts > 0)
		texts = fcntl(task->ocr_texts, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (apart < 0 || (task->n_ocr_texts > 0 && texts < 0))
		r = -errno;
	if (r == 0)
		r = spawn(fd, apart, texts, task, ret);
	if (apart >= 0)
		close(apart);
	if (texts >= 0)
		close(texts);
	return r;
}

static int start(struct child *child, int fd, const struct extract_task *task, struct err *err)
{
	int pipe[2], r;

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return err_set(err, -errno, "no pipe for the extractor: %s", strerror(errno));
	fcntl(pipe[1], F_SETPIPE_SZ, PIPE_BYTES); /* or as much as there is */
	r = spawn_apart(fd, pipe[1], task, &child->pid);
	close(pipe[1]);
	child->output = pipe[0];
	child->deadline_ms = now_ms() + (uint64_t)task->limits.timeout_s * 1000;
	if (r == 0)
		return 0;
	close(pipe[0]);
	/* -ENOENT would be the document's. */
	if (r != -EAGAIN && r != -ENOMEM && extract_check(err) < 0)
		return -EIO;
	return err_set(err, r == -EAGAIN || r == -ENOMEM ? r : -EIO,
	               "the extractor '%s' cannot be started: %s%s", extract_program(), strerror(-r),
	               r == -EACCES ? " (if it was replaced while skimd ran: restart that)" : "");
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

static int check_told(const struct extract_hooks *hooks, struct err *err)
{
	if (hooks->waiting != NULL)
		hooks->waiting(hooks->user);
	return hooks->cancel != NULL && *hooks->cancel ? err_set(err, -ECANCELED, "told to stop") : 0;
}

static int check_time(const struct child *child, const struct extract_task *task, struct err *err)
{
	if (now_ms() < child->deadline_ms)
		return 0;
	return err_set(err, -ETIME, "taking its text out took longer than %u s (extract.timeout)",
	               task->limits.timeout_s);
}

/* What we do ourselves, on a slow disk, is not of its time. */
static bool step_beside(struct child *child, const struct extract_beside *beside)
{
	uint64_t began = now_ms();
	bool more = beside->step(beside->user);

	child->deadline_ms += now_ms() - began;
	return more;
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
			more = step_beside(child, beside);
		if (r > 0 && ((n = check_told(hooks, err)) < 0 || (n = check_time(child, task, err)) < 0))
			r = n;
	}
	while (r == 0 && more) {
		more = beside->step(beside->user);
		r = check_told(hooks, err);
	}
	return r;
}

/* How it ended. */
struct ending {
	bool ours; /* we ended it */
	int status; /* as of wait(2) */
	uint64_t cpu_ms;
};

static bool ends_by_itself(const struct child *child)
{
	int fd = pidfd_open(child->pid, 0), n;
	struct pollfd ended = { fd, POLLIN, 0 };

	if (fd < 0)
		return false;
	do
		n = poll(&ended, 1, LAST_WORDS_MS);
	while (n < 0 && errno == EINTR);
	close(fd);
	return n > 0;
}

/* Give it the time to end that it needs, and end what is left. Until it is waited for, its number is nobody else's. What it
 * started are our children now, where we are the first process or stand in for that, as in a container. */
static struct ending end(struct child *child, bool at_once)
{
	struct ending ending = { .ours = at_once || !ends_by_itself(child) };
	struct rusage usage = { 0 };

	kill(-child->pid, SIGKILL);
	while (wait4(child->pid, &ending.status, 0, &usage) < 0 && errno == EINTR)
		;
	while (waitpid(-child->pid, NULL, 0) > 0 || errno == EINTR)
		;
	ending.cpu_ms = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	                (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
	return ending;
}

static int judge(const struct ending *ending, const struct extract_task *task, struct err *err)
{
	int number = WIFSIGNALED(ending->status) ? WTERMSIG(ending->status) : 0;
	const char *name = sigabbrev_np(number);

	if (ending->ours) /* it had closed its pipe: all is said */
		return 0;
	if (number == 0 && WEXITSTATUS(ending->status) != EXIT_SUCCESS)
		return err_set(err, -EIO, "the extractor could not say what it found");
	if (number == 0)
		return 0;
	if (number == SIGXCPU || (number == SIGKILL && ending->cpu_ms >= task->limits.timeout_s * 1000ull))
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
	struct ending ending;
	int r = start(&child, fd, task, err);

	if (r < 0)
		return r;
	r = listen_to(&child, task, hooks, beside, ret, err);
	close(child.output);
	ending = end(&child, r < 0);
	return r < 0 ? r : judge(&ending, task, err);
}
