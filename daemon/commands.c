#include "daemon/commands_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/log.h"

const struct protocol_key NO_KEYS[] = { { NULL, JSON_NULL, false } };
const struct protocol_key DOCUMENT_KEYS[] = { { "document", JSON_STRING, true }, { NULL, JSON_NULL, false } };

static const struct control_command COMMANDS[] = {
	{ "ping", NO_KEYS, command_ping },
	{ "status", NO_KEYS, command_status },
	{ "list", LIST_KEYS, command_list },
	{ "show", SHOW_KEYS, command_show },
	{ "search", SEARCH_KEYS, command_search },
	{ "wait", WAIT_KEYS, command_wait },
	{ "events", EVENTS_KEYS, command_events },
	{ "add", ADD_KEYS, command_add },
	{ "retry", DOCUMENT_KEYS, command_retry },
	{ "reread", DOCUMENT_KEYS, command_reread },
	{ "forget", DOCUMENT_KEYS, command_forget },
	{ "cache", CACHE_KEYS, command_cache },
	{ "pause", NO_KEYS, command_pause },
	{ "resume", NO_KEYS, command_resume },
	{ "rescan", NO_KEYS, command_rescan },
	{ "audit", AUDIT_KEYS, command_audit },
	{ "report", DOCUMENT_KEYS, command_report },
	{ "ask", ASK_KEYS, command_ask },
	{ "answer", ANSWER_KEYS, command_answer },
	{ "questions", QUESTIONS_KEYS, command_questions },
	{ NULL, NULL, NULL },
};

int commands_find(struct docstore *store, const struct call *call, const char *key, int64_t *ret_id,
                  struct err *err)
{
	return docstore_resolve(store, call_string(call, key), ret_id, err);
}

void commands_log(const struct call *call, const char *what)
{
	const struct ucred *who = call_who(call);
	const char *document = call_string(call, "document");

	log_info("control socket: %s%s%s%s by user %u, process %d", what, document == NULL ? "" : " '",
	         document == NULL ? "" : document, document == NULL ? "" : "'", (unsigned)who->uid,
	         (int)who->pid);
}

static void deferred_free(void *user)
{
	struct deferred *deferred = user;

	deferred->commands->n_held_bytes -= deferred->n_bytes;
	json_decref(deferred->lines);
	json_decref(deferred->fields);
	free(deferred);
}

static int run_deferred(void *user, struct err *err)
{
	struct deferred *deferred = user;

	return deferred->run(deferred, err);
}

/* From the first line on; what was sent is not kept. */
static int next_line(struct call *call, void *state, struct err *err)
{
	struct deferred *deferred = state;
	json_t *line = json_array_get(deferred->lines, 0);

	(void)err;
	if (line == NULL) {
		call_reply(call, json_incref(deferred->fields));
		return 1;
	}
	call_more(call, json_incref(line));
	json_array_remove(deferred->lines, 0);
	return 1;
}

static void answer_deferred(struct deferred *deferred, struct err *err)
{
	struct commands *commands = deferred->commands;
	struct call *call = deferred->call;

	if (deferred->wakes) {
		worker_wake(commands->settings.worker);
		commands->settings.changed(commands->settings.user);
	}
	commands->n_held_bytes += deferred->n_bytes;
	if (commands->n_held_bytes > MAX_HELD_BYTES && commands->n_held_bytes > deferred->n_bytes) {
		call_fail(call,
		          err_set(err, -EBUSY, "too much waits to be read by other clients: try again later"),
		          err);
		deferred_free(deferred);
	} else {
		call_stream(call, next_line, deferred_free, deferred);
	}
}

static void finish_deferred(void *user, int r, const struct err *why)
{
	struct deferred *deferred = user;
	struct call *call = deferred->call;
	struct err err = *why;

	deferred->commands->n_deferred--;
	if (r == 0) {
		answer_deferred(deferred, &err);
	} else {
		call_fail(call, r, &err);
		deferred->n_bytes = 0; /* none of it is held */
		deferred_free(deferred);
	}
	call_release(call);
}

int commands_defer(struct call *call, int (*run)(struct deferred *deferred, struct err *err), bool wakes,
                   struct err *err)
{
	struct commands *commands = call_user(call);
	struct deferred *deferred;
	int r;

	if (commands->n_deferred >= MAX_DEFERRED)
		return err_set(err, -EBUSY, "too many commands wait to be carried out: try again later");
	deferred = calloc(1, sizeof(*deferred));
	if (deferred == NULL)
		return err_set(err, -ENOMEM, "no memory for a command");
	*deferred = (struct deferred){ .commands = commands,
		                       .call = call,
		                       .run = run,
		                       .wakes = wakes,
		                       .lines = json_array(),
		                       .fields = json_object() };
	r = deferred->lines == NULL || deferred->fields == NULL
	            ? err_set(err, -ENOMEM, "no memory for a command")
	            : errands_put(commands->errands, run_deferred, finish_deferred, deferred, err);
	if (r < 0) {
		deferred_free(deferred);
		return r;
	}
	commands->n_deferred++;
	call_keep(call);
	return 0;
}

static void rescan_now(void *user)
{
	struct commands *commands = user;

	commands->scanned_ns = loop_now_ns();
	intake_rescan(commands->settings.intake);
}

static int open_control(struct commands *commands, struct err *err)
{
	const struct config *config = commands->settings.config;
	struct control_settings settings = {
		.path = config->control.socket,
		.group = config->control.group,
		.commands = COMMANDS,
		.user = commands,
	};
	int r = control_open(&settings, commands->settings.loop, &commands->control, err);

	/* Whoever runs the daemon by hand need not have the group of the service, nor be in it. */
	if ((r == -ESRCH || r == -EPERM) && strcmp(settings.group, CONFIG_CONTROL_GROUP) == 0) {
		log_debug("control socket: %s: for this user alone", err->text);
		settings.group = NULL;
		r = control_open(&settings, commands->settings.loop, &commands->control, err);
	}
	return r;
}

static int open_parts(struct commands *commands, struct err *err)
{
	const struct commands_settings *settings = &commands->settings;
	int r;

	if ((r = open_control(commands, err)) < 0 ||
	    (r = errands_new(settings->loop, &commands->errands, err)) < 0)
		return r;
	return loop_add_timer(settings->loop, rescan_now, commands, &commands->rescan_timer, err);
}

int commands_open(const struct commands_settings *settings, struct commands **ret, struct err *err)
{
	struct commands *commands = array_new(struct commands, 1);
	bool without;
	int r;

	if (commands == NULL)
		return err_set(err, -ENOMEM, "no memory for the control socket's commands");
	commands->settings = *settings;
	commands->started_ns = loop_now_ns();
	r = open_parts(commands, err);
	without = r < 0 && commands->control == NULL &&
	          strcmp(settings->config->control.socket, CONFIG_CONTROL_SOCKET) == 0;
	if (r == 0) {
		*ret = commands;
		return 0;
	}
	commands_close(commands);
	if (!without)
		return err_prefix(err, r, "control socket: ");
	log_info("control socket: %s: going on without; 'control.socket' can name another place", err->text);
	*ret = NULL;
	return 0;
}

void commands_close(struct commands *commands)
{
	if (commands == NULL)
		return;
	control_close(commands->control);
	commands->control = NULL;
	errands_free(commands->errands);
	loop_remove_timer(commands->settings.loop, commands->rescan_timer);
	free(commands);
}

void commands_changed(struct commands *commands)
{
	if (commands != NULL && commands->control != NULL)
		control_changed(commands->control);
}
