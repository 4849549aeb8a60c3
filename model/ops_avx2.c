/* x86-64 with AVX2 and FMA; compiled with -mavx2 -mfma -mbmi2, entered only where the CPU has them. */
#include "model/ops_families.h"

#ifdef SKIMD_X86_64

#include <immintrin.h>
#include <string.h>

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

#define CODE_LEVELS 63 /* two products with codes of 255 fit 16 bits */
#define CODE_AHEAD 4096 /* bytes of codes that are on their way from memory */
#define NOT_BELOW(keys, floor) \
	(0xffu ^ (unsigned)_mm256_movemask_ps((__m256)_mm256_cmpgt_epi32((__m256i)(floor), (__m256i)(keys))))
#define COMPRESS(to, from, mask) compress(to, (__m256i)(from), mask)

/* The elements of the mask, side by side. */
static inline __attribute__((always_inline)) void compress(void *to, __m256i from, unsigned mask)
{
	uint64_t bytes = _pdep_u64(mask, 0x0101010101010101) * 0xff;
	long long lanes = (long long)_pext_u64(0x0706050403020100, bytes);

	_mm256_storeu_si256(
		to, _mm256_permutevar8x32_epi32(from, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(lanes))));
}

/* dots += codes * four levels, by fours. The compiler may not see beyond: left to itself it would begin so many of these
 * at once that sums leave the registers. */
static inline __attribute__((always_inline)) void add_codes(__m256i dots[2], __m256i low, __m256i high,
                                                            const int8_t *levels)
{
	__m256i ones = _mm256_set1_epi16(1), step;
	int32_t four;

	memcpy(&four, levels, sizeof(four));
	step = _mm256_set1_epi32(four);
	dots[0] = _mm256_add_epi32(dots[0], _mm256_madd_epi16(_mm256_maddubs_epi16(low, step), ones));
	dots[1] = _mm256_add_epi32(dots[1], _mm256_madd_epi16(_mm256_maddubs_epi16(high, step), ones));
	__asm__("" : "+x"(dots[0]), "+x"(dots[1]));
}

/* sums[s] += weight * max(0, dot), of CODE_HEADS heads with one panel. */
static inline __attribute__((always_inline)) void add_heads(__m256 sums[2], const struct coded_query *query,
                                                            uint32_t head, const uint8_t *codes)
{
	__m256i dots[CODE_HEADS][2] = { { _mm256_setzero_si256() } };
	size_t width = query->width;
	const int8_t *levels = query->levels + head * width;

	for (size_t k = 0; k < width; k += CODE_STEP, codes += PANEL * CODE_STEP) {
		__m256i low = _mm256_loadu_si256((const __m256i_u *)codes);
		__m256i high = _mm256_loadu_si256((const __m256i_u *)(codes + 32));

		_mm_prefetch((const char *)codes + CODE_AHEAD, _MM_HINT_T0);
		add_codes(dots[0], low, high, levels + k);
		add_codes(dots[1], low, high, levels + width + k);
		add_codes(dots[2], low, high, levels + 2 * width + k);
		add_codes(dots[3], low, high, levels + 3 * width + k);
	}
#pragma GCC unroll 4
	for (size_t j = 0; j < CODE_HEADS; j++) {
		__m256i offset = _mm256_set1_epi32(query->offsets[head + j]), none = _mm256_setzero_si256();
		__m256 weight = _mm256_set1_ps(query->weights[head + j]);
		__m256i low = _mm256_max_epi32(_mm256_sub_epi32(dots[j][0], offset), none);
		__m256i high = _mm256_max_epi32(_mm256_sub_epi32(dots[j][1], offset), none);

		sums[0] = _mm256_fmadd_ps(weight, _mm256_cvtepi32_ps(low), sums[0]);
		sums[1] = _mm256_fmadd_ps(weight, _mm256_cvtepi32_ps(high), sums[1]);
	}
}

static void score_codes(float *ret, const struct coded_query *query, const uint8_t *codes,
                        const float *scales, size_t n_panels)
{
	for (size_t p = 0; p < n_panels; p++, ret += PANEL, scales += PANEL, codes += query->width * PANEL) {
		__m256 sums[2] = { _mm256_setzero_ps() };

		for (uint32_t head = 0; head < query->n_heads; head += CODE_HEADS)
			add_heads(sums, query, head, codes);
		_mm256_storeu_ps(ret, _mm256_mul_ps(sums[0], _mm256_loadu_ps(scales)));
		_mm256_storeu_ps(ret + 8, _mm256_mul_ps(sums[1], _mm256_loadu_ps(scales + 8)));
	}
}

#define LOAD_LEVELS(from) ((ivec)_mm256_loadu_si256((const __m256i_u *)(from)))
#define DOT_LEVELS(acc, word, levels) \
	((ivec)dot_levels((__m256i)(acc), _mm256_set1_epi32((int)(word)), (__m256i)(levels)))
#define ROUND_LEVELS(to, from, factor) round_levels(to, from, factor)

/* acc + the four products of each lane. */
static inline __attribute__((always_inline)) __m256i dot_levels(__m256i acc, __m256i word, __m256i levels)
{
	return _mm256_add_epi32(acc,
	                        _mm256_madd_epi16(_mm256_maddubs_epi16(word, levels), _mm256_set1_epi16(1)));
}

/* 16 values as words of four levels, each CODE_ZERO larger. */
static inline __attribute__((always_inline)) void round_levels(uint32_t *to, const float *from, float factor)
{
	__m256 times = _mm256_set1_ps(factor);
	__m256i low = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(from), times));
	__m256i high = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(from + 8), times));
	__m256i levels = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), _MM_SHUFFLE(3, 1, 2, 0));
	__m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(levels), _mm256_extracti128_si256(levels, 1));

	_mm_storeu_si128((__m128i_u *)to, _mm_xor_si128(bytes, _mm_set1_epi8((char)CODE_ZERO)));
}

#include "model/ops_kernels.h"

#endif
