/* Commands about the daemon itself. */
#include <errno.h>

#include "base/json.h"
#include "base/log.h"
#include "daemon/commands_internal.h"
#include "daemon/units.h"
#include "store/docstore_questions.h"

#define MAX_UNSETTLED 8 /* that are named; the rest is counted */
#define RESCAN_NS NS_PER_S /* at least so much between two scans that are asked for */

int command_ping(struct call *call, struct err *err)
{
	const struct commands *commands = call_user(call);

	(void)err;
	call_reply(call,
	           json_pack("{s:i, s:s, s:o}", "protocol", PROTOCOL_VERSION, "version", PACKAGE_VERSION,
	                     "store", json_of_bytes(commands->settings.config->store.path)));
	return 0;
}

static int add_counts(const struct commands *commands, json_t **status, struct err *err)
{
	json_t *counts = json_object();
	int r = 0;

	for (int state = DOCUMENT_QUEUED; r == 0 && state <= DOCUMENT_GONE; state++) {
		int64_t n = 0;

		r = docstore_count(commands->settings.reader, (enum document_state)state, &n, err);
		json_set(&counts, document_state_name((enum document_state)state), json_integer(n));
	}
	json_set(status, "documents", counts);
	return r;
}

static int add_questions(const struct commands *commands, json_t **status, struct err *err)
{
	json_t *counts = json_object();
	int r = 0;

	for (int state = QUESTION_ASKED; r == 0 && state <= QUESTION_FAILED; state++) {
		int64_t n = 0;

		r = docstore_count_questions(commands->settings.reader, (enum question_state)state, &n, err);
		json_set(&counts, question_state_name((enum question_state)state), json_integer(n));
	}
	json_set(status, "questions", counts);
	return r;
}

static json_t *asking_json(const struct commands *commands)
{
	struct asking_status asking;
	json_t *files = json_array();

	asking_status(commands->settings.asking, &asking);
	for (size_t i = 0; i < asking.n_files && i < ASKING_MAX_NAMED; i++)
		json_append(&files, json_of_bytes(asking.files[i]));
	return json_pack("{s:o, s:I, s:I, s:o}", "inbox",
	                 json_of_bytes(commands->settings.config->store.inbox), "n_rows",
	                 (json_int_t)asking.n_rows, "n_files", (json_int_t)asking.n_files, "files", files);
}

/* As its row says, which is written about once a second. */
static json_t *eta_of(struct docstore *reader, int64_t id)
{
	struct document document = { 0 };
	json_t *eta;

	if (docstore_get(reader, id, &document, NULL) < 0)
		return json_null();
	eta = document.eta_seconds < 0 ? json_null() : json_integer(document.eta_seconds);
	document_done(&document);
	return eta;
}

static json_t *reading_json(struct docstore *reader, const struct worker_status *status)
{
	if (status->id == 0)
		return json_null();
	return json_pack("{s:I, s:o, s:s, s:o, s:I, s:I, s:o}", "id", (json_int_t)status->id, "name",
	                 json_of_bytes(status->name), "stage", status->stage, "question",
	                 status->question_id == 0 ? json_null() : json_integer(status->question_id),
	                 "tokens_done", (json_int_t)status->n_done, "tokens_total",
	                 (json_int_t)status->n_tokens, "eta_seconds", eta_of(reader, status->id));
}

struct unsettled {
	json_t *named;
	uint64_t now_ns;
};

static void name_unsettled(void *user, const char *path, uint64_t since_ns)
{
	struct unsettled *unsettled = user;

	if (json_array_size(unsettled->named) < MAX_UNSETTLED)
		json_append(&unsettled->named,
		            json_pack("{s:o, s:I}", "path", json_of_bytes(path), "seconds",
		                      (json_int_t)((unsettled->now_ns - since_ns) / NS_PER_S)));
}

static json_t *folder_json(const struct config_watch *config, struct watch *watch)
{
	struct watch_counts counts = watch_count(watch);
	struct unsettled unsettled = { json_array(), loop_now_ns() };

	watch_each_unsettled(watch, name_unsettled, &unsettled);
	return json_pack("{s:o, s:o, s:I, s:I, s:o, s:I, s:I, s:I, s:I}", "path", json_of_bytes(config->path),
	                 "outbox", json_of_bytes(config->outbox), "files", (json_int_t)counts.n_files,
	                 "n_unsettled", (json_int_t)counts.n_unsettled, "unsettled", unsettled.named,
	                 "unwatched_folders", (json_int_t)counts.n_unwatched_folders, "remote_folders",
	                 (json_int_t)counts.n_remote_folders, "overflows", (json_int_t)counts.n_overflows,
	                 "scans", (json_int_t)counts.n_scans);
}

static json_t *folders_json(const struct commands *commands)
{
	const struct commands_settings *settings = &commands->settings;
	json_t *folders = json_array();

	for (size_t i = 0; i < settings->config->n_watch; i++)
		json_append(&folders,
		            folder_json(&settings->config->watch[i], intake_watch(settings->intake, i)));
	return folders;
}

static json_t *cache_json(struct pipeline *pipeline)
{
	struct kv_stats stats;

	pipeline_kv_stats(pipeline, &stats);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "entries", (json_int_t)stats.blocks, "bytes",
	                 (json_int_t)stats.bytes, "hits", (json_int_t)stats.hits, "misses",
	                 (json_int_t)stats.misses, "stored", (json_int_t)stats.stored, "evicted",
	                 (json_int_t)stats.evicted, "damaged", (json_int_t)stats.damaged);
}

/* Why skimd.db takes nothing for now. */
static json_t *store_error_json(const struct commands *commands, const struct worker_status *worker)
{
	struct err why = { "" };

	if (worker->resting)
		return json_of_bytes(worker->err.text);
	return clerk_failure(commands->settings.clerk, &why) < 0 ? json_of_bytes(why.text) : json_null();
}

int command_status(struct call *call, struct err *err)
{
	struct commands *commands = call_user(call);
	struct pipeline *pipeline = commands->settings.pipeline;
	struct worker_status worker;
	json_t *status;
	int r;

	worker_status(commands->settings.worker, &worker);
	status = json_pack("{s:s, s:o, s:s, s:I, s:b, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:I}", "version",
	                   PACKAGE_VERSION, "model", json_of_bytes(pipeline_model_name(pipeline)),
	                   "fingerprint", pipeline_fingerprint(pipeline), "uptime_seconds",
	                   (json_int_t)((loop_now_ns() - commands->started_ns) / NS_PER_S), "paused",
	                   (int)worker.paused, "reading", reading_json(commands->settings.reader, &worker),
	                   "store_error", store_error_json(commands, &worker), "ended",
	                   (json_int_t)worker.n_documents, "answered", (json_int_t)worker.n_questions,
	                   "asking", asking_json(commands), "folders", folders_json(commands), "cache",
	                   cache_json(pipeline), "wal_bytes",
	                   (json_int_t)docstore_wal_bytes(commands->settings.reader));
	if ((r = add_counts(commands, &status, err)) == 0 &&
	    (r = add_questions(commands, &status, err)) == 0 && status == NULL)
		r = err_set(err, -ENOMEM, "no memory for the status");
	if (r < 0)
		json_decref(status);
	else
		call_reply(call, status);
	return r;
}

static int set_pause(struct call *call, bool pause)
{
	struct commands *commands = call_user(call);

	commands_log(call, pause ? "reading is paused" : "reading is resumed");
	worker_pause(commands->settings.worker, pause);
	commands->settings.changed(commands->settings.user);
	call_reply(call, json_pack("{s:b}", "paused", (int)pause));
	return 0;
}

int command_pause(struct call *call, struct err *err)
{
	(void)err;
	return set_pause(call, true);
}

int command_resume(struct call *call, struct err *err)
{
	(void)err;
	return set_pause(call, false);
}

/* However often it is asked for, a scan of large folders leaves time for everything else. */
int command_rescan(struct call *call, struct err *err)
{
	struct commands *commands = call_user(call);
	uint64_t since_ns = loop_now_ns() - commands->scanned_ns;

	(void)err;
	loop_timer_start(commands->rescan_timer, since_ns < RESCAN_NS ? RESCAN_NS - since_ns : 0, 0);
	call_reply(call, json_pack("{s:I}", "folders", (json_int_t)commands->settings.config->n_watch));
	return 0;
}
