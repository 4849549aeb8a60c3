/* What keeping attention state is worth and what it costs: the second question after a restart, the store's speed, what
 * it writes, and other forms that rows could have; see README.md. Each trial is a process of its own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/copying.h"
#include "bench/disk.h"
#include "bench/filling.h"
#include "bench/loading.h"
#include "bench/options.h"
#include "bench/program.h"
#include "bench/question.h"
#include "bench/report.h"
#include "bench/restart.h"
#include "bench/trials.h"
#include "model/engine.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MIB (1024.0 * 1024)

static void tell_filled(struct trials *trials, const struct filled *filled)
{
	double budget = (double)trials->plan.budget_bytes;

	trials_tell_written(trials, "written: filling", &filled->filling, 1.15);
	trials_tell_written(trials, "written: evicting", &filled->evicting, 1.3);
	trials_tell(trials,
	            (struct line){ .what = "filling",
	                           .threads = 1,
	                           .n = (size_t)filled->filling.payload_bytes,
	                           .value = filled->filling.payload_bytes / filled->filling.seconds / 1e9,
	                           .unit = "GB/s" });
	trials_tell(trials,
	            (struct line){ .what = "evicting",
	                           .threads = 1,
	                           .n = (size_t)filled->evicting.payload_bytes,
	                           .value = filled->evicting.payload_bytes / filled->evicting.seconds / 1e9,
	                           .unit = "GB/s" });
	trials_tell(trials, (struct line){ .what = "file and journal at most",
	                                   .threads = 1,
	                                   .n = trials->plan.budget_bytes,
	                                   .value = filled->most_bytes / MIB,
	                                   .unit = "MiB",
	                                   .reference = budget / MIB,
	                                   .bar = { BAR_AT_MOST, 1 } });
}

static void measure_filling(struct trials *trials)
{
	char budget[24], block[24];
	const char *const words[] = { TRIALS_PART, "fill", trials->kv, budget, block, NULL };
	struct filled filled = { .most_bytes = 0 };

	snprintf(budget, sizeof(budget), "%llu", (unsigned long long)trials->plan.budget_bytes);
	snprintf(block, sizeof(block), "%zu", trials->block_bytes);
	trials_remove_store(trials);
	trials_run(trials, words, &filled, sizeof(filled), NULL);
	tell_filled(trials, &filled);
}

static void tell_loading(struct trials *trials, const struct loading *loading)
{
	double rows = loading->n_tokens / BLOCK_TOKENS * loading->block_bytes;
	char what[64];

	for (size_t i = 0; i < N_FORMATS; i++) {
		snprintf(what, sizeof(what), "bytes: %s", FORMAT_NAMES[i]);
		trials_tell(trials,
		            (struct line){ .what = what,
		                           .threads = 1,
		                           .n = (size_t)loading->n_tokens,
		                           .value = loading->bytes[i] / loading->n_tokens,
		                           .unit = "bytes/token",
		                           .reference = loading->bytes[FORMAT_PLAIN] / loading->n_tokens });
	}
	for (size_t i = 0; i < N_FORMATS; i++) {
		snprintf(what, sizeof(what), "load: %s", FORMAT_NAMES[i]);
		trials_tell(trials,
		            (struct line){ .what = what,
		                           .threads = 1,
		                           .n = (size_t)loading->n_tokens,
		                           .value = rows / loading->seconds[i] / 1e9,
		                           .unit = "GB/s",
		                           .reference = rows / loading->seconds[FORMAT_PLAIN] / 1e9 });
	}
}

static void measure_formats(struct trials *trials)
{
	char threads[16];
	const char *const words[] = { TRIALS_PART, "load", trials->model, threads, NULL };
	struct loading loading = { .n_tokens = 0 };

	snprintf(threads, sizeof(threads), "%u", trials->n_threads);
	trials_run(trials, words, &loading, sizeof(loading), NULL);
	if (trials->r == 0 && loading.n_tokens == 0)
		report_note(trials->report,
		            "forms of rows: no prompt in the model's golden.json to have rows of");
	else
		tell_loading(trials, &loading);
}

static void measure_all(struct trials *trials)
{
	measure_formats(trials);
	measure_filling(trials);
	restart_measure_shallow(trials);
	if (trials->plan.deep)
		restart_measure_deep(trials);
	trials_remove_store(trials);
	unlink(trials->plain);
}

/* The kernels' name and the sizes of a block, without an engine that stays. */
static int look_at_model(const struct options *options, struct trials *trials, struct err *err)
{
	const struct engine_settings settings = { .dir = options->model, .n_threads = 1 };
	const struct model_shape *shape;
	struct engine_info info;
	struct engine *engine;
	int r = engine_open(&settings, &engine, err);

	if (r < 0)
		return r;
	engine_info(engine, &info);
	shape = engine_shape(engine);
	trials->block_bytes = info.block_bytes;
	trials->block_row_bytes = (size_t)BLOCK_TOKENS * shape->num_hidden_layers *
	                          (shape->kv_lora_rank + shape->qk_rope_head_dim) * sizeof(uint16_t);
	r = report_open(trials->report, options->output, info.kernels, err);
	engine_close(engine);
	return r;
}

static int run(const struct options *options, struct err *err)
{
	static const struct plan FULL = { 2, 8, true, (uint64_t)512 << 20 },
				 QUICK = { 1, 4, false, (uint64_t)128 << 20 };
	struct report report = { .csv = NULL };
	struct trials trials = { .plan = options->quick ? QUICK : FULL,
		                 .model = options->model,
		                 .n_threads = options->n_threads,
		                 .report = &report };
	int r;

	snprintf(trials.kv, sizeof(trials.kv), "%s.kv", options->output);
	snprintf(trials.plain, sizeof(trials.plain), "%s.plain", options->output);
	if ((r = look_at_model(options, &trials, err)) < 0)
		return r;
	measure_all(&trials);
	*err = trials.err;
	r = trials.r;
	if (report_close(&report, r == 0 ? err : NULL) < 0 && r == 0)
		r = -EIO;
	return r;
}

static int part_question(char **words, struct err *err)
{
	const struct question question = { words[0], words[1], (unsigned)strtoul(words[2], NULL, 10),
		                           strtoul(words[3], NULL, 10), strtoul(words[4], NULL, 10) };
	struct answer answer;
	int r = question_ask(&question, &answer, err);

	return r < 0 ? r : program_tell(&answer, sizeof(answer), err);
}

static int part_read(char **words, struct err *err)
{
	enum disk_memory memory = strcmp(words[2], "new") == 0 ? DISK_NEW_MEMORY : DISK_SAME_MEMORY;
	struct disk_reading reading;
	int r = disk_read(words[0], strtoul(words[1], NULL, 10), memory, &reading, err);

	return r < 0 ? r : program_tell(&reading, sizeof(reading), err);
}

static int part_fill(char **words, struct err *err)
{
	const struct filling filling = { words[0], strtoull(words[1], NULL, 10),
		                         strtoul(words[2], NULL, 10) };
	struct filled filled;
	int r = filling_run(&filling, &filled, err);

	return r < 0 ? r : program_tell(&filled, sizeof(filled), err);
}

static int part_load(char **words, struct err *err)
{
	struct loading loading;
	int r = loading_measure(words[0], (unsigned)strtoul(words[1], NULL, 10), &loading, err);

	return r < 0 ? r : program_tell(&loading, sizeof(loading), err);
}

static int part_copy(char **words, struct err *err)
{
	const struct copying copying = { words[0], words[1], strtoul(words[2], NULL, 10),
		                         strtoul(words[3], NULL, 10) };
	struct copied copied;
	int r = copying_run(&copying, &copied, err);

	return r < 0 ? r : program_tell(&copied, sizeof(copied), err);
}

/* What the processes do that this one starts. */
static const struct part {
	const char *name;
	int n_words;
	int (*run)(char **words, struct err *err);
} PARTS[] = {
	{ "question", 5, part_question }, { "copy", 4, part_copy }, { "read", 3, part_read },
	{ "fill", 3, part_fill },         { "load", 2, part_load },
};

static int run_part_named(int n_words, char **words, struct err *err)
{
	for (size_t i = 0; i < COUNT(PARTS); i++) {
		if (n_words == PARTS[i].n_words + 1 && strcmp(words[0], PARTS[i].name) == 0)
			return PARTS[i].run(words + 1, err);
	}
	return err_set(err, -EINVAL, "%s is for this program's own use", TRIALS_PART);
}

int main(int argc, char **argv)
{
	struct options options;
	struct err err = { "" };
	int r;

	if (argc > 2 && strcmp(argv[1], TRIALS_PART) == 0)
		r = run_part_named(argc - 2, argv + 2, &err);
	else if (options_parse(&options, argc, argv, "store.csv"))
		r = run(&options, &err);
	else
		return 2;
	if (r < 0)
		fprintf(stderr, "%s: %s\n", argv[0], err.text);
	return r < 0 ? 1 : 0;
}
