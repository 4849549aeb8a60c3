/* skimctl read: the whole pipeline in this process, on files named by the user. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/document_file.h"
#include "daemon/question_view.h"
#include "daemon/skimctl.h"
#include "daemon/skimctl_pipeline.h"
#include "pipeline/extract.h"
#include "pipeline/output.h"
#include "pipeline/pipeline.h"
#include "store/docstore_questions.h"

struct reading_run {
	bool json, terminal;
	struct skimctl_pipeline settings;
	const char **questions; /* in the order of the command line */
	size_t n_questions;
	struct pipeline *pipeline;
	const char *name; /* of the file in work */
	struct usage usage; /* of its questions, as far as they were not answered before */
	double start, shown;
};

static atomic_bool cancelled;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	cancelled = true;
}

/* One line that is written over: tokens, rate, and how long it will take. */
static void show_progress(void *user, const char *stage, uint64_t n_done, uint64_t n_tokens)
{
	struct reading_run *run = user;
	double seconds = clock_seconds() - run->start, rate = seconds > 0 ? (double)n_done / seconds : 0;
	double left = rate > 0 && n_tokens > n_done ? (double)(n_tokens - n_done) / rate : 0;

	if (!run->terminal || clock_seconds() - run->shown < 0.5)
		return;
	run->shown = clock_seconds();
	fprintf(stderr, "\r\033[K%s: %s %llu of %llu tokens, %.0f tokens/s, %d:%02d left", run->name, stage,
	        (unsigned long long)n_done, (unsigned long long)n_tokens, rate, (int)(left / 60),
	        (int)fmod(left, 60));
}

static void end_progress(const struct reading_run *run)
{
	if (run->terminal)
		fprintf(stderr, "\r\033[K");
}

static int add_file(struct reading_run *run, const char *path, int64_t *ret_id, struct err *err)
{
	char *resolved = realpath(path, NULL);
	struct document_file file;
	struct stat st;
	int r;

	if (resolved == NULL || stat(resolved, &st) < 0) {
		r = err_set(err, -errno, "%s: %s", path, strerror(errno));
		free(resolved);
		return r;
	}
	file = document_file_of(resolved, NULL, NULL, &st);
	file.even_forgotten = true; /* who names it wants it read */
	r = docstore_add(pipeline_docstore(run->pipeline), &file, ret_id, NULL, err);
	free(resolved);
	return r;
}

/* Results that stand and are of the model in use need no reading. */
static bool is_answered(const struct reading_run *run, const struct document *document)
{
	return document->state == DOCUMENT_DONE && document->fingerprint != NULL &&
	       strcmp(document->fingerprint, pipeline_fingerprint(run->pipeline)) == 0;
}

/* Those that were asked now, in their order: what is printed depends on the file and the command line alone. */
static int choose_questions(const struct reading_run *run, struct questions *questions)
{
	struct questions chosen = { .items = array_new(struct question, run->n_questions) };

	if (chosen.items == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < run->n_questions; i++) {
		for (size_t j = 0; j < questions->n; j++) {
			struct question *question = &questions->items[j];

			if (question->text == NULL || strcmp(question->text, run->questions[i]) != 0)
				continue;
			chosen.items[chosen.n++] = *question;
			*question = (struct question){ 0 };
		}
	}
	questions_done(questions);
	*questions = chosen;
	return 0;
}

/* Usage and timings are of this run. */
static void set_usage(const struct reading_run *run, bool answered, struct document *document)
{
	if (answered)
		document->usage = (struct usage){ 0 };
	if (answered || run->n_questions > 0)
		document->seconds = clock_seconds() - run->start;
	usage_add(&document->usage, &run->usage);
}

static int print_reading(struct reading_run *run, int64_t id, bool answered, struct err *err)
{
	struct reading reading = { 0 };
	struct buf text = { 0 };
	int r = docstore_load(pipeline_docstore(run->pipeline), id, &reading, err);

	if (r < 0)
		return r;
	if (choose_questions(run, &reading.questions) < 0) {
		reading_done(&reading);
		return err_set(err, -ENOMEM, "no memory for the questions");
	}
	set_usage(run, answered, &reading.document);
	r = run->json ? output_json(&reading, &text) : output_markdown(&reading, &text);
	if (r < 0)
		err_set(err, r, "no memory for the output");
	else
		fwrite(text.data, 1, text.n, stdout);
	buf_done(&text);
	reading_done(&reading);
	return r;
}

static int process(struct reading_run *run, int64_t id, struct err *err)
{
	static const struct pipeline_outputs NONE = { .markdown = false };
	struct pipeline_hooks hooks = { run, show_progress, &cancelled, NULL };
	int r = docstore_start(pipeline_docstore(run->pipeline), id, err);

	if (r == 0)
		r = pipeline_process(run->pipeline, id, &NONE, &hooks, err);
	end_progress(run);
	return r;
}

static int answer(struct reading_run *run, int64_t id, struct err *err)
{
	struct pipeline_hooks hooks = { run, show_progress, &cancelled, NULL };
	struct docstore *store = pipeline_docstore(run->pipeline);
	struct question question = { 0 };
	int r;

	if ((r = docstore_start_question(store, id, err)) < 0)
		return r;
	r = pipeline_answer_question(run->pipeline, id, &hooks, err);
	end_progress(run);
	if (r < 0 || (r = docstore_get_question(store, id, &question, err)) < 0)
		return r;
	if (question.state == QUESTION_FAILED)
		r = err_set(err, -EBADMSG, "%s: '%s': %s", run->name, question.text, question.error);
	usage_add(&run->usage, &question.usage);
	question_done(&question);
	return r;
}

static int ask(struct reading_run *run, int64_t document_id, const char *text, struct err *err)
{
	struct docstore *store = pipeline_docstore(run->pipeline);
	struct question_request request = { .document_id = document_id,
		                            .text = text,
		                            .source = "command",
		                            .fingerprint = pipeline_fingerprint(run->pipeline) };
	struct question question = { 0 };
	bool open;
	int64_t id;
	int r;

	if ((r = docstore_ask(store, &request, &id, err)) < 0 ||
	    (r = docstore_get_question(store, id, &question, err)) < 0)
		return r;
	open = question_view_is_open(&question);
	question_done(&question);
	return open ? answer(run, id, err) : 0;
}

/* Read one file and print it; -EBADMSG with words when it could not be read. */
static int read_file(struct reading_run *run, const char *path, struct err *err)
{
	struct docstore *store = pipeline_docstore(run->pipeline);
	struct document document = { 0 };
	bool answered;
	int64_t id;
	int r;

	run->name = path;
	run->usage = (struct usage){ 0 };
	run->start = run->shown = clock_seconds();
	if ((r = add_file(run, path, &id, err)) < 0 || (r = docstore_get(store, id, &document, err)) < 0)
		return r;
	answered = is_answered(run, &document);
	document_done(&document);
	if (!answered &&
	    ((r = process(run, id, err)) < 0 || (r = docstore_get(store, id, &document, err)) < 0))
		return r;
	if (!answered && document.state != DOCUMENT_DONE)
		r = err_set(err, -EBADMSG, "%s: %s", path,
		            document.error == NULL ? "not read" : document.error);
	document_done(&document);
	for (size_t i = 0; r == 0 && i < run->n_questions; i++)
		r = ask(run, id, run->questions[i], err);
	pipeline_end_answers(run->pipeline, NULL, NULL);
	return r < 0 ? r : print_reading(run, id, answered, err);
}

static const struct option OPTIONS[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "no-store", no_argument, NULL, 'n' },
	{ "model", required_argument, NULL, 'm' },
	{ "threads", required_argument, NULL, 't' },
	{ "config", required_argument, NULL, 'c' },
	{ "question", required_argument, NULL, 'q' },
	{ NULL, 0, NULL, 0 },
};

/* There is room for as many as there are words on the command line. */
static void add_question(struct reading_run *run, const char *text)
{
	for (size_t i = 0; i < run->n_questions; i++) {
		if (strcmp(run->questions[i], text) == 0)
			return;
	}
	run->questions[run->n_questions++] = text;
}

static int parse(struct reading_run *run, int argc, char **argv)
{
	struct err err;
	int option;

	while ((option = getopt_long(argc, argv, "c:q:", OPTIONS, NULL)) != -1) {
		switch (option) {
		case 'j':
			run->json = true;
			break;
		case 'n':
			run->settings.stores = SKIMCTL_STORES_NONE;
			break;
		case 'm':
			run->settings.model = optarg;
			break;
		case 't':
			if (!skimctl_number(optarg, 1, 256, &run->settings.n_threads))
				return skimctl_usage(SKIMCTL_READ_USAGE);
			break;
		case 'c':
			run->settings.config_path = optarg;
			break;
		case 'q':
			if (question_check(optarg, &err) < 0) {
				fprintf(stderr, "skimctl: read: '-q': %s\n", err.text);
				return SKIMCTL_USAGE;
			}
			add_question(run, optarg);
			break;
		default:
			return skimctl_usage(SKIMCTL_READ_USAGE);
		}
	}
	return optind < argc ? SKIMCTL_OK : skimctl_usage(SKIMCTL_READ_USAGE);
}

static int read_files(struct reading_run *run, int argc, char **argv)
{
	struct sigaction interrupt = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };
	int status = parse(run, argc, argv);
	struct err err = { "" };

	if (status != SKIMCTL_OK)
		return status;
	log_set_level(LOG_LEVEL_ERROR);
	if (extract_check(&err) < 0 || skimctl_open_pipeline(&run->settings, &run->pipeline, &err) < 0)
		return skimctl_fail(&err);
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGTERM, &interrupt, NULL);
	for (int i = optind; i < argc && !cancelled && fflush(stdout) == 0; i++) {
		if (read_file(run, argv[i], &err) < 0)
			status = skimctl_fail(&err);
	}
	pipeline_close(run->pipeline);
	return status;
}

int skimctl_read(int argc, char **argv)
{
	struct reading_run run = { .terminal = isatty(STDERR_FILENO) == 1,
		                   .questions = array_new(const char *, (size_t)argc) };
	int status;

	if (run.questions == NULL)
		return skimctl_fail(&(struct err){ "no memory for the questions" });
	status = read_files(&run, argc, argv);
	free(run.questions);
	return status;
}
