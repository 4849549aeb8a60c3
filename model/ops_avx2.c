/* x86-64 with AVX2 and FMA; compiled with -mavx2 -mfma, entered only where the CPU has both. */
#include "model/ops_families.h"

#ifdef SKIMD_X86_64

#include <immintrin.h>

#define FAMILY ops_avx2
#define FAMILY_NAME "avx2"
#define VEC_BYTES 32
#define MATMUL_ROWS 4
#define MATMUL_PANELS 1
#define WIDE_PANELS 4
#define SCORE_ROWS 8
#define MIX_HEADS 4
#define MULADD(a, b, c) ((vec)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define MULADD8(a, b, c) MULADD(a, b, c)

/* 16 e4m3 with their sign and value bits where those of a float32 are. */
#define SPREAD_E4M3(to, bytes) ((to)[0] = (vec)spread_e4m3(bytes), (to)[1] = (vec)spread_e4m3((bytes) + 8))

static inline __attribute__((always_inline)) __m256 spread_e4m3(const uint8_t *bytes)
{
	__m256i words = _mm256_cvtepi8_epi32(_mm_loadu_si64(bytes));

	return (__m256)_mm256_and_si256(_mm256_slli_epi32(words, 20), _mm256_set1_epi32((int)0x87f00000));
}

#include "model/ops_kernels.h"

#endif
