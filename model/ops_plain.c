/* The family that every CPU runs: the architecture's baseline, multiply and add rounded apart. The reference. */
#include "model/ops_families.h"

#define VEC_BYTES 16
#define MATMUL_ROWS 2
#define MATMUL_PANELS 1
#define WIDE_PANELS 2
#define SCORE_ROWS 4
#define MIX_HEADS 4
#define MULADD(a, b, c) ((a) * (b) + (c))
#define MULADD8(a, b, c) ((a) * (b) + (c))

#include "model/ops_kernels.h"

const struct ops ops_plain = {
	.name = "plain",
	.matmul = matmul,
	.weigh_scores = weigh_scores,
	.attend_score = attend_score,
	.attend_softmax = attend_softmax,
	.attend_mix = attend_mix,
	.softmax_tile = softmax_tile,
	.add_tile = add_tile,
	.silu_mul = silu_mul,
};
