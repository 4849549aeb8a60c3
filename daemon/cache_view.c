#include "daemon/cache_view.h"

#include <errno.h>

#include "base/json.h"
#include "store/kvstore.h"

#define TOKEN_BYTES sizeof(uint32_t) /* as pipeline/prefix.c has a block's tokens kept */

/* Bytes stored for each token that was computed and stored; 0: none was. */
static double bytes_per_token(const struct kv_stats *stats)
{
	uint64_t n_tokens = stats->token_bytes_stored / TOKEN_BYTES;

	return n_tokens == 0 ? 0 : (double)stats->bytes_stored / (double)n_tokens;
}

int cache_view_json(const char *path, uint64_t budget_bytes, json_t **ret, struct err *err)
{
	struct kv_stats stats = { 0 };
	int r = kvstore_peek(path, &stats, err);
	json_t *json;

	if (r < 0 && r != -ENOENT)
		return r;
	json = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "path",
	                 json_of_bytes(path), "entries", (json_int_t)stats.blocks, "bytes",
	                 (json_int_t)stats.bytes, "file_bytes", (json_int_t)stats.file_bytes, "budget_bytes",
	                 (json_int_t)budget_bytes, "hits", (json_int_t)stats.hits, "misses",
	                 (json_int_t)stats.misses, "damaged", (json_int_t)stats.damaged, "set_aside",
	                 (json_int_t)stats.set_aside, "stored", (json_int_t)stats.stored, "evicted",
	                 (json_int_t)stats.evicted, "bytes_per_token", bytes_per_token(&stats));
	if (json == NULL)
		return err_set(err, -ENOMEM, "no memory for the cache's counts");
	*ret = json;
	return 0;
}
