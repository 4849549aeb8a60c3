/* What the measurements of the store share: how much is measured, where files lie, where they tell of it. The first failure
 * sticks: what comes after it does nothing. */
#ifndef SKIMD_BENCH_TRIALS_H
#define SKIMD_BENCH_TRIALS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bench/filling.h"
#include "bench/report.h"

/* How much is measured. */
struct plan {
	unsigned n_first, n_trials; /* of what takes long, and of what does not */
	bool deep;
	uint64_t budget_bytes;
};

struct trials {
	struct plan plan;
	const char *model; /* its folder */
	size_t block_bytes, block_row_bytes; /* of the model's blocks; of latents and rope keys in them */
	unsigned n_threads;
	char kv[PATH_MAX], plain[PATH_MAX]; /* the store, and a plain file of as many bytes */
	struct report *report;
	int r; /* of the first failure; 0: none yet */
	struct err err;
};

#define TRIALS_PART "--part" /* this program's first word as a process of ours; what it is to do follows */

/* Run a part in a process of its own: see program_run(). */
void trials_run(struct trials *trials, const char *const *words, void *ret, size_t n_bytes,
                double *ret_seconds);

/* Report a line; its threads are the model's where it has none. */
void trials_tell(struct trials *trials, struct line line);

/* What went to the disk, held against what was to be kept. */
void trials_tell_written(struct trials *trials, const char *what, const struct written *written, double bar);

void trials_remove_store(const struct trials *trials);

#endif
