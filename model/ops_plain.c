/* The family that every CPU runs: the architecture's baseline, multiply and add rounded apart. The reference. */
#include "model/ops_families.h"

#define FAMILY ops_plain
#define FAMILY_NAME "plain"
#define VEC_BYTES 16
#define MATMUL_ROWS 2
#define MATMUL_PANELS 1
#define WIDE_PANELS 2
#define SCORE_ROWS 4
#define MIX_HEADS 4
#define MULADD(a, b, c) ((a) * (b) + (c))
#define MULADD8(a, b, c) ((a) * (b) + (c))

#include "model/ops_kernels.h"
