/* A document leaves skimd: the files that skimd wrote for it, and all that the database knows of it. */
#ifndef SKIMD_PIPELINE_FORGET_H
#define SKIMD_PIPELINE_FORGET_H

#include <stdint.h>

#include "base/err.h"
#include "store/docstore.h"

/* Remove the outputs that are as skimd wrote them, and the rows. The bytes of the rows stay in the database's file until
 * docstore_scrub(), which is called once for many documents. What kv.db has is the caller's to remove
 * (kvstore_drop()). -ENOENT; -EAGAIN: it is being read; others: an output cannot be removed, or the store failed, and
 * the same call goes on with what is left. */
int forget_document(struct docstore *store, int64_t id, struct err *err);

#endif
