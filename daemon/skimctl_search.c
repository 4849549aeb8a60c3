/* skimctl search, events and backup: read skimd.db, whether a daemon runs or not. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "daemon/skimctl.h"
#include "store/docstore.h"

#define MOST_HITS 20
#define MOST_EVENTS 50
#define LIMIT 1000000

struct look {
	bool json;
	const char *config_path;
	unsigned long n_most; /* 0: as the command has it */
	unsigned long after;
	bool has_after; /* else the newest */
	struct docstore *store;
};

static const struct option OPTIONS[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "config", required_argument, NULL, 'c' },
	{ "limit", required_argument, NULL, 'n' },
	{ "after", required_argument, NULL, 'a' },
	{ NULL, 0, NULL, 0 },
};

/* options: those that the command takes, as letters. */
static bool parse(struct look *look, const char *options, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:", OPTIONS, NULL)) != -1) {
		bool taken = option != '?' && strchr(options, option) != NULL;

		if (option == 'j')
			look->json = true;
		else if (option == 'c')
			look->config_path = optarg;
		else if (option == 'n')
			taken = taken && skimctl_number(optarg, 1, LIMIT, &look->n_most);
		else if (option == 'a')
			taken = look->has_after = taken && skimctl_number(optarg, 0, INT64_MAX, &look->after);
		if (!taken)
			return false;
	}
	return true;
}

static int open_store(struct look *look, struct err *err)
{
	char path[PATH_MAX];
	struct docstore_settings settings = { .path = path, .mode = DOCSTORE_READ };
	int r = skimctl_find_store(look->config_path, path, err);

	return r < 0 ? r : docstore_open(&settings, &look->store, err);
}

/* A line of words that came from files: no control character gets to the terminal. */
static int print_line(struct buf *line)
{
	int r = buf_status(line);

	if (r == 0) {
		text_printable(line->data);
		puts(line->data);
	}
	buf_done(line);
	return r;
}

static json_t *hit_json(const struct search_hit *hit)
{
	return json_pack("{s:I, s:o, s:o, s:s, s:o, s:s, s:o, s:o, s:f}", "document",
	                 (json_int_t)hit->document_id, "name", json_of_bytes(hit->name), "path",
	                 json_of_bytes(hit->path), "state", document_state_name(hit->state), "chunk",
	                 hit->chunk < 0 ? json_null() : json_integer(hit->chunk), "kind", hit->kind,
	                 "section", hit->section == NULL ? json_null() : json_of_bytes(hit->section),
	                 "snippet", json_of_bytes(hit->snippet), "score", hit->score);
}

static int print_hit(void *user, const struct search_hit *hit)
{
	const struct look *look = user;
	struct buf line = { 0 };

	if (look->json)
		return skimctl_print_json(hit_json(hit));
	buf_printf(&line, "%5" PRId64 "  %s", hit->document_id, hit->name);
	if (hit->chunk >= 0)
		buf_printf(&line, ", part %" PRId64, hit->chunk + 1);
	if (hit->section != NULL)
		buf_printf(&line, ", %s", hit->section);
	buf_printf(&line, " (%s): %s", hit->kind, hit->snippet);
	return print_line(&line);
}

static int join_words(char **words, int n, struct buf *ret)
{
	for (int i = 0; i < n; i++)
		buf_printf(ret, "%s%s", i == 0 ? "" : " ", words[i]);
	return buf_status(ret);
}

/* Ends a look: the words where it could not be written. */
static int finish(struct look *look, int r, struct err *err)
{
	docstore_close(look->store);
	if (r < 0 && err->text[0] == '\0')
		err_set(err, r, "no memory for the output");
	return r < 0 ? skimctl_fail(err) : SKIMCTL_OK;
}

int skimctl_search(int argc, char **argv)
{
	struct look look = { .n_most = MOST_HITS };
	struct buf words = { 0 };
	struct err err = { "" };
	int r;

	if (!parse(&look, "jcn", argc, argv) || optind == argc)
		return skimctl_usage(SKIMCTL_SEARCH_USAGE);
	r = open_store(&look, &err);
	if (r == 0)
		r = join_words(argv + optind, argc - optind, &words);
	if (r == 0)
		r = docstore_search(look.store, words.data, look.n_most, print_hit, &look, &err);
	buf_done(&words);
	return finish(&look, r, &err);
}

static int print_event(void *user, const struct document_event *event)
{
	const struct look *look = user;
	struct buf line = { 0 };

	if (look->json)
		return skimctl_print_json(
			json_pack("{s:I, s:s, s:s, s:o, s:o}", "id", (json_int_t)event->id, "at", event->at,
		                  "level", event->level, "document",
		                  event->document_id == 0 ? json_null() : json_integer(event->document_id),
		                  "message", json_of_bytes(event->message)));
	buf_printf(&line, "%5" PRId64 "  %s  %-7s  ", event->id, event->at, event->level);
	if (event->document_id != 0)
		buf_printf(&line, "document %" PRId64 ": ", event->document_id);
	buf_puts(&line, event->message);
	return print_line(&line);
}

/* The newest; or, behind an event that was seen, all that came since. */
int skimctl_events(int argc, char **argv)
{
	struct look look = { 0 };
	struct err err = { "" };
	size_t n_most;
	int r;

	if (!parse(&look, "jcna", argc, argv) || optind < argc)
		return skimctl_usage(SKIMCTL_EVENTS_USAGE);
	n_most = look.n_most > 0 ? look.n_most : look.has_after ? LIMIT : MOST_EVENTS;
	r = open_store(&look, &err);
	if (r == 0)
		r = docstore_events(look.store, look.has_after ? (int64_t)look.after : -1, n_most,
		                    print_event, &look, &err);
	return finish(&look, r, &err);
}

int skimctl_backup(int argc, char **argv)
{
	struct look look = { 0 };
	struct err err = { "" };
	int r;

	if (!parse(&look, "c", argc, argv) || optind + 1 != argc)
		return skimctl_usage(SKIMCTL_BACKUP_USAGE);
	r = open_store(&look, &err);
	if (r == 0)
		r = docstore_backup(look.store, argv[optind], &err);
	return finish(&look, r, &err);
}
