/* What the score of an answer is worth: questions that a text answers and as many that it does not, by the threshold that
 * skimd has and by others; and which constants would serve better, for weights that they were not made for. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bench/logistic.h"
#include "bench/memory.h"
#include "bench/quality.h"
#include "bench/rouge.h"
#include "bench/squad.h"

#define RIGHT 50 /* an answer's F1 from there on */
#define N_FIFTHS 5

/* One question, and what became of it. */
struct trial {
	double score;
	bool quotes; /* else the score is 0, whatever the constants */
	double signs[2]; /* what it is made of, see pipeline/answer.c */
	bool answerable, found, right;
};

struct trials {
	struct trial *items;
	size_t n;
};

/* One question about a passage. */
static int try_question(const struct quality *quality, int64_t id, const struct set_item *item,
                        bool answerable, struct trial *ret, struct err *err)
{
	struct asked_passage asked;
	char *words;
	int r = desk_weigh(quality->desk, id, item->question, &asked, &words, err);

	if (r < 0)
		return r;
	*ret = (struct trial){ .quotes = asked.end > 0,
		               .signs = { asked.mean, asked.not_stated },
		               .answerable = answerable };
	ret->score = answer_score(&asked, &ret->found);
	ret->right = answerable && rouge_answer_f1(words, item->references, item->n_references) >= RIGHT;
	fprintf(quality->csv, "%d\t%d\t%.4f\t%.3f\t%.3f\t%s\t%s\t%s\n", answerable, ret->right, ret->score,
	        asked.mean, asked.not_stated, item->question, item->references[0], words);
	free(words);
	return 0;
}

/* Its own question, and one of another article's. */
static int try_passage(const struct quality *quality, const struct squad *squad, size_t place,
                       struct trials *trials, struct err *err)
{
	size_t n;
	const struct set_item *own = squad_questions(squad, place, &n);
	int64_t id;
	int r = desk_put(quality->desk, own->text, &id, err);

	if (r == 0)
		r = try_question(quality, id, own, true, &trials->items[trials->n++], err);
	if (r == 0)
		r = try_question(quality, id, squad_foreign(squad, place), false, &trials->items[trials->n++],
		                 err);
	return r;
}

/* Passages from the end of those that were drawn, behind `skip` others: trials->items are the caller's. */
static int try_passages(const struct quality *quality, size_t skip, struct trials *trials, struct err *err)
{
	struct squad squad;
	int r = squad_read(quality->folder, &squad, err);

	*trials = (struct trials){ memory_take(2 * quality->n_passages, sizeof(*trials->items)), 0 };
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < quality->n_passages && skip + i < squad.n; i++)
		r = try_passage(quality, &squad, squad.n - 1 - skip - i, trials, err);
	squad_done(&squad);
	return r;
}

static double accuracy(const struct trial *trials, size_t n, double threshold)
{
	size_t right = 0;

	for (size_t i = 0; i < n; i++)
		right += (trials[i].score >= threshold) == trials[i].answerable;
	return n == 0 ? 0 : 100.0 * (double)right / (double)n;
}

/* The lowest score that tells the trials apart best. */
static double best_threshold(const struct trial *trials, size_t n)
{
	double best = 0;

	for (size_t i = 0; i < n; i++) {
		double gain = accuracy(trials, n, trials[i].score) - accuracy(trials, n, best);

		if (gain > 0 || (gain == 0 && trials[i].score < best))
			best = trials[i].score;
	}
	return best;
}

static void print_accuracy(const struct trials *trials)
{
	size_t half = trials->n / 4 * 2, right = 0; /* pairs stay together */
	double threshold = best_threshold(trials->items, half);

	for (size_t i = 0; i < trials->n; i++)
		right += trials->items[i].found == trials->items[i].answerable;
	printf("\nunanswerable: %zu questions, half of another article; by skimd's own threshold %.1f %% "
	       "told right; by the first half's (%.3f) %.1f %% of the second\n",
	       trials->n, trials->n == 0 ? 0 : 100.0 * (double)right / (double)trials->n, threshold,
	       accuracy(trials->items + half, trials->n - half, threshold));
}

int quality_unanswerable(const struct quality *quality, struct err *err)
{
	struct trials trials;
	int r = try_passages(quality, 0, &trials, err);

	if (r == 0)
		print_accuracy(&trials);
	free(trials.items);
	return r;
}

static int compare_scores(const void *a, const void *b)
{
	const struct trial *left = a, *right = b;

	return left->score < right->score ? -1 : left->score > right->score;
}

/* Where the score said so much, how many were right: by fifths of the trials, which this sorts. */
static void print_calibration(const struct trials *trials, const char *what)
{
	qsort(trials->items, trials->n, sizeof(*trials->items), compare_scores);
	printf("score, %s:", what);
	for (size_t fifth = 0; fifth < N_FIFTHS; fifth++) {
		size_t start = trials->n * fifth / N_FIFTHS, end = trials->n * (fifth + 1) / N_FIFTHS;
		double said = 0, right = 0;

		for (size_t i = start; i < end; i++) {
			said += trials->items[i].score / (double)(end - start);
			right += trials->items[i].right / (double)(end - start);
		}
		printf(" %.2f %.2f%s", said, right, fifth + 1 < N_FIFTHS ? " |" : "\n");
	}
}

/* Constants of pipeline/answer.c that fit these trials, and the trials' scores by them. */
static struct logistic fit(const struct trials *trials)
{
	double(*signs)[2] = memory_take(trials->n, sizeof(*signs));
	bool *right = memory_take(trials->n, sizeof(*right));
	struct logistic ret;
	size_t n = 0;

	for (size_t i = 0; i < trials->n; i++) {
		if (!trials->items[i].quotes)
			continue;
		memcpy(signs[n], trials->items[i].signs, sizeof(signs[n]));
		right[n++] = trials->items[i].right;
	}
	ret = logistic_fit((const double(*)[2])signs, right, n);
	for (size_t i = 0; i < trials->n; i++) {
		struct trial *trial = &trials->items[i];

		trial->score = trial->quotes ? logistic_value(&ret, trial->signs) : 0;
	}
	free(signs);
	free(right);
	return ret;
}

int quality_score(const struct quality *quality, struct err *err)
{
	struct trials trials;
	int r = try_passages(quality, quality->n_passages, &trials, err);

	if (r == 0) {
		struct logistic fitted;

		printf("\nscore: %zu questions, half of another article; by fifths, what the score said and "
		       "which share was right\n",
		       trials.n);
		print_calibration(&trials, "as it is");
		fitted = fit(&trials);
		print_calibration(&trials, "fitted");
		printf("#define SCORE_BASE (%.2f)\n#define SCORE_MEAN %.2f\n#define SCORE_DOUBT %.3f\n"
		       "#define MIN_SCORE %.3f\n",
		       fitted.base, fitted.weights[0], -fitted.weights[1],
		       best_threshold(trials.items, trials.n));
		fflush(stdout);
	}
	free(trials.items);
	return r;
}
