/* skimctl list, show and wait: read skimd.db, whether a daemon runs or not. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "daemon/config.h"
#include "daemon/paths.h"
#include "daemon/skimctl.h"
#include "pipeline/output.h"
#include "store/docstore.h"

#define LIST_USAGE "skimctl list [--json] [-c FILE]"
#define SHOW_USAGE "skimctl show [--json] [-c FILE] DOC"
#define WAIT_USAGE "skimctl wait [--timeout SECONDS] [-c FILE] [DOC ...]"
#define POLL_NS 200000000

struct query {
	bool json;
	const char *config_path;
	unsigned long timeout_s; /* 0: for ever */
};

static const struct option OPTIONS[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "config", required_argument, NULL, 'c' },
	{ "timeout", required_argument, NULL, 't' },
	{ NULL, 0, NULL, 0 },
};

static bool parse(struct query *query, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:", OPTIONS, NULL)) != -1) {
		if (option == 'j')
			query->json = true;
		else if (option == 'c')
			query->config_path = optarg;
		else if (option != 't' || !skimctl_number(optarg, 1, 1u << 30, &query->timeout_s))
			return false;
	}
	return true;
}

/* The store of the configuration named; else the service's, if it can be read; else the user's own. */
static int find_store(const struct query *query, char *ret, struct err *err)
{
	struct config *config;
	bool service;
	int r = query->config_path != NULL ? config_read(query->config_path, &config, err)
	                                   : config_default(&config, err);

	if (r < 0)
		return r;
	service = query->config_path != NULL || access(config->store.path, R_OK) == 0;
	if (service)
		snprintf(ret, PATH_MAX, "%s", config->store.path);
	config_free(config);
	return service ? 0 : paths_user_store(ret, PATH_MAX, err);
}

static int open_store(const struct query *query, struct docstore **ret, struct err *err)
{
	char path[PATH_MAX];
	struct docstore_settings settings = { .path = path, .mode = DOCSTORE_READ };
	int r = find_store(query, path, err);

	return r < 0 ? r : docstore_open(&settings, ret, err);
}

static json_t *bytes_or_null(const char *bytes)
{
	return bytes == NULL ? json_null() : json_of_bytes(bytes);
}

static json_t *document_json(const struct document *document)
{
	return json_pack("{s:I, s:o, s:o, s:s, s:s?, s:f, s:o, s:I, s:I, s:s?, s:s?}", "id",
	                 (json_int_t)document->id, "name", json_of_bytes(document->name), "path",
	                 json_of_bytes(document->path), "state", document_state_name(document->state),
	                 "stage", document->stage, "progress", document->progress, "error",
	                 bytes_or_null(document->error), "bytes", (json_int_t)document->bytes, "tokens",
	                 (json_int_t)document->tokens, "added_at", document->added_at, "finished_at",
	                 document->finished_at);
}

static int print_json_line(json_t *json)
{
	char *line = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(6));

	json_decref(json);
	if (line == NULL)
		return -ENOMEM;
	puts(line);
	free(line);
	return 0;
}

static int print_document(void *user, const struct document *document)
{
	const struct query *query = user;

	if (query->json)
		return print_json_line(document_json(document));
	printf("%5" PRId64 "  %-8s %3.0f%%  %s%s%s\n", document->id, document_state_name(document->state),
	       100 * document->progress, document->name, document->error == NULL ? "" : ": ",
	       document->error == NULL ? "" : document->error);
	return 0;
}

int skimctl_list(int argc, char **argv)
{
	struct query query = { 0 };
	struct docstore *store;
	struct err err = { "" };
	int r;

	if (!parse(&query, argc, argv) || optind < argc)
		return skimctl_usage(LIST_USAGE);
	if (open_store(&query, &store, &err) < 0)
		return skimctl_fail(&err);
	r = docstore_each(store, print_document, &query, &err);
	docstore_close(store);
	return r < 0 ? skimctl_fail(&err) : SKIMCTL_OK;
}

static int print_reading(struct docstore *store, int64_t id, bool json, struct err *err)
{
	struct reading reading = { 0 };
	struct buf text = { 0 };
	int r = docstore_load(store, id, &reading, err);

	if (r < 0)
		return r;
	if (reading.document.state != DOCUMENT_DONE && reading.document.state != DOCUMENT_GONE) {
		r = err_set(err, -EAGAIN, "'%s' is %s%s%s", reading.document.name,
		            document_state_name(reading.document.state),
		            reading.document.error == NULL ? "" : ": ",
		            reading.document.error == NULL ? "" : reading.document.error);
	} else {
		r = json ? output_json(&reading, &text) : output_markdown(&reading, &text);
		if (r == 0)
			fwrite(text.data, 1, text.n, stdout);
		else
			err_set(err, r, "no memory for the output");
	}
	buf_done(&text);
	reading_done(&reading);
	return r;
}

int skimctl_show(int argc, char **argv)
{
	struct query query = { 0 };
	struct docstore *store;
	struct err err = { "" };
	int64_t id;
	int r;

	if (!parse(&query, argc, argv) || optind + 1 != argc)
		return skimctl_usage(SHOW_USAGE);
	if (open_store(&query, &store, &err) < 0)
		return skimctl_fail(&err);
	if ((r = docstore_resolve(store, argv[optind], &id, &err)) == 0)
		r = print_reading(store, id, query.json, &err);
	docstore_close(store);
	return r < 0 ? skimctl_fail(&err) : SKIMCTL_OK;
}

/* What is waited for: the documents named, or all. */
struct waiting {
	const int64_t *ids;
	size_t n_ids; /* 0: all */
	size_t n_open, n_failed;
};

static int count_open(void *user, const struct document *document)
{
	struct waiting *waiting = user;
	bool wanted = waiting->n_ids == 0;

	for (size_t i = 0; i < waiting->n_ids; i++)
		wanted |= waiting->ids[i] == document->id;
	if (!wanted)
		return 0;
	waiting->n_open += document->state == DOCUMENT_QUEUED || document->state == DOCUMENT_READING;
	waiting->n_failed += document->state == DOCUMENT_FAILED;
	return 0;
}

static int wait_for(struct docstore *store, struct waiting *waiting, unsigned long timeout_s, struct err *err)
{
	struct timespec start, now, pause = { 0, POLL_NS };

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;) {
		waiting->n_open = waiting->n_failed = 0;
		if (docstore_each(store, count_open, waiting, err) < 0)
			return skimctl_fail(err);
		if (waiting->n_open == 0)
			return waiting->n_failed > 0 ? SKIMCTL_FAILED : SKIMCTL_OK;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (timeout_s > 0 && (unsigned long)(now.tv_sec - start.tv_sec) >= timeout_s)
			return SKIMCTL_TIMEOUT;
		nanosleep(&pause, NULL);
	}
}

int skimctl_wait(int argc, char **argv)
{
	struct query query = { 0 };
	struct docstore *store;
	struct err err = { "" };
	struct waiting waiting = { 0 };
	int64_t *ids;
	int status = SKIMCTL_OK;

	if (!parse(&query, argc, argv))
		return skimctl_usage(WAIT_USAGE);
	if (open_store(&query, &store, &err) < 0)
		return skimctl_fail(&err);
	ids = calloc((size_t)(argc - optind) + 1, sizeof(*ids));
	for (int i = optind; ids != NULL && i < argc && status == SKIMCTL_OK; i++) {
		if (docstore_resolve(store, argv[i], &ids[waiting.n_ids++], &err) < 0)
			status = skimctl_fail(&err);
	}
	waiting.ids = ids;
	if (ids == NULL)
		status = SKIMCTL_FAILED;
	else if (status == SKIMCTL_OK)
		status = wait_for(store, &waiting, query.timeout_s, &err);
	free(ids);
	docstore_close(store);
	return status;
}
