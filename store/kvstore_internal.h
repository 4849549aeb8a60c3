/* What the parts of kvstore share. */
#ifndef SKIMD_STORE_KVSTORE_INTERNAL_H
#define SKIMD_STORE_KVSTORE_INTERNAL_H

#include "store/key_set.h"
#include "store/kvfile.h"
#include "store/kvowners.h"
#include "store/kvparts.h"
#include "store/kvstore.h"

#define KV_MAX_TOUCHES 1024
#define KV_SLACK_PAGES 8 /* that the trees may take when a block is put */
#define KV_NO_ROOM (-EDQUOT) /* what is pinned fills the budget: nothing failed, nothing is to recover */

/* A block that was used, and is marked so in the file later, with others. */
struct touch {
	int64_t id, used;
};

struct kvstore {
	uint64_t budget_bytes;
	struct kvfile file; /* file.db is NULL: nothing is kept */
	struct key_set pins;
	struct touch touches[KV_MAX_TOUCHES];
	size_t n_touches;
	int64_t session, n_uses; /* the clock, see next_use() */
	int64_t id; /* of the latest block, or more */
	int64_t owner; /* 0: none */
	struct kvparts parts;
	struct kv_stats stats, at_open; /* since the file was made */
};

/* Evict until the file may take n_pages. KV_NO_ROOM: what is not pinned does not make them. */
int kvstore_make_room(struct kvstore *store, int64_t n_pages, struct err *err);

int kvstore_write_touches(struct kvstore *store, struct err *err);
int kvstore_write_owners(struct kvstore *store, int64_t id, const struct kv_owners *owners, struct err *err);
int kvstore_delete_block(struct kvstore *store, int64_t id, int64_t n_bytes, struct err *err);
int kvstore_commit(struct kvstore *store, struct err *err);

/* After a failure of SQLite's: what the batch held is lost, a damaged file is made anew (or, when that fails
 * too, the store keeps nothing from then on). Returns r. */
int kvstore_recover(struct kvstore *store, int r);

/* The file is another one, without blocks as far as is known. */
void kvstore_forget_all(struct kvstore *store);

#endif
