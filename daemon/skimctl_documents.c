/* skimctl list and show: by the daemon, or out of skimd.db where none is there. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "daemon/document_view.h"
#include "daemon/skimctl.h"

static void print_line(json_t *document)
{
	const char *error = skimctl_string(document, "error"),
		   *retry_at = skimctl_string(document, "retry_at");
	const json_t *eta = json_object_get(document, "eta_seconds");
	int64_t seconds = json_integer_value(eta);

	printf("%5" PRId64 "  %-8s %3.0f%%  %s%s%s", (int64_t)skimctl_integer(document, "id"),
	       skimctl_string(document, "state"),
	       100 * json_number_value(json_object_get(document, "progress")),
	       skimctl_string(document, "name"), error[0] == '\0' ? "" : ": ", error);
	if (retry_at[0] != '\0')
		printf(" (tried again at %s)", retry_at);
	if (json_is_integer(eta))
		printf(" (%" PRId64 ":%02d left)", seconds / 60, (int)(seconds % 60));
	putchar('\n');
}

static int print_document(void *user, json_t *document)
{
	const struct skimctl_query *query = user;

	if (document == NULL)
		return -ENOMEM;
	if (query->json)
		return skimctl_print_json(json_incref(document));
	print_line(document);
	return 0;
}

static int print_row(void *user, const struct document *row)
{
	json_t *document = document_view_json(row);
	int r = print_document(user, document);

	json_decref(document);
	return r;
}

static int list_by_reading(struct skimctl_query *query, struct err *err)
{
	struct docstore *store;
	int r = skimctl_open_store(query->config_path, &store, err);

	if (r < 0)
		return r;
	r = docstore_each(store, print_row, query, err);
	docstore_close(store);
	return r;
}

static int list_by_asking(struct skimctl_query *query, struct control_client *client, struct err *err)
{
	json_t *last = NULL;
	int r = skimctl_ask_each(client, "list", NULL, "document", print_document, query, &last, err);

	json_decref(last);
	return r;
}

int skimctl_list(int argc, char **argv)
{
	struct skimctl_query query = { 0 };
	struct control_client *client;
	struct err err = { "" };
	int r;

	if (!skimctl_parse(&query, argc, argv) || optind < argc)
		return skimctl_usage(SKIMCTL_LIST_USAGE);
	if (skimctl_connect(query.config_path, &client, NULL) < 0) {
		r = list_by_reading(&query, &err);
	} else {
		r = list_by_asking(&query, client, &err);
		control_client_close(client);
	}
	return r < 0 ? skimctl_fail(&err) : SKIMCTL_OK;
}

static int print_text(void *user, json_t *text)
{
	(void)user;
	fwrite(json_string_value(text), 1, json_string_length(text), stdout);
	return 0;
}

static int show_by_asking(const struct skimctl_query *query, struct control_client *client, const char *word,
                          struct err *ret_note, struct err *err)
{
	json_t *last = NULL, *args;
	int r = skimctl_name("document", word, &args, err);

	if (r < 0)
		return r;
	json_set(&args, "json", json_boolean(query->json));
	if (args == NULL)
		return err_set(err, -ENOMEM, "no memory for a request");
	r = skimctl_ask_each(client, "show", args, "text", print_text, NULL, &last, err);
	if (r == 0)
		err_set(ret_note, 0, "%s", skimctl_string(last, "note"));
	json_decref(last);
	return r;
}

static int show_by_reading(const struct skimctl_query *query, const char *word, struct err *ret_note,
                           struct err *err)
{
	struct buf text = { 0 };
	struct docstore *store;
	int64_t id;
	int r = skimctl_open_store(query->config_path, &store, err);

	if (r < 0)
		return r;
	if ((r = docstore_resolve(store, word, &id, err)) == 0 &&
	    (r = document_view_text(store, id, query->json, &text, ret_note, err)) == 0)
		fwrite(text.data, 1, text.n, stdout);
	buf_done(&text);
	docstore_close(store);
	return r;
}

int skimctl_show(int argc, char **argv)
{
	struct skimctl_query query = { 0 };
	struct control_client *client;
	struct err err = { "" }, note = { "" };
	int r;

	if (!skimctl_parse(&query, argc, argv) || optind + 1 != argc)
		return skimctl_usage(SKIMCTL_SHOW_USAGE);
	if (skimctl_connect(query.config_path, &client, NULL) < 0) {
		r = show_by_reading(&query, argv[optind], &note, &err);
	} else {
		r = show_by_asking(&query, client, argv[optind], &note, &err);
		control_client_close(client);
	}
	if (r == 0 && note.text[0] != '\0')
		skimctl_tell(&note);
	return r < 0 ? skimctl_fail(&err) : SKIMCTL_OK;
}
