/* x86-64 with AVX-512 BF16: what meets bf16 weights or bf16 cached rows is rounded to bf16 too, and pairs of products
 * are summed by one instruction, which doubles the rate. Compiled with -mavx512bf16 and what AVX-512 needs, entered only
 * where the CPU has it all. */
#include "model/ops_families.h"

#ifdef SKIMD_X86_64

#include <immintrin.h>

#define FAMILY ops_avx512bf16
#define FAMILY_NAME "avx512bf16"
#define VEC_BYTES 64
#define MATMUL_ROWS 12
#define MATMUL_PANELS 2
#define WIDE_PANELS 8
#define SCORE_ROWS 16
#define MIX_HEADS 8
#define MULADD(a, b, c) ((vec)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define MULADD8(a, b, c) ((vec8)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))

/* acc + the products of the words' second halves + those of their first halves, each sum rounded. */
#define DOT_PAIRS(acc, a, b) ((vec)_mm512_dpbf16_ps((__m512)(acc), (__m512bh)(a), (__m512bh)(b)))
#define DOT_PAIRS8(acc, a, b) ((vec8)_mm256_dpbf16_ps((__m256)(acc), (__m256bh)(a), (__m256bh)(b)))

/* Words of (a, b). */
#define PAIR8(a, b)                                                              \
	((uvec8)_mm256_or_si256(                                                 \
		_mm256_cvtepu16_epi32((__m128i)_mm256_cvtneps_pbh((__m256)(a))), \
		_mm256_slli_epi32(_mm256_cvtepu16_epi32((__m128i)_mm256_cvtneps_pbh((__m256)(b))), 16)))

/* 2 * LANES floats in order as words of two bf16. */
#define ROUND_PAIRS(from)                                                                   \
	((uvec)_mm512_inserti64x4(                                                          \
		_mm512_castsi256_si512((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from))), \
		(__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps((from) + 16)), 1))

/* Words of neighbours, channels 2 j and 2 j + 1 of two rows, to words of (a, b) for one channel each: every second four
 * channels in one vector, the rest in the other. */
#define PAIR_ROWS_LOW(a, b) ((uvec)_mm512_unpacklo_epi16((__m512i)(a), (__m512i)(b)))
#define PAIR_ROWS_HIGH(a, b) ((uvec)_mm512_unpackhi_epi16((__m512i)(a), (__m512i)(b)))

#include "model/ops_codes512.h"
#include "model/ops_kernels.h"

#endif
