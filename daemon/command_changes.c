/* Commands that change documents, and what is kept of them. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "daemon/cache_view.h"
#include "daemon/commands_internal.h"
#include "daemon/document_view.h"
#include "daemon/ignore.h"
#include "daemon/paths.h"
#include "pipeline/forget.h"

const struct protocol_key ADD_KEYS[] = { { "path", JSON_STRING, true }, { NULL, JSON_NULL, false } };
const struct protocol_key CACHE_KEYS[] = { { "drop", JSON_STRING, false },
	                                   { "clear", JSON_TRUE, false },
	                                   { NULL, JSON_NULL, false } };

/* The folder that a path would be read in; NULL: none. */
static const struct config_watch *find_folder(const struct config *config, const char *path)
{
	const struct config_watch *watch = config_watch_of(config, path);

	if (watch == NULL || watch->recursive || strchr(path + strlen(watch->path) + 1, '/') == NULL)
		return watch;
	return NULL;
}

/* By its own name, or that of a folder on the way to it. */
static bool is_left_alone(const struct config_watch *watch, const char *path)
{
	char name[NAME_MAX + 1];
	const char *part = path + strlen(watch->path) + 1;

	while (*part != '\0') {
		size_t n = strcspn(part, "/");

		if (n > NAME_MAX)
			return false;
		memcpy(name, part, n);
		name[n] = '\0';
		if (ignore_matches(name, watch->ignore, watch->n_ignore))
			return true;
		part += n + strspn(part + n, "/");
	}
	return false;
}

/* A file that is complete and has no row was forgotten, and is wanted again. */
static int queue_again(const struct commands *commands, size_t i, const char *path, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_set(err, -errno, "'%s': %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "'%s' is not a regular file", path);
	return intake_add(commands->settings.intake, i, path, &st, err);
}

/* Its row, when what was found at the path is written down. */
static int show_added(struct deferred *deferred, struct err *err)
{
	struct docstore *store = pipeline_docstore(deferred->commands->settings.pipeline);
	struct document document = { 0 };
	int64_t id;
	int r;

	clerk_wait(deferred->commands->settings.clerk);
	if ((r = docstore_resolve(store, call_string(deferred->call, "path"), &id, err)) < 0 ||
	    (r = docstore_get(store, id, &document, err)) < 0)
		return r;
	json_set(&deferred->fields, "watched", json_true());
	json_set(&deferred->fields, "document", document_view_json(&document));
	document_done(&document);
	return 0;
}

static int add_inside(struct call *call, size_t i, const char *path, struct err *err)
{
	const struct commands *commands = call_user(call);
	const struct config_watch *config = &commands->settings.config->watch[i];
	struct intake *intake = commands->settings.intake;
	int64_t id;
	int r;

	if (is_left_alone(config, path))
		return err_set(err, -EINVAL, "'%s' has a name that is left alone, see skimd.yaml(5)", path);
	if ((r = watch_look(intake_watch(intake, i), path, err)) < 0)
		return r;
	if (watch_is_unsettled(intake_watch(intake, i), path)) {
		call_reply(call, json_pack("{s:b, s:b}", "watched", 1, "unsettled", 1));
		return 0;
	}
	r = docstore_resolve(commands->settings.reader, path, &id, err);
	if (r == -ENOENT)
		r = queue_again(commands, i, path, err);
	return r < 0 ? r : commands_defer(call, show_added, false, err);
}

int command_add(struct call *call, struct err *err)
{
	const struct commands *commands = call_user(call);
	const struct config *config = commands->settings.config;
	const char *path = call_string(call, "path");
	const struct config_watch *watch = find_folder(config, path);

	if (path[0] != '/' || strlen(path) >= PATH_MAX || strstr(path, "/../") != NULL ||
	    strstr(path, "/./") != NULL)
		return err_set(err, -EINVAL, "key 'path': must be absolute, without '.' and '..'");
	if (watch != NULL)
		return add_inside(call, (size_t)(watch - config->watch), path, err);
	call_reply(call,
	           json_pack("{s:b, s:o}", "watched", 0, "folder", json_of_bytes(config->watch[0].path)));
	return 0;
}

/* What is done in the worker's thread, between two documents. */
struct between {
	struct commands *commands;
	int64_t id;
	uint64_t n_blocks;
};

static int drop_cached(void *user, struct err *err)
{
	struct between *between = user;

	return pipeline_drop_cached(between->commands->settings.pipeline, between->id, &between->n_blocks,
	                            err);
}

static int change_cache(struct deferred *deferred, struct err *err)
{
	struct commands *commands = deferred->commands;
	struct between between = { .commands = commands };
	struct docstore *store = pipeline_docstore(commands->settings.pipeline);
	int r = 0;

	if (call_string(deferred->call, "drop") != NULL)
		r = commands_find(store, deferred->call, "drop", &between.id, err);
	if (r == 0)
		r = worker_run(commands->settings.worker, drop_cached, &between, err);
	json_set(&deferred->fields, "dropped", json_integer((json_int_t)between.n_blocks));
	return r;
}

static int show_cache(struct deferred *deferred, struct err *err)
{
	const struct config *config = deferred->commands->settings.config;
	json_t *counts;
	int r = cache_view_json(config->kv.path, config->kv.budget_bytes, &counts, err);

	if (r == 0)
		json_set(&deferred->fields, "cache", counts);
	return r;
}

int command_cache(struct call *call, struct err *err)
{
	bool drop = call_string(call, "drop") != NULL, clear = call_is_set(call, "clear");

	if (drop && clear)
		return err_set(err, -EINVAL, "keys 'drop' and 'clear' exclude each other");
	if (drop || clear)
		commands_log(call,
		             drop ? "a document's share of the cache is dropped" : "the cache is cleared");
	return commands_defer(call, drop || clear ? change_cache : show_cache, false, err);
}

/* The document that is meant, and what the answer says of it: when it is forgotten, nobody knows any more. */
static int find(struct deferred *deferred, struct docstore *store, int64_t *ret_id, struct err *err)
{
	struct document document = { 0 };
	int r;

	if ((r = commands_find(store, deferred->call, "document", ret_id, err)) < 0 ||
	    (r = docstore_get(store, *ret_id, &document, err)) < 0)
		return r;
	json_set(&deferred->fields, "document", json_integer(document.id));
	json_set(&deferred->fields, "name", json_of_bytes(document.name));
	json_set(&deferred->fields, "path", json_of_bytes(document.path));
	document_done(&document);
	return 0;
}

static int change_state(struct deferred *deferred,
                        int (*change)(struct docstore *store, int64_t id, struct err *err), struct err *err)
{
	struct docstore *store = pipeline_docstore(deferred->commands->settings.pipeline);
	int64_t id;
	int r = find(deferred, store, &id, err);

	return r < 0 ? r : change(store, id, err);
}

static int retry(struct deferred *deferred, struct err *err)
{
	return change_state(deferred, docstore_retry, err);
}

static int reread(struct deferred *deferred, struct err *err)
{
	return change_state(deferred, docstore_reread, err);
}

int command_retry(struct call *call, struct err *err)
{
	commands_log(call, "another try of");
	return commands_defer(call, retry, true, err);
}

int command_reread(struct call *call, struct err *err)
{
	commands_log(call, "another reading of");
	return commands_defer(call, reread, true, err);
}

/* The cache first: a document that is still known can be forgotten again. */
static int forget_between(void *user, struct err *err)
{
	struct between *between = user;
	int r = drop_cached(user, err);

	return r < 0 ? r
	             : forget_document(pipeline_docstore(between->commands->settings.pipeline), between->id,
	                               err);
}

static int forget(struct deferred *deferred, struct err *err)
{
	struct commands *commands = deferred->commands;
	struct docstore *store = pipeline_docstore(commands->settings.pipeline);
	struct between between = { .commands = commands };
	int r;

	if ((r = find(deferred, store, &between.id, err)) < 0 ||
	    (r = worker_run(commands->settings.worker, forget_between, &between, err)) < 0)
		return r;
	/* Its bytes are the last to go. Where a reader is in the way, the next occasion sees to them. */
	if ((r = docstore_scrub(store, err)) == -EBUSY)
		json_set(&deferred->fields, "note", json_of_bytes(err->text));
	return r == -EBUSY ? 0 : r;
}

int command_forget(struct call *call, struct err *err)
{
	commands_log(call, "forgetting");
	return commands_defer(call, forget, true, err);
}
