/* skimctl cache: what kv.db says of itself, whether a daemon runs or not; and dropping from it, while none does. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <unistd.h>

#include "base/json.h"
#include "daemon/skimctl.h"
#include "store/docstore.h"
#include "store/kvstore.h"

#define TOKEN_BYTES sizeof(uint32_t) /* as pipeline/prefix.c has a block's tokens kept */

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

/* Bytes stored for each token that was computed and stored; 0: none was. */
static double bytes_per_token(const struct kv_stats *stats)
{
	uint64_t n_tokens = stats->token_bytes_stored / TOKEN_BYTES;

	return n_tokens == 0 ? 0 : (double)stats->bytes_stored / (double)n_tokens;
}

static json_t *stats_json(const struct request *request, const struct kv_stats *stats)
{
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "path",
	                 json_of_bytes(request->path), "entries", (json_int_t)stats->blocks, "bytes",
	                 (json_int_t)stats->bytes, "file_bytes", (json_int_t)stats->file_bytes,
	                 "budget_bytes", (json_int_t)request->budget_bytes, "hits", (json_int_t)stats->hits,
	                 "misses", (json_int_t)stats->misses, "damaged", (json_int_t)stats->damaged,
	                 "set_aside", (json_int_t)stats->set_aside, "stored", (json_int_t)stats->stored,
	                 "evicted", (json_int_t)stats->evicted, "bytes_per_token", bytes_per_token(stats));
}

static void print_count(const char *name, uint64_t count)
{
	printf("%-16s %" PRIu64 "\n", name, count);
}

static void print_stats(const struct request *request, const struct kv_stats *stats)
{
	print_count("entries", stats->blocks);
	print_count("bytes", stats->bytes);
	print_count("file bytes", stats->file_bytes);
	print_count("budget bytes", request->budget_bytes);
	print_count("hits", stats->hits);
	print_count("misses", stats->misses);
	print_count("damaged", stats->damaged);
	print_count("set aside", stats->set_aside);
	print_count("stored", stats->stored);
	print_count("evicted", stats->evicted);
	printf("%-16s %.1f\n", "bytes/token", bytes_per_token(stats));
}

/* A cache that was never made has nothing in it. */
static int show(const struct request *request, struct err *err)
{
	struct kv_stats stats = { 0 };
	int r = kvstore_peek(request->path, &stats, err);

	if (r < 0 && r != -ENOENT)
		return r;
	if (!request->json)
		print_stats(request, &stats);
	else if (skimctl_print_json(stats_json(request, &stats)) < 0)
		return err_set(err, -ENOMEM, "no memory for the output");
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
		return err_set(err, r,
		               "%s: in use by another process: stop the daemon, or wait for 'skimctl read', "
		               "and try again",
		               request->path);
	if (r == 0 && replaced.text[0] != '\0')
		fprintf(stderr, "skimctl: %s, set aside and made anew\n", replaced.text);
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

static int change(const struct request *request, struct err *err)
{
	uint64_t n = 0;
	int64_t id = 0;
	int r = 0;

	if (request->drop != NULL && (r = find_document(request, &id, err)) < 0)
		return r;
	if (is_there(request->path))
		r = request->clear ? clear(request, &n, err) : drop(request, id, &n, err);
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
	struct request request = { 0 };
	struct err err = { "" };
	int r;

	if (!parse(&request, argc, argv))
		return skimctl_usage(SKIMCTL_CACHE_USAGE);
	r = skimctl_find_cache(request.config_path, request.path, &request.budget_bytes, &err);
	if (r == 0)
		r = request.clear || request.drop != NULL ? change(&request, &err) : show(&request, &err);
	return r < 0 ? skimctl_fail(&err) : SKIMCTL_OK;
}
