/* skimctl wait: the daemon says when; where none is there, skimd.db is looked at again and again. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "daemon/document_view.h"
#include "daemon/loop.h"
#include "daemon/skimctl.h"
#include "daemon/units.h"

#define POLL_NS (200 * NS_PER_MS)
#define APPEAR_NS (60 * NS_PER_S) /* for a document that is waited for and not known yet, without --timeout */

struct waiting {
	const char *config_path;
	unsigned long timeout_s; /* 0: for ever */
	uint64_t start_ns, timeout_ns; /* likewise */
	struct control_client *client; /* or NULL, and */
	struct docstore *store;

	bool all; /* none was named: whatever is open */
	/* Rising. By looking: those named, or open when the wait began; only these count when they have failed. By asking
	 * for all: those that had failed by then, and do not count. */
	int64_t *ids;
	size_t n_ids, cap;
	size_t n_open, n_failed;
};

static const struct option OPTIONS[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "timeout", required_argument, NULL, 't' },
	{ NULL, 0, NULL, 0 },
};

static bool parse(struct waiting *waiting, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:", OPTIONS, NULL)) != -1) {
		if (option == 'c')
			waiting->config_path = optarg;
		else if (option != 't' || !skimctl_number(optarg, 1, 1u << 30, &waiting->timeout_s))
			return false;
	}
	return true;
}

static bool is_over(const struct waiting *waiting, uint64_t ns)
{
	return ns > 0 && loop_now_ns() - waiting->start_ns >= ns;
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

static bool is_known(const struct waiting *waiting, int64_t id)
{
	return waiting->n_ids > 0 &&
	       bsearch(&id, waiting->ids, waiting->n_ids, sizeof(*waiting->ids), compare_ids) != NULL;
}

/* --- by looking */

static void pause_a_little(void)
{
	const struct timespec pause = { 0, (long)POLL_NS };

	nanosleep(&pause, NULL);
}

static int add_open(void *user, const struct document *document)
{
	return document_view_is_open(document) ? add_id(user, document->id) : 0;
}

static int count_open(void *user, const struct document *document)
{
	struct waiting *waiting = user;
	bool known = is_known(waiting, document->id);

	waiting->n_open += document_view_is_open(document) && (known || waiting->all);
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
		int r;

		waiting->n_open = waiting->n_failed = 0;
		if ((r = docstore_each(waiting->store, count_open, waiting, err)) < 0)
			return r;
		if (waiting->n_open == 0)
			return 0;
		if (is_over(waiting, waiting->timeout_ns))
			return err_set(err, -ETIMEDOUT, "not done in time");
		pause_a_little();
	}
}

/* --- by asking */

static bool is_failed_row(const json_t *document)
{
	const char *state = json_string_value(json_object_get(document, "state"));

	return state != NULL && strcmp(state, "failed") == 0;
}

static int add_failed_row(void *user, json_t *document)
{
	return is_failed_row(document) ? add_id(user, skimctl_integer(document, "id")) : 0;
}

static int count_failed_row(void *user, json_t *document)
{
	struct waiting *waiting = user;

	waiting->n_failed += is_failed_row(document) && !is_known(waiting, skimctl_integer(document, "id"));
	return 0;
}

/* A document is waited for in two steps: that it is known, and that it has ended. */
static int await_document(struct waiting *waiting, const char *word, struct err *err)
{
	uint64_t patience_ns = waiting->timeout_ns > 0 ? waiting->timeout_ns : APPEAR_NS;
	json_t *args, *reply;
	int r;

	if ((r = skimctl_name("document", word, &args, err)) < 0 ||
	    (r = control_client_ask(waiting->client, "wait", args, err)) < 0)
		return r;
	do {
		r = control_client_receive(waiting->client, skimctl_left_ns(waiting->start_ns, patience_ns),
		                           &reply, err);
		if (r == -ETIMEDOUT && patience_ns != waiting->timeout_ns)
			return err_set(err, -ENOENT, "no document is named '%s'", word);
		if (r < 0)
			return r;
		patience_ns = waiting->timeout_ns;
		waiting->n_failed += is_failed_row(json_object_get(reply, "document"));
		json_decref(reply);
	} while (r > 0);
	return r;
}

static int each_row(struct waiting *waiting, int (*each)(void *user, json_t *document), struct err *err)
{
	json_t *last = NULL;
	int r = skimctl_ask_each(waiting->client, "list", NULL, "document", each, waiting, &last, err);

	json_decref(last);
	return r;
}

/* Also for files that are no documents yet, so that what counts as failed is what had not when the wait began. */
static int await_all(struct waiting *waiting, struct err *err)
{
	json_t *reply = NULL;
	int r;

	if ((r = each_row(waiting, add_failed_row, err)) < 0 ||
	    (r = control_client_ask(waiting->client, "wait", NULL, err)) < 0 ||
	    (r = control_client_receive(waiting->client,
	                                skimctl_left_ns(waiting->start_ns, waiting->timeout_ns), &reply,
	                                err)) < 0)
		return r;
	json_decref(reply);
	return each_row(waiting, count_failed_row, err);
}

static int await_by_asking(struct waiting *waiting, char **words, int n, struct err *err)
{
	int r = n == 0 ? await_all(waiting, err) : 0;

	for (int i = 0; r == 0 && i < n; i++)
		r = await_document(waiting, words[i], err);
	return r;
}

static int await_by_looking(struct waiting *waiting, char **words, int n, struct err *err)
{
	int r = skimctl_open_store(waiting->config_path, &waiting->store, err);

	if (r < 0)
		return r;
	waiting->n_ids = waiting->n_failed = 0;
	if ((r = await_names(waiting, words, n, err)) == 0)
		r = await_end(waiting, err);
	if (r == -ENOENT && waiting->timeout_ns > 0)
		r = -ETIMEDOUT;
	return r;
}

int skimctl_wait(int argc, char **argv)
{
	struct waiting waiting = { .start_ns = loop_now_ns() };
	struct err err = { "" };
	int r;

	if (!parse(&waiting, argc, argv))
		return skimctl_usage(SKIMCTL_WAIT_USAGE);
	waiting.all = optind == argc;
	waiting.timeout_ns = waiting.timeout_s * NS_PER_S;
	r = skimctl_connect(waiting.config_path, &waiting.client, NULL);
	if (r == 0)
		r = await_by_asking(&waiting, argv + optind, argc - optind, &err);
	if (waiting.client == NULL ||
	    r == -EPIPE) /* none is there, or it ended: another may go on with its work */
		r = await_by_looking(&waiting, argv + optind, argc - optind, &err);
	if (r == -ENOMEM)
		err_set(&err, r, "no memory for what is waited for");
	free(waiting.ids);
	docstore_close(waiting.store);
	control_client_close(waiting.client);
	if (r == -ETIMEDOUT)
		return SKIMCTL_TIMEOUT;
	return r < 0 ? skimctl_fail(&err) : waiting.n_failed > 0 ? SKIMCTL_FAILED : SKIMCTL_OK;
}
