/* For the families of AVX-512 with VNNI, included before ops_kernels.h: codes meet levels of 8 bits, of which four
 * products give one sum, and so do levels and levels; what is taken is pressed together by one instruction. */
#ifndef SKIMD_MODEL_OPS_CODES512_H
#define SKIMD_MODEL_OPS_CODES512_H

#include <string.h>

#define CODE_LEVELS 127
#define CODE_AHEAD 4096 /* bytes of codes that are on their way from memory */
#define NOT_BELOW(keys, floor) ((unsigned)_mm512_cmpge_epi32_mask((__m512i)(keys), (__m512i)(floor)))
#define COMPRESS(to, from, mask) \
	_mm512_storeu_si512(to, _mm512_maskz_compress_epi32((__mmask16)(mask), (__m512i)(from)))

/* sums[s] += weight * max(0, dot), of CODE_HEADS heads with n_panels panels. */
static inline __attribute__((always_inline)) void add_heads(__m512 sums[2], const struct coded_query *query,
                                                            uint32_t head, const uint8_t *codes,
                                                            const int n_panels)
{
	size_t width = query->width;
	const int8_t *levels = query->levels + head * width;
	__m512i dots[CODE_HEADS][2] = { { _mm512_setzero_si512() } };

	for (size_t k = 0; k < width; k += CODE_STEP) {
#pragma GCC unroll 2
		for (int p = 0; p < n_panels; p++) {
			const uint8_t *at = codes + ((size_t)p * width + k) * PANEL;
			__m512i keys = _mm512_loadu_si512(at);

			_mm_prefetch((const char *)at + CODE_AHEAD, _MM_HINT_T0);
#pragma GCC unroll 4
			for (size_t j = 0; j < CODE_HEADS; j++) {
				int32_t four;

				memcpy(&four, levels + j * width + k, sizeof(four));
				dots[j][p] = _mm512_dpbusd_epi32(dots[j][p], keys, _mm512_set1_epi32(four));
			}
		}
	}
#pragma GCC unroll 4
	for (size_t j = 0; j < CODE_HEADS; j++) {
		__m512i offset = _mm512_set1_epi32(query->offsets[head + j]);
		__m512 weight = _mm512_set1_ps(query->weights[head + j]);

#pragma GCC unroll 2
		for (int p = 0; p < n_panels; p++) {
			__m512i dot = _mm512_sub_epi32(dots[j][p], offset);

			dot = _mm512_max_epi32(dot, _mm512_setzero_si512());
			sums[p] = _mm512_fmadd_ps(weight, _mm512_cvtepi32_ps(dot), sums[p]);
		}
	}
}

static inline __attribute__((always_inline)) void score_panels(float *ret, const struct coded_query *query,
                                                               const uint8_t *codes, const float *scales,
                                                               const int n_panels)
{
	__m512 sums[2] = { _mm512_setzero_ps() };

	for (uint32_t head = 0; head < query->n_heads; head += CODE_HEADS)
		add_heads(sums, query, head, codes, n_panels);
	for (int p = 0; p < n_panels; p++)
		_mm512_storeu_ps(ret + p * PANEL,
		                 _mm512_mul_ps(sums[p], _mm512_loadu_ps(scales + p * PANEL)));
}

static void score_codes(float *ret, const struct coded_query *query, const uint8_t *codes,
                        const float *scales, size_t n_panels)
{
	size_t p = 0;

	for (; p + 2 <= n_panels; p += 2)
		score_panels(ret + p * PANEL, query, codes + p * query->width * PANEL, scales + p * PANEL, 2);
	for (; p < n_panels; p++)
		score_panels(ret + p * PANEL, query, codes + p * query->width * PANEL, scales + p * PANEL, 1);
}

#define LOAD_LEVELS(from) ((ivec)_mm512_loadu_si512(from))
#define DOT_LEVELS(acc, word, levels) \
	((ivec)_mm512_dpbusd_epi32((__m512i)(acc), _mm512_set1_epi32((int)(word)), (__m512i)(levels)))
#define ROUND_LEVELS(to, from, factor) round_levels(to, from, factor)

/* 16 values as words of four levels, each CODE_ZERO larger. */
static inline __attribute__((always_inline)) void round_levels(uint32_t *to, const float *from, float factor)
{
	__m512i levels = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(from), _mm512_set1_ps(factor)));

	_mm_storeu_si128((__m128i_u *)to,
	                 _mm_xor_si128(_mm512_cvtepi32_epi8(levels), _mm_set1_epi8((char)CODE_ZERO)));
}

#endif
