/* How a kernel is timed, and what it is held against. The first failure sticks: what comes after it tells nothing. */
#ifndef SKIMD_BENCH_KERNEL_H
#define SKIMD_BENCH_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bench/report.h"
#include "model/ops.h"
#include "model/shape.h"

/* machine_fp32(), machine_bf16() or machine_stream(). */
typedef int peak_function(unsigned n_threads, double *ret_per_s, struct err *err);

/* What the measurements of one family of kernels share. */
struct kernels {
	const struct ops *ops;
	const struct model_shape *shape;
	struct report report;
	unsigned n_trials;
	peak_function *arithmetic; /* of the type that the family computes in, where a matrix is of bf16 */
	peak_function *peak; /* the one that was measured last, */
	double last_peak; /* and what it was */
	uint32_t seed;
	int r; /* of the first failure; 0: none yet */
	struct err err;
};

/* A call, and what it is held against. */
struct kernel {
	const char *what;
	size_t depth, n;
	void (*call)(void *user);
	void *user;
	double work; /* of one call: operations, bytes where the peak is of memory; with a unit, how many of it */
	peak_function *peak; /* NULL: held against nothing */
	double bar; /* the share of the peak that is asked for; 0: none */
	const char *unit; /* what is told without a peak: nanoseconds of one, "ns/score" */
};

void kernel_tell(struct kernels *kernels, const struct kernel *kernel);

/* Uniform in [0, n), n up to 65536; the same in every run. */
uint32_t kernel_random(struct kernels *kernels, uint32_t n);

/* n * m floats in [-1, 1), each exactly a bf16; for free(). NULL: no memory. */
float *kernel_random_floats(struct kernels *kernels, size_t n, size_t m);

#endif
