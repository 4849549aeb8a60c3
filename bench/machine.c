#include "bench/machine.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "bench/crew.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Many short trials: on a machine that is shared, one of them is left alone. */
#define N_TRIALS 40
#define N_READS 10
#define TRIAL_SECONDS 0.002
#define GUESSED_CACHE_BYTES ((size_t)32 << 20)

#define CACHE_LINE 64

/* What a loop leaves behind, so that no compiler drops it. */
struct sink {
	_Alignas(CACHE_LINE) unsigned char bytes[CACHE_LINE];
};

/* A loop of independent chains of one instruction. */
struct loop {
	void (*run)(size_t n_rounds, struct sink *sink);
	double operations; /* of one round */
};

/* Sums n bytes, a multiple of READ_STEP. */
typedef void read_loop(const uint8_t *bytes, size_t n, struct sink *sink);

#define READ_STEP 256

#define N_CHAINS 12 /* of 16 registers; more than latency times ports of any CPU so far */

/* Without fused multiply-add: what the plain kernels can reach. */
static void fp32_plain(size_t n_rounds, struct sink *sink)
{
	typedef float vec __attribute__((vector_size(16)));
	const vec factor = { 0.5f, 0.5f, 0.5f, 0.5f }, term = { 1, 2, 3, 4 };
	vec acc[N_CHAINS] = { 0 };

	for (size_t i = 0; i < n_rounds; i++) {
#pragma GCC unroll 12
		for (int c = 0; c < N_CHAINS; c++)
			acc[c] = acc[c] * factor + term;
	}
	for (int c = 1; c < N_CHAINS; c++)
		acc[0] += acc[c];
	memcpy(sink->bytes, &acc[0], sizeof(acc[0]));
}

static void read_plain(const uint8_t *bytes, size_t n, struct sink *sink)
{
	typedef uint64_t vec __attribute__((vector_size(16)));
	vec acc[8] = { 0 };

	for (size_t i = 0; i < n; i += 8 * sizeof(vec)) {
#pragma GCC unroll 8
		for (size_t c = 0; c < 8; c++)
			acc[c] += *(const vec *)(const void *)(bytes + i + c * sizeof(vec));
	}
	for (int c = 1; c < 8; c++)
		acc[0] += acc[c];
	memcpy(sink->bytes, &acc[0], sizeof(acc[0]));
}

static const struct loop FP32_PLAIN = { fp32_plain, 2 * 4 * N_CHAINS };

#if defined(__x86_64__)

__attribute__((target("avx2,fma"))) static void fp32_avx2(size_t n_rounds, struct sink *sink)
{
	const __m256 factor = _mm256_set1_ps(0.5f), term = _mm256_set1_ps(1);
	__m256 acc[N_CHAINS];

	for (int c = 0; c < N_CHAINS; c++)
		acc[c] = _mm256_set1_ps((float)c);
	for (size_t i = 0; i < n_rounds; i++) {
#pragma GCC unroll 12
		for (int c = 0; c < N_CHAINS; c++)
			acc[c] = _mm256_fmadd_ps(acc[c], factor, term);
	}
	for (int c = 1; c < N_CHAINS; c++)
		acc[0] = _mm256_add_ps(acc[0], acc[c]);
	memcpy(sink->bytes, &acc[0], sizeof(acc[0]));
}

__attribute__((target("avx512f"))) static void fp32_avx512(size_t n_rounds, struct sink *sink)
{
	const __m512 factor = _mm512_set1_ps(0.5f), term = _mm512_set1_ps(1);
	__m512 acc[N_CHAINS];

	for (int c = 0; c < N_CHAINS; c++)
		acc[c] = _mm512_set1_ps((float)c);
	for (size_t i = 0; i < n_rounds; i++) {
#pragma GCC unroll 12
		for (int c = 0; c < N_CHAINS; c++)
			acc[c] = _mm512_fmadd_ps(acc[c], factor, term);
	}
	for (int c = 1; c < N_CHAINS; c++)
		acc[0] = _mm512_add_ps(acc[0], acc[c]);
	memcpy(sink->bytes, &acc[0], sizeof(acc[0]));
}

__attribute__((target("avx512f,avx512bf16"))) static void bf16_avx512(size_t n_rounds, struct sink *sink)
{
	const __m512bh half = (__m512bh)_mm512_set1_epi32(0x3f003f00);
	__m512 acc[N_CHAINS];

	for (int c = 0; c < N_CHAINS; c++)
		acc[c] = _mm512_set1_ps((float)c);
	for (size_t i = 0; i < n_rounds; i++) {
#pragma GCC unroll 12
		for (int c = 0; c < N_CHAINS; c++)
			acc[c] = _mm512_dpbf16_ps(acc[c], half, half);
	}
	for (int c = 1; c < N_CHAINS; c++)
		acc[0] = _mm512_add_ps(acc[0], acc[c]);
	memcpy(sink->bytes, &acc[0], sizeof(acc[0]));
}

__attribute__((target("avx512f,avx512vnni"))) static void int8_avx512(size_t n_rounds, struct sink *sink)
{
	const __m512i ones = _mm512_set1_epi32(0x01010101);
	__m512i acc[N_CHAINS];

	for (int c = 0; c < N_CHAINS; c++)
		acc[c] = _mm512_set1_epi32(c);
	for (size_t i = 0; i < n_rounds; i++) {
#pragma GCC unroll 12
		for (int c = 0; c < N_CHAINS; c++)
			acc[c] = _mm512_dpbusd_epi32(acc[c], ones, ones);
	}
	for (int c = 1; c < N_CHAINS; c++)
		acc[0] = _mm512_add_epi32(acc[0], acc[c]);
	memcpy(sink->bytes, &acc[0], sizeof(acc[0]));
}

/* Only the last of the three instructions is a chain: the empty asm keeps the other two from leaving the loop. */
__attribute__((target("avx2"))) static void int8_avx2(size_t n_rounds, struct sink *sink)
{
	const __m256i ones = _mm256_set1_epi16(1);
	__m256i bytes = _mm256_set1_epi8(1), acc[8];

	for (int c = 0; c < 8; c++)
		acc[c] = _mm256_set1_epi32(c);
	for (size_t i = 0; i < n_rounds; i++) {
#pragma GCC unroll 8
		for (int c = 0; c < 8; c++) {
			__asm__ volatile("" : "+x"(bytes));
			acc[c] = _mm256_add_epi32(
				acc[c], _mm256_madd_epi16(_mm256_maddubs_epi16(bytes, bytes), ones));
		}
	}
	for (int c = 1; c < 8; c++)
		acc[0] = _mm256_add_epi32(acc[0], acc[c]);
	memcpy(sink->bytes, &acc[0], sizeof(acc[0]));
}

__attribute__((target("avx2"))) static void read_avx2(const uint8_t *bytes, size_t n, struct sink *sink)
{
	__m256i acc[8];

	for (int c = 0; c < 8; c++)
		acc[c] = _mm256_setzero_si256();
	for (size_t i = 0; i < n; i += 8 * sizeof(__m256i)) {
#pragma GCC unroll 8
		for (size_t c = 0; c < 8; c++)
			acc[c] = _mm256_add_epi64(
				acc[c], _mm256_load_si256((const void *)(bytes + i + c * sizeof(__m256i))));
	}
	for (int c = 1; c < 8; c++)
		acc[0] = _mm256_add_epi64(acc[0], acc[c]);
	memcpy(sink->bytes, &acc[0], sizeof(acc[0]));
}

static const struct loop FP32_AVX2 = { fp32_avx2, 2 * 8 * N_CHAINS };
static const struct loop FP32_AVX512 = { fp32_avx512, 2 * 16 * N_CHAINS };
static const struct loop BF16_AVX512 = { bf16_avx512, 2 * 32 * N_CHAINS };
static const struct loop INT8_AVX2 = { int8_avx2, 2 * 32 * 8 };
static const struct loop INT8_AVX512 = { int8_avx512, 2 * 64 * N_CHAINS };

static const struct loop *fp32_loop(void)
{
	if (__builtin_cpu_supports("avx512f"))
		return &FP32_AVX512;
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &FP32_AVX2 : &FP32_PLAIN;
}

static const struct loop *bf16_loop(void)
{
	return __builtin_cpu_supports("avx512bf16") ? &BF16_AVX512 : NULL;
}

static const struct loop *int8_loop(void)
{
	if (__builtin_cpu_supports("avx512vnni"))
		return &INT8_AVX512;
	return __builtin_cpu_supports("avx2") ? &INT8_AVX2 : NULL;
}

static read_loop *reader(void)
{
	return __builtin_cpu_supports("avx2") ? read_avx2 : read_plain;
}

#else

static const struct loop *fp32_loop(void)
{
	return &FP32_PLAIN;
}

static const struct loop *bf16_loop(void)
{
	return NULL;
}

static const struct loop *int8_loop(void)
{
	return NULL;
}

static read_loop *reader(void)
{
	return read_plain;
}

#endif

/* A loop, for the crew. */
struct trial {
	const struct loop *loop;
	size_t n_rounds;
	struct sink sinks[CREW_MAX];
};

static void run_trial(void *user, unsigned thread)
{
	struct trial *trial = user;

	trial->loop->run(trial->n_rounds, &trial->sinks[thread]);
}

/* As many rounds as take one thread TRIAL_SECONDS. */
static int set_rounds(struct trial *trial, struct err *err)
{
	double seconds = 0;
	int r = 0;

	for (trial->n_rounds = 1024; r == 0 && seconds < TRIAL_SECONDS; trial->n_rounds *= 2)
		r = crew_run(1, run_trial, trial, &seconds, err);
	return r;
}

/* Operations a second of all threads together. */
static int measure_loop(const struct loop *loop, unsigned n_threads, double *ret, struct err *err)
{
	struct trial trial = { .loop = loop };
	double best = 0, seconds;
	int r;

	*ret = 0;
	if (loop == NULL)
		return 0;
	if ((r = set_rounds(&trial, err)) < 0)
		return r;
	for (int i = 0; i < N_TRIALS; i++) {
		double rate;

		if ((r = crew_run(n_threads, run_trial, &trial, &seconds, err)) < 0)
			return r;
		rate = loop->operations * (double)trial.n_rounds * n_threads / seconds;
		best = rate > best ? rate : best;
	}
	*ret = best;
	return 0;
}

/* A buffer that the crew reads, each thread its part. */
struct buffer {
	uint8_t *bytes;
	size_t n_bytes;
	unsigned n_threads;
	struct sink sinks[CREW_MAX];
};

static int buffer_init(struct buffer *buffer, size_t n_bytes, unsigned n_threads, struct err *err)
{
	buffer->n_threads = n_threads;
	buffer->n_bytes = (n_bytes + READ_STEP - 1) / READ_STEP * READ_STEP;
	buffer->bytes = array_new(uint8_t, buffer->n_bytes);
	if (buffer->bytes == NULL)
		return err_set(err, -ENOMEM, "no memory for %zu bytes to read", n_bytes);
	memset(buffer->bytes, 1, buffer->n_bytes); /* memory of its own, not one page of zeros many times */
	return 0;
}

static void read_part(void *user, unsigned thread)
{
	struct buffer *buffer = user;
	size_t n_steps = buffer->n_bytes / READ_STEP;
	size_t first = n_steps * thread / buffer->n_threads, end = n_steps * (thread + 1) / buffer->n_threads;

	reader()(buffer->bytes + first * READ_STEP, (end - first) * READ_STEP, &buffer->sinks[thread]);
}

static int read_buffer(struct buffer *buffer, double *ret_seconds, struct err *err)
{
	return crew_run(buffer->n_threads, read_part, buffer, ret_seconds, err);
}

/* Much larger than the caches, within reason. */
static size_t large_bytes(void)
{
	size_t n = 4 * machine_cache_bytes(), most = (size_t)1 << 30;

	return n < most ? n : most;
}

int machine_stream(unsigned n_threads, double *ret_bytes_per_s, struct err *err)
{
	struct buffer buffer;
	double best = 0, seconds = 0;
	int r = buffer_init(&buffer, large_bytes(), n_threads, err);

	for (int i = 0; r == 0 && i < N_READS; i++) {
		r = read_buffer(&buffer, &seconds, err);
		if (r == 0 && (best == 0 || seconds < best))
			best = seconds;
	}
	if (r == 0)
		*ret_bytes_per_s = (double)buffer.n_bytes / best;
	free(buffer.bytes);
	return r;
}

int machine_peaks(unsigned n_threads, struct peaks *ret, struct err *err)
{
	struct peaks peaks = { .n_threads = n_threads };
	int r;

	if ((r = measure_loop(fp32_loop(), n_threads, &peaks.fp32_per_s, err)) < 0 ||
	    (r = measure_loop(bf16_loop(), n_threads, &peaks.bf16_per_s, err)) < 0 ||
	    (r = measure_loop(int8_loop(), n_threads, &peaks.int8_per_s, err)) < 0 ||
	    (r = machine_stream(n_threads, &peaks.stream_bytes_per_s, err)) < 0)
		return r;
	*ret = peaks;
	return 0;
}

int machine_fp32(unsigned n_threads, double *ret_per_s, struct err *err)
{
	return measure_loop(fp32_loop(), n_threads, ret_per_s, err);
}

int machine_bf16(unsigned n_threads, double *ret_per_s, struct err *err)
{
	return measure_loop(bf16_loop(), n_threads, ret_per_s, err);
}

int machine_arithmetic(unsigned n_threads, double *ret_per_s, struct err *err)
{
	double fp32, bf16;
	int r;

	if ((r = machine_fp32(n_threads, &fp32, err)) < 0 || (r = machine_bf16(n_threads, &bf16, err)) < 0)
		return r;
	*ret_per_s = bf16 > fp32 ? bf16 : fp32;
	return 0;
}

/* One trial: cold, then warm; keeps the shorter times. */
static int read_twice(struct buffer *buffer, struct buffer *other, double *cold, double *warm,
                      struct err *err)
{
	double seconds[3];
	int r;

	if ((r = read_buffer(other, &seconds[0], err)) < 0 ||
	    (r = read_buffer(buffer, &seconds[1], err)) < 0 ||
	    (r = read_buffer(buffer, &seconds[2], err)) < 0)
		return r;
	*cold = seconds[1] < *cold ? seconds[1] : *cold;
	*warm = seconds[2] < *warm ? seconds[2] : *warm;
	return 0;
}

int machine_read_seconds(unsigned n_threads, size_t n_bytes, double *ret_cold, double *ret_warm,
                         struct err *err)
{
	struct buffer buffer = { .bytes = NULL }, other = { .bytes = NULL };
	double cold = 1e9, warm = 1e9;
	int r = buffer_init(&buffer, n_bytes, n_threads, err);

	if (r == 0)
		r = buffer_init(&other, large_bytes(), n_threads, err);
	for (int i = 0; r == 0 && i < N_READS; i++)
		r = read_twice(&buffer, &other, &cold, &warm, err);
	free(buffer.bytes);
	free(other.bytes);
	if (r < 0)
		return r;
	*ret_cold = cold;
	*ret_warm = warm;
	return 0;
}

unsigned machine_n_cpus(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ? 1 : (unsigned)CPU_COUNT(&cpus);
}

/* A size as sysfs writes it: "32768K". 0: the file is not there. */
static size_t read_cache_file(const char *path)
{
	FILE *file = fopen(path, "re");
	size_t kib = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%zuK", &kib) != 1)
		kib = 0;
	fclose(file);
	return kib * 1024;
}

size_t machine_cache_bytes(void)
{
	size_t n = 0;

	/* sysfs first: sysconf() counts the caches of other sockets and guests on some processors */
	for (int level = 4; n == 0 && level >= 2; level--) {
		char path[64];

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/size", level);
		n = read_cache_file(path);
	}
	return n > 0 ? n : GUESSED_CACHE_BYTES;
}

void machine_cpu_name(char *ret, size_t n)
{
	FILE *cpuinfo = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(ret, n, "unknown");
	while (cpuinfo != NULL && fgets(line, sizeof(line), cpuinfo) != NULL) {
		const char *name = strchr(line, ':');

		if (strncmp(line, "model name", strlen("model name")) != 0 || name == NULL)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(ret, n, "%s", name + 1 + strspn(name + 1, " "));
		break;
	}
	if (cpuinfo != NULL)
		fclose(cpuinfo);
}
