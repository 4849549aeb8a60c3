#include "model/ops.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/ops_families.h"

#define N_PARTS 16 /* partial sums of a reduction: a fixed number, so that no family's width shows */

#ifdef SKIMD_X86_64
static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
	       __builtin_cpu_supports("bmi2");
}

static bool has_avx512(void)
{
	return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vnni");
}

static bool has_avx512bf16(void)
{
	return has_avx512() && __builtin_cpu_supports("avx512bf16");
}

/* Intel's cores sum bf16 pairs at no higher rate than float32. */
static bool has_fast_bf16(void)
{
	return has_avx512bf16() && __builtin_cpu_is("amd");
}
#endif

static bool always(void)
{
	return true;
}

static bool never(void)
{
	return false;
}

static const struct {
	const struct ops *ops;
	bool (*runs_here)(void);
	bool (*is_chosen)(void); /* without being named */
} FAMILIES[] = {
/* best first */
#ifdef SKIMD_X86_64
	{ &ops_avx512bf16, has_avx512bf16, has_fast_bf16 },
	{ &ops_avx512, has_avx512, has_avx512 },
	{ &ops_avx2, has_avx2, has_avx2 },
	{ &ops_avx2bf16, has_avx2, never },
#endif
	{ &ops_plain, always, always },
};

int ops_select(const char *name, const struct ops **ret, struct err *err)
{
	if (name == NULL)
		name = getenv("SKIMD_KERNELS");
	for (size_t i = 0; i < sizeof(FAMILIES) / sizeof(FAMILIES[0]); i++) {
		if (name == NULL ? FAMILIES[i].is_chosen()
		                 : strcmp(name, FAMILIES[i].ops->name) == 0 && FAMILIES[i].runs_here()) {
			*ret = FAMILIES[i].ops;
			return 0;
		}
	}
	return err_set(err, -ENOTSUP, "kernels '%s': unknown, or not for this CPU", name);
}

const struct ops *ops_without_rounding(const struct ops *ops)
{
	for (size_t i = 0; ops->rounds_inputs && i < sizeof(FAMILIES) / sizeof(FAMILIES[0]); i++) {
		if (!FAMILIES[i].ops->rounds_inputs && FAMILIES[i].is_chosen())
			return FAMILIES[i].ops;
	}
	return ops;
}

static float sum_parts(const float *parts)
{
	float sums[N_PARTS];

	memcpy(sums, parts, sizeof(sums));
	for (size_t n = N_PARTS / 2; n > 0; n /= 2) {
		for (size_t i = 0; i < n; i++)
			sums[i] += sums[i + n];
	}
	return sums[0];
}

static float sum_of(const float *x, size_t n)
{
	float parts[N_PARTS] = { 0 };

	for (size_t i = 0; i < n; i++)
		parts[i % N_PARTS] += x[i];
	return sum_parts(parts);
}

static float sum_of_squares(const float *x, size_t n, float mean)
{
	float parts[N_PARTS] = { 0 };
	size_t i = 0;

	for (; i + N_PARTS <= n; i += N_PARTS) {
		for (size_t j = 0; j < N_PARTS; j++)
			parts[j] += (x[i + j] - mean) * (x[i + j] - mean);
	}
	for (; i < n; i++)
		parts[i % N_PARTS] += (x[i] - mean) * (x[i] - mean);
	return sum_parts(parts);
}

void rms_norm(float *out, const float *x, const float *weight, size_t n, float eps)
{
	float factor = 1 / sqrtf(sum_of_squares(x, n, 0) / (float)n + eps);

	for (size_t i = 0; i < n; i++)
		out[i] = weight[i] * (x[i] * factor);
}

void layer_norm(float *out, const float *x, const float *weight, const float *bias, size_t n, float eps)
{
	float mean = sum_of(x, n) / (float)n;
	float factor = 1 / sqrtf(sum_of_squares(x, n, mean) / (float)n + eps);

	for (size_t i = 0; i < n; i++)
		out[i] = (x[i] - mean) * factor * weight[i] + bias[i];
}

void softmax(float *x, size_t n, size_t stride)
{
	float most = -INFINITY, sum = 0;

	for (size_t i = 0; i < n; i++)
		most = fmaxf(most, x[i * stride]);
	/* Through double: glibc has several expf, by CPU, that differ in the last bit. */
	for (size_t i = 0; i < n; i++) {
		x[i * stride] = (float)exp((double)(x[i * stride] - most));
		sum += x[i * stride];
	}
	for (size_t i = 0; i < n; i++)
		x[i * stride] /= sum;
}

void rope_rotate(float *x, const float *cosines, const float *sines, size_t n, bool half)
{
	for (size_t j = 0; j < n / 2; j++) {
		float *a = half ? &x[j] : &x[2 * j], *b = half ? &x[j + n / 2] : &x[2 * j + 1];
		float first = *a, second = *b;

		*a = first * cosines[j] - second * sines[j];
		*b = first * sines[j] + second * cosines[j];
	}
}

uint16_t bf16_bits(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	if ((bits & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(bits >> 16 | 0x40); /* NaN stays NaN */
	return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float bf16_value(uint16_t half)
{
	uint32_t bits = (uint32_t)half << 16;
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

void store_row(void *row, const float *values, size_t n, bool bf16)
{
	uint16_t *halves = row;

	if (!bf16) {
		memcpy(row, values, n * sizeof(*values));
		return;
	}
	for (size_t i = 0; i < n; i++)
		halves[i] = bf16_bits(values[i]);
}

void load_row(float *values, const void *row, size_t n, bool bf16)
{
	const uint16_t *halves = row;

	if (!bf16) {
		memcpy(values, row, n * sizeof(*values));
		return;
	}
	for (size_t i = 0; i < n; i++)
		values[i] = bf16_value(halves[i]);
}
