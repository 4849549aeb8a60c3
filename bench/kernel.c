#include "bench/kernel.h"

#include "base/array.h"
#include "bench/crew.h"
#include "bench/machine.h"

#define TRIAL_SECONDS 0.002

static double seconds_of(const struct kernel *kernel, size_t n_calls)
{
	double start = crew_clock();

	for (size_t i = 0; i < n_calls; i++)
		kernel->call(kernel->user);
	return crew_clock() - start;
}

/* Seconds of one call: the best of some trials of so many calls as take some milliseconds. */
static double best_seconds(const struct kernels *kernels, const struct kernel *kernel)
{
	double best = seconds_of(kernel, 1);
	size_t n_calls = best < TRIAL_SECONDS ? (size_t)(TRIAL_SECONDS / best) + 1 : 1;

	for (unsigned i = 0; i < kernels->n_trials; i++) {
		double seconds = seconds_of(kernel, n_calls) / (double)n_calls;

		best = seconds < best ? seconds : best;
	}
	return best;
}

static double measure_peak(struct kernels *kernels, peak_function *peak)
{
	if (kernels->r == 0)
		kernels->r = peak(1, &kernels->last_peak, &kernels->err);
	kernels->peak = peak;
	return kernels->last_peak;
}

/* The better of the peaks before and after: a shared machine is not as fast at every moment. */
static void tell_share(struct kernels *kernels, const struct kernel *kernel)
{
	double before =
		kernels->peak == kernel->peak ? kernels->last_peak : measure_peak(kernels, kernel->peak);
	double seconds = best_seconds(kernels, kernel);
	double after = measure_peak(kernels, kernel->peak);

	if (kernels->r < 0)
		return;
	report_line(&kernels->report,
	            &(struct line){ .what = kernel->what,
	                            .threads = 1,
	                            .depth = kernel->depth,
	                            .n = kernel->n,
	                            .value = kernel->work / seconds / 1e9,
	                            .unit = kernel->peak == machine_stream ? "GB/s" : "GFLOP/s",
	                            .reference = (before > after ? before : after) / 1e9,
	                            .bar = { kernel->bar > 0 ? BAR_AT_LEAST : BAR_NONE, kernel->bar } });
}

void kernel_tell(struct kernels *kernels, const struct kernel *kernel)
{
	if (kernels->r < 0)
		return;
	if (kernel->peak != NULL) {
		tell_share(kernels, kernel);
		return;
	}
	report_line(&kernels->report,
	            &(struct line){ .what = kernel->what,
	                            .threads = 1,
	                            .depth = kernel->depth,
	                            .n = kernel->n,
	                            .value = best_seconds(kernels, kernel) / kernel->work * 1e9,
	                            .unit = kernel->unit });
}

uint32_t kernel_random(struct kernels *kernels, uint32_t n)
{
	kernels->seed = kernels->seed * 1664525u + 1013904223u;
	return (kernels->seed >> 16) * n >> 16;
}

float *kernel_random_floats(struct kernels *kernels, size_t n, size_t m)
{
	float *ret = array_new(float, n, m);

	/* a bf16 has eight digits */
	for (size_t i = 0; ret != NULL && i < n * m; i++)
		ret[i] = (float)kernel_random(kernels, 256) / 128 - 1;
	return ret;
}
