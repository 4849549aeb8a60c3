#include <stdlib.h>
#include <string.h>

#include "bench/baselines.h"
#include "bench/bootstrap.h"
#include "bench/memory.h"
#include "bench/quality.h"
#include "bench/squad.h"

/* What is compared, and how good each was: a value a question. */
enum system { SYSTEM_SKIMD, SYSTEM_BM25, SYSTEM_BARE };
#define N_SYSTEMS 3
static const char *const SYSTEM_NAMES[N_SYSTEMS] = { "skimd", "BM25's best sentence", "the model, bare" };

struct grades {
	double *f1[N_SYSTEMS], *exact[N_SYSTEMS];
	size_t n, n_found, n_quoted; /* questions; answers; of these, those that are bytes of the text */
};

static void grades_init(struct grades *grades, size_t n)
{
	*grades = (struct grades){ 0 };
	for (size_t i = 0; i < N_SYSTEMS; i++) {
		grades->f1[i] = memory_take(n, sizeof(double));
		grades->exact[i] = memory_take(n, sizeof(double));
	}
}

static void grades_done(struct grades *grades)
{
	for (size_t i = 0; i < N_SYSTEMS; i++) {
		free(grades->f1[i]);
		free(grades->exact[i]);
	}
}

static void mark(struct grades *grades, enum system system, const char *text, const struct set_item *item)
{
	grades->f1[system][grades->n] = rouge_answer_f1(text, item->references, item->n_references);
	grades->exact[system][grades->n] =
		rouge_answer_exact(text, item->references, item->n_references) ? 100 : 0;
}

static void mark_best_sentence(struct grades *grades, const char *text, const struct set_item *item)
{
	struct sentences sentences;
	size_t *ranked;
	char *best;

	sentences_of(&sentences, text);
	ranked = memory_take(sentences.n + 1, sizeof(size_t));
	baseline_rank(BASELINE_BM25, &sentences, item->question, 0, ranked);
	best = sentences.n == 0 ? strdup("")
	                        : strndup(text + sentences.starts[ranked[0]],
	                                  sentences.ends[ranked[0]] - sentences.starts[ranked[0]]);
	mark(grades, SYSTEM_BM25, best, item);
	free(best);
	free(ranked);
	sentences_done(&sentences);
}

/* Whether each quotation is the bytes that its place says. */
static bool is_quoted(const struct answer *answer, const char *text)
{
	bool exact = answer->n_evidence > 0;

	for (size_t i = 0; i < answer->n_evidence; i++) {
		const struct evidence *evidence = &answer->evidence[i];
		size_t n = strlen(evidence->quote);

		exact = exact && evidence->byte_end - evidence->byte_start == (int64_t)n &&
		        (size_t)evidence->byte_end <= strlen(text) &&
		        memcmp(text + evidence->byte_start, evidence->quote, n) == 0;
	}
	return exact;
}

static int ask(const struct quality *quality, int64_t id, const char *text, const struct set_item *item,
               bool bare, struct grades *grades, struct err *err)
{
	struct answer answer = { 0 };
	char *words = NULL;
	int r = desk_ask(quality->desk, id, item->question, &answer, err);

	if (r == 0 && bare)
		r = desk_ask_bare(quality->desk, text, item->question, &words, err);
	if (r == 0) {
		mark(grades, SYSTEM_SKIMD, answer.found ? answer.text : "", item);
		mark_best_sentence(grades, text, item);
		if (bare)
			mark(grades, SYSTEM_BARE, words, item);
		grades->n_found += answer.found;
		grades->n_quoted += is_quoted(&answer, text);
		fprintf(quality->csv, "%zu\t%.1f\t%.4f\t%d\t%s\t%s\t%s\n", strlen(text),
		        grades->f1[SYSTEM_SKIMD][grades->n], answer.score, answer.found, item->question,
		        item->references[0], answer.text);
		fflush(quality->csv);
		grades->n++;
	}
	free(words);
	answer_done(&answer);
	return r;
}

static void print_grades(const struct grades *grades, const char *what)
{
	printf("\n%s: %zu questions, %zu answers, %zu of them with byte-exact quotations\n", what, grades->n,
	       grades->n_found, grades->n_quoted);
	for (size_t i = 0; i < N_SYSTEMS; i++) {
		struct interval f1 = bootstrap_mean(grades->f1[i], NULL, grades->n);
		struct interval exact = bootstrap_mean(grades->exact[i], NULL, grades->n);

		if (f1.mean > 0)
			printf("| %s | %s | F1 %.1f (%.1f to %.1f) | EM %.1f (%.1f to %.1f) |\n", what,
			       SYSTEM_NAMES[i], f1.mean, f1.low, f1.high, exact.mean, exact.low, exact.high);
	}
	fflush(stdout);
}

int quality_short(const struct quality *quality, struct err *err)
{
	struct squad squad;
	struct grades grades;
	int r = squad_read(quality->folder, &squad, err);

	if (r < 0)
		return r;
	grades_init(&grades, quality->n_passages * SQUAD_MAX_QUESTIONS);
	for (size_t i = 0; r == 0 && i < quality->n_passages && i < squad.n; i++) {
		size_t n;
		const struct set_item *items = squad_questions(&squad, i, &n);
		int64_t id;

		r = desk_put(quality->desk, items->text, &id, err);
		for (size_t k = 0; r == 0 && k < n; k++)
			r = ask(quality, id, items->text, &items[k], true, &grades, err);
	}
	if (r == 0)
		print_grades(&grades, "passage alone");
	grades_done(&grades);
	squad_done(&squad);
	return r;
}

static int ask_hidden(const struct quality *quality, const struct squad *squad, size_t place, size_t n_tokens,
                      struct grades *grades, struct err *err)
{
	size_t n;
	const struct set_item *items = squad_questions(squad, place, &n);
	char *text;
	int64_t id;
	int r = squad_put_hidden(squad, quality->desk, place, n_tokens, &text, &id, err);

	if (r < 0)
		return r;
	for (size_t k = 0; r == 0 && k < n; k++)
		r = ask(quality, id, text, &items[k], false, grades, err);
	free(text);
	return r;
}

int quality_hidden(const struct quality *quality, size_t n_tokens, struct err *err)
{
	struct squad squad;
	struct grades grades;
	char what[64];
	int r = squad_read(quality->folder, &squad, err);

	if (r < 0)
		return r;
	grades_init(&grades, quality->n_hidden * SQUAD_MAX_QUESTIONS);
	for (size_t i = 0; r == 0 && i < quality->n_hidden && i < squad.n; i++)
		r = ask_hidden(quality, &squad, i, n_tokens, &grades, err);
	snprintf(what, sizeof(what), "hidden in %zuk tokens", n_tokens / 1000);
	if (r == 0)
		print_grades(&grades, what);
	grades_done(&grades);
	squad_done(&squad);
	return r;
}
