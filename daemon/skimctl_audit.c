/* skimctl audit and report: by the daemon, or out of skimd.db where none is there. */
#include <errno.h>
#include <getopt.h>

#include "base/buf.h"
#include "base/file.h"
#include "daemon/audit_text.h"
#include "daemon/skimctl.h"

#define REPORT_MODE 0640

struct order {
	enum audit_form form;
	const char *config_path, *to, *word; /* word NULL: all documents; to NULL: standard output */
};

static const struct option OPTIONS[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "config", required_argument, NULL, 'c' },
	{ "output", required_argument, NULL, 'o' },
	{ NULL, 0, NULL, 0 },
};

static bool parse(struct order *order, int argc, char **argv)
{
	bool is_report = order->form == AUDIT_REPORT;
	int option;

	while ((option = getopt_long(argc, argv, is_report ? "c:o:" : "c:", OPTIONS, NULL)) != -1) {
		if (option == 'j' && !is_report)
			order->form = AUDIT_JSON;
		else if (option == 'c')
			order->config_path = optarg;
		else if (option == 'o' && is_report)
			order->to = optarg;
		else
			return false;
	}
	order->word = optind < argc ? argv[optind] : NULL;
	return optind + 1 == argc || (optind == argc && !is_report);
}

static int add_text(void *user, json_t *text)
{
	buf_append(user, json_string_value(text), json_string_length(text));
	return buf_status(user);
}

static json_t *args_of(const struct order *order)
{
	if (order->form == AUDIT_REPORT)
		return json_pack("{s:s}", "document", order->word);
	return json_pack("{s:s*, s:b}", "document", order->word, "json", order->form == AUDIT_JSON);
}

static int get_by_asking(const struct order *order, struct control_client *client, struct buf *ret,
                         struct err *err)
{
	json_t *last = NULL, *args = args_of(order);
	int r = args == NULL ? err_set(err, -EINVAL, "'%s' is not UTF-8: name the document by its number",
	                               order->word)
	                     : skimctl_ask_each(client, order->form == AUDIT_REPORT ? "report" : "audit",
	                                        args, "text", add_text, ret, &last, err);

	json_decref(last);
	return r;
}

static int get_by_reading(const struct order *order, struct buf *ret, struct err *err)
{
	struct docstore *store;
	int r = skimctl_open_store(order->config_path, &store, err);

	if (r < 0)
		return r;
	r = audit_text(store, order->word, order->form, ret, err);
	docstore_close(store);
	return r;
}

static int get(const struct order *order, struct buf *ret, struct err *err)
{
	struct control_client *client;
	int r;

	if (skimctl_connect(order->config_path, &client, NULL) < 0)
		return get_by_reading(order, ret, err);
	r = get_by_asking(order, client, ret, err);
	control_client_close(client);
	return r;
}

static int carry_out(struct order *order)
{
	struct buf text = { 0 };
	struct err err = { "" };
	int r = get(order, &text, &err);

	if (r == 0 && order->to != NULL)
		r = file_replace(order->to, text.data, text.n, REPORT_MODE, &err);
	else if (r == 0)
		fwrite(text.data, 1, text.n, stdout);
	buf_done(&text);
	if (r < 0 && err.text[0] == '\0')
		err_set(&err, r, "no memory for the output");
	return r < 0 ? skimctl_fail(&err) : SKIMCTL_OK;
}

int skimctl_audit(int argc, char **argv)
{
	struct order order = { .form = AUDIT_WORDS };

	return parse(&order, argc, argv) ? carry_out(&order) : skimctl_usage(SKIMCTL_AUDIT_USAGE);
}

int skimctl_report(int argc, char **argv)
{
	struct order order = { .form = AUDIT_REPORT };

	return parse(&order, argc, argv) ? carry_out(&order) : skimctl_usage(SKIMCTL_REPORT_USAGE);
}
