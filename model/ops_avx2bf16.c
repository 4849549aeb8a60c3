/* What the family avx512bf16 computes, bit for bit but for denormal numbers, by AVX2 and FMA: it shows on other CPUs what
 * that family's rounding costs, and lets tests reach its kernels. Only by name; slower than avx2. */
#include "model/ops_families.h"

#ifdef SKIMD_X86_64

#include <immintrin.h>
#include <string.h>

#define FAMILY ops_avx2bf16
#define FAMILY_NAME "avx2bf16"
#define VEC_BYTES 64
#define MATMUL_ROWS 12
#define MATMUL_PANELS 2
#define WIDE_PANELS 8
#define SCORE_ROWS 16
#define MIX_HEADS 8
#define MULADD(a, b, c) fused(a, b, c)
#define MULADD8(a, b, c) ((vec8)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define DOT_PAIRS(acc, a, b) fused(low_halves(a), low_halves(b), fused(high_halves(a), high_halves(b), acc))
#define DOT_PAIRS8(acc, a, b) dot8(acc, a, b)
#define ROUND_PAIRS(from) round_words(from)
#define PAIR8(a, b) pair8(a, b)
#define PAIR_ROWS_LOW(a, b) pair_rows(a, b, 0)
#define PAIR_ROWS_HIGH(a, b) pair_rows(a, b, 4)

typedef float wide_vec __attribute__((vector_size(64)));
typedef uint32_t wide_words __attribute__((vector_size(64)));
typedef float eight_floats __attribute__((vector_size(32)));
typedef uint32_t eight_words __attribute__((vector_size(32)));

static inline __attribute__((always_inline)) wide_vec fused(wide_vec a, wide_vec b, wide_vec c)
{
	union {
		wide_vec whole;
		__m256 half[2];
	} x = { a }, y = { b }, z = { c };

	z.half[0] = _mm256_fmadd_ps(x.half[0], y.half[0], z.half[0]);
	z.half[1] = _mm256_fmadd_ps(x.half[1], y.half[1], z.half[1]);
	return z.whole;
}

static inline __attribute__((always_inline)) eight_floats dot8(eight_floats acc, eight_words a, eight_words b)
{
	__m256 sum = _mm256_fmadd_ps((__m256)(a & 0xffff0000u), (__m256)(b & 0xffff0000u), (__m256)acc);

	return (eight_floats)_mm256_fmadd_ps((__m256)(a << 16), (__m256)(b << 16), sum);
}

static inline wide_words round_words(const float *from)
{
	wide_words ret;

	for (size_t i = 0; i < 16; i++)
		ret[i] = bf16_bits(from[2 * i]) | (uint32_t)bf16_bits(from[2 * i + 1]) << 16;
	return ret;
}

static inline eight_words pair8(eight_floats a, eight_floats b)
{
	eight_words ret;

	for (size_t i = 0; i < 8; i++)
		ret[i] = bf16_bits(a[i]) | (uint32_t)bf16_bits(b[i]) << 16;
	return ret;
}

/* Of every eight channels, the four from `first` on. */
static inline wide_words pair_rows(wide_words a, wide_words b, size_t first)
{
	uint16_t x[32], y[32];
	wide_words ret;

	memcpy(x, &a, sizeof(x));
	memcpy(y, &b, sizeof(y));
	for (size_t i = 0; i < 16; i++)
		ret[i] = x[i / 4 * 8 + first + i % 4] | (uint32_t)y[i / 4 * 8 + first + i % 4] << 16;
	return ret;
}

#include "model/ops_kernels.h"

#endif
