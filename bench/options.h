/* The command line of the programs that measure: [--quick] [--threads N] [--output FILE] [MODEL]. */
#ifndef SKIMD_BENCH_OPTIONS_H
#define SKIMD_BENCH_OPTIONS_H

#include <stdbool.h>

struct options {
	const char *model; /* its folder; SKIMD_MODEL_DIR, else the installed default */
	const char *output; /* the CSV file */
	unsigned n_threads; /* the most; as many as there are CPUs for us */
	bool quick; /* a minute in all, and not everything */
};

/* false: the command line is wrong, and the usage has been printed. */
bool options_parse(struct options *ret, int argc, char **argv, const char *output);

#endif
