#include "pipeline/answer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "pipeline/chunk.h"
#include "pipeline/place.h"
#include "pipeline/retrieval.h"
#include "pipeline/stored_text.h"

#define N_FOUND 4 /* passages that are read for a question, and the first one of the text */

/* How candidates are ranked: by a token's mean log-probability and what follows. Measured, as all that stands here is, on
 * questions that the results in bench/README.md do not hold. */
#define RANK_DOUBT 0.1
#define RANK_WORDS 2.0

/* How likely the best one is right: a logistic regression. For other weights, 'bench_quality --only score' prints these
 * lines anew (bench/README.md). */
#define SCORE_BASE (-1.73)
#define SCORE_MEAN 2.65
#define SCORE_DOUBT 0.315
#define MIN_SCORE 0.105 /* below it nothing was found */

/* A few sentences: measured, the model answers from them better than from more (bench/README.md). */
static const struct chunk_limits PASSAGE = { .max_bytes = 300 };

struct answerer {
	struct reader *reader;
	struct stored_text text;
	struct chunk *passages;
	size_t n_passages;
	struct retrieval *retrieval;
};

/* What one passage gave. */
struct candidate {
	struct asked_passage asked;
	double words; /* share of the question's words that the passage has, by weight */
};

void answer_done(struct answer *answer)
{
	for (size_t i = 0; i < answer->n_evidence; i++)
		evidence_done(&answer->evidence[i]);
	free(answer->evidence);
	free(answer->text);
	*answer = (struct answer){ 0 };
}

static int index_passages(struct answerer *answerer)
{
	struct grounded_span *spans = array_new(struct grounded_span, answerer->n_passages);
	int r;

	if (spans == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < answerer->n_passages; i++)
		spans[i] = (struct grounded_span){ answerer->text.view.text + answerer->passages[i].start,
			                           answerer->passages[i].end - answerer->passages[i].start };
	r = retrieval_new(spans, answerer->n_passages, &answerer->retrieval);
	free(spans);
	return r;
}

int answerer_open(struct reader *reader, struct docstore *store, int64_t document_id, struct answerer **ret,
                  struct err *err)
{
	struct answerer *answerer = array_new(struct answerer, 1);
	int r;

	if (answerer == NULL)
		return err_set(err, -ENOMEM, "no memory for questions");
	answerer->reader = reader;
	r = stored_text_load(store, document_id, &answerer->text, err);
	if (r == 0)
		r = chunk_make(&answerer->text.view, &PASSAGE, &answerer->passages, &answerer->n_passages,
		               err);
	if (r == 0 && (r = index_passages(answerer)) < 0)
		err_set(err, r, "no memory for %zu passages", answerer->n_passages);
	if (r < 0)
		answerer_close(answerer);
	else
		*ret = answerer;
	return r;
}

void answerer_close(struct answerer *answerer)
{
	if (answerer == NULL)
		return;
	retrieval_free(answerer->retrieval);
	free(answerer->passages);
	stored_text_done(&answerer->text);
	free(answerer);
}

const struct view *answerer_view(const struct answerer *answerer)
{
	return &answerer->text.view;
}

/* The model's word for its quotation and against its absence, and how well the passage fits by its words. */
static double rank_candidate(const struct candidate *candidate, double most_words)
{
	double words = most_words > 0 ? candidate->words / most_words : 0;

	return candidate->asked.mean - RANK_DOUBT * candidate->asked.not_stated + RANK_WORDS * words;
}

double answer_score(const struct asked_passage *asked, bool *ret_found)
{
	double sum = SCORE_BASE + SCORE_MEAN * asked->mean - SCORE_DOUBT * asked->not_stated;
	double score = asked->end == 0 ? 0 : 1 / (1 + exp(-sum));

	*ret_found = score >= MIN_SCORE;
	return score;
}

static int take_answer(const struct answerer *answerer, const struct asked_passage *asked, struct answer *ret)
{
	*ret = (struct answer){ 0 };
	ret->score = answer_score(asked, &ret->found);
	ret->text = ret->found ? strndup(answerer->text.view.text + asked->start, asked->end - asked->start)
	                       : strdup(PROMPT_NOT_STATED);
	if (ret->text == NULL)
		return -ENOMEM;
	if (!ret->found)
		return 0;
	ret->evidence = array_new(struct evidence, 1);
	if (ret->evidence == NULL ||
	    place_find(answerer->text.source, &answerer->text.view, asked->sentence_start,
	               asked->sentence_end, &ret->evidence[0]) < 0)
		return -ENOMEM;
	ret->evidence[0].score = exp(asked->mean); /* of a token */
	ret->n_evidence = 1;
	return 0;
}

/* The best of the passages that were found, the first of equals. */
static int ask_found(struct answerer *answerer, const char *question, const struct retrieved *found, size_t n,
                     struct asked_passage *ret, struct usage *usage, const struct reader_hooks *hooks,
                     struct err *err)
{
	double best = -INFINITY;
	int r = 0;

	*ret = (struct asked_passage){ 0 };
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct candidate candidate = { .words = found[i].score };
		double rank;

		r = ask_passage(answerer->reader, &answerer->text.view, &answerer->passages[found[i].passage],
		                question, &candidate.asked, usage, hooks, err);
		if (r < 0 || candidate.asked.end == 0)
			continue;
		rank = rank_candidate(&candidate, found[0].score);
		if (rank > best) {
			best = rank;
			*ret = candidate.asked;
		}
	}
	return r;
}

/* Behind the best passages the one that the text begins with: who wrote it, when, and what it is stands there, in words that
 * no question has. */
static size_t choose_passages(struct retrieved *ranked, size_t n)
{
	for (size_t i = N_FOUND; i < n; i++) {
		if (ranked[i].passage == 0) {
			ranked[N_FOUND] = ranked[i];
			return N_FOUND + 1;
		}
	}
	return n < N_FOUND ? n : N_FOUND;
}

int answer_weigh(struct answerer *answerer, const char *question, struct asked_passage *ret,
                 struct usage *usage, const struct reader_hooks *hooks, struct err *err)
{
	struct retrieved *ranked = array_new(struct retrieved, answerer->n_passages);
	size_t n;
	int r = ranked == NULL ? -ENOMEM
	                       : retrieval_rank(answerer->retrieval, question, strlen(question),
	                                        answerer->n_passages, ranked, &n);

	if (r < 0)
		err_set(err, r, "no memory for a question");
	else
		r = ask_found(answerer, question, ranked, choose_passages(ranked, n), ret, usage, hooks, err);
	free(ranked);
	return r;
}

int answer_find(struct answerer *answerer, const char *question, struct answer *ret, struct usage *usage,
                const struct reader_hooks *hooks, struct err *err)
{
	struct asked_passage best;
	int r = answer_weigh(answerer, question, &best, usage, hooks, err);

	if (r == 0 && (r = take_answer(answerer, &best, ret)) < 0) {
		answer_done(ret);
		err_set(err, r, "no memory for an answer");
	}
	return r;
}
