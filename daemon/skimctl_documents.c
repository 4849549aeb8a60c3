/* skimctl list, show and wait: read skimd.db, whether a daemon runs or not. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "daemon/loop.h"
#include "daemon/skimctl.h"
#include "daemon/units.h"
#include "pipeline/output.h"
#include "store/docstore.h"

#define POLL_NS (200 * NS_PER_MS)
#define APPEAR_NS (60 * NS_PER_S) /* for a document that is waited for and not known yet, without --timeout */

struct query {
	bool json;
	const char *config_path;
	unsigned long timeout_s; /* 0: for ever */
};

static const struct option PRINT_OPTIONS[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "config", required_argument, NULL, 'c' },
	{ NULL, 0, NULL, 0 },
};

static const struct option WAIT_OPTIONS[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "timeout", required_argument, NULL, 't' },
	{ NULL, 0, NULL, 0 },
};

static bool parse(struct query *query, const struct option *options, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (option == 'j')
			query->json = true;
		else if (option == 'c')
			query->config_path = optarg;
		else if (option != 't' || !skimctl_number(optarg, 1, 1u << 30, &query->timeout_s))
			return false;
	}
	return true;
}

static int open_store(const struct query *query, struct docstore **ret, struct err *err)
{
	char path[PATH_MAX];
	struct docstore_settings settings = { .path = path, .mode = DOCSTORE_READ };
	int r = skimctl_find_store(query->config_path, path, err);

	return r < 0 ? r : docstore_open(&settings, ret, err);
}

static json_t *bytes_or_null(const char *bytes)
{
	return bytes == NULL ? json_null() : json_of_bytes(bytes);
}

static json_t *document_json(const struct document *document)
{
	return json_pack("{s:I, s:o, s:o, s:s, s:s?, s:f, s:o, s:o, s:s?, s:s?, s:I, s:I, s:I, s:s?, s:s?}",
	                 "id", (json_int_t)document->id, "name", json_of_bytes(document->name), "path",
	                 json_of_bytes(document->path), "state", document_state_name(document->state),
	                 "stage", document->stage, "progress", document->progress, "error",
	                 bytes_or_null(document->error), "eta_seconds",
	                 document->eta_seconds < 0 ? json_null() : json_integer(document->eta_seconds),
	                 "retry", document_retry_name(document->retry), "retry_at", document->retry_at,
	                 "attempts", (json_int_t)document->attempts, "bytes", (json_int_t)document->bytes,
	                 "tokens", (json_int_t)document->tokens, "added_at", document->added_at,
	                 "finished_at", document->finished_at);
}

static int print_line(const struct document *document)
{
	struct buf line = { 0 };
	int r;

	buf_printf(&line, "%5" PRId64 "  %-8s %3.0f%%  %s", document->id,
	           document_state_name(document->state), 100 * document->progress, document->name);
	if (document->error != NULL)
		buf_printf(&line, ": %s", document->error);
	if (document->retry_at != NULL)
		buf_printf(&line, " (tried again at %s)", document->retry_at);
	if (document->eta_seconds >= 0)
		buf_printf(&line, " (%" PRId64 ":%02d left)", document->eta_seconds / 60,
		           (int)(document->eta_seconds % 60));
	if ((r = buf_status(&line)) == 0) {
		text_printable(line.data);
		puts(line.data);
	}
	buf_done(&line);
	return r;
}

static int print_document(void *user, const struct document *document)
{
	const struct query *query = user;

	return query->json ? skimctl_print_json(document_json(document)) : print_line(document);
}

int skimctl_list(int argc, char **argv)
{
	struct query query = { 0 };
	struct docstore *store;
	struct err err = { "" };
	int r;

	if (!parse(&query, PRINT_OPTIONS, argc, argv) || optind < argc)
		return skimctl_usage(SKIMCTL_LIST_USAGE);
	if (open_store(&query, &store, &err) < 0)
		return skimctl_fail(&err);
	r = docstore_each(store, print_document, &query, &err);
	docstore_close(store);
	return r < 0 ? skimctl_fail(&err) : SKIMCTL_OK;
}

/* "'name' is failed: reason" and more; for standard error. */
static void describe_state(const struct document *document, const char *more, struct err *ret)
{
	err_set(ret, 0, "'%s' is %s%s%s%s", document->name, document_state_name(document->state),
	        document->error == NULL ? "" : ": ", document->error == NULL ? "" : document->error, more);
	text_printable(ret->text);
}

static int print_reading(struct docstore *store, int64_t id, bool json, struct err *err)
{
	struct reading reading = { 0 };
	struct buf text = { 0 };
	int r = docstore_load(store, id, &reading, err);

	if (r < 0)
		return r;
	if (reading.document.fingerprint == NULL) {
		describe_state(&reading.document, "; there are no results of it", err);
		r = -EAGAIN;
	} else if ((r = json ? output_json(&reading, &text) : output_markdown(&reading, &text)) < 0) {
		err_set(err, r, "no memory for the output");
	} else {
		fwrite(text.data, 1, text.n, stdout);
		if (reading.document.state != DOCUMENT_DONE) {
			describe_state(&reading.document, "; this was read before", err);
			fprintf(stderr, "skimctl: %s\n", err->text);
		}
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

	if (!parse(&query, PRINT_OPTIONS, argc, argv) || optind + 1 != argc)
		return skimctl_usage(SKIMCTL_SHOW_USAGE);
	if (open_store(&query, &store, &err) < 0)
		return skimctl_fail(&err);
	if ((r = docstore_resolve(store, argv[optind], &id, &err)) == 0)
		r = print_reading(store, id, query.json, &err);
	docstore_close(store);
	return r < 0 ? skimctl_fail(&err) : SKIMCTL_OK;
}

/* What is waited for. */
struct waiting {
	struct docstore *store;
	bool all; /* none was named: whatever is open */
	int64_t *
		ids; /* rising: those named, or open when the wait began. Only these count when they have failed */
	size_t n_ids, cap;
	size_t n_open, n_failed;
	uint64_t start_ns, timeout_ns; /* 0: for ever */
};

static bool is_over(const struct waiting *waiting, uint64_t ns)
{
	return ns > 0 && loop_now_ns() - waiting->start_ns >= ns;
}

static void pause_a_little(void)
{
	const struct timespec pause = { 0, (long)POLL_NS };

	nanosleep(&pause, NULL);
}

static int compare_ids(const void *a, const void *b)
{
	int64_t id = *(const int64_t *)a, other = *(const int64_t *)b;

	return (id > other) - (id < other);
}

static int add_id(struct waiting *waiting, int64_t id)
{
	if (array_grow(&waiting->ids, sizeof(*waiting->ids), waiting->n_ids, &waiting->cap) < 0)
		return -ENOMEM;
	waiting->ids[waiting->n_ids++] = id;
	return 0;
}

/* Still to be read, or done and its files still to be written. */
static bool is_open(const struct document *document)
{
	if (document->state == DOCUMENT_DONE)
		return document->output != NULL && !document->published && document->error == NULL;
	return document->state == DOCUMENT_QUEUED || document->state == DOCUMENT_READING;
}

static int add_open(void *user, const struct document *document)
{
	return is_open(document) ? add_id(user, document->id) : 0;
}

static int count_open(void *user, const struct document *document)
{
	struct waiting *waiting = user;
	bool known = waiting->n_ids > 0 && bsearch(&document->id, waiting->ids, waiting->n_ids,
	                                           sizeof(*waiting->ids), compare_ids) != NULL;

	waiting->n_open += is_open(document) && (known || waiting->all);
	waiting->n_failed += document->state == DOCUMENT_FAILED && known;
	return 0;
}

/* A file that was just dropped is not a document before it has settled. */
static int await_name(struct waiting *waiting, const char *word, struct err *err)
{
	uint64_t patience_ns = waiting->timeout_ns > 0 ? waiting->timeout_ns : APPEAR_NS;
	int64_t id;
	int r;

	while ((r = docstore_resolve(waiting->store, word, &id, err)) == -ENOENT &&
	       !is_over(waiting, patience_ns))
		pause_a_little();
	return r < 0 ? r : add_id(waiting, id);
}

static int await_names(struct waiting *waiting, char **words, int n, struct err *err)
{
	int r = 0;

	for (int i = 0; r == 0 && i < n; i++)
		r = await_name(waiting, words[i], err);
	if (n == 0)
		r = docstore_each(waiting->store, add_open, waiting, err);
	if (waiting->n_ids > 0)
		qsort(waiting->ids, waiting->n_ids, sizeof(*waiting->ids), compare_ids);
	return r;
}

static int await_end(struct waiting *waiting, struct err *err)
{
	for (;;) {
		waiting->n_open = waiting->n_failed = 0;
		if (docstore_each(waiting->store, count_open, waiting, err) < 0)
			return skimctl_fail(err);
		if (waiting->n_open == 0)
			return waiting->n_failed > 0 ? SKIMCTL_FAILED : SKIMCTL_OK;
		if (is_over(waiting, waiting->timeout_ns))
			return SKIMCTL_TIMEOUT;
		pause_a_little();
	}
}

int skimctl_wait(int argc, char **argv)
{
	struct query query = { 0 };
	struct waiting waiting = { .start_ns = loop_now_ns() };
	struct err err = { "" };
	int status, r;

	if (!parse(&query, WAIT_OPTIONS, argc, argv))
		return skimctl_usage(SKIMCTL_WAIT_USAGE);
	if (open_store(&query, &waiting.store, &err) < 0)
		return skimctl_fail(&err);
	waiting.all = optind == argc;
	waiting.timeout_ns = query.timeout_s * NS_PER_S;
	r = await_names(&waiting, argv + optind, argc - optind, &err);
	if (r == -ENOMEM)
		err_set(&err, r, "no memory for what is waited for");
	status = r == 0 ? await_end(&waiting, &err) : skimctl_fail(&err);
	if (r == -ENOENT && waiting.timeout_ns > 0)
		status = SKIMCTL_TIMEOUT;
	free(waiting.ids);
	docstore_close(waiting.store);
	return status;
}
