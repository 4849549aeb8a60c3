/* Sparse attention beside dense, on the same weights, for the same questions about texts that are longer than what the
 * indexer picks: by the whole pipeline, which reads short passages of them, and by the bare model, which reads all. */
#include <stdlib.h>
#include <string.h>

#include "bench/bootstrap.h"
#include "bench/memory.h"
#include "bench/quality.h"
#include "bench/rouge.h"
#include "bench/squad.h"

enum manner { WITH_PIPELINE, BARE };
#define N_MANNERS 2
static const char *const MANNER_NAMES[N_MANNERS] = { "skimd", "the model, bare" };

/* f1[manner][attention][question] */
struct comparison {
	double *f1[N_MANNERS][2];
	size_t n, n_same[N_MANNERS]; /* questions; of them, those with the same answer twice */
};

static void comparison_init(struct comparison *comparison, size_t n)
{
	*comparison = (struct comparison){ 0 };
	for (size_t manner = 0; manner < N_MANNERS; manner++) {
		for (size_t dense = 0; dense < 2; dense++)
			comparison->f1[manner][dense] = memory_take(n, sizeof(double));
	}
}

static void comparison_done(struct comparison *comparison)
{
	for (size_t manner = 0; manner < N_MANNERS; manner++) {
		for (size_t dense = 0; dense < 2; dense++)
			free(comparison->f1[manner][dense]);
	}
}

/* What is answered; *ret is the caller's. */
static int ask(struct desk *desk, enum manner manner, int64_t id, const char *text, const char *question,
               char **ret, struct err *err)
{
	struct asked_passage asked;
	bool found;
	int r = manner == BARE ? desk_ask_bare(desk, text, question, ret, err)
	                       : desk_weigh(desk, id, question, &asked, ret, err);

	if (r == 0 && manner == WITH_PIPELINE) {
		answer_score(&asked, &found);
		if (!found)
			(*ret)[0] = '\0';
	}
	return r;
}

static int compare_question(const struct quality *quality, int64_t id, const char *text,
                            const struct set_item *item, struct comparison *comparison, struct err *err)
{
	int r = 0;

	for (size_t manner = 0; r == 0 && manner < N_MANNERS; manner++) {
		char *answers[2] = { NULL, NULL };

		for (size_t dense = 0; r == 0 && dense < 2; dense++) {
			desk_set_attention(quality->desk, dense ? ATTENTION_DENSE : ATTENTION_SPARSE);
			r = ask(quality->desk, (enum manner)manner, id, text, item->question, &answers[dense],
			        err);
			if (r == 0)
				comparison->f1[manner][dense][comparison->n] =
					rouge_answer_f1(answers[dense], item->references, item->n_references);
		}
		comparison->n_same[manner] += r == 0 && strcmp(answers[0], answers[1]) == 0;
		free(answers[0]);
		free(answers[1]);
	}
	desk_set_attention(quality->desk, ATTENTION_SPARSE);
	comparison->n += r == 0;
	return r;
}

static int compare_place(const struct quality *quality, const struct squad *squad, size_t place,
                         size_t n_tokens, struct comparison *comparison, struct err *err)
{
	size_t n;
	const struct set_item *items = squad_questions(squad, place, &n);
	char *text;
	int64_t id;
	int r = squad_put_hidden(squad, quality->desk, place, n_tokens, &text, &id, err);

	if (r < 0)
		return r;
	for (size_t k = 0; r == 0 && k < n; k++)
		r = compare_question(quality, id, text, &items[k], comparison, err);
	free(text);
	return r;
}

static void print_comparison(const struct comparison *comparison, size_t n_tokens)
{
	printf("\nsparse beside dense, hidden in %zuk tokens: %zu questions\n", n_tokens / 1000,
	       comparison->n);
	for (size_t manner = 0; manner < N_MANNERS; manner++) {
		double *const *f1 = comparison->f1[manner];
		struct interval sparse = bootstrap_mean(f1[0], NULL, comparison->n);
		struct interval dense = bootstrap_mean(f1[1], NULL, comparison->n);
		struct interval ahead = bootstrap_mean(f1[0], f1[1], comparison->n);

		printf("| %s | sparse F1 %.1f | dense F1 %.1f | %+.1f (%+.1f to %+.1f) | %zu of %zu answers "
		       "the same "
		       "|\n",
		       MANNER_NAMES[manner], sparse.mean, dense.mean, ahead.mean, ahead.low, ahead.high,
		       comparison->n_same[manner], comparison->n);
	}
	fflush(stdout);
}

int quality_dense(const struct quality *quality, size_t n_tokens, struct err *err)
{
	struct comparison comparison;
	struct squad squad;
	int r = squad_read(quality->folder, &squad, err);

	if (r < 0)
		return r;
	comparison_init(&comparison, quality->n_hidden * SQUAD_MAX_QUESTIONS);
	for (size_t i = 0; r == 0 && i < quality->n_hidden && i < squad.n; i++)
		r = compare_place(quality, &squad, i, n_tokens, &comparison, err);
	if (r == 0)
		print_comparison(&comparison, n_tokens);
	comparison_done(&comparison);
	squad_done(&squad);
	return r;
}
