/* What a question costs beside the first reading of its document, both without a cache that had anything of them. */
#include <stdlib.h>

#include "base/clock.h"
#include "bench/memory.h"
#include "bench/quality.h"
#include "bench/squad.h"

#define N_TOKENS 50000
#define N_QUESTIONS 20
#define BAR 0.05 /* of the reading */

static int compare(const void *a, const void *b)
{
	const double *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

/* Questions of passages that the document has, or has not: what they cost does not tell. */
static int time_questions(const struct quality *quality, const struct squad *squad, int64_t id,
                          double *seconds, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < N_QUESTIONS; i++) {
		double began = clock_seconds();
		struct answer answer;
		size_t n;

		r = desk_ask(quality->desk, id, squad_questions(squad, i, &n)->question, &answer, err);
		if (r == 0)
			answer_done(&answer);
		seconds[i] = clock_seconds() - began;
	}
	if (r == 0)
		qsort(seconds, N_QUESTIONS, sizeof(*seconds), compare);
	return r;
}

static void print_cost(const struct reading *reading, double read, const double *seconds)
{
	double middle = seconds[N_QUESTIONS / 2], worst = seconds[N_QUESTIONS - 1];

	printf("\nasking: %lld tokens were read in %.1f s, %d questions answered in %.2f s each, at worst "
	       "%.2f: %.4f "
	       "and %.4f of the reading (bar %.2f: %s)\n",
	       (long long)reading->document.tokens, read, N_QUESTIONS, middle, worst, middle / read,
	       worst / read, BAR, middle / read <= BAR ? "met" : "missed");
	fflush(stdout);
}

static int measure(const struct quality *quality, const struct squad *squad, const char *text,
                   struct err *err)
{
	double seconds[N_QUESTIONS], began = clock_seconds(), read;
	struct reading reading;
	int r = desk_read(quality->desk, text, &reading, err);

	if (r < 0)
		return r;
	read = clock_seconds() - began;
	r = time_questions(quality, squad, reading.document.id, seconds, err);
	if (r == 0)
		print_cost(&reading, read, seconds);
	reading_done(&reading);
	return r;
}

int quality_cost(const struct quality *quality, struct err *err)
{
	struct squad squad;
	char *text;
	int r = squad_read(quality->folder, &squad, err);

	if (r < 0)
		return r;
	r = squad_hide(&squad, quality->desk, 0, N_TOKENS, &text, err);
	if (r == 0) {
		r = measure(quality, &squad, text, err);
		free(text);
	}
	squad_done(&squad);
	return r;
}
