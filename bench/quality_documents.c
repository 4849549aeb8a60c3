#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "bench/baselines.h"
#include "bench/bootstrap.h"
#include "bench/evaluation_set.h"
#include "bench/memory.h"
#include "bench/quality.h"

#define SEED 7

enum kind { KIND_KEY, KIND_SUMMARY };
#define N_KINDS 2
#define N_SYSTEMS (1 + N_BASELINES) /* ours, then the baselines */

static const char *const KIND_NAMES[N_KINDS] = { "key passages", "summary" };
static const char *const METRIC_NAMES[N_METRICS] = { "R1", "R2", "RL" };

/* scores[kind][system][metric][document] */
struct table {
	double *scores[N_KINDS][N_SYSTEMS][N_METRICS];
	double *words[N_KINDS]; /* [document] how many ours has */
	size_t n, n_generated; /* documents; of them, those whose summary is the model's own words */
};

static void table_init(struct table *table, size_t n)
{
	*table = (struct table){ 0 };
	for (size_t kind = 0; kind < N_KINDS; kind++) {
		table->words[kind] = memory_take(n, sizeof(double));
		for (size_t system = 0; system < N_SYSTEMS; system++) {
			for (size_t metric = 0; metric < N_METRICS; metric++)
				table->scores[kind][system][metric] = memory_take(n, sizeof(double));
		}
	}
}

static void table_done(struct table *table)
{
	for (size_t kind = 0; kind < N_KINDS; kind++) {
		free(table->words[kind]);
		for (size_t system = 0; system < N_SYSTEMS; system++) {
			for (size_t metric = 0; metric < N_METRICS; metric++)
				free(table->scores[kind][system][metric]);
		}
	}
}

/* All passages of a kind as one text; the caller's. */
static char *text_of(const struct passages *passages, enum passage_kind kind)
{
	struct buf text = { 0 };

	buf_puts(&text, "");
	for (size_t i = 0; i < passages->n; i++) {
		if (passages->items[i].kind == kind)
			buf_printf(&text, "%s\n", passages->items[i].text);
	}
	return buf_take(&text);
}

static void put_scores(struct table *table, size_t kind, size_t system, const struct rouge_words *words,
                       const struct set_item *item)
{
	double scores[N_METRICS];

	rouge_score(words, item->references, item->n_references, scores);
	for (size_t metric = 0; metric < N_METRICS; metric++)
		table->scores[kind][system][metric][table->n] = scores[metric];
}

/* The query that BM25 gets: the title, else the first sentence. */
static char *query_of(const struct set_item *item, const struct sentences *sentences)
{
	if (item->title[0] != '\0' || sentences->n == 0)
		return strdup(item->title);
	return strndup(item->text + sentences->starts[0], sentences->ends[0] - sentences->starts[0]);
}

static void score_kind(struct table *table, size_t kind, const char *ours, const struct set_item *item,
                       const struct sentences *sentences, size_t *const *ranked)
{
	struct rouge_words words = rouge_words_of(ours, strlen(ours));

	table->words[kind][table->n] = (double)words.n;
	put_scores(table, kind, 0, &words, item);
	for (size_t baseline = 0; baseline < N_BASELINES; baseline++) {
		struct rouge_words taken = baseline_take(sentences, ranked[baseline], words.n);

		put_scores(table, kind, 1 + baseline, &taken, item);
		rouge_words_done(&taken);
	}
	rouge_words_done(&words);
}

/* One line for those who want to look closer. */
static void write_document(const struct quality *quality, const struct table *table, const char *summary,
                           const char *reference)
{
	fprintf(quality->csv, "%zu", table->n);
	for (size_t kind = 0; kind < N_KINDS; kind++) {
		for (size_t system = 0; system < N_SYSTEMS; system++)
			fprintf(quality->csv, "\t%.1f/%.1f", table->scores[kind][system][ROUGE_1][table->n],
			        table->scores[kind][system][ROUGE_2][table->n]);
	}
	fprintf(quality->csv, "\t%.*s\t%s\n", (int)strcspn(summary, "\n"), summary, reference);
	fflush(quality->csv);
}

static void score_document(const struct quality *quality, struct table *table, const struct set_item *item,
                           const struct reading *reading)
{
	char *texts[N_KINDS] = { text_of(&reading->passages, PASSAGE_KEY),
		                 text_of(&reading->passages, PASSAGE_ABSTRACT) };
	size_t *ranked[N_BASELINES];
	struct sentences sentences;
	char *query;

	sentences_of(&sentences, item->text);
	query = query_of(item, &sentences);
	for (size_t baseline = 0; baseline < N_BASELINES; baseline++) {
		ranked[baseline] = memory_take(sentences.n + 1, sizeof(size_t));
		baseline_rank((enum baseline)baseline, &sentences, query, SEED + table->n, ranked[baseline]);
	}
	for (size_t kind = 0; kind < N_KINDS; kind++)
		score_kind(table, kind, texts[kind], item, &sentences, ranked);
	write_document(quality, table, texts[KIND_SUMMARY], item->references[0]);
	for (size_t i = 0; i < reading->passages.n; i++) {
		const struct passage *passage = &reading->passages.items[i];

		table->n_generated += passage->kind == PASSAGE_ABSTRACT && passage->generated;
	}
	for (size_t baseline = 0; baseline < N_BASELINES; baseline++)
		free(ranked[baseline]);
	for (size_t kind = 0; kind < N_KINDS; kind++)
		free(texts[kind]);
	free(query);
	sentences_done(&sentences);
}

/* One line a system: its scores, and how far ours is ahead of it. */
static void print_system(const struct table *table, size_t kind, size_t system, const char *set)
{
	printf("| %s, %s | %s |", set, KIND_NAMES[kind], system == 0 ? "skimd" : BASELINE_NAMES[system - 1]);
	for (size_t metric = 0; metric < N_METRICS; metric++) {
		const double *ours = table->scores[kind][0][metric],
			     *theirs = table->scores[kind][system][metric];
		struct interval mean = bootstrap_mean(theirs, NULL, table->n);
		struct interval ahead = bootstrap_mean(ours, theirs, table->n);

		printf(" %s %.1f", METRIC_NAMES[metric], mean.mean);
		if (system == 0)
			printf(" |");
		else
			printf(" (%+.1f: %+.1f to %+.1f%s) |", ahead.mean, ahead.low, ahead.high,
			       ahead.low > 0 ? ", beaten" : "");
	}
	printf("\n");
}

static void print_table(const struct table *table, const char *set)
{
	printf("\n%s: %zu documents, %zu summaries in the model's own words; words of a summary %.0f, of key "
	       "passages %.0f\n",
	       set, table->n, table->n_generated,
	       bootstrap_mean(table->words[KIND_SUMMARY], NULL, table->n).mean,
	       bootstrap_mean(table->words[KIND_KEY], NULL, table->n).mean);
	for (size_t kind = 0; kind < N_KINDS; kind++) {
		for (size_t system = 0; system < N_SYSTEMS; system++)
			print_system(table, kind, system, set);
	}
	fflush(stdout);
}

static int read_items(const struct quality *quality, const struct evaluation_set *set, struct table *table,
                      struct err *err)
{
	size_t *order = memory_take(set->n, sizeof(size_t));
	int r = 0;

	draw_order(SEED, set->n, order);
	for (size_t i = 0; r == 0 && i < set->n && table->n < quality->n_documents; i++) {
		const struct set_item *item = &set->items[order[i]];
		struct reading reading = { 0 };

		if (strlen(item->text) > quality->max_bytes)
			continue;
		r = desk_read(quality->desk, item->text, &reading, err);
		if (r < 0)
			continue;
		score_document(quality, table, item, &reading);
		table->n++;
		reading_done(&reading);
	}
	free(order);
	return r;
}

int quality_documents(const struct quality *quality, const char *name, struct err *err)
{
	struct evaluation_set set;
	struct table table;
	int r = set_read(quality->folder, name, &set, err);

	if (r < 0)
		return r;
	table_init(&table, quality->n_documents);
	r = read_items(quality, &set, &table, err);
	if (r == 0)
		print_table(&table, name);
	table_done(&table);
	set_done(&set);
	return r;
}
