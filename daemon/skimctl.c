/* skimctl: reads files, asks the daemon's database, runs models. */
#include "daemon/skimctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/text.h"
#include "daemon/loop.h"

static const struct {
	const char *word;
	int (*run)(int argc, char **argv);
	const char *what, *usage;
} COMMANDS[] = {
	{ "read", skimctl_read, "read files here and now, without a daemon", SKIMCTL_READ_USAGE },
	{ "list", skimctl_list, "documents and their states", SKIMCTL_LIST_USAGE },
	{ "ask", skimctl_ask_question, "a question about a document, or about all", SKIMCTL_ASK_USAGE },
	{ "show", skimctl_show, "what was read of a document", SKIMCTL_SHOW_USAGE },
	{ "audit", skimctl_audit, "what was looked at in a document, and what not", SKIMCTL_AUDIT_USAGE },
	{ "report", skimctl_report, "the same as a page for a browser", SKIMCTL_REPORT_USAGE },
	{ "wait", skimctl_wait, "until documents are done", SKIMCTL_WAIT_USAGE },
	{ "search", skimctl_search, "where words stand in texts and results", SKIMCTL_SEARCH_USAGE },
	{ "events", skimctl_events, "what happened", SKIMCTL_EVENTS_USAGE },
	{ "add", skimctl_add, "give files to the daemon", SKIMCTL_ADD_USAGE },
	{ "status", skimctl_status, "what the daemon is doing", SKIMCTL_STATUS_USAGE },
	{ "pause", skimctl_pause, "have the daemon stop reading", SKIMCTL_PAUSE_USAGE },
	{ "resume", skimctl_resume, "and have it go on", SKIMCTL_RESUME_USAGE },
	{ "rescan", skimctl_rescan, "have it look through its folders now", SKIMCTL_RESCAN_USAGE },
	{ "retry", skimctl_retry, "try again what failed or was ignored", SKIMCTL_RETRY_USAGE },
	{ "reread", skimctl_reread, "read anew what is done", SKIMCTL_REREAD_USAGE },
	{ "forget", skimctl_forget, "remove all that is known of documents", SKIMCTL_FORGET_USAGE },
	{ "export", skimctl_export, "documents and results for other programs", SKIMCTL_EXPORT_USAGE },
	{ "backup", skimctl_backup, "copy the database, whole", SKIMCTL_BACKUP_USAGE },
	{ "cache", skimctl_cache, "what is kept of readings, and dropping it", SKIMCTL_CACHE_USAGE },
	{ "allow", skimctl_allow, "open the service's sandbox for a folder", SKIMCTL_ALLOW_USAGE },
	{ "model", skimctl_model, "info, verify, run, bench: a model by itself", SKIMCTL_MODEL_USAGE },
};

void skimctl_tell(const struct err *err)
{
	struct err fit = *err;

	text_printable(fit.text);
	fprintf(stderr, "skimctl: %s\n", fit.text);
}

int skimctl_fail(const struct err *err)
{
	skimctl_tell(err);
	return SKIMCTL_FAILED;
}

int skimctl_in_use(const char *path, struct err *err)
{
	return err_set(
		err, -EBUSY,
		"%s: in use by another process: stop the daemon, or wait for 'skimctl read', and try again",
		path);
}

int skimctl_usage(const char *usage)
{
	fprintf(stderr, "usage: %s\n", usage);
	return SKIMCTL_USAGE;
}

static const struct option QUERY_OPTIONS[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "config", required_argument, NULL, 'c' },
	{ NULL, 0, NULL, 0 },
};

bool skimctl_parse(struct skimctl_query *query, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:", QUERY_OPTIONS, NULL)) != -1) {
		if (option == 'j')
			query->json = true;
		else if (option == 'c')
			query->config_path = optarg;
		else
			return false;
	}
	return true;
}

/* "": there is none. */
static const char *make_fit(json_t *value, void (*mend)(char *text))
{
	const char *text = json_string_value(value);
	char *fit = text == NULL ? NULL : strdup(text);

	if (fit == NULL)
		return "";
	mend(fit);
	json_string_set(value, fit);
	free(fit);
	return json_string_value(value);
}

const char *skimctl_string(json_t *object, const char *key)
{
	return make_fit(json_object_get(object, key), text_printable);
}

const char *skimctl_text(json_t *object, const char *key)
{
	return make_fit(json_object_get(object, key), text_join_lines);
}

json_int_t skimctl_integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

int skimctl_print_json(json_t *json)
{
	struct buf line = { 0 };
	int r = json_put(json, JSON_COMPACT | JSON_REAL_PRECISION(6), &line);

	if (r == 0)
		fputs(line.data, stdout);
	buf_done(&line);
	return r;
}

uint64_t skimctl_left_ns(uint64_t start_ns, uint64_t timeout_ns)
{
	uint64_t gone_ns = loop_now_ns() - start_ns;

	return timeout_ns == 0 ? UINT64_MAX : timeout_ns > gone_ns ? timeout_ns - gone_ns : 0;
}

bool skimctl_number(const char *word, unsigned long min, unsigned long max, unsigned long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoul(word, &end, 10);
	return errno == 0 && end != word && *end == '\0' && *word != '-' && *ret >= min && *ret <= max;
}

static int help(FILE *stream, int status)
{
	fprintf(stream, "usage: skimctl COMMAND [ARGUMENT ...]\n\n");
	for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++)
		fprintf(stream, "  %-7s %s\n", COMMANDS[i].word, COMMANDS[i].what);
	fprintf(stream, "\nSee skimctl(1).\n");
	return status;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return true;
	}
	return false;
}

static int run(int argc, char **argv)
{
	if (argc < 2)
		return help(stderr, SKIMCTL_USAGE);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return help(stdout, SKIMCTL_OK);
	if (strcmp(argv[1], "--version") == 0) {
		puts("skimctl " PACKAGE_VERSION);
		return SKIMCTL_OK;
	}
	for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
		if (strcmp(argv[1], COMMANDS[i].word) != 0)
			continue;
		if (!asks_for_help(argc - 1, argv + 1))
			return COMMANDS[i].run(argc - 1, argv + 1);
		printf("usage: %s\n", COMMANDS[i].usage);
		return SKIMCTL_OK;
	}
	fprintf(stderr, "skimctl: '%s' is not a command\n", argv[1]);
	return help(stderr, SKIMCTL_USAGE);
}

int main(int argc, char **argv)
{
	int status;

	umask(027);
	status = run(argc, argv);
	errno = 0;
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "skimctl: cannot write to standard output: %s\n",
		        strerror(errno != 0 ? errno : EIO));
		return status == SKIMCTL_OK ? SKIMCTL_FAILED : status;
	}
	return status;
}
