/* skimd: watches folders and has their documents read. main() opens in order and closes in the exact reverse. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/asking.h"
#include "daemon/clerk.h"
#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/confine.h"
#include "daemon/health.h"
#include "daemon/intake.h"
#include "daemon/keeper.h"
#include "daemon/loop.h"
#include "daemon/metrics_file.h"
#include "daemon/notify.h"
#include "daemon/opening.h"
#include "daemon/reload.h"
#include "daemon/units.h"
#include "daemon/wal_alarm.h"
#include "daemon/worker.h"
#include "pipeline/messages.h"
#include "pipeline/pipeline.h"

#define DEFAULT_CONFIG SYSCONFDIR "/skimd/skimd.yaml"
#define ONCE_TICK_NS (50 * NS_PER_MS) /* between two looks whether --once is done */

struct daemon {
	const char *config_path;
	struct config *config; /* intake_reload() changes it */
	const struct confine *confine;
	bool walled; /* files outside are closed to us, for good */
	struct notify *notify;
	struct loop *loop;
	struct pipeline *pipeline;
	struct docstore *reader; /* for the loop, which shall wait for no writer */
	struct clerk *clerk;
	struct intake *intake;
	struct keeper *keeper;
	struct wal_alarm wal_alarm; /* the worker's */
	struct worker *worker;
	struct commands *commands; /* NULL: no control socket */
	struct asking *asking;
	struct metrics_file *metrics_file;
	atomic_bool work_came; /* for the worker, and the loop does not know it yet */
	bool once;
	struct loop_timer *once_timer;
	struct health *health;
	int r; /* what ended the loop */
};

static struct pipeline_outputs outputs_of(void *user, const char *path)
{
	const struct daemon *daemon = user;

	return intake_outputs(daemon->intake, path);
}

static void between_documents(void *user, const atomic_bool *cancel)
{
	struct daemon *daemon = user;

	keeper_run(daemon->keeper, cancel);
	wal_alarm_look(&daemon->wal_alarm, pipeline_docstore(daemon->pipeline));
}

static const struct log_field READY[] = { { "MESSAGE_ID", MESSAGE_READY }, { NULL, NULL } };
static const struct log_field STUCK[] = { { "MESSAGE_ID", MESSAGE_CANNOT_GO_ON }, { NULL, NULL } };

static void end(struct daemon *daemon, int r, const struct err *why)
{
	log_fields(LOG_LEVEL_ERROR, STUCK, "cannot go on: %s", why->text);
	daemon->r = r;
	loop_stop(daemon->loop);
}

/* What the worker cannot go on after; with --once nobody may be there to make room. */
static void look_at_worker(struct daemon *daemon)
{
	struct worker_status status;

	worker_status(daemon->worker, &status);
	if (daemon->r == 0 && (status.r < 0 || (status.resting && daemon->once)))
		end(daemon, status.r < 0 ? status.r : -ENOSPC, &status.err);
	health_tell(daemon->health);
}

/* The walls know a folder or a program by what it was, and do not move. */
static void stop_replaced(struct daemon *daemon, const char *path, const char *what)
{
	log_error("'%s': is not the %s that it was at the start: stopping, to be started again", path, what);
	daemon->r = -ESTALE;
	loop_stop(daemon->loop);
}

static void folder_replaced(void *user, const char *path)
{
	stop_replaced(user, path, "folder");
}

/* Documents that need it would be put off until they are given up. */
static void look_at_programs(struct daemon *daemon)
{
	const char *path = daemon->walled ? confine_replaced(daemon->confine) : NULL;

	if (path != NULL && daemon->r == 0)
		stop_replaced(daemon, path, "program");
}

/* Other threads only wake the loop; the loop looks. */
static void something_changed(void *user)
{
	struct daemon *daemon = user;

	loop_wake(daemon->loop);
}

/* For the worker: a document is queued, or it is time for something else. */
static void work_came(void *user)
{
	struct daemon *daemon = user;

	daemon->work_came = true;
	loop_wake(daemon->loop);
}

static void on_wake(void *user)
{
	struct daemon *daemon = user;

	if (atomic_exchange(&daemon->work_came, false)) {
		worker_wake(daemon->worker);
		asking_documents(daemon->asking);
		intake_clerk_rested(daemon->intake);
	}
	look_at_worker(daemon);
	look_at_programs(daemon);
	commands_changed(daemon->commands);
}

static void reload(struct daemon *daemon)
{
	const struct reload parts = {
		.path = daemon->config_path,
		.config = daemon->config,
		.confine = daemon->walled ? daemon->confine : NULL,
		.clerk = daemon->clerk,
		.intake = daemon->intake,
		.asking = daemon->asking,
		.keeper = daemon->keeper,
		.metrics_file = daemon->metrics_file,
	};

	notify_reloading(daemon->notify);
	reload_run(&parts);
	notify_send(daemon->notify, "READY=1");
	on_wake(daemon);
}

static void on_signal(void *user, int signal_number)
{
	struct daemon *daemon = user;

	if (signal_number == SIGHUP) {
		log_info("SIGHUP: reading the configuration again and scanning all folders");
		reload(daemon);
		return;
	}
	log_info("%s: stopping", signal_number == SIGTERM ? "SIGTERM" : "SIGINT");
	loop_stop(daemon->loop);
}

/* --once ends when nothing is unsettled, queued or in work. */
static void on_once(void *user)
{
	struct daemon *daemon = user;
	struct worker_status status;
	struct asking_status asking;
	struct err err = { "" };
	int64_t n_queued;
	int r;

	/* In the order in which a file goes through: what has just left one place is in the next. */
	if ((r = clerk_failure(daemon->clerk, &err)) == 0) {
		if (intake_n_unsettled(daemon->intake) > 0 || intake_is_incomplete(daemon->intake) ||
		    daemon->work_came)
			return;
		r = docstore_count(daemon->reader, DOCUMENT_QUEUED, &n_queued, &err);
	}
	if (r < 0) { /* nobody may be there to see that it waits */
		end(daemon, r, &err);
		return;
	}
	asking_status(daemon->asking, &asking); /* before the worker's: what it finds is the worker's then */
	worker_status(daemon->worker, &status);
	if (n_queued > 0 || asking.busy || status.busy)
		return;
	/* The worker may have stopped on the way, with a result that is not published, and its word not be heard yet. */
	look_at_worker(daemon);
	loop_stop(daemon->loop);
}

/* As early as can be: no thread is started yet, and of what comes from outside only the configuration is read. */
static int put_up_walls(struct daemon *daemon, struct err *err)
{
	int r = opening_folders(daemon->config, err);

	if (r < 0)
		return r;
	daemon->walled = confine_enter(daemon->confine);
	return 0;
}

static int open_pipeline(struct daemon *daemon, struct err *err)
{
	return opening_pipeline(daemon->config, &daemon->pipeline, &daemon->reader, err);
}

static int open_clerk(struct daemon *daemon, struct err *err)
{
	struct clerk_settings settings = {
		.store = pipeline_docstore(daemon->pipeline),
		.user = daemon,
		.queued = work_came,
		.rested = work_came, /* also a file that was left out may be one that questions wait for */
	};

	loop_on_wake(daemon->loop, on_wake, daemon);
	return clerk_start(&settings, &daemon->clerk, err);
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

static void files_settled(void *user)
{
	struct daemon *daemon = user;

	commands_changed(daemon->commands);
}

/* The worker finds what the first scan has found in its order. */
static int open_intake(struct daemon *daemon, struct err *err)
{
	struct intake_settings settings = {
		.config = daemon->config,
		.loop = daemon->loop,
		.clerk = daemon->clerk,
		.walled = daemon->walled,
		.user = daemon,
		.questions = see_questions,
		.settled = files_settled,
		.replaced = folder_replaced,
	};
	int r = intake_open(&settings, &daemon->intake, err);

	if (r == 0)
		clerk_wait(daemon->clerk);
	return r;
}

static int open_keeper(struct daemon *daemon, struct err *err)
{
	struct keeper_settings settings = {
		.loop = daemon->loop,
		.intake = daemon->intake,
		.pipeline = daemon->pipeline,
		.user = daemon,
		.due = work_came,
	};

	return keeper_open(&settings, &daemon->keeper, err);
}

static int open_worker(struct daemon *daemon, struct err *err)
{
	struct worker_settings settings = {
		.pipeline = daemon->pipeline,
		.nice = daemon->config->model.nice,
		.user = daemon,
		.outputs = outputs_of,
		.between = between_documents,
		.changed = something_changed,
	};

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
		.clerk = daemon->clerk,
		.changed = on_wake,
	};

	return commands_open(&settings, &daemon->commands, err);
}

static int open_metrics(struct daemon *daemon, struct err *err)
{
	struct metrics_file_settings settings = {
		.config = daemon->config,
		.loop = daemon->loop,
		.reader = daemon->reader,
		.pipeline = daemon->pipeline,
		.worker = daemon->worker,
		.intake = daemon->intake,
	};

	return metrics_file_open(&settings, &daemon->metrics_file, err);
}

static int open_health(struct daemon *daemon, struct err *err)
{
	struct health_settings settings = {
		.notify = daemon->notify,
		.loop = daemon->loop,
		.reader = daemon->reader,
		.worker = daemon->worker,
	};

	return health_open(&settings, &daemon->health, err);
}

static int start_once(struct daemon *daemon, struct err *err)
{
	int r = loop_add_timer(daemon->loop, on_once, daemon, &daemon->once_timer, err);

	if (r == 0)
		loop_timer_start(daemon->once_timer, ONCE_TICK_NS, ONCE_TICK_NS);
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
	    (r = open_asking(daemon, err)) < 0 || (r = open_clerk(daemon, err)) < 0 ||
	    (r = open_intake(daemon, err)) < 0 || (r = open_keeper(daemon, err)) < 0 ||
	    (r = open_worker(daemon, err)) < 0 || (r = open_commands(daemon, err)) < 0 ||
	    (r = open_metrics(daemon, err)) < 0 || (r = open_health(daemon, err)) < 0 ||
	    (daemon->once && (r = start_once(daemon, err)) < 0) ||
	    (r = asking_start(daemon->asking, err)) < 0)
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
	health_close(daemon->health);
	metrics_file_close(daemon->metrics_file);
	commands_close(daemon->commands);
	asking_free(daemon->asking);
	worker_stop(daemon->worker);
	keeper_close(daemon->keeper);
	intake_close(daemon->intake);
	clerk_stop(daemon->clerk);
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
		daemon.config_path = path;
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
