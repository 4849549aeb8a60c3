/* x86-64 with AVX-512: the same sums as AVX2, bit for bit, in vectors of twice the width. Compiled with -mavx512f
 * -mavx512vl and what AVX2 needs, entered only where the CPU has it all. */
#include "model/ops_families.h"

#ifdef SKIMD_X86_64

#include <immintrin.h>

#define FAMILY ops_avx512
#define FAMILY_NAME "avx512"
#define VEC_BYTES 64
#define MATMUL_ROWS 12
#define MATMUL_PANELS 2
#define WIDE_PANELS 8
#define SCORE_ROWS 8
#define MIX_HEADS 8
#define MULADD(a, b, c) ((vec)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define MULADD8(a, b, c) ((vec8)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))

/* 16 e4m3 with their sign and value bits where those of a float32 are. */
#define SPREAD_E4M3(to, bytes)                                                                             \
	((to)[0] = (vec)_mm512_and_si512(                                                                  \
		 _mm512_slli_epi32(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i_u *)(bytes))), 20), \
		 _mm512_set1_epi32((int)0x87f00000)))

#include "model/ops_codes512.h"
#include "model/ops_kernels.h"

#endif
