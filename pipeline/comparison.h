/* A comparison with dense attention that is due, from the stored text to rows of dense_check, and to a warning where they are
 * bad: of the title and the summary of a chunk, or of the words of an answer, behind the chunk that they stand in. */
#ifndef SKIMD_PIPELINE_COMPARISON_H
#define SKIMD_PIPELINE_COMPARISON_H

#include <stdint.h>

#include "base/err.h"
#include "pipeline/pipeline.h"
#include "pipeline/reader.h"
#include "store/docstore_audit.h"

struct comparison {
	/* Borrowed. */
	struct docstore *store;
	struct reader *reader;
	const struct due_check *due;
	const struct pipeline_hooks *hooks;

	uint64_t n_done; /* tokens; its own, 0 at first */
};

/* 0: it is made and kept, or can never be, and is not due any more. -ECANCELED: told to stop, it stays due. Others: the
 * store failed. */
int comparison_run(struct comparison *comparison, struct err *err);

#endif
