/* skimctl cache: what kv.db says of itself, and dropping from it; by the daemon where one is there, as it has the file. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <unistd.h>

#include "daemon/cache_view.h"
#include "daemon/skimctl.h"
#include "store/docstore.h"
#include "store/kvstore.h"

struct request {
	bool json, clear;
	const char *config_path, *drop; /* drop: a document */
	char path[PATH_MAX];
	uint64_t budget_bytes;
};

static const struct option OPTIONS[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "drop", required_argument, NULL, 'd' },
	{ "clear", no_argument, NULL, 'x' },
	{ "config", required_argument, NULL, 'c' },
	{ NULL, 0, NULL, 0 },
};

static bool parse(struct request *request, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:", OPTIONS, NULL)) != -1) {
		if (option == 'j')
			request->json = true;
		else if (option == 'd')
			request->drop = optarg;
		else if (option == 'x')
			request->clear = true;
		else if (option == 'c')
			request->config_path = optarg;
		else
			return false;
	}
	return optind == argc && !(request->clear && request->drop != NULL);
}

static void print_count(const char *name, const json_t *counts, const char *key)
{
	printf("%-16s %" PRIu64 "\n", name, (uint64_t)skimctl_integer(counts, key));
}

static void print_counts(const json_t *counts)
{
	print_count("entries", counts, "entries");
	print_count("bytes", counts, "bytes");
	print_count("file bytes", counts, "file_bytes");
	print_count("budget bytes", counts, "budget_bytes");
	print_count("hits", counts, "hits");
	print_count("misses", counts, "misses");
	print_count("damaged", counts, "damaged");
	print_count("set aside", counts, "set_aside");
	print_count("stored", counts, "stored");
	print_count("evicted", counts, "evicted");
	printf("%-16s %.1f\n", "bytes/token", json_number_value(json_object_get(counts, "bytes_per_token")));
}

/* Whoever may not read the file asks the daemon. A cache that was never made has nothing in it. */
static int show(const struct request *request, struct control_client *client, struct err *err)
{
	json_t *answer = NULL, *counts = NULL;
	int r = client == NULL ? cache_view_json(request->path, request->budget_bytes, &counts, err)
	                       : skimctl_ask(client, "cache", NULL, &answer, err);

	if (r < 0)
		return r;
	if (client != NULL)
		counts = json_incref(json_object_get(answer, "cache"));
	json_decref(answer);
	if (request->json)
		return skimctl_print_json(counts) < 0 ? err_set(err, -ENOMEM, "no memory for the output") : 0;
	print_counts(counts);
	json_decref(counts);
	return 0;
}

static int find_document(const struct request *request, int64_t *ret_id, struct err *err)
{
	char path[PATH_MAX];
	struct docstore_settings settings = { .path = path, .mode = DOCSTORE_READ };
	struct docstore *store;
	int r;

	if ((r = skimctl_find_store(request->config_path, path, err)) < 0 ||
	    (r = docstore_open(&settings, &store, err)) < 0)
		return r;
	r = docstore_resolve(store, request->drop, ret_id, err);
	docstore_close(store);
	return r;
}

/* Its lock is the daemon's as long as that runs. */
static int open_cache(const struct request *request, uint64_t budget_bytes, struct kvstore **ret,
                      struct err *err)
{
	struct err replaced = { "" };
	int r = kvstore_open(request->path, budget_bytes, ret, &replaced, err);

	if (r == -EBUSY)
		return skimctl_in_use(request->path, err);
	if (r == 0 && replaced.text[0] != '\0') {
		struct err words;

		err_set(&words, 0, "%s, set aside and made anew", replaced.text);
		skimctl_tell(&words);
	}
	return r;
}

static int drop(const struct request *request, int64_t id, uint64_t *ret_n, struct err *err)
{
	uint64_t budget = request->budget_bytes < KV_MIN_BUDGET ? KV_MIN_BUDGET : request->budget_bytes;
	struct kvstore *store;
	int r = open_cache(request, budget, &store, err);

	if (r < 0)
		return r;
	r = kvstore_drop(store, id, ret_n, err);
	kvstore_close(store);
	return r;
}

/* Without a budget: nothing is to be evicted before. */
static int clear(const struct request *request, uint64_t *ret_n, struct err *err)
{
	struct kvstore *store;
	struct kv_stats stats;
	int r = open_cache(request, UINT64_MAX, &store, err);

	if (r < 0)
		return r;
	kvstore_stats(store, &stats);
	*ret_n = stats.blocks;
	r = kvstore_clear(store, err);
	kvstore_close(store);
	return r;
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0 || errno != ENOENT;
}

int skimctl_drop_blocks(const char *config_path, int64_t id, struct err *err)
{
	struct request request = { .config_path = config_path };
	uint64_t n;
	int r = skimctl_find_cache(config_path, request.path, &request.budget_bytes, err);

	return r == 0 && is_there(request.path) ? drop(&request, id, &n, err) : r;
}

static int change_file(const struct request *request, uint64_t *ret_n, struct err *err)
{
	int64_t id = 0;
	int r = 0;

	if (request->drop != NULL && (r = find_document(request, &id, err)) < 0)
		return r;
	if (is_there(request->path))
		r = request->clear ? clear(request, ret_n, err) : drop(request, id, ret_n, err);
	return r;
}

static int have_changed(const struct request *request, struct control_client *client, uint64_t *ret_n,
                        struct err *err)
{
	json_t *answer = NULL, *args = NULL;
	int r = 0;

	if (request->clear)
		args = json_pack("{s:b}", "clear", 1);
	else
		r = skimctl_name("drop", request->drop, &args, err);
	if (r == 0)
		r = skimctl_ask(client, "cache", args, &answer, err);
	*ret_n = (uint64_t)skimctl_integer(answer, "dropped");
	json_decref(answer);
	return r;
}

static int change(const struct request *request, struct control_client *client, struct err *err)
{
	uint64_t n = 0;
	int r = client == NULL ? change_file(request, &n, err) : have_changed(request, client, &n, err);

	if (r < 0)
		return r;
	if (!request->json)
		printf("%" PRIu64 " blocks dropped\n", n);
	else if (skimctl_print_json(json_pack("{s:I}", "dropped", (json_int_t)n)) < 0)
		return err_set(err, -ENOMEM, "no memory for the output");
	return 0;
}

int skimctl_cache(int argc, char **argv)
{
	struct control_client *client = NULL;
	struct request request = { 0 };
	struct err err = { "" };
	int r;

	if (!parse(&request, argc, argv))
		return skimctl_usage(SKIMCTL_CACHE_USAGE);
	if (skimctl_connect(request.config_path, &client, NULL) < 0)
		client = NULL;
	r = skimctl_find_cache(request.config_path, request.path, &request.budget_bytes, &err);
	if (r == 0)
		r = request.clear || request.drop != NULL ? change(&request, client, &err)
		                                          : show(&request, client, &err);
	control_client_close(client);
	return r < 0 ? skimctl_fail(&err) : SKIMCTL_OK;
}
