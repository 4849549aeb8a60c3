/* A document leaves skimd: the files that skimd wrote for it, and all that the database knows of it. */
#ifndef SKIMD_PIPELINE_FORGET_H
#define SKIMD_PIPELINE_FORGET_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "pipeline/pipeline.h"
#include "store/docstore.h"

/* Remove the outputs that are as skimd wrote them, and the rows. The bytes of the rows stay in the database's file until
 * docstore_scrub(), which is called once for many documents. What kv.db has is the caller's to remove
 * (kvstore_drop()). -ENOENT; -EAGAIN: it is being read; others: an output cannot be removed, or the store failed, and
 * the same call goes on with what is left. */
int forget_document(struct docstore *store, int64_t id, struct err *err);

/* Forget the documents of a watched folder that are done or gone and were done more than `seconds` ago: files, rows, and
 * blocks of the cache, and then the bytes of all of them. From the thread that calls pipeline_process(), while no document
 * is in work. One that cannot be forgotten does not keep the others: the first failure is returned in the end. *ret_n:
 * how many are. -ECANCELED: *cancel was set between two of them. */
int forget_old(struct pipeline *pipeline, const char *folder, int64_t seconds, const atomic_bool *cancel,
               size_t *ret_n, struct err *err);

#endif
