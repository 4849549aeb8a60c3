/* The second question after a restart, beside the first one, and the store's speed beside a plain file's. */
#ifndef SKIMD_BENCH_RESTART_H
#define SKIMD_BENCH_RESTART_H

#include "bench/trials.h"

/* Behind a context that fits the model: restoring against prefill and against plain reading. */
void restart_measure_shallow(struct trials *trials);

/* Behind one that takes minutes to read. */
void restart_measure_deep(struct trials *trials);

#endif
