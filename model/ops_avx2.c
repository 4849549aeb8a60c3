/* x86-64 with AVX2 and FMA; compiled with -mavx2 -mfma, entered only where the CPU has both. */
#include "model/ops_families.h"

#ifdef SKIMD_X86_64

#include <immintrin.h>

#define VEC_BYTES 32
#define MATMUL_ROWS 6
#define INDEX_HEADS 4
#define MULADD(a, b, c) ((vec)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))

#include "model/ops_kernels.h"

const struct ops ops_avx2 = {
	.name = "avx2",
	.matmul = matmul,
	.index_scores = index_scores,
	.attend = attend,
	.silu_mul = silu_mul,
};

#endif
