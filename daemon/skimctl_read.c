/* skimctl read: the whole pipeline in this process, on files named by the user. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/config.h"
#include "daemon/document_file.h"
#include "daemon/paths.h"
#include "daemon/skimctl.h"
#include "pipeline/output.h"
#include "pipeline/pipeline.h"

struct reading_run {
	bool json, no_store, terminal;
	const char *config_path, *model;
	unsigned long n_threads;
	struct pipeline *pipeline;
	const char *name; /* of the file in work */
	struct timespec start, shown;
};

static atomic_bool cancelled;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	cancelled = true;
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* One line that is written over: tokens, rate, and how long it will take. */
static void show_progress(void *user, const char *stage, uint64_t n_done, uint64_t n_tokens)
{
	struct reading_run *run = user;
	double seconds = seconds_since(&run->start), rate = seconds > 0 ? (double)n_done / seconds : 0;
	double left = rate > 0 && n_tokens > n_done ? (double)(n_tokens - n_done) / rate : 0;

	if (!run->terminal || seconds_since(&run->shown) < 0.5)
		return;
	clock_gettime(CLOCK_MONOTONIC, &run->shown);
	fprintf(stderr, "\r\033[K%s: %s %llu of %llu tokens, %.0f tokens/s, %d:%02d left", run->name, stage,
	        (unsigned long long)n_done, (unsigned long long)n_tokens, rate, (int)(left / 60),
	        (int)fmod(left, 60));
}

static void end_progress(const struct reading_run *run)
{
	if (run->terminal)
		fprintf(stderr, "\r\033[K");
}

static void show_waiting(long holder, void *user)
{
	(void)user;
	fprintf(stderr, "skimctl: waiting for process %ld, which has the store open for writing\n", holder);
}

/* Stores by the configuration named, or the user's own. */
static int set_stores(struct reading_run *run, const struct config *config,
                      struct pipeline_settings *settings, char *store, char *cache, struct err *err)
{
	int r;

	settings->store = (struct docstore_settings){ .path = store,
		                                      .mode = DOCSTORE_WRITE_WAIT,
		                                      .waiting = show_waiting };
	settings->kv_path = cache;
	settings->kv_budget_bytes = config->kv.budget_bytes;
	if (run->no_store) {
		settings->store.path = ":memory:";
		settings->kv_path = NULL;
		return 0;
	}
	if (run->config_path != NULL) {
		settings->store.path = config->store.path;
		settings->kv_path = config->kv.path;
	} else if ((r = paths_user_store(store, PATH_MAX, err)) < 0 ||
	           (r = paths_user_cache(cache, PATH_MAX, err)) < 0) {
		return r;
	}
	if ((r = file_make_folder_of(settings->store.path, 0750, err)) < 0)
		return r;
	return file_make_folder_of(settings->kv_path, 0750, err);
}

static int open_pipeline(struct reading_run *run, struct err *err)
{
	char store[PATH_MAX], cache[PATH_MAX], model[PATH_MAX];
	struct pipeline_settings settings = { .model_dir = model };
	struct config *config;
	int r = run->config_path != NULL ? config_read(run->config_path, &config, err)
	                                 : config_default(&config, err);

	if (r < 0)
		return r;
	settings.n_threads = run->n_threads > 0 ? (unsigned)run->n_threads : config->model.threads;
	settings.max_bytes = config->extract.max_bytes;
	settings.kv_memory_bytes = config->kv.memory_bytes;
	if ((r = paths_model(run->model != NULL ? run->model : config->model.path, model, sizeof(model),
	                     err)) == 0 &&
	    (r = set_stores(run, config, &settings, store, cache, err)) == 0)
		r = pipeline_open(&settings, &run->pipeline, err);
	config_free(config);
	return r;
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

static int print_reading(struct reading_run *run, int64_t id, bool answered, struct err *err)
{
	struct reading reading = { 0 };
	struct buf text = { 0 };
	int r = docstore_load(pipeline_docstore(run->pipeline), id, &reading, err);

	if (r < 0)
		return r;
	if (answered) { /* this run took nothing: usage and timings are of the run */
		reading.document.usage = (struct usage){ 0 };
		reading.document.seconds = seconds_since(&run->start);
	}
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
	static const struct pipeline_outputs NONE = { false, false };
	struct pipeline_hooks hooks = { run, show_progress, &cancelled };
	int r = docstore_start(pipeline_docstore(run->pipeline), id, err);

	if (r == 0)
		r = pipeline_process(run->pipeline, id, &NONE, &hooks, err);
	end_progress(run);
	return r;
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
	clock_gettime(CLOCK_MONOTONIC, &run->start);
	run->shown = run->start;
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

static int parse(struct reading_run *run, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:q:", OPTIONS, NULL)) != -1) {
		switch (option) {
		case 'j':
			run->json = true;
			break;
		case 'n':
			run->no_store = true;
			break;
		case 'm':
			run->model = optarg;
			break;
		case 't':
			if (!skimctl_number(optarg, 1, 256, &run->n_threads))
				return skimctl_usage(SKIMCTL_READ_USAGE);
			break;
		case 'c':
			run->config_path = optarg;
			break;
		case 'q':
			fprintf(stderr, "skimctl: read: '-q': answering questions is not built yet\n");
			return SKIMCTL_USAGE;
		default:
			return skimctl_usage(SKIMCTL_READ_USAGE);
		}
	}
	return optind < argc ? SKIMCTL_OK : skimctl_usage(SKIMCTL_READ_USAGE);
}

int skimctl_read(int argc, char **argv)
{
	struct reading_run run = { .terminal = isatty(STDERR_FILENO) == 1 };
	struct sigaction interrupt = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };
	struct err err = { "" };
	int status = parse(&run, argc, argv);

	if (status != SKIMCTL_OK)
		return status;
	log_set_level(LOG_LEVEL_ERROR);
	if (open_pipeline(&run, &err) < 0)
		return skimctl_fail(&err);
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGTERM, &interrupt, NULL);
	for (int i = optind; i < argc && !cancelled && fflush(stdout) == 0; i++) {
		if (read_file(&run, argv[i], &err) < 0)
			status = skimctl_fail(&err);
	}
	pipeline_close(run.pipeline);
	return status;
}
