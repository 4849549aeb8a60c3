/* What was measured, as a CSV file for programs and as a table on standard output for people. */
#ifndef SKIMD_BENCH_REPORT_H
#define SKIMD_BENCH_REPORT_H

#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "bench/machine.h"

/* What the ratio of value to reference is to be; none: the figure is for information. */
enum bar_kind { BAR_NONE, BAR_AT_LEAST, BAR_AT_MOST };

struct bar {
	enum bar_kind kind;
	double ratio;
};

struct line {
	const char *what; /* without a comma */
	unsigned threads;
	size_t depth; /* tokens that are there already */
	size_t n; /* tokens, rows, bytes: what `what` counts */
	double value;
	const char *unit; /* of value and reference */
	double reference; /* what value is held against; 0: nothing */
	struct bar bar; /* needs a reference */
};

struct report {
	FILE *csv;
	unsigned n_bars, n_missed;
};

/* Make the file path and write what stands above the lines: CPU, kernels, date. -errno of fopen(). */
int report_open(struct report *report, const char *path, const char *kernels, struct err *err);

/* A comment. */
void report_note(struct report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The peaks, as a comment. */
void report_peaks(struct report *report, const struct peaks *peaks);

void report_line(struct report *report, const struct line *line);

/* -EIO: not all of it could be written. Says how many bars were met. */
int report_close(struct report *report, struct err *err);

#endif
