#include "pipeline/formats/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "pipeline/extract_walls.h"

#define FOLDERS "/usr/local/bin:/usr/bin:/bin"
#define MAX_ARGUMENT_BYTES 200
#define STEP ((size_t)1 << 16)

/* What each needs to be installed by: program and package. */
static const struct {
	const char *name, *package;
} PROGRAMS[N_PROGRAMS] = {
	[PROGRAM_PDFTOTEXT] = { "pdftotext", "poppler-utils" },
};

/* What the starter is told: what to become, from which input, with the arguments, each ended by a NUL. */
struct order {
	enum program program;
	bool from_file;
	unsigned n_arguments;
	char arguments[MAX_ARGUMENT_BYTES];
};

enum end { READ_END, WRITE_END };

struct programs {
	pid_t pid; /* 0: has served */
	int order[2], input[2], output[2], words[2];
};

static bool find_in(const char *folders, const char *name, char *ret, size_t n)
{
	while (*folders != '\0') {
		int length = (int)strcspn(folders, ":");

		if ((size_t)snprintf(ret, n, "%.*s/%s", length, folders, name) < n && access(ret, X_OK) == 0)
			return true;
		folders += length;
		folders += *folders == ':';
	}
	return false;
}

const char *program_path(enum program program)
{
	static char paths[N_PROGRAMS][PATH_MAX];
	const char *folders = secure_getenv("SKIMD_PROGRAMS");

	if (paths[program][0] == '\0' && !find_in(folders == NULL ? FOLDERS : folders, PROGRAMS[program].name,
	                                          paths[program], sizeof(paths[program])))
		paths[program][0] = '\0';
	return paths[program][0] == '\0' ? NULL : paths[program];
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_ends(struct programs *programs, enum end order_end, enum end other_end)
{
	close_one(&programs->order[order_end]);
	close_one(&programs->input[order_end]);
	close_one(&programs->output[other_end]);
	close_one(&programs->words[other_end]);
}

/* Who orders may have been taken over by the document since. */
static bool is_order(const struct order *order)
{
	size_t n = 0;

	for (unsigned i = 0; i < order->n_arguments && i < PROGRAM_MAX_ARGUMENTS; i++) {
		n += strnlen(order->arguments + n, sizeof(order->arguments) - n) + 1;
		if (n > sizeof(order->arguments))
			return false;
	}
	return (unsigned)order->program < N_PROGRAMS && order->n_arguments <= PROGRAM_MAX_ARGUMENTS &&
	       program_path(order->program) != NULL;
}

static _Noreturn void become(const struct programs *programs, const struct order *order)
{
	char *const environment[] = { (char[]){ "LC_ALL=C" }, NULL };
	char *argv[PROGRAM_MAX_ARGUMENTS + 2] = { (char *)(uintptr_t)PROGRAMS[order->program].name };
	const char *argument = order->arguments;

	for (unsigned i = 0; i < order->n_arguments; i++) {
		argv[i + 1] = (char *)(uintptr_t)argument;
		argument += strlen(argument) + 1;
	}
	if (order->from_file)
		lseek(STDIN_FILENO, 0, SEEK_SET);
	else
		dup2(programs->input[READ_END], STDIN_FILENO);
	dup2(programs->output[WRITE_END], STDOUT_FILENO);
	dup2(programs->words[WRITE_END], STDERR_FILENO);
	execve(program_path(order->program), argv, environment);
	_exit(127);
}

static _Noreturn void wait_for_order(struct programs *programs)
{
	struct order order;

	close_ends(programs, WRITE_END, READ_END);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	signal(SIGPIPE, SIG_DFL); /* it ends when nobody wants more of it */
	if (walls_enter(WALLS_PROGRAM).r < 0)
		_exit(EXIT_FAILURE);
	if (read(programs->order[READ_END], &order, sizeof(order)) != sizeof(order) || !is_order(&order))
		_exit(EXIT_SUCCESS);
	become(programs, &order);
}

static int open_pipes(struct programs *programs)
{
	int *const pipes[] = { programs->order, programs->input, programs->output, programs->words };

	for (size_t i = 0; i < sizeof(pipes) / sizeof(pipes[0]); i++)
		pipes[i][0] = pipes[i][1] = -1;
	for (size_t i = 0; i < sizeof(pipes) / sizeof(pipes[0]); i++)
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			return -errno;
	return 0;
}

int programs_start(struct programs **ret, struct err *err)
{
	struct programs *programs = array_new(struct programs, 1);
	int r;

	if (programs == NULL)
		return err_set(err, -ENOMEM, "no memory for its programs");
	for (enum program i = 0; i < N_PROGRAMS; i++) /* to be known when nothing can be looked for */
		program_path(i);
	r = open_pipes(programs);
	if (r == 0 && (programs->pid = fork()) < 0) {
		r = -errno;
		programs->pid = 0;
	} else if (r == 0 && programs->pid == 0) {
		wait_for_order(programs);
	}
	if (r < 0) {
		programs_end(programs);
		return err_set(err, r, "cannot start a process: %s", strerror(-r));
	}
	close_ends(programs, READ_END, WRITE_END);
	fcntl(programs->input[WRITE_END], F_SETFL, O_NONBLOCK);
	*ret = programs;
	return 0;
}

void programs_end(struct programs *programs)
{
	if (programs == NULL)
		return;
	close_ends(programs, WRITE_END, READ_END);
	close_ends(programs, READ_END, WRITE_END);
	if (programs->pid > 0)
		waitpid(programs->pid, NULL, 0);
	free(programs);
}

static int give_order(struct programs *programs, const struct program_call *call)
{
	struct order order = { .program = call->program, .from_file = call->bytes == NULL };
	size_t n = 0;

	for (; order.n_arguments < PROGRAM_MAX_ARGUMENTS && call->arguments[order.n_arguments] != NULL;
	     order.n_arguments++) {
		size_t length = strlen(call->arguments[order.n_arguments]) + 1;

		if (length > sizeof(order.arguments) - n)
			return -E2BIG;
		memcpy(order.arguments + n, call->arguments[order.n_arguments], length);
		n += length;
	}
	return write(programs->order[WRITE_END], &order, sizeof(order)) == sizeof(order) ? 0 : -EIO;
}

/* Some of what it reads; SIGPIPE is ignored. At the end, or when it wants no more, the pipe is closed. */
static void feed(struct programs *programs, const struct program_call *call, size_t *n_fed)
{
	ssize_t n = 0;

	if (call->bytes != NULL && *n_fed < call->n)
		n = write(programs->input[WRITE_END], call->bytes + *n_fed, call->n - *n_fed);
	if (n > 0)
		*n_fed += (size_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_one(&programs->input[WRITE_END]);
}

static int take_output(struct programs *programs, size_t max_bytes, struct program_output *output)
{
	char *room = buf_reserve(&output->bytes, STEP);
	ssize_t n = room == NULL ? 0 : read(programs->output[READ_END], room, STEP);

	if (n > 0)
		output->bytes.n += (size_t)n;
	if (output->bytes.n > max_bytes) {
		output->bytes.n = max_bytes;
		output->bytes.data[max_bytes] = '\0';
		output->cut = true;
	}
	if (n == 0 || output->cut || (n < 0 && errno != EINTR))
		close_one(&programs->output[READ_END]);
	return buf_status(&output->bytes);
}

static void take_words(struct programs *programs, struct program_output *output)
{
	char words[PROGRAM_MAX_WORDS];
	ssize_t n = read(programs->words[READ_END], words, sizeof(words));
	size_t have = strlen(output->words);

	if (n > 0)
		snprintf(output->words + have, sizeof(output->words) - have, "%.*s", (int)n, words);
	else if (n == 0 || errno != EINTR)
		close_one(&programs->words[READ_END]);
}

static int exchange(struct programs *programs, const struct program_call *call, struct program_output *output)
{
	size_t n_fed = 0;
	int r = 0;

	while (r == 0 && (programs->output[READ_END] >= 0 || programs->words[READ_END] >= 0)) {
		struct pollfd fds[] = { { programs->input[WRITE_END], POLLOUT, 0 },
			                { programs->output[READ_END], POLLIN, 0 },
			                { programs->words[READ_END], POLLIN, 0 } };

		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents != 0)
			feed(programs, call, &n_fed);
		if (fds[1].revents != 0)
			r = take_output(programs, call->max_bytes, output);
		if (fds[2].revents != 0)
			take_words(programs, output);
	}
	return r;
}

int programs_run(struct programs *programs, const struct program_call *call, struct program_output *ret,
                 struct err *err)
{
	struct program_output output = { .status = 0 };
	int r;

	if (program_path(call->program) == NULL)
		return err_set(err, -ENOPKG, "needs %s (package %s)", PROGRAMS[call->program].name,
		               PROGRAMS[call->program].package);
	if (programs == NULL || programs->pid == 0)
		return err_set(err, -EIO, "%s cannot be run here", PROGRAMS[call->program].name);
	r = give_order(programs, call);
	if (r == 0)
		r = exchange(programs, call, &output);
	close_ends(programs, WRITE_END, READ_END);
	close_ends(programs, READ_END, WRITE_END);
	if (waitpid(programs->pid, &output.status, 0) < 0 && r == 0)
		r = -errno;
	programs->pid = 0;
	if (r == 0 && WIFEXITED(output.status) && WEXITSTATUS(output.status) == 127)
		r = -EIO;
	if (r < 0) {
		program_output_done(&output);
		return err_set(
			err, r, "%s: %s", PROGRAMS[call->program].name,
			r == -EIO ? "cannot be started (if it was installed while skimd ran: restart that)"
				  : strerror(-r));
	}
	*ret = output;
	return 0;
}

void program_output_done(struct program_output *output)
{
	buf_done(&output->bytes);
	*output = (struct program_output){ .status = 0 };
}
