/* How good titles, summaries, key passages and answers are: the whole pipeline over sets that people have made; see
 * README.md. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/quality.h"

struct plan {
	const char *model, *folder, *cache, *output, *only;
	unsigned n_threads;
	struct quality quality;
};

static const struct option OPTIONS[] = {
	{ "cache", required_argument, NULL, 'c' },   { "documents", required_argument, NULL, 'd' },
	{ "hidden", required_argument, NULL, 'h' },  { "only", required_argument, NULL, 'y' },
	{ "output", required_argument, NULL, 'o' },  { "passages", required_argument, NULL, 'p' },
	{ "threads", required_argument, NULL, 't' }, { NULL, 0, NULL, 0 },
};

static bool parse_number(const char *word, size_t *ret)
{
	char *end;

	*ret = strtoul(word, &end, 10);
	return end != word && *end == '\0' && *ret <= 100000;
}

static bool take_option(struct plan *plan, int option)
{
	size_t n;

	switch (option) {
	case 'c':
		plan->cache = optarg;
		return true;
	case 'd':
		return parse_number(optarg, &plan->quality.n_documents);
	case 'h':
		return parse_number(optarg, &plan->quality.n_hidden);
	case 'o':
		plan->output = optarg;
		return true;
	case 'p':
		return parse_number(optarg, &plan->quality.n_passages);
	case 't':
		if (!parse_number(optarg, &n))
			return false;
		plan->n_threads = (unsigned)n;
		return true;
	case 'y':
		plan->only = optarg;
		return true;
	default:
		return false;
	}
}

static bool parse(struct plan *plan, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
		if (!take_option(plan, option))
			return false;
	}
	if (argc - optind != 2)
		return false;
	plan->folder = argv[optind];
	plan->model = argv[optind + 1];
	return true;
}

static bool is_wanted(const struct plan *plan, const char *part)
{
	return plan->only == NULL || strstr(plan->only, part) != NULL;
}

static int measure_documents(const struct plan *plan, struct err *err)
{
	static const char *const SETS[] = { "pages", "scitldr_dev" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(SETS) / sizeof(SETS[0]); i++) {
		if (is_wanted(plan, SETS[i]))
			r = quality_documents(&plan->quality, SETS[i], err);
	}
	return r;
}

static int measure_hidden(const struct plan *plan, struct err *err)
{
	static const size_t LENGTHS[] = { 2000, 8000, 32000, 60000 }, COMPARED[] = { 2000, 8000 };
	int r = 0;

	for (size_t i = 0; r == 0 && is_wanted(plan, "hidden") && i < sizeof(LENGTHS) / sizeof(LENGTHS[0]);
	     i++)
		r = quality_hidden(&plan->quality, LENGTHS[i], err);
	for (size_t i = 0; r == 0 && is_wanted(plan, "dense") && i < sizeof(COMPARED) / sizeof(COMPARED[0]);
	     i++)
		r = quality_dense(&plan->quality, COMPARED[i], err);
	return r;
}

static int measure_questions(const struct plan *plan, struct err *err)
{
	int r = is_wanted(plan, "short") ? quality_short(&plan->quality, err) : 0;

	if (r == 0)
		r = measure_hidden(plan, err);
	if (r == 0 && is_wanted(plan, "unanswerable"))
		r = quality_unanswerable(&plan->quality, err);
	if (r == 0 && is_wanted(plan, "cost"))
		r = quality_cost(&plan->quality, err);
	/* Nothing is measured by this one: it is for who has new weights. */
	return r == 0 && plan->only != NULL && is_wanted(plan, "score") ? quality_score(&plan->quality, err)
	                                                                : r;
}

static int measure(struct plan *plan, struct err *err)
{
	struct desk desk;
	int r = desk_open(&desk, plan->model, plan->cache, plan->n_threads, err);

	if (r < 0)
		return r;
	plan->quality.desk = &desk;
	plan->quality.folder = plan->folder;
	r = measure_documents(plan, err);
	if (r == 0)
		r = measure_questions(plan, err);
	desk_close(&desk);
	return r;
}

int main(int argc, char **argv)
{
	struct plan plan = {
		.output = "bench/quality.tsv",
		.quality = { .n_documents = 60, .max_bytes = 48000, .n_passages = 60, .n_hidden = 10 }
	};
	struct err err = { "" };
	int r;

	if (!parse(&plan, argc, argv)) {
		fprintf(stderr,
		        "usage: %s [--documents N] [--passages N] [--hidden N] [--only "
		        "pages,scitldr_dev,short,"
		        "hidden,dense,unanswerable,cost,score]\n       [--cache KV] [--threads N] [--output "
		        "FILE] SETS "
		        "MODEL\n",
		        argv[0]);
		return EXIT_FAILURE;
	}
	plan.quality.csv = fopen(plan.output, "we");
	if (plan.quality.csv == NULL) {
		perror(plan.output);
		return EXIT_FAILURE;
	}
	r = measure(&plan, &err);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", argv[0], err.text);
	return fclose(plan.quality.csv) == 0 && r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
