/* What an audit costs: noting where attention goes while decoding, and comparing an answer with dense attention. */
#ifndef SKIMD_BENCH_AUDITING_H
#define SKIMD_BENCH_AUDITING_H

#include "bench/bench.h"

/* Behind each of these depths that the plan reaches. */
void auditing_measure(struct bench *bench);

#endif
