#include "daemon/config.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/array.h"
#include "daemon/dropin.h"
#include "daemon/folders.h"
#include "daemon/paths.h"
#include "daemon/units.h"
#include "daemon/values.h"
#include "daemon/yamltree.h"
#include "store/docstore_questions.h"

#define AT(field) offsetof(struct config, field)
#define AT_WATCH(field) offsetof(struct config_watch, field)
#define MAX_BUDGET_BYTES (BYTES_PER_M * BYTES_PER_G)
#define MAX_FILE_BYTES (BYTES_PER_K * BYTES_PER_G)

/* Who may not see a place that a configuration names has nothing to do with it; for anybody else it is wrong. */
static int code_of(int error)
{
	return error == EACCES ? -EACCES : -EINVAL;
}

/* A folder that cannot be looked at, for a reason in words. */
static int lack_folder(const struct source *source, int error, const struct err *why)
{
	if (source->missing == NULL || (error != ENOENT && error != ENOTDIR))
		return err_set(source->err, code_of(error), "%s", why->text);
	source->missing(why);
	return 0;
}

static int read_model_path(const struct source *source, const struct key *key, const struct node *node,
                           void *ret)
{
	struct err why = { "" };
	char **path = ret;
	struct stat st;
	int r;

	/* The word that stands there by default. A folder of this name is "./nano". */
	if (node->kind == NODE_SCALAR && strcmp(node->text, CONFIG_MODEL_NANO) == 0)
		return 0;
	if ((r = read_path(source, key, node, ret)) < 0)
		return r;
	if (stat(*path, &st) < 0) {
		r = errno;
		node_error(source->path, node, &why, -r, "cannot use '%s': %s", *path, strerror(r));
		return lack_folder(source, r, &why);
	}
	if (!S_ISDIR(st.st_mode))
		return node_error(source->path, node, source->err, -EINVAL, "'%s' is not a folder", *path);
	return 0;
}

/* A folder that the unit hides (ProtectHome=) is not there for the service, or closed. */
static int cannot_watch(const struct source *source, const struct node *node, const char *path, int error)
{
	struct err why = { "" };

	if (!dropin_is_hidden(path))
		node_error(source->path, node, &why, -error, "cannot watch '%s': %s", path, strerror(error));
	else
		node_error(source->path, node, &why, -error,
		           "cannot watch '%s': %s; the service sees it after 'skimctl allow %s' and a "
		           "restart",
		           path, strerror(error), path);
	return lack_folder(source, error, &why);
}

static int read_watched_path(const struct source *source, const struct key *key, const struct node *node,
                             void *ret)
{
	char resolved[PATH_MAX], **path = ret;
	struct stat st;
	int r = read_path(source, key, node, ret);

	if (r < 0)
		return r;
	if (realpath(*path, resolved) == NULL || stat(resolved, &st) < 0)
		return cannot_watch(source, node, *path, errno);
	if (!S_ISDIR(st.st_mode))
		return node_error(source->path, node, source->err, -EINVAL, "'%s' is not a folder", *path);
	free(*path);
	*path = strdup(resolved);
	return *path != NULL ? 0 : no_memory(source);
}

static int read_outbox(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	char *resolved, **path = ret;
	struct stat st;
	int r = read_path(source, key, node, ret);

	if (r < 0)
		return r;
	if ((r = folders_resolve(*path, &resolved)) < 0)
		return node_error(source->path, node, source->err, r, "cannot use '%s': %s", *path,
		                  strerror(-r));
	free(*path);
	*path = resolved;
	if (stat(resolved, &st) == 0 && !S_ISDIR(st.st_mode))
		return node_error(source->path, node, source->err, -EINVAL, "'%s' is not a folder", resolved);
	return 0;
}

static int read_ignore(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	struct config_watch *watch = ret;

	(void)key;
	if (node->kind != NODE_LIST)
		return bad_value(source, node, "must be a list of patterns");
	watch->ignore = array_new(char *, node->n_children);
	if (watch->ignore == NULL)
		return no_memory(source);
	for (size_t i = 0; i < node->n_children; i++) {
		const struct node *glob = node->children[i];

		if (!is_word(glob))
			return bad_value(source, glob, "must be a pattern, such as \"*.part\"");
		if (strchr(glob->text, '/') != NULL)
			return bad_value(source, glob,
			                 "is compared with names, not paths, so it cannot have a '/'");
		watch->ignore[i] = strdup(glob->text);
		if (watch->ignore[i] == NULL)
			return no_memory(source);
		watch->n_ignore++;
	}
	return 0;
}

static int read_questions(const struct source *source, const struct key *key, const struct node *node,
                          void *ret)
{
	struct config_watch *watch = ret;
	struct err why;

	(void)key;
	if (node->kind != NODE_LIST)
		return bad_value(source, node, "must be a list of questions");
	watch->questions = array_new(char *, node->n_children);
	if (watch->questions == NULL)
		return no_memory(source);
	for (size_t i = 0; i < node->n_children; i++) {
		const struct node *question = node->children[i];

		if (!is_word(question))
			return bad_value(source, question, "must be a question");
		if (question_check(question->text, &why) < 0)
			return bad_value(source, question, why.text);
		watch->questions[i] = strdup(question->text);
		if (watch->questions[i] == NULL)
			return no_memory(source);
		watch->n_questions++;
	}
	return 0;
}

static int read_output(const struct source *source, const struct node *node, struct config_watch *watch)
{
	const char *word = node->kind == NODE_SCALAR ? node->text : "";

	if (strcmp(word, "markdown") == 0)
		watch->markdown = true;
	else if (strcmp(word, "json") == 0)
		watch->json = true;
	else if (strcmp(word, "html") == 0)
		watch->html = true;
	else
		return bad_value(source, node, "must be markdown, json or html");
	return 0;
}

static int read_outputs(const struct source *source, const struct key *key, const struct node *node,
                        void *ret)
{
	struct config_watch *watch = ret;
	int r = 0;

	(void)key;
	if (node->kind != NODE_LIST)
		return bad_value(source, node, "must be a list, such as [markdown, json]");
	watch->markdown = watch->json = watch->html = false;
	for (size_t i = 0; i < node->n_children && r == 0; i++)
		r = read_output(source, node->children[i], watch);
	return r;
}

static int read_engine(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	(void)key;
	(void)ret;
	if (node->kind == NODE_SCALAR && strcmp(node->text, "openai") == 0)
		return bad_value(source, node, "openai is not built yet");
	if (node->kind != NODE_SCALAR || strcmp(node->text, "local") != 0)
		return bad_value(source, node, "must be local");
	return 0;
}

static int read_weights(const struct source *source, const struct key *key, const struct node *node,
                        void *ret)
{
	const char *word = node->kind == NODE_SCALAR ? node->text : "";
	bool *int8 = ret;

	(void)key;
	*int8 = strcmp(word, "int8") == 0;
	return *int8 || strcmp(word, "exact") == 0 ? 0 : bad_value(source, node, "must be exact or int8");
}

static int read_reread(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	bool value;
	int r = read_bool(source, key, node, &value);

	(void)ret;
	return r == 0 && value ? bad_value(source, node, "true is not built yet") : r;
}

static int read_socket(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	char **path = ret;
	int r = read_path(source, key, node, ret);

	if (r == 0 && strlen(*path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return bad_value(source, node, "is too long for the path of a socket");
	return r;
}

/* Whether there is such a group is found out where the socket is made. */
static int read_group(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	char **group = ret;

	(void)key;
	if (!is_word(node))
		return bad_value(source, node, "must be the name of a group");
	free(*group);
	*group = strdup(node->text);
	return *group != NULL ? 0 : no_memory(source);
}

/* clang-format off */
static const struct key WATCH_KEYS[] = {
	{ .name = "path", .read = read_watched_path, .offset = AT_WATCH(path) },
	{ .name = "outbox", .read = read_outbox, .offset = AT_WATCH(outbox) },
	{ .name = "recursive", .read = read_bool, .offset = AT_WATCH(recursive) },
	{ .name = "settle", .read = read_duration, .offset = AT_WATCH(settle_ns), .min = 0, .max = NS_PER_DAY },
	{ .name = "rescan", .read = read_duration, .offset = AT_WATCH(rescan_ns), .min = NS_PER_S, .max = 7 * NS_PER_DAY },
	{ .name = "ignore", .read = read_ignore },
	{ .name = "outputs", .read = read_outputs },
	{ .name = "questions", .read = read_questions },
	{ .name = "keep", .read = read_keep, .offset = AT_WATCH(keep_ns), .min = NS_PER_S, .max = 36500 * NS_PER_DAY },
	{ .name = NULL },
};
/* clang-format on */

static void watch_done(struct config_watch *watch)
{
	free(watch->path);
	free(watch->outbox);
	for (size_t i = 0; i < watch->n_ignore; i++)
		free(watch->ignore[i]);
	free(watch->ignore);
	for (size_t i = 0; i < watch->n_questions; i++)
		free(watch->questions[i]);
	free(watch->questions);
}

static int read_watch_entry(const struct source *source, const struct node *node, struct config_watch *watch)
{
	int r;

	*watch = (struct config_watch){ .recursive = true,
		                        .settle_ns = 5 * NS_PER_S,
		                        .rescan_ns = 5 * NS_PER_MIN,
		                        .markdown = true,
		                        .json = true };
	if ((r = read_keys(source, node, WATCH_KEYS, watch)) < 0)
		return r;
	if (watch->path == NULL)
		return bad_value(source, node, "'path' is missing");
	if (watch->outbox == NULL)
		return bad_value(source, node, "'outbox' is missing");
	return 0;
}

static int read_watch(const struct source *source, const struct key *key, const struct node *node, void *ret)
{
	struct config *config = ret;

	(void)key;
	if (node->kind != NODE_LIST)
		return bad_value(source, node, "must be a list of folders, each with path and outbox");
	config->watch = array_new(struct config_watch, node->n_children);
	if (config->watch == NULL)
		return no_memory(source);
	for (size_t i = 0; i < node->n_children; i++) {
		int r;

		config->n_watch++; /* also what is half read is freed */
		if ((r = read_watch_entry(source, node->children[i], &config->watch[i])) < 0)
			return r;
	}
	return 0;
}

static int read_metrics_file(const struct source *source, const struct key *key, const struct node *node,
                             void *ret)
{
	static const char ENDING[] = ".prom";
	size_t n = node->kind == NODE_SCALAR ? strlen(node->text) : 0;

	if (is_word(node) && strcmp(node->text, "none") == 0)
		return 0;
	if (n <= strlen(ENDING) || strcmp(node->text + n - strlen(ENDING), ENDING) != 0)
		return bad_value(
			source, node,
			"must be none or a path that ends in .prom: node_exporter reads no other files");
	return read_path(source, key, node, ret);
}

/* As tesseract takes them: the first is tried first. Whether they are there is a question of who wants OCR. */
static int read_ocr_languages(const struct source *source, const struct key *key, const struct node *node,
                              void *ret)
{
	char *languages = ret;
	size_t n = 0;

	(void)key;
	if (node->kind != NODE_LIST || node->n_children == 0)
		return bad_value(source, node, "must be a list of languages, such as [eng, deu]");
	for (size_t i = 0; i < node->n_children; i++) {
		const struct node *word = node->children[i];

		if (!is_word(word) || !ocr_is_language(word->text, strlen(word->text)))
			return bad_value(source, word,
			                 "must be a language as tesseract names it, such as eng");
		n += (size_t)snprintf(languages + n, OCR_MAX_LANGUAGES - n, "%s%s", i == 0 ? "" : "+",
		                      word->text);
		if (n >= OCR_MAX_LANGUAGES)
			return bad_value(source, node, "are too many languages");
	}
	return 0;
}

/* clang-format off */
static const struct key MODEL_KEYS[] = {
	{ .name = "path", .read = read_model_path, .offset = AT(model.path) },
	{ .name = "engine", .read = read_engine },
	{ .name = "threads", .read = read_threads, .offset = AT(model.threads), .min = 1, .max = 256 },
	{ .name = "nice", .read = read_nice, .offset = AT(model.nice), .min = 0, .max = 19 },
	{ .name = "weights", .read = read_weights, .offset = AT(model.int8_weights) },
	{ .name = "reread", .read = read_reread },
	{ .name = "url", .read = not_built },
	{ .name = "api_key_file", .read = not_built },
	{ .name = "model", .read = not_built },
	{ .name = "concurrency", .read = not_built },
	{ .name = "prompts", .read = not_built },
	{ .name = NULL },
};

static const struct key STORE_KEYS[] = {
	{ .name = "path", .read = read_path, .offset = AT(store.path) },
	{ .name = "inbox", .read = read_path, .offset = AT(store.inbox) },
	{ .name = NULL },
};

static const struct key KV_KEYS[] = {
	{ .name = "path", .read = read_path, .offset = AT(kv.path) },
	{ .name = "budget", .read = read_size, .offset = AT(kv.budget_bytes), .min = 0, .max = MAX_BUDGET_BYTES },
	{ .name = "memory", .read = read_memory, .offset = AT(kv.memory_bytes), .min = BYTES_PER_M, .max = MAX_BUDGET_BYTES },
	{ .name = NULL },
};

static const struct key EXTRACT_KEYS[] = {
	{ .name = "max_bytes", .read = read_size, .offset = AT(extract.max_bytes), .min = 1, .max = MAX_FILE_BYTES },
	{ .name = "max_pages", .read = read_count, .offset = AT(extract.max_pages), .min = 1, .max = 1000000 },
	{ .name = "timeout", .read = read_duration, .offset = AT(extract.timeout_ns), .min = NS_PER_S, .max = NS_PER_DAY },
	{ .name = "ocr", .read = read_bool, .offset = AT(extract.ocr) },
	{ .name = "ocr_languages", .read = read_ocr_languages, .offset = AT(extract.ocr_languages) },
	{ .name = "ocr_max_pages", .read = read_count, .offset = AT(extract.max_ocr_pages), .min = 1, .max = OCR_MAX_LISTED },
	{ .name = NULL },
};

static const struct key SUMMARY_KEYS[] = {
	{ .name = "length", .read = read_length, .offset = AT(summary.length) },
	{ .name = NULL },
};

static const struct key CONTROL_KEYS[] = {
	{ .name = "socket", .read = read_socket, .offset = AT(control.socket) },
	{ .name = "group", .read = read_group, .offset = AT(control.group) },
	{ .name = NULL },
};

static const struct key AUDIT_KEYS[] = {
	{ .name = "reading", .read = read_bool, .offset = AT(audit.reading) },
	{ .name = "dense_share", .read = read_share, .offset = AT(audit.dense_share) },
	{ .name = NULL },
};

static const struct key LOG_KEYS[] = {
	{ .name = "level", .read = read_level, .offset = AT(log.level) },
	{ .name = NULL },
};

static const struct key METRICS_KEYS[] = {
	{ .name = "file", .read = read_metrics_file, .offset = AT(metrics.file) },
	{ .name = "interval", .read = read_duration, .offset = AT(metrics.interval_ns), .min = NS_PER_S, .max = NS_PER_DAY },
	{ .name = NULL },
};

static const struct key TOP_KEYS[] = {
	{ .name = "watch", .read = read_watch },
	{ .name = "model", .section = MODEL_KEYS },
	{ .name = "store", .section = STORE_KEYS },
	{ .name = "kv", .section = KV_KEYS },
	{ .name = "extract", .section = EXTRACT_KEYS },
	{ .name = "summary", .section = SUMMARY_KEYS },
	{ .name = "control", .section = CONTROL_KEYS },
	{ .name = "log", .section = LOG_KEYS },
	{ .name = "metrics", .section = METRICS_KEYS },
	{ .name = "audit", .section = AUDIT_KEYS },
	{ .name = NULL },
};
/* clang-format on */

const struct config_watch *config_watch_of(const struct config *config, const char *path)
{
	const struct config_watch *found = NULL;

	for (size_t i = 0; i < config->n_watch; i++) {
		if (paths_is_inside(path, config->watch[i].path) &&
		    (found == NULL || strlen(config->watch[i].path) > strlen(found->path)))
			found = &config->watch[i];
	}
	return found;
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	for (size_t i = 0; i < config->n_watch; i++)
		watch_done(&config->watch[i]);
	free(config->watch);
	free(config->model.path);
	free(config->store.path);
	free(config->store.inbox);
	free(config->kv.path);
	free(config->control.socket);
	free(config->control.group);
	free(config->metrics.file);
	free(config);
}

struct extract_limits config_extract_limits(const struct config *config)
{
	struct extract_limits limits = { .max_file_bytes = config->extract.max_bytes,
		                         .max_pages = config->extract.max_pages,
		                         .timeout_s = (unsigned)(config->extract.timeout_ns / NS_PER_S),
		                         .max_ocr_pages = config->extract.max_ocr_pages };

	if (config->extract.ocr)
		memcpy(limits.ocr_languages, config->extract.ocr_languages, sizeof(limits.ocr_languages));
	return limits;
}

int config_default(struct config **ret, struct err *err)
{
	struct config *config = calloc(1, sizeof(*config));

	if (config == NULL)
		return err_set(err, -ENOMEM, "no memory for the configuration");
	config->model.path = strdup(CONFIG_MODEL_NANO);
	config->model.nice = 10;
	config->store.path = strdup("/var/lib/skimd/skimd.db");
	config->kv.path = strdup("/var/cache/skimd/kv.db");
	config->kv.budget_bytes = 4 * BYTES_PER_G;
	config->control.socket = strdup(CONFIG_CONTROL_SOCKET);
	config->control.group = strdup(CONFIG_CONTROL_GROUP);
	config->extract.max_bytes = 512 * BYTES_PER_M;
	config->extract.max_pages = 5000;
	config->extract.timeout_ns = 120 * NS_PER_S;
	config->extract.max_ocr_pages = EXTRACT_MAX_OCR_PAGES;
	memcpy(config->extract.ocr_languages, "eng", sizeof("eng"));
	config->audit.reading = true;
	config->audit.dense_share = 0.05;
	config->log.level = LOG_LEVEL_INFO;
	config->metrics.interval_ns = NS_PER_MIN;
	if (config->model.path == NULL || config->store.path == NULL || config->kv.path == NULL ||
	    config->control.socket == NULL || config->control.group == NULL) {
		config_free(config);
		return err_set(err, -ENOMEM, "no memory for the configuration");
	}
	*ret = config;
	return 0;
}

/* Where skimd.db is, there is its inbox, too. */
static int set_inbox(struct config *config)
{
	const char *path = config->store.path;

	if (config->store.inbox != NULL)
		return 0;
	return asprintf(&config->store.inbox, "%.*s/ask/inbox.db", (int)(strrchr(path, '/') - path), path) < 0
	               ? -ENOMEM
	               : 0;
}

static int check_ocr(const struct source *source, const struct node *root, const struct config *config)
{
	const struct node *extract = root != NULL ? node_get(root, "extract") : NULL;
	struct err why = { "" };

	if (!config->extract.ocr || ocr_check(config->extract.ocr_languages, &why) == 0)
		return 0;
	return node_error(source->path, node_get(extract, "ocr"), source->err, -EINVAL, "%s", why.text);
}

static int read_root(const struct source *source, const struct node *root, struct config *config)
{
	const struct node *watch =
		root != NULL && root->kind == NODE_MAPPING ? node_get(root, "watch") : NULL;
	int r = root != NULL ? read_keys(source, root, TOP_KEYS, config) : 0;

	if (r < 0)
		return r;
	if (set_inbox(config) < 0)
		return no_memory(source);
	if ((r = check_ocr(source, root, config)) < 0)
		return r;
	if (config->n_watch == 0)
		return err_set(source->err, -EINVAL, "%s:%zu: key 'watch': nothing to watch", source->path,
		               watch != NULL ? watch->line : 1);
	return folders_check(source->path, root, config, source->err);
}

/* The folder in which the file is named, not the one that a symbolic link to it leads to. */
static int folder_of(const char *path, char *ret, struct err *err)
{
	char copy[PATH_MAX];
	size_t n = strlen(path);

	if (n >= sizeof(copy))
		return err_set(err, -ENAMETOOLONG, "%s: the name is too long", path);
	memcpy(copy, path, n + 1);
	if (realpath(dirname(copy), ret) == NULL)
		return err_set(err, -errno, "%s: cannot open: %s", path, strerror(errno));
	return 0;
}

int config_read_lacking(const char *path, void (*missing)(const struct err *why), struct config **ret,
                        struct err *err)
{
	char folder[PATH_MAX];
	const struct source source = { .path = path, .folder = folder, .err = err, .missing = missing };
	struct config *config = NULL;
	struct node *root = NULL;
	int r;

	if ((r = folder_of(path, folder, err)) < 0 || (r = yamltree_read(path, &root, err)) < 0 ||
	    (r = config_default(&config, err)) < 0 || (r = read_root(&source, root, config)) < 0)
		goto out;
	*ret = config;
	config = NULL;
out:
	config_free(config);
	node_free(root);
	return r;
}

int config_read(const char *path, struct config **ret, struct err *err)
{
	return config_read_lacking(path, NULL, ret, err);
}
