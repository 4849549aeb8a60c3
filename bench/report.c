#include "bench/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TABLE "%-34s %7s %7s %10s %10s %-12s %10s %7s %7s  %s\n"
#define CSV "%s,%s,%s,%s,%s,%s,%s,%s,%s,%s\n"

enum { WHAT, THREADS, DEPTH, N, VALUE, UNIT, REFERENCE, RATIO, BAR, MET, N_COLUMNS };

/* A line's words, one a column. */
struct row {
	char words[N_COLUMNS][64];
};

static void print_row(struct report *report, const char (*words)[64])
{
	printf(TABLE, words[WHAT], words[THREADS], words[DEPTH], words[N], words[VALUE], words[UNIT],
	       words[REFERENCE], words[RATIO], words[BAR], words[MET]);
	fflush(stdout);
	fprintf(report->csv, CSV, words[WHAT], words[THREADS], words[DEPTH], words[N], words[VALUE],
	        words[UNIT], words[REFERENCE], words[RATIO], words[BAR], words[MET]);
}

/* Whether the machine was ours alone while we measured. */
static void note_load(struct report *report)
{
	double load;

	if (getloadavg(&load, 1) == 1)
		report_note(report, "load average: %.2f", load);
}

int report_open(struct report *report, const char *path, const char *kernels, struct err *err)
{
	static const char HEADINGS[N_COLUMNS][64] = { "what", "threads",   "depth", "n",   "value",
		                                      "unit", "reference", "ratio", "bar", "met" };
	char cpu[128], date[32];
	time_t now = time(NULL);
	struct tm utc;

	*report = (struct report){ .csv = fopen(path, "we") };
	if (report->csv == NULL)
		return err_set(err, -errno, "'%s': %s", path, strerror(errno));
	machine_cpu_name(cpu, sizeof(cpu));
	strftime(date, sizeof(date), "%Y-%m-%d", gmtime_r(&now, &utc));
	report_note(report, "cpu: %s, %u of it for us, last-level cache of %zu MiB", cpu, machine_n_cpus(),
	            machine_cache_bytes() >> 20);
	report_note(report, "kernels: %s", kernels);
	report_note(report, "date: %s", date);
	note_load(report);
	print_row(report, HEADINGS);
	return 0;
}

void report_note(struct report *report, const char *format, ...)
{
	char words[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	printf("# %s\n", words);
	fflush(stdout);
	fprintf(report->csv, "# %s\n", words);
}

void report_peaks(struct report *report, const struct peaks *peaks)
{
	report_note(report,
	            "peaks with %u threads: fp32 %.1f GFLOP/s, bf16 %.1f GFLOP/s, int8 %.1f GOP/s, "
	            "stream %.2f GB/s",
	            peaks->n_threads, peaks->fp32_per_s / 1e9, peaks->bf16_per_s / 1e9,
	            peaks->int8_per_s / 1e9, peaks->stream_bytes_per_s / 1e9);
}

/* Four digits that mean something. */
static void write_number(char *ret, size_t n, double value)
{
	double size = value < 0 ? -value : value;
	int digits = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4;

	snprintf(ret, n, "%.*f", digits, value);
}

static bool is_met(const struct line *line)
{
	double ratio = line->value / line->reference;

	return line->bar.kind == BAR_AT_LEAST ? ratio >= line->bar.ratio : ratio <= line->bar.ratio;
}

static void compare(struct report *report, const struct line *line, struct row *row)
{
	bool met = is_met(line);

	write_number(row->words[REFERENCE], sizeof(row->words[REFERENCE]), line->reference);
	snprintf(row->words[RATIO], sizeof(row->words[RATIO]), "%.3f", line->value / line->reference);
	if (line->bar.kind == BAR_NONE)
		return;
	snprintf(row->words[BAR], sizeof(row->words[BAR]), "%s%.2f",
	         line->bar.kind == BAR_AT_LEAST ? ">=" : "<=", line->bar.ratio);
	snprintf(row->words[MET], sizeof(row->words[MET]), "%s", met ? "met" : "missed");
	report->n_bars++;
	report->n_missed += !met;
}

void report_line(struct report *report, const struct line *line)
{
	struct row row = { { "" } };

	snprintf(row.words[WHAT], sizeof(row.words[WHAT]), "%s", line->what);
	snprintf(row.words[THREADS], sizeof(row.words[THREADS]), "%u", line->threads);
	snprintf(row.words[DEPTH], sizeof(row.words[DEPTH]), "%zu", line->depth);
	snprintf(row.words[N], sizeof(row.words[N]), "%zu", line->n);
	write_number(row.words[VALUE], sizeof(row.words[VALUE]), line->value);
	snprintf(row.words[UNIT], sizeof(row.words[UNIT]), "%s", line->unit);
	if (line->reference > 0)
		compare(report, line, &row);
	print_row(report, row.words);
}

int report_close(struct report *report, struct err *err)
{
	int failed;

	note_load(report);
	report_note(report, "bars: %u of %u met", report->n_bars - report->n_missed, report->n_bars);
	failed = ferror(report->csv);
	if (fclose(report->csv) != 0 || failed)
		return err_set(err, -EIO, "the results could not be written");
	return 0;
}
