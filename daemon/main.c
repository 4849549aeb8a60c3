/* skimd: watches folders and has their documents read. main() opens in order and closes in the exact reverse. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/asking.h"
#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/confine.h"
#include "daemon/intake.h"
#include "daemon/loop.h"
#include "daemon/metrics.h"
#include "daemon/notify.h"
#include "daemon/paths.h"
#include "daemon/units.h"
#include "daemon/worker.h"
#include "pipeline/messages.h"
#include "pipeline/output.h"
#include "pipeline/pipeline.h"

#define DEFAULT_CONFIG SYSCONFDIR "/skimd/skimd.yaml"
#define ONCE_TICK_NS (200 * NS_PER_MS) /* between two looks whether --once is done */
#define STUCK_NS (10 * NS_PER_MIN) /* a worker without a step for so long has stopped working */
#define REST_S 60 /* until a store without room is tried again */
#define RETRY_MOST_S 600 /* between two looks at what is due: the clock may be set, or the machine sleep */

struct daemon {
	const struct config *config;
	const struct confine *confine;
	bool walled; /* files outside are closed to us, for good */
	struct notify *notify;
	struct loop *loop;
	struct pipeline *pipeline;
	struct docstore *reader; /* for the loop, which shall wait for no writer */
	struct worker *worker;
	struct commands *commands; /* NULL: no control socket */
	struct intake *intake;
	struct asking *asking;
	bool once;
	struct loop_timer *once_timer;
	struct loop_timer *watchdog_timer;
	struct loop_timer *retry_timer;
	struct loop_timer *metrics_timer;
	bool metrics_failed; /* the last time */
	uint64_t n_steps, moved_ns; /* the worker's, and when it was last seen to move */
	int r; /* what ended the loop */
};

static struct pipeline_outputs outputs_of(void *user, const char *path)
{
	const struct daemon *daemon = user;
	const struct config_watch *watch = config_watch_of(daemon->config, path);

	return watch == NULL ? (struct pipeline_outputs){ .markdown = false }
	                     : (struct pipeline_outputs){ watch->markdown, watch->json, watch->html };
}

/* While it works, the worker takes what is due by itself. */
static void arm_retry(struct daemon *daemon, const struct worker_status *status)
{
	int64_t next, seconds = REST_S;

	if (status->busy)
		return;
	if (!status->resting) {
		if (docstore_next_retry(pipeline_docstore(daemon->pipeline), &next, NULL) < 0)
			return;
		seconds = next - (int64_t)time(NULL);
	}
	seconds = seconds < 1 ? 1 : seconds > RETRY_MOST_S ? RETRY_MOST_S : seconds;
	loop_timer_start(daemon->retry_timer, (uint64_t)seconds * NS_PER_S, 0);
}

static void on_retry(void *user)
{
	struct daemon *daemon = user;

	worker_wake(daemon->worker);
}

static const struct log_field READY[] = { { "MESSAGE_ID", MESSAGE_READY }, { NULL, NULL } };
static const struct log_field STUCK[] = { { "MESSAGE_ID", MESSAGE_CANNOT_GO_ON }, { NULL, NULL } };

static void end(struct daemon *daemon, int r, const struct err *why)
{
	log_fields(LOG_LEVEL_ERROR, STUCK, "cannot go on: %s", why->text);
	daemon->r = r;
	loop_stop(daemon->loop);
}

static void send_status(struct daemon *daemon)
{
	struct worker_status status;
	int64_t n_queued = 0;

	worker_status(daemon->worker, &status);
	docstore_count(daemon->reader, DOCUMENT_QUEUED, &n_queued, NULL);
	if (status.paused)
		notify_send(daemon->notify, "STATUS=paused; %lld queued", (long long)n_queued);
	else if (status.busy && status.question_id != 0)
		notify_send(daemon->notify, "STATUS=answering a question about '%s'; %lld queued",
		            status.name, (long long)n_queued);
	else if (status.busy && status.n_tokens > 0)
		notify_send(daemon->notify, "STATUS=%s '%s': %llu of %llu tokens; %lld more queued",
		            status.stage, status.name, (unsigned long long)status.n_done,
		            (unsigned long long)status.n_tokens, (long long)n_queued);
	else if (status.busy && status.name[0] != '\0')
		notify_send(daemon->notify, "STATUS=reading '%s'; %lld more queued", status.name,
		            (long long)n_queued);
	else if (status.resting)
		notify_send(daemon->notify, "STATUS=waiting for room: %s", status.err.text);
	else
		notify_send(daemon->notify, "STATUS=idle, %llu documents ended since the start",
		            (unsigned long long)status.n_documents);
	if (daemon->r == 0 && (status.r < 0 || (status.resting && daemon->once)))
		end(daemon, status.r < 0 ? status.r : -ENOSPC, &status.err);
	arm_retry(daemon, &status);
}

/* The worker's thread only wakes the loop; the loop looks. */
static void worker_changed(void *user)
{
	struct daemon *daemon = user;

	loop_wake(daemon->loop);
}

static void on_wake(void *user)
{
	struct daemon *daemon = user;

	send_status(daemon);
	commands_changed(daemon->commands);
}

static void on_signal(void *user, int signal_number)
{
	struct daemon *daemon = user;

	if (signal_number == SIGHUP) {
		log_info("SIGHUP: scanning all folders; a changed configuration needs a restart");
		intake_rescan(daemon->intake);
		return;
	}
	log_info("%s: stopping", signal_number == SIGTERM ? "SIGTERM" : "SIGINT");
	loop_stop(daemon->loop);
}

/* That the loop runs is not enough: the worker must get on, or have nothing to do. */
static void on_watchdog(void *user)
{
	struct daemon *daemon = user;
	uint64_t now_ns = loop_now_ns();
	struct worker_status status;

	worker_status(daemon->worker, &status);
	if (!status.busy || status.n_steps != daemon->n_steps) {
		daemon->n_steps = status.n_steps;
		daemon->moved_ns = now_ns;
	}
	if (now_ns - daemon->moved_ns < STUCK_NS)
		notify_send(daemon->notify, "WATCHDOG=1");
}

static int write_metrics(struct daemon *daemon, struct err *err)
{
	struct metrics metrics;
	struct buf text = { 0 };
	int r = metrics_collect(daemon->pipeline, daemon->worker, time(NULL), &metrics, err);

	if (r < 0)
		return r;
	metrics.n_unsettled = intake_n_unsettled(daemon->intake);
	metrics_print(&metrics, &text);
	r = buf_status(&text);
	r = r < 0 ? err_set(err, r, "no memory for them")
	          : file_replace(daemon->config->metrics.file, text.data, text.n, 0644, err);
	buf_done(&text);
	return r;
}

/* A failure is told once, and again after it worked. */
static void on_metrics(void *user)
{
	struct daemon *daemon = user;
	struct err err = { "" };
	bool failed = write_metrics(daemon, &err) < 0;

	if (failed && !daemon->metrics_failed)
		log_warning("metrics: %s; trying again every %.0f s", err.text,
		            (double)daemon->config->metrics.interval_ns / (double)NS_PER_S);
	daemon->metrics_failed = failed;
}

/* --once ends when nothing is unsettled, queued or in work. */
static void on_once(void *user)
{
	struct daemon *daemon = user;
	struct worker_status status;
	struct asking_status asking;
	struct err err = { "" };
	int64_t n_queued;
	int r = docstore_count(daemon->reader, DOCUMENT_QUEUED, &n_queued, &err);

	if (r < 0) { /* nobody may be there to see that it waits */
		end(daemon, r, &err);
		return;
	}
	asking_status(daemon->asking, &asking); /* before the worker's: what it finds is the worker's then */
	worker_status(daemon->worker, &status);
	if (intake_n_unsettled(daemon->intake) == 0 && n_queued == 0 && !asking.busy && !status.busy &&
	    !intake_is_incomplete(daemon->intake))
		loop_stop(daemon->loop);
}

/* What the walls shall leave open has to be there first. */
static int make_folders(const struct config *config, struct err *err)
{
	int r;

	if ((r = file_make_folder_of(config->store.path, 0750, err)) < 0 ||
	    (r = file_make_folder_of(config->kv.path, 0750, err)) < 0 ||
	    (r = asking_make_folder(config, err)) < 0)
		return r;
	for (size_t i = 0; i < config->n_watch; i++) {
		if ((r = file_make_folders(config->watch[i].outbox, 0750, err)) < 0)
			return r;
	}
	if (strcmp(config->control.socket, CONFIG_CONTROL_SOCKET) == 0)
		return 0; /* the service manager makes its folder */
	return file_make_folder_of(config->control.socket, 0750, err);
}

/* As early as can be: no thread is started yet, and of what comes from outside only the configuration is read. */
static int put_up_walls(struct daemon *daemon, struct err *err)
{
	int r = make_folders(daemon->config, err);

	if (r < 0)
		return r;
	if (setpriority(PRIO_PROCESS, 0, daemon->config->model.nice) < 0)
		log_warning("nice %d: %s, going on without", daemon->config->model.nice, strerror(errno));
	daemon->walled = confine_enter(daemon->confine);
	return 0;
}

static int open_pipeline(struct daemon *daemon, struct err *err)
{
	const struct config *config = daemon->config;
	struct pipeline_settings settings = {
		.n_threads = config->model.threads,
		.store = { .path = config->store.path, .mode = DOCSTORE_WRITE },
		.kv_path = config->kv.path,
		.kv_budget_bytes = config->kv.budget_bytes,
		.kv_memory_bytes = config->kv.memory_bytes,
		.max_bytes = config->extract.max_bytes,
		.audit = { config->audit.reading, config->audit.dense_share },
	};
	char model[PATH_MAX];
	int r;

	settings.model_dir = model;
	if ((r = paths_model(config->model.path, model, sizeof(model), err)) < 0 ||
	    (r = pipeline_open(&settings, &daemon->pipeline, err)) < 0)
		return r;
	settings.store.mode = DOCSTORE_READ;
	if ((r = docstore_open(&settings.store, &daemon->reader, err)) < 0)
		return r;
	for (size_t i = 0; i < config->n_watch; i++) /* with the store's lock held: nobody else writes here */
		output_sweep(config->watch[i].outbox);
	return 0;
}

static void document_queued(void *user)
{
	struct daemon *daemon = user;

	if (daemon->worker != NULL)
		worker_wake(daemon->worker);
	asking_documents(daemon->asking);
	commands_changed(daemon->commands);
}

static int see_questions(void *user, const char *path)
{
	struct daemon *daemon = user;

	return asking_file(daemon->asking, path);
}

/* From the thread of daemon->asking, which starts when there is a worker. */
static void question_asked(void *user)
{
	struct daemon *daemon = user;

	worker_wake(daemon->worker);
	loop_wake(daemon->loop);
}

static int open_asking(struct daemon *daemon, struct err *err)
{
	struct asking_settings settings = {
		.config = daemon->config,
		.store = pipeline_docstore(daemon->pipeline),
		.fingerprint = pipeline_fingerprint(daemon->pipeline),
		.user = daemon,
		.asked = question_asked,
	};

	return asking_new(&settings, &daemon->asking, err);
}

static void folder_replaced(void *user, const char *path)
{
	struct daemon *daemon = user;

	log_error("'%s': is not the folder that it was at the start: stopping, to be started again", path);
	daemon->r = -ESTALE;
	loop_stop(daemon->loop);
}

static int open_intake(struct daemon *daemon, struct err *err)
{
	struct intake_settings settings = {
		.config = daemon->config,
		.loop = daemon->loop,
		.store = pipeline_docstore(daemon->pipeline),
		.walled = daemon->walled,
		.user = daemon,
		.queued = document_queued,
		.questions = see_questions,
		.replaced = folder_replaced,
	};

	return intake_open(&settings, &daemon->intake, err);
}

static int open_worker(struct daemon *daemon, struct err *err)
{
	struct worker_settings settings = { daemon->pipeline, daemon, outputs_of, worker_changed };

	loop_on_wake(daemon->loop, on_wake, daemon);
	return worker_start(&settings, &daemon->worker, err);
}

static int open_commands(struct daemon *daemon, struct err *err)
{
	struct commands_settings settings = {
		.config = daemon->config,
		.loop = daemon->loop,
		.pipeline = daemon->pipeline,
		.worker = daemon->worker,
		.reader = daemon->reader,
		.user = daemon,
		.intake = daemon->intake,
		.asking = daemon->asking,
		.changed = on_wake,
	};

	return commands_open(&settings, &daemon->commands, err);
}

static int open_timers(struct daemon *daemon, struct err *err)
{
	uint64_t watchdog_ns = notify_watchdog_ns(daemon->notify);
	int r = 0;

	daemon->moved_ns = loop_now_ns();
	r = loop_add_timer(daemon->loop, on_retry, daemon, &daemon->retry_timer, err);
	if (r == 0 && watchdog_ns > 0 &&
	    (r = loop_add_timer(daemon->loop, on_watchdog, daemon, &daemon->watchdog_timer, err)) == 0)
		loop_timer_start(daemon->watchdog_timer, 0, watchdog_ns / 2);
	if (r == 0 && daemon->once &&
	    (r = loop_add_timer(daemon->loop, on_once, daemon, &daemon->once_timer, err)) == 0)
		loop_timer_start(daemon->once_timer, ONCE_TICK_NS, ONCE_TICK_NS);
	if (r == 0 && daemon->config->metrics.file != NULL &&
	    (r = loop_add_timer(daemon->loop, on_metrics, daemon, &daemon->metrics_timer, err)) == 0)
		loop_timer_start(daemon->metrics_timer, 0, daemon->config->metrics.interval_ns);
	return r;
}

static int run(struct daemon *daemon, struct err *err)
{
	int r;

	if ((r = notify_open(&daemon->notify, err)) < 0 || (r = loop_new(&daemon->loop, err)) < 0 ||
	    (r = loop_add_signals(daemon->loop, on_signal, daemon, err)) < 0)
		return r;
	notify_send(daemon->notify, "STATUS=opening the stores and the model");
	if ((r = put_up_walls(daemon, err)) < 0 || (r = open_pipeline(daemon, err)) < 0 ||
	    (r = open_asking(daemon, err)) < 0 || (r = open_intake(daemon, err)) < 0 ||
	    (r = open_worker(daemon, err)) < 0 || (r = open_commands(daemon, err)) < 0 ||
	    (r = open_timers(daemon, err)) < 0 || (r = asking_start(daemon->asking, err)) < 0)
		return r;
	log_fields(LOG_LEVEL_INFO, READY, "ready: %zu folder%s, model '%s'", daemon->config->n_watch,
	           daemon->config->n_watch == 1 ? "" : "s", pipeline_model_name(daemon->pipeline));
	notify_send(daemon->notify, "READY=1");
	r = loop_run(daemon->loop, err);
	notify_send(daemon->notify, "STOPPING=1\nSTATUS=stopping");
	return r < 0 ? r : daemon->r;
}

static void daemon_close(struct daemon *daemon)
{
	commands_close(daemon->commands);
	asking_free(daemon->asking);
	worker_stop(daemon->worker);
	intake_close(daemon->intake);
	docstore_close(daemon->reader);
	pipeline_close(daemon->pipeline);
	loop_free(daemon->loop);
	notify_close(daemon->notify);
}

static int usage(FILE *stream, int status)
{
	fprintf(stream, "usage: skimd [-c FILE] [--check | --once]\n"
	                "       skimd --help | --version\n");
	return status;
}

static void print_check(const char *path, const struct config *config, const struct confine *confine)
{
	printf("%s: valid, %zu folder%s watched\n", path, config->n_watch, config->n_watch == 1 ? "" : "s");
	confine_print(confine, stdout);
}

static const struct option OPTIONS[] = {
	{ "config", required_argument, NULL, 'c' }, { "check", no_argument, NULL, 'C' },
	{ "once", no_argument, NULL, 'o' },         { "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },      { NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	const char *path = DEFAULT_CONFIG;
	struct daemon daemon = { 0 };
	struct confine *confine = NULL;
	struct config *config;
	struct err err = { "" };
	bool check = false;
	int option, r;

	while ((option = getopt_long(argc, argv, "c:", OPTIONS, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'C':
			check = true;
			break;
		case 'o':
			daemon.once = true;
			break;
		case 'h':
			return usage(stdout, EXIT_SUCCESS);
		case 'V':
			puts("skimd " PACKAGE_VERSION);
			return EXIT_SUCCESS;
		default:
			return usage(stderr, 2);
		}
	}
	if (optind < argc)
		return usage(stderr, 2);
	umask(027);
	if (config_read(path, &config, &err) < 0) {
		log_error("%s", err.text);
		return 2;
	}
	log_set_level(config->log.level);
	log_open_journal(NULL);
	r = confine_plan(config, path, &confine, &err);
	if (r == 0 && check) {
		print_check(path, config, confine);
	} else if (r == 0) {
		daemon.config = config;
		daemon.confine = confine;
		r = run(&daemon, &err);
		daemon_close(&daemon);
	}
	if (r < 0 && err.text[0] != '\0')
		log_error("%s", err.text);
	log_close_journal();
	confine_free(confine);
	config_free(config);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
