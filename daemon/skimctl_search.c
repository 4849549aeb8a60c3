/* skimctl search, events and backup. The first two ask the daemon, and read skimd.db where none is there; the copy is made
 * here in any case, as it shall be the user's. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "daemon/document_view.h"
#include "daemon/skimctl.h"

#define MOST_HITS 20
#define MAX_HITS 1000
#define MOST_EVENTS 50
#define MAX_EVENTS 1000000

struct looking {
	bool json, follow, has_after; /* has_after: else the newest */
	const char *config_path;
	unsigned long after, limit; /* limit 0: as the command has it */
	void (*print)(json_t *item);
};

static const struct option OPTIONS[] = {
	{ "json", no_argument, NULL, 'j' },        { "config", required_argument, NULL, 'c' },
	{ "limit", required_argument, NULL, 'n' }, { "after", required_argument, NULL, 'a' },
	{ "follow", no_argument, NULL, 'f' },      { NULL, 0, NULL, 0 },
};

/* options: those that the command takes, as letters. */
static bool parse(struct looking *look, const char *options, unsigned long max, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:", OPTIONS, NULL)) != -1) {
		bool taken = option != '?' && strchr(options, option) != NULL;

		if (option == 'j')
			look->json = true;
		else if (option == 'c')
			look->config_path = optarg;
		else if (option == 'f')
			look->follow = true;
		else if (option == 'n')
			taken = taken && skimctl_number(optarg, 1, max, &look->limit);
		else if (option == 'a')
			taken = look->has_after = taken && skimctl_number(optarg, 0, INT64_MAX, &look->after);
		if (!taken)
			return false;
	}
	return true;
}

/* Who follows events wants each of them when it comes. */
static int print_item(void *user, json_t *item)
{
	const struct looking *look = user;

	if (item == NULL)
		return -ENOMEM;
	if (!look->json)
		look->print(item);
	else if (skimctl_print_json(json_incref(item)) < 0)
		return -ENOMEM;
	return look->follow && fflush(stdout) != 0 ? -EPIPE : 0;
}

static int ask(struct looking *look, struct control_client *client, const char *command, json_t *args,
               const char *key, struct err *err)
{
	json_t *last = NULL;
	int r = args == NULL ? err_set(err, -EINVAL, "the words are not UTF-8")
	                     : skimctl_ask_each(client, command, args, key, print_item, look, &last, err);

	json_decref(last);
	return r;
}

/* Ends a look: the words where it could not be written. */
static int finish(int r, struct err *err)
{
	if (r < 0 && err->text[0] == '\0')
		err_set(err, r, "no memory for the output");
	return r < 0 ? skimctl_fail(err) : SKIMCTL_OK;
}

static void print_hit(json_t *hit)
{
	const json_t *chunk = json_object_get(hit, "chunk");
	const char *section = skimctl_text(hit, "section");

	printf("%5" PRId64 "  %s", (int64_t)skimctl_integer(hit, "document"), skimctl_string(hit, "name"));
	if (json_is_integer(chunk))
		printf(", part %" PRId64, (int64_t)json_integer_value(chunk) + 1);
	if (section[0] != '\0')
		printf(", %s", section);
	printf(" (%s): %s\n", skimctl_string(hit, "kind"), skimctl_text(hit, "snippet"));
}

static int see_hit(void *user, const struct search_hit *hit)
{
	json_t *item = document_view_hit(hit);
	int r = print_item(user, item);

	json_decref(item);
	return r;
}

static int search_by_reading(struct looking *look, const char *words, struct err *err)
{
	struct docstore *store;
	int r = skimctl_open_store(look->config_path, &store, err);

	if (r < 0)
		return r;
	r = docstore_search(store, words, look->limit, see_hit, look, err);
	docstore_close(store);
	return r;
}

static int search(struct looking *look, const char *words, struct err *err)
{
	struct control_client *client;
	int r;

	if (skimctl_connect(look->config_path, &client, NULL) < 0)
		return search_by_reading(look, words, err);
	r = ask(look, client, "search",
	        json_pack("{s:s, s:I}", "words", words, "limit", (json_int_t)look->limit), "hit", err);
	control_client_close(client);
	return r;
}

int skimctl_search(int argc, char **argv)
{
	struct looking look = { .limit = MOST_HITS, .print = print_hit };
	struct buf words = { 0 };
	struct err err = { "" };
	int r;

	if (!parse(&look, "jcn", MAX_HITS, argc, argv) || optind == argc)
		return skimctl_usage(SKIMCTL_SEARCH_USAGE);
	for (int i = optind; i < argc; i++)
		buf_printf(&words, "%s%s", i == optind ? "" : " ", argv[i]);
	r = buf_status(&words) < 0 ? -ENOMEM : search(&look, words.data, &err);
	buf_done(&words);
	return finish(r, &err);
}

static void print_event(json_t *event)
{
	printf("%5" PRId64 "  %s  %-7s  ", (int64_t)skimctl_integer(event, "id"), skimctl_string(event, "at"),
	       skimctl_string(event, "level"));
	if (json_is_integer(json_object_get(event, "document")))
		printf("document %" PRId64 ": ", (int64_t)skimctl_integer(event, "document"));
	puts(skimctl_string(event, "message"));
}

static int see_event(void *user, const struct document_event *event)
{
	json_t *item = document_view_event(event);
	int r = print_item(user, item);

	json_decref(item);
	return r;
}

static int events_by_reading(struct looking *look, struct err *err)
{
	struct docstore *store;
	int r = skimctl_open_store(look->config_path, &store, err);

	if (r < 0)
		return r;
	r = docstore_events(store, look->has_after ? (int64_t)look->after : -1, look->limit, see_event, look,
	                    err);
	docstore_close(store);
	return r;
}

static int events_by_asking(struct looking *look, struct control_client *client, struct err *err)
{
	return ask(look, client, "events",
	           json_pack("{s:I, s:I, s:b}", "after", look->has_after ? (json_int_t)look->after : -1,
	                     "limit", (json_int_t)look->limit, "follow", (int)look->follow),
	           "event", err);
}

/* The newest; or, behind an event that was seen, all that came since. Only a daemon can say what comes. */
int skimctl_events(int argc, char **argv)
{
	struct looking look = { .print = print_event };
	struct control_client *client = NULL;
	struct err err = { "" };
	int r;

	if (!parse(&look, "jcnaf", MAX_EVENTS, argc, argv) || optind < argc)
		return skimctl_usage(SKIMCTL_EVENTS_USAGE);
	if (look.limit == 0)
		look.limit = look.has_after ? MAX_EVENTS : MOST_EVENTS;
	r = skimctl_connect(look.config_path, &client, &err);
	if (r == 0)
		r = events_by_asking(&look, client, &err);
	else if (!look.follow)
		r = events_by_reading(&look, &err);
	control_client_close(client);
	return finish(r, &err);
}

int skimctl_backup(int argc, char **argv)
{
	struct looking look = { 0 };
	struct docstore *store = NULL;
	struct err err = { "" };
	int r;

	if (!parse(&look, "c", 0, argc, argv) || optind + 1 != argc)
		return skimctl_usage(SKIMCTL_BACKUP_USAGE);
	r = skimctl_open_store(look.config_path, &store, &err);
	if (r == 0)
		r = docstore_backup(store, argv[optind], &err);
	docstore_close(store);
	return finish(r, &err);
}
