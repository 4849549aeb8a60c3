/* What the extractor's walls, marks and pipes cost: its time for a file beside that of the bare tool or library, and the
 * time it takes to begin. See README.md. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/bare.h"
#include "bench/made_files.h"
#include "bench/options.h"
#include "bench/report.h"
#include "pipeline/extract.h"

#define N_PAGES 300
#define DOCX_BYTES ((size_t)10 << 20)
#define START_S 0.01

static int take_text(const char *path, size_t *ret, struct err *err)
{
	struct extracted extracted = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return err_set(err, -errno, "'%s': %s", path, strerror(errno));
	r = extract_file(fd, path, NULL, NULL, &extracted, err);
	*ret = extracted.n;
	extracted_done(&extracted);
	close(fd);
	return r;
}

/* Seconds of the clock, and of processor time, in this process and those that it waited for. */
struct cost {
	double wall, cpu;
};

struct side {
	int (*run)(const char *path, size_t *ret, struct err *err); /* NULL: none */
	struct cost best;
	size_t n; /* bytes of text */
};

struct measurement {
	const char *what, *cpu_what;
	struct side ours, bare;
	unsigned n_trials;
	size_t n; /* of the line; 0: bytes of text */
	double start_s; /* to be held against, instead of what is bare; 0: that */
	double bar;
};

static double seconds_of(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec * 1e-6;
}

static double cpu_seconds(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
}

static struct cost cost_now(void)
{
	return (struct cost){ clock_seconds(), cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN) };
}

static void keep_least(double *best, double value)
{
	if (*best == 0 || value < *best)
		*best = value;
}

static int run_side(struct side *side, const char *path, struct err *err)
{
	const struct cost before = cost_now();
	int r = side->run == NULL ? 0 : side->run(path, &side->n, err);
	const struct cost after = cost_now();

	keep_least(&side->best.wall, after.wall - before.wall);
	keep_least(&side->best.cpu, after.cpu - before.cpu);
	return r;
}

/* By turns, so that both meet the same neighbours. */
static int compare(struct measurement *measurement, const char *path, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < measurement->n_trials; i++) {
		r = run_side(&measurement->bare, path, err);
		if (r == 0)
			r = run_side(&measurement->ours, path, err);
	}
	return r;
}

static void tell(struct report *report, const struct measurement *measurement)
{
	const struct cost *ours = &measurement->ours.best, *bare = &measurement->bare.best;
	struct line line = { .what = measurement->what,
		             .threads = 1,
		             .n = measurement->n > 0 ? measurement->n : measurement->ours.n,
		             .value = 1e3 * ours->wall,
		             .unit = "ms",
		             .reference =
		                     1e3 * (measurement->start_s > 0 ? measurement->start_s : bare->wall),
		             .bar = { BAR_AT_MOST, measurement->bar } };

	report_line(report, &line);
	line.what = measurement->cpu_what;
	line.value = 1e3 * ours->cpu;
	line.reference = measurement->start_s > 0 ? 0 : 1e3 * bare->cpu;
	line.bar = (struct bar){ BAR_NONE, 0 };
	report_line(report, &line);
}

static int compare_and_tell(struct report *report, struct measurement *measurement, const char *path,
                            struct err *err)
{
	int r = compare(measurement, path, err);

	if (r == 0)
		tell(report, measurement);
	return r;
}

/* From the call to the text of a file of one line: process, walls, starter, frames, end. */
static int measure_start(struct report *report, const char *path, unsigned n_trials, struct err *err)
{
	struct measurement start = { .what = "extract: a process and its walls",
		                     .cpu_what = "extract: a process: processor time",
		                     .ours = { .run = take_text },
		                     .n_trials = 10 * n_trials,
		                     .n = 1,
		                     .start_s = START_S,
		                     .bar = 1 };
	int r = made_text(path, err);

	return r < 0 ? r : compare_and_tell(report, &start, path, err);
}

static int measure_pdf(struct report *report, const char *path, unsigned n_trials, struct err *err)
{
	struct measurement pdf = { .what = "extract: PDF by pdftotext",
		                   .cpu_what = "extract: PDF: processor time",
		                   .ours = { .run = take_text },
		                   .bare = { .run = bare_pdftotext },
		                   .n_trials = n_trials,
		                   .n = N_PAGES,
		                   .bar = 1.2 };
	int r = made_pdf(path, N_PAGES, err);

	return r < 0 ? r : compare_and_tell(report, &pdf, path, err);
}

static int measure_docx(struct report *report, const char *path, unsigned n_trials, struct err *err)
{
	struct measurement docx = { .what = "extract: DOCX by libzip; libxml2",
		                    .cpu_what = "extract: DOCX: processor time",
		                    .ours = { .run = take_text },
		                    .bare = { .run = bare_docx },
		                    .n_trials = n_trials,
		                    .bar = 1.2 };
	int r = made_docx(path, DOCX_BYTES, err);

	return r < 0 ? r : compare_and_tell(report, &docx, path, err);
}

static int measure(const struct options *options, struct report *report, struct err *err)
{
	static int (*const MEASURES[])(struct report * report, const char *path, unsigned n_trials,
	                               struct err *err) = { measure_start, measure_pdf, measure_docx };
	char path[PATH_MAX];
	int r = 0;

	snprintf(path, sizeof(path), "%s.document", options->output);
	for (size_t i = 0; r == 0 && i < sizeof(MEASURES) / sizeof(MEASURES[0]); i++)
		r = MEASURES[i](report, path, options->quick ? 3 : 10, err);
	unlink(path);
	return r;
}

int main(int argc, char **argv)
{
	struct options options;
	struct report report;
	struct err err = { "" };
	int r, closed;

	if (!options_parse(&options, argc, argv, "extract.csv"))
		return 2;
	r = report_open(&report, options.output, "none", &err);
	if (r == 0) {
		r = measure(&options, &report, &err);
		closed = report_close(&report, r < 0 ? NULL : &err);
		r = r < 0 ? r : closed;
	}
	if (r < 0)
		fprintf(stderr, "%s: %s\n", argv[0], err.text);
	return r < 0 ? 1 : 0;
}
