/* The family that every CPU runs: the architecture's baseline, multiply and add rounded apart. The reference. */
#include "model/ops_families.h"

#define VEC_BYTES 16
#define MATMUL_ROWS 2
#define INDEX_HEADS 2
#define MULADD(a, b, c) ((a) * (b) + (c))

#include "model/ops_kernels.h"

const struct ops ops_plain = {
	.name = "plain",
	.matmul = matmul,
	.index_scores = index_scores,
	.attend = attend,
	.silu_mul = silu_mul,
};
