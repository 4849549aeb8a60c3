/* The kernels of sparse attention over the cached tokens of one layer: index scores, top k, attention. */
#ifndef SKIMD_BENCH_KERNEL_ATTENTION_H
#define SKIMD_BENCH_KERNEL_ATTENTION_H

#include "bench/kernel.h"

/* -ENOMEM. */
int kernel_measure_attention(struct kernels *kernels);

#endif
