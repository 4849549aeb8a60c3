/* skimctl status, pause, resume and rescan: what only a daemon can be asked. */
#include <getopt.h>
#include <inttypes.h>

#include "daemon/skimctl.h"
#include "daemon/wal_alarm.h"

static void print_reading(json_t *reading)
{
	int64_t done = skimctl_integer(reading, "tokens_done"),
		total = skimctl_integer(reading, "tokens_total");
	const json_t *eta = json_object_get(reading, "eta_seconds");

	printf("%-10s '%s'", json_is_null(json_object_get(reading, "question")) ? "reading" : "answering",
	       skimctl_string(reading, "name"));
	if (skimctl_string(reading, "stage")[0] != '\0')
		printf(", stage %s", skimctl_string(reading, "stage"));
	if (total > 0)
		printf(", %" PRId64 " of %" PRId64 " tokens", done, total);
	if (json_is_integer(eta))
		printf(", about %" PRId64 " s left", (int64_t)json_integer_value(eta));
	putchar('\n');
}

static void print_counts(const char *of, json_t *counts)
{
	const char *state;
	json_t *n;

	printf("%-10s", of);
	json_object_foreach(counts, state, n)
		printf(" %" PRId64 " %s", (int64_t)json_integer_value(n), state);
	putchar('\n');
}

/* What was asked of documents that are not there. */
static void print_asking(json_t *asking)
{
	json_t *files = json_object_get(asking, "files"), *file;
	int64_t n_rows = skimctl_integer(asking, "n_rows"), n_files = skimctl_integer(asking, "n_files");
	size_t i;

	if (n_rows > 0)
		printf("%-10s %" PRId64 " questions of %s, for their documents\n", "waiting", n_rows,
		       skimctl_string(asking, "inbox"));
	json_array_foreach(files, i, file)
		printf("%-10s %s, for its document\n", "waiting", json_string_value(file));
	if ((size_t)n_files > json_array_size(files))
		printf("%-10s and %zu more\n", "waiting", (size_t)n_files - json_array_size(files));
}

static void print_folder(json_t *folder)
{
	json_t *unsettled = json_object_get(folder, "unsettled"), *file;
	int64_t n = skimctl_integer(folder, "n_unsettled");
	size_t i;

	printf("%-10s %s, %" PRId64 " files, %" PRId64 " unsettled%s\n", "folder",
	       skimctl_string(folder, "path"), (int64_t)skimctl_integer(folder, "files"), n,
	       skimctl_integer(folder, "remote_folders") > 0 ? ", on a network: scanned every half minute"
	                                                     : "");
	json_array_foreach(unsettled, i, file)
		printf("%-10s %s, for %" PRId64 " s\n", "unsettled", skimctl_string(file, "path"),
	               (int64_t)skimctl_integer(file, "seconds"));
	if ((size_t)n > json_array_size(unsettled))
		printf("%-10s and %zu more\n", "unsettled", (size_t)n - json_array_size(unsettled));
}

static void print_wal(const json_t *status)
{
	json_int_t n = skimctl_integer(status, "wal_bytes");

	if (n >= WAL_ALARM_BYTES)
		printf("%-10s %" PRId64
		       " MB of skimd.db-wal: a program may be reading the database without an end\n",
		       "reader", (int64_t)n >> 20);
}

static void print_status(json_t *status)
{
	json_t *reading = json_object_get(status, "reading"), *cache = json_object_get(status, "cache");
	json_t *folders = json_object_get(status, "folders"), *folder;
	size_t i;

	printf("%-10s %s, up %" PRId64 " s%s\n", "skimd", skimctl_string(status, "version"),
	       (int64_t)skimctl_integer(status, "uptime_seconds"),
	       json_is_true(json_object_get(status, "paused")) ? ", paused" : "");
	printf("%-10s %s\n", "model", skimctl_string(status, "model"));
	if (skimctl_string(status, "store_error")[0] != '\0')
		printf("%-10s %s; trying again\n", "store", skimctl_string(status, "store_error"));
	if (json_is_object(reading))
		print_reading(reading);
	print_counts("documents", json_object_get(status, "documents"));
	print_counts("questions", json_object_get(status, "questions"));
	print_asking(json_object_get(status, "asking"));
	json_array_foreach(folders, i, folder) print_folder(folder);
	printf("%-10s %" PRId64 " blocks, %" PRId64 " bytes, %" PRId64 " hits, %" PRId64 " misses\n", "cache",
	       (int64_t)skimctl_integer(cache, "entries"), (int64_t)skimctl_integer(cache, "bytes"),
	       (int64_t)skimctl_integer(cache, "hits"), (int64_t)skimctl_integer(cache, "misses"));
	print_wal(status);
}

/* What the daemon answered, without what is the protocol's. */
static int print_answer(const struct skimctl_query *query, json_t *answer, void (*print)(json_t *answer))
{
	json_object_del(answer, "id");
	json_object_del(answer, "ok");
	if (query->json)
		return skimctl_print_json(answer);
	print(answer);
	json_decref(answer);
	return 0;
}

static int run(int argc, char **argv, const char *command, const char *usage, void (*print)(json_t *answer))
{
	struct skimctl_query query = { 0 };
	struct control_client *client;
	struct err err = { "" };
	json_t *answer;
	int r;

	if (!skimctl_parse(&query, argc, argv) || optind < argc)
		return skimctl_usage(usage);
	if (skimctl_connect(query.config_path, &client, &err) < 0)
		return skimctl_fail(&err);
	r = skimctl_ask(client, command, NULL, &answer, &err);
	control_client_close(client);
	if (r < 0)
		return skimctl_fail(&err);
	return print_answer(&query, answer, print) < 0 ? SKIMCTL_FAILED : SKIMCTL_OK;
}

static void print_pause(json_t *answer)
{
	puts(json_is_true(json_object_get(answer, "paused")) ? "paused: documents are queued and not read"
	                                                     : "reading goes on");
}

static void print_rescan(json_t *answer)
{
	int64_t n = skimctl_integer(answer, "folders");

	printf("%" PRId64 " folder%s will be scanned\n", n, n == 1 ? "" : "s");
}

int skimctl_status(int argc, char **argv)
{
	return run(argc, argv, "status", SKIMCTL_STATUS_USAGE, print_status);
}

int skimctl_pause(int argc, char **argv)
{
	return run(argc, argv, "pause", SKIMCTL_PAUSE_USAGE, print_pause);
}

int skimctl_resume(int argc, char **argv)
{
	return run(argc, argv, "resume", SKIMCTL_RESUME_USAGE, print_pause);
}

int skimctl_rescan(int argc, char **argv)
{
	return run(argc, argv, "rescan", SKIMCTL_RESCAN_USAGE, print_rescan);
}
