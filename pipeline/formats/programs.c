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
#define MAX_ARGUMENT_BYTES 400
#define STEP ((size_t)1 << 16)

#define MAX_DATA 4

/* What each needs to be installed by, program and package, and where its data may be, of which the first counts that is
 * there: Debian's own folder, and those of others. */
static const struct {
	const char *name, *package, *data[MAX_DATA];
} PROGRAMS[N_PROGRAMS] = {
	[PROGRAM_PDFTOTEXT] = { "pdftotext", "poppler-utils", { "/usr/share/poppler" } },
	[PROGRAM_PDFTOPPM] = { "pdftoppm", "poppler-utils", { "/usr/share/poppler" } },
	[PROGRAM_TESSERACT] = { "tesseract",
	                        "tesseract-ocr",
	                        { "/usr/share/tesseract-ocr/5/tessdata",
	                          "/usr/share/tesseract-ocr/4.00/tessdata", "/usr/share/tessdata",
	                          "/usr/local/share/tessdata" } },
};

static const struct {
	enum program programs[PROGRAMS_MAX_ROW];
	unsigned n;
} ROWS[] = {
	[ROW_PDF_TEXT] = { { PROGRAM_PDFTOTEXT }, 1 },
	[ROW_PDF_OCR] = { { PROGRAM_PDFTOPPM, PROGRAM_TESSERACT }, 2 },
};

/* What a starter is told: from which input, with the arguments, each ended by a NUL. What it is to become it knows. */
struct order {
	bool from_file;
	unsigned n_arguments;
	char arguments[MAX_ARGUMENT_BYTES];
};

enum end { READ_END, WRITE_END };

struct starter {
	pid_t pid; /* 0: has served, or there is none */
	int order[2];
};

/* The starters of one call. */
struct programs {
	struct programs *next; /* of the next call; NULL: this was the last */
	enum program_row row;
	struct starter starters[PROGRAMS_MAX_ROW];
	int input[2]; /* of the first */
	int between[2]; /* from the first to the last, if these are two */
	int output[2]; /* of the last */
	int words[2]; /* of all */
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

const char *program_data(enum program program)
{
	static const char *folders[N_PROGRAMS];

	for (size_t i = 0; folders[program] == NULL && i < MAX_DATA; i++)
		if (PROGRAMS[program].data[i] != NULL && access(PROGRAMS[program].data[i], R_OK | X_OK) == 0)
			folders[program] = PROGRAMS[program].data[i];
	return folders[program];
}

const char *program_name(enum program program)
{
	return PROGRAMS[program].name;
}

int programs_check(enum program_row row, struct err *err)
{
	for (unsigned i = 0; i < ROWS[row].n; i++) {
		enum program program = ROWS[row].programs[i];

		if (program_path(program) == NULL)
			return err_set(err, -ENOPKG, "needs %s (package %s)", PROGRAMS[program].name,
			               PROGRAMS[program].package);
	}
	return 0;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_both(int *pipe)
{
	close_one(&pipe[READ_END]);
	close_one(&pipe[WRITE_END]);
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
	return order->n_arguments <= PROGRAM_MAX_ARGUMENTS;
}

/* The one at this place in the row. OpenMP, which tesseract has, is to start no threads: it could not. */
static _Noreturn void become(const struct programs *programs, unsigned place, const struct order *order)
{
	const enum program program = ROWS[programs->row].programs[place];
	const bool is_last = place + 1 == ROWS[programs->row].n;
	char *const environment[] = { (char[]){ "LC_ALL=C" }, (char[]){ "OMP_THREAD_LIMIT=1" }, NULL };
	char *argv[PROGRAM_MAX_ARGUMENTS + 2] = { (char *)(uintptr_t)PROGRAMS[program].name };
	const char *argument = order->arguments;

	for (unsigned i = 0; i < order->n_arguments; i++) {
		argv[i + 1] = (char *)(uintptr_t)argument;
		argument += strlen(argument) + 1;
	}
	if (place > 0)
		dup2(programs->between[READ_END], STDIN_FILENO);
	else if (order->from_file)
		lseek(STDIN_FILENO, 0, SEEK_SET);
	else
		dup2(programs->input[READ_END], STDIN_FILENO);
	dup2(is_last ? programs->output[WRITE_END] : programs->between[WRITE_END], STDOUT_FILENO);
	dup2(programs->words[WRITE_END], STDERR_FILENO);
	execve(program_path(program), argv, environment);
	_exit(127);
}

/* Whatever a starter does not read from or write to itself is closed, so that others see its end. */
static void keep_own_ends(struct programs *programs, unsigned place)
{
	for (unsigned i = 0; i <= place; i++)
		close_one(&programs->starters[i].order[WRITE_END]);
	close_one(&programs->input[WRITE_END]);
	close_one(&programs->output[READ_END]);
	close_one(&programs->words[READ_END]);
	if (place > 0)
		close_one(&programs->input[READ_END]);
	close_one(&programs->between[place == 0 ? READ_END : WRITE_END]);
}

static void close_all(struct programs *programs)
{
	for (size_t i = 0; i < PROGRAMS_MAX_ROW; i++)
		close_both(programs->starters[i].order);
	close_both(programs->input);
	close_both(programs->between);
	close_both(programs->output);
	close_both(programs->words);
}

static _Noreturn void wait_for_order(struct programs *programs, unsigned place)
{
	const enum program program = ROWS[programs->row].programs[place];
	struct order order;

	for (struct programs *other = programs->next; other != NULL; other = other->next)
		close_all(other);
	keep_own_ends(programs, place);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	signal(SIGPIPE, SIG_DFL); /* it ends when nobody wants more of it */
	if (program_path(program) == NULL || walls_enter_program(program).r < 0)
		_exit(EXIT_FAILURE);
	if (read(programs->starters[place].order[READ_END], &order, sizeof(order)) != sizeof(order) ||
	    !is_order(&order))
		_exit(EXIT_SUCCESS);
	become(programs, place, &order);
}

static int open_pipes(struct programs *programs)
{
	int *const pipes[] = { programs->input, programs->between, programs->output, programs->words };

	for (size_t i = 0; i < sizeof(pipes) / sizeof(pipes[0]); i++)
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			return -errno;
	return 0;
}

static int fork_starter(struct programs *programs, unsigned place)
{
	struct starter *starter = &programs->starters[place];

	if (pipe2(starter->order, O_CLOEXEC) < 0)
		return -errno;
	starter->pid = fork();
	if (starter->pid == 0)
		wait_for_order(programs, place);
	if (starter->pid < 0) {
		starter->pid = 0;
		return -errno;
	}
	close_one(&starter->order[READ_END]);
	return 0;
}

static struct programs *programs_new(enum program_row row, struct programs *next)
{
	struct programs *programs = array_new(struct programs, 1);

	if (programs == NULL)
		return NULL;
	*programs = (struct programs){ .next = next,
		                       .row = row,
		                       .input = { -1, -1 },
		                       .between = { -1, -1 },
		                       .output = { -1, -1 },
		                       .words = { -1, -1 } };
	for (size_t i = 0; i < PROGRAMS_MAX_ROW; i++)
		programs->starters[i] = (struct starter){ 0, { -1, -1 } };
	return programs;
}

/* Those of one call. */
static int start_row(struct programs *programs)
{
	int r = open_pipes(programs);

	for (unsigned i = 0; r == 0 && i < ROWS[programs->row].n; i++)
		r = fork_starter(programs, i);
	close_one(&programs->input[READ_END]);
	close_both(programs->between);
	close_one(&programs->output[WRITE_END]);
	close_one(&programs->words[WRITE_END]);
	if (r == 0)
		fcntl(programs->input[WRITE_END], F_SETFL, O_NONBLOCK);
	return r;
}

int programs_start(enum program_row row, unsigned n_calls, struct programs **ret, struct err *err)
{
	struct programs *programs = NULL;
	int r = 0;

	for (unsigned i = 0; i < ROWS[row].n; i++) { /* to be known when nothing can be looked for */
		program_path(ROWS[row].programs[i]);
		program_data(ROWS[row].programs[i]);
	}
	for (unsigned i = 0; r == 0 && i < n_calls; i++) {
		struct programs *one = programs_new(row, programs);

		r = one == NULL ? -ENOMEM : start_row(one);
		programs = one == NULL ? programs : one;
	}
	if (r < 0) {
		programs_end(programs);
		return err_set(err, r, "cannot start a process: %s", strerror(-r));
	}
	*ret = programs;
	return 0;
}

/* What it ended with. */
static int wait_for(struct starter *starter, int *ret_status)
{
	int r = 0;

	while (starter->pid > 0 && (r = waitpid(starter->pid, ret_status, 0)) < 0 && errno == EINTR)
		;
	starter->pid = 0;
	return r < 0 ? -errno : 0;
}

void programs_end(struct programs *programs)
{
	struct programs *next;
	int status;

	for (; programs != NULL; programs = next) {
		next = programs->next;
		close_all(programs);
		for (size_t i = 0; i < PROGRAMS_MAX_ROW; i++)
			wait_for(&programs->starters[i], &status);
		free(programs);
	}
}

static int give_order(struct programs *programs, unsigned place, const struct program_call *call)
{
	struct order order = { .from_file = call->bytes == NULL };
	size_t n = 0;

	for (; order.n_arguments < PROGRAM_MAX_ARGUMENTS; order.n_arguments++) {
		const char *argument = call->arguments[place][order.n_arguments];
		size_t length = argument == NULL ? 0 : strlen(argument) + 1;

		if (argument == NULL)
			break;
		if (length > sizeof(order.arguments) - n)
			return -E2BIG;
		memcpy(order.arguments + n, argument, length);
		n += length;
	}
	return write(programs->starters[place].order[WRITE_END], &order, sizeof(order)) == sizeof(order)
	               ? 0
	               : -EIO;
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

/* All ends are waited for, whatever r is. */
static int finish(struct programs *programs, int r, struct program_output *output)
{
	close_all(programs);
	for (unsigned i = 0; i < ROWS[programs->row].n; i++) {
		int waited = wait_for(&programs->starters[i], &output->status[i]);

		if (r == 0)
			r = waited;
	}
	for (unsigned i = 0; r == 0 && i < ROWS[programs->row].n; i++)
		if (WIFEXITED(output->status[i]) && WEXITSTATUS(output->status[i]) == 127)
			r = -EIO;
	return r;
}

int programs_run(struct programs *programs, const struct program_call *call, struct program_output *ret,
                 struct err *err)
{
	const char *name = PROGRAMS[ROWS[call->row].programs[0]].name;
	struct program_output output = { .cut = false };
	int r = programs_check(call->row, err);

	if (r < 0)
		return r;
	while (programs != NULL && programs->starters[0].pid == 0) /* has served */
		programs = programs->next;
	if (programs == NULL || programs->row != call->row)
		return err_set(err, -EIO, "%s cannot be run here", name);
	for (unsigned i = 0; r == 0 && i < ROWS[call->row].n; i++)
		r = give_order(programs, i, call);
	if (r == 0)
		r = exchange(programs, call, &output);
	r = finish(programs, r, &output);
	if (r < 0) {
		program_output_done(&output);
		return err_set(
			err, r, "%s: %s", name,
			r == -EIO ? "cannot be started (if it was installed while skimd ran: restart that)"
				  : strerror(-r));
	}
	*ret = output;
	return 0;
}

void program_output_done(struct program_output *output)
{
	buf_done(&output->bytes);
	*output = (struct program_output){ .cut = false };
}
