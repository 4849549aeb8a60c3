/* How two configurations differ, and what a daemon takes of the newer one while it runs: the last part of config.h. */
#include <string.h>

#include "daemon/config.h"

/* A key that is looked at when the daemon starts, and not again. */
struct fixed {
	const char *name;
	size_t offset;
	size_t n_bytes; /* of its value; 0: a string */
};

#define FIXED_TEXT(name, field)                         \
	{                                               \
		name, offsetof(struct config, field), 0 \
	}
#define FIXED_VALUE(name, field)                                                                \
	{                                                                                       \
		name, offsetof(struct config, field), sizeof(((const struct config *)0)->field) \
	}

/* clang-format off */
static const struct fixed FIXED[] = {
	FIXED_TEXT("model.path", model.path),
	FIXED_VALUE("model.threads", model.threads),
	FIXED_VALUE("model.nice", model.nice),
	FIXED_VALUE("model.weights", model.int8_weights),
	FIXED_TEXT("store.path", store.path),
	FIXED_TEXT("store.inbox", store.inbox),
	FIXED_TEXT("kv.path", kv.path),
	FIXED_VALUE("kv.budget", kv.budget_bytes),
	FIXED_VALUE("kv.memory", kv.memory_bytes),
	FIXED_VALUE("extract.max_bytes", extract.max_bytes),
	FIXED_VALUE("extract.max_pages", extract.max_pages),
	FIXED_VALUE("extract.timeout", extract.timeout_ns),
	FIXED_VALUE("extract.ocr", extract.ocr),
	FIXED_VALUE("extract.ocr_languages", extract.ocr_languages),
	FIXED_VALUE("extract.ocr_max_pages", extract.max_ocr_pages),
	FIXED_VALUE("summary.length", summary.length),
	FIXED_VALUE("audit.reading", audit.reading),
	FIXED_VALUE("audit.dense_share", audit.dense_share),
	FIXED_TEXT("control.socket", control.socket),
	FIXED_TEXT("control.group", control.group),
};
/* clang-format on */

#define SWAP(a, b)                     \
	do {                           \
		typeof(a) swap_ = (a); \
		(a) = (b);             \
		(b) = swap_;           \
	} while (0)

static bool same_ignore(const struct config_watch *a, const struct config_watch *b)
{
	if (a->n_ignore != b->n_ignore)
		return false;
	for (size_t i = 0; i < a->n_ignore; i++) {
		if (strcmp(a->ignore[i], b->ignore[i]) != 0)
			return false;
	}
	return true;
}

bool config_watch_is_same(const struct config_watch *a, const struct config_watch *b)
{
	return strcmp(a->path, b->path) == 0 && strcmp(a->outbox, b->outbox) == 0 &&
	       a->recursive == b->recursive && a->settle_ns == b->settle_ns && a->rescan_ns == b->rescan_ns &&
	       same_ignore(a, b);
}

void config_watch_trade(struct config_watch *a, struct config_watch *b)
{
	SWAP(a->path, b->path);
	SWAP(a->ignore, b->ignore);
}

void config_adopt(struct config *config, struct config *fresh)
{
	SWAP(config->watch, fresh->watch);
	SWAP(config->n_watch, fresh->n_watch);
	SWAP(config->log, fresh->log);
	SWAP(config->metrics, fresh->metrics);
}

static bool differs(const struct fixed *key, const struct config *a, const struct config *b)
{
	const char *in_a = (const char *)a + key->offset, *in_b = (const char *)b + key->offset;
	const char *text_a, *text_b;

	if (key->n_bytes > 0)
		return memcmp(in_a, in_b, key->n_bytes) != 0;
	memcpy(&text_a, in_a, sizeof(text_a));
	memcpy(&text_b, in_b, sizeof(text_b));
	return text_a == NULL || text_b == NULL ? text_a != text_b : strcmp(text_a, text_b) != 0;
}

void config_list_fixed(const struct config *config, const struct config *fresh, struct buf *ret)
{
	for (size_t i = 0; i < sizeof(FIXED) / sizeof(FIXED[0]); i++) {
		if (differs(&FIXED[i], config, fresh))
			buf_printf(ret, "%s%s", ret->n == 0 ? "" : ", ", FIXED[i].name);
	}
}
