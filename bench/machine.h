/* What this machine can do at most, measured by loops that do nothing else: what the kernels are held against. Each
 * figure is the best of several short trials, in which all threads run the same loop at once. */
#ifndef SKIMD_BENCH_MACHINE_H
#define SKIMD_BENCH_MACHINE_H

#include <stddef.h>

#include "base/err.h"

/* By n_threads together. A multiply-add is two operations; 0: the CPU has no such instruction. */
struct peaks {
	unsigned n_threads;
	double fp32_per_s; /* fused multiply-adds in the widest vectors there are */
	double bf16_per_s; /* AVX512_BF16's dot products */
	double int8_per_s; /* AVX512_VNNI's dot products, else AVX2's vpmaddubsw and vpmaddwd */
	double stream_bytes_per_s; /* reading a buffer much larger than the last-level cache */
};

/* All of them; takes a second. -ENOMEM, -EAGAIN. */
int machine_peaks(unsigned n_threads, struct peaks *ret, struct err *err);

/* One of them, again: a shared machine is not as fast at every moment, so a measurement has its own reference, the better
 * of one before and one after it. */
int machine_fp32(unsigned n_threads, double *ret_per_s, struct err *err);
int machine_bf16(unsigned n_threads, double *ret_per_s, struct err *err);
int machine_stream(unsigned n_threads, double *ret_bytes_per_s, struct err *err);

/* The higher of fp32 and bf16: not every CPU that has the second is faster with it. */
int machine_arithmetic(unsigned n_threads, double *ret_per_s, struct err *err);

/* Seconds in which n_threads threads, each a part, sum n_bytes: once they were driven out of every cache, and again
 * as soon as they have been read. -ENOMEM, -EAGAIN. */
int machine_read_seconds(unsigned n_threads, size_t n_bytes, double *ret_cold, double *ret_warm,
                         struct err *err);

unsigned machine_n_cpus(void); /* that this process may run on */
size_t machine_cache_bytes(void); /* of the last level; a guess where the system does not say */
void machine_cpu_name(char *ret, size_t n);

#endif
