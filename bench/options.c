#include "bench/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/crew.h"
#include "bench/machine.h"

static const struct option OPTIONS[] = {
	{ "quick", no_argument, NULL, 'q' },
	{ "threads", required_argument, NULL, 't' },
	{ "output", required_argument, NULL, 'o' },
	{ NULL, 0, NULL, 0 },
};

static bool parse_threads(const char *word, unsigned *ret)
{
	char *end;
	unsigned long n = strtoul(word, &end, 10);

	*ret = (unsigned)n;
	return end != word && *end == '\0' && n > 0 && n <= CREW_MAX;
}

static bool take_option(struct options *options, int option)
{
	switch (option) {
	case 'q':
		options->quick = true;
		return true;
	case 't':
		return parse_threads(optarg, &options->n_threads);
	case 'o':
		options->output = optarg;
		return true;
	default:
		return false;
	}
}

static bool take_words(struct options *options, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
		if (!take_option(options, option))
			return false;
	}
	if (optind < argc)
		options->model = argv[optind++];
	return optind == argc;
}

bool options_parse(struct options *ret, int argc, char **argv, const char *output)
{
	const char *model = getenv("SKIMD_MODEL_DIR");

	*ret = (struct options){
		.model = model != NULL ? model : PKGDATADIR "/model/nano",
		.output = output,
		.n_threads = machine_n_cpus() < CREW_MAX ? machine_n_cpus() : CREW_MAX,
	};
	if (take_words(ret, argc, argv))
		return true;
	fprintf(stderr, "usage: %s [--quick] [--threads N] [--output FILE] [MODEL]\n", argv[0]);
	return false;
}
