/* What weights of 8 bits save: the same readings by an engine of theirs and by the exact one, taking turns. */
#ifndef SKIMD_BENCH_ROUNDING_H
#define SKIMD_BENCH_ROUNDING_H

#include "bench/bench.h"

/* dir is that of the bench's model. Depths and prompts as far as the plan goes. */
void rounding_measure(struct bench *bench, const char *dir);

#endif
